//! The way back through 3×3 convolutions by tiles: data and weight gradient from one transform of the output's gradient.
//!
//! For a tile, d the gradient by its outputs, the loss's change is Σ (G w Gᵀ)·(Bᵀ x B)·(A d Aᵀ) over the positions: linear in
//! each of the three. So the gradient by x is B (·) Bᵀ of the products of weights and E = A d Aᵀ, summed where tiles
//! overlap, and the gradient by w is Gᵀ (·) G of the products of V = Bᵀ x B and E, summed over all tiles. Nothing is turned,
//! and d, which BatchNorm's way back makes from two maps in registers, is read once.
//!
//! A block is 32 tiles: whole rows of tiles, of one image or of several. V `[position][tile][input]` serves all convolutions
//! that leave a node, E `[position][tile][output]` belongs to one of them. The data gradients of all of them are summed as
//! products, before the transform. Weight gradients are summed over the tiles of a block in registers and over blocks in
//! memory, after the transform.

use super::products::{multiply, weights_of_block, Factor};
use super::rows::{self, Cut};
use super::transform::{self, OUT, POSITIONS, SIDE};
use super::{Tiling, MOST_CONVS};
use crate::cpu::ahead::Ahead;
use crate::cpu::norm_back::Coefficients;
use crate::cpu::scratch::Buffer;
use crate::cpu::simd::{kernels, Vector, BLOCK};

/// Tiles of a block, at least one row of them.
const TILES: usize = 32;
/// Most inputs, times blocks of outputs, whose products registers hold.
const MOST_ROWS: usize = 16;
/// Taps of a kernel.
const TAPS: usize = 9;
/// One of the convolutions that read the same maps.
#[derive(Clone, Copy, Default)]
pub struct Convolution<'a> {
    /// Weights from [`super::pack`] of the exchanged weights: `[block of 16 inputs][position][output][16]`.
    pub weights: &'a [f32],
    /// Output channels, a multiple of 16.
    pub outputs: usize,
    /// Where the gradient by the BatchNorm's output lies in an image's arena.
    pub d: usize,
    /// Where the BatchNorm's input lies in an image's arena.
    pub raw: usize,
    /// The BatchNorm's way back.
    pub norm: Coefficients<'a>,
    /// Where the weight gradient lies in `dw`.
    pub dw: usize,
}

/// Memory of the transforms, reused.
#[derive(Default)]
pub struct Buffers {
    zeros: Buffer,
    v: Buffer,
    e: Buffer,
    m: Buffer,
    w: Buffer,
    carry: Buffer,
    /// Maps to ask for on the way.
    pub ahead: Ahead,
}

