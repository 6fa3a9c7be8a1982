//! Whether the files of a data set are whole and those that were published, before anything is scored with them.

use super::dataset::Dataset;
use super::files::{self, Wanted};
use super::magnitude::LARGEST_PIXEL;
use super::published::{self, Published};
use crate::error::{Error, Result};
use md5::{Digest, Md5};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// How a file fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// It is whole, and the published one where that is known.
    Ok,
    /// It is not there.
    Missing,
    /// It can be read whole, but is not the published one.
    Other,
    /// It cannot be read as images of the data set.
    Corrupt,
}

impl FileState {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        ["ok", "missing", "other", "corrupt"][self as usize]
    }
}

/// One file, looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCheck {
    /// Its name, without the folders above it.
    pub name: String,
    /// How it fared.
    pub state: FileState,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub found: String,
    /// What to do, a sentence; empty where nothing is to be done.
    pub remedy: String,
    /// Images of the data set in it (of ImageNet16 those of the first 120 classes), where they could be read.
    pub images: Option<usize>,
}

/// The files of a data set at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The path as given.
    pub path: PathBuf,
    /// The data set; `None` for a safetensors batch, which is of any.
    pub dataset: Option<Dataset>,
    /// The files in order.
    pub files: Vec<FileCheck>,
}

impl Check {
    /// Looks at a file or a directory: for each file its name, size, published MD5 sum and, if it can be, its images. `dataset` is the
    /// data set that it should be; else it is told by the files.
    ///
    /// # Errors
    /// [`Error::Unreadable`]; [`Error::Data`] for what holds no files of a data set at all, such as an archive.
    pub fn of(path: &Path, dataset: Option<Dataset>) -> Result<Check> {
        Check::against(path, dataset, &published::of)
    }

    fn against(path: &Path, dataset: Option<Dataset>, published: &dyn Fn(&str) -> Vec<Published>) -> Result<Check> {
        let unreadable = |source| Error::Unreadable { path: path.to_path_buf(), source };
        if !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
            return Check::one(path, dataset, published);
        }
        let known = dataset.or_else(|| Dataset::ALL.into_iter().find(|set| files::batches(path, *set).is_some()));
        let dataset = known.unwrap_or_default();
        let Some((_, paths)) = files::batches(path, dataset) else {
            return Err(files::no_batches(path, known));
        };
        let files = paths.iter().map(|file| look(file, dataset, published)).collect();
        Ok(Check { path: path.to_path_buf(), dataset: Some(dataset), files })
    }

    fn one(path: &Path, dataset: Option<Dataset>, published: &dyn Fn(&str) -> Vec<Published>) -> Result<Check> {
        files::check_packed(path)?;
        if files::is_batch(path)? {
            let (name, read) = (name(path), files::read(path, Dataset::default(), Wanted::All));
            let expected =
                format!("a tensor images, [n, 3, height, width], of finite numbers of at most {LARGEST_PIXEL:e}");
            let check = judged(name, expected, read.map(|(_, images)| images.count()), None);
            return Ok(Check { path: path.to_path_buf(), dataset: None, files: vec![check] });
        }
        // The content tells which data set it is, else the name.
        let by_content = |set: &Dataset| files::read(path, *set, Wanted::First(1)).is_ok();
        let by_name = |set: &Dataset| published(&name(path)).iter().any(|known| known.dataset == *set);
        let sets = Dataset::ALL.iter();
        let known = dataset
            .or_else(|| sets.clone().find(|set| by_content(set)).or(sets.clone().find(|set| by_name(set))).copied());
        let Some(known) = known else {
            return Err(Error::data(
                path,
                "images of CIFAR-10, CIFAR-100 or ImageNet16-120, or a safetensors batch",
                "a file of another kind, or a damaged one",
                "Say with --dataset which it should be, to be told what is wrong with it.",
            ));
        };
        Ok(Check { path: path.to_path_buf(), dataset: Some(known), files: vec![look(path, known, published)] })
    }

    /// Images in all files that could be read.
    pub fn images(&self) -> usize {
        self.files.iter().filter_map(|file| file.images).sum()
    }

    /// The error of files that are not as they should be, if any are.
    pub fn verdict(&self) -> Result<()> {
        let wrong =
            [(FileState::Missing, "missing"), (FileState::Corrupt, "corrupt"), (FileState::Other, "not as published")];
        let of = |state: FileState| self.files.iter().filter(move |file| file.state == state);
        let told = wrong.iter().filter_map(|(state, word)| {
            let names: Vec<&str> = of(*state).map(|file| file.name.as_str()).collect();
            (!names.is_empty()).then(|| format!("{} {word} ({})", names.len(), names.join(", ")))
        });
        let Some(worst) = wrong.iter().find_map(|(state, _)| of(*state).next()) else { return Ok(()) };
        let files = if self.files.len() == 1 { "file" } else { "files" };
        Err(Error::Data {
            what: format!("The images at {}", self.path.display()),
            expected: format!(
                "{} whole {files} of {}",
                self.files.len(),
                self.dataset.map_or("a batch", Dataset::title)
            ),
            found: told.collect::<Vec<_>>().join(", "),
            remedy: worst.remedy.clone(),
        })
    }
}

