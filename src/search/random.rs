//! Random search: cells drawn uniformly with replacement, of which the best wins (the paper's Tables I and II).

use super::budget::{evaluations_in_range, Budget};
use super::ledger::Ledger;
use super::outcome::{Ended, Outcome};
use crate::error::Result;
use crate::random::Stream;
use crate::space::{Cell, SPACE_SIZE};
use serde::Serialize;

/// Cells scored together: the engine shares work among the cells of a call.
const TOGETHER: usize = 256;

/// Random search by naswot (Table I): the highest naswot of N cells wins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RandomNaswot {
    /// N. The paper has 10, 100 and 1,000.
    pub evaluations: usize,
}

impl Default for RandomNaswot {
    fn default() -> RandomNaswot {
        RandomNaswot { evaluations: 100 }
    }
}

impl RandomNaswot {
    pub(super) fn check(&self) -> Result<()> {
        evaluations_in_range(self.evaluations)
    }

    pub(super) fn search(&self, mut ledger: Ledger, rng: &mut Stream) -> Result<Outcome> {
        let mut left = self.evaluations;
        while left > 0 {
            let cells = (0..left.min(TOGETHER)).map(|_| draw(rng)).collect::<Result<Vec<Cell>>>()?;
            ledger.naswot(&cells)?;
            left -= cells.len();
        }
        ledger.close(Ended::EvaluationsSpent)
    }
}

/// Random search by training (Table II): the highest validation accuracy after 12 epochs wins.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RandomAccuracy {
    /// When it ends. The paper has 10, 100 and 1,000 cells.
    #[serde(flatten)]
    pub budget: Budget,
}

impl Default for RandomAccuracy {
    fn default() -> RandomAccuracy {
        RandomAccuracy { budget: Budget::cells(100) }
    }
}

impl RandomAccuracy {
    pub(super) fn search(&self, mut ledger: Ledger, rng: &mut Stream) -> Result<Outcome> {
        let budget = self.budget.or_paper(ledger.trained()?.dataset());
        loop {
            ledger.train(&draw(rng)?)?;
            if let Some(ended) = ledger.spent(&budget, ledger.evaluations.trained) {
                return ledger.close(ended);
            }
        }
    }
}

/// A cell of the space, each as likely.
pub(super) fn draw(rng: &mut Stream) -> Result<Cell> {
    Cell::from_index(rng.below(SPACE_SIZE) as i64)
}
