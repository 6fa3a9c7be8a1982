//! Seen elsewhere: where the batch does not fit, it is split in two, and the score is another one without a word.
//!
//! Here memory decides how many cells are computed at a time, never how many images: the batch is part of a score's definition.

use super::{rows, small, stdout, told, with_cards};

#[test]
fn forced_small_chunks_give_equal_bits() {
    let arguments =
        ["--dataset", "imagenet16-120", "--batch", "4", "--threads", "2", "--format", "jsonl", "--measures"];
    for (cells, measures, chunks) in [
        (&["9930", "1462", "10", "81", "2", "5", "0"][..], "naswot,log-synflow,synflow", &["1", "2", "3"][..]),
        (&["9930", "10", "5"], "loss-slope", &["1", "2"]),
    ] {
        let run = |chunk| stdout(&[&["score"], cells, &arguments, &[measures, "--chunk", chunk]].concat());
        let whole = run("100");
        assert_eq!(rows(&whole).len(), cells.len());
        for chunk in chunks {
            assert_eq!(run(chunk), whole, "{measures} in chunks of {chunk}");
        }
    }
}

/// Whatever memory a process may have: the same bytes, or no success.
#[test]
#[cfg(target_os = "linux")]
fn a_process_with_too_little_memory_gives_the_same_bits_or_none() {
    let arguments =
        ["score", "9930", "1462", "--batch", "32", "--measures", "naswot", "--threads", "1", "--format", "jsonl"];
    let plenty = stdout(&arguments);
    let mut failed = 0;
    for megabytes in [60, 90, 120, 150, 180, 210, 240, 300, 1000] {
        let mut command = std::process::Command::new("bash");
        command.args(["-c", &format!("ulimit -c 0; ulimit -v {}; exec \"$0\" \"$@\"", megabytes << 10)]);
        command.arg(assert_cmd::cargo::cargo_bin!("etnas-fast")).args(arguments).env("CUDA_VISIBLE_DEVICES", "");
        let output = command.output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        println!("{megabytes} MB: {:?}", output.status);
        match output.status.success() {
            true => assert_eq!(printed, plenty, "{megabytes} MB"),
            false => assert!(plenty.starts_with(&printed), "{megabytes} MB: {printed}"),
        }
        failed += usize::from(!output.status.success());
    }
    assert!((1..9).contains(&failed), "{failed} of 9 failed");
}

#[test]
fn emulated_cuda_out_of_memory_halves_the_chunk_and_changes_no_bit() {
    let cells = ["9930", "1462", "10", "81", "2"];
    let arguments = small(&cells, "naswot,log-synflow", "jsonl", &["--device", "cuda"]);
    let (code, plenty, errors) = told(with_cards("90", &arguments));
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    // Enough for the weights and one or two cells.
    let mut little = with_cards("90", &arguments);
    little.env("EMULATED_MEMORY", (24 << 20).to_string());
    assert_eq!(told(little), (Some(0), plenty.clone(), String::new()));
    // Memory that is free, but in pieces: the driver refuses a chunk that should fit, which is halved until it does.
    let mut pieces = with_cards("90", &arguments);
    pieces.env("EMULATED_LARGEST", (14 << 20).to_string());
    assert_eq!(told(pieces), (Some(0), plenty.clone(), String::new()));
    let mut none = with_cards("90", &arguments);
    none.env("EMULATED_MEMORY", (1 << 20).to_string());
    let (code, text, errors) = told(none);
    assert_eq!((code, text.as_str(), errors.lines().count()), (Some(3), "", 1), "{errors}");
    assert!(errors.contains("MB of its memory") && errors.contains("MB are free"), "{errors}");
    let mut crumbs = with_cards("90", &arguments);
    crumbs.env("EMULATED_LARGEST", (2 << 20).to_string());
    let (code, _, errors) = told(crumbs);
    assert_eq!((code, errors.lines().count()), (Some(3), 1), "{errors}");
}
