//! One pass of a forward computation: for a few images, add up a value's terms, then run the convolutions that leave it.

use super::bank::source_channels;
use super::conv::{forward, Geometry};
use super::layout::{map_len, padded_channels, padded_len};
use super::maps;
use super::norm::{moments, Affine, Moment};
use super::scratch::{grown, Buffer, Scratch};
use super::simd::Isa;
use super::sums::{self, Part, Place, Sum};
use super::winograd::{self, Target, Tiling, MOST_CONVS};
use crate::plan::{Before, Conv, Plan, Shape, Slots, Source, Term};
use crate::weights::Weights;
use rayon::prelude::*;

const NO_TARGET: Target = Target { weights: &[], outputs: 0, slot: 0, moments: None };

/// Most terms of a value: the last node of a cell sums three, a reduction's end two.
const MAX_TERMS: usize = 8;

/// What all passes of a network share.
pub struct Network<'a> {
    /// Instruction set.
    pub isa: Isa,
    /// What is computed.
    pub plan: &'a Plan,
    /// Where it lies in an image's arena.
    pub slots: &'a Slots,
    /// Source of β for constant terms.
    pub weights: &'a Weights,
    /// Value 0 and convolutions that leave it, if they have been computed before.
    pub outside: Option<&'a Outside<'a>>,
}

/// What lies in other arenas: value 0 and the outputs of convolutions that leave it.
pub struct Outside<'a> {
    /// The arenas of all images.
    pub arenas: &'a [f32],
    /// Floats of one of them.
    pub size: usize,
    /// Where value 0 lies in an arena.
    pub value: usize,
    /// Where the outputs of convolutions lie that leave value 0, by their position in [`Plan::convs`].
    pub convs: Vec<Option<usize>>,
}

impl Outside<'_> {
    fn image(&self, i: usize) -> &[f32] {
        &self.arenas[i * self.size..][..self.size]
    }
}

