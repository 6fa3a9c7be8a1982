//! LossSlope's regression task: the distribution of the targets against the published one, structure, and streams.

use etnas::input::{Batch, RegressionTask, STEPS};
use etnas::random::Seeds;
use etnas::weights::HEAD_CHANNELS;

/// Images by a formula, so that another program can make the same.
fn patterned(count: usize, height: usize, width: usize) -> Batch {
    let mut pixels = Vec::new();
    for n in 0..count {
        for c in 0..3 {
            for y in 0..height {
                for x in 0..width {
                    let level = (n * 31 + c * 17 + y * 7 + x * 13 + y * x % 11 * 5) % 29;
                    pixels.push((level as f64 / 29.0 * 2.0 - 1.0) as f32);
                }
            }
        }
    }
    Batch { count, height, width, pixels }
}

fn seeds(target: u64) -> Seeds {
    Seeds { target, ..Seeds::new(9) }
}

/// Mean over all pairs `(t[i], t[i + shift])` that lie in the tensor `[n, c, 8, 8]`, shift = (image, channel, y, x).
fn product(target: &[f32], channels: usize, shift: [usize; 4]) -> f64 {
    let n = target.len() / (channels * 64);
    let (mut sum, mut count) = (0.0, 0);
    for i in 0..n - shift[0] {
        for c in 0..channels - shift[1] {
            for y in 0..8 - shift[2] {
                for x in 0..8 - shift[3] {
                    let at = |i: usize, c: usize, y: usize, x: usize| {
                        f64::from(target[((i * channels + c) * 8 + y) * 8 + x])
                    };
                    sum += at(i, c, y, x) * at(i + shift[0], c + shift[1], y + shift[2], x + shift[3]);
                    count += 1;
                }
            }
        }
    }
    sum / f64::from(count)
}

const STATISTICS: [&str; 9] = [
    "mean",
    "square",
    "neighbours in y",
    "neighbours in x",
    "diagonal neighbours",
    "first and last column",
    "neighbouring images",
    "neighbouring channels",
    "fourth power",
];

fn statistics(target: &[f32], channels: usize) -> [f64; 9] {
    let mean = |power: i32| target.iter().map(|&t| f64::from(t).powi(power)).sum::<f64>() / target.len() as f64;
    let p = |shift| product(target, channels, shift);
    [
        mean(1),
        mean(2),
        p([0, 0, 1, 0]),
        p([0, 0, 0, 1]),
        p([0, 0, 1, 1]),
        p([0, 0, 0, 7]),
        p([1, 0, 0, 0]),
        p([0, 1, 0, 0]),
        mean(4),
    ]
}

/// Mean and deviation (n−1) of each statistic over 600 draws of the published program (NumPy's generator) on
/// `patterned(4, 32, 32)`, for the three heads.
const PUBLISHED: [[[f64; 9]; 2]; 3] = [
    [
        [0.00095, 0.60491, 0.60131, 0.60131, 0.59773, 0.43783, 0.00259, -0.00084, 0.54882],
        [0.04732, 0.02128, 0.02192, 0.02194, 0.02262, 0.02434, 0.03896, 0.03494, 0.02588],
    ],
    [
        [-0.04402, 8.1258, -1.79376, -2.06266, 1.00938, 2.06221, 1.29283, 0.3561, 162.30759],
        [0.02168, 0.07447, 0.12336, 0.12067, 0.21442, 0.29664, 0.13232, 0.23438, 2.86674],
    ],
    [
        [-0.03233, 4.01353, 1.49995, 1.27693, 1.38607, 0.84908, 3.34051, 0.27751, 42.35582],
        [0.08603, 0.16702, 0.16209, 0.15453, 0.16118, 0.41626, 0.16798, 0.36853, 3.50923],
    ],
];

#[test]
fn targets_are_distributed_as_the_published_ones() {
    const DRAWS: usize = 300;
    let images = patterned(4, 32, 32);
    let mut sums = [[0.0; 9]; 3];
    let mut squares = [[0.0; 9]; 3];
    for draw in 0..DRAWS {
        let task = RegressionTask::draw(images.clone(), &seeds(draw as u64));
        for stage in 0..3 {
            for (i, v) in statistics(&task.targets[stage], HEAD_CHANNELS[stage]).into_iter().enumerate() {
                sums[stage][i] += v;
                squares[stage][i] += v * v;
            }
        }
    }
    let n = DRAWS as f64;
    for stage in 0..3 {
        let [means, deviations] = PUBLISHED[stage];
        for i in 0..9 {
            let mean = sums[stage][i] / n;
            let deviation = ((squares[stage][i] - n * mean * mean) / (n - 1.0)).sqrt();
            let what = format!("head {stage}, {}", STATISTICS[i]);
            // 54 figures: four standard errors of the difference of two means pass by chance in 99.8 % of all seeds.
            let error = deviations[i] * (1.0 / n + 1.0 / 600.0).sqrt();
            assert!((mean - means[i]).abs() < 4.0 * error, "{what}: mean {mean} instead of {} ± {error}", means[i]);
            let ratio = deviation / deviations[i];
            assert!((0.8..1.25).contains(&ratio), "{what}: deviation {deviation} instead of {}", deviations[i]);
        }
    }
}

