//! Gradients by weights against their definition.

mod common;

use common::convolution::{packed, Convolution, Sums};
use common::jobs::{list, WeightGradientJob};
use common::{bits, Numbers};
use etnas_emulator::{Argument, Build, Card, Order};

const CAPABILITIES: [u32; 3] = [75, 80, 90];
/// A few thousand roundings of 2^-24 at most, of either sign, in parts that are summed one by one.
const TOLERANCE: f64 = 5e-7;

fn kernels(capability: u32, kernel: usize) -> Vec<String> {
    let precisions: &[&str] = if capability >= 80 { &["f32", "tf32x3"] } else { &["f32"] };
    precisions.iter().map(|precision| format!("weight_gradient{kernel}_{precision}")).collect()
}

/// Strips of four pixels that a convolution's output has.
fn strips(convolution: &Convolution) -> usize {
    convolution.images * convolution.size().0 * convolution.size().1.div_ceil(4)
}

/// One launch of several jobs, each a source and a gradient by the output; of each the parts one after another.
fn launch(
    card: &Card,
    kernel: &str,
    convolution: &Convolution,
    strips_per_part: usize,
    jobs: &[(Vec<f32>, Vec<f32>)],
) -> Vec<Vec<f32>> {
    let parts = strips(convolution).div_ceil(strips_per_part);
    let tensors: Vec<_> = jobs
        .iter()
        .map(|(x, g)| (card.upload(x), card.upload(g), card.poisoned::<f32>(parts * convolution.weights())))
        .collect();
    let jobs: Vec<_> = tensors
        .iter()
        .map(|(x, g, gradient)| WeightGradientJob { x: x.address(), g: g.address(), gradient: gradient.address() })
        .collect();
    let (_memory, argument) = list(card, &jobs);
    let grid = [parts, jobs.len(), convolution.inputs / 16 * (convolution.outputs / 16)].map(|size| size as u32);
    let arguments = [argument, Argument::new(convolution.shape()), Argument::new(strips_per_part as i32)];
    let threads = if kernel.ends_with("f32") { 256 } else { 128 };
    card.launch(kernel, grid, [threads, 1, 1], 0, &arguments).unwrap();
    tensors.iter().map(|(_, _, gradient)| card.download(gradient)).collect()
}

/// The parts of a gradient by the definition.
fn expected(convolution: &Convolution, strips_per_part: usize, x: &[f32], g: &[f32]) -> Sums {
    let (inputs, outputs, taps) = (convolution.inputs, convolution.outputs, convolution.kernel * convolution.kernel);
    let width = convolution.size().1;
    let parts = strips(convolution).div_ceil(strips_per_part);
    let mut sums = Sums::new(parts * convolution.weights());
    convolution.each(|source, target, tap| {
        let strip = target / width * width.div_ceil(4) + target % width / 4;
        let part = strip / strips_per_part * convolution.weights();
        for input in 0..inputs {
            let number = convolution.read(x[source * inputs + input]);
            for output in 0..outputs {
                let place = part + packed(output, input, tap, outputs, taps);
                sums.add(place, number * f64::from(g[target * outputs + output]));
            }
        }
    });
    sums
}

fn check(seed: u64, convolution: Convolution, strips_per_part: usize, build: Build) {
    let mut numbers = Numbers::new(seed);
    let mut job = || {
        let x = numbers.list(convolution.source_len(), -1.0, 1.0);
        (x, numbers.list(convolution.pixels() * convolution.outputs, -1.0, 1.0))
    };
    let jobs = [job(), job()];
    let expected = jobs.each_ref().map(|(x, g)| expected(&convolution, strips_per_part, x, g));
    for capability in CAPABILITIES {
        let card = Card::new(capability, build, Order::Forward);
        for kernel in kernels(capability, convolution.kernel) {
            let found = launch(&card, &kernel, &convolution, strips_per_part, &jobs);
            for (found, expected) in found.iter().zip(&expected) {
                let error = expected.error(found);
                assert!(error <= TOLERANCE, "{kernel} on {capability}, {convolution:?}: error {error:e}");
            }
        }
    }
}

fn convolution(images: usize, source: (usize, usize), channels: (usize, usize), kernel: usize) -> Convolution {
    Convolution { images, source, inputs: channels.0, outputs: channels.1, kernel, stride: 1, relu: true }
}

