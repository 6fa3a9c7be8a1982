//! A source of scores for tests: any function of the cell, and a list of what was asked.

use super::scores::Scores;
use crate::error::Result;
use crate::measure::Measure;
use crate::random::derive;
use crate::space::Cell;

type Function = Box<dyn Fn(Measure, &Cell) -> f64>;

/// Scores that follow from measure and cell.
pub(super) struct Toy {
    function: Function,
    /// Every question, in order.
    pub asked: Vec<(Measure, Vec<Cell>)>,
    /// LossSlope can be had.
    pub has_loss_slope: bool,
}

impl Toy {
    /// Positive values without a pattern.
    pub fn new() -> Toy {
        Toy::with(|measure, cell| 1.0 + derive(cell.index() as u64, measure.name()) as f64)
    }

    /// Values that grow with the number of convolutions, as a network's do.
    pub fn network_like() -> Toy {
        Toy::with(|measure, cell| {
            let noise = derive(cell.index() as u64, measure.name()) as f64 / f64::from(u32::MAX);
            1.0 + cell.conv_edges(None) as f64 + noise
        })
    }

    /// Values of a function.
    pub fn with(function: impl Fn(Measure, &Cell) -> f64 + 'static) -> Toy {
        Toy { function: Box::new(function), asked: Vec::new(), has_loss_slope: true }
    }

    /// The value of a measure.
    pub fn value(&self, measure: Measure, cell: &Cell) -> f64 {
        (self.function)(measure, cell)
    }

    /// How many cells a measure was asked for.
    pub fn count(&self, measure: Measure) -> usize {
        self.asked.iter().filter(|(m, _)| *m == measure).map(|(_, cells)| cells.len()).sum()
    }
}

impl Scores for Toy {
    fn supports(&self, measure: Measure) -> bool {
        matches!(measure, Measure::Naswot | Measure::LogSynflow)
            || (measure == Measure::LossSlope && self.has_loss_slope)
    }

    fn scores(&mut self, measure: Measure, cells: &[Cell]) -> Result<Vec<f64>> {
        self.asked.push((measure, cells.to_vec()));
        Ok(cells.iter().map(|cell| self.value(measure, cell)).collect())
    }
}
