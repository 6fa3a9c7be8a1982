//! Scores against accuracies.

use super::score_set::is_baseline;
use super::{overlap, Coefficients, Intervals, Paired, Population, ScoreSet, Top, RESAMPLES};
use crate::backend::Watch;
use crate::error::{Error, Result};
use crate::table::ScoreColumn;

/// What is computed of each pair of columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Resamples of the bootstrap; 0 for no intervals.
    pub resamples: usize,
    /// The seed of the resamples.
    pub seed: u64,
    /// The numbers of best cells of which overlaps are taken.
    pub top: Vec<Top>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { resamples: RESAMPLES, seed: 0, top: Top::DEFAULT.to_vec() }
    }
}

/// How a score orders cells, against how they were to be ordered.
#[derive(Clone, Debug, PartialEq)]
pub struct Correlation {
    /// Cells.
    pub n: usize,
    /// The coefficients.
    pub coefficients: Coefficients,
    /// Their intervals.
    pub intervals: Intervals,
    /// For each of [`Settings::top`], how many cells that is and [`overlap`].
    pub top: Vec<(usize, Option<f64>)>,
}

/// The correlation of two columns, in both of which larger is better. `None` for columns of unequal length or with a NaN.
pub fn correlate(x: &[f64], y: &[f64], settings: &Settings) -> Option<Correlation> {
    let paired = Paired::new(x, y)?;
    let n = paired.len();
    let top = settings.top.iter().map(|top| (top.of(n), overlap(x, y, top.of(n)))).collect();
    let coefficients = paired.coefficients();
    let intervals = match coefficients {
        Coefficients { tau: None, .. } => Intervals::default(),
        _ => paired.bootstrap(settings.resamples, settings.seed),
    };
    Some(Correlation { n, coefficients, intervals, top })
}

/// One score against one column of accuracies over one population.
#[derive(Clone, Debug)]
pub struct Row {
    /// The name of the column of accuracies.
    pub accuracy: String,
    /// The cells.
    pub population: Population,
    /// The score: its name, measure and direction. Its values are left out.
    pub score: ScoreColumn,
    /// The score counts something in a cell's text and runs no network.
    pub baseline: bool,
    /// The result.
    pub correlation: Correlation,
}

/// Each of the scores against each column of accuracies (one value per cell of the space, by index; NaN where not known) over
/// each population: of its cells those whose accuracy is known. Rows are in the order of accuracies, populations, scores.
///
/// # Errors
/// [`Error::Interrupted`].
pub fn correlate_all(
    set: &ScoreSet,
    scores: &[&ScoreColumn],
    accuracies: &[(&str, &[f64])],
    populations: &[Population],
    settings: &Settings,
    watch: &dyn Watch,
) -> Result<Vec<Row>> {
    let promises: Vec<Vec<f64>> = scores.iter().map(|score| score.promise()).collect();
    let mut rows = Vec::new();
    for (name, accuracy) in accuracies {
        let known = |i: &usize| accuracy.get(*i).copied().filter(|value| !value.is_nan());
        for &population in populations {
            let (places, y): (Vec<usize>, Vec<f64>) = set
                .cells()
                .iter()
                .enumerate()
                .filter(|(_, cell)| population.has(cell))
                .filter_map(|(place, cell)| Some((place, known(&cell.index())?)))
                .unzip();
            for (&score, promise) in scores.iter().zip(&promises) {
                if watch.cancelled() {
                    return Err(Error::Interrupted);
                }
                let x: Vec<f64> = places.iter().filter_map(|&place| promise.get(place).copied()).collect();
                let correlation = correlate(&x, &y, settings).ok_or_else(|| {
                    Error::Internal(format!("the column {} cannot be compared with {name}", score.name))
                })?;
                rows.push(Row {
                    accuracy: name.to_string(),
                    population,
                    score: ScoreColumn { name: score.name.clone(), values: Vec::new(), ..*score },
                    baseline: is_baseline(score),
                    correlation,
                });
                watch.advance();
            }
        }
    }
    Ok(rows)
}
