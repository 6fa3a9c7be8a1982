//! The reference against definitions and finite differences, on fresh random numbers.

mod common;

use common::measures::fresh;
use etnas::backend::{Backend, Watch};
use etnas::input::{Batch, RegressionTask};
use etnas::random::{Seeds, Stream};
use etnas::reference::conv::Conv;
use etnas::reference::network::{Network, Norms, Observer};
use etnas::reference::norm::Moments;
use etnas::reference::parameters::{initial, Form, Parameter, Parameters};
use etnas::reference::pool::Pool;
use etnas::reference::tape::{Tape, Value};
use etnas::reference::{synflow_layers, train, Reference, Tensor};
use etnas::space::{Cell, Op, Skeleton};
use etnas::weights::{Init, Weights};
use etnas::Error;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

fn random(shape: [usize; 4], stream: &mut Stream) -> Tensor {
    Tensor::from_fn(shape, || stream.unit() * 2.0 - 1.0)
}

fn parameter(shape: &[usize], stream: &mut Stream) -> Parameter {
    let values = (0..shape.iter().product()).map(|_| stream.unit() * 2.0 - 1.0).collect();
    Parameter { shape: shape.to_vec(), values }
}

fn inner(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.shape, b.shape);
    a.values.iter().zip(&b.values).map(|(a, b)| a * b).sum()
}

/// Compares every gradient of ⟨r, f(x, parameters)⟩ with central differences, r being random.
fn check_gradients(
    x: Tensor,
    parameters: Parameters,
    stream: &mut Stream,
    f: impl Fn(&mut Tape, &Value) -> Value,
) -> Tensor {
    const STEP: f64 = 1e-5;
    let mut tape = Tape::new(&parameters, true);
    let leaf = tape.input(x.clone());
    let y = f(&mut tape, &leaf);
    let (r, y_then) = (random(y.shape, stream), Tensor::clone(&y));
    let gradients = tape.backward(vec![(y, r.clone())]);

    let value = |x: &Tensor, parameters: &Parameters| {
        let mut tape = Tape::new(parameters, false);
        let leaf = tape.input(x.clone());
        inner(&r, &f(&mut tape, &leaf))
    };
    let close = |what: &str, found: f64, up: f64, down: f64| {
        let expected = (up - down) / (2.0 * STEP);
        assert!((found - expected).abs() < 1e-6 * (1.0 + expected.abs()), "{what}: {found} instead of {expected}");
    };
    let of_x = gradients.of(&leaf).expect("the input leads to the output");
    for i in 0..x.values.len() {
        let moved = |by: f64| {
            let mut x = x.clone();
            x.values[i] += by;
            value(&x, &parameters)
        };
        close(&format!("x[{i}]"), of_x.values[i], moved(STEP), moved(-STEP));
    }
    assert_eq!(gradients.parameters.keys().collect::<Vec<_>>(), parameters.keys().collect::<Vec<_>>());
    for (name, gradient) in &gradients.parameters {
        assert_eq!(gradient.len(), parameters[name].values.len());
        for (i, &found) in gradient.iter().enumerate() {
            let moved = |by: f64| {
                let mut parameters = parameters.clone();
                parameters.get_mut(name).unwrap().values[i] += by;
                value(&x, &parameters)
            };
            close(&format!("{name}[{i}]"), found, moved(STEP), moved(-STEP));
        }
    }
    y_then
}

#[test]
fn convolution_is_its_definition() {
    let mut stream = Stream::new(fresh(), &[]);
    for (side, stride, [h, w]) in [(1, 1, [5, 6]), (3, 1, [4, 7]), (3, 2, [8, 6]), (3, 2, [1, 2]), (1, 2, [4, 4])] {
        let conv = Conv { outputs: 5, inputs: 3, side, stride };
        let x = random([2, 3, h, w], &mut stream);
        let weight = parameter(&[5, 3, side, side], &mut stream).values;
        let y = conv.forward(&x, &weight);
        let [n, o, oh, ow] = y.shape;
        assert_eq!([n, o, oh, ow], [2, 5, (h - 1) / stride + 1, (w - 1) / stride + 1]);
        let pixel = |n: usize, c: usize, y: isize, x_: isize| {
            let inside = (0..h as isize).contains(&y) && (0..w as isize).contains(&x_);
            if inside {
                x.values[((n * 3 + c) * h + y as usize) * w + x_ as usize]
            } else {
                0.0
            }
        };
        for (at, &found) in y.values.iter().enumerate() {
            let (ox, oy, o, n) = (at % ow, at / ow % oh, at / (ow * oh) % 5, at / (ow * oh * 5));
            let mut expected = 0.0;
            for c in 0..3 {
                for ky in 0..side {
                    for kx in 0..side {
                        let (y, x) = ((oy * stride + ky) as isize, (ox * stride + kx) as isize);
                        let pad = (side / 2) as isize;
                        expected += weight[((o * 3 + c) * side + ky) * side + kx] * pixel(n, c, y - pad, x - pad);
                    }
                }
            }
            assert!((found - expected).abs() < 1e-13, "side {side} stride {stride} [{n} {o} {oy} {ox}]");
        }
    }
}

