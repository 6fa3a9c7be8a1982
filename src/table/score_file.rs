//! A file of scores: what `score` wrote, or anyone's numbers for cells.

use super::csv;
use super::score_rows::{self, Rows};
use crate::error::{Error, Result};
use crate::input::Dataset;
use crate::measure::Measure;
use crate::space::Cell;
use serde_json::Value;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The most bytes that a score file may have, unpacked: a hundred times what the whole space with every measure takes.
const MOST_BYTES: u64 = 1 << 29;
/// The most bytes of metadata that are read: more than those of any sweep take.
const MOST_METADATA: u64 = 1 << 20;

/// Numbers of cells, by column, in the order of the file.
///
/// Three forms are read: JSON Lines, JSON (`{"meta": …, "records": […]}`) and CSV, each also packed by gzip. A cell is named by a
/// column `index` or `arch_index` (NATS-Bench's order), by `arch` or `arch_str`, or by both, which must then agree. Every other column
/// of numbers is a score; null, an empty field, `nan` or `-inf` is a score that does not exist. Columns `NAME_std` beside `NAME` are
/// deviations and no scores.
#[derive(Clone, Debug)]
pub struct ScoreFile {
    path: PathBuf,
    cells: Vec<Cell>,
    places: HashMap<Cell, usize>,
    columns: Vec<ScoreColumn>,
    dataset: Option<Dataset>,
    metadata: Option<Value>,
}

/// One number for each cell of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreColumn {
    /// The name in the file.
    pub name: String,
    /// The measure of that name, if it is one of ours.
    pub measure: Option<Measure>,
    /// Larger values promise better cells. Of columns that are no measure of ours it is taken to be so.
    pub higher_is_better: bool,
    /// The values in the order of [`ScoreFile::cells`]; `None` where the score does not exist.
    pub values: Vec<Option<f64>>,
}

impl ScoreColumn {
    /// A column of this name.
    pub(super) fn new(name: &str, values: Vec<Option<f64>>) -> ScoreColumn {
        let measure = Measure::from_name(name).ok();
        let higher_is_better = measure.is_none_or(Measure::higher_is_better);
        ScoreColumn { name: name.to_string(), measure, higher_is_better, values }
    }

    /// The values turned so that larger promises better; −∞, below all others, where the score does not exist.
    pub fn promise(&self) -> Vec<f64> {
        let sign = if self.higher_is_better { 1.0 } else { -1.0 };
        self.values.iter().map(|value| value.map_or(f64::NEG_INFINITY, |v| sign * v)).collect()
    }
}

