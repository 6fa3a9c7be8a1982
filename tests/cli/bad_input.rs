//! Wrong input gets one clear sentence, an exit code, and no file.

use super::{etnas, names};

/// Runs the command with `-o out.jsonl` in an empty folder: it must end with `code`, print nothing but an error on stderr
/// that contains `parts`, and leave the folder empty.
fn refused(arguments: &[&str], code: i32, parts: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = etnas(arguments);
    command.current_dir(folder.path()).args(["-o", "out.jsonl"]);
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert_eq!(output.stdout, b"", "{arguments:?}");
    assert!(stderr.starts_with("error: "), "{arguments:?}: {stderr}");
    assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{arguments:?}: {part:?} is not in {stderr}");
    }
    assert_eq!(names(folder.path()), Vec::<String>::new(), "{arguments:?}");
}

/// As [`refused`], and the error is one line.
fn refused_in_a_sentence(arguments: &[&str], code: i32, parts: &[&str]) {
    refused(arguments, code, parts);
    let stderr = etnas(arguments).output().unwrap().stderr;
    assert_eq!(String::from_utf8(stderr).unwrap().lines().count(), 1, "{arguments:?}");
}

#[test]
fn malformed_cells() {
    let op = "|nor_conv_3x3~0|+|none~0|skip_conect~1|+|none~0|none~1|none~2|";
    refused_in_a_sentence(&["score", op], 2, &["position 25", "skip_conect", "did you mean skip_connect?"]);
    refused_in_a_sentence(&["score", "|none~0|+|none~0|"], 2, &["position 17", "found the end"]);
    refused_in_a_sentence(&["score", ""], 2, &["position 0", "found the end"]);
    refused_in_a_sentence(&["score", "5", "cell"], 2, &["\"cell\"", "position 0", "expected '|'"]);
    refused_in_a_sentence(&["score", "64:64:32:16:8"], 2, &["size search space"]);
    refused_in_a_sentence(&["score", "--encoding", "ops", "1,2,3"], 2, &["position 5", "expected a comma"]);
    refused_in_a_sentence(&["score", "--encoding", "naslib", "(0,1,2,3,4,5)"], 2, &["op id 6 of 6, from 0 to 4"]);
}

