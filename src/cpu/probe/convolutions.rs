//! Convolutions and their gradients: direct ones on one image, Winograd's on as many as make a block of tiles.

use super::{random, tensor, Kernel, STAGES};
use crate::cpu::conv::{forward, weight_gradient, Geometry};
use crate::cpu::layout::{pack_exchanged, pack_forward, padded_channels, padded_len, IMAGE_CHANNELS};
use crate::cpu::norm::Affine;
use crate::cpu::norm_back::Gradient;
use crate::cpu::scratch::Buffer;
use crate::cpu::simd::Isa;
use crate::cpu::strided;
use crate::cpu::synflow::{gradient::weight_sums, logs};
use crate::cpu::winograd::{self, backward, Target, Tiling, POSITIONS};
use crate::reference::conv::Conv;
use crate::reference::Tensor;
use std::hint::black_box;

pub fn list() -> Vec<Kernel> {
    let same = |kernel: usize| STAGES.map(|(c, side)| Shape { kernel, stride: 1, inputs: c, outputs: c, side });
    let halving = [(16, 16), (32, 8)].map(|(c, side)| Shape { kernel: 3, stride: 2, inputs: c, outputs: 2 * c, side });
    let stem = Shape { kernel: 3, stride: 1, inputs: 3, outputs: 16, side: 32 };
    let mut list: Vec<Kernel> = same(3).map(tiles).into();
    list.extend(same(3).into_iter().chain(same(1)).chain(halving).chain([stem]).map(direct));
    list.extend(same(3).map(tiles_back));
    list.extend(same(1).into_iter().chain(halving).chain([stem]).map(weights_back));
    list.extend(halving.map(strided_back));
    list.extend(same(3).map(logarithms));
    list
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
        let what = if *inputs == 3 { what.replace("direct", "stem") } else { what.to_string() };
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

    /// Of one image.
    fn flop(&self) -> u64 {
        2 * (self.weights() * self.side.pow(2)) as u64
    }

    fn bytes(&self, images: usize) -> u64 {
        4 * (self.weights() + images * (self.source() + self.target())) as u64
    }

    /// Channels of the source in memory.
    fn channels(&self) -> usize {
        if self.inputs == 3 {
            IMAGE_CHANNELS
        } else {
            padded_channels(self.inputs)
        }
    }

    /// Random weights: as the reference takes them, and packed for the direct convolution.
    fn packed(&self) -> (Vec<f64>, Vec<f32>) {
        let weights = random(self.weights(), 1);
        let packed = pack_forward(&weights, [self.outputs, self.inputs, self.kernel, self.kernel], self.channels());
        (weights.into_iter().map(f64::from).collect(), packed)
    }

    /// A random source of the direct convolution: without border for 1×1. What lies on a border takes no more time than
    /// zeros.
    fn direct_source(&self) -> (Geometry, Vec<f32>) {
        let (channels, outputs) = (self.channels(), padded_channels(self.outputs));
        if self.kernel == 1 {
            let pixels = self.side.pow(2);
            return (Geometry::pointwise(pixels, channels, outputs), random(pixels * channels, 2));
        }
        let size = self.side * self.stride;
        let (geometry, start) =
            Geometry::over_padded(self.kernel, self.stride, channels, (self.side, self.side), outputs);
        (geometry, random(padded_len(size, size, channels), 2).split_off(start))
    }

    fn plain(&self) -> Conv {
        Conv { outputs: self.outputs, inputs: self.inputs, side: self.kernel, stride: self.stride }
    }

    fn plain_source(&self, images: usize) -> Tensor {
        tensor(images, self.inputs, self.side * self.stride, 2)
    }

    fn plain_gradient(&self, images: usize) -> Tensor {
        tensor(images, self.outputs, self.side, 3)
    }

    /// Images that make a block of tiles.
    fn images(&self) -> usize {
        Tiling::images_per_block(self.side, self.side)
    }
}

