//! The best cell so far, over what a search has spent.

use super::local_search::ClimbBy;
use super::method::Method;
use super::options::Variant;
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

    /// All that a method compares cells by, in the order in which a run does.
    pub fn of(method: &Method) -> &'static [Criterion] {
        match method {
            Method::EtNas(search) if search.variant == Variant::Rank => &[Criterion::LogSynflow, Criterion::RankSum],
            Method::EtNas(_) => &[Criterion::LogSynflow, Criterion::Utopian],
            Method::RandomNaswot(_) | Method::ReaNaswot(_) => &[Criterion::Naswot],
            Method::LocalSearch(search) if search.by == ClimbBy::Naswot => &[Criterion::Naswot],
            Method::RandomAccuracy(_) | Method::Rea(_) | Method::Reinforce(_) | Method::LocalSearch(_) => {
                &[Criterion::ValidAccuracy]
            }
            Method::Area(_) => &[Criterion::Naswot, Criterion::ValidAccuracy],
            Method::FreeRea(_) => &[Criterion::FreeReaRank],
        }
    }

    /// Larger values are the better ones.
    pub fn higher_is_better(self) -> bool {
        !matches!(self, Criterion::Utopian | Criterion::RankSum)
    }

    /// What it is, in a line.
    pub fn definition(self) -> &'static str {
        match self {
            Criterion::Naswot => "naswot",
            Criterion::ValidAccuracy => "percent, accuracy on validation images after 12 epochs",
            Criterion::LogSynflow => "LogSynflow, after Degree where parents are chosen by it",
            Criterion::Utopian => "distance of a finalist to the best of all finalists in every measure",
            Criterion::RankSum => "sum of a finalist's ranks in naswot, LogSynflow and LossSlope",
            Criterion::FreeReaRank => "sum of naswot, LogSynflow and skipped layers, each over the largest seen so far",
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
