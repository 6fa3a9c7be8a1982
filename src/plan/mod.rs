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
mod slots;
#[cfg(test)]
mod tests;

pub use slots::{Slots, Storage};

use crate::space::Skeleton;
use crate::weights::{NormSlot, Slot};

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

/// A node of the network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Value {
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

    /// The values that read `v` by skip or pool, with the term that does, one entry per term.
    pub fn readers(&self, v: usize) -> impl Iterator<Item = (usize, &Term)> {
        let until = self.values[v].kept_until.map_or(v, |last| (last + 1).min(self.values.len()));
        (v + 1..until.max(v + 1)).flat_map(move |u| {
            let reads = move |term: &&Term| matches!(**term, Term::Skip(s) | Term::Pool(s) if s == v);
            self.values[u].terms.iter().filter(reads).map(move |term| (u, term))
        })
    }
}
