//! LossSlope's three heads: nearest-resize of a stage's output to 8×8, BatchNorm with γ and β, 1×1 convolution with bias,
//! mean squared error. Some 3 MMAC an image and step: plain loops around the convolution kernels.

use super::conv::{forward, weight_gradient, Geometry};
use super::layout::{pack_backward, padded_channels};
use super::maps;
use super::norm::{moments, Affine, Moment};
use super::norm_back::{self, gradient_sums, Gradient};
use super::scratch::{grown, Buffer};
use super::simd::Isa;
use super::train::{Parameters, Places};
use crate::plan::Shape;
use crate::weights::HEAD_CHANNELS;

/// Height and width of the regression targets.
pub const SIDE: usize = 8;
const PIXELS: usize = SIDE * SIDE;
/// Weight of each stage's mean squared error in the loss.
const STAGE_WEIGHTS: [f64; 3] = [0.25, 0.5, 1.0];

/// Memory of one head.
#[derive(Default)]
pub struct Head {
    resized: Buffer,
    normalised: Buffer,
    output: Buffer,
    gradient: Buffer,
    weights: Buffer,
    weight_gradient: Buffer,
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

    fn geometry(&self, inputs: usize, outputs: usize) -> Geometry {
        let row = SIDE * inputs;
        Geometry { row, step: inputs, stride: 1, kernel: 1, run: inputs, height: SIDE, width: SIDE, outputs }
    }
}

impl Head {
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
        let geometry = step.geometry(c, outputs);
        let scale = STAGE_WEIGHTS[step.stage] / (step.count * outputs * PIXELS) as f64;
        let mut loss = 0.0;
        let images = output.chunks_exact_mut(PIXELS * outputs).zip(normalised.chunks_exact(PIXELS * c));
        for ((output, input), target) in images.zip(step.target.chunks_exact(outputs * PIXELS)) {
            forward(isa, &geometry, input, parameters.at(weights), output);
            let mut squares = 0.0f64;
            for (pixel, output) in output.chunks_exact_mut(outputs).enumerate() {
                for ((channel, y), bias) in output.iter_mut().enumerate().zip(parameters.at(bias)) {
                    let difference = *y + bias - target[channel * PIXELS + pixel];
                    squares += f64::from(difference) * f64::from(difference);
                    // From here on the output is the loss's gradient by the output.
                    *y = (2.0 * scale * f64::from(difference)) as f32;
                }
            }
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
        let mut db = vec![0.0f32; outputs];
        let (ahead, behind) = (step.geometry(c, outputs), step.geometry(outputs, c));
        for (i, d) in output.chunks_exact(PIXELS * outputs).enumerate() {
            let of_image = i * PIXELS * c..(i + 1) * PIXELS * c;
            forward(isa, &behind, d, back, &mut gradient[of_image.clone()]);
            weight_gradient(isa, &ahead, &self.normalised[of_image.clone()], d, dw);
            for pixel in d.chunks_exact(outputs) {
                db.iter_mut().zip(pixel).for_each(|(sum, d)| *sum += d);
            }
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
            update(bias, &db[..], false),
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
