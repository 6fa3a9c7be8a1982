//! Ranks with ties.

/// Average ranks: 1 is the smallest value, equal values share the mean of the places that they take (Spearman's rule).
/// `None` if a value is NaN. −∞ and +∞ are values like others; −0 equals 0.
///
/// ```
/// use etnas::statistics::average_ranks;
/// assert_eq!(average_ranks(&[0.3, f64::NEG_INFINITY, 0.3, 7.0]), Some(vec![2.5, 1.0, 2.5, 4.0]));
/// ```
pub fn average_ranks(values: &[f64]) -> Option<Vec<f64>> {
    let dense = Dense::of(values)?;
    let mut counts = vec![0usize; dense.distinct];
    dense.of_each.iter().for_each(|&rank| counts[rank as usize] += 1);
    let mut before = 0;
    let averages: Vec<f64> = counts
        .into_iter()
        .map(|count| {
            let average = before as f64 + (count + 1) as f64 / 2.0;
            before += count;
            average
        })
        .collect();
    Some(dense.of_each.iter().map(|&rank| averages[rank as usize]).collect())
}

/// Ranks by promise: 1 is the largest value, equal values share the better rank, so that a rank is one more than the number
/// of strictly better values. RANK and the sums of ranks count so (SPEC section 6). `None` if a value is NaN.
///
/// ```
/// use etnas::statistics::ranks_from_best;
/// assert_eq!(ranks_from_best(&[0.3, f64::NEG_INFINITY, 0.3, 7.0]), Some(vec![2, 4, 2, 1]));
/// ```
pub fn ranks_from_best(values: &[f64]) -> Option<Vec<usize>> {
    let dense = Dense::of(values)?;
    let mut better = vec![0usize; dense.distinct + 1];
    dense.of_each.iter().for_each(|&rank| better[rank as usize] += 1);
    // From counts to how many are at this rank or above.
    for rank in (0..dense.distinct).rev() {
        better[rank] += better[rank + 1];
    }
    Some(dense.of_each.iter().map(|&rank| 1 + better[rank as usize + 1]).collect())
}

/// Values by their place among the distinct ones, from 0 for the smallest.
pub(super) struct Dense {
    /// The place of each value.
    pub of_each: Vec<u32>,
    /// How many distinct values there are.
    pub distinct: usize,
}

impl Dense {
    /// `None` if a value is NaN, or if there are 2³¹ of them or more.
    pub fn of(values: &[f64]) -> Option<Dense> {
        let n = u32::try_from(values.len()).ok().filter(|n| *n < 1 << 31)?;
        if values.iter().any(|v| v.is_nan()) {
            return None;
        }
        let mut order: Vec<u32> = (0..n).collect();
        // Adding 0 turns −0 into 0.
        let key = |i: u32| values[i as usize] + 0.0;
        order.sort_unstable_by(|&a, &b| key(a).total_cmp(&key(b)));
        let mut of_each = vec![0; values.len()];
        let mut rank = 0;
        for (k, &i) in order.iter().enumerate() {
            if k > 0 && key(order[k - 1]) < key(i) {
                rank += 1;
            }
            of_each[i as usize] = rank;
        }
        Some(Dense { of_each, distinct: if n == 0 { 0 } else { rank as usize + 1 } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_infinities_zeros_and_nan() {
        let values = [2.0, f64::NEG_INFINITY, -0.0, f64::INFINITY, 0.0, 2.0, f64::NEG_INFINITY, 2.0];
        assert_eq!(average_ranks(&values).unwrap(), [6.0, 1.5, 3.5, 8.0, 3.5, 6.0, 1.5, 6.0]);
        assert_eq!(ranks_from_best(&values).unwrap(), [2, 7, 5, 1, 5, 2, 7, 2]);
        assert_eq!(average_ranks(&[]), Some(vec![]));
        assert_eq!(ranks_from_best(&[]), Some(vec![]));
        assert_eq!(average_ranks(&[5.0]), Some(vec![1.0]));
        assert_eq!((average_ranks(&[f64::NAN]), ranks_from_best(&[1.0, f64::NAN])), (None, None));
    }
}
