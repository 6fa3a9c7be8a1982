//! The kernels one by one, each on random data of one image, for benchmarks: what they cost, and a way to run them with any
//! instruction set beside the plain f64 version. To add a kernel, add a function that makes a [`Kernel`] and its shapes to
//! [`kernels`].

use super::conv::{forward, weight_gradient, Geometry};
use super::layout::{pack_exchanged, pack_forward, padded_channels, padded_len, IMAGE_CHANNELS};
use super::norm::{moments, Affine, Moment};
use super::norm_back::Gradient;
use super::pairs::{self, Layout};
use super::simd::Isa;
use super::sums::{self, Part, Place, Sum};
use super::winograd::{self, backward, Target, Tiling, POSITIONS};
use crate::random::Stream;
use crate::reference::conv::Conv;
use crate::reference::norm::Moments;
use crate::reference::pool::Pool;
use crate::reference::Tensor;
use std::hint::black_box;

/// A kernel whose inputs are ready.
pub struct Kernel {
    /// What it does, and the shape.
    pub name: String,
    /// FLOP of a run, a multiply-add counting two, for convolutions computed as sums of products; 0 where bytes or bits are
    /// moved.
    pub flop: u64,
    /// Bytes read and written in a run, inputs and outputs once each; of distances, two codes for each pair.
    pub bytes: u64,
    fast: Box<dyn FnMut(Isa)>,
    plain: Box<dyn FnMut()>,
}

impl Kernel {
    /// Runs the kernel once, on this thread.
    pub fn run(&mut self, isa: Isa) {
        (self.fast)(isa);
    }

    /// Runs the plain version once: f64, channel after channel, as [`crate::reference`] does it.
    pub fn run_plain(&mut self) {
        (self.plain)();
    }
}

/// All kernels in the shapes of CIFAR's network.
pub fn kernels() -> Vec<Kernel> {
    let stages = [(16, 32), (32, 16), (64, 8)];
    let mut list = Vec::new();
    list.extend(stages.map(|(c, side)| tiles(c, side)));
    for kernel in [3, 1] {
        list.extend(stages.map(|(c, side)| convolution(Shape { kernel, stride: 1, inputs: c, outputs: c, side })));
    }
    list.push(convolution(Shape { kernel: 3, stride: 2, inputs: 16, outputs: 32, side: 16 }));
    list.push(convolution(Shape { kernel: 3, stride: 2, inputs: 32, outputs: 64, side: 8 }));
    list.push(convolution(Shape { kernel: 3, stride: 1, inputs: 3, outputs: 16, side: 32 }));
    for kernel in [3, 1] {
        list.extend(stages.map(|(c, side)| gradient(Shape { kernel, stride: 1, inputs: c, outputs: c, side })));
    }
    list.extend(stages.map(|(c, side)| tiles_back(c, side)));
    list.extend(stages.map(|(c, side)| pool(c, side)));
    list.extend(stages.map(|(c, side)| moment(c, side)));
    list.extend(stages.map(|(c, side)| value(c, side)));
    list.push(distance(600_000));
    list
}

fn random(n: usize, key: u64) -> Vec<f32> {
    let mut stream = Stream::new(0, &[key]);
    (0..n).map(|_| stream.symmetric(1.0)).collect()
}

fn tensor(channels: usize, side: usize, key: u64) -> Tensor {
    Tensor::from_f32([1, channels, side, side], &random(channels * side * side, key))
}

/// A convolution of square maps.
#[derive(Clone, Copy)]
struct Shape {
    kernel: usize,
    stride: usize,
    inputs: usize,
    outputs: usize,
    /// Pixels along a side of the output.
    side: usize,
}

impl Shape {
    fn name(&self, what: &str) -> String {
        let Shape { kernel, stride, inputs, outputs, side } = self;
        let stride = if *stride == 1 { String::new() } else { format!(" stride {stride}") };
        format!("{what} {kernel}x{kernel}{stride} {inputs}-{outputs} {side}x{side}")
    }

