//! `explain`, `devices` and `completions`.

use super::{etnas, keys, stdout};
use serde_json::{json, Value};

#[test]
fn a_cell_is_drawn_and_told() {
    let text = stdout(&["explain", "9930"]);
    let expected = "\
Cell 9930

  ┌───────────────────────── skip_connect ──────────────────────────┐
  ├────────────── nor_conv_3x3 ───────────────┐                     │
  │                                           ▼                     ▼
  0 ── nor_conv_3x3 ──▶ 1 ── nor_conv_3x3 ──▶ 2 ── nor_conv_3x3 ──▶ 3
                        │                                           ▲
                        └────────────── nor_conv_3x3 ───────────────┘

string          |nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|
index           9930
op ids          3, 3, 3, 1, 3, 3
NASLib          (2, 2, 0, 2, 2, 2)

live edges      6 of 6: 0→1, 0→2, 1→2, 0→3, 1→3, 2→3
";
    assert!(text.starts_with(expected), "{text}");
    for part in ["Degree          7\n", "1,288,506", "184,730,250", "757,760", "94.36 %", "73.51 %", "46.34 %"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn json_tells_the_same() {
    let read: Value = serde_json::from_str(&stdout(&["explain", "9930", "--format", "json"])).unwrap();
    assert_eq!(read["ops"], json!([3, 3, 3, 1, 3, 3]));
    assert_eq!(read["naslib"], json!([2, 2, 0, 2, 2, 2]));
    assert_eq!((&read["degree"], &read["params"], &read["macs"]), (&7.into(), &1288506.into(), &184730250.into()));
    assert_eq!(read["test_accuracy"], json!({"cifar10": 94.3633, "cifar100": 73.5133, "imagenet16-120": 46.3444}));
    assert_eq!(read["edges"][3], json!({"from": 0, "to": 3, "op": "skip_connect", "live": true}));
    assert_eq!((&read["dead"], &read["singular"]), (&false.into(), &false.into()));
    assert!(keys(&read).contains(&"unique_string"));
    let small: Value =
        serde_json::from_str(&stdout(&["explain", "9930", "--format", "json", "--dataset", "imagenet16-120"])).unwrap();
    assert_eq!(small["macs"], 1_953_400 + 5 * 8_847_360);
}

#[test]
fn the_answer_goes_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cell.json");
    assert_eq!(stdout(&["explain", "3", "--format", "json", "-o", path.to_str().unwrap()]), "");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), stdout(&["explain", "3", "--format", "json"]));
    assert_eq!(super::names(folder.path()), ["cell.json"]);
}

#[test]
fn dead_cells_are_said_to_be_dead() {
    let none = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|";
    let text = stdout(&["explain", none]);
    assert!(text.contains("none of 6") && text.contains("dead: ") && text.contains("naswot is singular"), "{text}");
    let branch: Value = serde_json::from_str(&stdout(&["explain", "10", "--format", "json"])).unwrap();
    assert_eq!((&branch["dead"], &branch["singular"]), (&true.into(), &false.into()));
    let class = branch["class"].as_array().unwrap();
    let own = |c: &&Value| c.as_u64() == Some(10);
    assert_eq!(class.iter().filter(own).count(), 1);
}

#[test]
fn a_cell_without_accuracy_says_how_to_get_it() {
    let text = stdout(&["explain", "10"]);
    assert!(text.contains("--table FILE") && text.contains("ETNAS_TABLE"), "{text}");
}

#[test]
fn devices_names_the_processor_and_says_that_there_is_no_cuda() {
    let text = stdout(&["devices"]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with("cpu ") && lines[0].contains("kernel set "), "{text}");
    assert!(lines[1].starts_with("cuda      none: ") && lines[1].contains("computed on the processor"), "{text}");
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&["completions", shell]);
        assert!(script.contains("etnas-fast") && script.contains("measures"), "{shell}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&["completions", shell]);
        assert!(script.contains("imagenet16-120"), "{shell} does not complete names");
    }
    assert_eq!(etnas(&["completions", "tcsh"]).output().unwrap().status.code(), Some(2));
}
