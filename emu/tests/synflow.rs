//! Synflow's maps with exponents and the sums over weights, against f64.

#[path = "common/jobs.rs"]
#[allow(dead_code)]
mod jobs;
#[path = "common/random.rs"]
mod random;

use etnas_emulator::{Argument, Build, Card, Memory, Order};
use jobs::{
    SynflowMixJob as MixJob, SynflowOutputJob as OutputJob, SynflowSumsJob as SumsJob, SynflowTerm as Term,
    SynflowTotalJob as TotalJob,
};
use random::Random;

const MAP: i32 = Term::MAP;
const POOL: i32 = Term::POOL;
const HALVE: i32 = Term::HALVE;
const POOL_BACK: i32 = Term::POOL_BACK;
const HALVE_BACK: i32 = Term::HALVE_BACK;

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct State {
    exponent: i32,
    largest: f32,
}

impl Random {
    /// Numbers of which some are zero and some small.
    fn numbers(&mut self, count: usize) -> Vec<f32> {
        let mut number = || {
            let x = self.unit() as f32;
            match self.below(8) {
                0 => 0.0,
                1 => x * 1e-6,
                _ => x,
            }
        };
        (0..count).map(|_| number()).collect()
    }
}

fn power(exponent: i32) -> f64 {
    2f64.powi(exponent)
}

fn largest(numbers: &[f32]) -> f32 {
    numbers.iter().copied().fold(0.0, f32::max)
}

#[derive(Clone, Copy, Debug)]
struct Size {
    height: usize,
    width: usize,
    channels: usize,
}

impl Size {
    fn len(self) -> usize {
        self.height * self.width * self.channels
    }

    /// Of the map behind a term of a kind.
    fn of_source(self, kind: i32) -> Size {
        match kind {
            HALVE => Size { height: self.height * 2, width: self.width * 2, ..self },
            HALVE_BACK => Size { height: self.height / 2, width: self.width / 2, ..self },
            _ => self,
        }
    }
}

/// A term: its numbers, the state that belongs to them, a shift and a kind.
#[derive(Clone)]
struct Given {
    x: Vec<f32>,
    state: State,
    shift: i32,
    kind: i32,
}

impl Given {
    fn new(size: Size, kind: i32, exponent: i32, shift: i32, random: &mut Random) -> Given {
        let x = random.numbers(size.of_source(kind).len());
        let state = State { exponent, largest: largest(&x) };
        Given { x, state, shift, kind }
    }

    /// What it adds to each number of a map.
    fn plain(&self, size: Size) -> Vec<f64> {
        let source = size.of_source(self.kind);
        let at = |y: usize, x: usize, c: usize| f64::from(self.x[(y * source.width + x) * size.channels + c]);
        let window = |y: usize, x: usize| {
            let rows = y.saturating_sub(1)..(y + 2).min(size.height);
            rows.flat_map(move |v| (x.saturating_sub(1)..(x + 2).min(size.width)).map(move |u| (v, u)))
        };
        let number = |y: usize, x: usize, c: usize| match self.kind {
            MAP => at(y, x, c),
            POOL => window(y, x).map(|(v, u)| at(v, u, c)).sum::<f64>() / window(y, x).count() as f64,
            POOL_BACK => window(y, x).map(|(v, u)| at(v, u, c) / window(v, u).count() as f64).sum(),
            HALVE => (0..4).map(|i| at(2 * y + i / 2, 2 * x + i % 2, c)).sum::<f64>() / 4.0,
            _ => at(y / 2, x / 2, c) / 4.0,
        };
        let scale = power(self.state.exponent + self.shift);
        let pixels = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (y, x)));
        pixels.flat_map(|(y, x)| (0..size.channels).map(move |c| scale * number(y, x, c))).collect()
    }
}

