//! Images of any source, ready for the measures: the batch of naswot, and LossSlope's varied images.

use super::files::{self, Wanted};
use super::{augment, photos, Batch, Dataset, Source};
use crate::error::{Error, Result};
use crate::random::Stream;
use sha2::{Digest, Sha256};

/// The largest batch: as many images at 32×32 pixels take 0.8 GB, and naswot's kernel of them 34 GB.
const LARGEST_BATCH: usize = 1 << 16;

/// LossSlope's images (SPEC section 4).
const REGRESSION_IMAGES: usize = 16;

/// What streams of the data seed draw; the number of an image follows.
const DRAW: u64 = 1;
const NOISE: u64 = 2;
const VARY: u64 = 3;

/// Images as a source holds them.
pub(super) struct RawImages {
    pub height: usize,
    pub width: usize,
    pub pixels: Pixels,
}

/// The pixels of images `[n, 3, height, width]`.
pub(super) enum Pixels {
    /// Levels from 0 to 255.
    Bytes(Vec<u8>),
    /// Levels from 0 to 255 that need not be whole.
    Levels(Vec<f32>),
    /// What networks are fed; not to be normalised.
    Ready(Vec<f32>),
}

impl RawImages {
    fn image(&self) -> usize {
        3 * self.height * self.width
    }

    pub fn count(&self) -> usize {
        let pixels = match &self.pixels {
            Pixels::Bytes(pixels) => pixels.len(),
            Pixels::Levels(pixels) | Pixels::Ready(pixels) => pixels.len(),
        };
        pixels / self.image().max(1)
    }

    /// The pixels of the images with these numbers, in this order.
    fn choose(&self, numbers: &[usize]) -> Vec<f32> {
        let size = self.image();
        let range = |&i: &usize| i * size..(i + 1) * size;
        match &self.pixels {
            Pixels::Bytes(all) => numbers.iter().flat_map(|i| &all[range(i)]).map(|&level| f32::from(level)).collect(),
            Pixels::Levels(all) | Pixels::Ready(all) => numbers.iter().flat_map(|i| &all[range(i)]).copied().collect(),
        }
    }
}

/// Which images were used. Two runs with the same hash saw the same batch to the last bit.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Origin {
    /// `embedded photographs`, `gaussian noise`, or the name of the file or folder, without the folders above it.
    pub name: String,
    /// Images in the batch.
    pub count: usize,
    /// Their height in pixels.
    pub height: usize,
    /// Their width in pixels.
    pub width: usize,
    /// SHA-256 of the batch as the network sees it: its f32 values in order, least significant byte first; in hexadecimal.
    pub sha256: String,
    /// Which images these are depends on the data seed: they were drawn from the source, or are noise. Else they are the
    /// first in file order.
    pub drawn: bool,
}

/// The images of a source that a batch needs.
#[derive(Clone)]
pub struct Images {
    origin: Origin,
    dataset: Dataset,
    /// `[count, 3, height, width]`: levels from 0 to 255, or what networks are fed.
    pixels: Vec<f32>,
    ready: bool,
}

impl std::fmt::Debug for Images {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.origin.fmt(f)
    }
}

impl Images {
    /// Loads the images that a batch of `count` needs: the first in file order or, if `draw`, as many drawn without
    /// replacement from the whole source by the data seed. The data set decides how images are normalised, their size
    /// (except that of a safetensors batch), and which files are accepted.
    ///
    /// # Errors
    /// `count` is 0 or above 65,536; the path cannot be read, is damaged, or holds another data set; the source has fewer
    /// images than `count`.
    pub fn load(source: &Source, dataset: Dataset, count: usize, data_seed: u64, draw: bool) -> Result<Images> {
        if !(1..=LARGEST_BATCH).contains(&count) {
            return Err(Error::options(
                "The batch (--batch)",
                format!("from 1 to {LARGEST_BATCH} images"),
                count.to_string(),
                "128 is the default.",
            ));
        }
        let size = dataset.size();
        let (name, raw) = match source {
            Source::Photos => ("embedded photographs".to_string(), photos::images(size)),
            Source::Noise => ("gaussian noise".to_string(), noise(count, size, data_seed)),
            Source::Given(given) => ("images given".to_string(), given.raw(size)?),
            Source::Path(path) => files::read(path, dataset, if draw { Wanted::All } else { Wanted::First(count) })?,
        };
        if raw.count() < count {
            return Err(too_few(source, dataset, count, raw.count()));
        }
        let numbers = if draw && *source != Source::Noise {
            Stream::new(data_seed, &[DRAW]).distinct(count, raw.count())
        } else {
            (0..count).collect()
        };
        let (height, width) = (raw.height, raw.width);
        let drawn = draw || *source == Source::Noise;
        let mut images = Images {
            origin: Origin { name, count, height, width, sha256: String::new(), drawn },
            dataset,
            pixels: raw.choose(&numbers),
            ready: matches!(raw.pixels, Pixels::Ready(_)),
        };
        let mut hash = Sha256::new();
        images.batch().pixels.iter().for_each(|value| hash.update(value.to_le_bytes()));
        images.origin.sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(images)
    }

