//! The launches of a chunk of networks under Synflow: forward, back, sums.

use super::super::device::{Argument, Grid};
use super::super::forward::{backward_shape, forward_shape};
use super::super::jobs::{
    ConvJob, ConvShape, CopyJob, SynflowMixJob, SynflowOutputJob, SynflowSumsJob, SynflowTerm, SynflowTotalJob,
    WeightGradientJob,
};
use super::super::launches::{self, MapShape};
use super::super::layout::{inputs, padded, weight_count, Phase};
use super::super::program::Program;
use super::super::Precision;
use super::{Outside, Traveller};
use crate::plan::{Before, Conv, Plan, Shape, Source, Term};
use crate::space::Skeleton;
use std::collections::{BTreeMap, HashSet};

/// Arithmetic of the convolutions. Everything is positive, so that what tensor cores cut off their sums would add up, layer by layer.
const PRECISION: Precision = Precision::F32;
/// Threads of a block.
const THREADS: usize = 256;
/// Numbers that a block of the mixing kernel takes.
const MIXED: usize = 4096;

/// What the passes of a chunk share.
pub struct Pass<'a> {
    /// Weights, image and classifier.
    pub outside: &'a Outside,
    /// The network.
    pub skeleton: &'a Skeleton,
}

/// A convolution of a network: positions among the travellers and in the plan.
type Item = (usize, usize);

/// Convolutions of one shape.
type Groups = BTreeMap<[usize; 6], Vec<Item>>;

fn grouped(cells: &[Traveller], items: impl Iterator<Item = Item>) -> Groups {
    let mut groups = Groups::new();
    for (at, id) in items {
        let conv = &cells[at].plan.convs[id];
        let Shape { channels, height, width } = conv.shape;
        let key = [conv.kernel, height, width, inputs(conv), padded(channels), conv.stride];
        groups.entry(key).or_default().push((at, id));
    }
    groups
}

fn shape_of([_, height, width, inputs, outputs, stride]: [usize; 6]) -> ConvShape {
    forward_shape(1, &Shape { channels: outputs, height, width }, inputs, stride, false)
}

fn map_shape(shape: &Shape) -> MapShape {
    (shape.height, shape.width, padded(shape.channels))
}

/// Maps of one shape to mix, with their terms.
#[derive(Default)]
struct Mixes(BTreeMap<MapShape, (Vec<SynflowMixJob>, Vec<SynflowTerm>)>);

impl Mixes {
    fn push(&mut self, shape: MapShape, [map, state]: [u64; 2], terms: impl IntoIterator<Item = SynflowTerm>) {
        let (jobs, all) = self.0.entry(shape).or_default();
        let first = all.len();
        all.extend(terms);
        jobs.push(SynflowMixJob { map, state, first: first as i32, count: (all.len() - first) as i32 });
    }

    fn emit(self, program: &mut Program) {
        for ((height, width, channels), (jobs, terms)) in self.0 {
            let blocks = (height * width * channels).div_ceil(MIXED);
            let grid = Grid { blocks: [blocks, 0, 1], threads: THREADS, shared: 0 };
            let numbers = [height, width, channels].map(|n| Argument::Number(n as i32));
            program.launch_with("synflow_mix", grid, &jobs, Some(&terms), &numbers);
            let map = 4 * height * width * channels;
            let least = |term: &SynflowTerm| match term.kind {
                SynflowTerm::HALVE => 4 * map,
                SynflowTerm::HALVE_BACK => map / 4,
                _ => map,
            };
            program.least(jobs.len() * map + terms.iter().map(least).sum::<usize>(), 0);
        }
    }
}

fn term(kind: i32, [x, state]: [u64; 2], shift: i32) -> SynflowTerm {
    SynflowTerm { x, state, shift, kind }
}

