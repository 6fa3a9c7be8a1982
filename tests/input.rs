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
        Err(_) => [b"M", &(value as u16).to_le_bytes()[..]].concat(),
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
    // The golden files at 16×16 are normalised with CIFAR-10's constants: a test of the module itself compares those.
    let golden = TensorFile::open(&common::golden("medium/best_cifar10.scores.safetensors")).unwrap();
    let golden = golden.require("naswot.input").unwrap();
    let batch = Images::load(&Source::Photos, Dataset::Cifar10, 8, 0, false).unwrap().batch();
    assert_eq!(golden.shape, [8, 3, 32, 32]);
    assert!(bits(&batch.pixels) == bits(&golden.values));
}

#[test]
fn photographs_for_imagenet16_are_averaged() {
    let full = Images::load(&Source::Photos, Dataset::Cifar10, 128, 0, false).unwrap().batch();
    let half = Images::load(&Source::Photos, Dataset::ImageNet16, 128, 0, false).unwrap().batch();
    assert_eq!((half.count, half.height, half.width, half.pixels.len()), (128, 16, 16, 128 * 768));
    let level = |batch: &Batch, set: Dataset, at: usize, c: usize| {
        (f64::from(batch.pixels[at]) * set.deviation()[c] + set.mean()[c], 1e-4)
    };
    for (n, c, y, x) in [(0, 0, 0, 0), (127, 2, 15, 15), (64, 1, 7, 2)] {
        let at = |dy: usize, dx: usize| ((n * 3 + c) * 32 + 2 * y + dy) * 32 + 2 * x + dx;
        let sum: f64 =
            [at(0, 0), at(0, 1), at(1, 0), at(1, 1)].map(|i| level(&full, Dataset::Cifar10, i, c).0).iter().sum();
        let (found, tolerance) = level(&half, Dataset::ImageNet16, ((n * 3 + c) * 16 + y) * 16 + x, c);
        assert!((found - sum / 4.0).abs() < tolerance, "{found} {sum}");
    }
}

#[test]
fn the_first_images_of_cifar_10() {
    let Some(path) = common::shared("data/images/cifar10_train_first256.bin") else { return };
    let file = std::fs::read(&path).unwrap();
    assert_eq!(file[..7], [6, 59, 43, 50, 68, 98, 119]);
    let raw: Vec<Vec<u8>> = file.chunks(3073).map(|record| record[1..].to_vec()).collect();
    let images = load(&path, Dataset::Cifar10, 256).unwrap();
    assert_images(&images.batch(), &raw, Dataset::Cifar10);
    assert_eq!(images.batch().pixels[..2], [((59.0 - 125.3) / 63.0) as f32, ((43.0 - 125.3) / 63.0) as f32]);
    assert_images(&load(&path, Dataset::Cifar10, 5).unwrap().batch(), &raw[..5], Dataset::Cifar10);
    assert_says(&refused(&path, Dataset::Cifar10, 257), &["at least 257 images", "256", "--batch 256"]);
    assert_says(&refused(&path, Dataset::Cifar100, 5), &["CIFAR-100", "--dataset cifar10 "]);
}

#[test]
fn images_of_cifar_100() {
    let Some(path) = common::shared("data/images/cifar100_train_aug_960.bin") else { return };
    let raw: Vec<Vec<u8>> = std::fs::read(&path).unwrap().chunks(3074).map(|record| record[2..].to_vec()).collect();
    assert_images(&load(&path, Dataset::Cifar100, 128).unwrap().batch(), &raw[..128], Dataset::Cifar100);
    assert_says(
        &refused(&path, Dataset::Cifar10, 5),
        &["images of CIFAR-10 ", "found images of CIFAR-100", "--dataset cifar100"],
    );
    assert_says(&refused(&path, Dataset::ImageNet16, 5), &["ImageNet16-120", "CIFAR-100"]);
}

