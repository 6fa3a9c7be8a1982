//! Synflow's raw numbers: one image of ones forward and back on |weights|, for a whole population.
//!
//! Three things make it cheap beside its 6 FLOP × MACs a cell: maps are folded ([`fold`]), logarithms are taken where
//! weight gradients are made ([`logs`], [`gradient`]), and cells go through the network in step ([`group`]), so that a
//! weight is read once for several of them. f32 suffices for values up to 1e66 and beyond as maps carry exponents ([`mix`]).
//! Cells that differ only in edges without signal share a plan, which is computed once.

mod fold;
pub mod gradient;
mod group;
pub mod logs;
mod mix;
mod room;
mod tiles;

use super::bank::Bank;
use super::scratch::Buffer;
use super::simd::Isa;
use super::{Convolution, Pool};
use crate::backend::{SynflowSums, Watch};
use crate::error::{Error, Result};
use crate::plan::{Plan, Purpose};
use crate::space::{Cell, Kernel, Skeleton};
use crate::weights::Slot;
use logs::REFERENCE;
use rayon::prelude::*;
use std::collections::HashMap;

/// Cells of a group, about: 6 MB of maps in the benchmark's network.
const GROUP: usize = 8;

/// Memory of one group in flight.
#[derive(Default)]
pub struct Workspace {
    values: Buffer,
    gradients: Buffer,
    scratch: group::Scratch,
}

/// A plan, and which cells of the population have it.
struct Shared {
    plan: Plan,
    cells: Vec<usize>,
}

/// The sums of a population, in its order.
pub fn population(
    isa: Isa,
    convolution: Convolution,
    cells: &[Cell],
    bank: &Bank,
    pool: &Pool<Workspace>,
    watch: &dyn Watch,
) -> Result<Vec<SynflowSums>> {
    let plans = shared_plans(cells, bank.weights.skeleton());
    let run = |group: &&[Shared]| {
        if watch.cancelled() {
            return Err(Error::Interrupted);
        }
        let plans: Vec<&Plan> = group.iter().map(|shared| &shared.plan).collect();
        let sums = pool.lend(|space| group::sums_of(isa, convolution, &plans, bank, space));
        group.iter().flat_map(|shared| &shared.cells).for_each(|_| watch.advance());
        Ok(sums)
    };
    let groups = groups(&plans, rayon::current_num_threads());
    let sums: Vec<Vec<[f64; 3]>> = groups.par_iter().with_max_len(1).map(run).collect::<Result<_>>()?;
    let mut results = vec![SynflowSums::default(); cells.len()];
    for (shared, [product, reference, one]) in plans.iter().zip(sums.into_iter().flatten()) {
        for &at in &shared.cells {
            let slots = shared.plan.unused(&cells[at], bank.weights.skeleton());
            let unused: f64 = slots.into_iter().map(|slot| bank.sum(slot)).sum();
            let log_reference = reference + unused * libm::log(REFERENCE).abs();
            results[at] = SynflowSums { product, log_reference, log_one_plus: one };
        }
    }
    Ok(results)
}

/// The different plans of a population, those with many 3×3 convolutions in common beside each other.
fn shared_plans(cells: &[Cell], skeleton: &Skeleton) -> Vec<Shared> {
    let mut known: HashMap<Plan, Vec<usize>> = HashMap::new();
    for (at, cell) in cells.iter().enumerate() {
        let mut plan = Plan::new(cell, skeleton, Purpose::Output, false);
        // Codes count edges without signal too.
        plan.values.iter_mut().for_each(|value| value.codes = 0);
        known.entry(plan).or_default().push(at);
    }
    let mut plans: Vec<Shared> = known.into_iter().map(|(plan, cells)| Shared { plan, cells }).collect();
    plans.sort_by_key(|shared| (rank(&shared.plan), shared.cells[0]));
    plans
}

/// Where the set of a plan's 3×3 edges stands in the Gray code, in which neighbours differ by one edge.
fn rank(plan: &Plan) -> u8 {
    let edges = plan.convs.iter().filter_map(|conv| match conv.slot {
        Slot::Edge { block: 0, edge, kernel: Kernel::K3 } => Some(1u8 << edge),
        _ => None,
    });
    let mut rank: u8 = edges.sum();
    for shift in [1, 2, 4] {
        rank ^= rank >> shift;
    }
    rank
}

/// Cuts the plans into groups of about equal cost, the same number for each thread.
fn groups(plans: &[Shared], threads: usize) -> Vec<&[Shared]> {
    let count = plans.len().div_ceil(GROUP).next_multiple_of(threads) as u128;
    let cost = |shared: &Shared| u128::from(shared.plan.macs()) + 1;
    let total: u128 = plans.iter().map(cost).sum();
    let mut groups = Vec::new();
    let (mut rest, mut before) = (plans, 0);
    for number in 1..=count {
        let within = |shared: &&Shared| {
            before += cost(shared);
            (before - cost(shared) / 2) * count <= number * total
        };
        let len = rest.iter().take_while(within).count();
        let (group, others) = rest.split_at(len);
        before = total - others.iter().map(cost).sum::<u128>();
        rest = others;
        // Many cheap cells would take much memory at once.
        groups.extend(group.chunks(2 * GROUP));
    }
    groups.extend(rest.chunks(2 * GROUP));
    groups
}
