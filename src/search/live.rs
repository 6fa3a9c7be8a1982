//! Stand-in, replaced at merge: scores from the engine.

use super::Scores;
use crate::backend::Watch;
use crate::engine::Engine;
use crate::error::Result;
use crate::measure::Measure;
use crate::space::Cell;

/// Scores from the engine.
pub struct LiveScores<'a> {
    engine: &'a Engine,
    watch: &'a dyn Watch,
}

impl<'a> LiveScores<'a> {
    /// Over an engine.
    pub fn new(engine: &'a Engine, watch: &'a dyn Watch) -> LiveScores<'a> {
        LiveScores { engine, watch }
    }
}

impl Scores for LiveScores<'_> {
    fn supports(&self, _: Measure) -> bool {
        true
    }

    fn scores(&mut self, measure: Measure, cells: &[Cell]) -> Result<Vec<f64>> {
        let records = self.engine.score(cells, &[measure], self.watch)?;
        Ok(records.iter().map(|r| r.score(measure).and_then(|s| s.value).unwrap_or(f64::NEG_INFINITY)).collect())
    }
}
