//! The engine for processors against the plain f64 reference, on random weights and images at the real channel counts.

mod common;

use etnas::backend::{Backend, Hamming};
use etnas::cpu::{Cpu, Isa};
use etnas::input::{Batch, RegressionTask};
use etnas::measure::{loss_slope, naswot, SlopeFit};
use etnas::plan::{Plan, Purpose, Term};
use etnas::random::{Seeds, Stream};
use etnas::reference::Reference;
use etnas::space::{Block, Cell, Skeleton};
use etnas::tensor_file::TensorFile;
use etnas::weights::{Init, NormSlot, Reduce, Slot, Weights};
use safetensors::tensor::TensorView;
use safetensors::Dtype;
use std::sync::Arc;

/// A seed that differs from run to run; failures print it.
fn fresh() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = now.as_nanos() as u64;
    println!("seed {seed}");
    seed
}

fn skeleton(cells_per_stage: usize, height: usize, width: usize) -> Skeleton {
    Skeleton { channels: 16, cells_per_stage, classes: 10, height, width }
}

fn batch(count: usize, (height, width): (usize, usize), stream: &mut Stream) -> Batch {
    let pixels = (0..count * 3 * height * width / 2 + 1).flat_map(|_| stream.normals()).map(|z| z as f32);
    Batch { count, height, width, pixels: pixels.take(count * 3 * height * width).collect() }
}

