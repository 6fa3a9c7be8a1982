//! BatchNorm on the statistics of the batch: moments that do not cancel, scale and shift, and the way back.
//!
//! Each image gives mean and squared deviation of every channel, taken around that image's own mean in two sweeps while
//! the image is in cache; images are then merged in f64, in their order (Chan, Golub and LeVeque). A map that is constant
//! up to the last bits keeps its variance to full relative precision, and no result depends on the number of threads.

use super::simd::{kernels, Vector, BLOCK};

/// Added to the variance.
pub const EPSILON: f64 = 1e-5;

/// Mean and sum of squared deviations of one channel of one image.
pub type Moment = [f64; 2];

kernels! {
    /// Moments of each channel of a map with rows of `width` pixels.
    pub fn moments(map: &[f32], out: &mut [Moment]) = moments_body;
    /// Σ d and Σ d·(raw − mean) of each channel, for the way back.
    pub fn gradient_sums(d: &[f32], raw: &[f32], mean: &[f32], width: usize, out: &mut [Moment]) = gradient_sums_body;
    /// `d = a·d + b·(raw − mean) + c`, each by channel.
    fn gradient(d: &mut [f32], raw: &[f32], mean: &[f32], coefficients: [&[f32]; 3]) = gradient_body;
}

/// Adds up pairs of terms for one block of 16 channels: f32 within a row, f64 across rows.
#[inline(always)]
fn sum_pairs(
    a: &[f32],
    b: &[f32],
    channels: usize,
    width: usize,
    block: usize,
    terms: impl Fn(f32, f32, usize) -> (f32, f32),
) -> [[f64; BLOCK]; 2] {
    let mut sums = [[0.0f64; BLOCK]; 2];
    for (a, b) in a.chunks_exact(width * channels).zip(b.chunks_exact(width * channels)) {
        let mut row = [[0.0f32; BLOCK]; 2];
        for (a, b) in a.chunks_exact(channels).zip(b.chunks_exact(channels)) {
            let a: &[f32; BLOCK] = &a.as_chunks().0[block];
            let b: &[f32; BLOCK] = &b.as_chunks().0[block];
            for k in 0..BLOCK {
                let (first, second) = terms(a[k], b[k], k);
                row[0][k] += first;
                row[1][k] += second;
            }
        }
        for k in 0..BLOCK {
            sums[0][k] += f64::from(row[0][k]);
            sums[1][k] += f64::from(row[1][k]);
        }
    }
    sums
}

/// Pixels whose deviations are added up in f32.
const RUN: usize = 16;

/// One sweep around the mean of the first pixels: what cancels is no larger than the map's variance, however far its mean.
#[inline(always)]
fn moments_body<V: Vector>(map: &[f32], out: &mut [Moment]) {
    let channels = out.len();
    let pixels = map.len() / channels;
    assert!(channels.is_multiple_of(BLOCK) && pixels > 0 && map.len() == pixels * channels);
    for (block, out) in out.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
        let mut centre = [0.0f32; BLOCK];
        let mut sums = [[0.0f64; BLOCK]; 2];
        for at in (0..BLOCK).step_by(V::LANES) {
            // SAFETY: pixel `p` of these channels lies within the map; `centre` and `sums` hold a block of channels.
            unsafe {
                let pixel = |p: usize| V::load(map.as_ptr().add(p * channels + block * BLOCK + at));
                let first = RUN.min(pixels);
                let mut mean = V::splat(0.0);
                for p in 0..first {
                    mean = mean.add(pixel(p));
                }
                let mean = mean.mul(V::splat(1.0 / first as f32));
                mean.store(centre.as_mut_ptr().add(at));
                let mut p = 0;
                while p < pixels {
                    let mut first = [V::splat(0.0); 2];
                    let mut second = [V::splat(0.0); 2];
                    if pixels - p >= RUN {
                        for k in 0..RUN {
                            let d = pixel(p + k).sub(mean);
                            first[k % 2] = first[k % 2].add(d);
                            second[k % 2] = d.mul_add(d, second[k % 2]);
                        }
                        p += RUN;
                    } else {
                        let d = pixel(p).sub(mean);
                        (first[0], second[0]) = (d, d.mul(d));
                        p += 1;
                    }
                    first[0].add(first[1]).accumulate(sums[0].as_mut_ptr().add(at));
                    second[0].add(second[1]).accumulate(sums[1].as_mut_ptr().add(at));
                }
            }
        }
        *out = merged(&centre, &sums, pixels);
    }
}

/// The moments of one block of channels from sums of deviations and of their squares around `centre`.
#[inline(always)]
pub fn merged(centre: &[f32; BLOCK], sums: &[[f64; BLOCK]; 2], pixels: usize) -> [Moment; BLOCK] {
    let count = pixels as f64;
    let mut out = [[0.0; 2]; BLOCK];
    for k in 0..BLOCK {
        let [s1, s2] = [sums[0][k], sums[1][k]];
        out[k] = [f64::from(centre[k]) + s1 / count, (s2 - s1 * s1 / count).max(0.0)];
    }
    out
}

