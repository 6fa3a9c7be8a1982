//! BatchNorm on the statistics of the batch: biased variance, eps 1e-5.

use super::tensor::Tensor;

/// Added to the variance.
pub const EPS: f64 = 1e-5;

/// Mean and 1/√(variance + eps) of each channel over images and pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Mean of each channel.
    pub mean: Vec<f64>,
    /// 1/√(variance + eps) of each channel.
    pub scale: Vec<f64>,
}

/// The gradients of a BatchNorm.
#[derive(Clone, Debug, PartialEq)]
pub struct NormGradient {
    /// With respect to the input.
    pub x: Tensor,
    /// With respect to γ.
    pub gamma: Vec<f64>,
    /// With respect to β.
    pub beta: Vec<f64>,
}

impl Moments {
    /// The moments of a batch, each by its own pass. The mean is corrected by the mean of what is left after taking it
    /// away, so that a constant map becomes exactly 0 and not its rounding error times 1/√eps.
    pub fn of(x: &Tensor) -> Moments {
        let (mut mean, mut scale) = (Vec::new(), Vec::new());
        let count = (x.shape[0] * x.pixels()) as f64;
        for c in 0..x.shape[1] {
            let total = |f: &dyn Fn(f64) -> f64| maps(x, c).map(|m| m.iter().map(|&v| f(v)).sum::<f64>()).sum::<f64>();
            let rough = total(&|v| v) / count;
            let centre = rough + total(&|v| v - rough) / count;
            let variance = total(&|v| (v - centre) * (v - centre)) / count;
            mean.push(centre);
            scale.push(1.0 / (variance + EPS).sqrt());
        }
        Moments { mean, scale }
    }

    /// y = γ·(x − mean)·scale + β; without γ and β they are 1 and 0.
    pub fn normalise(&self, x: &Tensor, affine: Option<[&[f64]; 2]>) -> Tensor {
        let mut y = x.clone();
        let (channels, pixels) = (x.shape[1], x.pixels());
        for (i, map) in y.values.chunks_exact_mut(pixels).enumerate() {
            let c = i % channels;
            let (gamma, beta) = affine.map_or((1.0, 0.0), |[gamma, beta]| (gamma[c], beta[c]));
            map.iter_mut().for_each(|v| *v = gamma * ((*v - self.mean[c]) * self.scale[c]) + beta);
        }
        y
    }

    /// The gradients from the input and the gradient `g` with respect to y. The moments depend on x: with x̂ = (x − mean)·scale,
    /// gx = γ·scale·(g − mean(g) − x̂·mean(g·x̂)).
    pub fn backward(&self, x: &Tensor, gamma: Option<&[f64]>, g: &Tensor) -> NormGradient {
        let (channels, pixels) = (x.shape[1], x.pixels());
        let count = (x.shape[0] * pixels) as f64;
        let hat = self.normalise(x, None);
        let mut of = NormGradient { x: g.clone(), gamma: Vec::new(), beta: Vec::new() };
        for c in 0..channels {
            of.beta.push(maps(g, c).map(|g| g.iter().sum::<f64>()).sum());
            let products = maps(g, c).zip(maps(&hat, c)).map(|(g, h)| g.iter().zip(h).map(|(g, h)| g * h).sum::<f64>());
            of.gamma.push(products.sum());
        }
        for (i, (gx, hat)) in of.x.values.chunks_exact_mut(pixels).zip(hat.values.chunks_exact(pixels)).enumerate() {
            let c = i % channels;
            let factor = gamma.map_or(1.0, |gamma| gamma[c]) * self.scale[c];
            let (mean_g, mean_gh) = (of.beta[c] / count, of.gamma[c] / count);
            gx.iter_mut().zip(hat).for_each(|(g, h)| *g = factor * (*g - mean_g - h * mean_gh));
        }
        of
    }
}

/// The maps of one channel, image by image.
fn maps(x: &Tensor, channel: usize) -> impl Iterator<Item = &[f64]> {
    x.values.chunks_exact(x.pixels()).skip(channel).step_by(x.shape[1])
}