/// So many images, in words.
fn counted(images: usize) -> String {
    format!("{images} {}", if images == 1 { "image" } else { "images" })
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// A file that the data set has.
fn look(path: &Path, dataset: Dataset, published: &dyn Fn(&str) -> Vec<Published>) -> FileCheck {
    let name = name(path);
    let known = published(&name).into_iter().find(|known| known.dataset == dataset);
    let expected = known.as_ref().map_or_else(|| format!("a batch file of {}", dataset.title()), Published::describe);
    if !path.exists() {
        return judged(name, expected, Err(files::absent(path, dataset)), None);
    }
    // What can be told before anything is decoded.
    let differs = match known.map(|known| difference(path, &known)).transpose() {
        Ok(differs) => differs.flatten(),
        Err(error) => return judged(name, expected, Err(error), None),
    };
    let read = files::read(path, dataset, Wanted::All).map(|(_, images)| images.count());
    judged(name, expected, read, differs)
}

/// What tells the file from the published one.
fn difference(path: &Path, known: &Published) -> Result<Option<String>> {
    let unreadable = |source| Error::Unreadable { path: path.to_path_buf(), source };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if known.bytes.is_some_and(|expected| expected != bytes) {
        return Ok(Some(format!("{bytes} bytes")));
    }
    let Some(expected) = known.md5 else { return Ok(None) };
    let found = md5_of(path).map_err(unreadable)?;
    Ok((found != expected).then(|| format!("{bytes} bytes with the MD5 sum {found}")))
}

fn md5_of(path: &Path) -> std::io::Result<String> {
    let mut reader = BufReader::with_capacity(1 << 18, File::open(path)?);
    let (mut sum, mut buffer) = (Md5::new(), vec![0; 1 << 18]);
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            count => sum.update(&buffer[..count]),
        }
    }
}

/// The state of a file of which the images, or the error, and the difference to the published one are known.
fn judged(name: String, expected: String, read: Result<usize>, differs: Option<String>) -> FileCheck {
    let again =
        "Copy or download the file again; if it is an extract of your own, scoring takes it as it is.".to_string();
    match (read, differs) {
        (Ok(images), None) => {
            let (state, found, remedy) = (FileState::Ok, counted(images), String::new());
            FileCheck { name, state, expected, found, remedy, images: Some(images) }
        }
        (Ok(images), Some(found)) => {
            let found = format!("{found}: {}", counted(images));
            FileCheck { name, state: FileState::Other, expected, found, remedy: again, images: Some(images) }
        }
        (Err(error), differs) => {
            let missing = matches!(&error, Error::Data { found, .. } if found == files::NO_FILE);
            let state = if missing { FileState::Missing } else { FileState::Corrupt };
            let (expected, found, remedy) = match error {
                Error::Data { found, remedy, .. } if missing => (expected, found, remedy),
                Error::Data { expected, found, remedy, .. } => (expected, found, remedy),
                other => (expected, other.to_string(), "Copy or download the file again.".to_string()),
            };
            let found = differs.map_or(found.clone(), |differs| format!("{found} ({differs})"));
            FileCheck { name, state, expected, found, remedy, images: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is known by the sum of "abc" (RFC 1321), and one that is known by its size.
    fn known(name: &str) -> Vec<Published> {
        let of = |bytes, md5| vec![Published { dataset: Dataset::Cifar10, bytes, md5, images: 1 }];
        match name {
            "abc" => of(None, Some("900150983cd24fb0d6963f7d28e17f72")),
            "data_batch_1.bin" => of(Some(3073), None),
            _ => Vec::new(),
        }
    }

    #[test]
    fn sizes_and_sums_are_told_before_decoding() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(difference(&path, &known("abc")[0]).unwrap(), None);
        std::fs::write(&path, "abd").unwrap();
        let found = difference(&path, &known("abc")[0]).unwrap().unwrap();
        assert_eq!(found, "3 bytes with the MD5 sum 4911e516e5aa21d327512e0c8b197616");

        let record: Vec<u8> = (0..3073_u32).map(|i| if i == 0 { 7 } else { ((i * i) >> 3) as u8 | 1 }).collect();
        let path = folder.path().join("data_batch_1.bin");
        let look = |records: usize| {
            std::fs::write(&path, record.repeat(records)).unwrap();
            Check::against(&path, None, &known).unwrap().files.remove(0)
        };
        let (whole, long) = (look(1), look(2));
        assert_eq!((whole.state, whole.images), (FileState::Ok, Some(1)));
        assert_eq!((long.state, long.images, long.found.as_str()), (FileState::Other, Some(2), "6146 bytes: 2 images"));
    }
}