#[test]
fn images_of_imagenet16_keep_120_classes_in_order() {
    let Some(path) = common::shared("data/images/imagenet16_official_pickle_layout_example.pkl") else { return };
    let bytes = std::fs::read(&path).unwrap();
    let pickle = Pickle::read(&path, &bytes).unwrap();
    let batch = pickle.root().as_dict().unwrap();
    let labels: Vec<i64> =
        batch.get("labels").unwrap().as_sequence().unwrap().iter().map(|l| l.as_i64().unwrap()).collect();
    assert_eq!((labels.len(), labels[0]), (64, 127));
    let all: Vec<&[u8]> = batch.get("data").unwrap().as_array().unwrap().bytes().chunks(768).collect();
    let kept: Vec<Vec<u8>> = (0..64).filter(|&i| labels[i] <= 120).map(|i| all[i].to_vec()).collect();
    // The labels that README's list of opcodes shows to be at most 120: 86, 61, 77, 73.
    assert_eq!(labels.iter().filter(|&&label| label <= 120).copied().collect::<Vec<_>>(), [86, 61, 77, 73]);
    assert_images(&load(&path, Dataset::ImageNet16, 4).unwrap().batch(), &kept, Dataset::ImageNet16);
    assert_says(
        &refused(&path, Dataset::ImageNet16, 5),
        &["at least 5 images of ImageNet16-120", "found 4", "--batch 4"],
    );
    assert_says(&refused(&path, Dataset::Cifar10, 1), &["found images of ImageNet16-120"]);
    for end in [0, 1, 2, 100, 70_000, bytes.len() - 1] {
        let folder = Folder::new();
        let cut = folder.put("train_data_batch_1", &bytes[..end]);
        assert_says(&refused(&cut, Dataset::ImageNet16, 1), &["train_data_batch_1", "expected", "found"]);
    }
}

// Every layout of a data set.

#[test]
fn files_of_every_form_hold_the_same_images() {
    let folder = Folder::new();
    let raw = images(1, 7, 3072);
    let labels = [6, 9, 9, 4, 1, 1, 2];
    for (name, bytes) in [
        ("a.bin", binary(&raw, &[9])),
        ("a", py2_batch(&raw, &[("labels", &labels)])),
        ("b", py3_batch(&raw, "labels", &labels)),
    ] {
        let path = folder.put(name, bytes);
        let images = load(&path, Dataset::Cifar10, 7).unwrap();
        assert_images(&images.batch(), &raw, Dataset::Cifar10);
        assert_eq!(images.origin().name, name);
        assert_says(&refused(&path, Dataset::Cifar10, 8), &[name, "at least 8 images", "found 7", "--batch 7"]);
        assert_says(&refused(&path, Dataset::Cifar100, 1), &[name, "images of CIFAR-10."]);
    }
    for (name, bytes) in [
        ("c.bin", binary(&raw, &[19, 99])),
        ("c", py2_batch(&raw, &[("fine_labels", &[0, 99, 1, 2, 3, 4, 5]), ("coarse_labels", &[0; 7])])),
        ("d", py3_batch(&raw, "fine_labels", &[99; 7])),
    ] {
        let path = folder.put(name, bytes);
        assert_images(&load(&path, Dataset::Cifar100, 7).unwrap().batch(), &raw, Dataset::Cifar100);
        assert_says(&refused(&path, Dataset::Cifar10, 1), &[name, "found images of CIFAR-100"]);
    }
}

#[test]
fn a_pickle_in_fortran_order_is_put_right() {
    let raw = images(2, 5, 768);
    let stored: Vec<u8> = (0..768).flat_map(|p| raw.iter().map(move |image| image[p])).collect();
    let rows: Vec<Vec<u8>> = stored.chunks(768).map(<[u8]>::to_vec).collect();
    let mut bytes = py2_batch(&rows, &[("labels", &[1, 500, 120, 121, 7])]);
    let flag = bytes.windows(4).position(|w| w == b"tb\x89T").unwrap() + 2;
    bytes[flag] = 0x88;
    let folder = Folder::new();
    let path = folder.put("train_data_batch_1", bytes);
    let kept = [raw[0].clone(), raw[2].clone(), raw[4].clone()];
    assert_images(&load(&path, Dataset::ImageNet16, 3).unwrap().batch(), &kept, Dataset::ImageNet16);
}

