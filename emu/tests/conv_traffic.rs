//! What convolutions and weight gradients ask of memory at the shapes of the three stages, against the least (`docs/cuda-conv.md`).
//! One test: the profile is the process's.

mod common;

use common::convolution::Convolution;
use common::jobs::{list, ConvJob, WeightGradientJob};
use common::Numbers;
use etnas_emulator::{profile, Argument, Build, Card, Order};

const IMAGES: usize = 2;

/// What a launch moved.
struct Traffic {
    /// Bytes of global memory touched, each sector once.
    touched: f64,
    /// Bytes that warps asked for, in whole sectors.
    asked: f64,
    /// Wavefronts of shared memory over the fewest possible.
    conflicts: f64,
}

fn traffic(kernel: &str, launch: impl FnOnce()) -> Traffic {
    profile::start().unwrap();
    launch();
    let profile = profile::read().unwrap();
    let total = profile.totals.iter().find(|total| total.kernel == kernel).unwrap();
    let (wavefronts, fewest) = profile.wavefronts(kernel, 80);
    Traffic {
        touched: (total.read + total.written) as f64,
        asked: 32.0 * profile.sectors(kernel, 80).0 as f64,
        conflicts: wavefronts as f64 / fewest as f64,
    }
}

/// Numbers of the source that all taps of all pixels read.
fn reads(convolution: &Convolution) -> usize {
    let mut reads = 0;
    convolution.each(|_, _, _| reads += convolution.inputs);
    reads
}

fn convolution(size: usize, channels: usize, kernel: usize) -> Convolution {
    let channels = (channels, channels);
    let (inputs, outputs) = channels;
    Convolution { images: IMAGES, source: (size, size), inputs, outputs, kernel, stride: 1, relu: true }
}

fn forward(card: &Card, precision: &str, width: usize, convolution: &Convolution) {
    let kernel = format!("conv{}_{precision}_n{width}", convolution.kernel);
    let mut numbers = Numbers::new(1);
    let x = card.upload(&numbers.list(convolution.source_len(), -1.0, 1.0));
    let w = card.upload(&numbers.list(convolution.weights(), -1.0, 1.0));
    let outputs = convolution.pixels() * convolution.outputs;
    let (parts, slices) = (convolution.pixels().div_ceil(256), convolution.outputs / width);
    let y = card.poisoned::<f32>(outputs);
    let sums = card.poisoned::<f32>(parts * 2 * convolution.outputs);
    let job = ConvJob { x: x.address(), w: w.address(), y: y.address(), sums: sums.address() };
    let (_memory, jobs) = list(card, &[job]);
    let found = traffic(&kernel, || {
        let grid = [parts, 1, slices].map(|size| size as u32);
        card.launch(&kernel, grid, [256, 1, 1], 0, &[jobs, Argument::new(convolution.shape())]).unwrap();
    });
    let results = outputs + sums.len();
    let least = 4 * (x.len() + w.len() + results);
    let asked = 4 * (reads(convolution) * slices + w.len() * parts + results);
    report(&kernel, convolution, &found, least, asked);
    // Beyond what is counted here: each warp's look at its job. The profile compares the n-th loads of lanes, which where some skip a tap
    // outside are not those of one instruction: it finds a few sectors less.
    assert!((1.0..1.02).contains(&(found.touched / least as f64)), "{kernel}: bytes touched");
    assert!((0.9..1.05).contains(&(found.asked / asked as f64)), "{kernel}: bytes asked for");
    assert!(found.conflicts <= 1.05, "{kernel}: wavefronts");
}

fn backward(card: &Card, precision: &str, convolution: &Convolution) {
    let kernel = format!("weight_gradient{}_{precision}", convolution.kernel);
    let mut numbers = Numbers::new(2);
    let x = card.upload(&numbers.list(convolution.source_len(), -1.0, 1.0));
    let g = card.upload(&numbers.list(convolution.pixels() * convolution.outputs, -1.0, 1.0));
    let strips_per_part = 64;
    let parts = (convolution.pixels() / 4).div_ceil(strips_per_part);
    let gradient = card.poisoned::<f32>(parts * convolution.weights());
    let job = WeightGradientJob { x: x.address(), g: g.address(), gradient: gradient.address() };
    let (_memory, jobs) = list(card, &[job]);
    let blocks = convolution.inputs / 16 * (convolution.outputs / 16);
    let found = traffic(&kernel, || {
        let arguments = [jobs, Argument::new(convolution.shape()), Argument::new(strips_per_part as i32)];
        let threads = if precision == "f32" { 256 } else { 128 };
        let grid = [parts, 1, blocks].map(|size| size as u32);
        card.launch(&kernel, grid, [threads, 1, 1], 0, &arguments).unwrap();
    });
    let least = 4 * (x.len() + g.len() + gradient.len());
    report(&kernel, convolution, &found, least, least);
    assert!((1.0..1.02).contains(&(found.touched / least as f64)), "{kernel}: bytes touched");
    // Warps' sums are gathered once for each part, four lanes to a bank.
    assert!(found.conflicts <= 1.8, "{kernel}: wavefronts");
}

fn report(kernel: &str, convolution: &Convolution, found: &Traffic, least: usize, asked: usize) {
    let (size, channels) = (convolution.source.0, convolution.inputs);
    println!(
        "{kernel:24} {size:2}×{size:<2}×{channels:<2} touched {:8} bytes, {:.3} of the least; asked {:9} bytes, {:.3}; wavefronts {:.3}",
        found.touched,
        found.touched / least as f64,
        found.asked,
        found.asked / asked as f64,
        found.conflicts
    );
}

#[test]
fn convolutions_move_little_more_than_they_must() {
    let card = Card::new(80, Build::Checked, Order::Forward);
    for (size, channels) in [(32, 16), (16, 32), (8, 64)] {
        for kernel in [1, 3] {
            let convolution = convolution(size, channels, kernel);
            for precision in ["f16", "tf32x3"] {
                forward(&card, precision, channels, &convolution);
            }
            forward(&card, "f32", 16, &convolution);
            for precision in ["f32", "tf32x3"] {
                backward(&card, precision, &convolution);
            }
        }
    }
}
