//! The data gradient of a 3×3 convolution with stride 2: four convolutions, one for each parity of row and column.
//!
//! With outputs at the source's even pixels, an even source row is read through the kernel's middle row alone, an odd one
//! through the last row by the output above and through the first by the output below. That is 1, 2, 2 and 4 taps for the
//! four parities: no products with zeros.

use super::conv::{forward, Geometry};
use super::scratch::{grown, Buffer};
use super::simd::{kernels, Isa, Vector, BLOCK};

kernels! {
    /// Puts a map of `width` pixels a row at the pixels of `dx`, twice as high and wide, whose row and column have the given
    /// parities; added with `add`, else overwriting.
    fn interleave(from: &[f32], width: usize, channels: usize, parities: (usize, usize), add: bool, dx: &mut [f32]) = interleave_body;
}

#[inline(always)]
fn interleave_body<V: Vector>(
    from: &[f32],
    width: usize,
    channels: usize,
    (py, px): (usize, usize),
    add: bool,
    dx: &mut [f32],
) {
    let row = width * channels;
    assert!(row > 0 && channels.is_multiple_of(BLOCK) && from.len().is_multiple_of(row) && dx.len() == 4 * from.len());
    assert!(py < 2 && px < 2);
    for y in 0..from.len() / row {
        for x in 0..width {
            // SAFETY: pixel (2y + py, 2x + px) of `dx` and (y, x) of `from` have `channels` floats.
            unsafe {
                let from = from.as_ptr().add(y * row + x * channels);
                let to = dx.as_mut_ptr().add((2 * y + py) * 2 * row + (2 * x + px) * channels);
                for at in (0..channels).step_by(V::LANES) {
                    let d = V::load(from.add(at));
                    let d = if add { V::load(to.add(at)).add(d) } else { d };
                    d.store(to.add(at));
                }
            }
        }
    }
}

/// The kernel's rows (or columns) that source rows of a parity are read through, in the order of the outputs.
const READ: [&[usize]; 2] = [&[1], &[2, 0]];

/// Rearranges weights `[block of 16 inputs][3][3][output][16]` into those of the four parities, one after the other:
/// `[parity][block of 16 inputs][rows][columns][output][16]`.
pub fn pack(exchanged: &[f32], outputs: usize, packed: &mut [f32]) {
    let tap = outputs * BLOCK;
    let mut to = packed.chunks_exact_mut(tap);
    for rows in READ {
        for columns in READ {
            for block in exchanged.chunks_exact(9 * tap) {
                for &row in rows {
                    for (&column, to) in columns.iter().zip(&mut to) {
                        to.copy_from_slice(&block[(row * 3 + column) * tap..][..tap]);
                    }
                }
            }
        }
    }
}

/// The gradient by the source, `[2·height][2·width][inputs]`, from that by the output, a padded map of `outputs`, and
/// weights from [`pack`]; added to `dx` with `add`, else overwriting it.
#[allow(clippy::too_many_arguments)]
pub fn data_gradient(
    isa: Isa,
    padded: &[f32],
    weights: &[f32],
    ((height, width), outputs, inputs): ((usize, usize), usize, usize),
    scratch: &mut Buffer,
    add: bool,
    dx: &mut [f32],
) {
    let row = (width + 2) * outputs;
    let of_parity = grown(scratch, height * width * inputs);
    let mut weights = weights;
    for (py, rows) in READ.iter().enumerate() {
        for (px, columns) in READ.iter().enumerate() {
            let run = columns.len() * outputs;
            let geometry =
                Geometry { row, step: outputs, stride: 1, kernel: rows.len(), run, height, width, outputs: inputs };
            let (here, rest) = weights.split_at(rows.len() * run * inputs);
            weights = rest;
            forward(isa, &geometry, &padded[row + outputs..], here, of_parity);
            interleave(isa, of_parity, width, inputs, (py, px), add, dx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::{pack_backward, pack_exchanged, pack_forward, padded_len};
    use super::super::maps::spread;
    use super::*;
    use crate::random::Stream;

    #[test]
    fn parities_make_the_convolution_with_zeros_between() {
        let mut stream = Stream::new(std::process::id().into(), &[14]);
        for (h, w, outputs, inputs) in [(4, 4, 32, 16), (1, 1, 16, 16), (3, 5, 16, 48), (2, 9, 64, 32)] {
            let mut random = |n: usize| -> Vec<f32> { (0..n).map(|_| stream.symmetric(1.0)).collect() };
            let direct = pack_forward(&random(outputs * inputs * 9), [outputs, inputs, 3, 3], inputs);
            let d = random(h * w * outputs);
            let (mut exchanged, mut packed) = (vec![f32::NAN; direct.len()], vec![f32::NAN; direct.len()]);
            pack_exchanged(&direct, outputs, inputs, 3, &mut exchanged);
            pack(&exchanged, outputs, &mut packed);
            let mut turned = vec![f32::NAN; direct.len()];
            pack_backward(&direct, outputs, inputs, 3, &mut turned);
            let mut padded = vec![f32::NAN; padded_len(h, w, outputs)];
            spread(&d, (h, w), 1, outputs, &mut padded);
            let mut wide = vec![f32::NAN; padded_len(2 * h, 2 * w, outputs)];
            spread(&d, (h, w), 2, outputs, &mut wide);
            for isa in Isa::available() {
                let mut expected = vec![f32::NAN; 4 * h * w * inputs];
                let (geometry, start) = Geometry::over_padded(3, 1, outputs, (2 * h, 2 * w), inputs);
                forward(isa, &geometry, &wide[start..], &turned, &mut expected);
                let mut found = vec![f32::NAN; expected.len()];
                let size = ((h, w), outputs, inputs);
                data_gradient(isa, &padded, &packed, size, &mut Buffer::default(), false, &mut found);
                let mut added = vec![0.5; expected.len()];
                data_gradient(isa, &padded, &packed, size, &mut Buffer::default(), true, &mut added);
                for ((found, added), expected) in found.iter().zip(&added).zip(&expected) {
                    assert!((found - expected).abs() < 1e-5, "{isa:?}: {found} {expected}");
                    assert!((added - 0.5 - expected).abs() < 1e-5, "{isa:?}: {added} {expected}");
                }
            }
        }
    }
}
