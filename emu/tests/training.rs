//! Kernels of training beside convolutions, against plain loops in f64: BatchNorm's way back, LossSlope's heads, SGD.

#[path = "common/maps.rs"]
mod common;

use common::*;
use etnas_emulator::{Argument, Build, Card, Memory, Order};

/// Memory of BatchNorms' way back, jobs with and without γ.
struct Back {
    y: Vec<Memory<f32>>,
    coefficients: Vec<Memory<f32>>,
    gradients: Vec<Memory<f32>>,
}

/// Mean and 1/σ of each channel, rounded as on a card.
fn moments_of(y: &[f32], channels: usize) -> Vec<f32> {
    let mut moments = vec![0.0; 2 * channels];
    for channel in 0..channels {
        let values: Vec<f64> = y.chunks(channels).map(|pixel| f64::from(pixel[channel])).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / values.len() as f64;
        moments[channel] = mean as f32;
        moments[channels + channel] = (1.0 / (variance + 1e-5).sqrt()) as f32;
    }
    moments
}

/// Channel c has mean 10^(c mod 4) and deviation 10^−(c mod 4); the last is zero, with a gradient, as padding never has.
fn inputs(numbers: &mut Numbers, pixels: usize, channels: usize) -> [Vec<f32>; 2] {
    let g = numbers.list(pixels * channels);
    let y = (0..pixels * channels).map(|at| match at % channels {
        channel if channel + 1 == channels => 0.0,
        channel => {
            let power = (channel % 4) as i32;
            (10f64.powi(power) + 10f64.powi(-power) * numbers.symmetric()) as f32
        }
    });
    [g, y.collect()]
}

fn way_back(card: &Card, seed: u64, pixels: usize, channels: usize) -> Vec<f32> {
    let mut numbers = Numbers::new(seed);
    let parts = pixels.div_ceil(PART);
    let [g, first] = inputs(&mut numbers, pixels, channels);
    let y = [first, inputs(&mut numbers, pixels, channels)[1].clone()];
    let moments = y.each_ref().map(|y| moments_of(y, channels));
    let gamma: Vec<f32> = numbers.list(channels).iter().map(|g| 1.0 + g / 2.0).collect();
    let (g_memory, gamma_memory) = (card.upload(&g), card.upload(&gamma));
    let moments_memory = moments.each_ref().map(|m| card.upload(m));
    let back = Back {
        y: y.iter().map(|y| card.upload(y)).collect(),
        coefficients: (0..2).map(|_| card.poisoned(3 * channels)).collect(),
        gradients: (0..2).map(|_| card.poisoned(channels)).collect(),
    };
    let sums = [0; 2].map(|_| card.poisoned::<f32>(parts * 2 * channels));
    let jobs = [0, 1].map(|i| NormBackJob {
        g: g_memory.address(),
        y: back.y[i].address(),
        moments: moments_memory[i].address(),
        gamma: if i == 0 { gamma_memory.address() } else { 0 },
        sums: sums[i].address(),
        coefficients: back.coefficients[i].address(),
        gamma_gradient: if i == 0 { back.gradients[0].address() } else { 0 },
        beta_gradient: if i == 0 { back.gradients[1].address() } else { 0 },
    });
    launch(card, "norm_back_sums", [parts, slabs(channels)], 0, &jobs, &[pixels, channels]);
    launch(card, "norm_back_coefficients", [1, slabs(channels)], 0, &jobs, &[parts, pixels, channels]);
    launch(card, "norm_back_apply", [parts, slabs(channels)], 0, &jobs, &[pixels, channels]);

    let mut all = Vec::new();
    for i in 0..2 {
        let found = card.download(&back.y[i]);
        let of_gamma = card.download(&back.gradients[0]);
        let of_beta = card.download(&back.gradients[1]);
        for channel in 0..channels {
            let what = |of: &'static str| move || format!("{of}, {pixels}×{channels}, job {i}, channel {channel}");
            let [mean, inverse] = [moments[i][channel], moments[i][channels + channel]].map(f64::from);
            let hat = |at: usize| (f64::from(y[i][at]) - mean) * inverse;
            let places = || (channel..pixels * channels).step_by(channels);
            let sum: f64 = places().map(|at| f64::from(g[at])).sum();
            let product: f64 = places().map(|at| f64::from(g[at]) * hat(at)).sum();
            let size: f64 = places().map(|at| (f64::from(g[at]) * hat(at)).abs()).sum();
            if i == 0 {
                near(of_beta[channel], sum, 1e-6 * pixels as f64, &what("gradient by β"));
                near(of_gamma[channel], product, 1e-6 * size + 1e-7 * inverse, &what("gradient by γ"));
            }
            let scale = if i == 0 { f64::from(gamma[channel]) } else { 1.0 } * inverse;
            for at in places() {
                let n = pixels as f64;
                let expected = scale * (f64::from(g[at]) - sum / n - hat(at) * product / n);
                near(found[at], expected, 3e-6 * scale * (1.0 + size / n * hat(at).abs()), &what("gradient by y"));
            }
        }
        all.extend(found);
        all.extend(card.download(&sums[i]));
    }
    all
}