/// Cells that are awkward by themselves, then random ones.
fn cells(random: usize, stream: &mut Stream) -> Vec<Cell> {
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
fn compare(cell: &Cell, ours: &Hamming, truth: &Hamming) {
    assert_eq!((ours.count, ours.bits), (truth.count, truth.bits), "{cell}");
    for (a, b) in ours.distance.iter().zip(&truth.distance) {
        assert!(a.abs_diff(*b) as f64 <= (1e-5 * truth.bits as f64).max(3.0), "{cell}: distance {a}, truth {b}");
    }
}

#[test]
fn naswot_agrees_with_the_reference() {
    let mut stream = Stream::new(fresh(), &[]);
    for (per_stage, size, count) in [(1, (32, 32), 3), (2, (16, 16), 5), (1, (8, 20), 4), (1, (4, 4), 6)] {
        let weights =
            Arc::new(Weights::generated(skeleton(per_stage, size.0, size.1), Init::Uniform, stream.bits()).unwrap());
        let batch = batch(count, size, &mut stream);
        let cells = cells(10, &mut stream);
        let truth = Reference.hamming(&cells, &weights, &batch, &()).unwrap();
        for isa in Isa::available() {
            let ours = Cpu::with_isa(isa).hamming(&cells, &weights, &batch, &()).unwrap();
            for ((cell, ours), truth) in cells.iter().zip(&ours).zip(&truth) {
                compare(cell, ours, truth);
                assert_eq!(naswot::score(ours).is_finite(), naswot::score(truth).is_finite(), "{cell}");
            }
        }
    }
}

#[test]
fn images_that_differ_in_the_last_bits_are_told_apart_as_in_f64() {
    // A batch of one image plus 1e-3 of noise: every BatchNorm works on maps that hardly vary over the batch.
    let mut stream = Stream::new(fresh(), &[]);
    let weights = Arc::new(Weights::generated(skeleton(1, 16, 16), Init::Uniform, stream.bits()).unwrap());
    let mut batch = batch(6, (16, 16), &mut stream);
    let image = batch.pixels[..3 * 256].to_vec();
    for (at, pixel) in batch.pixels.iter_mut().enumerate() {
        *pixel = image[at % image.len()] + 1e-3 * *pixel;
    }
    let cells = cells(6, &mut stream);
    let truth = Reference.hamming(&cells, &weights, &batch, &()).unwrap();
    let ours = Cpu::new().hamming(&cells, &weights, &batch, &()).unwrap();
    let mut differing = 0;
    for ((cell, ours), truth) in cells.iter().zip(&ours).zip(&truth) {
        compare(cell, ours, truth);
        differing += truth.distance.iter().sum::<u64>();
    }
    assert!(differing > 0);
}

#[test]
fn synflow_agrees_with_the_reference() {
    let mut stream = Stream::new(fresh(), &[]);
    for (per_stage, size) in [(1, (32, 32)), (3, (16, 16)), (2, (8, 12))] {
        for init in [Init::Uniform, Init::KaimingFanOut] {
            let weights =
                Arc::new(Weights::generated(skeleton(per_stage, size.0, size.1), init, stream.bits()).unwrap());
            let cells = cells(10, &mut stream);
            let truth = Reference.synflow(&cells, &weights, &()).unwrap();
            for isa in Isa::available() {
                let ours = Cpu::with_isa(isa).synflow(&cells, &weights, &()).unwrap();
                for ((cell, ours), truth) in cells.iter().zip(&ours).zip(&truth) {
                    for (ours, truth) in [
                        (ours.product, truth.product),
                        (ours.log_reference, truth.log_reference),
                        (ours.log_one_plus, truth.log_one_plus),
                    ] {
                        assert!((ours - truth).abs() <= 1e-5 * truth, "{isa:?} {cell}: {ours} {truth}");
                    }
                }
            }
        }
    }
}

#[test]
fn training_agrees_with_the_reference() {
    let mut stream = Stream::new(fresh(), &[]);
    let (mut compared, mut beyond) = (0, 0);
    for (per_stage, size, count) in [(1, (32, 32), 16), (1, (16, 16), 16)] {
        let weights =
            Arc::new(Weights::generated(skeleton(per_stage, size.0, size.1), Init::Uniform, stream.bits()).unwrap());
        let mut task = RegressionTask::draw(batch(count, size, &mut stream), &Seeds::new(stream.bits()));
        // Two steps: the first gradients have been applied when the second loss is taken.
        task.noise.truncate(2);
        for cell in cells(4, &mut stream) {
            let truth = etnas::reference::train(&cell, &weights, &task).unwrap();
            for isa in Isa::available() {
                let cpu = Cpu::with_isa(isa);
                let losses = cpu.train(&[cell], &weights, &task, &()).unwrap().remove(0);
                let (first, expected) = (losses[0], truth.losses[0]);
                assert!((first - expected).abs() <= 1e-5 * expected, "{isa:?} {cell}: {first} {expected}");
                let norms = cpu.first_gradients(&cell, &weights, &task);
                let largest = truth.first_gradient_norms.values().copied().fold(0.0, f64::max);
                for (name, norm) in &truth.first_gradient_norms {
                    let ours = norms.iter().find(|(found, _)| found == name).map_or(0.0, |(_, norm)| *norm);
                    // The shift before a head's BatchNorm has gradient 0 by cancellation: f32 leaves the rounding of it.
                    // Where an activation is so near to zero that f32 gives it the other sign, a ReLU lets through what it
                    // stops in f64: that moves the norms of a few parameters by more than rounding does.
                    let off = (ours - norm).abs();
                    assert!(off <= 1e-2 * norm + 1e-7 * largest, "{isa:?} {cell} {name}: {ours} {norm}");
                    compared += 1;
                    beyond += usize::from(off > 1e-3 * norm + 1e-7 * largest);
                }
            }
        }
    }
    println!("{beyond} of {compared} gradient norms are off by more than 1e-3");
    assert!(beyond * 20 <= compared, "{beyond} of {compared}");
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
        pool.install(|| {
            let cpu = Cpu::new();
            let kernels = cpu.hamming(cells, &weights, &images, &()).unwrap();
            let sums = cpu.synflow(cells, &weights, &()).unwrap();
            let losses = cpu.train(cells, &weights, &task, &()).unwrap();
            let bits = losses.iter().map(|l| l.iter().map(|l| l.to_bits()).collect::<Vec<_>>());
            kernels.into_iter().zip(sums).zip(bits.collect::<Vec<_>>()).collect::<Vec<_>>()
        })
    };
    let one = run(1, &cells);
    assert!(one.iter().any(|((kernel, _), _)| kernel.distance.iter().any(|d| *d > 0)));
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
    // LossSlope is chaotic in f32 (SPEC section 4): what must agree is the order of cells that differ.
    let weights = Arc::new(Weights::generated(skeleton(1, 16, 16), Init::Uniform, 3).unwrap());
    let mut stream = Stream::new(4, &[]);
    let task = RegressionTask::draw(batch(8, (16, 16), &mut stream), &Seeds::new(5));
    let cells = cells(24, &mut stream);
    let slopes = |backend: &dyn Backend| -> Vec<f64> {
        let losses = backend.train(&cells, &weights, &task, &()).unwrap();
        losses.iter().map(|losses| loss_slope::score(losses, SlopeFit::Reference).unwrap()).collect()
    };
    let (truth, ours) = (slopes(&Reference), slopes(&Cpu::new()));
    let (mut agree, mut disagree) = (0, 0);
    for i in 0..cells.len() {
        for j in 0..i {
            let order = (truth[i] - truth[j]) * (ours[i] - ours[j]);
            agree += usize::from(order > 0.0);
            disagree += usize::from(order < 0.0);
        }
    }
    let tau = (agree as f64 - disagree as f64) / (agree + disagree) as f64;
    println!("Kendall τ with f64 over {} cells: {tau:.3}", cells.len());
    assert!(tau > 0.95, "{tau}");
}

