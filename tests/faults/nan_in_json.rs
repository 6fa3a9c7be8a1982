//! Seen elsewhere: NaN and Infinity in JSON, which no strict parser reads.
//!
//! Every output of every subcommand, also of dead cells, singular kernels and diverged trainings, is read by a strict parser; no number
//! is left out of finite ones, none is dressed as text, and each key is one that docs/command-line.md knows.

use super::{commands, etnas};
use safetensors::tensor::TensorView;
use safetensors::Dtype;
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

/// Images that differ in nothing, and images of which f32 cannot hold the sums.
#[test]
fn singular_kernels_and_diverged_trainings_are_null() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    images(&at.join("equal.safetensors"), |pixel| ((pixel % 768) as f32 * 0.37).sin());
    images(&at.join("huge.safetensors"), |pixel| if pixel % 5 < 3 { 3e38 } else { -2e38 });
    let arguments = ["score", "9930", "1651", "--format"];
    let measures = "naswot,log-synflow,synflow,degree,loss-slope,utopian,params,macs";
    for (file, null, status) in [("equal", "naswot", "singular"), ("huge", "loss_slope", "diverged")] {
        let data = format!("{file}.safetensors");
        let more = ["--measures", measures, "--batch", "4", "--repeats", "2", "--data", data.as_str()];
        for format in ["json", "jsonl", "csv", "table"] {
            let text = run(&[&arguments[..], &[format], &more].concat(), at);
            let records: Vec<Value> = match format {
                "json" => {
                    let mut value: Value = serde_json::from_str(&text).unwrap();
                    walk(&value, file, &mut BTreeSet::new());
                    value["records"].take().as_array().unwrap().clone()
                }
                "jsonl" => {
                    fs::write(at.join("a.jsonl"), &text).unwrap();
                    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
                }
                "csv" => {
                    walk_csv(&text, file);
                    continue;
                }
                _ => {
                    assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
                    continue;
                }
            };
            assert_eq!(records.len(), 2);
            for record in &records {
                walk(record, file, &mut BTreeSet::new());
                // The first cell's skip carries what overflows up to LossSlope's heads.
                if file == "equal" || record["index"] == 9930 {
                    assert_eq!(record["status"], status, "{record}");
                    assert!(record[null].is_null() && record[&format!("{null}_std")].is_null(), "{record}");
                }
                assert_eq!(record["status"] == "diverged", record["loss_slope"].is_null(), "{record}");
            }
        }
        // What is made of such records.
        let table = "arch_index,cifar10_test200\n9930,94\n1651,10\n";
        fs::write(at.join("table.csv"), table).unwrap();
        for report in [&["rank", "a.jsonl"][..], &["correlate", "a.jsonl", "--table", "table.csv"]] {
            let text = run(&[report, &["--format", "json"]].concat(), at);
            walk(&serde_json::from_str(&text).unwrap(), file, &mut BTreeSet::new());
        }
    }
}
