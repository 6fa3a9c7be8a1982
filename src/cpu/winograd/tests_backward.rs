//! The way back by tiles against plain loops in f64.

use super::backward::{backward, Buffers, Convolution};
use super::{pack, Tiling, POSITIONS};
use crate::cpu::layout::{pack_exchanged, pack_forward};
use crate::cpu::norm::Affine;
use crate::cpu::norm_back::Gradient;
use crate::cpu::simd::Isa;
use crate::random::Stream;

/// Random maps, weights, gradients by outputs and BatchNorms of convolutions that read the same maps.
struct Case {
    group: Tiling,
    maps: Vec<f32>,
    convs: Vec<OneConv>,
}

struct OneConv {
    outputs: usize,
    /// `[outputs][inputs][3][3]`.
    weights: Vec<f32>,
    d: Vec<f32>,
    raw: Vec<f32>,
    norm: Gradient,
}

impl Case {
    fn new((height, width): (usize, usize), images: usize, inputs: usize, outputs: &[usize]) -> Case {
        let mut stream = Stream::new(std::process::id().into(), &[height as u64, images as u64]);
        let pixels = images * height * width;
        let mut random = |n: usize| -> Vec<f32> { (0..n).map(|_| stream.symmetric(1.0)).collect() };
        let maps = random(pixels * inputs);
        let mut convs = Vec::new();
        for &outputs in outputs {
            let affine = Affine {
                scale: random(outputs),
                shift: Vec::new(),
                mean: random(outputs),
                inverse: random(outputs).into_iter().map(f64::from).collect(),
            };
            let sums: Vec<[f64; 2]> = random(outputs).into_iter().map(|s| [f64::from(s), 1.0]).collect();
            let mut norm = Gradient::default();
            norm.set(&affine, &sums, (0, outputs), 2.0);
            convs.push(OneConv {
                outputs,
                weights: random(outputs * inputs * 9),
                d: random(pixels * outputs),
                raw: random(pixels * outputs),
                norm,
            });
        }
        Case { group: Tiling { height, width, images, inputs }, maps, convs }
    }

    /// The weight gradients, as the packed weights, and the gradient by the maps.
    fn expected(&self) -> (Vec<f64>, Vec<f64>) {
        let Tiling { height, width, images, inputs } = self.group;
        let (mut all, mut dx) = (Vec::new(), vec![0.0; self.maps.len()]);
        for conv in &self.convs {
            let outputs = conv.outputs;
            let mut dw = vec![0.0; conv.weights.len()];
            let factors: Vec<[f64; 4]> = (0..outputs).map(|o| conv.norm.factors_of(o).map(f64::from)).collect();
            for at in 0..images * height * width {
                let (image, y, x) = (at / (height * width), at / width % height, at % width);
                let d: Vec<f64> = (0..outputs)
                    .map(|o| {
                        let [a, b, c, mean] = factors[o];
                        let at = at * outputs + o;
                        a * f64::from(conv.d[at]) + b * (f64::from(conv.raw[at]) - mean) + c
                    })
                    .collect();
                for t in 0..9 {
                    let (sy, sx) = (y + t / 3, x + t % 3);
                    if !(1..=height).contains(&sy) || !(1..=width).contains(&sx) {
                        continue;
                    }
                    let source = ((image * height + sy - 1) * width + sx - 1) * inputs;
                    for (o, d) in d.iter().enumerate() {
                        for i in 0..inputs {
                            let w = (o * inputs + i) * 9 + t;
                            dw[w] += d * f64::from(self.maps[source + i].max(0.0));
                            dx[source + i] += d * f64::from(conv.weights[w]);
                        }
                    }
                }
            }
            let dw: Vec<f32> = dw.into_iter().map(|g| g as f32).collect();
            all.extend(pack_forward(&dw, [outputs, inputs, 3, 3], inputs).into_iter().map(f64::from));
        }
        (all, dx)
    }

