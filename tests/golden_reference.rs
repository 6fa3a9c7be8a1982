//! The reference against golden files that an independent PyTorch program made in f64: K_H entry by entry, everything else
//! to 1e-9 relative.

mod common;

use common::golden::{names, Golden};
use etnas::backend::Backend;
use etnas::reference::{self, Reference};
use nalgebra::DMatrix;
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

/// ln|det K|, by LU with partial pivoting.
fn log_determinant(k: &[f64], n: usize) -> f64 {
    DMatrix::from_row_slice(n, n, k).lu().u().diagonal().iter().map(|d| d.abs().ln()).sum()
}

fn check_scores(path: &Path) {
    let golden = Golden::open(path);
    let (json, cell) = (&golden.json, golden.cell);
    let batch = golden.batch("naswot.input");
    let weights = Arc::new(golden.weights((batch.height, batch.width)));

    let hamming = Reference.hamming(&[cell], &weights, &batch, &()).unwrap().remove(0);
    assert_eq!(hamming.bits, json["n_a"].as_u64().unwrap());
    assert_eq!(hamming.bits, weights.skeleton().code_bits(&cell));
    let k: Vec<f64> = hamming.distance.iter().map(|d| (hamming.bits - d) as f64).collect();
    // K's entries are whole numbers below 2^24, exact in f32.
    let expected = golden.tensor_f64("naswot.k");
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
    let golden = Golden::open(path);
    let (json, cell) = (&golden.json, golden.cell);
    let task = golden.task();
    let weights = golden.weights((task.images.height, task.images.width));
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
    let paths = names(folder, kind);
    assert_eq!(paths.len(), count, "{kind} files in {folder}");
    paths.iter().for_each(|path| check(path));
}

#[test]
fn small_scores() {
    committed("small", check_scores, "scores", 8);
}

#[test]
fn small_slope() {
    committed("small", check_slope, "slope", 4);
}

#[test]
fn medium_scores() {
    committed("medium", check_scores, "scores", 2);
}

#[test]
fn medium_slope() {
    committed("medium", check_slope, "slope", 1);
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
