//! Long sweeps: resumed, refused, sharded and merged. What kills or tears them is in `tests/faults`.

use super::common::sweeps::{both, quick, refused, succeeds, told, QUICK};
use super::{names, rows};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn edit(folder: &Path, name: &str, change: impl Fn(&mut Value)) {
    let path: PathBuf = folder.join(name);
    let mut value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut value);
    fs::write(&path, value.to_string()).unwrap();
}

#[test]
fn an_existing_file_is_not_lost_without_force() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["jsonl", "csv"] {
        let sweep = |cell, more: &[&'static str]| quick(&[&[cell, "--format", format, "-o", format], more].concat());
        succeeds(&sweep("5", &[]), folder.path());
        let before = both(folder.path(), format);
        refused(&sweep("10", &[]), folder.path(), &["expected a file that does not exist yet", "--resume", "--force"]);
        assert_eq!(both(folder.path(), format), before);
        succeeds(&sweep("10", &["--force"]), folder.path());
        assert!(both(folder.path(), format)[0].contains("10") && both(folder.path(), format) != before);
        // An empty file, as a process leaves that was killed before its first record, is no loss.
        fs::write(folder.path().join(format), "").unwrap();
        succeeds(&sweep("5", &[]), folder.path());
        assert_eq!(both(folder.path(), format), before);
    }
    // Whole or not at all: these are replaced.
    for format in ["table", "json"] {
        let sweep = |cell| quick(&[cell, "--format", format, "-o", format]);
        succeeds(&sweep("5"), folder.path());
        succeeds(&sweep("10"), folder.path());
        assert!(both(folder.path(), format)[0].contains("10"));
    }
}

#[test]
fn resume_computes_what_is_missing_and_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["jsonl", "csv"] {
        let sweep = |cells: &[&'static str], more: &[&'static str]| {
            quick(&[cells, &["--format", format, "--resume", "-o", format], more].concat())
        };
        let cells = ["5", "10", "1462"];
        succeeds(&sweep(&cells, &[]), folder.path());
        let whole = both(folder.path(), format);
        // The begin alone, with a mark in it that a second computation would not make.
        let end = whole[0].match_indices('\n').nth(usize::from(format == "csv")).unwrap().0;
        let begun = whole[0][..=end].replace("imagenet16-120", "imagenet16-marked");
        fs::write(folder.path().join(format), &begun).unwrap();
        succeeds(&sweep(&cells, &[]), folder.path());
        let resumed = both(folder.path(), format);
        assert_eq!(resumed[0], format!("{begun}{}", &whole[0][end + 1..]));
        assert_eq!(resumed[1], whole[1]);
        // Again, with nothing left to do, and with more cells.
        succeeds(&sweep(&cells, &[]), folder.path());
        assert_eq!(both(folder.path(), format), resumed);
        succeeds(&sweep(&["5", "10", "1462", "7"], &[]), folder.path());
        assert!(both(folder.path(), format)[0].starts_with(&resumed[0]));
        assert!(both(folder.path(), format)[1].contains("\"cells\": 4,\n  \"complete\": true"));
    }
}

