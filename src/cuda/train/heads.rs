//! LossSlope's three heads on the card: nearest-resize of a stage's output to 8×8, BatchNorm, 1×1 convolution with bias, mean
//! squared error. `docs/cuda-maps.md` has the order of launches.

use super::super::device::aligned;
use super::super::forward::{backward_shape, forward_shape};
use super::super::jobs::{
    ConvJob, ConvShape, HeadJob, LossJob, MapJob, MomentsJob, NodeJob, NormBackJob, Term, WeightGradientJob,
};
use super::super::launches;
use super::super::layout::{padded, parts};
use super::super::program::Program;
use super::super::Precision;
use super::layout::HEAD_PIXELS;
use crate::plan::Shape;
use crate::space::Skeleton;
use crate::weights::HEAD_CHANNELS;

/// What the mean squared error of each head counts for.
const STAGE_WEIGHTS: [f32; 3] = [0.25, 0.5, 1.0];
/// Height and width of the heads' maps.
const SIDE: usize = 8;

/// Where what a head needs lies, in bytes from the begin of the cell's heads.
#[derive(Clone, Copy, Debug)]
pub struct HeadPlaces {
    /// The resized map, later the gradient by it.
    resized: usize,
    normalised: usize,
    /// The gradient by the normalised map.
    gradient: usize,
    output: usize,
    sums: usize,
    affine: usize,
    moments: usize,
    coefficients: usize,
    turned: usize,
    loss: usize,
}

impl HeadPlaces {
    /// The places of the three heads, and their size together.
    pub fn of(skeleton: &Skeleton, images: usize) -> ([HeadPlaces; 3], usize) {
        let mut bytes = 0;
        let mut take = |size: usize| {
            bytes += aligned(size);
            bytes - aligned(size)
        };
        let pixels = images * HEAD_PIXELS;
        let heads = [0, 1, 2].map(|stage| {
            let (inputs, outputs) = (padded(skeleton.stage_channels(stage)), padded(HEAD_CHANNELS[stage]));
            let map = pixels * inputs * 4;
            HeadPlaces {
                resized: take(map),
                normalised: take(map),
                gradient: take(map),
                output: take(pixels * outputs * 4),
                sums: take(parts(pixels) * 2 * inputs * 4),
                affine: take(2 * inputs * 4),
                moments: take(2 * inputs * 4),
                coefficients: take(3 * inputs * 4),
                turned: take(inputs * outputs * 4),
                loss: take(parts(pixels) * 8),
            }
        });
        (heads, bytes)
    }
}

/// A cell's heads, with addresses.
pub struct Heads {
    /// The begin of their memory.
    pub base: u64,
    /// The stages' outputs; 0 where one is exactly zero.
    pub stages: [u64; 3],
    /// γ, β, weights and bias of each.
    pub parameters: [[u64; 4]; 3],
    /// The gradients by them.
    pub gradients: [[u64; 4]; 3],
    /// Where the losses of the steps go.
    pub losses: u64,
}

/// What the heads of all cells share.
pub struct Setting<'a> {
    /// Images.
    pub images: usize,
    /// The network.
    pub skeleton: &'a Skeleton,
    /// The places of the heads.
    pub places: [HeadPlaces; 3],
    /// The targets, `[image][8][8][channel]`.
    pub targets: [u64; 3],
    /// Arithmetic of the convolutions.
    pub precision: Precision,
}

