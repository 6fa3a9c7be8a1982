//! How tensors lie in memory.
//!
//! * A map `[h][w][c]` has its channels innermost, padded with zeros to a multiple of [`BLOCK`]; the image has 4.
//! * A padded map has a border of one zero pixel on each side: convolutions need no case for the edge of the image.
//! * Packed weights are `[block of 16 outputs][ky][kx][input][16 outputs]`: for a row of the kernel, the inputs that one
//!   output pixel reads are consecutive in a padded map and in the weights.

use super::simd::BLOCK;
use crate::plan::Shape;

/// Channels of the image in memory: red, green, blue and a zero.
pub const IMAGE_CHANNELS: usize = 4;

/// Channels in memory.
pub fn padded_channels(channels: usize) -> usize {
    channels.next_multiple_of(BLOCK)
}

/// Floats of a map.
pub fn map_len(shape: &Shape) -> usize {
    padded_channels(shape.channels) * shape.pixels()
}

/// Floats of a map with a border.
pub fn padded_len(height: usize, width: usize, channels: usize) -> usize {
    (height + 2) * (width + 2) * channels
}

/// Weights packed for the forward convolution from `[out][in][k][k]`; `inputs` is the channels of the source in memory.
pub fn pack_forward(weights: &[f32], shape: [usize; 4], inputs: usize) -> Vec<f32> {
    let [out, real, kh, kw] = shape;
    let mut packed = vec![0.0; padded_channels(out) * kh * kw * inputs];
    for o in 0..out {
        for i in 0..real {
            for t in 0..kh * kw {
                let to = ((o / BLOCK * kh * kw + t) * inputs + i) * BLOCK + o % BLOCK;
                packed[to] = weights[(o * real + i) * kh * kw + t];
            }
        }
    }
    packed
}

/// Repacks forward weights for the data gradient: a convolution from outputs to inputs with the kernel turned by 180°.
///
/// Both paddings are multiples of [`BLOCK`]; `backward` is fully overwritten.
pub fn pack_backward(forward: &[f32], outputs: usize, inputs: usize, kernel: usize, backward: &mut [f32]) {
    let taps = kernel * kernel;
    exchange(forward, outputs, inputs, taps, |t| taps - 1 - t, backward);
}

/// Repacks forward weights with inputs and outputs exchanged: `[block of 16 inputs][ky][kx][output][16 inputs]`.
///
/// Both paddings are multiples of [`BLOCK`]; `exchanged` is fully overwritten.
pub fn pack_exchanged(forward: &[f32], outputs: usize, inputs: usize, kernel: usize, exchanged: &mut [f32]) {
    exchange(forward, outputs, inputs, kernel * kernel, |t| t, exchanged);
}

/// Exchanges inputs and outputs, and moves tap t to `place(t)`.
fn exchange(
    forward: &[f32],
    outputs: usize,
    inputs: usize,
    taps: usize,
    place: impl Fn(usize) -> usize,
    backward: &mut [f32],
) {
    for ob in 0..outputs / BLOCK {
        for t in 0..taps {
            for ib in 0..inputs / BLOCK {
                let from = &forward[((ob * taps + t) * inputs + ib * BLOCK) * BLOCK..][..BLOCK * BLOCK];
                let to = ((ib * taps + place(t)) * outputs + ob * BLOCK) * BLOCK;
                let to = &mut backward[to..][..BLOCK * BLOCK];
                for i in 0..BLOCK {
                    for o in 0..BLOCK {
                        to[o * BLOCK + i] = from[i * BLOCK + o];
                    }
                }
            }
        }
    }
}

/// An image `[3][h][w]` plus `noise`, if any, as a padded map with 4 channels.
pub fn pad_image(pixels: &[f32], noise: Option<&[f32]>, height: usize, width: usize, out: &mut [f32]) {
    let plane = height * width;
    out.fill(0.0);
    for y in 0..height {
        for x in 0..width {
            let to = ((y + 1) * (width + 2) + x + 1) * IMAGE_CHANNELS;
            for c in 0..3 {
                let at = c * plane + y * width + x;
                out[to + c] = pixels[at] + noise.map_or(0.0, |n| n[at]);
            }
        }
    }
}
