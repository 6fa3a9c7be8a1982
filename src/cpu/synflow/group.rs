//! A group of cells, forward and back in step: convolutions of one place run one after the other over all cells that have
//! them, so that their weights are read from memory once.

use super::fold::{resize, resize_adjoint, Fold, Margins, Size};
use super::gradient::weight_sums;
use super::logs::{Scale, Sums, REFERENCE};
use super::mix::{add, State};
use super::room::{Gradient, Room};
use super::tiles;
use super::Workspace;
use crate::cpu::bank::{source_channels, Absolute, Bank};
use crate::cpu::conv::{forward, Geometry};
use crate::cpu::layout::{padded_channels, padded_len, IMAGE_CHANNELS};
use crate::cpu::scratch::{grown, Buffer};
use crate::cpu::simd::Isa;
use crate::cpu::winograd::{self, pack, Target, Tiling, POSITIONS};
use crate::cpu::{maps, strided, sums, totals, Convolution};
use crate::plan::{Before, Conv, Plan, Source, Term};
use crate::space::Skeleton;
use crate::weights::{Reduce, Slot};

/// One cell of the group.
struct Member<'a> {
    plan: &'a Plan,
    fold: Fold,
    /// Where its values begin in the arena.
    at: Vec<usize>,
    values: Vec<State>,
    gradients: Vec<Gradient>,
    /// Values below are complete.
    complete: usize,
    /// Gradients from here on are complete.
    returned: usize,
    sums: [f64; 3],
}

/// A convolution of a member.
#[derive(Clone, Copy)]
struct Job {
    place: (usize, usize, usize),
    size: Size,
    member: usize,
    conv: usize,
}

/// A group in its passes.
struct Group<'a> {
    isa: Isa,
    convolution: Convolution,
    bank: &'a Bank,
    members: Vec<Member<'a>>,
    values: &'a mut [f32],
    gradients: Room<'a>,
    scratch: &'a mut Scratch,
}

/// Maps in passing.
#[derive(Default)]
pub struct Scratch {
    padded: Buffer,
    output: Buffer,
    resized: Buffer,
    pooled: Buffer,
    zeros: Buffer,
    parities: Buffer,
    maps: Buffer,
    weights: Buffer,
    tiles: winograd::Buffers,
    gradient_tiles: tiles::Buffers,
}

/// The sums of the plans' weights that carry signal.
pub fn sums_of(
    isa: Isa,
    convolution: Convolution,
    plans: &[&Plan],
    bank: &Bank,
    space: &mut Workspace,
) -> Vec<[f64; 3]> {
    let skeleton = bank.weights.skeleton();
    let mut size = 0;
    let mut jobs = Vec::new();
    let members: Vec<Member> = plans
        .iter()
        .enumerate()
        .map(|(member, plan)| {
            let fold = Fold::new(plan, (skeleton.height, skeleton.width));
            let at = (0..plan.values.len()).map(|v| {
                let at = size;
                size += length(&fold, plan, v);
                at
            });
            let at = at.collect();
            jobs.extend(plan.convs.iter().enumerate().map(|(id, conv)| Job {
                place: place(conv.slot, skeleton),
                size: fold.source(conv),
                member,
                conv: id,
            }));
            Member {
                plan,
                fold,
                at,
                values: vec![State::default(); plan.values.len()],
                gradients: plan.values.iter().map(|value| Gradient::new(value.terms.len())).collect(),
                complete: 0,
                returned: plan.values.len(),
                sums: [0.0; 3],
            }
        })
        .collect();
    // By place, which is an order of execution, and by size.
    jobs.sort_by_key(|job| (job.place, job.size, job.member));
    let mut group = Group {
        isa,
        convolution,
        bank,
        members,
        values: grown(&mut space.values, size),
        gradients: Room::new(&mut space.gradients),
        scratch: &mut space.scratch,
    };
    for jobs in jobs.chunk_by(|a, b| a.place == b.place) {
        group.convolve(jobs);
    }
    for member in 0..group.members.len() {
        group.head(member);
    }
    jobs.reverse();
    for jobs in jobs.chunk_by(|a, b| a.place == b.place) {
        group.return_through(jobs);
    }
    group.members.into_iter().map(|member| member.sums).collect()
}

