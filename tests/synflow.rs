//! LogSynflow's sums on the engine for processors: against the f64 reference, and to the last bit whoever is beside a cell.

mod common;

use common::network::changed;
use etnas::backend::{Backend, SynflowSums};
use etnas::cpu::{Convolution, Cpu, Isa};
use etnas::random::Stream;
use etnas::reference::Reference;
use etnas::space::{Cell, Skeleton};
use etnas::weights::{Init, Slot, Weights};
use std::sync::Arc;

/// A stream that differs from run to run; failures print its seed.
fn fresh() -> Stream {
    Stream::new(common::measures::fresh(), &[])
}

fn skeleton(cells_per_stage: usize, (height, width): (usize, usize)) -> Skeleton {
    Skeleton { channels: 16, cells_per_stage, classes: 10, height, width }
}

fn random_cells(count: usize, stream: &mut Stream) -> Vec<Cell> {
    (0..count).map(|_| Cell::from_index(stream.below(15_625) as i64).unwrap()).collect()
}

/// All ways to compute.
fn ways() -> Vec<(Isa, Convolution)> {
    let of = |isa: Isa| [Convolution::Winograd, Convolution::Direct].map(|convolution| (isa, convolution));
    Isa::available().into_iter().flat_map(of).collect()
}

fn in_order(sums: &SynflowSums) -> [f64; 3] {
    [sums.product, sums.log_reference, sums.log_one_plus]
}

/// The largest relative errors of the three sums over some cells, by all ways to compute, in words.
#[track_caller]
fn compare(cells: &[Cell], weights: &Arc<Weights>) -> String {
    let truth = Reference.synflow(cells, weights, &()).unwrap();
    let mut largest = [0.0f64; 3];
    for (isa, convolution) in ways() {
        let ours = Cpu::with(isa, convolution).synflow(cells, weights, &()).unwrap();
        for ((cell, ours), truth) in cells.iter().zip(&ours).zip(&truth) {
            for ((ours, truth), largest) in in_order(ours).into_iter().zip(in_order(truth)).zip(&mut largest) {
                let off = if truth == 0.0 { ours.abs() } else { (ours / truth - 1.0).abs() };
                assert!(off <= 1e-5, "{isa:?} {convolution:?} {cell}: {ours} instead of {truth}");
                *largest = largest.max(off);
            }
        }
    }
    largest.map(|off| format!("{off:.1e}")).join(", ")
}

#[test]
fn sums_agree_with_the_reference() {
    // Maps that fold and that do not, sizes that tiles of 4×4 fit and that they do not.
    let mut stream = fresh();
    for init in [Init::Uniform, Init::KaimingFanOut, Init::Xavier] {
        for (per_stage, size, count) in
            [(1, (32, 32), 40), (2, (16, 16), 30), (3, (8, 12), 20), (1, (12, 20), 15), (1, (4, 36), 15)]
        {
            let weights = Arc::new(Weights::generated(skeleton(per_stage, size), init, stream.bits()).unwrap());
            let largest = compare(&random_cells(count, &mut stream), &weights);
            println!("{init:?}, {per_stage} cells a stage, {size:?}: largest relative errors {largest}");
        }
    }
}

#[test]
fn the_whole_network_agrees_with_the_reference() {
    let mut stream = fresh();
    for init in [Init::Uniform, Init::KaimingFanOut] {
        let weights = Arc::new(Weights::generated(Skeleton::benchmark(10, 32), init, stream.bits()).unwrap());
        // The largest values of the space, no convolution in cells at all, and random cells.
        let mut cells = ["33333", "11111"].map(|_| Cell::from_index(0).unwrap()).to_vec();
        cells[0] = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
            .parse()
            .unwrap();
        cells[1] = "|avg_pool_3x3~0|+|skip_connect~0|avg_pool_3x3~1|+|none~0|none~1|skip_connect~2|".parse().unwrap();
        cells.extend(random_cells(4, &mut stream));
        let largest = compare(&cells, &weights);
        println!("{init:?}: largest relative errors {largest}");
    }
}

