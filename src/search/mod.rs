//! The search methods, over any source of scores.
//!
//! This room owns the decisions of a search. It asks for scores through [`Scores`] and knows nothing of how they come about. What
//! trains cells asks [`Trained`] for validation accuracies and their cost; no search ever sees a test accuracy.

mod budget;
mod et_nas;
mod evolution;
mod free_rea;
mod ledger;
mod live;
mod local_search;
mod method;
mod options;
mod outcome;
pub mod pareto;
mod random;
mod rea;
mod rea_naswot;
mod reinforce;
mod replay;
mod scores;
mod selection;
#[cfg(test)]
mod toy;
mod trained;
mod trajectory;

pub use budget::{Budget, MOST_EVALUATIONS};
pub use free_rea::FreeRea;
pub use live::LiveScores;
pub use local_search::{ClimbBy, LocalSearch};
pub use method::Method;
pub use options::{DegreeRule, EtNas, Preset, RankPool, Variant};
pub use outcome::{Ended, Evaluations, Finalist, Outcome, Phases};
pub use random::{RandomAccuracy, RandomNaswot};
pub use rea::{Area, Rea};
pub use rea_naswot::ReaNaswot;
pub use reinforce::Reinforce;
pub use scores::Scores;
pub use trained::{Trained, Training, EPOCHS};
pub use trajectory::{Criterion, Point};
