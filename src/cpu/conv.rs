//! Direct convolution: forward, data gradient (the same with turned weights), weight gradient.
//!
//! Forward holds `PIXELS` output pixels × 16 output channels in registers and runs along the kernel's row and the input
//! channels, which are consecutive in memory. With AVX2 a step is 2 loads of weights, 4 broadcast loads and 8 fused
//! multiply-adds of 8 floats: 4 cycles of arithmetic beside 3 of loads on a core with two of each per cycle. With AVX-512 it is 1
//! load, 16 broadcast loads and 16 multiply-adds for a single block of channels, 8 cycles beside 8.5; two blocks beside 8 pixels
//! take 2 + 8 loads, 8 cycles beside 5. Bytes per output pixel: 4·k²·C_in read from L1 or L2, 4·C_out written.
//!
//! The weight gradient holds inputs × outputs likewise and runs along the pixels of an image: the same ratios.

use super::simd::{kernels, Vector, BLOCK};

/// Where a convolution reads, and what it gives.
pub struct Geometry {
    /// Floats between rows of the source.
    pub row: usize,
    /// Floats between source pixels of neighbouring outputs: stride × channels.
    pub step: usize,
    /// Source rows between output rows.
    pub stride: usize,
    /// Rows of the kernel.
    pub kernel: usize,
    /// Consecutive floats in a kernel's row: kernel × channels of the source.
    pub run: usize,
    /// Output rows.
    pub height: usize,
    /// Output pixels in a row.
    pub width: usize,
    /// Output channels, a multiple of 16.
    pub outputs: usize,
}

impl Geometry {
    /// A convolution over a padded map of `channels`, whose border is one pixel. `(height, width)` is the output's size.
    /// Returns the offset of the first source pixel too.
    pub fn over_padded(
        kernel: usize,
        stride: usize,
        channels: usize,
        (height, width): (usize, usize),
        outputs: usize,
    ) -> (Geometry, usize) {
        let row = (width * stride + 2) * channels;
        let geometry =
            Geometry { row, step: stride * channels, stride, kernel, run: kernel * channels, height, width, outputs };
        (geometry, if kernel == 1 { row + channels } else { 0 })
    }

    /// A 1×1 convolution of `pixels` from a map without border.
    pub fn pointwise(pixels: usize, channels: usize, outputs: usize) -> Geometry {
        let row = pixels * channels;
        Geometry { row, step: channels, stride: 1, kernel: 1, run: channels, height: 1, width: pixels, outputs }
    }

    /// Floats of the source from its first pixel on.
    pub fn source_len(&self) -> usize {
        ((self.height - 1) * self.stride + self.kernel - 1) * self.row + (self.width - 1) * self.step + self.run
    }

    /// Floats of the packed weights.
    pub fn weight_len(&self) -> usize {
        self.outputs * self.kernel * self.run
    }
}

kernels! {
    /// `out[y][x][o] = Σ weights · source`, over one image. `out` is `[height][width][outputs]`, fully overwritten.
    pub fn forward(g: &Geometry, source: &[f32], weights: &[f32], out: &mut [f32]) = forward_body;
    /// `dw += source ⊗ d` over one image: `d` is `[height][width][outputs]`, `dw` lies like the packed weights.
    pub fn weight_gradient(g: &Geometry, source: &[f32], d: &[f32], dw: &mut [f32]) = weight_gradient_body;
}

#[inline(always)]
fn forward_body<V: Vector>(g: &Geometry, source: &[f32], weights: &[f32], out: &mut [f32]) {
    assert!(source.len() >= g.source_len() && weights.len() == g.weight_len());
    assert!(out.len() == g.height * g.width * g.outputs && g.outputs.is_multiple_of(BLOCK));
    let blocks = g.outputs / BLOCK;
    let mut block = 0;
    while block < blocks {
        block += match V::PAIRS && block + 1 < blocks {
            true => forward_blocks::<V, 2>(g, block, source, weights, out),
            false => forward_blocks::<V, 1>(g, block, source, weights, out),
        };
    }
}