/// Forward, as sums of products.
fn direct(shape: Shape) -> Kernel {
    let (weights, packed) = shape.packed();
    let (geometry, source) = shape.direct_source();
    let mut out = vec![0.0; shape.side.pow(2) * padded_channels(shape.outputs)];
    let plain = shape.plain_source(1);
    Kernel {
        name: shape.name("direct"),
        flop: shape.flop(),
        bytes: shape.bytes(1),
        fast: Box::new(move |isa| forward(isa, &geometry, &source, &packed, &mut out)),
        plain: Box::new(move || drop(black_box(shape.plain().forward(&plain, &weights)))),
    }
}

/// Forward by tiles, with the ReLU before and the moments behind it.
fn tiles(shape: Shape) -> Kernel {
    let Shape { inputs, outputs, side, .. } = shape;
    let images = shape.images();
    let (weights, direct) = shape.packed();
    let mut packed = vec![0.0; POSITIONS * inputs * outputs];
    winograd::pack(Isa::detect(), &direct, inputs, &mut packed);
    let tiling = Tiling { height: side, width: side, images, inputs };
    let maps = random(images * shape.source(), 2);
    let mut out = vec![0.0; images * shape.target()];
    let mut moments = vec![[0.0; 2]; images * outputs];
    let mut buffers = winograd::Buffers::default();
    let plain = shape.plain_source(images);
    Kernel {
        name: shape.name("Winograd"),
        flop: images as u64 * shape.flop(),
        bytes: shape.bytes(images),
        fast: Box::new(move |isa| {
            let target = Target { weights: &packed, outputs, slot: 0, moments: Some(0) };
            let into = (&mut out[..], shape.target());
            let moments = (&mut moments[..], outputs);
            winograd::forward(isa, &tiling, true, &maps, &[target], into, moments, &mut buffers);
        }),
        plain: Box::new(move || drop(black_box(shape.plain().forward(&plain, &weights)))),
    }
}

/// Both gradients by tiles, with the BatchNorm's way back before them.
fn tiles_back(shape: Shape) -> Kernel {
    let Shape { inputs, outputs, side, .. } = shape;
    let images = shape.images();
    let (weights, direct) = shape.packed();
    let (mut exchanged, mut packed) = (vec![0.0; direct.len()], vec![0.0; POSITIONS * inputs * outputs]);
    pack_exchanged(&direct, outputs, inputs, 3, &mut exchanged);
    winograd::pack(Isa::detect(), &exchanged, outputs, &mut packed);
    let group = Tiling { height: side, width: side, images, inputs };
    let maps = random(images * shape.source(), 2);
    // Of each image the gradient, then what came before the BatchNorm.
    let arena = random(images * 2 * shape.target(), 3);
    let affine = Affine {
        scale: vec![1.0; outputs],
        shift: vec![0.0; outputs],
        mean: vec![0.0; outputs],
        inverse: vec![1.0; outputs],
    };
    let mut norm = Gradient::default();
    norm.set(&affine, &vec![[0.5; 2]; outputs], (0, outputs), (images * side * side) as f64);
    let (mut dw, mut dx) = (vec![0.0; direct.len()], vec![0.0; maps.len()]);
    let mut buffers = backward::Buffers::default();
    let (source, d) = (shape.plain_source(images), shape.plain_gradient(images));
    Kernel {
        name: shape.name("Winograd back"),
        flop: 2 * images as u64 * shape.flop(),
        bytes: 2 * shape.bytes(images),
        fast: Box::new(move |isa| {
            dw.fill(0.0);
            let conv = backward::Convolution {
                weights: &packed,
                outputs,
                d: 0,
                raw: shape.target(),
                norm: norm.coefficients(),
                dw: 0,
            };
            let arenas = (&arena[..], 2 * shape.target());
            backward::backward(
                isa,
                &group,
                (&maps, shape.source()),
                &[conv],
                arenas,
                &mut dw,
                &mut dx,
                false,
                &mut buffers,
            );
        }),
        plain: Box::new(move || {
            drop(black_box(shape.plain().weight_gradient(&source, &d)));
            drop(black_box(shape.plain().input_gradient(&d, &weights, source.shape)));
        }),
    }
}