#[test]
fn norms_go_back_by_their_definition() {
    for (pixels, channels) in [(3 * 256 + 77, 16), (105, 48), (1, 16), (512, 64), (20 * 256 + 3, 32), (300, 1056)] {
        on_all_cards(|card, seed| way_back(card, seed, pixels, channels));
    }
}

#[test]
fn checked_norms_go_back() {
    for (pixels, channels) in [(300, 16), (9, 48), (1, 64), (6, 1056)] {
        in_all_orders(|card, seed| way_back(card, seed, pixels, channels));
    }
}

/// A head in f64: from a stage's maps to its part of the loss, with the gradients.
struct Head {
    images: usize,
    size: [usize; 2],
    channels: usize,
    outputs: usize,
    weight: f64,
}

/// What a head's parameters and its maps are, or the gradients by them.
#[derive(Clone)]
struct Numbers64 {
    stage: Vec<f64>,
    gamma: Vec<f64>,
    beta: Vec<f64>,
    weights: Vec<f64>,
    bias: Vec<f64>,
}

impl Head {
    fn source(&self, image: usize, pixel: usize) -> usize {
        let [h, w] = self.size;
        (image * h + pixel / 8 * h / 8) * w + pixel % 8 * w / 8
    }

    /// N, the normalised map, and the output, from all parameters.
    fn forward(&self, of: &Numbers64) -> [Vec<f64>; 2] {
        let (c, pixels) = (self.channels, 64 * self.images);
        let mut normalised = vec![0.0; pixels * c];
        for channel in 0..c {
            let value = |p: usize| of.stage[self.source(p / 64, p % 64) * c + channel];
            let mean = (0..pixels).map(value).sum::<f64>() / pixels as f64;
            let variance = (0..pixels).map(|p| (value(p) - mean) * (value(p) - mean)).sum::<f64>() / pixels as f64;
            for p in 0..pixels {
                let hat = (value(p) - mean) / (variance + 1e-5).sqrt();
                normalised[p * c + channel] = of.gamma[channel] * hat + of.beta[channel];
            }
        }
        let output = convolve(&normalised, &of.weights, c, self.outputs);
        let output = output.iter().enumerate().map(|(at, v)| v + of.bias[at % self.outputs]).collect();
        [normalised, output]
    }

    fn loss(&self, of: &Numbers64, target: &[f32]) -> f64 {
        let output = &self.forward(of)[1];
        let squares = output.iter().zip(target).map(|(o, t)| (o - f64::from(*t)) * (o - f64::from(*t)));
        self.weight * squares.sum::<f64>() / target.len() as f64
    }
}

/// The 1×1 convolution with weights [output][input].
fn convolve(x: &[f64], weights: &[f64], inputs: usize, outputs: usize) -> Vec<f64> {
    let pixel = |x: &[f64], o: usize| x.iter().zip(&weights[o * inputs..]).map(|(x, w)| x * w).sum::<f64>();
    x.chunks(inputs).flat_map(|x| (0..outputs).map(move |o| pixel(x, o))).collect()
}

fn widened(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().map(|n| f64::from(*n)).collect()
}

fn narrowed(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|n| *n as f32).collect()
}