/// Where a convolution stands in the order of execution: its block, and its edge and kernel there. The edges into a node
/// come before those out of it.
fn place(slot: Slot, skeleton: &Skeleton) -> (usize, usize, usize) {
    match slot {
        Slot::Edge { block, edge, kernel } => (1 + block, edge, kernel.side()),
        Slot::Reduction { stage, conv } => {
            let within = match conv {
                Reduce::ConvA => 0,
                Reduce::ConvB => 1,
                Reduce::Shortcut => 2,
            };
            (2 + skeleton.stage_end(stage - 1), within, 0)
        }
        _ => (0, 0, 0),
    }
}

/// Floats of a stored value.
fn length(fold: &Fold, plan: &Plan, v: usize) -> usize {
    let (h, w) = fold.value(v);
    h * w * padded_channels(plan.values[v].shape.channels)
}

impl Member<'_> {
    fn map(&self, v: usize) -> std::ops::Range<usize> {
        self.at[v]..self.at[v] + length(&self.fold, self.plan, v)
    }

    /// Where the gradient of a value lies.
    fn gradient(&mut self, v: usize, room: &mut Room) -> std::ops::Range<usize> {
        let len = length(&self.fold, self.plan, v);
        room.place(&mut self.gradients[v], len)
    }

    /// Adds a convolution's sums.
    fn add(&mut self, sums: [f64; 3]) {
        self.sums.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    }

    /// Exponent and magnitude of what a convolution reads.
    fn source(&self, conv: &Conv) -> State {
        match conv.source {
            Source::Image => State { exponent: 0, largest: 1.0 },
            Source::Value(v) => self.values[v],
        }
    }
}

/// [`resize`] or [`resize_adjoint`].
type Resizing = fn((&[f32], Size), (&mut [f32], Size), Margins, usize);

/// `from`, or what `how` makes of it in another size.
fn resized<'a>(
    how: Resizing,
    from: (&'a [f32], Size),
    size: Size,
    margins: Margins,
    channels: usize,
    buffer: &'a mut Buffer,
) -> &'a [f32] {
    if from.1 == size {
        return from.0;
    }
    let to = grown(buffer, size.0 * size.1 * channels);
    how(from, (to, size), margins, channels);
    to
}

