//! Every layout of a data set: files of each form, folders of them.

use super::common::cifar::{binary, py2_batch, py3_batch};
use super::{assert_images, assert_says, images, load, refused, Folder};
use etnas::input::Dataset;

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