    fn weights(&self) -> usize {
        self.outputs * self.inputs * self.kernel * self.kernel
    }

    fn source(&self) -> usize {
        self.inputs * (self.side * self.stride).pow(2)
    }

    fn target(&self) -> usize {
        self.outputs * self.side.pow(2)
    }

    fn flop(&self) -> u64 {
        2 * (self.weights() * self.side.pow(2)) as u64
    }

    fn bytes(&self) -> u64 {
        4 * (self.weights() + self.source() + self.target()) as u64
    }

    /// Channels of the source in memory.
    fn channels(&self) -> usize {
        if self.inputs == 3 {
            IMAGE_CHANNELS
        } else {
            padded_channels(self.inputs)
        }
    }

    /// A random padded source and where it begins for a kernel of this side. What lies on the border takes no more time
    /// than zeros.
    fn padded(&self) -> (Geometry, Vec<f32>) {
        let side = self.side * self.stride;
        let size = (self.side, self.side);
        let (geometry, start) =
            Geometry::over_padded(self.kernel, self.stride, self.channels(), size, padded_channels(self.outputs));
        (geometry, random(padded_len(side, side, self.channels()), 1).split_off(start))
    }

    fn plain(&self) -> Conv {
        Conv { outputs: self.outputs, inputs: self.inputs, side: self.kernel, stride: self.stride }
    }
}

/// Forward, directly.
fn convolution(shape: Shape) -> Kernel {
    let weights = random(shape.weights(), 2);
    let packed = pack_forward(&weights, [shape.outputs, shape.inputs, shape.kernel, shape.kernel], shape.channels());
    let (geometry, source) = shape.padded();
    let mut out = vec![0.0; shape.side.pow(2) * padded_channels(shape.outputs)];
    let weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
    let plain = tensor(shape.inputs, shape.side * shape.stride, 1);
    Kernel {
        name: shape.name(if shape.inputs == 3 { "stem" } else { "convolution" }),
        flop: shape.flop(),
        bytes: shape.bytes(),
        fast: Box::new(move |isa| forward(isa, &geometry, &source, &packed, &mut out)),
        plain: Box::new(move || drop(black_box(shape.plain().forward(&plain, &weights)))),
    }
}

/// Images of a block of Winograd's, so that the weights are read as often as in a network.
fn images(side: usize) -> usize {
    Tiling::images_per_block(side, side)
}

/// Forward by tiles, with ReLU and moments.
fn tiles(c: usize, side: usize) -> Kernel {
    let (shape, images) = (Shape { kernel: 3, stride: 1, inputs: c, outputs: c, side }, images(side));
    let weights = random(shape.weights(), 2);
    let direct = pack_forward(&weights, [c, c, 3, 3], c);
    let mut packed = vec![0.0; direct.len() / 9 * POSITIONS];
    winograd::pack(Isa::Portable, &direct, c, &mut packed);
    let maps = random(images * shape.source(), 1);
    let (mut out, mut moments) = (vec![0.0; images * shape.target()], vec![[0.0; 2]; images * c]);
    let mut buffers = winograd::Buffers::default();
    let tiling = Tiling { height: side, width: side, images, inputs: c };
    let weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
    let plain = tensor(c, side, 1);
    Kernel {
        name: shape.name("tiles"),
        flop: images as u64 * shape.flop(),
        bytes: images as u64 * shape.bytes(),
        fast: Box::new(move |isa| {
            let target = [Target { weights: &packed, outputs: c, slot: 0, moments: Some(0) }];
            let arenas = (&mut out[..], shape.target());
            winograd::forward(isa, &tiling, true, &maps, &target, arenas, (&mut moments[..], c), &mut buffers);
        }),
        plain: Box::new(move || (0..images).for_each(|_| drop(black_box(shape.plain().forward(&plain, &weights))))),
    }
}