/// B blocks of channels from `block` on, of all pixels; returns B.
#[inline(always)]
fn forward_blocks<V: Vector, const B: usize>(
    g: &Geometry,
    block: usize,
    source: &[f32],
    weights: &[f32],
    out: &mut [f32],
) -> usize {
    let w = weights[block * g.kernel * g.run * BLOCK..][..B * g.kernel * g.run * BLOCK].as_ptr();
    let most = V::PIXELS / B;
    for y in 0..g.height {
        let mut x = 0;
        while x < g.width {
            let from = source[y * g.stride * g.row + x * g.step..].as_ptr();
            let to = out[(y * g.width + x) * g.outputs + block * BLOCK..].as_mut_ptr();
            // SAFETY: the pixels x .. x + P lie inside the row, so every read ends before `source_len`, every write
            // before the end of `out`; both were checked by the caller, and `w` holds B blocks of weights.
            x += unsafe {
                match g.width - x {
                    left if left >= 16 && most >= 16 => tile::<V, B, 16>(g, from, w, to),
                    left if left >= 8 && most >= 8 => tile::<V, B, 8>(g, from, w, to),
                    left if left >= 4 && most >= 4 => tile::<V, B, 4>(g, from, w, to),
                    left if left >= 2 => tile::<V, B, 2>(g, from, w, to),
                    _ => tile::<V, B, 1>(g, from, w, to),
                }
            };
        }
    }
    B
}

/// B blocks of channels of P neighbouring pixels; returns P.
///
/// # Safety
/// P pixels of source and output must be valid from `from` and `to` on, and B blocks of packed weights from `w`.
#[inline(always)]
unsafe fn tile<V: Vector, const B: usize, const P: usize>(
    g: &Geometry,
    from: *const f32,
    w: *const f32,
    to: *mut f32,
) -> usize {
    let vectors = BLOCK / V::LANES;
    let apart = g.kernel * g.run * BLOCK;
    let mut sums = [[[V::splat(0.0); 4]; B]; P];
    for ky in 0..g.kernel {
        let from = from.add(ky * g.row);
        let w = w.add(ky * g.run * BLOCK);
        for i in 0..g.run {
            let mut ws = [[V::splat(0.0); 4]; B];
            for b in 0..B {
                for q in 0..vectors {
                    ws[b][q] = V::load(w.add(b * apart + i * BLOCK + q * V::LANES));
                }
            }
            for p in 0..P {
                let x = V::splat(*from.add(p * g.step + i));
                for b in 0..B {
                    for q in 0..vectors {
                        sums[p][b][q] = x.mul_add(ws[b][q], sums[p][b][q]);
                    }
                }
            }
        }
    }
    for p in 0..P {
        for b in 0..B {
            for q in 0..vectors {
                sums[p][b][q].store(to.add(p * g.outputs + b * BLOCK + q * V::LANES));
            }
        }
    }
    P
}

#[inline(always)]
fn weight_gradient_body<V: Vector>(g: &Geometry, source: &[f32], d: &[f32], dw: &mut [f32]) {
    assert!(source.len() >= g.source_len() && dw.len() == g.weight_len());
    assert!(d.len() == g.height * g.width * g.outputs && g.outputs.is_multiple_of(BLOCK));
    let blocks = g.outputs / BLOCK;
    let mut block = 0;
    while block < blocks {
        let pair = V::PAIRS && block + 1 < blocks;
        block += match BLOCK / V::LANES {
            1 if pair => gradient::<V, 2>(g, block, source, d, dw),
            1 => gradient::<V, 1>(g, block, source, d, dw),
            2 => gradient::<V, 2>(g, block, source, d, dw),
            _ => gradient::<V, 4>(g, block, source, d, dw),
        };
    }
}

/// Adds the gradient of as many blocks of outputs from `block` on as fill Q vectors; returns their number.
#[inline(always)]
fn gradient<V: Vector, const Q: usize>(g: &Geometry, block: usize, source: &[f32], d: &[f32], dw: &mut [f32]) -> usize {
    let blocks = Q * V::LANES / BLOCK;
    let most = V::PIXELS / blocks;
    let d = d[block * BLOCK..].as_ptr();
    let dw = &mut dw[block * g.kernel * g.run * BLOCK..][..blocks * g.kernel * g.run * BLOCK];
    for ky in 0..g.kernel {
        let mut i = 0;
        while i < g.run {
            let from = source[ky * g.row + i..].as_ptr();
            let to = dw[(ky * g.run + i) * BLOCK..].as_mut_ptr();
            // SAFETY: the inputs i .. i + I lie inside the run, so that every read ends before `source_len`; `d` was checked
            // by the caller, and `dw` holds these blocks.
            i += unsafe {
                match g.run - i {
                    left if left >= 16 && most >= 16 => tap::<V, Q, 16>(g, from, d, to),
                    left if left >= 8 && most >= 8 => tap::<V, Q, 8>(g, from, d, to),
                    left if left >= 4 && most >= 4 => tap::<V, Q, 4>(g, from, d, to),
                    left if left >= 2 => tap::<V, Q, 2>(g, from, d, to),
                    _ => tap::<V, Q, 1>(g, from, d, to),
                }
            };
        }
    }
    blocks
}

