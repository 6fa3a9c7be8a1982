//! [`super::gradient`] by tiles, for 3×3 convolutions of stride 1.
//!
//! The loss's change is Σ (G w Gᵀ)·(Bᵀ x B)·(A d Aᵀ) over positions and tiles, linear in w: the gradient of a kernel is
//! Gᵀ (·) G of the sums of V·E over the tiles, with V = Bᵀ x B and E = A d Aᵀ ([`crate::cpu::winograd`]). Every weight's 36
//! positions are multiplied once a tile, a quarter of the direct sums' 9 × 16 products, and transformed while they are in
//! registers.

use super::logs::{self, Scale, Sums};
use crate::cpu::scratch::Buffer;
use crate::cpu::simd::{kernels, Vector, BLOCK};
use crate::cpu::winograd::rows::{self, Cut};
use crate::cpu::winograd::transform::{self, OUT, POSITIONS, SIDE};
use crate::cpu::winograd::{Tiling, SKEW};

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

    /// A map of `channels`, all its tiles in one block.
    fn cut(&self, channels: usize) -> Cut {
        Cut { height: self.height, width: self.width, channels, step: self.tiles() * channels + SKEW }
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
    let (of_inputs, of_outputs) = (sides.cut(inputs), sides.cut(outputs));
    let (v, e) = (buffers.v.grown(POSITIONS * of_inputs.step), buffers.e.grown(POSITIONS * of_outputs.step));
    // SAFETY: V and E hold all tiles at each position; maps and weights were checked above.
    unsafe {
        for row in 0..height / OUT {
            let tile = row * (width / OUT);
            rows::inputs::<V, false>(&of_inputs, source, row * OUT, zeros, v.as_mut_ptr().add(tile * inputs));
            let d = d.as_ptr().add(row * OUT * width * outputs);
            rows::gradients::<V>(&of_outputs, d, None, e.as_mut_ptr().add(tile * outputs));
        }
        for block in 0..outputs / BLOCK {
            let e = e.as_ptr().add(block * BLOCK);
            let w = weights.as_ptr().add(block * TAPS * inputs * BLOCK);
            let mut i = 0;
            while i < inputs {
                let (v, w) = (v.as_ptr().add(i), w.add(i * BLOCK));
                i += match BLOCK / V::LANES {
                    1 => kernels_of::<V, 1, 4>(sides, v, e, w, scale, sums),
                    2 => kernels_of::<V, 2, 1>(sides, v, e, w, scale, sums),
                    _ => kernels_of::<V, 4, 1>(sides, v, e, w, scale, sums),
                };
            }
        }
    }
}

/// The kernels of I inputs × one block of outputs, Q vectors; returns I. A row of six positions is in registers at a time.
///
/// # Safety
/// V and E hold all tiles from `v` and `e` on at each position, for I inputs and 16 outputs; I blocks must be valid from `w` on
/// at each tap.
#[inline(always)]
unsafe fn kernels_of<V: Vector, const Q: usize, const I: usize>(
    sides: &Sides,
    v: *const f32,
    e: *const f32,
    w: *const f32,
    scale: &Scale,
    sums: &mut Sums,
) -> usize {
    let Sides { inputs, outputs, .. } = *sides;
    let (v_step, e_step) = (sides.cut(inputs).step, sides.cut(outputs).step);
    let mut half = [[[[V::splat(0.0); SIDE]; Q]; 3]; I];
    for k in 0..SIDE {
        let mut products = [[[V::splat(0.0); SIDE]; Q]; I];
        for tile in 0..sides.tiles() {
            for j in 0..SIDE {
                let (v, e) = (v.add((k * SIDE + j) * v_step + tile * inputs), e.add((k * SIDE + j) * e_step));
                for q in 0..Q {
                    let e = V::load(e.add(tile * outputs + q * V::LANES));
                    for i in 0..I {
                        products[i][q][j] = V::splat(*v.add(i)).mul_add(e, products[i][q][j]);
                    }
                }
            }
        }
        for i in 0..I {
            for q in 0..Q {
                let row = transform::kernel_gradient(products[i][q]);
                for x in 0..3 {
                    half[i][x][q][k] = row[x];
                }
            }
        }
    }
    for i in 0..I {
        let mut gradients = [[V::splat(0.0); Q]; TAPS];
        let mut at = [w; TAPS];
        for x in 0..3 {
            for q in 0..Q {
                let column = transform::kernel_gradient(half[i][x][q]);
                for y in 0..3 {
                    gradients[y * 3 + x][q] = column[y];
                }
            }
        }
        for tap in 0..TAPS {
            at[tap] = w.add((tap * inputs + i) * BLOCK);
        }
        logs::add::<V, Q, TAPS>(sums, scale, &gradients, at);
    }
    I
}

