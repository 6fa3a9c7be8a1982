//! Which cells are scored, by which seeds, and that nothing else decides.

use super::{etnas, rows, stdout};
use etnas::random::Seeds;
use etnas::space::Cell;
use serde_json::Value;

fn indices(text: &str) -> Vec<u64> {
    rows(text).iter().map(|record| record["index"].as_u64().unwrap()).collect()
}

#[test]
fn cells_from_stdin_and_in_all_encodings() {
    let cell = Cell::from_index(1234).unwrap();
    let arguments = ["--measures", "degree", "--format", "jsonl"];
    let list = |ids: [u8; 6]| ids.map(|id| id.to_string()).join(",");
    for (text, encoding) in
        [(cell.to_string(), "arch"), (list(cell.op_ids()), "ops"), (format!("({})", list(cell.naslib())), "naslib")]
    {
        let read = stdout(&[&["score", &text, "--encoding", encoding], &arguments[..]].concat());
        assert_eq!(indices(&read), [1234], "{encoding}");
    }
    let mut command = etnas(&[&["score", "3", "-", "4"], &arguments[..]].concat());
    let output = command.write_stdin(format!("\n9930\r\n{cell}\n\n")).output().unwrap();
    assert_eq!(indices(&String::from_utf8(output.stdout).unwrap()), [3, 9930, 1234, 4]);
}

#[test]
fn all_cells_and_samples() {
    let arguments = ["--measures", "degree,params", "--format", "jsonl"];
    let all = indices(&stdout(&[&["score", "--all"], &arguments[..]].concat()));
    assert_eq!(all, (0..15_625).collect::<Vec<u64>>());
    let sample = |more: &[&str]| indices(&stdout(&[&["score", "--sample", "40"], &arguments[..], more].concat()));
    let drawn = sample(&[]);
    assert_eq!(drawn.iter().collect::<std::collections::HashSet<_>>().len(), 40);
    assert_eq!(sample(&["--weight-seed", "3"]), drawn);
    assert_ne!(sample(&["--seed", "3"]), drawn);
    let third = Seeds::new(3).sample.to_string();
    assert_eq!(sample(&["--seed", "3"]), sample(&["--sample-seed", &third]));
}

#[test]
fn metadata_tells_every_seed_the_images_and_the_measures() {
    let arguments = ["score", "5", "--batch", "2", "--format", "json", "--seed", "7", "--noise-seed", "12"];
    let meta = &serde_json::from_str::<Value>(&stdout(&arguments)).unwrap()["meta"];
    let derived = Seeds::new(7);
    let seeds = &meta["configuration"]["seeds"];
    assert_eq!(seeds, &serde_json::to_value(Seeds { noise: 12, ..derived }).unwrap());
    let images = &meta["configuration"]["images"];
    assert_eq!(images["count"], 2);
    assert!(images["sha256"].as_str().unwrap().len() >= 32, "{images}");
    assert_eq!(meta["version"], env!("CARGO_PKG_VERSION"));
    assert!(meta["configuration"]["kernel_set"].is_string());
    let measures: Vec<&str> =
        meta["measures"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(measures, ["naswot", "log-synflow", "degree", "loss-slope", "params", "macs"]);
    assert!(meta["measures"].as_array().unwrap().iter().all(|m| m["better"] == "higher"));
    assert_eq!((&meta["cells"], &meta["complete"]), (&1.into(), &true.into()));
    // What only decides how fast results come, or where they go, is not part of them.
    let text = meta.to_string();
    for word in ["thread", "chunk", "host", "time", "second", "output"] {
        assert!(!text.replace("target", "").contains(word), "{word} is in {text}");
    }
}

#[test]
fn the_definition_of_log_synflow_is_that_of_its_form() {
    let definition = |form: &str| {
        let arguments =
            ["score", "5", "--batch", "2", "--measures", "log-synflow", "--format", "json", "--log-synflow"];
        let json: Value = serde_json::from_str(&stdout(&[&arguments[..], &[form]].concat())).unwrap();
        json["meta"]["measures"][0]["definition"].as_str().unwrap().to_string()
    };
    assert!(definition("reference").contains("ln(g + 1e-6)"));
    assert!(definition("one-plus").contains("ln(g + 1)"));
}

#[test]
fn classes_and_data_sets_change_the_network() {
    let params = |more: &[&str]| {
        let text = stdout(&[&["score", "1462", "--measures", "params", "--format", "jsonl"], more].concat());
        rows(&text)[0]["params"].as_u64().unwrap()
    };
    let ten = params(&[]);
    assert_eq!(params(&["--dataset", "cifar100"]), ten + 5850);
    assert_eq!(params(&["--classes", "100"]), ten + 5850);
    assert_eq!(params(&["--dataset", "imagenet16-120"]), ten + 7150);
}
