//! A search answered by the engine.

use super::Scores;
use crate::backend::Watch;
use crate::engine::Engine;
use crate::error::Result;
use crate::measure::Measure;
use crate::space::Cell;

/// Scores that an engine computes when they are asked for. What was computed once is remembered by the engine, so that runs
/// over one engine share it.
pub struct LiveScores<'a> {
    engine: &'a Engine,
    watch: &'a dyn Watch,
}

impl<'a> LiveScores<'a> {
    /// The scores of an engine; `watch` is told of each cell and may end the work.
    pub fn new(engine: &'a Engine, watch: &'a dyn Watch) -> LiveScores<'a> {
        LiveScores { engine, watch }
    }
}

impl Scores for LiveScores<'_> {
    fn supports(&self, _: Measure) -> bool {
        true
    }

    fn scores(&mut self, measure: Measure, cells: &[Cell]) -> Result<Vec<f64>> {
        let records = self.engine.records(cells, &[measure], self.watch)?;
        let value = |record: &crate::engine::Record| record.score(measure).and_then(|score| score.value);
        Ok(records.iter().map(|record| value(record).unwrap_or(f64::NEG_INFINITY)).collect())
    }
}
