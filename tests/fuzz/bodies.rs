//! What is asked of every reader, whatever bytes it gets: no panic, memory in proportion to the input, an end, and errors that are
//! one whole sentence about the file. The bodies are run by `tests/hostile.rs` and by the targets in `fuzz/`.

use super::meter::bounded;
use etnas::engine::{Device, Engine, Options};
use etnas::input::{Dataset, Images, Source};
use etnas::measure::Measure;
use etnas::pickle::{read_entries, Limits, Pickle, Value, Visitor};
use etnas::plot::{Cost, Gain, Trajectories};
use etnas::report::{
    converted, finished, merge, score_metadata, ConvertFormat, Existing, Format, MergeRules, Notation, Output, Rule,
    Shard, Sweep,
};
use etnas::space::{Cell, Encoding, SPACE_SIZE};
use etnas::table::{import, Accuracies, Imported, ScoreFile, ScoreTable};
use etnas::tensor_file::TensorFile;
use etnas::weights::Weights;
use etnas::{Error, Result};
use std::cell::Cell as Counter;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A body: reads the bytes in every way that there is, and panics where a promise is broken.
pub type Body = fn(&[u8]);

/// All bodies by name. Each name is that of a target in `fuzz/`, and of the valid files in `seeds.rs`.
pub const ALL: [(&str, Body); 12] = [
    ("cells", cells),
    ("pickle", pickle),
    ("torch", table),
    ("tables", table),
    ("cifar", images),
    ("imagenet16", images),
    ("batch", images),
    ("weights", weights),
    ("scores", scores),
    ("metadata", metadata),
    ("resume", resume),
    ("trajectory", trajectory),
];

/// The name of every file that a body writes, which errors must tell.
const NAME: &str = "hostile";
/// No error is longer, in bytes, whatever the file holds.
const LONGEST: usize = 4096;

/// A folder that a body's files lie in.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::Builder::new().prefix("f").tempdir().expect("a temporary folder"))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("a temporary file");
        path
    }
}

/// The error is about the data, and one sentence or several on one line, which name what is wrong.
fn check_error(error: &Error, name: &str) {
    let text = error.to_string();
    let ours = !matches!(error, Error::Internal(_) | Error::Io { .. } | Error::Interrupted | Error::Device { .. });
    assert!(ours, "no error of the data: {text}");
    assert_eq!(error.exit_code(), 2, "{text}");
    assert!(text.ends_with('.') && text.len() > 20, "no sentence: {text:?}");
    assert!(!text.chars().any(char::is_control), "more than one line: {text:?}");
    assert!(text.len() <= LONGEST, "an error of {} bytes: {text:.200}", text.len());
    assert!(text.contains(name), "{name} is not named: {text}");
}

thread_local! {
    static READ: Counter<u32> = const { Counter::new(0) };
    static REFUSED: Counter<u32> = const { Counter::new(0) };
}

/// How often something was read, and how often refused, by the bodies in this thread.
pub fn counts() -> (u32, u32) {
    (READ.get(), REFUSED.get())
}

/// What was read, if it could be.
fn told<T>(read: Result<T>) -> Option<T> {
    told_of(read, NAME)
}

fn told_of<T>(read: Result<T>, name: &str) -> Option<T> {
    match read {
        Ok(read) => {
            READ.set(READ.get() + 1);
            Some(read)
        }
        Err(error) => {
            check_error(&error, name);
            REFUSED.set(REFUSED.get() + 1);
            None
        }
    }
}

/// The bytes that a reader goes through: those of a packed file, unpacked, 16 MiB of them.
fn unpacked_length(bytes: &[u8]) -> usize {
    let most = 1 << 24;
    let count = |reader: &mut dyn Read| std::io::copy(reader, &mut std::io::sink()).unwrap_or(most) as usize;
    let unpacked = match bytes {
        [0x1f, 0x8b, ..] => count(&mut flate2::read::MultiGzDecoder::new(bytes).take(most)),
        [b'B', b'Z', b'h', ..] => count(&mut bzip2::read::MultiBzDecoder::new(bytes).take(most)),
        _ => 0,
    };
    bytes.len() + unpacked
}

/// The parser of cells: what is read has an index, and every way to write it reads back to it.
pub fn cells(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    bounded(bytes.len(), || {
        for encoding in [Encoding::Arch, Encoding::Ops, Encoding::Naslib] {
            if let Some(cell) = told_of(Cell::parse(&text, encoding), "") {
                round_trips(&cell);
            }
        }
        if let Ok(number) = text.trim().parse::<i64>() {
            let read = Cell::from_index(number);
            assert_eq!(read.is_ok(), (0..SPACE_SIZE as i64).contains(&number));
            assert_eq!(read.ok(), text.parse::<Cell>().ok());
        }
    });
}

/// Every encoding of the cell reads back to it.
pub fn round_trips(cell: &Cell) {
    assert!(cell.index() < SPACE_SIZE);
    for (notation, encoding) in [
        (Notation::Index, Encoding::Arch),
        (Notation::Arch, Encoding::Arch),
        (Notation::Ops, Encoding::Ops),
        (Notation::Naslib, Encoding::Naslib),
    ] {
        let text = converted(&[*cell], &[notation], ConvertFormat::Plain).expect("a cell in words");
        assert_eq!(Cell::parse(&text, encoding).expect("our own words"), *cell, "{text}");
    }
}

