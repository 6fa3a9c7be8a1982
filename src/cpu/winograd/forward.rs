//! Forward convolution by tiles. The data gradient is the same with turned weights.
//!
//! A block is 16 tiles: whole rows of tiles, of one image or of several. Its transformed input V `[position][tile][input]`
//! serves all convolutions that leave a node. For each 16 outputs, or twice 16 of one convolution or two, the products M
//! `[position][tile][16]` stay in cache until they are transformed back, stored, and added to the BatchNorm's moments: f32
//! within a tile, f64 across tiles, around the mean of an image's first tile. What an image gives does not depend on
//! the images beside it.

use super::products::{multiply, weights_of_block, Factor};
use super::transform::{self, OUT, POSITIONS, SIDE};
use super::{rows, Tiling, FORWARD_TILES};
use crate::cpu::ahead::Ahead;
use crate::cpu::norm::{merged, Moment};
use crate::cpu::scratch::Buffer;
use crate::cpu::simd::{kernels, Vector, BLOCK};

/// One of the convolutions that read the same maps.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// Weights from [`pack`].
    pub weights: &'a [f32],
    /// Output channels, a multiple of 16.
    pub outputs: usize,
    /// Where the output lies in an image's arena.
    pub slot: usize,
    /// Where its moments lie among an image's moments, if they are wanted.
    pub moments: Option<usize>,
}

/// Memory of the transforms, reused.
#[derive(Default)]
pub struct Buffers {
    zeros: Buffer,
    v: Buffer,
    m: Buffer,
    units: Vec<Unit>,
    /// Maps to ask for on the way.
    pub ahead: Ahead,
}

/// A block of 16 outputs of one of the targets.
#[derive(Clone, Copy)]
struct Unit {
    target: usize,
    /// Which of the target's blocks.
    block: usize,
    statistics: Statistics,
}

/// Sums of an image's outputs so far, for one block of channels.
#[derive(Clone, Copy, Default)]
struct Statistics {
    /// About the mean: that of the first tile.
    centre: [f32; BLOCK],
    /// Deviations from it, and their squares.
    sums: [[f64; BLOCK]; 2],
}

kernels! {
    /// Transforms weights that are packed for the direct convolution, `[block of 16 outputs][3][3][input][16]`, into
    /// `[block of 16 outputs][position][input][16]`.
    pub fn pack(weights: &[f32], inputs: usize, out: &mut [f32]) = pack_body;
    /// Convolves `maps`, `[image][height][width][inputs]`, through a ReLU if asked. Outputs `[height][width][outputs]` lie in
    /// arenas of `size` floats an image, moments `stride` apart; both are overwritten.
    pub fn forward(tiling: &Tiling, relu: bool, maps: &[f32], targets: &[Target], arenas: (&mut [f32], usize), moments: (&mut [Moment], usize), buffers: &mut Buffers) = forward_body;
}

