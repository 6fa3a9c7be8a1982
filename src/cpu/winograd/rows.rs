//! Rows of tiles from maps to positions: Bᵀ x B of what a convolution reads, A d Aᵀ of the gradient by what it gives.

use super::transform::{self, OUT, SIDE};
use crate::cpu::norm_back::Coefficients;
use crate::cpu::simd::Vector;

/// A map that is cut into rows of tiles, and how their positions lie.
#[derive(Clone, Copy)]
pub struct Cut {
    /// Rows of the map, a multiple of 4.
    pub height: usize,
    /// Pixels of a row, a multiple of 4.
    pub width: usize,
    /// Channels in memory, a multiple of 16.
    pub channels: usize,
    /// Floats between positions, each `[tile][channel]`.
    pub step: usize,
}

/// The row of tiles at row `y` of a map, behind a ReLU if asked: neighbouring tiles share two columns of six.
///
/// # Safety
/// `zeros` holds a row of the map; from `v` on there is room for a row of tiles at each position.
#[inline(always)]
pub unsafe fn inputs<V: Vector, const RELU: bool>(cut: &Cut, map: &[f32], y: usize, zeros: &[f32], v: *mut f32) {
    let (c, width) = (cut.channels, cut.width);
    let mut rows = [zeros.as_ptr(); SIDE];
    for k in 0..SIDE {
        if (1..=cut.height).contains(&(y + k)) {
            rows[k] = map[(y + k - 1) * width * c..].as_ptr();
        }
    }
    for at in (0..c).step_by(V::LANES) {
        // The columns −1 to 4 of the tile, transformed; the first of a row lies outside.
        let mut half = [[V::splat(0.0); SIDE]; SIDE];
        let first = column::<V, RELU>(&rows, at);
        for k in 0..SIDE {
            half[k][5] = first[k];
        }
        for tile in 0..width / OUT {
            for k in 0..SIDE {
                half[k][0] = half[k][4];
                half[k][1] = half[k][5];
            }
            for j in 2..SIDE {
                let x = tile * OUT + j - 1;
                let column = if x < width { column::<V, RELU>(&rows, x * c + at) } else { [V::splat(0.0); SIDE] };
                for k in 0..SIDE {
                    half[k][j] = column[k];
                }
            }
            let v = v.add(tile * c + at);
            for k in 0..SIDE {
                let row = transform::input(half[k]);
                for j in 0..SIDE {
                    row[j].store(v.add((k * SIDE + j) * cut.step));
                }
            }
        }
    }
}

/// Bᵀ of one column.
///
/// # Safety
/// A vector must be valid at `at` in all rows.
#[inline(always)]
unsafe fn column<V: Vector, const RELU: bool>(rows: &[*const f32; SIDE], at: usize) -> [V; SIDE] {
    let mut d = [V::splat(0.0); SIDE];
    for k in 0..SIDE {
        d[k] = V::load(rows[k].add(at));
        if RELU {
            d[k] = d[k].relu();
        }
    }
    transform::input(d)
}

/// The row of tiles whose four rows begin at `d`, through BatchNorm's way back if there is one: its factors, and where the
/// BatchNorm's input begins.
///
/// # Safety
/// Four rows from `d` and from the BatchNorm's input on must be valid; from `e` on there is room for a row of tiles at each
/// position.
#[inline(always)]
pub unsafe fn gradients<V: Vector>(cut: &Cut, d: *const f32, norm: Option<(&Coefficients, *const f32)>, e: *mut f32) {
    let (c, width) = (cut.channels, cut.width);
    for at in (0..c).step_by(V::LANES) {
        let norm = norm.map(|(norm, raw)| (norm.at::<V>(at), raw));
        for tile in 0..width / OUT {
            let mut half = [[V::splat(0.0); OUT]; SIDE];
            for x in 0..OUT {
                let mut column = [V::splat(0.0); OUT];
                for y in 0..OUT {
                    let at = (y * width + tile * OUT + x) * c + at;
                    column[y] = V::load(d.add(at));
                    if let Some((norm, raw)) = norm {
                        column[y] = norm.apply(column[y], V::load(raw.add(at)));
                    }
                }
                let column = transform::gradient(column);
                for k in 0..SIDE {
                    half[k][x] = column[k];
                }
            }
            let e = e.add(tile * c + at);
            for k in 0..SIDE {
                let row = transform::gradient(half[k]);
                for j in 0..SIDE {
                    row[j].store(e.add((k * SIDE + j) * cut.step));
                }
            }
        }
    }
}
