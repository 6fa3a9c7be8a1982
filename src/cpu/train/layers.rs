//! What a cell's training knows of each convolution and each value before its first step.

use super::super::bank::source_channels;
use super::super::layout::{map_len, pack_backward, pack_exchanged, padded_channels};
use super::super::pass::{moment_offsets, tiles, Network};
use super::super::scratch::{grown, Buffer};
use super::super::simd::Isa;
use super::super::strided;
use super::super::winograd::{self, POSITIONS};
use crate::plan::{Before, Conv, Source, Term};

/// How a convolution is gone back through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// 3×3 by tiles.
    Tiled,
    /// 1×1 behind a ReLU.
    Pointwise,
    /// 1×1 behind the 2×2 average.
    Average,
    /// 3×3 with stride 2.
    Strided,
    /// 3×3 over a padded map.
    Padded,
    /// The stem, whose source needs no gradient.
    #[default]
    Stem,
}

impl Way {
    fn new(conv: &Conv, winograd: bool) -> Way {
        match conv {
            Conv { source: Source::Image, .. } => Way::Stem,
            Conv { before: Before::Average, .. } => Way::Average,
            Conv { kernel: 1, .. } => Way::Pointwise,
            Conv { stride: 2, .. } => Way::Strided,
            _ if winograd && conv.norm && tiles(conv) => Way::Tiled,
            _ => Way::Padded,
        }
    }
}

/// A convolution's weights in the forms that its kernels read, remade after each step.
#[derive(Default)]
pub struct Layer {
    pub way: Way,
    /// By tiles: the transformed weights.
    pub ahead: Buffer,
    /// For the data gradient.
    pub back: Buffer,
}

impl Layer {
    /// For another cell.
    pub fn start(&mut self, conv: &Conv, winograd: bool) {
        self.way = Way::new(conv, winograd);
    }

    /// From `weights`, packed for the direct convolution.
    pub fn refresh(&mut self, isa: Isa, conv: &Conv, weights: &[f32], exchanged: &mut Buffer) {
        let (outputs, inputs) = (padded_channels(conv.shape.channels), source_channels(conv));
        let Layer { way, ahead, back } = self;
        match way {
            Way::Tiled => {
                let tiled = weights.len() / 9 * POSITIONS;
                let exchanged = grown(exchanged, weights.len());
                pack_exchanged(weights, outputs, inputs, 3, exchanged);
                winograd::pack(isa, weights, inputs, grown(ahead, tiled));
                winograd::pack(isa, exchanged, outputs, grown(back, tiled));
            }
            Way::Strided => {
                let exchanged = grown(exchanged, weights.len());
                pack_exchanged(weights, outputs, inputs, 3, exchanged);
                strided::pack(exchanged, outputs, grown(back, weights.len()));
            }
            Way::Pointwise | Way::Average | Way::Padded => {
                pack_backward(weights, outputs, inputs, conv.kernel, grown(back, weights.len()));
            }
            Way::Stem => {}
        }
    }
}

/// A value's relations, and the sizes that follow from them.
pub struct Node {
    /// Its convolutions by the way back through them.
    pub average: Vec<Leaving>,
    pub pointwise: Vec<Leaving>,
    /// Strided and padded.
    pub spread: Vec<Leaving>,
    pub tiled: Vec<Leaving>,
    /// Weights of all of them.
    pub weights: usize,
    /// The convolutions with BatchNorm among its terms.
    pub norms: Vec<usize>,
    /// Where the gradients of the values that read it by skip and by pool lie in the arena.
    pub skips: Vec<usize>,
    pub pools: Vec<usize>,
    /// The head that reads it.
    pub stage: Option<usize>,
    /// Floats of its map.
    pub len: usize,
    /// Moments of an image, forward and on the way back, at least one.
    pub forward_stride: usize,
    pub backward_stride: usize,
    /// Images that are gone back over together.
    pub chunk: usize,
}

/// A convolution that leaves a value.
#[derive(Clone, Copy)]
pub struct Leaving {
    /// Its place in the plan.
    pub conv: usize,
    /// Where its weights' gradient lies among those of all that leave the value.
    pub start: usize,
    /// Number of weights.
    pub weights: usize,
}

/// Pixels that are gone back over together, where a group has as many: 32 tiles.
const CHUNK: usize = 512;

impl Node {
    pub fn new(network: &Network, winograd: bool, v: usize) -> Node {
        let plan = network.plan;
        let value = &plan.values[v];
        let mut node = Node {
            average: Vec::new(),
            pointwise: Vec::new(),
            spread: Vec::new(),
            tiled: Vec::new(),
            weights: 0,
            norms: Vec::new(),
            skips: Vec::new(),
            pools: Vec::new(),
            stage: (0..3).find(|&stage| plan.stages[stage] == Some(v)),
            len: map_len(&value.shape),
            forward_stride: moment_offsets(plan, &value.convs).1.max(1),
            backward_stride: 1,
            chunk: (CHUNK / value.shape.pixels().max(1)).max(1),
        };
        for &c in &value.convs {
            let conv = &plan.convs[c];
            let weights = source_channels(conv) * conv.kernel * conv.kernel * padded_channels(conv.shape.channels);
            let leaving = Leaving { conv: c, start: node.weights, weights };
            node.weights += weights;
            match Way::new(conv, winograd) {
                Way::Average => node.average.push(leaving),
                Way::Pointwise => node.pointwise.push(leaving),
                Way::Tiled => node.tiled.push(leaving),
                Way::Strided | Way::Padded | Way::Stem => node.spread.push(leaving),
            }
        }
        for term in &value.terms {
            match *term {
                Term::Conv(c) if plan.convs[c].norm => node.norms.push(c),
                _ => {}
            }
        }
        node.backward_stride = moment_offsets(plan, &node.norms).1.max(1);
        for (u, term) in plan.readers(v) {
            let gradient = network.slots.gradients[u];
            match term {
                Term::Pool(_) => node.pools.push(gradient),
                _ => node.skips.push(gradient),
            }
        }
        node
    }
}