/// A head through all its launches, its products done here in f64, against finite differences of the definition. A dead stage
/// has no maps.
fn head(card: &Card, seed: u64, head: &Head, dead: bool) -> Vec<f32> {
    let mut numbers = Numbers::new(seed);
    let (c, o, pixels) = (head.channels, head.outputs, 64 * head.images);
    let parts = pixels.div_ceil(PART);
    let [h, w] = head.size;
    let stage_numbers = head.images * h * w * c;
    let stage = if dead { vec![0.0; stage_numbers] } else { numbers.list(stage_numbers) };
    let gamma: Vec<f32> = numbers.list(c).iter().map(|g| 1.0 + g / 2.0).collect();
    let (beta, bias, weights) = (numbers.list(c), numbers.list(o), numbers.list(o * c));
    let target = numbers.list(pixels * o);
    let of = Numbers64 {
        stage: widened(&stage),
        gamma: widened(&gamma),
        beta: widened(&beta),
        weights: widened(&weights),
        bias: widened(&bias),
    };

    let stage_memory = (!dead).then(|| card.upload(&stage));
    let resized = card.poisoned::<f32>(pixels * c);
    let map = MapJob { from: address(&stage_memory), to: resized.address() };
    launch(card, "resize8", [head.images, slabs(c)], 0, &[map], &[head.images, h, w, c]);
    let found = card.download(&resized);
    for (at, found) in found.iter().enumerate() {
        assert_eq!(*found, stage[head.source(at / c / 64, at / c % 64) * c + at % c], "resized {:?}, {at}", head.size);
    }

    let sums = card.poisoned::<f32>(parts * 2 * c);
    let (affine, moments) = (card.poisoned::<f32>(2 * c), card.poisoned::<f32>(2 * c));
    let (gamma_memory, beta_memory) = (card.upload(&gamma), card.upload(&beta));
    let map = MapJob { from: resized.address(), to: sums.address() };
    launch(card, "map_sums", [parts, slabs(c)], 0, &[map], &[pixels, c]);
    let job = MomentsJob {
        sums: sums.address(),
        gamma: gamma_memory.address(),
        beta: beta_memory.address(),
        affine: affine.address(),
        moments: moments.address(),
    };
    launch(card, "norm_moments", [1, slabs(c)], 0, &[job], &[parts, pixels, c]);
    let normalised = card.poisoned::<f32>(pixels * c);
    let term = Term { x: resized.address(), affine: affine.address(), kind: TERM_MAP, padding: 0 };
    let job = NodeJob { terms: [term, Term::default(), Term::default()], value: normalised.address(), code: 0 };
    launch(card, "node", [stretches(head.images, 64 * c), 1], 0, &[job], &[head.images, 8, 8, c, 0]);
    let n = card.download(&normalised);
    for (at, (found, expected)) in n.iter().zip(&head.forward(&of)[0]).enumerate() {
        near(*found, *expected, 1e-5, &|| format!("normalised {at}, dead {dead}"));
    }

    let output = card.upload(&narrowed(&convolve(&widened(&n), &of.weights, c, o)));
    let (bias_memory, target_memory) = (card.upload(&bias), card.upload(&target));
    let (of_bias, losses) = (card.poisoned::<f32>(parts * o), card.poisoned::<f64>(parts));
    let job = HeadJob {
        output: output.address(),
        bias: bias_memory.address(),
        target: target_memory.address(),
        bias_gradient: of_bias.address(),
        loss: losses.address(),
        weight: head.weight as f32,
        padding: 0,
    };
    launch(card, "head_loss", [parts, 1], 0, &[job], &[pixels, o]);
    let loss: f64 = card.download(&losses).iter().sum();
    let expected = head.loss(&of, &target);
    assert!((loss - expected).abs() < 1e-6 * expected, "loss {loss} {expected}, dead {dead}");

    let d = card.download(&output);
    let turned: Vec<f64> = (0..c * o).map(|at| of.weights[at % o * c + at / o]).collect();
    let back = card.upload(&narrowed(&convolve(&widened(&d), &turned, o, c)));
    let coefficients = card.poisoned::<f32>(3 * c);
    let (of_gamma, of_beta) = (card.poisoned::<f32>(c), card.poisoned::<f32>(c));
    let job = NormBackJob {
        g: back.address(),
        y: resized.address(),
        moments: moments.address(),
        gamma: gamma_memory.address(),
        sums: sums.address(),
        coefficients: coefficients.address(),
        gamma_gradient: of_gamma.address(),
        beta_gradient: of_beta.address(),
    };
    launch(card, "norm_back_sums", [parts, slabs(c)], 0, &[job], &[pixels, c]);
    launch(card, "norm_back_coefficients", [1, slabs(c)], 0, &[job], &[parts, pixels, c]);
    launch(card, "norm_back_apply", [parts, slabs(c)], 0, &[job], &[pixels, c]);
    let gradient = card.poisoned::<f32>(stage_numbers);
    let reader = card.upload(&[Reader { g: resized.address(), kind: READER_NEAREST, padding: 0 }]);
    let job = card.upload(&[GradientJob { value: 0, gradient: gradient.address(), first: 0, count: 1 }]);
    let mut arguments = vec![Argument::new(job.address()), Argument::new(reader.address())];
    arguments.extend([head.images, h, w, c].map(|n| Argument::new(n as i32)));
    run(card, "node_gradient", [stretches(head.images, h * w * c), 1, 1], 0, &arguments);

    // Finite differences in f64; all gradients are of the order of weight/outputs.
    let difference = |change: &dyn Fn(&mut Numbers64, f64)| {
        let [mut more, mut less] = [of.clone(), of.clone()];
        change(&mut more, 1e-4);
        change(&mut less, -1e-4);
        (head.loss(&more, &target) - head.loss(&less, &target)) / 2e-4
    };
    let (of_gamma, of_beta, found) = (card.download(&of_gamma), card.download(&of_beta), card.download(&gradient));
    for channel in [0, 3, c - 1] {
        let expected = difference(&|of, by| of.gamma[channel] += by);
        near(of_gamma[channel], expected, 1e-6, &|| format!("γ {channel}, dead {dead}"));
        assert!(!dead || of_gamma[channel] == 0.0);
        let expected = difference(&|of, by| of.beta[channel] += by);
        near(of_beta[channel], expected, 1e-6, &|| format!("β {channel}, dead {dead}"));
    }
    let parts_of_bias = card.download(&of_bias);
    for output in [0, 5, o - 1] {
        let expected = difference(&|of, by| of.bias[output] += by);
        let sum: f32 = parts_of_bias.chunks(o).map(|part| part[output]).sum();
        near(sum, expected, 1e-6, &|| format!("bias {output}, dead {dead}"));
    }
    if !dead {
        for at in [0, stage_numbers / 2 + 1, stage_numbers - 2] {
            let expected = difference(&|of, by| of.stage[at] += by);
            near(found[at], expected, 1e-6, &|| format!("stage {:?}, number {at}", head.size));
        }
    }
    [parts_of_bias, of_gamma, of_beta, found, d].concat()
}

