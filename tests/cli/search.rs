//! `search`: what it reports in every format.

use super::{etnas, keys, rows, stdout};
use etnas::random::Seeds;
use serde_json::Value;

const SMALL: [&str; 10] =
    ["search", "--batch", "2", "--population", "4", "--sample", "2", "--cycles", "8", "--patience=500"];

fn small(more: &[&str]) -> String {
    stdout(&[&SMALL[..], &["--quiet"], more].concat())
}

/// Without what a clock decides.
fn timeless(mut json: Value) -> Value {
    for run in json["runs"].as_array_mut().unwrap() {
        run.as_object_mut().unwrap().remove("seconds").unwrap();
    }
    json
}

#[test]
fn json_has_the_contracts_keys() {
    let json: Value = serde_json::from_str(&small(&["--format", "json", "--runs", "2"])).unwrap();
    assert_eq!(keys(&json), ["meta", "runs", "mean", "std", "n"]);
    let runs = json["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    for (number, run) in runs.iter().enumerate() {
        assert_eq!(run["run"], number);
        for key in ["arch", "index", "test_accuracy", "evaluations", "seconds", "front", "ended"] {
            assert!(keys(run).contains(&key), "{key} is not in {run}");
        }
        assert_eq!(keys(&run["evaluations"]), ["log_synflow", "naswot", "loss_slope", "mutations", "children"]);
        assert_eq!(keys(&run["seconds"]), ["evolution", "naswot", "loss_slope", "total"]);
        assert!(run["seconds"]["total"].as_f64().unwrap() > 0.0);
        let front = run["front"].as_array().unwrap();
        assert!(front.iter().any(|f| f["arch"] == run["arch"]), "{run}");
        assert!(front.iter().all(|f| f["log_synflow"].is_f64()));
    }
    let search = &json["meta"]["search"];
    assert_eq!(
        (&search["preset"], &search["population"], &search["cycles"]),
        (&"reference".into(), &4.into(), &8.into())
    );
    assert!(json["meta"]["accuracies"]["source"].is_string());
    assert_eq!(timeless(json), timeless(serde_json::from_str(&small(&["--format", "json", "--runs", "2"])).unwrap()));
}

#[test]
fn rows_hold_no_time_and_are_the_same_on_any_threads() {
    for format in ["jsonl", "csv"] {
        let run = |threads: &str| {
            let output =
                etnas(&[&SMALL[..], &["--runs", "3", "--format", format, "--quiet", "--threads", threads]].concat())
                    .output()
                    .unwrap();
            assert!(output.status.success() && output.stderr.is_empty());
            String::from_utf8(output.stdout).unwrap()
        };
        let text = run("1");
        assert_eq!(text, run("2"));
        assert!(!text.contains("seconds"), "{text}");
        assert_eq!(text.lines().count(), if format == "csv" { 4 } else { 3 });
    }
}

#[test]
fn accuracies_come_from_the_table_and_the_mean_is_over_those_that_have_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    let mut table = String::from("arch_index,cifar10_test200\n");
    (0..15_625).for_each(|i| table.push_str(&format!("{i},{}\n", 10.0 + i as f64 / 200.0)));
    std::fs::write(&path, table).unwrap();
    let file = path.to_str().unwrap();
    let json: Value = serde_json::from_str(&small(&["--format", "json", "--runs", "3", "--table", file])).unwrap();
    let mut accuracies = Vec::new();
    for run in json["runs"].as_array().unwrap() {
        let accuracy = run["test_accuracy"].as_f64().unwrap();
        assert_eq!(accuracy, 10.0 + run["index"].as_f64().unwrap() / 200.0);
        accuracies.push(accuracy);
    }
    let mean = accuracies.iter().sum::<f64>() / 3.0;
    let variance = accuracies.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / 2.0;
    assert!((json["mean"].as_f64().unwrap() - mean).abs() < 1e-9);
    assert!((json["std"].as_f64().unwrap() - variance.sqrt()).abs() < 1e-9);
    assert_eq!(json["n"], 3);

    let index = json["runs"][0]["index"].as_u64().unwrap();
    let text = small(&["--table", file]);
    let rank = 15_625 - index;
    let expected = format!("{:.2} % on the test images of CIFAR-10, rank ", 10.0 + index as f64 / 200.0);
    assert!(text.contains(&expected), "{expected} is not in {text}");
    let digits: String =
        text.split(", rank ").nth(1).unwrap().chars().take_while(|c| *c != ' ').filter(|c| *c != ',').collect();
    assert_eq!(digits.parse::<u64>().unwrap(), rank);
    let through_the_environment = etnas(&SMALL).env("ETNAS_TABLE", file).output().unwrap();
    assert!(String::from_utf8(through_the_environment.stdout).unwrap().contains(&expected));
}

#[test]
fn a_cell_without_accuracy_says_how_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    // The table knows one cell, a dead one that no search ends on.
    std::fs::write(&path, "arch_index,cifar10_test200\n10,10.0\n").unwrap();
    let table = ["--table", path.to_str().unwrap()];
    let text = small(&table);
    assert!(text.contains("unknown\n") && text.contains("--table FILE"), "{text}");
    let json = etnas(&[&SMALL[..], &table, &["--format", "json"]].concat()).output().unwrap();
    let read: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&read["runs"][0]["test_accuracy"], &read["mean"], &read["n"]), (&Value::Null, &Value::Null, &0.into()));
    let note = String::from_utf8(json.stderr).unwrap();
    assert!(note.starts_with("note: ") && note.contains("--table FILE"), "{note}");
}

#[test]
fn the_screen_shows_cell_costs_and_sources() {
    let one = small(&[]);
    assert!(one.starts_with("ET-NAS on CIFAR-10: preset reference, variant et-nas\n\n"), "{one}");
    let labels =
        ["cell   ", "index   ", "accuracy   ", "evaluated   ", "seconds   ", "ended   ", "images   ", "accuracies   "];
    for label in labels {
        assert!(one.lines().any(|line| line.starts_with(label)), "{label} is not in {one}");
    }
    assert!(one.contains("LogSynflow, ") && one.contains("= evolution ") && one.contains("  0 ") && one.contains("▶"));
    assert_eq!(one.lines().filter(|line| line.starts_with('*')).count(), 1, "{one}");
    let several = small(&["--runs", "3", "--variant", "rank"]);
    assert!(several.starts_with("ET-NAS on CIFAR-10: preset reference, variant rank, 3 runs\n\n"), "{several}");
    let runs = several.lines().skip(4).take(3).map(|line| line.split_whitespace().next().unwrap());
    assert_eq!(runs.collect::<Vec<_>>(), ["0", "1", "2"], "{several}");
}

#[test]
fn runs_share_the_weight_seed_unless_asked() {
    let seeds = |more: &[&str]| {
        let text = stdout(&[&SMALL[..], &["--runs", "2", "--format", "jsonl", "--quiet"], more].concat());
        rows(&text).iter().map(|run| run["weight_seed"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let first = Seeds::new(0);
    assert_eq!(seeds(&[]), [first.weight, first.weight]);
    assert_eq!(seeds(&["--weights-per-run"]), [first.weight, first.repeat(1).weight]);
}

#[test]
fn a_search_that_stalls_ends_and_says_so() {
    let text = stdout(&[
        "search",
        "--batch",
        "2",
        "--preset",
        "algorithm1",
        "--population",
        "4",
        "--sample",
        "2",
        "--cycles",
        "300",
        "--patience",
        "50",
    ]);
    assert!(text.contains("The search ended early: 50 mutants in a row were rejected"), "{text}");
}
