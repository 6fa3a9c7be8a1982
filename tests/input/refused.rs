//! What is said of input that is not what it should be.

use super::common::cifar::{binary, py3_batch};
use super::{assert_says, images, load, refused, Folder};
use etnas::input::{Dataset, Images, Source};
use std::path::Path;

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
