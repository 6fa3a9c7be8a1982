//! Quick sweeps in a folder, and what they leave there.

use super::program::etnas;
use std::fs;
use std::path::Path;

/// A quick sweep: 16×16 pixels, two images, two measures.
pub const QUICK: [&str; 8] =
    ["score", "--dataset", "imagenet16-120", "--batch", "2", "--measures", "log-synflow,degree", "--quiet"];

/// The quick sweep with more arguments.
pub fn quick<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&QUICK[..], more].concat()
}

/// Exit code and stderr of a command that prints nothing on stdout.
pub fn told(arguments: &[&str], folder: &Path) -> (Option<i32>, String) {
    let output = etnas(arguments).current_dir(folder).output().unwrap();
    assert!(output.stdout.is_empty());
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Runs a command that must succeed without a word.
#[track_caller]
pub fn succeeds(arguments: &[&str], folder: &Path) {
    assert_eq!(told(arguments, folder), (Some(0), String::new()), "{arguments:?}");
}

/// One error sentence, with these words in it.
#[track_caller]
pub fn refused(arguments: &[&str], folder: &Path, words: &[&str]) {
    let (code, errors) = told(arguments, folder);
    assert_eq!((code, errors.lines().count()), (Some(2), 1), "{arguments:?}: {errors}");
    for word in words {
        assert!(errors.contains(word), "{arguments:?}: {word} is not in {errors}");
    }
}

/// A file and its metadata.
pub fn both(folder: &Path, name: &str) -> [String; 2] {
    [name.to_string(), format!("{name}.meta.json")].map(|name| fs::read_to_string(folder.join(name)).unwrap())
}

/// The program as a process of its own, without cards, that prints into nothing but stderr.
#[cfg(unix)]
pub fn process(arguments: &[&str], folder: &Path) -> std::process::Command {
    use std::process::{Command, Stdio};
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("etnas-fast"));
    command.env("CUDA_VISIBLE_DEVICES", "").args(arguments).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Bytes of a file; none where it is not there.
pub fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

/// Waits until the file has so many bytes or the child has ended; whether it has.
pub fn reached(child: &mut std::process::Child, path: &Path, bytes: u64) -> bool {
    let start = std::time::Instant::now();
    while length(path) < bytes {
        assert!(start.elapsed().as_secs() < 300, "no progress");
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
    true
}