    /// All images, `[count, 3, height, width]`: (level − mean) / deviation of the data set's channels, computed in f64 and
    /// rounded once. A safetensors batch and noise are as they are.
    pub fn batch(&self) -> Batch {
        let Origin { count, height, width, .. } = self.origin;
        let pixels =
            if self.ready { self.pixels.clone() } else { normalise(&self.pixels, height * width, self.dataset) };
        Batch { count, height, width, pixels }
    }

    /// LossSlope's images: of the first 16 (or all, if fewer) a random crop within a black border of 4 pixels (2 at 16×16)
    /// and a random mirroring, drawn by the data seed and the image's number; normalised with CIFAR-10's constants for both
    /// CIFARs; ImageNet16-120 with its own and brought to 32×32 by nearest neighbour. A safetensors batch and noise are
    /// taken as they are.
    ///
    /// Source: SPEC section 4.
    pub fn regression_images(&self, data_seed: u64) -> Batch {
        let Origin { count, height, width, .. } = self.origin;
        let count = count.min(REGRESSION_IMAGES);
        let image = 3 * height * width;
        let first = &self.pixels[..count * image];
        if self.ready {
            return Batch { count, height, width, pixels: first.to_vec() };
        }
        let varied: Vec<f32> = first
            .chunks_exact(image)
            .enumerate()
            .flat_map(|(i, image)| augment::vary(image, width, width / 8, Stream::new(data_seed, &[VARY, i as u64])))
            .collect();
        match self.dataset {
            Dataset::Cifar10 | Dataset::Cifar100 => {
                let pixels = normalise(&varied, height * width, Dataset::Cifar10);
                Batch { count, height, width, pixels }
            }
            Dataset::ImageNet16 => {
                let pixels = augment::double(&normalise(&varied, height * width, self.dataset), width);
                Batch { count, height: 2 * height, width: 2 * width, pixels }
            }
        }
    }

    /// Which images these are.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// (level − mean) / deviation of `[n, 3, plane]`.
fn normalise(levels: &[f32], plane: usize, dataset: Dataset) -> Vec<f32> {
    let (mean, deviation) = (dataset.mean(), dataset.deviation());
    let channels = mean.into_iter().zip(deviation).cycle();
    let planes = levels.chunks_exact(plane).zip(channels);
    planes
        .flat_map(|(levels, (mean, deviation))| {
            levels.iter().map(move |&level| ((f64::from(level) - mean) / deviation) as f32)
        })
        .collect()
}

/// Standard normal pixels. Each image has its own stream, so the first are the same in a batch of any size.
fn noise(count: usize, size: usize, data_seed: u64) -> RawImages {
    let pairs = 3 * size * size / 2;
    let image = |i: usize| {
        let mut stream = Stream::new(data_seed, &[NOISE, i as u64]);
        (0..pairs).flat_map(move |_| stream.normals().map(|value| value as f32))
    };
    RawImages { height: size, width: size, pixels: Pixels::Ready((0..count).flat_map(image).collect()) }
}

fn too_few(source: &Source, dataset: Dataset, count: usize, found: usize) -> Error {
    let what = match source {
        Source::Photos => "The embedded photographs".to_string(),
        Source::Noise => "Gaussian noise".to_string(),
        Source::Path(path) => format!("The images at {}", path.display()),
        Source::Given(_) => "The images given".to_string(),
    };
    let of =
        if dataset == Dataset::ImageNet16 && matches!(source, Source::Path(_)) { " of ImageNet16-120" } else { "" };
    let remedy = match found {
        0 => "Give other images with --data.".to_string(),
        _ => format!("Give --batch {found} or less, or more images with --data."),
    };
    Error::Data { what, expected: format!("at least {count} images{of}"), found: found.to_string(), remedy }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_file::TensorFile;
    use std::path::Path;

    #[test]
    fn averaged_photographs_are_the_input_of_the_small_golden_files() {
        let raw = photos::images(16);
        let numbers: Vec<usize> = (0..8).collect();
        // The golden files use CIFAR-10's constants at this size too.
        let pixels = normalise(&raw.choose(&numbers), 16 * 16, Dataset::Cifar10);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/small");
        for name in ["all_conv_3x3", "all_none", "best_cifar10", "index_0", "pools"] {
            let golden = TensorFile::open(&folder.join(format!("{name}.scores.safetensors"))).unwrap();
            let golden = golden.require("naswot.input").unwrap();
            assert_eq!(golden.shape, [8, 3, 16, 16]);
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert!(bits(&golden.values) == bits(&pixels), "{name}");
        }
    }
}
