//! The same records in every format, each with the keys asked for.

use super::{keys, rows, stdout};
use serde_json::Value;

const FAST: [&str; 8] =
    ["score", "10", "1462", "9930", "--batch", "2", "--measures", "macs,naswot,degree,naswot,log-synflow,params"];

fn fast(more: &[&str]) -> String {
    stdout(&[&FAST[..], more].concat())
}

#[test]
fn json_lines_have_the_contracts_keys_in_the_order_asked() {
    let records = rows(&fast(&["--format", "jsonl"]));
    assert_eq!(records.iter().map(|r| r["index"].as_u64().unwrap()).collect::<Vec<_>>(), [10, 1462, 9930]);
    for record in &records {
        let expected = ["index", "arch", "dataset", "status", "naswot", "log_synflow", "degree", "params", "macs"];
        assert_eq!(keys(record), expected);
        assert_eq!(record["dataset"], "cifar10");
        let arch = record["arch"].as_str().unwrap();
        assert_eq!(arch.parse::<etnas::space::Cell>().unwrap().index() as u64, record["index"].as_u64().unwrap());
    }
    assert_eq!([&records[0]["status"], &records[1]["status"]], ["dead", "ok"]);
    assert_eq!(records[1]["degree"].to_string(), "6");
    assert_eq!(records[1]["params"].to_string(), "1531546");
    assert_eq!(records[1]["macs"].to_string(), "220119690");
    assert!(records.iter().all(|r| r["naswot"].is_f64() && r["log_synflow"].as_f64().unwrap() > 0.0));
    let names = rows(&stdout(&["score", "7", "--batch", "2", "--format", "jsonl", "--measures", "degree"]));
    assert_eq!(keys(&names[0]), ["index", "arch", "dataset", "status", "degree"]);
}

#[test]
fn csv_and_json_hold_what_json_lines_hold() {
    let raw = fast(&["--format", "jsonl"]);
    let lines = rows(&raw);
    let json: Value = serde_json::from_str(&fast(&["--format", "json"])).unwrap();
    assert_eq!(keys(&json), ["meta", "records"]);
    assert_eq!(json["records"], Value::from(lines.clone()));

    let text = fast(&["--format", "csv"]);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    assert_eq!(header.iter().collect::<Vec<_>>(), keys(&lines[0]));
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), 3);
    for (record, line) in records.iter().zip(raw.lines()) {
        // Equal to the last digit: the line is put together again from the fields.
        let quoted = |key: &str, field: &str| match key {
            "arch" | "dataset" | "status" => format!("\"{key}\":\"{field}\""),
            _ => format!("\"{key}\":{field}"),
        };
        let pairs: Vec<String> = header.iter().zip(record).map(|(key, field)| quoted(key, field)).collect();
        assert_eq!(format!("{{{}}}", pairs.join(",")), line);
    }
}

#[test]
fn the_table_is_aligned_and_names_directions_and_images() {
    let text = fast(&[]);
    let lines: Vec<&str> = text.lines().collect();
    let header: Vec<&str> = lines[0].split("  ").map(str::trim).filter(|name| !name.is_empty()).collect();
    let expected = ["index", "naswot ↑", "LogSynflow ↑", "Degree ↑", "params ↑", "MACs ↑", "test %", "status", "cell"];
    assert_eq!(header, expected);
    assert!(lines[3].contains("1,531,546") && lines[3].contains("93.76"), "{text}");
    // The last column starts at the same place everywhere.
    let column = |line: &str| line.chars().take_while(|c| *c != '|').count();
    assert_eq!(column(lines[2]), column(lines[3]));
    assert!(text.contains("images     2 "), "{text}");
    assert!(lines.iter().all(|line| line.trim_end() == *line), "{text}");
}
