//! How tensors lie in the card's memory, and which of a cell's tensors share it.
//!
//! Maps are `[image][y][x][channel]` with channels padded to a multiple of 16; weights are packed in the order in which
//! tensor cores read them (`kernels/jobs.cuh`). The cells of a chunk go through the network in step, place by place, so that a
//! launch serves all of them: at a place, first its value is added up, then the convolutions that leave it run.

use super::device::aligned;
use super::jobs::PART;
use crate::plan::{Before, Conv, Place, Plan, Pool, Shape, Source, Term};
use crate::space::Skeleton;
use std::collections::{BTreeMap, HashSet};

#[cfg(test)]
mod tests;

/// Channels that lie together: maps and weights are padded to them.
pub const BLOCK: usize = 16;

/// Channels in memory.
pub fn padded(channels: usize) -> usize {
    channels.next_multiple_of(BLOCK)
}

/// Bytes of a map of `images` images.
pub fn map_bytes(shape: &Shape, images: usize) -> usize {
    aligned(images * shape.pixels() * padded(shape.channels) * 4)
}

/// Parts that the pixels of all images fall into.
pub fn parts(pixels: usize) -> usize {
    pixels.div_ceil(PART)
}

/// A convolution's source channels in memory.
pub fn inputs(conv: &Conv) -> usize {
    padded(conv.inputs)
}

/// Floats of a convolution's packed weights.
pub fn weight_count(conv: &Conv) -> usize {
    inputs(conv) * conv.kernel * conv.kernel * padded(conv.shape.channels)
}

/// Weights `[out][in][k][k]` as `[in/16][tap][out/8][4·(out % 8) + in % 16 / 4][in % 4]`.
pub fn pack(weights: &[f32], [out, real, kh, kw]: [usize; 4], inputs: usize, outputs: usize) -> Vec<f32> {
    let taps = kh * kw;
    let mut packed = vec![0.0; inputs * taps * outputs];
    for o in 0..out {
        for i in 0..real {
            for tap in 0..taps {
                packed[packed_place(i, tap, o, taps, outputs)] = weights[(o * real + i) * taps + tap];
            }
        }
    }
    packed
}

/// Where the weight of an input, a tap and an output lies.
pub fn packed_place(input: usize, tap: usize, output: usize, taps: usize, outputs: usize) -> usize {
    let lane = 4 * (output % 8) + input % BLOCK / 4;
    (((input / BLOCK * taps + tap) * (outputs / 8) + output / 8) * 32 + lane) * 4 + input % 4
}

/// Images `[n][3][h][w]`, plus `noise` if any, as a map of 16 channels of which three are used.
pub fn image_map(pixels: &[f32], noise: Option<&[f32]>, count: usize, pixels_each: usize) -> Vec<f32> {
    let mut map = vec![0.0; count * pixels_each * BLOCK];
    for (at, pixel) in map.chunks_exact_mut(BLOCK).enumerate() {
        let (image, pixel_of_image) = (at / pixels_each, at % pixels_each);
        for (c, number) in pixel.iter_mut().enumerate().take(3) {
            let from = (image * 3 + c) * pixels_each + pixel_of_image;
            *number = pixels[from] + noise.map_or(0.0, |noise| noise[from]);
        }
    }
    map
}

/// What happens at a place, for a cell: its value, or the convolutions that leave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The value is added up.
    Value,
    /// The convolutions run.
    Convs,
}

/// A step of a chunk.
pub type Step = (Place, Phase);

/// When a plan's values and convolutions have their turn.
pub struct Turns {
    /// The values and convolutions, by number, of each step.
    pub steps: BTreeMap<Step, Vec<usize>>,
    /// The last step that reads each value; `None` if the end of the network does.
    pub last_reads: Vec<Option<Step>>,
}

impl Turns {
    /// The turns of a plan.
    pub fn of(plan: &Plan, skeleton: &Skeleton) -> Turns {
        let mut steps: BTreeMap<Step, Vec<usize>> = BTreeMap::new();
        let mut last_reads: Vec<Option<Step>> = plan.values.iter().map(|v| Some((v.place, Phase::Value))).collect();
        let mut read = |value: usize, step: Step| last_reads[value] = last_reads[value].max(Some(step));
        for (id, value) in plan.values.iter().enumerate() {
            let step = (value.place, Phase::Value);
            steps.entry(step).or_default().push(id);
            for term in &value.terms {
                if let Term::Skip(source) | Term::Pool(source) = *term {
                    read(source, step);
                }
            }
        }
        for (id, conv) in plan.convs.iter().enumerate() {
            let step = (conv.place(skeleton), Phase::Convs);
            steps.entry(step).or_default().push(id);
            if let Source::Value(source) = conv.source {
                read(source, step);
            }
        }
        if let Some(last) = plan.stages[2] {
            last_reads[last] = None;
        }
        Turns { steps, last_reads }
    }
}

