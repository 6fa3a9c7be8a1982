//! What networks are fed as it is: safetensors batches and noise.

use super::{assert_says, bits, load, refused, tensors, Folder};
use etnas::input::{Dataset, Images, Source};
use etnas::random::Stream;

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

#[test]
fn pixels_of_a_batch_are_bounded() {
    let folder = Folder::new();
    let with = |at: usize, value: f32| -> Vec<f32> { (0..96).map(|i| if i == at { value } else { 0.5 }).collect() };
    for value in [1e6, -1e6] {
        let path = folder.put("border.safetensors", tensors("images", &[2, 3, 4, 4], &with(95, value)));
        assert_eq!(load(&path, Dataset::Cifar10, 2).unwrap().batch().pixels[95], value);
    }
    for (at, value, found) in [
        (95, 1e6f32.next_up(), "found 1000000.06 at place 95."),
        (0, (-1e6f32).next_down(), "found -1000000.06 at place 0."),
        (7, 3e38, "found 3e38 at place 7."),
    ] {
        let path = folder.put("huge.safetensors", tensors("images", &[2, 3, 4, 4], &with(at, value)));
        // Whether or not the image is one of the batch: the file is wrong.
        let text = refused(&path, Dataset::Cifar10, 1);
        assert_says(
            &text,
            &["\"images\"", "huge.safetensors", "finite numbers of at most 1e6 in absolute value", found],
        );
    }
}
