//! Reproduced tables as Markdown, CSV and JSON.

use super::score::csv_rows;
use super::{json, number};
use crate::error::{Error, Result};
use crate::reproduce::{Entry, Found, Quantity, Reproduction};
use serde_json::{json, Map, Value};

/// How reproduced tables are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReproduceFormat {
    /// Tables with their notes, for people; readable as plain text too.
    #[default]
    Markdown,
    /// A line for each figure.
    Csv,
    /// One object with metadata and tables.
    Json,
}

impl ReproduceFormat {
    /// All three.
    pub const ALL: [ReproduceFormat; 3] = [ReproduceFormat::Markdown, ReproduceFormat::Csv, ReproduceFormat::Json];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        ["markdown", "csv", "json"][self as usize]
    }

    /// The format of a name.
    ///
    /// # Errors
    /// [`Error::UnknownName`].
    pub fn from_name(name: &str) -> Result<ReproduceFormat> {
        ReproduceFormat::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| Error::UnknownName {
            kind: "format of reproduced tables",
            found: name.to_string(),
            allowed: ReproduceFormat::ALL.map(|format| format.name().to_string()).to_vec(),
        })
    }
}

/// The text of all tables. `metadata` is part of the JSON.
///
/// # Errors
/// [`Error::Internal`] if a CSV line could not be made.
pub fn reproduction_text(tables: &[Reproduction], format: ReproduceFormat, metadata: &Value) -> Result<String> {
    match format {
        ReproduceFormat::Markdown => Ok(tables.iter().map(markdown).collect::<Vec<_>>().join("\n")),
        ReproduceFormat::Csv => {
            let rows: Vec<Value> = tables
                .iter()
                .flat_map(|table| table.entries.iter().map(|entry| Value::Object(record(entry, Some(table.name)))))
                .collect();
            csv_rows(&rows)
        }
        ReproduceFormat::Json => {
            let tables: Vec<Value> = tables
                .iter()
                .map(|table| {
                    let entries: Vec<Value> = table.entries.iter().map(|e| Value::Object(record(e, None))).collect();
                    json!({
                        "name": table.name,
                        "title": table.title,
                        "notes": table.notes,
                        "seconds": table.seconds,
                        "entries": entries,
                    })
                })
                .collect();
            Ok(json::pretty(&json!({"meta": metadata, "tables": tables})))
        }
    }
}

/// A figure as machines read it.
fn record(entry: &Entry, table: Option<&str>) -> Map<String, Value> {
    let found = entry.found.as_ref().ok();
    let number = |value: Option<f64>| value.map_or(Value::Null, Value::from);
    let of = |value: fn(&Found) -> Option<f64>| number(found.and_then(value));
    let count = |value: fn(&Found) -> usize| found.map_or(Value::Null, |found| Value::from(value(found)));
    let mut record = Map::new();
    if let Some(table) = table {
        record.insert("table".to_string(), Value::from(table));
    }
    record.extend(json::object([
        ("row", Value::from(entry.row.as_str())),
        ("dataset", Value::from(entry.dataset.name())),
        ("quantity", Value::from(entry.quantity.name())),
        ("paper", number(entry.paper.map(|paper| paper.mean))),
        ("paper_std", number(entry.paper.and_then(|paper| paper.std))),
        ("ours", of(|found| Some(found.mean))),
        ("ours_std", of(|found| found.std)),
        ("n", count(|found| found.n)),
        ("difference", number(entry.difference())),
        ("standard_errors", number(entry.standard_errors())),
        ("paper_seconds", number(entry.paper.and_then(|paper| paper.seconds))),
        ("cold_seconds", of(|found| found.cold_seconds)),
        ("seconds_of_all", of(|found| Some(found.seconds))),
        ("simulated_seconds", of(|found| found.simulated_seconds)),
        ("origin", found.map_or(Value::Null, |found| Value::from(found.origin.name()))),
        ("computed", count(|found| found.origin.computed)),
        ("remembered", count(|found| found.origin.remembered)),
        ("from_files", count(|found| found.origin.from_files)),
        ("from_table", count(|found| found.origin.from_table)),
        ("missing", entry.found.as_ref().err().map_or(Value::Null, |why| Value::from(why.as_str()))),
        ("note", Value::from(note(entry))),
    ]));
    record
}