#[inline(always)]
fn gradient_sums_body<V: Vector>(d: &[f32], raw: &[f32], mean: &[f32], width: usize, out: &mut [Moment]) {
    let channels = out.len();
    for (block, (out, mean)) in out.chunks_exact_mut(BLOCK).zip(mean.chunks_exact(BLOCK)).enumerate() {
        let [s1, s2] = sum_pairs(d, raw, channels, width, block, |d, raw, k| (d, d * (raw - mean[k])));
        for k in 0..BLOCK {
            out[k] = [s1[k], s2[k]];
        }
    }
}

/// BatchNorm of one layer for one batch: `y = scale·x + shift`.
#[derive(Clone, Debug, Default)]
pub struct Affine {
    /// γ/√(variance + ε), a channel each.
    pub scale: Vec<f32>,
    /// β − mean·scale.
    pub shift: Vec<f32>,
    /// The batch's mean.
    pub mean: Vec<f32>,
    /// 1/√(variance + ε).
    pub inverse: Vec<f64>,
}

impl Affine {
    /// From the moments of all images, those of an image at `moments[image·stride + at ..]`, one for each of `channels`, each
    /// over `pixels` pixels. `norm` gives γ and β of the first channels; where it does not, they are 1 and 0.
    pub fn set(
        &mut self,
        moments: &[Moment],
        (at, stride): (usize, usize),
        channels: usize,
        pixels: usize,
        norm: Option<(&[f32], &[f32])>,
    ) {
        let images = (moments.len() / stride) as f64;
        for values in [&mut self.scale, &mut self.shift, &mut self.mean] {
            values.clear();
        }
        self.inverse.clear();
        for c in 0..channels {
            let of_images = || moments.chunks_exact(stride).map(move |image| image[at + c]);
            let mean = of_images().map(|m| m[0]).sum::<f64>() / images;
            let within: f64 = of_images().map(|m| m[1]).sum();
            let between: f64 = of_images().map(|m| (m[0] - mean) * (m[0] - mean)).sum();
            let variance = (within / pixels as f64 + between) / images;
            let inverse = 1.0 / (variance + EPSILON).sqrt();
            let (gamma, beta) = match norm {
                Some((gamma, beta)) if c < gamma.len() => (f64::from(gamma[c]), f64::from(beta[c])),
                _ => (1.0, 0.0),
            };
            self.scale.push((gamma * inverse) as f32);
            self.shift.push((beta - mean * gamma * inverse) as f32);
            self.mean.push(mean as f32);
            self.inverse.push(inverse);
        }
    }
}

#[inline(always)]
fn gradient_body<V: Vector>(d: &mut [f32], raw: &[f32], mean: &[f32], coefficients: [&[f32]; 3]) {
    let channels = mean.len();
    let [a, b, c] = coefficients.map(|list| list.as_chunks::<BLOCK>().0);
    let mean = mean.as_chunks::<BLOCK>().0;
    for (d, raw) in d.chunks_exact_mut(channels).zip(raw.chunks_exact(channels)) {
        for (i, (d, raw)) in d.as_chunks_mut::<BLOCK>().0.iter_mut().zip(raw.as_chunks::<BLOCK>().0).enumerate() {
            for k in 0..BLOCK {
                d[k] = a[i][k] * d[k] + (b[i][k] * (raw[k] - mean[i][k]) + c[i][k]);
            }
        }
    }
}

/// The way back through one BatchNorm: with x̂ = (raw − mean)·inverse over N values,
/// d raw = γ·inverse·(d − Σd/N − x̂·Σ(d·x̂)/N).
#[derive(Clone, Debug, Default)]
pub struct Gradient {
    a: Vec<f32>,
    b: Vec<f32>,
    c: Vec<f32>,
    /// The gradient of γ, Σ d·x̂.
    pub gamma: Vec<f32>,
    /// The gradient of β, Σ d.
    pub beta: Vec<f32>,
}

impl Gradient {
    /// From [`gradient_sums`] of all images, placed as in [`Affine::set`]; `values` is N.
    pub fn set(&mut self, affine: &Affine, sums: &[Moment], (at, stride): (usize, usize), values: f64) {
        for list in [&mut self.a, &mut self.b, &mut self.c, &mut self.gamma, &mut self.beta] {
            list.clear();
        }
        for (channel, (&scale, &inverse)) in affine.scale.iter().zip(&affine.inverse).enumerate() {
            let of_images = || sums.chunks_exact(stride).map(move |image| image[at + channel]);
            let beta: f64 = of_images().map(|s| s[0]).sum();
            let gamma = of_images().map(|s| s[1]).sum::<f64>() * inverse;
            let scale = f64::from(scale);
            self.a.push(scale as f32);
            self.b.push((-scale * inverse * gamma / values) as f32);
            self.c.push((-scale * beta / values) as f32);
            self.gamma.push(gamma as f32);
            self.beta.push(beta as f32);
        }
    }

