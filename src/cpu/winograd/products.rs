//! Products of tiles and weights at one position, for one or two blocks of 16 outputs.

use super::transform::POSITIONS;
use crate::cpu::simd::{Vector, BLOCK};

/// Transformed tiles, and the weights that multiply them.
#[derive(Clone, Copy)]
pub struct Factor<const B: usize> {
    /// Tiles `[position][tile][depth]`.
    pub tiles: *const f32,
    /// Floats between their positions.
    pub step: usize,
    /// Weights of each block of outputs, `[position][depth][16]`.
    pub weights: [*const f32; B],
    /// Channels that are summed over, a multiple of 16.
    pub depth: usize,
}

impl<const B: usize> Factor<B> {
    /// Of nothing.
    pub const NONE: Factor<B> = Factor { tiles: std::ptr::null(), step: 0, weights: [std::ptr::null(); B], depth: 0 };
}

/// Floats of the weights of one block of outputs.
pub fn weights_of_block(depth: usize) -> usize {
    POSITIONS * depth * BLOCK
}

/// The sum of the products of all factors at `position` for B blocks of outputs, each into its `[tile][16]`.
///
/// # Safety
/// Factors hold `tiles` tiles at each position and all weights of their blocks; each M has room for the tiles.
#[inline(always)]
pub unsafe fn multiply<V: Vector, const B: usize>(
    tiles: usize,
    position: usize,
    factors: &[Factor<B>],
    m: [*mut f32; B],
) {
    let most = V::TILES / B;
    let mut tile = 0;
    while tile < tiles {
        let m = m.map(|m| m.wrapping_add(tile * BLOCK));
        tile += match tiles - tile {
            left if left >= 8 && most >= 8 => rows::<V, B, 8>(tile, position, factors, m),
            left if left >= 4 && most >= 4 => rows::<V, B, 4>(tile, position, factors, m),
            left if left >= 2 => rows::<V, B, 2>(tile, position, factors, m),
            _ => rows::<V, B, 1>(tile, position, factors, m),
        };
    }
}

/// R tiles of [`multiply`] from `tile` on; returns R.
///
/// # Safety
/// As [`multiply`].
#[inline(always)]
unsafe fn rows<V: Vector, const B: usize, const R: usize>(
    tile: usize,
    position: usize,
    factors: &[Factor<B>],
    m: [*mut f32; B],
) -> usize {
    let vectors = BLOCK / V::LANES;
    let mut sums = [[[V::splat(0.0); 4]; B]; R];
    for factor in factors {
        let depth = factor.depth;
        let tiles = factor.tiles.add(position * factor.step + tile * depth);
        let mut u = factor.weights;
        for b in 0..B {
            u[b] = u[b].add(position * depth * BLOCK);
        }
        let mut i = 0;
        while i < depth {
            // Sums of four are added up: short chains round less.
            let mut part = [[[V::splat(0.0); 4]; B]; R];
            for k in 0..4 {
                let mut us = [[V::splat(0.0); 4]; B];
                for b in 0..B {
                    for q in 0..vectors {
                        us[b][q] = V::load(u[b].add((i + k) * BLOCK + q * V::LANES));
                    }
                }
                for r in 0..R {
                    let x = V::splat(*tiles.add(r * depth + i + k));
                    for b in 0..B {
                        for q in 0..vectors {
                            part[r][b][q] = x.mul_add(us[b][q], part[r][b][q]);
                        }
                    }
                }
            }
            for r in 0..R {
                for b in 0..B {
                    for q in 0..vectors {
                        sums[r][b][q] = sums[r][b][q].add(part[r][b][q]);
                    }
                }
            }
            i += 4;
        }
    }
    for r in 0..R {
        for b in 0..B {
            for q in 0..vectors {
                sums[r][b][q].store(m[b].add(r * BLOCK + q * V::LANES));
            }
        }
    }
    R
}
