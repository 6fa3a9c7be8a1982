//! Synflow's raw numbers for a population: one image of ones, weights without signs, maps with tracked exponents.
//!
//! Cells of one network (there are many: what carries no signal to the output is not in a plan) are computed once. A chunk's networks
//! go forward and back in step. A map is kept as mantissas, with its exponent and its largest number beside it
//! (`SynflowState` in `kernels/jobs.cuh`); the kernels read and write these, so that nothing comes back before the sums.

mod outside;
mod pass;

pub use outside::Outside;

use super::chunk::{chunks, Arena, Chunk, Work, MOST};
use super::device::{aligned, Device, Memory};
use super::launches::gradient_parts;
use super::layout::{map_bytes, weight_count, CellLayout, Keep, Turns};
use super::program::{PlacedProgram, Program};
use crate::backend::{SynflowSums, Watch};
use crate::error::{Error, Result};
use crate::plan::{Before, Conv, Plan, Purpose, Shape, Source};
use crate::space::{Cell, Skeleton};
use pass::Pass;
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};

/// Added to gradients before LogSynflow's reference form takes their logarithm.
const REFERENCE: f64 = 1e-6;
/// Bytes of a state.
const STATE: usize = 8;
/// Bytes of three sums.
const SUMS: usize = 24;

/// A network and the cells that have it.
struct Shared {
    plan: Plan,
    turns: Turns,
    cells: Vec<usize>,
}

fn shared_plans(cells: &[Cell], skeleton: &Skeleton) -> Vec<Shared> {
    let plan = |cell: &Cell| {
        let mut plan = Plan::new(cell, skeleton, Purpose::Output, false);
        // Codes count edges without signal too.
        plan.values.iter_mut().for_each(|value| value.codes = 0);
        plan
    };
    let plans: Vec<Plan> = cells.par_iter().map(plan).collect();
    let mut known: HashMap<Plan, Vec<usize>> = HashMap::new();
    for (at, plan) in plans.into_iter().enumerate() {
        known.entry(plan).or_default().push(at);
    }
    let mut plans: Vec<(Plan, Vec<usize>)> = known.into_iter().collect();
    plans.sort_by_key(|(_, cells)| cells[0]);
    let shared = |(plan, cells)| Shared { turns: Turns::of(&plan, skeleton), plan, cells };
    plans.into_par_iter().map(shared).collect()
}

/// Where everything of a network lies, in bytes from the begin of its memory.
struct Layout {
    forward: CellLayout,
    /// The gradient by each value.
    gradients: Vec<usize>,
    /// The gradient by each convolution's source.
    sources: Vec<usize>,
    /// The gradient by each convolution's weights.
    weights: Vec<usize>,
    /// States: of the values, of their gradients, of the halved sources.
    states: usize,
    /// Sums: of the convolutions, then of the classifier.
    sums: usize,
    bytes: usize,
}

impl Layout {
    fn new(plan: &Plan, turns: &Turns) -> Layout {
        let nothing = HashSet::new();
        let forward = CellLayout::new(plan, turns, 1, Keep::Everything, (&nothing, &nothing));
        let mut bytes = forward.bytes;
        let mut take = |size: usize| {
            bytes += aligned(size);
            bytes - aligned(size)
        };
        let gradients = plan.values.iter().map(|value| take(map_bytes(&value.shape, 1))).collect();
        let source = |conv: &Conv| match conv.source {
            Source::Value(value) if conv.before != Before::Average => map_bytes(&plan.values[value].shape, 1),
            Source::Value(_) => map_bytes(&Shape { channels: conv.inputs, ..conv.shape }, 1),
            Source::Image => 0,
        };
        let sources = plan.convs.iter().map(|conv| take(source(conv))).collect();
        let weights = plan.convs.iter().map(|c| take(weight_count(c) * gradient_parts(&c.shape, 1) * 4)).collect();
        let states = take((2 * plan.values.len() + plan.convs.len()) * STATE);
        let sums = take((plan.convs.len() + 1) * SUMS);
        Layout { forward, gradients, sources, weights, states, sums, bytes }
    }

    /// Bytes of all states.
    fn state_bytes(&self) -> usize {
        self.sums - self.states
    }
}

/// A network on its way, with addresses.
struct Traveller<'a> {
    plan: &'a Plan,
    turns: &'a Turns,
    layout: &'a Layout,
    base: u64,
}

