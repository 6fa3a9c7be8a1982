//! The files of a sweep's shards as the one file that a single process would have written.

use super::output::metadata_path;
use super::resume::{difference, metadata};
use super::score::csv_text;
use super::stored::Stored;
use super::sweep::fingerprint;
use super::sweep_file::written_by_another;
use super::{Columns, Format, Output, Shard};
use crate::error::{Error, Result};
use crate::measure::Measure;
use crate::space::Cell;
use serde_json::Value;
use std::fs::{File, TryLockError};
use std::io::{BufRead, BufReader, Seek};
use std::path::{Path, PathBuf};

/// What decides the last digits of a score, in the configuration.
const KERNELS: [&str; 2] = ["backend", "kernel_set"];

/// More cells than anyone asks for.
const MOST_CELLS: usize = 100_000_000;

/// What may be missing or differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergeRules {
    /// Shards may be missing or unfinished.
    pub partial: bool,
    /// Shards may have been computed by different backends and kernel sets.
    pub mixed: bool,
}

/// What was merged.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// The metadata of the whole.
    pub metadata: Value,
    /// Records written.
    pub records: usize,
    /// Cells asked for.
    pub asked: usize,
}

/// One shard's file.
struct Part<'a> {
    path: &'a Path,
    metadata: Value,
    shard: Shard,
    /// Holds the lock that keeps writers away.
    file: File,
}

/// Writes the records of the shards in `files` in the order in which their cells were asked for. Each line is copied as it stands.
/// [`Output::finish`] is left to the caller.
///
/// # Errors
/// [`Error::Options`] where files do not belong together or a cell would be there twice or, unless the rules allow it, not at all;
/// [`Error::Data`] where a file or its metadata is not what `score` writes; [`Error::Unreadable`].
pub fn merge(files: &[PathBuf], rules: MergeRules, output: &mut Output) -> Result<Merged> {
    let parts = files.iter().map(|path| Part::open(path)).collect::<Result<Vec<_>>>()?;
    let Some(first) = parts.first() else {
        return Err(Error::options("merge", "at least one file", "none", "Name the files of the shards."));
    };
    let of = first.shard.of();
    for (i, part) in parts.iter().enumerate() {
        first.belongs_with(part, rules)?;
        if let Some(other) = parts[..i].iter().find(|other| other.shard == part.shard) {
            return Err(Error::options(
                "merge",
                "each shard once",
                format!("shard {} in {} and in {}", part.shard, other.path.display(), part.path.display()),
                "Leave one of the two out.",
            ));
        }
    }
    let missing: Vec<String> = (1..=of)
        .filter(|number| !parts.iter().any(|part| part.shard.number() == *number))
        .map(|number| format!("{number}/{of}"))
        .take(11)
        .collect();
    if !rules.partial && !missing.is_empty() {
        let more = if missing.len() > 10 { ", …" } else { "" };
        return Err(Error::options(
            "merge",
            format!("all {of} shards"),
            format!("none of {}{more}", missing[..missing.len().min(10)].join(", ")),
            "Add their files, or give --partial to leave their cells out.",
        ));
    }

    let (columns, asked) = (first.columns()?, first.asked()?);
    let format = format_of(&parts)?;
    let mut shards = Vec::with_capacity(parts.len());
    for part in &parts {
        let stored = Stored::new(BufReader::new(&part.file), part.path, format, &columns)?;
        shards.push((part, stored, 0_usize));
    }
    if format == Format::Csv {
        output.write(&csv_text([columns.keys()])?)?;
    }
    let mut cells: Vec<Cell> = Vec::new();
    for place in 0..asked {
        let number = first.shard.of_place(place);
        let Some((part, stored, count)) = shards.iter_mut().find(|(part, ..)| part.shard.number() == number) else {
            continue;
        };
        match stored.next()? {
            Some((cell, line)) => {
                output.write(line)?;
                cells.push(cell);
                *count += 1;
            }
            None if rules.partial => {}
            None => {
                let expected = format!("{} records, those of shard {}", part.shard.places(asked).count(), part.shard);
                let remedy = "Finish it by score --resume, or give --partial to leave the others out.";
                return Err(Error::data(part.path, expected, count.to_string(), remedy));
            }
        }
    }
    for (part, stored, count) in &mut shards {
        if stored.next()?.is_some() {
            let expected = format!("{count} records, those of shard {} of {asked} cells", part.shard);
            return Err(Error::data(part.path, expected, "more", "Give the file as score wrote it."));
        }
    }
    let complete = cells.len() == asked;
    if complete && first.metadata["selection"]["sha256"] != fingerprint(cells.iter().copied()).as_str() {
        let (expected, found) = ("the cells that its metadata tell, together with the other shards", "others");
        return Err(Error::data(first.path, expected, found, "Give the files as score wrote them."));
    }
    Ok(Merged { metadata: whole(&parts, cells.len(), complete), records: cells.len(), asked })
}

