//! Seen elsewhere: Synflow of a network is 1e43 or 1e61, which f32 calls infinite.
//!
//! Here the processor and the cards scale by powers of two and count the exponent, as the network is homogeneous in each layer; the
//! reference is f64. 17 blocks on 4×4 pixels overflow f32 as those on 32×32 do. The whole space takes each kernel set some time, so every
//! 40th cell stands for it unless ETNAS_WHOLE_SPACE is set; tests/synflow.rs compares the largest value of the full network.

use super::common::measures::fresh;
use super::{rows, stdout};
use etnas::backend::{Backend, SynflowSums};
use etnas::cpu::{Cpu, Isa};
use etnas::cuda::Cuda;
use etnas::random::Stream;
use etnas::reference::Reference;
use etnas::space::{Cell, Skeleton};
use etnas::weights::{Init, Weights};
use etnas_emulator::Build;
use std::sync::Arc;

fn weights(init: Init, stream: &mut Stream) -> Arc<Weights> {
    let skeleton = Skeleton { height: 4, width: 4, ..Skeleton::benchmark(10, 32) };
    assert_eq!(skeleton.cells_per_stage, 5);
    Arc::new(Weights::generated(skeleton, init, stream.bits()).unwrap())
}

fn all(sums: &SynflowSums) -> [f64; 3] {
    [sums.product, sums.log_reference, sums.log_one_plus]
}

/// The sums are finite, and within 1e-5 of f64.
fn agree(set: &str, cells: &[Cell], ours: &[SynflowSums], truth: &[SynflowSums]) {
    assert_eq!((ours.len(), truth.len()), (cells.len(), cells.len()));
    for ((cell, ours), truth) in cells.iter().zip(ours).zip(truth) {
        for (ours, truth) in all(ours).into_iter().zip(all(truth)) {
            assert!(ours.is_finite() && truth.is_finite(), "{set} {cell}: {ours} {truth}");
            assert!((ours - truth).abs() <= 1e-5 * truth, "{set} {cell}: {ours} instead of {truth}");
        }
    }
}

/// Convolutions of 3×3 alone: about the largest Synflow.
const LARGEST: &str = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|";

/// Every 40th cell and the one above; every cell where ETNAS_WHOLE_SPACE is set.
fn space() -> Vec<Cell> {
    let step = if std::env::var_os("ETNAS_WHOLE_SPACE").is_some() { 1 } else { 40 };
    let mut cells: Vec<Cell> = Cell::all().filter(|cell| cell.index() % step == 0).collect();
    let largest = LARGEST.parse().unwrap();
    if !cells.contains(&largest) {
        cells.push(largest);
    }
    cells
}

#[test]
fn the_space_is_finite_and_its_largest_values_are_those_of_f64() {
    let mut stream = Stream::new(fresh(), &[]);
    let cells = space();
    let weights = weights(Init::KaimingFanOut, &mut stream);
    for isa in Isa::available() {
        let cpu = Cpu::with_isa(isa);
        let sums = cpu.synflow(&cells, &weights, &()).unwrap();
        assert!(sums.iter().flat_map(all).all(|sum| sum.is_finite() && sum >= 0.0), "{isa:?}");
        assert!(cells.iter().zip(&sums).all(|(cell, sums)| cell.is_dead() == (sums.product == 0.0)), "{isa:?}");
        let infinite = sums.iter().filter(|sums| (sums.product as f32).is_infinite()).count();
        let mut order: Vec<usize> = (0..cells.len()).collect();
        order.sort_by(|a, b| sums[*b].product.total_cmp(&sums[*a].product));
        let top: Vec<Cell> = order[..3].iter().map(|at| cells[*at]).collect();
        let ours: Vec<SynflowSums> = order[..3].iter().map(|at| sums[*at]).collect();
        println!("{isa:?}: {infinite} of {} cells beyond f32, the largest {:.1e}", cells.len(), ours[0].product);
        assert!((ours[0].product as f32).is_infinite());
        agree(&format!("{isa:?}"), &top, &ours, &Reference.synflow(&top, &weights, &()).unwrap());
    }
}

/// One cell alone, as an emulated card takes some thousand times as long as a processor.
#[test]
fn emulated_cuda_a_value_beyond_f32_is_that_of_f64() {
    etnas_emulator::activate(Build::Plain).unwrap();
    let mut stream = Stream::new(fresh(), &[]);
    let weights = weights(Init::KaimingFanOut, &mut stream);
    let largest: [Cell; 1] = [LARGEST.parse().unwrap()];
    let truth = Reference.synflow(&largest, &weights, &()).unwrap();
    assert!((truth[0].product as f32).is_infinite());
    for number in 0..3 {
        let card = Cuda::new(number).unwrap();
        agree(card.kernel_set(), &largest, &card.synflow(&largest, &weights, &()).unwrap(), &truth);
    }
}

#[test]
fn records_of_what_f32_cannot_hold_are_finite() {
    let arguments = ["score", LARGEST, "10", "--measures", "synflow,log-synflow", "--batch", "2", "--format", "jsonl"];
    let records = rows(&stdout(&[&arguments[..], &["--init", "kaiming-fan-out"]].concat()));
    let synflow = records[0]["synflow"].as_f64().unwrap();
    assert!(synflow.is_finite() && synflow > f64::from(f32::MAX), "{synflow}");
    assert_eq!((&records[1]["synflow"], &records[1]["status"]), (&0.0.into(), &"dead".into()));
}
