//! A value's gradient in one sweep: all that its readers give is added up in registers, stored, and added to the sums that
//! the way back through the BatchNorms among the value's own terms needs.
//!
//! Per float: 4 bytes read for each skip that reads the value, 8 where convolutions do, 4 for each BatchNorm; 4 written.

use super::norm::{Moment, RUN};
use super::simd::{kernels, Vector, BLOCK};

/// What a value's gradient is made of.
pub struct Total<'a> {
    /// Channels in memory, a multiple of 16.
    pub channels: usize,
    /// Gradients that are there already: of pools, averages and heads.
    pub base: Option<&'a [f32]>,
    /// Where the gradients of values that read this one by skip lie in the image's arena.
    pub parts: &'a [usize],
    /// The gradient by the ReLU of the value, and the value, or that ReLU.
    pub gated: Option<(&'a [f32], Gate<'a>)>,
    /// Where the sum goes in the arena: no part's place, or exactly that.
    pub to: usize,
    /// Floats of the sum.
    pub len: usize,
    /// The BatchNorms among the value's terms: where their input lies in the arena, and its mean. At most [`MOST_NORMS`].
    pub norms: &'a [(usize, &'a [f32])],
}

/// Where the value lies that decides what a ReLU lets through.
#[derive(Clone, Copy)]
pub enum Gate<'a> {
    /// In the image's arena, from here on.
    Arena(usize),
    /// In a map of its own.
    Map(&'a [f32]),
}

/// Most BatchNorms among a value's terms: the last node of a cell sums three edges.
pub const MOST_NORMS: usize = 3;

kernels! {
    /// Adds up, and gives Σ d and Σ d·(raw − mean) of each BatchNorm's channels, one BatchNorm after the other.
    pub fn add_up(total: &Total, arena: &mut [f32], sums: &mut [Moment]) = add_up_body;
    /// The adjoint of the 3×3 average: `out` of its source, `d` of its result; added to `out` with `add`, else overwriting it.
    /// `zeros` holds at least a row.
    pub fn pool_adjoint(out: &mut [f32], d: &[f32], size: (usize, usize), zeros: &[f32], add: bool) = pool_adjoint_body;
}

#[inline(always)]
fn add_up_body<V: Vector>(total: &Total, arena: &mut [f32], sums: &mut [Moment]) {
    let Total { channels, len, .. } = *total;
    assert!(channels > 0 && channels.is_multiple_of(BLOCK) && len.is_multiple_of(channels));
    assert!(total.base.is_none_or(|base| base.len() == len));
    let gate = |gate: Gate| match gate {
        Gate::Arena(at) => at + len <= arena.len(),
        Gate::Map(map) => map.len() == len,
    };
    assert!(total.gated.is_none_or(|(d, value)| d.len() == len && gate(value)));
    assert!(total.parts.iter().all(|at| at + len <= arena.len()) && total.to + len <= arena.len());
    assert!(total.norms.iter().all(|(raw, mean)| raw + len <= arena.len() && mean.len() == channels));
    assert!(total.norms.len() <= MOST_NORMS && sums.len() == total.norms.len() * channels);
    let arena = arena.as_mut_ptr();
    // SAFETY: all lengths were checked; the arena belongs to nobody else, and what is read of it at a place is read before
    // that place is written.
    unsafe {
        for at in (0..channels).step_by(V::LANES) {
            match total.norms.len() {
                0 => channel::<V, 0>(total, arena, at, sums),
                1 => channel::<V, 1>(total, arena, at, sums),
                2 => channel::<V, 2>(total, arena, at, sums),
                _ => channel::<V, MOST_NORMS>(total, arena, at, sums),
            }
        }
    }
}

/// Sums over a few pixels of a vector of channels, the even ones and the odd.
struct Run<V, const N: usize> {
    d: [V; 2],
    products: [[V; 2]; N],
}