/// The gradient by the weights, as sums of products.
fn weights_back(shape: Shape) -> Kernel {
    let (geometry, source) = shape.direct_source();
    let d = random(shape.side.pow(2) * padded_channels(shape.outputs), 3);
    let mut dw = vec![0.0; padded_channels(shape.outputs) * shape.kernel.pow(2) * shape.channels()];
    let (plain_source, plain_d) = (shape.plain_source(1), shape.plain_gradient(1));
    Kernel {
        name: shape.name("direct weight gradient"),
        flop: shape.flop(),
        bytes: shape.bytes(1),
        fast: Box::new(move |isa| {
            dw.fill(0.0);
            weight_gradient(isa, &geometry, &source, &d, &mut dw);
        }),
        plain: Box::new(move || drop(black_box(shape.plain().weight_gradient(&plain_source, &plain_d)))),
    }
}

/// LogSynflow's sums over the weights of a convolution: their gradients, and two logarithms of each.
fn logarithms(shape: Shape) -> Kernel {
    let (geometry, source) = shape.direct_source();
    let (weights, mut packed) = shape.packed();
    packed.iter_mut().for_each(|w| *w = w.abs());
    let positive = |values: Vec<f32>| values.into_iter().map(f32::abs).collect::<Vec<f32>>();
    let (source, d) = (positive(source), positive(random(shape.target(), 3)));
    let scale = logs::Scale::new(0);
    let [plain_source, plain_d] = [shape.plain_source(1), shape.plain_gradient(1)].map(|t| t.map(f64::abs));
    Kernel {
        name: shape.name("weight gradient, logarithms"),
        flop: shape.flop(),
        bytes: shape.bytes(1),
        fast: Box::new(move |isa| {
            let mut sums = logs::Sums::new();
            weight_sums(isa, &geometry, &source, &d, &packed, &scale, &mut sums);
            black_box(sums.total(&scale, 0));
        }),
        plain: Box::new(move || {
            let gradient = shape.plain().weight_gradient(&plain_source, &plain_d);
            let mut sums = [0.0; 2];
            for (w, g) in weights.iter().zip(gradient) {
                sums[0] += (w * (g + logs::REFERENCE).ln()).abs();
                sums[1] += (w * (g + 1.0).ln()).abs();
            }
            black_box(sums);
        }),
    }
}

/// The gradient by the source of a convolution with stride 2.
fn strided_back(shape: Shape) -> Kernel {
    let Shape { inputs, outputs, side, .. } = shape;
    let (weights, direct) = shape.packed();
    let (mut exchanged, mut packed) = (vec![0.0; direct.len()], vec![0.0; direct.len()]);
    pack_exchanged(&direct, outputs, inputs, 3, &mut exchanged);
    strided::pack(&exchanged, outputs, &mut packed);
    let padded = random(padded_len(side, side, outputs), 3);
    let (mut scratch, mut dx) = (Buffer::default(), vec![0.0; shape.source()]);
    let d = shape.plain_gradient(1);
    Kernel {
        name: shape.name("direct data gradient"),
        flop: shape.flop(),
        bytes: shape.bytes(1),
        fast: Box::new(move |isa| {
            let sizes = ((side, side), outputs, inputs);
            strided::data_gradient(isa, &padded, &packed, sizes, &mut scratch, false, &mut dx);
        }),
        plain: Box::new(move || {
            let source = [1, inputs, 2 * side, 2 * side];
            drop(black_box(shape.plain().input_gradient(&d, &weights, source)));
        }),
    }
}
