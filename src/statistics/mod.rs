//! How well scores order cells: rank correlations, overlaps of the best, intervals, and orders that several scores agree on.
//!
//! This room reads score files and accuracies and computes no score of a network. Everywhere larger values promise the better
//! cell ([`crate::table::ScoreColumn::promise`]); a score that does not exist is −∞ and ties with its like below all others.

mod bootstrap;
mod combine;
mod compare;
mod correlate;
mod on_file;
mod overlap;
mod paired;
mod population;
mod ranks;
mod score_set;

pub use bootstrap::{Interval, Intervals, LEVEL, RESAMPLES};
pub use combine::{best, combine, order, Combination, Combined};
pub use compare::{compare, Compared, Comparison, Difference};
pub use correlate::{correlate, correlate_all, Correlation, Row, Settings};
pub use overlap::{overlap, Top};
pub use paired::{kendall_tau_b, spearman_rho, Coefficients, Paired};
pub use population::Population;
pub use ranks::{average_ranks, ranks_from_best};
pub use score_set::{Clash, ScoreSet};