#[cfg(test)]
mod tests {
    use super::super::gradient;
    use super::*;
    use crate::cpu::conv::Geometry;
    use crate::cpu::layout::{pack_forward, padded_len};
    use crate::cpu::maps::spread;
    use crate::cpu::simd::Isa;
    use crate::random::Stream;

    /// The sums in f64, from `[height][width][channels]` and `[out][in][3][3]`.
    fn expected(sides: &Sides, source: &[f32], d: &[f32], w: &[f32], exponent: i32) -> [f64; 3] {
        let Sides { height, width, inputs, outputs } = *sides;
        let mut g = vec![0.0f64; w.len()];
        for (y, x) in (0..height * width).map(|at| (at / width, at % width)) {
            for tap in 0..TAPS {
                let (sy, sx) = (y + tap / 3, x + tap % 3);
                if !(1..=height).contains(&sy) || !(1..=width).contains(&sx) {
                    continue;
                }
                for i in 0..inputs {
                    let s = f64::from(source[((sy - 1) * width + sx - 1) * inputs + i]);
                    for o in 0..outputs {
                        g[(o * inputs + i) * TAPS + tap] += s * f64::from(d[(y * width + x) * outputs + o]);
                    }
                }
            }
        }
        let mut sums = [0.0; 3];
        for (w, g) in w.iter().zip(&g) {
            let (w, g) = (f64::from(*w), libm::scalbn(*g, exponent));
            sums[0] += w * g;
            sums[1] += w * libm::log(g + logs::REFERENCE).abs();
            sums[2] += w * libm::log1p(g);
        }
        sums
    }

    #[test]
    fn sums_by_tiles_and_directly_are_those_of_f64() {
        let mut stream = Stream::new(std::process::id().into(), &[23]);
        for (height, width, inputs, outputs) in [(8, 8, 16, 32), (4, 4, 32, 16), (16, 12, 16, 16), (4, 20, 48, 16)] {
            let mut random = |n: usize| -> Vec<f32> { (0..n).map(|_| stream.unit() as f32).collect() };
            let sides = Sides { height, width, inputs, outputs };
            let (source, d) = (random(height * width * inputs), random(height * width * outputs));
            let w = random(outputs * inputs * TAPS);
            let packed = pack_forward(&w, [outputs, inputs, 3, 3], inputs);
            let mut padded = vec![f32::NAN; padded_len(height, width, inputs)];
            spread(&source, (height, width), 1, inputs, &mut padded);
            let (geometry, start) = Geometry::over_padded(3, 1, inputs, (height, width), outputs);
            for exponent in [-20, 0, 50, 180] {
                let truth = expected(&sides, &source, &d, &w, exponent);
                let scale = Scale::new(exponent);
                for isa in Isa::available() {
                    let mut by_tiles = Sums::new();
                    // Buffers that hold another size.
                    let mut buffers = Buffers::default();
                    buffers.v.grown(1 << 16).fill(f32::NAN);
                    buffers.e.grown(1 << 16).fill(f32::NAN);
                    weight_sums(isa, &sides, &source, &d, &packed, &scale, &mut by_tiles, &mut buffers);
                    let mut directly = Sums::new();
                    gradient::weight_sums(isa, &geometry, &padded[start..], &d, &packed, &scale, &mut directly);
                    for sums in [by_tiles, directly] {
                        for (ours, truth) in sums.total(&scale, 0).into_iter().zip(truth) {
                            let off = (ours / truth - 1.0).abs();
                            assert!(off < 2e-6, "{isa:?} {height}×{width} 2^{exponent}: {ours} {truth}");
                        }
                    }
                }
            }
        }
    }
}