#[test]
fn a_file_made_otherwise_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = |more: &[&'static str]| quick(&[&["--resume", "-o", "a"], more].concat());
    let at = folder.path();
    succeeds(&sweep(&["5", "10", "--format", "jsonl"]), at);
    let before = both(at, "a");
    let jsonl = ["5", "10", "--format", "jsonl"];
    for (more, words) in [
        (&["--seed", "4"][..], &["configuration.seeds.master 0, with which it was begun", "found 4"][..]),
        (&["--weight-seed", "4"], &["configuration.seeds.weight"]),
        (&["--classes", "11"], &["configuration.network.classes", "found 11"]),
        (&["--repeats", "2"], &["configuration.repeats 1"]),
        (&["--shard", "1/2"], &["shard null", "found \"1/2\""]),
        (&["7"], &["--resume of a", "10"]),
    ] {
        // The cell 7 comes third in `5 10 7`, so that it goes before.
        let arguments = match more {
            ["7"] => sweep(&["5", "7", "--format", "jsonl"]),
            _ => sweep(&[&jsonl[..], more].concat()),
        };
        refused(&arguments, at, words);
        assert_eq!(both(at, "a"), before, "a refusal changed the file");
    }
    let other_measures: Vec<&str> =
        sweep(&jsonl).into_iter().map(|a| if a == QUICK[6] { "degree" } else { a }).collect();
    refused(&other_measures, at, &["measures log-synflow, degree, with which", "found degree"]);
    refused(&sweep(&["5", "--format", "jsonl"]), at, &["1 records at most"]);
    refused(&sweep(&["5", "10", "--format", "csv"]), at, &["the header index,arch,dataset"]);
    refused(&sweep(&["5", "10", "--format", "json"]), at, &["jsonl or csv"]);
    for needs_a_file in ["--resume", "--force"] {
        let (code, errors) = told(&quick(&["5", "--format", "jsonl", needs_a_file]), at);
        assert!(code == Some(2) && errors.contains("--output <FILE>"), "{errors}");
    }
    refused(&quick(&["5", "--format", "jsonl", "--resume", "-o", "/dev/null"]), at, &["regular file"]);
    // Of another version, without metadata, and with a line that no process leaves.
    edit(at, "a.meta.json", |meta| meta["version"] = "0.0.1".into());
    refused(&sweep(&jsonl), at, &["version \"0.0.1\""]);
    fs::remove_file(at.join("a.meta.json")).unwrap();
    refused(&sweep(&jsonl), at, &["its metadata in a.meta.json"]);
    fs::write(at.join("a.meta.json"), "{").unwrap();
    refused(&sweep(&jsonl), at, &["a.meta.json", "metadata of a sweep"]);
    fs::write(at.join("a.meta.json"), &before[1]).unwrap();
    fs::write(at.join("a"), before[0].replace("\"index\":10", "\"index\":11")).unwrap();
    refused(&sweep(&jsonl), at, &["on line 2"]);
    fs::write(at.join("a"), &before[0]).unwrap();
    succeeds(&sweep(&jsonl), at);
}

#[test]
fn shards_merged_are_what_one_process_writes() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for format in ["jsonl", "csv"] {
        for which in [&["--sample", "12"][..], &["7", "10", "7", "9930", "3", "0"]] {
            let sweep = |more: &[&str]| succeeds(&quick(&[which, &["--format", format, "--force"], more].concat()), at);
            sweep(&["-o", "whole"]);
            // One part, some, and more than there are cells.
            for of in [1, 3, 16] {
                let parts: Vec<String> = (1..=of).rev().map(|number| format!("part{number}")).collect();
                for (part, number) in parts.iter().zip((1..=of).rev()) {
                    sweep(&["--shard", &format!("{number}/{of}"), "-o", part]);
                }
                let files: Vec<&str> = parts.iter().map(String::as_str).collect();
                succeeds(&[&["merge", "--quiet", "--force", "-o", "merged"], &files[..]].concat(), at);
                assert_eq!(both(at, "merged"), both(at, "whole"), "{format} {which:?} {of}");
            }
        }
    }
}