#[test]
fn gradients_of_odd_sizes() {
    check(1, convolution(3, (5, 7), (16, 16), 3), 1000, Build::Plain);
    check(2, Convolution { relu: false, ..convolution(3, (5, 7), (32, 48), 3) }, 11, Build::Plain);
    check(3, convolution(2, (3, 5), (64, 16), 3), 8, Build::Plain);
    check(4, convolution(3, (5, 7), (16, 64), 1), 9, Build::Plain);
    check(5, Convolution { relu: false, ..convolution(2, (4, 3), (48, 32), 1) }, 1, Build::Plain);
    check(6, convolution(1, (7, 5), (16, 128), 3), 100, Build::Plain);
}

#[test]
fn many_strips_for_a_warp() {
    check(11, convolution(6, (16, 16), (16, 16), 3), 300, Build::Plain);
    check(12, convolution(16, (8, 8), (16, 32), 3), 1000, Build::Plain);
    check(13, convolution(6, (16, 16), (32, 16), 1), 384, Build::Plain);
}

#[test]
fn gradients_of_stride_two() {
    let strided = |convolution| Convolution { stride: 2, ..convolution };
    check(21, strided(convolution(3, (5, 7), (16, 32), 3)), 5, Build::Plain);
    check(22, strided(convolution(2, (16, 16), (16, 16), 3)), 40, Build::Plain);
    check(23, strided(convolution(3, (6, 5), (32, 16), 1)), 7, Build::Plain);
    check(24, strided(convolution(2, (1, 2), (16, 16), 3)), 2, Build::Plain);
}

#[test]
fn gradients_of_maps_of_one_pixel() {
    check(31, convolution(3, (1, 1), (16, 16), 3), 2, Build::Plain);
    check(32, convolution(1, (1, 1), (16, 16), 1), 1, Build::Plain);
}

#[test]
fn checked_gradients() {
    check(41, convolution(3, (5, 7), (16, 32), 3), 13, Build::Checked);
    check(42, Convolution { stride: 2, ..convolution(2, (6, 5), (16, 16), 3) }, 100, Build::Checked);
    check(43, convolution(3, (5, 7), (32, 16), 1), 30, Build::Checked);
}

#[test]
fn not_a_number_reaches_the_weights_that_meet_it() {
    let convolution = convolution(1, (4, 8), (16, 16), 3);
    let mut numbers = Numbers::new(51);
    let mut x = numbers.list(convolution.source_len(), -1.0, 1.0);
    let g = numbers.list(convolution.pixels() * 16, -1.0, 1.0);
    x[7] = f32::NAN; // input 7 of the first pixel: read by taps 0, 1, 3 and 4 of the pixels below and to the right
    for capability in CAPABILITIES {
        let card = Card::new(capability, Build::Plain, Order::Forward);
        for kernel in kernels(capability, 3) {
            let found = launch(&card, &kernel, &convolution, 8, &[(x.clone(), g.clone())]);
            for (output, input, tap) in (0..16 * 16 * 9).map(|i| (i / 144, i / 9 % 16, i % 9)) {
                let is_nan = found[0][packed(output, input, tap, 16, 9)].is_nan();
                assert_eq!(
                    is_nan,
                    input == 7 && [0, 1, 3, 4].contains(&tap),
                    "{kernel} on {capability}: {output} {input} {tap}"
                );
            }
        }
    }
}

#[test]
fn every_order_of_threads_gives_the_same_gradient() {
    let convolution = convolution(3, (13, 11), (16, 32), 3);
    let mut numbers = Numbers::new(61);
    let x = numbers.list(convolution.source_len(), -1.0, 1.0);
    let jobs = [(x, numbers.list(convolution.pixels() * 32, -1.0, 1.0))];
    for capability in CAPABILITIES {
        for kernel in kernels(capability, 3) {
            let orders = [Order::Forward, Order::Forward, Order::Reverse, Order::Random(5), Order::Random(6)];
            let runs = orders.map(|order| {
                let card = Card::new(capability, Build::Plain, order);
                bits(&launch(&card, &kernel, &convolution, 50, &jobs)[0])
            });
            assert!(runs.windows(2).all(|pair| pair[0] == pair[1]), "{kernel} on {capability}");
        }
    }
}
