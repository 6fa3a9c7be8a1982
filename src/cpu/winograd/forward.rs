//! Forward convolution by tiles. The data gradient is the same with turned weights.
//!
//! A block is 16 tiles: whole rows of tiles, of one image or of several. Its transformed input V `[position][tile][input]`
//! serves all convolutions that leave a node. The distance between positions is not a power of two, so that the 36 streams
//! of the transforms do not meet in one set of the first-level cache. For each 16 outputs the products M
//! `[position][tile][16]` stay in cache until they are transformed back, stored, and added to the BatchNorm's moments: f32
//! within a tile, f64 across tiles, around the mean of an image's first tile. What an image gives does not depend on
//! the images beside it.

use super::transform::{self, OUT, POSITIONS, SIDE};
use crate::cpu::norm::{merged, Moment};
use crate::cpu::scratch::Buffer;
use crate::cpu::simd::{kernels, Vector, BLOCK};

/// Tiles of a block, at least one row of them.
const TILES: usize = 16;
/// Floats between positions beyond what they hold.
const SKEW: usize = 16;

/// Images that are convolved together.
#[derive(Clone, Copy, Debug)]
pub struct Tiling {
    /// Rows of a map, a multiple of 4.
    pub height: usize,
    /// Pixels of a row, a multiple of 4.
    pub width: usize,
    /// Maps.
    pub images: usize,
    /// Channels in memory, a multiple of 16.
    pub inputs: usize,
}

impl Tiling {
    /// Whether maps of this size can be cut into tiles.
    pub fn fits(height: usize, width: usize) -> bool {
        height > 0 && width > 0 && height.is_multiple_of(OUT) && width.is_multiple_of(OUT)
    }

    /// Images that make a block.
    pub fn images_per_block(height: usize, width: usize) -> usize {
        (TILES * OUT * OUT).div_ceil(height * width).max(1)
    }

    fn row_tiles(&self) -> usize {
        self.width / OUT
    }

    fn rows(&self) -> usize {
        self.images * self.height / OUT
    }

    fn block_rows(&self) -> usize {
        (TILES / self.row_tiles()).clamp(1, self.rows().max(1))
    }

    /// Floats between the positions of V.
    fn v_step(&self) -> usize {
        self.block_rows() * self.row_tiles() * self.inputs + SKEW
    }

    /// Floats between the positions of M.
    fn m_step(&self) -> usize {
        self.block_rows() * self.row_tiles() * BLOCK + SKEW
    }

    /// Floats between rows of the vertical transform, with a column of zeros on each side.
    fn strip_step(&self) -> usize {
        (self.width + 2) * self.inputs
    }
}

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
    strip: Buffer,
    zeros: Buffer,
    v: Buffer,
    m: Buffer,
    statistics: Vec<Statistics>,
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
}

/// Convolves `maps`, `[image][height][width][inputs]`, through a ReLU if asked. Outputs `[height][width][outputs]` lie in
/// arenas of `size` floats an image, moments `stride` apart; both are overwritten.
pub fn forward(
    isa: crate::cpu::simd::Isa,
    tiling: &Tiling,
    relu: bool,
    maps: &[f32],
    targets: &[Target],
    arenas: (&mut [f32], usize),
    moments: (&mut [Moment], usize),
    buffers: &mut Buffers,
) {
    if relu {
        forward_relu(isa, tiling, maps, targets, arenas, moments, buffers);
    } else {
        forward_plain(isa, tiling, maps, targets, arenas, moments, buffers);
    }
}