#[test]
fn merge_refuses_what_is_missing_twice_unfinished_or_made_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let sweep = |shard: &'static str, name: &'static str, more: &[&'static str]| {
        let fixed = ["--sample", "12", "--format", "jsonl", "--shard", shard, "-o", name];
        succeeds(&quick(&[&fixed[..], more].concat()), at);
    };
    let merge = |more: &[&'static str]| [&["merge", "--quiet", "-o", "merged"], more].concat();
    sweep("1/3", "a", &[]);
    sweep("2/3", "b", &[]);
    sweep("3/3", "c", &[]);
    sweep("2/3", "seed", &["--seed", "4"]);
    sweep("2/2", "half", &[]);
    refused(&merge(&["a", "c"]), at, &["all 3 shards", "none of 2/3", "--partial"]);
    refused(&merge(&["a", "b", "c", "b"]), at, &["each shard once", "shard 2/3 in b and in b"]);
    refused(&merge(&["a", "seed", "c"]), at, &["configuration.seeds.master alike", "0 and 4"]);
    refused(&merge(&["a", "half", "c"]), at, &["shards 1/3 and 2/2"]);
    refused(&merge(&["a", "b", "c", "absent"]), at, &["Cannot read absent"]);
    refused(&["merge", "a", "b", "c", "-o", "b", "--force"], at, &["another file than those"]);
    assert_eq!(told(&["merge", "a", "b", "c"], at).0, Some(2), "no -o");
    assert!(!at.join("merged").exists());

    // An unfinished shard: refused, or its begin is taken.
    let whole = both(at, "b");
    let begin: String = whole[0].lines().take(2).map(|line| format!("{line}\n")).collect();
    fs::write(at.join("b"), format!("{begin}{{\"index\"")).unwrap();
    let records = whole[0].lines().count();
    refused(&merge(&["a", "b", "c"]), at, &[&format!("expected {records} records"), "found 2", "score --resume"]);
    succeeds(&merge(&["a", "b", "c", "--partial"]), at);
    let [text, meta] = both(at, "merged");
    let meta: Value = serde_json::from_str(&meta).unwrap();
    assert_eq!(
        (&meta["cells"], &meta["complete"], &meta["shard"]),
        (&(14 - records).into(), &false.into(), &Value::Null)
    );
    let indices: Vec<u64> = rows(&text).iter().map(|row| row["index"].as_u64().unwrap()).collect();
    assert!(indices.len() == 14 - records && begin.lines().all(|line| text.contains(line)));
    refused(&merge(&["a", "b", "c", "--partial"]), at, &["does not exist yet", "--force"]);
    fs::remove_file(at.join("merged")).unwrap();

    // Too many records, other records, another format.
    fs::write(at.join("b"), format!("{}{}", whole[0], begin)).unwrap();
    refused(&merge(&["a", "b", "c"]), at, &["The file b", "found more"]);
    let lines: Vec<&str> = whole[0].lines().collect();
    let swapped: String = [&lines[1..2], &lines[..1], &lines[2..]].concat().iter().map(|l| format!("{l}\n")).collect();
    fs::write(at.join("b"), swapped).unwrap();
    refused(&merge(&["a", "b", "c"]), at, &["the cells that its metadata tell"]);
    fs::write(at.join("b"), "index\n").unwrap();
    refused(&merge(&["a", "b", "c"]), at, &["one format", "csv in b"]);
    fs::write(at.join("b"), &whole[0]).unwrap();

    // Scores of different kernels.
    edit(at, "b.meta.json", |meta| meta["configuration"]["kernel_set"] = "cuda-f32".into());
    edit(at, "b.meta.json", |meta| meta["configuration"]["backend"] = "cuda".into());
    refused(&merge(&["a", "b", "c"]), at, &["and cuda, cuda-f32", "--allow-mixed"]);
    succeeds(&merge(&["a", "b", "c", "--allow-mixed"]), at);
    let meta: Value = serde_json::from_str(&both(at, "merged")[1]).unwrap();
    assert_eq!((&meta["configuration"]["backend"], &meta["complete"]), (&"cpu + cuda".into(), &true.into()));
    // Metadata of anything else.
    for (key, value) in [("command", "search"), ("shard", "x"), ("selection", "all"), ("configuration", "none")] {
        for name in ["a", "b", "c"] {
            edit(at, &format!("{name}.meta.json"), |meta| meta[key] = value.into());
        }
        refused(&merge(&["a", "b", "c", "--force"]), at, &["error: "]);
    }
}

#[test]
fn utopian_compares_all_cells_and_is_neither_resumed_nor_sharded() {
    let folder = tempfile::tempdir().unwrap();
    for option in [&["--resume"][..], &["--shard", "1/2"]] {
        let arguments = ["score", "5", "10", "--measures", "utopian", "--format", "jsonl", "-o", "a"];
        refused(&[&arguments[..], option].concat(), folder.path(), &["utopian", option[0]]);
    }
    for shard in ["0/2", "3/2", "2", "a/b", "1/0"] {
        refused(&quick(&["5", "--shard", shard]), folder.path(), &["counted from 1", shard]);
    }
    assert_eq!(names(folder.path()), Vec::<String>::new());
}
