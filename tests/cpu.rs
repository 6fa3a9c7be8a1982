//! The engine for processors against the plain f64 reference, on random weights and images at the real channel counts.

mod common;

use common::measures::{self, batch, cells, fresh, raw_bits, skeleton, FirstGradients};
use etnas::backend::Backend;
use etnas::cpu::{Cpu, Isa};
use etnas::input::RegressionTask;
use etnas::random::{Seeds, Stream};
use etnas::reference::Reference;
use etnas::space::Cell;
use etnas::weights::{Init, Weights};
use std::sync::Arc;

/// The processor with each of its instruction sets.
fn processors() -> Vec<Cpu> {
    Isa::available().into_iter().map(Cpu::with_isa).collect()
}

/// Runs a check on plain f64 and on the processor with each of its instruction sets.
fn everywhere(check: impl Fn(&[&dyn Backend])) {
    let processors = processors();
    let backends: Vec<&dyn Backend> = processors.iter().map(|cpu| cpu as &dyn Backend).collect();
    check(&[&[&Reference as &dyn Backend], &backends[..]].concat());
}

#[test]
fn naswot_agrees_with_the_reference() {
    let settings = [(1, (32, 32), 3), (2, (16, 16), 5), (1, (8, 20), 4), (1, (4, 4), 6)];
    everywhere(|backends| measures::naswot_agrees(backends, &settings, 10));
}

#[test]
fn images_that_differ_in_the_last_bits_are_told_apart_as_in_f64() {
    everywhere(|backends| measures::near_images_are_told_apart(backends, 6, 6));
}

#[test]
fn synflow_agrees_with_the_reference() {
    let settings = [(1, (32, 32)), (3, (16, 16)), (2, (8, 12))];
    everywhere(|backends| measures::synflow_agrees(backends, &settings, 10));
}

#[test]
fn training_agrees_with_the_reference() {
    let of_reference: FirstGradients = &|cell, weights, task| {
        etnas::reference::train(cell, weights, task).unwrap().first_gradient_norms.into_iter().collect()
    };
    let processors = processors();
    let of_processors: Vec<_> = processors
        .iter()
        .map(|cpu| {
            move |cell: &Cell, weights: &Arc<Weights>, task: &RegressionTask| cpu.first_gradients(cell, weights, task)
        })
        .collect();
    let mut backends: Vec<(&dyn Backend, FirstGradients)> = vec![(&Reference, of_reference)];
    backends.extend(
        processors.iter().zip(&of_processors).map(|(cpu, norms)| (cpu as &dyn Backend, norms as FirstGradients)),
    );
    measures::training_agrees(&backends, &[(1, (32, 32), 16), (1, (16, 16), 16)], 4);
}

#[test]
fn results_do_not_depend_on_threads_order_or_company() {
    let mut stream = Stream::new(fresh(), &[]);
    let weights = Arc::new(Weights::generated(skeleton(1, 16, 16), Init::Uniform, stream.bits()).unwrap());
    let images = batch(5, (16, 16), &mut stream);
    let task = RegressionTask::draw(batch(7, (16, 16), &mut stream), &Seeds::new(stream.bits()));
    let cells = cells(5, &mut stream);
    let run = |threads: usize, cells: &[Cell]| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| raw_bits(&Cpu::new(), cells, &weights, &images, &task))
    };
    let one = run(1, &cells);
    assert!(one.iter().any(|raw| raw.kernel.distance.iter().any(|d| *d > 0)));
    for threads in [2, 3, 7] {
        assert!(run(threads, &cells) == one, "{threads} threads");
    }
    let reversed: Vec<Cell> = cells.iter().rev().copied().collect();
    assert!(run(2, &reversed).into_iter().rev().collect::<Vec<_>>() == one);
    for (cell, together) in cells.iter().zip(&one) {
        assert!(run(2, &[*cell])[0] == *together, "{cell}");
    }
}

#[test]
fn slopes_rank_as_in_f64() {
    measures::slopes_rank_as_in_f64(&Cpu::new(), 8, 24);
}

#[test]
fn shifted_batch_norms_agree_with_the_reference() {
    everywhere(|backends| measures::shifted_norms_agree(backends, 4, 8));
}
