//! What every measure must give, whatever computes it: each check runs on plain f64, on the processor and on emulated cards alike.

use super::network::shifted;
use etnas::backend::{Backend, Hamming};
use etnas::input::{Batch, RegressionTask};
use etnas::measure::{loss_slope, naswot, SlopeFit};
use etnas::plan::{Plan, Purpose, Term};
use etnas::random::{Seeds, Stream};
use etnas::reference::Reference;
use etnas::space::{Cell, Skeleton};
use etnas::weights::{Init, Weights};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Cells of a stage, height and width of the images, their number.
pub type Setting = (usize, (usize, usize), usize);

/// A seed that differs from run to run; failures print it.
pub fn fresh() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = now.as_nanos() as u64;
    println!("seed {seed}");
    seed
}

pub fn skeleton(cells_per_stage: usize, height: usize, width: usize) -> Skeleton {
    Skeleton { channels: 16, cells_per_stage, classes: 10, height, width }
}

pub fn batch(count: usize, (height, width): (usize, usize), stream: &mut Stream) -> Batch {
    let pixels = (0..count * 3 * height * width / 2 + 1).flat_map(|_| stream.normals()).map(|z| z as f32);
    Batch { count, height, width, pixels: pixels.take(count * 3 * height * width).collect() }
}

/// Cells that are awkward by themselves, then random ones.
pub fn cells(random: usize, stream: &mut Stream) -> Vec<Cell> {
    let awkward = [
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
        "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|",
        "|avg_pool_3x3~0|+|avg_pool_3x3~0|avg_pool_3x3~1|+|avg_pool_3x3~0|avg_pool_3x3~1|avg_pool_3x3~2|",
        "|nor_conv_3x3~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|none~0|none~1|none~2|",
        "|none~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|avg_pool_3x3~0|nor_conv_3x3~1|nor_conv_1x1~2|",
        "|skip_connect~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|skip_connect~0|none~1|avg_pool_3x3~2|",
    ];
    let mut cells: Vec<Cell> = awkward.iter().map(|text| text.parse().unwrap()).collect();
    cells.extend((0..random).map(|_| Cell::from_index(stream.below(15_625) as i64).unwrap()));
    cells
}

/// Distances within 1e-5 of N_A of the truth, entry by entry, or within one flipped sign, which counts up to three times:
/// in these small networks 1e-5 of N_A is less than a bit.
pub fn compare(cell: &Cell, ours: &Hamming, truth: &Hamming) {
    assert_eq!((ours.count, ours.bits), (truth.count, truth.bits), "{cell}");
    for (a, b) in ours.distance.iter().zip(&truth.distance) {
        assert!(a.abs_diff(*b) as f64 <= (1e-5 * truth.bits as f64).max(3.0), "{cell}: distance {a}, truth {b}");
    }
}

/// naswot's raw numbers as in f64, and −∞ where they are.
pub fn naswot_agrees(backends: &[&dyn Backend], settings: &[Setting], random: usize) {
    let mut stream = Stream::new(fresh(), &[]);
    for &(per_stage, size, count) in settings {
        let weights =
            Arc::new(Weights::generated(skeleton(per_stage, size.0, size.1), Init::Uniform, stream.bits()).unwrap());
        let batch = batch(count, size, &mut stream);
        let cells = cells(random, &mut stream);
        let truth = Reference.hamming(&cells, &weights, &batch, &()).unwrap();
        for backend in backends {
            let ours = backend.hamming(&cells, &weights, &batch, &()).unwrap();
            for ((cell, ours), truth) in cells.iter().zip(&ours).zip(&truth) {
                compare(cell, ours, truth);
                assert_eq!(naswot::score(ours).is_finite(), naswot::score(truth).is_finite(), "{cell}");
            }
        }
    }
}

/// A batch of one image plus 1e-3 of noise: every BatchNorm works on maps that hardly vary over the batch.
pub fn near_images_are_told_apart(backends: &[&dyn Backend], count: usize, random: usize) {
    let mut stream = Stream::new(fresh(), &[]);
    let weights = Arc::new(Weights::generated(skeleton(1, 16, 16), Init::Uniform, stream.bits()).unwrap());
    let mut batch = batch(count, (16, 16), &mut stream);
    let image = batch.pixels[..3 * 256].to_vec();
    for (at, pixel) in batch.pixels.iter_mut().enumerate() {
        *pixel = image[at % image.len()] + 1e-3 * *pixel;
    }
    let cells = cells(random, &mut stream);
    let truth = Reference.hamming(&cells, &weights, &batch, &()).unwrap();
    assert!(truth.iter().any(|truth| truth.distance.iter().any(|distance| *distance > 0)));
    for backend in backends {
        let ours = backend.hamming(&cells, &weights, &batch, &()).unwrap();
        for ((cell, ours), truth) in cells.iter().zip(&ours).zip(&truth) {
            compare(cell, ours, truth);
        }
    }
}

