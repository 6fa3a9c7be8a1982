//! The engine for cards, unmodified, on emulated cards of compute capability 9.0, 8.0 and 7.5, against the plain f64 reference.

mod common;

use common::golden::{files, names};
use common::golden_checks;
use common::measures::{self, batch, cells, fresh, raw_bits, skeleton, FirstGradients};
use etnas::backend::Backend;
use etnas::cuda::{Cuda, Precision};
use etnas::input::RegressionTask;
use etnas::measure::naswot;
use etnas::random::{Seeds, Stream};
use etnas::reference::Reference;
use etnas::space::Cell;
use etnas::weights::{Init, Weights};
use etnas_emulator::Build;
use std::sync::Arc;

/// Compute capabilities of the emulated cards, by number.
const CAPABILITIES: [(i32, i32); 3] = [(9, 0), (8, 0), (7, 5)];

/// An emulated card.
fn card(number: usize) -> Cuda {
    etnas_emulator::activate(Build::Plain).unwrap();
    let card = Cuda::new(number).unwrap();
    assert_eq!(card.card().capability, CAPABILITIES[number]);
    card
}

/// Every card with its own arithmetic, and one with f32.
fn emulated() -> Vec<Cuda> {
    let mut all: Vec<Cuda> = (0..CAPABILITIES.len()).map(card).collect();
    all.push(card(0).with(Precision::F32).unwrap());
    all
}

/// A card's gradients of the first step.
fn first_gradients(card: &Cuda) -> impl Fn(&Cell, &Arc<Weights>, &RegressionTask) -> Vec<(String, f64)> + use<'_> {
    |cell, weights, task| card.first_gradients(cell, weights, task).unwrap()
}

fn everywhere(check: impl Fn(&[&dyn Backend])) {
    let cards = emulated();
    check(&cards.iter().map(|card| card as &dyn Backend).collect::<Vec<_>>());
}

#[test]
fn emulated_cuda_naswot_agrees_with_the_reference() {
    everywhere(|backends| measures::naswot_agrees(backends, &[(1, (16, 16), 3), (1, (8, 12), 5), (1, (4, 4), 4)], 4));
}

#[test]
fn emulated_cuda_tells_near_images_apart() {
    everywhere(|backends| measures::near_images_are_told_apart(backends, 4, 2));
}

#[test]
fn emulated_cuda_shifted_batch_norms_agree_with_the_reference() {
    everywhere(|backends| measures::shifted_norms_agree(backends, 3, 2));
}

#[test]
fn emulated_cuda_synflow_agrees_with_the_reference() {
    everywhere(|backends| measures::synflow_agrees(backends, &[(1, (32, 32)), (2, (8, 12))], 4));
}

#[test]
fn emulated_cuda_training_agrees_with_the_reference() {
    let cards = emulated();
    let norms: Vec<_> = cards.iter().map(first_gradients).collect();
    let backends: Vec<(&dyn Backend, FirstGradients)> =
        cards.iter().zip(&norms).map(|(card, norms)| (card as &dyn Backend, norms as FirstGradients)).collect();
    measures::training_agrees(&backends, &[(1, (16, 16), 16)], 1);
}

#[test]
fn emulated_cuda_golden_small_scores() {
    everywhere(|backends| names("small", "scores").iter().for_each(|path| golden_checks::check_scores(path, backends)));
}

fn check_slopes(size: &str, cards: &[Cuda]) {
    let norms: Vec<_> = cards.iter().map(first_gradients).collect();
    let backends: Vec<(&dyn Backend, FirstGradients)> =
        cards.iter().zip(&norms).map(|(card, norms)| (card as &dyn Backend, norms as FirstGradients)).collect();
    names(size, "slope").iter().for_each(|path| golden_checks::check_slope(path, &backends));
}

#[test]
fn emulated_cuda_golden_small_slope() {
    check_slopes("small", &emulated()[..3]);
}

#[test]
fn emulated_cuda_golden_medium() {
    everywhere(|backends| {
        names("medium", "scores").iter().for_each(|path| golden_checks::check_scores(path, backends))
    });
    check_slopes("medium", &emulated()[..1]);
}

#[test]
#[ignore = "full networks take minutes on an emulated card: .ci/extended runs it"]
fn emulated_cuda_golden_full() {
    let Some(folder) = common::shared("golden/full") else { return };
    let card = card(0);
    for path in files(&folder, "scores") {
        golden_checks::check_scores(&path, &[&card]);
    }
}

