//! Utopian distance: how far a cell is from the point that is best in every measure at once (SPEC section 5).
//!
//! Each measure is divided by its maximum over the compared set; the distance is the Euclidean one to (1, …, 1).
//! Smaller is better. The compared set is the Pareto front in a search, the whole table in a correlation. Cost: two
//! passes.

/// Distances of a compared set, and which columns had to be shifted to be divided.
#[derive(Clone, Debug, PartialEq)]
pub struct Utopian<const K: usize = 3> {
    /// One distance per row, in order. Never NaN.
    pub distances: Vec<f64>,
    /// The column's maximum was not positive, so its minimum was subtracted first.
    pub shifted: [bool; K],
}

/// Distances to the utopian point. A row is one cell; its K values are (naswot, LogSynflow, LossSlope), or any other
/// measures of which larger is better. −∞ (as any value that is not finite) means that the measure does not exist.
///
/// * A column whose largest existing value is not positive is shifted by its smallest existing value first; if all are
///   then 0, each is the maximum and counts as 1.
/// * A value that does not exist counts as 0. Where an existing value of its column is itself 0 or less after the
///   division, it counts as one less than the lowest of them: a singular naswot or a diverged LossSlope never ranks
///   with or above one that exists.
pub fn distances<const K: usize>(rows: &[[f64; K]]) -> Utopian<K> {
    let mut squares = vec![0.0; rows.len()];
    let mut shifted = [false; K];
    for (k, shifted) in shifted.iter_mut().enumerate() {
        let column = Column::of(rows.iter().map(|row| row[k]));
        *shifted = column.shift.is_some();
        for (square, row) in squares.iter_mut().zip(rows) {
            *square += (1.0 - column.coordinate(row[k])).powi(2);
        }
    }
    Utopian { distances: squares.into_iter().map(f64::sqrt).collect(), shifted }
}

/// How the values of one measure become coordinates.
struct Column {
    /// What is subtracted from each value: the smallest, where the maximum is not positive.
    shift: Option<f64>,
    /// What each value is divided by, after the shift.
    divisor: f64,
    /// The coordinate of a value that does not exist.
    missing: f64,
}

impl Column {
    fn of(values: impl Iterator<Item = f64>) -> Column {
        let (min, max) = values
            .filter(|v| v.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), v| (min.min(v), max.max(v)));
        if min > max {
            // No value exists: no coordinate but `missing` is ever asked for.
            return Column { shift: None, divisor: 1.0, missing: 0.0 };
        }
        let shift = (max <= 0.0).then_some(min);
        let mut column = Column { shift, divisor: max - shift.unwrap_or(0.0), missing: 0.0 };
        let lowest = column.coordinate(min);
        if lowest <= 0.0 {
            column.missing = lowest - 1.0;
        }
        column
    }

    fn coordinate(&self, value: f64) -> f64 {
        if !value.is_finite() {
            self.missing
        } else if self.divisor == 0.0 {
            1.0
        } else {
            (value - self.shift.unwrap_or(0.0)) / self.divisor
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONE: f64 = f64::NEG_INFINITY;

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() < 1e-12, "{found:?} instead of {expected:?}");
        }
    }

    #[test]
    fn three_cells_by_hand() {
        // Divided by (1600, 4e6, 0.4): (1, .5, .75), (.75, 1, 1), (.5, .25, .5).
        let u = distances(&[[1600.0, 2e6, 0.3], [1200.0, 4e6, 0.4], [800.0, 1e6, 0.2]]);
        close(&u.distances, &[0.3125f64.sqrt(), 0.25, (0.25 + 0.5625 + 0.25f64).sqrt()]);
        assert_eq!(u.shifted, [false; 3]);
    }

    #[test]
    fn a_missing_value_counts_as_zero() {
        let u = distances(&[[NONE, 2e6, 0.4], [1600.0, 4e6, NONE]]);
        close(&u.distances, &[1.25f64.sqrt(), 1.0]);
        assert_eq!(u.shifted, [false; 3]);
    }

    #[test]
    fn a_diverged_slope_ranks_below_every_finite_one() {
        // Coordinates 1, −.5 and, below the lowest, −1.5.
        let u = distances(&[[0.4], [-0.2], [NONE]]);
        close(&u.distances, &[0.0, 1.5, 2.5]);
        // All finite ones negative, so shifted: 1, 0, −1. That a value is 0 makes no difference.
        for top in [-0.1, 0.0] {
            let u = distances(&[[top], [-0.5], [NONE]]);
            close(&u.distances, &[0.0, 1.0, 2.0]);
            assert_eq!(u.shifted, [true]);
        }
    }

    #[test]
    fn columns_without_a_positive_maximum_are_shifted() {
        let u = distances(&[[10.0, -4.0, 1.0], [5.0, -2.0, 1.0], [10.0, -3.0, 1.0]]);
        close(&u.distances, &[1.0, 0.5, 0.5]);
        assert_eq!(u.shifted, [false, true, false]);
    }

    #[test]
    fn dead_cells_one_cell_equal_cells_and_none() {
        close(&distances(&[[NONE; 3]; 4]).distances, &[3f64.sqrt(); 4]);
        close(&distances(&[[NONE, 0.0, NONE]]).distances, &[2f64.sqrt()]);
        close(&distances(&[[1500.0, 3e6, 0.2]]).distances, &[0.0]);
        let negative = distances(&[[-3.0, 0.0, -0.1]; 2]);
        close(&negative.distances, &[0.0; 2]);
        assert_eq!(negative.shifted, [true; 3]);
        assert_eq!(distances::<3>(&[]).distances, Vec::<f64>::new());
        assert!(distances(&[[f64::NAN, 1.0], [f64::INFINITY, 1.0]]).distances.iter().all(|d| *d == 1.0));
    }

    proptest! {
        #[test]
        fn distances_order_like_their_column_and_are_never_nan(
            values in prop::collection::vec(prop_oneof![4 => any::<f64>(), 1 => Just(NONE), 4 => -1.0..1.0f64], 0..20)
        ) {
            let rows: Vec<[f64; 1]> = values.iter().map(|v| [*v]).collect();
            let u = distances(&rows);
            prop_assert!(u.distances.iter().all(|d| !d.is_nan()));
            let exists = |v: f64| if v.is_finite() { v } else { NONE };
            for (a, da) in values.iter().zip(&u.distances) {
                for (b, db) in values.iter().zip(&u.distances) {
                    prop_assert!(exists(*a) < exists(*b) || da <= db, "{a} at {da}, {b} at {db}");
                }
            }
        }
    }
}
