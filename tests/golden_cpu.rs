//! The engine for processors against the golden files, at the tolerances for f32 of tests/golden/README.md.

mod common;

use common::golden::{files, names};
use common::golden_checks;
use common::measures::FirstGradients;
use etnas::backend::Backend;
use etnas::cpu::{Cpu, Isa};
use etnas::input::RegressionTask;
use etnas::space::Cell;
use etnas::weights::Weights;
use std::path::Path;
use std::sync::Arc;

fn processors() -> Vec<Cpu> {
    Isa::available().into_iter().map(Cpu::with_isa).collect()
}

fn check_scores(path: &Path) {
    let processors = processors();
    golden_checks::check_scores(path, &processors.iter().map(|cpu| cpu as &dyn Backend).collect::<Vec<_>>());
}

fn check_slope(path: &Path) {
    let processors = processors();
    let norms: Vec<_> = processors
        .iter()
        .map(|cpu| {
            move |cell: &Cell, weights: &Arc<Weights>, task: &RegressionTask| cpu.first_gradients(cell, weights, task)
        })
        .collect();
    let all = processors.iter().zip(&norms).map(|(cpu, norms)| (cpu as &dyn Backend, norms as FirstGradients));
    golden_checks::check_slope(path, &all.collect::<Vec<_>>());
}

#[test]
fn small_scores() {
    names("small", "scores").iter().for_each(|path| check_scores(path));
}

#[test]
fn medium_scores() {
    names("medium", "scores").iter().for_each(|path| check_scores(path));
}

#[test]
fn small_slope() {
    names("small", "slope").iter().for_each(|path| check_slope(path));
}

#[test]
fn medium_slope() {
    names("medium", "slope").iter().for_each(|path| check_slope(path));
}

#[test]
fn full_scores() {
    let Some(folder) = common::shared("golden/full") else { return };
    files(&folder, "scores").iter().for_each(|path| check_scores(path));
}

#[test]
fn full_slope() {
    let Some(folder) = common::shared("golden/full") else { return };
    files(&folder, "slope").iter().for_each(|path| check_slope(path));
}
