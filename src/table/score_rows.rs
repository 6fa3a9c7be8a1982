//! The rows of a score file: which cell, which numbers.

use super::csv;
use crate::error::{Error, Result};
use crate::input::Dataset;
use crate::space::Cell;
use ::csv::{ReaderBuilder, StringRecord, Trim};
use serde_json::{Map, Value};
use std::path::Path;

const INDICES: [&str; 2] = ["index", "arch_index"];
const ARCHS: [&str; 2] = ["arch", "arch_str"];

/// Values that a file may have, its cells times its columns: the whole space with 268 scores. A record of a few bytes has a place in
/// every column, so that a small file could fill the memory.
const MOST_VALUES: usize = 1 << 22;

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub cells: Vec<Cell>,
    /// Names and values, one for each cell.
    pub columns: Vec<(String, Vec<Option<f64>>)>,
    /// The data set that every row names.
    pub dataset: Option<Dataset>,
    /// Metadata in the file itself.
    pub metadata: Option<Value>,
}

/// Reads any of the three forms.
pub(super) fn read(path: &Path, text: &str) -> Result<Rows> {
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with('{') {
        return csv_rows(path, text);
    }
    if let Ok(Value::Object(mut whole)) = serde_json::from_str(text) {
        if let Some(Value::Array(records)) = whole.remove("records") {
            let mut rows = Gathered::new(path);
            for (i, record) in records.into_iter().enumerate() {
                rows.object(record, &format!("record {}", i + 1))?;
            }
            return Ok(Rows { metadata: whole.remove("meta"), ..rows.end() });
        }
    }
    let mut rows = Gathered::new(path);
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = format!("line {}", i + 1);
        let record = serde_json::from_str(line).map_err(|e| {
            Error::data(path, format!("a JSON object on {place}"), e.to_string(), "Correct or remove the line.")
        })?;
        rows.object(record, &place)?;
    }
    Ok(rows.end())
}

fn csv_rows(path: &Path, text: &str) -> Result<Rows> {
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(text.as_bytes());
    let names: Vec<String> = reader.headers().map_err(|e| csv::broken(path, e))?.iter().map(String::from).collect();
    if !names.iter().any(|name| INDICES.contains(&name.as_str()) || ARCHS.contains(&name.as_str())) {
        let expected = "at least one record, under a header with a column index or arch";
        return Err(Error::data(path, expected, csv::listed(&names), "Give a score file: CSV, JSON or JSON Lines."));
    }
    let mut rows = Gathered::new(path);
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|e| csv::broken(path, e))? {
        let place = format!("line {}", record.position().map_or(0, |p| p.line()));
        let fields = names.iter().zip(&record).map(|(name, field)| (name.clone(), Value::from(field)));
        rows.object(Value::Object(fields.collect()), &place)?;
    }
    Ok(rows.end())
}

/// Rows as they come.
struct Gathered<'a> {
    path: &'a Path,
    rows: Rows,
    /// Columns that hold words: no scores.
    words: Vec<String>,
    datasets: Vec<Option<Dataset>>,
}

