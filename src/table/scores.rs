//! Published scores by cell, to answer a search without computing anything.

use super::csv;
use crate::error::{Error, Result};
use crate::measure::Measure;
use crate::space::Cell;
use std::path::{Path, PathBuf};

/// Scores of cells, read from the columns of a CSV file.
#[derive(Clone, Debug)]
pub struct ScoreTable {
    path: PathBuf,
    /// Measure, column, and one value per cell of the space, by index; NaN where the file has none.
    columns: Vec<(Measure, String, Vec<f64>)>,
}

impl ScoreTable {
    /// Reads each measure from the column of its name. Values are taken as they stand (some published tables write 1e-6
    /// for a singular naswot); `-inf` means that the measure does not exist for the cell.
    ///
    /// # Errors
    /// [`Error::Unreadable`]; [`Error::Data`] for a column that is not there, and with line and column for what is not
    /// a number.
    pub fn open(path: &Path, measures: &[(Measure, &str)]) -> Result<ScoreTable> {
        let wanted = |name: &str| measures.iter().any(|(_, column)| *column == name);
        let valid = |_: &str, value: f64| value < f64::INFINITY;
        let table = csv::read(path, &wanted, &valid, "a finite number or -inf")?;
        let column = |&(measure, name): &(Measure, &str)| {
            let found = table.columns.iter().find(|(n, _)| n == name).ok_or_else(|| {
                let remedy = format!("Name the column of {} as the file's header does.", measure.name());
                Error::data(path, format!("a column {name}"), csv::listed(&table.header), remedy)
            })?;
            Ok((measure, found.0.clone(), found.1.clone()))
        };
        Ok(ScoreTable { path: path.to_path_buf(), columns: measures.iter().map(column).collect::<Result<_>>()? })
    }

    /// The table holds this measure.
    pub fn has(&self, measure: Measure) -> bool {
        self.columns.iter().any(|(m, ..)| *m == measure)
    }

    /// The score of a cell; −∞ where the measure does not exist.
    ///
    /// # Errors
    /// [`Error::Data`] for a measure or a cell that the table does not have.
    pub fn lookup(&self, measure: Measure, cell: &Cell) -> Result<f64> {
        let Some((_, name, values)) = self.columns.iter().find(|(m, ..)| *m == measure) else {
            let remedy = "Name the column that holds it.";
            return Err(Error::data(&self.path, format!("a column of {}", measure.name()), "none", remedy));
        };
        match values.get(cell.index()).copied().filter(|v| !v.is_nan()) {
            Some(value) => Ok(value),
            None => Err(Error::data(
                &self.path,
                format!("a value of cell {} in column {name}", cell.index()),
                "none",
                "Give a table of the whole space.",
            )),
        }
    }
}
