//! Scores by measure, each over all cells of a call: what numeric code wants.

use super::record::{Record, Status};
use crate::measure::Measure;
use crate::space::Cell;

/// The scores of a call, column by column. All vectors have one entry for each cell, in the order asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    /// The cells.
    pub cells: Vec<Cell>,
    /// How each cell fared.
    pub status: Vec<Status>,
    /// The measures asked for, in the order of [`Measure::ALL`].
    pub columns: Vec<Column>,
}

/// One measure of all cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The measure; [`Measure::higher_is_better`] tells its direction.
    pub measure: Measure,
    /// The value of each cell, with repeats the mean over them. naswot of a singular kernel is −∞; a LossSlope that diverged, and a
    /// utopian distance that needs one, do not exist and are NaN.
    pub values: Vec<f64>,
    /// The standard deviation (n − 1) over repeats; `None` with one repeat, and for measures that draw nothing.
    pub std: Option<Vec<f64>>,
}

impl Columns {
    /// The columns of records that were asked for the same measures.
    pub fn of(records: &[Record]) -> Columns {
        let measures = records.first().map(|record| record.scores.as_slice()).unwrap_or_default();
        let column = |&(measure, _): &(Measure, _)| {
            let score = |record: &Record| record.score(measure).unwrap_or_default();
            let absent = if measure == Measure::Naswot { f64::NEG_INFINITY } else { f64::NAN };
            let drawn = records.iter().any(|record| score(record).std.is_some());
            Column {
                measure,
                values: records.iter().map(|record| score(record).value.unwrap_or(absent)).collect(),
                std: drawn.then(|| records.iter().map(|record| score(record).std.unwrap_or(f64::NAN)).collect()),
            }
        };
        Columns {
            cells: records.iter().map(|record| record.cell).collect(),
            status: records.iter().map(|record| record.status).collect(),
            columns: measures.iter().map(column).collect(),
        }
    }

    /// The column of a measure; `None` where it was not asked for, and for a call without cells.
    pub fn column(&self, measure: Measure) -> Option<&Column> {
        self.columns.iter().find(|column| column.measure == measure)
    }

    /// The values of a measure; empty where [`Columns::column`] is `None`.
    pub fn values(&self, measure: Measure) -> &[f64] {
        self.column(measure).map_or(&[], |column| &column.values)
    }

    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// There is no cell.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }
}
