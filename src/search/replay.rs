//! A search answered by a table of scores.

use super::scores::Scores;
use crate::error::Result;
use crate::measure::Measure;
use crate::space::Cell;
use crate::table::ScoreTable;

impl Scores for ScoreTable {
    fn supports(&self, measure: Measure) -> bool {
        self.has(measure)
    }

    fn scores(&mut self, measure: Measure, cells: &[Cell]) -> Result<Vec<f64>> {
        cells.iter().map(|cell| self.lookup(measure, cell)).collect()
    }
}
