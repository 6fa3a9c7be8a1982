//! Products of tiles and weights at one position, for one block of 16 outputs.

use super::transform::POSITIONS;
use crate::cpu::simd::{Vector, BLOCK};

/// Transformed tiles, and the weights that multiply them.
#[derive(Clone, Copy)]
pub struct Factor {
    /// Tiles `[position][tile][depth]`.
    pub tiles: *const f32,
    /// Floats between their positions.
    pub step: usize,
    /// Weights `[block][position][depth][16]`.
    pub weights: *const f32,
    /// Channels that are summed over, a multiple of 16.
    pub depth: usize,
}

impl Factor {
    /// Of nothing.
    pub const NONE: Factor = Factor { tiles: std::ptr::null(), step: 0, weights: std::ptr::null(), depth: 0 };
}

/// The sum of the products of all factors at `position` for a block of outputs, into `[tile][16]` from `m` on.
///
/// # Safety
/// Factors hold `tiles` tiles at each position and all weights of the block; M has room for the tiles.
#[inline(always)]
pub unsafe fn multiply<V: Vector>(tiles: usize, block: usize, position: usize, factors: &[Factor], m: *mut f32) {
    let mut tile = 0;
    while tile < tiles {
        let m = m.add(tile * BLOCK);
        tile += match tiles - tile {
            left if left >= 8 && V::TILES >= 8 => rows::<V, 8>(tile, block, position, factors, m),
            left if left >= 4 && V::TILES >= 4 => rows::<V, 4>(tile, block, position, factors, m),
            left if left >= 2 => rows::<V, 2>(tile, block, position, factors, m),
            _ => rows::<V, 1>(tile, block, position, factors, m),
        };
    }
}

/// R tiles of [`multiply`] from `tile` on; returns R.
///
/// # Safety
/// As [`multiply`].
#[inline(always)]
unsafe fn rows<V: Vector, const R: usize>(
    tile: usize,
    block: usize,
    position: usize,
    factors: &[Factor],
    m: *mut f32,
) -> usize {
    let vectors = BLOCK / V::LANES;
    let mut sums = [[V::splat(0.0); 4]; R];
    for factor in factors {
        let depth = factor.depth;
        let tiles = factor.tiles.add(position * factor.step + tile * depth);
        let u = factor.weights.add((block * POSITIONS + position) * depth * BLOCK);
        let mut i = 0;
        while i < depth {
            // Sums of four are added up: short chains round less.
            let mut part = [[V::splat(0.0); 4]; R];
            for i in i..i + 4 {
                let mut us = [V::splat(0.0); 4];
                for q in 0..vectors {
                    us[q] = V::load(u.add(i * BLOCK + q * V::LANES));
                }
                for r in 0..R {
                    let x = V::splat(*tiles.add(r * depth + i));
                    for q in 0..vectors {
                        part[r][q] = x.mul_add(us[q], part[r][q]);
                    }
                }
            }
            for r in 0..R {
                for q in 0..vectors {
                    sums[r][q] = sums[r][q].add(part[r][q]);
                }
            }
            i += 4;
        }
    }
    for r in 0..R {
        for q in 0..vectors {
            sums[r][q].store(m.add(r * BLOCK + q * V::LANES));
        }
    }
    R
}