impl<'a> Part<'a> {
    fn open(path: &'a Path) -> Result<Part<'a>> {
        let file = File::open(path).map_err(|source| Error::Unreadable { path: path.to_path_buf(), source })?;
        if let Err(TryLockError::WouldBlock) = file.try_lock_shared() {
            return Err(written_by_another(path));
        }
        let beside = metadata_path(path);
        let metadata = metadata(path, &beside)?;
        if metadata["command"] != "score" {
            let found = metadata["command"].to_string();
            return Err(Error::data(&beside, "the metadata of score", found, "Give files that score wrote."));
        }
        let shard = match &metadata["shard"] {
            Value::Null => Some(Shard::WHOLE),
            text => text.as_str().and_then(|text| text.parse().ok()),
        };
        let Some(shard) = shard else {
            let found = metadata["shard"].to_string();
            return Err(Error::data(&beside, "a shard such as \"1/4\"", found, "Give files that score wrote."));
        };
        Ok(Part { path, metadata, shard, file })
    }

    /// The other is a different shard of the same sweep.
    fn belongs_with(&self, other: &Part, rules: MergeRules) -> Result<()> {
        let names = format!("merge of {} and {}", self.path.display(), other.path.display());
        let (ours, theirs) = (self.kernels(), other.kernels());
        if ours != theirs && !rules.mixed {
            return Err(Error::options(
                names,
                "scores of one backend and kernel set, as others differ in the last digits",
                format!("{} and {}", ours.join(", "), theirs.join(", ")),
                "Compute them alike, or give --allow-mixed.",
            ));
        }
        let plain = |part: &Part| {
            let mut plain = part.metadata.clone();
            if let Some(Value::Object(configuration)) = plain.get_mut("configuration") {
                KERNELS.iter().for_each(|key| drop(configuration.remove(*key)));
            }
            plain
        };
        if let Some(differ) = difference(&plain(self), &plain(other), &["shard", "cells", "complete"]) {
            let found = format!("{} and {}", differ.ours, differ.known);
            let expected = format!("shards of one sweep, {} alike", differ.name);
            return Err(Error::options(names, expected, found, "Merge the files of one sweep."));
        }
        if self.shard.of() != other.shard.of() {
            let found = format!("shards {} and {}", self.shard, other.shard);
            return Err(Error::options(names, "parts of one division", found, "Merge the files of one sweep."));
        }
        Ok(())
    }

    /// Backend and kernel set.
    fn kernels(&self) -> [String; 2] {
        KERNELS.map(|key| self.metadata["configuration"][key].as_str().unwrap_or("unknown").to_string())
    }

    /// The columns that its records must have.
    fn columns(&self) -> Result<Columns> {
        let broken = |what: &str, found: &Value| {
            Error::data(&metadata_path(self.path), what, found.to_string(), "Give files that score wrote.")
        };
        let measures = &self.metadata["measures"];
        let names = measures.as_array().ok_or_else(|| broken("a list of measures", measures))?.iter();
        let measure = |m: &Value| {
            let known = m["name"].as_str().and_then(|name| Measure::from_name(name).ok());
            known.ok_or_else(|| broken("measures that this program knows", &m["name"]))
        };
        let asked: Result<Vec<Measure>> = names.map(measure).collect();
        let repeats = &self.metadata["configuration"]["repeats"];
        let count = repeats.as_u64().ok_or_else(|| broken("the number of repeats", repeats))?;
        Ok(Columns::new(&asked?, count as usize))
    }

    /// Cells of all shards together.
    fn asked(&self) -> Result<usize> {
        let count = &self.metadata["selection"]["count"];
        count.as_u64().and_then(|count| usize::try_from(count).ok()).filter(|asked| *asked <= MOST_CELLS).ok_or_else(
            || {
                let expected = "the number of cells asked for, selection.count";
                Error::data(&metadata_path(self.path), expected, count.to_string(), "Give files that score wrote.")
            },
        )
    }
}

/// The form of the records, by their first byte; the same in all files that have any.
fn format_of(parts: &[Part]) -> Result<Format> {
    let mut known: Option<(Format, &Path)> = None;
    for part in parts {
        let unreadable = |source| Error::Unreadable { path: part.path.to_path_buf(), source };
        let first = BufReader::new(&part.file).fill_buf().map_err(unreadable)?.first().copied();
        (&part.file).rewind().map_err(unreadable)?;
        let Some(first) = first else { continue };
        let format = if first == b'{' { Format::Jsonl } else { Format::Csv };
        match known {
            Some((other, path)) if other != format => {
                let found =
                    format!("{} in {} and {} in {}", other.name(), path.display(), format.name(), part.path.display());
                return Err(Error::options("merge", "one format", found, "Merge files of one format."));
            }
            _ => known = Some((format, part.path)),
        }
    }
    Ok(known.map_or(Format::Jsonl, |(format, _)| format))
}

/// The metadata of all parts together: those of the first, but for what the shards tell apart.
fn whole(parts: &[Part], records: usize, complete: bool) -> Value {
    let mut whole = parts.first().map(|part| part.metadata.clone()).unwrap_or_default();
    let put = |object: Option<&mut Value>, key: &str, value: Value| {
        if let Some(Value::Object(object)) = object {
            object.insert(key.to_string(), value);
        }
    };
    put(Some(&mut whole), "shard", Value::Null);
    put(Some(&mut whole), "cells", Value::from(records));
    put(Some(&mut whole), "complete", Value::from(complete));
    for (i, key) in KERNELS.into_iter().enumerate() {
        let mut names: Vec<String> = Vec::new();
        for part in parts {
            let name = part.kernels()[i].clone();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        // One name stays as it is; several are told together.
        put(whole.get_mut("configuration"), key, Value::from(names.join(" + ")));
    }
    whole
}
