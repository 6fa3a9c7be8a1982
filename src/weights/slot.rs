//! Places of tensors in the network.

use crate::space::{Kernel, Skeleton};

/// LossSlope's heads read the three stage outputs and give this many channels: 64 × (1, ¾, ¼).
pub const HEAD_CHANNELS: [usize; 3] = [64, 48, 16];

/// The three convolutions of a reduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduce {
    /// 3×3 with stride 2.
    ConvA,
    /// 3×3.
    ConvB,
    /// 1×1 behind the 2×2 average of the shortcut.
    Shortcut,
}

/// The place of a weight tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// The stem's 3×3 convolution of the image.
    Stem,
    /// A searched convolution.
    Edge {
        /// Position among [`Skeleton::blocks`].
        block: usize,
        /// Position in [`crate::space::EDGES`].
        edge: usize,
        /// Kernel side.
        kernel: Kernel,
    },
    /// A convolution of the reduction that leads to stage 1 or 2.
    Reduction {
        /// The stage it leads to: 1 or 2.
        stage: usize,
        /// Which of its convolutions.
        conv: Reduce,
    },
    /// The classifier's weight `[classes, channels]`.
    Classifier,
    /// The classifier's bias `[classes]`.
    ClassifierBias,
    /// The 1×1 convolution of LossSlope's head on stage 0, 1 or 2.
    Head(usize),
    /// That head's bias.
    HeadBias(usize),
}

/// The place of a BatchNorm: the convolution before it, or the head's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NormSlot {
    /// Behind the convolution of this slot.
    After(Slot),
    /// Before the last ReLU of the network.
    Last,
    /// The first layer of LossSlope's head on stage 0, 1 or 2.
    Head(usize),
}

impl Slot {
    /// How many slots a skeleton has.
    pub(super) fn count(skeleton: &Skeleton) -> usize {
        15 + 12 * skeleton.block_count()
    }

    /// The slot's position, below [`Slot::count`].
    pub(super) fn position(self) -> usize {
        match self {
            Slot::Stem => 0,
            Slot::Classifier => 1,
            Slot::ClassifierBias => 2,
            Slot::Head(stage) => 3 + stage,
            Slot::HeadBias(stage) => 6 + stage,
            Slot::Reduction { stage, conv } => 9 + (stage - 1) * 3 + conv as usize,
            Slot::Edge { block, edge, kernel } => 15 + (block * 6 + edge) * 2 + kernel as usize,
        }
    }

    /// The words that key the slot's stream: a tag, then its coordinates. Stored scores depend on them.
    pub(super) fn words(self) -> [u64; 4] {
        match self {
            Slot::Stem => [1, 0, 0, 0],
            Slot::Edge { block, edge, kernel } => [2, block as u64, edge as u64, kernel.side() as u64],
            Slot::Reduction { stage, conv } => [3, stage as u64, conv as u64, 0],
            Slot::Classifier => [4, 0, 0, 0],
            Slot::ClassifierBias => [5, 0, 0, 0],
            Slot::Head(stage) => [6, stage as u64, 0, 0],
            Slot::HeadBias(stage) => [7, stage as u64, 0, 0],
        }
    }

    /// `[out, in, k, k]`; a bias is `[out, 1, 1, 1]`.
    pub fn shape(self, skeleton: &Skeleton) -> [usize; 4] {
        let c = |stage| skeleton.stage_channels(stage);
        match self {
            Slot::Stem => [c(0), 3, 3, 3],
            Slot::Edge { block, kernel, .. } => {
                let width = c(block / (skeleton.cells_per_stage + 1));
                [width, width, kernel.side(), kernel.side()]
            }
            Slot::Reduction { stage, conv: Reduce::ConvA } => [c(stage), c(stage - 1), 3, 3],
            Slot::Reduction { stage, conv: Reduce::ConvB } => [c(stage), c(stage), 3, 3],
            Slot::Reduction { stage, conv: Reduce::Shortcut } => [c(stage), c(stage - 1), 1, 1],
            Slot::Classifier => [skeleton.classes, c(2), 1, 1],
            Slot::ClassifierBias => [skeleton.classes, 1, 1, 1],
            Slot::Head(stage) => [HEAD_CHANNELS[stage], c(stage), 1, 1],
            Slot::HeadBias(stage) => [HEAD_CHANNELS[stage], 1, 1, 1],
        }
    }

    /// Inputs that one output adds up, `in·k²`; of the layer that a bias belongs to.
    pub fn fan_in(self, skeleton: &Skeleton) -> usize {
        let of = match self {
            Slot::ClassifierBias => Slot::Classifier,
            Slot::HeadBias(stage) => Slot::Head(stage),
            other => other,
        };
        let [_, i, kh, kw] = of.shape(skeleton);
        i * kh * kw
    }
}
