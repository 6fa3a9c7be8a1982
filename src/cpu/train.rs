//! LossSlope's raw numbers: ten SGD steps on the regression task, and the loss before each.
//!
//! A step goes forward as naswot does, but keeps every map; then back over the values, last first: a value's gradient from
//! its readers, through its convolutions, with their weight gradients on the way. A value's gradient overwrites the value.
//! Weights are updated as soon as the pass that needs them is done. Weight gradients are summed over groups of images, the
//! groups in order, so that results do not depend on the number of threads. The last step needs no way back.
//!
//! Per cell at 16 images of 32×32: 28 × 2 FLOP × 16 × MACs (48 GFLOP for an average cell of the space).

use super::bank::{source_channels, Bank};
use super::conv::{forward, weight_gradient, Geometry};
use super::heads::{Head, Step};
use super::layout::{map_len, pad_image, padded_channels, padded_len, IMAGE_CHANNELS};
use super::maps;
use super::norm::{gradient_sums, Affine, Gradient, Moment};
use super::pass::{each_part, moment_offsets, Network, Packed};
use super::scratch::{grown, with, Buffer, Scratch};
use super::sgd::{backward_weights, Parameters, Places};
use super::simd::Isa;
use crate::input::RegressionTask;
use crate::plan::{Before, Plan, Shape, Slots, Source, Storage, Term};
use crate::weights::{NormSlot, Slot};

/// Weight gradients are summed in this many groups of images.
const GROUPS: usize = 4;

/// Memory of one cell in training, reused by the next.
#[derive(Default)]
pub struct Workspace {
    arena: Buffer,
    moments: Vec<Moment>,
    partial: Buffer,
    parameters: Parameters,
    affines: Vec<Affine>,
    gradients: Vec<Gradient>,
    backward: Vec<Vec<f32>>,
    heads: [Head; 3],
}

/// The norm of a gradient, under the name of its parameter.
pub type Norms = Vec<(String, f64)>;

/// The losses of all steps; not a number from the step after which one was not finite. `norms`, if given, receives the
/// norms of the first step's gradients.
pub fn losses(
    isa: Isa,
    plan: &Plan,
    bank: &Bank,
    task: &RegressionTask,
    parallel: bool,
    space: &mut Workspace,
    mut norms: Option<&mut Norms>,
) -> Vec<f64> {
    let slots = Slots::assign(plan, Storage::Everything, |c, pixels| padded_channels(c) * pixels);
    let places = space.parameters.start(plan, bank);
    space.affines.resize_with(space.affines.len().max(plan.convs.len()), Affine::default);
    space.gradients.resize_with(space.gradients.len().max(plan.convs.len()), Gradient::default);
    space.backward.resize_with(space.backward.len().max(plan.convs.len()), Vec::new);
    let network = Network { isa, plan, slots: &slots, weights: &bank.weights, outside: None };
    let mut trainer = Trainer { network, task, places, parallel, space, size: slots.size.max(1) };
    let mut losses = vec![f64::NAN; task.noise.len()];
    let last = losses.len().saturating_sub(1);
    for (step, noise) in task.noise.iter().enumerate() {
        trainer.forward(noise);
        losses[step] = trainer.heads(step < last, norms.as_deref_mut().filter(|_| step == 0));
        if !losses[step].is_finite() {
            losses[step] = f64::NAN;
            break;
        }
        if step < last {
            trainer.backward(noise, norms.as_deref_mut().filter(|_| step == 0));
        }
    }
    losses
}

struct Trainer<'a> {
    network: Network<'a>,
    task: &'a RegressionTask,
    places: Places,
    parallel: bool,
    space: &'a mut Workspace,
    /// Floats of one image's arena.
    size: usize,
}

impl<'a> Trainer<'a> {
    fn count(&self) -> usize {
        self.task.images.count
    }