#[test]
fn gradients_of_convolutions() {
    let mut stream = Stream::new(fresh(), &[]);
    for (side, stride, [h, w]) in [(1, 1, [4, 3]), (3, 1, [4, 5]), (3, 2, [6, 4]), (3, 2, [2, 2]), (3, 1, [1, 1])] {
        let parameters = Parameters::from([("w".to_string(), parameter(&[5, 3, side, side], &mut stream))]);
        let x = random([2, 3, h, w], &mut stream);
        check_gradients(x, parameters, &mut stream, |tape, x| tape.conv(x, "w", stride));
    }
}

#[test]
fn gradients_of_batch_norm() {
    let mut stream = Stream::new(fresh(), &[]);
    let norm = |tape: &mut Tape, x: &Value| tape.batch_norm(x, ["gamma".to_string(), "beta".to_string()]);
    let shape = [3, 2, 2, 3];
    let plain = check_gradients(random(shape, &mut stream), Parameters::new(), &mut stream, norm);
    let moments = Moments::of(&plain);
    assert!(moments.mean.iter().all(|m| m.abs() < 1e-12), "{moments:?}");
    // (variance v) / (v + eps), v of the order 1/3
    assert!(moments.scale.iter().all(|s| (s - 1.0).abs() < 1e-3), "{moments:?}");
    let affine = ["gamma", "beta"].map(|name| (name.to_string(), parameter(&[2], &mut stream)));
    check_gradients(random(shape, &mut stream), Parameters::from(affine), &mut stream, norm);
}

#[test]
fn gradients_of_relu() {
    let mut stream = Stream::new(fresh(), &[]);
    // Central differences hold only where no element crosses 0.
    let x = random([2, 3, 4, 4], &mut stream).map(|v| v + 0.01 * v.signum());
    let y = check_gradients(x.clone(), Parameters::new(), &mut stream, |tape, x| tape.relu(x));
    assert_eq!(y, x.map(|v| v.max(0.0)));

    let parameters = Parameters::new();
    let mut tape = Tape::new(&parameters, true);
    let zeros = tape.input(Tensor::zeros([1, 1, 2, 2]));
    let y = tape.relu(&zeros);
    let gradients = tape.backward(vec![(y.clone(), y.map(|_| 1.0))]);
    assert_eq!(gradients.of(&zeros).unwrap().values, [0.0; 4]);
}

#[test]
fn gradients_of_pools_and_resize() {
    let mut stream = Stream::new(fresh(), &[]);
    let cases = [
        (Pool::Average3, [4, 5], [4, 5]),
        (Pool::Average3, [1, 2], [1, 2]),
        (Pool::Average2, [4, 6], [2, 3]),
        (Pool::Mean, [3, 4], [1, 1]),
        (Pool::Nearest(8, 8), [16, 32], [8, 8]),
        (Pool::Nearest(8, 8), [12, 4], [8, 8]),
        (Pool::Nearest(8, 8), [8, 1], [8, 8]),
    ];
    for (pool, [h, w], output) in cases {
        let x = random([2, 2, h, w], &mut stream);
        let y = check_gradients(x, Parameters::new(), &mut stream, |tape, x| tape.pool(x, pool));
        assert_eq!(y.shape[2..], output, "{pool:?}");
    }
}

