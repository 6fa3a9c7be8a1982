//! The order of NATS-Bench: all strings, first edge slowest, shuffled by CPython's `random.seed(88); random.shuffle`.

use super::cell::SPACE_SIZE;
use rand_mt::Mt;
use std::sync::LazyLock;

/// `(code at index, index of code)`, codes being lexicographic.
static ORDER: LazyLock<(Vec<u16>, Vec<u16>)> = LazyLock::new(|| {
    let mut codes: Vec<u16> = (0..SPACE_SIZE as u16).collect();
    let mut rng = Mt::new_with_key([88]);
    for last in (1..SPACE_SIZE).rev() {
        codes.swap(last, below(&mut rng, last + 1));
    }
    let mut index = vec![0; SPACE_SIZE];
    for (i, &code) in codes.iter().enumerate() {
        index[code as usize] = i as u16;
    }
    (codes, index)
});

/// CPython's `_randbelow`: the top bits of one 32-bit draw, rejected until they fall below `n` (n < 2³²).
fn below(rng: &mut Mt, n: usize) -> usize {
    let bits = usize::BITS - n.leading_zeros();
    loop {
        let draw = (rng.next_u32() >> (32 - bits)) as usize;
        if draw < n {
            return draw;
        }
    }
}

/// The lexicographic code at a NATS-Bench index below [`SPACE_SIZE`].
pub(super) fn code_at(index: usize) -> usize {
    ORDER.0[index] as usize
}

/// The NATS-Bench index of a lexicographic code below [`SPACE_SIZE`].
pub(super) fn index_of(code: usize) -> usize {
    ORDER.1[code] as usize
}