/// Maps of one size by one launch: their numbers and states.
fn mix(card: &Card, size: Size, maps: &[Vec<Given>], parts: u32) -> Vec<(Vec<f32>, State)> {
    let given: Vec<&Given> = maps.iter().flatten().collect();
    let x: Vec<Memory<f32>> = given.iter().map(|term| card.upload(&term.x)).collect();
    let sources = card.upload(&given.iter().map(|term| term.state).collect::<Vec<_>>());
    let term = |(i, term): (usize, &&Given)| Term {
        x: x[i].address(),
        state: sources.address() + 8 * i as u64,
        shift: term.shift,
        kind: term.kind,
    };
    let terms = card.upload(&given.iter().enumerate().map(term).collect::<Vec<_>>());
    let results: Vec<Memory<f32>> = maps.iter().map(|_| card.poisoned(size.len())).collect();
    let states = card.upload(&vec![State::default(); maps.len()]);
    let mut first = 0;
    let mut jobs = Vec::new();
    for (i, map) in maps.iter().enumerate() {
        let (map, result) = (map.len() as i32, &results[i]);
        jobs.push(MixJob { map: result.address(), state: states.address() + 8 * i as u64, first, count: map });
        first += map;
    }
    let jobs = card.upload(&jobs);
    let sizes = [size.height, size.width, size.channels].map(|n| Argument::new(n as i32));
    let mut arguments = vec![Argument::new(jobs.address()), Argument::new(terms.address())];
    arguments.extend(sizes);
    let grid = [parts, maps.len() as u32, 1];
    card.launch("synflow_mix", grid, [256, 1, 1], 0, &arguments).unwrap_or_else(|e| panic!("{size:?}: {e}"));
    results.iter().map(|map| card.download(map)).zip(card.download(&states)).collect()
}

/// Compares maps with sums in f64. An average of nine numbers and a sum of as many terms as here round by at most 1e-6 of
/// themselves, as nothing is negative (5e-7 seen); what is 2^120 below the largest number may be lost.
fn compare(size: Size, maps: &[Vec<Given>], ours: &[(Vec<f32>, State)], what: &str) {
    for (map, (numbers, state)) in maps.iter().zip(ours) {
        let mut truth = vec![0.0; size.len()];
        for term in map {
            truth.iter_mut().zip(term.plain(size)).for_each(|(sum, x)| *sum += x);
        }
        assert_eq!(state.largest, largest(numbers), "{what}: the largest number");
        let most = truth.iter().copied().fold(0.0, f64::max);
        for (at, (x, truth)) in numbers.iter().zip(&truth).enumerate() {
            let off = (f64::from(*x) * power(state.exponent) - truth).abs();
            assert!(off <= 1e-6 * truth + power(-120) * most, "{what}: {at}: {x}·2^{}, {truth}", state.exponent);
        }
        // Far inside f32's range, whatever the exponents.
        assert!(most == 0.0 || (state.largest > 1e-12 && state.largest < 1e9), "{what}: {state:?}");
    }
}

/// Maps with terms of all kinds that fit the size, near each other and far out.
fn all_kinds(size: Size, random: &mut Random) -> Vec<Vec<Given>> {
    let mut kinds = vec![MAP, POOL, HALVE, POOL_BACK];
    if size.height.is_multiple_of(2) && size.width.is_multiple_of(2) {
        kinds.push(HALVE_BACK);
    }
    let mut maps = Vec::new();
    for center in [-200, 0, 200] {
        for &kind in &kinds {
            maps.push(vec![Given::new(size, kind, center, 3, random)]);
        }
        let mut near = |kind: i32| {
            let (exponent, shift) = (center + random.below(21) as i32 - 10, random.below(21) as i32 - 10);
            Given::new(size, kind, exponent, shift, random)
        };
        maps.push(kinds.iter().map(|&kind| near(kind)).collect());
        maps.push((0..16).map(|i| near(kinds[i % kinds.len()])).collect());
        // One term does not count beside the other.
        let mut far = vec![near(MAP), near(POOL)];
        far[1].state.exponent -= 300;
        maps.push(far);
        // The source of a convolution: its largest number is another than the term's.
        let mut conv = vec![near(MAP), near(POOL_BACK)];
        conv[0].state = State { exponent: center - 20, largest: 1e6 };
        maps.push(conv);
    }
    maps
}

