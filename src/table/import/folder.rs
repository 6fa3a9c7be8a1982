//! NATS-Bench's folder: `meta.pickle.pbz2`, and `NNNNNN.pickle.pbz2` for each cell that there is.

use super::cells::{CellValues, Cells};
use super::{nats, REMEDY};
use crate::backend::Watch;
use crate::error::{Error, Result};
use crate::pickle::{Pickle, Value};
use bzip2::read::MultiBzDecoder;
use rayon::prelude::*;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// The file that lists the cells.
pub(super) const META: &str = "meta.pickle.pbz2";
/// The most bytes that a file of the folder may have, unpacked: 200 times what a cell has, 40 times what the list has.
const MOST_BYTES: u64 = 1 << 26;
/// Files that are read before their values are gathered.
const AT_A_TIME: usize = 64;

/// The number of a cell's file.
pub(super) fn cell_number(name: &str) -> Option<i64> {
    let digits = name.strip_suffix(".pickle.pbz2")?;
    (digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

/// Reads the folder.
pub(super) fn read<'a>(path: &'a Path, watch: &dyn Watch) -> Result<Cells<'a>> {
    let unreadable = |source| Error::Unreadable { path: path.to_path_buf(), source };
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        numbers.extend(name.to_str().and_then(|name| Some((cell_number(name)?, path.join(name)))));
    }
    numbers.sort();
    let meta = path.join(META);
    if meta.exists() {
        check_meta(&meta)?;
    }
    let mut cells = Cells::new(path);
    for files in numbers.chunks(AT_A_TIME) {
        let read: Vec<Result<CellValues>> = files.par_iter().map(|(number, file)| one(*number, file, watch)).collect();
        read.into_iter().try_for_each(|values| cells.add(values?))?;
    }
    Ok(cells)
}

/// The values of a cell's file.
fn one(number: i64, file: &Path, watch: &dyn Watch) -> Result<CellValues> {
    if watch.cancelled() {
        return Err(Error::Interrupted);
    }
    let bytes = unpacked(file)?;
    let pickle = Pickle::read(file, &bytes)?;
    let root = pickle.root();
    let Some(schedules) = root.as_dict() else {
        return Err(Error::data(file, "a dict of a cell's results", root.describe(), REMEDY));
    };
    let values = nats::cell(file, Some(number), schedules)?;
    watch.advance();
    Ok(values)
}

/// The list of cells must be that of the topology search space, in its order.
fn check_meta(file: &Path) -> Result<()> {
    let bytes = unpacked(file)?;
    let pickle = Pickle::read(file, &bytes)?;
    let archs = pickle.root().as_dict().and_then(|meta| meta.get("meta_archs")).and_then(Value::as_sequence);
    let archs = archs.ok_or_else(|| Error::data(file, "a list of cells under meta_archs", "none", REMEDY))?;
    nats::check_archs(file, archs)
}

/// The bytes of a file packed by bzip2.
fn unpacked(file: &Path) -> Result<Vec<u8>> {
    let unreadable = |source| Error::Unreadable { path: file.to_path_buf(), source };
    let mut bytes = Vec::new();
    let packed = MultiBzDecoder::new(BufReader::new(File::open(file).map_err(unreadable)?));
    let read = packed.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|e| Error::data(file, "a whole stream of bzip2", e.to_string(), REMEDY))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(Error::data(file, format!("at most {MOST_BYTES} bytes, unpacked"), "more", REMEDY));
    }
    Ok(bytes)
}
