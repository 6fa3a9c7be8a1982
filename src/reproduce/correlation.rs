//! Table III and Fig. 2: how the measures order cells of known accuracy.

use super::entry::{Entry, Found, Origin, Quantity, Reproduction};
use super::laboratory::Laboratory;
use super::paper;
use crate::error::Result;
use crate::input::Dataset;
use crate::measure::{utopian, Measure};
use crate::plot::{self, Bounds, Colouring, Picture, Values};
use crate::random::Stream;
use crate::search::Scores;
use crate::space::{Cell, SPACE_SIZE};
use crate::statistics::{kendall_tau_b, spearman_rho, Population};
use crate::table::{test_column, ScoreColumn};
use std::time::Instant;

/// The columns of Table III: name, as in the paper.
const COLUMNS: [&str; 4] = ["naswot", "LogSynflow", "LossSlope", "utopian"];

/// Scores of cells whose test accuracy is known.
pub struct Scored {
    /// The cells.
    pub cells: Vec<Cell>,
    /// Test accuracy after 200 epochs, in %.
    pub accuracy: Vec<f64>,
    /// naswot, LogSynflow, LossSlope; −∞ where a score does not exist.
    pub measures: [Vec<f64>; 3],
    /// Utopian distance over these cells; smaller is better.
    pub distance: Vec<f64>,
    /// Where the three measures came from, each with its wall seconds.
    pub origins: [(Origin, f64); 3],
}

/// Scores the cells that are asked for; `None` where the table has no accuracies of the data set for whole correlations.
///
/// # Errors
/// Those of the engine.
pub fn scored(lab: &mut Laboratory, dataset: Dataset) -> Result<Option<Scored>> {
    let Some(accuracies) =
        lab.accuracies.column(test_column(dataset)).filter(|column| !column.iter().any(|a| a.is_nan()))
    else {
        return Ok(None);
    };
    let cells: Vec<Cell> = match lab.setting.sample {
        None => Cell::all().collect(),
        Some(n) => {
            let drawn = Stream::new(lab.seeds().sample, &[]).distinct(n.min(SPACE_SIZE), SPACE_SIZE);
            drawn.into_iter().map(|i| Cell::from_index(i as i64)).collect::<Result<_>>()?
        }
    };
    let accuracy = cells.iter().map(|cell| accuracies[cell.index()]).collect();
    let mut measures: [Vec<f64>; 3] = Default::default();
    let mut origins = [(Origin::default(), 0.0); 3];
    for (k, measure) in [Measure::Naswot, Measure::LogSynflow, Measure::LossSlope].into_iter().enumerate() {
        lab.watch.describe(format!("Table III, {}: {} of {} cells", dataset.title(), COLUMNS[k], cells.len()));
        let start = Instant::now();
        let mut bench = lab.bench(dataset, 0)?;
        measures[k] = bench.scores(measure, &cells)?;
        origins[k] = (bench.take_origin(), start.elapsed().as_secs_f64());
    }
    let rows: Vec<[f64; 3]> = (0..cells.len()).map(|i| [0, 1, 2].map(|k| measures[k][i])).collect();
    let distance = utopian::distances(&rows).distances;
    Ok(Some(Scored { cells, accuracy, measures, distance, origins }))
}

impl Scored {
    /// The two panels of Fig. 2.
    pub fn picture(&self) -> Picture {
        let values = |measure: Measure, values: &[f64]| {
            let values = values.iter().map(|v| v.is_finite().then_some(*v)).collect();
            Values::of_scores(&ScoreColumn {
                name: measure.key().to_string(),
                measure: Some(measure),
                higher_is_better: measure.higher_is_better(),
                values,
            })
        };
        let slope = values(Measure::LossSlope, &self.measures[2]);
        let distance = values(Measure::Utopian, &self.distance);
        let name = format!("test accuracy on {}", Dataset::ImageNet16.title());
        let y = Values { title: format!("{name} (%)"), name, promise: self.accuracy.clone(), higher_is_better: true };
        plot::utopian(slope, distance, y, &Colouring::Density, Bounds::default())
    }

    /// The values of a column of Table III, larger for better.
    fn promise(&self, column: usize) -> Vec<f64> {
        match self.measures.get(column) {
            Some(values) => values.clone(),
            None => self.distance.iter().map(|d| -d).collect(),
        }
    }

