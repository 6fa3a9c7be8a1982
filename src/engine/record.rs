//! What is known of a cell after scoring.

use crate::input::Dataset;
use crate::measure::Measure;
use crate::space::Cell;

/// How a cell fared. Later ones are more severe; a record states the most severe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Every measure exists.
    Ok,
    /// Node 3 is unreachable; the numbers stand.
    Dead,
    /// K_H is singular: naswot is −∞.
    Singular,
    /// A loss was not finite: LossSlope does not exist.
    Diverged,
}

impl Status {
    /// The word in records.
    pub fn name(self) -> &'static str {
        ["ok", "dead", "singular", "diverged"][self as usize]
    }
}

/// The value of one measure. `None` where it does not exist (naswot of a singular kernel, LossSlope of a diverged training).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// The value; with repeats the mean over them.
    pub value: Option<f64>,
    /// The standard deviation (n−1) over repeats; `None` with one repeat and for measures that draw nothing.
    pub std: Option<f64>,
}

/// One cell, scored.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The cell.
    pub cell: Cell,
    /// The data set whose network was scored.
    pub dataset: Dataset,
    /// How it fared.
    pub status: Status,
    /// The measures asked for, in the order of [`Measure::ALL`].
    pub scores: Vec<(Measure, Score)>,
}

impl Record {
    /// The score of a measure, if it was asked for.
    pub fn score(&self, measure: Measure) -> Option<Score> {
        self.scores.iter().find(|(m, _)| *m == measure).map(|(_, score)| *score)
    }
}