#[test]
fn maps_are_sums_of_their_terms() {
    let mut random = Random::new();
    let sizes = [(1, 1, 16), (1, 4, 16), (5, 7, 16), (2, 2, 48), (8, 6, 32), (8, 8, 64), (32, 32, 16), (3, 40, 16)];
    for capability in [75, 80, 90] {
        let card = Card::new(capability, Build::Plain, Order::Forward);
        for (height, width, channels) in sizes {
            let size = Size { height, width, channels };
            let maps = all_kinds(size, &mut random);
            let ours = mix(&card, size, &maps, 1);
            compare(size, &maps, &ours, &format!("{capability} {size:?}"));
            for parts in [2, 5] {
                assert_eq!(mix(&card, size, &maps, parts), ours, "{size:?} in {parts} parts");
            }
        }
    }
}

#[test]
fn maps_in_any_order_of_threads() {
    let mut random = Random::new();
    let size = Size { height: 6, width: 4, channels: 32 };
    let maps = all_kinds(size, &mut random);
    for capability in [75, 80, 90] {
        for order in [Order::Forward, Order::Reverse, Order::Random(random.next())] {
            let card = Card::new(capability, Build::Checked, order);
            compare(size, &maps, &mix(&card, size, &maps, 2), &format!("{capability} {order:?}"));
        }
    }
}

#[test]
fn a_map_of_zeros_does_not_set_the_scale() {
    let mut random = Random::new();
    let size = Size { height: 3, width: 5, channels: 16 };
    let card = Card::new(80, Build::Checked, Order::Forward);
    for exponent in [-250, 0, 250] {
        let zeros = |exponent, kind| Given {
            x: vec![0.0; size.len()],
            state: State { exponent, largest: 0.0 },
            shift: 7,
            kind,
        };
        let small = Given::new(size, POOL, exponent, 0, &mut random);
        let maps = [
            vec![zeros(0, MAP), small.clone()],
            vec![small.clone(), zeros(300, POOL)],
            vec![zeros(-300, MAP), zeros(300, POOL)],
            vec![],
        ];
        let ours = mix(&card, size, &maps, 1);
        compare(size, &maps, &ours, "zeros");
        let alone = &mix(&card, size, &[vec![small]], 1)[0];
        assert!(ours[0] == *alone && ours[1] == *alone, "zeros change nothing");
        assert!(ours[2].0.iter().chain(&ours[3].0).all(|x| *x == 0.0), "a sum of zeros is zero");
        assert_eq!([ours[2].1.largest, ours[3].1.largest], [0.0, 0.0]);
    }
}

