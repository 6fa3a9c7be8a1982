//! The four formats of results.

use crate::error::{Error, Result};

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns for people, with rounded numbers.
    #[default]
    Table,
    /// One header and one line for each record; an empty field is what does not exist.
    Csv,
    /// One object with metadata and records.
    Json,
    /// One object for each record, nothing else.
    Jsonl,
}

impl Format {
    /// All four.
    pub const ALL: [Format; 4] = [Format::Table, Format::Csv, Format::Json, Format::Jsonl];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        ["table", "csv", "json", "jsonl"][self as usize]
    }

    /// The format of a name.
    pub fn from_name(name: &str) -> Result<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| Error::UnknownName {
            kind: "format",
            found: name.to_string(),
            allowed: Format::ALL.iter().map(|format| format.name().to_string()).collect(),
        })
    }
}
