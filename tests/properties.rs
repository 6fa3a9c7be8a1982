//! What must hold of the measures whatever the numbers are: on plain f64 and on every kernel set of the processor, on fresh random
//! inputs. Gradients of every operation against finite differences are in tests/reference.rs.

mod common;

use common::measures::{batch, cells, compare, fresh, skeleton};
use common::network::changed;
use etnas::backend::{Backend, Hamming, SynflowSums};
use etnas::cpu::{Cpu, Isa};
use etnas::input::{Batch, RegressionTask};
use etnas::measure::naswot;
use etnas::random::{Seeds, Stream};
use etnas::reference::network::{Network, Norms, Observer};
use etnas::reference::parameters::{initial, Form};
use etnas::reference::{Reference, Tensor};
use etnas::space::{Cell, Op};
use etnas::weights::{Init, Slot, Weights};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Runs a check on plain f64 and on the processor with each of its instruction sets.
fn everywhere(check: impl Fn(&dyn Backend)) {
    check(&Reference);
    Isa::available().into_iter().for_each(|isa| check(&Cpu::with_isa(isa)));
}

fn is_reference(backend: &dyn Backend) -> bool {
    backend.name() == Reference.name()
}

/// Numbers 0 to n − 1 in random order.
fn permutation(n: usize, stream: &mut Stream) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    (1..n).for_each(|i| order.swap(i, stream.below(i + 1)));
    order
}

/// The images of a batch in another order.
fn permuted(batch: &Batch, order: &[usize]) -> Batch {
    let size = batch.pixels.len() / batch.count;
    let pixels = order.iter().flat_map(|&image| &batch.pixels[image * size..][..size]).copied().collect();
    Batch { pixels, ..batch.clone() }
}

/// Distances of the images in another order.
fn permuted_back(hamming: &Hamming, order: &[usize]) -> Hamming {
    let mut distance = vec![0; hamming.distance.len()];
    for (i, &a) in order.iter().enumerate() {
        for (j, &b) in order.iter().enumerate() {
            distance[a * hamming.count + b] = hamming.distance[i * hamming.count + j];
        }
    }
    Hamming { distance, ..*hamming }
}

#[test]
fn permuting_the_batch_leaves_naswot() {
    let mut stream = Stream::new(fresh(), &[]);
    for (size, count) in [((16, 16), 7), ((8, 12), 20), ((4, 4), 33)] {
        let weights = Arc::new(Weights::generated(skeleton(1, size.0, size.1), Init::Uniform, stream.bits()).unwrap());
        let images = batch(count, size, &mut stream);
        let order = permutation(count, &mut stream);
        let cells = cells(6, &mut stream);
        everywhere(|backend| {
            let run = |images: &Batch| backend.hamming(&cells, &weights, images, &()).unwrap();
            let (before, after) = (run(&images), run(&permuted(&images, &order)));
            for ((cell, before), after) in cells.iter().zip(&before).zip(&after) {
                let after = permuted_back(after, &order);
                // What is left is the rounding of BatchNorm's sums: in f64 no sign is so near to zero.
                match is_reference(backend) {
                    true => assert_eq!(after, *before, "{cell}"),
                    false => compare(cell, &after, before),
                }
                let (a, b) = (naswot::score(before), naswot::score(&after));
                assert!(a == b || (a - b).abs() <= 1e-3 * a, "{} {cell}: {a} {b}", backend.kernel_set());
            }
        });
    }
}

/// ln|det| by elimination with pivots, of a matrix whose entries are of the order of 1.
fn log_det(n: usize, entry: impl Fn(usize, usize) -> f64) -> f64 {
    let mut rows: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| entry(i, j)).collect()).collect();
    let mut sum = 0.0;
    for k in 0..n {
        let pivot = (k..n).max_by(|&a, &b| rows[a][k].abs().total_cmp(&rows[b][k].abs())).unwrap();
        rows.swap(k, pivot);
        sum += rows[k][k].abs().ln();
        let (done, rest) = rows.split_at_mut(k + 1);
        for row in rest {
            let factor = row[k] / done[k][k];
            row.iter_mut().zip(&done[k]).skip(k).for_each(|(x, p)| *x -= factor * p);
        }
    }
    sum
}

