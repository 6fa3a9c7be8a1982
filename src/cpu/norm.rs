//! BatchNorm on the statistics of the batch: moments that do not cancel, scale and shift. The way back: [`super::norm_back`].
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
    /// Moments of each channel of a map.
    pub fn moments(map: &[f32], out: &mut [Moment]) = moments_body;
}

/// Pixels whose terms are added up in f32, before they are added to f64.
pub const RUN: usize = 16;

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
}
