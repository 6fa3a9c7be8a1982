//! `data check`: small files made here, so none is the published one; the facts of publishers are compared in the module's own tests.

use super::common::cifar;
use super::{etnas, stdout};
use safetensors::tensor::TensorView;
use safetensors::Dtype;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Bytes without a pattern, none of them zero.
fn noise(count: usize, seed: u32) -> Vec<u8> {
    (0..count as u32).map(|i| (i.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 11) as u8 | 1).collect()
}

fn put(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Records of CIFAR's binary form.
fn records(count: usize, labels: &[u8]) -> Vec<u8> {
    cifar::binary(&(0..count as u32).map(|i| noise(3072, i)).collect::<Vec<_>>(), labels)
}

/// ImageNet16's pickle: images with these labels.
fn imagenet16(labels: &[usize]) -> Vec<u8> {
    let images: Vec<Vec<u8>> = (0..labels.len() as u32).map(|i| noise(768, i)).collect();
    cifar::py2_batch(&images, &[("labels", labels)])
}

/// The JSON report and the line on stderr of a check that ends with 2.
fn wrong(path: &Path, more: &[&str]) -> (Value, String) {
    let arguments = [&["data", "check", path.to_str().unwrap(), "--format", "json"], more].concat();
    let output = etnas(&arguments).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.starts_with("error: ") && error.lines().count() == 1, "{error}");
    let text = String::from_utf8(output.stdout).unwrap();
    (if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }, error)
}

fn states(report: &Value) -> Vec<&str> {
    report["files"].as_array().unwrap().iter().map(|file| file["state"].as_str().unwrap()).collect()
}

#[test]
fn missing_and_damaged_files_are_named_with_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    let good = imagenet16(&[1, 120, 121, 1000]);
    for i in [1, 3, 4, 5, 6, 7, 8, 9, 10] {
        put(folder.path(), &format!("ImageNet16/train_data_batch_{i}"), &good);
    }
    put(folder.path(), "ImageNet16/train_data_batch_4", &good[..good.len() / 2]);
    put(folder.path(), "ImageNet16/train_data_batch_7", b"");
    let (report, error) = wrong(folder.path(), &[]);
    assert_eq!(report["dataset"], "imagenet16-120");
    let expected = ["other", "missing", "other", "corrupt", "other", "other", "corrupt", "other", "other", "other"];
    assert_eq!(states(&report), expected);
    assert_eq!((report["images"].as_u64(), report["ok"].as_bool()), (Some(14), Some(false)));
    // Of a file that is missing the published sum is told, of one that is there its own.
    let file = |i: usize, key: &str| report["files"][i][key].as_str().unwrap().to_string();
    assert!(file(1, "expected").contains("c7254a054e0e795c69120a5727050e3f") && file(1, "found") == "no such file");
    assert!(
        file(3, "found").contains("then the file's end") && file(3, "found").contains("MD5"),
        "{}",
        file(3, "found")
    );
    assert!(file(6, "found").contains("0 bytes"), "{}", file(6, "found"));
    assert!(file(0, "found").ends_with(": 2 images"), "{}", file(0, "found"));
    for part in
        ["1 missing (train_data_batch_2)", "2 corrupt (train_data_batch_4, train_data_batch_7)", "7 not as published"]
    {
        assert!(error.contains(part), "{part}: {error}");
    }
    // Scoring says of the same files what the check says.
    let path = folder.path().to_str().unwrap();
    let score = |batch: &str| {
        let arguments =
            ["score", "5", "--measures=naswot", "--dataset=imagenet16-120", "--data", path, "--batch", batch];
        let output = etnas(&arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(score("2").0, Some(0));
    let (code, error) = score("3");
    assert_eq!(code, Some(2));
    assert!(error.contains("train_data_batch_2") && error.contains("found no such file"), "{error}");
}

#[test]
fn binary_files_have_their_size_and_labels() {
    let folder = tempfile::tempdir().unwrap();
    for i in 1..=5 {
        put(folder.path(), &format!("data_batch_{i}.bin"), &records(2, &[i]));
    }
    put(folder.path(), "data_batch_2.bin", &records(2, &[10]));
    put(folder.path(), "data_batch_5.bin", &records(2, &[3])[..5000]);
    let (report, _) = wrong(folder.path(), &[]);
    assert_eq!(states(&report), ["other", "corrupt", "other", "other", "corrupt"]);
    let found = |i: usize| report["files"][i]["found"].as_str().unwrap();
    assert_eq!(found(0), "6146 bytes: 2 images");
    assert!(found(1).contains("the label 10 on image 0"), "{}", found(1));
    assert!(found(4).contains("5000 bytes"), "{}", found(4));
    assert_eq!(report["files"][0]["expected"], "10000 images, 30730000 bytes");
    let (_, error) = wrong(folder.path(), &["--dataset", "cifar100"]);
    assert!(error.contains("images of CIFAR-10") && error.contains("--dataset cifar10"), "{error}");
}

#[test]
fn extracts_and_batches_that_nobody_published_are_read_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let extract = put(folder.path(), "mine.bin", &records(3, &[7, 55]));
    let text = stdout(&["data", "check", extract.to_str().unwrap()]);
    assert!(text.contains("CIFAR-100") && text.contains("ok") && text.contains("3 images"), "{text}");

    let data: Vec<u8> = (0..2 * 3 * 4 * 4).flat_map(|i| (i as f32 * 0.37).sin().to_le_bytes()).collect();
    let view = |shape: Vec<usize>| TensorView::new(Dtype::F32, shape, &data).unwrap();
    let batch = safetensors::serialize([("images", view(vec![2, 3, 4, 4]))], None).unwrap();
    let batch = put(folder.path(), "batch", &batch);
    let report: Value =
        serde_json::from_str(&stdout(&["data", "check", batch.to_str().unwrap(), "--format=json"])).unwrap();
    assert_eq!((states(&report), &report["images"], &report["dataset"]), (vec!["ok"], &Value::from(2), &Value::Null));
    let mut huge = data.clone();
    huge[4 * 95..].copy_from_slice(&(-3e38f32).to_le_bytes());
    let view_of = TensorView::new(Dtype::F32, vec![2, 3, 4, 4], &huge).unwrap();
    let path = put(folder.path(), "huge", &safetensors::serialize([("images", view_of)], None).unwrap());
    let (report, _) = wrong(&path, &[]);
    let file = &report["files"][0];
    assert_eq!((&file["state"], &file["found"]), (&"corrupt".into(), &"-3e38 at place 95".into()));
    assert_eq!(file["expected"], "finite numbers of at most 1e6 in absolute value");
    let flat = put(folder.path(), "flat", &safetensors::serialize([("images", view(vec![2, 48]))], None).unwrap());
    let (report, _) = wrong(&flat, &[]);
    assert!(report["files"][0]["found"].as_str().unwrap().contains("[2, 48]"), "{report}");
}

