//! A value in one sweep: all its terms are added up in registers, its sign bits packed, and it is stored where it is needed.
//!
//! Pools come first, as they read neighbours; the rest is done for 64 floats at a time, which is one word of a code. Per
//! float: 4 bytes read for each term, 4 written to cache for the convolutions, 4 to memory if a skip or pool will read it.

use super::simd::{kernels, Vector, BLOCK};

/// Floats of one word of a code.
const WORD: usize = 64;

/// Where a term lies.
#[derive(Clone, Copy)]
pub enum Place<'a> {
    /// In the image's arena, from here on.
    Arena(usize),
    /// Elsewhere.
    Outside(&'a [f32]),
}

/// A term that is read element by element.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    /// Where it lies.
    pub place: Place<'a>,
    /// Its factor for each channel, if it has one.
    pub scale: Option<&'a [f32]>,
}

/// What becomes of the sum.
pub struct Sum<'a> {
    /// A constant for each channel.
    pub shift: &'a [f32],
    /// Terms.
    pub parts: &'a [Part<'a>],
    /// Whether `out` holds the sum of the pools already.
    pub pooled: bool,
    /// Where the sum is kept in the arena: no part's place, or exactly that.
    pub keep: Option<usize>,
    /// Whether `out` receives the ReLU of the sum instead of the sum.
    pub relu: bool,
}

kernels! {
    /// Adds up `sum` into `out` and, if asked, packs its code: bit i is set where element i is greater than zero. Of `words`
    /// all or none are there; all are overwritten.
    pub fn add_up(sum: &Sum, arena: &mut [f32], out: &mut [f32], words: &mut [u64]) = add_up_body;
    /// The 3×3 average of `from`, the divisor counting the pixels inside; added to `out` with `add`, else overwriting it.
    /// `zeros` holds at least a row.
    pub fn pool(out: &mut [f32], from: &[f32], size: (usize, usize), zeros: &[f32], add: bool) = pool_body;
}

#[inline(always)]
fn add_up_body<V: Vector>(sum: &Sum, arena: &mut [f32], out: &mut [f32], words: &mut [u64]) {
    let channels = sum.shift.len();
    assert!(channels.is_multiple_of(BLOCK) && out.len().is_multiple_of(channels));
    assert!(words.is_empty() || words.len() == out.len().div_ceil(WORD));
    for part in sum.parts {
        let there = match part.place {
            Place::Arena(at) => arena.len().saturating_sub(at),
            Place::Outside(map) => map.len(),
        };
        assert!(out.len() <= there && part.scale.is_none_or(|scale| scale.len() == channels));
    }
    assert!(sum.keep.is_none_or(|at| at + out.len() <= arena.len()));
    let arena = arena.as_mut_ptr();
    let whole = out.len() / WORD * WORD;
    // SAFETY: chunks lie within `out`, parts and `keep` within the arena, which nobody else uses; a chunk is read before
    // it is written, so that `keep` may be a part.
    unsafe {
        for at in (0..whole).step_by(WORD) {
            let bits = chunk::<V, 4>(sum, arena, out.as_mut_ptr(), at, channels);
            if let Some(word) = words.get_mut(at / WORD) {
                *word = bits;
            }
        }
        let mut bits = 0;
        for at in (whole..out.len()).step_by(BLOCK) {
            bits |= chunk::<V, 1>(sum, arena, out.as_mut_ptr(), at, channels) << (at - whole);
        }
        if let Some(word) = words.get_mut(whole / WORD) {
            *word = bits;
        }
    }
}