    fn stem(&self) -> Vec<usize> {
        let convs = &self.network.plan.convs;
        (0..convs.len()).filter(|&c| convs[c].source == Source::Image).collect()
    }

    /// Forward over all values; everything stays in the arena.
    fn forward(&mut self, noise: &[f32]) {
        let (plan, count, size) = (self.network.plan, self.count(), self.size);
        let (height, width) = (self.task.images.height, self.task.images.width);
        let pixels = 3 * height * width;
        grown(&mut self.space.arena, count * size);
        let stem = self.stem();
        let passes =
            [(None, &stem)].into_iter().chain(plan.values.iter().enumerate().map(|(v, value)| (Some(v), &value.convs)));
        for (v, convs) in passes {
            let (offsets, stride) = moment_offsets(plan, convs);
            let stride = stride.max(1);
            self.space.moments.resize(count * stride, [f64::NAN; 2]);
            let Workspace { arena, moments, parameters, affines, .. } = &mut *self.space;
            let network = &self.network;
            let weights: Vec<&[f32]> = convs.iter().map(|&c| parameters.at(&self.places.convs[c])).collect();
            let packed: Vec<Packed> = weights.iter().map(|w| Packed::Direct(w)).collect();
            let shift = v.map(|v| network.shift(v, affines)).unwrap_or_default();
            let known: &[Affine] = affines;
            let nothing: &mut [()] = &mut vec![(); count];
            each_part(
                self.parallel,
                (&mut arena[..count * size], size),
                (moments, stride),
                (nothing, 1),
                |i, arena, moments, _| {
                    with(|scratch| match v {
                        Some(v) => {
                            let len = map_len(&plan.values[v].shape);
                            let out = grown(&mut scratch.value, len);
                            network.assemble(v, i, known, &shift, arena, out, &mut [], &mut scratch.columns);
                            network.run_convs(v, (convs, &packed), (arena, size), (moments, stride), scratch);
                        }
                        None => {
                            let padded = grown(&mut scratch.padded, padded_len(height, width, IMAGE_CHANNELS));
                            let of_image = i * pixels..(i + 1) * pixels;
                            let image = &self.task.images.pixels[of_image.clone()];
                            pad_image(image, Some(&noise[of_image]), height, width, padded);
                            for (&c, weights) in convs.iter().zip(&weights) {
                                network.run_conv(c, padded, weights, arena, moments);
                            }
                        }
                    });
                },
            );
            for (&c, at) in convs.iter().zip(offsets).filter(|(&c, _)| plan.convs[c].norm) {
                let shape = &plan.convs[c].shape;
                let norm = parameters.norm(&self.places.norms[c]);
                affines[c].set(moments, (at, stride), padded_channels(shape.channels), shape.pixels(), norm);
            }
        }
    }

    /// The loss of all heads; with `learn` also the step of their parameters and the gradients of the stage outputs.
    fn heads(&mut self, learn: bool, mut norms: Option<&mut Norms>) -> f64 {
        let skeleton = *self.network.weights.skeleton();
        let mut loss = 0.0;
        for stage in 0..3 {
            let step = self.head_step(stage);
            let Workspace { arena, parameters, heads, .. } = &mut *self.space;
            let slot = self.network.plan.stages[stage].and_then(|v| self.network.slots.values[v]);
            let len = map_len(&step.shape);
            let map = |i: usize| slot.map(|slot| &arena[i * self.size + slot..][..len]);
            loss += heads[stage].forward(&step, parameters, &self.places, map);
            if learn {
                let found = heads[stage].backward(&step, parameters, &self.places);
                if let Some(norms) = norms.as_deref_mut() {
                    let [gamma, beta] = NormSlot::Head(stage).names(&skeleton);
                    let [weight, bias] = [Slot::Head(stage), Slot::HeadBias(stage)].map(|slot| slot.name(&skeleton));
                    norms.extend([gamma, beta, weight, bias].into_iter().zip(found));
                }
            }
        }
        loss
    }

