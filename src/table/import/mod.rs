//! Tables from the files in which others publish the benchmark.
//!
//! Every source is recognised by its content. Cells are known by their architecture strings, which must agree with the indices
//! that stand beside them. Values are means over the seeds that a file holds, as nats_bench's `is_random=False` gives them; NASLib
//! publishes one seed's values, which go to columns of their own.

mod cells;
mod folder;
mod kind;
mod naslib;
mod nats;
mod pickled;

pub use kind::Kind;

use super::accuracies::Accuracies;
use super::compact;
use crate::backend::Watch;
use crate::error::Result;
use std::path::Path;

/// What to do about a source that is not as it should be.
const REMEDY: &str = "Get the file again; if it is as published, it is of a kind that is not known here.";

/// What an import gave.
#[derive(Debug)]
pub struct Imported {
    /// The table.
    pub table: Accuracies,
    /// Sentences on what the source lacks.
    pub notes: Vec<String>,
}

/// Reads any of the sources. `watch` is told of finished cells, and may end the work.
///
/// # Errors
/// [`crate::Error::Unreadable`]; [`crate::Error::Data`] for what is none of the sources, is damaged, or belongs to the size search
/// space; [`crate::Error::Interrupted`].
pub fn import(path: &Path, watch: &dyn Watch) -> Result<Imported> {
    let kind = Kind::of(path)?;
    let whole = |table: Accuracies| Imported { table, notes: Vec::new() };
    match kind {
        Kind::Csv => Accuracies::open_csv(path).map(whole),
        Kind::Compact => compact::open(path).map(whole),
        Kind::NatsFolder => folder::read(path, watch)?.table("NATS-Bench folder"),
        Kind::Json => naslib::scores(path, watch),
        Kind::Bzip2 | Kind::TorchZip | Kind::TorchLegacy | Kind::Pickle | Kind::Gzip => {
            pickled::read(path, kind, watch)
        }
    }
}
