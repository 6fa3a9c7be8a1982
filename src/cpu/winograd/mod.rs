//! Winograd's F(4×4, 3×3): 3×3 convolutions of stride 1 with a quarter of the multiplications.
//!
//! A map is cut into tiles of 4×4 outputs, each made from 6×6 inputs. The transform of the input gives 36 positions, at
//! each of which the tiles are a matrix `[tile][input]` that is multiplied by the weights `[input][output]` of that position;
//! the transform of the products gives the outputs. Transforms: [`transform`], forward and data gradient: [`forward`].
//!
//! FLOP for C channels to C: 36·2·C² per tile instead of 144·2·C², beside 120 vector operations for each transform of 8
//! channels. Bytes: weights grow fourfold, and are read once per block of 16 tiles.

pub mod backward;
pub mod forward;
pub mod transform;

pub use forward::{forward, pack, Buffers, Target, Tiling};
pub use transform::POSITIONS;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_backward;
