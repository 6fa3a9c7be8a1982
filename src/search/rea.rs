//! Regularised evolution by validation accuracy (Real et al. 2019), as NATS-Bench ran it, and AREA, which lets naswot choose the
//! first population (Mellor et al. 2021).

use super::budget::Budget;
use super::ledger::Ledger;
use super::options::tournament;
use super::outcome::Outcome;
use super::random::draw;
use crate::error::{Error, Result};
use crate::measure::Measure;
use crate::random::Stream;
use crate::space::{mutate, Cell, SPACE_SIZE};
use serde::Serialize;
use std::collections::VecDeque;

/// REA: a parent is the best of a sample, its mutant joins the population, the oldest member leaves. Cells are trained again
/// when they come up again, and cost again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rea {
    /// Cells that live at a time; the first are drawn with replacement.
    pub population: usize,
    /// Members drawn with replacement, of which the best becomes the parent.
    pub sample: usize,
    /// When it ends.
    #[serde(flatten)]
    pub budget: Budget,
}

impl Default for Rea {
    fn default() -> Rea {
        Rea { population: 10, sample: 3, budget: Budget::default() }
    }
}

impl Rea {
    pub(super) fn check(&self) -> Result<()> {
        tournament(self.population, self.sample, (10, 3))?;
        self.budget.check()
    }

    pub(super) fn search(&self, ledger: Ledger, rng: &mut Stream) -> Result<Outcome> {
        evolve(self, Vec::new(), ledger, rng)
    }
}

/// AREA: REA whose first population is the best by naswot of a larger pool of distinct random cells.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Area {
    /// Cells drawn and scored by naswot.
    pub pool: usize,
    /// Cells that live at a time; the best of the pool are the first, in the order in which they were drawn.
    pub population: usize,
    /// Members drawn with replacement, of which the best becomes the parent.
    pub sample: usize,
    /// When it ends; its evaluations are the trained cells, the pool apart.
    #[serde(flatten)]
    pub budget: Budget,
}

impl Default for Area {
    fn default() -> Area {
        let Rea { population, sample, budget } = Rea::default();
        Area { pool: 100, population, sample, budget }
    }
}

impl Area {
    pub(super) fn check(&self) -> Result<()> {
        tournament(self.population, self.sample, (10, 3))?;
        if !(self.population..=SPACE_SIZE).contains(&self.pool) {
            return Err(Error::options(
                "The pool of AREA",
                format!("from {}, the population, to {SPACE_SIZE}, the cells of the space", self.population),
                self.pool.to_string(),
                "Choose a pool of some ten times the population; the default is 100.",
            ));
        }
        self.budget.check()
    }

    pub(super) fn search(&self, mut ledger: Ledger, rng: &mut Stream) -> Result<Outcome> {
        let pool = rng
            .distinct(self.pool, SPACE_SIZE)
            .into_iter()
            .map(|index| Cell::from_index(index as i64))
            .collect::<Result<Vec<Cell>>>()?;
        let naswot = ledger.ask(Measure::Naswot, &pool)?;
        let mut ranked: Vec<(usize, f64)> = naswot.into_iter().enumerate().collect();
        // The sort is stable: of equal scores the cell drawn earlier is preferred.
        ranked.sort_by(|a, b| (b.1 + 0.0).total_cmp(&(a.1 + 0.0)));
        let mut chosen: Vec<usize> = ranked.into_iter().take(self.population).map(|(place, _)| place).collect();
        chosen.sort_unstable();
        let starters = chosen.into_iter().filter_map(|place| pool.get(place).copied()).collect();
        let rea = Rea { population: self.population, sample: self.sample, budget: self.budget };
        evolve(&rea, starters, ledger, rng)
    }
}

/// The evolution from these starters, which random cells complete.
fn evolve(rea: &Rea, starters: Vec<Cell>, mut ledger: Ledger, rng: &mut Stream) -> Result<Outcome> {
    let budget = rea.budget.or_paper(ledger.trained()?.dataset());
    let mut starters = starters.into_iter();
    let mut population: VecDeque<(Cell, f64)> = VecDeque::new();
    loop {
        let cell = if population.len() < rea.population {
            match starters.next() {
                Some(cell) => cell,
                None => draw(rng)?,
            }
        } else {
            let sample = (0..rea.sample).map(|_| rng.below(population.len()));
            // `max_by` keeps the last of equals: the drawn ones are compared in reverse, so that the first wins.
            let drawn: Vec<(Cell, f64)> = sample.filter_map(|i| population.get(i).copied()).collect();
            let Some((parent, _)) = drawn.iter().rev().max_by(|a, b| a.1.total_cmp(&b.1)) else {
                return Err(Error::Internal("a tournament without members was asked for".to_string()));
            };
            ledger.evaluations.mutations += 1;
            ledger.evaluations.children += 1;
            population.pop_front();
            mutate(parent, rng)
        };
        let accuracy = ledger.train(&cell)?;
        population.push_back((cell, accuracy));
        if let Some(ended) = ledger.spent(&budget, ledger.evaluations.trained) {
            return ledger.close(ended);
        }
    }
}
