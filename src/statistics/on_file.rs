//! A search answered by score files.

use super::score_set::{Clash, ScoreSet};
use crate::error::{Error, Result};
use crate::measure::Measure;
use crate::search::Scores;
use crate::space::{Cell, SPACE_SIZE};
use crate::table::ScoreFile;

impl ScoreSet {
    /// Scores of the whole space, so that a search may ask for any cell. Where several files hold a measure, their mean is taken.
    ///
    /// # Errors
    /// [`Error::Data`] for a file of less than the whole space: its scores could not be ranked with those of another source. Those
    /// of [`ScoreSet::join`].
    pub fn of_space(files: &[ScoreFile]) -> Result<ScoreSet> {
        for file in files {
            if file.cells().len() != SPACE_SIZE {
                let remedy = "Finish the sweep with `etnas-fast score --all --resume`, or leave the file out.";
                let expected = format!("all {SPACE_SIZE} cells");
                return Err(Error::data(file.path(), expected, file.cells().len().to_string(), remedy));
            }
        }
        ScoreSet::join(files, Clash::Average)
    }
}

impl Scores for &ScoreSet {
    fn supports(&self, measure: Measure) -> bool {
        self.measure(measure).is_some()
    }

    fn scores(&mut self, measure: Measure, cells: &[Cell]) -> Result<Vec<f64>> {
        let missing = |what: String| {
            let remedy = "Give files of the whole space that hold every measure of the search.";
            Error::options("The score files", what, "none", remedy)
        };
        let column = self.measure(measure).ok_or_else(|| missing(format!("a column {}", measure.key())))?;
        let value = |cell: &Cell| {
            // Cells of a set are sorted by index.
            let at = self.cells().binary_search_by_key(&cell.index(), Cell::index);
            let at = at.map_err(|_| missing(format!("the {} of cell {}", measure.key(), cell.index())))?;
            Ok(column.values.get(at).copied().flatten().unwrap_or(f64::NEG_INFINITY))
        };
        cells.iter().map(value).collect()
    }
}