impl Gathered<'_> {
    fn new(path: &Path) -> Gathered<'_> {
        Gathered { path, rows: Rows::default(), words: Vec::new(), datasets: Vec::new() }
    }

    fn end(self) -> Rows {
        let first = self.datasets.first().copied().flatten();
        let dataset = first.filter(|_| self.datasets.iter().all(|d| *d == first));
        Rows { dataset, ..self.rows }
    }

    /// Adds a row.
    fn object(&mut self, record: Value, place: &str) -> Result<()> {
        let Value::Object(record) = record else {
            let found = format!("{:.60}", record.to_string());
            return Err(Error::data(self.path, format!("an object in {place}"), found, "Correct or remove it."));
        };
        let cell = self.cell(&record, place)?;
        let known = self.rows.cells.len();
        self.rows.cells.push(cell);
        let dataset = record.get("dataset").and_then(Value::as_str);
        self.datasets.push(dataset.and_then(|name| Dataset::from_name(name).ok()));
        self.rows.columns.iter_mut().for_each(|(_, values)| values.push(None));
        self.check_size(place)?;
        for (name, value) in &record {
            let fixed = ["dataset", "status"].contains(&name.as_str());
            if fixed || INDICES.contains(&name.as_str()) || ARCHS.contains(&name.as_str()) || self.words.contains(name)
            {
                continue;
            }
            let at = self.rows.columns.iter().position(|(known, _)| known == name);
            let Some(number) = number(value) else {
                let numbers = at.is_some_and(|at| self.rows.columns[at].1.iter().any(Option::is_some));
                if numbers || text_is_infinite(value) {
                    let expected = format!("a finite number in column {name}, {place}");
                    let remedy = "Correct it, or leave it empty if the score does not exist.";
                    return Err(Error::data(self.path, expected, format!("{:.60}", value.to_string()), remedy));
                }
                // The first value is a word: a column of remarks.
                self.rows.columns.retain(|(known, _)| known != name);
                self.words.push(name.clone());
                continue;
            };
            match at {
                Some(at) => self.rows.columns[at].1[known] = number,
                None => {
                    let mut values = vec![None; known];
                    values.push(number);
                    self.rows.columns.push((name.clone(), values));
                    self.check_size(place)?;
                }
            }
        }
        Ok(())
    }

    fn check_size(&self, place: &str) -> Result<()> {
        let (rows, columns) = (self.rows.cells.len(), self.rows.columns.len());
        if rows.saturating_mul(columns) <= MOST_VALUES {
            return Ok(());
        }
        let expected = format!("at most {MOST_VALUES} scores, cells times columns");
        let found = format!("{rows} records and {columns} columns up to {place}");
        Err(Error::data(self.path, expected, found, "Leave columns out that are no scores."))
    }

    /// The cell that a row names.
    fn cell(&self, record: &Map<String, Value>, place: &str) -> Result<Cell> {
        let wrong = |expected: &str, found: String| {
            let remedy = "Correct the record; the order of the indices is that of NATS-Bench.";
            Error::data(self.path, format!("{expected} in {place}"), found, remedy)
        };
        let field = |names: [&str; 2]| names.iter().find_map(|name| record.get(*name));
        let by_index = field(INDICES)
            .map(|value| {
                let index = value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
                let cell = index.and_then(|index| Cell::from_index(index).ok());
                cell.ok_or_else(|| wrong("a cell index from 0 to 15624", format!("{:.60}", value.to_string())))
            })
            .transpose()?;
        let by_arch = field(ARCHS)
            .map(|value| {
                // An index is a cell's text too, but not in this column.
                let text = value.as_str().filter(|text| text.starts_with('|'));
                let cell = text.and_then(|text| text.parse::<Cell>().ok());
                cell.ok_or_else(|| wrong("an architecture string", format!("{:.120}", value.to_string())))
            })
            .transpose()?;
        match (by_index, by_arch) {
            (Some(cell), Some(arch)) if cell != arch => {
                Err(wrong(&format!("{cell}, which is cell {},", cell.index()), format!("{arch}")))
            }
            (Some(cell), _) | (None, Some(cell)) => Ok(cell),
            (None, None) => Err(wrong("a key index or arch", "neither".to_string())),
        }
    }
}

/// A number, `None` inside for one that does not exist; `None` for what is neither.
fn number(value: &Value) -> Option<Option<f64>> {
    match value {
        Value::Null => Some(None),
        Value::Number(number) => number.as_f64().filter(|v| v.is_finite()).map(Some),
        Value::String(text) if ["", "nan", "na", "-inf"].contains(&text.to_ascii_lowercase().as_str()) => Some(None),
        Value::String(text) => text.parse().ok().filter(|v: &f64| v.is_finite()).map(Some),
        _ => None,
    }
}

fn text_is_infinite(value: &Value) -> bool {
    value.as_str().and_then(|text| text.parse::<f64>().ok()).is_some_and(f64::is_infinite)
}
