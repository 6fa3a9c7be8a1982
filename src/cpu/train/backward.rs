//! The way back of a step: from the heads' gradients to those of all parameters, and their update.

use super::super::bank::source_channels;
use super::super::conv::{forward, weight_gradient, Geometry};
use super::super::heads::{Head, Step};
use super::super::layout::{map_len, pad_image, padded_channels, padded_len, IMAGE_CHANNELS};
use super::super::maps;
use super::super::norm::{Affine, Moment};
use super::super::norm_back::{self, Gradient};
use super::super::pass::{each_part, moment_offsets, Network};
use super::super::scratch::{grown, with, Buffer, Scratch};
use super::super::strided;
use super::super::totals::{self, Gate, Total, MOST_NORMS};
use super::super::winograd::backward::{backward, Convolution};
use super::super::winograd::{Tiling, MOST_CONVS, POSITIONS};
use super::layers::{Layer, Leaving, Node, Way};
use super::{Norms, Trainer, Workspace};
use crate::weights::NormSlot;

impl Trainer<'_> {
    /// Back over all values, updating the parameters behind the heads on the way.
    pub(super) fn backward(&mut self, noise: &[f32], mut norms: Option<&mut Norms>) {
        for v in (0..self.nodes.len()).rev() {
            self.back_value(v);
            self.update_weights(v, norms.as_deref_mut());
            self.update_norms(v, norms.as_deref_mut());
        }
        self.back_stem(noise, norms);
    }

    fn back_value(&mut self, v: usize) {
        let (count, size, group) = (self.count(), self.size, self.group);
        let node = &self.nodes[v];
        let stride = node.backward_stride;
        let length = node.weights.max(1);
        let head = node.stage.map(|stage| self.head_step(stage));
        let Workspace { arena, moments, partial, affines, gradients, layers, shifts, heads, .. } = &mut *self.space;
        let partial = grown(partial, count.div_ceil(group) * length);
        let pass = Pass { network: &self.network, node, v, affines, gradients, layers, shift: &shifts[v], size };
        let head = head.as_ref().map(|step| (&heads[step.stage], step));
        let arenas = (&mut arena[..count * size], group * size);
        let moments_of = (&mut moments[..count * stride], group * stride);
        each_part(self.parallel, arenas, moments_of, (partial, length), |g, arenas, moments, partial| {
            partial.fill(0.0);
            let chunk = node.chunk.min(group);
            let chunks = arenas.chunks_mut(chunk * size).zip(moments.chunks_mut(chunk * stride));
            for (at, (arenas, moments)) in chunks.enumerate() {
                let next = count.saturating_sub(g * group + (at + 1) * chunk).min(chunk);
                let after = arenas.as_ptr().wrapping_add(arenas.len());
                with(|scratch| {
                    scratch.tiles_back.ahead.start(after, size, next);
                    node.read_back.iter().for_each(|&(at, len)| scratch.tiles_back.ahead.add(at, len));
                });
                with(|scratch| pass.back(g * group + at * chunk, head, arenas, moments, partial, scratch));
            }
        });
        let plan = self.network.plan;
        let (offsets, _) = moment_offsets(plan, &node.norms);
        for (&c, at) in node.norms.iter().zip(offsets) {
            let values = (count * plan.convs[c].shape.pixels()) as f64;
            gradients[c].set(&affines[c], &moments[..count * stride], (at, stride), values);
        }
    }

    fn back_stem(&mut self, noise: &[f32], mut norms: Option<&mut Norms>) {
        let (count, size, group) = (self.count(), self.size, self.group);
        let images = &self.task.images;
        let (height, width) = (images.height, images.width);
        let pixels = 3 * height * width;
        for at in 0..self.stem.len() {
            let c = self.stem[at];
            let length = self.places.convs[c].len();
            let Workspace { arena, moments, partial, gradients, .. } = &mut *self.space;
            let partial = grown(partial, count.div_ceil(group) * length);
            let network = &self.network;
            let arenas = (&mut arena[..count * size], group * size);
            each_part(
                self.parallel,
                arenas,
                (&mut moments[..count], group),
                (partial, length),
                |g, arenas, _, partial| {
                    partial.fill(0.0);
                    for (i, arena) in arenas.chunks_exact(size).enumerate() {
                        with(|scratch| {
                            let padded = grown(&mut scratch.padded, padded_len(height, width, IMAGE_CHANNELS));
                            let of_image = (g * group + i) * pixels..(g * group + i + 1) * pixels;
                            pad_image(&images.pixels[of_image.clone()], Some(&noise[of_image]), height, width, padded);
                            let d = gradient_before(network, gradients, c, arena, &mut scratch.map);
                            add_weight_gradient(network, c, padded, d, partial);
                        });
                    }
                },
            );
            self.update_conv(c, 0, length, norms.as_deref_mut());
        }
    }

    /// One step of the weights of the convolutions that leave a value, whose gradients the groups have just left.
    fn update_weights(&mut self, v: usize, mut norms: Option<&mut Norms>) {
        let length = self.nodes[v].weights;
        let mut start = 0;
        for at in 0..self.network.plan.values[v].convs.len() {
            let c = self.network.plan.values[v].convs[at];
            self.update_conv(c, start, length, norms.as_deref_mut());
            start += self.places.convs[c].len();
        }
    }

    /// One step of the weights of convolution `c`, whose gradient lies from `start` on in each group's `length` floats.
    fn update_conv(&mut self, c: usize, start: usize, length: usize, norms: Option<&mut Norms>) {
        let groups = self.count().div_ceil(self.group);
        let (place, isa) = (&self.places.convs[c], self.network.isa);
        let conv = &self.network.plan.convs[c];
        let Workspace { partial, parameters, layers, exchanged, .. } = &mut *self.space;
        let parts = (&partial[start..(groups - 1) * length + start + place.len()], length);
        let norm = parameters.update(isa, place, parts, true, norms.is_some());
        layers[c].refresh(isa, conv, parameters.at(place), exchanged);
        if let Some(norms) = norms {
            norms.push((conv.slot.name(self.network.weights.skeleton()), norm));
        }
    }

    /// One step of the trained γ and β before a value.
    fn update_norms(&mut self, v: usize, mut norms: Option<&mut Norms>) {
        for &c in &self.nodes[v].norms {
            let Some(place) = &self.places.norms[c] else { continue };
            let Workspace { parameters, gradients, .. } = &mut *self.space;
            let isa = self.network.isa;
            let found =
                [(&place.gamma, &gradients[c].gamma), (&place.beta, &gradients[c].beta)].map(|(place, gradient)| {
                    parameters.update(isa, place, (gradient, gradient.len()), false, norms.is_some())
                });
            if let Some(norms) = norms.as_deref_mut() {
                let slot = NormSlot::After(self.network.plan.convs[c].slot);
                norms.extend(slot.names(self.network.weights.skeleton()).into_iter().zip(found));
            }
        }
    }
}

