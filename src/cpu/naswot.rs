//! naswot's raw numbers: one forward pass over the batch, ReLU codes packed on the way, then their Hamming distances.
//!
//! Per cell at batch 128 and 32×32: 2 FLOP × 128 × MACs (54 M for an average cell: 14 GFLOP), 8.4 MB per stage-1 map,
//! at most 60 kB of codes per image. Passes are bound by the convolutions.

use super::bank::Bank;
use super::layout::{map_len, pad_image, padded_channels, padded_len, IMAGE_CHANNELS};
use super::maps;
use super::norm::{moments, Affine, Moment};
use super::pairs::{self, Layout};
use super::pass::{each_part, moment_offsets, tiles, Network, Packed};
use super::scratch::{grown, with, Buffer};
use super::simd::Isa;
use super::winograd::Tiling;
use super::Convolution;
use crate::input::Batch;
use crate::plan::{Conv, Plan, Shape, Slots, Source, Storage};
use crate::weights::{Norm, NormSlot};
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

/// Distances of all pairs of images, `[count, count]`. With `parallel`, images are spread over the threads; the result is
/// the same.
pub fn distances(
    isa: Isa,
    convolution: Convolution,
    plan: &Plan,
    bank: &Bank,
    batch: &Batch,
    parallel: bool,
    space: &mut Workspace,
) -> Vec<u64> {
    let layout = run(isa, convolution, plan, bank, batch, parallel, space);
    let rows = &space.codes[..batch.count * layout.words()];
    pairs::distances(isa, &layout, rows, batch.count, parallel)
}

/// The codes that the distances count, each beside the shape of its value: for every image the signs in the order
/// `[h][w][c]`, c padded to a multiple of 16.
pub fn codes(
    isa: Isa,
    convolution: Convolution,
    plan: &Plan,
    bank: &Bank,
    batch: &Batch,
    space: &mut Workspace,
) -> Vec<(Shape, Vec<Vec<u64>>)> {
    let layout = run(isa, convolution, plan, bank, batch, true, space);
    let row = |i: usize| &space.codes[i * layout.words()..][..layout.words()];
    let of = |at: usize, v: usize| {
        (plan.values[v].shape, (0..batch.count).map(|i| row(i)[layout.code(at)].to_vec()).collect())
    };
    let values = (0..plan.values.len()).filter(|&v| plan.values[v].codes > 0).map(|v| of(v, v));
    values.chain(plan.stages[2].map(|last| of(plan.values.len(), last))).collect()
}