/// Where a convolution's results lie, in bytes from its slot's begin: its output, then what BatchNorm needs of it.
#[derive(Clone, Copy, Debug)]
pub struct ConvParts {
    /// Sums of the output's parts.
    pub sums: usize,
    /// Scale and shift.
    pub affine: usize,
    /// Mean and 1/σ.
    pub moments: usize,
    /// All together.
    pub bytes: usize,
}

impl ConvParts {
    /// The parts of a convolution's slot.
    pub fn of(conv: &Conv, images: usize) -> ConvParts {
        let channels = padded(conv.shape.channels);
        let sums = map_bytes(&conv.shape, images);
        if !conv.norm {
            return ConvParts { sums, affine: sums, moments: sums, bytes: sums };
        }
        let affine = sums + aligned(parts(images * conv.shape.pixels()) * 2 * channels * 4);
        let moments = affine + aligned(2 * channels * 4);
        ConvParts { sums, affine, moments, bytes: moments + aligned(2 * channels * 4) }
    }
}

/// Whether tensors make room when they were read for the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// They do: a forward pass alone.
    Nothing,
    /// They stay for the way back.
    Everything,
}

/// Where a cell's tensors lie, in bytes from the begin of its memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CellLayout {
    /// Of each value; `usize::MAX` where it lies elsewhere.
    pub values: Vec<usize>,
    /// Of each convolution's output and what belongs to it; `usize::MAX` where it lies elsewhere.
    pub convs: Vec<usize>,
    /// Of the halved source of each convolution behind a 2×2 average; `usize::MAX` for the others.
    pub halves: Vec<usize>,
    /// Size of the cell's memory.
    pub bytes: usize,
}

impl CellLayout {
    /// Lays out a cell. What `elsewhere` holds of (values, convolutions) gets no room.
    ///
    /// A tensor that is written never lies where one is that the same step reads: blocks run in any order.
    pub fn new(
        plan: &Plan,
        turns: &Turns,
        images: usize,
        keep: Keep,
        elsewhere: (&HashSet<usize>, &HashSet<usize>),
    ) -> CellLayout {
        let mut pool = Pool::default();
        let none = usize::MAX;
        let mut values = vec![none; plan.values.len()];
        let mut convs = vec![none; plan.convs.len()];
        let mut halves = vec![none; plan.convs.len()];
        for (step, items) in &turns.steps {
            let mut done = Vec::new();
            for &id in items {
                match step.1 {
                    Phase::Value => {
                        if !elsewhere.0.contains(&id) {
                            values[id] = pool.take(map_bytes(&plan.values[id].shape, images));
                        }
                        done.extend(plan.values[id].terms.iter().filter_map(|term| match *term {
                            Term::Conv(conv) => Some(convs[conv]),
                            _ => None,
                        }));
                    }
                    Phase::Convs => {
                        let conv = &plan.convs[id];
                        if conv.before == Before::Average {
                            let half = Shape { channels: conv.inputs, ..conv.shape };
                            halves[id] = pool.take(map_bytes(&half, images));
                            done.push(halves[id]);
                        }
                        if !elsewhere.1.contains(&id) {
                            convs[id] = pool.take(ConvParts::of(conv, images).bytes);
                        }
                    }
                }
            }
            if keep == Keep::Nothing {
                let read = turns.last_reads.iter().zip(&values).filter(|(last, _)| **last == Some(*step));
                done.extend(read.map(|(_, slot)| *slot));
                done.into_iter().filter(|slot| *slot != none).for_each(|slot| pool.give(slot));
            }
        }
        let (offsets, bytes) = pool.layout();
        let place = |slot: usize| if slot == none { none } else { offsets[slot] };
        CellLayout {
            values: values.into_iter().map(place).collect(),
            convs: convs.into_iter().map(place).collect(),
            halves: halves.into_iter().map(place).collect(),
            bytes,
        }
    }
}
