//! When a search that could go on for ever ends.

use crate::error::{Error, Result};
use crate::input::Dataset;
use serde::Serialize;

/// The most evaluations of a run, whatever its budget: 64 times the space.
pub const MOST_EVALUATIONS: usize = 1_000_000;

/// A limit on cells, on simulated training cost, or on both: the search ends when the first is reached. With neither it is the
/// simulated cost that the paper gives the data set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Budget {
    /// Cells evaluated.
    pub evaluations: Option<usize>,
    /// Seconds of simulated training: the search ends with the training that reaches them.
    pub simulated_seconds: Option<f64>,
}

impl Budget {
    /// So many cells.
    pub fn cells(evaluations: usize) -> Budget {
        Budget { evaluations: Some(evaluations), simulated_seconds: None }
    }

    /// So many seconds of simulated training.
    pub fn seconds(simulated_seconds: f64) -> Budget {
        Budget { evaluations: None, simulated_seconds: Some(simulated_seconds) }
    }

    /// The paper's for REA and REINFORCE: 20,000 s on CIFAR-10, 40,000 s on CIFAR-100, 120,000 s on ImageNet16-120.
    pub fn paper(dataset: Dataset) -> Budget {
        Budget::seconds(match dataset {
            Dataset::Cifar10 => 2e4,
            Dataset::Cifar100 => 4e4,
            Dataset::ImageNet16 => 1.2e5,
        })
    }

    /// This budget, or the paper's where it sets nothing.
    pub fn or_paper(self, dataset: Dataset) -> Budget {
        match self {
            Budget { evaluations: None, simulated_seconds: None } => Budget::paper(dataset),
            set => set,
        }
    }

    /// Checks that both limits can be reached.
    ///
    /// # Errors
    /// [`Error::Options`] for no evaluation, more than [`MOST_EVALUATIONS`], and seconds that are no positive number.
    pub fn check(&self) -> Result<()> {
        if let Some(evaluations) = self.evaluations {
            evaluations_in_range(evaluations)?;
        }
        match self.simulated_seconds {
            Some(seconds) if !(seconds > 0.0 && seconds.is_finite()) => Err(Error::options(
                "The budget of simulated seconds",
                "a positive number",
                seconds.to_string(),
                "The paper's are 20000, 40000 and 120000 on CIFAR-10, CIFAR-100 and ImageNet16-120.",
            )),
            _ => Ok(()),
        }
    }
}

/// Checks a number of evaluations.
pub(super) fn evaluations_in_range(evaluations: usize) -> Result<()> {
    if (1..=MOST_EVALUATIONS).contains(&evaluations) {
        return Ok(());
    }
    Err(Error::options(
        "The budget of evaluations",
        format!("1 to {MOST_EVALUATIONS}"),
        evaluations.to_string(),
        "The whole space has 15625 cells.",
    ))
}
