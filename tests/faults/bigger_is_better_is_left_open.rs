//! Seen elsewhere: "is bigger better?". Every measure states its direction, and it is applied once.

use super::common::program::keys;
use super::{rows, stdout};
use etnas::measure::Measure;
use serde_json::Value;
use std::fs;

/// `higher` or `lower`.
fn direction(measure: Measure) -> &'static str {
    if measure.higher_is_better() {
        "higher"
    } else {
        "lower"
    }
}

#[test]
fn help_and_metadata_state_the_direction_of_every_measure() {
    let help = stdout(&["score", "--help"]);
    let names = Measure::ALL.map(Measure::name).join(",");
    let arguments = ["score", "5", "1", "--batch", "2", "--dataset", "imagenet16-120", "--format", "json"];
    let scored: Value = serde_json::from_str(&stdout(&[&arguments[..], &["--measures", &names]].concat())).unwrap();
    let told = scored["meta"]["measures"].as_array().unwrap();
    assert_eq!(told.len(), Measure::ALL.len());
    for (measure, told) in Measure::ALL.into_iter().zip(told) {
        let better = direction(measure);
        assert!(help.contains(&format!("{} ({better} is better)", measure.name())), "{help}");
        assert_eq!((&told["key"], &told["better"]), (&measure.key().into(), &better.into()));
        assert!(told["definition"].as_str().unwrap().len() > 10, "{told}");
    }
    let table = stdout(&[&arguments[..7], &["--measures", &names]].concat());
    let header = table.lines().next().unwrap();
    assert_eq!((header.matches('↑').count(), header.matches('↓').count()), (7, 1), "{header}");
    assert!(table.contains("↑ higher promises a better cell, ↓ lower does"), "{table}");
}

#[test]
fn a_search_states_the_direction_of_all_that_it_compares_cells_by() {
    let tiny = ["--dataset", "imagenet16-120", "--batch", "2", "--quiet", "--format", "json"];
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("table.csv");
    let mut text = String::from("arch_index,imagenet16_120_valid12,imagenet16_120_test200,train_time_epoch_50k_s\n");
    (0..15_625).for_each(|i| text.push_str(&format!("{i},{},{},10\n", i % 40, i % 45)));
    fs::write(&table, text).unwrap();
    let path = folder.path().join("t.jsonl");
    for method in [
        &["et-nas", "--population", "3", "--sample", "2", "--cycles", "5"][..],
        &["rank", "--population", "3", "--sample", "2", "--cycles", "5"],
        &["random-naswot", "--evaluations", "3"],
        &["random-accuracy", "--evaluations", "3"],
        &["rea", "--evaluations", "12"],
        &["area", "--pool", "12", "--evaluations", "12"],
        &["rea-naswot", "--population", "3", "--sample", "2", "--evaluations", "4"],
        &["reinforce", "--evaluations", "3"],
        &["free-rea", "--population", "3", "--sample", "2", "--evaluations", "4"],
        &["local", "--evaluations", "3"],
        &["local", "--by", "accuracy", "--evaluations", "3"],
    ] {
        let files = ["--table", table.to_str().unwrap(), "--trajectory", path.to_str().unwrap()];
        let found: Value =
            serde_json::from_str(&stdout(&[&["search", "--method"], method, &tiny, &files].concat())).unwrap();
        let criteria = found["meta"]["criteria"].as_array().unwrap();
        for told in criteria {
            assert_eq!(keys(told), ["key", "better", "definition"]);
            let lower = ["utopian", "rank_sum"].contains(&told["key"].as_str().unwrap());
            assert_eq!(told["better"], if lower { "lower" } else { "higher" }, "{told}");
        }
        let named = |key: &Value| criteria.iter().any(|told| told["key"] == *key);
        assert!(named(&found["runs"][0]["criterion"]), "{method:?}: {criteria:?}");
        let points = rows(&fs::read_to_string(&path).unwrap());
        assert!(!points.is_empty() && points.iter().all(|point| named(&point["criterion"])), "{method:?}");
    }
}

/// A score file with a column and the same one turned round.
#[test]
fn a_direction_is_applied_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scores.csv");
    let mut stream = etnas::random::Stream::new(super::common::measures::fresh(), &[]);
    let mut text = String::from("index,proxy,cost,utopian\n");
    for cell in [0, 81, 168, 244, 326, 722, 857, 1459, 1462, 1583, 1818, 9930] {
        let value = stream.symmetric(1.0);
        text.push_str(&format!("{cell},{value},{},{}\n", -value, 1.0 - value));
    }
    fs::write(&path, text).unwrap();
    let file = path.to_str().unwrap();
    let correlated = rows(&stdout(&[
        "correlate",
        file,
        "--lower",
        "cost",
        "--column",
        "cifar10_test200",
        "--population",
        "all",
        "--bootstrap",
        "0",
        "--top",
        "3",
        "--format",
        "jsonl",
    ]));
    let of = |name: &str| correlated.iter().find(|row| row["score"] == name).unwrap();
    assert_eq!([&of("proxy")["better"], &of("cost")["better"], &of("utopian")["better"]], ["higher", "lower", "lower"]);
    for other in ["cost", "utopian"] {
        for figure in ["tau_b", "rho", "overlap_3"] {
            assert!(of(other)[figure].is_number(), "{other} {figure}");
            assert_eq!(of(other)[figure], of("proxy")[figure], "{other} {figure}");
        }
    }
    let order = |by: &str| -> Vec<Value> {
        let ranked = stdout(&["rank", file, "--lower", "cost", "--by", by, "--format", "jsonl"]);
        rows(&ranked).iter().map(|row| row["index"].clone()).collect()
    };
    assert_eq!(order("proxy").len(), 12);
    assert_eq!(order("proxy"), order("cost"));
    assert_eq!(order("proxy"), order("utopian"));
    // Without being told, a column is better the higher it is.
    let ranked = rows(&stdout(&["rank", file, "--by", "cost", "--format", "jsonl"]));
    let reversed: Vec<Value> = ranked.iter().rev().map(|row| row["index"].clone()).collect();
    assert_eq!(order("proxy"), reversed);
}
