//! The network that surrounds a cell: stem, three stages of cells with a reduction between them, head.

use crate::error::{Error, Result};

/// One of the blocks between stem and head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// A searched cell of a stage (0, 1, 2).
    Cell {
        /// 0, 1 or 2.
        stage: usize,
    },
    /// The residual block with stride 2 that opens a stage (1, 2).
    Reduction {
        /// The stage it leads to: 1 or 2.
        stage: usize,
    },
}

/// The dimensions of the NATS-Bench network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Skeleton {
    /// C, the channels of the first stage; each further stage doubles them. 16 in the benchmark.
    pub channels: usize,
    /// N, the cells of a stage. 5 in the benchmark.
    pub cells_per_stage: usize,
    /// Outputs of the classifier.
    pub classes: usize,
    /// Image height in pixels, a multiple of 4.
    pub height: usize,
    /// Image width in pixels, a multiple of 4.
    pub width: usize,
}

impl Skeleton {
    /// The benchmark's network (C = 16, N = 5) for square images of `size` pixels.
    pub fn benchmark(classes: usize, size: usize) -> Skeleton {
        Skeleton { channels: 16, cells_per_stage: 5, classes, height: size, width: size }
    }

    /// Checks that such a network can be built and is of a size that can be meant.
    ///
    /// # Errors
    /// [`Error::Options`] when a dimension is 0, too large, or the image is not a multiple of 4 pixels.
    pub fn check(&self) -> Result<()> {
        let bounds = [
            ("channels", self.channels, 1, 1024),
            ("cells per stage", self.cells_per_stage, 1, 64),
            ("classes", self.classes, 1, 1 << 16),
            ("image height in pixels", self.height, 4, 512),
            ("image width in pixels", self.width, 4, 512),
        ];
        for (name, found, least, most) in bounds {
            if !(least..=most).contains(&found) {
                let expected = format!("from {least} to {most}");
                return Err(Error::options(
                    format!("The network's {name}"),
                    expected,
                    found.to_string(),
                    "Check the images, the weights and the options that set it.",
                ));
            }
        }
        if !self.height.is_multiple_of(4) || !self.width.is_multiple_of(4) {
            return Err(Error::options(
                "The image size",
                "height and width that are multiples of 4 (the network halves them twice)",
                format!("{}×{}", self.height, self.width),
                "Crop or pad the images.",
            ));
        }
        Ok(())
    }

    /// The blocks in order: N cells, reduction, N cells, reduction, N cells (17 in the benchmark). A block's position in
    /// this list is its number in the network's weights (`cells.i`).
    pub fn blocks(&self) -> impl Iterator<Item = Block> + '_ {
        (0..3).flat_map(move |stage| {
            let reduction = (stage > 0).then_some(Block::Reduction { stage });
            reduction.into_iter().chain((0..self.cells_per_stage).map(move |_| Block::Cell { stage }))
        })
    }

    /// How many blocks there are: 3N + 2.
    pub fn block_count(&self) -> usize {
        3 * self.cells_per_stage + 2
    }

    /// The position of the last block of a stage.
    pub fn stage_end(&self, stage: usize) -> usize {
        (stage + 1) * (self.cells_per_stage + 1) - 2
    }

    /// Channels of a stage: C, 2C, 4C.
    pub fn stage_channels(&self, stage: usize) -> usize {
        self.channels << stage
    }

    /// Height and width of a stage's maps.
    pub fn stage_size(&self, stage: usize) -> (usize, usize) {
        (self.height >> stage, self.width >> stage)
    }

    /// Pixels of a stage's maps.
    pub fn stage_pixels(&self, stage: usize) -> usize {
        let (h, w) = self.stage_size(stage);
        h * w
    }
}