/// B blocks of 16 floats from `at` on.
///
/// # Safety
/// They must lie within `out`, and as many from each part's place and the place to keep within the arena.
#[inline(always)]
unsafe fn chunk<V: Vector, const B: usize>(
    sum: &Sum,
    arena: *mut f32,
    out: *mut f32,
    at: usize,
    channels: usize,
) -> u64 {
    let vectors = BLOCK / V::LANES;
    // A chunk begins at a multiple of its length, which divides or is divided by the channels, or at some block of them.
    let channel = |b: usize| (at + b * BLOCK) % channels;
    let mut sums = [[V::splat(0.0); 4]; B];
    for b in 0..B {
        for q in 0..vectors {
            sums[b][q] = V::load(sum.shift.as_ptr().add(channel(b) + q * V::LANES));
            if sum.pooled {
                sums[b][q] = sums[b][q].add(V::load(out.add(at + b * BLOCK + q * V::LANES)));
            }
        }
    }
    for part in sum.parts {
        let from = match part.place {
            Place::Arena(start) => arena.add(start + at).cast_const(),
            Place::Outside(map) => map.as_ptr().add(at),
        };
        match part.scale {
            Some(scale) => {
                for b in 0..B {
                    for q in 0..vectors {
                        let scale = V::load(scale.as_ptr().add(channel(b) + q * V::LANES));
                        sums[b][q] = V::load(from.add(b * BLOCK + q * V::LANES)).mul_add(scale, sums[b][q]);
                    }
                }
            }
            None => {
                for b in 0..B {
                    for q in 0..vectors {
                        sums[b][q] = sums[b][q].add(V::load(from.add(b * BLOCK + q * V::LANES)));
                    }
                }
            }
        }
    }
    let mut bits = 0;
    for b in 0..B {
        for q in 0..vectors {
            let place = b * BLOCK + q * V::LANES;
            bits |= u64::from(sums[b][q].positive()) << place;
            if let Some(keep) = sum.keep {
                sums[b][q].store(arena.add(keep + at + place));
            }
            let result = if sum.relu { sums[b][q].relu() } else { sums[b][q] };
            result.store(out.add(at + place));
        }
    }
    bits
}

/// 1/(pixels of a window that lie inside).
const SHARE: [f32; 10] =
    [0.0, 1.0, 1.0 / 2.0, 1.0 / 3.0, 1.0 / 4.0, 1.0 / 5.0, 1.0 / 6.0, 1.0 / 7.0, 1.0 / 8.0, 1.0 / 9.0];

