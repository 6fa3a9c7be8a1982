//! From a path to images: which files a directory has, what kind each file is, and no more of them read than is wanted.

use super::dataset::Dataset;
use super::images::{Pixels, RawImages};
use super::{cifar, magnitude, pickled};
use crate::error::{Error, Result};
use crate::tensor_file::TensorFile;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// No batch file comes near this size (CIFAR-100's pickle has 156 MB, ImageNet16's 99 MB each): a larger one is another
/// thing, and reading it would take the memory that the work needs.
const LARGEST_FILE: u64 = 1 << 30;

/// How many images are needed.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    /// The first ones in file order.
    First(usize),
    /// All, to draw from.
    All,
}

impl Wanted {
    /// How many of `there`.
    pub fn of(self, there: usize) -> usize {
        match self {
            Wanted::First(count) => count.min(there),
            Wanted::All => there,
        }
    }
}

/// Reads the wanted images at `path`, or as many as there are, and the name of the file or folder that holds them.
pub(super) fn read(path: &Path, dataset: Dataset, wanted: Wanted) -> Result<(String, RawImages)> {
    let unreadable = |source| Error::Unreadable { path: path.to_path_buf(), source };
    if !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        let images = read_file(path, dataset, wanted)?;
        return Ok((name(path), images));
    }
    let Some((folder, files)) = batches(path, dataset) else { return Err(no_batches(path, Some(dataset))) };
    let mut all = Vec::new();
    let bytes = 3 * dataset.size() * dataset.size();
    for file in files {
        let needed = !matches!(wanted, Wanted::First(count) if all.len() / bytes >= count);
        if needed && !file.exists() {
            return Err(absent(&file, dataset));
        }
        let missing = match wanted {
            Wanted::First(count) if all.len() / bytes >= count => break,
            Wanted::First(count) => Wanted::First(count - all.len() / bytes),
            Wanted::All => Wanted::All,
        };
        match read_file(&file, dataset, missing)?.pixels {
            Pixels::Bytes(images) => all.extend(images),
            Pixels::Levels(_) | Pixels::Ready(_) => {
                let expected = format!("a batch file of {}", dataset.title());
                return Err(Error::data(&file, expected, "a safetensors file", "Give its path to use it as it is."));
            }
        }
    }
    Ok((name(&folder), RawImages { height: dataset.size(), width: dataset.size(), pixels: Pixels::Bytes(all) }))
}

/// The last part of a path; that of the folder it stands for where it ends in dots.
fn name(path: &Path) -> String {
    let whole = path.file_name().map(|_| path.to_path_buf()).or_else(|| path.canonicalize().ok());
    whole.as_deref().and_then(Path::file_name).unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn read_file(path: &Path, dataset: Dataset, wanted: Wanted) -> Result<RawImages> {
    let unreadable = |source| Error::Unreadable { path: path.to_path_buf(), source };
    // Asked of the path, not of an open file: opening a pipe would wait for its other end.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Error::data(path, "a regular file", "a device, a pipe or a folder", "Give a file or a directory."));
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    if length == 0 {
        let expected = format!("images of {}", dataset.title());
        return Err(Error::data(path, expected, "an empty file (0 bytes)", "Copy or download the file again."));
    }
    if length > LARGEST_FILE {
        let expected = format!("at most {LARGEST_FILE} bytes of images");
        return Err(Error::data(
            path,
            expected,
            format!("{length} bytes"),
            "Give one batch file or a smaller extract.",
        ));
    }
    let head = begin(&mut file).map_err(unreadable)?;
    let size = dataset.size();
    let planes = |images| RawImages { height: size, width: size, pixels: Pixels::Bytes(images) };
    let format = format_of(&head, length, path);
    if let Some(error) = packed(path, format, length, dataset.title()) {
        return Err(error);
    }
    match format {
        Format::Tensors => tensors(path),
        Format::Pickle => {
            let bytes = std::fs::read(path).map_err(unreadable)?;
            pickled::read(path, &bytes, dataset, wanted).map(planes)
        }
        Format::Records | Format::Packed(_) => {
            let file = File::open(path).map_err(unreadable)?;
            cifar::read(path, file, length, dataset, wanted).map(planes)
        }
    }
}

/// The first bytes, as many as it takes to know every format.
fn begin(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    file.take(512).read_to_end(&mut head)?;
    Ok(head)
}

/// The refusal of an archive, whole or a part of one; `None` for any other file.
fn packed(path: &Path, format: Format, length: u64, title: &str) -> Option<Error> {
    let expected = format!("images of {title}");
    let part = split(path);
    match (format, part) {
        (Format::Packed(_) | Format::Records, Some(whole)) => {
            let found = format!("a part of the split archive {whole}, of {length} bytes");
            let remedy = format!(
                "Put all parts together in the order of their names (cat {whole}?* > {whole}), unpack {whole} and give the folder that \
                 comes out."
            );
            Some(Error::data(path, expected, found, remedy))
        }
        (Format::Packed(kind), None) => {
            let found = format!("{kind} of {length} bytes");
            Some(Error::data(path, expected, found, "Unpack it and give the file or directory that comes out."))
        }
        _ => None,
    }
}

/// The archive that a file is a part of by its name, such as `a.tar.gz.aa`, `a.tar.part1` or `a.zip.001`.
fn split(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let (at, packed) = [".gz", ".tgz", ".tar", ".zip", ".bz2", ".xz", ".7z"]
        .into_iter()
        .filter_map(|packed| Some((name.rfind(packed)? + packed.len(), packed)))
        .max_by_key(|(end, packed)| (*end, packed.len()))?;
    let (whole, rest) = name.split_at(at);
    let rest = rest.trim_start_matches(['.', '-', '_']);
    let part = rest.strip_prefix("part").unwrap_or(rest);
    let number = !part.is_empty() && part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    let letters = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_lowercase());
    // `a.tar.gz` and `a.tar.xz` are whole: what is behind `.tar` is the packing.
    (whole.len() > packed.len() && (number || (letters && !["gz", "xz"].contains(&part)))).then(|| whole.to_string())
}

