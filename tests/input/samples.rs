//! Golden files, the embedded photographs, and samples of the data sets themselves.

use super::{assert_images, assert_says, bits, common, load, refused, Folder};
use etnas::input::{Batch, Dataset, Images, Source};
use etnas::pickle::Pickle;
use etnas::tensor_file::TensorFile;

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