#[test]
fn indices_outside_the_space() {
    for index in ["-1", "15625", "99999999999999999999999999"] {
        refused_in_a_sentence(&["score", index], 2, &[index, "from 0 to 15624"]);
    }
    refused_in_a_sentence(&["score", "3", "-1"], 2, &["The cell index -1 does not exist"]);
    let output = etnas(&["explain", "-1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("The cell index -1 does not exist"));
}

#[test]
fn unknown_names_suggest_the_nearest() {
    for (option, name, nearest) in [
        ("--measures", "nawsot", "Did you mean naswot?"),
        ("--measures", "degree,loss-slop", "Did you mean loss-slope?"),
        ("--measures", "", "Known: naswot,"),
        ("--dataset", "cifar-10", "Did you mean cifar10?"),
        ("--dataset", "imagenet", "Did you mean imagenet16-120?"),
        ("--format", "jsonlines", "Did you mean jsonl?"),
        ("--device", "cudaa", "Did you mean cuda?"),
        ("--init", "kaiming", "Did you mean kaiming-fan-out?"),
        ("--init", "xavier", "Known: uniform, kaiming-fan-out."),
        ("--slope-init", "kaiming-fan-out", "Known: uniform, xavier."),
        ("--log-synflow", "one_plus", "Did you mean one-plus?"),
        ("--encoding", "op", "Did you mean ops?"),
    ] {
        refused_in_a_sentence(&["score", "5", option, name], 2, &["There is no", nearest]);
    }
    for (option, name, nearest) in [
        ("--preset", "algoritm1", "Did you mean algorithm1?"),
        ("--variant", "nodegree", "Did you mean no-degree?"),
        ("--degree-rule", "geq", "Did you mean ge?"),
        ("--rank-pool", "max", "Did you mean max-degree?"),
    ] {
        refused_in_a_sentence(&["search", option, name], 2, &["There is no", nearest]);
    }
    refused(&["score", "5", "--mesures", "degree"], 2, &["--mesures", "--measures"]);
    let output = etnas(&["serch"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("'search'"));
}

#[test]
fn numbers_out_of_range() {
    for option in ["--batch", "--repeats", "--threads", "--chunk", "--classes"] {
        for value in ["0", "-3", "1.5", "x", ""] {
            refused_in_a_sentence(&["score", "5", option, value], 2, &[option, "a whole number of at least 1"]);
        }
    }
    for option in ["--seed", "--weight-seed", "--data-seed", "--target-seed", "--noise-seed", "--search-seed"] {
        refused_in_a_sentence(&["score", "5", option, "-1"], 2, &[option, "from 0 to 18446744073709551615"]);
    }
    refused_in_a_sentence(&["score", "--sample", "0"], 2, &["--sample"]);
    refused_in_a_sentence(&["score", "--sample", "15626"], 2, &["--sample", "at most 15625", "15626"]);
}

#[test]
fn a_search_that_cannot_be_run() {
    refused_in_a_sentence(&["search", "--sample", "21"], 2, &["sample", "20", "21"]);
    refused_in_a_sentence(&["search", "--cycles", "19"], 2, &["cycles", "20", "19"]);
    refused_in_a_sentence(&["search", "--population", "15626", "--cycles", "20000"], 2, &["population", "15625"]);
    for option in ["--population", "--sample", "--cycles", "--runs", "--patience"] {
        refused_in_a_sentence(&["search", option, "0"], 2, &[option, "at least 1"]);
    }
}

#[test]
fn images_that_are_not_there() {
    refused_in_a_sentence(&["score", "5", "--data", "nowhere/data_batch_1.bin"], 2, &["nowhere/data_batch_1.bin"]);
    refused_in_a_sentence(&["search", "--data", "nowhere"], 2, &["nowhere"]);
    // The built-in photographs are 128.
    refused_in_a_sentence(&["score", "5", "--batch", "129"], 2, &["129", "128"]);
    let folder = tempfile::tempdir().unwrap();
    let truncated = folder.path().join("data_batch_1.bin");
    std::fs::write(&truncated, vec![7; 3073 * 4 - 1]).unwrap();
    let path = truncated.to_str().unwrap();
    refused_in_a_sentence(&["score", "5", "--data", path], 2, &["data_batch_1.bin", "12291", "expected"]);
}

#[test]
fn naswot_needs_two_images() {
    refused_in_a_sentence(&["score", "5", "--batch", "1", "--measures", "naswot"], 2, &["naswot", "2", "1"]);
}

#[test]
fn weights_belong_to_one_cell() {
    refused_in_a_sentence(&["score", "5", "6", "--weights", "w.safetensors"], 2, &["--weights", "one cell", "2 cells"]);
    refused_in_a_sentence(&["score", "5", "--weights", "absent.safetensors"], 2, &["absent.safetensors"]);
}

#[test]
fn tables_that_cannot_be_read() {
    refused_in_a_sentence(&["search", "--table", "absent.csv"], 2, &["absent.csv"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.csv");
    std::fs::write(&path, "name,value\na,1\n").unwrap();
    refused_in_a_sentence(&["search", "--table", path.to_str().unwrap()], 2, &["other.csv", "arch_index"]);
    let output = etnas(&["explain", "5"]).env("ETNAS_TABLE", "absent.csv").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("absent.csv"));
}

#[test]
fn cards_that_are_not_there() {
    for command in [&["score", "5"][..], &["search"]] {
        for card in ["cuda", "cuda:7"] {
            refused_in_a_sentence(&[command, &["--device", card]].concat(), 3, &["cuda"]);
        }
    }
    refused_in_a_sentence(&["score", "5", "--device", "cuda:x"], 2, &["There is no device"]);
}

#[test]
fn lines_of_stdin_are_named() {
    for (text, parts) in [
        ("5\n\n15625\n", &["Line 3 of standard input", "15625"][..]),
        ("|none~0|\n", &["Line 1 of standard input", "position 8"]),
        ("\n \n", &["at least one cell"]),
    ] {
        let output = etnas(&["score", "-", "--measures", "degree"]).write_stdin(text).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{stderr}");
        assert!(parts.iter().all(|part| stderr.contains(part)), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    refused_in_a_sentence(&["score", "-", "-"], 2, &["once"]);
}

#[test]
fn a_benchmark_that_cannot_be_run() {
    refused_in_a_sentence(&["bench", "--measures", "naswott"], 2, &["There is no", "Did you mean naswot?"]);
    refused_in_a_sentence(&["bench", "--measures", "degree"], 2, &["Known: naswot, log-synflow, loss-slope, search."]);
    refused_in_a_sentence(&["bench", "--format", "csv"], 2, &["There is no", "Known: table, json."]);
    refused_in_a_sentence(&["bench", "--cells", "0"], 2, &["--cells: expected a number of cells, at least 1"]);
    refused_in_a_sentence(&["bench", "--cells", "15626"], 2, &["--cells", "at most 15625", "15626"]);
    refused_in_a_sentence(&["bench", "--cells", "absent"], 2, &["Cannot read absent"]);
    refused_in_a_sentence(&["bench", "--batch", "1"], 2, &["at least 2 images"]);
    refused_in_a_sentence(&["bench", "--device", "cuda"], 3, &["The device cuda:0 cannot be used"]);
    for option in ["--repeats", "--chunk", "--threads", "--batch"] {
        refused_in_a_sentence(&["bench", option, "0"], 2, &[option, "a whole number of at least 1"]);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cells");
    for (text, part) in [("5\nfive\n", "Line 2 of the file "), ("\n", "expected at least one cell, found none")] {
        std::fs::write(&file, text).unwrap();
        refused_in_a_sentence(&["bench", "--cells", file.to_str().unwrap()], 2, &[part]);
    }
    refused(&["bench", "5"], 2, &["unexpected argument '5'"]);
}
