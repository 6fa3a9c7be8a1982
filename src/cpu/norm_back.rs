//! The way back through BatchNorm: sums over the batch, then the gradient by its input.

use super::norm::{Affine, Moment, RUN};
use super::simd::{kernels, Vector, BLOCK};

kernels! {
    /// Σ d and Σ d·(raw − mean) of each channel of a map.
    pub fn gradient_sums(d: &[f32], raw: &[f32], mean: &[f32], out: &mut [Moment]) = gradient_sums_body;
    /// The gradient by the BatchNorm's input, from that by its output.
    pub fn apply(norm: &Coefficients, d: &[f32], raw: &[f32], out: &mut [f32]) = apply_body;
}

#[inline(always)]
fn gradient_sums_body<V: Vector>(d: &[f32], raw: &[f32], mean: &[f32], out: &mut [Moment]) {
    let channels = mean.len();
    assert!(channels.is_multiple_of(BLOCK) && channels > 0 && out.len() == channels);
    assert!(d.len().is_multiple_of(channels) && raw.len() == d.len());
    let pixels = d.len() / channels;
    for at in (0..channels).step_by(V::LANES) {
        let mut sums = [[0.0f64; BLOCK]; 2];
        // SAFETY: pixel `p` of these channels lies within both maps; `sums` holds a block of channels.
        unsafe {
            let mean = V::load(mean.as_ptr().add(at));
            let mut p = 0;
            while p < pixels {
                let mut run = [V::splat(0.0); 2];
                for p in p..(p + RUN).min(pixels) {
                    let d = V::load(d.as_ptr().add(p * channels + at));
                    run[0] = run[0].add(d);
                    run[1] = d.mul_add(V::load(raw.as_ptr().add(p * channels + at)).sub(mean), run[1]);
                }
                run[0].accumulate(sums[0].as_mut_ptr());
                run[1].accumulate(sums[1].as_mut_ptr());
                p += RUN;
            }
        }
        for k in 0..V::LANES {
            out[at + k] = [sums[0][k], sums[1][k]];
        }
    }
}

#[inline(always)]
fn apply_body<V: Vector>(norm: &Coefficients, d: &[f32], raw: &[f32], out: &mut [f32]) {
    let channels = norm.channels();
    assert!(channels > 0 && out.len().is_multiple_of(channels) && d.len() == out.len() && raw.len() == out.len());
    for at in (0..channels).step_by(V::LANES) {
        // SAFETY: a vector of channels from `at` on lies within each pixel of the maps.
        unsafe {
            let norm = norm.at::<V>(at);
            for p in (at..out.len()).step_by(channels) {
                let result = norm.apply(V::load(d.as_ptr().add(p)), V::load(raw.as_ptr().add(p)));
                result.store(out.as_mut_ptr().add(p));
            }
        }
    }
}

/// The way back through one BatchNorm: with x̂ = (raw − mean)·inverse over N values,
/// d raw = γ·inverse·(d − Σd/N − x̂·Σ(d·x̂)/N).
#[derive(Clone, Debug, Default)]
pub struct Gradient {
    /// The factors a, b, c of d, raw − mean and 1, then the mean, each by channel.
    factors: [Vec<f32>; 4],
    /// The gradient of γ, Σ d·x̂.
    pub gamma: Vec<f32>,
    /// The gradient of β, Σ d.
    pub beta: Vec<f32>,
}

impl Gradient {
    /// From [`gradient_sums`] of all images, placed as in [`Affine::set`]; `values` is N.
    pub fn set(&mut self, affine: &Affine, sums: &[Moment], (at, stride): (usize, usize), values: f64) {
        self.factors.iter_mut().chain([&mut self.gamma, &mut self.beta]).for_each(Vec::clear);
        let [a, b, c, mean] = &mut self.factors;
        mean.extend_from_slice(&affine.mean);
        for (channel, (&scale, &inverse)) in affine.scale.iter().zip(&affine.inverse).enumerate() {
            let of_images = || sums.chunks_exact(stride).map(move |image| image[at + channel]);
            let beta: f64 = of_images().map(|s| s[0]).sum();
            let gamma = of_images().map(|s| s[1]).sum::<f64>() * inverse;
            let scale = f64::from(scale);
            a.push(scale as f32);
            b.push((-scale * inverse * gamma / values) as f32);
            c.push((-scale * beta / values) as f32);
            self.gamma.push(gamma as f32);
            self.beta.push(beta as f32);
        }
    }

    /// Its factors for one channel: of d, of raw − mean, of 1; then the mean.
    #[cfg(test)]
    pub fn factors_of(&self, channel: usize) -> [f32; 4] {
        [0, 1, 2, 3].map(|k| self.factors[k][channel])
    }

    /// What kernels read of it.
    pub fn coefficients(&self) -> Coefficients<'_> {
        let [a, b, c, mean] = &self.factors;
        Coefficients { a, b, c, mean }
    }
}

