//! Convolutions and data gradients against their definition.

mod common;

use common::convolution::{packed, Convolution, Sums};
use common::jobs::{list, ConvJob, ConvShape, MapJob};
use common::{bits, Numbers};
use etnas_emulator::{Argument, Build, Card, Order};

const PART: usize = 256;
const CAPABILITIES: [u32; 3] = [75, 80, 90];

/// A kernel family, and the largest error of a sum as a multiple of its summands' magnitudes.
#[derive(Clone, Copy, Debug)]
struct Precision {
    name: &'static str,
    /// Of a sum of f32 numbers of either sign.
    tolerance: f64,
    from_capability: u32,
    /// Outputs that a kernel of the family takes at a time.
    widths: &'static [usize],
}

/// f32: a chain of K²·inputs/4 roundings of 2^-24 each, of either sign. tf32x3: what the third parts and the product of low parts
/// leave out, some 2^-22 of each product. tf32 and f16: both operands are rounded by 2^-11 at most, so the bound is 2^-10; f16's smallest
/// normal number is 6e-5, and what is below that is rounded by 2^-25.
const PRECISIONS: [Precision; 4] = [
    Precision { name: "f32", tolerance: 4e-7, from_capability: 75, widths: &[16] },
    Precision { name: "tf32x3", tolerance: 4e-7, from_capability: 80, widths: &[16, 32, 64] },
    Precision { name: "tf32", tolerance: 9.8e-4, from_capability: 80, widths: &[16, 32, 64] },
    Precision { name: "f16", tolerance: 9.8e-4, from_capability: 75, widths: &[16, 32, 64] },
];

/// The kernels for so many outputs on a capability: name, outputs at a time, tolerance.
fn kernels(capability: u32, kernel: usize, outputs: usize) -> Vec<(String, usize, f64)> {
    let precisions = PRECISIONS.iter().filter(|precision| precision.from_capability <= capability);
    let named = |precision: &Precision| {
        let widths = precision.widths.iter().filter(|&&width| outputs.is_multiple_of(width));
        let Precision { name, tolerance, .. } = *precision;
        widths.map(move |&width| (format!("conv{kernel}_{name}_n{width}"), width, tolerance)).collect::<Vec<_>>()
    };
    precisions.flat_map(named).collect()
}

/// What a job of a launch gave.
struct Result {
    y: Vec<f32>,
    /// [part][mean, Σ(x − mean)²][output]
    sums: Vec<f32>,
}

/// One launch of several jobs, each a source and packed weights. The last job wants no sums.
fn launch(card: &Card, kernel: &str, width: usize, shape: &ConvShape, jobs: &[(Vec<f32>, Vec<f32>)]) -> Vec<Result> {
    let outputs = shape.outputs as usize;
    let pixels = (shape.images * shape.height * shape.width) as usize;
    let parts = pixels.div_ceil(PART);
    let tensors: Vec<_> = jobs
        .iter()
        .map(|(x, w)| {
            let sums = card.poisoned::<f32>(parts * 2 * outputs);
            (card.upload(x), card.upload(w), card.poisoned::<f32>(pixels * outputs), sums)
        })
        .collect();
    let address_of_sums = |index: usize| if index + 1 < jobs.len() { tensors[index].3.address() } else { 0 };
    let jobs: Vec<_> = (tensors.iter().enumerate())
        .map(|(i, (x, w, y, _))| ConvJob { x: x.address(), w: w.address(), y: y.address(), sums: address_of_sums(i) })
        .collect();
    let (_memory, argument) = list(card, &jobs);
    let grid = [parts as u32, jobs.len() as u32, (outputs / width) as u32];
    card.launch(kernel, grid, [256, 1, 1], 0, &[argument, Argument::new(*shape)]).unwrap();
    tensors.iter().map(|(_, _, y, sums)| Result { y: card.download(y), sums: card.download(sums) }).collect()
}

/// Output of a convolution by its definition.
fn forward(convolution: &Convolution, x: &[f32], w: &[f32]) -> Sums {
    let (inputs, outputs, taps) = (convolution.inputs, convolution.outputs, convolution.kernel * convolution.kernel);
    let mut sums = Sums::new(convolution.pixels() * outputs);
    convolution.each(|source, target, tap| {
        for input in 0..inputs {
            let number = convolution.read(x[source * inputs + input]);
            for output in 0..outputs {
                let weight = w[packed(output, input, tap, outputs, taps)];
                sums.add(target * outputs + output, number * f64::from(weight));
            }
        }
    });
    sums
}

