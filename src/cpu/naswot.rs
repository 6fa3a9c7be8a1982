//! naswot's raw numbers: one forward pass over the batch, ReLU codes packed on the way, then their Hamming distances.
//!
//! Per cell at batch 128 and 32×32: 2 FLOP × 128 × MACs (54 M for an average cell: 14 GFLOP), 8.4 MB per stage-1 map,
//! at most 60 kB of codes per image. Passes are bound by the convolutions.

use super::bank::Bank;
use super::layout::{map_len, pad_image, padded_channels, padded_len, IMAGE_CHANNELS};
use super::maps;
use super::norm::{moments, Affine, Moment};
use super::pass::{each_part, moment_offsets, Network};
use super::scratch::{grown, with};
use super::simd::Isa;
use crate::input::Batch;
use crate::plan::{Plan, Slots, Source, Storage};
use crate::weights::{Norm, NormSlot};
use rayon::prelude::*;

/// Memory of one cell in flight, reused by the next.
#[derive(Default)]
pub struct Workspace {
    arena: Vec<f32>,
    moments: Vec<Moment>,
    codes: Vec<u64>,
    affines: Vec<Affine>,
}

/// Where a code lies among the words of an image.
struct Code {
    start: usize,
    words: usize,
    weight: u64,
}

/// γ and β as the kernels take them.
pub fn slices(norm: Option<&Norm>) -> Option<(&[f32], &[f32])> {
    norm.map(|norm| (&norm.gamma[..], &norm.beta[..]))
}

/// Distances of all pairs of images, `[count, count]`. With `parallel`, images are spread over the threads; the result is
/// the same.
pub fn distances(isa: Isa, plan: &Plan, bank: &Bank, batch: &Batch, parallel: bool, space: &mut Workspace) -> Vec<u64> {
    let count = batch.count;
    if plan.values.is_empty() {
        return vec![0; count * count];
    }
    let slots = Slots::assign(plan, Storage::Forward, |c, pixels| padded_channels(c) * pixels);
    let network = Network { isa, plan, slots: &slots, weights: &bank.weights };

    let mut codes = Vec::new();
    let mut words = 0;
    let mut layout = Vec::new();
    for value in &plan.values {
        layout.push((value.codes > 0).then_some(codes.len()));
        if value.codes > 0 {
            let of_value = map_len(&value.shape).div_ceil(64);
            codes.push(Code { start: words, words: of_value, weight: value.codes });
            words += of_value;
        }
    }
    if let Some(last) = plan.stages[2] {
        let of_head = map_len(&plan.values[last].shape).div_ceil(64);
        codes.push(Code { start: words, words: of_head, weight: 1 });
        words += of_head;
    }
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
        let packed: Vec<_> = value.convs.iter().map(|&c| bank.forward(&plan.convs[c])).collect();
        let packed: Vec<&[f32]> = packed.iter().map(|w| &w[..]).collect();
        let shift = network.shift(v, affines);
        let per_image = stride(&value.convs);
        let moments = &mut all_moments[..count * per_image];
        let known: &[Affine] = affines;
        each_part(parallel, (arena, size), (moments, per_image), (all_codes, words), |_, arena, moments, all| {
            with(|scratch| {
                let len = map_len(&value.shape);
                let out = grown(&mut scratch.value, len);
                network.assemble(v, known, &shift, arena, out, &mut scratch.columns);
                if let Some(code) = layout[v].map(|at| &codes[at]) {
                    maps::codes(isa, out, &mut all[code.start..][..code.words]);
                }
                if let Some(slot) = slots.values[v] {
                    arena[slot..slot + len].copy_from_slice(out);
                }
                network.run_convs(v, &packed, arena, moments, scratch);
            });
        });
        set_affines(&network, &value.convs, moments, per_image, affines);
    }

    if let Some((last, code)) = plan.stages[2].zip(codes.last()) {
        let shape = &plan.values[last].shape;
        let slot = slots.values[last].unwrap_or(0);
        let len = map_len(shape);
        let moments_of = &mut all_moments[..count * last_channels];
        each_part(parallel, (arena, size), (moments_of, last_channels), (all_codes, words), |_, arena, out, _| {
            moments(isa, &arena[slot..slot + len], shape.width, out);
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
                maps::codes(isa, out, &mut all[code.start..][..code.words]);
            });
        });
    }
    pairs(isa, all_codes, words, count, &codes, parallel)
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

/// Distances of all pairs of `count` codes of so many words, on this thread, for benchmarks.
pub fn distances_of(isa: Isa, codes: &[u64], words: usize, count: usize) -> Vec<u64> {
    pairs(isa, codes, words, count, &[Code { start: 0, words, weight: 1 }], false)
}

/// Hamming distances, each code counted with its weight. Exact integers: the order of addition does not matter.
fn pairs(isa: Isa, all: &[u64], words: usize, count: usize, codes: &[Code], parallel: bool) -> Vec<u64> {
    /// Words of a code that are compared at a time: 8 rows of 4 kB stay in the first-level cache.
    const CHUNK: usize = 512;
    const ROWS: usize = 8;
    let mut distance = vec![0; count * count];
    let rows = |(block, out): (usize, &mut [u64])| {
        let first = block * ROWS;
        let here = out.len() / count;
        for code in codes {
            for start in (0..code.words).step_by(CHUNK) {
                let row = |i: usize| {
                    let from = i * words + code.start + start;
                    &all[from..from + CHUNK.min(code.words - start)]
                };
                for j in 0..first + here {
                    let other = row(j);
                    for i in first.max(j + 1)..first + here {
                        out[(i - first) * count + j] += code.weight * maps::distance(isa, row(i), other);
                    }
                }
            }
        }
    };
    if parallel {
        distance.par_chunks_mut(ROWS * count).enumerate().for_each(rows);
    } else {
        distance.chunks_mut(ROWS * count).enumerate().for_each(rows);
    }
    for i in 0..count {
        for j in 0..i {
            distance[j * count + i] = distance[i * count + j];
        }
    }
    distance
}
