//! What the user reads: records and their formats, metadata, drawings, and the files they go to.
//!
//! This room turns results into text. It computes no score and knows nothing of the command line.

mod bench;
mod compare;
mod convert;
mod correlate;
mod data;
mod drawing;
mod explain;
mod finalists;
mod format;
mod grid;
mod json;
mod measures;
mod merge;
mod metadata;
mod number;
mod output;
mod rank;
mod record;
mod reproduce;
mod resume;
mod score;
mod search;
mod stored;
mod sweep;
mod sweep_file;
mod table;
mod trajectory;

pub use bench::{BenchReport, Machine, MeasureTiming, SearchTiming, Spread};
pub use compare::CompareReport;
pub use convert::{converted, ConvertFormat, Notation};
pub use correlate::CorrelateReport;
pub use data::data_text;
pub use drawing::draw;
pub use explain::Explanation;
pub use format::Format;
pub use measures::{definition, direction, draws, title};
pub use merge::{merge, MergeRules, Merged};
pub use metadata::{score_metadata, search_metadata, ScoreSource, SearchSetting};
pub use number::grouped;
pub use output::{remove_unfinished, Output};
pub use rank::RankReport;
pub use record::Columns;
pub use reproduce::{reproduction_text, ReproduceFormat};
pub use resume::{finished, Finished};
pub use score::{ScoreReport, Screen};
pub use search::{Run, SearchReport};
pub use sweep::{Rule, Shard, Sweep};
pub use sweep_file::Existing;
pub use table::{table_cells, table_info};
pub use trajectory::{write_trajectory, TrajectoryForm};
