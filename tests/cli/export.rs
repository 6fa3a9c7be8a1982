//! `export`: files that other programs read, and that the program reads again.

use super::{etnas, names, rows, stdout};
use std::fs;

/// A small job: images of 16×16 from the photographs.
const SMALL: [&str; 6] = ["--dataset", "imagenet16-120", "--batch", "2", "--device", "cpu"];

/// Runs `export` in a folder; gives what it says on stderr.
fn export(folder: &std::path::Path, arguments: &[&str]) -> String {
    let all = [&["export"], arguments, &SMALL].concat();
    let output = etnas(&all).current_dir(folder).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    assert_eq!(output.stdout, b"", "{arguments:?}");
    stderr
}

#[test]
fn exported_weights_are_read_again_and_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let said = export(folder.path(), &["1462", "--seed", "7", "-o", "w.safetensors"]);
    assert_eq!(said, "note: 1 file is written.\n");
    assert_eq!(names(folder.path()), ["w.safetensors"]);
    let file = folder.path().join("w.safetensors");
    let score = [&["score", "1462", "--seed", "7", "--format", "jsonl"], &SMALL[..]].concat();
    let drawn = stdout(&score);
    assert!(rows(&drawn)[0]["loss_slope"].is_number());
    assert_eq!(stdout(&[&score[..], &["--weights", file.to_str().unwrap()]].concat()), drawn);
    let other = [&["score", "1462", "--seed", "8", "--format", "jsonl"], &SMALL[..]].concat();
    assert_ne!(stdout(&other), drawn);
}

#[test]
fn one_command_writes_everything_of_several_cells() {
    let folder = tempfile::tempdir().unwrap();
    let parts = ["-o", "{index}.safetensors", "-o", "net-{index}.ONNX", "--task", "{index}.task", "--logits"];
    let more = ["{index}.logits", "--images", "images", "--slope-init", "xavier"];
    let dead = "|avg_pool_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|none~2|";
    let said = export(folder.path(), &[&["0", dead], &parts[..], &more].concat());
    assert!(said.starts_with("note: 9 files are written.\n"), "{said}");
    assert!(said.contains("LossSlope starts from other weights (--slope-init)"), "{said}");
    let index = dead.parse::<etnas::space::Cell>().unwrap().index().to_string();
    let mut expected = vec!["images".to_string()];
    for index in ["0", &index] {
        expected.extend(["safetensors", "task", "logits"].map(|part| format!("{index}.{part}")));
        expected.push(format!("net-{index}.ONNX"));
    }
    expected.sort();
    assert_eq!(names(folder.path()), expected);
    // Quietly, from stdin, and whatever the threads.
    let quiet = [&["export", "-", "--quiet", "--threads", "1"], &parts[..], &more, &SMALL].concat();
    let again = tempfile::tempdir().unwrap();
    let output = etnas(&quiet).current_dir(again.path()).write_stdin(format!("0\n{dead}\n")).output().unwrap();
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]));
    for name in expected {
        assert!(fs::read(folder.path().join(&name)).unwrap() == fs::read(again.path().join(&name)).unwrap(), "{name}");
    }
}

#[test]
fn what_cannot_be_exported_is_told_in_a_sentence() {
    let weights = ["-o", "w.safetensors"];
    let cases: [(&[&str], &[&str]); 9] = [
        (&["5"], &["export: expected a file to write, found none", "-o FILE.onnx"]),
        (&["5", "-o", "w.pt"], &["-o: expected a file that ends in .safetensors or .onnx, found .pt"]),
        (&["5", "-o", "weights"], &["found weights"]),
        (&["5", "6", weights[0], weights[1]], &["-o: expected a file for each of 2 cells", "{index}"]),
        (&["5", "6", "-o", "{index}.onnx", "--task", "t"], &["--task: expected a file for each of 2 cells"]),
        (&["5", "5", "-o", "{index}.onnx"], &["5.onnx twice", "Name each file and cell once"]),
        (&["5", "--images", "a", "--logits", "a"], &["--logits: expected different files, found a twice"]),
        (&["5", weights[0], weights[1], "--device", "cuda"], &["--device: expected auto or cpu, found a card"]),
        (&["5", "6", "-o", "{index}.onnx", "--weights", "w"], &["--weights: expected exactly one cell, found 2 cells"]),
    ];
    for (arguments, parts) in cases {
        let folder = tempfile::tempdir().unwrap();
        let output = etnas(&[&["export"], arguments].concat()).current_dir(folder.path()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.lines().count() == 1, "{arguments:?}: {stderr}");
        for part in parts {
            assert!(stderr.contains(part), "{arguments:?}: {part:?} is not in {stderr}");
        }
        assert_eq!(names(folder.path()), Vec::<String>::new(), "{arguments:?}");
    }
}

#[test]
fn a_failure_leaves_no_file_half() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    export(path, &["5", "-o", "five.safetensors"]);
    fs::write(path.join("old.onnx"), "old").unwrap();
    // The weights are another cell's: found out when the files are open.
    let wrong = ["export", "9930", "--weights", "five.safetensors", "-o", "old.onnx", "-o", "new.safetensors"];
    let output = etnas(&[&wrong[..], &SMALL].concat()).current_dir(path).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("five.safetensors"), "{stderr}");
    assert_eq!(names(path), ["five.safetensors", "old.onnx"]);
    assert_eq!(fs::read(path.join("old.onnx")).unwrap(), b"old");
    let nowhere = etnas(&["export", "5", "-o", "no/such/w.onnx"]).current_dir(path).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(String::from_utf8(nowhere.stderr).unwrap().contains("Cannot write no/such/w.onnx"));
}