#[test]
fn heads_have_the_gradients_of_their_loss() {
    let heads = [
        Head { images: 5, size: [32, 32], channels: 16, outputs: 64, weight: 0.25 },
        Head { images: 4, size: [16, 16], channels: 32, outputs: 48, weight: 0.5 },
        Head { images: 3, size: [8, 8], channels: 64, outputs: 16, weight: 1.0 },
        Head { images: 3, size: [4, 4], channels: 48, outputs: 16, weight: 1.0 },
        Head { images: 2, size: [5, 11], channels: 16, outputs: 48, weight: 0.5 },
    ];
    for one in heads {
        on_all_cards(|card, seed| head(card, seed, &one, false));
        on_all_cards(|card, seed| head(card, seed, &one, true));
    }
}

#[test]
fn checked_heads() {
    for (size, dead) in [([5, 3], false), ([4, 4], true)] {
        let one = Head { images: 1, size, channels: 16, outputs: 16, weight: 0.5 };
        in_all_orders(|card, seed| head(card, seed, &one, dead));
    }
    // Two parts, the second ragged.
    let one = Head { images: 5, size: [8, 8], channels: 16, outputs: 48, weight: 0.5 };
    in_all_orders(|card, seed| head(card, seed, &one, false));
}

#[test]
fn losses_are_summed_head_by_head() {
    on_all_cards(|card, seed| {
        let mut numbers = Numbers::new(seed);
        let (cells, parts, steps, step) = (3, 5, 4, 2);
        let values: Vec<f64> = (0..cells * 3 * parts).map(|_| numbers.symmetric()).collect();
        let memory = card.upload(&values);
        let losses = card.poisoned::<f64>(cells * steps);
        let jobs: Vec<_> = (0..cells)
            .map(|cell| LossJob {
                heads: [0, 1, 2].map(|head| memory.address() + ((cell * 3 + head) * parts * 8) as u64),
                losses: losses.address() + (cell * steps * 8) as u64,
            })
            .collect();
        launch(card, "head_losses", [1, 1], 0, &jobs, &[parts, step]);
        let found = card.download(&losses);
        for (at, found) in found.iter().enumerate() {
            let (cell, of) = (at / steps, at % steps);
            let expected: f64 = values[cell * 3 * parts..][..3 * parts].iter().sum();
            assert!(if of == step { (found - expected).abs() < 1e-14 } else { found.is_nan() }, "{cell} {of}: {found}");
        }
        found.iter().map(|loss| *loss as f32).collect()
    });
}

