//! Seen elsewhere: NaN and Infinity in JSON, which no strict parser reads.
//!
//! Every output of every subcommand, also of dead cells, singular kernels and diverged trainings, is read by a strict parser; no number
//! is left out of finite ones, none is dressed as text, and each key is one that docs/command-line.md knows.

use super::{commands, etnas};
use etnas::space::Skeleton;
use etnas::weights::Slot;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Words that stand for what is no number, in any language's way to print it.
const NO_NUMBERS: [&str; 12] =
    ["nan", "-nan", "inf", "-inf", "+inf", "infinity", "-infinity", "+infinity", "1e999", "∞", "-∞", "−∞"];

/// Walks all values; gives the keys of objects that are no metadata.
fn walk(value: &Value, place: &str, keys: &mut BTreeSet<String>) {
    match value {
        Value::Number(number) => assert!(number.as_f64().is_some_and(f64::is_finite), "{place}: {number}"),
        Value::String(text) => {
            assert!(!NO_NUMBERS.contains(&text.to_lowercase().as_str()), "{place}: {text}");
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, &format!("{place}[]"), keys)),
        Value::Object(map) => {
            for (key, item) in map {
                let place = format!("{place}.{key}");
                if !place.contains(".meta") && !place.contains(".configuration.") {
                    keys.insert(key.clone());
                }
                walk(item, &place, keys);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// Numbers of a kind that a score has, as fields of CSV.
fn walk_csv(text: &str, place: &str) {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    for record in reader.records() {
        let record = record.unwrap();
        assert_eq!(record.len(), header.len(), "{place}");
        for (name, field) in header.iter().zip(&record) {
            assert!(!NO_NUMBERS.contains(&field.to_lowercase().as_str()), "{place}, {name}: {field}");
            assert!(field.parse::<f64>().map_or(true, f64::is_finite), "{place}, {name}: {field}");
        }
    }
}

fn run(arguments: &[&str], folder: &Path) -> String {
    let output = etnas(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A batch of images as safetensors.
fn images(path: &Path, pixel: impl Fn(usize) -> f32) {
    let bytes: Vec<u8> = (0..4 * 3 * 256).flat_map(|at| pixel(at).to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![4, 3, 16, 16], &bytes).unwrap();
    fs::write(path, safetensors::serialize([("images", view)], None).unwrap()).unwrap();
}

#[test]
fn every_output_of_every_command_is_strict() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/command-line.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    commands::scored(at);
    let mut keys = BTreeSet::new();
    let mut formats = 0;
    for arguments in commands::all() {
        for format in ["json", "jsonl", "csv"] {
            let output = etnas(&[&arguments[..], &["--format", format]].concat()).current_dir(at).output().unwrap();
            if output.status.code() == Some(2) {
                // A form that this command does not have.
                continue;
            }
            assert!(output.status.success(), "{arguments:?} {format}: {output:?}");
            formats += 1;
            let text = String::from_utf8(output.stdout).unwrap();
            let place = format!("{arguments:?}");
            match format {
                "json" => walk(&serde_json::from_str(&text).unwrap(), &place, &mut keys),
                "jsonl" => text.lines().for_each(|l| walk(&serde_json::from_str(l).unwrap(), &place, &mut keys)),
                _ => walk_csv(&text, &place),
            }
        }
    }
    assert!(formats >= 25, "{formats}");
    for name in ["a.jsonl", "a.jsonl.meta.json"] {
        let text = fs::read_to_string(at.join(name)).unwrap();
        let values = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
        values.for_each(|value| walk(&value.unwrap(), ".meta", &mut keys));
    }
    // Accuracies bear the names of their columns or data sets, and ranks beside scores those of the scores.
    let named = |key: &str| {
        let base = key.strip_suffix("_rank").or(key.strip_suffix("_std")).unwrap_or(key);
        [format!("`{key}`"), format!("`{base}`"), format!("\"{key}\"")].iter().any(|text| page.contains(text))
    };
    let data = ["cifar10", "cifar100", "imagenet16-120"];
    let of_table = |key: &str| etnas::table::column_info(key.strip_suffix("_rank").unwrap_or(key)).is_some();
    let unknown: Vec<&String> =
        keys.iter().filter(|key| !named(key) && !data.contains(&key.as_str()) && !of_table(key)).collect();
    assert!(keys.len() > 60, "{keys:?}");
    assert!(unknown.is_empty(), "docs/command-line.md does not know {unknown:?}");
}

/// Weights of a cell's network, with heads of LossSlope that are finite but of which f32 cannot hold the sums.
fn overflowing_heads(cell: &str, path: &Path) {
    let of_network = path.with_extension("network.safetensors");
    run(&["export", cell, "-o", of_network.to_str().unwrap()], path.parent().unwrap());
    let bytes = fs::read(of_network).unwrap();
    let network = SafeTensors::deserialize(&bytes).unwrap();
    let skeleton = Skeleton::benchmark(10, 32);
    let heads: Vec<(String, Vec<usize>, Vec<u8>)> = (0..3)
        .map(|stage| {
            let shape = Slot::Head(stage).shape(&skeleton).to_vec();
            let count = shape.iter().product();
            (Slot::Head(stage).name(&skeleton), shape, 1e38f32.to_le_bytes().repeat(count))
        })
        .collect();
    let heads = heads
        .iter()
        .map(|(name, shape, data)| (name.clone(), TensorView::new(Dtype::F32, shape.clone(), data).unwrap()));
    let all = network.iter().map(|(name, view)| (name.to_string(), view)).chain(heads);
    fs::write(path, safetensors::serialize(all, None).unwrap()).unwrap();
}

/// Images that differ in nothing, and heads of which f32 cannot hold the sums.
#[test]
fn singular_kernels_and_diverged_trainings_are_null() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    images(&at.join("equal.safetensors"), |pixel| ((pixel % 768) as f32 * 0.37).sin());
    images(&at.join("apart.safetensors"), |pixel| (pixel as f32 * 0.37).sin());
    // Weights belong to one cell.
    ["9930", "1462"].iter().for_each(|cell| overflowing_heads(cell, &at.join(format!("{cell}.safetensors"))));
    let measures = "naswot,log-synflow,synflow,degree,loss-slope,utopian,params,macs";
    let singular = [&["score", "9930", "1651", "--data", "equal.safetensors"][..]];
    let diverged = [
        &["score", "9930", "--data", "apart.safetensors", "--weights", "9930.safetensors"][..],
        &["score", "1462", "--data", "apart.safetensors", "--weights", "1462.safetensors"],
    ];
    for (commands, null, status) in [(&singular[..], "naswot", "singular"), (&diverged, "loss_slope", "diverged")] {
        for format in ["json", "jsonl", "csv", "table"] {
            let more = ["--measures", measures, "--batch", "4", "--repeats", "2", "--format", format];
            let texts: Vec<String> = commands.iter().map(|command| run(&[*command, &more].concat(), at)).collect();
            let records: Vec<Value> = match format {
                "json" => {
                    let whole = texts.iter().map(|text| serde_json::from_str::<Value>(text).unwrap());
                    let mut records = Vec::new();
                    for mut value in whole {
                        walk(&value, status, &mut BTreeSet::new());
                        records.append(value["records"].as_array_mut().unwrap());
                    }
                    records
                }
                "jsonl" => {
                    fs::write(at.join("a.jsonl"), texts.concat()).unwrap();
                    texts.concat().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
                }
                "csv" => {
                    texts.iter().for_each(|text| walk_csv(text, status));
                    continue;
                }
                _ => {
                    assert!(texts.iter().all(|text| !text.contains("NaN") && !text.contains("inf")), "{texts:?}");
                    continue;
                }
            };
            assert_eq!(records.len(), 2);
            for record in &records {
                walk(record, status, &mut BTreeSet::new());
                assert_eq!(record["status"], status, "{record}");
                // What the cause does not reach is there.
                for other in ["naswot", "log_synflow", "loss_slope"] {
                    assert_eq!(record[other].is_null(), other == null, "{other} of {record}");
                    assert_eq!(record[&format!("{other}_std")].is_null(), other == null, "{other} of {record}");
                }
            }
        }
        // What is made of such records.
        let table = "arch_index,cifar10_test200\n9930,94\n1651,10\n1462,90\n";
        fs::write(at.join("table.csv"), table).unwrap();
        for report in [&["rank", "a.jsonl"][..], &["correlate", "a.jsonl", "--table", "table.csv"]] {
            let text = run(&[report, &["--format", "json"]].concat(), at);
            walk(&serde_json::from_str(&text).unwrap(), status, &mut BTreeSet::new());
        }
    }
}
