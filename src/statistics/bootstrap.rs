//! Percentile intervals by the bootstrap (Efron 1979): how far a coefficient depends on which cells happened to be there.
//!
//! A resample draws n cells with replacement, which gives each a whole weight; the coefficients of weighted columns need no new
//! sort. Resample b of n cells draws from the stream of (seed, b) alone: the same for every column, so that intervals of two
//! measures over the same cells may be compared, and for every number of threads. Cost: O(n log n) a resample.

use super::paired::{Paired, Scratch};
use crate::random::{derive, Stream};
use rayon::prelude::*;

/// The resamples that are drawn where nothing else is asked for.
pub const RESAMPLES: usize = 1000;

/// What part of the resamples' coefficients an interval holds, an equal part being left out below and above.
pub const LEVEL: f64 = 0.95;

/// The least part of resamples that must have a coefficient (those of one value alone have none) for an interval to be given.
const LEAST: f64 = 0.95;

/// Bounds of a coefficient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The 2.5 % point.
    pub low: f64,
    /// The 97.5 % point.
    pub high: f64,
}

/// Intervals of both coefficients; `None` where more than a twentieth of the resamples have no coefficient.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Intervals {
    /// Of Kendall's τ-b.
    pub tau: Option<Interval>,
    /// Of Spearman's ρ.
    pub rho: Option<Interval>,
}

impl Paired {
    /// The percentile intervals over so many resamples.
    pub fn bootstrap(&self, resamples: usize, seed: u64) -> Intervals {
        let n = self.len();
        if n == 0 || resamples == 0 {
            return Intervals::default();
        }
        let seed = derive(seed, "bootstrap");
        let room = || (vec![0u32; n], Scratch::default());
        let (taus, rhos): (Vec<_>, Vec<_>) = (0..resamples)
            .into_par_iter()
            .map_init(room, |(weights, scratch), b| {
                let mut stream = Stream::new(seed, &[b as u64]);
                weights.fill(0);
                (0..n).for_each(|_| weights[stream.below(n)] += 1);
                let drawn = self.weighted(weights, scratch);
                (drawn.tau, drawn.rho)
            })
            .unzip();
        Intervals { tau: interval(taus), rho: interval(rhos) }
    }
}

fn interval(drawn: Vec<Option<f64>>) -> Option<Interval> {
    let asked = drawn.len();
    let mut values: Vec<f64> = drawn.into_iter().flatten().collect();
    if values.is_empty() || (values.len() as f64) < LEAST * asked as f64 {
        return None;
    }
    values.sort_unstable_by(f64::total_cmp);
    let outside = (1.0 - LEVEL) / 2.0;
    Some(Interval { low: quantile(&values, outside), high: quantile(&values, 1.0 - outside) })
}

/// A quantile of sorted values, linear between the two nearest (Hyndman and Fan's type 7, as NumPy's default).
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let at = part * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_their_neighbours() {
        let values: Vec<f64> = (0..=100).map(f64::from).collect();
        assert!((quantile(&values, 0.025) - 2.5).abs() < 1e-12);
        assert!((quantile(&values, 0.975) - 97.5).abs() < 1e-12);
        assert_eq!(quantile(&[3.0], 0.025), 3.0);
    }

    #[test]
    fn an_interval_needs_coefficients() {
        let drawn = |some: usize| (0..100).map(|i| (i < some).then_some(0.5)).collect::<Vec<_>>();
        assert_eq!(interval(drawn(95)), Some(Interval { low: 0.5, high: 0.5 }));
        assert_eq!(interval(drawn(94)), None);
        assert_eq!(interval(vec![]), None);
        // Two values: half of the resamples have one of them only.
        assert_eq!(Paired::new(&[1.0, 2.0], &[1.0, 2.0]).unwrap().bootstrap(100, 0), Intervals::default());
    }

    #[test]
    fn threads_change_nothing_and_seeds_do() {
        let mut stream = Stream::new(5, &[]);
        let x: Vec<f64> = (0..300).map(|_| stream.unit()).collect();
        let y: Vec<f64> = x.iter().map(|x| x + stream.unit()).collect();
        let paired = Paired::new(&x, &y).unwrap();
        let with = |threads: usize, seed: u64| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| paired.bootstrap(200, seed))
        };
        assert_eq!(with(1, 3), with(3, 3));
        assert_ne!(with(1, 3), with(1, 4));
    }

    #[test]
    fn nineteen_intervals_of_twenty_hold_the_truth() {
        // x and y share half of their variance: Pearson's r = .5, so τ = 2/π·asin r = 1/3 of the normal distribution.
        let mut held = 0;
        for trial in 0..200 {
            let mut stream = Stream::new(9, &[trial]);
            let (mut x, mut y) = (vec![], vec![]);
            for _ in 0..150 {
                let ([common, a], [b, _]) = (stream.normals(), stream.normals());
                x.push(common + a);
                y.push(common + b);
            }
            let tau = Paired::new(&x, &y).unwrap().bootstrap(200, trial).tau.unwrap();
            held += usize::from(tau.low <= 1.0 / 3.0 && 1.0 / 3.0 <= tau.high);
        }
        assert!((180..=198).contains(&held), "{held} of 200");
    }
}
