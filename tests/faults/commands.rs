//! Quick calls of every subcommand that prints results, in a folder with two score files.

use super::{etnas, names};
use std::path::Path;

/// A tiny network: 16×16 pixels, two images.
pub const TINY: [&str; 4] = ["--dataset", "imagenet16-120", "--batch", "2"];

/// `a.jsonl` in the folder has scores of nine cells whose accuracies are built in, and of three dead ones; `b.jsonl` the same under
/// other weights.
pub fn scored(folder: &Path) {
    let cells = ["0", "81", "168", "244", "326", "722", "857", "9930", "1462", "1651", "10", "2384"];
    for (name, seed) in [("a.jsonl", "1"), ("b.jsonl", "2")] {
        let arguments = [&["score"], &cells[..], &TINY, &["--seed", seed, "--quiet", "--format", "jsonl", "-o", name]];
        let output = etnas(&arguments.concat()).current_dir(folder).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
    assert_eq!(names(folder), ["a.jsonl", "a.jsonl.meta.json", "b.jsonl", "b.jsonl.meta.json"]);
}

/// Every subcommand that prints results, quickly, without a format.
pub fn all() -> Vec<Vec<&'static str>> {
    let tiny = |command: &[&'static str]| [command, &TINY].concat();
    let evolution = ["--population", "3", "--sample", "2", "--cycles", "5"];
    vec![
        tiny(&["score", "9930", "10", "1651", "--repeats", "2", "--measures", "naswot,synflow,utopian,params"]),
        tiny(&[&["search", "--quiet", "--runs", "2"], &evolution[..]].concat()),
        tiny(&["search", "--quiet", "--method", "random-naswot", "--evaluations", "3"]),
        tiny(&[&["search", "--quiet", "--repeats", "2"], &evolution[..]].concat()),
        vec!["correlate", "a.jsonl", "--bootstrap", "20"],
        vec!["correlate", "a.jsonl", "b.jsonl", "--compare"],
        vec!["rank", "a.jsonl"],
        vec!["explain", "10"],
        vec!["table", "info"],
        vec!["table", "show", "9930", "5"],
        vec!["convert", "9930", "0"],
        tiny(&["bench", "--quiet", "--measures", "log-synflow", "--cells", "1", "--repeats", "1"]),
    ]
}

/// What prints nothing but text for people and shells.
pub const TEXT_ALONE: [&[&str]; 3] = [&["devices"], &["completions", "bash"], &["score", "--help"]];