impl Pass<'_> {
    /// Adds all launches; the networks' sums go to `totals`, three numbers each.
    pub fn emit(&self, program: &mut Program, cells: &[Traveller], totals: u64) {
        let clear = |cell: &Traveller| CopyJob {
            from: 0,
            to: cell.at(cell.layout.states),
            count: (cell.layout.state_bytes() / 4) as i32,
            padding: 0,
        };
        launches::copy(program, &cells.iter().map(clear).collect::<Vec<_>>());
        self.forward(program, cells);
        self.backward(program, cells);
        self.sums(program, cells, totals);
    }

    fn forward(&self, program: &mut Program, cells: &[Traveller]) {
        let mut steps: BTreeMap<_, Vec<Item>> = BTreeMap::new();
        for (at, cell) in cells.iter().enumerate() {
            for (step, items) in &cell.turns.steps {
                steps.entry(*step).or_default().extend(items.iter().map(|item| (at, *item)));
            }
        }
        for ((_, phase), items) in steps {
            let mut mixes = Mixes::default();
            match phase {
                Phase::Value => {
                    for (at, id) in items {
                        let (cell, value) = (&cells[at], &cells[at].plan.values[id]);
                        let terms = value.terms.iter().filter_map(|term| self.term(cell, term));
                        mixes.push(map_shape(&value.shape), cell.value(id), terms);
                    }
                    mixes.emit(program);
                }
                Phase::Convs => {
                    for &(at, id) in &items {
                        let (cell, conv) = (&cells[at], &cells[at].plan.convs[id]);
                        if let (Before::Average, Source::Value(value)) = (conv.before, conv.source) {
                            let half = Shape { channels: conv.inputs, ..conv.shape };
                            let of = [term(SynflowTerm::HALVE, cell.value(value), 0)];
                            mixes.push(map_shape(&half), cell.source(id, self.outside), of);
                        }
                    }
                    mixes.emit(program);
                    for (key, convs) in grouped(cells, items.into_iter()) {
                        let job = |(at, id): Item| ConvJob {
                            x: cells[at].source(id, self.outside)[0],
                            w: self.outside.conv(&cells[at].plan.convs[id]).forward,
                            y: cells[at].at(cells[at].layout.forward.convs[id]),
                            sums: 0,
                        };
                        let mut jobs: Vec<ConvJob> = convs.into_iter().map(job).collect();
                        jobs.sort_by_key(|job| job.w);
                        launches::convolution(program, PRECISION, key[0], shape_of(key), &jobs);
                    }
                }
            }
        }
    }

    fn term(&self, cell: &Traveller, of: &Term) -> Option<SynflowTerm> {
        match *of {
            Term::Conv(id) => {
                let x = cell.at(cell.layout.forward.convs[id]);
                let [_, state] = cell.source(id, self.outside);
                Some(term(SynflowTerm::MAP, [x, state], self.outside.conv(&cell.plan.convs[id]).exponent))
            }
            Term::Skip(value) => Some(term(SynflowTerm::MAP, cell.value(value), 0)),
            Term::Pool(value) => Some(term(SynflowTerm::POOL, cell.value(value), 0)),
            // Only a BatchNorm shifts, and Synflow has none.
            Term::Shift(_) => None,
        }
    }

    fn backward(&self, program: &mut Program, cells: &[Traveller]) {
        let mut places: BTreeMap<_, Vec<Item>> = BTreeMap::new();
        for (at, cell) in cells.iter().enumerate() {
            for (id, value) in cell.plan.values.iter().enumerate() {
                places.entry(value.place).or_default().push((at, id));
            }
        }
        for items in places.into_values().rev() {
            let mut mixes = Mixes::default();
            let mut convs = Vec::new();
            for (at, id) in items {
                let (cell, value) = (&cells[at], &cells[at].plan.values[id]);
                mixes.push(map_shape(&value.shape), cell.gradient(id), self.readers(cell, id));
                convs.extend(value.terms.iter().filter_map(|term| match *term {
                    Term::Conv(conv) => Some((at, conv)),
                    _ => None,
                }));
            }
            mixes.emit(program);
            for (key, convs) in grouped(cells, convs.into_iter()) {
                let gradient = |at: usize, conv: &Conv| cells[at].gradient(conv.target)[0];
                let (mut weights, mut sources) = (Vec::new(), Vec::new());
                for (at, id) in convs {
                    let (cell, conv) = (&cells[at], &cells[at].plan.convs[id]);
                    let [x, _] = cell.source(id, self.outside);
                    let g = gradient(at, conv);
                    weights.push(WeightGradientJob { x, g, gradient: cell.at(cell.layout.weights[id]) });
                    if conv.source != Source::Image {
                        let w = self.outside.conv(conv).turned;
                        sources.push(ConvJob { x: g, w, y: cell.at(cell.layout.sources[id]), sums: 0 });
                    }
                }
                sources.sort_by_key(|job| job.w);
                launches::weight_gradient(program, PRECISION, key[0], shape_of(key), &weights);
                launches::convolution(program, PRECISION, key[0], backward_shape(shape_of(key)), &sources);
            }
        }
    }

    /// What a value's gradient is the sum of.
    fn readers(&self, cell: &Traveller, id: usize) -> Vec<SynflowTerm> {
        let plan: &Plan = cell.plan;
        let of_conv = |&conv: &usize| {
            let planned = &plan.convs[conv];
            let kind = if planned.before == Before::Average { SynflowTerm::HALVE_BACK } else { SynflowTerm::MAP };
            let [_, state] = cell.gradient(planned.target);
            term(kind, [cell.at(cell.layout.sources[conv]), state], self.outside.conv(planned).exponent)
        };
        let mut terms: Vec<SynflowTerm> = plan.values[id].convs.iter().map(of_conv).collect();
        terms.extend(plan.readers(id).map(|(reader, of)| {
            let kind = if matches!(of, Term::Pool(_)) { SynflowTerm::POOL_BACK } else { SynflowTerm::MAP };
            term(kind, cell.gradient(reader), 0)
        }));
        if plan.stages[2] == Some(id) {
            terms.push(term(SynflowTerm::MAP, self.outside.seed, 0));
        }
        terms
    }

    fn sums(&self, program: &mut Program, cells: &[Traveller], totals: u64) {
        let mut groups: BTreeMap<(usize, usize), Vec<SynflowSumsJob>> = BTreeMap::new();
        let (mut outputs, mut all) = (Vec::new(), Vec::new());
        for (at, cell) in cells.iter().enumerate() {
            for (id, conv) in cell.plan.convs.iter().enumerate() {
                let weights = self.outside.conv(conv);
                let key = (weight_count(conv), launches::gradient_parts(&conv.shape, 1));
                groups.entry(key).or_default().push(SynflowSumsJob {
                    gradient: cell.at(cell.layout.weights[id]),
                    weights: weights.forward,
                    source: cell.source(id, self.outside)[1],
                    target: cell.gradient(conv.target)[1],
                    sums: cell.sums(id),
                    shift: weights.exponent,
                    padding: 0,
                });
            }
            let layers = cell.plan.convs.len();
            if let Some(last) = cell.plan.stages[2] {
                let [map, state] = cell.value(last);
                outputs.push(SynflowOutputJob { map, state, sums: cell.sums(layers) });
            }
            let count = (layers + usize::from(cell.plan.stages[2].is_some())) as i32;
            all.push(SynflowTotalJob { sums: cell.sums(0), total: totals + (24 * at) as u64, count, padding: 0 });
        }
        let grid = |threads| Grid { blocks: [1, 0, 1], threads, shared: 0 };
        for ((weights, parts), jobs) in groups {
            program.launch("synflow_sums", grid(THREADS), &jobs, &[weights, parts].map(|n| Argument::Number(n as i32)));
            let known: HashSet<u64> = jobs.iter().map(|job| job.weights).collect();
            program.least(4 * weights * (jobs.len() * parts + known.len()), 0);
        }
        let numbers = [self.skeleton.stage_pixels(2), padded(self.skeleton.stage_channels(2))];
        let [pixels, channels] = numbers.map(|n| Argument::Number(n as i32));
        let arguments = [Argument::Address(self.outside.column_sums), pixels, channels];
        program.launch("synflow_output", grid(THREADS), &outputs, &arguments);
        program.launch("synflow_total", grid(32), &all, &[]);
    }
}