    /// τ-b and ρ of a column over a population.
    fn coefficients(&self, column: usize, population: Population) -> [Option<(f64, usize)>; 2] {
        let kept = |values: &[f64]| -> Vec<f64> {
            self.cells.iter().zip(values).filter(|(cell, _)| population.has(cell)).map(|(_, v)| *v).collect()
        };
        let (x, y) = (kept(&self.promise(column)), kept(&self.accuracy));
        [kendall_tau_b(&x, &y), spearman_rho(&x, &y)].map(|value| value.map(|value| (value, x.len())))
    }

    /// Where a column's scores came from, with its seconds.
    fn origin(&self, column: usize) -> (Origin, f64) {
        match self.origins.get(column) {
            Some(origin) => *origin,
            None => self.origins.iter().fold((Origin::default(), 0.0), |(a, s), (b, t)| (a.and(*b), s + t)),
        }
    }
}

/// Table III.
///
/// # Errors
/// Those of the engine.
pub fn table3(lab: &mut Laboratory) -> Result<Reproduction> {
    let start = Instant::now();
    let mut entries = Vec::new();
    for dataset in lab.setting.datasets.clone() {
        let scored = scored(lab, dataset)?;
        for population in lab.setting.populations() {
            entries.extend((0..COLUMNS.len()).flat_map(|column| rows(scored.as_ref(), dataset, column, *population)));
        }
    }
    let over = match lab.setting.sample {
        None => "all 15,625 cells, and the 6,466 that are the first of their isomorphism class".to_string(),
        Some(n) => format!("{n} cells drawn by the sample seed: the paper's figures are over the whole space"),
    };
    let notes = vec![
        format!("Over {over}; τ-b and ρ with ties, a score that does not exist is tied below all others."),
        "The paper's LossSlope on ImageNet16-120 is over the 6,466 classes.".to_string(),
    ];
    let title = "Table III: rank correlation with test accuracy after 200 epochs".to_string();
    Ok(Reproduction { name: "table3", title, entries, notes, seconds: start.elapsed().as_secs_f64() })
}

/// The two figures of a column of Table III.
fn rows(scored: Option<&Scored>, dataset: Dataset, column: usize, population: Population) -> Vec<Entry> {
    let name = COLUMNS[column];
    let row = match population {
        Population::All => name.to_string(),
        Population::Unique => format!("{name}, classes"),
    };
    let published = paper::table3(column, dataset).filter(|_| population == Population::All);
    let found = |which: usize| {
        let scored = scored.ok_or_else(|| NO_TABLE.to_string())?;
        let (origin, seconds) = scored.origin(column);
        let (mean, n) = scored.coefficients(column, population)[which]
            .ok_or_else(|| "All scores or all accuracies are equal, so there is no order to compare.".to_string())?;
        let cold_seconds = (origin.name() == "cold").then_some(seconds);
        Ok(Found { mean, n, seconds, cold_seconds, origin, ..Found::default() })
    };
    [Quantity::Kendall, Quantity::Spearman]
        .into_iter()
        .enumerate()
        .map(|(which, quantity)| Entry {
            row: row.clone(),
            dataset,
            quantity,
            paper: published.map(|figures| figures[which]),
            found: found(which),
            note: String::new(),
        })
        .collect()
}

/// What is said where accuracies of the whole space are wanting.
pub const NO_TABLE: &str =
    "It needs the test accuracies of the whole space: give a table with --table FILE or in ETNAS_TABLE.";

/// Fig. 2 as figures: the two panels' correlations on ImageNet16-120; the picture is drawn from [`scored`].
///
/// # Errors
/// Those of the engine.
pub fn fig2(lab: &mut Laboratory) -> Result<(Reproduction, Option<Scored>)> {
    let start = Instant::now();
    let dataset = Dataset::ImageNet16;
    let scored = scored(lab, dataset)?;
    let populations = lab.setting.populations();
    let of = |population: &Population| [2, 3].map(|column| rows(scored.as_ref(), dataset, column, *population));
    let entries: Vec<Entry> = populations.iter().flat_map(of).flatten().collect();
    let notes = vec![match &scored {
        Some(scored) => {
            let count = crate::report::grouped(scored.cells.len() as u64);
            format!("The picture has {count} cells; the paper does not say how many its own shows.")
        }
        None => NO_TABLE.to_string(),
    }];
    let title =
        "Fig. 2: (a) LossSlope, (b) distance to the utopian point, against ImageNet16-120 test accuracy".to_string();
    let seconds = start.elapsed().as_secs_f64();
    Ok((Reproduction { name: "fig2", title, entries, notes, seconds }, scored))
}
