//! Tables to look things up in: accuracies of trained cells, and published scores.
//!
//! This room computes nothing. Searches do not see accuracies; they are looked up when a search is over.

mod accuracies;
mod builtin;
mod csv;
mod score_file;
mod score_rows;
mod scores;
mod summary;

pub use accuracies::{test_column, Accuracies, COLUMNS, VARIABLE};
pub use score_file::{ScoreColumn, ScoreFile};
pub use scores::ScoreTable;
pub use summary::Summary;
