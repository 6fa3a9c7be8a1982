//! Faults that fuzzing and reading for it found, one test for each (docs/fuzzing.md lists them).

use super::meter::peak_of;
use super::seeds;
use etnas::measure::Measure;
use etnas::plot::{Cost, Gain, Trajectories};
use etnas::report::{merge, Format, MergeRules, Output};
use etnas::space::{Cell, SPACE_SIZE};
use etnas::table::{Accuracies, ScoreFile};
use etnas::tensor_file::TensorFile;
use etnas::weights::Weights;
use safetensors::tensor::TensorView;
use safetensors::Dtype;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A folder with one file in it.
fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// The most bytes that a refusal takes, and its text.
fn refusal<T>(read: impl FnOnce() -> etnas::Result<T>) -> (usize, String) {
    let mut text = String::new();
    let peak = peak_of(|| text = read().map(drop).unwrap_err().to_string());
    (peak, text)
}

/// Each column of the header asked for 125 kB, though all were of one tensor.
#[test]
fn a_tensor_named_by_many_columns_of_a_compact_table_fills_no_memory() {
    let data: Vec<u8> = (0..SPACE_SIZE).flat_map(|i| (i as f64 / 1e4 + 80.0).to_le_bytes()).collect();
    let column = r#"{"name":"cifar10_test200","meaning":"","known":1,"seeds":{}}"#;
    let header = |columns: usize| {
        let columns = vec![column; columns].join(",");
        format!(r#"{{"format":1,"program":"x","source":"x","kind":"x","cells":1,"columns":[{columns}]}}"#)
    };
    let table = |columns: usize| {
        let view = TensorView::new(Dtype::F64, vec![SPACE_SIZE], &data).unwrap();
        let metadata = HashMap::from([("etnas_table".to_string(), header(columns))]);
        file("t", &safetensors::serialize([("cifar10_test200", view)], Some(metadata)).unwrap())
    };
    let (_folder, path) = table(1);
    assert_eq!(Accuracies::open(&path).unwrap().cells(), SPACE_SIZE);
    let (_folder, path) = table(3000);
    let (peak, text) = refusal(|| Accuracies::open(&path));
    assert!(text.contains("one column under cifar10_test200, found two"), "{text}");
    assert!(peak < 16 << 20, "{peak} bytes");
}

/// Each record had a place in every column: half a megabyte asked for 15,625² values of 16 bytes.
#[test]
fn records_with_a_column_each_fill_no_memory() {
    let text: String = (0..SPACE_SIZE).map(|i| format!("{{\"index\":{i},\"score_{i}\":1}}\n")).collect();
    let (_folder, path) = file("s.jsonl", text.as_bytes());
    let (peak, text) = refusal(|| ScoreFile::open(&path));
    assert!(text.contains("cells times columns") && text.contains("records and"), "{text}");
    assert!(peak < 160 << 20, "{peak} bytes");
}

/// The names of the header's columns were copied for every row.
#[test]
fn a_long_name_of_a_column_is_not_copied_for_every_row_of_a_trajectory() {
    let rows: String = (0..2000).map(|i| format!("rea,0,{i},50.5,x\n")).collect();
    let text = format!("method,run,evaluations,test_accuracy,{}\n{rows}", "remark".repeat(20_000));
    let (_folder, path) = file("t.csv", text.as_bytes());
    let peak = peak_of(|| drop(Trajectories::open(&[&path], Cost::Evaluations, Gain::Accuracy).unwrap()));
    assert!(peak < 16 << 20, "{peak} bytes");
}

/// The header was read again for every tensor that was asked for: a network may have 1,200 of them.
#[test]
fn the_header_of_weights_is_read_once() {
    let data = 0.5_f32.to_le_bytes();
    let names: Vec<String> = (0..20_000).map(|i| format!("remark.{i:0>80}")).collect();
    let views = names.iter().map(|name| (name.as_str(), TensorView::new(Dtype::F32, vec![1], &data).unwrap()));
    let (_folder, path) = file("w.safetensors", &safetensors::serialize(views, None).unwrap());
    let file = TensorFile::open(&path).unwrap();
    for name in &names[..1000] {
        let peak = peak_of(|| assert_eq!(file.get(name).unwrap().unwrap().values, [0.5]));
        assert!(peak < 4096, "{peak} bytes for one number");
        assert!(file.get(&name[1..]).unwrap().is_none());
    }
}

/// `--weights /dev/zero` never ended.
#[cfg(unix)]
#[test]
fn weights_from_a_device_without_end_are_refused() {
    let (_, text) = refusal(|| TensorFile::open(Path::new("/dev/zero")));
    assert!(text.contains("/dev/zero") && text.contains("no regular file"), "{text}");
}

/// The number of cells a stage is read off the names; the refusal did not say of which file.
#[test]
fn weights_of_an_impossible_network_name_their_file() {
    let data: Vec<u8> = (0..27).flat_map(|i| (i as f32 + 0.5).to_le_bytes()).collect();
    let stem = TensorView::new(Dtype::F32, vec![1, 3, 3, 3], &data).unwrap();
    let one = |_: usize| TensorView::new(Dtype::F32, vec![1], &data[..4]).unwrap();
    let names = [100, 201].map(|block| format!("cells.{block}.conv_a.op.1.weight"));
    let tensors = [("stem.0.weight", stem), (&names[0], one(0)), (&names[1], one(1))];
    let (_folder, path) = file("deep.safetensors", &safetensors::serialize(tensors, None).unwrap());
    let (_, text) = refusal(|| Weights::skeleton_of(&TensorFile::open(&path).unwrap(), "", (8, 8)));
    assert!(
        text.contains("cells per stage in") && text.contains("deep.safetensors") && text.contains("found 100"),
        "{text}"
    );
}

/// A measure that metadata name and nobody knows was told without the file.
#[test]
fn metadata_with_an_unknown_measure_are_named() {
    let (folder, path) = file("a.jsonl", seeds::records(Format::Jsonl).as_bytes());
    let metadata = super::bodies::valid_metadata().replace("\"degree\"", "\"degrees\"");
    std::fs::write(folder.path().join("a.jsonl.meta.json"), metadata).unwrap();
    let mut output = Output::open(Some(&folder.path().join("merged")), true).unwrap();
    let (_, text) = refusal(|| merge(std::slice::from_ref(&path), MergeRules::default(), &mut output));
    assert!(text.contains("a.jsonl.meta.json") && text.contains("degrees"), "{text}");
}

/// What a file holds stood in errors as it was, line breaks and a megabyte of it included.
#[test]
fn errors_tell_the_begin_of_long_text_on_one_line() {
    let long = format!("|nor_conv_3x3~0|\u{1b}[2J{}", "+".repeat(1 << 20));
    let text = long.parse::<Cell>().unwrap_err().to_string();
    assert!(text.len() < 2000 && !text.chars().any(char::is_control), "{} bytes", text.len());
    assert!(text.contains("|nor_conv_3x3~0|") && text.ends_with("15624."), "{text}");
    let name = Measure::from_name(&"x\ny".repeat(1 << 20)).unwrap_err().to_string();
    assert!(name.len() < 4000 && !name.contains('\n'), "{} bytes", name.len());
}
