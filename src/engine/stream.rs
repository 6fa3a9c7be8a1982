//! Scores of many cells as they come.

use super::columns::Columns;
use super::scoring::Engine;
use crate::backend::Watch;
use crate::error::{Error, Result};
use crate::measure::Measure;
use crate::space::Cell;

/// An iterator over the scores of a list of cells, chunk by chunk in their order: [`Engine::stream`].
///
/// A chunk is computed when it is asked for, by the engine's threads; dropping the stream ends the work, and so does a watch that
/// cancels, within a cell's time. After an error it is over; what was given before stays valid.
pub struct Stream<'a> {
    engine: &'a Engine,
    rest: &'a [Cell],
    measures: Vec<Measure>,
    chunk: usize,
    watch: &'a dyn Watch,
}

impl Engine {
    /// Scores cells chunk by chunk. Memory does not grow with their number, but for a few dozen bytes for each score that the engine remembers.
    /// `watch` advances once for each cell, draw and network pass that is computed, and may cancel.
    ///
    /// ```
    /// use etnas::engine::Engine;
    /// use etnas::measure::Measure;
    /// use etnas::space::Cell;
    /// let engine = Engine::builder().build()?;
    /// let cells: Vec<Cell> = Cell::all().step_by(500).collect();
    /// let mut scored = 0;
    /// for columns in engine.stream(&cells, &[Measure::LogSynflow], &())?.chunk(8) {
    ///     scored += columns?.values(Measure::LogSynflow).len();
    /// }
    /// assert_eq!(scored, cells.len());
    /// # Ok::<(), etnas::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Options`] for the utopian distance, which compares all cells: score them in one call. The chunks have those of
    /// [`Engine::records`].
    pub fn stream<'a>(&'a self, cells: &'a [Cell], measures: &[Measure], watch: &'a dyn Watch) -> Result<Stream<'a>> {
        if measures.contains(&Measure::Utopian) {
            return Err(Error::options(
                "The measures of a stream",
                "measures of single cells",
                "utopian, which compares all cells",
                "Leave it out, or score all cells in one call.",
            ));
        }
        let chunk = self.cells_at_a_time();
        Ok(Stream { engine: self, rest: cells, measures: measures.to_vec(), chunk, watch })
    }
}

impl Stream<'_> {
    /// Cells in a chunk, at least 1; changes no result. Else as many as keep the device busy.
    pub fn chunk(mut self, cells: usize) -> Self {
        self.chunk = cells.max(1);
        self
    }

    /// Cells that are still to come.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }
}

impl Iterator for Stream<'_> {
    type Item = Result<Columns>;

    fn next(&mut self) -> Option<Result<Columns>> {
        if self.rest.is_empty() {
            return None;
        }
        let (now, rest) = self.rest.split_at(self.chunk.min(self.rest.len()));
        let scored = self.engine.records(now, &self.measures, self.watch).map(|records| Columns::of(&records));
        self.rest = if scored.is_ok() { rest } else { &[] };
        Some(scored)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let chunks = self.rest.len().div_ceil(self.chunk);
        (chunks.min(1), Some(chunks))
    }
}

impl std::iter::FusedIterator for Stream<'_> {}