kernels! {
    /// From maps `[height][width][inputs]`, the second of the pair apart, whose ReLU the convolutions read: adds the weight
    /// gradients, each packed as `[block of 16 outputs][3][3][input][16]`, to `dw`, and writes the sum of the gradients by the
    /// ReLU to `dx`, one image after the other, or adds it with `add`. Arenas are of `size` floats an image.
    pub fn backward(tiling: &Tiling, maps: (&[f32], usize), convs: &[Convolution], arenas: (&[f32], usize), dw: &mut [f32], dx: &mut [f32], add: bool, buffers: &mut Buffers) = backward_body;
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn backward_body<V: Vector>(
    tiling: &Tiling,
    (maps, apart): (&[f32], usize),
    convs: &[Convolution],
    (arenas, size): (&[f32], usize),
    dw: &mut [f32],
    dx: &mut [f32],
    add: bool,
    buffers: &mut Buffers,
) {
    let Tiling { height, width, images, inputs } = *tiling;
    let pixels = height * width;
    assert!(Tiling::fits(height, width) && inputs.is_multiple_of(BLOCK) && inputs > 0);
    assert!(images > 0 && maps.len() >= (images - 1) * apart + pixels * inputs);
    assert!(dx.len() == images * pixels * inputs && arenas.len() >= images * size);
    assert!(convs.len() <= MOST_CONVS);
    let block_rows = tiling.block_rows(TILES);
    let (of_inputs, of_products) = (tiling.cut(block_rows, inputs), tiling.cut(block_rows, BLOCK));
    let mut e_len = 0;
    for conv in convs {
        let outputs = conv.outputs;
        assert!(outputs.is_multiple_of(BLOCK) && conv.weights.len() == POSITIONS * inputs * outputs);
        assert!(conv.d.max(conv.raw) + pixels * outputs <= size && conv.norm.channels() == outputs);
        assert!(conv.dw + TAPS * inputs * outputs <= dw.len());
        e_len += POSITIONS * tiling.cut(block_rows, outputs).step;
    }
    let zeros = buffers.zeros.grown(width * inputs);
    zeros.fill(0.0);
    let v = buffers.v.grown(POSITIONS * of_inputs.step);
    let e = buffers.e.grown(e_len);
    let of_one = POSITIONS * of_products.step;
    let m = buffers.m.grown(2 * of_one);
    let w = buffers.w.grown(MOST_ROWS * POSITIONS * BLOCK);
    let carry = buffers.carry.grown(2 * width * inputs);
    let ahead = &mut buffers.ahead;
    let products = convs.iter().map(|conv| conv.outputs / BLOCK * (inputs / V::PIXELS)).sum::<usize>();
    let steps = match V::PAIRS {
        true => (inputs / BLOCK).div_ceil(2),
        false => inputs / BLOCK,
    };
    ahead.spread(tiling.rows().div_ceil(block_rows) * (products + steps) * POSITIONS);

    let row_tiles = tiling.row_tiles();
    let mut first = 0;
    while first < tiling.rows() {
        let rows = block_rows.min(tiling.rows() - first);
        let tiles = rows * row_tiles;
        let place = |row: usize| tiling.place(first + row);
        for row in 0..rows {
            let (image, y) = place(row);
            let map = &maps[image * apart..][..pixels * inputs];
            // SAFETY: V holds `tiles` tiles at each position, and this row's begin here.
            unsafe {
                let v = v.as_mut_ptr().add(row * row_tiles * inputs);
                rows::inputs::<V, true>(&of_inputs, map, y, zeros, v);
            }
        }
        let mut es = [std::ptr::null(); MOST_CONVS];
        let mut at = 0;
        for (conv, e_start) in convs.iter().zip(&mut es) {
            let outputs = conv.outputs;
            let cut = tiling.cut(block_rows, outputs);
            let e = &mut e[at..][..POSITIONS * cut.step];
            at += e.len();
            for row in 0..rows {
                let (image, y) = place(row);
                let start = image * size + y * width * outputs;
                // SAFETY: four rows of both maps lie in the image's arena, as checked above; E as V.
                unsafe {
                    let (d, raw) = (arenas.as_ptr().add(start + conv.d), arenas.as_ptr().add(start + conv.raw));
                    let e = e.as_mut_ptr().add(row * row_tiles * outputs);
                    rows::gradients::<V>(&cut, d, Some((&conv.norm, raw)), e);
                }
            }
            let dw = &mut dw[conv.dw..][..TAPS * inputs * outputs];
            // SAFETY: V and E hold `tiles` tiles at each position, `w` the products of MOST_ROWS inputs.
            unsafe {
                let (v, e) = ((&of_inputs, v.as_ptr()), (&cut, e.as_ptr()));
                let mut block = 0;
                while block < outputs / BLOCK {
                    block += match V::PAIRS && block + 1 < outputs / BLOCK {
                        true => weight_gradient::<V, 2>(tiles, block, v, e, w.as_mut_ptr(), dw, ahead),
                        false => weight_gradient::<V, 1>(tiles, block, v, e, w.as_mut_ptr(), dw, ahead),
                    };
                }
            };
            *e_start = e.as_ptr();
        }
        let mut block = 0;
        while block < inputs / BLOCK {
            let two = V::PAIRS && block + 1 < inputs / BLOCK;
            let of_all = Products { tiles, block, convs, es: &es, block_rows, tiling, step: of_products.step };
            // SAFETY: each E and M hold `tiles` tiles at each position.
            unsafe {
                let m = m.as_mut_ptr();
                match two {
                    true => of_all.multiply::<V, 2>([m, m.add(of_one)], ahead),
                    false => of_all.multiply::<V, 1>([m], ahead),
                }
            }
            for b in 0..if two { 2 } else { 1 } {
                for row in 0..rows {
                    let (image, y) = place(row);
                    let at = (block + b) * BLOCK;
                    // SAFETY: a row of tiles begins here in M; the image's map, this block of its channels and of the rows
                    // that are carried begin here in `dx` and `carry`.
                    unsafe {
                        let m = m.as_ptr().add(b * of_one + row * row_tiles * BLOCK);
                        let out = dx.as_mut_ptr().add(image * pixels * inputs + at);
                        overlap::<V>(tiling, of_products.step, m, y, out, carry.as_mut_ptr().add(at), add);
                    }
                }
            }
            block += if two { 2 } else { 1 };
        }
        first += rows;
    }
}

/// The products of weights and E, summed over the convolutions.
struct Products<'a> {
    tiling: &'a Tiling,
    convs: &'a [Convolution<'a>],
    /// E of each convolution, of `block_rows` rows of tiles at most.
    es: &'a [*const f32; MOST_CONVS],
    block_rows: usize,
    /// Tiles that there are.
    tiles: usize,
    /// The first block of inputs.
    block: usize,
    /// Floats between positions of M.
    step: usize,
}

