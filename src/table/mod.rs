//! Stand-in, replaced at merge: three accuracies.

use crate::error::{Error, Result};
use crate::input::Dataset;
use crate::space::Cell;
use std::path::Path;

/// Accuracies.
pub struct Accuracies {
    rows: Vec<(usize, [f64; 3])>,
    source: String,
}

impl Accuracies {
    /// Finds them.
    pub fn find(path: Option<&Path>) -> Result<Accuracies> {
        let Some(path) = path else {
            let rows = vec![
                (0, [85.8633, 52.9133, 26.6333]),
                (1462, [93.76, 71.1067, 41.4444]),
                (9930, [94.3633, 73.5133, 46.3444]),
            ];
            return Ok(Accuracies { rows, source: "75 cells compiled in".into() });
        };
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::Unreadable { path: path.to_path_buf(), source })?;
        if !text.starts_with("arch_index,") {
            return Err(Error::data(path, "the column arch_index", "something else", "Give the CSV."));
        }
        let rows = text.lines().skip(1).filter_map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let number = |i: usize| fields.get(i)?.parse::<f64>().ok();
            Some((number(0)? as usize, [number(9)?, number(11)?, number(13)?]))
        });
        Ok(Accuracies { rows: rows.collect(), source: path.display().to_string() })
    }

    /// One accuracy.
    pub fn lookup(&self, cell: &Cell, dataset: Dataset) -> Option<f64> {
        let index = cell.index();
        self.rows.iter().find(|(i, _)| *i == index).map(|(_, all)| all[dataset as usize])
    }

    /// Rank in the space.
    pub fn rank(&self, cell: &Cell, dataset: Dataset) -> Option<(usize, usize)> {
        let own = self.lookup(cell, dataset)?;
        let better = self.rows.iter().filter(|(_, all)| all[dataset as usize] > own).count();
        (self.rows.len() > 1000).then_some((better + 1, self.rows.len()))
    }

    /// Where from.
    pub fn source(&self) -> String {
        self.source.clone()
    }
}

/// Mean and deviation.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// Mean.
    pub mean: Option<f64>,
    /// n−1.
    pub std: Option<f64>,
    /// Present.
    pub n: usize,
    /// Absent.
    pub missing: usize,
}

impl Summary {
    /// Of values.
    pub fn of(values: impl Iterator<Item = Option<f64>>) -> Summary {
        let all: Vec<Option<f64>> = values.collect();
        let there: Vec<f64> = all.iter().copied().flatten().collect();
        let n = there.len();
        let mean = (n > 0).then(|| there.iter().sum::<f64>() / n as f64);
        let std = mean
            .filter(|_| n > 1)
            .map(|m| (there.iter().map(|x| (x - m).powi(2)).sum::<f64>() / (n - 1) as f64).sqrt());
        Summary { mean, std, n, missing: all.len() - n }
    }
}