#[test]
fn directories_are_read_in_order_and_no_further_than_needed() {
    for (sub, suffix) in [("", ".bin"), ("cifar-10-batches-bin/", ".bin"), ("", ""), ("cifar-10-batches-py/", "")] {
        let folder = Folder::new();
        let raw = images(3, 9, 3072);
        let file = |images: &[Vec<u8>]| match suffix {
            "" => py2_batch(images, &[("labels", &vec![3; images.len()])]),
            _ => binary(images, &[3]),
        };
        folder.put(&format!("{sub}data_batch_1{suffix}"), file(&raw[..4]));
        folder.put(&format!("{sub}data_batch_2{suffix}"), file(&raw[4..]));
        folder.put(&format!("{sub}data_batch_3{suffix}"), "of no use");
        for count in [1, 4, 5, 9] {
            let images = load(folder.path(), Dataset::Cifar10, count).unwrap();
            assert_images(&images.batch(), &raw[..count], Dataset::Cifar10);
        }
        assert_says(&refused(folder.path(), Dataset::Cifar10, 10), &[&format!("data_batch_3{suffix}"), "9 bytes"]);
        folder.put(&format!("{sub}data_batch_3{suffix}"), file(&raw[..1]));
        assert_says(&refused(folder.path(), Dataset::Cifar10, 11), &[&format!("data_batch_4{suffix}"), "no such file"]);
        for i in 4..=5 {
            folder.put(&format!("{sub}data_batch_{i}{suffix}"), file(&raw[..1]));
        }
        assert_says(&refused(folder.path(), Dataset::Cifar10, 13), &["at least 13 images", "found 12", "--batch 12"]);
        assert_says(&refused(folder.path(), Dataset::Cifar100, 1), &["found images of CIFAR-10"]);
        if let Some(name) = sub.strip_suffix('/') {
            assert_eq!(load(folder.path(), Dataset::Cifar10, 1).unwrap().origin().name, name);
        }
    }
}

#[test]
fn directories_of_the_other_data_sets() {
    let raw = images(4, 3, 3072);
    for name in ["train.bin", "cifar-100-binary/train.bin"] {
        let folder = Folder::new();
        folder.put(name, binary(&raw, &[0, 50]));
        assert_images(&load(folder.path(), Dataset::Cifar100, 3).unwrap().batch(), &raw, Dataset::Cifar100);
    }
    for name in ["train", "cifar-100-python/train"] {
        let folder = Folder::new();
        folder.put(name, py2_batch(&raw, &[("fine_labels", &[1, 2, 3])]));
        assert_images(&load(folder.path(), Dataset::Cifar100, 3).unwrap().batch(), &raw, Dataset::Cifar100);
    }
    // A file without images of the 120 classes between two that have some.
    let (folder, raw) = (Folder::new(), images(5, 6, 768));
    folder.put("train_data_batch_1", py3_batch(&raw[..2], "labels", &[121, 120]));
    folder.put("train_data_batch_2", py3_batch(&raw[2..4], "labels", &[1000, 999]));
    folder.put("train_data_batch_3", py3_batch(&raw[4..], "labels", &[1, 2]));
    let kept = [raw[1].clone(), raw[4].clone(), raw[5].clone()];
    assert_images(&load(folder.path(), Dataset::ImageNet16, 3).unwrap().batch(), &kept, Dataset::ImageNet16);
    assert_says(&refused(folder.path(), Dataset::ImageNet16, 4), &["train_data_batch_4"]);
}

