//! Winograd's F(4×4, 3×3): 3×3 convolutions of stride 1 with a quarter of the multiplications.
//!
//! A map is cut into tiles of 4×4 outputs, each made from 6×6 inputs. The transform of the input gives 36 positions, at
//! each of which the tiles are a matrix `[tile][input]` that is multiplied by the weights `[input][output]` of that position;
//! the transform of the products gives the outputs. One-dimensional transforms: [`transform`], rows of tiles: [`rows`], products:
//! [`products`], forward: [`forward`], both gradients: [`backward`].
//!
//! FLOP for C channels to C: 36·2·C² per tile instead of 144·2·C², beside 120 vector operations for each transform of 8
//! channels. Bytes: weights grow fourfold, and are read once per block of 16 tiles.

pub mod backward;
pub mod forward;
mod products;
pub mod rows;
pub mod transform;

pub use forward::{forward, pack, Buffers, Target};
use transform::OUT;
pub use transform::POSITIONS;

/// Floats between positions beyond what they hold: their distance must not be a power of two, or the 36 streams of the
/// transforms meet in one set of the first-level cache.
pub const SKEW: usize = 16;
/// Tiles of a block of the forward convolution.
const FORWARD_TILES: usize = 16;
/// Most convolutions that share one transform of their input: as many as leave one value within a cell.
pub const MOST_CONVS: usize = 6;

/// Images that are convolved together, cut into blocks: whole rows of tiles, of one image or of several.
#[derive(Clone, Copy, Debug)]
pub struct Tiling {
    /// Rows of a map, a multiple of 4.
    pub height: usize,
    /// Pixels of a row, a multiple of 4.
    pub width: usize,
    /// Maps.
    pub images: usize,
    /// Channels read, in memory, a multiple of 16.
    pub inputs: usize,
}

impl Tiling {
    /// Whether maps of this size can be cut into tiles.
    pub fn fits(height: usize, width: usize) -> bool {
        height > 0 && width > 0 && height.is_multiple_of(OUT) && width.is_multiple_of(OUT)
    }

    /// Images that make a block of the forward convolution.
    pub fn images_per_block(height: usize, width: usize) -> usize {
        (FORWARD_TILES * OUT * OUT).div_ceil(height * width).max(1)
    }

    fn row_tiles(&self) -> usize {
        self.width / OUT
    }

    /// Rows of tiles of an image.
    fn image_rows(&self) -> usize {
        self.height / OUT
    }

    /// Rows of tiles of all images.
    fn rows(&self) -> usize {
        self.images * self.image_rows()
    }

    /// Image and first row of pixels of a row of tiles.
    fn place(&self, row: usize) -> (usize, usize) {
        (row / self.image_rows(), row % self.image_rows() * OUT)
    }

    /// Rows of tiles of a block of `tiles`, at least one.
    fn block_rows(&self, tiles: usize) -> usize {
        (tiles / self.row_tiles()).clamp(1, self.rows().max(1))
    }

    /// A map of `channels`, its positions apart by as much as a block of so many `rows` takes.
    fn cut(&self, rows: usize, channels: usize) -> rows::Cut {
        let step = rows * self.row_tiles() * channels + SKEW;
        rows::Cut { height: self.height, width: self.width, channels, step }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_backward;
