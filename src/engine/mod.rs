//! Whole populations scored under one set of options.

#[allow(clippy::module_inception)]
mod engine;
mod options;
mod record;

pub use engine::{Configuration, Engine};
pub use options::{Device, LogSynflowForm, Options};
pub use record::{Record, Score, Status};
