//! The file of a sweep: records are appended as they come, so that a process that dies leaves what it had finished.
//!
//! FILE holds whole records and at most one that a dying process left half written. FILE.meta.json is there before the first record and
//! says `"complete": false` until the last. While a process writes it holds a lock on FILE, which ends with the process.

use super::output::{metadata_path, remember_unfinished, settle, unwritable, Place};
use crate::error::{Error, Result};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often what was appended is sent to the disk itself: what a loss of power may cost.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// What becomes of a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is refused, unless it is empty.
    Refuse,
    /// It is replaced when the first new records are there.
    Replace,
    /// Its records are kept.
    Resume,
}

/// A file that records are appended to.
pub(super) struct SweepFile {
    path: PathBuf,
    metadata: PathBuf,
    file: File,
    /// Bytes of whole records, a header included.
    kept: u64,
    /// Metadata while the sweep goes on.
    opening: String,
    /// The metadata are there and the file holds `kept` bytes.
    begun: bool,
    /// The file was not there before.
    created: bool,
    synced: Instant,
    unlocked: Option<io::Error>,
}

impl SweepFile {
    /// Opens and locks a file. What it holds is not changed before [`SweepFile::append`] or [`SweepFile::finish`].
    ///
    /// # Errors
    /// [`Error::Unwritable`]; [`Error::Options`] where another process writes the file, or where it is there and shall not be.
    pub fn open(path: &Path, existing: Existing) -> Result<SweepFile> {
        let metadata = metadata_path(path);
        Place::of(path)?;
        let probe = part_of(&Place::of(&metadata)?.target);
        let (file, created, unlocked) = open_locked(path)?;
        if created {
            remember_unfinished(path);
        }
        let (kept, opening, synced) = (0, String::new(), Instant::now());
        let path = path.to_path_buf();
        let opened = SweepFile { path, metadata, file, kept, opening, begun: false, created, synced, unlocked };
        // Under the lock, for the probe has the name that the metadata are first written under.
        let probed = File::create(&probe).and_then(|_| fs::remove_file(&probe));
        probed.map_err(|e| unwritable(&opened.metadata, e.kind()))?;
        let bytes = opened.bytes().map_err(|e| unwritable(&opened.path, e.kind()))?;
        if existing == Existing::Refuse && bytes > 0 {
            return Err(Error::options(
                format!("-o {}", opened.path.display()),
                "a file that does not exist yet",
                format!("one of {bytes} bytes"),
                "Give --resume to go on with the sweep that it holds, or --force to replace it.",
            ));
        }
        Ok(opened)
    }

    /// The path as given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the metadata are.
    pub fn metadata(&self) -> &Path {
        &self.metadata
    }

    /// Why the file system gave no lock, if it gave none.
    pub fn unlocked(&self) -> Option<&io::Error> {
        self.unlocked.as_ref()
    }

    /// Bytes in the file.
    pub fn bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Reads the file from its begin.
    pub fn reader(&mut self) -> io::Result<BufReader<&File>> {
        self.file.seek(SeekFrom::Start(0))?;
        Ok(BufReader::new(&self.file))
    }

    /// Keeps the first bytes of the file, which are whole records, and drops the rest when the first new record comes.
    pub fn keep(&mut self, bytes: u64) {
        self.kept = bytes;
    }

    /// Sets the metadata that lie beside the file while records are being appended.
    pub fn announce(&mut self, metadata: String) {
        self.opening = metadata;
    }

    /// Appends whole records. Where that fails none of them is left in the file.
    pub fn append(&mut self, records: &str) -> io::Result<()> {
        if !self.begun {
            self.cut()?;
            replace(&self.metadata, &self.opening)?;
        }
        if let Err(failure) = self.file.write_all(records.as_bytes()) {
            // If this fails too, the next --resume cuts the rest off.
            let _ = self.file.set_len(self.kept);
            return Err(failure);
        }
        self.kept += records.len() as u64;
        if self.synced.elapsed() >= SYNC_EVERY {
            self.file.sync_data()?;
            self.synced = Instant::now();
        }
        Ok(())
    }

    /// Puts the final metadata beside the records.
    pub fn finish(mut self, metadata: &str) -> io::Result<()> {
        if !self.begun {
            self.cut()?;
        }
        self.file.sync_data()?;
        match fs::read(&self.metadata) {
            Ok(known) if known == metadata.as_bytes() => Ok(()),
            _ => replace(&self.metadata, metadata),
        }
    }

    /// Leaves nothing in the file but what is kept. Metadata written after this can stand beside no other records, even if power fails.
    fn cut(&mut self) -> io::Result<()> {
        if self.bytes()? != self.kept {
            self.file.set_len(self.kept)?;
            self.file.sync_all()?;
        }
        self.file.seek(SeekFrom::Start(self.kept))?;
        settle(&self.path);
        self.begun = true;
        Ok(())
    }
}

