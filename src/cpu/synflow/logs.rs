//! Sums over weights: Σ w·g, Σ w·|ln(g + 1e-6)|, Σ w·|ln(g + 1)|, taken while the gradients are in registers.
//!
//! Gradients come as f32 beside a power of two. Where all of a group are above 2²⁴, both logarithms are that of g to 6e-8,
//! twenty operations on vectors of f32. Smaller ones take both logarithms, with the bits that g + 1 loses put back. Where the
//! power of two is out of f32's range and some g of the group is small beside it or zero, f64 is left to do it. A group's
//! products with w are summed in f32, groups in f64.

use crate::cpu::simd::{Vector, BLOCK};

/// Added to g in the reference form of LogSynflow.
pub const REFERENCE: f64 = 1e-6;

/// Above 2^LARGE, g + 1 is g to the precision of f32.
const LARGE: i32 = 24;
/// Powers of two up to which a gradient of f32, itself below 2⁶⁰, is in f32's range.
const IN_RANGE: i32 = 60;

/// ln(1 + t) = t − t²/2 + t³·Σ cᵢ tⁱ for 1 + t in [√½, √2), to 2e-8 of it.
const SERIES: [f32; 8] =
    [0.333_333_3, -0.25000307, 0.200_010_45, -0.166_412_82, 0.142_144_96, -0.129_981_83, 0.126_223_19, -0.079_027_44];

/// ln(1 + t) = t·Σ cᵢ tⁱ there, to an absolute 2e-7.
const LARGE_SERIES: [f32; 7] =
    [1.000_003_2, -0.50001967, 0.333_033, -0.248_813_39, 0.20604673, -0.189_019_8, 0.118_274_82];

/// The power of two that gradients are scaled by, and what follows from it.
pub struct Scale {
    exponent: i32,
    /// 2^exponent.
    factor: f32,
    /// The gradients above are large.
    large: f32,
}

impl Scale {
    /// Gradients are given as g·2^−`exponent`.
    pub fn new(exponent: i32) -> Scale {
        let large = if LARGE - exponent > 127 { f32::INFINITY } else { power(LARGE - exponent).max(f32::MIN_POSITIVE) };
        Scale { exponent, factor: if exponent > IN_RANGE { 0.0 } else { power(exponent) }, large }
    }
}

/// 2^exponent, 0 or infinite out of range.
pub fn power(exponent: i32) -> f32 {
    libm::ldexp(1.0, exponent) as f32
}

/// The three sums, lane by lane.
pub struct Sums([[f64; BLOCK]; 3]);

impl Sums {
    /// Zeros.
    pub fn new() -> Sums {
        Sums([[0.0; BLOCK]; 3])
    }

    /// The sums, of gradients scaled by `scale` and weights scaled by 2^−`weights`.
    pub fn total(&self, scale: &Scale, weights: i32) -> [f64; 3] {
        let sums = self.0.map(|lanes| lanes.into_iter().sum::<f64>());
        let [product, reference, one] = sums.map(|sum| libm::scalbn(sum, weights));
        [libm::scalbn(product, scale.exponent), reference, one]
    }
}