impl Setting<'_> {
    fn channels(&self, stage: usize) -> (usize, usize) {
        (padded(self.skeleton.stage_channels(stage)), padded(HEAD_CHANNELS[stage]))
    }

    fn conv(&self, inputs: usize, outputs: usize) -> ConvShape {
        let shape = Shape { channels: outputs, height: SIDE, width: SIDE };
        forward_shape(self.images, &shape, inputs, 1, false)
    }

    /// Adds the way forward: from the stages' outputs to the parts of the losses, and the gradients by the heads' outputs.
    pub fn forward(&self, program: &mut Program, cells: &[Heads]) {
        let pixels = self.images * HEAD_PIXELS;
        for (stage, weight) in STAGE_WEIGHTS.into_iter().enumerate() {
            let (inputs, outputs) = self.channels(stage);
            let (place, (height, width)) = (self.places[stage], self.skeleton.stage_size(stage));
            let at = |cell: &Heads, place: usize| cell.base + place as u64;
            let resized = cells.iter().map(|c| MapJob { from: c.stages[stage], to: at(c, place.resized) });
            let sums = cells.iter().map(|c| MapJob { from: at(c, place.resized), to: at(c, place.sums) });
            let moments = cells.iter().map(|c| MomentsJob {
                sums: at(c, place.sums),
                gamma: c.parameters[stage][0],
                beta: c.parameters[stage][1],
                affine: at(c, place.affine),
                moments: at(c, place.moments),
            });
            let nodes = cells.iter().map(|c| NodeJob {
                terms: [
                    Term::new(Term::MAP, at(c, place.resized), at(c, place.affine)),
                    Term::default(),
                    Term::default(),
                ],
                value: at(c, place.normalised),
                code: 0,
            });
            let convs = cells.iter().map(|c| ConvJob {
                x: at(c, place.normalised),
                w: c.parameters[stage][2],
                y: at(c, place.output),
                sums: 0,
            });
            let losses = cells.iter().map(|c| HeadJob {
                output: at(c, place.output),
                bias: c.parameters[stage][3],
                target: self.targets[stage],
                bias_gradient: c.gradients[stage][3],
                loss: at(c, place.loss),
                weight,
                padding: 0,
            });
            launches::resize8(program, self.images, (height, width, inputs), &resized.collect::<Vec<_>>());
            launches::map_sums(program, pixels, inputs, &sums.collect::<Vec<_>>());
            launches::norm_moments(program, pixels, inputs, &moments.collect::<Vec<_>>());
            launches::node(program, self.images, (SIDE, SIDE, inputs), 0, &nodes.collect::<Vec<_>>());
            let shape = self.conv(inputs, outputs);
            launches::convolution(program, self.precision, 1, shape, &convs.collect::<Vec<_>>());
            launches::head_loss(program, pixels, outputs, &losses.collect::<Vec<_>>());
        }
    }

    /// Adds the sum of the heads' losses as that of a step.
    pub fn losses(&self, program: &mut Program, step: usize, cells: &[Heads]) {
        let job = |c: &Heads| LossJob { heads: self.places.map(|place| c.base + place.loss as u64), losses: c.losses };
        launches::head_losses(program, self.images * HEAD_PIXELS, step, &cells.iter().map(job).collect::<Vec<_>>());
    }

    /// Adds the way back: the gradients by the heads' parameters and by the resized maps.
    pub fn backward(&self, program: &mut Program, cells: &[Heads]) {
        let pixels = self.images * HEAD_PIXELS;
        for stage in 0..3 {
            let (inputs, outputs) = self.channels(stage);
            let place = self.places[stage];
            let at = |cell: &Heads, place: usize| cell.base + place as u64;
            let turned = cells.iter().map(|c| MapJob { from: c.parameters[stage][2], to: at(c, place.turned) });
            let weights = cells.iter().map(|c| WeightGradientJob {
                x: at(c, place.normalised),
                g: at(c, place.output),
                gradient: c.gradients[stage][2],
            });
            let sources = cells.iter().map(|c| ConvJob {
                x: at(c, place.output),
                w: at(c, place.turned),
                y: at(c, place.gradient),
                sums: 0,
            });
            let norms = cells.iter().map(|c| NormBackJob {
                g: at(c, place.gradient),
                y: at(c, place.resized),
                moments: at(c, place.moments),
                gamma: c.parameters[stage][0],
                sums: at(c, place.sums),
                coefficients: at(c, place.coefficients),
                gamma_gradient: c.gradients[stage][0],
                beta_gradient: c.gradients[stage][1],
            });
            launches::transpose_weights(program, inputs, outputs, 1, &turned.collect::<Vec<_>>());
            let shape = self.conv(inputs, outputs);
            launches::weight_gradient(program, self.precision, 1, shape, &weights.collect::<Vec<_>>());
            let back = backward_shape(shape);
            launches::convolution(program, self.precision, 1, back, &sources.collect::<Vec<_>>());
            launches::norm_back(program, pixels, inputs, &norms.collect::<Vec<_>>());
        }
    }

    /// The gradient by a stage's resized output, after [`Setting::backward`].
    pub fn resized_gradient(&self, base: u64, stage: usize) -> u64 {
        base + self.places[stage].resized as u64
    }
}