    fn head_step(&self, stage: usize) -> Step<'a> {
        let skeleton = self.network.weights.skeleton();
        let (height, width) = skeleton.stage_size(stage);
        Step {
            isa: self.network.isa,
            stage,
            count: self.count(),
            shape: Shape { channels: skeleton.stage_channels(stage), height, width },
            target: &self.task.targets[stage],
        }
    }

    /// Back over all values, updating the parameters behind the heads on the way.
    fn backward(&mut self, noise: &[f32], mut norms: Option<&mut Norms>) {
        let plan = self.network.plan;
        for (c, conv) in plan.convs.iter().enumerate().filter(|(_, conv)| conv.source != Source::Image) {
            let forward = self.space.parameters.at(&self.places.convs[c]);
            backward_weights(conv, forward, &mut self.space.backward[c]);
        }
        for v in (0..plan.values.len()).rev() {
            self.back_value(v);
            self.update(&plan.values[v].convs, norms.as_deref_mut());
            self.norms_before(v, norms.as_deref_mut());
        }
        let stem = self.stem();
        self.back_stem(&stem, noise);
        self.update(&stem, norms);
    }

    /// Places of the weight gradients of these convolutions in a group's part, and the part's length.
    fn partial_places(&self, convs: &[usize]) -> (Vec<usize>, usize) {
        let mut total = 0;
        let starts = convs.iter().map(|&c| {
            total += self.places.convs[c].len();
            total - self.places.convs[c].len()
        });
        (starts.collect(), total)
    }

    /// Runs `work(first image, arenas of a group, moments of a group, weight gradients of a group)` over the groups.
    fn each_group(
        &mut self,
        convs: &[usize],
        stride: usize,
        work: impl Fn(&Pass, usize, &mut [f32], &mut [Moment], &mut [f32]) + Sync,
    ) {
        let (count, size) = (self.count(), self.size);
        let group = count.div_ceil(GROUPS);
        let (starts, length) = self.partial_places(convs);
        let groups = count.div_ceil(group);
        let Workspace { arena, moments, partial, affines, gradients, backward, heads, .. } = &mut *self.space;
        moments.resize(count * stride, [f64::NAN; 2]);
        let partial = grown(partial, groups * length.max(1));
        partial.fill(0.0);
        let pass = Pass { network: &self.network, affines, gradients, backward, heads, starts: &starts };
        let arena = (&mut arena[..count * size], group * size);
        each_part(
            self.parallel,
            arena,
            (moments, group * stride),
            (partial, length.max(1)),
            |g, arena, moments, partial| work(&pass, g * group, arena, moments, partial),
        );
    }

    fn back_value(&mut self, v: usize) {
        let plan = self.network.plan;
        let size = self.size;
        let steps: Vec<Step> = (0..3).map(|stage| self.head_step(stage)).collect();
        let normed = self.convs_before(v);
        let (offsets, stride) = moment_offsets(plan, &normed);
        let stride = stride.max(1);
        self.each_group(&plan.values[v].convs, stride, |pass, first, arenas, moments, partial| {
            let images = arenas.chunks_exact_mut(size).zip(moments.chunks_exact_mut(stride));
            for (i, (arena, moments)) in images.enumerate() {
                with(|scratch| pass.back_image(v, first + i, &steps, arena, partial, scratch));
                for (&c, &at) in normed.iter().zip(&offsets) {
                    pass.sums(v, c, arena, &mut moments[at..]);
                }
            }
        });
        for (&c, at) in normed.iter().zip(offsets) {
            let Workspace { moments, affines, gradients, .. } = &mut *self.space;
            let values = (self.task.images.count * plan.convs[c].shape.pixels()) as f64;
            gradients[c].set(&affines[c], moments, (at, stride), values);
        }
    }

    /// The convolutions with BatchNorm among a value's terms.
    fn convs_before(&self, v: usize) -> Vec<usize> {
        let convs = &self.network.plan.convs;
        let normed = |term: &Term| match *term {
            Term::Conv(c) if convs[c].norm => Some(c),
            _ => None,
        };
        self.network.plan.values[v].terms.iter().filter_map(normed).collect()
    }

    fn back_stem(&mut self, stem: &[usize], noise: &[f32]) {
        let (size, images) = (self.size, &self.task.images);
        let (height, width) = (images.height, images.width);
        let pixels = 3 * height * width;
        self.each_group(stem, 1, |pass, first, arenas, _, partial| {
            for (i, arena) in arenas.chunks_exact_mut(size).enumerate() {
                with(|scratch| {
                    let padded = grown(&mut scratch.padded, padded_len(height, width, IMAGE_CHANNELS));
                    let of_image = (first + i) * pixels..(first + i + 1) * pixels;
                    pad_image(&images.pixels[of_image.clone()], Some(&noise[of_image]), height, width, padded);
                    for (at, &c) in stem.iter().enumerate() {
                        let d = pass.gradient_before(c, arena, &mut scratch.map);
                        pass.weight_gradient(c, at, padded, d, partial);
                    }
                });
            }
        });
    }

    /// One step of the weights of these convolutions, whose gradients the groups have just left.
    fn update(&mut self, convs: &[usize], mut norms: Option<&mut Norms>) {
        let (starts, length) = self.partial_places(convs);
        let groups = self.count().div_ceil(self.count().div_ceil(GROUPS));
        for (&c, start) in convs.iter().zip(starts) {
            let place = &self.places.convs[c];
            let Workspace { partial, parameters, .. } = &mut *self.space;
            let mut parts =
                partial[..groups * length].chunks_exact(length).map(|part| &part[start..start + place.len()]);
            let norm = parameters.update(self.network.isa, place, &mut parts, true);
            if let Some(norms) = norms.as_deref_mut() {
                norms.push((self.network.plan.convs[c].slot.name(self.network.weights.skeleton()), norm));
            }
        }
    }

    /// One step of the trained γ and β before a value.
    fn norms_before(&mut self, v: usize, mut norms: Option<&mut Norms>) {
        for c in self.convs_before(v) {
            let Some(place) = &self.places.norms[c] else { continue };
            let Workspace { parameters, gradients, .. } = &mut *self.space;
            let isa = self.network.isa;
            let found = [
                parameters.update(isa, &place.gamma, &mut std::iter::once(&gradients[c].gamma[..]), false),
                parameters.update(isa, &place.beta, &mut std::iter::once(&gradients[c].beta[..]), false),
            ];
            if let Some(norms) = norms.as_deref_mut() {
                let slot = NormSlot::After(self.network.plan.convs[c].slot);
                norms.extend(slot.names(self.network.weights.skeleton()).into_iter().zip(found));
            }
        }
    }
}

