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
    /// `out += average of other over 3×3`, the divisor counting the pixels inside. `columns` holds (width+2)·c floats.
    pub fn add_pool(out: &mut [f32], other: &[f32], size: (usize, usize), columns: &mut [f32]) = add_pool_body;
    /// The adjoint of [`add_pool`]: `out` of the pool's source, `d` of its result.
    pub fn add_pool_adjoint(out: &mut [f32], d: &[f32], size: (usize, usize), columns: &mut [f32]) = add_pool_adjoint_body;
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
            each::<V, 2>(out, [raw, scale], |out, [raw, scale]| unsafe { out.add(raw.mul(scale)) });
        }
    }
}

#[inline(always)]
fn add_body<V: Vector>(out: &mut [f32], other: &[f32]) {
    for (out, other) in blocks_mut(out).iter_mut().zip(blocks(other)) {
        each::<V, 1>(out, [other], |out, [other]| unsafe { out.add(other) });
    }
}

/// Pixels of a window of three that lie inside.
fn inside(at: usize, size: usize) -> usize {
    1 + usize::from(at > 0) + usize::from(at + 1 < size)
}

/// `columns[x] = Σ weight(row)·rows`, over the up to three rows around `y`; the border columns are zero.
#[inline(always)]
fn sum_rows<V: Vector>(
    map: &[f32],
    (h, w): (usize, usize),
    c: usize,
    y: usize,
    columns: &mut [f32],
    weight: impl Fn(usize) -> f32,
) {
    let (first, last) = (y.saturating_sub(1), (y + 1).min(h - 1));
    columns[..c].fill(0.0);
    columns[(w + 1) * c..].fill(0.0);
    let columns = &mut columns[c..(w + 1) * c];
    for row in first..=last {
        let weight = weight(row);
        let from = map[row * w * c..][..w * c].as_chunks::<BLOCK>().0;
        for (sum, from) in columns.as_chunks_mut::<BLOCK>().0.iter_mut().zip(from) {
            each::<V, 1>(sum, [from], |sum, [from]| unsafe {
                let from = from.mul(V::splat(weight));
                if row == first {
                    from
                } else {
                    sum.add(from)
                }
            });
        }
    }
}

/// `out[x] += weight(x) · (columns[x−1] + columns[x] + columns[x+1])` for one row.
#[inline(always)]
fn add_columns<V: Vector>(out: &mut [f32], c: usize, columns: &[f32], weight: impl Fn(usize) -> f32) {
    let per_pixel = c / BLOCK;
    let columns = columns.as_chunks::<BLOCK>().0;
    for (x, out) in out.chunks_exact_mut(c).enumerate() {
        let weight = weight(x);
        for (b, out) in blocks_mut(out).iter_mut().enumerate() {
            let [l, m, r] = [0, 1, 2].map(|k| &columns[(x + k) * per_pixel + b]);
            each::<V, 3>(out, [l, m, r], |out, [l, m, r]| unsafe { out.add(l.add(m).add(r).mul(V::splat(weight))) });
        }
    }
}

/// 1/(pixels of a window that lie inside).
const SHARE: [f32; 10] =
    [0.0, 1.0, 1.0 / 2.0, 1.0 / 3.0, 1.0 / 4.0, 1.0 / 5.0, 1.0 / 6.0, 1.0 / 7.0, 1.0 / 8.0, 1.0 / 9.0];

#[inline(always)]
fn add_pool_body<V: Vector>(out: &mut [f32], other: &[f32], size: (usize, usize), columns: &mut [f32]) {
    let (h, w) = size;
    let c = out.len() / (h * w);
    let columns = &mut columns[..(w + 2) * c];
    for (y, out) in out.chunks_exact_mut(w * c).enumerate() {
        sum_rows::<V>(other, size, c, y, columns, |_| 1.0);
        add_columns::<V>(out, c, columns, |x| SHARE[inside(y, h) * inside(x, w)]);
    }
}

#[inline(always)]
fn add_pool_adjoint_body<V: Vector>(out: &mut [f32], d: &[f32], size: (usize, usize), columns: &mut [f32]) {
    let (h, w) = size;
    let c = out.len() / (h * w);
    let columns = &mut columns[..(w + 2) * c];
    for (y, out) in out.chunks_exact_mut(w * c).enumerate() {
        sum_rows::<V>(d, size, c, y, columns, |row| SHARE[inside(row, h)]);
        for (x, column) in columns[c..(w + 1) * c].chunks_exact_mut(c).enumerate() {
            let share = SHARE[inside(x, w)];
            column.iter_mut().for_each(|sum| *sum *= share);
        }
        add_columns::<V>(out, c, columns, |_| 1.0);
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
            each::<V, 1>(to, [from], |_, [from]| unsafe { from.relu() });
        }
    }
}

#[inline(always)]
fn relu_body<V: Vector>(value: &[f32], out: &mut [f32]) {
    for (to, from) in blocks_mut(out).iter_mut().zip(blocks(value)) {
        each::<V, 1>(to, [from], |_, [from]| unsafe { from.relu() });
    }
}

#[inline(always)]
fn relu_in_place_body<V: Vector>(value: &mut [f32]) {
    for block in blocks_mut(value) {
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
    fn pool_counts_the_pixels_inside() {
        for isa in Isa::available() {
            for (h, w) in [(1, 1), (2, 2), (4, 4), (3, 7), (8, 8)] {
                let map = random(h * w * C, 1);
                let mut out = vec![2.0; map.len()];
                add_pool(isa, &mut out, &map, (h, w), &mut vec![f32::NAN; (w + 2) * C]);
                for at in 0..map.len() {
                    let (y, x, c) = (at / C / w, at / C % w, at % C);
                    let window: Vec<f64> = (y.saturating_sub(1)..(y + 2).min(h))
                        .flat_map(|y| (x.saturating_sub(1)..(x + 2).min(w)).map(move |x| (y * w + x) * C + c))
                        .map(|at| f64::from(map[at]))
                        .collect();
                    let expected = 2.0 + window.iter().sum::<f64>() / window.len() as f64;
                    assert!((f64::from(out[at]) - expected).abs() < 1e-6, "{isa:?} {h}×{w} at {at}");
                }
            }
        }
    }

    #[test]
    fn adjoints_are_adjoint() {
        for isa in Isa::available() {
            let size = (6, 10);
            let n = size.0 * size.1 * C;
            let (x, y) = (random(n, 2), random(n, 3));
            let columns = &mut vec![f32::NAN; (size.1 + 2) * C];
            let (mut ax, mut ay) = (vec![0.0; n], vec![0.0; n]);
            add_pool(isa, &mut ax, &x, size, columns);
            add_pool_adjoint(isa, &mut ay, &y, size, columns);
            assert!((inner(&ax, &y) - inner(&x, &ay)).abs() < 1e-4);

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
