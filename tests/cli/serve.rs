//! `serve`: requests and answers, one a line.

use super::{rows, stdout};
use serde_json::{json, Value};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const QUICK: [&str; 5] = ["--dataset", "imagenet16-120", "--batch", "2", "--device=cpu"];

fn server(more: &[&str]) -> Child {
    Command::new(assert_cmd::cargo::cargo_bin!("etnas-fast"))
        .arg("serve")
        .args(QUICK)
        .args(more)
        .env_remove("ETNAS_TABLE")
        .env("CUDA_VISIBLE_DEVICES", "")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a server answers to these bytes, and its exit code.
fn answered(more: &[&str], requests: &[u8]) -> (Vec<Value>, Option<i32>) {
    let mut child = server(more);
    child.stdin.take().unwrap().write_all(requests).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    (rows(&String::from_utf8(output.stdout).unwrap()), output.status.code())
}

#[test]
fn answers_are_the_records_of_score_in_the_order_of_the_requests() {
    let requests = [
        json!({"id": 1, "cells": [9930, "1462"], "measures": ["naswot", "degree"]}),
        json!({"id": "two", "cells": ["0"], "measures": ["log-synflow"]}),
        json!({"cells": [1462], "measures": ["degree", "naswot"]}),
        json!({"id": 4, "ask": "configuration"}),
        json!({"id": 5, "cells": [5, 7, 10], "measures": ["utopian"]}),
        json!({"id": 6, "cells": []}),
    ];
    let text: String = requests.iter().map(|request| format!("{request}\n")).collect();
    // The last line needs no end; blank ones are no requests.
    let (answers, code) = answered(&[], text.replace("\n", "\n\n").trim_end().as_bytes());
    assert_eq!(code, Some(0));
    let ids: Vec<&Value> = answers.iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, [&json!(1), &json!("two"), &json!(null), &json!(4), &json!(5), &json!(6)]);
    let scored = |cells: &[&str], measures: &str| {
        let arguments = [&["score"], cells, &QUICK, &["--measures", measures, "--format", "jsonl", "--quiet"]].concat();
        Value::from(rows(&stdout(&arguments)))
    };
    assert_eq!(answers[0]["records"], scored(&["9930", "1462"], "naswot,degree"));
    assert_eq!(answers[1]["records"], scored(&["0"], "log-synflow"));
    assert_eq!(answers[2]["records"][0], answers[0]["records"][1]);
    assert_eq!(answers[3]["configuration"]["dataset"], "imagenet16-120");
    assert_eq!(answers[4]["records"], scored(&["5", "7", "10"], "utopian"));
    assert_eq!(answers[5]["records"], json!([]));
}

#[test]
fn a_wrong_request_is_answered_and_the_next_one_too() {
    let long = format!("{{\"id\": 9, \"cells\": [{}1]}}", "1, ".repeat(200));
    let requests = [
        r#"{"id": 1, "cells": [15625], "measures": ["degree"]}"#,
        "{\"id\": 2, \"cells\": [",
        &long,
        r#"{"id": 4, "cells": [1, 2, 3, 4], "measures": ["degree"]}"#,
        r#"{"id": 5, "cells": [1], "measures": ["degree"], "flag": false}"#,
        r#"{"id": 6, "cells": [1], "measures": ["degree"]}"#,
    ];
    let (answers, code) = answered(&["--most-bytes", "300", "--most-cells", "3"], requests.join("\n").as_bytes());
    assert_eq!((answers.len(), code), (6, Some(0)));
    for (answer, part) in answers.iter().zip([
        "The cell index 15625 does not exist",
        "one JSON object a line",
        "at most 300 bytes a line",
        "at most 3 cells in a request",
        "flag",
    ]) {
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains(part) && error.lines().count() == 1, "{error}");
        assert_eq!(answer["code"], 2);
    }
    // The command line says the same sentence.
    let output = super::etnas(&["score", "15625"]).output().unwrap();
    let sentence = answers[0]["error"].as_str().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("error: {sentence}\n"));
    assert_eq!(answers[5], json!({"id": 6, "records": [answers[5]["records"][0]]}));
    assert!(answers[5]["records"][0]["degree"].is_number());
}

#[test]
fn a_client_that_does_not_read_is_not_read_and_loses_nothing() {
    let mut child = server(&["--under-way", "2"]);
    let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let count = 20_000;
    let writer = std::thread::spawn(move || {
        for id in 0..count {
            writeln!(stdin, "{}", json!({"id": id, "cells": [id % 15_625, 3], "measures": ["degree"]})).unwrap();
        }
    });
    // Nothing is read for a while: pipes fill, and the server waits instead of growing.
    std::thread::sleep(std::time::Duration::from_millis(300));
    if let Some(memory) = resident(child.id()) {
        assert!(memory < 300 << 20, "{memory} bytes");
    }
    let mut answers = BufReader::new(stdout).lines();
    for id in 0..count {
        let answer: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        assert_eq!(answer["id"], id);
        assert_eq!(answer["records"][0]["index"], id % 15_625);
    }
    assert!(answers.next().is_none());
    writer.join().unwrap();
    assert!(child.wait().unwrap().success());
}

