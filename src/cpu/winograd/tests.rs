//! Winograd's convolutions against plain loops in f64.

use super::{forward, pack, Buffers, Target, Tiling, POSITIONS};
use crate::cpu::layout::pack_forward;
use crate::cpu::norm::Moment;
use crate::cpu::simd::Isa;
use crate::random::Stream;

/// Random maps and two sets of weights, and their convolutions in f64.
struct Case {
    tiling: Tiling,
    maps: Vec<f32>,
    weights: Vec<(usize, Vec<f32>)>,
}

impl Case {
    fn new((height, width): (usize, usize), images: usize, inputs: usize, outputs: &[usize]) -> Case {
        let mut stream = Stream::new(std::process::id().into(), &[height as u64, images as u64]);
        let mut random = |n: usize| -> Vec<f32> { (0..n).map(|_| stream.symmetric(1.0)).collect() };
        let maps = random(images * height * width * inputs);
        let weights = outputs.iter().map(|&o| (o, random(o * inputs * 9))).collect();
        Case { tiling: Tiling { height, width, images, inputs }, maps, weights }
    }

    /// `[image][height][width][outputs]`.
    fn expected(&self, relu: bool, (outputs, weights): &(usize, Vec<f32>)) -> Vec<f64> {
        let Tiling { height, width, images, inputs } = self.tiling;
        let mut out = vec![0.0; images * height * width * outputs];
        for at in 0..images * height * width {
            let (image, y, x) = (at / (height * width), at / width % height, at % width);
            for t in 0..9 {
                let (sy, sx) = (y + t / 3, x + t % 3);
                if !(1..=height).contains(&sy) || !(1..=width).contains(&sx) {
                    continue;
                }
                let source = &self.maps[((image * height + sy - 1) * width + sx - 1) * inputs..][..inputs];
                for o in 0..*outputs {
                    for (i, s) in source.iter().enumerate() {
                        let s = if relu { s.max(0.0) } else { *s };
                        out[at * outputs + o] += f64::from(s) * f64::from(weights[(o * inputs + i) * 9 + t]);
                    }
                }
            }
        }
        out
    }

    /// Outputs and moments of all images, through one call.
    fn run(&self, isa: Isa, relu: bool, buffers: &mut Buffers) -> (Vec<Vec<f32>>, Vec<Vec<Moment>>) {
        let Tiling { height, width, images, inputs } = self.tiling;
        let pixels = height * width;
        let packed: Vec<Vec<f32>> = self
            .weights
            .iter()
            .map(|(outputs, weights)| {
                let direct = pack_forward(weights, [*outputs, inputs, 3, 3], inputs);
                let mut packed = vec![f32::NAN; direct.len() / 9 * POSITIONS];
                pack(isa, &direct, inputs, &mut packed);
                packed
            })
            .collect();
        let (mut size, mut stride) = (48, 3);
        let mut targets = Vec::new();
        for ((outputs, _), weights) in self.weights.iter().zip(&packed) {
            targets.push(Target { weights, outputs: *outputs, slot: size, moments: Some(stride) });
            (size, stride) = (size + pixels * outputs + 16, stride + outputs);
        }
        let mut arenas = vec![f32::NAN; images * size];
        let mut moments = vec![[f64::NAN; 2]; images * stride];
        let into = (&mut arenas[..], size);
        forward(isa, &self.tiling, relu, &self.maps, &targets, into, (&mut moments, stride), buffers);
        let of_images = |slot: usize, len: usize| arenas.chunks(size).flat_map(|a| a[slot..][..len].to_vec()).collect();
        let outputs = targets.iter().map(|t| of_images(t.slot, pixels * t.outputs)).collect();
        let of_images = |at: usize, len: usize| moments.chunks(stride).flat_map(|m| m[at..][..len].to_vec()).collect();
        let moments = targets.iter().map(|t| of_images(t.moments.unwrap_or(0), t.outputs)).collect();
        (outputs, moments)
    }
}

