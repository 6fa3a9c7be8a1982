//! Seen elsewhere: the disk is full, and the file that was there is lost or ends in the middle of a record.
#![cfg(unix)]

use super::commands;
use super::common::sweeps::{both, process, quick, succeeds};
use super::names;
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn a_full_disk_is_told_and_what_was_written_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for format in ["jsonl", "csv"] {
        let fixed = ["--sample", "60", "--format", format, "--chunk", "7", "--resume", "-o"];
        succeeds(&quick(&[&fixed[..], &["whole"]].concat()), at);
        let arguments = quick(&[&fixed[..], &["full"]].concat());
        let (code, errors) = limited(&arguments, 4, at);
        assert_eq!((code, errors.lines().count()), (Some(1), 1), "{errors}");
        assert!(errors.starts_with("error: Input or output failed while writing the results: "), "{errors}");
        assert!(errors.ends_with("What was written so far is valid.\n"), "{errors}");
        let [text, meta] = both(at, "full");
        let [whole, _] = both(at, "whole");
        assert!(!text.is_empty() && text.ends_with('\n') && whole.starts_with(&text), "{text}");
        assert!(meta.contains("\"cells\": null,\n  \"complete\": false"), "{meta}");
        succeeds(&arguments, at);
        assert_eq!(both(at, "full"), both(at, "whole"));
        for name in names(at) {
            fs::remove_file(at.join(name)).unwrap();
        }
    }
}

#[test]
fn a_file_that_appears_whole_or_not_at_all_leaves_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    commands::scored(at);
    // The disk takes 1,024 bytes more: less than any of these.
    let sets: [&[&str]; 4] = [
        &["score", "--all", "--measures", "degree", "--format", "json"],
        &["rank", "a.jsonl", "--format", "json"],
        &["correlate", "a.jsonl", "--bootstrap", "0"],
        &["plot", "scatter", "a.jsonl", "--x", "naswot"],
    ];
    for arguments in sets {
        fs::write(at.join("old.svg"), "what was there").unwrap();
        let before = names(at);
        let (code, errors) = limited(&[arguments, &["--quiet", "-o", "old.svg"]].concat(), 1, at);
        assert_eq!((code, errors.lines().count()), (Some(1), 1), "{arguments:?}: {errors}");
        assert!(errors.starts_with("error: "), "{errors}");
        assert_eq!(names(at), before, "{arguments:?}");
        assert_eq!(fs::read_to_string(at.join("old.svg")).unwrap(), "what was there", "{arguments:?}");
    }
}

#[test]
fn a_full_device_is_a_failure_of_every_command() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    commands::scored(folder.path());
    for arguments in commands::all().iter().map(Vec::as_slice).chain([&["devices"][..], &["completions", "bash"]]) {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = process(arguments, folder.path()).stdout(full).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
        assert!(errors.contains("writing the results"), "{arguments:?}: {errors}");
    }
}

/// Exit code and stderr where files take so many kibibytes at most, a limit that is told like a full disk: by a failed write, perhaps
/// after a part of it.
fn limited(arguments: &[&str], kibibytes: usize, folder: &Path) -> (Option<i32>, String) {
    let mut command = Command::new("bash");
    command.args(["-c", &format!("trap '' XFSZ; ulimit -f {kibibytes}; exec \"$0\" \"$@\"")]);
    command.arg(assert_cmd::cargo::cargo_bin!("etnas-fast")).args(arguments);
    let output = command.env("CUDA_VISIBLE_DEVICES", "").current_dir(folder).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}