impl Products<'_> {
    /// Those of B blocks of inputs.
    ///
    /// # Safety
    /// Each of `es` and of `m` holds `tiles` tiles at each position.
    #[inline(always)]
    unsafe fn multiply<V: Vector, const B: usize>(&self, m: [*mut f32; B], ahead: &mut Ahead) {
        let mut factors = [Factor::<B>::NONE; MOST_CONVS];
        for ((conv, factor), e) in self.convs.iter().zip(&mut factors).zip(self.es) {
            let len = weights_of_block(conv.outputs);
            for b in 0..B {
                factor.weights[b] = conv.weights[(self.block + b) * len..][..len].as_ptr();
            }
            (factor.tiles, factor.depth) = (*e, conv.outputs);
            factor.step = self.tiling.cut(self.block_rows, conv.outputs).step;
        }
        for position in 0..POSITIONS {
            ahead.ask::<V>();
            let m = m.map(|m| m.wrapping_add(position * self.step));
            multiply::<V, B>(self.tiles, position, &factors[..self.convs.len()], m);
        }
    }
}

/// Adds Gᵀ (Vᵀ·E) G over the tiles of a block to the weight gradient, for B blocks of outputs from `block` on; returns B.
///
/// # Safety
/// V and E hold `tiles` tiles at each position, `w` [`MOST_ROWS`] · 36 blocks.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn weight_gradient<V: Vector, const B: usize>(
    tiles: usize,
    block: usize,
    v: (&Cut, *const f32),
    e: (&Cut, *const f32),
    w: *mut f32,
    dw: &mut [f32],
    ahead: &mut Ahead,
) -> usize {
    let inputs = v.0.channels;
    let rows = V::PIXELS / B;
    for i in (0..inputs).step_by(rows) {
        match rows {
            16 => gradient_products::<V, B, 16>(tiles, (block, i), v, e, w, ahead),
            8 => gradient_products::<V, B, 8>(tiles, (block, i), v, e, w, ahead),
            4 => gradient_products::<V, B, 4>(tiles, (block, i), v, e, w, ahead),
            _ => gradient_products::<V, B, 2>(tiles, (block, i), v, e, w, ahead),
        }
        for (b, r) in (0..B).flat_map(|b| (0..rows).map(move |r| (b, r))) {
            for at in (0..BLOCK).step_by(V::LANES) {
                let w = w.add((b * rows + r) * POSITIONS * BLOCK + at);
                let dw = dw.as_mut_ptr().add(((block + b) * TAPS * inputs + i + r) * BLOCK + at);
                taps::<V>(w, dw, inputs * BLOCK);
            }
        }
    }
    B
}

/// Vᵀ·E at each position, for R inputs from `i` and B blocks of outputs from `block` on, into `w` `[block][input][position][16]`.
///
/// # Safety
/// As [`weight_gradient`]; R · B is at most [`MOST_ROWS`].
#[inline(always)]
unsafe fn gradient_products<V: Vector, const B: usize, const R: usize>(
    tiles: usize,
    (block, i): (usize, usize),
    (of_inputs, v): (&Cut, *const f32),
    (of_outputs, e): (&Cut, *const f32),
    w: *mut f32,
    ahead: &mut Ahead,
) {
    let (inputs, outputs) = (of_inputs.channels, of_outputs.channels);
    let vectors = BLOCK / V::LANES;
    for position in 0..POSITIONS {
        ahead.ask::<V>();
        let v = v.add(position * of_inputs.step + i);
        let e = e.add(position * of_outputs.step + block * BLOCK);
        let mut sums = [[[V::splat(0.0); 4]; B]; R];
        for tile in 0..tiles {
            let mut es = [[V::splat(0.0); 4]; B];
            for b in 0..B {
                for q in 0..vectors {
                    es[b][q] = V::load(e.add(tile * outputs + b * BLOCK + q * V::LANES));
                }
            }
            for r in 0..R {
                let x = V::splat(*v.add(tile * inputs + r));
                for b in 0..B {
                    for q in 0..vectors {
                        sums[r][b][q] = x.mul_add(es[b][q], sums[r][b][q]);
                    }
                }
            }
        }
        for r in 0..R {
            for b in 0..B {
                for q in 0..vectors {
                    sums[r][b][q].store(w.add(((b * R + r) * POSITIONS + position) * BLOCK + q * V::LANES));
                }
            }
        }
    }
}

