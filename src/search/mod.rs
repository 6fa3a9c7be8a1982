//! The search methods, over any source of scores.
//!
//! This room owns the decisions of a search. It asks for scores through [`Scores`] and knows nothing of how they come
//! about; it never sees an accuracy.

mod et_nas;
mod evolution;
mod live;
mod options;
mod outcome;
pub mod pareto;
mod replay;
mod scores;
mod selection;
#[cfg(test)]
mod toy;

pub use live::LiveScores;
pub use options::{DegreeRule, EtNas, Preset, RankPool, Variant};
pub use outcome::{Ended, Evaluations, Finalist, Outcome, Phases};
pub use scores::Scores;
