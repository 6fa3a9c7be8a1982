//! Where results go: stdout, a file that appears whole or not at all, or the file of a sweep.

use super::sweep_file::{written_by_another, Existing, SweepFile};
use crate::error::{Error, Result};
use serde_json::Value;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
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

/// Has [`remove_unfinished`] remove this file.
pub(super) fn remember_unfinished(path: &Path) {
    if let Ok(mut list) = UNFINISHED.lock() {
        list.push(path.to_path_buf());
    }
}

/// Has [`remove_unfinished`] leave this file.
pub(super) fn settle(path: &Path) {
    if let Ok(mut list) = UNFINISHED.lock() {
        list.retain(|unfinished| unfinished != path);
    }
}

/// An open destination.
///
/// A file is written under a temporary name beside it and renamed by [`Output::finish`]; dropped before that, it leaves
/// nothing behind. The file of a sweep grows record by record. A path that is no regular file (a named pipe, `/dev/null`) is written
/// straight through.
pub struct Output(Sink);

enum Sink {
    Stdout(BufWriter<io::Stdout>),
    Through(BufWriter<File>),
    Whole { records: Pending, metadata: Option<Pending> },
    Sweep(SweepFile),
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
        if let Some(through) = through(path)? {
            return Ok(Output(through));
        }
        let records = Pending::beside(path)?;
        let metadata = metadata.then(|| Pending::beside(&metadata_path(path))).transpose()?;
        Ok(Output(Sink::Whole { records, metadata }))
    }

    /// The output for records that are appended to the file at `path` as they come, with metadata beside them from the first one on.
    ///
    /// # Errors
    /// [`Error::Unwritable`]; [`Error::Options`] where another process writes the file, where it is there and must not be, or where it is
    /// none that a sweep can go on with.
    pub fn sweep(path: &Path, existing: Existing) -> Result<Output> {
        match through(path)? {
            Some(_) if existing == Existing::Resume => Err(Error::options(
                format!("--resume of {}", path.display()),
                "a file",
                "what is no regular file",
                "Leave --resume out, or choose a file.",
            )),
            Some(through) => Ok(Output(through)),
            None => Ok(Output(Sink::Sweep(SweepFile::open(path, existing)?))),
        }
    }

    /// The file of a sweep, if it is one.
    pub(super) fn sweep_file(&mut self) -> Option<&mut SweepFile> {
        match &mut self.0 {
            Sink::Sweep(file) => Some(file),
            _ => None,
        }
    }

    /// Sets the metadata that lie beside the records of a sweep until [`Output::finish`].
    pub fn announce(&mut self, metadata: &Value) {
        if let Some(file) = self.sweep_file() {
            file.announce(super::json::pretty(metadata));
        }
    }

    /// That the file of a sweep could not be locked: a sentence.
    pub fn lock_note(&self) -> Option<String> {
        let Sink::Sweep(file) = &self.0 else { return None };
        let reason = file.unlocked()?;
        let path = file.path().display();
        Some(format!("The file system gives no lock on {path} ({reason}): let no other process write it meanwhile."))
    }

    /// Writes text; into the file of a sweep, whole records.
    ///
    /// # Errors
    /// [`Error::Io`]; a closed pipe is one with [`ErrorKind::BrokenPipe`].
    pub fn write(&mut self, text: &str) -> Result<()> {
        let written = match &mut self.0 {
            Sink::Stdout(out) => out.write_all(text.as_bytes()),
            Sink::Through(out) => out.write_all(text.as_bytes()),
            Sink::Whole { records, .. } => records.file.write_all(text.as_bytes()),
            Sink::Sweep(file) => file.append(text),
        };
        written.map_err(failed)
    }

    /// Writes bytes that are no text: a picture.
    ///
    /// # Errors
    /// Those of [`Output::write`].
    pub fn write_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        let written = match &mut self.0 {
            Sink::Stdout(out) => out.write_all(bytes),
            Sink::Through(out) => out.write_all(bytes),
            Sink::Whole { records, .. } => records.file.write_all(bytes),
            Sink::Sweep(_) => Err(ErrorKind::Unsupported.into()),
        };
        written.map_err(failed)
    }

    /// Hands what was written so far to its reader.
    pub fn flush(&mut self) -> Result<()> {
        let flushed = match &mut self.0 {
            Sink::Stdout(out) => out.flush(),
            Sink::Through(out) => out.flush(),
            Sink::Whole { records, .. } => records.file.flush(),
            Sink::Sweep(_) => Ok(()),
        };
        flushed.map_err(failed)
    }

    /// Completes the output; with `-o` the file and its metadata appear now.
    pub fn finish(mut self, metadata: &Value) -> Result<()> {
        self.flush()?;
        let text = super::json::pretty(metadata);
        match self.0 {
            Sink::Stdout(_) | Sink::Through(_) => Ok(()),
            Sink::Sweep(file) => file.finish(&text).map_err(failed),
            Sink::Whole { records, metadata: beside } => {
                if let Some(mut pending) = beside {
                    pending.file.write_all(text.as_bytes()).map_err(failed)?;
                    pending.publish()?;
                }
                records.publish()
            }
        }
    }
}

