//! Whole populations scored under one set of options.
//!
//! An [`Engine`] owns the images, the weights of each repeat, a backend and its threads, and remembers what it computed.
//! A score is a pure function of cell and [`Options`]: threads, chunks, order and earlier calls change nothing.

mod builder;
mod columns;
mod configuration;
mod cost;
mod device;
mod draw;
mod inputs;
mod options;
mod record;
mod scoring;
mod stream;

pub use crate::cuda::Precision;
pub use crate::measure::{LogSynflowForm, SlopeFit};
pub use builder::EngineBuilder;
pub use columns::{Column, Columns};
pub use configuration::{Configuration, WeightFile};
pub use inputs::Inputs;
pub use options::{Device, Options};
pub use record::{Record, Score, Status};
pub use scoring::Engine;
pub use stream::Stream;
