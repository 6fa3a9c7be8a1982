//! naswot's raw numbers: one forward pass over the batch, ReLU codes packed on the way, then their Hamming distances.
//!
//! Per cell at batch 128 and 32×32: 2 FLOP × 128 × MACs (54 M for an average cell: 14 GFLOP), 8.4 MB per stage-1 map,
//! at most 60 kB of codes per image. Passes are bound by the convolutions.

use super::bank::Bank;
use super::layout::{map_len, pad_image, padded_channels, padded_len, IMAGE_CHANNELS};
use super::norm::{moments, Affine, Moment};
use super::pairs::{self, Layout};
use super::pass::{each_part, moment_offsets, tiles, Network, Outside, Packed};
use super::scratch::{grown, with, Buffer};
use super::simd::Isa;
use super::sums::{self, Part, Place, Sum};
use super::winograd::Tiling;
use super::Convolution;
use crate::input::Batch;
use crate::plan::{Conv, Plan, Slots, Source, Storage, Term, Value};
use crate::weights::{Norm, NormSlot, Slot};
use std::sync::Arc;

/// Memory of one cell in flight, reused by the next.
#[derive(Default)]
pub struct Workspace {
    arena: Buffer,
    moments: Vec<Moment>,
    codes: Vec<u64>,
    affines: Vec<Affine>,
}

/// Packed weights on loan from the bank.
enum Weights {
    Direct(Arc<Vec<f32>>),
    Tiled(Arc<Buffer>),
}

impl Weights {
    fn new(bank: &Bank, isa: Isa, conv: &Conv, convolution: Convolution) -> Weights {
        if convolution == Convolution::Winograd && tiles(conv) {
            Weights::Tiled(bank.tiled(isa, conv))
        } else {
            Weights::Direct(bank.forward(conv))
        }
    }

    fn packed(&self) -> Packed<'_> {
        match self {
            Weights::Direct(weights) => Packed::Direct(weights),
            Weights::Tiled(weights) => Packed::Tiled(weights),
        }
    }
}

/// γ and β as the kernels take them.
pub fn slices(norm: Option<&Norm>) -> Option<(&[f32], &[f32])> {
    norm.map(|norm| (&norm.gamma[..], &norm.beta[..]))
}

/// One plan on its way over a batch.
struct Run<'a> {
    network: Network<'a>,
    convolution: Convolution,
    bank: &'a Bank,
    parallel: bool,
    /// Images.
    count: usize,
    /// Floats of one image's arena.
    size: usize,
    /// The codes, in the order of their values, of no words where none is wanted; the head's last.
    codes: Layout,
}

