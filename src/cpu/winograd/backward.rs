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

use super::transform::{self, OUT, POSITIONS, SIDE};
use crate::cpu::norm_back::Coefficients;
use crate::cpu::scratch::Buffer;
use crate::cpu::simd::{kernels, Vector, BLOCK};

/// Tiles of a block, at least one row of them.
const TILES: usize = 32;
/// Floats between positions beyond what they hold.
const SKEW: usize = 16;
/// Most rows of a product that registers hold.
const MOST_ROWS: usize = 8;
/// Taps of a kernel.
const TAPS: usize = 9;
/// Most convolutions that leave a node.
pub const MOST_CONVS: usize = 6;

/// Images that are gone back over together.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Rows of a map, a multiple of 4.
    pub height: usize,
    /// Pixels of a row, a multiple of 4.
    pub width: usize,
    /// Maps.
    pub images: usize,
    /// Channels of the convolutions' source in memory, a multiple of 16.
    pub inputs: usize,
}

impl Group {
    fn row_tiles(&self) -> usize {
        self.width / OUT
    }

    fn image_rows(&self) -> usize {
        self.height / OUT
    }

    fn rows(&self) -> usize {
        self.images * self.image_rows()
    }

    fn block_rows(&self) -> usize {
        (TILES / self.row_tiles()).clamp(1, self.rows().max(1))
    }

    /// Floats between positions of a buffer of `channels`.
    fn step(&self, channels: usize) -> usize {
        self.block_rows() * self.row_tiles() * channels + SKEW
    }
}

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
}

kernels! {
    /// From `maps`, `[image][height][width][inputs]`, what the convolutions read (behind their ReLU): adds the weight gradients,
    /// each packed as `[block of 16 outputs][3][3][input][16]`, to `dw`, and writes the sum of the gradients by `maps` to `dx`, or
    /// adds it with `add`. Arenas are of `size` floats an image.
    pub fn backward(group: &Group, maps: &[f32], convs: &[Convolution], arenas: (&[f32], usize), dw: &mut [f32], dx: &mut [f32], add: bool, buffers: &mut Buffers) = backward_body;
}