    /// Turns the gradient by the BatchNorm's output into that by its input.
    pub fn apply(&self, isa: super::Isa, d: &mut [f32], raw: &[f32], mean: &[f32]) {
        gradient(isa, d, raw, mean, [&self.a, &self.b, &self.c]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::Isa;
    use super::*;
    use crate::random::Stream;

    /// Maps of several images whose channel c has mean 10^(c mod 4) and deviation 10^−(c mod 5).
    fn maps(images: usize, pixels: usize) -> Vec<Vec<f32>> {
        let mut stream = Stream::new(std::process::id().into(), &[9]);
        let mut pixel = |c: usize| {
            let deviation = 10f64.powi(-((c % 5) as i32));
            (10f64.powi((c % 4) as i32) + deviation * stream.normals()[0]) as f32
        };
        (0..images).map(|_| (0..pixels * BLOCK).map(|at| pixel(at % BLOCK)).collect()).collect()
    }

    #[test]
    fn variance_of_near_constant_maps_keeps_its_precision() {
        let (images, width, height) = (5, 8, 6);
        let maps = maps(images, width * height);
        for isa in Isa::available() {
            let mut all = vec![[f64::NAN; 2]; images * BLOCK];
            for (map, out) in maps.iter().zip(all.chunks_exact_mut(BLOCK)) {
                moments(isa, map, out);
            }
            let mut affine = Affine::default();
            affine.set(&all, (0, BLOCK), BLOCK, width * height, None);
            for c in 0..BLOCK {
                let values: Vec<f64> = maps.iter().flat_map(|map| map.chunks(BLOCK).map(|p| f64::from(p[c]))).collect();
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
                let inverse = 1.0 / (variance + EPSILON).sqrt();
                assert!(
                    (affine.inverse[c] / inverse - 1.0).abs() < 2e-6,
                    "{isa:?} {c}: {} {inverse}",
                    affine.inverse[c]
                );
                assert!((f64::from(affine.mean[c]) / mean - 1.0).abs() < 1e-7);
            }
        }
    }

    #[test]
    fn constant_maps_become_beta_and_nothing_else() {
        let map = vec![0.1f32; 64 * BLOCK];
        let mut out = vec![[f64::NAN; 2]; BLOCK];
        for isa in Isa::available() {
            moments(isa, &map, &mut out);
            assert!(out.iter().all(|m| *m == [f64::from(0.1f32), 0.0]), "{out:?}");
        }
    }

    #[test]
    fn way_back_is_the_gradient() {
        // Finite differences of Σ r·y through the BatchNorm of two images, in f64 by the definition.
        let (width, pixels) = (4, 8);
        let maps = maps(2, pixels);
        let mut stream = Stream::new(11, &[]);
        let r: Vec<Vec<f32>> = maps.iter().map(|m| m.iter().map(|_| stream.symmetric(1.0)).collect()).collect();
        let (gamma, beta) = (vec![1.5f32; BLOCK], vec![-0.5f32; BLOCK]);
        let n = (2 * pixels) as f64;
        let sum = |c: usize, bumped: usize, by: f64| {
            let values: Vec<f64> = maps
                .iter()
                .flat_map(|map| map.chunks(BLOCK).map(|p| f64::from(p[c])))
                .enumerate()
                .map(|(at, v)| if at == bumped { v + by } else { v })
                .collect();
            let mean = values.iter().sum::<f64>() / n;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
            let scale = f64::from(gamma[c]) / (variance + EPSILON).sqrt();
            let weights = r.iter().flat_map(|r| r.chunks(BLOCK).map(|p| f64::from(p[c])));
            values.iter().zip(weights).map(|(v, r)| r * ((v - mean) * scale + f64::from(beta[c]))).sum::<f64>()
        };
        for isa in Isa::available() {
            let mut all = vec![[f64::NAN; 2]; 2 * BLOCK];
            maps.iter().zip(all.chunks_exact_mut(BLOCK)).for_each(|(map, out)| moments(isa, map, out));
            let mut affine = Affine::default();
            affine.set(&all, (0, BLOCK), BLOCK, pixels, Some((&gamma, &beta)));
            for ((map, r), out) in maps.iter().zip(&r).zip(all.chunks_exact_mut(BLOCK)) {
                gradient_sums(isa, r, map, &affine.mean, width, out);
            }
            let mut back = Gradient::default();
            back.set(&affine, &all, (0, BLOCK), n);
            for c in (0..BLOCK).filter(|c| c % 5 < 2) {
                for at in 0..2 * pixels {
                    let mut d = r[at / pixels].clone();
                    back.apply(isa, &mut d, &maps[at / pixels], &affine.mean);
                    let found = f64::from(d[at % pixels * BLOCK + c]);
                    let step = 1e-4 * 10f64.powi(-((c % 5) as i32));
                    let expected = (sum(c, at, step) - sum(c, at, -step)) / (2.0 * step);
                    assert!((found - expected).abs() < 2e-3 * affine.inverse[c], "{c} {at}: {found} {expected}");
                }
            }
        }
    }
}