/// Gradient by the source, of a gradient by the output, by the definition of the gradient.
fn backward(convolution: &Convolution, g: &[f32], w: &[f32]) -> Sums {
    let (inputs, outputs, taps) = (convolution.inputs, convolution.outputs, convolution.kernel * convolution.kernel);
    let mut sums = Sums::new(convolution.source_len());
    convolution.each(|source, target, tap| {
        for input in 0..inputs {
            for output in 0..outputs {
                let weight = w[packed(output, input, tap, outputs, taps)];
                sums.add(source * inputs + input, f64::from(g[target * outputs + output]) * f64::from(weight));
            }
        }
    });
    sums
}

/// The sums that come with a map against f64 of the map itself.
fn check_sums(y: &[f32], sums: &[f32], outputs: usize, what: &str) {
    let pixels = y.len() / outputs;
    for part in 0..pixels.div_ceil(PART) {
        let own = part * PART..(part * PART + PART).min(pixels);
        let count = own.len() as f64;
        for output in 0..outputs {
            let numbers: Vec<f64> = own.clone().map(|pixel| f64::from(y[pixel * outputs + output])).collect();
            let mean = numbers.iter().sum::<f64>() / count;
            let squares = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>();
            let largest = numbers.iter().fold(0.0f64, |largest, number| largest.max(number.abs()));
            let [found_mean, found_squares] = [0, 1].map(|row| f64::from(sums[(part * 2 + row) * outputs + output]));
            // A few roundings of 2^-24: of the mean itself, and of differences from the first pixel.
            assert!((found_mean - mean).abs() <= 3e-7 * largest, "{what}: mean {found_mean} of {mean}");
            assert!((found_squares - squares).abs() <= 3e-6 * squares, "{what}: squares {found_squares} of {squares}");
        }
    }
}

/// Two jobs with sums and one without, by all kernels of all capabilities.
fn check_forward(seed: u64, convolution: Convolution, build: Build) {
    let mut numbers = Numbers::new(seed);
    let mut job =
        || (numbers.list(convolution.source_len(), -1.0, 1.0), numbers.list(convolution.weights(), -0.3, 0.3));
    let jobs = [job(), job(), job()];
    let expected = jobs.each_ref().map(|(x, w)| forward(&convolution, x, w));
    for capability in CAPABILITIES {
        let card = Card::new(capability, build, Order::Forward);
        for (kernel, width, tolerance) in kernels(capability, convolution.kernel, convolution.outputs) {
            let found = launch(&card, &kernel, width, &convolution.shape(), &jobs);
            for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let what = format!("{kernel} on {capability}, job {index}, {convolution:?}");
                let error = expected.error(&found.y);
                assert!(error <= tolerance, "{what}: error {error:e}");
                if index < 2 {
                    check_sums(&found.y, &found.sums, convolution.outputs, &what);
                } else {
                    assert!(found.sums.iter().all(|number| number.to_bits() == u32::MAX), "{what}: unwanted sums");
                }
            }
        }
    }
}

fn convolution(images: usize, source: (usize, usize), channels: (usize, usize), kernel: usize) -> Convolution {
    Convolution { images, source, inputs: channels.0, outputs: channels.1, kernel, stride: 1, relu: true }
}

#[test]
fn odd_sizes_and_all_widths() {
    check_forward(1, convolution(3, (5, 7), (16, 16), 3), Build::Plain);
    check_forward(2, Convolution { relu: false, ..convolution(3, (5, 7), (32, 48), 3) }, Build::Plain);
    check_forward(3, convolution(2, (3, 5), (48, 64), 3), Build::Plain);
    check_forward(4, convolution(1, (4, 3), (128, 128), 3), Build::Plain);
    check_forward(5, convolution(3, (5, 7), (80, 64), 1), Build::Plain);
    check_forward(6, Convolution { relu: false, ..convolution(3, (5, 7), (16, 96), 1) }, Build::Plain);
}

#[test]
fn several_parts_the_last_one_ragged() {
    check_forward(11, convolution(3, (13, 11), (16, 16), 3), Build::Plain);
    check_forward(12, convolution(2, (16, 16), (32, 32), 3), Build::Plain);
    check_forward(13, convolution(5, (8, 8), (64, 64), 1), Build::Plain);
}

#[test]
fn stride_two() {
    let strided = |convolution| Convolution { stride: 2, ..convolution };
    check_forward(21, strided(convolution(3, (5, 7), (16, 32), 3)), Build::Plain);
    check_forward(22, strided(convolution(2, (16, 16), (16, 16), 3)), Build::Plain);
    check_forward(23, strided(convolution(3, (6, 5), (32, 16), 1)), Build::Plain);
    check_forward(24, strided(convolution(1, (1, 2), (16, 16), 3)), Build::Plain);
}

#[test]
fn maps_of_one_pixel() {
    check_forward(31, convolution(3, (1, 1), (16, 16), 3), Build::Plain);
    check_forward(32, convolution(1, (1, 1), (32, 64), 1), Build::Plain);
}