/// Synflow's sums to 1e-5.
pub fn synflow_agrees(backends: &[&dyn Backend], settings: &[(usize, (usize, usize))], random: usize) {
    let mut stream = Stream::new(fresh(), &[]);
    for &(per_stage, size) in settings {
        for init in [Init::Uniform, Init::KaimingFanOut] {
            let weights =
                Arc::new(Weights::generated(skeleton(per_stage, size.0, size.1), init, stream.bits()).unwrap());
            let cells = cells(random, &mut stream);
            let truth = Reference.synflow(&cells, &weights, &()).unwrap();
            for backend in backends {
                let ours = backend.synflow(&cells, &weights, &()).unwrap();
                for ((cell, ours), truth) in cells.iter().zip(&ours).zip(&truth) {
                    for (ours, truth) in [
                        (ours.product, truth.product),
                        (ours.log_reference, truth.log_reference),
                        (ours.log_one_plus, truth.log_one_plus),
                    ] {
                        let set = backend.kernel_set();
                        assert!((ours - truth).abs() <= 1e-5 * truth, "{set} {cell}: {ours} {truth}");
                    }
                }
            }
        }
    }
}

/// The norms of the first step's gradients by the parameters' names.
pub type FirstGradients<'a> = &'a dyn Fn(&Cell, &Arc<Weights>, &RegressionTask) -> Vec<(String, f64)>;

/// The first loss to 1e-5 and the first step's gradients to 1e-3, up to what a ReLU near zero does.
pub fn training_agrees(backends: &[(&dyn Backend, FirstGradients)], settings: &[Setting], random: usize) {
    let mut stream = Stream::new(fresh(), &[]);
    let (mut compared, mut beyond) = (0, 0);
    for &(per_stage, size, count) in settings {
        let weights =
            Arc::new(Weights::generated(skeleton(per_stage, size.0, size.1), Init::Uniform, stream.bits()).unwrap());
        let mut task = RegressionTask::draw(batch(count, size, &mut stream), &Seeds::new(stream.bits()));
        // Two steps: the first gradients have been applied when the second loss is taken.
        task.noise.truncate(2);
        for cell in cells(random, &mut stream) {
            let truth = etnas::reference::train(&cell, &weights, &task).unwrap();
            let mut moved = None;
            for (backend, first_gradients) in backends {
                let set = backend.kernel_set();
                let losses = backend.train(&[cell], &weights, &task, &()).unwrap().remove(0);
                let (first, expected) = (losses[0], truth.losses[0]);
                assert!((first - expected).abs() <= 1e-5 * expected, "{set} {cell}: {first} {expected}");
                let norms = first_gradients(&cell, &weights, &task);
                let largest = truth.first_gradient_norms.values().copied().fold(0.0, f64::max);
                for (name, norm) in &truth.first_gradient_norms {
                    let ours = norms.iter().find(|(found, _)| found == name).map_or(0.0, |(_, norm)| *norm);
                    // The shift before a head's BatchNorm has gradient 0 by cancellation: f32 leaves the rounding of it.
                    // Where an activation is so near to zero that f32 gives it the other sign, a ReLU lets through what it
                    // stops in f64: that moves the norms of a few parameters by more than rounding does.
                    let off = (ours - norm).abs();
                    let fits = off <= 1e-2 * norm + 1e-7 * largest || {
                        // Rarely one sign moves a norm by more. Then images that differ by as little as f32 rounds do so in f64 as well.
                        let moved = moved.get_or_insert_with(|| nearby_norms(&cell, &weights, &task));
                        off <= 2e-2 * norm && moved.iter().any(|norms| off <= 2.0 * (norms[name] - norm).abs())
                    };
                    assert!(fits, "{set} {cell} {name}: {ours} {norm}");
                    compared += 1;
                    beyond += usize::from(off > 1e-3 * norm + 1e-7 * largest);
                }
            }
        }
    }
    println!("{beyond} of {compared} gradient norms are off by more than 1e-3");
    assert!(beyond * 20 <= compared, "{beyond} of {compared}");
}