#[test]
fn a_deep_network_stays_in_range() {
    let mut random = Random::new();
    let card = Card::new(75, Build::Plain, Order::Forward);
    let size = Size { height: 4, width: 4, channels: 16 };
    // Layer by layer 2^shift times the last map, `copies` of it, its average and the map before. The host sees no exponent on the way, and
    // copies make the numbers grow, not the exponents, to 2^140 if no one took their powers of two out.
    for (shift, copies) in [(-20, 1), (20, 1), (15, 14)] {
        const LAYERS: usize = 40;
        let first = Given::new(size, MAP, 0, 0, &mut random);
        let maps: Vec<Memory<f32>> = (0..=LAYERS).map(|_| card.poisoned(size.len())).collect();
        let states = card.upload(&[State::default(); LAYERS + 1]);
        let (input, input_state) = (card.upload(&first.x), card.upload(&[first.state]));
        let mut truth = vec![first.plain(size)];
        for layer in 0..=LAYERS {
            let term = |back: usize, shift: i32, kind: i32| match layer.checked_sub(back) {
                Some(from) => Term { x: maps[from].address(), state: states.address() + 8 * from as u64, shift, kind },
                None => Term { x: input.address(), state: input_state.address(), shift: 0, kind: MAP },
            };
            let list = match layer {
                0 => vec![term(1, 0, MAP)],
                1 => [vec![term(1, shift, MAP); copies], vec![term(1, shift, POOL)]].concat(),
                _ => [vec![term(1, shift, MAP); copies], vec![term(1, shift, POOL), term(2, shift, MAP)]].concat(),
            };
            let terms = card.upload(&list);
            let job = MixJob {
                map: maps[layer].address(),
                state: states.address() + 8 * layer as u64,
                first: 0,
                count: list.len() as i32,
            };
            let jobs = card.upload(&[job]);
            let sizes = [size.height, size.width, size.channels].map(|n| Argument::new(n as i32));
            let mut arguments = vec![Argument::new(jobs.address()), Argument::new(terms.address())];
            arguments.extend(sizes);
            card.launch("synflow_mix", [1, 1, 1], [256, 1, 1], 0, &arguments).expect("synflow_mix runs");

            if layer > 0 {
                let scaled = |values: &[f64], kind: i32| -> Vec<f64> {
                    // In f32 only for its loops: the largest number is taken out first.
                    let most = values.iter().copied().fold(0.0, f64::max);
                    let x = values.iter().map(|v| (v / most) as f32).collect();
                    let given = Given { x, state: State { exponent: 0, largest: 1.0 }, shift: 0, kind };
                    given.plain(size).into_iter().map(|v| v * most * power(shift)).collect()
                };
                let last = &truth[layer - 1];
                let mut next: Vec<f64> = scaled(last, MAP).iter().map(|x| x * copies as f64).collect();
                next.iter_mut().zip(scaled(last, POOL)).for_each(|(sum, x)| *sum += x);
                if layer > 1 {
                    next.iter_mut().zip(&truth[layer - 2]).for_each(|(sum, x)| *sum += x * power(shift));
                }
                truth.push(next);
            }
        }
        let states = card.download(&states);
        for (layer, truth) in truth.iter().enumerate() {
            for (x, truth) in card.download(&maps[layer]).into_iter().zip(truth) {
                let off = f64::from(x) * power(states[layer].exponent) / truth - 1.0;
                assert!(*truth == 0.0 || off.abs() < 1e-5, "2^{shift}, layer {layer}: {x} {truth}");
            }
        }
        let last = truth[LAYERS].iter().copied().fold(0.0, f64::max).log10();
        assert!(last.abs() > 100.0, "1e{last} is not far out");
    }
}

/// Gradients and weights of a convolution.
struct Layer {
    parts: Vec<Vec<f32>>,
    weights: Vec<f32>,
    exponents: [i32; 2],
    shift: i32,
}

impl Layer {
    fn truth(&self) -> [f64; 3] {
        let mut sums = [0.0; 3];
        for (at, w) in self.weights.iter().enumerate() {
            let w = f64::from(*w) * power(self.shift);
            let m: f64 = self.parts.iter().map(|part| f64::from(part[at])).sum();
            let g = m * power(self.exponents[0]) * power(self.exponents[1]);
            sums[0] += w * g;
            sums[1] += w * (g + 1e-6).ln().abs();
            sums[2] += w * g.ln_1p();
        }
        sums
    }
}

