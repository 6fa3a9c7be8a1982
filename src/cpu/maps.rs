//! Passes over maps of one image: sums of terms, ReLU, averages and their adjoints, codes.
//!
//! All maps are `[h][w][c]` with c a multiple of 16; slices of channels (`scale`, `shift`) have c elements. Each pass reads
//! and writes its maps once and is bound by memory.

use super::simd::{kernels, Vector, BLOCK};

/// A slice in blocks of 16.
fn blocks(map: &[f32]) -> &[[f32; BLOCK]] {
    map.as_chunks().0
}

fn blocks_mut(map: &mut [f32]) -> &mut [[f32; BLOCK]] {
    map.as_chunks_mut().0
}

/// `out[i] = f(out[i], inputs[0][i], …)`, a register at a time over one block.
///
/// The operations in `f` need V's instruction set: every caller here is a body that is compiled for it. Written with
/// vectors and not left to the compiler, which for AVX-512 makes loops over blocks ten times slower.
#[inline(always)]
fn each<V: Vector, const N: usize>(out: &mut [f32; BLOCK], inputs: [&[f32; BLOCK]; N], f: impl Fn(V, [V; N]) -> V) {
    for q in 0..BLOCK / V::LANES {
        let at = q * V::LANES;
        // SAFETY: a block has 16 floats, so that LANES of them are there from q·LANES on; compiled for V's set.
        unsafe {
            let inputs = inputs.map(|input| V::load(input.as_ptr().add(at)));
            let to = out.as_mut_ptr().add(at);
            f(V::load(to), inputs).store(to);
        }
    }
}

kernels! {
    /// Every pixel of `out` becomes `shift`.
    pub fn fill(out: &mut [f32], shift: &[f32]) = fill_body;
    /// `out += scale · raw`, scale by channel.
    pub fn add_scaled(out: &mut [f32], raw: &[f32], scale: &[f32]) = add_scaled_body;
    /// `out += other`.
    pub fn add(out: &mut [f32], other: &[f32]) = add_body;
    /// ReLU of a map into a padded map, border included.
    pub fn relu_padded(value: &[f32], size: (usize, usize), padded: &mut [f32]) = relu_padded_body;
    /// The 2×2 average of a map into a padded map of half the size, border included.
    pub fn average_padded(value: &[f32], size: (usize, usize), padded: &mut [f32]) = average_padded_body;
    /// ReLU of a map into another.
    pub fn relu(value: &[f32], out: &mut [f32]) = relu_body;
    /// ReLU of a map.
    pub fn relu_in_place(value: &mut [f32]) = relu_in_place_body;
    /// The adjoint of the 2×2 average: `out` of the full size, `d` of half of it.
    pub fn add_average_adjoint(out: &mut [f32], d: &[f32], size: (usize, usize)) = add_average_adjoint_body;
}

#[inline(always)]
fn fill_body<V: Vector>(out: &mut [f32], shift: &[f32]) {
    for pixel in out.chunks_exact_mut(shift.len()) {
        pixel.copy_from_slice(shift);
    }
}

#[inline(always)]
fn add_scaled_body<V: Vector>(out: &mut [f32], raw: &[f32], scale: &[f32]) {
    let c = scale.len();
    for (out, raw) in out.chunks_exact_mut(c).zip(raw.chunks_exact(c)) {
        for ((out, raw), scale) in blocks_mut(out).iter_mut().zip(blocks(raw)).zip(blocks(scale)) {
            // SAFETY: compiled for V's instruction set, as all bodies of `kernels!`.
            each::<V, 2>(out, [raw, scale], |out, [raw, scale]| unsafe { out.add(raw.mul(scale)) });
        }
    }
}

#[inline(always)]
fn add_body<V: Vector>(out: &mut [f32], other: &[f32]) {
    for (out, other) in blocks_mut(out).iter_mut().zip(blocks(other)) {
        // SAFETY: compiled for V's instruction set, as all bodies of `kernels!`.
        each::<V, 1>(out, [other], |out, [other]| unsafe { out.add(other) });
    }
}

/// Zeroes the border of a padded map and hands out its rows of `width` inner pixels.
pub fn inner_rows(padded: &mut [f32], (h, w): (usize, usize), c: usize) -> impl Iterator<Item = &mut [f32]> {
    let row = (w + 2) * c;
    let (top, rest) = padded.split_at_mut(row);
    let (middle, bottom) = rest.split_at_mut(h * row);
    top.fill(0.0);
    bottom[..row].fill(0.0);
    middle.chunks_exact_mut(row).map(move |row| {
        row[..c].fill(0.0);
        row[(w + 1) * c..].fill(0.0);
        &mut row[c..(w + 1) * c]
    })
}

