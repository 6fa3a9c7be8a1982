//! Regularised evolution by naswot, as the authors of ET-NAS ran it for comparison.

use super::budget::evaluations_in_range;
use super::ledger::Ledger;
use super::options::{positive, tournament};
use super::outcome::{Ended, Outcome};
use crate::error::{Error, Result};
use crate::random::Stream;
use crate::space::{mutate, Cell, SPACE_SIZE};
use serde::Serialize;
use std::collections::{HashSet, VecDeque};

/// REA by naswot: starters and members of a tournament are distinct, and a mutant that was evaluated before is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReaNaswot {
    /// Cells that live at a time.
    pub population: usize,
    /// Distinct members, of which the highest naswot becomes the parent.
    pub sample: usize,
    /// Cells evaluated. The authors stopped by the clock, after the time of 100 and of 1,000 naswot.
    pub evaluations: usize,
    /// Mutants rejected in a row after which the search counts as stalled.
    pub patience: usize,
}

impl Default for ReaNaswot {
    fn default() -> ReaNaswot {
        ReaNaswot { population: 20, sample: 5, evaluations: 100, patience: 1_000 }
    }
}

impl ReaNaswot {
    pub(super) fn check(&self) -> Result<()> {
        tournament(self.population, self.sample, (20, 5))?;
        positive("patience", self.patience, "The default is 1000.")?;
        evaluations_in_range(self.evaluations)
    }

    pub(super) fn search(&self, mut ledger: Ledger, rng: &mut Stream) -> Result<Outcome> {
        let starters = rng
            .distinct(self.population, SPACE_SIZE)
            .into_iter()
            .take(self.evaluations)
            .map(|index| Cell::from_index(index as i64))
            .collect::<Result<Vec<Cell>>>()?;
        let naswot = ledger.naswot(&starters)?;
        let mut history: HashSet<Cell> = starters.iter().copied().collect();
        let mut population: VecDeque<(Cell, f64)> = starters.into_iter().zip(naswot).collect();
        let mut rejections = 0;
        let ended = loop {
            if history.len() >= self.evaluations {
                break Ended::EvaluationsSpent;
            }
            if history.len() == SPACE_SIZE {
                break Ended::SpaceExhausted;
            }
            if rejections == self.patience {
                break Ended::Stalled { rejections };
            }
            let sample = rng.distinct(self.sample, population.len());
            let drawn: Vec<(Cell, f64)> = sample.into_iter().filter_map(|i| population.get(i).copied()).collect();
            let Some((parent, _)) = drawn.iter().rev().max_by(|a, b| a.1.total_cmp(&b.1)) else {
                return Err(Error::Internal("a tournament without members was asked for".to_string()));
            };
            let child = mutate(parent, rng);
            ledger.evaluations.mutations += 1;
            if !history.insert(child) {
                rejections += 1;
                continue;
            }
            rejections = 0;
            ledger.evaluations.children += 1;
            population.pop_front();
            population.extend(ledger.naswot(&[child])?.into_iter().map(|naswot| (child, naswot)));
        };
        ledger.close(ended)
    }
}
