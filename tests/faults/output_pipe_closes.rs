//! Seen elsewhere: `| head` ends in a stack trace and an exit code.
#![cfg(unix)]

use super::commands;
use super::common::sweeps::process;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

#[test]
fn a_reader_that_has_read_enough_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["jsonl", "csv", "table", "json"] {
        let mut command = process(&["score", "--all", "--measures", "degree", "--format", format], folder.path());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{format}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{format}");
    }
}

#[test]
fn a_reader_that_is_gone_before_the_first_byte_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    commands::scored(folder.path());
    for arguments in commands::all().iter().map(Vec::as_slice).chain(commands::TEXT_ALONE) {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = process(arguments, folder.path()).stdout(writer).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), told.as_str()), (Some(0), ""), "{arguments:?}");
    }
}