#[test]
fn pools_and_resize_are_their_definitions() {
    let x = Tensor { shape: [1, 1, 3, 4], values: (0..12).map(|v| f64::from(v * v)).collect() };
    let average = Pool::Average3.forward(&x);
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found} instead of {expected}");
    near(average.values[0], (0.0 + 1.0 + 16.0 + 25.0) / 4.0);
    near(average.values[1], (0.0 + 1.0 + 4.0 + 16.0 + 25.0 + 36.0) / 6.0);
    near(average.values[5], (0.0 + 1.0 + 4.0 + 16.0 + 25.0 + 36.0 + 64.0 + 81.0 + 100.0) / 9.0);
    let ones = Tensor::zeros([2, 3, 5, 4]).map(|_| 1.0);
    Pool::Average3.forward(&ones).values.iter().for_each(|&v| near(v, 1.0));
    let half = Pool::Average2.forward(&Tensor { shape: [1, 1, 2, 4], values: (0..8).map(f64::from).collect() });
    assert_eq!(half.values, [(0.0 + 1.0 + 4.0 + 5.0) / 4.0, (2.0 + 3.0 + 6.0 + 7.0) / 4.0]);
    // Nearest as in F.interpolate: output pixel i reads ⌊i·in/out⌋.
    let line = |n: usize| Tensor { shape: [1, 1, 1, n], values: (0..n).map(|v| v as f64).collect() };
    let read = |n: usize| Pool::Nearest(1, 8).forward(&line(n)).values;
    assert_eq!(read(32), [0.0, 4.0, 8.0, 12.0, 16.0, 20.0, 24.0, 28.0]);
    assert_eq!(read(12), [0.0, 1.0, 3.0, 4.0, 6.0, 7.0, 9.0, 10.0]);
    assert_eq!(read(4), [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0]);
}

#[test]
fn gradients_of_a_head_and_of_shared_values() {
    let mut stream = Stream::new(fresh(), &[]);
    let shapes: [(&str, &[usize]); 4] = [("g", &[3]), ("b", &[3]), ("w", &[4, 3, 1, 1]), ("bias", &[4])];
    let parameters: Parameters =
        shapes.into_iter().map(|(name, shape)| (name.to_string(), parameter(shape, &mut stream))).collect();
    check_gradients(random([2, 3, 4, 4], &mut stream), parameters, &mut stream, |tape, x| {
        let x = tape.pool(x, Pool::Nearest(8, 8));
        let x = tape.batch_norm(&x, ["g".to_string(), "b".to_string()]);
        let x = tape.conv(&x, "w", 1);
        tape.bias(&x, "bias")
    });
    // A classifier's weight has two dimensions; a value that is read three times gathers three gradients.
    let parameters = Parameters::from([("w".to_string(), parameter(&[5, 3], &mut stream))]);
    check_gradients(random([2, 3, 3, 3], &mut stream), parameters, &mut stream, |tape, x| {
        let pooled = tape.pool(x, Pool::Average3);
        let sum = tape.sum(&[x.clone(), pooled, x.clone()], x.shape);
        let mean = tape.pool(&sum, Pool::Mean);
        tape.conv(&mean, "w", 1)
    });
}

#[test]
fn batch_norm_of_a_constant_map_is_exactly_zero() {
    for constant in [0.0, 0.1, -1.0 / 3.0, 1e9 + 0.7, 1e-300] {
        let x = Tensor::zeros([7, 2, 5, 3]).map(|_| constant);
        let y = Moments::of(&x).normalise(&x, None);
        assert!(y.values.iter().all(|&v| v == 0.0), "{constant}: {:?}", y.values[0]);
    }
}

fn random_cell(stream: &mut Stream) -> Cell {
    Cell::from_index(stream.below(15_625) as i64).unwrap()
}

fn small(channels: usize, size: usize) -> Skeleton {
    Skeleton { channels, cells_per_stage: 1, classes: 3, height: size, width: size }
}

fn batch(count: usize, size: usize, stream: &mut Stream) -> Batch {
    let pixels = (0..count * 3 * size * size).map(|_| stream.symmetric(1.5)).collect();
    Batch { count, height: size, width: size, pixels }
}

/// Every γ in ±[0.5, 1.5), every β in [−0.5, 0.5), so that no ReLU of the network stands at exactly 0.
fn randomise_norms(parameters: &mut Parameters, stream: &mut Stream) {
    for (name, parameter) in parameters.iter_mut().filter(|(_, p)| p.shape.len() == 1) {
        let gamma = name.ends_with(".weight");
        parameter.values.iter_mut().for_each(|v| *v = stream.unit() - 0.5 + if gamma { 1.0 } else { 0.0 });
    }
}