#[test]
fn tensors_are_taken_as_they_are() {
    let mut stream = Stream::new(6, &[]);
    let values: Vec<f32> = (0..3 * 3 * 8 * 12).map(|_| stream.symmetric(3.0)).collect();
    let folder = Folder::new();
    for name in ["batch.safetensors", "without_extension"] {
        let path = folder.put(name, tensors("images", &[3, 3, 8, 12], &values));
        for dataset in Dataset::ALL {
            let images = load(&path, dataset, 2).unwrap();
            let batch = images.batch();
            assert_eq!((batch.count, batch.height, batch.width), (2, 8, 12));
            assert_eq!(bits(&batch.pixels), bits(&values[..2 * 288]));
            assert_eq!(images.regression_images(9), batch);
        }
        assert_says(&refused(&path, Dataset::Cifar10, 4), &[name, "at least 4 images", "found 3", "--batch 3"]);
    }
    for (name, shape, count) in [
        ("x", [1, 3, 4, 4], 48),
        ("images", [1, 1, 4, 4], 16),
        ("images", [1, 3, 4, 6], 72),
        ("images", [1, 3, 2, 4], 24),
        ("images", [0, 3, 4, 4], 0),
    ] {
        let path = folder.put("bad.safetensors", tensors(name, &shape, &vec![0.5; count]));
        assert_says(&refused(&path, Dataset::Cifar10, 1), &["bad.safetensors"]);
    }
    let whole = tensors("images", &[1, 3, 4, 4], &[0.5; 48]);
    let path = folder.put("cut.safetensors", &whole[..whole.len() - 1]);
    assert_says(&refused(&path, Dataset::Cifar10, 1), &["cut.safetensors", "a safetensors file"]);
    let path = folder.put("nan.safetensors", tensors("images", &[1, 3, 4, 4], &[f32::NAN; 48]));
    assert_says(&refused(&path, Dataset::Cifar10, 1), &["finite values"]);
    folder.put("data_batch_1.bin", whole);
    assert_says(&refused(folder.path(), Dataset::Cifar10, 1), &["data_batch_1.bin", "a safetensors file"]);
}

#[test]
fn noise_is_standard_normal_and_its_first_images_are_the_same_in_any_batch() {
    for dataset in Dataset::ALL {
        let noise = |count, seed| Images::load(&Source::Noise, dataset, count, seed, false).unwrap();
        let batch = noise(64, 3).batch();
        assert_eq!((batch.count, batch.height, batch.width), (64, dataset.size(), dataset.size()));
        let n = batch.pixels.len() as f64;
        let moment = |power| batch.pixels.iter().map(|&x| f64::from(x).powi(power)).sum::<f64>() / n;
        // Four standard deviations of each moment.
        let four = 4.0 / n.sqrt();
        assert!(moment(1).abs() < four && (moment(2) - 1.0).abs() < four * 2f64.sqrt(), "{} {}", moment(1), moment(2));
        assert!(moment(3).abs() < four * 15f64.sqrt() && (moment(4) - 3.0).abs() < four * 96f64.sqrt());
        assert_eq!(noise(5, 3).batch().pixels, batch.pixels[..5 * batch.pixels.len() / 64]);
        assert_ne!(noise(5, 4).batch(), noise(5, 3).batch());
        assert_eq!(noise(64, 3).regression_images(1).pixels, batch.pixels[..batch.pixels.len() / 4]);
        assert!(noise(2, 3).origin().drawn);
    }
}

// Which images, and how they are varied.