#[test]
fn archives_are_known_whole_and_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &noise(4000, 1)).unwrap();
    let packed = gzip.finish().unwrap();
    let tar = [noise(257, 3), b"ustar".to_vec(), noise(600, 4)].concat();
    let whole = put(folder.path(), "a/cifar-10-python.tar.gz", &packed);
    let plain = put(folder.path(), "t/ImageNet16.tar", &tar);
    let first = put(folder.path(), "b/ImageNet16.tar.gz.aa", &packed[..1000]);
    let second = put(folder.path(), "b/ImageNet16.tar.gz.ab", &packed[1000..]);
    for (path, parts) in [
        (&whole, &["cifar-10-python.tar.gz", "a gzip file", "Unpack it"][..]),
        (&plain, &["ImageNet16.tar", "a tar archive", "Unpack it"]),
        (
            &first,
            &["a part of the split archive ImageNet16.tar.gz", "Put all parts together", "cat ImageNet16.tar.gz?*"],
        ),
        (&second, &["a part of the split archive ImageNet16.tar.gz", "unpack ImageNet16.tar.gz"]),
    ] {
        let (_, error) = wrong(path, &[]);
        let score = etnas(&["score", "5", "--data", path.to_str().unwrap()]).output().unwrap();
        assert_eq!(score.status.code(), Some(2));
        let scoring = String::from_utf8(score.stderr).unwrap();
        for part in parts {
            assert!(error.contains(part) && scoring.contains(part), "{part}: {error} {scoring}");
        }
        // The folder that it lies in.
        let (_, error) = wrong(path.parent().unwrap(), &[]);
        assert!(error.contains("none of them, but") && error.contains(parts[1]), "{error}");
    }
    let absent = etnas(&["data", "check", "absent"]).output().unwrap();
    assert_eq!(absent.status.code(), Some(2));
}
