//! `correlate`: small files whose figures are known by hand, every format, and what is refused.

use super::common::shared;
use super::{etnas, keys, names, rows, stdout};
use serde_json::Value;
use std::path::PathBuf;

/// Four cells, of which the last has no naswot.
const SCORES: &str = "index,dataset,naswot,cost\n3,cifar100,10,4\n5,cifar100,20,3\n7,cifar100,30,2\n9,cifar100,,1\n";
const TABLE: &str = "arch_index,cifar100_test200,cifar100_valid12,cifar10_test200\n\
                     3,50,5,81\n5,70,7,82\n7,60,6,83\n9,10,1,84\n";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        for (name, content) in files {
            std::fs::write(folder.path(name), content).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}

fn correlate(folder: &Folder, more: &[&str]) -> Vec<Value> {
    let (scores, table) = (folder.text("a.csv"), folder.text("t.csv"));
    let mut arguments = vec!["correlate", &scores, "--table", &table, "--format", "jsonl"];
    arguments.extend(more);
    rows(&stdout(&arguments))
}

fn refused(arguments: &[&str], part: &str) {
    let output = etnas(arguments).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{stderr}");
    assert!(stderr.starts_with("error: ") && stderr.lines().count() == 1, "{stderr}");
    assert!(stderr.contains(part), "{stderr} does not say {part:?}");
}

#[test]
fn four_cells_by_hand() {
    let folder = Folder::new(&[("a.csv", SCORES), ("t.csv", TABLE)]);
    let found = correlate(&folder, &["--population", "all", "--bootstrap", "0", "--top", "1,2,50%"]);
    let scores: Vec<&str> = found.iter().map(|row| row["score"].as_str().unwrap()).collect();
    assert_eq!(scores, ["naswot", "cost", "degree", "params", "macs"]);
    let expected = [
        "accuracy",
        "population",
        "n",
        "score",
        "better",
        "baseline",
        "tau_b",
        "rho",
        "overlap_1",
        "overlap_2",
        "overlap_50%",
    ];
    assert_eq!(keys(&found[0]), expected);
    // Ranks 2 3 4 1 against 2 4 3 1: one pair of six is turned; ρ = 1 − 6·2/(4·15).
    assert_eq!(found[0]["accuracy"], "cifar100_test200");
    assert_eq!(found[0]["n"], 4);
    assert!((found[0]["tau_b"].as_f64().unwrap() - 4.0 / 6.0).abs() < 1e-15);
    assert!((found[0]["rho"].as_f64().unwrap() - 0.8).abs() < 1e-15);
    assert_eq!([&found[0]["overlap_1"], &found[0]["overlap_2"], &found[0]["overlap_50%"]], [0.0, 1.0, 1.0]);
    // The cost falls: 3 pairs alike, 3 turned; told that lower is better the same of 6 pairs with the other sign.
    let cost =
        |found: &[Value]| (found[1]["tau_b"].as_f64().unwrap(), found[1]["better"].as_str().unwrap().to_string());
    let turned = correlate(&folder, &["--population", "all", "--bootstrap", "0", "--lower", "cost"]);
    assert_eq!((cost(&found).1, cost(&turned).1), ("higher".to_string(), "lower".to_string()));
    assert_eq!(cost(&found).0, -cost(&turned).0);
    assert!((cost(&found).0 - 2.0 / 6.0).abs() < 1e-15, "{found:?}");
    assert_eq!(found.iter().map(|row| row["baseline"] == true).collect::<Vec<_>>(), [false, false, true, true, true]);
}

#[test]
fn all_columns_begin_with_those_of_the_data_set() {
    let folder = Folder::new(&[("a.csv", SCORES), ("t.csv", TABLE)]);
    let of = |more: &[&str]| {
        let more = [&["--population", "all", "--bootstrap", "0", "--measures", "naswot"], more].concat();
        let mut names: Vec<String> =
            correlate(&folder, &more).iter().map(|row| row["accuracy"].as_str().unwrap().to_string()).collect();
        names.dedup();
        names
    };
    assert_eq!(of(&[]), ["cifar100_test200"]);
    assert_eq!(of(&["--column", "all"]), ["cifar100_test200", "cifar100_valid12", "cifar10_test200"]);
    assert_eq!(of(&["--column", "cifar10_test200,cifar100_test200"]), ["cifar10_test200", "cifar100_test200"]);
}

