//! What is shown along an axis: a value for each cell, and how it is called.

use crate::input::Dataset;
use crate::measure::Measure;
use crate::report;
use crate::space::Cell;
use crate::table::{column_info, test_column, ScoreColumn, Unit};

/// One value for each cell of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// In sentences: `LogSynflow`, `test accuracy on CIFAR-10`.
    pub name: String,
    /// On an axis, with the unit.
    pub title: String,
    /// Turned so that larger promises better: −∞ where there is no value, NaN where it is not known.
    pub promise: Vec<f64>,
    /// Larger values promise better cells.
    pub higher_is_better: bool,
}

impl Values {
    /// A column of scores.
    pub fn of_scores(column: &ScoreColumn) -> Values {
        let name = match column.measure {
            Some(Measure::Params) => "parameters".to_string(),
            Some(Measure::Utopian) => "utopian distance".to_string(),
            Some(measure) => report::title(measure).to_string(),
            None => column.name.clone(),
        };
        let words = match column.measure {
            Some(Measure::Params) => "trainable parameters",
            Some(Measure::Macs) => "multiply-accumulates for one image",
            Some(Measure::Utopian) => "distance to the utopian point",
            _ => &name,
        };
        let title = match column.higher_is_better {
            true => words.to_string(),
            false => format!("{words} (smaller is better)"),
        };
        Values { title, promise: column.promise(), higher_is_better: column.higher_is_better, name }
    }

    /// A column of a table of accuracies, which has a value for each cell of the space by index, for these cells.
    pub fn of_table(column: &str, by_index: &[f64], cells: &[Cell]) -> Values {
        let test = Dataset::ALL.into_iter().find(|dataset| test_column(*dataset) == column);
        let (name, title) = match (test, column_info(column)) {
            (Some(dataset), _) => {
                let name = format!("test accuracy on {}", dataset.title());
                (name.clone(), format!("{name} after 200 epochs (%)"))
            }
            (None, Some(info)) if info.unit == Unit::Percent => {
                (column.to_string(), format!("accuracy (%): {}", info.meaning))
            }
            (None, Some(info)) => (column.to_string(), format!("{} ({})", info.meaning, info.unit.sign())),
            (None, None) => (column.to_string(), column.to_string()),
        };
        let value = |cell: &Cell| by_index.get(cell.index()).copied().unwrap_or(f64::NAN);
        Values { name, title, promise: cells.iter().map(value).collect(), higher_is_better: true }
    }

    /// The value of a cell as it was given; not finite where there is none.
    pub fn shown(&self, i: usize) -> f64 {
        let promise = self.promise.get(i).copied().unwrap_or(f64::NAN);
        if self.higher_is_better || !promise.is_finite() {
            promise
        } else {
            -promise
        }
    }
}
