//! Images from every source (SPEC sections 1, 4 and 8), and what is said of files that are not what they should be.

mod common;

use etnas::input::{Batch, Dataset, Images, Source};
use etnas::pickle::Pickle;
use etnas::random::Stream;
use etnas::tensor_file::TensorFile;
use etnas::Error;
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

// Files made by hand.

/// A CIFAR image of random levels.
fn image(stream: &mut Stream, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|_| stream.bits() as u8).collect()
}

/// `n` random images of `bytes` bytes.
fn images(seed: u64, n: usize, bytes: usize) -> Vec<Vec<u8>> {
    let mut stream = Stream::new(seed, &[]);
    (0..n).map(|_| image(&mut stream, bytes)).collect()
}

/// A binary file: the labels of each image before it.
fn binary(images: &[Vec<u8>], labels: &[u8]) -> Vec<u8> {
    images.iter().flat_map(|image| [labels, image].concat()).collect()
}

/// The text of a Python 2 pickle: SHORT_BINSTRING and a memo number.
fn py2_text(text: &str, memo: u8) -> Vec<u8> {
    [&[b'U', text.len() as u8], text.as_bytes(), &[b'q', memo]].concat()
}

/// Integers as BININT1 or BININT2.
fn integer(value: usize) -> Vec<u8> {
    match u8::try_from(value) {
        Ok(byte) => vec![b'K', byte],
        Err(_) => [&[b'M'], &(value as u16).to_le_bytes()[..]].concat(),
    }
}

/// A batch as Python 2 and numpy 1 wrote torchvision's files: protocol 2, text and array data as BINSTRING.
fn py2_batch(images: &[Vec<u8>], keys: &[(&str, &[usize])]) -> Vec<u8> {
    let mut out = b"\x80\x02}q\x01(".to_vec();
    out.extend(py2_text("batch_label", 2));
    out.extend(py2_text("training batch 1 of 5", 3));
    for (i, (key, labels)) in keys.iter().enumerate() {
        out.extend(py2_text(key, 20 + 2 * i as u8));
        out.extend([b']', b'q', 21 + 2 * i as u8, b'(']);
        out.extend(labels.iter().flat_map(|&label| integer(label)));
        out.push(b'e');
    }
    out.extend(py2_text("data", 6));
    out.extend(b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\x09(K\x01");
    out.extend([integer(images.len()), integer(images.first().map_or(0, Vec::len))].concat());
    out.extend(b"\x86cnumpy\ndtype\nq\x0aU\x02u1K\x00K\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T");
    let data = images.concat();
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out.extend(b"tbu.");
    out
}

/// The same as numpy 2 and Python 3 write it in protocol 4.
fn py3_batch(images: &[Vec<u8>], key: &str, labels: &[usize]) -> Vec<u8> {
    let text = |text: &str| [&[0x8c, text.len() as u8], text.as_bytes(), &[0x94]].concat();
    let global = |module: &str, name: &str| [text(module), text(name), vec![0x93, 0x94]].concat();
    let data = images.concat();
    let mut out = b"}\x94(".to_vec();
    out.extend(text("data"));
    out.extend(global("numpy._core.multiarray", "_reconstruct"));
    out.extend(global("numpy", "ndarray"));
    out.extend(b"K\x00\x85\x94C\x01b\x94\x87\x94R\x94(K\x01");
    out.extend([integer(images.len()), integer(images.first().map_or(0, Vec::len))].concat());
    out.extend(b"\x86\x94");
    out.extend(global("numpy", "dtype"));
    out.extend([text("u1"), b"\x89\x88\x87\x94R\x94(K\x03".to_vec(), text("|")].concat());
    out.extend(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t\x94b\x89B");
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out.extend(b"\x94t\x94b");
    out.extend(text(key));
    out.extend(b"]\x94(");
    out.extend(labels.iter().flat_map(|&label| integer(label)));
    out.extend(b"eu.");
    [&b"\x80\x04\x95"[..], &(out.len() as u64).to_le_bytes(), &out].concat()
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

// What is asked of them.

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

// Golden files and data-set samples.

#[test]
fn photographs_are_the_input_of_the_golden_files() {
    for (file, dataset, size) in [
        ("small/index_0.scores.safetensors", Dataset::ImageNet16, 16),
        ("medium/best_cifar10.scores.safetensors", Dataset::Cifar10, 32),
    ] {
        let golden = TensorFile::open(&common::golden(file)).unwrap().require("naswot.input").unwrap();
        assert_eq!(golden.shape, [8, 3, size, size]);
        // The golden files of both sizes are normalised with CIFAR-10's constants.
        let levels = Images::load(&Source::Photos, dataset, 8, 0, false).unwrap().batch();
        let (mean, deviation) = (dataset.mean(), dataset.deviation());
        let other = Dataset::Cifar10;
        let found: Vec<f32> = levels
            .pixels
            .iter()
            .enumerate()
            .map(|(i, &x)| {
                let c = i / (size * size) % 3;
                let level = ((f64::from(x) * deviation[c] + mean[c]) * 4.0).round() / 4.0;
                ((level - other.mean()[c]) / other.deviation()[c]) as f32
            })
            .collect();
        assert!(bits(&found) == bits(&golden.values), "{file}");
    }
}
