//! Orders of cells by several scores at once.

use super::ranks_from_best;
use super::score_set::ScoreSet;
use crate::error::{Error, Result};
use crate::measure::utopian;
use crate::space::Cell;
use crate::table::ScoreColumn;

/// How scores become one number, of which smaller is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combination {
    /// Minus the promise of a single score.
    Single,
    /// Σ rank: 1 is the best of all cells, equal values share the better rank ([`ranks_from_best`]), what does not exist is last.
    RankSum,
    /// Σ ln rank, as the geometric mean of the ranks orders: it asks for the very best in some scores rather than for the good
    /// in all.
    LogRankSum,
    /// The distance to the utopian point over all cells ([`utopian::distances`]).
    Utopian,
}

impl Combination {
    /// Those of several scores.
    pub const OF_SEVERAL: [Combination; 3] = [Combination::RankSum, Combination::LogRankSum, Combination::Utopian];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        ["single", "rank-sum", "log-rank-sum", "utopian"][self as usize]
    }
}

/// Scores made into one.
#[derive(Clone, Debug, PartialEq)]
pub struct Combined {
    /// The number of each cell, in the order of the columns' values; smaller is better.
    pub numbers: Vec<f64>,
    /// The columns that had to be shifted before the utopian distance was taken.
    pub shifted: Vec<String>,
}

/// Makes one number of several scores. Direction and what does not exist are taken from each column. Scores of a sweep over the whole space so become a search: its outcome is [`best`].
///
/// # Errors
/// [`Error::Options`] for no column, several columns of [`Combination::Single`], columns of unequal length, and more than eight
/// columns of [`Combination::Utopian`].
pub fn combine(how: Combination, columns: &[&ScoreColumn]) -> Result<Combined> {
    let refused = |expected: &str, found: String| {
        Error::options(format!("The order by {}", how.name()), expected, found, "Name other measures.")
    };
    let Some(n) = columns.first().map(|column| column.values.len()) else {
        return Err(refused("at least one score", "none".to_string()));
    };
    if columns.iter().any(|column| column.values.len() != n) {
        return Err(refused("scores of the same cells", "columns of unequal length".to_string()));
    }
    let promises: Vec<Vec<f64>> = columns.iter().map(|column| column.promise()).collect();
    let summed = |term: fn(usize) -> f64| {
        let mut sums = vec![0.0; n];
        for (promise, column) in promises.iter().zip(columns) {
            let ranks = ranks_from_best(promise)
                .ok_or_else(|| refused("numbers", format!("a value of column {} that is none", column.name)))?;
            sums.iter_mut().zip(ranks).for_each(|(sum, rank)| *sum += term(rank));
        }
        Ok(sums)
    };
    let plain = |numbers| Combined { numbers, shifted: Vec::new() };
    match how {
        Combination::RankSum => summed(|rank| rank as f64).map(plain),
        Combination::LogRankSum => summed(|rank| libm::log(rank as f64)).map(plain),
        Combination::Single => match promises.as_slice() {
            [promise] => Ok(plain(promise.iter().map(|value| -value).collect())),
            several => Err(refused("one score", several.len().to_string())),
        },
        Combination::Utopian => {
            let (numbers, shifted) = match promises.len() {
                1 => distances::<1>(&promises),
                2 => distances::<2>(&promises),
                3 => distances::<3>(&promises),
                4 => distances::<4>(&promises),
                5 => distances::<5>(&promises),
                6 => distances::<6>(&promises),
                7 => distances::<7>(&promises),
                8 => distances::<8>(&promises),
                more => return Err(refused("at most 8 scores", more.to_string())),
            };
            let shifted = columns.iter().zip(shifted).filter(|(_, shifted)| *shifted);
            Ok(Combined { numbers, shifted: shifted.map(|(column, _)| column.name.clone()).collect() })
        }
    }
}

