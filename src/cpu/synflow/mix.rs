//! Sums of maps that carry powers of two.
//!
//! The network is positively homogeneous and nothing in it is negative: sums never cancel, and scaling a map by a power of
//! two is exact. A map stands for its elements times 2^exponent; its largest element is known, and whoever reads it takes
//! that element's power of two out, so that no map comes near the limits of f32 whatever the network's depth.

use super::logs::power;
use crate::cpu::simd::{kernels, Isa, Vector, BLOCK};

kernels! {
    /// `out = factor · from`; returns the largest element. No element is negative.
    fn scaled(out: &mut [f32], from: &[f32], factor: f32) -> f32 = scaled_body;
    /// `out = keep · out + factor · from`; returns the largest element. No element is negative.
    fn mixed(out: &mut [f32], from: &[f32], keep: f32, factor: f32) -> f32 = mixed_body;
}

/// Blocks that are in registers together.
const TOGETHER: usize = 4;

#[inline(always)]
fn scaled_body<V: Vector>(out: &mut [f32], from: &[f32], factor: f32) -> f32 {
    // SAFETY: compiled for V's instruction set.
    sweep(out, from, |_: V, from: V| unsafe { from.mul(V::splat(factor)) })
}

#[inline(always)]
fn mixed_body<V: Vector>(out: &mut [f32], from: &[f32], keep: f32, factor: f32) -> f32 {
    // SAFETY: compiled for V's instruction set.
    sweep(out, from, |out: V, from: V| unsafe { from.mul_add(V::splat(factor), out.mul(V::splat(keep))) })
}

/// `out[i] = f(out[i], from[i])`; returns the largest.
#[inline(always)]
fn sweep<V: Vector>(out: &mut [f32], from: &[f32], f: impl Fn(V, V) -> V) -> f32 {
    const CHUNK: usize = BLOCK * TOGETHER;
    assert!(out.len() == from.len() && out.len().is_multiple_of(BLOCK));
    let mut most = [0.0f32; BLOCK];
    // SAFETY: every chunk lies within both maps, which are equally long; V has at most BLOCK lanes.
    unsafe {
        let mut largest = [V::splat(0.0); TOGETHER];
        let whole = out.len() / CHUNK * CHUNK;
        let mut at = 0;
        while at < out.len() {
            let blocks = if at < whole { TOGETHER } else { 1 };
            for q in 0..BLOCK / V::LANES {
                for b in 0..blocks {
                    let at = at + b * BLOCK + q * V::LANES;
                    let to = out.as_mut_ptr().add(at);
                    let sum = f(V::load(to), V::load(from.as_ptr().add(at)));
                    sum.store(to);
                    largest[b] = largest[b].max(sum);
                }
            }
            at += blocks * BLOCK;
        }
        let [a, b, c, d] = largest;
        a.max(b).max(c.max(d)).store(most.as_mut_ptr());
    }
    most.into_iter().fold(0.0, f32::max)
}

/// What is known of a stored map.
#[derive(Clone, Copy, Debug, Default)]
pub struct State {
    /// The map stands for its elements times two to this.
    pub exponent: i32,
    /// Its largest element: 0 until something is added.
    pub largest: f32,
}

impl State {
    /// The power of two of the largest element.
    pub fn magnitude(&self) -> i32 {
        if self.largest > 0.0 && self.largest.is_finite() {
            libm::ilogbf(self.largest).max(-126)
        } else {
            0
        }
    }
}

/// Adds 2^`exponent`·`from` to a map; `magnitude` is the power of two that is taken out of its elements. A map without
/// state so far is overwritten.
pub fn add(isa: Isa, out: &mut [f32], state: &mut State, from: &[f32], exponent: i32, magnitude: i32) {
    let exponent = exponent + magnitude;
    if state.largest == 0.0 {
        state.largest = scaled(isa, out, from, power(-magnitude));
        state.exponent = exponent;
    } else {
        let top = state.exponent.max(exponent);
        let (keep, factor) = (power(state.exponent - top), power(exponent - top - magnitude));
        state.largest = mixed(isa, out, from, keep, factor);
        state.exponent = top;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    #[test]
    fn maps_add_up_whatever_their_exponents() {
        let mut stream = Stream::new(std::process::id().into(), &[24]);
        for blocks in [1, 4, 7] {
            for isa in Isa::available() {
                let mut out = vec![f32::NAN; blocks * BLOCK];
                let mut state = State::default();
                let mut expected = vec![0.0f64; out.len()];
                for (exponent, magnitude) in [(-300, -90), (-310, 3), (-280, 0), (900, 60), (897, 60), (1000, -2)] {
                    let map: Vec<f32> = expected.iter().map(|_| power(magnitude) * stream.unit() as f32).collect();
                    add(isa, &mut out, &mut state, &map, exponent, magnitude);
                    // 2^1000 alone is out of f64's range when magnitudes come to it.
                    let f64_of = |x: f32, exponent: i32| libm::scalbn(f64::from(x), exponent - 100);
                    expected.iter_mut().zip(&map).for_each(|(sum, x)| *sum += f64_of(*x, exponent));
                    for (ours, truth) in out.iter().map(|x| f64_of(*x, state.exponent)).zip(&expected) {
                        assert!((ours - truth).abs() <= 1e-6 * truth, "{isa:?}: {ours} {truth}");
                    }
                    assert_eq!(state.largest, out.iter().copied().fold(0.0, f32::max));
                }
            }
        }
    }

    #[test]
    fn zeros_leave_no_mark() {
        let (mut out, mut state) = (vec![f32::NAN; 16], State::default());
        add(Isa::detect(), &mut out, &mut state, &[0.0; 16], 500, 0);
        assert_eq!((state.largest, state.magnitude()), (0.0, 0));
        add(Isa::detect(), &mut out, &mut state, &[1.5; 16], -500, 0);
        assert_eq!((out[3], state.exponent), (1.5, -500));
    }
}
