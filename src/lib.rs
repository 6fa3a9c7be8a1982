//! etnas scores the neural architectures of the NATS-Bench topology space without training them, and searches the space.
//!
//! Measures: naswot, LogSynflow, Synflow, Degree, LossSlope and the distance to the utopian point. Search: ET-NAS (Mereu,
//! Mantegna, Scagliola) in the paper's two readings, with its variants NO DEGREE and RANK.
//!
//! The rooms, from the ground up; a room uses only what stands below it:
//!
//! * [`error`], [`random`]: the one error type; seeds and streams.
//! * [`space`]: cells, their encodings, graph, Degree, counts, mutation, and the network around them.
//! * [`weights`]: every initial weight as a pure function of its seed and its place, or read from a file.
//! * [`pickle`], [`tensor_file`]: files of other programs as plain data.
//! * [`input`]: images, from data sets, from a tensor file, or the embedded photographs; LossSlope's regression task.
//! * [`plan`]: what of a cell's network must be computed for a measure.
//! * [`backend`]: the seam between measures and the machines that compute them; [`reference`](mod@reference) is the plain
//!   f64 truth, [`cpu`] the engine for processors.
//! * [`measure`]: what the measures are, from raw numbers to scores.
//! * [`engine`]: whole populations scored under one set of options.
//! * [`export`]: weights, images and networks for other programs.
//! * [`table`]: accuracies and published scores to look up.
//! * [`search`]: the search methods, over any source of scores.
//! * [`statistics`]: how well scores order cells, and orders that several scores agree on.
//! * [`plot`]: pictures of scores, searches and losses.
//! * [`reproduce`]: the paper's tables and figures, computed again.
//! * [`serve`]: a resident engine that answers lines of JSON.
//! * [`report`]: records and their formats. [`cli`]: the command line.

#![deny(missing_docs)]
// The kernel rooms alone may be unsafe: docs/sanitizers.md.
#![deny(unsafe_code)]

pub mod backend;
pub mod cli;
#[allow(unsafe_code)]
pub mod cpu;
#[allow(unsafe_code)]
pub mod cuda;
pub mod engine;
pub mod error;
pub mod export;
pub mod input;
pub mod measure;
pub mod pickle;
pub mod plan;
pub mod plot;
pub mod random;
pub mod reference;
pub mod report;
pub mod reproduce;
pub mod search;
pub mod serve;
pub mod space;
pub mod statistics;
pub mod table;
pub mod tensor_file;
pub mod weights;

pub use error::{Error, Result};
