//! Synflow's raw numbers: one image of ones forward and back on |weights|, for a whole population.
//!
//! Three things make it cheap beside its 6 FLOP × MACs a cell: maps are folded ([`fold`]), logarithms are taken where
//! weight gradients are made ([`logs`], [`gradient`]), and cells go through the network in step ([`group`]), so that a
//! weight is read once for several of them. f32 suffices for values up to 1e66 and beyond as maps carry exponents ([`mix`]).
//! Cells that differ only in edges without signal share a plan, which is computed once.

mod fold;
mod gradient;
mod group;
mod logs;
mod mix;
mod places;
mod tiles;

use super::bank::Bank;
use super::scratch::Buffer;
use super::simd::Isa;
use super::Pool;
use crate::backend::{SynflowSums, Watch};
use crate::error::{Error, Result};
use crate::plan::{Plan, Purpose};
use crate::space::{Block, Cell};
use crate::weights::{Reduce, Slot};
use logs::REFERENCE;
use rayon::prelude::*;
use std::collections::HashMap;

/// Cells of a group.
static GROUP_: std::sync::LazyLock<usize> =
    std::sync::LazyLock::new(|| std::env::var("G").ok().and_then(|s| s.parse().ok()).unwrap_or(8));

/// Memory of one group in flight.
#[derive(Default)]
pub struct Workspace {
    values: Buffer,
    gradients: Buffer,
    scratch: group::Scratch,
}

/// The sums of a population, in its order.
pub fn population(
    isa: Isa,
    cells: &[Cell],
    bank: &Bank,
    pool: &Pool<Workspace>,
    watch: &dyn Watch,
) -> Result<Vec<SynflowSums>> {
    let skeleton = bank.weights.skeleton();
    let mut distinct: Vec<(Plan, Vec<usize>)> = Vec::new();
    let mut known: HashMap<Plan, usize> = HashMap::new();
    for (at, cell) in cells.iter().enumerate() {
        let mut plan = Plan::new(cell, skeleton, Purpose::Output, false);
        // Codes count edges without signal too.
        plan.values.iter_mut().for_each(|value| value.codes = 0);
        let number = *known.entry(plan).or_insert_with_key(|plan| {
            distinct.push((plan.clone(), Vec::new()));
            distinct.len() - 1
        });
        distinct[number].1.push(at);
    }
    if std::env::var("S").is_ok() {
        distinct.sort_by_key(|(plan, _)| {
            let of_block = plan.convs.iter().filter_map(|conv| match conv.slot {
                Slot::Edge { block: 0, edge, kernel: crate::space::Kernel::K3 } => Some(32u32 >> edge),
                _ => None,
            });
            let mask: u32 = of_block.sum();
            // Gray code's rank, so that neighbours differ in one edge.
            let mut rank = mask;
            rank ^= rank >> 4;
            rank ^= rank >> 2;
            rank ^= rank >> 1;
            rank
        });
    }
    let threads = rayon::current_num_threads();
    let groups = distinct.len().div_ceil(*GROUP_).next_multiple_of(threads);
    let size = distinct.len().div_ceil(groups).max(1);
    let run = |group: &[(Plan, Vec<usize>)]| {
        if watch.cancelled() {
            return Err(Error::Interrupted);
        }
        let plans: Vec<&Plan> = group.iter().map(|(plan, _)| plan).collect();
        let sums = pool.lend(|space| group::sums_of(isa, &plans, bank, space));
        group.iter().flat_map(|(_, cells)| cells).for_each(|_| watch.advance());
        Ok(sums)
    };
    let sums: Vec<Vec<[f64; 3]>> = distinct.par_chunks(size).with_max_len(1).map(run).collect::<Result<_>>()?;
    let mut results = vec![SynflowSums::default(); cells.len()];
    for ((plan, members), [product, reference, one]) in distinct.iter().zip(sums.into_iter().flatten()) {
        for &at in members {
            let unused: f64 = unused(&cells[at], plan, bank).into_iter().map(|slot| bank.sum(slot)).sum();
            let log_reference = reference + unused * libm::log(REFERENCE).abs();
            results[at] = SynflowSums { product, log_reference, log_one_plus: one };
        }
    }
    Ok(results)
}

/// The slots of the network whose weights have gradient zero, as no signal passes them.
fn unused(cell: &Cell, plan: &Plan, bank: &Bank) -> Vec<Slot> {
    let mut slots = vec![Slot::Stem];
    for (block, kind) in bank.weights.skeleton().blocks().enumerate() {
        match kind {
            Block::Cell { .. } => slots.extend(
                cell.ops()
                    .iter()
                    .enumerate()
                    .filter_map(|(edge, op)| op.kernel().map(|kernel| Slot::Edge { block, edge, kernel })),
            ),
            Block::Reduction { stage } => slots
                .extend([Reduce::ConvA, Reduce::ConvB, Reduce::Shortcut].map(|conv| Slot::Reduction { stage, conv })),
        }
    }
    slots.retain(|slot| plan.convs.iter().all(|conv| conv.slot != *slot));
    if plan.stages[2].is_none() {
        slots.push(Slot::Classifier);
    }
    slots
}
