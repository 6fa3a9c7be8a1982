//! Tables from pickles of any length, in whichever container they come: what the pickle is decides its keys.

use super::cells::{CellValues, Cells};
use super::kind::{Kind, TORCH_MAGIC};
use super::{naslib, nats, Imported, REMEDY};
use crate::backend::Watch;
use crate::error::{Error, Result};
use crate::pickle::{read_entries, Limits, Value, Visitor};
use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use zip::ZipArchive;

/// Limits of one cell, which has some 60,000 opcodes, and of the list of all cells, which has 32,000.
const LIMITS: Limits = Limits { opcodes: 1 << 20, depth: 64 };
/// Bytes that are read at a time.
const BUFFER: usize = 1 << 18;
/// Keys of the root of NATS-Bench's single file and of NAS-Bench-201's.
const ROOT_KEYS: [&str; 4] = ["meta_archs", "total_archs", "arch2infos", "evaluated_indexes"];

/// Reads a pickle in the container that `kind` says.
pub(super) fn read(path: &Path, kind: Kind, watch: &dyn Watch) -> Result<Imported> {
    let unreadable = |source| Error::Unreadable { path: path.to_path_buf(), source };
    let file = BufReader::with_capacity(BUFFER, File::open(path).map_err(unreadable)?);
    let mut table = Reader { path, watch, cells: Cells::new(path), form: None, single: None };
    match kind {
        Kind::Bzip2 => table.one(BufReader::with_capacity(BUFFER, MultiBzDecoder::new(file)))?,
        Kind::Gzip => table.one(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(file)))?,
        Kind::TorchLegacy => table.legacy(file)?,
        Kind::TorchZip => table.zip(file)?,
        _ => table.one(file)?,
    }
    if let Some(values) = table.single.take() {
        table.cells.add(values)?;
    }
    if table.form == Some(Form::Benchmark) && table.cells.count() == 0 {
        let remedy = "Give the folder that it lies in, or the file of the whole benchmark.";
        return Err(Error::data(path, "the results of a cell at least", "a list of cells without results", remedy));
    }
    table.cells.table(table.form.map_or("pickle", Form::title))
}

/// What a pickle turns out to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Benchmark,
    Cell,
    Naslib,
}

impl Form {
    fn title(self) -> &'static str {
        match self {
            Form::Benchmark => "NATS-Bench or NAS-Bench-201, all cells in a file",
            Form::Cell => "NATS-Bench, the file of a cell",
            Form::Naslib => "NASLib, one seed",
        }
    }
}

/// Gathers what a pickle's entries tell.
struct Reader<'a> {
    path: &'a Path,
    watch: &'a dyn Watch,
    cells: Cells<'a>,
    form: Option<Form>,
    /// The schedules so far of a file of one cell.
    single: Option<CellValues>,
}

impl Reader<'_> {
    /// A pickle that fills its file.
    fn one(&mut self, mut reader: impl BufRead) -> Result<()> {
        read_entries(self.path, &mut reader, LIMITS, self)?;
        self.end(reader)
    }

    /// Nothing may follow; and who unpacks finds out at the end whether all was right.
    fn end(&self, mut reader: impl BufRead) -> Result<()> {
        let rest = reader.fill_buf().map(|rest| rest.is_empty());
        match rest {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::data(self.path, "the file's end behind the pickle", "more bytes", REMEDY)),
            Err(error) => Err(self.unpacking(error)),
        }
    }

    fn unpacking(&self, error: io::Error) -> Error {
        Error::data(self.path, "a whole file", format!("one that cannot be unpacked ({error})"), REMEDY)
    }

    /// torch before 1.6: a magic number, a version, the system, the object, and the keys of tensors, each a pickle.
    fn legacy(&mut self, mut reader: impl BufRead) -> Result<()> {
        let mut magic = [0; TORCH_MAGIC.len()];
        reader.read_exact(&mut magic).map_err(|error| self.unpacking(error))?;
        for _ in ["version", "system"] {
            read_entries(self.path, &mut reader, LIMITS, &mut Nothing)?;
        }
        read_entries(self.path, &mut reader, LIMITS, self)?;
        read_entries(self.path, &mut reader, LIMITS, &mut Nothing)?;
        self.end(reader)
    }

    /// torch since 1.6: a ZIP archive in which `data.pkl` is the object, not packed.
    fn zip(&mut self, file: BufReader<File>) -> Result<()> {
        let broken = |error: zip::result::ZipError| {
            Error::data(self.path, "a ZIP archive as torch writes it", error.to_string(), REMEDY)
        };
        let mut archive = ZipArchive::new(file).map_err(broken)?;
        let mut place = None;
        for i in 0..archive.len() {
            let file = archive.by_index(i).map_err(broken)?;
            let is_object = file.name().map_err(broken)?.rsplit('/').next() == Some("data.pkl");
            place = place.or(is_object.then_some(i));
        }
        let Some(place) = place else {
            let found = format!("an archive of {} files without one", archive.len());
            return Err(Error::data(self.path, "a file data.pkl in the archive", found, REMEDY));
        };
        let object = archive.by_index(place).map_err(broken)?;
        let reader = BufReader::with_capacity(BUFFER, object);
        self.one(reader)
    }
}