/// Weights of a cell's network through a file, every BatchNorm with a random γ and β.
fn shifted(cell: &Cell, skeleton: Skeleton, stream: &mut Stream) -> Arc<Weights> {
    let drawn = Weights::generated(skeleton, Init::Uniform, stream.bits()).unwrap();
    let mut slots = vec![Slot::Stem, Slot::Classifier, Slot::ClassifierBias];
    for (block, kind) in skeleton.blocks().enumerate() {
        match kind {
            Block::Cell { .. } => slots
                .extend((0..6).filter_map(|edge| Some(Slot::Edge { block, edge, kernel: cell.ops()[edge].kernel()? }))),
            Block::Reduction { stage } => slots
                .extend([Reduce::ConvA, Reduce::ConvB, Reduce::Shortcut].map(|conv| Slot::Reduction { stage, conv })),
        }
    }
    let mut tensors: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
    let mut norms = vec![(NormSlot::Last, skeleton.stage_channels(2))];
    for slot in slots {
        let shape = slot.shape(&skeleton).to_vec();
        let used = match slot {
            Slot::Classifier => 2,
            Slot::ClassifierBias => 1,
            Slot::Reduction { conv: Reduce::Shortcut, .. } => 4,
            _ => {
                norms.push((NormSlot::After(slot), shape[0]));
                4
            }
        };
        tensors.push((slot.name(&skeleton), shape[..used].to_vec(), drawn.tensor(slot).to_vec()));
    }
    for (slot, channels) in norms {
        let [gamma, beta] = slot.names(&skeleton);
        tensors.push((gamma, vec![channels], (0..channels).map(|_| 1.0 + stream.symmetric(0.5)).collect()));
        tensors.push((beta, vec![channels], (0..channels).map(|_| stream.symmetric(0.5)).collect()));
    }
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|(.., v)| v.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| (name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), safetensors::serialize(views, None).unwrap()).unwrap();
    let tensors = TensorFile::open(file.path()).unwrap();
    Arc::new(Weights::from_safetensors(&tensors, "", cell, (skeleton.height, skeleton.width)).unwrap())
}

#[test]
fn shifted_batch_norms_agree_with_the_reference() {
    // With β ≠ 0 a convolution of zeros is a constant, also where nothing else reaches a node.
    let mut stream = Stream::new(fresh(), &[]);
    let images = batch(4, (16, 16), &mut stream);
    let mut constants = 0;
    for cell in cells(8, &mut stream) {
        let weights = shifted(&cell, skeleton(1, 16, 16), &mut stream);
        assert!(weights.shifts());
        let truth = Reference.hamming(&[cell], &weights, &images, &()).unwrap().remove(0);
        for isa in Isa::available() {
            compare(&cell, &Cpu::with_isa(isa).hamming(&[cell], &weights, &images, &()).unwrap()[0], &truth);
        }
        let plan = Plan::new(&cell, weights.skeleton(), Purpose::Codes, true);
        let shifts = plan.values.iter().flat_map(|value| &value.terms).filter(|term| matches!(term, Term::Shift(_)));
        constants += shifts.count();
    }
    assert!(constants > 0);
}
