//! Weight gradients that never reach memory: their logarithms are taken where they are made.
//!
//! As [`crate::cpu::conv::weight_gradient`]: `PIXELS` inputs × 16 outputs are in registers, which run along the pixels. For
//! each weight 2 FLOP a pixel, and 4 bytes read, its absolute value.

use super::logs::{self, Scale, Sums};
use crate::cpu::conv::{outer_products, Geometry};
use crate::cpu::simd::{kernels, Vector, BLOCK};

/// Inputs whose logarithms are summed in f32.
const GROUP: usize = 4;

kernels! {
    /// The sums over a convolution's weights, packed as for the forward convolution, from its padded source and `d`, the gradient
    /// by its output `[height][width][outputs]`, over one image.
    pub fn weight_sums(g: &Geometry, source: &[f32], d: &[f32], weights: &[f32], scale: &Scale, sums: &mut Sums) = weight_sums_body;
}

#[inline(always)]
fn weight_sums_body<V: Vector>(
    g: &Geometry,
    source: &[f32],
    d: &[f32],
    weights: &[f32],
    scale: &Scale,
    sums: &mut Sums,
) {
    assert!(source.len() >= g.source_len() && weights.len() == g.weight_len());
    assert!(d.len() == g.height * g.width * g.outputs && g.outputs.is_multiple_of(BLOCK));
    assert!(g.run.is_multiple_of(GROUP));
    for block in 0..g.outputs / BLOCK {
        let d = d[block * BLOCK..].as_ptr();
        for ky in 0..g.kernel {
            let mut i = 0;
            while i < g.run {
                let from = source[ky * g.row + i..].as_ptr();
                let w = weights[((block * g.kernel + ky) * g.run + i) * BLOCK..].as_ptr();
                // SAFETY: the inputs i .. i + I lie inside the run, so that every read ends before `source_len`; `d` and
                // `weights` were checked above.
                i += unsafe {
                    match BLOCK / V::LANES {
                        1 if g.run - i >= 8 => inputs::<V, 1, 8>(g, from, d, w, scale, sums),
                        1 => inputs::<V, 1, 4>(g, from, d, w, scale, sums),
                        2 => inputs::<V, 2, 4>(g, from, d, w, scale, sums),
                        _ => inputs::<V, 4, 4>(g, from, d, w, scale, sums),
                    }
                };
            }
        }
    }
}

/// I inputs × one block of outputs, Q vectors, over all pixels; returns I.
///
/// # Safety
/// All pixels of `d`, the inputs they read from `from`, and I blocks from `w` must be valid.
#[inline(always)]
unsafe fn inputs<V: Vector, const Q: usize, const I: usize>(
    g: &Geometry,
    from: *const f32,
    d: *const f32,
    w: *const f32,
    scale: &Scale,
    sums: &mut Sums,
) -> usize {
    let gradients = outer_products::<V, Q, I>(g, from, d);
    for start in (0..I).step_by(GROUP) {
        let group: [[V; Q]; GROUP] = [0, 1, 2, 3].map(|i| gradients[start + i]);
        let w = [0, 1, 2, 3].map(|i| w.add((start + i) * BLOCK));
        logs::add::<V, Q, GROUP>(sums, scale, &group, w);
    }
    I
}