/// d raw = a·d + (b·(raw − mean) + c), each by channel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Coefficients<'a> {
    a: &'a [f32],
    b: &'a [f32],
    c: &'a [f32],
    mean: &'a [f32],
}

impl Coefficients<'_> {
    /// Channels in memory, a multiple of 16.
    pub fn channels(&self) -> usize {
        let channels = self.mean.len();
        assert!(channels.is_multiple_of(BLOCK) && [self.a, self.b, self.c].iter().all(|list| list.len() == channels));
        channels
    }

    /// Those of a vector of channels.
    ///
    /// # Safety
    /// A vector from `at` on must lie within the channels.
    #[inline(always)]
    pub unsafe fn at<V: Vector>(&self, at: usize) -> Factors<V> {
        let load = |list: &[f32]| V::load(list.as_ptr().add(at));
        Factors { a: load(self.a), b: load(self.b), c: load(self.c), mean: load(self.mean) }
    }
}

/// [`Coefficients`] in registers.
#[derive(Clone, Copy)]
pub struct Factors<V> {
    a: V,
    b: V,
    c: V,
    mean: V,
}

impl<V: Vector> Factors<V> {
    /// The gradient by the BatchNorm's input.
    ///
    /// # Safety
    /// As all operations of [`Vector`].
    #[inline(always)]
    pub unsafe fn apply(&self, d: V, raw: V) -> V {
        d.mul_add(self.a, raw.sub(self.mean).mul_add(self.b, self.c))
    }
}

#[cfg(test)]
mod tests {
    use super::super::norm::moments;
    use super::super::simd::Isa;
    use super::*;
    use crate::random::Stream;

    #[test]
    fn way_back_is_the_gradient() {
        // Finite differences of Σ r·y through the BatchNorm of two images, in f64 by the definition. Channel c has
        // deviation 10^−(c mod 2) and mean 10^(c mod 4).
        const CHANNELS: usize = 2 * BLOCK;
        for pixels in [8, 20] {
            let mut stream = Stream::new(std::process::id().into(), &[10]);
            let deviation = |c: usize| 10f64.powi(-((c % 2) as i32));
            let mut pixel = |c: usize| (10f64.powi((c % 4) as i32) + deviation(c) * stream.normals()[0]) as f32;
            let mut map = || (0..pixels * CHANNELS).map(|at| pixel(at % CHANNELS)).collect::<Vec<f32>>();
            let maps = [map(), map()];
            let r: Vec<Vec<f32>> = maps.iter().map(|m| m.iter().map(|_| stream.symmetric(1.0)).collect()).collect();
            let (gamma, beta) = (vec![1.5f32; CHANNELS], vec![-0.5f32; CHANNELS]);
            let n = (2 * pixels) as f64;
            let sum = |c: usize, bumped: usize, by: f64| {
                let values: Vec<f64> = maps
                    .iter()
                    .flat_map(|map| map.chunks(CHANNELS).map(|p| f64::from(p[c])))
                    .enumerate()
                    .map(|(at, v)| if at == bumped { v + by } else { v })
                    .collect();
                let mean = values.iter().sum::<f64>() / n;
                let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
                let scale = f64::from(gamma[c]) / (variance + super::super::norm::EPSILON).sqrt();
                let weights = r.iter().flat_map(|r| r.chunks(CHANNELS).map(|p| f64::from(p[c])));
                values.iter().zip(weights).map(|(v, r)| r * ((v - mean) * scale + f64::from(beta[c]))).sum::<f64>()
            };
            for isa in Isa::available() {
                let mut all = vec![[f64::NAN; 2]; 2 * CHANNELS];
                maps.iter().zip(all.chunks_exact_mut(CHANNELS)).for_each(|(map, out)| moments(isa, map, out));
                let mut affine = Affine::default();
                affine.set(&all, (0, CHANNELS), CHANNELS, pixels, Some((&gamma, &beta)));
                all.fill([f64::NAN; 2]);
                for ((map, r), out) in maps.iter().zip(&r).zip(all.chunks_exact_mut(CHANNELS)) {
                    gradient_sums(isa, r, map, &affine.mean, out);
                }
                let mut back = Gradient::default();
                back.set(&affine, &all, (0, CHANNELS), n);
                for c in 0..CHANNELS {
                    let of_beta: f64 = r.iter().flat_map(|r| r.chunks(CHANNELS).map(|p| f64::from(p[c]))).sum();
                    assert!((f64::from(back.beta[c]) - of_beta).abs() < 1e-4, "{isa:?} β {c}");
                    for at in 0..2 * pixels {
                        let mut d = vec![f32::NAN; pixels * CHANNELS];
                        apply(isa, &back.coefficients(), &r[at / pixels], &maps[at / pixels], &mut d);
                        let found = f64::from(d[at % pixels * CHANNELS + c]);
                        let step = 1e-4 * deviation(c);
                        let expected = (sum(c, at, step) - sum(c, at, -step)) / (2.0 * step);
                        assert!((found - expected).abs() < 2e-3 * affine.inverse[c], "{c} {at}: {found} {expected}");
                    }
                }
            }
        }
    }
}
