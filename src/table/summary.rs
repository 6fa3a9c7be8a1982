//! Mean and deviation of accuracies of which some may not be known.

use serde::Serialize;

/// Mean and standard deviation over the runs that have an accuracy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// The mean; `None` if no run has an accuracy.
    pub mean: Option<f64>,
    /// The standard deviation (n−1); `None` for fewer than two.
    pub std: Option<f64>,
    /// Runs that have an accuracy.
    pub n: usize,
    /// Runs that have none.
    pub missing: usize,
}

impl Summary {
    /// The summary of a list of accuracies.
    pub fn of(accuracies: impl IntoIterator<Item = Option<f64>>) -> Summary {
        let (mut known, mut missing) = (Vec::new(), 0);
        for accuracy in accuracies {
            match accuracy {
                Some(value) => known.push(value),
                None => missing += 1,
            }
        }
        let n = known.len();
        let mean = (n > 0).then(|| known.iter().sum::<f64>() / n as f64);
        let std = mean.filter(|_| n > 1).map(|mean| {
            let squares: f64 = known.iter().map(|v| (v - mean).powi(2)).sum();
            (squares / (n - 1) as f64).sqrt()
        });
        Summary { mean, std, n, missing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_runs_alone_count() {
        let s = Summary::of([Some(94.0), None, Some(95.0), Some(93.0)]);
        assert_eq!(s, Summary { mean: Some(94.0), std: Some(1.0), n: 3, missing: 1 });
        assert_eq!(Summary::of([Some(90.0)]), Summary { mean: Some(90.0), std: None, n: 1, missing: 0 });
        assert_eq!(Summary::of([None, None]), Summary { mean: None, std: None, n: 0, missing: 2 });
        assert_eq!(Summary::of([]), Summary::default());
    }
}
