//! Kernels of maps on the way forward, and the gradients of values, against plain loops in f64: `norm.cu`, `node.cu`.

#[path = "common/maps.rs"]
mod common;

use common::*;
use etnas_emulator::{Argument, Card};

/// Images of maps: images, height, width, channels in memory, real channels.
#[derive(Clone, Copy, Debug)]
struct Shape(usize, usize, usize, usize, usize);

impl Shape {
    fn image(&self) -> usize {
        self.1 * self.2 * self.3
    }

    fn pixels(&self) -> usize {
        self.0 * self.1 * self.2
    }

    fn maps(&self, numbers: &mut Numbers) -> Vec<f32> {
        numbers.maps(self.pixels(), self.3, self.4)
    }
}

const SMALL: [Shape; 4] =
    [Shape(3, 5, 7, 16, 10), Shape(2, 1, 1, 16, 16), Shape(1, 4, 4, 64, 64), Shape(2, 3, 2, 48, 40)];
const LARGE: [Shape; 7] = [
    Shape(3, 32, 32, 16, 16),
    Shape(2, 20, 20, 16, 10),
    Shape(3, 16, 16, 32, 32),
    Shape(5, 8, 8, 64, 64),
    Shape(2, 9, 11, 48, 48),
    Shape(2, 3, 5, 128, 128),
    Shape(1, 2, 3, 1056, 1050),
];

/// The 3×3 average of a map at a place, and how many pixels it counts.
fn window(map: &[f32], Shape(_, h, w, c, _): Shape, y: usize, x: usize, channel: usize) -> (f64, usize) {
    let mut numbers = Vec::new();
    for y in y.saturating_sub(1)..(y + 2).min(h) {
        for x in x.saturating_sub(1)..(x + 2).min(w) {
            numbers.push(f64::from(map[(y * w + x) * c + channel]));
        }
    }
    (numbers.iter().sum::<f64>() / numbers.len() as f64, numbers.len())
}

/// Channel c has mean 10^(c mod 4) and deviation 10^−(c mod 5), so that 1000 ± 0.001 is among them; one is constant, one zero.
fn awkward(numbers: &mut Numbers, pixels: usize, channels: usize) -> Vec<f32> {
    let number = |numbers: &mut Numbers, channel: usize| match channel % 16 {
        15 => 0.0,
        14 => 0.1,
        c => 10f64.powi((c % 4) as i32) + 10f64.powi(-((c % 5) as i32)) * numbers.symmetric(),
    };
    (0..pixels * channels).map(|at| number(numbers, at % channels) as f32).collect()
}

/// Mean and Σ(x − mean)² of some pixels of a channel.
fn statistics(map: &[f32], channels: usize, channel: usize) -> [f64; 2] {
    let values: Vec<f64> = map.chunks(channels).map(|pixel| f64::from(pixel[channel])).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    [mean, values.iter().map(|v| (v - mean) * (v - mean)).sum()]
}