#[test]
fn a_drawn_batch_is_of_distinct_images_of_the_whole_source() {
    let (folder, raw) = (Folder::new(), images(7, 10, 3072));
    for i in 0..5 {
        folder.put(&format!("data_batch_{}", i + 1), py2_batch(&raw[2 * i..2 * i + 2], &[("labels", &[0, 1])]));
    }
    let source = Source::Path(folder.path().to_path_buf());
    let numbers = |count, seed| -> Vec<usize> {
        let images = Images::load(&source, Dataset::Cifar10, count, seed, true).unwrap();
        assert!(images.origin().drawn);
        let known: Vec<Vec<u32>> =
            raw.iter().map(|r| bits(&normalised(std::slice::from_ref(r), Dataset::Cifar10))).collect();
        images.batch().pixels.chunks(3072).map(|i| known.iter().position(|k| *k == bits(i)).unwrap()).collect()
    };
    let mut all = numbers(10, 1);
    assert_eq!(numbers(4, 1), all[..4], "the first are the same in any batch");
    assert_ne!(all, (0..10).collect::<Vec<_>>());
    assert_ne!(numbers(10, 2), all);
    all.sort_unstable();
    assert_eq!(all, (0..10).collect::<Vec<_>>());
    let error = Images::load(&source, Dataset::Cifar10, 11, 1, true).unwrap_err().to_string();
    assert_says(&error, &["at least 11 images", "found 10"]);
    std::fs::remove_file(folder.path().join("data_batch_4")).unwrap();
    let error = Images::load(&source, Dataset::Cifar10, 2, 1, true).unwrap_err().to_string();
    assert_says(&error, &["data_batch_4", "no such file"]);
    // Photographs are drawn from too.
    let first = Images::load(&Source::Photos, Dataset::Cifar10, 128, 0, false).unwrap().batch();
    let drawn = Images::load(&Source::Photos, Dataset::Cifar10, 128, 5, true).unwrap().batch();
    let sorted = |batch: &Batch| {
        let mut images: Vec<Vec<u32>> = batch.pixels.chunks(3072).map(bits).collect();
        images.sort_unstable();
        images
    };
    assert!(first != drawn && sorted(&first) == sorted(&drawn));
}

#[test]
fn the_origin_names_counts_and_hashes() {
    let images = Images::load(&Source::Photos, Dataset::Cifar100, 3, 0, false).unwrap();
    let bytes: Vec<u8> = images.batch().pixels.iter().flat_map(|v| v.to_le_bytes()).collect();
    use sha2::Digest;
    let hash: String = sha2::Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(
        serde_json::to_string(images.origin()).unwrap(),
        format!(
            r#"{{"name":"embedded photographs","count":3,"height":32,"width":32,"sha256":"{hash}","drawn":false}}"#
        )
    );
    let other = Images::load(&Source::Photos, Dataset::Cifar10, 3, 0, false).unwrap();
    assert_ne!(other.origin().sha256, hash, "normalised otherwise");
    let noise = Images::load(&Source::Noise, Dataset::Cifar10, 2, 0, false).unwrap();
    assert_eq!(noise.origin().name, "gaussian noise");
}

/// Where in the bordered image each crop begins and whether it is mirrored; fails if an image is no such crop.
fn variations(batch: &Batch, raw: &[Vec<u8>], size: usize, dataset: Dataset) -> Vec<(usize, usize, bool)> {
    let pad = size / 8;
    let find = |i: usize| {
        let found = &batch.pixels[i * 3 * size * size..(i + 1) * 3 * size * size];
        for top in 0..=2 * pad {
            for left in 0..=2 * pad {
                for mirror in [false, true] {
                    let same = (0..3 * size * size).all(|p| {
                        let (c, y, x) = (p / (size * size), p / size % size, p % size);
                        let x = if mirror { size - 1 - x } else { x };
                        let (y, x) = ((y + top) as isize - pad as isize, (x + left) as isize - pad as isize);
                        let inside = (0..size as isize).contains(&y) && (0..size as isize).contains(&x);
                        // Black before normalising: not zero after it.
                        let level = if inside { raw[i][(c * size + y as usize) * size + x as usize] } else { 0 };
                        let expected = ((f64::from(level) - dataset.mean()[c]) / dataset.deviation()[c]) as f32;
                        expected.to_bits() == found[p].to_bits()
                    });
                    if same {
                        return (top, left, mirror);
                    }
                }
            }
        }
        panic!("image {i} is no crop of the original");
    };
    (0..batch.count).map(find).collect()
}