#[test]
fn heads_have_their_shapes_and_signals_are_local_or_shared() {
    for (height, width) in [(32, 32), (16, 16), (4, 4), (12, 20)] {
        // Constant images take the signal "resize" out.
        let images = Batch { pixels: vec![0.7; 5 * 3 * height * width], ..patterned(5, height, width) };
        let task = RegressionTask::draw(images, &seeds(3));
        for (stage, channels) in HEAD_CHANNELS.into_iter().enumerate() {
            let target = &task.targets[stage];
            assert_eq!(target.len(), 5 * channels * 64);
            assert!(target.iter().all(|t| t.is_finite()));
            let images: Vec<&[f32]> = target.chunks_exact(channels * 64).collect();
            for pair in images.windows(2) {
                let equal = pair[0].iter().zip(pair[1]).filter(|(a, b)| a == b).count();
                if stage == 2 {
                    assert_eq!(equal, channels * 64);
                } else {
                    assert!(equal < channels, "{equal} equal numbers in two images of head {stage}");
                }
            }
            let maps: Vec<&[f32]> = images[0].chunks_exact(64).collect();
            assert!((1..channels).all(|c| maps[c] != maps[0]));
        }
    }
}

#[test]
fn resize_is_nearest_over_the_whole_range() {
    for (height, width) in [(32, 32), (4, 4), (12, 20)] {
        let images = patterned(3, height, width);
        let (least, most) = images.pixels.iter().fold((1f32, -1f32), |(a, b), &v| (a.min(v), b.max(v)));
        let flat = Batch { pixels: vec![0.0; images.pixels.len()], ..images.clone() };
        let with = RegressionTask::draw(images.clone(), &seeds(8));
        let without = RegressionTask::draw(flat, &seeds(8));
        assert_eq!(with.targets[0], without.targets[0]);
        let read = |n: usize, c: usize, p: usize| {
            let (y, x) = (p / 8 * height / 8, p % 8 * width / 8);
            f64::from(images.pixels[((n * 3 + c) * height + y) * width + x])
        };
        let seen = || (0..3).flat_map(|n| (0..3).flat_map(move |c| (0..64).map(move |p| (n, c, p))));
        let (low, high) = seen().fold((1f64, -1f64), |(a, b), (n, c, p)| (a.min(read(n, c, p)), b.max(read(n, c, p))));
        assert!(low >= f64::from(least) && high <= f64::from(most) && low < high);
        for (stage, level) in [(1, 2.4), (2, 2.2)] {
            let mut counts = [0; 3];
            let channels = HEAD_CHANNELS[stage];
            for channel in 0..channels {
                let fits = |colour: &usize| {
                    (0..3).all(|n| {
                        (0..64).all(|p| {
                            let at = (n * channels + channel) * 64 + p;
                            let found = f64::from(with.targets[stage][at]) - f64::from(without.targets[stage][at]);
                            let expected = level * ((read(n, *colour, p) - low) / (high - low) * 2.0 - 1.0);
                            (found - expected).abs() < 2e-6
                        })
                    })
                };
                let colours: Vec<usize> = (0..3).filter(fits).collect();
                let [colour] = colours[..] else { panic!("channel {channel} of head {stage}: {colours:?}") };
                counts[colour] += 1;
            }
            assert!(counts.iter().all(|&n| n > 0), "{counts:?}");
        }
    }
}

#[test]
fn noise_is_uniform_and_fresh_at_each_step() {
    let task = RegressionTask::draw(patterned(16, 32, 32), &Seeds::new(1));
    assert_eq!(task.noise.len(), STEPS);
    for (step, noise) in task.noise.iter().enumerate() {
        assert_eq!(noise.len(), task.images.pixels.len());
        let mean = |f: fn(f64) -> f64| noise.iter().map(|&v| f(f64::from(v))).sum::<f64>() / noise.len() as f64;
        // Standard errors over 49,152 numbers: of the mean 0.1/√3/√n = 2.6e-4, of the square 0.01·√(4/45)/√n = 1.3e-5.
        assert!(mean(|v| v).abs() < 1.3e-3 && (mean(|v| v * v) - 0.01 / 3.0).abs() < 6.7e-5, "step {step}");
        assert!(noise.iter().all(|v| v.abs() <= 0.1) && noise.iter().any(|&v| v > 0.0999));
        for other in &task.noise[..step] {
            let equal = noise.iter().zip(other).filter(|(a, b)| a == b).count();
            assert!(equal < 20, "steps share {equal} numbers");
        }
    }
}

#[test]
fn each_seed_draws_its_own_part() {
    let images = patterned(2, 8, 8);
    let base = Seeds::new(4);
    let draw = |seeds: Seeds| RegressionTask::draw(images.clone(), &seeds);
    let (task, again) = (draw(base), draw(base));
    assert_eq!((&task.noise, &task.targets, &task.images), (&again.noise, &again.targets, &images));
    let other_noise = draw(Seeds { noise: 1, ..base });
    assert_ne!(other_noise.noise, task.noise);
    assert_eq!(other_noise.targets, task.targets);
    let other_target = draw(Seeds { target: 1, ..base });
    assert_eq!(other_target.noise, task.noise);
    assert!((0..3).all(|stage| other_target.targets[stage] != task.targets[stage]));
    let rest = draw(Seeds { master: 1, weight: 1, data: 1, search: 1, sample: 1, ..base });
    assert_eq!((rest.noise, rest.targets), (task.noise, task.targets));
}

#[test]
fn draws_are_pinned() {
    // Stored scores depend on these numbers: they may never change.
    let task = RegressionTask::draw(patterned(2, 8, 8), &Seeds::new(0));
    let found = [&task.targets[0], &task.targets[1], &task.targets[2], &task.noise[0], &task.noise[9]]
        .map(|v| [v[0], v[v.len() - 1]]);
    assert_eq!(found, PINNED);
}
const PINNED: [[f32; 2]; 5] = [
    [-0.44676676, -1.0848625],
    [-3.6390042, -2.2256415],
    [-1.8481104, -0.32445168],
    [0.0017031169, -0.007460268],
    [0.07872328, -0.06259302],
];