/// Bytes of memory of a process, where that can be known.
fn resident(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? << 10)
}

#[test]
fn a_client_that_leaves_ends_the_server_quietly() {
    let mut child = server(&[]);
    let mut stdin = child.stdin.take().unwrap();
    drop(child.stdout.take());
    // The pipe on this side stays open: that nobody reads is noticed by writing.
    writeln!(stdin, "{}", json!({"cells": [1], "measures": ["degree"]})).unwrap();
    assert!(child.wait().unwrap().success());
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "");
}

#[cfg(unix)]
mod socket {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    /// A server at a socket, once it listens.
    fn listening(path: &Path, more: &[&str]) -> Child {
        let mut child = server(&[&["--socket", path.to_str().unwrap()], more].concat());
        let mut line = String::new();
        BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, format!("Listening at {}.\n", path.display()));
        child
    }

    fn end(child: &mut Child, signal: i32) -> Option<i32> {
        // SAFETY: the process is a child of ours that has not been waited for, so its number is its own.
        assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
        child.wait().unwrap().code()
    }

    /// What a server has written on stderr and was not read yet.
    fn rest_of_stderr(child: &mut Child) -> String {
        let mut text = String::new();
        child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// Ends a server that has answered everything: that is no failure.
    fn end_idle(child: &mut Child, signal: i32) {
        assert_eq!((end(child, signal), rest_of_stderr(child).as_str()), (Some(0), ""));
    }

    fn ask(path: &Path, cells: &[usize]) -> Value {
        let mut stream = UnixStream::connect(path).unwrap();
        writeln!(stream, "{}", json!({"id": 1, "cells": cells, "measures": ["naswot"]})).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn several_sessions_are_answered_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("etnas.sock");
        let mut child = listening(&path, &[]);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let alone = ask(&path, &[1462, 9930])["records"].clone();
        assert!(alone[0]["naswot"].as_f64().unwrap().is_finite());
        // A session that says nothing holds nobody up.
        let silent = UnixStream::connect(&path).unwrap();
        let sessions: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || ask(&path, &[1462, 9930]))
            })
            .collect();
        for session in sessions {
            assert_eq!(session.join().unwrap()["records"], alone);
        }
        drop(silent);
        // Another server may not take the place, and leaves it as it is.
        let output = super::super::etnas(&["serve", "--socket", path.to_str().unwrap()]).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && error.contains("a server that listens at"), "{error}");
        assert_eq!(ask(&path, &[1462])["records"][0], alone[0]);
        end_idle(&mut child, libc::SIGTERM);
        assert!(!path.exists());
    }

    #[test]
    fn a_server_on_stdin_that_is_asked_nothing_ends_quietly_by_a_signal() {
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
            let mut child = server(&[]);
            let mut stdin = child.stdin.take().unwrap();
            writeln!(stdin, "{}", json!({"cells": [1], "measures": ["degree"]})).unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
            assert!(line.contains("records"), "{line}");
            // Its stdin stays open: it is the signal that ends it.
            end_idle(&mut child, signal);
            drop(stdin);
        }
    }

    #[test]
    fn a_socket_left_behind_is_replaced_and_a_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let mut child = listening(&path, &[]);
        assert_eq!(end(&mut child, libc::SIGKILL), None);
        assert!(path.exists());
        let mut child = listening(&path, &["--sessions", "1"]);
        assert_eq!(ask(&path, &[3])["id"], 1);
        end_idle(&mut child, libc::SIGINT);
        std::fs::write(&path, "mine").unwrap();
        let output = super::super::etnas(&["serve", "--socket", path.to_str().unwrap()]).output().unwrap();
        assert!(String::from_utf8(output.stderr).unwrap().contains("Choose another path; nothing was changed."));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn a_signal_ends_the_server_and_every_request_that_was_read_is_answered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        // Large enough that the work outlasts the signal.
        let mut child = listening(&path, &[]);
        let mut stream = UnixStream::connect(&path).unwrap();
        let cells: Vec<usize> = (0..5000).collect();
        for id in 0..3 {
            writeln!(stream, "{}", json!({"id": id, "cells": cells, "measures": ["loss_slope"]})).unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert_eq!(end(&mut child, libc::SIGTERM), Some(130));
        let error = rest_of_stderr(&mut child);
        assert_eq!(error, "error: Interrupted; what was written so far is valid.\n");
        let answers: Vec<Value> =
            BufReader::new(stream).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        assert_eq!(answers.iter().map(|answer| &answer["id"]).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(answers.iter().all(|answer| answer["code"] == 130), "{answers:?}");
        assert!(!path.exists());
    }
}
