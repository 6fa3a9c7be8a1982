//! Common bits of codes, the kernel matrix made of them, and its log-determinant, against plain loops.

#[path = "common/jobs.rs"]
#[allow(dead_code)]
mod jobs;
#[path = "common/random.rs"]
mod random;

use etnas_emulator::{Argument, Build, Card, Memory, Order};
use jobs::{CodeJob, DeterminantJob, MatrixJob, Segment};
use random::Random;

/// The codes of a cell: segments of (words, multiplicity), each behind a gap that belongs to none.
struct Codes {
    images: usize,
    stride: usize,
    segments: Vec<Segment>,
    words: Vec<u32>,
}

impl Codes {
    fn new(images: usize, segments: &[(i32, i32)], mut word: impl FnMut(usize) -> u32) -> Codes {
        let mut at = 0;
        let place = |&(words, multiplicity): &(i32, i32)| {
            let first = at + 4;
            at = first + words;
            Segment { first, words, multiplicity, padding: 0 }
        };
        let segments: Vec<Segment> = segments.iter().map(place).collect();
        let stride = at as usize + 8;
        let words = (0..images * stride).map(|i| word(i / stride)).collect();
        Codes { images, stride, segments, words }
    }

    fn random(images: usize, segments: &[(i32, i32)], random: &mut Random) -> Codes {
        Codes::new(images, segments, |_| (random.next() & random.next()) as u32)
    }

    fn bits(&self) -> u64 {
        self.segments.iter().map(|s| s.words as u64 * 32 * s.multiplicity as u64).sum()
    }

    fn sum(&self, i: usize, j: usize, of: impl Fn(u32, u32) -> u32) -> i64 {
        let word = |image: usize, k: i32| self.words[image * self.stride + k as usize];
        let in_segment = |s: &Segment| {
            let bits: u32 = (s.first..s.first + s.words).map(|k| of(word(i, k), word(j, k)).count_ones()).sum();
            i64::from(bits) * i64::from(s.multiplicity)
        };
        self.segments.iter().map(in_segment).sum()
    }

    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let n = self.images;
        (0..n * n).map(move |at| (at / n, at % n))
    }
}

/// 8.0 and 9.0 share their code: both kernels run on the one of them.
fn kernels(capability: u32) -> &'static [&'static str] {
    match capability {
        75 => &["common_bits_popc"],
        80 => &["common_bits_mma"],
        _ => &["common_bits_mma", "common_bits_popc"],
    }
}

/// Counts the bits of several cells in one launch; each cell's matrices of all parts.
fn count(card: &Card, kernel: &str, cells: &[Codes], parts: usize) -> Vec<Memory<i32>> {
    let images = cells[0].images;
    let codes: Vec<Memory<u32>> = cells.iter().map(|cell| card.upload(&cell.words)).collect();
    let common: Vec<Memory<i32>> = cells.iter().map(|_| card.poisoned(parts * images * images)).collect();
    let mut segments = Vec::new();
    let mut jobs = Vec::new();
    for (i, cell) in cells.iter().enumerate() {
        jobs.push(CodeJob {
            codes: codes[i].address(),
            common: common[i].address(),
            stride: cell.stride as i32,
            first: segments.len() as i32,
            count: cell.segments.len() as i32,
            padding: 0,
        });
        segments.extend_from_slice(&cell.segments);
    }
    let (jobs, segments) = (card.upload(&jobs), card.upload(&segments));
    let groups = 2 * images.div_ceil(128) as u32;
    let grid = [groups * (groups - 1) / 2, cells.len() as u32, parts as u32];
    let arguments = [Argument::new(jobs.address()), Argument::new(segments.address()), Argument::new(images as i32)];
    card.launch(kernel, grid, [320, 1, 1], 0, &arguments).unwrap_or_else(|e| panic!("{kernel}, {images} images: {e}"));
    common
}

/// K of cells whose common bits are given.
fn matrices(card: &Card, cells: &[Codes], common: &[Memory<i32>], parts: usize) -> Vec<Memory<f64>> {
    let images = cells[0].images;
    let matrices: Vec<Memory<f64>> = cells.iter().map(|_| card.poisoned(images * images)).collect();
    let job =
        |i: usize| MatrixJob { common: common[i].address(), kernel: matrices[i].address(), bits: cells[i].bits() };
    let jobs = card.upload(&(0..cells.len()).map(job).collect::<Vec<_>>());
    let arguments = [Argument::new(jobs.address()), Argument::new(images as i32), Argument::new(parts as i32)];
    let grid = [images.div_ceil(32) as u32, cells.len() as u32, 1];
    card.launch("kernel_matrix", grid, [256, 1, 1], 0, &arguments).expect("kernel_matrix runs");
    matrices
}