/// Both gradients by tiles, with the way back through BatchNorm.
fn tiles_back(c: usize, side: usize) -> Kernel {
    let (shape, images) = (Shape { kernel: 3, stride: 1, inputs: c, outputs: c, side }, images(side));
    let weights = random(shape.weights(), 2);
    let mut exchanged = vec![0.0; weights.len()];
    pack_exchanged(&pack_forward(&weights, [c, c, 3, 3], c), c, c, 3, &mut exchanged);
    let mut packed = vec![0.0; weights.len() / 9 * POSITIONS];
    winograd::pack(Isa::Portable, &exchanged, c, &mut packed);
    let mut norm = Gradient::default();
    let mut affine = Affine::default();
    let sums: Vec<Moment> = vec![[0.5, 1.0]; c];
    affine.set(&sums, (0, c), c, side * side, None);
    norm.set(&affine, &sums, (0, c), (side * side) as f64);
    let maps = random(images * shape.source(), 1);
    let arenas: Vec<f32> = [random(shape.target(), 3), random(shape.target(), 4)].concat().repeat(images);
    let (mut dw, mut dx) = (vec![0.0; weights.len()], vec![0.0; maps.len()]);
    let mut buffers = backward::Buffers::default();
    let group = backward::Group { height: side, width: side, images, inputs: c };
    let weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
    let plain = (tensor(c, side, 1), tensor(c, side, 3));
    Kernel {
        name: shape.name("tiles, both gradients"),
        flop: 2 * images as u64 * shape.flop(),
        bytes: images as u64 * (shape.bytes() + 8 * shape.target() as u64),
        fast: Box::new(move |isa| {
            dw.fill(0.0);
            let norm = norm.coefficients();
            let conv = backward::Convolution { weights: &packed, outputs: c, d: 0, raw: shape.target(), norm, dw: 0 };
            let arenas = (&arenas[..], 2 * shape.target());
            backward::backward(isa, &group, (&maps, shape.source()), &[conv], arenas, &mut dw, &mut dx, false, &mut buffers);
        }),
        plain: Box::new(move || {
            for _ in 0..images {
                drop(black_box(shape.plain().weight_gradient(&plain.0, &plain.1)));
                drop(black_box(shape.plain().input_gradient(&plain.1, &weights, [1, c, side, side])));
            }
        }),
    }
}

/// The gradient by the weights, directly.
fn gradient(shape: Shape) -> Kernel {
    let (geometry, source) = shape.padded();
    let d = random(shape.side.pow(2) * padded_channels(shape.outputs), 3);
    let mut dw = vec![0.0; padded_channels(shape.outputs) * shape.kernel.pow(2) * shape.channels()];
    let plain = (tensor(shape.inputs, shape.side * shape.stride, 1), tensor(shape.outputs, shape.side, 3));
    Kernel {
        name: shape.name("weight gradient"),
        flop: shape.flop(),
        bytes: shape.bytes(),
        fast: Box::new(move |isa| {
            dw.fill(0.0);
            weight_gradient(isa, &geometry, &source, &d, &mut dw);
        }),
        plain: Box::new(move || drop(black_box(shape.plain().weight_gradient(&plain.0, &plain.1)))),
    }
}

/// The 3×3 average, added to a map.
fn pool(channels: usize, side: usize) -> Kernel {
    let map = random(channels * side * side, 4);
    let mut out = vec![0.0; map.len()];
    let zeros = vec![0.0; side * channels];
    let plain = tensor(channels, side, 4);
    Kernel {
        name: format!("average 3x3 {channels} {side}x{side}"),
        flop: 0,
        bytes: 3 * 4 * map.len() as u64,
        fast: Box::new(move |isa| sums::pool(isa, &mut out, &map, (side, side), &zeros, true)),
        plain: Box::new(move || drop(black_box(Pool::Average3.forward(&plain)))),
    }
}

/// Mean and squared deviation of every channel.
fn moment(channels: usize, side: usize) -> Kernel {
    let map = random(channels * side * side, 5);
    let mut out = vec![[0.0; 2]; channels];
    let plain = tensor(channels, side, 5);
    Kernel {
        name: format!("moments {channels} {side}x{side}"),
        flop: 0,
        bytes: 4 * map.len() as u64,
        fast: Box::new(move |isa| moments(isa, &map, &mut out)),
        plain: Box::new(move || drop(black_box(Moments::of(&plain)))),
    }
}