/// The weights of a convolution, for one of the two ways to run it.
#[derive(Clone, Copy)]
pub enum Packed<'a> {
    /// `[block of 16 outputs][ky][kx][input][16]`, for [`super::conv`].
    Direct(&'a [f32]),
    /// `[block of 16 outputs][position][input][16]`, for [`super::winograd`].
    Tiled(&'a [f32]),
}

/// Whether a convolution can be cut into Winograd's tiles.
pub fn tiles(conv: &Conv) -> bool {
    conv.kernel == 3
        && conv.stride == 1
        && conv.source != Source::Image
        && Tiling::fits(conv.shape.height, conv.shape.width)
}

/// Runs `work(part, arena, moments, other)` over the parts (images, or groups of them) that three buffers are cut into,
/// each buffer beside the length of its parts.
pub fn each_part<T: Send>(
    parallel: bool,
    (arena, size): (&mut [f32], usize),
    (moments, stride): (&mut [Moment], usize),
    (other, length): (&mut [T], usize),
    work: impl Fn(usize, &mut [f32], &mut [Moment], &mut [T]) + Sync,
) {
    if parallel {
        arena
            .par_chunks_mut(size)
            .zip(moments.par_chunks_mut(stride))
            .zip(other.par_chunks_mut(length))
            .enumerate()
            .for_each(|(i, ((arena, moments), other))| work(i, arena, moments, other));
    } else {
        arena
            .chunks_mut(size)
            .zip(moments.chunks_mut(stride))
            .zip(other.chunks_mut(length))
            .enumerate()
            .for_each(|(i, ((arena, moments), other))| work(i, arena, moments, other));
    }
}

/// How the moments of the convolutions that leave a value lie in one image's moments.
pub fn moment_offsets(plan: &Plan, convs: &[usize]) -> (Vec<usize>, usize) {
    let mut total = 0;
    let offsets = convs.iter().map(|&c| {
        total += padded_channels(plan.convs[c].shape.channels);
        total - padded_channels(plan.convs[c].shape.channels)
    });
    (offsets.collect(), total)
}

impl Network<'_> {
    /// The sum of a value's constant terms, by channel: shifts of the BatchNorms behind its convolutions.
    pub fn shift(&self, v: usize, affines: &[Affine]) -> Vec<f32> {
        let mut shift = Vec::new();
        self.shift_into(v, affines, &mut shift);
        shift
    }

    /// [`Network::shift`] into a list that is kept.
    pub fn shift_into(&self, v: usize, affines: &[Affine], shift: &mut Vec<f32>) {
        let value = &self.plan.values[v];
        shift.clear();
        shift.resize(padded_channels(value.shape.channels), 0.0);
        for term in &value.terms {
            match *term {
                Term::Conv(c) if self.plan.convs[c].norm => {
                    shift.iter_mut().zip(&affines[c].shift).for_each(|(sum, s)| *sum += s);
                }
                Term::Shift(slot) => {
                    let beta = self.weights.norm(slot).map_or(&[][..], |norm| &norm.beta);
                    shift.iter_mut().zip(beta).for_each(|(sum, s)| *sum += s);
                }
                _ => {}
            }
        }
    }

    /// Whether all convolutions that leave a value read its ReLU, which is then taken once; none reads the value itself.
    fn ready(&self, v: usize) -> bool {
        self.plan.values[v].convs.iter().all(|&c| self.plan.convs[c].before != Before::Average)
    }

    /// Value 0, which lies outside, ReLU'd into `out` unless a convolution reads it itself.
    pub fn fetch(&self, image: usize, shift: &[f32], out: &mut [f32]) {
        if let Some(outside) = self.outside {
            let from = Place::Outside(&outside.image(image)[outside.value..]);
            let parts = [Part { place: from, scale: None }];
            let sum = Sum { shift, parts: &parts, pooled: false, keep: None, relu: self.ready(0) };
            sums::add_up(self.isa, &sum, &mut [], out, &mut []);
        }
    }

    /// Adds up the terms of value `v` for one image: ReLU'd into `out` unless a convolution reads the sum itself, the sum
    /// into its slot if it has one, its code into `words` unless that is empty. `image` says which of those outside it is.
    pub fn assemble(
        &self,
        v: usize,
        image: usize,
        affines: &[Affine],
        shift: &[f32],
        arena: &mut [f32],
        out: &mut [f32],
        words: &mut [u64],
        zeros: &mut Buffer,
    ) {
        let value = &self.plan.values[v];
        let shape = &value.shape;
        let len = map_len(shape);
        let outside = self.outside.map(|outside| (outside, outside.image(image)));
        let value_at = |u: usize| match outside {
            Some((outside, map)) if u == 0 => Place::Outside(&map[outside.value..]),
            _ => Place::Arena(self.slots.values[u].unwrap_or(0)),
        };
        let mut pooled = false;
        let mut parts = [Part { place: Place::Arena(0), scale: None }; MAX_TERMS];
        let mut count = 0;
        let mut part = |place, scale| {
            parts[count] = Part { place, scale };
            count += 1;
        };
        for term in &value.terms {
            match *term {
                Term::Conv(c) => {
                    let place = match outside.and_then(|(outside, map)| Some(&map[outside.convs[c]?..])) {
                        Some(map) => Place::Outside(map),
                        None => Place::Arena(self.slots.convs[c]),
                    };
                    part(place, self.plan.convs[c].norm.then_some(&affines[c].scale[..]));
                }
                Term::Skip(u) => part(value_at(u), None),
                Term::Pool(u) => {
                    let zeros = grown(zeros, shape.width * padded_channels(shape.channels));
                    zeros.fill(0.0);
                    let from = match value_at(u) {
                        Place::Arena(at) => &arena[at..][..len],
                        Place::Outside(map) => &map[..len],
                    };
                    sums::pool(self.isa, out, from, (shape.height, shape.width), zeros, pooled);
                    pooled = true;
                }
                Term::Shift(_) => {}
            }
        }
        let keep = self.slots.values[v];
        let sum = Sum { shift, parts: &parts[..count], pooled, keep, relu: self.ready(v) };
        sums::add_up(self.isa, &sum, arena, out, words);
    }

    /// Runs `convs`, which leave value `v`, for as many images as lie, one after the other, in `scratch.value`, into
    /// their arenas of `size` floats, and takes their moments, `stride` an image. `packed` are the weights of each of `convs`.
    pub fn run_convs(
        &self,
        v: usize,
        (convs, packed): (&[usize], &[Packed]),
        (arenas, size): (&mut [f32], usize),
        (moments_out, stride): (&mut [Moment], usize),
        scratch: &mut Scratch,
    ) {
        let value = &self.plan.values[v];
        let (height, width) = (value.shape.height, value.shape.width);
        let (len, c) = (map_len(&value.shape), padded_channels(value.shape.channels));
        let images = arenas.len() / size;
        let ready = self.ready(v);
        let mut tiled = [NO_TARGET; MOST_CONVS];
        let (mut count, mut direct, mut at) = (0, false, 0);
        for (k, (&id, weights)) in convs.iter().zip(packed).enumerate() {
            let conv = &self.plan.convs[id];
            let outputs = padded_channels(conv.shape.channels);
            if let Packed::Tiled(weights) = *weights {
                let moments = conv.norm.then_some(at);
                tiled[count] = Target { weights, outputs, slot: self.slots.convs[id], moments };
                count += 1;
            } else {
                direct = true;
            }
            at += outputs;
            if count == MOST_CONVS || count > 0 && k + 1 == convs.len() {
                let tiling = Tiling { height, width, images, inputs: c };
                let Scratch { value, tiles, .. } = &mut *scratch;
                let (maps, targets) = (&value[..images * len], &tiled[..count]);
                let into = ((&mut *arenas, size), (&mut *moments_out, stride));
                winograd::forward(self.isa, &tiling, !ready, maps, targets, into.0, into.1, tiles);
                count = 0;
            }
        }
        if !direct {
            return;
        }
        for (i, (arena, moments)) in arenas.chunks_exact_mut(size).zip(moments_out.chunks_exact_mut(stride)).enumerate()
        {
            let map = &scratch.value[i * len..][..len];
            let mut relu_done = false;
            let mut at = 0;
            for (&id, weights) in convs.iter().zip(packed) {
                let conv = &self.plan.convs[id];
                if let Packed::Direct(weights) = *weights {
                    if ready && conv.kernel == 1 && conv.before == Before::Relu {
                        let geometry = Geometry::pointwise(height * width, c, padded_channels(conv.shape.channels));
                        self.convolve(id, &geometry, map, weights, arena, &mut moments[at..]);
                        at += padded_channels(conv.shape.channels);
                        continue;
                    }
                    let source = if conv.before == Before::Average {
                        let half = grown(&mut scratch.second, padded_len(height / 2, width / 2, c));
                        maps::average_padded(self.isa, map, (height, width), half);
                        half
                    } else {
                        let padded = grown(&mut scratch.padded, padded_len(height, width, c));
                        if !relu_done {
                            maps::relu_padded(self.isa, map, (height, width), padded);
                            relu_done = true;
                        }
                        padded
                    };
                    self.run_conv(id, source, weights, arena, &mut moments[at..]);
                }
                at += padded_channels(conv.shape.channels);
            }
        }
    }

    /// Runs one convolution over its padded source.
    pub fn run_conv(&self, id: usize, source: &[f32], weights: &[f32], arena: &mut [f32], moments_out: &mut [Moment]) {
        let conv = &self.plan.convs[id];
        let Shape { channels, height, width } = conv.shape;
        let outputs = padded_channels(channels);
        let (geometry, start) =
            Geometry::over_padded(conv.kernel, conv.stride, source_channels(conv), (height, width), outputs);
        self.convolve(id, &geometry, &source[start..], weights, arena, moments_out);
    }

    fn convolve(
        &self,
        id: usize,
        geometry: &Geometry,
        source: &[f32],
        weights: &[f32],
        arena: &mut [f32],
        moments_out: &mut [Moment],
    ) {
        let conv = &self.plan.convs[id];
        let raw = &mut arena[self.slots.convs[id]..][..map_len(&conv.shape)];
        forward(self.isa, geometry, source, weights, raw);
        if conv.norm {
            moments(self.isa, raw, &mut moments_out[..padded_channels(conv.shape.channels)]);
        }
    }
}