kernels! {
    fn forward_relu(tiling: &Tiling, maps: &[f32], targets: &[Target], arenas: (&mut [f32], usize), moments: (&mut [Moment], usize), buffers: &mut Buffers) = forward_relu_body;
    fn forward_plain(tiling: &Tiling, maps: &[f32], targets: &[Target], arenas: (&mut [f32], usize), moments: (&mut [Moment], usize), buffers: &mut Buffers) = forward_plain_body;
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
fn forward_relu_body<V: Vector>(
    tiling: &Tiling,
    maps: &[f32],
    targets: &[Target],
    arenas: (&mut [f32], usize),
    moments: (&mut [Moment], usize),
    buffers: &mut Buffers,
) {
    forward_body::<V, true>(tiling, maps, targets, arenas, moments, buffers);
}

#[inline(always)]
fn forward_plain_body<V: Vector>(
    tiling: &Tiling,
    maps: &[f32],
    targets: &[Target],
    arenas: (&mut [f32], usize),
    moments: (&mut [Moment], usize),
    buffers: &mut Buffers,
) {
    forward_body::<V, false>(tiling, maps, targets, arenas, moments, buffers);
}

#[inline(always)]
fn forward_body<V: Vector, const RELU: bool>(
    tiling: &Tiling,
    maps: &[f32],
    targets: &[Target],
    (arenas, size): (&mut [f32], usize),
    (moments, stride): (&mut [Moment], usize),
    buffers: &mut Buffers,
) {
    let Tiling { height, width, images, inputs } = *tiling;
    assert!(Tiling::fits(height, width) && inputs.is_multiple_of(BLOCK));
    assert!(maps.len() == images * height * width * inputs && arenas.len() >= images * size);
    let mut wanted = 0;
    for target in targets {
        assert!(target.weights.len() == POSITIONS * inputs * target.outputs && target.outputs.is_multiple_of(BLOCK));
        assert!(target.slot + height * width * target.outputs <= size);
        if let Some(at) = target.moments {
            assert!(at + target.outputs <= stride && moments.len() >= images * stride);
        }
        wanted += target.outputs;
    }
    let strip = buffers.strip.grown(SIDE * tiling.strip_step());
    clear_borders(tiling, strip);
    let zeros = buffers.zeros.grown(width * inputs);
    zeros.fill(0.0);
    let v = buffers.v.grown(POSITIONS * tiling.v_step());
    let m = buffers.m.grown(POSITIONS * tiling.m_step());
    buffers.statistics.resize(wanted / BLOCK, Statistics::default());

    let (row_tiles, image_rows) = (tiling.row_tiles(), height / OUT);
    let mut first = 0;
    while first < tiling.rows() {
        let rows = tiling.block_rows().min(tiling.rows() - first);
        for row in 0..rows {
            let (image, y) = ((first + row) / image_rows, (first + row) % image_rows * OUT);
            let map = &maps[image * height * width * inputs..][..height * width * inputs];
            // SAFETY: `strip`, `zeros` and `v` have the sizes of this tiling.
            unsafe {
                vertical::<V, RELU>(tiling, map, y, zeros, strip.as_mut_ptr());
                horizontal::<V>(tiling, strip.as_ptr(), v.as_mut_ptr().add(row * row_tiles * inputs));
            }
        }
        let mut channel = 0;
        for target in targets {
            for block in 0..target.outputs / BLOCK {
                let u = target.weights[block * POSITIONS * inputs * BLOCK..].as_ptr();
                // Rows of the output that this block will be written to, a few pixels for each position.
                let share = (rows * row_tiles * OUT * OUT).div_ceil(POSITIONS);
                let (mut row, mut x) = (0, 0);
                let mut at = first / image_rows * size
                    + first % image_rows * OUT * width * target.outputs
                    + target.slot
                    + block * BLOCK;
                for position in 0..POSITIONS {
                    for _ in 0..share {
                        V::prefetch_write(arenas.as_ptr().wrapping_add(at));
                        at += target.outputs;
                        x += 1;
                        if x == width {
                            x = 0;
                            row += 1;
                            let line = first * OUT + row;
                            at = line / height * size
                                + line % height * width * target.outputs
                                + target.slot
                                + block * BLOCK;
                        }
                    }
                    // SAFETY: V and M hold `rows · row_tiles` tiles at each position, `u` one block of weights.
                    unsafe {
                        multiply::<V>(
                            rows * row_tiles,
                            inputs,
                            v.as_ptr().add(position * tiling.v_step()),
                            u.add(position * inputs * BLOCK),
                            m.as_mut_ptr().add(position * tiling.m_step()),
                        );
                    }
                }
                let statistics = &mut buffers.statistics[channel / BLOCK];
                for row in 0..rows {
                    let (image, y) = ((first + row) / image_rows, (first + row) % image_rows * OUT);
                    let to = image * size + target.slot + y * width * target.outputs + block * BLOCK;
                    // SAFETY: four rows of an output from `y` on lie in the image's arena, as checked above.
                    unsafe {
                        let from = m.as_ptr().add(row * row_tiles * BLOCK);
                        let out = arenas.as_mut_ptr().add(to);
                        match target.moments {
                            Some(_) => back::<V, true>(tiling, target.outputs, from, out, y == 0, statistics),
                            None => back::<V, false>(tiling, target.outputs, from, out, false, statistics),
                        }
                    }
                    if let Some(at) = target.moments.filter(|_| y + OUT == height) {
                        let out = &mut moments[image * stride + at + block * BLOCK..][..BLOCK];
                        out.copy_from_slice(&merged(&statistics.centre, &statistics.sums, height * width));
                    }
                }
                channel += BLOCK;
            }
        }
        first += rows;
    }
}

/// Zeros left and right of the rows that the vertical transform fills.
fn clear_borders(tiling: &Tiling, strip: &mut [f32]) {
    for row in strip.chunks_exact_mut(tiling.strip_step()) {
        row[..tiling.inputs].fill(0.0);
        row[(tiling.width + 1) * tiling.inputs..].fill(0.0);
    }
}

/// Transforms the columns of the six rows that the tiles at output row `y` read.
///
/// # Safety
/// `strip` holds six rows of the tiling's step, `zeros` one row of a map.
#[inline(always)]
unsafe fn vertical<V: Vector, const RELU: bool>(
    tiling: &Tiling,
    map: &[f32],
    y: usize,
    zeros: &[f32],
    strip: *mut f32,
) {
    let length = tiling.width * tiling.inputs;
    let mut rows = [zeros.as_ptr(); SIDE];
    for k in 0..SIDE {
        if (1..=tiling.height).contains(&(y + k)) {
            rows[k] = map[(y + k - 1) * length..].as_ptr();
        }
    }
    let to = strip.add(tiling.inputs);
    for at in (0..length).step_by(V::LANES) {
        let mut d = [V::splat(0.0); SIDE];
        for k in 0..SIDE {
            d[k] = V::load(rows[k].add(at));
            if RELU {
                d[k] = d[k].relu();
            }
        }
        let d = transform::input(d);
        for k in 0..SIDE {
            d[k].store(to.add(k * tiling.strip_step() + at));
        }
    }
}

/// Transforms the rows of a strip into one row of tiles of V.
///
/// # Safety
/// `strip` as left by [`vertical`]; V has room for a row of tiles from `v` on at each position.
#[inline(always)]
unsafe fn horizontal<V: Vector>(tiling: &Tiling, strip: *const f32, v: *mut f32) {
    let c = tiling.inputs;
    let step = tiling.v_step();
    for k in 0..SIDE {
        for tile in 0..tiling.row_tiles() {
            let from = strip.add(k * tiling.strip_step() + tile * OUT * c);
            let to = v.add(k * SIDE * step + tile * c);
            for at in (0..c).step_by(V::LANES) {
                let mut d = [V::splat(0.0); SIDE];
                for j in 0..SIDE {
                    d[j] = V::load(from.add(j * c + at));
                }
                let d = transform::input(d);
                for j in 0..SIDE {
                    d[j].store(to.add(j * step + at));
                }
            }
        }
    }
}

/// M = V·U at one position for one block of outputs.
///
/// # Safety
/// `tiles` rows of `inputs` floats from `v`, `inputs` rows of 16 from `u`, `tiles` rows of 16 from `m` must be valid.
#[inline(always)]
unsafe fn multiply<V: Vector>(tiles: usize, inputs: usize, v: *const f32, u: *const f32, m: *mut f32) {
    let mut tile = 0;
    while tile < tiles {
        let (v, m) = (v.add(tile * inputs), m.add(tile * BLOCK));
        tile += match tiles - tile {
            left if left >= 8 && V::TILES >= 8 => rows::<V, 8>(inputs, v, u, m),
            left if left >= 4 && V::TILES >= 4 => rows::<V, 4>(inputs, v, u, m),
            left if left >= 2 => rows::<V, 2>(inputs, v, u, m),
            _ => rows::<V, 1>(inputs, v, u, m),
        };
    }
}

/// R tiles of [`multiply`]; returns R.
///
/// # Safety
/// As [`multiply`].
#[inline(always)]
unsafe fn rows<V: Vector, const R: usize>(inputs: usize, v: *const f32, u: *const f32, m: *mut f32) -> usize {
    let vectors = BLOCK / V::LANES;
    let mut sums = [[V::splat(0.0); 4]; R];
    let mut i = 0;
    while i < inputs {
        for i in i..i + 8 {
            let mut us = [V::splat(0.0); 4];
            for q in 0..vectors {
                us[q] = V::load(u.add(i * BLOCK + q * V::LANES));
            }
            for r in 0..R {
                let x = V::splat(*v.add(r * inputs + i));
                for q in 0..vectors {
                    sums[r][q] = x.mul_add(us[q], sums[r][q]);
                }
            }
        }
        i += 8;
    }
    for r in 0..R {
        for q in 0..vectors {
            sums[r][q].store(m.add(r * BLOCK + q * V::LANES));
        }
    }
    R
}

/// Transforms one row of tiles back into four rows of outputs. With `MOMENTS`, adds them to `sums`; `start` says that
/// these are an image's first tiles, which choose the centre.
///
/// # Safety
/// M has a row of tiles from `m` on at each position; four rows of the output from `out` on must be valid.
#[inline(always)]
unsafe fn back<V: Vector, const MOMENTS: bool>(
    tiling: &Tiling,
    outputs: usize,
    m: *const f32,
    out: *mut f32,
    start: bool,
    statistics: &mut Statistics,
) {
    let Statistics { centre, sums } = statistics;
    let step = tiling.m_step();
    for tile in 0..tiling.row_tiles() {
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
                    result[y][x].store(out.add((y * tiling.width + x) * outputs));
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