/// The note of a figure with the remark on the published one.
fn note(entry: &Entry) -> String {
    let remark = entry.paper.and_then(|paper| paper.remark).map(|remark| format!("paper: {remark}"));
    let parts = [Some(entry.note.clone()).filter(|note| !note.is_empty()), remark];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn markdown(table: &Reproduction) -> String {
    let mut text = format!("## {}\n\n", table.title);
    if !table.entries.is_empty() {
        text.push_str(&grid(table));
        text.push('\n');
    }
    for note in &table.notes {
        text.push_str(&format!("* {note}\n"));
    }
    text.push_str(&format!("* {} in all.\n", duration(table.seconds)));
    text
}

/// The figures as a Markdown table, its columns aligned; columns that nothing stands in are left out.
fn grid(table: &Reproduction) -> String {
    const HEADER: [&str; 11] =
        ["row", "data set", "", "paper", "ours", "n", "difference", "std. errors", "paper, s", "ours, s", "scores"];
    const LEFT: [bool; 11] = [true, true, true, false, false, false, false, false, false, false, true];
    let mut rows: Vec<Vec<String>> = vec![HEADER.map(String::from).to_vec()];
    let mut missing = Vec::new();
    for entry in &table.entries {
        let (symbol, digits) = match entry.quantity {
            Quantity::Accuracy => ("", 2),
            Quantity::Kendall => ("τ", 3),
            Quantity::Spearman => ("ρ", 3),
        };
        let spread = |mean: f64, std: Option<f64>, digits: usize| match std {
            Some(std) => format!("{mean:.digits$} ± {std:.digits$}"),
            None => format!("{mean:.digits$}"),
        };
        let paper = entry.paper.map(|paper| spread(paper.mean, paper.std, 2)).unwrap_or_default();
        let paper_seconds = entry.paper.and_then(|paper| paper.seconds).map(seconds).unwrap_or_default();
        let mut row = vec![entry.row.clone(), entry.dataset.title().to_string(), symbol.to_string(), paper];
        match &entry.found {
            Ok(found) => {
                let simulated = found.simulated_seconds.map(|s| format!("{} simulated", seconds(s)));
                row.extend([
                    spread(found.mean, found.std, digits),
                    number::grouped(found.n as u64),
                    entry.difference().map(|v| signed(v, digits)).unwrap_or_default(),
                    entry.standard_errors().map(|v| signed(v, 1)).unwrap_or_default(),
                    paper_seconds,
                    simulated.or(found.cold_seconds.map(seconds)).unwrap_or_default(),
                    format!("{}: {}", found.origin.name(), found.origin.text()),
                ]);
            }
            Err(why) => {
                missing.push((entry.row.as_str(), why.as_str()));
                row.extend(["missing", "", "", ""].map(String::from));
                row.extend([paper_seconds, String::new(), String::new()]);
            }
        }
        rows.push(row);
    }
    let used: Vec<usize> = (0..HEADER.len()).filter(|&c| rows.iter().skip(1).any(|row| !row[c].is_empty())).collect();
    let width = |c: usize| rows.iter().map(|row| row[c].chars().count()).max().unwrap_or(0).max(3);
    let mut text = String::new();
    for (r, row) in rows.iter().enumerate() {
        let field = |&c: &usize| {
            let blanks = " ".repeat(width(c) - row[c].chars().count());
            if LEFT[c] {
                format!(" {}{blanks} |", row[c])
            } else {
                format!(" {blanks}{} |", row[c])
            }
        };
        text.push_str(&format!("|{}\n", used.iter().map(field).collect::<String>()));
        if r == 0 {
            let rule = |&c: &usize| {
                let dashes = "-".repeat(width(c) - 1);
                if LEFT[c] {
                    format!(" {dashes}- |")
                } else {
                    format!(" {dashes}: |")
                }
            };
            text.push_str(&format!("|{}\n", used.iter().map(rule).collect::<String>()));
        }
    }
    let mut lines = notes(table);
    lines.extend(missing_notes(&missing));
    if !lines.is_empty() {
        text.push('\n');
        text.extend(lines);
    }
    text
}

/// Why rows are missing, the rows of one reason together.
fn missing_notes(missing: &[(&str, &str)]) -> Vec<String> {
    let line = |rows: &[(&str, &str)]| {
        let mut names: Vec<&str> = rows.iter().map(|(row, _)| *row).collect();
        names.dedup();
        let verb = if names.len() == 1 { "is" } else { "are" };
        let why = rows.first().map_or("", |(_, why)| why);
        format!("* {} {verb} missing: {why}\n", names.join(", "))
    };
    missing.chunk_by(|a, b| a.1 == b.1).map(line).collect()
}

/// The notes of the figures; one that all figures of a row have is said of the row.
fn notes(table: &Reproduction) -> Vec<String> {
    let mut lines = Vec::new();
    for rows in table.entries.chunk_by(|a, b| a.row == b.row) {
        let first = rows.first().map(note).unwrap_or_default();
        let common = rows.iter().all(|entry| note(entry) == first);
        for entry in rows.iter().take(if common { 1 } else { rows.len() }).filter(|entry| !note(entry).is_empty()) {
            let of = if common { String::new() } else { format!(", {}", entry.dataset.title()) };
            lines.push(format!("* {}{of}: {}.\n", entry.row, note(entry)));
        }
    }
    lines.dedup();
    lines
}

/// A number with its sign; what rounds to zero has none.
fn signed(value: f64, digits: usize) -> String {
    let text = format!("{value:+.digits$}");
    match text.trim_start_matches(['+', '-', '0', '.']).is_empty() {
        true => format!("{:.digits$}", 0.0),
        false => text,
    }
}

/// Seconds for people, to three digits.
fn seconds(s: f64) -> String {
    match s {
        s if s >= 100.0 => number::grouped(s.round() as u64),
        s if s >= 10.0 => format!("{s:.1}"),
        s => format!("{s:.2}"),
    }
}

fn duration(s: f64) -> String {
    match s {
        s if s >= 120.0 => format!("{:.0} min {:02.0} s", (s / 60.0).floor(), (s % 60.0).floor()),
        s => format!("{} s", seconds(s)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Dataset;
    use crate::reproduce::paper;
    use crate::reproduce::Origin;

    fn table() -> Reproduction {
        let (name, figures) = paper::table4().last().unwrap();
        let found = Found {
            mean: 94.35,
            std: Some(0.04),
            n: 30,
            cold_seconds: Some(4.25),
            seconds: 12.0,
            simulated_seconds: None,
            origin: Origin { computed: 900, remembered: 1500, ..Origin::default() },
        };
        let entry = |dataset, found| Entry {
            row: name.to_string(),
            dataset,
            quantity: Quantity::Accuracy,
            paper: Some(figures[dataset as usize]),
            found,
            note: String::new(),
        };
        Reproduction {
            name: "table4",
            title: "Table IV".to_string(),
            entries: vec![
                entry(Dataset::Cifar10, Ok(found)),
                entry(Dataset::Cifar100, Err("It was not asked for.".to_string())),
            ],
            notes: vec!["A note.".to_string()],
            seconds: 125.0,
        }
    }

    #[test]
    fn markdown_says_what_is_there_and_what_is_missing() {
        let text = reproduction_text(&[table()], ReproduceFormat::Markdown, &Value::Null).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "## Table IV");
        let shape =
            |line: &str| line.chars().enumerate().filter(|(_, c)| *c == '|').map(|(i, _)| i).collect::<Vec<_>>();
        assert!(lines[3..6].iter().all(|line| shape(line) == shape(lines[2])), "{text}");
        assert!(
            lines[4].contains("94.36 ± 0.02 | 94.35 ± 0.04 |  30 |")
                && lines[4].contains("memoised: 900 computed, 1,500 remembered"),
            "{text}"
        );
        assert!(lines[5].contains("missing") && text.contains("* ET-NAS is missing: It was not asked for."), "{text}");
        assert_eq!(
            missing_notes(&[("A", "No."), ("A", "No."), ("B", "No."), ("A", "Never.")]),
            ["* A, B are missing: No.\n", "* A is missing: Never.\n"]
        );
        assert!(text.ends_with("* A note.\n* 2 min 05 s in all.\n"), "{text}");
    }

    #[test]
    fn csv_and_json_hold_the_same_numbers() {
        let csv = reproduction_text(&[table()], ReproduceFormat::Csv, &Value::Null).unwrap();
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let header = reader.headers().unwrap().clone();
        let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.unwrap()).collect();
        let meta = json!({"runs": 30});
        let json = reproduction_text(&[table()], ReproduceFormat::Json, &meta).unwrap();
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["meta"], meta);
        for (row, entry) in rows.iter().zip(json["tables"][0]["entries"].as_array().unwrap()) {
            for (key, field) in header.iter().zip(row).skip(1) {
                assert_eq!(number::field(&entry[key]), field, "{key}");
            }
        }
        assert_eq!(rows.len(), 2);
        assert_eq!(json["tables"][0]["entries"][0]["difference"], json!(94.35 - 94.36));
        assert_eq!(json["tables"][0]["entries"][1]["ours"], Value::Null);
    }
}