#[inline(always)]
fn pack_body<V: Vector>(weights: &[f32], inputs: usize, out: &mut [f32]) {
    let taps = inputs * BLOCK;
    let blocks = weights.len() / (9 * taps);
    assert!(weights.len() == blocks * 9 * taps && out.len() == blocks * POSITIONS * taps);
    for (from, to) in weights.chunks_exact(9 * taps).zip(out.chunks_exact_mut(POSITIONS * taps)) {
        for at in (0..taps).step_by(V::LANES) {
            // SAFETY: `at + LANES` stays within a tap, of which there are 9 in `from` and 36 in `to`.
            unsafe {
                let mut rows = [[V::splat(0.0); 3]; SIDE];
                for x in 0..3 {
                    let column = [0, 1, 2].map(|y| V::load(from.as_ptr().add((y * 3 + x) * taps + at)));
                    let column = transform::kernel(column);
                    for k in 0..SIDE {
                        rows[k][x] = column[k];
                    }
                }
                for k in 0..SIDE {
                    let row = transform::kernel(rows[k]);
                    for j in 0..SIDE {
                        row[j].store(to.as_mut_ptr().add((k * SIDE + j) * taps + at));
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn forward_body<V: Vector>(
    tiling: &Tiling,
    relu: bool,
    maps: &[f32],
    targets: &[Target],
    (arenas, size): (&mut [f32], usize),
    (moments, stride): (&mut [Moment], usize),
    buffers: &mut Buffers,
) {
    let Tiling { height, width, images, inputs } = *tiling;
    assert!(Tiling::fits(height, width) && inputs.is_multiple_of(BLOCK));
    assert!(maps.len() == images * height * width * inputs && arenas.len() >= images * size);
    buffers.units.clear();
    for (number, target) in targets.iter().enumerate() {
        assert!(target.weights.len() == POSITIONS * inputs * target.outputs && target.outputs.is_multiple_of(BLOCK));
        assert!(target.slot + height * width * target.outputs <= size);
        if let Some(at) = target.moments {
            assert!(at + target.outputs <= stride && moments.len() >= images * stride);
        }
        let unit = |block| Unit { target: number, block, statistics: Statistics::default() };
        buffers.units.extend((0..target.outputs / BLOCK).map(unit));
    }
    let zeros = buffers.zeros.grown(width * inputs);
    zeros.fill(0.0);
    let block_rows = tiling.block_rows(FORWARD_TILES);
    let (of_inputs, of_outputs) = (tiling.cut(block_rows, inputs), tiling.cut(block_rows, BLOCK));
    let v = buffers.v.grown(POSITIONS * of_inputs.step);
    let m = buffers.m.grown(2 * POSITIONS * of_outputs.step);
    let steps = match V::PAIRS {
        true => buffers.units.len().div_ceil(2),
        false => buffers.units.len(),
    };
    buffers.ahead.spread(tiling.rows().div_ceil(block_rows) * steps * POSITIONS);

    let row_tiles = tiling.row_tiles();
    let mut first = 0;
    while first < tiling.rows() {
        let rows = block_rows.min(tiling.rows() - first);
        for row in 0..rows {
            let (image, y) = tiling.place(first + row);
            let map = &maps[image * height * width * inputs..][..height * width * inputs];
            // SAFETY: `zeros` and `v` have the sizes of this tiling.
            unsafe {
                let v = v.as_mut_ptr().add(row * row_tiles * inputs);
                if relu {
                    rows::inputs::<V, true>(&of_inputs, map, y, zeros, v);
                } else {
                    rows::inputs::<V, false>(&of_inputs, map, y, zeros, v);
                }
            }
        }
        let ahead = &mut buffers.ahead;
        let mut block = Block { tiling, first, rows, maps: (&of_inputs, v), products: (&of_outputs, &mut *m) };
        let mut units = &mut buffers.units[..];
        while let [_, rest @ ..] = &mut *units {
            let two = V::PAIRS && !rest.is_empty();
            let (now, rest) = units.split_at_mut(if two { 2 } else { 1 });
            let into = ((&mut *arenas, size), (&mut *moments, stride));
            match two {
                true => block.units::<V, 2>(targets, now, into.0, into.1, ahead),
                false => block.units::<V, 1>(targets, now, into.0, into.1, ahead),
            }
            units = rest;
        }
        first += rows;
    }
}

/// A block of tiles whose inputs are transformed.
struct Block<'a> {
    tiling: &'a Tiling,
    /// Its first row of tiles, and how many there are.
    first: usize,
    rows: usize,
    /// V.
    maps: (&'a rows::Cut, &'a [f32]),
    /// M, two of them.
    products: (&'a rows::Cut, &'a mut [f32]),
}

/// Where the lines of an output lie that a unit will be written to next.
struct Lines {
    row: usize,
    x: usize,
    at: usize,
}

impl Block<'_> {
    /// Convolves the block for B units.
    #[inline(always)]
    fn units<V: Vector, const B: usize>(
        &mut self,
        targets: &[Target],
        units: &mut [Unit],
        (arenas, size): (&mut [f32], usize),
        (moments, stride): (&mut [Moment], usize),
        ahead: &mut Ahead,
    ) {
        let Tiling { height, width, inputs, .. } = *self.tiling;
        let (of_inputs, v) = self.maps;
        let (of_outputs, ref mut m) = self.products;
        let tiles = self.rows * self.tiling.row_tiles();
        let of_one = POSITIONS * of_outputs.step;
        let line = |unit: &Unit, line: usize| {
            let target = &targets[unit.target];
            line / height * size + line % height * width * target.outputs + target.slot + unit.block * BLOCK
        };
        let mut factor = Factor { tiles: v.as_ptr(), step: of_inputs.step, depth: inputs, ..Factor::<B>::NONE };
        let mut asked: [Lines; B] =
            std::array::from_fn(|b| Lines { row: 0, x: 0, at: line(&units[b], self.first * OUT) });
        for b in 0..B {
            let weights = &targets[units[b].target].weights[units[b].block * weights_of_block(inputs)..];
            factor.weights[b] = weights[..weights_of_block(inputs)].as_ptr();
        }
        // Rows of the output that this block will be written to, a few pixels for each position.
        let share = (tiles * OUT * OUT).div_ceil(POSITIONS);
        for position in 0..POSITIONS {
            ahead.ask::<V>();
            for (unit, Lines { row, x, at }) in units.iter().zip(&mut asked) {
                for _ in 0..share {
                    V::prefetch_write(arenas.as_ptr().wrapping_add(*at));
                    *at += targets[unit.target].outputs;
                    *x += 1;
                    if *x == width {
                        (*x, *row) = (0, *row + 1);
                        *at = line(unit, self.first * OUT + *row);
                    }
                }
            }
            // SAFETY: V and each M hold `tiles` tiles at each position; the weights of a block lie in its slice.
            unsafe {
                let m = m.as_mut_ptr().add(position * of_outputs.step);
                multiply::<V, B>(tiles, position, &[factor], std::array::from_fn(|b| m.wrapping_add(b * of_one)));
            }
        }
        for (b, unit) in units.iter_mut().enumerate() {
            let target = &targets[unit.target];
            for row in 0..self.rows {
                let (image, y) = self.tiling.place(self.first + row);
                let to = line(unit, image * height + y);
                let statistics = &mut unit.statistics;
                // SAFETY: four rows of an output from `y` on lie in the image's arena, as the caller checked.
                unsafe {
                    let from = m.as_ptr().add(b * of_one + row * self.tiling.row_tiles() * BLOCK);
                    let out = arenas.as_mut_ptr().add(to);
                    match target.moments {
                        Some(_) => back::<V, true>(of_outputs, target.outputs, from, out, y == 0, statistics),
                        None => back::<V, false>(of_outputs, target.outputs, from, out, false, statistics),
                    }
                }
                if let Some(at) = target.moments.filter(|_| y + OUT == height) {
                    let out = &mut moments[image * stride + at + unit.block * BLOCK..][..BLOCK];
                    out.copy_from_slice(&merged(&statistics.centre, &statistics.sums, height * width));
                }
            }
        }
    }
}

/// Transforms one row of tiles back into four rows of outputs. With `MOMENTS`, adds them to `sums`; `start` says that
/// these are an image's first tiles, which choose the centre.
///
/// # Safety
/// M has a row of tiles from `m` on at each position; four rows of the output from `out` on must be valid.
#[inline(always)]
unsafe fn back<V: Vector, const MOMENTS: bool>(
    cut: &rows::Cut,
    outputs: usize,
    m: *const f32,
    out: *mut f32,
    start: bool,
    statistics: &mut Statistics,
) {
    let Statistics { centre, sums } = statistics;
    let step = cut.step;
    for tile in 0..cut.width / OUT {
        for at in (0..BLOCK).step_by(V::LANES) {
            let m = m.add(tile * BLOCK + at);
            let out = out.add(tile * OUT * outputs + at);
            let mut half = [[V::splat(0.0); SIDE]; OUT];
            for j in 0..SIDE {
                let mut column = [V::splat(0.0); SIDE];
                for k in 0..SIDE {
                    column[k] = V::load(m.add((k * SIDE + j) * step));
                }
                let column = transform::output(column);
                for y in 0..OUT {
                    half[y][j] = column[y];
                }
            }
            let mut result = [[V::splat(0.0); OUT]; OUT];
            for y in 0..OUT {
                result[y] = transform::output(half[y]);
                for x in 0..OUT {
                    result[y][x].store(out.add((y * cut.width + x) * outputs));
                }
            }
            if MOMENTS {
                if start && tile == 0 {
                    let mut sum = V::splat(0.0);
                    for y in 0..OUT {
                        let [a, b, c, d] = result[y];
                        sum = sum.add(a.add(b).add(c.add(d)));
                    }
                    sum.mul(V::splat(1.0 / 16.0)).store(centre.as_mut_ptr().add(at));
                    for k in at..at + V::LANES {
                        sums[0][k] = 0.0;
                        sums[1][k] = 0.0;
                    }
                }
                let centre = V::load(centre.as_ptr().add(at));
                let mut first = [V::splat(0.0); 2];
                let mut second = [V::splat(0.0); 2];
                for y in 0..OUT {
                    for x in 0..OUT {
                        let d = result[y][x].sub(centre);
                        first[x % 2] = first[x % 2].add(d);
                        second[x % 2] = d.mul_add(d, second[x % 2]);
                    }
                }
                first[0].add(first[1]).accumulate(sums[0].as_mut_ptr().add(at));
                second[0].add(second[1]).accumulate(sums[1].as_mut_ptr().add(at));
            }
        }
    }
}
