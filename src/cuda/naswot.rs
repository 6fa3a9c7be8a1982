//! naswot's raw numbers for a population: the way forward with codes, then each cell's codes against each other.
//!
//! The stem, its value and what leaves it in the first cell are the same for all cells: computed once for a chunk, only the stem's
//! code is written for each cell. A cell's codes lie `[image][words]`: its values behind each other, then the head.

use super::bank::Bank;
use super::chunk::{self, chunks, Arena, MOST};
use super::codes;
use super::device::{aligned, Device, Memory};
use super::forward::{is_read, CellAddresses, Traveller, Way};
use super::jobs::{CodeJob, DeterminantJob, MapJob, MatrixJob, MomentsJob, NodeJob, Segment, Term as TermJob};
use super::launches::{map_sums, node, norm_moments};
use super::layout::{map_bytes, padded, parts, CellLayout, ConvParts, Keep, Phase, Turns};
use super::program::{PlacedProgram, Program};
use super::Precision;
use crate::backend::{Hamming, HammingKernel, Watch};
use crate::error::{Error, Result};
use crate::plan::{Place, Plan, Shape, Source};
use crate::weights::{NormSlot, Slot};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};

/// Words that the code of one image's map takes: four for each 128 numbers.
fn code_words(shape: &Shape) -> usize {
    4 * (shape.pixels() * padded(shape.channels)).div_ceil(128)
}

/// The tensors that all cells share.
struct Common {
    /// Values: none or the stem's.
    value: Option<usize>,
    /// The stem's convolution and those that leave the stem in the first cell, by place of their weights.
    convs: HashMap<Slot, usize>,
    /// What the determinants of a chunk's cells give, two numbers each.
    determinants: usize,
    bytes: usize,
}

/// Whether a convolution gives the same in all cells.
fn is_common(plan: &Plan, conv: usize) -> bool {
    let conv = &plan.convs[conv];
    let first = matches!(conv.slot, Slot::Edge { block: 0, edge: 0 | 1 | 3, .. });
    conv.slot == Slot::Stem || first && conv.source == Source::Value(0) && plan.values[0].place == Place::STEM
}

impl Common {
    fn new(plans: &[Plan], images: usize) -> Common {
        let determinants = aligned(MOST * 16);
        let mut common = Common { value: None, convs: HashMap::new(), determinants: 0, bytes: determinants };
        for plan in plans {
            for (id, conv) in plan.convs.iter().enumerate() {
                if is_common(plan, id) && !common.convs.contains_key(&conv.slot) {
                    common.convs.insert(conv.slot, common.bytes);
                    common.bytes += ConvParts::of(conv, images).bytes;
                }
            }
            if let (None, Some(stem)) = (common.value, plan.values.first().filter(|v| v.place == Place::STEM)) {
                common.value = Some(common.bytes);
                common.bytes += map_bytes(&stem.shape, images);
            }
        }
        common
    }
}

/// A cell: what of it lies where, in bytes from the begin of its memory.
struct Cell {
    turns: Turns,
    layout: CellLayout,
    segments: Vec<Segment>,
    /// The first word of each value's code.
    code_words: Vec<Option<usize>>,
    head_word: usize,
    codes: usize,
    common: usize,
    kernel: usize,
    head_sums: usize,
    head_affine: usize,
    bytes: usize,
}