/// What a pass back over one value reads, shared by all groups.
struct Pass<'a> {
    network: &'a Network<'a>,
    node: &'a Node,
    v: usize,
    affines: &'a [Affine],
    gradients: &'a [Gradient],
    layers: &'a [Layer],
    shift: &'a [f32],
    size: usize,
}

impl Pass<'_> {
    /// Goes back over the value in a few images, the first of them number `first`.
    fn back(
        &self,
        first: usize,
        head: Option<(&Head, &Step)>,
        arenas: &mut [f32],
        moments: &mut [Moment],
        partial: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let Pass { network, node, size, .. } = *self;
        let isa = network.isa;
        let images = arenas.len() / size;
        let value = &network.plan.values[self.v];
        let shape = &value.shape;
        let (len, hw) = (node.len, (shape.height, shape.width));
        // Tiles are cut from a kept value where it lies.
        let in_place = network.slots.values[self.v].filter(|_| node.tiled.len() == value.convs.len());
        if in_place.is_none() && !value.convs.is_empty() {
            self.fetch(arenas, scratch);
        }
        let based = head.is_some() || !node.pools.is_empty() || !node.average.is_empty();
        if based {
            let base = grown(&mut scratch.base, images * len);
            for (i, (base, arena)) in base.chunks_exact_mut(len).zip(arenas.chunks_exact(size)).enumerate() {
                let mut written = false;
                if !node.pools.is_empty() {
                    let zeros = grown(&mut scratch.zeros, len / shape.height);
                    zeros.fill(0.0);
                    for &from in &node.pools {
                        totals::pool_adjoint(isa, base, &arena[from..][..len], hw, zeros, written);
                        written = true;
                    }
                }
                if !written {
                    base.fill(0.0);
                }
                if let Some((head, step)) = head {
                    head.scatter(step, first + i, base);
                }
            }
        }
        for leaving in &node.average {
            self.back_average(leaving, arenas, partial, scratch);
        }
        if !node.average.is_empty() {
            maps::relu_in_place(isa, &mut scratch.value[..images * len]);
        }
        let mut written = false;
        for leaving in &node.pointwise {
            self.back_pointwise(leaving, arenas, partial, written, scratch);
            written = true;
        }
        for leaving in &node.spread {
            self.back_spread(leaving, arenas, partial, written, scratch);
            written = true;
        }
        if !node.tiled.is_empty() {
            self.back_tiled(in_place, arenas, partial, written, scratch);
            written = true;
        }
        let mut norms: [(usize, &[f32]); MOST_NORMS] = [(0, &[]); MOST_NORMS];
        for (norm, &c) in norms.iter_mut().zip(&node.norms) {
            *norm = (network.slots.convs[c], &self.affines[c].mean);
        }
        let stride = node.backward_stride;
        for (i, (arena, moments)) in arenas.chunks_exact_mut(size).zip(moments.chunks_exact_mut(stride)).enumerate() {
            let of_image = i * len..(i + 1) * len;
            let total = Total {
                channels: padded_channels(shape.channels),
                base: based.then(|| &scratch.base[of_image.clone()]),
                parts: &node.skips,
                gated: written.then(|| {
                    let gate = match in_place {
                        Some(slot) => Gate::Arena(slot),
                        None => Gate::Map(&scratch.value[of_image.clone()]),
                    };
                    (&scratch.dx[of_image], gate)
                }),
                to: network.slots.gradients[self.v],
                len,
                norms: &norms[..node.norms.len()],
            };
            let sums = node.norms.len() * total.channels;
            totals::add_up(isa, &total, arena, &mut moments[..sums]);
        }
    }

    /// The value in all images, for convolutions to read: its ReLU unless one of them reads it itself.
    fn fetch(&self, arenas: &mut [f32], scratch: &mut Scratch) {
        let Pass { network, node, size, .. } = *self;
        let value = grown(&mut scratch.value, arenas.len() / size * node.len);
        for (value, arena) in value.chunks_exact_mut(node.len).zip(arenas.chunks_exact_mut(size)) {
            match network.slots.values[self.v] {
                Some(slot) if node.average.is_empty() => maps::relu(network.isa, &arena[slot..][..node.len], value),
                Some(slot) => value.copy_from_slice(&arena[slot..][..node.len]),
                None => {
                    let (affines, shift, zeros) = (self.affines, self.shift, &mut scratch.zeros);
                    network.assemble(self.v, 0, affines, shift, arena, value, &mut [], zeros);
                }
            }
        }
    }

    /// All 3×3 convolutions by tiles, of a value in the arenas or, fetched, in a buffer.
    fn back_tiled(
        &self,
        in_place: Option<usize>,
        arenas: &[f32],
        partial: &mut [f32],
        add: bool,
        scratch: &mut Scratch,
    ) {
        let Pass { network, node, size, .. } = *self;
        let plan = network.plan;
        let shape = &plan.values[self.v].shape;
        let images = arenas.len() / size;
        let group =
            Tiling { height: shape.height, width: shape.width, images, inputs: padded_channels(shape.channels) };
        let none = Convolution::default();
        let mut convs = [none; MOST_CONVS];
        for (to, leaving) in convs.iter_mut().zip(&node.tiled) {
            let conv = &plan.convs[leaving.conv];
            *to = Convolution {
                weights: &self.layers[leaving.conv].back[..leaving.weights / 9 * POSITIONS],
                outputs: padded_channels(conv.shape.channels),
                d: network.slots.gradients[conv.target],
                raw: network.slots.convs[leaving.conv],
                norm: self.gradients[leaving.conv].coefficients(),
                dw: leaving.start,
            };
        }
        let Scratch { value, dx, tiles_back, .. } = scratch;
        let len = images * node.len;
        let dx = grown(dx, len);
        let convs = &convs[..node.tiled.len()];
        let maps = match in_place {
            Some(slot) => (&arenas[slot..], size),
            None => (&value[..len], node.len),
        };
        backward(network.isa, &group, maps, convs, (arenas, size), partial, dx, add, tiles_back);
    }

    /// A 1×1 convolution over all images at once.
    fn back_pointwise(&self, leaving: &Leaving, arenas: &[f32], partial: &mut [f32], add: bool, scratch: &mut Scratch) {
        let Pass { network, node, size, .. } = *self;
        let (isa, conv) = (network.isa, &network.plan.convs[leaving.conv]);
        let images = arenas.len() / size;
        let len = map_len(&conv.shape);
        let d = grown(&mut scratch.map, images * len);
        for (d, arena) in d.chunks_exact_mut(len).zip(arenas.chunks_exact(size)) {
            gradient_into(network, self.gradients, leaving.conv, arena, d);
        }
        let pixels = images * conv.shape.pixels();
        let (inputs, outputs) = (source_channels(conv), padded_channels(conv.shape.channels));
        let dw = &mut partial[leaving.start..][..leaving.weights];
        let value = &scratch.value[..images * node.len];
        weight_gradient(isa, &Geometry::pointwise(pixels, inputs, outputs), value, d, dw);
        let weights = &self.layers[leaving.conv].back[..leaving.weights];
        let dx = grown(&mut scratch.dx, images * node.len);
        let into = if add { grown(&mut scratch.second, images * node.len) } else { &mut *dx };
        forward(isa, &Geometry::pointwise(pixels, outputs, inputs), d, weights, into);
        if add {
            maps::add(isa, dx, &scratch.second[..images * node.len]);
        }
    }

    /// A 1×1 convolution of the 2×2 average, its gradient into `base`.
    fn back_average(&self, leaving: &Leaving, arenas: &[f32], partial: &mut [f32], scratch: &mut Scratch) {
        let Pass { network, node, size, .. } = *self;
        let (isa, conv) = (network.isa, &network.plan.convs[leaving.conv]);
        let shape = &network.plan.values[self.v].shape;
        let (c, (h, w)) = (source_channels(conv), (conv.shape.height, conv.shape.width));
        for (i, arena) in arenas.chunks_exact(size).enumerate() {
            let d = gradient_before(network, self.gradients, leaving.conv, arena, &mut scratch.map);
            let half = grown(&mut scratch.second, padded_len(h, w, c));
            let value = &scratch.value[i * node.len..][..node.len];
            maps::average_padded(isa, value, (shape.height, shape.width), half);
            add_weight_gradient(network, leaving.conv, half, d, &mut partial[leaving.start..][..leaving.weights]);
            let back = grown(&mut scratch.padded, h * w * c);
            let geometry = Geometry::pointwise(h * w, padded_channels(conv.shape.channels), c);
            forward(isa, &geometry, d, &self.layers[leaving.conv].back[..leaving.weights], back);
            let base = &mut scratch.base[i * node.len..][..node.len];
            maps::add_average_adjoint(isa, base, back, (shape.height, shape.width));
        }
    }

    /// A 3×3 convolution over a padded map, with stride 1 or 2.
    fn back_spread(&self, leaving: &Leaving, arenas: &[f32], partial: &mut [f32], add: bool, scratch: &mut Scratch) {
        let Pass { network, node, size, .. } = *self;
        let (isa, conv) = (network.isa, &network.plan.convs[leaving.conv]);
        let shape = &network.plan.values[self.v].shape;
        let hw = (shape.height, shape.width);
        let (c, outputs) = (source_channels(conv), padded_channels(conv.shape.channels));
        let out = (conv.shape.height, conv.shape.width);
        let layer = &self.layers[leaving.conv];
        let weights = &layer.back[..leaving.weights];
        grown(&mut scratch.dx, arenas.len() / size * node.len);
        for (i, arena) in arenas.chunks_exact(size).enumerate() {
            let d = gradient_before(network, self.gradients, leaving.conv, arena, &mut scratch.map);
            let of_image = i * node.len..(i + 1) * node.len;
            let padded = grown(&mut scratch.padded, padded_len(hw.0, hw.1, c));
            maps::relu_padded(isa, &scratch.value[of_image.clone()], hw, padded);
            add_weight_gradient(network, leaving.conv, padded, d, &mut partial[leaving.start..][..leaving.weights]);
            let padded = grown(&mut scratch.second, padded_len(out.0, out.1, outputs));
            maps::spread(d, out, 1, outputs, padded);
            let dx = &mut scratch.dx[of_image];
            if layer.way == Way::Strided {
                let (size, buffer) = ((out, outputs, c), &mut scratch.padded);
                strided::data_gradient(isa, padded, weights, size, buffer, add, dx);
                continue;
            }
            let (geometry, start) = Geometry::over_padded(conv.kernel, 1, outputs, out, c);
            let back = if add { grown(&mut scratch.map, node.len) } else { &mut *dx };
            forward(isa, &geometry, &padded[start..], weights, back);
            if add {
                maps::add(isa, dx, &scratch.map[..node.len]);
            }
        }
    }
}

