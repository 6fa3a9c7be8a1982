//! LossSlope's three heads: nearest-resize of a stage's output to 8×8, BatchNorm with γ and β, 1×1 convolution with bias,
//! mean squared error. A quarter of a MMAC an image and way.

use super::conv::{forward, weight_gradient, Geometry};
use super::layout::{pack_backward, padded_channels};
use super::maps;
use super::norm::{moments, Affine, Moment, RUN};
use super::norm_back::{self, gradient_sums, Gradient};
use super::scratch::{grown, Buffer};
use super::simd::{kernels, Isa, Vector, BLOCK};
use super::train::{Parameters, Places};
use crate::plan::Shape;
use crate::weights::HEAD_CHANNELS;

/// Height and width of the regression targets.
pub const SIDE: usize = 8;
const PIXELS: usize = SIDE * SIDE;
/// Weight of each stage's mean squared error in the loss.
const STAGE_WEIGHTS: [f64; 3] = [0.25, 0.5, 1.0];

kernels! {
    /// Turns outputs, a list of pixels, into the loss's gradients by them, `scale`·(output + bias − target), and adds these to
    /// those of the bias. Returns the sum of the squared differences.
    fn differences(output: &mut [f32], bias: &[f32], target: &[f32], scale: f32, of_bias: &mut [f32]) -> f64 = differences_body;
}

#[inline(always)]
fn differences_body<V: Vector>(
    output: &mut [f32],
    bias: &[f32],
    target: &[f32],
    scale: f32,
    of_bias: &mut [f32],
) -> f64 {
    let channels = bias.len();
    assert!(channels > 0 && channels.is_multiple_of(BLOCK) && of_bias.len() == channels);
    assert!(output.len().is_multiple_of(RUN * channels) && target.len() == output.len());
    let mut squares = [0.0f64; BLOCK];
    for at in (0..channels).step_by(V::LANES) {
        for first in (at..output.len()).step_by(RUN * channels) {
            // SAFETY: a vector from `at` on lies within each pixel, and within the lists of channels; `squares` has one
            // number for each channel of a block.
            unsafe {
                let bias = V::load(bias.as_ptr().add(at));
                let (mut of_run, mut squares_of_run) = (V::splat(0.0), V::splat(0.0));
                for pixel in 0..RUN {
                    let place = first + pixel * channels;
                    let to = output.as_mut_ptr().add(place);
                    let difference = V::load(to).add(bias).sub(V::load(target.as_ptr().add(place)));
                    squares_of_run = difference.mul_add(difference, squares_of_run);
                    let gradient = difference.mul(V::splat(scale));
                    of_run = of_run.add(gradient);
                    gradient.store(to);
                }
                squares_of_run.accumulate(squares.as_mut_ptr().add(at % BLOCK));
                let of_bias = of_bias.as_mut_ptr().add(at);
                V::load(of_bias).add(of_run).store(of_bias);
            }
        }
    }
    squares.iter().sum()
}

/// Memory of one head.
#[derive(Default)]
pub struct Head {
    /// `[count, 8, 8, c]`.
    target: Buffer,
    resized: Buffer,
    normalised: Buffer,
    output: Buffer,
    gradient: Buffer,
    weights: Buffer,
    weight_gradient: Buffer,
    bias_gradient: Vec<f32>,
    moments: Vec<Moment>,
    affine: Affine,
}

/// What all heads of a step share.
pub struct Step<'a> {
    /// Instruction set.
    pub isa: Isa,
    /// 0, 1 or 2.
    pub stage: usize,
    /// Images.
    pub count: usize,
    /// The stage's maps.
    pub shape: Shape,
    /// `[count, c, 8, 8]`.
    pub target: &'a [f32],
}

impl Step<'_> {
    fn channels(&self) -> usize {
        padded_channels(self.shape.channels)
    }

    /// The source pixel of a pixel of the resized map.
    fn source(&self, pixel: usize) -> usize {
        let (y, x) = (pixel / SIDE, pixel % SIDE);
        y * self.shape.height / SIDE * self.shape.width + x * self.shape.width / SIDE
    }
}