/// Refuses an archive, whole or a part of one.
pub(super) fn check_packed(path: &Path) -> Result<()> {
    let unreadable = |source| Error::Unreadable { path: path.to_path_buf(), source };
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Ok(());
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let format = format_of(&begin(&mut file).map_err(unreadable)?, length, path);
    packed(path, format, length, "a data set").map_or(Ok(()), Err)
}

/// The file is a safetensors batch, by its content or its name.
pub(super) fn is_batch(path: &Path) -> Result<bool> {
    let unreadable = |source| Error::Unreadable { path: path.to_path_buf(), source };
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Ok(false);
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    Ok(matches!(format_of(&begin(&mut file).map_err(unreadable)?, length, path), Format::Tensors))
}

#[derive(Clone, Copy)]
enum Format {
    Tensors,
    Pickle,
    Packed(&'static str),
    Records,
}

/// Tells the formats apart by their first bytes. A record of CIFAR begins with a label below 20, which the first byte of no
/// other format is but that of a safetensors file's header length; there the JSON that follows decides.
fn format_of(head: &[u8], length: u64, path: &Path) -> Format {
    let header = head.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes));
    let json = matches!(head.get(8..10), Some([b'{', b'"' | b' ' | b'}' | b'\n']));
    let named = path.extension().is_some_and(|extension| extension == "safetensors");
    if named || (json && header.is_some_and(|header| header < length)) {
        return Format::Tensors;
    }
    match head {
        // Protocols 2 to 5 announce themselves; 0 and 1 begin with the dict that they hold or the name of its class.
        [0x80, 2..=5, ..]
        | [b'(', b'd', ..]
        | [b'}', b'q' | b'r' | b'(' | b'.', ..]
        | [b'c', b'_' | b'a'..=b'z', ..] => Format::Pickle,
        [0x1f, 0x8b, ..] => Format::Packed("a gzip file"),
        [b'B', b'Z', b'h', ..] => Format::Packed("a bzip2 file"),
        [b'P', b'K', 3, 4, ..] => Format::Packed("a zip file"),
        [0xfd, b'7', b'z', b'X', ..] => Format::Packed("an xz file"),
        _ if head.get(257..262) == Some(b"ustar") => Format::Packed("a tar archive"),
        _ => Format::Records,
    }
}

/// The tensor `images` of a safetensors file, `[n, 3, h, w]`, as it is.
fn tensors(path: &Path) -> Result<RawImages> {
    const NAME: &str = "images";
    let file = TensorFile::open(path)?;
    let tensor = file.require(NAME)?;
    match tensor.shape[..] {
        [_, 3, height @ 4..=512, width @ 4..=512] if height % 4 == 0 && width % 4 == 0 => {
            magnitude::check(&tensor.values, |expected, found, remedy| file.wrong(NAME, expected, found, remedy))?;
            Ok(RawImages { height, width, pixels: Pixels::Ready(tensor.values) })
        }
        ref shape => Err(file.wrong(
            NAME,
            "the shape [n, 3, height, width] with height and width multiples of 4 from 4 to 512",
            format!("{shape:?}"),
            "Crop, pad or transpose the images.",
        )),
    }
}

