//! `convert`.

use super::{etnas, rows, stdout};
use serde_json::json;

#[test]
fn a_cell_in_all_encodings() {
    let expected = "\
index  op ids       NASLib              cell
─────  ───────────  ──────────────────  ──────────────────────────────────────────────────────────────────────────────────────
 9930  3,3,3,1,3,3  (2, 2, 0, 2, 2, 2)  |nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|
";
    let text = stdout(&["convert", "9930"]);
    assert_eq!(text.lines().next(), expected.lines().next());
    assert_eq!(text.lines().last(), expected.lines().last());
    // The string stands beside every index.
    let text = stdout(&["convert", "5", "9930", "--to", "index"]);
    assert!(text.lines().skip(2).all(|line| line.contains("~0|")), "{text}");
    let line = &rows(&stdout(&["convert", "(2, 2, 0, 2, 2, 2)", "--from", "naslib", "--format", "jsonl"]))[0];
    assert_eq!(
        *line,
        json!({"index": 9930, "ops": [3, 3, 3, 1, 3, 3], "naslib": [2, 2, 0, 2, 2, 2],
               "arch": "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"})
    );
    assert_eq!(stdout(&["convert", "9930", "--format", "csv", "--to", "ops"]), "ops\n\"3,3,3,1,3,3\"\n");
}

#[test]
fn whole_lists_go_round_through_every_encoding() {
    let indices: String = (0..15_625).step_by(7).map(|i| format!("{i}\n")).collect();
    let mut text = indices.clone();
    for (from, to) in [("index", "ops"), ("ops", "naslib"), ("naslib", "arch"), ("arch", "index")] {
        let arguments = ["convert", "-", "--from", from, "--to", to, "--format", "plain"];
        let output = etnas(&arguments).write_stdin(text).output().unwrap();
        assert!(output.status.success());
        text = String::from_utf8(output.stdout).unwrap();
    }
    assert_eq!(text, indices);
}

#[test]
fn what_has_two_meanings_is_refused() {
    for (arguments, parts) in [
        (&["convert", "3,0,1,0,0,4"][..], ["two: cell", "--from ops or --from naslib"]),
        (&["convert", "9930", "--from", "arch"], ["an architecture string", "--from index"]),
        (&["convert", "|none~0|", "--from", "index"], ["index", "0 to 15624"]),
        (&["convert", "9930", "--format", "plain"], ["one encoding", "--to"]),
        (&["convert", "15625"], ["15625", "0 to 15624"]),
        (&["convert", "9930", "--to", "onnx"], ["onnx", "naslib"]),
    ] {
        let output = etnas(arguments).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), text.lines().count()), (Some(2), 1), "{text}");
        assert!(parts.iter().all(|part| text.contains(part)), "{arguments:?}: {text}");
    }
    let output = etnas(&["convert", "-"]).write_stdin("9930\n\n3,0,1,0,0,4\n").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("Line 3 of standard input") && output.stdout.is_empty(), "{text}");
}