#[inline(always)]
fn pool_body<V: Vector>(out: &mut [f32], from: &[f32], (h, w): (usize, usize), zeros: &[f32], add: bool) {
    let c = out.len() / (h * w);
    assert!(out.len() == h * w * c && from.len() == out.len() && zeros.len() >= w * c && c.is_multiple_of(V::LANES));
    for y in 0..h {
        let row = |y: usize| from[y * w * c..].as_ptr();
        let above = if y > 0 { row(y - 1) } else { zeros.as_ptr() };
        let below = if y + 1 < h { row(y + 1) } else { zeros.as_ptr() };
        let here = row(y);
        let inside = 1 + usize::from(y > 0) + usize::from(y + 1 < h);
        let to = out[y * w * c..].as_mut_ptr();
        for at in (0..c).step_by(V::LANES) {
            // SAFETY: all three rows have w·c floats.
            unsafe {
                let column = |x: usize| {
                    let at = x * c + at;
                    V::load(above.add(at)).add(V::load(here.add(at))).add(V::load(below.add(at)))
                };
                let mut left = V::splat(0.0);
                let mut middle = column(0);
                for x in 0..w {
                    let right = if x + 1 < w { column(x + 1) } else { V::splat(0.0) };
                    let columns = 1 + usize::from(x > 0) + usize::from(x + 1 < w);
                    let share = V::splat(SHARE[inside * columns]);
                    let sum = left.add(middle).add(right);
                    let to = to.add(x * c + at);
                    let result = if add { sum.mul_add(share, V::load(to)) } else { sum.mul(share) };
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
    use super::*;
    use crate::cpu::simd::Isa;
    use crate::random::Stream;

    fn random(n: usize, key: u64) -> Vec<f32> {
        let mut stream = Stream::new(std::process::id().into(), &[key]);
        (0..n).map(|_| stream.symmetric(1.0)).collect()
    }

    #[test]
    fn values_are_the_sums_of_their_terms() {
        // Pixels times channels that fill words, and that do not.
        for (pixels, channels) in [(64, 16), (16, 64), (9, 32), (1, 16), (5, 48)] {
            let n = pixels * channels;
            let (shift, scale, elsewhere) = (random(channels, 1), random(channels, 2), random(n, 3));
            for isa in Isa::available() {
                for (pooled, relu, keep) in [(false, true, None), (true, true, Some(2 * n)), (true, false, Some(0))] {
                    let mut arena = random(3 * n, 4);
                    let before = arena.clone();
                    let parts = [
                        Part { place: Place::Arena(0), scale: Some(&scale) },
                        Part { place: Place::Outside(&elsewhere), scale: None },
                        Part { place: Place::Arena(n), scale: None },
                    ];
                    let pools = random(n, 5);
                    let mut out = if pooled { pools.clone() } else { vec![f32::NAN; n] };
                    let mut words = vec![u64::MAX; n.div_ceil(64)];
                    let sum = Sum { shift: &shift, parts: &parts, pooled, keep, relu };
                    add_up(isa, &sum, &mut arena, &mut out, &mut words);
                    let mut positive = 0;
                    for at in 0..n {
                        let c = at % channels;
                        let terms = [before[at] * scale[c], elsewhere[at], before[n + at], shift[c]];
                        let pool = if pooled { f64::from(pools[at]) } else { 0.0 };
                        let expected = terms.iter().map(|t| f64::from(*t)).sum::<f64>() + pool;
                        let found = keep.map_or(out[at], |keep| arena[keep + at]);
                        let expected = if keep.is_none() { expected.max(0.0) } else { expected };
                        assert!((f64::from(found) - expected).abs() < 1e-6, "{isa:?} {at}: {found} {expected}");
                        assert_eq!(out[at], if relu { found.max(0.0) } else { found });
                        assert_eq!(words[at / 64] >> (at % 64) & 1 == 1, found > 0.0, "{isa:?} {at}");
                        positive += usize::from(found > 0.0);
                    }
                    assert!(0 < positive && positive < n);
                    assert_eq!(words.iter().map(|word| word.count_ones() as usize).sum::<usize>(), positive);
                }
            }
        }
    }

    #[test]
    fn codes_of_special_numbers() {
        let special = [0.0, -0.0, f32::MIN_POSITIVE, -1.0, 1.0, f32::NAN, f32::INFINITY, -f32::INFINITY];
        let map: Vec<f32> = special.iter().chain(&special).copied().collect();
        for isa in Isa::available() {
            let parts = [Part { place: Place::Outside(&map), scale: None }];
            let sum = Sum { shift: &[0.0; 16], parts: &parts, pooled: false, keep: None, relu: true };
            let (mut out, mut words) = ([f32::NAN; 16], [u64::MAX]);
            add_up(isa, &sum, &mut [], &mut out, &mut words);
            assert_eq!(words, [0b0101_0100_0101_0100]);
            assert_eq!(out[..8], [0.0, 0.0, f32::MIN_POSITIVE, 0.0, 1.0, 0.0, f32::INFINITY, 0.0]);
        }
    }

    #[test]
    fn pools_count_the_pixels_inside() {
        const C: usize = 32;
        for isa in Isa::available() {
            for (h, w) in [(1, 1), (2, 2), (4, 4), (3, 7), (8, 8), (1, 5)] {
                let map = random(h * w * C, 6);
                let zeros = vec![0.0; w * C];
                let mut once = vec![f32::NAN; map.len()];
                pool(isa, &mut once, &map, (h, w), &zeros, false);
                let mut added = vec![2.0; map.len()];
                pool(isa, &mut added, &map, (h, w), &zeros, true);
                for at in 0..map.len() {
                    let (y, x, c) = (at / C / w, at / C % w, at % C);
                    let window: Vec<f64> = (y.saturating_sub(1)..(y + 2).min(h))
                        .flat_map(|y| (x.saturating_sub(1)..(x + 2).min(w)).map(move |x| (y * w + x) * C + c))
                        .map(|at| f64::from(map[at]))
                        .collect();
                    let expected = window.iter().sum::<f64>() / window.len() as f64;
                    assert!((f64::from(once[at]) - expected).abs() < 1e-6, "{isa:?} {h}×{w} at {at}");
                    assert!((f64::from(added[at]) - 2.0 - expected).abs() < 1e-6, "{isa:?} {h}×{w} at {at}");
                }
            }
        }
    }
}
