//! [`super::gradient`] by tiles, for 3×3 convolutions of stride 1.
//!
//! The loss's change is Σ (G w Gᵀ)·(Bᵀ x B)·(A d Aᵀ) over positions and tiles, linear in w: the gradient of a kernel is
//! Gᵀ (·) G of the sums of V·E over the tiles, with V = Bᵀ x B and E = A d Aᵀ ([`crate::cpu::winograd`]). Every weight's 36
//! positions are multiplied once a tile, a quarter of the direct sums' 9 × 16 products, and transformed while they are in
//! registers.

use super::logs::{self, Scale, Sums};
use crate::cpu::scratch::Buffer;
use crate::cpu::simd::{kernels, Vector, BLOCK};
use crate::cpu::winograd::transform::{self, OUT, POSITIONS, SIDE};
use crate::cpu::winograd::Tiling;

/// Floats between positions beyond what they hold.
const SKEW: usize = 16;
/// Most inputs whose products are in registers.
const MOST_INPUTS: usize = 4;
/// Taps of a kernel.
const TAPS: usize = 9;

/// Memory of the transforms, reused.
#[derive(Default)]
pub struct Buffers {
    v: Buffer,
    e: Buffer,
    zeros: Buffer,
}

/// Sizes of a convolution.
#[derive(Clone, Copy)]
pub struct Sides {
    /// Rows of a map, a multiple of 4.
    pub height: usize,
    /// Pixels of a row, a multiple of 4.
    pub width: usize,
    /// Channels read, a multiple of 16.
    pub inputs: usize,
    /// Channels given, a multiple of 16.
    pub outputs: usize,
}

impl Sides {
    fn tiles(&self) -> usize {
        self.height / OUT * (self.width / OUT)
    }

    /// Floats between the positions of a transformed map of `channels`.
    fn step(&self, channels: usize) -> usize {
        self.tiles() * channels + SKEW
    }
}

kernels! {
    /// The sums over a convolution's weights, packed as for the direct forward convolution, from its source
    /// `[height][width][inputs]` and the gradient `d` by its output `[height][width][outputs]`.
    pub fn weight_sums(sides: &Sides, source: &[f32], d: &[f32], weights: &[f32], scale: &Scale, sums: &mut Sums, buffers: &mut Buffers) = weight_sums_body;
}

#[inline(always)]
fn weight_sums_body<V: Vector>(
    sides: &Sides,
    source: &[f32],
    d: &[f32],
    weights: &[f32],
    scale: &Scale,
    sums: &mut Sums,
    buffers: &mut Buffers,
) {
    let Sides { height, width, inputs, outputs } = *sides;
    assert!(Tiling::fits(height, width) && inputs.is_multiple_of(BLOCK) && outputs.is_multiple_of(BLOCK));
    assert!(source.len() == height * width * inputs && d.len() == height * width * outputs);
    assert!(weights.len() == TAPS * inputs * outputs);
    let zeros = buffers.zeros.grown(width * inputs);
    zeros.fill(0.0);
    let (v, e) = (buffers.v.grown(POSITIONS * sides.step(inputs)), buffers.e.grown(POSITIONS * sides.step(outputs)));
    // SAFETY: V and E hold all tiles at each position; maps and weights were checked above.
    unsafe {
        for row in 0..height / OUT {
            let tile = row * (width / OUT);
            source_row::<V>(sides, source, row * OUT, zeros, v.as_mut_ptr().add(tile * inputs));
            gradient_row::<V>(sides, d, row * OUT, e.as_mut_ptr().add(tile * outputs));
        }
        for block in 0..outputs / BLOCK {
            let e = e.as_ptr().add(block * BLOCK);
            let w = weights.as_ptr().add(block * TAPS * inputs * BLOCK);
            let mut i = 0;
            while i < inputs {
                let (v, w) = (v.as_ptr().add(i), w.add(i * BLOCK));
                i += if V::TILES >= 8 {
                    kernels_of::<V, MOST_INPUTS>(sides, v, e, w, scale, sums)
                } else {
                    kernels_of::<V, 1>(sides, v, e, w, scale, sums)
                };
            }
        }
    }
}

