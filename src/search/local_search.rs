//! Local search (White, Nolen, Savani 2021): climb to the best neighbour until none is better, then start anew.

use super::budget::Budget;
use super::ledger::Ledger;
use super::options::{named, positive};
use super::outcome::{Ended, Outcome};
use crate::error::{Error, Result};
use crate::input::Dataset;
use crate::random::Stream;
use crate::space::{Cell, Op, SPACE_SIZE};
use serde::Serialize;
use std::collections::HashMap;

/// What a local search compares cells by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClimbBy {
    /// naswot.
    #[default]
    Naswot,
    /// Validation accuracy after 12 epochs, at its simulated cost.
    Accuracy,
}
named!(ClimbBy, "criterion of local search", Naswot = "naswot", Accuracy = "accuracy");

/// Local search. The 24 neighbours of a cell differ from it in one operation; all are evaluated, and the search moves to the best
/// if it is better than the cell. A cell that comes up again costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LocalSearch {
    /// What cells are compared by.
    pub by: ClimbBy,
    /// Starts that are followed to their end; no limit where not set. Each is a random cell that was not evaluated before.
    pub starts: Option<usize>,
    /// When it ends. Where neither this nor the starts are limited it is [`LocalSearch::EVALUATIONS`] by naswot, the paper's
    /// simulated cost by accuracy.
    #[serde(flatten)]
    pub budget: Budget,
}

impl LocalSearch {
    /// Cells that are evaluated by naswot where no limit is set.
    pub const EVALUATIONS: usize = 100;

    pub(super) fn check(&self) -> Result<()> {
        if let Some(starts) = self.starts {
            positive("number of starts", starts, "One start takes some 80 evaluations.")?;
        }
        if let (ClimbBy::Naswot, Some(seconds)) = (self.by, self.budget.simulated_seconds) {
            return Err(Error::options(
                "The budget of a local search by naswot",
                "a number of evaluations, because naswot trains nothing",
                format!("{seconds} simulated seconds"),
                "Limit the evaluations, or search by accuracy.",
            ));
        }
        self.budget.check()
    }

    /// The budget in force.
    pub(super) fn budget_on(&self, dataset: Dataset) -> Budget {
        let limited = self.starts.is_some() || self.budget != Budget::default();
        match self.by {
            _ if limited => self.budget,
            ClimbBy::Naswot => Budget::cells(Self::EVALUATIONS),
            ClimbBy::Accuracy => Budget::paper(dataset),
        }
    }

    pub(super) fn search(&self, ledger: Ledger, rng: &mut Stream) -> Result<Outcome> {
        let budget = match self.by {
            // No training, so no data set has a say.
            ClimbBy::Naswot => self.budget_on(Dataset::Cifar10),
            ClimbBy::Accuracy => self.budget_on(ledger.trained()?.dataset()),
        };
        let mut climb = Climb { by: self.by, budget, ledger, known: HashMap::new() };
        let mut order = rng.distinct(SPACE_SIZE, SPACE_SIZE).into_iter();
        let mut started = 0;
        let ended = loop {
            if self.starts.is_some_and(|starts| started >= starts) {
                break Ended::StartsDone;
            }
            let start = loop {
                let Some(index) = order.next() else { break None };
                let cell = Cell::from_index(index as i64)?;
                if !climb.known.contains_key(&cell) {
                    break Some(cell);
                }
            };
            let Some(start) = start else { break Ended::SpaceExhausted };
            started += 1;
            if let Some(ended) = climb.from(start)? {
                break ended;
            }
        };
        climb.ledger.close(ended)
    }
}

/// The state of a search over all its starts.
struct Climb<'a> {
    by: ClimbBy,
    budget: Budget,
    ledger: Ledger<'a>,
    known: HashMap<Cell, f64>,
}

impl Climb<'_> {
    /// Follows a start to its local optimum. Gives why the search ends, if it does.
    fn from(&mut self, start: Cell) -> Result<Option<Ended>> {
        if let Some(ended) = self.evaluate(&[start])? {
            return Ok(Some(ended));
        }
        let value = |climb: &Self, cell: &Cell| climb.known.get(cell).copied().unwrap_or(f64::NEG_INFINITY);
        let mut cell = start;
        loop {
            let neighbours = neighbours(&cell);
            if let Some(ended) = self.evaluate(&neighbours)? {
                return Ok(Some(ended));
            }
            let mut best = cell;
            for neighbour in neighbours {
                if value(self, &neighbour) > value(self, &best) {
                    best = neighbour;
                }
            }
            if best == cell {
                return Ok(None);
            }
            cell = best;
        }
    }

    /// Evaluates what is not known yet, as far as the budget goes. Gives why the search ends, if it does.
    fn evaluate(&mut self, cells: &[Cell]) -> Result<Option<Ended>> {
        let new: Vec<Cell> = cells.iter().filter(|cell| !self.known.contains_key(cell)).copied().collect();
        match self.by {
            ClimbBy::Naswot => {
                let left = self.budget.evaluations.map_or(new.len(), |most| most.saturating_sub(self.known.len()));
                let new: Vec<Cell> = new.into_iter().take(left).collect();
                let values = self.ledger.naswot(&new)?;
                self.known.extend(new.into_iter().zip(values));
                Ok(self.ledger.spent(&self.budget, self.known.len()))
            }
            ClimbBy::Accuracy => {
                for cell in new {
                    let accuracy = self.ledger.train(&cell)?;
                    self.known.insert(cell, accuracy);
                    if let Some(ended) = self.ledger.spent(&self.budget, self.known.len()) {
                        return Ok(Some(ended));
                    }
                }
                Ok(None)
            }
        }
    }
}

/// The cells that differ in one operation: edge by edge in string order, operations in canonical order.
fn neighbours(cell: &Cell) -> Vec<Cell> {
    let mut all = Vec::with_capacity(24);
    for (edge, own) in cell.ops().iter().enumerate() {
        for op in Op::ALL.into_iter().filter(|op| op != own) {
            let mut ops = *cell.ops();
            if let Some(place) = ops.get_mut(edge) {
                *place = op;
            }
            all.push(Cell::new(ops));
        }
    }
    all
}
