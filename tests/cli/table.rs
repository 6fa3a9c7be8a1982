//! `table`, and where the other commands find one.

use super::{etnas, keys, names, rows, stdout};
use crate::common;
use serde_json::Value;
use std::path::Path;

/// A table of two cells as CSV.
fn csv(folder: &Path) -> String {
    let path = folder.join("two.csv");
    let text = "arch_index,cifar10_test200,cifar10_valid12,remark\n5,91.25,80.5,x\n9930,94.5,,y\n";
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_string()
}

#[test]
fn an_import_is_found_by_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let source = csv(folder.path());
    let compact = folder.path().join("NATS-tss-v1_0-3ffb9.safetensors");
    let path = compact.to_str().unwrap();
    let output = etnas(&["table", "import", &source, "-o", path]).output().unwrap();
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "{notes}");
    assert_eq!(notes.lines().last().unwrap(), format!("note: 2 columns of 2 cells (CSV) are in {path}."));
    assert_eq!(stdout(&["table", "import", &source, "-q", "-o", path]), "");
    assert_eq!(names(folder.path()), ["NATS-tss-v1_0-3ffb9.safetensors", "two.csv"]);

    let explained = |command: &mut assert_cmd::Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{:?}", output.stderr);
        let text = String::from_utf8(output.stdout).unwrap();
        let tail: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("accurac")).collect();
        tail.join("\n")
    };
    let given = explained(&mut etnas(&["explain", "5", "--table", path]));
    assert!(given.contains("91.25 %") && given.contains("2 cells of two.csv"), "{given}");
    let variable = explained(etnas(&["explain", "5"]).env("ETNAS_TABLE", path));
    assert!(variable.contains("91.25 %") && variable.contains("($ETNAS_TABLE)"), "{variable}");
    let found = explained(etnas(&["explain", "5"]).env("TORCH_HOME", folder.path()));
    assert!(found.contains("91.25 %") && found.contains("($TORCH_HOME)"), "{found}");
    // The option precedes the variable, which precedes what is found.
    let both = explained(etnas(&["explain", "9930", "--table", &source]).env("TORCH_HOME", "/nowhere"));
    assert!(both.contains("94.50 %") && both.contains("two.csv, 2 cells"), "{both}");
    let absent = explained(etnas(&["explain", "9930"]).env("TORCH_HOME", "/nowhere"));
    assert!(absent.contains("compiled in"), "{absent}");
}

#[test]
fn the_benchmarks_own_files_in_torch_home_are_offered_for_import() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("NATS-tss-v1_0-3ffb9-simple")).unwrap();
    let output = etnas(&["explain", "5"]).env("TORCH_HOME", folder.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert!(text.contains("compiled in, 75 cells"), "{text}");
    assert!(text.contains("etnas-fast table import") && text.contains("-simple -o "), "{text}");
}

#[test]
fn a_table_tells_all_that_it_knows() {
    let folder = tempfile::tempdir().unwrap();
    let table = csv(folder.path());
    let text = stdout(&["table", "show", "9930", "5", "--table", &table]);
    assert!(text.contains("cifar10_test200  94.50  91.25  %  CIFAR-10, test images, 200 epochs"), "{text}");
    assert!(text.contains("cifar10_valid12      –  80.50  %  CIFAR-10, validation images, 12 epochs"), "{text}");
    assert!(text.lines().all(|line| line.trim_end() == line), "{text}");

    let lines = rows(&stdout(&["table", "show", "9930", "5", "--table", &table, "--format", "jsonl"]));
    assert_eq!(keys(&lines[0]), ["index", "arch", "cifar10_test200", "cifar10_valid12"]);
    assert_eq!((&lines[0]["cifar10_test200"], &lines[0]["cifar10_valid12"]), (&Value::from(94.5), &Value::Null));
    let json: Value =
        serde_json::from_str(&stdout(&["table", "show", "9930", "5", "--table", &table, "--format", "json"])).unwrap();
    assert_eq!(json["records"], Value::from(lines));
    assert_eq!(json["meta"]["columns"][1]["known"], 1);
    let arch = json["records"][1]["arch"].as_str().unwrap();
    let text = stdout(&["table", "show", arch, "--table", &table, "--format", "csv"]);
    assert_eq!(text, format!("index,arch,cifar10_test200,cifar10_valid12\n5,{arch},91.25,80.5\n"));

    let info = stdout(&["table", "info", "--table", &table]);
    assert!(info.contains("2 of 15,625") && info.contains("cifar10_valid12      1      –  %"), "{info}");
    let info: Value = serde_json::from_str(&stdout(&["table", "info", "--table", &table, "--format", "json"])).unwrap();
    assert_eq!(keys(&info), ["source", "kind", "cells", "columns"]);
    // Without a table, what is compiled in.
    assert!(stdout(&["table", "show", "9930"]).contains("cifar100_test200        73.51"));
}

#[test]
fn what_is_no_table_is_told_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.safetensors");
    let target = target.to_str().unwrap();
    let source = folder.path().join("x.pickle");
    std::fs::write(&source, b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R.").unwrap();
    let file = source.to_str().unwrap();
    let empty = tempfile::tempdir().unwrap();
    for (arguments, part) in [
        (&["table", "import", file, "-o", target][..], "the global os.system"),
        (&["table", "import", "/nowhere", "-o", target], "Cannot read /nowhere"),
        (&["table", "import", empty.path().to_str().unwrap(), "-o", target], "000000.pickle.pbz2"),
        (&["table", "show", "5", "--table", file], "etnas-fast table import"),
        (&["table", "show", "15625"], "15625"),
    ] {
        let output = etnas(arguments).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), text.lines().count()), (Some(2), 1), "{text}");
        assert!(text.starts_with("error: ") && text.contains(part), "{arguments:?}: {text}");
    }
    assert_eq!(names(folder.path()), ["x.pickle"]);
}

#[test]
fn the_benchmarks_files_are_imported() {
    let Some(source) = common::shared("data/formats/NATS-tss-real3-singlefile.pickle.pbz2") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.safetensors");
    let path = path.to_str().unwrap();
    let output = etnas(&["table", "import", source.to_str().unwrap(), "-o", path]).output().unwrap();
    assert!(output.status.success());
    let line = &rows(&stdout(&["table", "show", "11", "--table", path, "--format", "jsonl"]))[0];
    assert_eq!(line["cifar10_test12"], 74.0);
    // Read through nats_bench: the mean of seeds 777, 888 and 999.
    assert!((line["cifar10_test200"].as_f64().unwrap() - 91.58333333333333).abs() < 1e-9);
    assert_eq!(keys(line).len(), 31);
}