/// Both readers of pickles.
pub fn pickle(bytes: &[u8]) {
    let path = Path::new(NAME);
    let limits = Limits { opcodes: 1 << 16, depth: 64 };
    bounded(bytes.len(), || {
        if let Some(pickle) = told(Pickle::read_within(path, bytes, limits)) {
            assert!(pickle.end() <= bytes.len());
            walk(pickle.root());
        }
    });
    bounded(bytes.len(), || {
        let _ = told(read_entries(path, bytes, limits, &mut Keys { told: 0 }));
    });
}

/// Looks at the values of a pickle, so many of them: shared ones can be met without end.
fn walk(root: Value) {
    let mut left = 10_000_u32;
    let mut open = vec![root];
    while let (Some(value), Some(fewer)) = (open.pop(), left.checked_sub(1)) {
        left = fewer;
        assert!(!value.describe().is_empty());
        let _ = (value.as_f64(), value.as_text());
        if let Some(items) = value.as_sequence() {
            open.extend(items.iter().take(64));
        }
        if let Some(entries) = value.as_dict() {
            let _ = entries.get("data");
            open.extend(entries.iter().take(64).flat_map(|(key, value)| [key, value]));
        }
        if let Some(array) = value.as_array() {
            let numbers: usize = array.shape().iter().product();
            assert_eq!(array.bytes().len(), numbers * array.dtype().size);
            assert_eq!(array.elements().take(64).count(), numbers.min(64));
        }
    }
}

/// Takes texts and numbers for keys, and descends into every dict to level 3.
struct Keys {
    told: u32,
}

impl Visitor for Keys {
    fn is_key(&self, _: usize, value: Value) -> bool {
        matches!(value, Value::Str(_) | Value::Int(_))
    }

    fn descends(&self, level: usize, _: Value) -> bool {
        level < 3
    }

    fn entry(&mut self, level: usize, key: Value, value: Value) -> Result<()> {
        assert!((1..=3).contains(&level));
        self.told += 1;
        walk(key);
        walk(value);
        Ok(())
    }
}

/// Tables: the bytes as a source to import, as a table of accuracies and as one of scores. What is imported can be written, and
/// what is written says the same.
pub fn table(bytes: &[u8]) {
    let folder = Folder::new();
    let path = folder.put(NAME, bytes);
    let length = unpacked_length(bytes);
    bounded(length, || {
        if let Some(Imported { table, .. }) = told(import(&path, &())) {
            let again = folder.put("again", &table.compact(&path).expect("a table that was read can be written"));
            let again = Accuracies::open(&again).expect("our own table");
            assert_eq!(again.cells(), table.cells());
            let bits = |table: &Accuracies| {
                let values = table
                    .columns()
                    .iter()
                    .flat_map(|c| c.values.iter().map(|v| if v.is_nan() { 0 } else { v.to_bits() }));
                values.collect::<Vec<u64>>()
            };
            assert!(bits(&again) == bits(&table), "another table is read than was written");
        }
    });
    bounded(length, || drop(told(Accuracies::open(&path))));
    bounded(length, || drop(told(ScoreTable::open(&path, &[(Measure::Naswot, "naswot")]))));
}

/// Images: the bytes as a file of each data set, by name and by content, and in a folder of the data set.
pub fn images(bytes: &[u8]) {
    let folder = Folder::new();
    let names = ["", ".safetensors"].map(|extension| format!("{NAME}{extension}"));
    for (dataset, batch) in
        [(Dataset::Cifar10, "data_batch_1"), (Dataset::Cifar100, "train"), (Dataset::ImageNet16, "train_data_batch_1")]
    {
        let mut paths: Vec<PathBuf> = names.iter().map(|name| folder.put(name, bytes)).collect();
        let inner = folder.0.path().join(format!("{NAME}-{}", dataset.name()));
        std::fs::create_dir_all(&inner).expect("a temporary folder");
        std::fs::write(inner.join(batch), bytes).expect("a temporary file");
        paths.push(inner);
        for path in paths {
            for draw in [false, true] {
                bounded(bytes.len(), || {
                    let source = Source::Path(path.clone());
                    if let Some(images) = told(Images::load(&source, dataset, 1, 7, draw)) {
                        let batch = images.batch();
                        assert_eq!(batch.pixels.len(), batch.count * 3 * batch.height * batch.width);
                        assert!(batch.pixels.iter().all(|v| v.is_finite()));
                        assert!(images.regression_images(7).pixels.iter().all(|v| v.is_finite()));
                    }
                });
            }
        }
    }
}

/// The cell of the valid weights.
pub const WEIGHTS_CELL: i64 = 9930;

