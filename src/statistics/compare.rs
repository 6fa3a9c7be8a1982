//! Two files of the same scores, cell by cell.

use super::score_set::same;
use super::{Coefficients, Paired};
use crate::error::{Error, Result};
use crate::space::Cell;
use crate::table::{ScoreColumn, ScoreFile};

/// Two score files.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Cells that both have.
    pub both: usize,
    /// Cells of the first alone.
    pub first_only: Vec<Cell>,
    /// Cells of the second alone.
    pub second_only: Vec<Cell>,
    /// Columns of the first alone.
    pub first_columns: Vec<String>,
    /// Columns of the second alone.
    pub second_columns: Vec<String>,
    /// The columns that both have.
    pub columns: Vec<Compared>,
}

/// One column of two files over the cells that both have.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// Its name, measure and direction. Its values are left out.
    pub score: ScoreColumn,
    /// How alike the files order the cells; what does not exist is last.
    pub coefficients: Coefficients,
    /// Cells whose value is the same to the bit, or exists in neither file.
    pub equal: usize,
    /// Cells whose value exists in one file alone.
    pub one_only: usize,
    /// The mean of second − first over the cells where both exist, if there are any.
    pub mean_difference: Option<f64>,
    /// The cells that differ most, by |second − first|, equal differences by index.
    pub largest: Vec<Difference>,
}

/// A cell in two files.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The cell.
    pub cell: Cell,
    /// Its value in the first file.
    pub first: f64,
    /// Its value in the second.
    pub second: f64,
}

impl Difference {
    /// Second − first.
    pub fn signed(&self) -> f64 {
        self.second - self.first
    }
}

/// Compares every column that two files have in common, and gives the `most` largest differences of each.
///
/// # Errors
/// [`Error::Options`] if the files have no cell or no column in common.
pub fn compare(first: &ScoreFile, second: &ScoreFile, most: usize) -> Result<Comparison> {
    let only = |of: &ScoreFile, other: &ScoreFile| -> Vec<Cell> {
        let mut cells: Vec<Cell> = of.cells().iter().filter(|cell| other.place(cell).is_none()).copied().collect();
        cells.sort_unstable_by_key(Cell::index);
        cells
    };
    let mut both: Vec<(Cell, usize, usize)> =
        first.cells().iter().enumerate().filter_map(|(i, cell)| Some((*cell, i, second.place(cell)?))).collect();
    both.sort_unstable_by_key(|(cell, ..)| cell.index());
    let partner = |file: &ScoreFile, column: &ScoreColumn| file.columns().iter().position(|other| same(column, other));
    let alone = |of: &ScoreFile, other: &ScoreFile| -> Vec<String> {
        of.columns().iter().filter(|c| partner(other, c).is_none()).map(|c| c.name.clone()).collect()
    };
    let columns: Vec<Compared> = first
        .columns()
        .iter()
        .filter_map(|a| Some(compared(a, second.columns().get(partner(second, a)?)?, &both, most)))
        .collect();
    let comparison = Comparison {
        both: both.len(),
        first_only: only(first, second),
        second_only: only(second, first),
        first_columns: alone(first, second),
        second_columns: alone(second, first),
        columns,
    };
    for (what, none) in [("a cell", both.is_empty()), ("a column", comparison.columns.is_empty())] {
        if none {
            let files = format!("{} and {}", first.path().display(), second.path().display());
            let remedy = "Give two files of the same measures and cells.";
            return Err(Error::options(files, format!("{what} that both have"), "none", remedy));
        }
    }
    Ok(comparison)
}

fn compared(a: &ScoreColumn, b: &ScoreColumn, both: &[(Cell, usize, usize)], most: usize) -> Compared {
    let value = |column: &ScoreColumn, place: usize| column.values.get(place).copied().flatten();
    let pairs = both.iter().map(|&(cell, i, j)| (cell, value(a, i), value(b, j)));
    let (mut equal, mut one_only, mut differences) = (0, 0, Vec::new());
    let (mut x, mut y) = (Vec::with_capacity(both.len()), Vec::with_capacity(both.len()));
    let promise = |v: Option<f64>| v.map_or(f64::NEG_INFINITY, |v| if a.higher_is_better { v } else { -v });
    for (cell, first, second) in pairs {
        x.push(promise(first));
        y.push(promise(second));
        match (first, second) {
            (Some(first), Some(second)) => {
                equal += usize::from(first.to_bits() == second.to_bits());
                differences.push(Difference { cell, first, second });
            }
            (None, None) => equal += 1,
            _ => one_only += 1,
        }
    }
    let n = differences.len();
    let sum: f64 = differences.iter().map(Difference::signed).sum();
    differences.retain(|d| d.signed() != 0.0);
    differences.sort_by(|a, b| b.signed().abs().total_cmp(&a.signed().abs()).then(a.cell.index().cmp(&b.cell.index())));
    differences.truncate(most);
    Compared {
        score: ScoreColumn { name: a.name.clone(), values: Vec::new(), ..*a },
        coefficients: Paired::new(&x, &y).map_or_else(Coefficients::default, |paired| paired.coefficients()),
        equal,
        one_only,
        mean_difference: (n > 0).then(|| sum / n as f64),
        largest: differences,
    }
}