fn cases() -> Vec<Case> {
    vec![
        Case::new((32, 32), 1, 16, &[16, 16]),
        Case::new((16, 16), 3, 32, &[32]),
        Case::new((8, 8), 5, 64, &[64, 16]),
        Case::new((4, 4), 19, 16, &[32]),
        Case::new((8, 20), 2, 48, &[16]),
        Case::new((12, 72), 2, 16, &[16]),
        Case::new((4, 4), 1, 16, &[16]),
        Case::new((8, 12), 3, 32, &[48, 32, 16]),
    ]
}

#[test]
fn outputs_are_the_convolution() {
    for case in cases() {
        for relu in [true, false] {
            for isa in Isa::available() {
                // The buffers come from another size, and are poisoned beyond it.
                let mut buffers = Buffers::default();
                Case::new((8, 8), 1, 16, &[16]).run(isa, false, &mut buffers);
                let (outputs, _) = case.run(isa, relu, &mut buffers);
                for (found, weights) in outputs.iter().zip(&case.weights) {
                    let expected = case.expected(relu, weights);
                    assert_eq!(found.len(), expected.len());
                    // Outputs deviate by up to √inputs from their mean, zero: 9·inputs products of variance 1/9. F(4×4)
                    // loses two or three bits more than a direct sum does.
                    let bound = 1e-5 * (case.tiling.inputs as f64).sqrt();
                    for (at, (x, y)) in found.iter().zip(&expected).enumerate() {
                        let off = (f64::from(*x) - y).abs();
                        assert!(off <= bound, "{:?} {isa:?} at {at}: {x} instead of {y}", case.tiling);
                    }
                }
            }
        }
    }
}

#[test]
fn moments_are_those_of_the_outputs() {
    for case in cases() {
        let pixels = case.tiling.height * case.tiling.width;
        for isa in Isa::available() {
            let (outputs, moments) = case.run(isa, true, &mut Buffers::default());
            for ((outputs, moments), (channels, _)) in outputs.iter().zip(&moments).zip(&case.weights) {
                for (image, map) in outputs.chunks(pixels * channels).enumerate() {
                    for c in 0..*channels {
                        let values: Vec<f64> = map.iter().skip(c).step_by(*channels).map(|x| f64::from(*x)).collect();
                        let mean = values.iter().sum::<f64>() / pixels as f64;
                        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / pixels as f64;
                        let [m, v] = moments[image * channels + c];
                        assert!((m - mean).abs() < 1e-6 * (variance.sqrt() + mean.abs()), "{m} instead of {mean}");
                        assert!(
                            (v / pixels as f64 / variance - 1.0).abs() < 1e-5,
                            "{:?} {isa:?} {image} {c}: {v} instead of {variance}",
                            case.tiling
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn an_image_does_not_depend_on_its_company() {
    let all = Case::new((8, 8), 7, 32, &[32]);
    let isa = Isa::detect();
    let (outputs, moments) = all.run(isa, true, &mut Buffers::default());
    let (map, out) = (64 * 32, 64 * 32);
    for image in 0..7 {
        let one = Case {
            tiling: Tiling { images: 1, ..all.tiling },
            maps: all.maps[image * map..][..map].to_vec(),
            weights: all.weights.clone(),
        };
        let (alone, alone_moments) = one.run(isa, true, &mut Buffers::default());
        assert_eq!(alone[0], outputs[0][image * out..][..out]);
        assert_eq!(alone_moments[0], moments[0][image * 32..][..32]);
    }
}

#[test]
fn fused_sets_give_equal_bits() {
    let case = Case::new((16, 16), 2, 32, &[32, 16]);
    let sets = Isa::available().into_iter().filter(|isa| *isa != Isa::Portable);
    let results: Vec<_> = sets.map(|isa| case.run(isa, true, &mut Buffers::default())).collect();
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
}