/// Weights of one cell's network.
pub fn weights(bytes: &[u8]) {
    let folder = Folder::new();
    let path = folder.put(NAME, bytes);
    bounded(bytes.len(), || {
        let Some(file) = told(TensorFile::open(&path)) else { return };
        for name in told(file.names()).into_iter().flatten().take(32) {
            told(file.get(&name));
        }
        let cell = Cell::from_index(WEIGHTS_CELL).expect("a cell");
        told(Weights::skeleton_of(&file, "", (8, 8)));
        told(Weights::from_safetensors(&file, "", &cell, (8, 8)));
    });
}

/// Score files.
pub fn scores(bytes: &[u8]) {
    let folder = Folder::new();
    let path = folder.put(NAME, bytes);
    bounded(unpacked_length(bytes), || {
        if let Some(file) = told(ScoreFile::open(&path)) {
            assert!(!file.cells().is_empty());
            for column in file.columns() {
                assert_eq!(column.values.len(), file.cells().len());
                assert!(column.values.iter().flatten().all(|v| v.is_finite()));
            }
        }
    });
}

/// Trajectories of searches.
pub fn trajectory(bytes: &[u8]) {
    let folder = Folder::new();
    let path = folder.put(NAME, bytes);
    bounded(bytes.len(), || {
        if let Some(read) = told(Trajectories::open(&[&path], Cost::Evaluations, Gain::Accuracy)) {
            assert!(!read.picture(false).panels.is_empty());
        }
    });
}

/// A sweep and what it was begun with.
struct Begun {
    engine: Engine,
    sweep: Sweep,
}

/// The measures of the sweep.
pub const MEASURES: [Measure; 2] = [Measure::Degree, Measure::Params];
/// The cells of the sweep.
pub const SWEEP_CELLS: [i64; 4] = [5, 9930, 0, 15_624];

impl Begun {
    fn new() -> Begun {
        let options = Options {
            dataset: Dataset::ImageNet16,
            data: Source::Noise,
            batch: 2,
            threads: Some(1),
            device: Device::Cpu,
            ..Options::default()
        };
        let cells = SWEEP_CELLS.map(|index| Cell::from_index(index).expect("a cell")).to_vec();
        Begun { engine: Engine::new(options).expect("an engine"), sweep: Sweep::new(Rule::List, cells, Shard::WHOLE) }
    }

    fn metadata(&self) -> String {
        score_metadata(&self.engine, &MEASURES, &self.sweep, None, false).to_string()
    }

    fn finished(&self, path: &Path, format: Format) -> Option<()> {
        let mut output = told(Output::sweep(path, Existing::Resume))?;
        let bytes = std::fs::read(path).expect("a temporary file");
        let found = told(finished(&mut output, format, &self.engine, &MEASURES, &self.sweep))?;
        let torn = usize::try_from(found.torn).expect("no more than there is");
        let kept = &bytes[..bytes.len() - torn];
        assert!(found.count <= SWEEP_CELLS.len());
        assert!(kept.is_empty() || kept.ends_with(b"\n"), "half a record is kept");
        let lines = kept.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(lines, found.count + usize::from(found.header), "another number of records is kept than told");
        Some(())
    }
}

thread_local! {
    static BEGUN: Begun = Begun::new();
}

/// The metadata of a sweep that is as good as begun.
pub fn valid_metadata() -> String {
    BEGUN.with(Begun::metadata)
}

/// The records that a sweep finds in its file: read again by `--resume` and by `merge`.
pub fn resume(bytes: &[u8]) {
    let folder = Folder::new();
    let metadata = valid_metadata();
    BEGUN.with(|begun| {
        for format in [Format::Jsonl, Format::Csv] {
            let path = folder.put(NAME, bytes);
            folder.put(&format!("{NAME}.meta.json"), metadata.as_bytes());
            bounded(bytes.len(), || {
                let _ = begun.finished(&path, format);
            });
            merged(&path, &folder, bytes.len());
        }
    });
}

fn merged(path: &Path, folder: &Folder, length: usize) {
    let to = folder.0.path().join(format!("{NAME}-merged"));
    bounded(length, || {
        for partial in [false, true] {
            let Some(mut output) = told(Output::open(Some(&to), true)) else { continue };
            let rules = MergeRules { partial, mixed: false };
            if let Some(merged) = told(merge(&[path.to_path_buf()], rules, &mut output)) {
                assert!(merged.records <= merged.asked);
            }
        }
    });
}

/// Metadata beside records that are as they should be.
pub fn metadata(bytes: &[u8]) {
    let folder = Folder::new();
    let records = super::seeds::records(Format::Jsonl);
    let path = folder.put(NAME, records.as_bytes());
    folder.put(&format!("{NAME}.meta.json"), bytes);
    let length = bytes.len() + records.len();
    bounded(length, || drop(told(ScoreFile::open(&path))));
    BEGUN.with(|begun| {
        bounded(length, || {
            let _ = begun.finished(&path, Format::Jsonl);
        })
    });
    // A number of cells that nobody asks for takes a second to go through, which is no fault.
    let many = |bytes: &[u8]| {
        let value: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
        value.and_then(|v| v["selection"]["count"].as_u64()).is_some_and(|count| count > 10_000)
    };
    if !many(bytes) {
        merged(&path, &folder, length);
    }
}
