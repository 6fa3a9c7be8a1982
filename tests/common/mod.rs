//! What several test files need.
#![allow(dead_code)]

pub mod cifar;
pub mod golden;
pub mod golden_checks;
pub mod measures;
pub mod network;
pub mod pickled;
pub mod program;
pub mod sweeps;

use std::io::Write;
use std::path::PathBuf;

/// A file of the folder with tables, images and golden files (`ETNAS_SHARED`, default `../shared`). Where it is absent the
/// test says so and ends; `.ci/run` fails if the folder exists and a test said so.
pub fn shared(file: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ETNAS_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let path = root.join(file);
    if path.exists() {
        return Some(path);
    }
    // Not eprintln!, which the test harness holds back.
    let line = format!("SKIPPED: {} is absent; set ETNAS_SHARED to the folder that has it.\n", path.display());
    std::io::stderr().write_all(line.as_bytes()).ok();
    None
}

/// A file of `tests/golden`.
pub fn golden(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file)
}