impl Head {
    /// Takes a task's targets.
    pub fn start(&mut self, step: &Step) {
        let outputs = HEAD_CHANNELS[step.stage];
        let target = grown(&mut self.target, step.count * PIXELS * outputs);
        for (to, from) in target.chunks_exact_mut(PIXELS * outputs).zip(step.target.chunks_exact(outputs * PIXELS)) {
            for (at, to) in to.iter_mut().enumerate() {
                *to = from[at % outputs * PIXELS + at / outputs];
            }
        }
    }

    /// The weighted loss of this head over all images. `stage_map(i)` is image i's map, `None` where it is exactly zero.
    pub fn forward<'m>(
        &mut self,
        step: &Step,
        parameters: &Parameters,
        places: &Places,
        stage_map: impl Fn(usize) -> Option<&'m [f32]>,
    ) -> f64 {
        let (isa, c, outputs) = (step.isa, step.channels(), HEAD_CHANNELS[step.stage]);
        let (norm, weights, bias) = &places.heads[step.stage];
        let resized = grown(&mut self.resized, step.count * PIXELS * c);
        self.moments.resize(step.count * c, [0.0; 2]);
        for (i, map) in resized.chunks_exact_mut(PIXELS * c).enumerate() {
            match stage_map(i) {
                Some(stage) => {
                    for (pixel, to) in map.chunks_exact_mut(c).enumerate() {
                        to.copy_from_slice(&stage[step.source(pixel) * c..][..c]);
                    }
                }
                None => map.fill(0.0),
            }
            moments(isa, map, &mut self.moments[i * c..][..c]);
        }
        let gamma_beta = (parameters.at(&norm.gamma), parameters.at(&norm.beta));
        self.affine.set(&self.moments, (0, c), c, PIXELS, Some(gamma_beta));

        let normalised = grown(&mut self.normalised, step.count * PIXELS * c);
        maps::fill(isa, normalised, &self.affine.shift);
        maps::add_scaled(isa, normalised, resized, &self.affine.scale);
        let output = grown(&mut self.output, step.count * PIXELS * outputs);
        let geometry = Geometry::pointwise(PIXELS, c, outputs);
        let scale = STAGE_WEIGHTS[step.stage] / (step.count * outputs * PIXELS) as f64;
        let mut loss = 0.0;
        // From here on the outputs are the loss's gradients by them.
        let twice = (2.0 * scale) as f32;
        self.bias_gradient.clear();
        self.bias_gradient.resize(outputs, 0.0);
        let images = output.chunks_exact_mut(PIXELS * outputs).zip(normalised.chunks_exact(PIXELS * c));
        for ((output, input), target) in images.zip(self.target.chunks_exact(outputs * PIXELS)) {
            forward(isa, &geometry, input, parameters.at(weights), output);
            let squares = differences(isa, output, parameters.at(bias), target, twice, &mut self.bias_gradient);
            loss += squares * scale;
        }
        loss
    }

    /// The gradient by the stage's maps, added by [`Head::scatter`], and one step of the head's parameters. Reports the
    /// norms of the gradients of γ, β, weights and bias.
    pub fn backward(
        &mut self,
        step: &Step,
        parameters: &mut Parameters,
        places: &Places,
        wants_norms: bool,
    ) -> [f64; 4] {
        let (isa, c, outputs) = (step.isa, step.channels(), HEAD_CHANNELS[step.stage]);
        let (norm, weights, bias) = &places.heads[step.stage];
        let size = step.count * PIXELS;
        let (output, resized) = (&self.output[..size * outputs], &self.resized[..size * c]);

        let back = grown(&mut self.weights, parameters.at(weights).len());
        pack_backward(parameters.at(weights), outputs, c, 1, back);
        let gradient = grown(&mut self.gradient, size * c);
        let dw = grown(&mut self.weight_gradient, weights.len());
        dw.fill(0.0);
        let (ahead, behind) = (Geometry::pointwise(PIXELS, c, outputs), Geometry::pointwise(PIXELS, outputs, c));
        for (i, d) in output.chunks_exact(PIXELS * outputs).enumerate() {
            let of_image = i * PIXELS * c..(i + 1) * PIXELS * c;
            forward(isa, &behind, d, back, &mut gradient[of_image.clone()]);
            weight_gradient(isa, &ahead, &self.normalised[of_image.clone()], d, dw);
            let sums = &mut self.moments[i * c..][..c];
            gradient_sums(isa, &gradient[of_image.clone()], &resized[of_image], &self.affine.mean, sums);
        }
        let mut way_back = Gradient::default();
        way_back.set(&self.affine, &self.moments, (0, c), (step.count * PIXELS) as f64);
        let after = grown(&mut self.normalised, size * c);
        after.copy_from_slice(gradient);
        norm_back::apply(isa, &way_back.coefficients(), after, resized, gradient);
        let mut update = |place, gradient: &[f32], decays| {
            parameters.update(isa, place, (gradient, gradient.len()), decays, wants_norms)
        };
        [
            update(&norm.gamma, &way_back.gamma[..], false),
            update(&norm.beta, &way_back.beta[..], false),
            update(weights, dw, true),
            update(bias, &self.bias_gradient, false),
        ]
    }

    /// Adds image `i`'s gradient to the gradient of the stage's map.
    pub fn scatter(&self, step: &Step, i: usize, out: &mut [f32]) {
        let c = step.channels();
        for (pixel, from) in self.gradient[i * PIXELS * c..][..PIXELS * c].chunks_exact(c).enumerate() {
            let to = &mut out[step.source(pixel) * c..][..c];
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    #[test]
    fn differences_are_their_definition_and_add_to_the_bias() {
        let mut stream = Stream::new(std::process::id().into(), &[15]);
        for (channels, pixels) in [(16, 64), (48, 64), (64, 16)] {
            let mut random = |n: usize| -> Vec<f32> { (0..n).map(|_| stream.symmetric(1.0)).collect() };
            let (output, target, bias) = (random(pixels * channels), random(pixels * channels), random(channels));
            for isa in Isa::available() {
                let (mut gradient, mut of_bias) = (output.clone(), vec![0.5; channels]);
                let squares = differences(isa, &mut gradient, &bias, &target, 0.25, &mut of_bias);
                let mut expected = (0.0, vec![0.5; channels]);
                for at in 0..output.len() {
                    let channel = at % channels;
                    let difference = f64::from(output[at]) + f64::from(bias[channel]) - f64::from(target[at]);
                    expected.0 += difference * difference;
                    expected.1[channel] += 0.25 * difference;
                    assert!((f64::from(gradient[at]) - 0.25 * difference).abs() < 1e-6, "{isa:?} {at}");
                }
                assert!((squares - expected.0).abs() < 1e-6 * expected.0, "{isa:?}: {squares} {}", expected.0);
                for (found, expected) in of_bias.iter().zip(&expected.1) {
                    assert!((f64::from(*found) - expected).abs() < 1e-5, "{isa:?}: {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn targets_lie_as_outputs_do() {
        let mut stream = Stream::new(std::process::id().into(), &[16]);
        let mut head = Head::default();
        // The second task is smaller: what the first left behind is not read.
        for count in [3, 2] {
            let target: Vec<f32> = (0..count * HEAD_CHANNELS[1] * PIXELS).map(|_| stream.symmetric(1.0)).collect();
            let shape = Shape { channels: 32, height: 16, width: 16 };
            head.start(&Step { isa: Isa::Portable, stage: 1, count, shape, target: &target });
            for (at, from) in target.iter().enumerate() {
                let (image, channel, pixel) =
                    (at / (HEAD_CHANNELS[1] * PIXELS), at / PIXELS % HEAD_CHANNELS[1], at % PIXELS);
                assert_eq!(head.target[(image * PIXELS + pixel) * HEAD_CHANNELS[1] + channel], *from);
            }
        }
    }
}