/// Adds Gᵀ w G of one input and one vector of outputs to its taps, which are `step` floats apart.
///
/// # Safety
/// 36 blocks from `w` and nine taps from `dw` on must be valid.
#[inline(always)]
unsafe fn taps<V: Vector>(w: *const f32, dw: *mut f32, step: usize) {
    let mut half = [[V::splat(0.0); SIDE]; 3];
    for j in 0..SIDE {
        let mut column = [V::splat(0.0); SIDE];
        for k in 0..SIDE {
            column[k] = V::load(w.add((k * SIDE + j) * BLOCK));
        }
        let column = transform::kernel_gradient(column);
        for k in 0..3 {
            half[k][j] = column[k];
        }
    }
    for k in 0..3 {
        let row = transform::kernel_gradient(half[k]);
        for j in 0..3 {
            let to = dw.add((k * 3 + j) * step);
            V::load(to).add(row[j]).store(to);
        }
    }
}

/// B m Bᵀ of a row of tiles at row `y`, summed where tiles overlap, for one block of inputs. `carry` holds the two rows that
/// the next row of tiles will add to.
///
/// # Safety
/// M has a row of tiles from `m` on at each position; `out` is an image's map, `carry` two rows of it.
#[inline(always)]
unsafe fn overlap<V: Vector>(
    tiling: &Tiling,
    step: usize,
    m: *const f32,
    y: usize,
    out: *mut f32,
    carry: *mut f32,
    add: bool,
) {
    for at in (0..BLOCK).step_by(V::LANES) {
        let (m, out, carry) = (m.add(at), out.add(at), carry.add(at));
        let mut left = [[V::splat(0.0); 2]; SIDE];
        for tile in 0..tiling.row_tiles() {
            let m = m.add(tile * BLOCK);
            let mut columns = [[V::splat(0.0); SIDE]; OUT];
            for k in 0..SIDE {
                let mut row = [V::splat(0.0); SIDE];
                for j in 0..SIDE {
                    row[j] = V::load(m.add((k * SIDE + j) * step));
                }
                let row = transform::input_gradient(row);
                columns[0][k] = left[k][0].add(row[0]);
                columns[1][k] = left[k][1].add(row[1]);
                columns[2][k] = row[2];
                columns[3][k] = row[3];
                left[k] = [row[4], row[5]];
            }
            for j in usize::from(tile == 0)..OUT {
                finish_column::<V>(tiling, columns[j], tile * OUT + j - 1, y, out, carry, add);
            }
        }
        let mut last = [V::splat(0.0); SIDE];
        for k in 0..SIDE {
            last[k] = left[k][0];
        }
        finish_column::<V>(tiling, last, tiling.width - 1, y, out, carry, add);
    }
}

/// The vertical half of [`overlap`] for column `x`.
///
/// # Safety
/// As [`overlap`].
#[inline(always)]
unsafe fn finish_column<V: Vector>(
    tiling: &Tiling,
    column: [V; SIDE],
    x: usize,
    y: usize,
    out: *mut f32,
    carry: *mut f32,
    add: bool,
) {
    let c = tiling.inputs;
    let row = tiling.width * c;
    let mut d = transform::input_gradient(column);
    let put = |y: usize, d: V| {
        let to = out.add(y * row + x * c);
        let d = if add { V::load(to).add(d) } else { d };
        d.store(to);
    };
    let (above, here) = (carry.add(x * c), carry.add(row + x * c));
    if y > 0 {
        d[0] = V::load(above).add(d[0]);
        d[1] = V::load(here).add(d[1]);
        put(y - 1, d[0]);
    }
    for k in 1..OUT {
        put(y + k - 1, d[k]);
    }
    if y + OUT == tiling.height {
        put(y + OUT - 1, d[4]);
    } else {
        d[4].store(above);
        d[5].store(here);
    }
}