fn sums_and_moments(card: &Card, seed: u64, pixels: usize, channels: usize) -> Vec<f32> {
    let mut numbers = Numbers::new(seed);
    let parts = pixels.div_ceil(PART);
    let maps = [awkward(&mut numbers, pixels, channels), awkward(&mut numbers, pixels, channels)];
    let memory = maps.each_ref().map(|map| card.upload(map));
    let sums = [0, 1].map(|_| card.poisoned::<f32>(parts * 2 * channels));
    let jobs = [0, 1].map(|i| MapJob { from: memory[i].address(), to: sums[i].address() });
    launch(card, "map_sums", [parts, slabs(channels)], 0, &jobs, &[pixels, channels]);

    let (gamma, beta) = (numbers.list(channels), numbers.list(channels));
    let (gamma_memory, beta_memory) = (card.upload(&gamma), card.upload(&beta));
    let results = [0, 1].map(|_| card.poisoned::<f32>(2 * channels));
    let moments = card.poisoned::<f32>(2 * channels);
    let jobs = [
        MomentsJob {
            sums: sums[0].address(),
            gamma: 0,
            beta: 0,
            affine: results[0].address(),
            moments: moments.address(),
        },
        MomentsJob {
            sums: sums[1].address(),
            gamma: gamma_memory.address(),
            beta: beta_memory.address(),
            affine: results[1].address(),
            moments: 0,
        },
    ];
    launch(card, "norm_moments", [1, slabs(channels)], 0, &jobs, &[parts, pixels, channels]);

    let mut all = card.download(&moments);
    for (i, map) in maps.iter().enumerate() {
        let (found, affine) = (card.download(&sums[i]), card.download(&results[i]));
        for channel in 0..channels {
            let what = |of: &'static str| move || format!("{of}, {pixels}×{channels}, map {i}, channel {channel}");
            let (mut weight, mut mean, mut squares) = (0.0, 0.0, 0.0);
            for (part, pixels) in map.chunks(PART * channels).enumerate() {
                let [part_mean, part_squares] = statistics(pixels, channels, channel);
                let at = part * 2 * channels + channel;
                // Half a unit of the result, and a sum of at most 256 differences no larger than the deviation.
                let deviation = (part_squares / (pixels.len() / channels) as f64).sqrt();
                near(found[at], part_mean, 6e-8 * part_mean.abs() + 1e-6 * deviation, &what("mean of a part"));
                near(found[at + channels], part_squares, 4e-6 * part_squares, &what("squares of a part"));
                // Merged as they are, in f64.
                let [m, s] = [found[at], found[at + channels]].map(f64::from);
                let count = (pixels.len() / channels) as f64;
                let d = m - mean;
                mean += d * count / (weight + count);
                squares += s + d * d * weight * count / (weight + count);
                weight += count;
            }
            let (scale, shift) =
                if i == 0 { (1.0, 0.0) } else { (f64::from(gamma[channel]), f64::from(beta[channel])) };
            let inverse = 1.0 / (squares / pixels as f64 + 1e-5).sqrt();
            near(affine[channel], scale * inverse, 2e-7 * inverse, &what("scale"));
            let expected = shift - mean * scale * inverse;
            near(affine[channels + channel], expected, 1e-7 * (expected.abs() + 1e-3), &what("shift"));
            if i == 0 {
                near(all[channel], mean, 6e-8 * mean.abs(), &what("mean"));
                near(all[channels + channel], inverse, 6e-8 * inverse, &what("1/σ"));
                // The parts' means are rounded to f32, by 3e-5 of 1000 at most: so much they seem to differ more or less.
                let [true_mean, true_squares] = statistics(map, channels, channel);
                let (variance, rounding) = (true_squares / pixels as f64, 6e-8 * true_mean.abs());
                near(all[channel], true_mean, 2.0 * rounding + 1e-6 * variance.sqrt(), &what("true mean"));
                let relative = rounding * (2.0 * variance.sqrt() + rounding) / (variance + 1e-5) / 2.0 + 2e-6;
                let true_inverse = 1.0 / (variance + 1e-5).sqrt();
                near(all[channels + channel], true_inverse, relative * true_inverse, &what("true 1/σ"));
            }
            if channel % 16 >= 14 {
                let constant = if channel % 16 == 14 { 0.1 } else { 0.0 };
                assert_eq!([found[channel], found[channels + channel]], [constant, 0.0], "{}", what("constant")());
            }
        }
        all.extend(found.iter().chain(&affine));
    }
    all
}

#[test]
fn sums_and_moments_of_near_constant_maps_keep_their_precision() {
    for (pixels, channels) in [(3 * 256 + 77, 16), (105, 48), (1, 16), (512, 64), (40 * 256 + 3, 32), (300, 1056)] {
        on_all_cards(|card, seed| sums_and_moments(card, seed, pixels, channels));
    }
}

#[test]
fn checked_sums_and_moments() {
    for (pixels, channels) in [(300, 16), (9, 48), (1, 64), (6, 1056)] {
        in_all_orders(|card, seed| sums_and_moments(card, seed, pixels, channels));
    }
}

