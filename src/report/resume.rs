//! What an earlier, unfinished sweep left in its file, so that the next one need not compute it again.

use super::stored::Stored;
use super::{score_metadata, Columns, Format, Output, Sweep};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::measure::Measure;
use serde_json::Value;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// More bytes than the metadata of any sweep take.
const MOST_METADATA: u64 = 1 << 20;

/// The finished records of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// Records.
    pub count: usize,
    /// The header of CSV is there.
    pub header: bool,
    /// Bytes after the last whole record, of one that was being written when the process or the machine died.
    pub torn: u64,
}

/// The records in a file of [`Output::sweep`] that a sweep begins with, which from now on are kept; none in a new or empty file.
///
/// # Errors
/// [`Error::Options`] where the file was made with other options or for other cells; [`Error::Data`] where it or its metadata is not what
/// [`super::ScoreReport`] writes; [`Error::Unreadable`].
pub fn finished(
    output: &mut Output,
    format: Format,
    engine: &Engine,
    measures: &[Measure],
    sweep: &Sweep,
) -> Result<Finished> {
    let Some(file) = output.sweep_file() else {
        return Ok(Finished::default());
    };
    let path = file.path().to_path_buf();
    let unreadable = |source| Error::Unreadable { path: path.clone(), source };
    let bytes = file.bytes().map_err(unreadable)?;
    if bytes == 0 {
        return Ok(Finished::default());
    }
    let known = metadata(&path, file.metadata())?;
    let ours = score_metadata(engine, measures, sweep, None, false);
    if let Some(differ) = difference(&ours, &known, &["selection", "cells", "complete"]) {
        return Err(Error::options(
            format!("--resume of {}", path.display()),
            format!("{} {}, with which it was begun", differ.name, differ.known),
            differ.ours,
            "Give the same options, or another file.",
        ));
    }
    let columns = Columns::new(measures, engine.options().repeats);
    let mut stored = Stored::new(file.reader().map_err(unreadable)?, &path, format, &columns)?;
    let header = format == Format::Csv && stored.bytes() > 0;
    let mut count = 0;
    while let Some((found, _)) = stored.next()? {
        let asked = sweep.cells().get(count);
        count += 1;
        if asked != Some(&found) {
            let expected = match asked {
                Some(cell) => format!("a file whose record {count} is that of cell {}", cell.index()),
                None => format!("a file with {} records at most", sweep.cells().len()),
            };
            return Err(Error::options(
                format!("--resume of {}", path.display()),
                expected,
                format!("that of cell {}", found.index()),
                "Ask for the cells that it was begun with, in their order; more may follow them.",
            ));
        }
    }
    let kept = stored.bytes();
    file.keep(kept);
    Ok(Finished { count, header, torn: bytes - kept })
}

/// The metadata of a file of scores.
pub(super) fn metadata(path: &Path, beside: &Path) -> Result<Value> {
    let unreadable = |source| Error::Unreadable { path: beside.to_path_buf(), source };
    let file = match File::open(beside) {
        Err(absent) if absent.kind() == ErrorKind::NotFound => {
            let expected = format!("its metadata in {}", beside.display());
            let remedy =
                "Without them nobody knows by which options it was made: compute it again, or bring the metadata back.";
            return Err(Error::data(path, expected, "no such file", remedy));
        }
        opened => opened.map_err(unreadable)?,
    };
    let mut text = Vec::new();
    file.take(MOST_METADATA).read_to_end(&mut text).map_err(unreadable)?;
    serde_json::from_slice(&text).map_err(|e| {
        Error::data(beside, "the metadata of a sweep", format!("{e}"), "Bring them back, or compute the scores again.")
    })
}

/// Something that two metadata tell differently.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// Its place, as in `configuration.seeds.weight`.
    pub name: String,
    /// What the first says.
    pub ours: String,
    /// What the second says.
    pub known: String,
}

/// The first difference between two metadata, but for some of the outermost keys.
pub(super) fn difference(ours: &Value, known: &Value, but_for: &[&str]) -> Option<Difference> {
    differ(ours, known, "", but_for)
}

fn differ(ours: &Value, known: &Value, name: &str, but_for: &[&str]) -> Option<Difference> {
    if let (Value::Object(ours), Value::Object(known)) = (ours, known) {
        let keys = ours.keys().chain(known.keys().filter(|key| !ours.contains_key(*key)));
        return keys.filter(|key| !but_for.contains(&key.as_str())).find_map(|key| {
            let path = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
            differ(ours.get(key).unwrap_or(&Value::Null), known.get(key).unwrap_or(&Value::Null), &path, &[])
        });
    }
    (ours != known).then(|| Difference { name: name.to_string(), ours: shown(ours), known: shown(known) })
}

/// A value for people: the names of a list of named things, else JSON, not too long.
fn shown(value: &Value) -> String {
    let names: Option<Vec<&str>> = value.as_array().and_then(|list| list.iter().map(|v| v["name"].as_str()).collect());
    let text = names.map_or_else(|| value.to_string(), |names| names.join(", "));
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_difference_is_named_and_counts_do_not_matter() {
        let ours = json!({"configuration": {"seeds": {"weight": 1}, "batch": 2}, "cells": 0, "complete": false});
        let mut known = ours.clone();
        let found = |known: &Value| difference(&ours, known, &["cells", "complete"]);
        known["cells"] = json!(7);
        assert_eq!(found(&known), None);
        known["configuration"]["seeds"]["weight"] = json!(2);
        let [name, one, two] = ["configuration.seeds.weight", "1", "2"].map(String::from);
        assert_eq!(found(&known), Some(Difference { name, ours: one, known: two }));
        known["configuration"] = json!({"batch": 2});
        assert_eq!(found(&known).map(|d| d.name).as_deref(), Some("configuration.seeds"));
        let more = json!({"configuration": {"seeds": {"weight": 1}, "batch": 2, "cells": 1}});
        assert_eq!(found(&more).map(|d| d.name).as_deref(), Some("configuration.cells"));
        assert_eq!(shown(&json!([{"name": "naswot"}, {"name": "macs"}])), "naswot, macs");
        assert_eq!(shown(&json!(["x".repeat(300)])).chars().count(), 101);
    }
}