/// The transformed gradients of one convolution, and its weights for a block of inputs.
#[derive(Clone, Copy)]
struct Factor {
    e: *const f32,
    u: *const f32,
    outputs: usize,
    e_step: usize,
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn backward_body<V: Vector>(
    group: &Group,
    maps: &[f32],
    convs: &[Convolution],
    (arenas, size): (&[f32], usize),
    dw: &mut [f32],
    dx: &mut [f32],
    add: bool,
    buffers: &mut Buffers,
) {
    let Group { height, width, images, inputs } = *group;
    let pixels = height * width;
    assert!(super::Tiling::fits(height, width) && inputs.is_multiple_of(BLOCK) && inputs > 0);
    assert!(maps.len() == images * pixels * inputs && dx.len() == maps.len() && arenas.len() >= images * size);
    assert!(convs.len() <= MOST_CONVS);
    let mut e_len = 0;
    for conv in convs {
        let outputs = conv.outputs;
        assert!(outputs.is_multiple_of(BLOCK) && conv.weights.len() == POSITIONS * inputs * outputs);
        assert!(conv.d.max(conv.raw) + pixels * outputs <= size && conv.norm.channels() == outputs);
        assert!(conv.dw + TAPS * inputs * outputs <= dw.len());
        e_len += POSITIONS * group.step(outputs);
    }
    let zeros = buffers.zeros.grown(width * inputs);
    zeros.fill(0.0);
    let v = buffers.v.grown(POSITIONS * group.step(inputs));
    let e = buffers.e.grown(e_len);
    let m = buffers.m.grown(POSITIONS * group.step(BLOCK));
    let w = buffers.w.grown(MOST_ROWS * POSITIONS * BLOCK);
    let carry = buffers.carry.grown(2 * width * inputs);
    let none = Factor { e: std::ptr::null(), u: std::ptr::null(), outputs: 0, e_step: 0 };

    let (row_tiles, image_rows) = (group.row_tiles(), group.image_rows());
    let mut first = 0;
    while first < group.rows() {
        let rows = group.block_rows().min(group.rows() - first);
        let tiles = rows * row_tiles;
        let place = |row: usize| ((first + row) / image_rows, (first + row) % image_rows * OUT);
        for row in 0..rows {
            let (image, y) = place(row);
            let map = &maps[image * pixels * inputs..][..pixels * inputs];
            // SAFETY: V holds `tiles` tiles at each position, and this row's begin here.
            unsafe { inputs_of_row::<V>(group, map, y, zeros, v.as_mut_ptr().add(row * row_tiles * inputs)) };
        }
        let mut factors = [none; MOST_CONVS];
        let mut at = 0;
        for (conv, factor) in convs.iter().zip(&mut factors) {
            let (outputs, step) = (conv.outputs, group.step(conv.outputs));
            let e = &mut e[at..][..POSITIONS * step];
            at += POSITIONS * step;
            for row in 0..rows {
                let (image, y) = place(row);
                let start = image * size + y * width * outputs;
                // SAFETY: four rows of both maps lie in the image's arena, as checked above; E as V.
                unsafe {
                    let (d, raw) = (arenas.as_ptr().add(start + conv.d), arenas.as_ptr().add(start + conv.raw));
                    gradients_of_row::<V>(group, conv, d, raw, e.as_mut_ptr().add(row * row_tiles * outputs));
                }
            }
            let dw = &mut dw[conv.dw..][..TAPS * inputs * outputs];
            // SAFETY: V and E hold `tiles` tiles at each position, `w` the products of MOST_ROWS inputs.
            unsafe { weight_gradient::<V>(group, tiles, outputs, v.as_ptr(), e.as_ptr(), w.as_mut_ptr(), dw) };
            *factor = Factor { e: e.as_ptr(), u: conv.weights.as_ptr(), outputs, e_step: step };
        }
        for block in 0..inputs / BLOCK {
            for position in 0..POSITIONS {
                // SAFETY: E and M hold `tiles` tiles at each position; weights were checked above.
                unsafe {
                    let m = m.as_mut_ptr().add(position * group.step(BLOCK));
                    multiply::<V>(tiles, block, position, &factors[..convs.len()], m);
                }
            }
            for row in 0..rows {
                let (image, y) = place(row);
                // SAFETY: a row of tiles begins here in M; the image's map, this block of its channels and of the rows that
                // are carried begin here in `dx` and `carry`.
                unsafe {
                    let m = m.as_ptr().add(row * row_tiles * BLOCK);
                    let out = dx.as_mut_ptr().add(image * pixels * inputs + block * BLOCK);
                    overlap::<V>(group, m, y, out, carry.as_mut_ptr().add(block * BLOCK), add);
                }
            }
        }
        first += rows;
    }
}

/// V of the row of tiles at row `y` of a map.
///
/// # Safety
/// `zeros` holds a row of the map; V has room for a row of tiles from `v` on at each position.
#[inline(always)]
unsafe fn inputs_of_row<V: Vector>(group: &Group, map: &[f32], y: usize, zeros: &[f32], v: *mut f32) {
    let (c, step) = (group.inputs, group.step(group.inputs));
    let mut rows = [zeros.as_ptr(); SIDE];
    for k in 0..SIDE {
        if (1..=group.height).contains(&(y + k)) {
            rows[k] = map[(y + k - 1) * group.width * c..].as_ptr();
        }
    }
    for at in (0..c).step_by(V::LANES) {
        let mut half = [[V::splat(0.0); SIDE]; SIDE];
        let first = column::<V>(&rows, at);
        for k in 0..SIDE {
            half[k][5] = first[k];
        }
        for tile in 0..group.row_tiles() {
            for k in 0..SIDE {
                half[k][0] = half[k][4];
                half[k][1] = half[k][5];
            }
            for j in 2..SIDE {
                let x = tile * OUT + j - 1;
                let column = if x < group.width { column::<V>(&rows, x * c + at) } else { [V::splat(0.0); SIDE] };
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
unsafe fn column<V: Vector>(rows: &[*const f32; SIDE], at: usize) -> [V; SIDE] {
    let mut d = [V::splat(0.0); SIDE];
    for k in 0..SIDE {
        d[k] = V::load(rows[k].add(at));
    }
    transform::input(d)
}

/// E of a row of tiles: BatchNorm's way back, then A d Aᵀ.
///
/// # Safety
/// Four rows from `d` and `raw` on must be valid; E has room for a row of tiles from `e` on at each position.
#[inline(always)]
unsafe fn gradients_of_row<V: Vector>(group: &Group, conv: &Convolution, d: *const f32, raw: *const f32, e: *mut f32) {
    let (c, step) = (conv.outputs, group.step(conv.outputs));
    for at in (0..c).step_by(V::LANES) {
        let norm = conv.norm.at::<V>(at);
        for tile in 0..group.row_tiles() {
            let mut half = [[V::splat(0.0); OUT]; SIDE];
            for x in 0..OUT {
                let mut column = [V::splat(0.0); OUT];
                for y in 0..OUT {
                    let at = (y * group.width + tile * OUT + x) * c + at;
                    column[y] = norm.apply(V::load(d.add(at)), V::load(raw.add(at)));
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

/// Adds Gᵀ (Vᵀ·E) G over the tiles of a block to the weight gradient.
///
/// # Safety
/// V and E hold `tiles` tiles at each position, `w` [`MOST_ROWS`] · 36 blocks.
#[inline(always)]
unsafe fn weight_gradient<V: Vector>(
    group: &Group,
    tiles: usize,
    outputs: usize,
    v: *const f32,
    e: *const f32,
    w: *mut f32,
    dw: &mut [f32],
) {
    let inputs = group.inputs;
    let (v_step, e_step) = (group.step(inputs), group.step(outputs));
    let vectors = BLOCK / V::LANES;
    for block in 0..outputs / BLOCK {
        for i in (0..inputs).step_by(V::TILES) {
            for position in 0..POSITIONS {
                let v = v.add(position * v_step + i);
                let e = e.add(position * e_step + block * BLOCK);
                let mut sums = [[V::splat(0.0); 4]; MOST_ROWS];
                for tile in 0..tiles {
                    let mut es = [V::splat(0.0); 4];
                    for q in 0..vectors {
                        es[q] = V::load(e.add(tile * outputs + q * V::LANES));
                    }
                    for r in 0..V::TILES {
                        let x = V::splat(*v.add(tile * inputs + r));
                        for q in 0..vectors {
                            sums[r][q] = x.mul_add(es[q], sums[r][q]);
                        }
                    }
                }
                for r in 0..V::TILES {
                    for q in 0..vectors {
                        sums[r][q].store(w.add((r * POSITIONS + position) * BLOCK + q * V::LANES));
                    }
                }
            }
            for r in 0..V::TILES {
                for at in (0..BLOCK).step_by(V::LANES) {
                    let w = w.add(r * POSITIONS * BLOCK + at);
                    let dw = dw.as_mut_ptr().add((block * TAPS * inputs + i + r) * BLOCK + at);
                    taps::<V>(w, dw, inputs * BLOCK);
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

/// M = Σ E·U over all convolutions at one position for one block of inputs.
///
/// # Safety
/// Factors hold `tiles` tiles at each position and all weights; M has room for the tiles.
#[inline(always)]
unsafe fn multiply<V: Vector>(tiles: usize, block: usize, position: usize, factors: &[Factor], m: *mut f32) {
    let mut tile = 0;
    while tile < tiles {
        let m = m.add(tile * BLOCK);
        tile += match tiles - tile {
            left if left >= 8 && V::TILES >= 8 => products::<V, 8>(tile, block, position, factors, m),
            left if left >= 4 && V::TILES >= 4 => products::<V, 4>(tile, block, position, factors, m),
            left if left >= 2 => products::<V, 2>(tile, block, position, factors, m),
            _ => products::<V, 1>(tile, block, position, factors, m),
        };
    }
}

/// R tiles of [`multiply`]; returns R.
///
/// # Safety
/// As [`multiply`].
#[inline(always)]
unsafe fn products<V: Vector, const R: usize>(
    tile: usize,
    block: usize,
    position: usize,
    factors: &[Factor],
    m: *mut f32,
) -> usize {
    let vectors = BLOCK / V::LANES;
    let mut sums = [[V::splat(0.0); 4]; R];
    for factor in factors {
        let outputs = factor.outputs;
        let e = factor.e.add(position * factor.e_step + tile * outputs);
        let u = factor.u.add((block * POSITIONS + position) * outputs * BLOCK);
        let mut o = 0;
        while o < outputs {
            for o in o..o + 8 {
                let mut us = [V::splat(0.0); 4];
                for q in 0..vectors {
                    us[q] = V::load(u.add(o * BLOCK + q * V::LANES));
                }
                for r in 0..R {
                    let x = V::splat(*e.add(r * outputs + o));
                    for q in 0..vectors {
                        sums[r][q] = x.mul_add(us[q], sums[r][q]);
                    }
                }
            }
            o += 8;
        }
    }
    for r in 0..R {
        for q in 0..vectors {
            sums[r][q].store(m.add(r * BLOCK + q * V::LANES));
        }
    }
    R
}

/// B m Bᵀ of a row of tiles at row `y`, summed where tiles overlap, for one block of inputs. `carry` holds the two rows that
/// the next row of tiles will add to.
///
/// # Safety
/// M has a row of tiles from `m` on at each position; `out` is an image's map, `carry` two rows of it.
#[inline(always)]
unsafe fn overlap<V: Vector>(group: &Group, m: *const f32, y: usize, out: *mut f32, carry: *mut f32, add: bool) {
    let step = group.step(BLOCK);
    for at in (0..BLOCK).step_by(V::LANES) {
        let (m, out, carry) = (m.add(at), out.add(at), carry.add(at));
        let mut left = [[V::splat(0.0); 2]; SIDE];
        for tile in 0..group.row_tiles() {
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
                finish_column::<V>(group, columns[j], tile * OUT + j - 1, y, out, carry, add);
            }
        }
        let mut last = [V::splat(0.0); SIDE];
        for k in 0..SIDE {
            last[k] = left[k][0];
        }
        finish_column::<V>(group, last, group.width - 1, y, out, carry, add);
    }
}

/// The vertical half of [`overlap`] for column `x`.
///
/// # Safety
/// As [`overlap`].
#[inline(always)]
unsafe fn finish_column<V: Vector>(
    group: &Group,
    column: [V; SIDE],
    x: usize,
    y: usize,
    out: *mut f32,
    carry: *mut f32,
    add: bool,
) {
    let c = group.inputs;
    let row = group.width * c;
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
    if y + OUT == group.height {
        put(y + OUT - 1, d[4]);
    } else {
        d[4].store(above);
        d[5].store(here);
    }
}