impl Drop for SweepFile {
    fn drop(&mut self) {
        if self.created && !self.begun {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The file, whether it was created, and why it has no lock if it has none.
fn open_locked(path: &Path) -> Result<(File, bool, Option<io::Error>)> {
    let unwritable = |source| Error::Unwritable { path: path.to_path_buf(), source };
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    // A process that ends without a record removes its file, perhaps between our opening and locking it: then again.
    for _ in 0..100 {
        let (file, created) = match options.open(path) {
            Ok(file) => (file, false),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                (options.clone().create(true).open(path).map_err(unwritable)?, true)
            }
            Err(source) => return Err(unwritable(source)),
        };
        let unlocked = match file.try_lock() {
            Ok(()) => None,
            Err(TryLockError::WouldBlock) => return Err(written_by_another(path)),
            Err(TryLockError::Error(source)) => Some(source),
        };
        if still_there(&file, path) {
            return Ok((file, created, unlocked));
        }
    }
    Err(written_by_another(path))
}

/// The refusal of a file that another process has locked.
pub(super) fn written_by_another(path: &Path) -> Error {
    Error::options(
        format!("The file {}", path.display()),
        "a file that no other process writes",
        "one that a running process is writing",
        "Wait until that process ends, or choose another file.",
    )
}

/// The path names the open file.
#[cfg(unix)]
fn still_there(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(named)) => (ours.dev(), ours.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// An open file cannot be removed here.
#[cfg(not(unix))]
fn still_there(_: &File, _: &Path) -> bool {
    true
}

/// Replaces a small file: before or after, never half. Its temporary name is always the same, so that none is left over when the sweep
/// goes on after a process died; the lock of the sweep's file keeps it for one process.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    // A link keeps pointing where it points.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let part = part_of(&target);
    let written = File::create(&part).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        if let Ok(old) = fs::metadata(&target) {
            file.set_permissions(old.permissions())?;
        }
        file.sync_all()
    });
    if let Err(failure) = written.and_then(|()| fs::rename(&part, &target)) {
        let _ = fs::remove_file(&part);
        return Err(failure);
    }
    #[cfg(unix)]
    if let Some(folder) = target.parent() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        // The new name itself; not every file system can.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(())
}

/// `TARGET.part`.
fn part_of(target: &Path) -> PathBuf {
    let mut part = target.as_os_str().to_os_string();
    part.push(".part");
    PathBuf::from(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_writers_of_one_file_are_refused_and_a_third_may_after_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut first = SweepFile::open(&path, Existing::Refuse).unwrap();
        assert!(first.unlocked().is_none());
        first.announce("{}".to_string());
        first.append("one\n").unwrap();
        for existing in [Existing::Refuse, Existing::Replace, Existing::Resume] {
            let refused = SweepFile::open(&path, existing).map(drop).unwrap_err();
            assert!(refused.to_string().contains("a running process is writing"), "{refused}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
        drop(first);
        let refused = SweepFile::open(&path, Existing::Refuse).map(drop).unwrap_err().to_string();
        assert!(
            refused.contains("--resume") && refused.contains("--force") && refused.contains("4 bytes"),
            "{refused}"
        );
        assert!(SweepFile::open(&path, Existing::Resume).is_ok());
    }

    #[test]
    fn a_file_without_a_record_is_taken_away_and_an_old_one_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (new, old) = (folder.path().join("new"), folder.path().join("old"));
        drop(SweepFile::open(&new, Existing::Refuse).unwrap());
        assert!(!new.exists());
        fs::write(&old, "old\n").unwrap();
        drop(SweepFile::open(&old, Existing::Replace).unwrap());
        assert_eq!(fs::read_to_string(&old).unwrap(), "old\n");
        fs::write(&old, "").unwrap();
        drop(SweepFile::open(&old, Existing::Refuse).unwrap());
        assert!(old.exists());
    }

    #[test]
    fn no_name_is_left_by_a_process_killed_at_any_moment() {
        // Every name that ever stands in the folder is one that the next process replaces or removes.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let ended = std::sync::atomic::AtomicBool::new(false);
        let mut seen = std::collections::BTreeSet::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 0..300 {
                    let mut file = SweepFile::open(&path, Existing::Resume).unwrap();
                    file.append(&format!("{round}\n")).unwrap();
                }
                ended.store(true, std::sync::atomic::Ordering::Release);
            });
            while !ended.load(std::sync::atomic::Ordering::Acquire) {
                seen.extend(fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()));
            }
        });
        assert!(
            seen.iter().all(|name| ["a", "a.meta.json", "a.meta.json.part"].iter().any(|known| name == known)),
            "{seen:?}"
        );
        fs::write(folder.path().join("a.meta.json.part"), "half").unwrap();
        drop(SweepFile::open(&path, Existing::Resume).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_is_not_kept_is_cut_off_before_the_next_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "one\ntw\0\0\0").unwrap();
        let mut file = SweepFile::open(&path, Existing::Resume).unwrap();
        file.keep(4);
        file.announce("begun".to_string());
        file.append("two\n").unwrap();
        let metadata = || fs::read_to_string(metadata_path(&path)).unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), metadata().as_str()), ("one\ntwo\n", "begun"));
        file.finish("done").unwrap();
        assert_eq!(metadata(), "done");
        // Nothing to do but to cut.
        fs::write(&path, "one\ntwo\nth").unwrap();
        let mut file = SweepFile::open(&path, Existing::Resume).unwrap();
        file.keep(8);
        file.finish("done").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