    /// Weight gradients and gradient by the maps, each added to 0.5 (the latter if asked).
    fn run(&self, isa: Isa, add: bool, buffers: &mut Buffers) -> (Vec<f32>, Vec<f32>) {
        let Tiling { height, width, images, inputs } = self.group;
        let pixels = height * width;
        let mut size = 16;
        let mut length = 0;
        let mut places = Vec::new();
        for conv in &self.convs {
            places.push((size, size + pixels * conv.outputs + 32, length));
            size += 2 * pixels * conv.outputs + 48;
            length += conv.weights.len();
        }
        let mut arenas = vec![f32::NAN; images * size];
        for (conv, (d, raw, _)) in self.convs.iter().zip(&places) {
            let len = pixels * conv.outputs;
            for (image, arena) in arenas.chunks_exact_mut(size).enumerate() {
                arena[*d..][..len].copy_from_slice(&conv.d[image * len..][..len]);
                arena[*raw..][..len].copy_from_slice(&conv.raw[image * len..][..len]);
            }
        }
        let packed: Vec<Vec<f32>> = self
            .convs
            .iter()
            .map(|conv| {
                let direct = pack_forward(&conv.weights, [conv.outputs, inputs, 3, 3], inputs);
                let mut exchanged = vec![f32::NAN; direct.len()];
                pack_exchanged(&direct, conv.outputs, inputs, 3, &mut exchanged);
                let mut packed = vec![f32::NAN; direct.len() / 9 * POSITIONS];
                pack(isa, &exchanged, conv.outputs, &mut packed);
                packed
            })
            .collect();
        let convs: Vec<Convolution> = (self.convs.iter().zip(&packed).zip(&places))
            .map(|((conv, weights), &(d, raw, dw))| Convolution {
                weights,
                outputs: conv.outputs,
                d,
                raw,
                norm: conv.norm.coefficients(),
                dw,
            })
            .collect();
        let mut dw = vec![0.5; length];
        let mut dx = vec![if add { 0.5 } else { f32::NAN }; self.maps.len()];
        // Maps lie apart.
        let apart = pixels * inputs + 16;
        let mut maps = vec![f32::NAN; images * apart];
        for (to, from) in maps.chunks_exact_mut(apart).zip(self.maps.chunks_exact(pixels * inputs)) {
            to[..from.len()].copy_from_slice(from);
        }
        backward(isa, &self.group, (&maps, apart), &convs, (&arenas, size), &mut dw, &mut dx, add, buffers);
        (dw, dx)
    }
}

fn cases() -> Vec<Case> {
    vec![
        Case::new((32, 32), 1, 16, &[16, 16]),
        Case::new((16, 16), 3, 32, &[32]),
        Case::new((8, 8), 9, 64, &[64, 16, 64]),
        Case::new((4, 4), 37, 16, &[32]),
        Case::new((8, 20), 2, 48, &[16]),
        Case::new((12, 136), 2, 16, &[16]),
        Case::new((4, 4), 1, 16, &[16]),
        Case::new((8, 12), 3, 48, &[48, 32]),
    ]
}

/// Buffers that come from another size, stale beyond it.
fn stale(isa: Isa) -> Buffers {
    let mut buffers = Buffers::default();
    Case::new((8, 8), 1, 16, &[16]).run(isa, false, &mut buffers);
    buffers
}

#[test]
fn gradients_are_those_of_the_convolutions() {
    for case in cases() {
        let (expected_dw, expected_dx) = case.expected();
        let pixels = case.group.images * case.group.height * case.group.width;
        let terms: usize = case.convs.iter().map(|conv| 9 * conv.outputs).sum();
        for isa in Isa::available() {
            for add in [false, true] {
                let (dw, dx) = case.run(isa, add, &mut stale(isa));
                for (found, expected, start, terms) in
                    [(&dw, &expected_dw, 0.5, pixels), (&dx, &expected_dx, if add { 0.5 } else { 0.0 }, terms)]
                {
                    assert_eq!(found.len(), expected.len());
                    // Rounding errors of random terms add up like their square root.
                    let bound = 1e-5 * (terms as f64).sqrt();
                    for (at, (x, y)) in found.iter().zip(expected).enumerate() {
                        let error = (f64::from(*x) - start - y).abs();
                        assert!(error <= bound, "{isa:?} {:?} {at}: {x} instead of {y}", case.group);
                    }
                }
            }
        }
    }
}

#[test]
fn fused_sets_give_equal_bits() {
    for case in cases() {
        let fused = Isa::available().into_iter().filter(|isa| *isa != Isa::Portable);
        let results: Vec<_> = fused.map(|isa| case.run(isa, true, &mut stale(isa))).collect();
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", case.group);
    }
}

#[test]
fn an_image_does_not_depend_on_its_company() {
    let case = Case::new((8, 8), 9, 32, &[32, 16]);
    let len = 64 * 32;
    let (_, together) = case.run(Isa::detect(), false, &mut Buffers::default());
    for image in 0..9 {
        let mut alone = Case::new((8, 8), 9, 32, &[32, 16]);
        alone.group.images = 1;
        alone.maps = case.maps[image * len..][..len].to_vec();
        for (conv, from) in alone.convs.iter_mut().zip(&case.convs) {
            let len = 64 * conv.outputs;
            conv.d = from.d[image * len..][..len].to_vec();
            conv.raw = from.raw[image * len..][..len].to_vec();
        }
        let (_, dx) = alone.run(Isa::detect(), false, &mut Buffers::default());
        assert_eq!(dx, together[image * len..][..len], "{image}");
    }
}