#[test]
fn sums_of_unusual_weights_agree_with_the_reference() {
    let mut stream = fresh();
    let cells = [
        "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|nor_conv_3x3~2|",
        "|nor_conv_1x1~0|+|nor_conv_3x3~0|none~1|+|avg_pool_3x3~0|nor_conv_3x3~1|skip_connect~2|",
    ];
    for (cell, size) in cells.map(|cell| cell.parse::<Cell>().unwrap()).iter().zip([(16, 16), (20, 12)]) {
        let drawn = Weights::generated(skeleton(1, size), Init::Uniform, stream.bits()).unwrap();
        // Small gradients, of which g + 1 loses most bits; large ones; larger than any weights make.
        for factor in [0.2, 0.4, 30.0, 1e10] {
            let weights = Arc::new(changed(cell, &drawn, |_, _, values| values.iter_mut().for_each(|w| *w *= factor)));
            let sums = Reference.synflow(&[*cell], &weights, &()).unwrap()[0];
            println!("factor {factor}: Σ w·g = {:.1e}, {}", sums.product, compare(&[*cell], &weights));
        }
        // Gradients of zero beside huge ones: input channels that nothing reads.
        for factor in [1.0, 1e8] {
            let weights = Arc::new(changed(cell, &drawn, |_, [_, inputs, kh, kw], values| {
                for (at, w) in values.iter_mut().enumerate() {
                    *w *= if at / (kh * kw) % inputs % 3 == 1 { 0.0 } else { factor };
                }
            }));
            println!("channels that nothing reads: {}", compare(&[*cell], &weights));
        }
        // Convolutions of zeros, one after the other, and scales that are far apart where paths meet.
        let count = cell.conv_edges(None) * 3;
        for zero in 0..count {
            let mut number = 0;
            let weights = changed(cell, &drawn, |slot, _, values| {
                if matches!(slot, Slot::Edge { .. }) {
                    let factor = if number == zero { 0.0 } else { [1e-9, 1.0, 1e9][number % 3] };
                    values.iter_mut().for_each(|w| *w *= factor);
                    number += 1;
                }
            });
            assert_eq!(number, count);
            compare(&[*cell], &Arc::new(weights));
        }
    }
}

#[test]
fn sums_do_not_depend_on_threads_order_or_company() {
    let mut stream = fresh();
    for (per_stage, size, count) in [(1, (32, 32), 45), (2, (12, 16), 60)] {
        let weights = Arc::new(Weights::generated(skeleton(per_stage, size), Init::Uniform, stream.bits()).unwrap());
        let mut cells = random_cells(count, &mut stream);
        cells.extend_from_within(3..9);
        let run = |threads: usize, cells: &[Cell]| -> Vec<[u64; 3]> {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let sums = pool.install(|| Cpu::new().synflow(cells, &weights, &()).unwrap());
            sums.iter().map(|sums| in_order(sums).map(f64::to_bits)).collect()
        };
        let together = run(1, &cells);
        for threads in [2, 3, 8, 64] {
            assert!(run(threads, &cells) == together, "{threads} threads");
        }
        let reversed: Vec<Cell> = cells.iter().rev().copied().collect();
        assert!(run(2, &reversed).into_iter().rev().eq(together.iter().copied()));
        for size in [1, 2, 5, 17] {
            let chunks = cells.chunks(size).flat_map(|cells| run(2, cells));
            assert!(chunks.eq(together.iter().copied()), "{size} at a time");
        }
        // One engine for all, whose buffers hold other cells' maps.
        let cpu = Cpu::new();
        for at in (0..cells.len()).rev() {
            let sums = cpu.synflow(&cells[at..=at], &weights, &()).unwrap();
            assert_eq!(in_order(&sums[0]).map(f64::to_bits), together[at], "{}", cells[at]);
        }
    }
}

#[test]
fn fused_sets_give_equal_bits() {
    let mut stream = fresh();
    for convolution in [Convolution::Winograd, Convolution::Direct] {
        let weights = Weights::generated(skeleton(2, (16, 20)), Init::KaimingFanOut, stream.bits()).unwrap();
        let (weights, cells) = (Arc::new(weights), random_cells(30, &mut stream));
        let run = |isa| Cpu::with(isa, convolution).synflow(&cells, &weights, &()).unwrap();
        let sets = Isa::available().into_iter().filter(|isa| *isa != Isa::Portable);
        let sums: Vec<Vec<SynflowSums>> = sets.map(run).collect();
        assert!(sums.windows(2).all(|pair| pair[0] == pair[1]), "{convolution:?}");
    }
}