#[test]
fn checked_accesses() {
    check_forward(41, convolution(3, (5, 7), (32, 16), 3), Build::Checked);
    check_forward(42, Convolution { stride: 2, ..convolution(1, (6, 5), (16, 32), 3) }, Build::Checked);
    check_forward(43, convolution(9, (5, 7), (80, 64), 1), Build::Checked);
    check_forward(44, convolution(1, (3, 3), (32, 64), 3), Build::Checked);
}

/// transpose_weights, then the convolution of the gradient.
fn check_backward(seed: u64, convolution: Convolution, build: Build) {
    let taps = convolution.kernel * convolution.kernel;
    let mut numbers = Numbers::new(seed);
    let mut job = || {
        let g = numbers.list(convolution.pixels() * convolution.outputs, -1.0, 1.0);
        (g, numbers.list(convolution.weights(), -0.3, 0.3))
    };
    let jobs = [job(), job()];
    for capability in CAPABILITIES {
        let card = Card::new(capability, build, Order::Forward);
        let transposed = jobs.each_ref().map(|(g, w)| {
            let (from, to) = (card.upload(w), card.poisoned::<f32>(w.len()));
            let (_memory, argument) = list(&card, &[MapJob { from: from.address(), to: to.address() }]);
            let numbers = [convolution.inputs, convolution.outputs, taps].map(|number| Argument::new(number as i32));
            let grid = [w.len().div_ceil(1024) as u32, 1, 1];
            let arguments: Vec<_> = [argument].into_iter().chain(numbers).collect();
            card.launch("transpose_weights", grid, [256, 1, 1], 0, &arguments).unwrap();
            (g.clone(), card.download(&to))
        });
        for (kernel, width, tolerance) in kernels(capability, convolution.kernel, convolution.inputs) {
            let found = launch(&card, &kernel, width, &convolution.back(), &transposed);
            for (found, (g, w)) in found.iter().zip(&jobs) {
                let error = backward(&convolution, g, w).error(&found.y);
                assert!(error <= tolerance, "{kernel} on {capability}, {convolution:?}: error {error:e}");
            }
        }
    }
}

#[test]
fn data_gradients() {
    for stride in [1, 2] {
        let convolution =
            |images, source, channels, kernel| Convolution { stride, ..convolution(images, source, channels, kernel) };
        check_backward(51, convolution(3, (5, 7), (16, 32), 3), Build::Plain);
        check_backward(52, convolution(2, (8, 6), (32, 16), 3), Build::Plain);
        check_backward(53, convolution(3, (6, 5), (48, 64), 1), Build::Plain);
        check_backward(54, convolution(2, (1, 1), (16, 16), 3), Build::Plain);
        check_backward(55, convolution(5, (1, 2), (16, 48), 3), Build::Plain);
        check_backward(56, convolution(2, (5, 4), (16, 16), 3), Build::Checked);
    }
}

#[test]
fn rounding_has_no_bias() {
    // All summands are positive: operands that were cut off would show as 2^-11 of the sum or more. Sums grow from one product to the
    // next, up to 108 times, and are rounded by 2^-24 each time.
    let convolution = convolution(1, (6, 6), (32, 16), 3);
    let mut numbers = Numbers::new(61);
    let x = numbers.list(convolution.source_len(), 0.1, 1.0);
    let w = numbers.list(convolution.weights(), 0.1, 1.0);
    let expected = forward(&convolution, &x, &w);
    for capability in CAPABILITIES {
        let card = Card::new(capability, Build::Plain, Order::Forward);
        for (kernel, width, tolerance) in kernels(capability, 3, 16) {
            let found = launch(&card, &kernel, width, &convolution.shape(), &[(x.clone(), w.clone())]);
            let error = expected.error(&found[0].y);
            let bound = if tolerance < 1e-5 { 2e-6 } else { 2.0f64.powi(-13) };
            assert!(error <= bound, "{kernel} on {capability}: error {error:e}");
        }
    }
}

#[test]
fn not_a_number_is_handed_on() {
    let convolution = convolution(1, (3, 3), (16, 16), 3);
    for (capability, relu, nan) in
        [(75, true, 0x7fc00000), (80, false, 0x7fffffff), (90, true, 0xffffffff), (90, false, 0xffc00000)]
    {
        let convolution = Convolution { relu, ..convolution };
        let mut numbers = Numbers::new(71);
        let (mut x, w) = (numbers.list(9 * 16, -1.0, 1.0), numbers.list(convolution.weights(), -1.0, 1.0));
        x[5] = f32::from_bits(nan); // read by the pixels around the first
        let card = Card::new(capability, Build::Plain, Order::Forward);
        for (kernel, width, _) in kernels(capability, 3, 16) {
            let jobs = [(x.clone(), w.clone()), (x.clone(), w.clone())];
            let found = launch(&card, &kernel, width, &convolution.shape(), &jobs);
            for (pixel, numbers) in found[0].y.chunks(16).enumerate() {
                let reads_it = pixel / 3 < 2 && pixel % 3 < 2;
                assert!(
                    numbers.iter().all(|number| number.is_nan() == reads_it),
                    "{kernel} on {capability}: pixel {pixel}"
                );
            }
            assert!(found[0].sums.iter().all(|number| number.is_nan()), "{kernel} on {capability}: sums");
        }
    }
}