/// A vector of channels from `at` on, with N BatchNorms.
///
/// # Safety
/// As checked by [`add_up_body`].
#[inline(always)]
unsafe fn channel<V: Vector, const N: usize>(total: &Total, arena: *mut f32, at: usize, sums: &mut [Moment]) {
    let pixels = total.len / total.channels;
    let mut means = [V::splat(0.0); N];
    for n in 0..N {
        means[n] = V::load(total.norms[n].1.as_ptr().add(at));
    }
    let mut all = [[0.0f64; BLOCK]; 1 + MOST_NORMS];
    let mut p = 0;
    while p < pixels {
        let end = (p + RUN).min(pixels);
        let mut run = Run { d: [V::splat(0.0); 2], products: [[V::splat(0.0); 2]; N] };
        while p + 4 <= end {
            pixels_at::<V, N, 4>(total, arena, p * total.channels + at, &means, &mut run);
            p += 4;
        }
        while p < end {
            pixels_at::<V, N, 1>(total, arena, p * total.channels + at, &means, &mut run);
            p += 1;
        }
        if N > 0 {
            run.d[0].add(run.d[1]).accumulate(all[0].as_mut_ptr());
        }
        for n in 0..N {
            run.products[n][0].add(run.products[n][1]).accumulate(all[1 + n].as_mut_ptr());
        }
    }
    for n in 0..N {
        for k in 0..V::LANES {
            sums[n * total.channels + at + k] = [all[0][k], all[1 + n][k]];
        }
    }
}

/// P neighbouring pixels of [`channel`], from float `at` on.
///
/// # Safety
/// As [`channel`].
#[inline(always)]
unsafe fn pixels_at<V: Vector, const N: usize, const P: usize>(
    total: &Total,
    arena: *mut f32,
    at: usize,
    means: &[V; N],
    run: &mut Run<V, N>,
) {
    let c = total.channels;
    let mut d = [V::splat(0.0); P];
    if let Some(base) = total.base {
        for p in 0..P {
            d[p] = V::load(base.as_ptr().add(at + p * c));
        }
    }
    for part in total.parts {
        for p in 0..P {
            d[p] = d[p].add(V::load(arena.add(part + at + p * c)));
        }
    }
    if let Some((of_relu, value)) = total.gated {
        let value = match value {
            Gate::Arena(at) => arena.add(at).cast_const(),
            Gate::Map(map) => map.as_ptr(),
        };
        for p in 0..P {
            let gate = V::load(value.add(at + p * c));
            d[p] = d[p].add(V::load(of_relu.as_ptr().add(at + p * c)).gated(gate));
        }
    }
    if N > 0 {
        for p in 0..P {
            run.d[p % 2] = run.d[p % 2].add(d[p]);
        }
    }
    for n in 0..N {
        let raw = arena.add(total.norms[n].0 + at);
        for p in 0..P {
            run.products[n][p % 2] = d[p].mul_add(V::load(raw.add(p * c)).sub(means[n]), run.products[n][p % 2]);
        }
    }
    for p in 0..P {
        d[p].store(arena.add(total.to + at + p * c));
    }
}

/// Pixels of a window of three that lie inside, inverted.
fn share(at: usize, size: usize) -> f32 {
    1.0 / (1 + usize::from(at > 0) + usize::from(at + 1 < size)) as f32
}

