//! Reading numbers of cells from CSV: a header names the columns, each row is a cell.

use crate::error::{Error, Result};
use crate::space::{Cell, SPACE_SIZE};
use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

const INDEX: &str = "arch_index";
const ARCH: &str = "arch_str";

/// Columns of a table, by NATS-Bench index.
#[derive(Debug)]
pub(super) struct Columns {
    /// The names in the file's header, wanted or not.
    pub header: Vec<String>,
    /// Cells that have a row.
    pub rows: usize,
    /// Names and values; NaN where the file has none. Every column has one value per cell of the space.
    pub columns: Vec<(String, Vec<f64>)>,
}

/// Reads the columns for which `wanted` holds; others may contain anything. A cell is named by `arch_index`, by
/// `arch_str`, or by both, which must then agree. An empty field, `nan` or `NA` means that the value is not known;
/// `valid` says which numbers can be meant, `range` says so in words.
pub(super) fn read(
    path: &Path,
    wanted: &dyn Fn(&str) -> bool,
    valid: &dyn Fn(&str, f64) -> bool,
    range: &str,
) -> Result<Columns> {
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(open(path, MOST_BYTES)?);
    let header = reader.headers().map_err(|e| broken(path, e))?.clone();
    let names: Vec<&str> = header.iter().map(|name| name.trim_start_matches('\u{feff}').trim()).collect();
    let place = |name: &str| names.iter().position(|n| *n == name);
    let (index_at, arch_at) = (place(INDEX), place(ARCH));
    if index_at.is_none() && arch_at.is_none() {
        return Err(Error::data(
            path,
            format!("a header line with a column {INDEX} or {ARCH}"),
            listed(&names),
            "Give a CSV file whose first line names its columns, separated by commas.",
        ));
    }
    for (i, name) in names.iter().enumerate() {
        if names[..i].contains(name) && (wanted(name) || [INDEX, ARCH].contains(name)) {
            return Err(Error::data(path, format!("one column {name}"), "two", "Remove or rename one of them."));
        }
    }
    let taken: Vec<usize> = (0..names.len()).filter(|&i| wanted(names[i])).collect();
    let mut columns: Vec<(String, Vec<f64>)> =
        taken.iter().map(|&i| (names[i].to_string(), vec![f64::NAN; SPACE_SIZE])).collect();

    let mut line_of = vec![0; SPACE_SIZE];
    let mut rows = 0;
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|e| broken(path, e))? {
        let line = record.position().map_or(0, |p| p.line());
        let field = |at: usize| record.get(at).unwrap_or("");
        let index = cell_of(path, line, index_at.map(field), arch_at.map(field))?.index();
        if line_of[index] != 0 {
            return Err(Error::data(
                path,
                "one row for each cell",
                format!("cell {index} on lines {} and {line}", line_of[index]),
                "Remove one of the two rows.",
            ));
        }
        line_of[index] = line;
        rows += 1;
        for (&at, (name, values)) in taken.iter().zip(&mut columns) {
            let text = field(at);
            if ["", "nan", "na"].contains(&text.to_ascii_lowercase().as_str()) {
                continue;
            }
            match text.parse::<f64>() {
                Ok(value) if valid(name, value) => values[index] = value,
                _ => {
                    return Err(Error::data(
                        path,
                        format!("{range} on line {line} in column {name}"),
                        format!("{text:?}"),
                        "Correct it, or leave the field empty if the value is not known.",
                    ))
                }
            }
        }
    }
    if rows == 0 {
        let remedy = "Give a table with one row for each cell.";
        return Err(Error::data(path, "a row for at least one cell", "a header line alone", remedy));
    }
    Ok(Columns { header: names.into_iter().map(String::from).collect(), rows, columns })
}

/// The most bytes of text that are read: a hundred times what a table of the whole space has.
const MOST_BYTES: u64 = 1 << 28;

/// A reader that fails beyond so many bytes: what is cut off silently would be rows that are missing.
struct Limited<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| std::io::Error::other("it is too long"))?;
        Ok(read)
    }
}

/// The text of a file that may be packed by gzip, which must not have more than `most` bytes.
pub(super) fn open(path: &Path, most: u64) -> Result<Box<dyn Read>> {
    let unreadable = |source| Error::Unreadable { path: path.to_path_buf(), source };
    let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
    let packed = file.fill_buf().map_err(unreadable)?.starts_with(&[0x1f, 0x8b]);
    let left = most;
    Ok(if packed {
        Box::new(Limited { reader: MultiGzDecoder::new(file), left })
    } else {
        Box::new(Limited { reader: file, left })
    })
}

/// The columns that a header names, for an error.
pub(super) fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let text = names.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
    if text.trim().is_empty() {
        return "no column name".to_string();
    }
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("the columns {:?} …", &text[..end]),
        None => format!("the columns {text:?}"),
    }
}

/// The cell that a row names.
fn cell_of(path: &Path, line: u64, index: Option<&str>, arch: Option<&str>) -> Result<Cell> {
    let wrong = |column: &str, expected: &str, found: &str| {
        let remedy = "Correct the row; the order of the indices is that of NATS-Bench.";
        Error::data(path, format!("{expected} on line {line} in column {column}"), format!("{found:?}"), remedy)
    };
    let by_index = index
        .map(|text| {
            let index = text.parse::<i64>().ok();
            let cell = index.and_then(|i| Cell::from_index(i).ok());
            cell.ok_or_else(|| wrong(INDEX, "a cell index from 0 to 15624", text))
        })
        .transpose()?;
    let by_arch = arch
        .map(|text| {
            // An index is a cell's text too, but not in this column.
            let cell = text.parse::<Cell>().ok().filter(|_| text.starts_with('|'));
            cell.ok_or_else(|| wrong(ARCH, "an architecture string of the topology search space", text))
        })
        .transpose()?;
    match (by_index, by_arch) {
        (Some(cell), Some(arch)) if cell != arch => {
            let expected = format!("{cell}, which is cell {},", cell.index());
            Err(wrong(ARCH, &expected, &format!("{arch}")))
        }
        (Some(cell), _) | (None, Some(cell)) => Ok(cell),
        (None, None) => Err(Error::Internal("a table without a column of cells was read".to_string())),
    }
}

/// What the CSV reader could not read.
pub(super) fn broken(path: &Path, error: csv::Error) -> Error {
    let line = error.position().map_or(1, |p| p.line());
    let (expected, found) = match error.into_kind() {
        ErrorKind::Io(source) => return Error::Unreadable { path: path.to_path_buf(), source },
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            (format!("{expected_len} fields on line {line}, as in the header"), len.to_string())
        }
        ErrorKind::Utf8 { .. } => (format!("text in UTF-8 on line {line}"), "other bytes".to_string()),
        other => (format!("CSV on line {line}"), format!("{other:?}")),
    };
    Error::data(path, expected, found, "Give a CSV file with one row for each cell.")
}