impl Cell {
    fn new(plan: &Plan, weights: &crate::weights::Weights, images: usize) -> Cell {
        let turns = Turns::of(plan, weights.skeleton());
        let stem = plan.values.first().is_some_and(|value| value.place == Place::STEM);
        let values: HashSet<usize> = stem.then_some(0).into_iter().collect();
        let convs: HashSet<usize> = (0..plan.convs.len()).filter(|conv| is_common(plan, *conv)).collect();
        let layout = CellLayout::new(plan, &turns, images, Keep::Nothing, (&values, &convs));
        let mut words = 0;
        let mut segments = Vec::new();
        let mut segment = |shape: &Shape, multiplicity: u64| {
            let first = words;
            words += code_words(shape);
            let words = code_words(shape) as i32;
            segments.push(Segment { first: first as i32, words, multiplicity: multiplicity as i32, padding: 0 });
            first
        };
        let code_words: Vec<Option<usize>> =
            plan.values.iter().map(|value| (value.codes > 0).then(|| segment(&value.shape, value.codes))).collect();
        let last = plan.stages[2].map(|last| plan.values[last].shape);
        let head_word = last.map_or(0, |shape| segment(&shape, 1));
        // The products of codes keep their sums in registers while the multiplicity stays.
        segments.sort_by_key(|segment| segment.multiplicity);
        let (head_sums, head_affine) = last.map_or((0, 0), |shape| {
            let channels = padded(shape.channels);
            (aligned(parts(images * shape.pixels()) * 2 * channels * 4), aligned(2 * channels * 4))
        });
        Cell {
            turns,
            segments,
            code_words,
            head_word,
            codes: words,
            common: 0,
            kernel: 0,
            head_sums,
            head_affine,
            bytes: layout.bytes,
            layout,
        }
    }

    /// Places what lies behind the maps, for codes of `stride` words an image and common bits in `parts` matrices.
    fn place(&mut self, images: usize, stride: usize, parts: usize) {
        let (sums, affine) = (self.head_sums, self.head_affine);
        self.codes = self.layout.bytes;
        self.common = self.codes + aligned(images * stride * 4);
        self.kernel = self.common + aligned(parts * images * images * 4);
        self.head_sums = self.kernel + aligned(images * images * 8);
        self.head_affine = self.head_sums + sums;
        self.bytes = self.head_affine + affine;
    }
}

/// What all passes of a device share.
pub struct Surroundings<'a> {
    /// The card.
    pub device: &'a Device,
    /// Arithmetic of the convolutions.
    pub precision: Precision,
    /// The weights.
    pub bank: &'a Bank,
    /// The batch as a map on the card.
    pub image: u64,
    /// Its images.
    pub images: usize,
}

/// What is brought from the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Each cell's matrix.
    Distances,
    /// Each cell's determinant, and the matrix only where the determinant is in doubt.
    Determinants,
}

/// The kernel matrices of all plans in their order, or their determinants; `bits` are N_A of each.
pub fn kernels(
    around: &Surroundings,
    arena: &mut Arena,
    plans: &[Plan],
    bits: &[u64],
    wanted: Wanted,
    watch: &dyn Watch,
) -> Result<Vec<HammingKernel>> {
    let (device, images, weights) = (around.device, around.images, around.bank.weights());
    let mut cells: Vec<Cell> = plans.par_iter().map(|plan| Cell::new(plan, weights, images)).collect();
    let stride = cells.iter().map(|cell| cell.codes).max().unwrap_or(0);
    let parts = codes::code_parts(device, images, plans.len());
    cells.iter_mut().for_each(|cell| cell.place(images, stride, parts));
    let common = Common::new(plans, images);
    let sizes: Vec<usize> = cells.iter().map(|cell| cell.bytes).collect();
    let bytes = common.bytes;
    let results = Vec::with_capacity(plans.len());
    let mut passes = Passes { around, plans, cells, bits, wanted, watch, common, stride, parts, results };
    chunks(device, arena, bytes, &sizes, &mut passes)?;
    Ok(passes.results)
}

/// All cells, and what is known of them so far.
struct Passes<'a> {
    around: &'a Surroundings<'a>,
    plans: &'a [Plan],
    cells: Vec<Cell>,
    bits: &'a [u64],
    wanted: Wanted,
    watch: &'a dyn Watch,
    common: Common,
    stride: usize,
    parts: usize,
    results: Vec<HammingKernel>,
}