#[test]
fn moments_of_nothing_finite_are_not_numbers() {
    let card = Card::new(90, etnas_emulator::Build::Plain, etnas_emulator::Order::Forward);
    let map: Vec<f32> = (0..300 * 16).map(|at| if at == 20 { f32::INFINITY } else { 1.0 }).collect();
    let (map, sums) = (card.upload(&map), card.poisoned::<f32>(2 * 2 * 16));
    launch(&card, "map_sums", [2, 1], 0, &[MapJob { from: map.address(), to: sums.address() }], &[300, 16]);
    let affine = card.poisoned::<f32>(32);
    let job = MomentsJob { sums: sums.address(), gamma: 0, beta: 0, affine: affine.address(), moments: 0 };
    launch(&card, "norm_moments", [1, 1], 0, &[job], &[2, 300, 16]);
    let affine = card.download(&affine);
    for channel in 0..16 {
        assert_eq!(affine[channel].is_nan(), channel == 4, "{channel}");
        assert_eq!(affine[16 + channel].is_nan(), channel == 4, "{channel}");
    }
}

/// Words of an image's code.
fn words(numbers: usize) -> usize {
    4 * numbers.div_ceil(128)
}

fn assert_code(code: &[u32], value: &[f32], shape: Shape, stride: usize) {
    let words = words(shape.image());
    for (image, code) in code.chunks(stride).enumerate() {
        let value = &value[image * shape.image()..][..shape.image()];
        for (word, bits) in code.iter().enumerate() {
            if word >= words {
                assert_eq!(*bits, u32::MAX, "{shape:?}: word {word} of image {image} lies between codes");
                continue;
            }
            for bit in 0..32 {
                let number = value.get(word / 4 * 128 + 4 * bit + word % 4);
                let expected = number.is_some_and(|number| *number > 0.0);
                assert_eq!(bits >> bit & 1 == 1, expected, "{shape:?}: image {image}, word {word}, bit {bit}");
            }
        }
    }
}

fn nodes(card: &Card, seed: u64, shape: Shape, kernel: &str) -> Vec<f32> {
    let Shape(images, h, w, c, real) = shape;
    let mut numbers = Numbers::new(seed);
    let maps = [0; 3].map(|_| shape.maps(&mut numbers));
    let memory = maps.each_ref().map(|map| card.upload(map));
    let affine = numbers.maps(2, c, real);
    let affine_memory = card.upload(&affine);
    let term = |kind: i32, x: usize, affine: bool| Term {
        x: if kind == TERM_SHIFT { 0 } else { memory[x].address() },
        affine: if affine { affine_memory.address() } else { 0 },
        kind,
        padding: 0,
    };
    let none = Term::default();
    let cases = [
        [term(TERM_MAP, 0, true), term(TERM_POOL, 1, false), term(TERM_SHIFT, 0, true)],
        [term(TERM_POOL, 0, false), term(TERM_POOL, 2, false), term(TERM_MAP, 1, false)],
        [none, term(TERM_MAP, 2, true), none],
        [none; 3],
        [term(TERM_MAP, 2, true), term(TERM_MAP, 1, false), term(TERM_MAP, 0, true)],
        [term(TERM_SHIFT, 0, true), none, none],
    ];
    let stride = words(shape.image()) + 8;
    let values: Vec<_> = (0..cases.len()).map(|_| card.poisoned::<f32>(images * shape.image())).collect();
    let codes: Vec<_> = (0..cases.len()).map(|_| card.poisoned::<u32>(images * stride)).collect();
    // The third gives a value only, the last but one a code only.
    let jobs: Vec<_> = (0..cases.len())
        .map(|i| NodeJob {
            terms: cases[i],
            value: if i == 4 { 0 } else { values[i].address() },
            code: if i == 2 { 0 } else { codes[i].address() },
        })
        .collect();
    let shared = if kernel == "node" { stage_bytes(h, w, c) } else { 0 };
    let blocks = stretches(images, shape.image());
    launch(card, kernel, [blocks, 1], shared, &jobs, &[images, h, w, c, stride]);

    let mut all = Vec::new();
    for (i, case) in cases.iter().enumerate() {
        let mut expected = vec![0.0; images * shape.image()];
        for term in case {
            let source = memory.iter().position(|m| m.address() == term.x).unwrap_or(0);
            for (at, to) in expected.iter_mut().enumerate() {
                let (channel, pixel, image) = (at % c, at / c % (h * w), at / shape.image());
                let map = &maps[source][image * shape.image()..];
                let x = f64::from(map[pixel * c + channel]);
                let [scale, shift] = [affine[channel], affine[c + channel]].map(f64::from);
                *to += match term.kind {
                    TERM_MAP if term.affine != 0 => scale * x + shift,
                    TERM_MAP => x,
                    TERM_POOL => window(map, shape, pixel / w, pixel % w, channel).0,
                    TERM_SHIFT => shift,
                    _ => 0.0,
                };
            }
        }
        let found = card.download(&values[i]);
        let code = card.download(&codes[i]);
        if i == 4 {
            assert!(found.iter().all(|number| number.is_nan()), "{shape:?}: no value was wanted");
            // Signs by f64 wherever the sum is not within its rounding error of zero.
            let sure: Vec<f32> = expected.iter().map(|e| if e.abs() < 1e-6 { f32::NAN } else { *e as f32 }).collect();
            for (image, code) in code.chunks(stride).enumerate() {
                for (at, e) in sure[image * shape.image()..][..shape.image()].iter().enumerate() {
                    let bit = code[at / 128 * 4 + at % 4] >> (at % 128 / 4) & 1 == 1;
                    assert!(e.is_nan() || bit == (*e > 0.0), "{shape:?}: image {image}, number {at}");
                }
            }
            all.extend(code.iter().map(|word| (word >> 8) as f32));
            continue;
        }
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            // Up to eleven sums of numbers below 4.
            near(*found, *expected, 1.5e-6, &|| format!("{shape:?}, case {i}, number {at}"));
            assert!(at % c < real || *found == 0.0, "{shape:?}, case {i}: padding {found}");
        }
        match i {
            2 => assert!(code.iter().all(|word| *word == u32::MAX), "{shape:?}: no code was wanted"),
            _ => assert_code(&code, &found, shape, stride),
        }
        all.extend(found);
    }
    all
}

