//! What the user reads: records and their formats, metadata, drawings, and the files they go to.
//!
//! This room turns results into text. It computes no score and knows nothing of the command line.

mod bench;
mod drawing;
mod explain;
mod format;
mod grid;
mod json;
mod measures;
mod metadata;
mod number;
mod output;
mod record;
mod resume;
mod score;
mod search;

pub use bench::{BenchReport, Machine, MeasureTiming, SearchTiming, Spread};
pub use drawing::draw;
pub use explain::Explanation;
pub use format::Format;
pub use measures::{definition, direction, draws, title};
pub use metadata::{score_metadata, search_metadata, SearchSetting};
pub use output::{remove_unfinished, Output};
pub use record::Columns;
pub use resume::{finished, Finished};
pub use score::{ScoreReport, Screen};
pub use search::{Run, SearchReport};
