//! Image batches in pickles: CIFAR as torchvision unpacks it, and ImageNet16.
//!
//! Each file holds a dict: `data` is a u8 array `[n, 3·s·s]` (red, green, blue planes), and `labels` (CIFAR-10: 0 to 9;
//! ImageNet16: 1 to 1000) or `fine_labels` (CIFAR-100: 0 to 99) is a list of n integers. ImageNet16-120 is the images with
//! labels 1 to 120.

use super::dataset::Dataset;
use super::files::{self, Wanted};
use crate::error::{Error, Result};
use crate::pickle::{Array, Dict, Kind, Pickle, Value};
use std::path::Path;

const REMEDY: &str = "Give the python version of the data set as it is published, or its binary version.";

/// Reads the wanted images of a pickle's bytes: `[n, 3, s, s]`.
///
/// # Errors
/// The bytes are no pickle of plain data, not a batch of images, or one of another data set.
pub(super) fn read(path: &Path, bytes: &[u8], dataset: Dataset, wanted: Wanted) -> Result<Vec<u8>> {
    let pickle = Pickle::read(path, bytes)?;
    if pickle.end() < bytes.len() {
        let found = format!("{} bytes, of which the pickle is the first {}", bytes.len(), pickle.end());
        return Err(Error::data(path, "one pickle and nothing after it", found, REMEDY));
    }
    let root = pickle.root();
    let Some(batch) = root.as_dict() else {
        return Err(Error::data(path, "a dict with the images under data", root.describe(), REMEDY));
    };
    let images = Images::of(path, batch)?;
    let holds = match (images.pixels, batch.get("fine_labels")) {
        (768, _) => Dataset::ImageNet16,
        (3072, Some(_)) => Dataset::Cifar100,
        (3072, None) => Dataset::Cifar10,
        (other, _) => {
            let expected = format!("{} bytes an image", 3 * dataset.size() * dataset.size());
            return Err(Error::data(path, expected, other.to_string(), REMEDY));
        }
    };
    if holds != dataset {
        return Err(files::wrong_dataset(path, dataset, holds));
    }
    let labels = labels(path, batch, dataset, images.count)?;
    let in_subset = |label: i64| dataset != Dataset::ImageNet16 || label <= dataset.classes() as i64;
    let kept: Vec<usize> =
        (0..images.count).filter(|&i| labels.get(i).is_some_and(|&label| in_subset(label))).collect();
    let kept = &kept[..wanted.of(kept.len())];
    let mut chosen = Vec::with_capacity(kept.len() * images.pixels);
    for &i in kept {
        images.append(i, &mut chosen);
    }
    Ok(chosen)
}

/// The array of images.
struct Images<'p> {
    bytes: &'p [u8],
    count: usize,
    pixels: usize,
    fortran: bool,
}

impl<'p> Images<'p> {
    fn of(path: &Path, batch: Dict<'p>) -> Result<Images<'p>> {
        const EXPECTED: &str = "a u8 array [n, 3·size·size] under data";
        let found = batch.get("data");
        let wrong = |found: String| Error::data(path, EXPECTED, found, REMEDY);
        let Some(array) = found.and_then(Value::as_array) else {
            return Err(wrong(found.map_or("no such key", Value::describe).to_string()));
        };
        let shaped = |array: Array| {
            format!("an array {:?} of {:?} of {} bytes", array.shape(), array.dtype().kind, array.dtype().size)
        };
        let (count, pixels, plain) = match *array.shape() {
            [count, pixels] => (count, pixels, true),
            [count, 3, height, width] if height == width => {
                (count, height.saturating_mul(width).saturating_mul(3), false)
            }
            _ => return Err(wrong(shaped(array))),
        };
        // In Fortran's order an array of two dimensions can be put right; numpy writes no other so on its own.
        if array.dtype().kind != Kind::Uint || array.dtype().size != 1 || (array.is_fortran() && !plain) {
            return Err(wrong(shaped(array)));
        }
        Ok(Images { bytes: array.bytes(), count, pixels, fortran: array.is_fortran() })
    }

    /// Appends image `i` to `chosen`.
    fn append(&self, i: usize, chosen: &mut Vec<u8>) {
        if self.fortran {
            chosen.extend(self.bytes.iter().skip(i).step_by(self.count).take(self.pixels));
        } else {
            chosen.extend(self.bytes.iter().skip(i * self.pixels).take(self.pixels));
        }
    }
}

/// The labels of all images, each of a class that exists.
fn labels(path: &Path, batch: Dict, dataset: Dataset, count: usize) -> Result<Vec<i64>> {
    let (key, classes) = match dataset {
        Dataset::Cifar10 => ("labels", 0..=9),
        Dataset::Cifar100 => ("fine_labels", 0..=99),
        Dataset::ImageNet16 => ("labels", 1..=1000),
    };
    let expected = || {
        let (least, most) = (classes.start(), classes.end());
        format!("{count} labels from {least} to {most} ({}) under {key}", dataset.title())
    };
    let wrong = |found: String| Error::data(path, expected(), found, REMEDY);
    let label = |value: Value| value.as_i64().ok_or_else(|| wrong(format!("a label that is {}", value.describe())));
    let labels: Vec<i64> = match batch.get(key) {
        Some(Value::Array(array)) if array.shape().len() == 1 => {
            array.elements().map(|value| label(value.unwrap_or(Value::None))).collect::<Result<_>>()?
        }
        Some(Value::List(items) | Value::Tuple(items)) => items.iter().map(label).collect::<Result<_>>()?,
        other => return Err(wrong(other.map_or("no such key", Value::describe).to_string())),
    };
    if labels.len() != count {
        return Err(wrong(format!("{}", labels.len())));
    }
    if let Some(i) = labels.iter().position(|label| !classes.contains(label)) {
        return Err(wrong(format!("the label {} on image {i}, counted from 0", labels[i])));
    }
    Ok(labels)
}
