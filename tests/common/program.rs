//! The program as a process: what it prints, and what it leaves in a folder.

use assert_cmd::Command;
use etnas_emulator::{library_folder, Build};
use serde_json::Value;
use std::path::Path;

/// The program, in a folder of its own choosing, without a table from the environment and without cards.
pub fn etnas(arguments: &[&str]) -> Command {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("etnas-fast");
    command.env_remove("ETNAS_TABLE").env_remove("TORCH_HOME").env("CUDA_VISIBLE_DEVICES", "").args(arguments);
    command
}

/// The program on a machine whose driver has these cards ("90,75").
pub fn with_cards(cards: &str, arguments: &[&str]) -> Command {
    let mut command = etnas(arguments);
    command.env_remove("CUDA_VISIBLE_DEVICES");
    command.env("LD_LIBRARY_PATH", library_folder(Build::Plain)).env("EMULATED_CARDS", cards);
    command
}

/// Exit code, stdout and stderr, without what the emulated driver says.
pub fn told(mut command: Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let ours = |line: &&str| !line.starts_with("Emulated driver: ");
    let errors = text(output.stderr).lines().filter(ours).map(|line| format!("{line}\n")).collect();
    (output.status.code(), text(output.stdout), errors)
}

/// A small job: noise images of 16×16.
const SMALL: [&str; 8] = ["--dataset", "imagenet16-120", "--data", "noise", "--batch", "2", "--quiet", "--format"];

/// `score` of some cells on noise images of 16×16.
pub fn small<'a>(cells: &[&'a str], measures: &'a str, format: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["score"], cells, &["--measures", measures], &SMALL, &[format], more].concat()
}

/// The stdout of a command that succeeds and says nothing on stderr.
#[track_caller]
pub fn stdout(arguments: &[&str]) -> String {
    let output = etnas(arguments).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    assert_eq!(stderr, "", "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The objects of JSON Lines.
pub fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The keys of an object in their order.
pub fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The names in a folder.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
