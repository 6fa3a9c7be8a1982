//! `reproduce`.

use super::common::shared;
use super::{etnas, stdout};
use serde_json::Value;

#[test]
fn a_table_in_its_three_forms() {
    let Some(table) = shared("data/nb201_accuracy.csv") else { return };
    let table = table.to_str().unwrap();
    let text = stdout(&["reproduce", "table2", "--table", table, "--runs", "3", "--dataset", "cifar100"]);
    assert!(text.starts_with("## Table II: random search"), "{text}");
    assert!(text.contains("| N = 1000 | CIFAR-100 | 72.11 ± 0.89 |") && !text.contains("ImageNet"), "{text}");
    let json = stdout(&["reproduce", "table2", "--table", table, "--runs", "3", "--format", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["meta"]["runs"], &json["meta"]["complete"]), (&Value::from(3), &Value::from(true)));
    let entries = json["tables"][0]["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 9);
    for entry in entries {
        assert_eq!((&entry["origin"], &entry["computed"], &entry["n"]), (&"table".into(), &0.into(), &3.into()));
        let difference = entry["ours"].as_f64().unwrap() - entry["paper"].as_f64().unwrap();
        assert_eq!(entry["difference"].as_f64().unwrap(), difference);
    }
    let csv = stdout(&["reproduce", "table2", "--table", table, "--runs", "3", "--format", "csv"]);
    assert_eq!(csv.lines().count(), 10);
    assert!(csv.starts_with("table,row,dataset,quantity,paper,paper_std,ours,"), "{csv}");
}

#[test]
fn rows_that_are_not_built_are_there_as_missing() {
    // No table: what needs one says so, and nothing is computed for it.
    let text = stdout(&["reproduce", "table2", "table3"]);
    assert_eq!(text.matches("| missing |").count(), 9 + 48, "{text}");
    assert!(
        text.contains(
            "* N = 10, N = 100, N = 1000 are missing: It needs the test accuracies of the whole space: give a table with --table"
        ),
        "{text}"
    );
}

#[test]
fn wrong_use_is_told() {
    let told = |arguments: &[&str]| {
        let output = etnas(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(told(&["reproduce", "table6"]).contains("table5"));
    assert!(told(&["reproduce", "table2", "--picture", "a.svg"]).contains("fig2"));
    assert!(told(&["reproduce", "fig2", "--picture", "a.svg"])
        .contains("ImageNet16-120 test accuracies of the whole space"));
    // Scores of files are of one draw of weights.
    assert!(told(&["reproduce", "table4", "--weights-per-run", "--scores", "a.jsonl"]).contains("--weights-per-run"));
    assert!(told(&["reproduce", "table2", "--data", "cifar10"]).contains("DATASET=PATH"));
    assert!(told(&["reproduce", "table2", "--quick", "--runs", "3"]).contains("--runs"));
    assert!(told(&["reproduce", "table2", "--scores", "/nonexistent"]).contains("/nonexistent"));
}