/// The sums of layers with one number of weights and parts.
fn sums(card: &Card, layers: &[Layer]) -> Vec<[f64; 3]> {
    let (weights, parts) = (layers[0].weights.len(), layers[0].parts.len());
    let gradients: Vec<Memory<f32>> = layers.iter().map(|layer| card.upload(&layer.parts.concat())).collect();
    let absolute: Vec<Memory<f32>> = layers.iter().map(|layer| card.upload(&layer.weights)).collect();
    let state = |exponent| State { exponent, largest: 1.0 };
    let states: Vec<State> = layers.iter().flat_map(|layer| layer.exponents.map(state)).collect();
    let states = card.upload(&states);
    let results = card.poisoned::<f64>(3 * layers.len());
    let job = |i: usize| SumsJob {
        gradient: gradients[i].address(),
        weights: absolute[i].address(),
        source: states.address() + 16 * i as u64,
        target: states.address() + 16 * i as u64 + 8,
        sums: results.address() + 24 * i as u64,
        shift: layers[i].shift,
        padding: 0,
    };
    let jobs = card.upload(&(0..layers.len()).map(job).collect::<Vec<_>>());
    let arguments = [Argument::new(jobs.address()), Argument::new(weights as i32), Argument::new(parts as i32)];
    let grid = [1, layers.len() as u32, 1];
    card.launch("synflow_sums", grid, [256, 1, 1], 0, &arguments).expect("synflow_sums runs");
    card.download(&results).chunks(3).map(|sums| [sums[0], sums[1], sums[2]]).collect()
}

/// Layers with gradients of all magnitudes: alike, spread over many powers of two, with zeros, all zero.
fn layers(weights: usize, parts: usize, random: &mut Random) -> Vec<Layer> {
    let mut layers = Vec::new();
    let far = [-400, -280, -254, -150, -126, -60, -41, -40, -38, -24, -20, -14, -5, -1];
    for exponent in far.into_iter().flat_map(|e| [e, -e]).chain([0, 12, 100, 250]) {
        for kind in 0..4 {
            let mut draw = || match (kind, random.below(5)) {
                (3, _) | (2, 0) => 0.0,
                (1, _) => (power(random.below(150) as i32 - 125) * (1.0 + random.unit())) as f32,
                _ => 0.5 + random.unit() as f32,
            };
            let parts = (0..parts).map(|_| (0..weights).map(|_| draw()).collect()).collect();
            let weights = (0..weights).map(|i| if i % 7 == 0 { 0.0 } else { 2.0 * random.unit() as f32 }).collect();
            let exponents = [exponent / 2 - 7, exponent - exponent / 2 + 7];
            layers.push(Layer { parts, weights, exponents, shift: random.below(61) as i32 - 30 });
        }
    }
    layers
}

fn compare_sums(layers: &[Layer], ours: &[[f64; 3]], what: &str) {
    for (layer, ours) in layers.iter().zip(ours) {
        let truth = layer.truth();
        for k in 0..3 {
            // Rounding of g + 1e-6, of its logarithm, of the product and of a sum of four, mostly cancelling over the weights: 1.2e-7
            // seen. Only if all gradients were near one, where logarithms vanish, would it be more.
            let off = (ours[k] - truth[k]).abs();
            assert!(off <= 3e-7 * truth[k], "{what} {:?} sum {k}: {} {}", layer.exponents, ours[k], truth[k]);
        }
    }
}

#[test]
fn sums_over_weights() {
    let mut random = Random::new();
    for capability in [75, 80, 90] {
        let card = Card::new(capability, Build::Plain, Order::Forward);
        for (weights, parts) in [(256, 1), (2304, 1), (2304, 4), (1024, 3)] {
            let layers = layers(weights, parts, &mut random);
            compare_sums(&layers, &sums(&card, &layers), &format!("{capability} {weights}"));
        }
    }
}

#[test]
fn zero_gradients_weigh_as_much_as_the_logarithm_of_the_constant() {
    let card = Card::new(80, Build::Plain, Order::Forward);
    let weights: Vec<f32> = (0..256).map(|i| if i < 128 { 1.5 } else { 0.0 }).collect();
    let zeros = |exponents| Layer { parts: vec![vec![0.0; 256]], weights: weights.clone(), exponents, shift: 2 };
    for exponents in [[0, 0], [-900, 3], [700, 300]] {
        let [product, reference, one] = sums(&card, &[zeros(exponents)])[0];
        assert_eq!([product, one], [0.0, 0.0]);
        let expected = 128.0 * 6.0 * 1e-6f64.ln().abs();
        assert!((reference / expected - 1.0).abs() < 1e-7, "{reference} {expected}");
    }
}