#[test]
fn gradients_of_whole_regressors() {
    let mut stream = Stream::new(fresh(), &[]);
    let mut cells: Vec<Cell> = (0..5).map(|_| random_cell(&mut stream)).collect();
    cells.push(Cell::new([Op::NorConv3x3; 6]));
    cells.push(Cell::new([Op::None; 6]));
    let mut compared = 0;
    for (i, cell) in cells.into_iter().enumerate() {
        let skeleton = small(2 + i % 3, 8);
        let weights = Weights::generated(skeleton, Init::Uniform, stream.bits()).unwrap();
        let mut parameters = initial(&cell, &weights, Form::Heads);
        randomise_norms(&mut parameters, &mut stream);
        let images = random([3, 3, 8, 8], &mut stream);
        let targets = [64, 48, 16].map(|c| random([3, c, 8, 8], &mut stream));
        let (loss, gradients) =
            etnas::reference::train::loss_and_gradients(&cell, &skeleton, &parameters, images.clone(), &targets);
        let value = |parameters: &Parameters| {
            etnas::reference::train::loss(&cell, &skeleton, parameters, images.clone(), &targets, &mut ())
        };
        assert_eq!(value(&parameters), loss);
        assert_eq!(gradients.parameters.len(), parameters.len());
        for (name, gradient) in &gradients.parameters {
            let size = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            for _ in 0..3 {
                let at = stream.below(gradient.len());
                let moved = |by: f64| {
                    let mut parameters = parameters.clone();
                    parameters.get_mut(name).unwrap().values[at] += by;
                    value(&parameters)
                };
                // Two steps: where they disagree a ReLU turned over between them and there is no derivative to compare.
                let slope = |step: f64| (moved(step) - moved(-step)) / (2.0 * step);
                let (wide, narrow) = (slope(2e-5), slope(1e-5));
                let tolerance = 1e-6 * (size + loss * 1e-3);
                if (wide - narrow).abs() < tolerance {
                    let found = gradient[at];
                    assert!(
                        (found - narrow).abs() < 3.0 * tolerance,
                        "{cell} {name}[{at}]: {found} instead of {narrow}"
                    );
                    compared += 1;
                }
            }
        }
    }
    // About 3 × 40 per cell; kinks are rare.
    assert!(compared > 450, "{compared}");
}

#[test]
fn gradients_of_the_sum_of_logits() {
    let mut stream = Stream::new(fresh(), &[]);
    for _ in 0..4 {
        let (cell, skeleton) = (random_cell(&mut stream), small(3, 8));
        let weights = Weights::generated(skeleton, Init::Uniform, stream.bits()).unwrap();
        let mut parameters = initial(&cell, &weights, Form::Classifier);
        parameters.values_mut().flat_map(|p| &mut p.values).for_each(|v| *v = v.abs());
        let sum = |parameters: &Parameters| {
            let mut nobody = ();
            let mut network = Network::new(&cell, &skeleton, parameters, Norms::Identity, false, &mut nobody);
            let stages = network.stages(Tensor::zeros([1, 3, 8, 8]).map(|_| 1.0));
            network.logits(&stages[2]).values.iter().sum::<f64>()
        };
        // Homogeneity: each live layer of the chain scales the sum without its bias. Σ w·∂sum/∂w over one weight tensor is
        // the derivative of the sum along that tensor's own direction, here by central differences.
        for layer in synflow_layers(&cell, &weights) {
            let moved = |factor: f64| {
                let mut parameters = parameters.clone();
                let weight = parameters.get_mut(&format!("{}.weight", layer.name)).unwrap();
                weight.values.iter_mut().for_each(|v| *v *= factor);
                sum(&parameters)
            };
            let expected = (moved(1.0 + 1e-6) - moved(1.0 - 1e-6)) / 2e-6;
            let found = layer.sums.product;
            assert!(
                (found - expected).abs() <= 1e-7 * sum(&parameters).abs(),
                "{cell} {}: {found} {expected}",
                layer.name
            );
        }
    }
}

/// Keeps what it sees.
#[derive(Default)]
struct Places(BTreeMap<String, Tensor>);

impl Observer for Places {
    fn value(&mut self, place: &str, value: &Tensor) {
        assert!(self.0.insert(place.to_string(), value.clone()).is_none(), "{place} twice");
    }
}