#[test]
fn values_are_the_sums_of_their_terms_with_codes() {
    for shape in LARGE {
        on_all_cards(|card, seed| nodes(card, seed, shape, "node"));
    }
    // Wider than what is staged.
    for shape in [Shape(2, 4, 300, 16, 16), Shape(1, 3, 2, 2048, 2048), SMALL[0], SMALL[3]] {
        on_all_cards(|card, seed| nodes(card, seed, shape, "node_wide"));
    }
}

#[test]
fn checked_values() {
    for shape in SMALL {
        in_all_orders(|card, seed| nodes(card, seed, shape, "node"));
    }
    in_all_orders(|card, seed| nodes(card, seed, SMALL[0], "node_wide"));
    // Two stretches, the second ragged.
    in_all_orders(|card, seed| nodes(card, seed, Shape(1, 20, 17, 16, 16), "node"));
}

#[test]
fn codes_of_special_numbers_and_values_in_place() {
    on_all_cards(|card, _| {
        let special = [0.0, -0.0, f32::from_bits(1), -1.0, 1.0, f32::NAN, f32::INFINITY, -f32::INFINITY];
        let map: Vec<f32> = special.iter().cycle().copied().take(4 * 16).collect();
        let (memory, code) = (card.upload(&map), card.poisoned::<u32>(4));
        let term = Term { x: memory.address(), affine: 0, kind: TERM_MAP, padding: 0 };
        let none = Term::default();
        let job = NodeJob { terms: [none, term, none], value: memory.address(), code: code.address() };
        launch(card, "node", [1, 1], 0, &[job], &[1, 2, 2, 16, 4]);
        let bits = card.download(&code);
        // Numbers 0..8 of each eight: positive are 2, 4 and 6, of which words 0 and 2 have every second bit.
        assert_eq!(bits, [0b1010_1010_1010_1010, 0, 0b1111_1111_1111_1111, 0]);
        let value = card.download(&memory);
        assert!(value.iter().zip(&map).all(|(v, m)| v == m || v.is_nan() && m.is_nan()));
        bits.iter().map(|word| *word as f32).collect()
    });
}

