//! Parameters and multiply-accumulates of the whole network, by adding up its layers.

use super::cell::Cell;
use super::op::Kernel;
use super::skeleton::{Block, Skeleton};

impl Skeleton {
    /// Trainable parameters of the network with this cell: convolutions, BatchNorms (γ, β), classifier with bias.
    ///
    /// With 16 channels, 5 cells a stage and 10 classes: 73,306 + 28,000 per 1×1 edge + 243,040 per 3×3 edge.
    pub fn params(&self, cell: &Cell) -> u64 {
        let conv_bn = |from: usize, to: usize, taps: usize| (from * to * taps + 2 * to) as u64;
        let (n1, n3) = (cell.conv_edges(Some(Kernel::K1)) as u64, cell.conv_edges(Some(Kernel::K3)) as u64);
        let mut sum = conv_bn(3, self.channels, 9);
        for block in self.blocks() {
            sum += match block {
                Block::Cell { stage } => {
                    let c = self.stage_channels(stage);
                    n1 * conv_bn(c, c, 1) + n3 * conv_bn(c, c, 9)
                }
                Block::Reduction { stage } => {
                    let (from, to) = (self.stage_channels(stage - 1), self.stage_channels(stage));
                    conv_bn(from, to, 9) + conv_bn(to, to, 9) + (from * to) as u64
                }
            };
        }
        let c = self.stage_channels(2);
        sum + 2 * c as u64 + ((c + 1) * self.classes) as u64
    }

    /// Multiply-accumulates for one image: convolutions, and the classifier with its bias.
    ///
    /// At 32×32 with 10 classes: 7,783,050 + 3,932,160 per 1×1 edge + 35,389,440 per 3×3 edge.
    pub fn macs(&self, cell: &Cell) -> u64 {
        let (n1, n3) = (cell.conv_edges(Some(Kernel::K1)), cell.conv_edges(Some(Kernel::K3)));
        let mut sum = 3 * self.channels * 9 * self.stage_pixels(0);
        for block in self.blocks() {
            sum += match block {
                Block::Cell { stage } => {
                    let c = self.stage_channels(stage);
                    c * c * (n1 + 9 * n3) * self.stage_pixels(stage)
                }
                Block::Reduction { stage } => {
                    let (from, to) = (self.stage_channels(stage - 1), self.stage_channels(stage));
                    (9 * from * to + 9 * to * to + from * to) * self.stage_pixels(stage)
                }
            };
        }
        (sum + (self.stage_channels(2) + 1) * self.classes) as u64
    }

    /// N_A: the ReLU code bits that naswot counts for one image. 40,960 + 143,360 per conv edge at 32×32.
    ///
    /// Each conv edge reads a ReLU of its source, each reduction has two, the head one.
    pub fn code_bits(&self, cell: &Cell) -> u64 {
        let width = |stage: usize| self.stage_channels(stage) * self.stage_pixels(stage);
        let mut sum = width(2);
        for block in self.blocks() {
            sum += match block {
                Block::Cell { stage } => cell.conv_edges(None) * width(stage),
                Block::Reduction { stage } => width(stage - 1) + width(stage),
            };
        }
        sum as u64
    }
}