#[test]
fn both_populations_and_every_format_say_the_same() {
    let Some(table) = shared("data/nb201_accuracy.csv") else { return };
    let table = table.display().to_string();
    let folder = Folder::new(&[("a.csv", &every_hundredth(|i| (i * 37 % 1000) as f64))]);
    let scores = folder.text("a.csv");
    let run = |more: &[&str]| stdout(&[&["correlate", &scores, "--table", &table, "--bootstrap", "50"], more].concat());
    let lines = rows(&run(&["--format", "jsonl"]));
    // No data set in the file: three accuracies, each over both populations.
    assert_eq!(lines.len(), 3 * 2 * 4);
    assert_eq!((&lines[0]["population"], &lines[4]["population"]), (&"all".into(), &"unique".into()));
    assert_eq!(lines[0]["n"], 157);
    let unique = lines[4]["n"].as_u64().unwrap();
    assert!((40..100).contains(&unique), "{unique}");
    for row in &lines {
        let [low, value, high] = ["tau_b_low", "tau_b", "tau_b_high"].map(|key| row[key].as_f64().unwrap());
        assert!(low < value && value < high, "{row}");
    }
    let json: Value = serde_json::from_str(&run(&["--format", "json"])).unwrap();
    assert_eq!(json["rows"].as_array().unwrap(), &lines);
    assert_eq!(json["meta"]["bootstrap"]["resamples"], 50);
    assert_eq!(json["meta"]["cells"], 157);
    let csv = run(&["--format", "csv"]);
    assert_eq!(csv.lines().count(), 1 + lines.len());
    assert_eq!(csv.lines().next().unwrap(), keys(&lines[0]).join(","));
    let text = run(&[]);
    assert_eq!(text.lines().filter(|line| line.contains("n = ")).count(), 6);
    let tau = format!("{:.3}", lines[0]["tau_b"].as_f64().unwrap());
    assert!(text.lines().any(|line| line.starts_with("mine ↑") && line.contains(&tau)), "{text}");
    assert!(text.lines().all(|line| line.trim_end() == line), "{text}");
    // Other resamples by another seed, the same by the same.
    assert_eq!(run(&["--format", "csv", "--seed", "0"]), csv);
    assert_ne!(run(&["--format", "csv", "--seed", "1"]), csv);
    assert_eq!(run(&["--format", "csv", "-o", &folder.text("out.csv")]), "");
    assert_eq!(std::fs::read_to_string(folder.path("out.csv")).unwrap(), csv);
    let meta: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path("out.csv.meta.json")).unwrap()).unwrap();
    assert_eq!(meta["command"], "correlate");
}

fn every_hundredth(value: impl Fn(usize) -> f64) -> String {
    let line = |i: usize| format!("{i},{}\n", value(i));
    format!("index,mine\n{}", (0..15_625).step_by(100).map(line).collect::<String>())
}

#[test]
fn several_files_are_joined_averaged_and_given_the_utopian_distance() {
    let folder = Folder::new(&[
        ("a.csv", "index,dataset,naswot\n3,cifar100,10\n5,cifar100,20\n7,cifar100,30\n"),
        ("b.csv", "index,log_synflow\n3,1\n5,2\n7,3\n9,4\n"),
        ("c.csv", "index,loss_slope\n3,0.1\n5,0.2\n7,0.3\n"),
        ("d.csv", "index,loss_slope\n3,0.3\n5,0.2\n7,0.4\n"),
        ("t.csv", TABLE),
    ]);
    let [b, c, d] = ["b.csv", "c.csv", "d.csv"].map(|name| folder.text(name));
    let of = |found: &[Value], name: &str| found.iter().find(|row| row["score"] == name).cloned();
    let joined = correlate(&folder, &[&b, &c, "--population", "all"]);
    assert_eq!(of(&joined, "utopian").unwrap()["better"], "lower");
    assert_eq!(of(&joined, "utopian").unwrap()["tau_b"], of(&joined, "naswot").unwrap()["tau_b"]);
    assert_eq!(joined[0]["n"], 3);
    let averaged = correlate(&folder, &[&b, &c, &d, "--average", "--population", "all"]);
    let scores: Vec<&str> = averaged.iter().map(|row| row["score"].as_str().unwrap()).collect();
    let expected = [
        "naswot",
        "log_synflow",
        "loss_slope",
        "loss_slope[3]",
        "loss_slope[4]",
        "utopian",
        "degree",
        "params",
        "macs",
    ];
    assert_eq!(scores, expected);
    // Accuracies 50 70 60; means .2 .2 .35.
    let tau = |name: &str| of(&averaged, name).unwrap()["tau_b"].as_f64().unwrap();
    assert_eq!(tau("loss_slope"), 0.0);
    assert!((tau("loss_slope[3]") - 1.0 / 3.0).abs() < 1e-15 && (tau("loss_slope[4]") + 1.0 / 3.0).abs() < 1e-15);
    let a = folder.text("a.csv");
    let text = stdout(&["correlate", &a, &b, &c, &d, "--average", "--table", &folder.text("t.csv")]);
    assert!(
        text.contains("loss_slope is the mean of [3], [4]") && text.contains("left out, as not all files have them: 1"),
        "{text}"
    );
    refused(&["correlate", &a, &c, &d], "--average");
}