fn averages(card: &Card, seed: u64, shape: Shape) -> Vec<f32> {
    let Shape(images, h, w, c, _) = shape;
    let mut numbers = Numbers::new(seed);
    let (oh, ow) = (h / 2, w / 2);
    let maps = [0; 2].map(|_| shape.maps(&mut numbers));
    let from = maps.each_ref().map(|map| card.upload(map));
    let to = [0; 2].map(|_| card.poisoned::<f32>(images * oh * ow * c));
    let jobs = [0, 1].map(|i| MapJob { from: from[i].address(), to: to[i].address() });
    launch(card, "average2", [stretches(images, oh * ow * c), 1], 0, &jobs, &[images, h, w, c]);
    let mut all = Vec::new();
    for (map, to) in maps.iter().zip(&to) {
        let found = card.download(to);
        for (at, found) in found.iter().enumerate() {
            let (channel, x, y, image) = (at % c, at / c % ow, at / c / ow % oh, at / c / ow / oh);
            let of = |dy, dx| f64::from(map[((image * h + 2 * y + dy) * w + 2 * x + dx) * c + channel]);
            let expected = (of(0, 0) + of(0, 1) + of(1, 0) + of(1, 1)) / 4.0;
            near(*found, expected, 1.2e-7, &|| format!("{shape:?}, number {at}"));
        }
        all.extend(found);
    }
    all
}

#[test]
fn averages_leave_odd_edges_out() {
    for shape in LARGE {
        on_all_cards(|card, seed| averages(card, seed, shape));
    }
    for shape in [SMALL[0], SMALL[2], SMALL[3]] {
        in_all_orders(|card, seed| averages(card, seed, shape));
    }
}

/// One reader's part in a value's gradient, from the definition of what the reader does on the way forward.
fn add_reader(to: &mut [f64], kind: i32, g: &[f32], value: &[f32], shape: Shape) {
    let Shape(images, h, w, c, _) = shape;
    for image in 0..images {
        for channel in 0..c {
            let place = |y: usize, x: usize| ((image * h + y) * w + x) * c + channel;
            match kind {
                READER_HALF => {
                    for (y, x) in (0..h / 2).flat_map(|y| (0..w / 2).map(move |x| (y, x))) {
                        let g = f64::from(g[((image * (h / 2) + y) * (w / 2) + x) * c + channel]);
                        for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                            to[place(2 * y + dy, 2 * x + dx)] += g / 4.0;
                        }
                    }
                }
                READER_NEAREST => {
                    for (y, x) in (0..8).flat_map(|y| (0..8).map(move |x| (y, x))) {
                        to[place(y * h / 8, x * w / 8)] += f64::from(g[((image * 8 + y) * 8 + x) * c + channel]);
                    }
                }
                _ => {
                    for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
                        let here = f64::from(g[place(y, x)]);
                        match kind {
                            READER_CONV if value[place(y, x)] > 0.0 => to[place(y, x)] += here,
                            READER_SKIP => to[place(y, x)] += here,
                            READER_POOL => {
                                let inside = window(value, shape, y, x, 0).1 as f64;
                                for y in y.saturating_sub(1)..(y + 2).min(h) {
                                    for x in x.saturating_sub(1)..(x + 2).min(w) {
                                        to[place(y, x)] += here / inside;
                                    }
                                }
                            }
                            _ => {}
                        }
                    }
                }
            }
        }
    }
}

