//! What an earlier, unfinished sweep left in its file, so that the next one need not compute it again.

use super::{score_metadata, Format};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::measure::Measure;
use crate::space::Cell;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The finished records of a file, as they stand there.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// The text, header and all.
    pub text: String,
    /// Its records.
    pub count: usize,
}

/// The records in `path` that a sweep over `cells` begins with; none where the file does not exist.
///
/// # Errors
/// [`Error::Options`] where the file was made with other options or for other cells; [`Error::Data`] where it or its metadata is not what
/// [`super::ScoreReport`] writes; [`Error::Unreadable`].
pub fn finished(
    path: &Path,
    format: Format,
    engine: &Engine,
    measures: &[Measure],
    cells: &[Cell],
) -> Result<Finished> {
    if !matches!(format, Format::Jsonl | Format::Csv) {
        return Err(Error::options(
            "--resume",
            "--format jsonl or csv, whose records stand for themselves",
            format!("--format {}", format.name()),
            "Choose one of these, or leave --resume out.",
        ));
    }
    if !path.exists() {
        return Ok(Finished::default());
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".meta.json");
    let beside = PathBuf::from(beside);
    let known: Value = serde_json::from_str(&read(&beside)?).map_err(|e| {
        Error::data(&beside, "the metadata of a sweep", format!("{e}"), "Leave --resume out to compute all cells.")
    })?;
    let ours = score_metadata(engine, measures, 0, false);
    if let Some(name) = difference(&ours, &known, "") {
        return Err(Error::options(
            format!("--resume of {}", path.display()),
            "the options that it was begun with",
            format!("another {name}"),
            "Give the same options, or leave --resume out to compute all cells.",
        ));
    }
    let text = read(path)?;
    let found = indices(&text, format).map_err(|(line, found)| {
        let remedy = "Leave --resume out to compute all cells.";
        Error::data(path, format!("a record with an index on line {line}"), found, remedy)
    })?;
    let expected = cells.iter().map(Cell::index);
    if found.len() > cells.len() || !expected.zip(&found).all(|(cell, found)| cell as i64 == *found) {
        return Err(Error::options(
            format!("--resume of {}", path.display()),
            "a file that begins with the cells asked for, in their order",
            "other cells",
            "Ask for the cells that it was begun with, or leave --resume out.",
        ));
    }
    Ok(Finished { text, count: found.len() })
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|source| Error::Unreadable { path: path.to_path_buf(), source })
}

/// The name of the first thing that differs, except how many cells there are and whether that is all.
fn difference(ours: &Value, known: &Value, name: &str) -> Option<String> {
    match (ours, known) {
        (Value::Object(ours), Value::Object(known)) => {
            let keys = ours.keys().chain(known.keys().filter(|key| !ours.contains_key(*key)));
            let counted = |key: &&String| name.is_empty() && matches!(key.as_str(), "cells" | "complete");
            keys.filter(|key| !counted(key)).find_map(|key| {
                let path = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                difference(ours.get(key).unwrap_or(&Value::Null), known.get(key).unwrap_or(&Value::Null), &path)
            })
        }
        _ => (ours != known).then(|| name.to_string()),
    }
}

/// The index of each record; else the number of the line that has none, and what stands there.
fn indices(text: &str, format: Format) -> Result<Vec<i64>, (usize, String)> {
    let mut lines = text.lines().enumerate();
    let column = match format {
        Format::Csv => {
            let header = lines.next().map(|(_, line)| line).unwrap_or_default();
            header.split(',').position(|key| key == "index").ok_or_else(|| (1, header.to_string()))?
        }
        _ => 0,
    };
    let index = |line: &str| match format {
        Format::Csv => {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
            reader.records().next()?.ok()?.get(column)?.parse().ok()
        }
        _ => serde_json::from_str::<Value>(line).ok()?.get("index")?.as_i64(),
    };
    lines.map(|(at, line)| index(line).ok_or_else(|| (at + 1, line.to_string()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_named_and_counts_do_not_matter() {
        let ours = json!({"configuration": {"seeds": {"weight": 1}, "batch": 2}, "cells": 0, "complete": false});
        let mut known = ours.clone();
        known["cells"] = json!(7);
        assert_eq!(difference(&ours, &known, ""), None);
        known["configuration"]["seeds"]["weight"] = json!(2);
        assert_eq!(difference(&ours, &known, "").as_deref(), Some("configuration.seeds.weight"));
        known["configuration"] = json!({"batch": 2});
        assert_eq!(difference(&ours, &known, "").as_deref(), Some("configuration.seeds"));
        let more = json!({"configuration": {"seeds": {"weight": 1}, "batch": 2, "cells": 1}});
        assert_eq!(difference(&ours, &more, "").as_deref(), Some("configuration.cells"));
    }

    #[test]
    fn indices_of_both_formats_and_of_neither() {
        let jsonl = "{\"index\":5,\"arch\":\"a\"}\n{\"index\":9930,\"arch\":\"b\"}\n";
        assert_eq!(indices(jsonl, Format::Jsonl), Ok(vec![5, 9930]));
        assert_eq!(indices("arch,index,x\n\"a,b\",7,1\n", Format::Csv), Ok(vec![7]));
        assert_eq!(indices("", Format::Jsonl), Ok(vec![]));
        assert_eq!(indices("{\"index\":5}\n{\"ind", Format::Jsonl), Err((2, "{\"ind".to_string())));
        assert_eq!(indices("a,b\n", Format::Csv), Err((1, "a,b".to_string())));
    }
}