#[test]
fn regression_images_are_crops_and_mirrorings_with_cifar_10_constants() {
    let folder = Folder::new();
    let raw = images(8, 20, 3072);
    let paths = [folder.put("a.bin", binary(&raw, &[1])), folder.put("b.bin", binary(&raw, &[1, 1]))];
    for (path, dataset) in paths.iter().zip([Dataset::Cifar10, Dataset::Cifar100]) {
        let (mut corners, mut mirrored, mut seen) = ([0; 9], 0, 0);
        let images = load(path, dataset, 20).unwrap();
        for seed in 0..30 {
            let batch = images.regression_images(seed);
            assert_eq!((batch.count, batch.height, batch.width), (16, 32, 32));
            assert_eq!(batch, images.regression_images(seed));
            for (top, left, mirror) in variations(&batch, &raw, 32, Dataset::Cifar10) {
                corners[top] += 1;
                corners[left] += 1;
                mirrored += usize::from(mirror);
                seen += 1;
            }
            // The first images are varied alike in a batch of any size.
            let few = load(path, dataset, 5).unwrap().regression_images(seed);
            assert_eq!((few.count, &few.pixels[..]), (5, &batch.pixels[..5 * 3072]));
        }
        assert_ne!(images.regression_images(0), images.regression_images(1));
        // 480 draws of a coin (deviation 11) and 960 of nine values (107 each, deviation 10).
        assert_eq!(seen, 480);
        assert!((190..=290).contains(&mirrored), "{mirrored}");
        assert!(corners.iter().all(|&count| (60..=155).contains(&count)), "{corners:?}");
    }
}

#[test]
fn regression_images_of_imagenet16_are_doubled() {
    let (folder, raw) = (Folder::new(), images(9, 4, 768));
    let path = folder.put("train_data_batch_1", py3_batch(&raw, "labels", &[1; 4]));
    for seed in 0..10 {
        let batch = load(&path, Dataset::ImageNet16, 4).unwrap().regression_images(seed);
        assert_eq!((batch.count, batch.height, batch.width, batch.pixels.len()), (4, 32, 32, 4 * 3072));
        let at = |plane: usize, y: usize, x: usize| batch.pixels[(plane * 32 + y) * 32 + x];
        let mut halved = Vec::new();
        for (plane, y, x) in (0..12).flat_map(|p| (0..16).flat_map(move |y| (0..16).map(move |x| (p, 2 * y, 2 * x)))) {
            let value = at(plane, y, x);
            assert!([at(plane, y, x + 1), at(plane, y + 1, x), at(plane, y + 1, x + 1)].iter().all(|&v| v == value));
            halved.push(value);
        }
        let halved = Batch { count: 4, height: 16, width: 16, pixels: halved };
        assert_eq!(variations(&halved, &raw, 16, Dataset::ImageNet16).len(), 4);
    }
}

// Bad input.

#[test]
fn batches_that_cannot_be() {
    for (source, dataset) in [(Source::Photos, Dataset::Cifar10), (Source::Noise, Dataset::ImageNet16)] {
        for count in [0, 65_537, usize::MAX] {
            let error = Images::load(&source, dataset, count, 0, count % 2 == 0).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert_says(&error.to_string(), &["--batch", &format!("found {count}")]);
        }
    }
    for draw in [false, true] {
        let error = Images::load(&Source::Photos, Dataset::Cifar10, 129, 0, draw).unwrap_err().to_string();
        assert_says(&error, &["embedded photographs", "at least 129", "found 128", "--batch 128", "--data"]);
    }
}

#[test]
fn paths_that_hold_no_images() {
    let folder = Folder::new();
    let missing = folder.path().join("missing.bin");
    for dataset in Dataset::ALL {
        assert_says(&refused(&missing, dataset, 1), &["missing.bin", "Cannot read"]);
        assert_says(&refused(folder.path(), dataset, 1), &["The directory", dataset.title(), "none of them"]);
        let empty = folder.put("empty/empty.bin", "");
        assert_says(&refused(&empty, dataset, 1), &["empty.bin", "0 bytes"]);
    }
    for (name, head) in [("a.tar.gz", &b"\x1f\x8b\x08"[..]), ("a.zip", b"PK\x03\x04"), ("a.bz2", b"BZh9")] {
        assert_says(&refused(&folder.put(name, head), Dataset::Cifar10, 1), &[name, "Unpack"]);
    }
    #[cfg(unix)]
    {
        let zero = Path::new("/dev/zero");
        assert_says(&refused(zero, Dataset::Cifar10, 1), &["/dev/zero", "a regular file"]);
        std::os::unix::fs::symlink("loop", folder.path().join("loop")).unwrap();
        assert_says(&refused(&folder.path().join("loop"), Dataset::Cifar10, 1), &["loop", "Cannot read"]);
    }
}