/// V of the row of tiles at row `y` of the source: neighbouring tiles share two columns of six.
///
/// # Safety
/// `zeros` holds a row of the map; V has room for a row of tiles from `v` on at each position.
#[inline(always)]
unsafe fn source_row<V: Vector>(sides: &Sides, map: &[f32], y: usize, zeros: &[f32], v: *mut f32) {
    let (c, step) = (sides.inputs, sides.step(sides.inputs));
    let mut rows = [zeros.as_ptr(); SIDE];
    for k in 0..SIDE {
        if (1..=sides.height).contains(&(y + k)) {
            rows[k] = map[(y + k - 1) * sides.width * c..].as_ptr();
        }
    }
    for at in (0..c).step_by(V::LANES) {
        // The columns −1 to 4 of the tile, transformed; the first of a row lies outside.
        let mut half = [[V::splat(0.0); SIDE]; SIDE];
        let first = source_column::<V>(&rows, at);
        for k in 0..SIDE {
            half[k][5] = first[k];
        }
        for tile in 0..sides.width / OUT {
            for k in 0..SIDE {
                half[k][0] = half[k][4];
                half[k][1] = half[k][5];
            }
            for j in 2..SIDE {
                let x = tile * OUT + j - 1;
                let column =
                    if x < sides.width { source_column::<V>(&rows, x * c + at) } else { [V::splat(0.0); SIDE] };
                for k in 0..SIDE {
                    half[k][j] = column[k];
                }
            }
            let v = v.add(tile * c + at);
            for k in 0..SIDE {
                let row = transform::input(half[k]);
                for j in 0..SIDE {
                    row[j].store(v.add((k * SIDE + j) * step));
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
unsafe fn source_column<V: Vector>(rows: &[*const f32; SIDE], at: usize) -> [V; SIDE] {
    let mut d = [V::splat(0.0); SIDE];
    for k in 0..SIDE {
        d[k] = V::load(rows[k].add(at));
    }
    transform::input(d)
}

/// E of the row of tiles at row `y` of the gradient.
///
/// # Safety
/// Four rows from `y` on must lie in the map; E has room for a row of tiles from `e` on at each position.
#[inline(always)]
unsafe fn gradient_row<V: Vector>(sides: &Sides, d: &[f32], y: usize, e: *mut f32) {
    let (c, step) = (sides.outputs, sides.step(sides.outputs));
    let d = d[y * sides.width * c..].as_ptr();
    for at in (0..c).step_by(V::LANES) {
        for tile in 0..sides.width / OUT {
            let mut half = [[V::splat(0.0); OUT]; SIDE];
            for x in 0..OUT {
                let mut column = [V::splat(0.0); OUT];
                for y in 0..OUT {
                    column[y] = V::load(d.add((y * sides.width + tile * OUT + x) * c + at));
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
                    row[j].store(e.add((k * SIDE + j) * step));
                }
            }
        }
    }
}

/// The kernels of I inputs × one block of outputs; returns I. A row of six positions is in registers at a time.
///
/// # Safety
/// V and E hold all tiles from `v` and `e` on at each position, for I inputs and 16 outputs; I blocks must be valid from `w` on
/// at each tap.
#[inline(always)]
unsafe fn kernels_of<V: Vector, const I: usize>(
    sides: &Sides,
    v: *const f32,
    e: *const f32,
    w: *const f32,
    scale: &Scale,
    sums: &mut Sums,
) -> usize {
    let vectors = BLOCK / V::LANES;
    let Sides { inputs, outputs, .. } = *sides;
    let (v_step, e_step) = (sides.step(inputs), sides.step(outputs));
    let mut half = [[[[V::splat(0.0); SIDE]; 4]; 3]; I];
    for k in 0..SIDE {
        let mut products = [[[V::splat(0.0); SIDE]; 4]; I];
        for tile in 0..sides.tiles() {
            for j in 0..SIDE {
                let (v, e) = (v.add((k * SIDE + j) * v_step + tile * inputs), e.add((k * SIDE + j) * e_step));
                for q in 0..vectors {
                    let e = V::load(e.add(tile * outputs + q * V::LANES));
                    for i in 0..I {
                        products[i][q][j] = V::splat(*v.add(i)).mul_add(e, products[i][q][j]);
                    }
                }
            }
        }
        for i in 0..I {
            for q in 0..vectors {
                let row = transform::kernel_gradient(products[i][q]);
                for x in 0..3 {
                    half[i][x][q][k] = row[x];
                }
            }
        }
    }
    for i in 0..I {
        let mut gradients = [[V::splat(0.0); 4]; TAPS];
        let mut at = [w; TAPS];
        for x in 0..3 {
            for q in 0..vectors {
                let column = transform::kernel_gradient(half[i][x][q]);
                for y in 0..3 {
                    gradients[y * 3 + x][q] = column[y];
                }
            }
        }
        for tap in 0..TAPS {
            at[tap] = w.add((tap * inputs + i) * BLOCK);
        }
        logs::add::<V, TAPS>(sums, scale, &gradients, at);
    }
    I
}
