//! The best cell so far, over what a search has spent.

use crate::space::Cell;
use serde::Serialize;

/// What a method prefers one cell to another by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// naswot, the highest.
    Naswot,
    /// Validation accuracy after 12 epochs in %, the highest.
    ValidAccuracy,
    /// LogSynflow, the highest; where Degree chooses the parents, the highest Degree first.
    LogSynflow,
    /// Utopian distance over the finalists, the smallest.
    Utopian,
    /// Sum of three ranks over the finalists, the smallest.
    RankSum,
    /// FreeREA's rank: the sum of three measures, each over its largest magnitude among all cells evaluated so far. As those
    /// grow, values of different points cannot be compared.
    FreeReaRank,
}

impl Criterion {
    /// The key in records.
    pub fn key(self) -> &'static str {
        match self {
            Criterion::Naswot => "naswot",
            Criterion::ValidAccuracy => "valid_accuracy",
            Criterion::LogSynflow => "log_synflow",
            Criterion::Utopian => "utopian",
            Criterion::RankSum => "rank_sum",
            Criterion::FreeReaRank => "free_rea_rank",
        }
    }

    /// The words for people.
    pub fn title(self) -> &'static str {
        match self {
            Criterion::Naswot => "naswot",
            Criterion::ValidAccuracy => "validation accuracy after 12 epochs",
            Criterion::LogSynflow => "LogSynflow",
            Criterion::Utopian => "utopian distance",
            Criterion::RankSum => "sum of ranks",
            Criterion::FreeReaRank => "FreeREA's rank",
        }
    }
}

/// The best cell when so much had been spent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Cells that scores or accuracies had been asked for, over all measures.
    pub evaluations: usize,
    /// Seconds since the search began; cells that are scored together are known together.
    pub seconds: f64,
    /// Training cost so far, in seconds of the table.
    pub simulated_seconds: f64,
    /// What the cell was best by.
    pub criterion: Criterion,
    /// Its value; `None` where there is none to tell: −∞, or a lone finalist.
    pub score: Option<f64>,
    /// The best cell so far.
    pub cell: Cell,
}
