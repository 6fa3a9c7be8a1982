//! Hamming distances between the codes of all pairs of images.
//!
//! Codes are bits in words, one row of words an image. At batch 128 and 60 kB a row, 8,128 pairs read 488 MB. Tiles of 4×4 pairs
//! ask the caches for each row four times less often.
//!
//! The limit is arithmetic. A tile of 64 bytes takes 16 exclusive ors, counts and additions: 24 cycles at two 512-bit
//! operations a cycle (Zen 4), 156 GB/s at 3.65 GHz. Tiles in cache reach 137 GB/s, whole matrices 115 to 120; one pair after
//! the other, value by value, 45. AVX2 has no count: carry-save adders leave one vector of eight to count. That takes 6.2
//! operations for 32 bytes, 75 GB/s at four a cycle; tiles reach 50, matrices 43, the plain loop 25.

use super::simd::Isa;
use rayon::prelude::*;
use std::ops::Range;

/// Rows and columns of a tile of pairs.
const TILE: usize = 4;
/// Words of a row that a tile reads at a time, 8 kB: at 4 kB the sums at a tile's end cost 5 % more.
const CHUNK: usize = 1024;
/// Rows of distances that belong together: a task for a thread. Its rows' chunks, 128 kB, stay in the second-level cache.
const ROWS: usize = 4 * TILE;

/// Distances of a tile's pairs.
type Tile = [[u64; TILE]; TILE];

/// How the codes of one image lie in its row of words: those of equal weight side by side, to be compared as one.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    codes: Vec<Range<usize>>,
    /// Words of one weight.
    runs: Vec<(Range<usize>, u64)>,
}

impl Layout {
    /// For codes of so many words and such a weight each.
    pub fn new(codes: &[(usize, u64)]) -> Layout {
        let mut order: Vec<usize> = (0..codes.len()).collect();
        order.sort_by_key(|&at| codes[at].1);
        let mut layout = Layout { codes: vec![0..0; codes.len()], runs: Vec::new() };
        let mut end = 0;
        for at in order {
            let (words, weight) = codes[at];
            let range = end..end + words;
            end = range.end;
            match layout.runs.last_mut() {
                Some((run, same)) if *same == weight => run.end = end,
                _ => layout.runs.push((range.clone(), weight)),
            }
            layout.codes[at] = range;
        }
        layout
    }

    /// Where code `at` lies in a row.
    pub fn code(&self, at: usize) -> Range<usize> {
        self.codes[at].clone()
    }

    /// Words of a row.
    pub fn words(&self) -> usize {
        self.runs.last().map_or(0, |(run, _)| run.end)
    }
}

/// Hamming distances of all pairs, `[count, count]`, of `count` rows laid out by `layout`: each code counted with its weight.
/// With `parallel`, spread over the threads; the result is the same.
pub fn distances(isa: Isa, layout: &Layout, rows: &[u64], count: usize, parallel: bool) -> Vec<u64> {
    let mut distance = vec![0; count * count];
    let pitch = layout.words();
    let block = |(block, out): (usize, &mut [u64])| {
        let first = block * ROWS;
        let here = first..first + out.len() / count;
        for (run, weight) in &layout.runs {
            for start in run.clone().step_by(CHUNK) {
                let words = start..run.end.min(start + CHUNK);
                // Beyond the last image its row again, for pairs that nobody reads.
                let tile_rows = |first: usize| -> [&[u64]; TILE] {
                    std::array::from_fn(|k| &rows[(first + k).min(count - 1) * pitch..][words.clone()])
                };
                for j in (0..here.end).step_by(TILE) {
                    let others = tile_rows(j);
                    for i in here.clone().step_by(TILE).filter(|&i| i >= j) {
                        let tile = tile(isa, tile_rows(i), others);
                        for (row, sums) in out[(i - first) * count..].chunks_mut(count).zip(tile) {
                            row[j..].iter_mut().zip(sums).for_each(|(sum, d)| *sum += weight * d);
                        }
                    }
                }
            }
        }
    };
    if parallel {
        distance.par_chunks_mut(ROWS * count.max(1)).enumerate().for_each(block);
    } else {
        distance.chunks_mut(ROWS * count.max(1)).enumerate().for_each(block);
    }
    for i in 0..count {
        for j in 0..i {
            distance[j * count + i] = distance[i * count + j];
        }
    }
    distance
}