#[inline(always)]
fn pool_adjoint_body<V: Vector>(out: &mut [f32], d: &[f32], (h, w): (usize, usize), zeros: &[f32], add: bool) {
    let c = out.len() / (h * w);
    assert!(out.len() == h * w * c && d.len() == out.len() && zeros.len() >= w * c && c.is_multiple_of(V::LANES));
    for y in 0..h {
        let row = |inside: bool, y: usize| match inside {
            true => (d[y * w * c..].as_ptr(), share(y, h)),
            false => (zeros.as_ptr(), 0.0),
        };
        let rows = [row(y > 0, y.wrapping_sub(1)), row(true, y), row(y + 1 < h, y + 1)];
        let to = out[y * w * c..].as_mut_ptr();
        for at in (0..c).step_by(V::LANES) {
            // SAFETY: all three rows have w·c floats.
            unsafe {
                let mut shares = [V::splat(0.0); 3];
                for k in 0..3 {
                    shares[k] = V::splat(rows[k].1);
                }
                let column = |x: usize| {
                    let mut sum = V::load(rows[0].0.add(x * c + at)).mul(shares[0]);
                    for k in 1..3 {
                        sum = V::load(rows[k].0.add(x * c + at)).mul_add(shares[k], sum);
                    }
                    sum.mul(V::splat(share(x, w)))
                };
                let mut left = V::splat(0.0);
                let mut middle = column(0);
                for x in 0..w {
                    let right = if x + 1 < w { column(x + 1) } else { V::splat(0.0) };
                    let sum = left.add(middle).add(right);
                    let to = to.add(x * c + at);
                    let result = if add { V::load(to).add(sum) } else { sum };
                    result.store(to);
                    left = middle;
                    middle = right;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::Isa;
    use super::super::sums;
    use super::*;
    use crate::random::Stream;

    #[test]
    fn totals_are_their_terms() {
        let mut stream = Stream::new(std::process::id().into(), &[12]);
        for (channels, pixels) in [(16, 64), (32, 23), (64, 10), (16, 3)] {
            let len = channels * pixels;
            let mut random = |n: usize| -> Vec<f32> { (0..n).map(|_| stream.symmetric(1.0)).collect() };
            let arena = random(6 * len);
            let (base, of_relu, relu) = (random(len), random(len), random(len));
            let means = [random(channels), random(channels), random(channels)];
            for isa in Isa::available() {
                // What is there, skips, where to, and BatchNorms; the sum may overwrite a part.
                let (map, kept) = (Some(Gate::Map(&relu)), Some(Gate::Arena(3 * len)));
                for (based, gate, parts, to, norms) in [
                    (true, map, &[0, len][..], len, 3),
                    (false, kept, &[][..], 0, 2),
                    (true, None, &[0], 2 * len, 1),
                    (false, None, &[len, 0, 2 * len], 0, 0),
                ] {
                    let norms: Vec<_> = (0..norms).map(|n| ((3 + n) * len, &means[n][..])).collect();
                    let total = Total {
                        channels,
                        base: based.then_some(&base),
                        parts,
                        gated: gate.map(|gate| (&of_relu[..], gate)),
                        to,
                        len,
                        norms: &norms,
                    };
                    let mut result = arena.clone();
                    let mut found = vec![[f64::NAN; 2]; norms.len() * channels];
                    add_up(isa, &total, &mut result, &mut found);
                    let mut expected = vec![[0.0; 2]; found.len()];
                    for at in 0..len {
                        let mut d: f64 = parts.iter().map(|part| f64::from(arena[part + at])).sum();
                        d += if based { f64::from(base[at]) } else { 0.0 };
                        let value = gate.map(|gate| match gate {
                            Gate::Arena(start) => arena[start + at],
                            Gate::Map(map) => map[at],
                        });
                        d += if value.is_some_and(|value| value > 0.0) { f64::from(of_relu[at]) } else { 0.0 };
                        assert!((f64::from(result[to + at]) - d).abs() < 1e-6, "{isa:?} {at}");
                        for (n, (raw, mean)) in norms.iter().enumerate() {
                            let deviation = f64::from(arena[raw + at]) - f64::from(mean[at % channels]);
                            expected[n * channels + at % channels][0] += d;
                            expected[n * channels + at % channels][1] += d * deviation;
                        }
                    }
                    for (found, expected) in found.iter().zip(&expected) {
                        for k in 0..2 {
                            assert!((found[k] - expected[k]).abs() < 1e-6 * pixels as f64, "{isa:?} {found:?}");
                        }
                    }
                    assert!((0..arena.len()).all(|at| (to..to + len).contains(&at) || result[at] == arena[at]));
                }
            }
        }
    }

    #[test]
    fn pool_adjoint_is_adjoint() {
        let mut stream = Stream::new(std::process::id().into(), &[13]);
        const C: usize = 32;
        for isa in Isa::available() {
            for (h, w) in [(1, 1), (2, 2), (4, 4), (3, 7), (8, 8)] {
                let mut random = || -> Vec<f32> { (0..h * w * C).map(|_| stream.symmetric(1.0)).collect() };
                let (x, d, start) = (random(), random(), random());
                let zeros = vec![0.0; w * C];
                let mut pooled = vec![f32::NAN; x.len()];
                sums::pool(isa, &mut pooled, &x, (h, w), &zeros, false);
                let mut back = vec![f32::NAN; x.len()];
                pool_adjoint(isa, &mut back, &d, (h, w), &zeros, false);
                let inner =
                    |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
                assert!((inner(&pooled, &d) - inner(&x, &back)).abs() < 1e-4, "{isa:?} {h}×{w}");
                let mut added = start.clone();
                pool_adjoint(isa, &mut added, &d, (h, w), &zeros, true);
                assert!((0..x.len()).all(|at| (added[at] - start[at] - back[at]).abs() < 1e-6));
            }
        }
    }
}
