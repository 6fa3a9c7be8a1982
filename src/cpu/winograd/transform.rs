//! The one-dimensional transforms of Winograd's F(4, 3) with the points 0, ±√½, ±√2 and ∞.
//!
//! With the points ±1 and ±2 of the literature the transforms of large tiles lose three times as many bits: these points
//! are each other's reciprocals, so that their powers stay near one. Twelve operations transform six inputs, twelve
//! the six products back into four outputs.
//!
//! With M(x) = x⁵ − 5/2·x³ + x, the polynomial whose roots are the finite points: Bᵀ holds the coefficients of M(x)/(x − p)
//! and of M itself, Aᵀ the powers of the points, and G maps the kernel g to g(p)/M′(p).

use crate::cpu::simd::Vector;
use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

/// Positions of a transformed tile in one dimension.
pub const SIDE: usize = 6;
/// Positions of a transformed tile.
pub const POSITIONS: usize = SIDE * SIDE;
/// Outputs of a tile in one dimension.
pub const OUT: usize = 4;

/// Bᵀd: six inputs in a row.
///
/// # Safety
/// Must be compiled for V's instruction set.
#[inline(always)]
pub unsafe fn input<V: Vector>(d: [V; SIDE]) -> [V; SIDE] {
    let c = |x: f32| V::splat(x);
    let near = d[2].mul_add(c(-2.0), d[4]);
    let far = d[2].mul_add(c(-0.5), d[4]);
    let near_odd = d[1].mul_add(c(-2.0), d[3]);
    let far_odd = d[1].mul_add(c(-0.5), d[3]);
    [
        d[2].mul_add(c(-2.5), d[0].add(d[4])),
        near_odd.mul_add(c(FRAC_1_SQRT_2), near),
        near_odd.mul_add(c(-FRAC_1_SQRT_2), near),
        far_odd.mul_add(c(SQRT_2), far),
        far_odd.mul_add(c(-SQRT_2), far),
        d[3].mul_add(c(-2.5), d[1].add(d[5])),
    ]
}

/// Aᵀm: six products to four outputs.
///
/// # Safety
/// Must be compiled for V's instruction set.
#[inline(always)]
pub unsafe fn output<V: Vector>(m: [V; SIDE]) -> [V; OUT] {
    let c = |x: f32| V::splat(x);
    let (near, far) = (m[1].add(m[2]), m[3].add(m[4]));
    let near_odd = m[2].mul_add(c(-1.0), m[1]);
    let far_odd = m[4].mul_add(c(-1.0), m[3]);
    [
        m[0].add(near.add(far)),
        near_odd.mul_add(c(FRAC_1_SQRT_2), far_odd.mul(c(SQRT_2))),
        near.mul_add(c(0.5), far.mul(c(2.0))),
        near_odd.mul_add(c(0.5 * FRAC_1_SQRT_2), far_odd.mul_add(c(2.0 * SQRT_2), m[5])),
    ]
}

/// Gg: three weights in a row.
///
/// # Safety
/// Must be compiled for V's instruction set.
#[inline(always)]
pub unsafe fn kernel<V: Vector>(g: [V; 3]) -> [V; SIDE] {
    let c = |x: f32| V::splat(x);
    let near = g[2].mul_add(c(0.5), g[0]).mul(c(-2.0 / 3.0));
    let far = g[2].mul_add(c(2.0), g[0]).mul(c(1.0 / 6.0));
    let (odd_near, odd_far) = (FRAC_1_SQRT_2 * 2.0 / 3.0, SQRT_2 / 6.0);
    [
        g[0],
        g[1].mul_add(c(-odd_near), near),
        g[1].mul_add(c(odd_near), near),
        g[1].mul_add(c(odd_far), far),
        g[1].mul_add(c(-odd_far), far),
        g[2],
    ]
}

/// A d: four gradients by outputs to six positions, the adjoint of [`output`].
///
/// # Safety
/// Must be compiled for V's instruction set.
#[inline(always)]
pub unsafe fn gradient<V: Vector>(d: [V; OUT]) -> [V; SIDE] {
    let c = |x: f32| V::splat(x);
    let near = d[2].mul_add(c(0.5), d[0]);
    let far = d[2].mul_add(c(2.0), d[0]);
    let near_odd = d[3].mul_add(c(0.5), d[1]);
    let far_odd = d[3].mul_add(c(2.0), d[1]);
    [
        d[0],
        near_odd.mul_add(c(FRAC_1_SQRT_2), near),
        near_odd.mul_add(c(-FRAC_1_SQRT_2), near),
        far_odd.mul_add(c(SQRT_2), far),
        far_odd.mul_add(c(-SQRT_2), far),
        d[3],
    ]
}

/// B m: six positions to the gradients by six inputs, the adjoint of [`input`].
///
/// # Safety
/// Must be compiled for V's instruction set.
#[inline(always)]
pub unsafe fn input_gradient<V: Vector>(m: [V; SIDE]) -> [V; SIDE] {
    let c = |x: f32| V::splat(x);
    let (near, far) = (m[1].add(m[2]), m[3].add(m[4]));
    let (near_odd, far_odd) = (m[1].sub(m[2]), m[3].sub(m[4]));
    [
        m[0],
        near_odd.mul_add(c(-SQRT_2), far_odd.mul_add(c(-FRAC_1_SQRT_2), m[5])),
        m[0].mul_add(c(-2.5), near.mul_add(c(-2.0), far.mul(c(-0.5)))),
        m[5].mul_add(c(-2.5), near_odd.mul_add(c(FRAC_1_SQRT_2), far_odd.mul(c(SQRT_2)))),
        m[0].add(near.add(far)),
        m[5],
    ]
}

/// Gᵀ w: six positions to the gradients by three weights, the adjoint of [`kernel`].
///
/// # Safety
/// Must be compiled for V's instruction set.
#[inline(always)]
pub unsafe fn kernel_gradient<V: Vector>(w: [V; SIDE]) -> [V; 3] {
    let c = |x: f32| V::splat(x);
    let (near, far) = (w[1].add(w[2]), w[3].add(w[4]));
    let (near_odd, far_odd) = (w[2].sub(w[1]), w[3].sub(w[4]));
    [
        near.mul_add(c(-2.0 / 3.0), far.mul_add(c(1.0 / 6.0), w[0])),
        near_odd.mul_add(c(FRAC_1_SQRT_2 * 2.0 / 3.0), far_odd.mul(c(SQRT_2 / 6.0))),
        near.mul_add(c(-1.0 / 3.0), far.mul_add(c(1.0 / 3.0), w[5])),
    ]
}