/// Folders in which a data set's files are found, below the directory given: itself, and those that its archives unpack to.
fn folders(dataset: Dataset) -> &'static [&'static str] {
    match dataset {
        Dataset::Cifar10 => &["", "cifar-10-batches-bin", "cifar-10-batches-py"],
        Dataset::Cifar100 => &["", "cifar-100-binary", "cifar-100-python"],
        Dataset::ImageNet16 => &["", "ImageNet16"],
    }
}

/// The names that a data set's training files go by, in order, one list for each form.
fn file_names(dataset: Dataset) -> Vec<Vec<String>> {
    let numbered = |most: usize, before: &str, after: &str| (1..=most).map(|i| format!("{before}{i}{after}")).collect();
    match dataset {
        Dataset::Cifar10 => vec![numbered(5, "data_batch_", ".bin"), numbered(5, "data_batch_", "")],
        Dataset::Cifar100 => vec![vec!["train.bin".into()], vec!["train".into()]],
        Dataset::ImageNet16 => vec![numbered(10, "train_data_batch_", "")],
    }
}

/// The folder that holds files of the data set, and all the files that belong there, in order; one that is missing is an
/// error once it is needed.
pub(super) fn batches(directory: &Path, dataset: Dataset) -> Option<(PathBuf, Vec<PathBuf>)> {
    for folder in folders(dataset) {
        let folder = if folder.is_empty() { directory.to_path_buf() } else { directory.join(folder) };
        for names in file_names(dataset) {
            let files: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
            if files.iter().any(|file| file.is_file()) {
                return Some((folder, files));
            }
        }
    }
    None
}

/// The error of a directory without files of the data set, or of any.
pub(super) fn no_batches(directory: &Path, dataset: Option<Dataset>) -> Error {
    if let Some(dataset) = dataset {
        if let Some(other) = Dataset::ALL.into_iter().find(|&other| batches(directory, other).is_some()) {
            return wrong_dataset(directory, dataset, other);
        }
    }
    let names = |dataset: Dataset| file_names(dataset).into_iter().filter_map(|names| names.into_iter().next());
    let what = format!("The directory {}", directory.display());
    let expected = match dataset {
        Some(dataset) => {
            format!("the files of {} ({}, …)", dataset.title(), names(dataset).collect::<Vec<_>>().join(" or "))
        }
        None => {
            let names: Vec<String> = Dataset::ALL.into_iter().flat_map(names).collect();
            format!("the files of a data set ({}, …)", names.join(", "))
        }
    };
    match archive_in(directory) {
        Some((found, remedy)) => Error::Data { what, expected, found: format!("none of them, but {found}"), remedy },
        None => Error::Data {
            what,
            expected,
            found: "none of them".into(),
            remedy: "Give the folder that the data set was unpacked to, or one of its files.".into(),
        },
    }
}

/// An archive in a directory, the first by name, and what to do with it.
fn archive_in(directory: &Path) -> Option<(String, String)> {
    let entries = std::fs::read_dir(directory).ok()?.flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    paths.sort();
    paths.iter().find_map(|path| match check_packed(path) {
        Err(Error::Data { found, remedy, .. }) => Some((format!("{}, {found}", name(path)), remedy)),
        _ => None,
    })
}

/// What is found where a file is missing.
pub(super) const NO_FILE: &str = "no such file";

/// The error of a batch file that is not there.
pub(super) fn absent(file: &Path, dataset: Dataset) -> Error {
    let expected = format!("a batch file of {}", dataset.title());
    Error::data(file, expected, NO_FILE, "Copy or unpack the data set again: all of its training files belong there.")
}

/// The error of a path that holds another data set than the one asked for.
pub(super) fn wrong_dataset(path: &Path, asked: Dataset, holds: Dataset) -> Error {
    Error::Data {
        what: format!("The images at {}", path.display()),
        expected: format!("images of {} (--dataset {})", asked.title(), asked.name()),
        found: format!("images of {}", holds.title()),
        remedy: format!("Give --dataset {} or the images of {}.", holds.name(), asked.title()),
    }
}