#[test]
fn nodes_are_sums_of_their_edges() {
    let mut stream = Stream::new(fresh(), &[]);
    let skeleton = small(4, 8);
    let weights = Weights::generated(skeleton, Init::Uniform, stream.bits()).unwrap();
    let see = |cell: Cell, images: Tensor| {
        let parameters = initial(&cell, &weights, Form::Classifier);
        let mut places = Places::default();
        let mut network = Network::new(&cell, &skeleton, &parameters, Norms::Batch, false, &mut places);
        let stages = network.stages(images);
        network.logits(&stages[2]);
        places.0
    };
    let images = random([3, 3, 8, 8], &mut stream);
    let all_skip = see(Cell::new([Op::SkipConnect; 6]), images.clone());
    let stem = &all_skip["stem"];
    assert!(stem.values.iter().any(|&v| v != 0.0));
    // Node 1 = x, node 2 = x + x, node 3 = x + x + 2x.
    for (node, factor) in [(1, 1.0), (2, 2.0), (3, 4.0)] {
        assert_eq!(all_skip[&format!("cells.0.nodes.{node}")], stem.map(|v| factor * v));
    }
    let places: Vec<&str> = all_skip.keys().map(String::as_str).collect();
    assert_eq!(places.len(), 1 + 9 + 2 + 1, "{places:?}");
    assert_eq!(all_skip["cells.1"].shape, [3, 8, 4, 4]);
    assert_eq!(all_skip["cells.3"].shape, [3, 16, 2, 2]);
    assert_eq!(all_skip["logits"].shape, [3, 3, 1, 1]);
    // A pool on 0→3 alone: nodes 1 and 2 are exactly zero.
    let mut ops = [Op::None; 6];
    ops[3] = Op::AvgPool3x3;
    let pool = see(Cell::new(ops), images);
    assert!(pool["cells.0.nodes.1"].values.iter().chain(&pool["cells.0.nodes.2"].values).all(|&v| v == 0.0));
    assert_eq!(pool["cells.0.nodes.3"], Pool::Average3.forward(&pool["stem"]));
}

#[test]
fn counted_bits_are_n_a_and_constant_codes_are_constant() {
    let mut stream = Stream::new(fresh(), &[]);
    let skeleton = small(2, 4);
    let weights = Arc::new(Weights::generated(skeleton, Init::Uniform, stream.bits()).unwrap());
    let images = batch(3, 4, &mut stream);
    // Every cell without a path to node 3, and 300 of the others.
    let mut cells: Vec<Cell> = Cell::all().filter(Cell::is_dead).collect();
    assert_eq!(cells.len(), 341);
    cells.extend((0..300).map(|_| random_cell(&mut stream)));
    let found = Reference.hamming(&cells, &weights, &images, &()).unwrap();
    assert_eq!(found.len(), cells.len());
    let mut constant = 0;
    for (cell, hamming) in cells.iter().zip(&found) {
        assert_eq!(hamming.bits, skeleton.code_bits(cell), "{cell}");
        assert_eq!(hamming.count, 3);
        let differ = hamming.distance.iter().any(|&d| d > 0);
        assert_eq!(differ, !cell.has_constant_codes(), "{cell}");
        constant += usize::from(!differ);
        for i in 0..3 {
            assert_eq!(hamming.distance[i * 3 + i], 0);
            for j in 0..3 {
                assert_eq!(hamming.distance[i * 3 + j], hamming.distance[j * 3 + i]);
                assert!(hamming.distance[i * 3 + j] <= hamming.bits);
            }
        }
    }
    assert!(constant >= 201, "{constant}");
}

fn task(count: usize, size: usize, stream: &mut Stream) -> RegressionTask {
    let images = batch(count, size, stream);
    let noise = (0..3).map(|_| (0..images.pixels.len()).map(|_| stream.symmetric(0.1)).collect()).collect();
    let targets = [64, 48, 16].map(|c| (0..count * c * 64).map(|_| stream.symmetric(2.0)).collect());
    RegressionTask { images, noise, targets }
}

#[test]
fn dead_cells_and_zero_images_give_finite_numbers() {
    let mut stream = Stream::new(fresh(), &[]);
    let weights = Arc::new(Weights::generated(small(2, 8), Init::Xavier, stream.bits()).unwrap());
    let dead: Vec<Cell> = Cell::all().filter(Cell::is_dead).step_by(7).chain([Cell::new([Op::None; 6])]).collect();
    for sums in Reference.synflow(&dead, &weights, &()).unwrap() {
        assert_eq!((sums.product, sums.log_one_plus), (0.0, 0.0));
        assert!(sums.log_reference.is_finite() && sums.log_reference > 0.0);
    }
    let mut task = task(2, 8, &mut stream);
    let finite = |losses: &Vec<f64>| losses.len() == 3 && losses.iter().all(|l| l.is_finite() && *l > 0.0);
    assert!(Reference.train(&dead, &weights, &task, &()).unwrap().iter().all(finite));

    task.images.pixels.fill(0.0);
    task.noise.iter_mut().for_each(|noise| noise.fill(0.0));
    let cells = [dead[0], Cell::new([Op::NorConv3x3; 6]), random_cell(&mut stream)];
    assert!(Reference.train(&cells, &weights, &task, &()).unwrap().iter().all(finite));
    for hamming in Reference.hamming(&cells, &weights, &task.images, &()).unwrap() {
        assert!(hamming.distance.iter().all(|&d| d == 0));
    }
}