#[test]
fn dividing_the_kernel_by_n_a_shifts_naswot_by_n_ln_n_a() {
    let mut stream = Stream::new(fresh(), &[]);
    let weights = Arc::new(Weights::generated(skeleton(1, 8, 8), Init::Uniform, stream.bits()).unwrap());
    let mut regular = 0;
    for count in [2, 5, 24] {
        let images = batch(count, (8, 8), &mut stream);
        let cells = cells(6, &mut stream);
        everywhere(|backend| {
            for (cell, hamming) in cells.iter().zip(backend.hamming(&cells, &weights, &images, &()).unwrap()) {
                let score = naswot::score(&hamming);
                assert_eq!(score.is_finite(), !cell.has_constant_codes(), "{cell}");
                if !score.is_finite() {
                    continue;
                }
                let (n, bits) = (count as f64, hamming.bits as f64);
                let scaled = log_det(count, |i, j| (hamming.bits - hamming.distance[i * count + j]) as f64 / bits);
                let shifted = scaled + n * bits.ln();
                assert!((score - shifted).abs() <= 1e-9 * score, "{cell}: {score} {shifted}");
                // Every bit thrice: K becomes 3·K.
                let thrice = Hamming {
                    bits: 3 * hamming.bits,
                    distance: hamming.distance.iter().map(|d| 3 * d).collect(),
                    ..hamming
                };
                let moved = naswot::score(&thrice) - score;
                assert!((moved - n * 3f64.ln()).abs() <= 1e-9 * score, "{cell}: {moved}");
            }
        });
        regular += cells.iter().filter(|cell| !cell.has_constant_codes()).count();
    }
    assert!(regular > 6, "{regular}");
}

#[test]
fn two_equal_images_give_minus_infinity() {
    let mut stream = Stream::new(fresh(), &[]);
    let weights = Arc::new(Weights::generated(skeleton(1, 16, 16), Init::Uniform, stream.bits()).unwrap());
    for count in [2, 5, 19] {
        let distinct = batch(count, (16, 16), &mut stream);
        let order = permutation(count, &mut stream);
        let (from, to) = (order[0], order[1]);
        let mut equal = distinct.clone();
        let size = 3 * 256;
        equal.pixels.copy_within(from * size..(from + 1) * size, to * size);
        let cells = cells(5, &mut stream);
        everywhere(|backend| {
            let scores = |images: &Batch| -> Vec<f64> {
                let kernels = backend.kernels(&cells, &weights, images, &()).unwrap();
                kernels.iter().map(naswot::score_of).collect()
            };
            assert!(scores(&equal).iter().all(|score| *score == f64::NEG_INFINITY), "{}", backend.kernel_set());
            for (cell, score) in cells.iter().zip(scores(&distinct)) {
                assert_eq!(score.is_finite(), !cell.has_constant_codes(), "{} {cell}: {score}", backend.kernel_set());
            }
        });
    }
}

/// Counts bits, and those in which the codes of two images differ, as the ReLUs are met.
#[derive(Default)]
struct Counted {
    bits: u64,
    differ: u64,
}

impl Observer for Counted {
    fn relu(&mut self, x: &Tensor) {
        let (a, b) = x.values.split_at(x.values.len() / 2);
        self.bits += a.len() as u64;
        self.differ += a.iter().zip(b).filter(|(a, b)| (**a > 0.0) != (**b > 0.0)).count() as u64;
    }
}

#[test]
fn a_batch_of_two_is_a_determinant_by_hand() {
    let mut stream = Stream::new(fresh(), &[]);
    let skeleton = skeleton(1, 8, 8);
    let weights = Arc::new(Weights::generated(skeleton, Init::Uniform, stream.bits()).unwrap());
    let images = batch(2, (8, 8), &mut stream);
    let cells = cells(8, &mut stream);
    for (at, cell) in cells.iter().enumerate() {
        let parameters = initial(cell, &weights, Form::Classifier);
        let mut counted = Counted::default();
        let mut network = Network::new(cell, &skeleton, &parameters, Norms::Batch, false, &mut counted);
        let stages = network.stages(Tensor::from_f32([2, 3, 8, 8], &images.pixels));
        network.logits(&stages[2]);
        let Counted { bits, differ } = counted;
        assert_eq!(bits, skeleton.code_bits(cell), "{cell}");
        // K = [[N, N − d], [N − d, N]]: its determinant is N² − (N − d)² = d·(2·N − d).
        let by_hand = (differ as f64).ln() + ((2 * bits - differ) as f64).ln();
        everywhere(|backend| {
            let found = naswot::score_of(&backend.kernels(&cells, &weights, &images, &()).unwrap()[at]);
            // A sign that f32 sees otherwise moves d by up to three.
            let within = if is_reference(backend) { 1e-12 * by_hand } else { 4.0 / differ.max(1) as f64 };
            let close = found == by_hand || (found - by_hand).abs() <= within;
            assert!(close, "{} {cell}: {found} {by_hand}", backend.kernel_set());
        });
    }
}