impl Visitor for Reader<'_> {
    fn is_key(&self, level: usize, value: Value) -> bool {
        match (level, value) {
            (1, value) => value.as_text().is_some_and(|text| ROOT_KEYS.contains(&text) || text.starts_with('|')),
            (_, value) => matches!(value, Value::Int(_)),
        }
    }

    fn descends(&self, level: usize, key: Value) -> bool {
        level == 1 && key.as_text() == Some("arch2infos")
    }

    fn entry(&mut self, level: usize, key: Value, value: Value) -> Result<()> {
        if self.watch.cancelled() {
            return Err(Error::Interrupted);
        }
        if level == 2 {
            let schedules = value.as_dict();
            let schedules = schedules
                .ok_or_else(|| Error::data(self.path, "a dict of a cell's results", value.describe(), REMEDY))?;
            self.cells.add(nats::cell(self.path, key.as_i64(), schedules)?)?;
            self.watch.advance();
            return Ok(());
        }
        let Some(key) = key.as_text() else {
            return Err(Error::data(self.path, EXPECTED, format!("a dict with {} as a key", key.describe()), REMEDY));
        };
        let form = match key {
            _ if key.starts_with('|') => Form::Naslib,
            _ if ROOT_KEYS.contains(&key) => Form::Benchmark,
            _ if state_keys().any(|known| known == key) => Form::Cell,
            _ => {
                let key: String = key.chars().take(60).collect();
                return Err(Error::data(self.path, EXPECTED, format!("a dict with the key {key:?}"), REMEDY));
            }
        };
        if self.form.is_some_and(|other| other != form) {
            return Err(Error::data(self.path, EXPECTED, "keys of several of them", REMEDY));
        }
        self.form = Some(form);
        match (form, value) {
            (Form::Naslib, value) => {
                self.cells.add(naslib::trained(self.path, key, value)?)?;
                self.watch.advance();
            }
            (Form::Cell, value) => {
                let more = nats::schedule(self.path, None, key, value)?;
                self.single = Some(match self.single.take() {
                    Some(values) => values.with(self.path, more)?,
                    None => more,
                });
            }
            (Form::Benchmark, Value::List(archs)) if key == "meta_archs" => nats::check_archs(self.path, archs)?,
            // A dict that was stored elsewhere before, so that it was not read entry by entry.
            (Form::Benchmark, Value::Dict(results)) if key == "arch2infos" && !results.is_empty() => {
                return Err(Error::data(self.path, "arch2infos stored in its place", "it elsewhere", REMEDY));
            }
            _ => {}
        }
        Ok(())
    }
}

const EXPECTED: &str = "results of NATS-Bench, NAS-Bench-201 or NASLib";

/// The schedules of a cell's file, those of the size search space among them: their refusal needs the cell's name.
fn state_keys() -> impl Iterator<Item = &'static str> {
    nats::SCHEDULES.into_iter().map(|(key, _)| key).chain(["01", "90"])
}

/// Passes over a pickle.
struct Nothing;

impl Visitor for Nothing {
    fn is_key(&self, _: usize, _: Value) -> bool {
        false
    }

    fn descends(&self, _: usize, _: Value) -> bool {
        false
    }

    fn entry(&mut self, _: usize, _: Value, _: Value) -> Result<()> {
        Ok(())
    }
}