impl chunk::Work for Passes<'_> {
    type Ready = PlacedProgram;

    fn lay_out(&mut self, chunk: &chunk::Chunk) -> Result<PlacedProgram> {
        if self.watch.cancelled() {
            return Err(Error::Interrupted);
        }
        let range = chunk.range.clone();
        let cells = Chunk {
            around: self.around,
            common: &self.common,
            plans: &self.plans[range.clone()],
            cells: &self.cells[range.clone()],
            bits: &self.bits[range],
            base: chunk.base,
            begins: chunk.addresses(),
            stride: self.stride,
            parts: self.parts,
        };
        let mut program = Program::default();
        cells.forward(&mut program);
        cells.codes(&mut program, self.wanted);
        program.placed(self.around.device)
    }

    fn start(&mut self, program: &mut PlacedProgram) -> Result<()> {
        program.run_all(self.around.device)
    }

    fn finish(&mut self, chunk: &chunk::Chunk, memory: &Memory) -> Result<()> {
        let Surroundings { device, images, .. } = *self.around;
        let logarithms: Vec<[f64; 2]> = match self.wanted {
            Wanted::Determinants => device.read(memory, self.common.determinants, chunk.range.len())?,
            Wanted::Distances => vec![[f64::NAN; 2]; chunk.range.len()],
        };
        for ((at, begin), [logarithm, pivot]) in chunk.range.clone().zip(&chunk.begins).zip(logarithms) {
            self.results.push(match logarithm.is_finite() && pivot >= CLEAR_PIVOT {
                true => HammingKernel::LogDeterminant(logarithm),
                false => {
                    let kernel = begin + self.cells[at].kernel;
                    HammingKernel::Distances(distances(device, memory, images, self.bits[at], kernel)?)
                }
            });
            self.watch.advance();
        }
        Ok(())
    }
}

/// Cells that go together, with addresses.
struct Chunk<'a> {
    around: &'a Surroundings<'a>,
    common: &'a Common,
    plans: &'a [Plan],
    cells: &'a [Cell],
    bits: &'a [u64],
    /// The begin of what all share.
    base: u64,
    /// The begin of each cell.
    begins: Vec<u64>,
    /// Words between the codes of two images.
    stride: usize,
    /// Matrices that common bits are counted in.
    parts: usize,
}