/// Bits in which each row differs from each other row. All slices have the same length.
fn tile(isa: Isa, rows: [&[u64]; TILE], others: [&[u64]; TILE]) -> Tile {
    assert!(rows.iter().chain(&others).all(|row| row.len() == rows[0].len()));
    match isa {
        Isa::Portable => rows.map(|row| others.map(|other| portable(row, other))),
        // SAFETY: `Isa::or_best`, which asked the processor, let this set in; the slices have the same length.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { x86::tile_avx2(rows, others) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { x86::tile_avx512(rows, others) },
    }
}

/// Bits in which two lists of words differ.
#[inline(always)]
fn portable(a: &[u64], b: &[u64]) -> u64 {
    a.iter().zip(b).map(|(a, b)| u64::from((a ^ b).count_ones())).sum()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{portable, Tile, TILE};
    use std::arch::x86_64::*;

    /// # Safety
    /// All slices have the same length; the processor has the features named.
    #[target_feature(enable = "avx512f,avx512vpopcntdq,popcnt")]
    pub unsafe fn tile_avx512(rows: [&[u64]; TILE], others: [&[u64]; TILE]) -> Tile {
        const LANES: usize = 8;
        let len = rows[0].len();
        let whole = len - len % LANES;
        let mut sums = [[_mm512_setzero_si512(); TILE]; TILE];
        for k in (0..whole).step_by(LANES) {
            // SAFETY: k + LANES ≤ whole ≤ len.
            let load = |row: &[u64]| unsafe { _mm512_loadu_si512(row.as_ptr().add(k).cast()) };
            let a = rows.map(load);
            for j in 0..TILE {
                let b = load(others[j]);
                for i in 0..TILE {
                    let differing = _mm512_xor_si512(a[i], b);
                    sums[i][j] = _mm512_add_epi64(sums[i][j], _mm512_popcnt_epi64(differing));
                }
            }
        }
        let mut tile = [[0; TILE]; TILE];
        for i in 0..TILE {
            for j in 0..TILE {
                tile[i][j] = _mm512_reduce_add_epi64(sums[i][j]) as u64;
            }
        }
        add_rest(&mut tile, rows, others, whole);
        tile
    }

    /// # Safety
    /// All slices have the same length; the processor has the features named.
    #[target_feature(enable = "avx2,popcnt")]
    pub unsafe fn tile_avx2(rows: [&[u64]; TILE], others: [&[u64]; TILE]) -> Tile {
        let len = rows[0].len();
        let whole = len - len % (8 * LANES);
        let mut tile = [[0; TILE]; TILE];
        for i in 0..TILE {
            for j in 0..TILE {
                // SAFETY: both have `whole` words, a multiple of eight vectors.
                tile[i][j] = unsafe { carry_save(rows[i].as_ptr(), others[j].as_ptr(), whole) };
            }
        }
        add_rest(&mut tile, rows, others, whole);
        tile
    }

    /// Adds the differences from word `from` on, less than a vector or a round of them.
    #[inline(always)]
    fn add_rest(tile: &mut Tile, rows: [&[u64]; TILE], others: [&[u64]; TILE], from: usize) {
        if from < rows[0].len() {
            for (sums, row) in tile.iter_mut().zip(rows) {
                for (sum, other) in sums.iter_mut().zip(others) {
                    *sum += portable(&row[from..], &other[from..]);
                }
            }
        }
    }

    /// Words of a 256-bit vector.
    const LANES: usize = 4;

    /// Bits in which two lists of words differ, by Harley and Seal: adders keep the bits met so far as vectors of ones,
    /// twos and fours, and only what carries into the eights is counted.
    ///
    /// # Safety
    /// The pointers have `words` words, a multiple of `8·LANES`; the processor has AVX2.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn carry_save(a: *const u64, b: *const u64, words: usize) -> u64 {
        let zero = _mm256_setzero_si256();
        let (mut ones, mut twos, mut fours, mut eights) = (zero, zero, zero, zero);
        for k in (0..words).step_by(8 * LANES) {
            // SAFETY: k + 8·LANES ≤ words.
            let differing = |v: usize| unsafe {
                let at = k + v * LANES;
                _mm256_xor_si256(_mm256_loadu_si256(a.add(at).cast()), _mm256_loadu_si256(b.add(at).cast()))
            };
            let (two_a, one) = add(ones, differing(0), differing(1));
            let (two_b, one) = add(one, differing(2), differing(3));
            let (four_a, two) = add(twos, two_a, two_b);
            let (two_a, one) = add(one, differing(4), differing(5));
            let (two_b, one) = add(one, differing(6), differing(7));
            let (four_b, two) = add(two, two_a, two_b);
            let (eight, four) = add(fours, four_a, four_b);
            (ones, twos, fours) = (one, two, four);
            eights = _mm256_add_epi64(eights, count(eight));
        }
        let mut sum = eights;
        for vector in [fours, twos, ones] {
            sum = _mm256_add_epi64(_mm256_add_epi64(sum, sum), count(vector));
        }
        let halves = _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
        _mm_cvtsi128_si64(_mm_add_epi64(halves, _mm_unpackhi_epi64(halves, halves))) as u64
    }

    /// (carry, sum) of three bits at every place.
    ///
    /// # Safety
    /// The processor must have AVX2.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn add(a: __m256i, b: __m256i, c: __m256i) -> (__m256i, __m256i) {
        let half = _mm256_xor_si256(a, b);
        let carry = _mm256_or_si256(_mm256_and_si256(a, b), _mm256_and_si256(half, c));
        (carry, _mm256_xor_si256(half, c))
    }

    /// The bits set in each word: a table of half bytes, then sums of eight bytes.
    ///
    /// # Safety
    /// The processor must have AVX2.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn count(vector: __m256i) -> __m256i {
        let of_nibble = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
        let low = _mm256_set1_epi8(15);
        let counted = |nibbles| _mm256_shuffle_epi8(of_nibble, _mm256_and_si256(nibbles, low));
        let bytes = _mm256_add_epi8(counted(vector), counted(_mm256_srli_epi16::<4>(vector)));
        _mm256_sad_epu8(bytes, _mm256_setzero_si256())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    fn stream(key: u64) -> Stream {
        let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
        println!("seed {seed}, key {key}");
        Stream::new(seed, &[key])
    }

    /// Bit by bit.
    fn differing(a: &[u64], b: &[u64]) -> u64 {
        let bits =
            |words: &[u64]| -> Vec<bool> { words.iter().flat_map(|w| (0..64).map(move |k| w >> k & 1 == 1)).collect() };
        bits(a).iter().zip(bits(b)).filter(|(a, b)| **a != *b).count() as u64
    }

    #[test]
    fn tiles_count_bits_at_all_lengths() {
        let mut stream = stream(1);
        for len in (0..100).chain([127, 128, 511, 512, 513, 2049]) {
            let rows: Vec<Vec<u64>> = (0..2 * TILE)
                .map(|row| match row {
                    // All bits differ from the next row's.
                    0 => vec![u64::MAX; len],
                    1 => vec![0; len],
                    _ => (0..len).map(|_| stream.bits()).collect(),
                })
                .collect();
            let [a, b] = [[0, 2, 3, 4], [1, 5, 6, 7]].map(|at| at.map(|at| &rows[at][..]));
            let expected = a.map(|a| b.map(|b| differing(a, b)));
            assert_eq!(expected[0][0], 64 * len as u64);
            for isa in Isa::available() {
                assert_eq!(tile(isa, a, b), expected, "{isa:?}, {len} words");
            }
        }
    }

    #[test]
    fn codes_count_with_their_weights_whatever_their_number_length_and_order() {
        let mut stream = stream(2);
        let mut random = |most: usize| stream.below(most);
        for count in [0, 1, 2, 3, 7, 16, 18, 128] {
            for _ in 0..if count == 128 { 1 } else { 5 } {
                let codes: Vec<(usize, u64)> =
                    (0..random(6)).map(|_| (random(if count == 128 { 60 } else { 1200 }), random(4) as u64)).collect();
                let layout = Layout::new(&codes);
                assert_eq!(layout.words(), codes.iter().map(|(words, _)| words).sum::<usize>());
                let mut rows = vec![0; count * layout.words()];
                let mut expected = vec![0; count * count];
                for (at, &(words, weight)) in codes.iter().enumerate() {
                    assert_eq!(layout.code(at).len(), words);
                    let images: Vec<Vec<u64>> = (0..count)
                        .map(|_| (0..words).map(|_| (random(1 << 32) << 32 | random(1 << 32)) as u64).collect())
                        .collect();
                    for i in 0..count {
                        rows[i * layout.words()..][layout.code(at)].copy_from_slice(&images[i]);
                        for j in 0..count {
                            expected[i * count + j] += weight * differing(&images[i], &images[j]);
                        }
                    }
                }
                for isa in Isa::available() {
                    for parallel in [false, true] {
                        let found = distances(isa, &layout, &rows, count, parallel);
                        assert!(found == expected, "{isa:?}, {count} images, codes {codes:?}");
                    }
                }
            }
        }
    }
}