/// The gradient by the output of convolution `c`, before its BatchNorm, into `out`.
fn gradient_into(network: &Network, gradients: &[Gradient], c: usize, arena: &[f32], out: &mut [f32]) {
    let conv = &network.plan.convs[c];
    let after = &arena[network.slots.gradients[conv.target]..][..out.len()];
    if conv.norm {
        let raw = &arena[network.slots.convs[c]..][..out.len()];
        norm_back::apply(network.isa, &gradients[c].coefficients(), after, raw, out);
    } else {
        out.copy_from_slice(after);
    }
}

/// [`gradient_into`] a buffer.
fn gradient_before<'s>(
    network: &Network,
    gradients: &[Gradient],
    c: usize,
    arena: &[f32],
    out: &'s mut Buffer,
) -> &'s [f32] {
    let out = grown(out, map_len(&network.plan.convs[c].shape));
    gradient_into(network, gradients, c, arena, out);
    out
}

/// Adds the weight gradient of convolution `c` over one image.
fn add_weight_gradient(network: &Network, c: usize, padded: &[f32], d: &[f32], dw: &mut [f32]) {
    let conv = &network.plan.convs[c];
    let outputs = padded_channels(conv.shape.channels);
    let size = (conv.shape.height, conv.shape.width);
    let (geometry, start) = Geometry::over_padded(conv.kernel, conv.stride, source_channels(conv), size, outputs);
    weight_gradient(network.isa, &geometry, &padded[start..], d, dw);
}
