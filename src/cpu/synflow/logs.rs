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
    [0.333333313, -0.25000307, 0.200010449, -0.166412815, 0.142144963, -0.129981831, 0.126223192, -0.0790274367];

/// ln(1 + t) = t·Σ cᵢ tⁱ there, to an absolute 2e-7.
const LARGE_SERIES: [f32; 7] =
    [1.00000322, -0.50001967, 0.333032995, -0.248813391, 0.20604673, -0.189019799, 0.118274823];

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

/// Adds N blocks of 16 gradients; block n's weights begin at `weights[n]`.
///
/// # Safety
/// 16 weights must be valid at each place.
#[inline(always)]
pub unsafe fn add<V: Vector, const N: usize>(
    sums: &mut Sums,
    scale: &Scale,
    gradients: &[[V; 4]; N],
    weights: [*const f32; N],
) {
    let vectors = BLOCK / V::LANES;
    let large = all_large(scale, gradients, &weights);
    if !large && scale.exponent > IN_RANGE {
        return add_far::<V, N>(sums, scale, gradients, weights);
    }
    for q in 0..vectors {
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
unsafe fn add_far<V: Vector, const N: usize>(
    sums: &mut Sums,
    scale: &Scale,
    gradients: &[[V; 4]; N],
    weights: [*const f32; N],
) {
    for n in 0..N {
        let mut block = [0.0f32; BLOCK];
        for q in 0..BLOCK / V::LANES {
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
#[inline(always)]
unsafe fn all_large<V: Vector, const N: usize>(
    scale: &Scale,
    gradients: &[[V; 4]; N],
    weights: &[*const f32; N],
) -> bool {
    let vectors = BLOCK / V::LANES;
    let all = u32::MAX >> (32 - V::LANES);
    let threshold = V::splat(scale.large);
    let mut least = gradients[0][0];
    for n in 0..N {
        for q in 0..vectors {
            least = least.min(gradients[n][q]);
        }
    }
    if least.sub(threshold).positive() == all {
        return true;
    }
    let mut large = true;
    for n in 0..N {
        for q in 0..vectors {
            let weighs = V::load(weights[n].add(q * V::LANES)).positive();
            large &= gradients[n][q].sub(threshold).positive() | (weighs ^ all) == all;
        }
    }
    large
}

#[inline(always)]
unsafe fn abs<V: Vector>(x: V) -> V {
    x.max(V::splat(0.0).sub(x))
}

/// ln x of positive normal numbers, to 6e-8 of it.
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