fn distances<const K: usize>(columns: &[Vec<f64>]) -> (Vec<f64>, Vec<bool>) {
    let n = columns.first().map_or(0, Vec::len);
    let rows: Vec<[f64; K]> = (0..n).map(|i| std::array::from_fn(|k| columns[k][i])).collect();
    let utopian = utopian::distances(&rows);
    (utopian.distances, utopian.shifted.to_vec())
}

/// Places of the cells from the best on: by the numbers of [`combine`], equal ones by the lower index.
pub fn order(cells: &[Cell], numbers: &[f64]) -> Vec<usize> {
    let mut places: Vec<(f64, usize, usize)> =
        cells.iter().zip(numbers).enumerate().map(|(place, (cell, &number))| (number, cell.index(), place)).collect();
    places.sort_unstable_by(|a, b| (a.0 + 0.0).total_cmp(&(b.0 + 0.0)).then(a.1.cmp(&b.1)));
    places.into_iter().map(|(_, _, place)| place).collect()
}

/// The best cell of a set by these of its columns, with its number; of equal ones the lowest index.
///
/// # Errors
/// Those of [`ScoreSet::column`] and [`combine`].
pub fn best(set: &ScoreSet, how: Combination, names: &[&str]) -> Result<(Cell, f64)> {
    let columns: Vec<&ScoreColumn> = names.iter().map(|name| set.column(name)).collect::<Result<_>>()?;
    let numbers = combine(how, &columns)?.numbers;
    let first = order(set.cells(), &numbers).first().and_then(|&at| Some((*set.cells().get(at)?, *numbers.get(at)?)));
    first.ok_or_else(|| Error::Internal("a set of scores without a cell".to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Measure;

    fn column(name: &str, values: &[Option<f64>]) -> ScoreColumn {
        let measure = Measure::from_name(name).ok();
        let higher_is_better = measure.is_none_or(Measure::higher_is_better);
        ScoreColumn { name: name.to_string(), measure, higher_is_better, values: values.to_vec() }
    }

    #[test]
    fn three_cells_by_hand() {
        let a = column("naswot", &[Some(1600.0), Some(1200.0), None]);
        let b = column("cost", &[Some(2.0), Some(4.0), Some(4.0)]);
        let u = column("utopian", &[Some(0.3), Some(0.1), Some(0.2)]);
        // Ranks 1 2 3; 3 1 1; 3 1 2.
        assert_eq!(combine(Combination::RankSum, &[&a, &b, &u]).unwrap().numbers, [7.0, 4.0, 6.0]);
        let logs = combine(Combination::LogRankSum, &[&a, &b]).unwrap().numbers;
        assert_eq!(logs, [libm::log(3.0), libm::log(2.0), libm::log(3.0)]);
        assert_eq!(combine(Combination::Single, &[&u]).unwrap().numbers, [0.3, 0.1, 0.2]);
        assert_eq!(combine(Combination::Single, &[&a]).unwrap().numbers, [-1600.0, -1200.0, f64::INFINITY]);
        // Coordinates (1, .5), (.75, 1), (0, 1).
        assert_eq!(combine(Combination::Utopian, &[&a, &b]).unwrap().numbers, [0.5, 0.25, 1.0]);
        let cells: Vec<Cell> = [7, 5, 3].map(|i| Cell::from_index(i).unwrap()).to_vec();
        assert_eq!(order(&cells, &logs), [1, 2, 0]);
        assert_eq!(order(&cells, &[0.0, -0.0, f64::INFINITY]), [1, 0, 2]);
    }

    #[test]
    fn what_cannot_be_combined_is_refused() {
        let (a, b) = (column("a", &[Some(1.0)]), column("b", &[Some(1.0), None]));
        let told = |how, columns: &[&ScoreColumn]| combine(how, columns).unwrap_err().to_string();
        assert!(told(Combination::RankSum, &[]).contains("at least one score"));
        assert!(told(Combination::RankSum, &[&a, &b]).contains("unequal length"));
        assert!(told(Combination::Single, &[&a, &a]).contains("one score"));
        assert!(told(Combination::Utopian, &[&a; 9]).contains("at most 8"));
        assert!(combine(Combination::Utopian, &[&a; 8]).is_ok());
    }
}