/// A map into a padded map of `stride` times its size, its pixels at multiples of the stride, zeros between.
pub fn spread(map: &[f32], (height, width): (usize, usize), stride: usize, channels: usize, padded: &mut [f32]) {
    let size = (height * stride, width * stride);
    for (y, row) in inner_rows(padded, size, channels).enumerate() {
        if stride == 1 {
            row.copy_from_slice(&map[y * width * channels..][..width * channels]);
            continue;
        }
        row.fill(0.0);
        if y % stride == 0 {
            let from = map[y / stride * width * channels..].chunks_exact(channels);
            for (to, from) in row.chunks_exact_mut(channels).step_by(stride).zip(from) {
                to.copy_from_slice(from);
            }
        }
    }
}

#[inline(always)]
fn relu_padded_body<V: Vector>(value: &[f32], size: (usize, usize), padded: &mut [f32]) {
    let (h, w) = size;
    let c = value.len() / (h * w);
    for (to, from) in inner_rows(padded, size, c).zip(value.chunks_exact(w * c)) {
        for (to, from) in blocks_mut(to).iter_mut().zip(blocks(from)) {
            // SAFETY: compiled for V's instruction set, as all bodies of `kernels!`.
            each::<V, 1>(to, [from], |_, [from]| unsafe { from.relu() });
        }
    }
}

#[inline(always)]
fn relu_body<V: Vector>(value: &[f32], out: &mut [f32]) {
    for (to, from) in blocks_mut(out).iter_mut().zip(blocks(value)) {
        // SAFETY: compiled for V's instruction set, as all bodies of `kernels!`.
        each::<V, 1>(to, [from], |_, [from]| unsafe { from.relu() });
    }
}

#[inline(always)]
fn relu_in_place_body<V: Vector>(value: &mut [f32]) {
    for block in blocks_mut(value) {
        // SAFETY: compiled for V's instruction set, as all bodies of `kernels!`.
        each::<V, 0>(block, [], |x, []| unsafe { x.relu() });
    }
}

#[inline(always)]
fn average_padded_body<V: Vector>(value: &[f32], size: (usize, usize), padded: &mut [f32]) {
    let (h, w) = size;
    let c = value.len() / (h * w);
    for (y, to) in inner_rows(padded, (h / 2, w / 2), c).enumerate() {
        for (x, to) in to.chunks_exact_mut(c).enumerate() {
            let at = |dy: usize, dx: usize| blocks(&value[((2 * y + dy) * w + 2 * x + dx) * c..][..c]);
            let (p, q, r, s) = (at(0, 0), at(0, 1), at(1, 0), at(1, 1));
            for (b, to) in blocks_mut(to).iter_mut().enumerate() {
                // SAFETY: compiled for V's instruction set, as all bodies of `kernels!`.
                each::<V, 4>(to, [&p[b], &q[b], &r[b], &s[b]], |_, [p, q, r, s]| unsafe {
                    p.add(q).add(r.add(s)).mul(V::splat(0.25))
                });
            }
        }
    }
}

#[inline(always)]
fn add_average_adjoint_body<V: Vector>(out: &mut [f32], d: &[f32], size: (usize, usize)) {
    let (h, w) = size;
    let c = out.len() / (h * w);
    for (y, out) in out.chunks_exact_mut(w * c).enumerate() {
        for (x, out) in out.chunks_exact_mut(c).enumerate() {
            let from = &d[(y / 2 * (w / 2) + x / 2) * c..][..c];
            for (out, from) in blocks_mut(out).iter_mut().zip(blocks(from)) {
                // SAFETY: compiled for V's instruction set, as all bodies of `kernels!`.
                each::<V, 1>(out, [from], |out, [from]| unsafe { out.add(from.mul(V::splat(0.25))) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::padded_len;
    use super::super::simd::Isa;
    use super::*;
    use crate::random::Stream;

    const C: usize = 32;

    fn random(n: usize, key: u64) -> Vec<f32> {
        let mut stream = Stream::new(std::process::id().into(), &[key]);
        (0..n).map(|_| stream.symmetric(1.0)).collect()
    }

    fn inner(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    }

    #[test]
    fn adjoints_are_adjoint() {
        for isa in Isa::available() {
            let size = (6, 10);
            let n = size.0 * size.1 * C;
            let x = random(n, 2);
            let y = random(n / 4, 4);
            let mut padded = vec![f32::NAN; padded_len(3, 5, C)];
            average_padded(isa, &x, size, &mut padded);
            let ax: Vec<f32> = inner_rows(&mut padded, (3, 5), C).flat_map(|row| row.to_vec()).collect();
            let mut ay = vec![0.0; n];
            add_average_adjoint(isa, &mut ay, &y, size);
            assert!((inner(&ax, &y) - inner(&x, &ay)).abs() < 1e-4);
        }
    }
}
