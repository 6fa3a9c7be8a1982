//! `bench`: every figure is there, positive, and fits the others. Nothing is expected of how fast anything is.

use super::{etnas, keys, names, stdout};
use serde_json::Value;

/// Small images, few of them.
const SMALL: [&str; 7] = ["bench", "--dataset", "imagenet16-120", "--batch", "2", "--repeats", "2"];

fn json(more: &[&str]) -> Value {
    serde_json::from_str(&stdout(&[&SMALL[..], &["--format", "json"], more].concat())).unwrap()
}

#[track_caller]
fn positive(value: &Value) -> f64 {
    let number = value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"));
    assert!(number > 0.0 && number.is_finite(), "{number}");
    number
}

#[track_caller]
fn equal(a: f64, b: f64) {
    assert!((a / b - 1.0).abs() < 1e-9, "{a} is not {b}");
}

/// Checks a median with its bounds and returns it.
#[track_caller]
fn median(spread: &Value) -> f64 {
    assert_eq!(keys(spread), ["median", "min", "max"]);
    let [median, min, max] = ["median", "min", "max"].map(|key| positive(&spread[key]));
    assert!(min <= median && median <= max, "{spread}");
    median
}

#[test]
fn every_figure_is_there_and_fits_the_others() {
    let report = json(&["--cells", "3", "--threads", "2", "--chunk", "2"]);
    let expected = [
        "program",
        "version",
        "command",
        "machine",
        "configuration",
        "threads",
        "chunk",
        "repeats",
        "cells",
        "archs",
        "peak_gflops",
        "measures",
        "search",
    ];
    assert_eq!(keys(&report), expected);
    assert_eq!((&report["command"], &report["search"]), (&"bench".into(), &Value::Null));
    assert_eq!([&report["threads"], &report["chunk"], &report["repeats"]], [2, 2, 2]);
    assert_eq!(keys(&report["machine"]), ["processor", "cores", "instruction_set", "architecture", "system"]);
    assert_eq!(report["configuration"]["dataset"], "imagenet16-120");
    assert!(report["configuration"]["kernel_set"].is_string());
    assert_eq!(report["cells"].as_array().unwrap().len(), 3);
    positive(&report["peak_gflops"]["one_thread"]);
    let peak = positive(&report["peak_gflops"]["all_threads"]);

    let measures = report["measures"].as_array().unwrap();
    let names: Vec<&str> = measures.iter().map(|m| m["measure"].as_str().unwrap()).collect();
    assert_eq!(names, ["naswot", "log_synflow", "loss_slope"]);
    for m in measures {
        let expected = [
            "measure",
            "cells_per_second",
            "ms_per_cell",
            "gflop_per_cell",
            "gflops",
            "share_of_peak",
            "peak_memory_bytes",
        ];
        assert_eq!(keys(m), expected);
        let ms = median(&m["ms_per_cell"]);
        equal(positive(&m["cells_per_second"]) * ms, 1000.0);
        equal(positive(&m["gflops"]), positive(&m["gflop_per_cell"]) / ms * 1e3);
        equal(positive(&m["share_of_peak"]), m["gflops"].as_f64().unwrap() / peak);
        if cfg!(target_os = "linux") && !m["peak_memory_bytes"].is_null() {
            assert!((1_000_000.0..1e9).contains(&positive(&m["peak_memory_bytes"])), "{m}");
        }
    }
}

#[test]
fn the_cells_are_those_of_score() {
    let sampled = stdout(&["score", "--sample", "4", "--seed", "9", "--measures", "degree", "--format", "jsonl"]);
    let expected: Vec<Value> = super::rows(&sampled).iter().map(|row| row["index"].clone()).collect();
    let fast = ["--measures", "log_synflow", "--repeats=1"];
    let drawn = etnas(&["bench", "--cells", "4", "--seed", "9", "--format", "json"]).args(fast).output().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&drawn.stdout).unwrap()["cells"], Value::from(expected));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cells");
    let arch = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|";
    std::fs::write(&file, format!("5\n\n{arch}\n5\n")).unwrap();
    let index = arch.parse::<etnas::space::Cell>().unwrap().index();
    for source in [file.to_str().unwrap(), "-"] {
        let mut command = etnas(&["bench", "--cells", source, "--format", "json"]);
        let output = command.args(fast).write_stdin(std::fs::read(&file).unwrap()).output().unwrap();
        let note = String::from_utf8(output.stderr).unwrap();
        assert_eq!(note, "note: Cells that are named more than once are timed once: 1 left out.\n");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["cells"], Value::from(vec![5, index]));
    }
}

#[test]
fn a_search_is_timed_cold_warm_and_from_a_table() {
    let small = ["--seed", "3", "--batch", "2", "--dataset", "imagenet16-120", "--quiet", "--format"];
    let timed = stdout(&[&["bench", "--measures", "search", "--repeats=1"], &small[..], &["json"]].concat());
    let report: Value = serde_json::from_str(&timed).unwrap();
    assert_eq!(report["measures"], Value::Array(Vec::new()));
    let search = &report["search"];
    let expected =
        ["cold_seconds", "warm_seconds", "table_seconds", "peak_memory_bytes", "index", "arch", "evaluations"];
    assert_eq!(keys(search), expected);
    for key in ["cold_seconds", "warm_seconds", "table_seconds"] {
        median(&search[key]);
    }
    let found = stdout(&[&["search"], &small[..], &["jsonl"]].concat());
    let run = &super::rows(&found)[0];
    assert_eq!((&search["index"], &search["arch"]), (&run["index"], &run["arch"]));
    assert_eq!(search["evaluations"], run["evaluations"]);
}

#[test]
fn the_table_names_every_figure() {
    let text = stdout(&[&SMALL[..], &["--cells", "2", "--measures", "log-synflow,naswot", "--quiet"]].concat());
    let lines: Vec<&str> = text.lines().collect();
    let header: Vec<&str> = lines[0].split("  ").map(str::trim).filter(|name| !name.is_empty()).collect();
    let expected = ["measure", "cells/s", "ms per cell", "min", "max", "GFLOP", "GFLOP/s", "of FMA peak", "memory, MB"];
    assert_eq!(header, expected);
    assert!(lines[2].starts_with("naswot ") && lines[3].starts_with("LogSynflow "), "{text}");
    for label in ["processor ", "FMA peak ", "cells ", "data set ", "images ", "seed "] {
        assert!(lines.iter().any(|line| line.starts_with(label)), "{label} is not in {text}");
    }
}

#[test]
fn a_file_holds_the_report_and_nothing_lies_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bench.json");
    let arguments = [&SMALL[..], &["--cells=1", "--measures=log-synflow", "--format=json", "-o"]].concat();
    assert_eq!(stdout(&[&arguments[..], &[path.to_str().unwrap()]].concat()), "");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(report["measures"][0]["measure"], "log_synflow");
    assert_eq!(names(folder.path()), ["bench.json"]);
}