impl Traveller<'_> {
    fn at(&self, place: usize) -> u64 {
        self.base + place as u64
    }

    fn state(&self, number: usize) -> u64 {
        self.at(self.layout.states + number * STATE)
    }

    fn value(&self, value: usize) -> [u64; 2] {
        [self.at(self.layout.forward.values[value]), self.state(value)]
    }

    fn gradient(&self, value: usize) -> [u64; 2] {
        [self.at(self.layout.gradients[value]), self.state(self.plan.values.len() + value)]
    }

    /// What a convolution reads.
    fn source(&self, id: usize, outside: &Outside) -> [u64; 2] {
        let conv = &self.plan.convs[id];
        match conv.source {
            Source::Image => outside.image,
            Source::Value(_) if conv.before == Before::Average => {
                [self.at(self.layout.forward.halves[id]), self.state(2 * self.plan.values.len() + id)]
            }
            Source::Value(value) => self.value(value),
        }
    }

    fn sums(&self, layer: usize) -> u64 {
        self.at(self.layout.sums + layer * SUMS)
    }
}

/// What all passes share.
pub struct Surroundings<'a> {
    /// The card.
    pub device: &'a Device,
    /// Everything outside the cells.
    pub outside: &'a mut Outside,
}

/// The sums of all cells in their order.
pub fn population(
    around: Surroundings,
    arena: &mut Arena,
    cells: &[Cell],
    watch: &dyn Watch,
) -> Result<Vec<SynflowSums>> {
    let skeleton = *around.outside.weights().skeleton();
    let plans = shared_plans(cells, &skeleton);
    around.outside.prepare(around.device, plans.iter().map(|shared| &shared.plan))?;
    let (device, outside) = (around.device, &*around.outside);
    let layouts: Vec<Layout> = plans.par_iter().map(|shared| Layout::new(&shared.plan, &shared.turns)).collect();
    let sizes: Vec<usize> = layouts.iter().map(|layout| layout.bytes).collect();
    let common = aligned(MOST * SUMS);
    let results = vec![SynflowSums::default(); cells.len()];
    let mut passes = Passes { device, outside, skeleton, cells, plans, layouts, watch, results };
    chunks(device, arena, common, &sizes, &mut passes)?;
    Ok(passes.results)
}

/// All networks, and what is known of the cells so far.
struct Passes<'a> {
    device: &'a Device,
    outside: &'a Outside,
    skeleton: Skeleton,
    cells: &'a [Cell],
    plans: Vec<Shared>,
    layouts: Vec<Layout>,
    watch: &'a dyn Watch,
    results: Vec<SynflowSums>,
}

impl Work for Passes<'_> {
    type Ready = PlacedProgram;

    fn lay_out(&mut self, chunk: &Chunk) -> Result<PlacedProgram> {
        if self.watch.cancelled() {
            return Err(Error::Interrupted);
        }
        let (plans, layouts) = (&self.plans[chunk.range.clone()], &self.layouts[chunk.range.clone()]);
        let travellers: Vec<Traveller> = (plans.iter().zip(layouts).zip(chunk.addresses()))
            .map(|((Shared { plan, turns, .. }, layout), base)| Traveller { plan, turns, layout, base })
            .collect();
        let mut program = Program::default();
        let pass = Pass { outside: self.outside, skeleton: &self.skeleton };
        pass.emit(&mut program, &travellers, chunk.base);
        program.placed(self.device)
    }

    fn start(&mut self, program: &mut PlacedProgram) -> Result<()> {
        program.run_all(self.device)
    }

    fn finish(&mut self, chunk: &Chunk, memory: &Memory) -> Result<()> {
        let totals: Vec<[f64; 3]> = self.device.read(memory, 0, chunk.range.len())?;
        for (shared, [product, reference, one]) in self.plans[chunk.range.clone()].iter().zip(totals) {
            for &at in &shared.cells {
                let slots = shared.plan.unused(&self.cells[at], &self.skeleton);
                let unused: f64 = slots.into_iter().map(|slot| self.outside.sum(slot)).sum();
                let log_reference = reference + unused * libm::log(REFERENCE).abs();
                self.results[at] = SynflowSums { product, log_reference, log_one_plus: one };
                self.watch.advance();
            }
        }
        Ok(())
    }
}