/// One forward pass; leaves the codes in `space`, laid out as it says.
fn run(
    isa: Isa,
    convolution: Convolution,
    plan: &Plan,
    bank: &Bank,
    batch: &Batch,
    parallel: bool,
    space: &mut Workspace,
) -> Layout {
    let count = batch.count;
    if plan.values.is_empty() {
        return Layout::default();
    }
    let slots = Slots::assign(plan, Storage::Forward, |c, pixels| padded_channels(c) * pixels);
    let network = Network { isa, plan, slots: &slots, weights: &bank.weights };

    // A code for each value, of no words where none is wanted, and the head's.
    let words = |v: usize| map_len(&plan.values[v].shape).div_ceil(64);
    let of_value = |v: usize| (if plan.values[v].codes > 0 { words(v) } else { 0 }, plan.values[v].codes);
    let of_head = plan.stages[2].map(|last| (words(last), 1));
    let layout = Layout::new(&(0..plan.values.len()).map(of_value).chain(of_head).collect::<Vec<_>>());
    let words = layout.words();
    let stride = |convs: &[usize]| moment_offsets(plan, convs).1.max(1);
    let from_image: Vec<usize> = (0..plan.convs.len()).filter(|&c| plan.convs[c].source == Source::Image).collect();
    let last_channels = plan.stages[2].map_or(1, |last| padded_channels(plan.values[last].shape.channels));
    let widest = plan.values.iter().map(|v| stride(&v.convs)).chain([stride(&from_image), last_channels]).max();

    let Workspace { arena, moments: all_moments, codes: all_codes, affines } = space;
    // A plan of constants alone stores nothing.
    let size = slots.size.max(1);
    let arena = grown(arena, count * size);
    all_moments.resize(all_moments.len().max(count * widest.unwrap_or(1)), [f64::NAN; 2]);
    all_codes.resize(all_codes.len().max(count * words), 0);
    let all_codes = &mut all_codes[..count * words];
    affines.resize_with(affines.len().max(plan.convs.len()), Affine::default);

    // The stem.
    let (height, width) = (batch.height, batch.width);
    let pixels = 3 * height * width;
    for &c in &from_image {
        let weights = bank.forward(&plan.convs[c]);
        let per_image = stride(&[c]);
        let moments = &mut all_moments[..count * per_image];
        each_part(parallel, (arena, size), (moments, per_image), (all_codes, words), |i, arena, moments, _| {
            with(|scratch| {
                let padded = grown(&mut scratch.padded, padded_len(height, width, IMAGE_CHANNELS));
                pad_image(&batch.pixels[i * pixels..][..pixels], None, height, width, padded);
                network.run_conv(c, padded, &weights, arena, moments);
            });
        });
        set_affines(&network, &[c], moments, per_image, affines);
    }

    for (v, value) in plan.values.iter().enumerate() {
        let weights: Vec<Weights> =
            value.convs.iter().map(|&c| Weights::new(bank, isa, &plan.convs[c], convolution)).collect();
        let packed: Vec<Packed> = weights.iter().map(Weights::packed).collect();
        let shift = network.shift(v, affines);
        let per_image = stride(&value.convs);
        let moments = &mut all_moments[..count * per_image];
        let known: &[Affine] = affines;
        let group = Tiling::images_per_block(value.shape.height, value.shape.width);
        let (arenas, moments_of, words_of) =
            ((&mut *arena, group * size), (&mut *moments, group * per_image), (&mut *all_codes, group * words));
        each_part(parallel, arenas, moments_of, words_of, |_, arenas, moments, all| {
            with(|scratch| {
                let len = map_len(&value.shape);
                let outs = grown(&mut scratch.value, arenas.len() / size * len).chunks_exact_mut(len);
                for (i, (out, arena)) in outs.zip(arenas.chunks_exact_mut(size)).enumerate() {
                    let code = &mut all[i * words..][layout.code(v)];
                    network.assemble(v, known, &shift, arena, out, code, &mut scratch.columns);
                }
                network.run_convs(v, &packed, (arenas, size), (moments, per_image), scratch);
            });
        });
        set_affines(&network, &value.convs, moments, per_image, affines);
    }

    if let Some(last) = plan.stages[2] {
        let shape = &plan.values[last].shape;
        let slot = slots.values[last].unwrap_or(0);
        let len = map_len(shape);
        let moments_of = &mut all_moments[..count * last_channels];
        each_part(parallel, (arena, size), (moments_of, last_channels), (all_codes, words), |_, arena, out, _| {
            moments(isa, &arena[slot..slot + len], out);
        });
        let mut head = Affine::default();
        head.set(
            moments_of,
            (0, last_channels),
            last_channels,
            shape.pixels(),
            slices(bank.weights.norm(NormSlot::Last)),
        );
        each_part(parallel, (arena, size), (moments_of, last_channels), (all_codes, words), |_, arena, _, all| {
            with(|scratch| {
                let out = grown(&mut scratch.value, len);
                maps::fill(isa, out, &head.shift);
                maps::add_scaled(isa, out, &arena[slot..slot + len], &head.scale);
                maps::codes(isa, out, &mut all[layout.code(plan.values.len())]);
            });
        });
    }
    layout
}

/// BatchNorm of the convolutions that leave one value, from the moments of all images.
fn set_affines(network: &Network, convs: &[usize], moments: &[Moment], stride: usize, affines: &mut [Affine]) {
    let (offsets, _) = moment_offsets(network.plan, convs);
    for (&c, at) in convs.iter().zip(offsets) {
        let conv = &network.plan.convs[c];
        if conv.norm {
            let norm = slices(network.weights.norm(NormSlot::After(conv.slot)));
            let channels = padded_channels(conv.shape.channels);
            affines[c].set(moments, (at, stride), channels, conv.shape.pixels(), norm);
        }
    }
}