#[test]
fn emulated_cuda_determinants_are_those_of_the_distances() {
    let mut stream = Stream::new(fresh(), &[]);
    let weights = Arc::new(Weights::generated(skeleton(1, 8, 8), Init::Uniform, stream.bits()).unwrap());
    let mut images = batch(6, (8, 8), &mut stream);
    let list = cells(3, &mut stream);
    for twice in [false, true] {
        if twice {
            // Two equal images make every kernel singular.
            images.pixels.copy_within(..3 * 64, 3 * 64 * 4);
        }
        for card in [card(0), card(2)] {
            let distances = card.hamming(&list, &weights, &images, &()).unwrap();
            let kernels = card.kernels(&list, &weights, &images, &()).unwrap();
            for ((cell, kernel), hamming) in list.iter().zip(&kernels).zip(&distances) {
                let (ours, exact) = (naswot::score_of(kernel), naswot::score(hamming));
                assert_eq!(ours.is_finite(), exact.is_finite(), "{cell}: {ours} {exact}");
                assert!(!twice || !ours.is_finite());
                assert!(!exact.is_finite() || (ours - exact).abs() <= 1e-10 * exact, "{cell}: {ours} {exact}");
            }
        }
    }
}

#[test]
fn emulated_cuda_results_do_not_depend_on_company_order_or_memory() {
    let mut stream = Stream::new(fresh(), &[]);
    let weights = Arc::new(Weights::generated(skeleton(1, 8, 8), Init::Uniform, stream.bits()).unwrap());
    let images = batch(4, (8, 8), &mut stream);
    let mut task = RegressionTask::draw(batch(3, (8, 8), &mut stream), &Seeds::new(stream.bits()));
    task.noise.truncate(3);
    let list = cells(2, &mut stream);
    let card = card(0);
    let run = |cells: &[Cell]| raw_bits(&card, cells, &weights, &images, &task);
    let together = run(&list);
    assert!(together.iter().any(|raw| raw.kernel.distance.iter().any(|d| *d > 0)));
    assert!(together.iter().all(|raw| raw.losses.len() == 3));
    assert!(run(&list) == together, "the same again");
    let reversed: Vec<Cell> = list.iter().rev().copied().collect();
    for ((cell, alone), expected) in reversed.iter().zip(run(&reversed)).zip(together.iter().rev()) {
        assert!(alone == *expected, "{cell} in another order: {alone:?} {expected:?}");
    }
    for (cell, expected) in list.iter().zip(&together) {
        assert!(run(&[*cell])[0] == *expected, "{cell}");
    }
}

#[test]
fn emulated_cuda_cells_do_not_lean_on_the_first_of_their_chunk() {
    // The first cell of a chunk computes what all share. In some the stem's code counts and nothing else reads the stem.
    let mut stream = Stream::new(fresh(), &[]);
    let weights = Arc::new(Weights::generated(skeleton(1, 8, 8), Init::Uniform, stream.bits()).unwrap());
    let images = batch(3, (8, 8), &mut stream);
    let mut list = cells(0, &mut stream);
    list.push("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|".parse().unwrap());
    let card = card(0);
    let distances = |cells: &[Cell]| card.hamming(cells, &weights, &images, &()).unwrap();
    let alone: Vec<_> = list.iter().map(|cell| distances(&[*cell]).remove(0)).collect();
    assert!(alone.iter().filter(|kernel| kernel.distance.iter().any(|d| *d > 0)).count() > 3);
    for (first, of_first) in list.iter().zip(&alone) {
        for (second, of_second) in list.iter().zip(&alone) {
            let pair = distances(&[*first, *second]);
            assert!(pair[0] == *of_first && pair[1] == *of_second, "{first} before {second}");
        }
    }
}

#[test]
fn emulated_cuda_rounded_arithmetics_keep_the_score() {
    let mut stream = Stream::new(fresh(), &[]);
    let weights = Arc::new(Weights::generated(skeleton(1, 16, 16), Init::Uniform, stream.bits()).unwrap());
    let images = batch(4, (16, 16), &mut stream);
    let list = cells(1, &mut stream);
    let truth = Reference.hamming(&list, &weights, &images, &()).unwrap();
    for (number, precision) in [(0, Precision::Tf32), (1, Precision::F16), (2, Precision::F16)] {
        let card = card(number).with(precision).unwrap();
        let ours = card.hamming(&list, &weights, &images, &()).unwrap();
        let mut flips = 0;
        for ((cell, ours), truth) in list.iter().zip(&ours).zip(&truth) {
            for (a, b) in ours.distance.iter().zip(&truth.distance) {
                // Operands of 11 bits: a sign flips where a value lies within some 1e-3 of zero.
                let off = a.abs_diff(*b);
                assert!(off as f64 <= 5e-3 * truth.bits as f64, "{precision:?} {cell}: {a} {b}");
                flips += off;
            }
            let (a, b) = (naswot::score(ours), naswot::score(truth));
            assert!(a == b || (a - b).abs() <= 5e-3 * b, "{precision:?} {cell}: {a} {b}");
        }
        println!("{precision:?} on {}: distances differ by {flips} in all", card.card().name);
        assert!(flips > 0, "{precision:?} rounds nothing");
    }
}

#[test]
fn emulated_cuda_refuses_arithmetic_that_the_card_lacks() {
    let error = card(2).with(Precision::Tf32x3).err().unwrap();
    assert_eq!(error.exit_code(), 3);
    assert!(error.to_string().contains("compute capability 8.0"), "{error}");
}
