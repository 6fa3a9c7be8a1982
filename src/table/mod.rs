//! Tables to look things up in: accuracies of trained cells, and published scores.
//!
//! This room computes nothing. Searches never see test accuracies, which are looked up when a search is over; those that train see validation accuracies.

mod accuracies;
mod builtin;
mod columns;
mod compact;
mod csv;
mod import;
mod score_file;
mod score_rows;
mod scores;
mod summary;

pub use accuracies::{test_column, Accuracies, TableColumn, COMPACT_NAME, NATS_NAME, TORCH_HOME, VARIABLE};
pub use columns::{column_info, ColumnInfo, Unit, COLUMNS};
pub use import::{import, Imported, Kind};
pub use score_file::{ScoreColumn, ScoreFile};
pub use scores::ScoreTable;
pub use summary::Summary;
