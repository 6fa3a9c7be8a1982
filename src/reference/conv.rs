//! Convolution with padding k/2 and no bias, and its two gradients.
//!
//! An image is first laid out as one row per (input channel, tap), each row holding the pixel that the tap sees for every
//! output pixel. Forward, input gradient and weight gradient are then plain sums over such rows. The inner loops run along
//! pixels; images are spread over threads and every sum has a fixed order, so that results do not depend on the threads.

use super::tensor::Tensor;
use rayon::prelude::*;

/// The dimensions of a convolution. Its weights are `[outputs, inputs, side, side]`, row-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv {
    /// Output channels.
    pub outputs: usize,
    /// Input channels.
    pub inputs: usize,
    /// Kernel side, odd.
    pub side: usize,
    /// Step between output pixels.
    pub stride: usize,
}

impl Conv {
    /// y = w ∗ x: `[n, inputs, h, w]` to `[n, outputs, ⌈h/stride⌉, ⌈w/stride⌉]`.
    pub fn forward(&self, x: &Tensor, weight: &[f64]) -> Tensor {
        let [n, _, h, w] = x.shape;
        let (oh, ow) = self.output_size(h, w);
        let mut y = Tensor::zeros([n, self.outputs, oh, ow]);
        let length = y.image_len();
        y.values.par_chunks_mut(length).zip(x.values.par_chunks(x.image_len())).for_each(|(y, x)| {
            let rows = self.gather(x, h, w);
            for (y, weight) in y.chunks_exact_mut(oh * ow).zip(weight.chunks_exact(self.taps())) {
                add_rows(y, weight.iter().copied(), &rows);
            }
        });
        y
    }

    /// The gradient with respect to x, whose shape is given, from the gradient `g` with respect to y.
    pub fn input_gradient(&self, g: &Tensor, weight: &[f64], shape: [usize; 4]) -> Tensor {
        let [_, _, h, w] = shape;
        let pixels = g.pixels();
        let mut gx = Tensor::zeros(shape);
        let length = gx.image_len();
        gx.values.par_chunks_mut(length).zip(g.values.par_chunks(g.image_len())).for_each(|(gx, g)| {
            let mut rows = vec![0.0; self.taps() * pixels];
            for (tap, row) in rows.chunks_exact_mut(pixels).enumerate() {
                add_rows(row, weight.iter().skip(tap).step_by(self.taps()).copied(), g);
            }
            self.scatter(&rows, gx, h, w);
        });
        gx
    }

    /// The gradient with respect to the weights, from x and the gradient `g` with respect to y.
    pub fn weight_gradient(&self, x: &Tensor, g: &Tensor) -> Vec<f64> {
        let [_, _, h, w] = x.shape;
        let pixels = g.pixels();
        let of_images: Vec<Vec<f64>> = x
            .values
            .par_chunks(x.image_len())
            .zip(g.values.par_chunks(g.image_len()))
            .map(|(x, g)| {
                let rows = self.gather(x, h, w);
                let pairs = g.chunks_exact(pixels).flat_map(|g| rows.chunks_exact(pixels).map(move |row| (g, row)));
                pairs.map(|(g, row)| dot(g, row)).collect()
            })
            .collect();
        let mut sum = vec![0.0; self.outputs * self.taps()];
        for gradient in of_images {
            sum.iter_mut().zip(gradient).for_each(|(a, b)| *a += b);
        }
        sum
    }

    /// Weights that one output adds up: inputs × side².
    fn taps(&self) -> usize {
        self.inputs * self.side * self.side
    }

    fn output_size(&self, h: usize, w: usize) -> (usize, usize) {
        (h.div_ceil(self.stride), w.div_ceil(self.stride))
    }

    /// One row per (input channel, ky, kx) of the image pixels seen from each output pixel; 0 outside the image.
    fn gather(&self, image: &[f64], h: usize, w: usize) -> Vec<f64> {
        let (oh, ow) = self.output_size(h, w);
        let mut rows = vec![0.0; self.taps() * oh * ow];
        self.each_pair(h, w, |row, pixel| rows[row] = image[pixel]);
        rows
    }

    /// The transpose of [`Conv::gather`]: adds each row's elements to the pixels they were taken from.
    fn scatter(&self, rows: &[f64], image: &mut [f64], h: usize, w: usize) {
        self.each_pair(h, w, |row, pixel| image[pixel] += rows[row]);
    }

    /// Calls `f(position in the rows, position in the image)` wherever a tap falls inside the image.
    fn each_pair(&self, h: usize, w: usize, mut f: impl FnMut(usize, usize)) {
        let (oh, ow) = self.output_size(h, w);
        let pad = self.side / 2;
        // The output positions along one axis whose tap k falls on one of `size` pixels.
        let inside = |k: usize, size: usize, out: usize| {
            pad.saturating_sub(k).div_ceil(self.stride)..(size + pad - k).div_ceil(self.stride).min(out)
        };
        for channel in 0..self.inputs {
            for ky in 0..self.side {
                for kx in 0..self.side {
                    let row = ((channel * self.side + ky) * self.side + kx) * oh * ow;
                    for oy in inside(ky, h, oh) {
                        let line = (channel * h + oy * self.stride + ky - pad) * w;
                        for ox in inside(kx, w, ow) {
                            f(row + oy * ow + ox, line + ox * self.stride + kx - pad);
                        }
                    }
                }
            }
        }
    }
}

/// sum += Σ_r factor_r · row_r, four rows at a time so that `sum` is read and written a quarter as often.
fn add_rows(sum: &mut [f64], factors: impl Iterator<Item = f64>, rows: &[f64]) {
    let length = sum.len();
    let factors: Vec<f64> = factors.collect();
    for (f, rows) in factors.chunks(4).zip(rows.chunks(4 * length)) {
        if let [f0, f1, f2, f3] = *f {
            let (r01, r23) = rows.split_at(2 * length);
            let ((r0, r1), (r2, r3)) = (r01.split_at(length), r23.split_at(length));
            for ((((s, a), b), c), d) in sum.iter_mut().zip(r0).zip(r1).zip(r2).zip(r3) {
                *s += (f0 * a + f1 * b) + (f2 * c + f3 * d);
            }
        } else {
            for (f, row) in f.iter().zip(rows.chunks_exact(length)) {
                sum.iter_mut().zip(row).for_each(|(s, a)| *s += f * a);
            }
        }
    }
}

/// Σ a·b in eight interleaved partial sums, which the compiler can keep in vector registers.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut parts = [0.0; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a8.remainder().iter().zip(b8.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a8.zip(b8) {
        for (part, (a, b)) in parts.iter_mut().zip(a.iter().zip(b)) {
            *part += a * b;
        }
    }
    parts.iter().sum::<f64>() + rest
}