#[test]
fn files_of_a_wrong_size_say_which() {
    let folder = Folder::new();
    let whole = binary(&images(10, 4, 3072), &[1]);
    for (size, whole_records) in [(4 * 3073 - 1, 3), (4 * 3073 + 1, 4), (3072, 1), (1, 1)] {
        let mut bytes = whole.clone();
        bytes.resize(size, 1);
        let text = refused(&folder.put("data_batch_1.bin", &bytes), Dataset::Cifar10, 1);
        let records = format!("({whole_records} make {} bytes)", whole_records * 3073);
        assert_says(&text, &["data_batch_1.bin", "3073 bytes", &records, &format!("found {size} bytes")]);
    }
    let text = refused(&folder.put("train.bin", &whole[..5000]), Dataset::Cifar100, 1);
    assert_says(&text, &["train.bin", "3074 bytes", "found 5000 bytes"]);
    let text = refused(&folder.put("x", &whole[..5000]), Dataset::ImageNet16, 1);
    assert_says(&text, &["a pickle of ImageNet16-120", "found 5000 bytes"]);
}

#[test]
fn labels_that_do_not_exist_are_reported() {
    let folder = Folder::new();
    let raw = images(11, 3, 3072);
    let mut bytes = binary(&raw, &[9]);
    bytes[2 * 3073] = 10;
    let path = folder.put("a.bin", bytes);
    assert!(load(&path, Dataset::Cifar10, 2).is_ok(), "what is not needed is not read");
    assert_says(&refused(&path, Dataset::Cifar10, 3), &["labels from 0 to 9", "the label 10 on image 2"]);
    let path = folder.put("b.bin", binary(&raw, &[5, 100]));
    assert_says(&refused(&path, Dataset::Cifar100, 1), &["labels from 0 to 99", "the label 100 on image 0"]);
    let small = images(12, 3, 768);
    for (dataset, raw, key, labels) in [
        (Dataset::Cifar10, &raw, "labels", &[0, 10, 9][..]),
        (Dataset::Cifar10, &raw, "labels", &[0, 9]),
        (Dataset::Cifar10, &raw, "tags", &[0, 1, 2]),
        (Dataset::Cifar100, &raw, "fine_labels", &[0, 1, 100]),
        (Dataset::ImageNet16, &small, "labels", &[0, 1, 2]),
        (Dataset::ImageNet16, &small, "labels", &[1, 2, 1001]),
    ] {
        let text = refused(&folder.put("p", py3_batch(raw, key, labels)), dataset, 1);
        assert_says(&text, &["3 labels from", dataset.title(), "found"]);
    }
    // A length that is whole in records of both CIFARs is told apart by all its labels.
    let both = vec![0u8; 3073 * 3074];
    let path = folder.put("both.bin", &both);
    assert!(load(&path, Dataset::Cifar10, 1).is_ok() && load(&path, Dataset::Cifar100, 1).is_ok());
    let mut last = both;
    last[3073 * 3073] = 77;
    let path = folder.put("both.bin", last);
    assert_says(&refused(&path, Dataset::Cifar10, 1), &["the label 77 on image 3073"]);
}

