//! What a search hands back: the winner, who it was compared with, what was spent, and how it ended.

use crate::measure::Measure;
use crate::space::Cell;
use serde::Serialize;
use std::fmt;

/// How many cells each measure was asked for, and how the evolution fared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Evaluations {
    /// LogSynflow: the starters and every accepted child.
    pub log_synflow: usize,
    /// naswot: the children that are compared.
    pub naswot: usize,
    /// LossSlope: the finalists; 0 where the source has none or a front of one needs none.
    pub loss_slope: usize,
    /// Mutants made, accepted or not. They cost no score.
    pub mutations: usize,
    /// Mutants accepted.
    pub children: usize,
}

/// Seconds by phase. The sole part of an outcome that differs between equal searches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Phases {
    /// Evolution, of which nearly all is LogSynflow.
    pub evolution: f64,
    /// naswot of the compared children.
    pub naswot: f64,
    /// LossSlope of the finalists.
    pub loss_slope: f64,
    /// The whole run.
    pub total: f64,
}

/// Why the evolution ended.
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
    /// Every isomorphism class of the space has been evaluated.
    SpaceExhausted,
}

impl Ended {
    /// The word in records.
    pub fn name(self) -> &'static str {
        match self {
            Ended::Completed => "completed",
            Ended::Stalled { .. } => "stalled",
            Ended::SpaceExhausted => "space-exhausted",
        }
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
    /// The finalists in order of evaluation: the Pareto front of (LogSynflow, naswot); with RANK over `max-degree` all
    /// children of maximal Degree.
    pub front: Vec<Finalist>,
    /// What was spent.
    pub evaluations: Evaluations,
    /// Seconds by phase.
    pub seconds: Phases,
    /// Why the evolution ended.
    pub ended: Ended,
    /// Measures whose maximum over the finalists was not positive, and that were shifted by their minimum before the
    /// distance.
    pub shifted: Vec<Measure>,
    /// The source has no LossSlope, so that the finalists were compared by naswot and LogSynflow alone.
    pub without_loss_slope: bool,
}

impl Outcome {
    /// What a reader of the result should know, one sentence each; empty for an ordinary run.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.ended != Ended::Completed {
            notes.push(self.ended.to_string());
        }
        if self.evaluations.children == 0 {
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
