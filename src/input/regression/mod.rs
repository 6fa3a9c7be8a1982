//! LossSlope's regression task: images, the noise of each step, and the targets of the three heads.

mod maps;
mod signals;

use super::Batch;
use crate::random::{Seeds, Stream};
use crate::weights::HEAD_CHANNELS;
use maps::{Map, PIXELS, SIZE};
use signals::{Signals, SIGNALS};

/// SGD steps of LossSlope.
pub const STEPS: usize = 10;

/// The noise of a step is uniform in ± this.
pub const NOISE: f64 = 0.1;

/// What a network is trained on for ten steps; the same for all cells.
#[derive(Clone, Debug, PartialEq)]
pub struct RegressionTask {
    /// The images, `[n, 3, h, w]`.
    pub images: Batch,
    /// Noise added to the images at each step: ten tensors like the images.
    pub noise: Vec<Vec<f32>>,
    /// Targets of the three heads, `[n, c, 8, 8]` with c of [`crate::weights::HEAD_CHANNELS`].
    pub targets: [Vec<f32>; 3],
}

impl RegressionTask {
    /// The task on these images (augmented and normalised already): noise from the noise seed, targets from the target
    /// seed (SPEC section 4).
    pub fn draw(images: Batch, seeds: &Seeds) -> RegressionTask {
        let noise = |step: usize| {
            let mut stream = Stream::new(seeds.noise, &[step as u64]);
            images.pixels.iter().map(|_| stream.symmetric(NOISE)).collect()
        };
        let noise = (0..STEPS).map(noise).collect();
        let small = shrink(&images);
        let targets = [0, 1, 2].map(|stage| target(stage, &images, &small, seeds.target));
        RegressionTask { images, noise, targets }
    }
}

/// Which signal of a head a stream draws. Stored scores depend on the numbers.
#[derive(Clone, Copy)]
enum Signal {
    Sin1d = 0,
    Sin2d = 1,
    Resize = 2,
    Dots = 3,
}

/// The target of one head, `[n, c, 8, 8]`: Σ level × signal.
fn target(stage: usize, images: &Batch, small: &[Map], seed: u64) -> Vec<f32> {
    let Signals { sin1d, sin2d, resize, dots, local } = &SIGNALS[stage];
    let channels = HEAD_CHANNELS[stage];
    let stream = |signal: Signal, image: usize| Stream::new(seed, &[stage as u64, signal as u64, image as u64]);
    let mut resized = stream(Signal::Resize, 0);
    // Of 1,000 channels that repeat red, green, blue, a random choice: red is one in a thousand more frequent.
    let colours: Vec<usize> = resized.distinct(channels, 1000).into_iter().map(|channel| channel % 3).collect();
    let mut target = Vec::with_capacity(images.count * channels * PIXELS);
    let mut drawn: Vec<Map> = Vec::new();
    for image in 0..images.count {
        if image == 0 || *local {
            drawn = vec![[0.0; PIXELS]; channels];
            let mut add = |level: f64, maps: Vec<Map>| {
                drawn
                    .iter_mut()
                    .zip(maps)
                    .for_each(|(sum, map)| sum.iter_mut().zip(map).for_each(|(s, m)| *s += level * m));
            };
            if let Some(waves) = sin1d {
                let stream = &mut stream(Signal::Sin1d, image);
                add(waves.level, maps::waves_along_one_axis(channels, waves.frequencies, stream));
            }
            if let Some(waves) = sin2d {
                let stream = &mut stream(Signal::Sin2d, image);
                add(waves.level, maps::waves_along_both_axes(channels, waves.frequencies, stream));
            }
            if let Some(dots) = dots {
                add(dots.level, maps::dots(channels, dots.count, &mut stream(Signal::Dots, image)));
            }
        }
        for (map, colour) in drawn.iter().zip(&colours) {
            let own = &small[image * 3 + colour];
            target.extend(map.iter().zip(own).map(|(m, o)| (m + resize.unwrap_or(0.0) * o) as f32));
        }
    }
    target
}

/// The three channels of each image at 8×8 (nearest neighbour: pixel i reads ⌊i·size/8⌋), mapped to [−1, 1] by the least
/// and the largest value of the whole batch. A batch that is constant becomes 0.
fn shrink(images: &Batch) -> Vec<Map> {
    let (h, w) = (images.height, images.width);
    let pixel = |map: usize, p: usize| {
        let (y, x) = (p / SIZE * h / SIZE, p % SIZE * w / SIZE);
        // A batch that lacks pixels is refused where it is used; here they count as 0.
        images.pixels.get((map * h + y) * w + x).copied().map_or(0.0, f64::from)
    };
    let mut maps: Vec<Map> = (0..images.count * 3).map(|map| std::array::from_fn(|p| pixel(map, p))).collect();
    let all = || maps.iter().flatten();
    let (least, most) =
        (all().copied().fold(f64::INFINITY, f64::min), all().copied().fold(f64::NEG_INFINITY, f64::max));
    let range = most - least;
    maps.iter_mut().flatten().for_each(|v| *v = if range > 0.0 { ((*v - least) / range - 0.5) * 2.0 } else { 0.0 });
    maps
}