#[test]
fn sums_of_nearly_constant_maps_do_not_cancel() {
    // Each output has one weight of one, so that the map is the source: of whole numbers in every precision, and in f32 of all.
    let convolution = Convolution { relu: false, ..convolution(2, (15, 13), (16, 16), 1) };
    let mut numbers = Numbers::new(81);
    let mut w = vec![0.0; convolution.weights()];
    for channel in 0..16 {
        w[packed(channel, channel, 0, 16, 1)] = 1.0;
    }
    let len = convolution.source_len();
    let noisy = numbers.list(len, 1000.0 - 1e-3, 1000.0 + 1e-3);
    let whole: Vec<f32> = numbers.list(len, 996.0, 1004.0).iter().map(|number| number.round()).collect();
    let maps = [noisy, whole, vec![-7.5; len], vec![0.0; len]];
    let jobs = maps.map(|map| (map, w.clone()));
    for capability in CAPABILITIES {
        let card = Card::new(capability, Build::Plain, Order::Forward);
        for (kernel, width, tolerance) in kernels(capability, 1, 16) {
            let jobs = if tolerance < 1e-5 { &jobs[..] } else { &jobs[1..] };
            let with_one_without_sums: Vec<_> = jobs.iter().chain([&jobs[0]]).cloned().collect();
            let found = launch(&card, &kernel, width, &convolution.shape(), &with_one_without_sums);
            for (index, (found, (map, _))) in found.iter().zip(jobs).enumerate() {
                let what = format!("{kernel} on {capability}, map {index}");
                assert_eq!(bits(&found.y), bits(map), "{what}: not the source");
                check_sums(&found.y, &found.sums, 16, &what);
            }
        }
    }
}

#[test]
fn padded_channels_stay_zero() {
    // Three inputs and ten outputs of 16 are real; the others' weights are zero, and the source's other channels too.
    let convolution = Convolution { relu: false, ..convolution(2, (5, 7), (16, 16), 3) };
    let mut numbers = Numbers::new(91);
    let mut x = numbers.list(convolution.source_len(), -1.0, 1.0);
    x.iter_mut().enumerate().filter(|(i, _)| i % 16 >= 3).for_each(|(_, number)| *number = 0.0);
    let mut w = vec![0.0; convolution.weights()];
    for (output, input, tap) in (0..10 * 3 * 9).map(|i| (i / 27, i / 9 % 3, i % 9)) {
        w[packed(output, input, tap, 16, 9)] = numbers.between(-1.0, 1.0);
    }
    let expected = forward(&convolution, &x, &w);
    for capability in CAPABILITIES {
        let card = Card::new(capability, Build::Plain, Order::Forward);
        for (kernel, width, tolerance) in kernels(capability, 3, 16) {
            let jobs = [(x.clone(), w.clone()), (x.clone(), w.clone())];
            let found = launch(&card, &kernel, width, &convolution.shape(), &jobs);
            assert!(expected.error(&found[0].y) <= tolerance, "{kernel} on {capability}");
            assert!(found[0].y.chunks(16).all(|pixel| pixel[10..].iter().all(|number| *number == 0.0)));
            assert!(found[0].sums.chunks(16).all(|row| row[10..].iter().all(|number| *number == 0.0)));
        }
    }
}

#[test]
fn every_order_of_threads_gives_the_same_bits() {
    let convolution = convolution(3, (13, 11), (32, 32), 3);
    let mut numbers = Numbers::new(101);
    let mut job =
        || (numbers.list(convolution.source_len(), -1.0, 1.0), numbers.list(convolution.weights(), -0.3, 0.3));
    let jobs = [job(), job()];
    for capability in CAPABILITIES {
        for (kernel, width, _) in kernels(capability, 3, 32) {
            let runs =
                [Order::Forward, Order::Forward, Order::Reverse, Order::Random(5), Order::Random(6)].map(|order| {
                    let card = Card::new(capability, Build::Plain, order);
                    let found = launch(&card, &kernel, width, &convolution.shape(), &jobs);
                    found.iter().map(|job| (bits(&job.y), bits(&job.sums))).collect::<Vec<_>>()
                });
            assert!(runs.windows(2).all(|pair| pair[0] == pair[1]), "{kernel} on {capability}");
        }
    }
}
