//! The reference against golden files that an independent PyTorch program made in f64: K_H entry by entry, everything else
//! to 1e-9 relative.

mod common;

use etnas::backend::Backend;
use etnas::input::{Batch, RegressionTask};
use etnas::reference::{self, Reference};
use etnas::space::Cell;
use etnas::tensor_file::TensorFile;
use etnas::weights::Weights;
use nalgebra::DMatrix;
use safetensors::SafeTensors;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const TOLERANCE: f64 = 1e-9;

#[track_caller]
fn close(what: &str, found: f64, expected: f64) {
    assert!((found - expected).abs() <= TOLERANCE * expected.abs(), "{what}: {found:e} instead of {expected:e}");
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// The results in a golden file, and its cell.
fn results(path: &Path) -> (Value, Cell) {
    let bytes = std::fs::read(path).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let json: Value = serde_json::from_str(&metadata.metadata().as_ref().unwrap()["json"]).unwrap();
    let cell = json["arch"].as_str().unwrap().parse().unwrap();
    (json, cell)
}

fn images(file: &TensorFile, name: &str) -> Batch {
    let tensor = file.require(name).unwrap();
    let [count, 3, height, width] = tensor.shape[..] else { panic!("{name} {:?}", tensor.shape) };
    Batch { count, height, width, pixels: tensor.values }
}

fn weights(file: &TensorFile, cell: &Cell, batch: &Batch) -> Arc<Weights> {
    Arc::new(Weights::from_safetensors(file, "net.", cell, (batch.height, batch.width)).unwrap())
}

/// ln|det K|, by LU with partial pivoting.
fn log_determinant(k: &[f64], n: usize) -> f64 {
    DMatrix::from_row_slice(n, n, k).lu().u().diagonal().iter().map(|d| d.abs().ln()).sum()
}

fn check_scores(path: &Path) {
    let (json, cell) = results(path);
    let file = TensorFile::open(path).unwrap();
    let batch = images(&file, "naswot.input");
    let weights = weights(&file, &cell, &batch);

    let hamming = Reference.hamming(&[cell], &weights, &batch, &()).unwrap().remove(0);
    assert_eq!(hamming.bits, json["n_a"].as_u64().unwrap());
    assert_eq!(hamming.bits, weights.skeleton().code_bits(&cell));
    let k: Vec<f64> = hamming.distance.iter().map(|d| (hamming.bits - d) as f64).collect();
    // K's entries are whole numbers below 2^24, exact in f32.
    let expected: Vec<f64> = file.require("naswot.k").unwrap().values.into_iter().map(f64::from).collect();
    assert!(expected.iter().all(|&v| v < f64::from(1 << 24)));
    assert_eq!(k, expected);
    match json["naswot"].as_f64() {
        Some(naswot) => close("naswot", log_determinant(&k, batch.count), naswot),
        None => assert!(cell.has_constant_codes() && hamming.distance.iter().all(|&d| d == 0)),
    }

    let layers = reference::synflow_layers(&cell, &weights);
    let mut expected: BTreeMap<String, Value> = serde_json::from_value(json["synflow_layers"].clone()).unwrap();
    for layer in &layers {
        let sums = expected.remove(&layer.name).unwrap_or_else(|| panic!("{} is not in the golden file", layer.name));
        close(&layer.name, layer.sums.product, number(&sums[0]));
        close(&layer.name, layer.sums.log_reference, number(&sums[1]));
        close(&layer.name, layer.sums.log_one_plus, number(&sums[2]));
    }
    assert!(expected.is_empty(), "the reference lacks {expected:?}");
    let sums = Reference.synflow(&[cell], &weights, &()).unwrap()[0];
    close("synflow", sums.product, number(&json["synflow"]));
    close("LogSynflow", sums.log_reference, number(&json["log_synflow_1e-6"]));
    close("LogSynflow + 1", sums.log_one_plus, number(&json["log_synflow_1"]));
}

fn check_slope(path: &Path) {
    let (json, cell) = results(path);
    let file = TensorFile::open(path).unwrap();
    let images = images(&file, "slope.input");
    let weights = weights(&file, &cell, &images);
    let noise = file.require("slope.noise").unwrap().values;
    let task = RegressionTask {
        noise: noise.chunks_exact(images.pixels.len()).map(<[f32]>::to_vec).collect(),
        images,
        targets: [0, 1, 2].map(|stage| file.require(&format!("slope.target.{stage}")).unwrap().values),
    };
    let training = reference::train(&cell, &weights, &task).unwrap();

    let expected: Vec<f64> = json["losses"].as_array().unwrap().iter().map(number).collect();
    assert_eq!(training.losses.len(), expected.len());
    for (step, (&found, &expected)) in training.losses.iter().zip(&expected).enumerate() {
        close(&format!("loss of step {step}"), found, expected);
    }
    let mut norms: BTreeMap<String, f64> = serde_json::from_value(json["first_step_gradient_norms"].clone()).unwrap();
    for (name, &found) in &training.first_gradient_norms {
        let name = if name.starts_with("heads.") { name.clone() } else { format!("net.{name}") };
        let expected = norms.remove(&name).unwrap_or_else(|| panic!("{name} is not in the golden file"));
        close(&name, found, expected);
    }
    assert!(norms.is_empty(), "the reference lacks {norms:?}");
}

fn committed(folder: &str, check: fn(&Path), kind: &str, count: usize) {
    let mut paths: Vec<_> =
        std::fs::read_dir(common::golden(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(kind));
    assert_eq!(paths.len(), count, "{kind} files in {folder}");
    for path in paths {
        eprintln!("{}", path.display());
        check(&path);
    }
}

#[test]
fn small_scores() {
    committed("small", check_scores, ".scores.safetensors", 8);
}

#[test]
fn small_slope() {
    committed("small", check_slope, ".slope.safetensors", 4);
}

#[test]
fn medium_scores() {
    committed("medium", check_scores, ".scores.safetensors", 2);
}

#[test]
fn medium_slope() {
    committed("medium", check_slope, ".slope.safetensors", 1);
}

/// The benchmark's own network: 16 channels, 5 cells a stage, 128 images.
fn full(name: &str, check: fn(&Path)) {
    if let Some(path) = common::shared(&format!("golden/full/{name}.safetensors")) {
        check(&path);
    }
}

#[test]
fn full_best_cifar10_scores() {
    full("best_cifar10.scores", check_scores);
}

#[test]
fn full_best_cifar10_slope() {
    full("best_cifar10.slope", check_slope);
}

#[test]
fn full_index_0_scores() {
    full("index_0.scores", check_scores);
}

#[test]
fn full_index_0_slope() {
    full("index_0.slope", check_slope);
}

#[test]
fn full_conv_after_zero_scores() {
    full("conv_after_zero.scores", check_scores);
}

#[test]
fn full_conv_after_zero_slope() {
    full("conv_after_zero.slope", check_slope);
}
