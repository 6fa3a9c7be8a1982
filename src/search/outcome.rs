//! What a search hands back: the winner, who it was compared with, what was spent, and how it ended.

use super::trajectory::{Criterion, Point};
use crate::measure::Measure;
use crate::space::Cell;
use serde::Serialize;
use std::fmt;

/// How many cells each measure was asked for, how many were trained, and how the evolution fared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Evaluations {
    /// LogSynflow; in ET-NAS of the starters and every accepted child.
    pub log_synflow: usize,
    /// naswot; in ET-NAS of the children that are compared.
    pub naswot: usize,
    /// LossSlope: the finalists; 0 where the source has none or a front of one needs none.
    pub loss_slope: usize,
    /// Mutants made, accepted or not. They cost no score.
    pub mutations: usize,
    /// Mutants accepted.
    pub children: usize,
    /// Trainings of 12 epochs, looked up.
    pub trained: usize,
}

/// Seconds by phase. The sole part of an outcome that differs between equal searches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Phases {
    /// ET-NAS' evolution, of which nearly all is LogSynflow; 0 in other methods, as the two below.
    pub evolution: f64,
    /// naswot of the compared children.
    pub naswot: f64,
    /// LossSlope of the finalists.
    pub loss_slope: f64,
    /// The whole run.
    pub total: f64,
}

/// Why a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// All cycles were run.
    Completed,
    /// So many mutants in a row were rejected.
    Stalled {
        /// The search's patience.
        rejections: usize,
    },
    /// Nothing is left to evaluate: in ET-NAS every isomorphism class of the space, in other methods every cell.
    SpaceExhausted,
    /// So many cells as the budget allows were evaluated.
    EvaluationsSpent,
    /// The simulated training cost has reached the budget.
    SimulatedSecondsSpent,
    /// So many starts as were asked for have been followed to their end.
    StartsDone,
}

impl Ended {
    /// The word in records.
    pub fn name(self) -> &'static str {
        match self {
            Ended::Completed => "completed",
            Ended::Stalled { .. } => "stalled",
            Ended::SpaceExhausted => "space-exhausted",
            Ended::EvaluationsSpent => "evaluations-spent",
            Ended::SimulatedSecondsSpent => "simulated-seconds-spent",
            Ended::StartsDone => "starts-done",
        }
    }

    /// The search did not get as far as it was meant to.
    pub fn is_early(self) -> bool {
        matches!(self, Ended::Stalled { .. } | Ended::SpaceExhausted)
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Completed => write!(f, "The search ran all its cycles."),
            Ended::Stalled { rejections } => {
                write!(f, "The search ended early: {rejections} mutants in a row were rejected, so no more children can be expected.")
            }
            Ended::SpaceExhausted => {
                write!(f, "The search ended early: a cell of every isomorphism class of the space has been evaluated.")
            }
            Ended::EvaluationsSpent => write!(f, "The search spent its budget of evaluations."),
            Ended::SimulatedSecondsSpent => write!(f, "The search spent its budget of simulated seconds."),
            Ended::StartsDone => write!(f, "The search followed all its starts to a local optimum."),
        }
    }
}

/// One of the cells among which the winner was chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finalist {
    /// The cell.
    pub cell: Cell,
    /// LogSynflow.
    pub log_synflow: f64,
    /// naswot; −∞ where singular.
    pub naswot: f64,
    /// LossSlope; `None` where it was not asked for, −∞ where the training diverged.
    pub loss_slope: Option<f64>,
    /// Degree.
    pub degree: u32,
    /// Utopian distance over the finalists, the smallest wins; `None` in RANK and for a front of one that wins at once.
    pub distance: Option<f64>,
    /// Sum of the ranks over the finalists, the smallest wins; `None` but in RANK.
    pub rank_sum: Option<usize>,
}

/// The result of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The cell found.
    pub winner: Cell,
    /// What it won by.
    pub criterion: Criterion,
    /// The winner's value of that; `None` where there is none to tell: −∞, or a lone finalist.
    pub score: Option<f64>,
    /// ET-NAS' finalists in order of evaluation: the Pareto front of (LogSynflow, naswot); with RANK over `max-degree` all
    /// children of maximal Degree. Empty in other methods.
    pub front: Vec<Finalist>,
    /// What was spent.
    pub evaluations: Evaluations,
    /// Simulated training cost, in seconds of the table.
    pub simulated_seconds: f64,
    /// Seconds by phase.
    pub seconds: Phases,
    /// Why it ended.
    pub ended: Ended,
    /// Measures whose maximum over the finalists was not positive, and that were shifted by their minimum before the
    /// distance.
    pub shifted: Vec<Measure>,
    /// The source has no LossSlope, so that the finalists were compared by naswot and LogSynflow alone.
    pub without_loss_slope: bool,
    /// The best cell so far after each evaluation; the last point is the winner, with everything spent.
    pub trajectory: Vec<Point>,
}

impl Outcome {
    /// Without what a clock decides.
    pub fn timeless(mut self) -> Outcome {
        self.seconds = Phases::default();
        self.trajectory.iter_mut().for_each(|point| point.seconds = 0.0);
        self
    }

    /// The cells whose scores the report tells, and the measures that the run asked of them: of ET-NAS' finalists those that they were
    /// compared by, of a cell that won by naswot that one.
    pub fn scored(&self) -> (Vec<Cell>, Vec<Measure>) {
        if self.front.is_empty() {
            let own = self.criterion == Criterion::Naswot;
            let winner = own.then_some((self.winner, Measure::Naswot));
            return winner.into_iter().unzip();
        }
        let mut measures = vec![Measure::LogSynflow, Measure::Naswot];
        if self.front.iter().any(|finalist| finalist.loss_slope.is_some()) {
            measures.push(Measure::LossSlope);
        }
        (self.front.iter().map(|finalist| finalist.cell).collect(), measures)
    }

    /// What a reader of the result should know, one sentence each; empty for an ordinary run.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.ended.is_early() {
            notes.push(self.ended.to_string());
        }
        if self.evaluations.children == 0 && !self.front.is_empty() {
            notes.push("No child was accepted, so the starters were compared.".to_string());
        }
        if self.without_loss_slope {
            notes.push("The source of scores has no LossSlope: naswot and LogSynflow alone decided.".to_string());
        }
        for measure in &self.shifted {
            notes.push(format!(
                "No finalist has a positive {}, so it was shifted by its minimum before the Utopian distance.",
                measure.name()
            ));
        }
        notes
    }
}