#[test]
fn two_files_are_compared() {
    let folder = Folder::new(&[
        ("a.csv", "index,naswot,mine\n3,1,5\n4,2,5\n6,4,5\n7,5,5\n"),
        ("b.csv", "index,naswot,other\n7,4.5,1\n6,8,1\n4,2,1\n9,1,1\n3,,1\n"),
    ]);
    let (a, b) = (folder.text("a.csv"), folder.text("b.csv"));
    let compare = |more: &[&str]| stdout(&[&["correlate", "--compare", &a, &b], more].concat());
    let found = &rows(&compare(&["--format", "jsonl"]))[0];
    let expected = [
        "score",
        "n",
        "tau_b",
        "rho",
        "equal",
        "in_one_only",
        "mean_difference",
        "largest_difference",
        "largest_index",
        "largest_arch",
    ];
    assert_eq!(keys(found), expected);
    assert_eq!((&found["score"], &found["n"], &found["equal"]), (&"naswot".into(), &4.into(), &1.into()));
    assert_eq!(
        (&found["in_one_only"], &found["largest_difference"], &found["largest_index"]),
        (&1.into(), &4.0.into(), &6.into())
    );
    // Ranks 1 2 3 4 against 1 2 4 3.
    assert!((found["tau_b"].as_f64().unwrap() - 4.0 / 6.0).abs() < 1e-15);
    let json: Value = serde_json::from_str(&compare(&["--format", "json"])).unwrap();
    assert_eq!(json["rows"][0]["largest"].as_array().unwrap().len(), 2);
    assert_eq!(json["meta"]["second_only"][0]["index"], 9);
    let text = compare(&[]);
    for part in ["4 cells in both files", "naswot ↑", "columns here alone: mine", "cells here alone: 9"] {
        assert!(text.contains(part), "{text}");
    }
    let same = rows(&stdout(&["correlate", "--compare", &a, &a, "--format", "jsonl"]));
    assert_eq!(
        (&same[0]["equal"], &same[0]["tau_b"], &same[0]["largest_index"]),
        (&4.into(), &1.0.into(), &Value::Null)
    );
    refused(&["correlate", "--compare", &a], "two files");
    refused(&["correlate", &a, &b], "naswot");
}

#[test]
fn what_cannot_be_correlated_is_refused() {
    let folder =
        Folder::new(&[("a.csv", SCORES), ("t.csv", TABLE), ("far.csv", "arch_index,cifar100_test200\n11,50\n")]);
    let (a, table, far) = (folder.text("a.csv"), folder.text("t.csv"), folder.text("far.csv"));
    let with = |more: &[&'static str]| [&["correlate", &a, "--table", &table], more].concat();
    refused(&with(&["--measures", "nawsot"]), "Did you mean naswot?");
    refused(&with(&["--column", "cifar100_test20"]), "Did you mean cifar100_test200?");
    refused(&with(&["--lower", "naswot"]), "no measure of etnas");
    refused(&with(&["--top", "0"]), "at least 1");
    refused(&with(&["--bootstrap", "1e3"]), "a whole number from 0");
    refused(&with(&["--population", "some"]), "population");
    refused(&["correlate", &a, "--table", &far], "at least two of the cells");
    refused(&["correlate", &folder.text("absent.csv")], "absent.csv");
    // Nothing is left of an output that did not come about.
    let before = names(folder.0.path());
    refused(&["correlate", &a, "--table", &far, "-o", &folder.text("out")], "at least two");
    assert_eq!(names(folder.0.path()), before);
}
