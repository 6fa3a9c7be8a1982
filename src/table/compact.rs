//! The compact file of a table: safetensors, one f64 tensor `[15625]` for each column (NaN where not known), in NATS-Bench's order.
//!
//! `__metadata__` has one key, [`KEY`], whose text is a JSON object: `format` (1), `program`, `source` (the file that was
//! imported), `kind` of that file, `cells` (of which anything is known), and `columns`, in order: `name`, `meaning`, `known`
//! (cells) and `seeds` (how many cells have a mean over how many seeds, `{"3": 7961}`; empty where the source does not tell).

use super::accuracies::{Accuracies, TableColumn};
use super::columns::column_info;
use crate::error::{Error, Result};
use crate::space::SPACE_SIZE;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// The key of the metadata, by which the file is known from other safetensors files.
pub(super) const KEY: &str = "etnas_table";
const FORMAT: u32 = 1;
/// The most bytes that are read: five hundred columns.
const MOST_BYTES: u64 = 1 << 26;
const REMEDY: &str = "Make it again with etnas-fast table import.";

#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    program: String,
    source: String,
    kind: String,
    cells: usize,
    columns: Vec<HeaderColumn>,
}

#[derive(Serialize, Deserialize)]
struct HeaderColumn {
    name: String,
    meaning: String,
    known: usize,
    seeds: BTreeMap<usize, usize>,
}

impl Accuracies {
    /// The bytes of the compact file of this table. `source` is the file that the values come from.
    ///
    /// # Errors
    /// [`Error::Internal`] if a column does not have a value for each cell.
    pub fn compact(&self, source: &Path) -> Result<Vec<u8>> {
        let name = source.file_name().unwrap_or(source.as_os_str());
        let column = |column: &TableColumn| HeaderColumn {
            name: column.name.clone(),
            meaning: column.meaning.clone(),
            known: column.known(),
            seeds: column.seeds.clone(),
        };
        let header = Header {
            format: FORMAT,
            program: format!("etnas-fast {}", env!("CARGO_PKG_VERSION")),
            source: name.to_string_lossy().into_owned(),
            kind: self.kind.clone(),
            cells: self.cells(),
            columns: self.columns.iter().map(column).collect(),
        };
        let broken = |what: String| Error::Internal(format!("a table could not be written: {what}"));
        let header = serde_json::to_string(&header).map_err(|e| broken(e.to_string()))?;
        let bytes = |column: &TableColumn| column.values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        let bytes: Vec<Vec<u8>> = self.columns.iter().map(bytes).collect();
        let views = self.columns.iter().zip(&bytes).map(|(column, bytes)| {
            let view = TensorView::new(Dtype::F64, vec![SPACE_SIZE], bytes);
            view.map(|view| (column.name.as_str(), view)).map_err(|e| broken(e.to_string()))
        });
        let views = views.collect::<Result<Vec<_>>>()?;
        // One key: the order of several would differ from one run to the next.
        let metadata = HashMap::from([(KEY.to_string(), header)]);
        safetensors::serialize(views, Some(metadata)).map_err(|e| broken(e.to_string()))
    }
}

/// Reads a compact file.
pub(super) fn open(path: &Path) -> Result<Accuracies> {
    let unreadable = |source| Error::Unreadable { path: path.to_path_buf(), source };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > MOST_BYTES {
        let expected = format!("a table of at most {MOST_BYTES} bytes");
        return Err(Error::data(path, expected, format!("{length} bytes"), REMEDY));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let damaged = |e: safetensors::SafeTensorError| {
        let found = format!("{} bytes that are not one ({e})", bytes.len());
        Error::data(path, "a whole safetensors file", found, REMEDY)
    };
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
    let file = SafeTensors::deserialize(&bytes).map_err(damaged)?;
    let Some(text) = metadata.metadata().as_ref().and_then(|map| map.get(KEY)) else {
        let expected = format!("a table of accuracies (a safetensors file with {KEY} in its metadata)");
        return Err(Error::data(path, expected, "another safetensors file", REMEDY));
    };
    let header = |what: String| Error::data(path, format!("the metadata {KEY} of a table"), what, REMEDY);
    let Header { format, source, kind, columns, .. } = serde_json::from_str(text).map_err(|e| header(e.to_string()))?;
    if format != FORMAT {
        return Err(header(format!("those of format {format}, which this program does not know")));
    }
    let mut read: Vec<TableColumn> = Vec::new();
    for HeaderColumn { name, meaning, seeds, .. } in columns {
        let wrong =
            |expected: String, found: String| Error::data(path, format!("{expected} under {name}"), found, REMEDY);
        // Each has 125 kB, and a few bytes of the header name it: a tensor that is named again and again would fill the memory.
        if read.iter().any(|column| column.name == name) {
            return Err(wrong("one column".to_string(), "two".to_string()));
        }
        let expected = format!("a tensor [{SPACE_SIZE}] of f64");
        let Ok(view) = file.tensor(&name) else { return Err(wrong(expected, "none".to_string())) };
        if view.dtype() != Dtype::F64 || view.shape() != [SPACE_SIZE] {
            return Err(wrong(expected, format!("{:?} of {:?}", view.shape(), view.dtype())));
        }
        let (words, _) = view.data().as_chunks::<8>();
        let values: Vec<f64> = words.iter().map(|word| f64::from_le_bytes(*word)).collect();
        let holds = |v: &f64| v.is_nan() || column_info(&name).map_or(v.is_finite(), |info| info.unit.holds(*v));
        if let Some(at) = values.iter().position(|v| !holds(v)) {
            let expected = "numbers that are not negative (accuracies in %, at most 100), NaN where not known,";
            return Err(wrong(expected.to_string(), format!("{} for cell {at}", values[at])));
        }
        read.push(TableColumn { name, meaning, values, seeds });
    }
    let table = Accuracies { source: String::new(), kind, compiled_in: false, columns: read };
    let cells = table.cells();
    Ok(Accuracies { source: format!("{}, {cells} cells of {source}", path.display()), ..table })
}