impl ScoreFile {
    /// Reads a file, and `FILE.meta.json` if it is there (for `FILE.gz` the one beside FILE).
    ///
    /// # Errors
    /// [`Error::Unreadable`]; [`Error::Data`] with the line for what is no such file, a cell twice, or metadata that are no JSON.
    pub fn open(path: &Path) -> Result<ScoreFile> {
        let unreadable = |source| Error::Unreadable { path: path.to_path_buf(), source };
        let mut bytes = Vec::new();
        let mut packed = File::open(path).map_err(unreadable)?;
        packed.by_ref().take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.starts_with(&[0x1f, 0x8b]) {
            let mut text = Vec::new();
            let unpacked =
                flate2::read::MultiGzDecoder::new(bytes.as_slice()).take(MOST_BYTES + 1).read_to_end(&mut text);
            unpacked.map_err(|e| Error::data(path, "a whole gzip stream", e.to_string(), "Get the file again."))?;
            bytes = text;
        }
        if bytes.len() as u64 > MOST_BYTES {
            let expected = format!("at most {MOST_BYTES} bytes, unpacked");
            return Err(Error::data(path, expected, "more", "Give a file of scores of single cells."));
        }
        let text = String::from_utf8(bytes).map_err(|e| {
            let found = format!("other bytes from byte {} on", e.utf8_error().valid_up_to());
            Error::data(path, "text in UTF-8", found, "Give a score file: CSV, JSON or JSON Lines.")
        })?;
        let Rows { cells, columns, dataset, metadata } = score_rows::read(path, &text)?;
        let mut places = HashMap::with_capacity(cells.len());
        for (i, cell) in cells.iter().enumerate() {
            if let Some(before) = places.insert(*cell, i) {
                let found = format!("cell {} in records {} and {}", cell.index(), before + 1, i + 1);
                return Err(Error::data(path, "one record for each cell", found, "Remove one of the two."));
            }
        }
        let named = |column: &String| columns.iter().any(|(name, _)| name == column);
        let deviation = |name: &str| name.strip_suffix("_std").is_some_and(|of| named(&of.to_string()));
        let kept: Vec<bool> = columns.iter().map(|(name, _)| !deviation(name)).collect();
        let columns = columns.into_iter().zip(kept).filter(|(_, kept)| *kept);
        let columns: Vec<ScoreColumn> = columns.map(|((name, values), _)| ScoreColumn::new(&name, values)).collect();
        if columns.is_empty() || cells.is_empty() {
            let found = if cells.is_empty() { "no record" } else { "none" };
            return Err(Error::data(path, "a column of scores", found, "Give a file with numbers of cells."));
        }
        let metadata = match metadata {
            Some(metadata) => Some(metadata),
            None => beside(path)?,
        };
        Ok(ScoreFile { path: path.to_path_buf(), cells, places, columns, dataset, metadata })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The cells in the order of the file, each once.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The place of a cell among [`ScoreFile::cells`].
    pub fn place(&self, cell: &Cell) -> Option<usize> {
        self.places.get(cell).copied()
    }

    /// The columns in the order of the file.
    pub fn columns(&self) -> &[ScoreColumn] {
        &self.columns
    }

    /// The column of a name; of measures both spellings are understood (`log-synflow`, `log_synflow`).
    ///
    /// # Errors
    /// [`Error::Data`] if the file has none of that name.
    pub fn column(&self, name: &str) -> Result<&ScoreColumn> {
        let measure = Measure::from_name(name).ok();
        let wanted = |column: &&ScoreColumn| column.name == name || (measure.is_some() && column.measure == measure);
        self.columns.iter().find(wanted).ok_or_else(|| {
            let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
            Error::data(&self.path, format!("a column {name}"), csv::listed(&names), "Name a column that the file has.")
        })
    }

    /// The data set, where all records name the same one.
    pub fn dataset(&self) -> Option<Dataset> {
        self.dataset
    }

    /// How the file came about, where its metadata are beside it or in it.
    pub fn metadata(&self) -> Option<&Value> {
        self.metadata.as_ref()
    }
}

/// The metadata beside a file.
fn beside(path: &Path) -> Result<Option<Value>> {
    let unpacked =
        if path.extension().is_some_and(|e| e == "gz") { path.with_extension("") } else { path.to_path_buf() };
    let mut name = OsString::from(unpacked);
    name.push(".meta.json");
    let path = PathBuf::from(name);
    if !path.exists() {
        return Ok(None);
    }
    let unreadable = |source| Error::Unreadable { path: path.clone(), source };
    let mut text = Vec::new();
    File::open(&path).and_then(|file| file.take(MOST_METADATA).read_to_end(&mut text)).map_err(unreadable)?;
    let value = serde_json::from_slice(&text);
    value
        .map(Some)
        .map_err(|e| Error::data(&path, "metadata in JSON", e.to_string(), "Remove the file if it is of no use."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn open(name: &str, bytes: &[u8]) -> Result<ScoreFile> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        ScoreFile::open(&path)
    }

    const JSONL: &str = r#"{"index":9930,"dataset":"cifar10","status":"ok","naswot":1.5,"naswot_std":0.1,"utopian":0.25}
{"index":5,"dataset":"cifar10","status":"singular","naswot":null,"naswot_std":null,"utopian":2.0}
"#;

    #[test]
    fn the_three_forms_and_gzip_say_the_same() {
        let json = format!(r#"{{"meta":{{"version":"1"}},"records":[{}]}}"#, JSONL.trim_end().replace("}\n", "},"));
        let csv =
            "index,dataset,status,naswot,naswot_std,utopian\n9930,cifar10,ok,1.5,0.1,0.25\n5,cifar10,singular,,,2.0\n";
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(JSONL.as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        for (name, bytes) in [("a", JSONL.as_bytes()), ("b", json.as_bytes()), ("c", csv.as_bytes()), ("d.gz", &packed)]
        {
            let file = open(name, bytes).unwrap();
            assert_eq!(file.cells().iter().map(Cell::index).collect::<Vec<_>>(), [9930, 5], "{name}");
            assert_eq!(file.columns().iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["naswot", "utopian"]);
            assert_eq!(file.column("naswot").unwrap().promise(), [1.5, f64::NEG_INFINITY]);
            assert_eq!(file.column("utopian").unwrap().promise(), [-0.25, -2.0]);
            assert_eq!((file.dataset(), file.metadata().is_some()), (Some(Dataset::Cifar10), name == "b"));
            assert_eq!(file.place(&file.cells()[1]), Some(1));
        }
        assert!(open("cut.gz", &packed[..packed.len() - 9]).unwrap_err().to_string().contains("gzip"));
    }

    #[test]
    fn numbers_of_others_are_scores_and_words_are_not() {
        let arch = Cell::from_index(7).unwrap();
        let text = format!("arch_str,my_proxy,remark,log_synflow,low\n{arch},-3,good,7,-inf\n");
        let file = open("x.csv", text.as_bytes()).unwrap();
        let names: Vec<_> = file.columns().iter().map(|c| (c.name.as_str(), c.measure)).collect();
        assert_eq!(names, [("my_proxy", None), ("log_synflow", Some(Measure::LogSynflow)), ("low", None)]);
        assert_eq!(file.column("low").unwrap().values, [None]);
        assert_eq!(file.column("log-synflow").unwrap().values, [Some(7.0)]);
        assert!(file.column("naswot").unwrap_err().to_string().contains("my_proxy, log_synflow"));
    }

    #[test]
    fn metadata_beside_the_file_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        std::fs::write(&path, JSONL).unwrap();
        assert!(ScoreFile::open(&path).unwrap().metadata().is_none());
        let meta = folder.path().join("a.jsonl.meta.json");
        std::fs::write(&meta, r#"{"version":"0.1"}"#).unwrap();
        assert_eq!(ScoreFile::open(&path).unwrap().metadata().unwrap()["version"], "0.1");
        std::fs::write(&meta, "{").unwrap();
        assert!(ScoreFile::open(&path).unwrap_err().to_string().contains("metadata in JSON"));
    }

    #[test]
    fn what_is_no_score_file_is_told_with_its_line() {
        let cases: [(&str, &str); 10] = [
            ("", "at least one record"),
            ("{\"index\":5,\"x\":1}\n{\"index\":5,\"x\":2}\n", "cell 5 in records 1 and 2"),
            ("{\"index\":5,\"x\":1}\n{\"ind", "line 2"),
            ("{\"index\":15625,\"x\":1}\n", "15625"),
            ("{\"x\":1}\n", "index"),
            ("index,x\n5,1\n7,one\n", "line 3"),
            ("index,x\n5,inf\n", "inf"),
            ("a,x\n5,1\n", "index"),
            ("index,remark\n5,good\n", "a column of scores"),
            ("index,arch,x\n5,|none~0|+|none~0|none~1|+|none~0|none~1|none~2|,1\n", "cell"),
        ];
        for (text, expected) in cases {
            let error = open("x", text.as_bytes()).expect_err(text).to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
        assert!(open("x", b"index,x\n5,\xff\n").unwrap_err().to_string().contains("UTF-8"));
    }
}
