//! Files appear whole or not at all; an interrupt leaves what is finished.

use super::{etnas, keys, names, rows, stdout};
use serde_json::Value;
use std::fs;

const DEGREE: [&str; 5] = ["score", "5", "9930", "--measures", "degree"];

#[test]
fn a_file_holds_what_stdout_would_and_the_metadata_lie_beside_it() {
    for format in ["table", "csv", "json", "jsonl"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores");
        let arguments = [&DEGREE[..], &["--format", format]].concat();
        let printed = stdout(&arguments);
        let output = etnas(&arguments).args(["-o", path.to_str().unwrap()]).output().unwrap();
        assert!(output.status.success() && output.stdout.is_empty());
        let note = String::from_utf8(output.stderr).unwrap();
        assert!(note.starts_with("note: 2 of 2 cells are in "), "{note}");
        assert_eq!(fs::read_to_string(&path).unwrap(), printed, "{format}");
        assert_eq!(names(folder.path()), ["scores", "scores.meta.json"]);
        let meta: Value =
            serde_json::from_str(&fs::read_to_string(folder.path().join("scores.meta.json")).unwrap()).unwrap();
        let expected =
            ["program", "version", "command", "configuration", "measures", "selection", "shard", "cells", "complete"];
        assert_eq!(keys(&meta), expected);
        if format == "json" {
            assert_eq!(serde_json::from_str::<Value>(&printed).unwrap()["meta"], meta);
        }
    }
}

#[test]
fn quiet_is_quiet_and_a_failure_leaves_the_file_that_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scores.jsonl");
    let file = path.to_str().unwrap();
    for format in ["json", "jsonl"] {
        fs::write(&path, "old").unwrap();
        assert_eq!(stdout(&[&DEGREE[..], &["--quiet", "--force", "--format", format, "-o", file]].concat()), "");
        let before = fs::read(&path).unwrap();
        assert_eq!(before.iter().filter(|byte| **byte == b'|').count(), 18, "two architectures");
        let failing = ["score", "5", "--data", "absent", "--force", "--format", format, "-o", file];
        assert_eq!(etnas(&failing).output().unwrap().status.code(), Some(2));
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(names(folder.path()), ["scores.jsonl", "scores.jsonl.meta.json"]);
    }
}

#[test]
fn paths_that_cannot_be_written_are_refused_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("taken.meta.json")).unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let long = "x".repeat(300);
    let paths = [".", "no/such/folder/a.csv", "file/a.csv", "a/", "taken", &long];
    for (name, format) in paths.iter().flat_map(|name| [(name, "table"), (name, "jsonl")]) {
        // All cells with all measures would take hours.
        let mut command = etnas(&["score", "--all", "--format", format, "-o", name]);
        let output = command.current_dir(folder.path()).timeout(std::time::Duration::from_secs(60)).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {stderr}");
        assert!(stderr.starts_with("error: Cannot write "), "{name}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert_eq!(names(folder.path()), ["file", "taken.meta.json"], "{name}");
    }
    assert_eq!(etnas(&["score", "5", "-o", ""]).output().unwrap().status.code(), Some(2));
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    fn process(arguments: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("etnas-fast"));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    #[test]
    fn special_files_are_written_through_and_stay() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(stdout(&[&DEGREE[..], &["-q", "-o", "/dev/null"]].concat()), "");
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        assert!(!Path::new("/dev/null.meta.json").exists());
        // A link stays a link; the file behind it is replaced and keeps its permissions.
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(
            stdout(&[&DEGREE[..], &["-q", "--format", "jsonl", "--force", "-o", link.to_str().unwrap()]].concat()),
            ""
        );
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(rows(&fs::read_to_string(&real).unwrap()).len(), 2);
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    }

    /// Starts the command with output into `folder/out`, interrupts it `wait` after a file there has `bytes`,
    /// and gives its exit code and stderr.
    fn interrupted(arguments: &[&str], folder: &Path, bytes: u64, wait: Duration) -> (Option<i32>, String) {
        let child = process(arguments).args(["-o", "out"]).current_dir(folder).spawn().unwrap();
        let written = || fs::read_dir(folder).unwrap().filter_map(|e| Some(e.ok()?.metadata().ok()?.len())).max();
        let start = Instant::now();
        while written().is_none_or(|found| found < bytes) {
            assert!(start.elapsed() < Duration::from_secs(60), "nothing was written in a minute");
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(wait);
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    #[test]
    fn an_interrupt_leaves_the_finished_records() {
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["score", "--all", "--batch", "2", "--chunk", "2", "--format", "jsonl"];
        let (code, stderr) = interrupted(&arguments, folder.path(), 1, Duration::from_millis(100));
        assert_eq!(code, Some(130), "{stderr}");
        assert!(stderr.ends_with("error: Interrupted; what was written so far is valid.\n"), "{stderr}");
        assert_eq!(names(folder.path()), ["out", "out.meta.json"]);
        let records = rows(&fs::read_to_string(folder.path().join("out")).unwrap());
        assert!(!records.is_empty() && records.len() < 15_625, "{} records", records.len());
        assert!(records.iter().enumerate().all(|(i, r)| r["index"] == i));
        let meta = fs::read_to_string(folder.path().join("out.meta.json")).unwrap();
        let meta: Value = serde_json::from_str(&meta).unwrap();
        assert_eq!((&meta["complete"], &meta["cells"]), (&false.into(), &records.len().into()));
    }

    #[test]
    fn an_interrupt_before_anything_is_finished_writes_nothing() {
        // Utopian distance compares all cells, so that no record is finished before the last; a benchmark ends as one.
        for arguments in [["score", "--all", "--measures=utopian", "--quiet"], ["bench", "--cells", "15625", "--quiet"]]
        {
            let folder = tempfile::tempdir().unwrap();
            let (code, stderr) = interrupted(&arguments, folder.path(), 0, Duration::from_secs(1));
            assert_eq!((code, stderr.as_str()), (Some(130), "error: Interrupted; what was written so far is valid.\n"));
            assert_eq!(names(folder.path()), Vec::<String>::new(), "{arguments:?}");
        }
    }

    #[test]
    fn an_interrupt_leaves_the_finished_runs() {
        let folder = tempfile::tempdir().unwrap();
        let small =
            ["--population", "2", "--sample", "1", "--cycles", "2", "--batch", "2", "--format", "jsonl", "--quiet"];
        let arguments = [&["search", "--runs", "1000000"], &small[..]].concat();
        let (code, stderr) = interrupted(&arguments, folder.path(), 0, Duration::from_secs(5));
        assert_eq!((code, stderr.as_str()), (Some(130), "error: Interrupted; what was written so far is valid.\n"));
        let runs = rows(&fs::read_to_string(folder.path().join("out")).unwrap());
        assert!(!runs.is_empty() && runs.iter().enumerate().all(|(i, run)| run["run"] == i), "{} runs", runs.len());
    }
}