/// Checks both kernels on one card.
fn check(card: &Card, capability: u32, cells: &[Codes], parts: usize) {
    for kernel in kernels(capability) {
        let common = count(card, kernel, cells, parts);
        let of_cards = matrices(card, cells, &common, parts);
        for ((cell, common), matrix) in cells.iter().zip(&common).zip(&of_cards) {
            let (common, matrix) = (card.download(common), card.download(matrix));
            let size = cell.images * cell.images;
            for (at, (i, j)) in cell.pairs().enumerate() {
                let sum: i64 = (0..parts).map(|part| i64::from(common[part * size + at])).sum();
                assert_eq!(sum, cell.sum(i, j, |a, b| a & b), "{kernel} {capability}: common bits of {i} and {j}");
                let k = cell.bits() as i64 - cell.sum(i, j, |a, b| a ^ b);
                assert_eq!(matrix[at], k as f64, "{kernel} {capability}: K of {i} and {j}");
            }
        }
    }
}

#[test]
fn common_bits_of_all_pairs() {
    let mut random = Random::new();
    // Lengths around a chunk of 32 words and a piece of 4, multiplicities that change, repeat and come back.
    let ragged = [(4, 1), (36, 1), (28, 3), (64, 3), (32, 2), (132, 1), (8, 6)];
    for capability in [75, 80, 90] {
        let card = Card::new(capability, Build::Plain, Order::Forward);
        let counts: &[usize] = if capability < 90 { &[2, 3, 17, 64, 65, 127, 128, 129, 130, 200] } else { &[33, 130] };
        for &images in counts {
            let cells = [
                Codes::random(images, &ragged, &mut random),
                Codes::random(images, &[(16, 2)], &mut random),
                Codes::new(images, &ragged, |_| 0),
                Codes::new(images, &ragged, |_| u32::MAX),
            ];
            check(&card, capability, &cells, 1);
        }
        check(&card, capability, &[Codes::random(128, &[(512, 2), (512, 2), (256, 1), (20, 1)], &mut random)], 1);
    }
}

#[test]
fn parts_add_up() {
    let mut random = Random::new();
    for capability in [75, 80] {
        let card = Card::new(capability, Build::Plain, Order::Random(3));
        // Parts that begin within a segment, and more parts than chunks.
        let cells = [
            Codes::random(130, &[(100, 2), (40, 1), (200, 1), (12, 4)], &mut random),
            Codes::random(130, &[(60, 3)], &mut random),
        ];
        for parts in [2, 5, 16] {
            check(&card, capability, &cells, parts);
        }
    }
}

#[test]
fn a_cell_without_codes_has_no_common_bits() {
    for capability in [75, 80] {
        let card = Card::new(capability, Build::Checked, Order::Forward);
        check(&card, capability, &[Codes::new(5, &[], |_| 7)], 2);
    }
}

#[test]
fn threads_do_not_disturb_each_other() {
    let mut random = Random::new();
    for capability in [75, 80, 90] {
        for order in [Order::Forward, Order::Reverse, Order::Random(random.next())] {
            let card = Card::new(capability, Build::Checked, order);
            for images in [3, 40, 70] {
                let segments = [(36, 1), (32, 1), (72, 2), (40, 1)];
                check(&card, capability, &[Codes::random(images, &segments, &mut random)], 1);
            }
            check(&card, capability, &[Codes::random(130, &[(36, 1), (8, 2)], &mut random)], 2);
        }
    }
}

/// ln|det| by elimination with row pivots, and the matrix' smallest pivot beside its largest.
fn plain_log_determinant(n: usize, matrix: &[f64]) -> (f64, f64) {
    let mut rows: Vec<Vec<f64>> = matrix.chunks(n).map(<[f64]>::to_vec).collect();
    let mut pivots = Vec::new();
    for k in 0..n {
        let best = (k..n).max_by(|&a, &b| rows[a][k].abs().total_cmp(&rows[b][k].abs())).expect("a row");
        rows.swap(k, best);
        let (done, rest) = rows.split_at_mut(k + 1);
        let pivot = &done[k];
        pivots.push(pivot[k].abs());
        for row in rest {
            let factor = if pivot[k] == 0.0 { 0.0 } else { row[k] / pivot[k] };
            row.iter_mut().zip(pivot).skip(k).for_each(|(x, p)| *x -= factor * p);
        }
    }
    let most = pivots.iter().copied().fold(0.0, f64::max);
    (pivots.iter().map(|p| p.ln()).sum(), pivots.iter().copied().fold(f64::INFINITY, f64::min) / most)
}