impl Group<'_> {
    /// Runs convolutions of one place.
    fn convolve(&mut self, jobs: &[Job]) {
        let conv = &self.members[jobs[0].member].plan.convs[jobs[0].conv];
        let packed = self.bank.absolute(conv);
        for job in jobs {
            if let Source::Value(v) = self.members[job.member].plan.convs[job.conv].source {
                self.complete(job.member, v);
            }
        }
        if self.tiled(conv, jobs) {
            self.convolve_tiled(jobs, conv, &packed);
            return;
        }
        for job in jobs {
            let plan = self.members[job.member].plan;
            let conv = &plan.convs[job.conv];
            self.read(job.member, conv);
            let member = &self.members[job.member];
            let size = member.fold.output(conv);
            let (geometry, start) = geometry(conv, size);
            let channels = padded_channels(conv.shape.channels);
            let Scratch { padded, output, .. } = &mut *self.scratch;
            let output = grown(output, size.0 * size.1 * channels);
            forward(self.isa, &geometry, &padded[start..], &packed.forward, output);
            self.add_output(job, packed.exponent, 0);
        }
    }

    /// Adds a convolution's output, which lies in `scratch.output` from `at` on, to its target.
    fn add_output(&mut self, job: &Job, exponent: i32, at: usize) {
        let member = &mut self.members[job.member];
        let conv = &member.plan.convs[job.conv];
        let size = member.fold.output(conv);
        let channels = padded_channels(conv.shape.channels);
        let Scratch { output, resized: buffer, .. } = &mut *self.scratch;
        let output = &output[at..][..size.0 * size.1 * channels];
        let (margins, to) = (member.fold.conv(conv), member.fold.value(conv.target));
        let from = resized(resize, (output, size), to, margins, channels, buffer);
        let source = member.source(conv);
        let out = &mut self.values[member.map(conv.target)];
        let state = &mut member.values[conv.target];
        add(self.isa, out, state, from, source.exponent + exponent, source.magnitude());
    }

    fn tiled(&self, conv: &Conv, jobs: &[Job]) -> bool {
        let fits = |job: &Job| Tiling::fits(job.size.0, job.size.1);
        let tiles = self.convolution == Convolution::Winograd;
        tiles && conv.source != Source::Image && conv.kernel == 3 && conv.stride == 1 && jobs.iter().all(fits)
    }

    fn convolve_tiled(&mut self, jobs: &[Job], conv: &Conv, packed: &Absolute) {
        let (inputs, outputs) = (source_channels(conv), padded_channels(conv.shape.channels));
        let Scratch { weights, .. } = &mut *self.scratch;
        let u = grown(weights, packed.forward.len() / 9 * POSITIONS);
        pack(self.isa, &packed.forward, inputs, u);
        for jobs in batches(jobs) {
            let (height, width) = jobs[0].size;
            let (len, out) = (height * width * inputs, height * width * outputs);
            let Scratch { weights, maps, output, tiles, .. } = &mut *self.scratch;
            let source = |job: &Job| {
                let member = &self.members[job.member];
                match member.plan.convs[job.conv].source {
                    Source::Value(v) => &self.values[member.map(v)],
                    Source::Image => &[],
                }
            };
            let maps = if let [job] = jobs {
                source(job)
            } else {
                let maps = grown(maps, jobs.len() * len);
                jobs.iter().zip(maps.chunks_exact_mut(len)).for_each(|(job, map)| map.copy_from_slice(source(job)));
                maps
            };
            let tiling = Tiling { height, width, images: jobs.len(), inputs };
            let weights = &weights[..packed.forward.len() / 9 * POSITIONS];
            let target = [Target { weights, outputs, slot: 0, moments: None }];
            let output = grown(output, jobs.len() * out);
            winograd::forward(self.isa, &tiling, false, maps, &target, (output, out), (&mut [], 0), tiles);
            for (at, job) in jobs.iter().enumerate() {
                self.add_output(job, packed.exponent, at * out);
            }
        }
    }

    /// What a convolution reads, with its border, into `scratch.padded`.
    fn read(&mut self, member: usize, conv: &Conv) {
        let member = &self.members[member];
        let (h, w) = member.fold.source(conv);
        let channels = source_channels(conv);
        let padded = &mut self.scratch.padded;
        match conv.source {
            Source::Image => {
                // The fourth channel has weights of zero.
                let padded = grown(padded, padded_len(h, w, IMAGE_CHANNELS));
                maps::inner_rows(padded, (h, w), IMAGE_CHANNELS).for_each(|row| row.fill(1.0));
            }
            Source::Value(v) => {
                let map = &self.values[member.map(v)];
                if conv.before == Before::Average {
                    let padded = grown(padded, padded_len(h / 2, w / 2, channels));
                    maps::average_padded(self.isa, map, (h, w), padded);
                } else {
                    maps::spread(map, (h, w), 1, channels, grown(padded, padded_len(h, w, channels)));
                }
            }
        }
    }

    /// Completes the values up to `v`: their convolutions are there, skips and pools are added.
    fn complete(&mut self, member: usize, v: usize) {
        let member = &mut self.members[member];
        let plan = member.plan;
        for v in member.complete..=v {
            let to = member.fold.value(v);
            let channels = padded_channels(plan.values[v].shape.channels);
            let (before, out) = self.values.split_at_mut(member.at[v]);
            let out = &mut out[..length(&member.fold, plan, v)];
            for term in &plan.values[v].terms {
                let Scratch { pooled, resized: buffer, zeros, .. } = &mut *self.scratch;
                let (u, from) = match *term {
                    Term::Skip(u) => (u, &before[member.map(u)]),
                    Term::Pool(u) => {
                        let (from, size) = (&before[member.map(u)], member.fold.value(u));
                        let pooled = grown(pooled, from.len());
                        let zeros = grown(zeros, size.1 * channels);
                        zeros.fill(0.0);
                        sums::pool(self.isa, pooled, from, size, zeros, false);
                        (u, &*pooled)
                    }
                    Term::Conv(_) | Term::Shift(_) => continue,
                };
                let from = (from, member.fold.value(u));
                let from = resized(resize, from, to, member.fold.term(plan, term), channels, buffer);
                let source = member.values[u];
                add(self.isa, out, &mut member.values[v], from, source.exponent, source.magnitude());
            }
            if member.values[v].largest == 0.0 {
                out.fill(0.0);
            }
        }
        member.complete = member.complete.max(v + 1);
    }

    /// The classifier's sums, and the gradient of the last value.
    fn head(&mut self, member: usize) {
        let Some(last) = self.members[member].plan.stages[2] else { return };
        self.complete(member, last);
        let member = &mut self.members[member];
        let shape = member.plan.values[last].shape;
        let (h, w) = member.fold.value(last);
        let channels = padded_channels(shape.channels);
        let rows: Vec<f64> = member.fold.multiplicity(last, h, shape.height).map(|m| m as f64).collect();
        let columns: Vec<f64> = member.fold.multiplicity(last, w, shape.width).map(|m| m as f64).collect();
        let occurs = |pixel: usize| rows[pixel / w] * columns[pixel % w];
        let mut weights = vec![0.0f64; channels];
        for row in self.bank.weights.tensor(Slot::Classifier).chunks_exact(shape.channels) {
            weights.iter_mut().zip(row).for_each(|(sum, w)| *sum += f64::from(w.abs()));
        }
        let map = &self.values[member.map(last)];
        let mut means = vec![0.0f64; channels];
        for (at, pixel) in map.chunks_exact(channels).enumerate() {
            let occurs = occurs(at);
            means.iter_mut().zip(pixel).for_each(|(sum, x)| *sum += occurs * f64::from(*x));
        }
        let pixels = shape.pixels() as f64;
        for (w, mean) in weights.iter().zip(&means) {
            let g = libm::scalbn(mean / pixels, member.values[last].exponent);
            member.sums[0] += w * g;
            member.sums[1] += w * libm::log(g + REFERENCE).abs();
            member.sums[2] += w * libm::log(g + 1.0);
        }
        // The largest column sum's power of two is taken out before the step to f32.
        let most = weights.iter().copied().fold(0.0, f64::max);
        let exponent = if most > 0.0 && most.is_finite() { libm::ilogb(most) } else { 0 };
        let place = member.gradient(last, &mut self.gradients);
        let gradient = &mut self.gradients.maps[place];
        let mut largest = 0.0f32;
        for (at, pixel) in gradient.chunks_exact_mut(channels).enumerate() {
            let factor = libm::scalbn(occurs(at) / pixels, -exponent);
            for (g, w) in pixel.iter_mut().zip(&weights) {
                *g = (w * factor) as f32;
                largest = largest.max(*g);
            }
        }
        member.gradients[last].state = State { exponent, largest };
        member.returned = last;
    }

    /// Completes the gradients from `v` on: what convolutions give is there, skips and pools are added.
    fn collect(&mut self, member: usize, v: usize) {
        let member = &mut self.members[member];
        let plan = member.plan;
        for v in (v..member.returned).rev() {
            let (to, channels) = (member.fold.value(v), padded_channels(plan.values[v].shape.channels));
            for (u, term) in plan.readers(v) {
                let (from, out) = (member.gradient(u, &mut self.gradients), member.gradient(v, &mut self.gradients));
                let disjoint = self.gradients.maps.get_disjoint_mut([from, out]);
                let [from, out] = disjoint.expect("gradients that are needed at a time lie apart");
                let from = (&*from, member.fold.value(u));
                let Scratch { pooled, resized: buffer, zeros, .. } = &mut *self.scratch;
                let from = resized(resize_adjoint, from, to, member.fold.term(plan, term), channels, buffer);
                let from = if matches!(term, Term::Pool(_)) {
                    let pooled = grown(pooled, from.len());
                    let zeros = grown(zeros, to.1 * channels);
                    zeros.fill(0.0);
                    totals::pool_adjoint(self.isa, pooled, from, to, zeros, false);
                    pooled
                } else {
                    from
                };
                let source = member.gradients[u].state;
                add(self.isa, out, &mut member.gradients[v].state, from, source.exponent, source.magnitude());
                self.gradients.term_done(&mut member.gradients[u]);
            }
            if member.gradients[v].state.largest == 0.0 {
                let place = member.gradient(v, &mut self.gradients);
                self.gradients.maps[place].fill(0.0);
            }
        }
        member.returned = member.returned.min(v);
    }

    /// Goes back through convolutions of one place: the sums over their weights, and the gradients of their sources.
    fn return_through(&mut self, jobs: &[Job]) {
        let conv = &self.members[jobs[0].member].plan.convs[jobs[0].conv];
        let packed = self.bank.absolute(conv);
        for job in jobs {
            let target = self.members[job.member].plan.convs[job.conv].target;
            self.collect(job.member, target);
        }
        if self.tiled(conv, jobs) {
            self.return_tiled(jobs, conv, &packed);
            return;
        }
        for job in jobs {
            let conv = &self.members[job.member].plan.convs[job.conv];
            self.read(job.member, conv);
            self.return_direct(job, conv, &packed);
        }
    }

    /// The exponent of a convolution's weight gradient.
    fn scale(&self, job: &Job) -> Scale {
        let member = &self.members[job.member];
        let conv = &member.plan.convs[job.conv];
        Scale::new(member.source(conv).exponent + member.gradients[conv.target].state.exponent)
    }

    fn return_direct(&mut self, job: &Job, conv: &Conv, packed: &Absolute) {
        let isa = self.isa;
        let scale = self.scale(job);
        let member = &mut self.members[job.member];
        let (outputs, inputs) = (padded_channels(conv.shape.channels), source_channels(conv));
        let size = member.fold.output(conv);
        let Scratch { padded, output, resized: buffer, parities, .. } = &mut *self.scratch;
        let place = member.gradient(conv.target, &mut self.gradients);
        let from = (&self.gradients.maps[place], member.fold.value(conv.target));
        let d = resized(resize_adjoint, from, size, member.fold.conv(conv), outputs, buffer);

        let (geometry, start) = geometry(conv, size);
        let mut sums = Sums::new();
        weight_sums(isa, &geometry, &padded[start..], d, &packed.forward, &scale, &mut sums);
        member.add(sums.total(&scale, packed.exponent));
        if conv.source == Source::Image {
            return;
        }

        let (h, w) = member.fold.source(conv);
        let average = conv.before == Before::Average;
        let padded = grown(padded, padded_len(size.0, size.1, outputs));
        maps::spread(d, size, 1, outputs, padded);
        let read = if average { size } else { (h, w) };
        let back = grown(output, read.0 * read.1 * inputs);
        if conv.stride == 2 {
            let sides = (size, outputs, inputs);
            strided::data_gradient(isa, padded, &packed.backward, sides, parities, false, back);
        } else {
            let (geometry, start) = Geometry::over_padded(conv.kernel, 1, outputs, read, inputs);
            forward(isa, &geometry, &padded[start..], &packed.backward, back);
        }
        if average {
            let wide = grown(buffer, h * w * inputs);
            wide.fill(0.0);
            maps::add_average_adjoint(isa, wide, back, (h, w));
            std::mem::swap(output, buffer);
        }
        self.add_back(job, packed.exponent, 0);
    }

    /// Adds the gradient by what a convolution reads, which lies in `scratch.output` from `at` on, to its source's.
    ///
    /// Where a value is zero its gradient is used by nothing but weights without gradient; where it is positive its ReLU
    /// passes everything.
    fn add_back(&mut self, job: &Job, exponent: i32, at: usize) {
        let member = &mut self.members[job.member];
        let conv = &member.plan.convs[job.conv];
        let Source::Value(v) = conv.source else { return };
        let target = member.gradients[conv.target].state;
        self.gradients.term_done(&mut member.gradients[conv.target]);
        let place = member.gradient(v, &mut self.gradients);
        let out = &mut self.gradients.maps[place];
        let back = &self.scratch.output[at..][..out.len()];
        add(self.isa, out, &mut member.gradients[v].state, back, target.exponent + exponent, target.magnitude());
    }

    fn return_tiled(&mut self, jobs: &[Job], conv: &Conv, packed: &Absolute) {
        let (inputs, outputs) = (source_channels(conv), padded_channels(conv.shape.channels));
        let u_len = packed.forward.len() / 9 * POSITIONS;
        pack(self.isa, &packed.backward, outputs, grown(&mut self.scratch.weights, u_len));
        for jobs in batches(jobs) {
            let (height, width) = jobs[0].size;
            let (len, out) = (height * width * outputs, height * width * inputs);
            for (at, job) in jobs.iter().enumerate() {
                let scale = self.scale(job);
                let member = &mut self.members[job.member];
                let conv = &member.plan.convs[job.conv];
                let Scratch { maps, resized: buffer, gradient_tiles, .. } = &mut *self.scratch;
                let place = member.gradient(conv.target, &mut self.gradients);
                let from = (&self.gradients.maps[place], member.fold.value(conv.target));
                let d = resized(resize_adjoint, from, (height, width), member.fold.conv(conv), outputs, buffer);
                grown(maps, jobs.len() * len)[at * len..][..len].copy_from_slice(d);
                let Source::Value(v) = conv.source else { continue };
                let sides = tiles::Sides { height, width, inputs, outputs };
                let source = &self.values[member.map(v)];
                let mut sums = Sums::new();
                tiles::weight_sums(self.isa, &sides, source, d, &packed.forward, &scale, &mut sums, gradient_tiles);
                member.add(sums.total(&scale, packed.exponent));
            }
            let Scratch { weights, maps, output, tiles, .. } = &mut *self.scratch;
            let tiling = Tiling { height, width, images: jobs.len(), inputs: outputs };
            let target = [Target { weights: &weights[..u_len], outputs: inputs, slot: 0, moments: None }];
            let output = grown(output, jobs.len() * out);
            let maps = grown(maps, jobs.len() * len);
            winograd::forward(self.isa, &tiling, false, maps, &target, (output, out), (&mut [], 0), tiles);
            for (at, job) in jobs.iter().enumerate() {
                self.add_back(job, packed.exponent, at * out);
            }
        }
    }
}

/// Jobs of one size, as many as fill a block of tiles.
fn batches(jobs: &[Job]) -> impl Iterator<Item = &[Job]> {
    jobs.chunk_by(|a, b| a.size == b.size)
        .flat_map(|jobs| jobs.chunks(Tiling::images_per_block(jobs[0].size.0, jobs[0].size.1)))
}

/// A convolution over its padded source, to an output of `size`.
fn geometry(conv: &Conv, size: Size) -> (Geometry, usize) {
    let channels = padded_channels(conv.shape.channels);
    Geometry::over_padded(conv.kernel, conv.stride, source_channels(conv), size, channels)
}