impl<'a> Run<'a> {
    /// Makes room in `space` for values from `first` on, whose codes are wanted.
    fn new(
        network: Network<'a>,
        convolution: Convolution,
        bank: &'a Bank,
        parallel: bool,
        (first, count): (usize, usize),
        space: &mut Workspace,
    ) -> Run<'a> {
        let plan = network.plan;
        // A plan of constants alone stores nothing.
        let size = network.slots.size.max(1);
        let words = |v: usize| map_len(&plan.values[v].shape).div_ceil(64);
        let of_value = |v: usize| {
            let value = &plan.values[v];
            (if value.codes > 0 && v >= first { words(v) } else { 0 }, value.codes)
        };
        let of_head = plan.stages[2].map(|last| (words(last), 1));
        let codes = Layout::new(&(0..plan.values.len()).map(of_value).chain(of_head).collect::<Vec<_>>());
        grown(&mut space.arena, count * size);
        space.codes.resize(space.codes.len().max(count * codes.words()), 0);
        space.affines.resize_with(space.affines.len().max(plan.convs.len()), Affine::default);
        Run { network, convolution, bank, parallel, count, size, codes }
    }

    /// Runs `work(first image, arenas, moments, codes)` over groups of images. Moments are `stride` an image.
    fn each_group(
        &self,
        group: usize,
        stride: usize,
        space: &mut Workspace,
        work: impl Fn(usize, &mut [f32], &mut [Moment], &mut [u64], &[Affine]) + Sync,
    ) {
        let Workspace { arena, moments, codes, affines } = space;
        moments.resize(moments.len().max(self.count * stride), [f64::NAN; 2]);
        let arenas = (&mut arena[..self.count * self.size], group * self.size);
        let moments = (&mut moments[..self.count * stride], group * stride);
        let mut none = vec![0; if self.codes.words() == 0 { self.count } else { 0 }];
        let codes = if self.codes.words() == 0 { &mut none[..] } else { &mut codes[..self.count * self.codes.words()] };
        each_part(
            self.parallel,
            arenas,
            moments,
            (codes, group * self.codes.words().max(1)),
            |g, arenas, moments, codes| {
                work(g * group, arenas, moments, codes, affines);
            },
        );
    }

    /// The convolution of the images themselves.
    fn stem(&self, batch: &Batch, space: &mut Workspace) {
        let plan = self.network.plan;
        let pixels = 3 * batch.height * batch.width;
        for c in (0..plan.convs.len()).filter(|&c| plan.convs[c].source == Source::Image) {
            let weights = self.bank.forward(&plan.convs[c]);
            let stride = moment_offsets(plan, &[c]).1;
            self.each_group(1, stride, space, |i, arena, moments, _, _| {
                with(|scratch| {
                    let padded = grown(&mut scratch.padded, padded_len(batch.height, batch.width, IMAGE_CHANNELS));
                    pad_image(&batch.pixels[i * pixels..][..pixels], None, batch.height, batch.width, padded);
                    self.network.run_conv(c, padded, &weights, arena, moments);
                });
            });
            self.set_affines(&[c], stride, space);
        }
    }

    /// Value `v`, its code, and the convolutions that leave it; of those outside, nothing.
    fn value(&self, v: usize, space: &mut Workspace) {
        let Network { isa, plan, outside, .. } = self.network;
        let value = &plan.values[v];
        let convs = value.convs.iter().copied().filter(|&c| outside.is_none_or(|outside| outside.convs[c].is_none()));
        let convs: Vec<usize> = convs.collect();
        let there = v == 0 && outside.is_some();
        if there && convs.is_empty() {
            return;
        }
        let weights = convs.iter().map(|&c| Weights::new(self.bank, isa, &plan.convs[c], self.convolution));
        let weights: Vec<Weights> = weights.collect();
        let packed: Vec<Packed> = weights.iter().map(Weights::packed).collect();
        let mut shift = self.network.shift(v, &space.affines);
        if there {
            shift.fill(0.0);
        }
        let stride = moment_offsets(plan, &convs).1.max(1);
        let group = Tiling::images_per_block(value.shape.height, value.shape.width);
        self.each_group(group, stride, space, |first, arenas, moments, codes, affines| {
            with(|scratch| {
                let len = map_len(&value.shape);
                let outs = grown(&mut scratch.value, arenas.len() / self.size * len).chunks_exact_mut(len);
                for (i, (out, arena)) in outs.zip(arenas.chunks_exact_mut(self.size)).enumerate() {
                    if there {
                        self.network.fetch(first + i, &shift, out);
                        continue;
                    }
                    let words = &mut codes[i * self.codes.words()..][self.codes.code(v)];
                    self.network.assemble(v, first + i, affines, &shift, arena, out, words, &mut scratch.columns);
                }
                self.network.run_convs(v, (&convs, &packed), (arenas, self.size), (moments, stride), scratch);
            });
        });
        self.set_affines(&convs, stride, space);
    }

    /// The code behind the last BatchNorm.
    fn head(&self, space: &mut Workspace) {
        let Some(last) = self.network.plan.stages[2] else { return };
        let code = self.codes.code(self.network.plan.values.len());
        let isa = self.network.isa;
        let shape = &self.network.plan.values[last].shape;
        let slot = self.network.slots.values[last].unwrap_or(0);
        let (len, channels) = (map_len(shape), padded_channels(shape.channels));
        self.each_group(1, channels, space, |_, arena, out, _, _| moments(isa, &arena[slot..slot + len], out));
        let mut head = Affine::default();
        let norm = slices(self.network.weights.norm(NormSlot::Last));
        head.set(&space.moments[..self.count * channels], (0, channels), channels, shape.pixels(), norm);
        self.each_group(1, channels, space, |_, arena, _, codes, _| {
            with(|scratch| {
                let out = grown(&mut scratch.value, len);
                let parts = [Part { place: Place::Arena(slot), scale: Some(&head.scale) }];
                let sum = Sum { shift: &head.shift, parts: &parts, pooled: false, keep: None, relu: false };
                sums::add_up(isa, &sum, arena, out, &mut codes[code.clone()]);
            });
        });
    }

    /// BatchNorm of the convolutions that leave one value, from the moments of all images.
    fn set_affines(&self, convs: &[usize], stride: usize, space: &mut Workspace) {
        let plan = self.network.plan;
        let (offsets, _) = moment_offsets(plan, convs);
        for (&c, at) in convs.iter().zip(offsets) {
            let conv = &plan.convs[c];
            if conv.norm {
                let norm = slices(self.network.weights.norm(NormSlot::After(conv.slot)));
                let channels = padded_channels(conv.shape.channels);
                let moments = &space.moments[..self.count * stride];
                space.affines[c].set(moments, (at, stride), channels, conv.shape.pixels(), norm);
            }
        }
    }

    fn distances(&self, space: &Workspace) -> Vec<u64> {
        let rows = &space.codes[..self.count * self.codes.words()];
        pairs::distances(self.network.isa, &self.codes, rows, self.count, self.parallel)
    }
}