/// ln|det| and the smallest pivot of matrices of one size, by the kernel. Above the diagonal it must read nothing.
fn log_determinants(card: &Card, n: usize, matrices: &[Vec<f64>]) -> Vec<[f64; 2]> {
    let lower = |matrix: &Vec<f64>| -> Vec<f64> {
        matrix.iter().enumerate().map(|(at, x)| if at % n > at / n { f64::NAN } else { *x }).collect()
    };
    let memory: Vec<Memory<f64>> = matrices.iter().map(|matrix| card.upload(&lower(matrix))).collect();
    let results = card.poisoned::<f64>(2 * matrices.len());
    let job = |(i, m): (usize, &Memory<f64>)| DeterminantJob {
        kernel: m.address(),
        result: results.address() + 16 * i as u64,
    };
    let jobs = card.upload(&memory.iter().enumerate().map(job).collect::<Vec<_>>());
    let grid = [1, matrices.len() as u32, 1];
    let arguments = [Argument::new(jobs.address()), Argument::new(n as i32)];
    card.launch("log_determinant", grid, [256, 1, 1], 0, &arguments).unwrap_or_else(|e| panic!("{n}: {e}"));
    card.download(&results).chunks(2).map(|r| [r[0], r[1]]).collect()
}

/// K of random codes: every image has some bits of a common pattern.
fn hamming_kernel(images: usize, random: &mut Random) -> Vec<f64> {
    let pattern: Vec<u32> = (0..64).map(|_| random.next() as u32).collect();
    let mut at = 0;
    let mut codes = Codes::new(images, &[(48, 1), (8, 3)], |_| {
        at += 1;
        pattern[at % 64] ^ (random.next() & random.next()) as u32
    });
    // Two images that differ in one bit.
    let (first, second) = (codes.segments[0].first as usize, codes.stride);
    codes.words.copy_within(0..second, second);
    codes.words[second + first] ^= 1;
    codes.pairs().map(|(i, j)| (codes.bits() as i64 - codes.sum(i, j, |a, b| a ^ b)) as f64).collect()
}

#[test]
fn log_determinants_are_those_of_elimination() {
    let mut random = Random::new();
    for capability in [75, 80, 90] {
        let card = Card::new(capability, Build::Plain, Order::Forward);
        for n in [2, 3, 17, 31, 32, 33, 64, 95, 97, 128, 130, 161, 200] {
            let mut both = vec![hamming_kernel(n, &mut random)];
            // Of diagonals that differ by ten powers of ten.
            let scale: Vec<f64> = (0..n).map(|_| 10f64.powf(5.0 * random.unit())).collect();
            both.push(both[0].iter().enumerate().map(|(at, x)| x * scale[at / n] * scale[at % n]).collect());
            for (matrix, [ours, least]) in both.iter().zip(log_determinants(&card, n, &both)) {
                let (truth, _) = plain_log_determinant(n, matrix);
                assert!((ours / truth - 1.0).abs() < 1e-10, "{capability} {n}: {ours}, {truth}");
                // One bit of some thousand: the second image's pivot.
                assert!(least > 1e-5 && least < 0.01, "{n}: {least}");
            }
        }
    }
    let card = Card::new(90, Build::Plain, Order::Reverse);
    let matrix = hamming_kernel(517, &mut random);
    let truth = plain_log_determinant(517, &matrix).0;
    let ours = log_determinants(&card, 517, &[matrix])[0][0];
    assert!((ours / truth - 1.0).abs() < 1e-10, "{ours}, {truth}");
}

#[test]
fn equal_images_have_a_pivot_of_nothing() {
    let mut random = Random::new();
    let card = Card::new(80, Build::Plain, Order::Forward);
    for n in [2, 17, 70, 128] {
        let mut matrix = hamming_kernel(n, &mut random);
        let (a, b) = (random.below(n), n - 1);
        let a = if a == b { 0 } else { a };
        for i in 0..n {
            matrix[b * n + i] = matrix[a * n + i];
        }
        for i in 0..n {
            matrix[i * n + b] = matrix[i * n + a];
        }
        matrix[b * n + b] = matrix[a * n + a];
        let ones = vec![3.0; n * n];
        let zeros = vec![0.0; n * n];
        let [equal, all_equal, nothing] = log_determinants(&card, n, &[matrix, ones, zeros])[..] else {
            panic!("three results")
        };
        assert!(equal[1].abs() < 1e-12, "{n}: {equal:?}");
        // Here the pivots are exact.
        assert_eq!(all_equal, [f64::NEG_INFINITY, 0.0]);
        assert_eq!(nothing, [f64::NEG_INFINITY, 0.0]);
    }
}

#[test]
fn determinants_in_any_order_of_threads() {
    let mut random = Random::new();
    for n in [5, 33, 100] {
        let matrix = hamming_kernel(n, &mut random);
        let truth = plain_log_determinant(n, &matrix).0;
        let mut seen = Vec::new();
        for capability in [75, 80] {
            for order in [Order::Forward, Order::Reverse, Order::Random(random.next())] {
                let card = Card::new(capability, Build::Checked, order);
                seen.push(log_determinants(&card, n, std::slice::from_ref(&matrix))[0]);
            }
        }
        assert!((seen[0][0] / truth - 1.0).abs() < 1e-10);
        assert!(seen.iter().all(|result| *result == seen[0]), "{n}: {seen:?}");
    }
}