impl Chunk<'_> {
    /// Adds the launches from the image to the last codes.
    fn forward(&self, program: &mut Program) {
        let Chunk { around, common, base, .. } = self;
        // Who computes what all share: the first cell that has it, and reads it.
        let mut owners: HashMap<Slot, usize> = HashMap::new();
        let mut stem_owner = None;
        let mut travellers = Vec::new();
        for (at, ((plan, cell), begin)) in self.plans.iter().zip(self.cells).zip(&self.begins).enumerate() {
            let mut addresses = CellAddresses::new(&cell.layout, *begin);
            for (id, conv) in plan.convs.iter().enumerate().filter(|(id, _)| is_common(plan, *id)) {
                addresses.convs[id] = base + common.convs[&conv.slot] as u64;
                owners.entry(conv.slot).or_insert(at);
            }
            if let (Some(value), true) = (common.value, plan.values.first().is_some_and(|v| v.place == Place::STEM)) {
                addresses.values[0] = base + value as u64;
                stem_owner = stem_owner.or(is_read(plan, 0).then_some(at));
            }
            for (address, word) in addresses.codes.iter_mut().zip(&cell.code_words) {
                *address = word.map_or(0, |word| begin + (cell.codes + word * 4) as u64);
            }
            travellers.push(Traveller { plan, turns: &cell.turns, addresses });
        }
        let way = Way {
            images: around.images,
            precision: around.precision,
            image: around.image,
            code_stride: self.stride,
            weight: &|at, conv| around.bank.conv(&travellers[at].plan.convs[conv]),
            norm: &|_, slot| around.bank.norm(slot),
            moments: false,
            given: &|at, phase, id| match phase {
                Phase::Value => id == 0 && stem_owner.is_some_and(|owner| owner != at),
                Phase::Convs => {
                    let plan = travellers[at].plan;
                    is_common(plan, id) && owners.get(&plan.convs[id].slot) != Some(&at)
                }
            },
        };
        way.emit(program, &travellers);
        self.heads(program, &travellers);
    }

    /// Adds the launches from codes to matrices and, if wanted, determinants.
    fn codes(&self, program: &mut Program, wanted: Wanted) {
        let mut segments = Vec::new();
        let (mut jobs, mut matrices, mut determinants) = (Vec::new(), Vec::new(), Vec::new());
        for (at, ((cell, begin), bits)) in self.cells.iter().zip(&self.begins).zip(self.bits).enumerate() {
            let [codes, common, kernel] = [cell.codes, cell.common, cell.kernel].map(|at| begin + at as u64);
            let (first, count) = (segments.len() as i32, cell.segments.len() as i32);
            segments.extend_from_slice(&cell.segments);
            jobs.push(CodeJob { codes, common, stride: self.stride as i32, first, count, padding: 0 });
            matrices.push(MatrixJob { common, kernel, bits: *bits });
            let result = self.base + (self.common.determinants + 16 * at) as u64;
            determinants.push(DeterminantJob { kernel, result });
        }
        let Surroundings { device, images, .. } = *self.around;
        codes::common_bits(program, device, images, self.parts, &jobs, &segments);
        codes::kernel_matrix(program, images, self.parts, &matrices);
        if wanted == Wanted::Determinants {
            codes::log_determinant(program, images, &determinants);
        }
    }

    /// Adds the launches of the network's last BatchNorm and its codes.
    fn heads(&self, program: &mut Program, travellers: &[Traveller]) {
        let norm = self.around.bank.norm(NormSlot::Last);
        let (mut sums, mut moments, mut nodes) = (Vec::new(), Vec::new(), Vec::new());
        let mut shape = None;
        for ((cell, traveller), begin) in self.cells.iter().zip(travellers).zip(&self.begins) {
            let Some(last) = traveller.plan.stages[2] else { continue };
            shape = Some(traveller.plan.values[last].shape);
            let map = traveller.addresses.values[last];
            let [of, affine] = [cell.head_sums, cell.head_affine].map(|at| begin + at as u64);
            sums.push(MapJob { from: map, to: of });
            moments.push(MomentsJob { sums: of, gamma: norm.gamma, beta: norm.beta, affine, moments: 0 });
            let terms = [TermJob::new(TermJob::MAP, map, affine), TermJob::default(), TermJob::default()];
            nodes.push(NodeJob { terms, value: 0, code: begin + (cell.codes + cell.head_word * 4) as u64 });
        }
        let Some(Shape { channels, height, width }) = shape else { return };
        let (images, channels) = (self.around.images, padded(channels));
        let pixels = images * height * width;
        map_sums(program, pixels, channels, &sums);
        norm_moments(program, pixels, channels, &moments);
        node(program, images, (height, width, channels), self.stride, &nodes);
    }
}

/// A determinant is taken as it is where the smallest pivot is at least this part of its diagonal element: rounding moves a pivot
/// by some n²·2⁻⁵³ of it, 1e-10 for 1,024 images.
const CLEAR_PIVOT: f64 = 1e-7;

/// A cell's distances, from the upper triangle of its matrix at `kernel`: factors have taken the place of the rest.
fn distances(device: &Device, memory: &Memory, images: usize, bits: u64, kernel: usize) -> Result<Hamming> {
    let kernel: Vec<f64> = device.read(memory, kernel, images * images)?;
    let distance = |i: usize, j: usize| match i == j {
        true => 0,
        false => bits.saturating_sub(kernel[i.min(j) * images + i.max(j)] as u64),
    };
    let distance = (0..images * images).map(|at| distance(at / images, at % images)).collect();
    Ok(Hamming { count: images, bits, distance })
}