#[test]
fn sums_in_any_order_of_threads() {
    let mut random = Random::new();
    let layers = layers(1024, 2, &mut random);
    let mut seen = Vec::new();
    for capability in [75, 80, 90] {
        for order in [Order::Forward, Order::Reverse, Order::Random(random.next())] {
            let ours = sums(&Card::new(capability, Build::Checked, order), &layers);
            compare_sums(&layers, &ours, &format!("{capability} {order:?}"));
            seen.push(ours);
        }
    }
    assert!(seen.iter().all(|sums| *sums == seen[0]), "the order of threads changes sums");
}

#[test]
fn the_classifier_and_the_total_of_a_cell() {
    let mut random = Random::new();
    for (capability, order) in [(75, Order::Forward), (80, Order::Reverse), (90, Order::Random(5))] {
        let card = Card::new(capability, Build::Checked, order);
        for (pixels, channels) in [(64, 64), (1, 16), (35, 48), (4, 512)] {
            let columns: Vec<f64> = (0..channels).map(|_| 10.0 * random.unit()).collect();
            let exponents = [-230, -20, 0, 13, 220];
            let maps: Vec<Vec<f32>> = exponents.map(|_| random.numbers(pixels * channels)).to_vec();
            let memory: Vec<Memory<f32>> = maps.iter().map(|map| card.upload(map)).collect();
            let states = card.upload(&exponents.map(|exponent| State { exponent, largest: 1.0 }));
            let sums = card.poisoned::<f64>(3 * maps.len());
            let job = |i: usize| OutputJob {
                map: memory[i].address(),
                state: states.address() + 8 * i as u64,
                sums: sums.address() + 24 * i as u64,
            };
            let jobs = card.upload(&(0..maps.len()).map(job).collect::<Vec<_>>());
            let sums_of_columns = card.upload(&columns);
            let arguments = [
                Argument::new(jobs.address()),
                Argument::new(sums_of_columns.address()),
                Argument::new(pixels as i32),
                Argument::new(channels as i32),
            ];
            let grid = [1, maps.len() as u32, 1];
            card.launch("synflow_output", grid, [256, 1, 1], 0, &arguments).expect("synflow_output runs");

            // Two cells of all these layers and of the first alone.
            let totals = card.poisoned::<f64>(6);
            let total = |(i, count): (u64, usize)| TotalJob {
                sums: sums.address(),
                total: totals.address() + 24 * i,
                count: count as i32,
                padding: 0,
            };
            let jobs = card.upload(&[(0, maps.len()), (1, 1)].map(total));
            card.launch("synflow_total", [1, 2, 1], [32, 1, 1], 0, &[Argument::new(jobs.address())])
                .expect("synflow_total runs");

            let ours = card.download(&sums);
            let mut expected = [0.0; 6];
            for (i, map) in maps.iter().enumerate() {
                let mut truth = [0.0; 3];
                for (c, w) in columns.iter().enumerate() {
                    let mean = map.iter().skip(c).step_by(channels).map(|x| f64::from(*x)).sum::<f64>() / pixels as f64;
                    let g = mean * power(exponents[i]);
                    truth[0] += w * g;
                    truth[1] += w * (g + 1e-6).ln().abs();
                    truth[2] += w * g.ln_1p();
                }
                for k in 0..3 {
                    let off = (ours[3 * i + k] / truth[k] - 1.0).abs();
                    assert!(truth[k] == 0.0 || off < 1e-12, "{pixels} {channels}: {} {}", ours[3 * i + k], truth[k]);
                    expected[k] += ours[3 * i + k];
                }
            }
            expected[3..].copy_from_slice(&ours[..3]);
            assert_eq!(card.download(&totals), expected);
        }
    }
}
