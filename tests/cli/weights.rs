//! The golden files through the command line: a cell's network with given weights on given images.

use super::{rows, stdout};
use safetensors::tensor::TensorView;
use safetensors::SafeTensors;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Writes the weights and the images of a golden file as users hold them; gives both paths.
fn split(golden: &SafeTensors, folder: &Path) -> (PathBuf, PathBuf) {
    let write = |name: &str, tensors: Vec<(String, TensorView)>| {
        let path = folder.join(name);
        safetensors::serialize_to_file(tensors, None, &path).unwrap();
        path
    };
    let net = golden.iter().filter_map(|(name, view)| Some((name.strip_prefix("net.")?.to_string(), view)));
    let images = vec![("images".to_string(), golden.tensor("naswot.input").unwrap())];
    (write("weights.safetensors", net.collect()), write("images.safetensors", images))
}

#[test]
fn golden_files_through_the_command_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut seen = 0;
    for size in ["small", "medium"] {
        for entry in std::fs::read_dir(root.join(size)).unwrap() {
            let path = entry.unwrap().path();
            if !path.to_str().unwrap().ends_with(".scores.safetensors") {
                continue;
            }
            seen += 1;
            let bytes = std::fs::read(&path).unwrap();
            let golden = SafeTensors::deserialize(&bytes).unwrap();
            let header = SafeTensors::read_metadata(&bytes).unwrap().1;
            let expected: Value = serde_json::from_str(&header.metadata().as_ref().unwrap()["json"]).unwrap();
            let count = golden.tensor("naswot.input").unwrap().shape()[0].to_string();
            let folder = tempfile::tempdir().unwrap();
            let (weights, images) = split(&golden, folder.path());
            let arguments = [
                "score",
                expected["arch"].as_str().unwrap(),
                "--measures=naswot,log-synflow,synflow",
                "--format=jsonl",
                "--batch",
                &count,
                "--weights",
                weights.to_str().unwrap(),
                "--data",
                images.to_str().unwrap(),
            ];
            for (form, key) in [("reference", "log_synflow_1e-6"), ("one-plus", "log_synflow_1")] {
                let record = rows(&stdout(&[&arguments[..], &["--log-synflow", form]].concat())).remove(0);
                let near = |value: &Value, expected: &Value, absolute: f64, relative: f64| {
                    let (value, expected) = (value.as_f64(), expected.as_f64());
                    let close = |v: f64, e: f64| (v - e).abs() <= absolute + relative * e.abs();
                    let same = match (value, expected) {
                        (Some(v), Some(e)) => close(v, e),
                        (v, e) => v == e,
                    };
                    assert!(same, "{}: {value:?} is not {expected:?}", path.display());
                };
                near(&record["naswot"], &expected["naswot"], 1e-3, 0.0);
                near(&record["log_synflow"], &expected[key], 0.0, 1e-5);
                near(&record["synflow"], &expected["synflow"], 0.0, 1e-5);
            }
        }
    }
    assert!(seen >= 9, "{seen} golden files");
}
