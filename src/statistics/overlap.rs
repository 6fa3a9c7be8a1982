//! How many of the best cells are among the best by score.

use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// How many cells count as the best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Top {
    /// So many.
    Count(usize),
    /// So many of a hundred.
    Percent(f64),
}

impl Top {
    /// The sizes of the issue at hand: 10, 100, and one of a hundred.
    pub const DEFAULT: [Top; 3] = [Top::Count(10), Top::Count(100), Top::Percent(1.0)];

    /// How many of `n` cells: at least 1; a percentage is rounded to the nearest whole number.
    pub fn of(self, n: usize) -> usize {
        match self {
            Top::Count(count) => count.max(1),
            Top::Percent(percent) => ((n as f64 * percent / 100.0).round() as usize).max(1),
        }
    }
}

impl fmt::Display for Top {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Top::Count(count) => write!(f, "{count}"),
            Top::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl FromStr for Top {
    type Err = Error;

    /// `10`, or `1%`.
    fn from_str(text: &str) -> Result<Top> {
        let read = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse().ok().filter(|p| *p > 0.0 && *p <= 100.0).map(Top::Percent),
            None => text.parse().ok().filter(|count| *count > 0).map(Top::Count),
        };
        read.ok_or_else(|| {
            let expected = "a whole number of at least 1, or a percentage of the cells such as 1%";
            Error::options("A number of best cells", expected, format!("{text:?}"), "Give for example 10,100,1%.")
        })
    }
}

/// The part of the k best by y that is among the k best by x, from 0 to 1. Larger values are better. Where more values tie for the
/// last places than there are places, each has the same part of a place: the overlap is then what drawing lots for the places
/// in x and in y gives on average. `None` if k is 0 or more than there are values, for unequal lengths, or a NaN.
///
/// ```
/// use etnas::statistics::overlap;
/// // The best two by y are the first two; by x the first, and the second or the third.
/// assert_eq!(overlap(&[3.0, 2.0, 2.0, 0.0], &[9.0, 8.0, 7.0, 6.0], 2), Some(0.75));
/// ```
pub fn overlap(x: &[f64], y: &[f64], k: usize) -> Option<f64> {
    if k == 0 || k > x.len() || x.len() != y.len() {
        return None;
    }
    let (x, y) = (places(x, k)?, places(y, k)?);
    Some(x.iter().zip(&y).map(|(a, b)| a * b).sum::<f64>() / k as f64)
}

/// The part of one of `k` places that each value has; `k` from 1 to their number.
fn places(values: &[f64], k: usize) -> Option<Vec<f64>> {
    if values.iter().any(|v| v.is_nan()) {
        return None;
    }
    let mut sorted = values.to_vec();
    let (_, last, _) = sorted.select_nth_unstable_by(k - 1, |a, b| (b + 0.0).total_cmp(&(a + 0.0)));
    let last = *last;
    let above = values.iter().filter(|v| **v > last).count();
    let tied = values.iter().filter(|v| **v == last).count();
    let part = (k - above) as f64 / tied as f64;
    Some(
        values
            .iter()
            .map(|&v| {
                if v > last {
                    1.0
                } else if v == last {
                    part
                } else {
                    0.0
                }
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_the_last_places() {
        let y = [5.0, 4.0, 3.0, 2.0, 1.0];
        assert_eq!(overlap(&y, &y, 3), Some(1.0));
        assert_eq!(overlap(&[1.0, 2.0, 3.0, 4.0, 5.0], &y, 2), Some(0.0));
        assert_eq!(overlap(&[1.0, 2.0, 3.0, 4.0, 5.0], &y, 5), Some(1.0));
        // All tied: every cell has 2/5 of a place.
        assert!((overlap(&[f64::NEG_INFINITY; 5], &y, 2).unwrap() - 0.4).abs() < 1e-15);
        // Ties above the boundary cost nothing.
        assert_eq!(overlap(&[7.0, 7.0, 1.0, 0.0, 0.0], &y, 3), Some(1.0));
        // Both sides tied: the first in full, two of half a place each in x and y: (1 + ½·½ + ½·½) / 2.
        assert_eq!(overlap(&[3.0, 1.0, 1.0, 0.0], &[3.0, 1.0, 1.0, 0.0], 2), Some(0.75));
        for (x, k) in [(&y[..], 0), (&y[..], 6), (&y[..4], 2), (&[f64::NAN; 5][..], 2)] {
            assert_eq!(overlap(x, &y, k), None);
        }
    }

    #[test]
    fn sizes_are_read_and_rounded() {
        let read = |text: &str| text.parse::<Top>().ok();
        assert_eq!(
            (read("10"), read("1%"), read("0.5%")),
            (Some(Top::Count(10)), Some(Top::Percent(1.0)), Some(Top::Percent(0.5)))
        );
        for wrong in ["0", "-1", "0%", "101%", "NaN%", "", "%", "ten", "1.5"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!([15_625, 6_466, 3].map(|n| Top::Percent(1.0).of(n)), [156, 65, 1]);
        assert_eq!((Top::Percent(0.5).to_string(), Top::Count(3).to_string()), ("0.5%".into(), "3".into()));
    }
}
