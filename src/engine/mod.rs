//! Whole populations scored under one set of options.

mod options;
mod record;

pub use options::{Device, LogSynflowForm, Options};
pub use record::{Record, Score, Status};