/// |w| and g of every layer without its bias, in f64.
fn layers(cell: &Cell, weights: &Weights) -> BTreeMap<String, (Vec<f64>, Vec<f64>)> {
    let skeleton = weights.skeleton();
    let mut parameters = initial(cell, weights, Form::Classifier);
    parameters.values_mut().flat_map(|p| &mut p.values).for_each(|v| *v = v.abs());
    let mut nobody = ();
    let mut network = Network::new(cell, skeleton, &parameters, Norms::Identity, true, &mut nobody);
    let ones = Tensor::zeros([1, 3, skeleton.height, skeleton.width]).map(|_| 1.0);
    let stages = network.stages(ones);
    let logits = network.logits(&stages[2]);
    let seed = logits.map(|_| 1.0);
    let gradients = network.backward(vec![(logits, seed)]).parameters;
    let layer = |(name, g): (String, Vec<f64>)| {
        let weight = parameters[&name].values.clone();
        name.strip_suffix(".weight").map(|layer| (layer.to_string(), (weight, g)))
    };
    gradients.into_iter().filter_map(layer).collect()
}

/// The three sums over |w| and g.
fn summed<'a>(layers: impl Iterator<Item = &'a (Vec<f64>, Vec<f64>)>) -> SynflowSums {
    let mut sums = SynflowSums::default();
    for (w, g) in layers.flat_map(|(weights, g)| weights.iter().zip(g)) {
        sums.product += w * g;
        sums.log_reference += (w * (g + 1e-6).ln()).abs();
        sums.log_one_plus += (w * (g + 1.0).ln()).abs();
    }
    sums
}

fn close(backend: &dyn Backend, ours: &SynflowSums, truth: &SynflowSums, what: &str) {
    let within = if is_reference(backend) { 1e-12 } else { 1e-5 };
    for (ours, truth) in [
        (ours.product, truth.product),
        (ours.log_reference, truth.log_reference),
        (ours.log_one_plus, truth.log_one_plus),
    ] {
        assert!((ours - truth).abs() <= within * truth, "{} {what}: {ours} instead of {truth}", backend.kernel_set());
    }
}

/// The sum of logits is linear in each layer's weights. So doubling those of a layer that every path goes through doubles g of all
/// others to the last bit and leaves its own.
#[test]
fn doubling_a_layer_that_all_paths_go_through_doubles_every_other_gradient() {
    let mut stream = Stream::new(fresh(), &[]);
    let chain: Cell = "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|".parse().unwrap();
    let any = |stream: &mut Stream| Cell::from_index(stream.below(15_625) as i64).unwrap();
    let kernel = chain.ops()[3].kernel().unwrap();
    for (cell, slot) in [
        (any(&mut stream), Slot::Stem),
        (any(&mut stream), Slot::Classifier),
        ("9930".parse().unwrap(), Slot::Stem),
        (chain, Slot::Edge { block: 0, edge: 3, kernel }),
        (chain, Slot::Edge { block: 2, edge: 3, kernel }),
    ] {
        let skeleton = skeleton(1, 8, 8);
        let drawn = Weights::generated(skeleton, Init::Uniform, stream.bits()).unwrap();
        let double = |at: Slot, _: [usize; 4], values: &mut [f32]| {
            if at == slot {
                values.iter_mut().for_each(|w| *w *= 2.0);
            }
        };
        let once = Arc::new(changed(&cell, &drawn, |_, _, _| ()));
        let twice = Arc::new(changed(&cell, &drawn, double));
        let (before, after) = (layers(&cell, &once), layers(&cell, &twice));
        let own = slot.name(&skeleton);
        let own = own.strip_suffix(".weight").unwrap();
        assert!(before.contains_key(own), "{own} is not among {:?}", before.keys());
        for (name, (_, g)) in &before {
            let factor = if name == own { 1.0 } else { 2.0 };
            assert!(g.iter().zip(&after[name].1).all(|(before, after)| *after == factor * before), "{cell} {name}");
        }
        let truth = summed(after.values());
        everywhere(|backend| {
            let what = format!("{cell}, {own}");
            let sums = |weights| backend.synflow(&[cell], weights, &()).unwrap()[0];
            let (once, twice) = (sums(&once), sums(&twice));
            close(backend, &once, &summed(before.values()), &what);
            close(backend, &twice, &truth, &what);
            assert_eq!(twice.product, 2.0 * once.product, "{} {what}", backend.kernel_set());
        });
    }
}