/// Adds N blocks of 16 gradients, Q vectors each; block n's weights begin at `weights[n]`.
///
/// # Safety
/// 16 weights must be valid at each place.
#[inline(always)]
pub unsafe fn add<V: Vector, const Q: usize, const N: usize>(
    sums: &mut Sums,
    scale: &Scale,
    gradients: &[[V; Q]; N],
    weights: [*const f32; N],
) {
    let large = all_large(scale, gradients, &weights);
    if !large && scale.exponent > IN_RANGE {
        return add_far::<V, Q, N>(sums, scale, gradients, weights);
    }
    for q in 0..Q {
        let [mut product, mut reference, mut one] = [V::splat(0.0); 3];
        for n in 0..N {
            let (g, w) = (gradients[n][q], V::load(weights[n].add(q * V::LANES)));
            product = g.mul_add(w, product);
            if large {
                reference = ln_large::<V>(g, scale.exponent as f32).mul_add(w, reference);
            } else {
                let g = g.mul(V::splat(scale.factor));
                let (small, unit) = (V::splat(REFERENCE as f32), V::splat(1.0));
                reference = abs(ln::<V>(g.add(small))).mul_add(w, reference);
                let sum = g.add(unit);
                // What the sum lost, which counts only where g is small.
                let lost = g.sub(sum.sub(unit)).gated(V::splat(2.0).sub(sum));
                one = ln::<V>(sum).add(lost).mul_add(w, one);
            }
        }
        let one = if large { reference } else { one };
        for (lanes, sum) in sums.0.iter_mut().zip([product, reference, one]) {
            sum.accumulate(lanes.as_mut_ptr().add(q * V::LANES));
        }
    }
}

/// [`add`] in f64, one by one.
///
/// # Safety
/// As [`add`].
#[inline(never)]
unsafe fn add_far<V: Vector, const Q: usize, const N: usize>(
    sums: &mut Sums,
    scale: &Scale,
    gradients: &[[V; Q]; N],
    weights: [*const f32; N],
) {
    for n in 0..N {
        let mut block = [0.0f32; BLOCK];
        for q in 0..Q {
            gradients[n][q].store(block.as_mut_ptr().add(q * V::LANES));
        }
        for k in 0..BLOCK {
            let (g, w) = (f64::from(block[k]), f64::from(*weights[n].add(k)));
            let true_g = libm::scalbn(g, scale.exponent);
            sums.0[0][k] += w * g;
            sums.0[1][k] += w * libm::log(true_g + REFERENCE).abs();
            sums.0[2][k] += w * libm::log(true_g + 1.0);
        }
    }
}

/// Whether all gradients are large. Weights of zero, as where channels are padded, have no say.
///
/// # Safety
/// As [`add`].
///
/// # Safety
/// Must be compiled for V's instruction set.
#[inline(always)]
unsafe fn all_large<V: Vector, const Q: usize, const N: usize>(
    scale: &Scale,
    gradients: &[[V; Q]; N],
    weights: &[*const f32; N],
) -> bool {
    let all = u32::MAX >> (32 - V::LANES);
    let threshold = V::splat(scale.large);
    let mut least = gradients[0][0];
    for n in 0..N {
        for q in 0..Q {
            least = least.min(gradients[n][q]);
        }
    }
    if least.sub(threshold).positive() == all {
        return true;
    }
    let mut large = true;
    for n in 0..N {
        for q in 0..Q {
            let weighs = V::load(weights[n].add(q * V::LANES)).positive();
            large &= gradients[n][q].sub(threshold).positive() | (weighs ^ all) == all;
        }
    }
    large
}

/// |x|.
///
/// # Safety
/// Must be compiled for V's instruction set.
#[inline(always)]
unsafe fn abs<V: Vector>(x: V) -> V {
    x.max(V::splat(0.0).sub(x))
}

/// ln x of positive normal numbers, to 6e-8 of it.
///
/// # Safety
/// Must be compiled for V's instruction set.
#[inline(always)]
unsafe fn ln<V: Vector>(x: V) -> V {
    let (m, e) = x.split();
    let t = m.sub(V::splat(1.0));
    let mut series = V::splat(SERIES[7]);
    for k in (0..7).rev() {
        series = series.mul_add(t, V::splat(SERIES[k]));
    }
    let of_mantissa = series.mul(t).add(V::splat(-0.5)).mul_add(t.mul(t), t);
    e.mul_add(V::splat(std::f32::consts::LN_2), of_mantissa)
}