/// Adds the gradient of I inputs × Q vectors of outputs over all pixels; returns I.
///
/// # Safety
/// As [`outer_products`]; I blocks from `to` must be valid, and as many in each block of weights that the vectors fill.
#[inline(always)]
unsafe fn tap<V: Vector, const Q: usize, const I: usize>(
    g: &Geometry,
    from: *const f32,
    d: *const f32,
    to: *mut f32,
) -> usize {
    let sums = outer_products::<V, Q, I>(g, from, d);
    let one = V::splat(1.0);
    for q in 0..Q {
        let (block, place) = (q * V::LANES / BLOCK, q * V::LANES % BLOCK);
        for i in 0..I {
            let at = to.add((block * g.kernel * g.run + i) * BLOCK + place);
            sums[i][q].mul_add(one, V::load(at)).store(at);
        }
    }
    I
}

/// The gradient of I inputs × Q vectors of neighbouring outputs, over all pixels.
///
/// # Safety
/// All pixels of `d`, and the inputs that they read from `from`, must be valid.
#[inline(always)]
pub unsafe fn outer_products<V: Vector, const Q: usize, const I: usize>(
    g: &Geometry,
    from: *const f32,
    d: *const f32,
) -> [[V; Q]; I] {
    let mut sums = [[V::splat(0.0); Q]; I];
    for y in 0..g.height {
        let from = from.add(y * g.stride * g.row);
        let d = d.add(y * g.width * g.outputs);
        for x in 0..g.width {
            let mut ds = [V::splat(0.0); Q];
            for q in 0..Q {
                ds[q] = V::load(d.add(x * g.outputs + q * V::LANES));
            }
            for i in 0..I {
                let s = V::splat(*from.add(x * g.step + i));
                for q in 0..Q {
                    sums[i][q] = s.mul_add(ds[q], sums[i][q]);
                }
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::super::layout::{pack_backward, pack_forward, padded_channels, padded_len};
    use super::super::maps::{inner_rows, relu_padded, spread};
    use super::super::simd::Isa;
    use super::*;
    use crate::random::Stream;

    /// One convolution of random numbers, its sizes, and plain f64 loops over it.
    struct Case {
        kernel: usize,
        stride: usize,
        inputs: usize,
        outputs: usize,
        size: (usize, usize),
        source: Vec<f32>,
        weights: Vec<f32>,
        d: Vec<f32>,
    }

    impl Case {
        fn new(kernel: usize, stride: usize, inputs: usize, outputs: usize, size: (usize, usize)) -> Case {
            let mut stream = Stream::new(std::process::id().into(), &[kernel as u64, size.1 as u64]);
            let mut random = |n: usize| -> Vec<f32> { (0..n).map(|_| stream.symmetric(1.0)).collect() };
            let (h, w) = size;
            Case {
                kernel,
                stride,
                inputs,
                outputs,
                size,
                source: random(h * stride * w * stride * inputs),
                weights: random(outputs * inputs * kernel * kernel),
                d: random(h * w * outputs),
            }
        }

        /// Calls `visit(source, weight, output)` with the positions of each product.
        fn products(&self, mut visit: impl FnMut(usize, usize, usize)) {
            let (h, w) = self.size;
            let (hs, ws, k) = (h * self.stride, w * self.stride, self.kernel);
            for y in 0..h * w {
                let (y, x) = (y / w, y % w);
                for t in 0..k * k {
                    let (sy, sx) = (y * self.stride + t / k, x * self.stride + t % k);
                    let inside = (k / 2..hs + k / 2).contains(&sy) && (k / 2..ws + k / 2).contains(&sx);
                    for (o, i) in (0..self.outputs * self.inputs).map(|oi| (oi / self.inputs, oi % self.inputs)) {
                        if inside {
                            let source = ((sy - k / 2) * ws + sx - k / 2) * self.inputs + i;
                            visit(source, (o * self.inputs + i) * k * k + t, (y * w + x) * self.outputs + o);
                        }
                    }
                }
            }
        }

        fn padded(&self) -> Vec<f32> {
            let size = (self.size.0 * self.stride, self.size.1 * self.stride);
            let mut padded = vec![f32::NAN; padded_len(size.0, size.1, self.inputs)];
            let rows = inner_rows(&mut padded, size, self.inputs);
            rows.zip(self.source.chunks_exact(size.1 * self.inputs)).for_each(|(to, from)| to.copy_from_slice(from));
            padded
        }

        fn geometry(&self) -> (Geometry, usize) {
            Geometry::over_padded(self.kernel, self.stride, self.inputs, self.size, self.outputs)
        }
    }

    fn cases() -> Vec<Case> {
        let mut cases = Vec::new();
        for (kernel, stride) in [(3, 1), (1, 1), (3, 2)] {
            for size in [(4, 32), (3, 16), (8, 8), (4, 4), (2, 2), (1, 1), (2, 7), (5, 13)] {
                cases.push(Case::new(kernel, stride, 16, 32, size));
            }
            cases.push(Case::new(kernel, stride, 64, 48, (2, 9)));
        }
        cases
    }

    #[track_caller]
    fn close(found: &[f32], expected: &[f64], terms: usize) {
        assert_eq!(found.len(), expected.len());
        let bound = 1e-7 * terms as f64;
        for (at, (x, y)) in found.iter().zip(expected).enumerate() {
            assert!((f64::from(*x) - y).abs() <= bound, "element {at}: {x} instead of {y}");
        }
    }

    #[test]
    fn forward_is_its_definition() {
        for case in cases() {
            let mut expected = vec![0.0f64; case.d.len()];
            case.products(|s, w, o| expected[o] += f64::from(case.source[s]) * f64::from(case.weights[w]));
            let shape = [case.outputs, case.inputs, case.kernel, case.kernel];
            let packed = pack_forward(&case.weights, shape, case.inputs);
            let (geometry, start) = case.geometry();
            for isa in Isa::available() {
                let mut out = vec![f32::NAN; case.d.len()];
                forward(isa, &geometry, &case.padded()[start..], &packed, &mut out);
                close(&out, &expected, 9 * case.inputs);
            }
        }
    }

    #[test]
    fn data_gradient_is_the_adjoint() {
        for case in cases() {
            let mut expected = vec![0.0f64; case.source.len()];
            case.products(|s, w, o| expected[s] += f64::from(case.d[o]) * f64::from(case.weights[w]));
            let shape = [case.outputs, case.inputs, case.kernel, case.kernel];
            let packed = pack_forward(&case.weights, shape, case.inputs);
            let mut turned = vec![f32::NAN; packed.len()];
            pack_backward(&packed, case.outputs, case.inputs, case.kernel, &mut turned);
            let size = (case.size.0 * case.stride, case.size.1 * case.stride);
            let mut spaced = vec![f32::NAN; padded_len(size.0, size.1, case.outputs)];
            spread(&case.d, case.size, case.stride, case.outputs, &mut spaced);
            let (geometry, start) = Geometry::over_padded(case.kernel, 1, case.outputs, size, case.inputs);
            for isa in Isa::available() {
                let mut out = vec![f32::NAN; case.source.len()];
                forward(isa, &geometry, &spaced[start..], &turned, &mut out);
                close(&out, &expected, 9 * case.outputs);
            }
        }
    }

    #[test]
    fn weight_gradient_is_its_definition_and_adds() {
        for case in cases() {
            let mut expected = vec![0.0f64; case.weights.len()];
            case.products(|s, w, o| expected[w] += f64::from(case.d[o]) * f64::from(case.source[s]));
            let shape = [case.outputs, case.inputs, case.kernel, case.kernel];
            let expected: Vec<f32> = expected.iter().map(|g| *g as f32 + 0.5).collect();
            let expected = pack_forward(&expected, shape, case.inputs);
            let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
            let (geometry, start) = case.geometry();
            for isa in Isa::available() {
                let mut dw = vec![0.5; expected.len()];
                weight_gradient(isa, &geometry, &case.padded()[start..], &case.d, &mut dw);
                close(&dw, &expected, case.size.0 * case.size.1 + 20);
            }
        }
    }

    #[test]
    fn fused_sets_give_equal_bits() {
        let case = Case::new(3, 1, 32, 32, (16, 16));
        let packed = pack_forward(&case.weights, [32, 32, 3, 3], padded_channels(32));
        let (geometry, start) = case.geometry();
        let mut results = Vec::new();
        for isa in Isa::available().into_iter().filter(|isa| *isa != Isa::Portable) {
            let mut out = vec![f32::NAN; case.d.len()];
            forward(isa, &geometry, &case.padded()[start..], &packed, &mut out);
            let mut dw = vec![0.0; packed.len()];
            weight_gradient(isa, &geometry, &case.padded()[start..], &case.d, &mut dw);
            results.push((out, dw));
        }
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn relu_before_a_convolution_clears_the_border() {
        let mut padded = vec![f32::NAN; padded_len(3, 5, 16)];
        let map: Vec<f32> = (0..3 * 5 * 16).map(|i| if i % 3 == 0 { -1.0 } else { i as f32 }).collect();
        relu_padded(Isa::detect(), &map, (3, 5), &mut padded);
        assert!(padded.iter().all(|x| *x >= 0.0));
        let (kept, sum) = (map.iter().filter(|x| **x > 0.0).sum::<f32>(), padded.iter().sum::<f32>());
        assert_eq!(kept, sum);
    }
}