/// A value of one convolution behind its BatchNorm and one skip, with its code and its ReLU.
fn value(channels: usize, side: usize) -> Kernel {
    let (mut arena, skip) = (random(channels * side * side, 6), random(channels * side * side, 7));
    let (scale, shift) = (random(channels, 8), random(channels, 9));
    let (mut out, mut words) = (vec![0.0; arena.len()], vec![0; arena.len().div_ceil(64)]);
    let plain = (tensor(channels, side, 6), tensor(channels, side, 7));
    Kernel {
        name: format!("value {channels} {side}x{side}"),
        flop: 0,
        bytes: (3 * 4 * arena.len() + 8 * words.len()) as u64,
        fast: Box::new(move |isa| {
            let parts = [
                Part { place: Place::Arena(0), scale: Some(&scale) },
                Part { place: Place::Outside(&skip), scale: None },
            ];
            let sum = Sum { shift: &shift, parts: &parts, pooled: false, keep: None, relu: true };
            sums::add_up(isa, &sum, &mut arena, &mut out, &mut words);
        }),
        plain: Box::new(move || {
            let terms = plain.0.values.iter().zip(&plain.1.values);
            let sum: Vec<f64> = terms.map(|(raw, skip)| 0.5 * raw + 0.25 + skip).collect();
            let words = sum.chunks(64).map(|word| word.iter().fold(0, |w, &v| w << 1 | u64::from(v > 0.0)));
            drop(black_box((words.collect::<Vec<u64>>(), sum)));
        }),
    }
}

/// Distances of all pairs of 128 codes of so many bits.
fn distance(bits: usize) -> Kernel {
    const COUNT: usize = 128;
    let words = bits.div_ceil(64);
    let mut stream = Stream::new(0, &[7]);
    let codes: Vec<u64> = (0..COUNT * words).map(|_| stream.bits()).collect();
    let (copy, layout) = (codes.clone(), Layout::new(&[(words, 1)]));
    Kernel {
        name: format!("distances {COUNT} codes of {bits} bits"),
        flop: 0,
        bytes: (COUNT * (COUNT - 1) / 2 * 2 * words * 8) as u64,
        fast: Box::new(move |isa| drop(black_box(pairs::distances(isa, &layout, &codes, COUNT, false)))),
        plain: Box::new(move || {
            let rows: Vec<&[u64]> = copy.chunks_exact(words).collect();
            for (i, a) in rows.iter().enumerate() {
                for b in &rows[..i] {
                    let bits = |(a, b): (&u64, &u64)| u64::from((a ^ b).count_ones());
                    black_box(a.iter().zip(*b).map(bits).sum::<u64>());
                }
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_kernel_runs_under_a_name_of_its_own() {
        let mut names = HashSet::new();
        for mut kernel in kernels() {
            Isa::available().into_iter().for_each(|isa| kernel.run(isa));
            kernel.run_plain();
            assert!(kernel.bytes > 0 && names.insert(kernel.name.clone()), "{}", kernel.name);
        }
    }

    #[test]
    fn costs_are_those_of_the_shape() {
        let list = kernels();
        let find = |name: &str| list.iter().find(|k| k.name == name).unwrap_or_else(|| panic!("{name}"));
        // 0.604 GFLOP for 128 images of each stage, 0.067 with 1×1.
        for name in ["convolution 3x3 16-16 32x32", "convolution 3x3 32-32 16x16", "weight gradient 3x3 64-64 8x8"] {
            assert_eq!(128 * find(name).flop, 603_979_776);
        }
        assert_eq!(128 * find("convolution 1x1 64-64 8x8").flop, 67_108_864);
        assert_eq!(find("convolution 3x3 stride 2 16-32 16x16").flop, 2 * 9 * 16 * 32 * 256);
        assert_eq!(find("stem 3x3 3-16 32x32").flop, 2 * 9 * 3 * 16 * 1024);
    }
}