/// ln(x·2^exponent) of positive normal numbers, to 2e-7, where it is large.
///
/// # Safety
/// Must be compiled for V's instruction set.
#[inline(always)]
unsafe fn ln_large<V: Vector>(x: V, exponent: f32) -> V {
    let (m, e) = x.split();
    let t = m.sub(V::splat(1.0));
    let mut series = V::splat(LARGE_SERIES[6]);
    for k in (0..6).rev() {
        series = series.mul_add(t, V::splat(LARGE_SERIES[k]));
    }
    e.add(V::splat(exponent)).mul_add(V::splat(std::f32::consts::LN_2), series.mul(t))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd::{kernels, Isa};
    use crate::random::Stream;

    kernels! {
        fn add_all(sums: &mut Sums, scale: &Scale, g: &[f32; 48], w: &[f32; 48]) = add_all_body;
    }

    #[inline(always)]
    fn add_all_body<V: Vector>(sums: &mut Sums, scale: &Scale, g: &[f32; 48], w: &[f32; 48]) {
        // SAFETY: three blocks of both, compiled for V's instruction set.
        unsafe {
            match BLOCK / V::LANES {
                1 => blocks::<V, 1>(sums, scale, g, w),
                2 => blocks::<V, 2>(sums, scale, g, w),
                _ => blocks::<V, 4>(sums, scale, g, w),
            }
        }
    }

    /// # Safety
    /// Q vectors of V must be one block, and this compiled for V's instruction set.
    #[inline(always)]
    unsafe fn blocks<V: Vector, const Q: usize>(sums: &mut Sums, scale: &Scale, g: &[f32; 48], w: &[f32; 48]) {
        let mut gradients = [[V::splat(0.0); Q]; 3];
        for n in 0..3 {
            for q in 0..Q {
                gradients[n][q] = V::load(g.as_ptr().add(n * BLOCK + q * V::LANES));
            }
        }
        add::<V, Q, 3>(sums, scale, &gradients, [0, 1, 2].map(|n| w.as_ptr().add(n * BLOCK)));
    }

    #[test]
    fn sums_are_those_of_f64() {
        let mut stream = Stream::new(std::process::id().into(), &[21]);
        for exponent in (-220..=240).step_by(10).chain([-36, -24, -21, -1, 1, 23, 24, 25, 59, 61]) {
            for kind in 0..4 {
                // Of one magnitude; of many; with zeros; with zeros where the weights are zero too.
                let mut draw = || {
                    let spread = if kind == 1 { stream.below(90) as i32 - 60 } else { 0 };
                    let zero = kind >= 2 && stream.below(5) == 0;
                    let g = if zero { 0.0 } else { power(spread) * (1.0 + stream.unit() as f32) };
                    let w = if zero && kind == 3 { 0.0 } else { stream.unit() as f32 };
                    (g, w)
                };
                let (mut g, mut w) = ([0.0f32; 48], [0.0f32; 48]);
                for k in 0..48 {
                    (g[k], w[k]) = draw();
                }
                let mut expected = [0.0f64; 3];
                for (g, w) in g.iter().zip(&w).map(|(g, w)| (f64::from(*g), f64::from(*w) * 8.0)) {
                    let g = libm::scalbn(g, exponent);
                    expected[0] += w * g;
                    expected[1] += w * libm::log(g + REFERENCE).abs();
                    expected[2] += w * libm::log1p(g);
                }
                for isa in Isa::available() {
                    let (scale, mut sums) = (Scale::new(exponent), Sums::new());
                    add_all(isa, &mut sums, &scale, &g, &w);
                    for (at, (ours, truth)) in sums.total(&scale, 3).into_iter().zip(expected).enumerate() {
                        // Below f32's range ln(1 + g) is lost.
                        let bound = 3e-7 * truth + if at == 2 { 1e-30 } else { 0.0 };
                        assert!((ours - truth).abs() <= bound, "{isa:?} 2^{exponent} {kind} {at}: {ours} {truth}");
                    }
                }
            }
        }
    }
}