/// Distances of all pairs of images, `[count, count]`. With `parallel`, images are spread over the threads; the result is
/// the same, as it is with or without a prefix.
pub fn distances(
    isa: Isa,
    convolution: Convolution,
    plan: &Plan,
    bank: &Bank,
    batch: &Batch,
    prefix: Option<&Prefix>,
    parallel: bool,
    space: &mut Workspace,
) -> Vec<u64> {
    let count = batch.count;
    if plan.values.is_empty() {
        return vec![0; count * count];
    }
    let slots = assign(plan);
    let prefix = prefix.filter(|_| begins_with_stem(plan));
    let outside = prefix.map(|prefix| prefix.outside(plan));
    let network = Network { isa, plan, slots: &slots, weights: &bank.weights, outside: outside.as_ref() };
    let first = usize::from(prefix.is_some());
    let run = Run::new(network, convolution, bank, parallel, (first, count), space);
    match prefix {
        Some(prefix) => prefix.lend_affines(plan, &mut space.affines),
        None => run.stem(batch, space),
    }
    for v in 0..plan.values.len() {
        run.value(v, space);
    }
    run.head(space);
    let mut distance = run.distances(space);
    if let Some(prefix) = prefix {
        let weight = plan.values[0].codes;
        distance.iter_mut().zip(&prefix.distance).for_each(|(sum, d)| *sum += weight * d);
    }
    distance
}

fn assign(plan: &Plan) -> Slots {
    Slots::assign(plan, Storage::Forward, |c, pixels| padded_channels(c) * pixels)
}

/// Whether value 0 is the stem's.
fn begins_with_stem(plan: &Plan) -> bool {
    matches!(plan.values[..], [ref first, ..] if matches!(first.terms[..], [Term::Conv(c)] if plan.convs[c].source == Source::Image))
}

/// What the networks of a population have in common: the stem, its value with its code, and the convolutions that leave it,
/// each of which several cells may read.
pub struct Prefix<'a> {
    plan: Plan,
    slots: Slots,
    space: &'a Workspace,
    distance: Vec<u64>,
}

impl<'a> Prefix<'a> {
    /// Computes what `plans` have in common; nothing if there is no such thing.
    pub fn new(
        isa: Isa,
        convolution: Convolution,
        plans: &[Plan],
        bank: &Bank,
        batch: &Batch,
        space: &'a mut Workspace,
    ) -> Option<Prefix<'a>> {
        let plan = common(plans)?;
        let slots = assign(&plan);
        let network = Network { isa, plan: &plan, slots: &slots, weights: &bank.weights, outside: None };
        let run = Run::new(network, convolution, bank, true, (0, batch.count), space);
        run.stem(batch, space);
        run.value(0, space);
        let distance = run.distances(space);
        Some(Prefix { plan, slots, space, distance })
    }

    fn conv(&self, plan: &Plan, c: usize) -> Option<usize> {
        self.plan.convs.iter().position(|conv| conv.slot == plan.convs[c].slot)
    }

    fn outside(&self, plan: &Plan) -> Outside<'_> {
        let mut convs = vec![None; plan.convs.len()];
        for &c in &plan.values[0].convs {
            convs[c] = self.conv(plan, c).map(|own| self.slots.convs[own]);
        }
        let value = self.slots.values[0].unwrap_or(0);
        Outside { arenas: &self.space.arena, size: self.slots.size.max(1), value, convs }
    }

    fn lend_affines(&self, plan: &Plan, affines: &mut [Affine]) {
        for &c in &plan.values[0].convs {
            if let Some(own) = self.conv(plan, c) {
                affines[c].clone_from(&self.space.affines[own]);
            }
        }
    }
}

/// The plan of the stem, its value, and those convolutions of the first block that leave it in several of the plans.
fn common(plans: &[Plan]) -> Option<Plan> {
    let plans: Vec<&Plan> = plans.iter().filter(|plan| begins_with_stem(plan)).collect();
    let first = plans.first().filter(|_| plans.len() > 1)?;
    let stem = first.convs.iter().find(|conv| conv.source == Source::Image)?;
    // The value stays, as the last one does for the head.
    let mut value =
        Value { terms: vec![Term::Conv(0)], convs: vec![], codes: 1, kept_until: Some(1), ..first.values[0].clone() };
    let mut convs = vec![*stem];
    let leaving = |plan: &&'_ Plan| plan.values[0].convs.iter().map(|&c| plan.convs[c]).collect::<Vec<Conv>>();
    let all: Vec<Conv> = plans.iter().flat_map(leaving).collect();
    for conv in all.iter().filter(|conv| matches!(conv.slot, Slot::Edge { block: 0, .. })) {
        let uses = all.iter().filter(|other| other.slot == conv.slot).count();
        if uses > 1 && convs.iter().all(|known| known.slot != conv.slot) {
            value.convs.push(convs.len());
            convs.push(*conv);
        }
    }
    Some(Plan { values: vec![value], convs, stages: [None; 3] })
}