/// The norms of the first gradients in f64 for images changed by a few parts in a million, eight times.
fn nearby_norms(cell: &Cell, weights: &Arc<Weights>, task: &RegressionTask) -> Vec<BTreeMap<String, f64>> {
    let mut stream = Stream::new(6, &[]);
    let nearby = (0..8).map(|_| {
        let mut task = task.clone();
        task.noise.truncate(1);
        task.images.pixels.iter_mut().for_each(|pixel| *pixel *= 1.0 + stream.symmetric(3e-6));
        etnas::reference::train(cell, weights, &task).unwrap().first_gradient_norms
    });
    nearby.collect()
}

/// Kendall's τ of LossSlope with f64 over random cells. LossSlope is chaotic in f32 (SPEC section 4): what must agree is the
/// order of cells that differ.
pub fn slopes_rank_as_in_f64(backend: &dyn Backend, images: usize, random: usize) {
    let weights = Arc::new(Weights::generated(skeleton(1, 16, 16), Init::Uniform, 3).unwrap());
    let mut stream = Stream::new(4, &[]);
    let task = RegressionTask::draw(batch(images, (16, 16), &mut stream), &Seeds::new(5));
    let cells = cells(random, &mut stream);
    let slopes = |backend: &dyn Backend| -> Vec<f64> {
        let losses = backend.train(&cells, &weights, &task, &()).unwrap();
        losses.iter().map(|losses| loss_slope::score(losses, SlopeFit::Reference).unwrap()).collect()
    };
    let (truth, ours) = (slopes(&Reference), slopes(backend));
    let (mut agree, mut disagree) = (0, 0);
    for i in 0..cells.len() {
        for j in 0..i {
            let order = (truth[i] - truth[j]) * (ours[i] - ours[j]);
            agree += usize::from(order > 0.0);
            disagree += usize::from(order < 0.0);
        }
    }
    let tau = (agree as f64 - disagree as f64) / (agree + disagree) as f64;
    println!("{}: Kendall τ with f64 over {} cells: {tau:.3}", backend.kernel_set(), cells.len());
    assert!(tau > 0.95, "{tau}");
}

/// With β ≠ 0 a convolution of zeros is a constant, also where nothing else reaches a node.
pub fn shifted_norms_agree(backends: &[&dyn Backend], count: usize, random: usize) {
    let mut stream = Stream::new(fresh(), &[]);
    let images = batch(count, (16, 16), &mut stream);
    let mut constants = 0;
    for cell in cells(random, &mut stream) {
        let weights = shifted(&cell, skeleton(1, 16, 16), &mut stream);
        assert!(weights.shifts());
        let truth = Reference.hamming(&[cell], &weights, &images, &()).unwrap().remove(0);
        for backend in backends {
            compare(&cell, &backend.hamming(&[cell], &weights, &images, &()).unwrap()[0], &truth);
        }
        let plan = Plan::new(&cell, weights.skeleton(), Purpose::Codes, true);
        let shifts = plan.values.iter().flat_map(|value| &value.terms).filter(|term| matches!(term, Term::Shift(_)));
        constants += shifts.count();
    }
    assert!(constants > 0);
}

/// All raw numbers of cells, to the bit.
pub fn raw_bits(
    backend: &dyn Backend,
    cells: &[Cell],
    weights: &Arc<Weights>,
    images: &Batch,
    task: &RegressionTask,
) -> Vec<Raw> {
    let kernels = backend.hamming(cells, weights, images, &()).unwrap();
    let sums = backend.synflow(cells, weights, &()).unwrap();
    let losses = backend.train(cells, weights, task, &()).unwrap();
    let bits = |losses: Vec<f64>| losses.iter().map(|loss| loss.to_bits()).collect();
    let rows = kernels.into_iter().zip(sums).zip(losses);
    rows.map(|((kernel, sums), losses)| Raw { kernel, sums, losses: bits(losses) }).collect()
}

/// A cell's raw numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Raw {
    pub kernel: Hamming,
    pub sums: etnas::backend::SynflowSums,
    pub losses: Vec<u64>,
}