fn gradients(card: &Card, seed: u64, shape: Shape, kernel: &str) -> Vec<f32> {
    let Shape(images, h, w, c, real) = shape;
    let mut numbers = Numbers::new(seed);
    let mut value = shape.maps(&mut numbers);
    // Zeros of both signs let nothing through.
    value.iter_mut().step_by(3).for_each(|v| *v = 0.0);
    value.iter_mut().step_by(7).for_each(|v| *v = -0.0);
    let value_memory = card.upload(&value);
    let kinds = [READER_CONV, READER_SKIP, READER_POOL, READER_HALF, READER_NEAREST];
    let pixels_of = |kind: i32| match kind {
        READER_HALF => images * (h / 2) * (w / 2),
        READER_NEAREST => images * 64,
        _ => shape.pixels(),
    };
    // Two of each kind; the last SKIP's is overwritten by its job's gradient.
    let lists: Vec<(i32, Vec<f32>)> =
        kinds.iter().chain(&kinds).map(|&kind| (kind, numbers.maps(pixels_of(kind), c, real))).collect();
    let memory: Vec<_> = lists.iter().map(|(_, g)| card.upload(g)).collect();
    let jobs_of: [&[usize]; 5] = [&[0, 2, 1, 3, 4, 5], &[], &[7, 9, 8], &[2, 7], &[0, 6]];
    let mut readers = Vec::new();
    let results: Vec<_> = (0..jobs_of.len()).map(|_| card.poisoned::<f32>(shape.pixels() * c)).collect();
    let jobs: Vec<_> = jobs_of
        .iter()
        .enumerate()
        .map(|(job, list)| {
            let first = readers.len() as i32;
            readers.extend(list.iter().map(|&i| Reader { g: memory[i].address(), kind: lists[i].0, padding: 0 }));
            let gradient = if job == 4 { memory[6].address() } else { results[job].address() };
            // Without a convolution the value is not read.
            let value = if job == 2 || job == 3 { 0 } else { value_memory.address() };
            GradientJob { value, gradient, first, count: list.len() as i32 }
        })
        .collect();
    let (jobs, readers) = (card.upload(&jobs), card.upload(&readers));
    let mut arguments = vec![Argument::new(jobs.address()), Argument::new(readers.address())];
    arguments.extend([images, h, w, c].map(|n| Argument::new(n as i32)));
    let shared = if kernel == "node_gradient" { stage_bytes(h, w, c) } else { 0 };
    run(card, kernel, [stretches(images, shape.image()), jobs_of.len(), 1], shared, &arguments);

    let mut all = Vec::new();
    for (job, list) in jobs_of.iter().enumerate() {
        let mut expected = vec![0.0; shape.pixels() * c];
        for &i in *list {
            add_reader(&mut expected, lists[i].0, &lists[i].1, &value, shape);
        }
        let found = card.download(if job == 4 { &memory[6] } else { &results[job] });
        // A pixel of a small map is repeated up to 64 times.
        let repeated = (64 / (h * w)).max(1) as f64;
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            near(*found, *expected, 1e-6 * repeated, &|| format!("{shape:?}, job {job}, number {at}"));
            assert!(at % c < real || *found == 0.0, "{shape:?}, job {job}: padding {found}");
        }
        all.extend(found);
    }
    all
}

#[test]
fn gradients_are_the_sums_over_all_readers() {
    for shape in LARGE {
        on_all_cards(|card, seed| gradients(card, seed, shape, "node_gradient"));
    }
    for shape in [Shape(1, 4, 300, 16, 16), Shape(1, 3, 2, 2048, 2048), SMALL[0], SMALL[3]] {
        on_all_cards(|card, seed| gradients(card, seed, shape, "node_gradient_wide"));
    }
}

#[test]
fn checked_gradients() {
    for shape in SMALL {
        in_all_orders(|card, seed| gradients(card, seed, shape, "node_gradient"));
    }
    in_all_orders(|card, seed| gradients(card, seed, SMALL[0], "node_gradient_wide"));
    in_all_orders(|card, seed| gradients(card, seed, Shape(1, 20, 17, 16, 16), "node_gradient"));
}

#[test]
fn divisions_are_exact() {
    on_all_cards(|card, seed| {
        let mut numbers = Numbers::new(seed);
        let (mut n, mut by) = (Vec::new(), Vec::new());
        for divisor in (1..300).chain([997, 1000, 1008, 4095, 65535, 1 << 20]) {
            let multiple = i32::MAX / divisor * divisor;
            let far = (multiple as f64 * (numbers.symmetric() + 1.0) / 2.0) as i32 / divisor * divisor;
            for number in [0, divisor - 1, divisor, i32::MAX, multiple, multiple - 1, far, (far - 1).max(0)] {
                n.push(number);
                by.push(divisor);
            }
        }
        let (n_memory, by_memory, quotient) = (card.upload(&n), card.upload(&by), card.poisoned::<i32>(n.len()));
        let addresses = [n_memory.address(), by_memory.address(), quotient.address()];
        let mut arguments = addresses.map(Argument::new).to_vec();
        arguments.push(Argument::new(n.len() as i32));
        run(card, "test_division", [n.len().div_ceil(256), 1, 1], 0, &arguments);
        let found = card.download(&quotient);
        for (at, found) in found.iter().enumerate() {
            assert_eq!(*found, n[at] / by[at], "{} / {}", n[at], by[at]);
        }
        found.iter().map(|quotient| *quotient as f32).collect()
    });
}
