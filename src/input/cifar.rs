//! The binary form of CIFAR-10 and CIFAR-100: records of a label byte (CIFAR-10) or a coarse and a fine label byte
//! (CIFAR-100), then 3,072 bytes: red, green, blue, each 32 rows of 32 pixels.

use super::dataset::Dataset;
use super::files::{self, Wanted};
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Bytes of an image.
const IMAGE: usize = 3 * 32 * 32;

/// The labels that stand before each image of a data set, as the number of values each can have; none where there is no
/// binary form.
fn labels(dataset: Dataset) -> &'static [u8] {
    match dataset {
        Dataset::Cifar10 => &[10],
        Dataset::Cifar100 => &[20, 100],
        Dataset::ImageNet16 => &[],
    }
}

fn record(dataset: Dataset) -> usize {
    labels(dataset).len() + IMAGE
}

/// Reads the wanted images of an open file of `length` bytes: `[n, 3, 32, 32]`.
///
/// # Errors
/// The length is no whole number of records, the file is of another data set, or a label is impossible.
pub(super) fn read(path: &Path, file: File, length: u64, dataset: Dataset, wanted: Wanted) -> Result<Vec<u8>> {
    let fits = |set: Dataset| length > 0 && !labels(set).is_empty() && length.is_multiple_of(record(set) as u64);
    if !fits(dataset) {
        return Err(match [Dataset::Cifar10, Dataset::Cifar100].into_iter().find(|&set| fits(set)) {
            Some(other) => files::wrong_dataset(path, dataset, other),
            None => wrong_size(path, length, dataset),
        });
    }
    let bytes = record(dataset);
    let there = usize::try_from(length).unwrap_or(usize::MAX) / bytes;
    // A length that fits both data sets (their records are 3,073 and 3,074 bytes) is told apart by the labels of them all.
    let ambiguous = fits(Dataset::Cifar10) && fits(Dataset::Cifar100);
    let kept = wanted.of(there);
    let read = if ambiguous { there } else { kept };
    let mut images = Vec::with_capacity(kept * IMAGE);
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut bytes = vec![0; bytes];
    for i in 0..read {
        reader.read_exact(&mut bytes).map_err(|source| Error::Unreadable { path: path.to_path_buf(), source })?;
        let (given, image) = bytes.split_at(labels(dataset).len());
        for (label, classes) in given.iter().zip(labels(dataset)) {
            if label >= classes {
                return Err(Error::data(
                    path,
                    format!("images of {}, with labels from 0 to {}", dataset.title(), classes - 1),
                    format!("the label {label} on image {i}, counted from 0"),
                    "The file is damaged or of another data set.",
                ));
            }
        }
        if i < kept {
            images.extend_from_slice(image);
        }
    }
    Ok(images)
}

fn wrong_size(path: &Path, length: u64, dataset: Dataset) -> Error {
    let bytes = record(dataset) as u64;
    let found = format!("{length} bytes");
    if dataset == Dataset::ImageNet16 {
        let expected = "a pickle of ImageNet16-120 (such as train_data_batch_1) or a safetensors file";
        return Error::data(path, expected, found, "Give a file or the directory of ImageNet16's pickles.");
    }
    let whole = length / bytes;
    let expected = format!(
        "a pickle or safetensors file, or a binary file of {}: a whole number of records of {bytes} bytes ({} make {} bytes)",
        dataset.title(),
        whole.max(1),
        whole.max(1) * bytes
    );
    Error::data(path, expected, found, "Copy or download the file again; an archive must be unpacked first.")
}
