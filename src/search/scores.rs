//! What a search may ask: scores of cells. It never sees accuracies.

use crate::error::{Error, Result};
use crate::measure::Measure;
use crate::space::Cell;

/// A source of scores: an engine that computes them or a table that holds them.
pub trait Scores {
    /// The source can answer for this measure.
    fn supports(&self, measure: Measure) -> bool;

    /// One value per cell, in order; −∞ where the measure does not exist (a singular naswot, a diverged LossSlope).
    ///
    /// # Errors
    /// Whatever keeps the source from answering; the search ends with it.
    fn scores(&mut self, measure: Measure, cells: &[Cell]) -> Result<Vec<f64>>;
}

/// Asks for scores and holds the source to its promise: as many values as cells, each finite or −∞.
pub(super) fn ask(scores: &mut dyn Scores, measure: Measure, cells: &[Cell]) -> Result<Vec<f64>> {
    if cells.is_empty() {
        return Ok(Vec::new());
    }
    let values = scores.scores(measure, cells)?;
    if values.len() != cells.len() {
        let (found, name) = (values.len(), measure.name());
        return Err(Error::Internal(format!("{} cells got {found} values of {name} instead of one each", cells.len())));
    }
    match values.iter().zip(cells).find(|(v, _)| v.is_nan() || **v == f64::INFINITY) {
        Some((value, cell)) => Err(Error::Internal(format!(
            "the {} of cell {} is {value}, but a score is a finite number or −∞",
            measure.name(),
            cell.index()
        ))),
        None => Ok(values),
    }
}

/// Refuses a source that lacks a measure which the search cannot do without.
pub(super) fn require(scores: &dyn Scores, measure: Measure) -> Result<()> {
    if scores.supports(measure) {
        return Ok(());
    }
    Err(Error::options(
        "The scores of the search",
        format!("a source that knows {}", measure.name()),
        "one that does not",
        "Name the column of the table that holds it, or let the engine compute it.",
    ))
}
