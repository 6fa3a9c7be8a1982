//! `search --scores`: scores out of files instead of an engine.

use super::{etnas, keys, stdout};
use serde_json::Value;
use std::collections::HashMap;
use std::io::Read;

const SCORES: &str = "docs/results/scores/cifar10.jsonl.gz";
const SLOPES: &str = "docs/results/scores/cifar10-loss-slope.jsonl.gz";

/// Numbers of a packed score file, by index.
fn column(path: &str, name: &str) -> HashMap<u64, f64> {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.filter_map(|row| Some((row["index"].as_u64().unwrap(), row[name].as_f64()?))).collect()
}

#[test]
fn scores_of_files_are_searched_as_computed_ones_are() {
    let text = stdout(&["search", "--runs", "40", "--scores", SCORES, SLOPES, "--format", "json", "--quiet"]);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert!(json["meta"]["configuration"].is_null());
    let files = json["meta"]["score_files"].as_array().unwrap();
    assert_eq!(
        files.iter().map(|file| &file["name"]).collect::<Vec<_>>(),
        ["cifar10.jsonl.gz", "cifar10-loss-slope.jsonl.gz"]
    );
    // How the scores came about is told by their own metadata.
    assert_eq!(files[0]["meta"]["configuration"]["dataset"], "cifar10");
    let of = |path: &str, name: &str| (name.to_string(), column(path, name));
    let expected = HashMap::from([of(SCORES, "naswot"), of(SCORES, "log_synflow"), of(SLOPES, "loss_slope")]);
    let runs = json["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 40);
    for run in runs {
        assert!(run["weight_seed"].is_null());
        assert_eq!(run["evaluations"]["log_synflow"], 61);
        for finalist in run["front"].as_array().unwrap() {
            let index = finalist["index"].as_u64().unwrap();
            for (name, values) in &expected {
                // A front of one needs no LossSlope.
                let absent = name == "loss_slope" && finalist[name].is_null();
                assert!(absent || finalist[name].as_f64() == Some(values[&index]), "{name} of {finalist}");
            }
        }
    }
    // The paper has 94.36 ± 0.02 over 30 runs; a search that took one file's column for another's would be far below.
    assert!(json["mean"].as_f64().unwrap() > 94.2, "{}", json["mean"]);
}

#[test]
fn for_people_the_files_stand_in_the_place_of_the_images() {
    let text = stdout(&["search", "--method", "random-naswot", "--scores", SCORES, "--quiet"]);
    assert!(text.contains(&format!("scores       {SCORES}")) && !text.contains("images "), "{text}");
    // LossSlope can be missing: then the two others decide, and that is told.
    let text = stdout(&["search", "--scores", SCORES, "--quiet"]);
    assert!(text.contains("naswot and LogSynflow alone decided"), "{text}");
}

#[test]
fn files_that_cannot_answer_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let part = folder.path().join("part.csv");
    std::fs::write(&part, "index,dataset,naswot,log_synflow\n5,cifar10,1,2\n").unwrap();
    let part = part.to_str().unwrap();
    for (arguments, expected) in [
        (&["--scores", part][..], "expected all 15625 cells, found 1"),
        (&["--scores", SLOPES], "expected a column log_synflow for --method et-nas, found loss_slope"),
        (&["--scores", SCORES, "--dataset", "cifar100"], "Add --dataset cifar10"),
        (&["--scores", SCORES, "--method", "rea"], "--scores: expected an option of --method rea"),
        (&["--scores", "/nonexistent"], "/nonexistent"),
        // What would change computed scores cannot change those of a file.
        (&["--scores", SCORES, "--batch", "64"], "--batch"),
        (&["--scores", SCORES, "--repeats", "2"], "--repeats"),
        (&["--scores", SCORES, "--weights-per-run"], "--weights-per-run"),
    ] {
        let output = etnas(&[&["search"], arguments].concat()).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(expected), "{error}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn rows_of_searches_have_the_same_keys_with_and_without_an_engine() {
    let run = |arguments: &[&str]| {
        let common = ["search", "--method", "random-naswot", "--evaluations", "3", "--format", "json", "--quiet"];
        serde_json::from_str::<Value>(&stdout(&[&common, arguments].concat())).unwrap()
    };
    let (filed, live) = (run(&["--scores", SCORES]), run(&["--batch", "2"]));
    assert_eq!(keys(&filed["runs"][0]), keys(&live["runs"][0]));
    assert_eq!(keys(&filed["meta"]), keys(&live["meta"]));
    assert!(live["meta"]["score_files"].is_null() && live["runs"][0]["weight_seed"].is_u64());
}
