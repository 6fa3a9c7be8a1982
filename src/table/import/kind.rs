//! What a file is, by its content.

use super::folder;
use crate::error::{Error, Result};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// What opens torch's container from before version 1.6: a pickle of this number alone.
pub(super) const TORCH_MAGIC: &[u8] = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.";

/// A source of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text in columns, also packed by gzip.
    Csv,
    /// A safetensors file, as `table import` writes it.
    Compact,
    /// NATS-Bench's folder of one file for each cell.
    NatsFolder,
    /// A pickle packed by bzip2: NATS-Bench's single file, or one cell of its folder.
    Bzip2,
    /// A container of torch since 1.6: NAS-Bench-201.
    TorchZip,
    /// A container of torch before 1.6: NAS-Bench-201.
    TorchLegacy,
    /// A plain pickle: NASLib.
    Pickle,
    /// A pickle packed by gzip.
    Gzip,
    /// JSON, also packed by gzip: NASLib's scores.
    Json,
}

impl Kind {
    /// Looks at the first bytes. What is nothing else is taken for CSV.
    ///
    /// # Errors
    /// [`Error::Unreadable`]; [`Error::Data`] for a folder that is none of NATS-Bench.
    pub fn of(path: &Path) -> Result<Kind> {
        let unreadable = |source| Error::Unreadable { path: path.to_path_buf(), source };
        if std::fs::metadata(path).map_err(unreadable)?.is_dir() {
            return in_folder(path);
        }
        let mut packed = false;
        let mut start = begin(&mut File::open(path).map_err(unreadable)?).map_err(unreadable)?;
        if start.starts_with(&[0x1f, 0x8b]) {
            let file = BufReader::new(File::open(path).map_err(unreadable)?);
            packed = true;
            // What gzip cannot unpack is told by who reads it.
            start = begin(&mut MultiGzDecoder::new(file)).unwrap_or_default();
        }
        let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start).trim_ascii_start();
        Ok(match start.as_slice() {
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Kind::Bzip2,
            [b'P', b'K', 3, 4, ..] => Kind::TorchZip,
            start if start.starts_with(TORCH_MAGIC) && !packed => Kind::TorchLegacy,
            [0x80, 1..=5, ..] if packed => Kind::Gzip,
            [0x80, 1..=5, ..] => Kind::Pickle,
            // A header's length in eight bytes, then the header.
            [_, _, _, _, 0, 0, 0, 0, b'{', ..] => Kind::Compact,
            _ if text.starts_with(b"{") => Kind::Json,
            _ => Kind::Csv,
        })
    }

    /// What it is, for errors.
    pub fn describe(self) -> &'static str {
        match self {
            Kind::Csv => "CSV",
            Kind::Compact => "a safetensors file",
            Kind::NatsFolder => "a folder of NATS-Bench",
            Kind::Bzip2 => "a file packed by bzip2, as NATS-Bench's are",
            Kind::TorchZip | Kind::TorchLegacy => "a file of torch, as NAS-Bench-201's are",
            Kind::Pickle | Kind::Gzip => "a pickle",
            Kind::Json => "JSON",
        }
    }
}

fn begin(file: &mut dyn Read) -> std::io::Result<Vec<u8>> {
    let mut start = Vec::new();
    file.take(64).read_to_end(&mut start)?;
    Ok(start)
}

fn in_folder(path: &Path) -> Result<Kind> {
    let entries = std::fs::read_dir(path).map_err(|source| Error::Unreadable { path: path.to_path_buf(), source })?;
    let of_nats = |name: &str| name == folder::META || folder::cell_number(name).is_some();
    if entries.flatten().any(|entry| entry.file_name().to_str().is_some_and(of_nats)) {
        return Ok(Kind::NatsFolder);
    }
    Err(Error::Data {
        what: format!("The folder {}", path.display()),
        expected: "files 000000.pickle.pbz2 to 015624.pickle.pbz2 of NATS-Bench".to_string(),
        found: "none".to_string(),
        remedy: "Give the folder NATS-tss-v1_0-3ffb9-simple itself, or a file.".to_string(),
    })
}