/// What is no regular file, opened.
fn through(path: &Path) -> Result<Option<Sink>> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() && !found.is_dir() => {
            let file = OpenOptions::new().write(true).open(path);
            let file = file.map_err(|source| Error::Unwritable { path: path.to_path_buf(), source })?;
            Ok(Some(Sink::Through(BufWriter::new(file))))
        }
        _ => Ok(None),
    }
}

fn failed(source: io::Error) -> Error {
    Error::Io { action: "writing the results".to_string(), source }
}

pub(super) fn unwritable(path: &Path, kind: ErrorKind) -> Error {
    Error::Unwritable { path: path.to_path_buf(), source: kind.into() }
}

/// `PATH.meta.json`.
pub(super) fn metadata_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".meta.json");
    PathBuf::from(name)
}

/// Where a file will stand.
pub(super) struct Place {
    folder: PathBuf,
    /// In that folder.
    pub target: PathBuf,
    /// Those of the file that is there.
    permissions: Option<fs::Permissions>,
}

impl Place {
    /// The place that a path names, if a file may be put there as far as can be seen without writing one.
    ///
    /// # Errors
    /// [`Error::Unwritable`]; [`Error::Options`] where another process writes the file that is there.
    pub fn of(path: &Path) -> Result<Place> {
        let failed = |source| Error::Unwritable { path: path.to_path_buf(), source };
        if path.as_os_str().as_encoded_bytes().last().is_some_and(|&b| std::path::is_separator(b.into())) {
            return Err(unwritable(path, ErrorKind::IsADirectory));
        }
        // A link keeps pointing where it points: the file behind it is replaced.
        let (target, permissions) = match fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err(unwritable(path, ErrorKind::IsADirectory)),
            Ok(found) => {
                let old = OpenOptions::new().append(true).open(path).map_err(failed)?;
                if let Err(TryLockError::WouldBlock) = old.try_lock_shared() {
                    return Err(written_by_another(path));
                }
                (fs::canonicalize(path).map_err(failed)?, Some(found.permissions()))
            }
            Err(absent) if absent.kind() == ErrorKind::NotFound => (path.to_path_buf(), None),
            Err(source) => return Err(failed(source)),
        };
        let folder = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        if target.file_name().is_none() {
            return Err(unwritable(path, ErrorKind::InvalidInput));
        }
        if !fs::metadata(&folder).map_err(failed)?.is_dir() {
            return Err(unwritable(path, ErrorKind::NotADirectory));
        }
        Ok(Place { folder, target, permissions })
    }
}

/// A file under a temporary name.
struct Pending {
    file: BufWriter<NamedTempFile>,
    target: PathBuf,
}

impl Pending {
    fn beside(path: &Path) -> Result<Pending> {
        let Place { folder, target, permissions } = Place::of(path)?;
        let file = create(&folder, permissions).map_err(|e| unwritable(path, e.kind()))?;
        remember_unfinished(file.path());
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
