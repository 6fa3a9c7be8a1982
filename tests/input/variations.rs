//! Which images a batch has, and how LossSlope's are varied.

use super::common::cifar::{binary, py2_batch, py3_batch};
use super::{assert_says, bits, images, load, normalised, Folder};
use etnas::input::{Batch, Dataset, Images, Source};

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
