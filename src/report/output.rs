//! Where results go: stdout, or a file that appears whole or not at all.

use crate::error::{Error, Result};
use serde_json::Value;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tempfile::NamedTempFile;

/// Temporary files of outputs that are being written, for [`remove_unfinished`].
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes the temporary files of all outputs that are not finished. For a process that is about to end without unwinding.
pub fn remove_unfinished() {
    if let Ok(list) = UNFINISHED.lock() {
        for path in list.iter() {
            let _ = fs::remove_file(path);
        }
    }
}

/// An open destination.
///
/// A file is written under a temporary name beside it and renamed by [`Output::finish`]; dropped before that, it leaves
/// nothing behind. A path that is no regular file (a named pipe, `/dev/null`) is written straight through.
pub struct Output(Sink);

enum Sink {
    Stdout(BufWriter<io::Stdout>),
    Through(BufWriter<File>),
    Whole { records: Pending, metadata: Option<Pending> },
}

impl Output {
    /// The output for `-o PATH`, or stdout. `metadata` says that [`Output::finish`] will be given metadata, so that
    /// `PATH.meta.json` must be writable as well.
    ///
    /// # Errors
    /// [`Error::Unwritable`] if the file could not be put there; nothing at the path is changed by trying.
    pub fn open(path: Option<&Path>, metadata: bool) -> Result<Output> {
        let Some(path) = path else {
            return Ok(Output(Sink::Stdout(BufWriter::new(io::stdout()))));
        };
        let unwritable = |source| Error::Unwritable { path: path.to_path_buf(), source };
        if let Ok(found) = fs::metadata(path) {
            if !found.is_file() && !found.is_dir() {
                let file = OpenOptions::new().write(true).open(path).map_err(unwritable)?;
                return Ok(Output(Sink::Through(BufWriter::new(file))));
            }
        }
        let records = Pending::beside(path)?;
        let metadata = metadata.then(|| Pending::beside(&metadata_path(path))).transpose()?;
        Ok(Output(Sink::Whole { records, metadata }))
    }

    /// Writes text.
    ///
    /// # Errors
    /// [`Error::Io`]; a closed pipe is one with [`ErrorKind::BrokenPipe`].
    pub fn write(&mut self, text: &str) -> Result<()> {
        let written = match &mut self.0 {
            Sink::Stdout(out) => out.write_all(text.as_bytes()),
            Sink::Through(out) => out.write_all(text.as_bytes()),
            Sink::Whole { records, .. } => records.file.write_all(text.as_bytes()),
        };
        written.map_err(failed)
    }

    /// Hands what was written so far to its reader.
    pub fn flush(&mut self) -> Result<()> {
        let flushed = match &mut self.0 {
            Sink::Stdout(out) => out.flush(),
            Sink::Through(out) => out.flush(),
            Sink::Whole { records, .. } => records.file.flush(),
        };
        flushed.map_err(failed)
    }

    /// Completes the output; with `-o` the file and its metadata appear now.
    pub fn finish(mut self, metadata: &Value) -> Result<()> {
        self.flush()?;
        if let Sink::Whole { records, metadata: beside } = self.0 {
            if let Some(mut pending) = beside {
                pending.file.write_all(super::json::pretty(metadata).as_bytes()).map_err(failed)?;
                pending.publish()?;
            }
            records.publish()?;
        }
        Ok(())
    }
}

fn failed(source: io::Error) -> Error {
    Error::Io { action: "writing the results".to_string(), source }
}

/// `PATH.meta.json`.
fn metadata_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".meta.json");
    PathBuf::from(name)
}

/// A file under a temporary name.
struct Pending {
    file: BufWriter<NamedTempFile>,
    target: PathBuf,
}

impl Pending {
    fn beside(path: &Path) -> Result<Pending> {
        let unwritable = |source| Error::Unwritable { path: path.to_path_buf(), source };
        let is_folder = || unwritable(ErrorKind::IsADirectory.into());
        if path.as_os_str().as_encoded_bytes().last().is_some_and(|&b| std::path::is_separator(b.into())) {
            return Err(is_folder());
        }
        // A link keeps pointing where it points: the file behind it is replaced.
        let (target, permissions) = match fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err(is_folder()),
            Ok(found) => {
                OpenOptions::new().append(true).open(path).map_err(unwritable)?;
                (fs::canonicalize(path).map_err(unwritable)?, Some(found.permissions()))
            }
            Err(absent) if absent.kind() == ErrorKind::NotFound => (path.to_path_buf(), None),
            Err(source) => return Err(unwritable(source)),
        };
        let folder = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        if target.file_name().is_none() {
            return Err(unwritable(ErrorKind::InvalidInput.into()));
        }
        if !fs::metadata(folder).map_err(unwritable)?.is_dir() {
            return Err(unwritable(ErrorKind::NotADirectory.into()));
        }
        let file = create(folder, permissions).map_err(|e| unwritable(e.kind().into()))?;
        if let Ok(mut list) = UNFINISHED.lock() {
            list.push(file.path().to_path_buf());
        }
        Ok(Pending { file: BufWriter::new(file), target })
    }

    fn publish(self) -> Result<()> {
        let file = self.file.into_inner().map_err(|e| failed(e.into_error()))?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&self.target).map_err(|e| failed(e.error))?;
        Ok(())
    }
}

/// A temporary file that has, once renamed, the permissions of the file it replaces or those of any new file.
fn create(folder: &Path, permissions: Option<fs::Permissions>) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".etnas-").suffix(".part");
    #[cfg(unix)]
    let new_file = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(new_file);
    let file = builder.tempfile_in(folder)?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    Ok(file)
}
