//! `rank`: orders that are known by hand, every format, and what is refused.

use super::{etnas, keys, rows, stdout};
use serde_json::Value;
use std::path::PathBuf;

const SCORES: &str = "\
index,dataset,naswot,log_synflow,loss_slope,cost
12,cifar100,30,100,0.2,1
10,cifar100,,400,0.4,2
11,cifar100,20,200,0.1,3
9,cifar100,20,200,0.1,4
";
const TABLE: &str = "arch_index,cifar100_test200\n9,50\n10,70\n11,60\n";

fn file(name: &str, content: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path.display().to_string())
}

fn ordered(more: &[&str]) -> Vec<Value> {
    let (_folder, scores) = file("a.csv", SCORES);
    rows(&stdout(&[&["rank", &scores, "--format", "jsonl"], more].concat()))
}

fn indices(found: &[Value]) -> Vec<u64> {
    found.iter().map(|row| row["index"].as_u64().unwrap()).collect()
}

#[test]
fn combinations_by_hand() {
    // Ranks (naswot, LogSynflow, LossSlope): 12: 1 4 2, 10: 4 1 1, 11 and 9: 2 2 3 each.
    let found = ordered(&[]);
    assert_eq!(indices(&found), [10, 9, 11, 12]);
    let sums: Vec<f64> = found.iter().map(|row| row["rank_sum"].as_f64().unwrap()).collect();
    assert_eq!(sums, [6.0, 7.0, 7.0, 7.0]);
    let keys_expected = [
        "rank",
        "index",
        "arch",
        "rank_sum",
        "naswot",
        "naswot_rank",
        "log_synflow",
        "log_synflow_rank",
        "loss_slope",
        "loss_slope_rank",
        "cifar100_test200",
        "cifar100_test200_rank",
    ];
    assert_eq!(keys(&found[0]), keys_expected);
    assert_eq!(
        (&found[0]["naswot"], &found[0]["naswot_rank"], &found[0]["rank"]),
        (&Value::Null, &4.into(), &1.into())
    );
    // Products 8, 4, 12, 12.
    let found = ordered(&["--by", "log-rank-sum"]);
    assert_eq!(indices(&found), [10, 12, 9, 11]);
    assert!((found[0]["log_rank_sum"].as_f64().unwrap() - 4f64.ln()).abs() < 1e-12);
    // Coordinates: 12 (1, .25, .5), 10 (0, 1, 1), the others (2/3, .5, .25).
    let found = ordered(&["--by", "utopian"]);
    assert_eq!(indices(&found), [12, 9, 11, 10]);
    assert!((found[0]["utopian"].as_f64().unwrap().powi(2) - (0.75f64.powi(2) + 0.25)).abs() < 1e-12);
    assert_eq!(keys(&found[0])[3..7], ["utopian", "naswot", "log_synflow", "loss_slope"]);
    // Without naswot 12, 9 and 11 are equally far.
    assert_eq!(indices(&ordered(&["--by", "utopian", "--measures", "log-synflow,loss_slope"])), [10, 9, 11, 12]);
}

#[test]
fn single_scores_in_their_direction() {
    assert_eq!(indices(&ordered(&["--by", "naswot"])), [12, 9, 11, 10]);
    assert_eq!(indices(&ordered(&["--by", "cost"])), [9, 11, 10, 12]);
    assert_eq!(indices(&ordered(&["--by", "cost", "--lower", "cost", "--top", "2"])), [12, 10]);
    assert_eq!(ordered(&["--by", "degree"]).len(), 4);
    let (_folder, scores) = file("a.csv", "index,rank\n3,0.5\n4,0.25\n");
    let found = rows(&stdout(&["rank", &scores, "--by", "rank", "--format", "jsonl"]));
    assert_eq!((&found[0]["rank"], &found[0]["score_rank"]), (&1.into(), &0.5.into()));
    let (_folder, scores) = file("a.csv", "index,utopian\n3,0.5\n4,0.25\n");
    let found = rows(&stdout(&["rank", &scores, "--by", "utopian", "--format", "jsonl"]));
    assert_eq!(indices(&found), [4, 3]);
}

#[test]
fn accuracies_stand_beside() {
    let ((_a, scores), (_t, table)) = (file("a.csv", SCORES), file("t.csv", TABLE));
    let run = |format: &str| stdout(&["rank", &scores, "--table", &table, "--format", format]);
    let lines = rows(&run("jsonl"));
    let found: Vec<&Value> = lines.iter().map(|row| &row["cifar100_test200"]).collect();
    assert_eq!(found, [&Value::from(70.0), &50.0.into(), &60.0.into(), &Value::Null]);
    let json: Value = serde_json::from_str(&run("json")).unwrap();
    assert_eq!(json["records"].as_array().unwrap(), &lines);
    assert_eq!((&json["meta"]["by"], &json["meta"]["cells"]), (&"rank-sum".into(), &4.into()));
    assert_eq!(run("csv").lines().next().unwrap(), keys(&lines[0]).join(","));
    let text = run("table");
    let first: Vec<&str> = text.lines().nth(2).unwrap().split_whitespace().collect();
    assert_eq!(first[..9], ["1", "10", "6", "–", "4", "400.00", "1", "0.4000", "1"]);
    assert!(text.contains("CIFAR-100 test %") && text.contains("70.00"), "{text}");
}

#[test]
fn the_screen_shows_twenty_and_files_all() {
    let lines: String = (0..50).map(|i| format!("{i},{}\n", i % 7)).collect();
    let (_folder, scores) = file("a.csv", &format!("index,mine\n{lines}"));
    let text = stdout(&["rank", &scores, "--by", "mine"]);
    assert_eq!(text.lines().take_while(|line| !line.is_empty()).count(), 2 + 20);
    assert_eq!(stdout(&["rank", &scores, "--by", "mine", "--format", "csv"]).lines().count(), 1 + 50);
    assert_eq!(stdout(&["rank", &scores, "--by", "mine", "--top", "3"]).lines().filter(|l| l.contains("|")).count(), 3);
}

#[test]
fn what_cannot_be_ordered_is_refused() {
    let (_folder, scores) = file("a.csv", "index,naswot,mine\n3,1,2\n");
    let refused = |more: &[&str], part: &str| {
        let output = etnas(&[&["rank", &scores], more].concat()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(part), "{stderr} does not say {part:?}");
    };
    refused(&[], "two at least of naswot, log_synflow and loss_slope");
    refused(&["--by", "nawsot"], "Did you mean naswot?");
    refused(&["--by", "mine", "--measures", "naswot"], "no --measures beside a single score");
    refused(&["--measures", "naswot,mime"], "Did you mean mine?");
    refused(&["--top", "0"], "at least 1");
    refused(&["--by", "utopian", "--measures", "naswot,mine,naswot,mine,naswot,mine,naswot,mine,naswot"], "at most 8");
}