/// Of any other layer: its own gradients stay as they are, to the last bit, whatever is beside it.
#[test]
fn doubling_any_layer_leaves_its_own_gradients() {
    let mut stream = Stream::new(fresh(), &[]);
    let skeleton = skeleton(1, 8, 8);
    for cell in cells(3, &mut stream) {
        let drawn = Weights::generated(skeleton, Init::Uniform, stream.bits()).unwrap();
        let before = layers(&cell, &changed(&cell, &drawn, |_, _, _| ()));
        let mut slots = Vec::new();
        changed(&cell, &drawn, |slot, _, _| slots.push(slot));
        for slot in slots {
            let twice = changed(&cell, &drawn, |at, _, values| {
                values.iter_mut().filter(|_| at == slot).for_each(|w| *w *= 2.0);
            });
            let name = slot.name(&skeleton);
            let name = name.strip_suffix(".weight").unwrap();
            let after = layers(&cell, &twice);
            assert_eq!(before.get(name).map(|(_, g)| g), after.get(name).map(|(_, g)| g), "{cell} {name}");
        }
    }
}

/// Nodes 1 and 2 of a cell in which no edge joins them are interchangeable.
#[test]
fn exchanging_nodes_1_and_2_changes_nothing_beyond_rounding() {
    const EXCHANGED: [usize; 6] = [1, 0, 2, 3, 5, 4];
    let mut stream = Stream::new(fresh(), &[]);
    let mut convolutions = 0;
    for number in 0..4 {
        let mut ops = *Cell::from_index(stream.below(15_625) as i64).unwrap().ops();
        ops[2] = Op::None;
        if number == 0 {
            ops = [Op::NorConv3x3, Op::NorConv1x1, Op::None, Op::SkipConnect, Op::NorConv1x1, Op::NorConv3x3];
        }
        let cell = Cell::new(ops);
        let other = Cell::new(EXCHANGED.map(|edge| ops[edge]));
        convolutions += cell.conv_edges(None);
        let drawn = Weights::generated(skeleton(1, 16, 16), Init::Uniform, stream.bits()).unwrap();
        let heads = stream.bits();
        let load = |cell: &Cell, exchange: bool| {
            let weights = changed(cell, &drawn, |slot, _, values| {
                if let (Slot::Edge { block, edge, kernel }, true) = (slot, exchange) {
                    values.copy_from_slice(drawn.tensor(Slot::Edge { block, edge: EXCHANGED[edge], kernel }));
                }
            });
            Arc::new(weights.draw_missing(Init::Uniform, heads))
        };
        let (weights, exchanged) = (load(&cell, false), load(&other, true));
        let images = batch(5, (16, 16), &mut stream);
        let mut task = RegressionTask::draw(images.clone(), &Seeds::new(stream.bits()));
        task.noise.truncate(3);
        everywhere(|backend| {
            let set = backend.kernel_set();
            let of = |cell: Cell, weights: &Arc<Weights>| {
                let kernel = backend.hamming(&[cell], weights, &images, &()).unwrap().remove(0);
                let sums = backend.synflow(&[cell], weights, &()).unwrap()[0];
                (kernel, sums, backend.train(&[cell], weights, &task, &()).unwrap().remove(0))
            };
            let (one, two) = (of(cell, &weights), of(other, &exchanged));
            compare(&cell, &two.0, &one.0);
            close(backend, &two.1, &one.1, "exchanged");
            // Later losses of f32 are chaotic.
            let (steps, within) = if is_reference(backend) { (3, 1e-9) } else { (1, 1e-5) };
            for (a, b) in one.2.iter().zip(&two.2).take(steps) {
                assert!((a - b).abs() <= within * a, "{set} {cell}: losses {a} and {b}");
            }
        });
    }
    assert!(convolutions >= 4, "{convolutions}");
}
