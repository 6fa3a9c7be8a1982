//! Images from every source (SPEC sections 1, 4 and 8), and what is said of files that are not what they should be.

#[path = "../common/mod.rs"]
mod common;

mod damaged;
mod layouts;
mod refused;
mod samples;
mod tensors;
mod variations;

use etnas::input::{Batch, Dataset, Images, Source};
use etnas::random::Stream;
use etnas::Error;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A CIFAR image of random levels.
fn image(stream: &mut Stream, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|_| stream.bits() as u8).collect()
}

/// `n` random images of `bytes` bytes.
fn images(seed: u64, n: usize, bytes: usize) -> Vec<Vec<u8>> {
    let mut stream = Stream::new(seed, &[]);
    (0..n).map(|_| image(&mut stream, bytes)).collect()
}

/// A safetensors file with one f32 tensor.
fn tensors(name: &str, shape: &[usize], values: &[f32]) -> Vec<u8> {
    let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.to_vec(), &data).unwrap();
    safetensors::serialize([(name, view)], None).unwrap()
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

fn load(path: &Path, dataset: Dataset, count: usize) -> Result<Images, Error> {
    Images::load(&Source::Path(path.to_path_buf()), dataset, count, 0, false)
}

/// The sentence of an error that means wrong use or wrong data.
fn refused(path: &Path, dataset: Dataset, count: usize) -> String {
    let error = load(path, dataset, count).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    error.to_string()
}

fn assert_says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

/// What the networks should be fed for these levels.
fn normalised(images: &[Vec<u8>], dataset: Dataset) -> Vec<f32> {
    let mut out = Vec::new();
    for image in images {
        let plane = image.len() / 3;
        for (i, &level) in image.iter().enumerate() {
            let channel = i / plane;
            out.push(((f64::from(level) - dataset.mean()[channel]) / dataset.deviation()[channel]) as f32);
        }
    }
    out
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

fn assert_images(batch: &Batch, images: &[Vec<u8>], dataset: Dataset) {
    assert_eq!((batch.count, batch.height, batch.width), (images.len(), dataset.size(), dataset.size()));
    assert!(bits(&batch.pixels) == bits(&normalised(images, dataset)), "other pixels");
}