/// What the way back reads, shared by all groups of a pass.
struct Pass<'a> {
    network: &'a Network<'a>,
    affines: &'a [Affine],
    gradients: &'a [Gradient],
    backward: &'a [Vec<f32>],
    heads: &'a [Head; 3],
    /// Where the weight gradients of the pass's convolutions start in a group's part.
    starts: &'a [usize],
}

impl Pass<'_> {
    fn range(&self, v: usize) -> std::ops::Range<usize> {
        let slot = self.network.slots.values[v].unwrap_or(0);
        slot..slot + map_len(&self.network.plan.values[v].shape)
    }

    /// The gradient by the output of convolution `c`, before its BatchNorm, into `out`.
    fn gradient_before<'s>(&self, c: usize, arena: &[f32], out: &'s mut Buffer) -> &'s [f32] {
        let conv = &self.network.plan.convs[c];
        let after = &arena[self.range(conv.target)];
        let out = grown(out, after.len());
        out.copy_from_slice(after);
        if conv.norm {
            let raw = &arena[self.network.slots.convs[c]..][..out.len()];
            self.gradients[c].apply(self.network.isa, out, raw, &self.affines[c].mean);
        }
        out
    }

    /// Adds the weight gradient of the pass's convolution number `at` over one image.
    fn weight_gradient(&self, c: usize, at: usize, padded: &[f32], d: &[f32], partial: &mut [f32]) {
        let conv = &self.network.plan.convs[c];
        let outputs = padded_channels(conv.shape.channels);
        let size = (conv.shape.height, conv.shape.width);
        let (geometry, start) = Geometry::over_padded(conv.kernel, conv.stride, source_channels(conv), size, outputs);
        let len = outputs * conv.kernel * geometry.run;
        weight_gradient(self.network.isa, &geometry, &padded[start..], d, &mut partial[self.starts[at]..][..len]);
    }

    /// Sums for the way back through the BatchNorm of convolution `c`, a term of value `v`.
    fn sums(&self, v: usize, c: usize, arena: &[f32], out: &mut [Moment]) {
        let shape = &self.network.plan.convs[c].shape;
        let d = &arena[self.range(v)];
        let raw = &arena[self.network.slots.convs[c]..][..d.len()];
        let channels = padded_channels(shape.channels);
        gradient_sums(self.network.isa, d, raw, &self.affines[c].mean, shape.width, &mut out[..channels]);
    }

    /// Replaces value `v` of one image by its gradient, and adds the weight gradients of the convolutions that leave it.
    fn back_image(
        &self,
        v: usize,
        image: usize,
        steps: &[Step],
        arena: &mut [f32],
        partial: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let (isa, plan) = (self.network.isa, self.network.plan);
        let value = &plan.values[v];
        let (size, c) = ((value.shape.height, value.shape.width), padded_channels(value.shape.channels));
        let out = grown(&mut scratch.value, map_len(&value.shape));
        out.fill(0.0);
        for step in steps.iter().filter(|step| plan.stages[step.stage] == Some(v)) {
            self.heads[step.stage].scatter(step, image, out);
        }
        for (u, term) in plan.readers(v) {
            let d = &arena[self.range(u)];
            match term {
                Term::Pool(_) => {
                    let columns = grown(&mut scratch.columns, (size.1 + 2) * c);
                    maps::add_pool_adjoint(isa, out, d, size, columns);
                }
                _ => maps::add(isa, out, d),
            }
        }
        let here = &arena[self.range(v)];
        if !value.convs.is_empty() {
            let padded = grown(&mut scratch.padded, padded_len(size.0, size.1, c));
            maps::relu_padded(isa, here, size, padded);
        }
        for (at, &id) in value.convs.iter().enumerate() {
            let conv = &plan.convs[id];
            let d = self.gradient_before(id, arena, &mut scratch.map);
            let average = conv.before == Before::Average;
            let (h, w) = if average { (size.0 / 2, size.1 / 2) } else { size };
            let outputs = padded_channels(conv.shape.channels);
            if average {
                let source = grown(&mut scratch.second, padded_len(h, w, c));
                maps::average_padded(isa, here, size, source);
                self.weight_gradient(id, at, source, d, partial);
            } else {
                let source = &scratch.padded[..padded_len(size.0, size.1, c)];
                self.weight_gradient(id, at, source, d, partial);
            }
            let spread_d = grown(&mut scratch.second, padded_len(h, w, outputs));
            maps::spread(d, (conv.shape.height, conv.shape.width), conv.stride, outputs, spread_d);
            let (geometry, start) = Geometry::over_padded(conv.kernel, 1, outputs, (h, w), c);
            let back = grown(&mut scratch.map, h * w * c);
            forward(isa, &geometry, &spread_d[start..], &self.backward[id], back);
            if average {
                maps::add_average_adjoint(isa, out, back, size);
            } else {
                maps::add_gated(isa, out, back, here);
            }
        }
        let at = self.range(v);
        arena[at].copy_from_slice(out);
    }
}
