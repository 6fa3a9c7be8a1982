//! The command line as a contract: what is printed where, exit codes, and that nothing is written half.

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod bench;
mod cards;
mod convert;
mod correlate;
mod data;
mod explain;
mod formats;
mod output;
mod plot;
mod rank;
mod reproduce;
mod score;
mod search;
mod search_files;
mod sweep;
mod table;
mod weights;

use assert_cmd::Command;
use serde_json::Value;
use std::path::Path;

/// The program, in a folder of its own choosing, without a table from the environment and without cards.
fn etnas(arguments: &[&str]) -> Command {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("etnas-fast");
    command.env_remove("ETNAS_TABLE").env_remove("TORCH_HOME").env("CUDA_VISIBLE_DEVICES", "").args(arguments);
    command
}

/// The stdout of a command that succeeds and says nothing on stderr.
fn stdout(arguments: &[&str]) -> String {
    let output = etnas(arguments).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    assert_eq!(stderr, "", "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The objects of JSON Lines.
fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The keys of an object in their order.
fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
