//! `search --repeats`: the spread of the scores that it tells is that of `score`.

use super::{keys, rows, stdout};
use serde_json::Value;

const SMALL: [&str; 9] = [
    "search",
    "--quiet",
    "--batch=2",
    "--dataset=imagenet16-120",
    "--population=4",
    "--sample=2",
    "--cycles=8",
    "--seed=1",
    "--runs=2",
];
const NAMES: [&str; 3] = ["log_synflow", "naswot", "loss_slope"];

/// What `score` says of a cell under the same draws.
fn scored(index: &Value, repeats: &str, weight_seed: &Value) -> Value {
    let (index, seed) = (index.to_string(), weight_seed.to_string());
    let arguments = ["score", &index, "--quiet", "--batch=2", "--dataset=imagenet16-120", "--seed=1", "--format=jsonl"];
    rows(&stdout(&[&arguments[..], &["--repeats", repeats, "--weight-seed", &seed]].concat())).remove(0)
}

fn runs(more: &[&str]) -> Vec<Value> {
    rows(&stdout(&[&SMALL[..], &["--format=jsonl"], more].concat()))
}

#[test]
fn finalists_have_the_deviations_of_score() {
    let runs = runs(&["--repeats=3", "--weights-per-run"]);
    assert_ne!(runs[0]["weight_seed"], runs[1]["weight_seed"]);
    let mut trained = 0;
    for run in &runs {
        for finalist in run["front"].as_array().unwrap() {
            let expected = scored(&finalist["index"], "3", &run["weight_seed"]);
            let kept = NAMES.iter().filter(|name| !finalist[**name].is_null());
            for name in kept {
                trained += usize::from(*name == "loss_slope");
                let std = format!("{name}_std");
                assert_eq!((&finalist[*name], &finalist[&std]), (&expected[*name], &expected[&std]), "{name}");
                assert!(finalist[&std].as_f64().unwrap() > 0.0, "{finalist}");
            }
            let order =
                ["log_synflow", "log_synflow_std", "naswot", "naswot_std", "loss_slope", "loss_slope_std", "degree"];
            assert_eq!(keys(finalist)[2..9], order);
        }
        // A distance is that of the means.
        assert!(run["score_std"].is_null() && keys(run).contains(&"score_std"), "{run}");
    }
    assert!(trained > 1, "a front of one would need no LossSlope");
}

#[test]
fn the_best_of_random_cells_has_the_deviation_of_its_naswot() {
    let best = [
        "search",
        "--quiet",
        "--method=random-naswot",
        "--evaluations=4",
        "--batch=2",
        "--dataset=imagenet16-120",
        "--seed=1",
    ];
    let of = |more: &[&str]| stdout(&[&best[..], more].concat());
    let run = rows(&of(&["--repeats=2", "--format=jsonl"])).remove(0);
    let expected = scored(&run["index"], "2", &run["weight_seed"]);
    assert_eq!((&run["score"], &run["score_std"]), (&expected["naswot"], &expected["naswot_std"]));
    let (mean, std) = (run["score"].as_f64().unwrap(), run["score_std"].as_f64().unwrap());
    let single = of(&["--repeats=2"]);
    for part in [
        format!("won by       naswot {mean:.2} ± {std:.2}\n"),
        "\n±            standard deviation of a score".to_string(),
    ] {
        assert!(single.contains(&part), "{part} is not in {single}");
    }
    let several = of(&["--repeats=2", "--runs=3"]);
    assert!(
        several.contains("naswot     ±  evaluated") && several.contains(&format!("{mean:.2}  {std:.2}  ")),
        "{several}"
    );
}

#[test]
fn tables_have_a_column_beside_each_score() {
    let text = stdout(&[&SMALL[..8], &["--repeats=2"]].concat());
    let header = text.lines().find(|line| line.contains("LogSynflow ↑")).unwrap();
    let words: Vec<&str> = header.split_whitespace().filter(|word| *word != "↑").collect();
    assert_eq!(words[..7], ["index", "LogSynflow", "±", "naswot", "±", "LossSlope", "±"], "{text}");
    assert!(text.contains("\n±            standard deviation of a score over the repeats\n"), "{text}");
    let csv = stdout(&[&SMALL[..], &["--repeats=2", "--format=csv"]].concat());
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let place = |name: &str| header.iter().position(|key| key == name).unwrap();
    for (run, row) in runs(&["--repeats=2"]).iter().zip(reader.records().map(Result::unwrap)) {
        let winner = run["front"].as_array().unwrap().iter().find(|f| f["index"] == run["index"]).unwrap();
        for name in NAMES {
            let std = format!("{name}_std");
            assert_eq!(place(&std), place(name) + 1);
            let field = &row[place(&std)];
            assert_eq!(field.parse::<f64>().ok(), winner[&std].as_f64(), "{name}: {field}");
        }
    }
}

#[test]
fn a_single_draw_has_no_deviation() {
    for format in ["json", "csv", "table"] {
        let text = stdout(&[&SMALL[..], &["--format", format]].concat());
        let text = text.replace("\"std\"", "");
        assert!(!text.contains("_std") && !text.contains("  ±  "), "{text}");
    }
}
