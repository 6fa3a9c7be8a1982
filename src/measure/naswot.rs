//! naswot (Mellor, Turner, Storkey, Crowley: Neural Architecture Search without Training): ln|det K_H|.
//!
//! `K_H[i][j]` = N_A − (bits in which the ReLU codes of images i and j differ), an exact integer matrix. Larger is better; a
//! singular K_H scores −∞. Cost of this last step for 128 images: 0.7 M multiplications in f64 and as many modulo a prime.

use crate::backend::{Hamming, HammingKernel};
use nalgebra::DMatrix;

/// The Mersenne prime 2⁶¹ − 1.
const PRIME: u64 = (1 << 61) - 1;

/// naswot of a Hamming kernel: −∞ exactly when it is singular, else finite and not negative.
///
/// Singularity is decided by exact arithmetic, not by the size of a pivot: a determinant that is not 0 modulo a prime is
/// not 0, and a non-zero determinant of 128 rows has at most 41 prime factors of 61 bits. A non-singular integer matrix
/// has |det| ≥ 1, so rounding cannot make the logarithm negative.
pub fn score(hamming: &Hamming) -> f64 {
    let n = hamming.count;
    let kernel = |i: usize, j: usize| hamming.bits.saturating_sub(hamming.distance[i * n + j]);
    if hamming.distance.len() != n * n || singular(n, kernel) {
        return f64::NEG_INFINITY;
    }
    let factors = DMatrix::from_fn(n, n, |i, j| kernel(i, j) as f64).lu();
    let log_det: f64 = factors.u().diagonal().iter().map(|pivot| pivot.abs().ln()).sum();
    log_det.max(0.0)
}

/// naswot of a Hamming kernel or of its determinant.
pub fn score_of(kernel: &HammingKernel) -> f64 {
    match kernel {
        HammingKernel::Distances(hamming) => score(hamming),
        HammingKernel::LogDeterminant(log_det) => log_det.max(0.0),
    }
}

/// Whether the determinant is 0 modulo [`PRIME`], by Gaussian elimination.
fn singular(n: usize, kernel: impl Fn(usize, usize) -> u64) -> bool {
    let mut rows: Vec<Vec<u64>> = (0..n).map(|i| (0..n).map(|j| kernel(i, j) % PRIME).collect()).collect();
    for k in 0..n {
        let Some(pivot) = (k..n).find(|&i| rows[i][k] != 0) else { return true };
        rows.swap(k, pivot);
        let (done, rest) = rows.split_at_mut(k + 1);
        let pivot = &done[k][k..];
        let inverse = power(pivot[0], PRIME - 2);
        for row in rest.iter_mut().map(|row| &mut row[k..]).filter(|row| row[0] != 0) {
            let factor = PRIME - times(row[0], inverse);
            for (x, p) in row.iter_mut().zip(pivot) {
                *x = reduce(u128::from(factor) * u128::from(*p) + u128::from(*x));
            }
        }
    }
    false
}

/// x modulo 2⁶¹ − 1, for x below 2¹²³.
fn reduce(x: u128) -> u64 {
    let folded = (x as u64 & PRIME) + (x >> 61) as u64;
    let folded = (folded & PRIME) + (folded >> 61);
    if folded >= PRIME {
        folded - PRIME
    } else {
        folded
    }
}

fn times(a: u64, b: u64) -> u64 {
    reduce(u128::from(a) * u128::from(b))
}

fn power(mut base: u64, mut exponent: u64) -> u64 {
    let mut result = 1;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = times(result, base);
        }
        base = times(base, base);
        exponent >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    fn hamming(bits: u64, codes: &[Vec<u8>]) -> Hamming {
        let count = codes.len();
        let differ = |a: &[u8], b: &[u8]| a.iter().zip(b).filter(|(x, y)| x != y).count() as u64;
        let distance = codes.iter().flat_map(|a| codes.iter().map(|b| differ(a, b))).collect();
        Hamming { count, bits, distance }
    }

    #[test]
    fn two_images_by_hand() {
        // K = [[4, 1], [1, 4]]: det 15.
        let score = score(&hamming(4, &[vec![0, 0, 1, 1], vec![1, 1, 0, 1]]));
        assert!((score - 15f64.ln()).abs() < 1e-15, "{score}");
    }

    #[test]
    fn equal_images_are_singular_and_near_ones_are_not() {
        let mut stream = Stream::new(4, &[]);
        let mut codes: Vec<Vec<u8>> = (0..128).map(|_| (0..4096).map(|_| stream.below(2) as u8).collect()).collect();
        assert!(score(&hamming(4096, &codes)).is_finite());
        codes[77] = codes[3].clone();
        assert_eq!(score(&hamming(4096, &codes)), f64::NEG_INFINITY);
        codes[77][9] ^= 1;
        let near = score(&hamming(4096, &codes));
        assert!(near.is_finite() && near > 0.0, "{near}");
    }

    #[test]
    fn rank_one_and_empty_kernels() {
        assert_eq!(score(&hamming(9, &vec![vec![1, 0, 1]; 128])), f64::NEG_INFINITY);
        assert_eq!(score(&Hamming { count: 2, bits: 0, distance: vec![0; 4] }), f64::NEG_INFINITY);
        assert_eq!(score(&Hamming { count: 1, bits: 8, distance: vec![0] }), 8f64.ln());
    }

    #[test]
    fn log_determinant_of_random_kernels_agrees_with_exact_arithmetic() {
        // Bareiss elimination in i128: exact for these sizes.
        let mut stream = Stream::new(5, &[]);
        for n in 2..9 {
            let codes: Vec<Vec<u8>> = (0..n).map(|_| (0..64).map(|_| stream.below(2) as u8).collect()).collect();
            let h = hamming(64, &codes);
            let mut m: Vec<Vec<i128>> =
                (0..n).map(|i| (0..n).map(|j| i128::from(64 - h.distance[i * n + j])).collect()).collect();
            let mut previous = 1;
            for k in 0..n - 1 {
                for i in k + 1..n {
                    for j in k + 1..n {
                        m[i][j] = (m[i][j] * m[k][k] - m[i][k] * m[k][j]) / previous;
                    }
                }
                previous = m[k][k];
            }
            let exact = (m[n - 1][n - 1] as f64).abs().ln();
            assert!((score(&h) - exact).abs() < 1e-12 * exact.max(1.0), "{n}");
        }
    }
}
