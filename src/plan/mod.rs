//! What of a cell's network must be computed for a measure, as a list of values and convolutions in order of execution.
//!
//! A [`Value`] is a node of the network (the stem's output, a node of a cell, a stage of a reduction): the sum of its
//! terms. A [`Conv`] reads one value and feeds one value. Executing a plan is: for each value, add up its terms, then run
//! the convolutions that leave it; going back is the same list in reverse.
//!
//! Pruning is exact. A node that only repeats another is that other. A node without terms is exactly zero and does not
//! appear. What reaches nothing that counts is not there: for [`Purpose::Codes`] every ReLU code counts, on a path to the
//! output or not; for [`Purpose::Output`] and [`Purpose::Stages`] only the last stage's output or all three.

mod build;
mod range;
mod slots;
#[cfg(test)]
mod tests;

pub use range::{Overflow, LARGEST_SUM};
pub(crate) use slots::Pool;
pub use slots::{Slots, Storage};

use crate::space::{Block, Cell, Skeleton, EDGES};
use crate::weights::{NormSlot, Reduce, Slot};

/// What the plan computes the network for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// naswot: the ReLU codes of all conv edges and the head.
    Codes,
    /// Synflow: the last stage's output and the gradients on its way.
    Output,
    /// LossSlope: the three stage outputs and the gradients on their way.
    Stages,
}

/// Where a convolution reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The image.
    Image,
    /// A value, by position in [`Plan::values`].
    Value(usize),
}

/// What happens to a convolution's source before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Before {
    /// Nothing: the stem.
    Nothing,
    /// ReLU.
    Relu,
    /// The 2×2 average of a reduction's shortcut.
    Average,
}

/// A summand of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Term {
    /// The output of a convolution (position in [`Plan::convs`]), behind BatchNorm if it has one.
    Conv(usize),
    /// Another value.
    Skip(usize),
    /// The 3×3 average of another value, stride 1, the divisor counting only pixels inside.
    Pool(usize),
    /// The shift β of the BatchNorm behind a convolution of zeros.
    Shift(NormSlot),
}

/// Channels, height and width of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Channels.
    pub channels: usize,
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
}

impl Shape {
    /// Pixels of one channel.
    pub fn pixels(&self) -> usize {
        self.height * self.width
    }

    fn of_stage(skeleton: &Skeleton, stage: usize) -> Shape {
        let (height, width) = skeleton.stage_size(stage);
        Shape { channels: skeleton.stage_channels(stage), height, width }
    }
}

/// A node's place in the network, the same for all cells, in order of execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(u32);

impl Place {
    /// The stem's output.
    pub const STEM: Place = Place(3);

    /// Node 0 to 3 of a block, by its position among [`Skeleton::blocks`]; node 0 is the block's input, wherever it was made.
    /// A reduction's nodes are 1, between its convolutions, and 3.
    pub fn node(block: usize, node: usize) -> Place {
        Place(4 * (block as u32 + 1) + node as u32)
    }
}

/// A node of the network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Value {
    /// Where it was made.
    pub place: Place,
    /// Its maps.
    pub shape: Shape,
    /// Its summands, in the order they are added.
    pub terms: Vec<Term>,
    /// How many ReLUs of convolutions read it, run or not: its code's multiplicity. The head's ReLU is not among them, as
    /// it reads another code, behind a BatchNorm.
    pub codes: u64,
    /// The convolutions that leave it.
    pub convs: Vec<usize>,
    /// Its last reader by another way than a convolution, as a position in [`Plan::values`] (or their number, for the
    /// head); `None` if there is none, so that it need not be kept.
    pub kept_until: Option<usize>,
}

/// A convolution, with BatchNorm unless it is a shortcut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conv {
    /// Its weights.
    pub slot: Slot,
    /// What it reads.
    pub source: Source,
    /// What happens to the source first.
    pub before: Before,
    /// Side of the kernel, 1 or 3; the padding is half of it.
    pub kernel: usize,
    /// 1 or 2.
    pub stride: usize,
    /// BatchNorm behind it.
    pub norm: bool,
    /// Channels read.
    pub inputs: usize,
    /// Its output.
    pub shape: Shape,
    /// The value it is a term of.
    pub target: usize,
}

/// The values and convolutions of a network, each once, sources before targets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    /// The values in order of execution.
    pub values: Vec<Value>,
    /// The convolutions, in the order of their sources.
    pub convs: Vec<Conv>,
    /// The value at the end of each stage; `None` where it is exactly zero, or nothing that counts reads it.
    pub stages: [Option<usize>; 3],
}

impl Conv {
    /// The node that it leaves, by its own place: the value that it reads may have been made earlier and only be passed on.
    pub fn place(&self, skeleton: &Skeleton) -> Place {
        match self.slot {
            Slot::Edge { block, edge, .. } => Place::node(block, EDGES[edge].0),
            Slot::Reduction { stage, conv } => {
                Place::node(skeleton.stage_end(stage - 1) + 1, usize::from(conv == Reduce::ConvB))
            }
            _ => Place(0),
        }
    }

    /// Multiply-accumulates for one image.
    pub fn macs(&self) -> u64 {
        (self.inputs * self.kernel * self.kernel * self.shape.channels * self.shape.pixels()) as u64
    }
}

impl Plan {
    /// Multiply-accumulates of the plan's convolutions for one image.
    pub fn macs(&self) -> u64 {
        self.convs.iter().map(Conv::macs).sum()
    }

    /// Multiply-accumulates of the way back for one image: the gradients of all weights, and of all sources but the image.
    pub fn backward_macs(&self) -> u64 {
        let inner = self.convs.iter().filter(|conv| conv.source != Source::Image);
        self.macs() + inner.map(Conv::macs).sum::<u64>()
    }

    /// The slots of the cell's network, of which this is a plan for its output, whose weights have gradient zero, as no signal passes
    /// them.
    pub fn unused(&self, cell: &Cell, skeleton: &Skeleton) -> Vec<Slot> {
        let mut slots = vec![Slot::Stem];
        for (block, kind) in skeleton.blocks().enumerate() {
            match kind {
                Block::Cell { .. } => slots.extend(
                    cell.ops()
                        .iter()
                        .enumerate()
                        .filter_map(|(edge, op)| op.kernel().map(|kernel| Slot::Edge { block, edge, kernel })),
                ),
                Block::Reduction { stage } => slots.extend(
                    [Reduce::ConvA, Reduce::ConvB, Reduce::Shortcut].map(|conv| Slot::Reduction { stage, conv }),
                ),
            }
        }
        slots.retain(|slot| self.convs.iter().all(|conv| conv.slot != *slot));
        if self.stages[2].is_none() {
            slots.push(Slot::Classifier);
        }
        slots
    }

    /// The values that read `v` by skip or pool, with the term that does, one entry per term.
    pub fn readers(&self, v: usize) -> impl Iterator<Item = (usize, &Term)> {
        let until = self.values[v].kept_until.map_or(v, |last| (last + 1).min(self.values.len()));
        (v + 1..until.max(v + 1)).flat_map(move |u| {
            let reads = move |term: &&Term| matches!(**term, Term::Skip(s) | Term::Pool(s) if s == v);
            self.values[u].terms.iter().filter(reads).map(move |term| (u, term))
        })
    }
}