#[test]
fn images_that_are_not_finite_give_losses_that_are_not() {
    let mut stream = Stream::new(fresh(), &[]);
    let weights = Weights::generated(small(2, 8), Init::Uniform, stream.bits()).unwrap();
    let mut task = task(2, 8, &mut stream);
    task.noise[1][5] = f32::INFINITY;
    let losses = train(&Cell::new([Op::NorConv1x1; 6]), &weights, &task).unwrap().losses;
    assert!(losses[0].is_finite() && losses[1..].iter().all(|l| !l.is_finite()), "{losses:?}");
}

#[test]
fn results_do_not_depend_on_threads_or_company() {
    let mut stream = Stream::new(fresh(), &[]);
    let weights = Arc::new(Weights::generated(small(4, 16), Init::Uniform, stream.bits()).unwrap());
    let cells: Vec<Cell> = (0..3).map(|_| random_cell(&mut stream)).collect();
    let task = task(5, 16, &mut stream);
    let run = |cells: &[Cell]| {
        let hamming = Reference.hamming(cells, &weights, &task.images, &()).unwrap();
        let sums = Reference.synflow(cells, &weights, &()).unwrap();
        (hamming, sums, Reference.train(cells, &weights, &task, &()).unwrap())
    };
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let one = pool(1).install(|| run(&cells));
    assert_eq!(pool(3).install(|| run(&cells)), one);
    let last = run(&cells[2..]);
    assert_eq!((&last.0[0], &last.1[0], &last.2[0]), (&one.0[2], &one.1[2], &one.2[2]));
}

struct Stop {
    after: usize,
    done: AtomicUsize,
}

impl Watch for Stop {
    fn advance(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }
    fn cancelled(&self) -> bool {
        self.done.load(Ordering::Relaxed) >= self.after
    }
}

#[test]
fn progress_is_told_and_work_can_be_cancelled() {
    let weights = Arc::new(Weights::generated(small(2, 4), Init::Uniform, fresh()).unwrap());
    let cells = [Cell::new([Op::SkipConnect; 6]); 4];
    let all = Stop { after: 9, done: AtomicUsize::new(0) };
    assert_eq!(Reference.synflow(&cells, &weights, &all).unwrap().len(), 4);
    assert_eq!(all.done.load(Ordering::Relaxed), 4);
    let two = Stop { after: 2, done: AtomicUsize::new(0) };
    assert!(matches!(Reference.synflow(&cells, &weights, &two), Err(Error::Interrupted)));
    assert_eq!(two.done.load(Ordering::Relaxed), 2);
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let mut stream = Stream::new(fresh(), &[]);
    let weights = Arc::new(Weights::generated(small(2, 8), Init::Uniform, stream.bits()).unwrap());
    let cells = [random_cell(&mut stream)];
    let good = task(2, 8, &mut stream);
    let refused = |batch: &Batch| matches!(Reference.hamming(&cells, &weights, batch, &()), Err(Error::Options { .. }));
    assert!(!refused(&good.images));
    assert!(refused(&Batch { count: 3, ..good.images.clone() }));
    assert!(refused(&Batch { count: 0, pixels: Vec::new(), ..good.images.clone() }));
    assert!(refused(&Batch { height: 6, width: 6, count: 1, pixels: vec![1.0; 108] }));
    let spoil: [fn(&mut RegressionTask); 3] =
        [|task| task.noise[2].truncate(5), |task| task.targets[1].push(0.0), |task| task.images.pixels.truncate(1)];
    for spoil in spoil {
        let mut task = good.clone();
        spoil(&mut task);
        assert!(matches!(Reference.train(&cells, &weights, &task, &()), Err(Error::Options { .. })));
    }
    // A drawn task fits.
    let drawn = RegressionTask::draw(good.images, &Seeds::new(stream.bits()));
    assert_eq!(Reference.train(&cells, &weights, &drawn, &()).unwrap()[0].len(), 10);
}