/// Three steps of lists of several lengths in one launch, to the bit as the processor's engine does them.
fn steps(card: &Card, seed: u64, lists: &[(usize, usize, f32)]) -> Vec<f32> {
    let mut numbers = Numbers::new(seed);
    let mut w: Vec<Vec<f32>> = lists.iter().map(|(len, ..)| numbers.list(*len)).collect();
    let mut m: Vec<Vec<f32>> = lists.iter().map(|(len, ..)| vec![0.0; *len]).collect();
    let w_memory: Vec<_> = w.iter().map(|w| card.upload(w)).collect();
    let m_memory: Vec<_> = m.iter().map(|m| card.upload(m)).collect();
    for _ in 0..3 {
        let gradients: Vec<Vec<f32>> = lists.iter().map(|(len, parts, _)| numbers.list(len * parts)).collect();
        let memory: Vec<_> = gradients.iter().map(|g| card.upload(g)).collect();
        let jobs: Vec<_> = lists
            .iter()
            .enumerate()
            .map(|(i, &(len, parts, decay))| SgdJob {
                w: w_memory[i].address(),
                m: m_memory[i].address(),
                gradient: memory[i].address(),
                weights: len as i32,
                parts: parts as i32,
                decay,
                padding: 0,
            })
            .collect();
        let longest = lists.iter().map(|(len, ..)| *len).max().unwrap_or(0);
        launch(card, "sgd", [longest.div_ceil(1024), 1], 0, &jobs, &[]);
        for (i, &(len, _, decay)) in lists.iter().enumerate() {
            for at in 0..len {
                let mut g = gradients[i][at];
                for part in gradients[i].chunks(len).skip(1) {
                    g += part[at];
                }
                m[i][at] = m[i][at].mul_add(0.9, w[i][at].mul_add(decay, g));
                w[i][at] = m[i][at].mul_add(-0.1, w[i][at]);
            }
        }
    }
    for i in 0..lists.len() {
        assert_eq!(card.download(&w_memory[i]), w[i], "list {i}");
        assert_eq!(card.download(&m_memory[i]), m[i], "momenta of list {i}");
    }
    w.concat()
}

#[test]
fn sgd_steps_as_the_processor_does() {
    let lists = [(2304, 8, 4e-5), (16, 1, 0.0), (1024, 3, 4e-5), (9232, 2, 4e-5), (48, 5, 0.0)];
    in_all_orders(|card, seed| steps(card, seed, &[(1040, 3, 4e-5), (16, 1, 0.0)]));
    on_all_cards(|card, seed| steps(card, seed, &lists));
}

#[test]
fn a_loss_that_is_no_number_stays_none() {
    let card = Card::new(90, Build::Plain, Order::Forward);
    let output: Vec<f32> = (0..64 * 16).map(|at| if at == 70 { f32::INFINITY } else { 0.5 }).collect();
    let (output, zeros) = (card.upload(&output), card.upload(&[0f32; 64 * 16]));
    let (of_bias, loss) = (card.poisoned::<f32>(16), card.upload(&[0f64]));
    let job = HeadJob {
        output: output.address(),
        bias: zeros.address(),
        target: zeros.address(),
        bias_gradient: of_bias.address(),
        loss: loss.address(),
        weight: 1.0,
        padding: 0,
    };
    launch(&card, "head_loss", [1, 1], 0, &[job], &[64, 16]);
    assert_eq!(card.download(&loss), [f64::INFINITY]);
    let of_bias = card.download(&of_bias);
    assert!((0..16).all(|channel| of_bias[channel].is_infinite() == (channel == 6)), "{of_bias:?}");
}
