//! Kendall's τ-b and Spearman's ρ of two columns, exact in their ties, also of resamples.
//!
//! Counts and sums are whole numbers; only the last division and root round. Cost: O(n log n) to sort once, then O(n log n)
//! for τ-b (Knight's count of discordant pairs, here by a Fenwick tree over the ranks of y) and O(n) for ρ.
//!
//! τ-b = (C − D) / √((n₀ − n₁)(n₀ − n₂)), n₀ = n(n−1)/2 pairs, n₁ and n₂ those tied in x and in y, C and D those ordered alike
//! and oppositely. ρ is Pearson's correlation of the average ranks.

use super::ranks::Dense;

/// Kendall's τ-b of two columns. `None` where it does not exist: fewer than two values, all values of a side equal, columns of
/// unequal length, or a NaN. −∞ and +∞ are values like others.
///
/// ```
/// use etnas::statistics::kendall_tau_b;
/// // 4 pairs ordered alike, 1 oppositely, 1 tied in x: 3 / √(5·6).
/// let tau = kendall_tau_b(&[1.0, 1.0, 2.0, 3.0], &[1.0, 2.0, 4.0, 3.0]);
/// assert_eq!(tau, Some(3.0 / 30f64.sqrt()));
/// ```
pub fn kendall_tau_b(x: &[f64], y: &[f64]) -> Option<f64> {
    Paired::new(x, y)?.coefficients().tau
}

/// Spearman's ρ of two columns, equal values sharing their average rank. `None` where [`kendall_tau_b`] is.
///
/// ```
/// use etnas::statistics::spearman_rho;
/// assert_eq!(spearman_rho(&[1.0, 2.0, 3.0], &[f64::NEG_INFINITY, 5.0, 9.0]), Some(1.0));
/// ```
pub fn spearman_rho(x: &[f64], y: &[f64]) -> Option<f64> {
    Paired::new(x, y)?.coefficients().rho
}

/// Both coefficients; each `None` where it does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Coefficients {
    /// Kendall's τ-b.
    pub tau: Option<f64>,
    /// Spearman's ρ.
    pub rho: Option<f64>,
}

/// Two columns, sorted once, for coefficients of them and of any resample of them.
pub struct Paired {
    /// The values in the order of x, then y.
    sorted: Vec<Value>,
    /// How many distinct values y has.
    distinct: usize,
}

struct Value {
    /// Its place in the columns.
    place: u32,
    /// Its rank among the distinct values of x, from 0.
    x: u32,
    /// Its rank among the distinct values of y, from 0.
    y: u32,
}

/// Room for one resample after the other.
#[derive(Default)]
pub(super) struct Scratch {
    tree: Vec<u32>,
    /// By rank of y: how many are equal to it, then twice their average rank, less n + 1.
    of_y: Vec<i64>,
}

impl Paired {
    /// `None` for columns of unequal length, of 2³¹ values or more, or with a NaN.
    pub fn new(x: &[f64], y: &[f64]) -> Option<Paired> {
        if x.len() != y.len() {
            return None;
        }
        let (x, y) = (Dense::of(x)?, Dense::of(y)?);
        let each = x.of_each.iter().zip(&y.of_each).enumerate();
        let mut sorted: Vec<Value> = each.map(|(i, (&x, &y))| Value { place: i as u32, x, y }).collect();
        sorted.sort_unstable_by_key(|v| (v.x, v.y));
        Some(Paired { sorted, distinct: y.distinct })
    }

    /// How many pairs of values there are.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// There is no value.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// The coefficients of the columns.
    pub fn coefficients(&self) -> Coefficients {
        self.weighted(&vec![1; self.len()], &mut Scratch::default())
    }

    /// The coefficients of the columns in which value i stands `weights[i]` times; the weights add up to less than 2³¹.
    pub(super) fn weighted(&self, weights: &[u32], scratch: &mut Scratch) -> Coefficients {
        let Scratch { tree, of_y } = scratch;
        tree.clear();
        tree.resize(self.distinct + 1, 0);
        of_y.clear();
        of_y.resize(self.distinct, 0);
        let weight = |value: &Value| weights[value.place as usize];
        self.sorted.iter().for_each(|value| of_y[value.y as usize] += i64::from(weight(value)));
        let n: i64 = of_y.iter().sum();
        let tied_y: u64 = of_y.iter().map(|&count| pairs(count as u64)).sum();
        let square_y = centre(of_y, n);

        let (mut tied_x, mut tied_both, mut discordant) = (0u64, 0u64, 0u64);
        let (mut square_x, mut product) = (0i128, 0i128);
        let mut before = 0u32;
        for group in self.sorted.chunk_by(|a, b| a.x == b.x) {
            let mut count = 0u32;
            let mut sum_y = 0i64;
            for equal in group.chunk_by(|a, b| a.y == b.y) {
                let together: u32 = equal.iter().map(weight).sum();
                if let (Some(value), true) = (equal.first(), together > 0) {
                    let below = prefix(tree, value.y);
                    discordant += u64::from(together) * u64::from(before - below);
                    tied_both += pairs(together.into());
                    sum_y += i64::from(together) * of_y[value.y as usize];
                    count += together;
                }
            }
            if count > 0 {
                for value in group {
                    add(tree, value.y, weight(value));
                }
                let x = 2 * i64::from(before) + i64::from(count) - n;
                square_x += i128::from(count) * i128::from(x * x);
                product += i128::from(x) * i128::from(sum_y);
                tied_x += pairs(count.into());
                before += count;
            }
        }
        let all = pairs(n as u64);
        let (different_x, different_y) = (all - tied_x, all - tied_y);
        // C + D + tied in x or y = all, so C − D follows from D.
        let alike = (all + tied_both) as i64 - (tied_x + tied_y) as i64 - 2 * discordant as i64;
        Coefficients {
            tau: quotient(alike as f64, different_x as f64, different_y as f64),
            rho: quotient(product as f64, square_x as f64, square_y as f64),
        }
    }
}

