//! Averages over windows and the nearest-neighbour resize: linear maps of one channel's pixels.
//!
//! Each is a list of (output pixel, input pixel, factor), used as it is forwards and transposed backwards.

use super::tensor::Tensor;

/// A linear map from the pixels of one map to those of another, the same for every image and channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// Average over 3×3, stride 1; the divisor counts only pixels inside the image.
    Average3,
    /// Average over 2×2 with stride 2.
    Average2,
    /// Average over all pixels, to 1×1.
    Mean,
    /// Nearest neighbour to this height and width: output pixel i reads input pixel ⌊i·in/out⌋.
    Nearest(usize, usize),
}

impl Pool {
    /// `[n, c, h, w]` to `[n, c, oh, ow]`.
    pub fn forward(self, x: &Tensor) -> Tensor {
        let [n, c, h, w] = x.shape;
        let (oh, ow) = self.output_size(h, w);
        let mut y = Tensor::zeros([n, c, oh, ow]);
        let terms = self.terms(h, w);
        for (y, x) in y.values.chunks_exact_mut(oh * ow).zip(x.values.chunks_exact(h * w)) {
            terms.iter().for_each(|&(to, from, factor)| y[to] += factor * x[from]);
        }
        y
    }

    /// The gradient with respect to x, whose shape is given, from the gradient `g` with respect to y.
    pub fn input_gradient(self, g: &Tensor, shape: [usize; 4]) -> Tensor {
        let mut gx = Tensor::zeros(shape);
        let terms = self.terms(shape[2], shape[3]);
        for (gx, g) in gx.values.chunks_exact_mut(shape[2] * shape[3]).zip(g.values.chunks_exact(g.pixels())) {
            terms.iter().for_each(|&(to, from, factor)| gx[from] += factor * g[to]);
        }
        gx
    }

    fn output_size(self, h: usize, w: usize) -> (usize, usize) {
        match self {
            Pool::Average3 => (h, w),
            Pool::Average2 => (h / 2, w / 2),
            Pool::Mean => (1, 1),
            Pool::Nearest(oh, ow) => (oh, ow),
        }
    }

    fn terms(self, h: usize, w: usize) -> Vec<(usize, usize, f64)> {
        let (oh, ow) = self.output_size(h, w);
        let mut terms = Vec::new();
        for oy in 0..oh {
            for ox in 0..ow {
                let (ys, xs) = match self {
                    Pool::Average3 => (oy.saturating_sub(1)..(oy + 2).min(h), ox.saturating_sub(1)..(ox + 2).min(w)),
                    Pool::Average2 => (2 * oy..2 * oy + 2, 2 * ox..2 * ox + 2),
                    Pool::Mean => (0..h, 0..w),
                    Pool::Nearest(..) => {
                        let (y, x) = (oy * h / oh, ox * w / ow);
                        (y..y + 1, x..x + 1)
                    }
                };
                let factor = 1.0 / (ys.len() * xs.len()) as f64;
                terms.extend(ys.flat_map(|y| xs.clone().map(move |x| (oy * ow + ox, y * w + x, factor))));
            }
        }
        terms
    }
}
