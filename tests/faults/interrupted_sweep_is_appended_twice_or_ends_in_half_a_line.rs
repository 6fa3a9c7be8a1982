//! Seen elsewhere: a sweep that went on after an interrupt has cells twice, or a half line at its end, or two processes wrote into it.
#![cfg(unix)]

use super::common::sweeps::{both, length, process, quick, reached, refused, succeeds, told};
use super::names;
use serde_json::Value;
use std::fs;
use std::time::Duration;

#[test]
fn killed_at_random_points_and_resumed_it_is_the_uninterrupted_file() {
    let seed = super::common::measures::fresh();
    let mut stream = etnas::random::Stream::new(seed, &[]);
    for (format, chunk) in [("jsonl", "1"), ("csv", "3")] {
        let folder = tempfile::tempdir().unwrap();
        let fixed = ["--sample", "60", "--format", format, "--chunk", chunk, "--resume", "-o"];
        succeeds(&quick(&[&fixed[..], &["whole"]].concat()), folder.path());
        let arguments = quick(&[&fixed[..], &["killed"]].concat());
        let path = folder.path().join("killed");
        let mut kills = 0;
        for round in 0..12 {
            let mut child = process(&arguments, folder.path()).spawn().unwrap();
            // At times before the first record, else up to ten records on, and a moment later.
            let more = if round % 4 == 0 { 0 } else { 1 + stream.below(1800) as u64 };
            reached(&mut child, &path, length(&path) + more);
            std::thread::sleep(Duration::from_micros(stream.below(8000) as u64));
            child.kill().unwrap();
            kills += usize::from(!child.wait().unwrap().success());
            if path.exists() && length(&path) > 0 {
                let meta: Value = serde_json::from_str(&both(folder.path(), "killed")[1]).unwrap();
                assert!(meta["complete"] == true || meta["cells"].is_null());
            }
        }
        assert!(kills >= 3, "{kills} kills");
        succeeds(&arguments, folder.path());
        assert_eq!(both(folder.path(), "killed"), both(folder.path(), "whole"), "{format}");
        assert_eq!(names(folder.path()), ["killed", "killed.meta.json", "whole", "whole.meta.json"]);
    }
}

#[test]
fn a_torn_tail_is_cut_off_and_told() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["jsonl", "csv"] {
        let path = folder.path().join(format);
        let arguments = quick(&["5", "10", "1462", "--format", format, "--resume", "-o", format]);
        succeeds(&arguments, folder.path());
        let whole = both(folder.path(), format);
        let second = whole[0].match_indices('\n').rev().nth(1).unwrap().0 + 1;
        let bytes = whole[0].as_bytes();
        let loud: Vec<&str> = arguments.iter().copied().filter(|argument| *argument != "--quiet").collect();
        for (left, zeros, kept) in
            [(second + 7, 0, 2), (second, 4096, 2), (second + 7, 99, 2), (bytes.len(), 8, 3), (3, 0, 0)]
        {
            fs::write(&path, [&bytes[..left], &vec![0; zeros]].concat()).unwrap();
            let (code, notes) = told(&loud, folder.path());
            assert_eq!(code, Some(0), "{notes}");
            let torn = if kept == 0 { 3 } else { left - if kept == 2 { second } else { left } + zeros };
            let note = format!("note: {kept} of 3 cells are there already; a record that was left half written ({torn} bytes) is dropped.\n");
            assert!(notes.starts_with(&note), "{notes}");
            assert_eq!(both(folder.path(), format), whole, "{format} {left} {zeros}");
        }
    }
}

#[test]
fn two_writers_of_one_file_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = quick(&["--all", "--chunk", "1", "--format", "jsonl", "-o", "a"]);
    let mut first = process(&arguments, folder.path()).spawn().unwrap();
    assert!(reached(&mut first, &folder.path().join("a"), 1));
    for more in [&[][..], &["--resume"], &["--force"]] {
        refused(&[&arguments[..], more].concat(), folder.path(), &["The file a", "a running process is writing"]);
    }
    refused(&quick(&["5", "-o", "a"]), folder.path(), &["a running process is writing"]);
    refused(&["merge", "a", "-o", "b"], folder.path(), &["The file a", "a running process is writing"]);
    // The lock dies with the process, however that ends.
    first.kill().unwrap();
    first.wait().unwrap();
    succeeds(&["merge", "a", "--partial", "--quiet", "-o", "b"], folder.path());
    assert_eq!(names(folder.path()), ["a", "a.meta.json", "b", "b.meta.json"]);
}