/// From counts to twice the average rank less n + 1, a whole number; the sum of its squares over all values.
fn centre(counts: &mut [i64], n: i64) -> i128 {
    let (mut before, mut squares) = (0, 0);
    for slot in counts {
        let count = *slot;
        let centred = 2 * before + count - n;
        squares += i128::from(count) * i128::from(centred * centred);
        before += count;
        *slot = centred;
    }
    squares
}

/// a / √(b·c), between −1 and 1; `None` if b or c is 0.
fn quotient(a: f64, b: f64, c: f64) -> Option<f64> {
    (b > 0.0 && c > 0.0).then(|| (a / (b * c).sqrt()).clamp(-1.0, 1.0))
}

/// Pairs among `count` values.
fn pairs(count: u64) -> u64 {
    count * count.saturating_sub(1) / 2
}

/// How many values of rank at most `rank` the Fenwick tree holds.
fn prefix(tree: &[u32], rank: u32) -> u32 {
    let (mut i, mut sum) = (rank as usize + 1, 0);
    while i > 0 {
        sum += tree[i];
        i &= i - 1;
    }
    sum
}

fn add(tree: &mut [u32], rank: u32, weight: u32) {
    if weight == 0 {
        return;
    }
    let mut i = rank as usize + 1;
    while i < tree.len() {
        tree[i] += weight;
        i += i & i.wrapping_neg();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// τ-b by looking at every pair; ρ by Pearson's formula on average ranks.
    fn naive(x: &[f64], y: &[f64]) -> Coefficients {
        let (mut alike, mut differ_x, mut differ_y) = (0i64, 0i64, 0i64);
        for i in 0..x.len() {
            for j in 0..i {
                let sign = |a: f64, b: f64| if a < b { -1 } else { i64::from(a > b) };
                let (sx, sy) = (sign(x[i], x[j]), sign(y[i], y[j]));
                alike += sx * sy;
                differ_x += sx.abs();
                differ_y += sy.abs();
            }
        }
        let exists = differ_x > 0 && differ_y > 0;
        let tau = exists.then(|| alike as f64 / (differ_x as f64 * differ_y as f64).sqrt());
        let (rx, ry) = (super::super::average_ranks(x).unwrap(), super::super::average_ranks(y).unwrap());
        let mean = (x.len() as f64 + 1.0) / 2.0;
        let covariance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
        let rho = exists.then(|| covariance(&rx, &ry) / (covariance(&rx, &rx) * covariance(&ry, &ry)).sqrt());
        Coefficients { tau, rho }
    }

    fn close(a: Option<f64>, b: Option<f64>) -> bool {
        match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-13,
            (a, b) => a.is_none() && b.is_none(),
        }
    }

    /// Values with many ties, and infinities.
    fn values() -> impl Strategy<Value = f64> {
        prop_oneof![
            6 => (-4..4i32).prop_map(f64::from),
            2 => -1.0..1.0f64,
            1 => Just(f64::NEG_INFINITY),
            1 => Just(f64::INFINITY),
        ]
    }

    proptest! {
        #[test]
        fn every_pair_counts_once(list in prop::collection::vec((values(), values()), 0..60)) {
            let (x, y): (Vec<f64>, Vec<f64>) = list.into_iter().unzip();
            let (fast, slow) = (Paired::new(&x, &y).unwrap().coefficients(), naive(&x, &y));
            prop_assert!(close(fast.tau, slow.tau) && close(fast.rho, slow.rho), "{fast:?} {slow:?}");
            let swapped = Paired::new(&y, &x).unwrap().coefficients();
            prop_assert_eq!(swapped, fast);
        }

        #[test]
        fn weights_are_repetitions(list in prop::collection::vec((values(), values(), 0..4u32), 0..40)) {
            let (mut x, mut y, mut weights) = (vec![], vec![], vec![]);
            let (mut long_x, mut long_y) = (vec![], vec![]);
            for (a, b, weight) in list {
                x.push(a);
                y.push(b);
                weights.push(weight);
                long_x.extend(std::iter::repeat_n(a, weight as usize));
                long_y.extend(std::iter::repeat_n(b, weight as usize));
            }
            let weighted = Paired::new(&x, &y).unwrap().weighted(&weights, &mut Scratch::default());
            prop_assert_eq!(weighted, Paired::new(&long_x, &long_y).unwrap().coefficients());
        }
    }

    #[test]
    fn what_does_not_exist() {
        let none = Coefficients::default();
        for (x, y) in [(&[][..], &[][..]), (&[1.0], &[2.0]), (&[1.0, 1.0], &[1.0, 2.0]), (&[1.0, 2.0], &[3.0, 3.0])] {
            assert_eq!(Paired::new(x, y).unwrap().coefficients(), none);
        }
        assert!(Paired::new(&[1.0, f64::NAN], &[1.0, 2.0]).is_none());
        assert!(Paired::new(&[1.0, 2.0], &[f64::NAN, 2.0]).is_none());
        assert!(Paired::new(&[1.0], &[1.0, 2.0]).is_none());
    }

    #[test]
    fn two_values_agree_or_not() {
        let both = |c: f64| Coefficients { tau: Some(c), rho: Some(c) };
        assert_eq!(Paired::new(&[1.0, 2.0], &[5.0, 7.0]).unwrap().coefficients(), both(1.0));
        assert_eq!(Paired::new(&[1.0, 2.0], &[5.0, f64::NEG_INFINITY]).unwrap().coefficients(), both(-1.0));
    }
}