#[test]
fn pickles_that_are_no_batches() {
    let folder = Folder::new();
    for (bytes, words) in [
        (&b"\x80\x02cos\nsystem\nU\x04true\x85R."[..], &["the global os.system", "nothing is run"][..]),
        (b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93.", &["the global builtins.exec"]),
        (b"(dp0\nS'data'\nccommands\ngetoutput\n(S'id'\ntRs.", &["the global commands.getoutput"]),
        (b"}q\0X\x04\0\0\0datacposix\nsystem\n.", &["the global posix.system"]),
        (b"cos\nsystem\n(S'id'\ntR.", &["the global os.system"]),
        (b"\x80\x04N.", &["a dict", "None"]),
        (b"\x80\x04}.", &["a u8 array", "no such key"]),
        (b"\x80\x04}\x8c\x04data]s.", &["a u8 array", "a list"]),
        (b"\x80\x04}.more", &["nothing after it"]),
        (b"\x80\x04B\xff\xff\xff\xff", &["4294967295 more bytes"]),
        (b"\x80\x05\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", &["more bytes"]),
    ] {
        for dataset in Dataset::ALL {
            assert_says(&refused(&folder.put("bad", bytes), dataset, 1), words);
        }
    }
    let bomb = [&b"\x80\x02]q\0"[..], &b"h\0\x86q\0".repeat(100_000), b"."].concat();
    assert_says(&refused(&folder.put("bomb", bomb), Dataset::Cifar10, 1), &["nested at most 64 deep"]);
    let many = [&b"\x80\x02"[..], &vec![b']'; 8_000_000], b"."].concat();
    assert_says(&refused(&folder.put("many", many), Dataset::Cifar10, 1), &["fewer opcodes"]);
    // No images, images of no known size, other numbers than bytes.
    let text = refused(&folder.put("none", py3_batch(&[], "labels", &[])), Dataset::Cifar10, 1);
    assert_says(&text, &["none", "found"]);
    let text = refused(&folder.put("odd", py3_batch(&images(13, 2, 48), "labels", &[1, 2])), Dataset::Cifar10, 1);
    assert_says(&text, &["3072 bytes an image", "found 48"]);
    let mut signed = py3_batch(&images(14, 2, 768), "labels", &[1, 2]);
    let at = signed.windows(2).position(|w| w == b"u1").unwrap();
    signed[at] = b'i';
    assert_says(&refused(&folder.put("signed", signed), Dataset::ImageNet16, 1), &["a u8 array", "Int"]);
}

/// Loads the bytes as every data set, in both ways; errors must be such that the user is at fault.
fn load_all(folder: &Folder, bytes: &[u8]) {
    let path = folder.put("fuzzed", bytes);
    for dataset in Dataset::ALL {
        for draw in [false, true] {
            match Images::load(&Source::Path(path.clone()), dataset, 2, 1, draw) {
                Ok(images) => {
                    assert_eq!(images.batch().pixels.len(), 6 * images.origin().height * images.origin().width)
                }
                Err(error) => assert_eq!(error.exit_code(), 2, "{error}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn arbitrary_files_never_panic(head in proptest::sample::select(vec![&b""[..], b"\x80\x02", b"\x80\x04", b"(dp0\n", b"}q\0", b"\x40\0\0\0\0\0\0\0{\""]), bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        load_all(&Folder::new(), &[head, &bytes].concat());
    }

    #[test]
    fn damaged_files_never_panic(kind in 0..5usize, flips in proptest::collection::vec((0..400usize, any::<u8>()), 0..5), back in any::<bool>(), cut in prop_oneof![Just(0usize), 0..4000usize]) {
        let mut bytes = match kind {
            0 => binary(&images(15, 3, 3072), &[2]),
            1 => py2_batch(&images(16, 3, 3072), &[("labels", &[1, 2, 3])]),
            2 => py3_batch(&images(17, 3, 768), "labels", &[1, 2, 3]),
            3 => py3_batch(&images(18, 3, 3072), "fine_labels", &[1, 2, 3]),
            _ => tensors("images", &[3, 3, 4, 4], &[0.5; 144]),
        };
        for (at, byte) in flips {
            let at = at % bytes.len();
            let at = if back { bytes.len() - 1 - at } else { at };
            bytes[at] ^= byte;
        }
        let length = bytes.len();
        bytes.truncate(length - cut.min(length));
        load_all(&Folder::new(), &bytes);
    }
}
