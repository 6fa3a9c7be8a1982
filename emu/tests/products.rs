//! Tensor-core products against plain matrix products. Where each lane's numbers belong is taken from the layouts that CUTLASS
//! publishes, as strides: lane and value give the column-major index of an element.

use etnas_emulator::{Argument, Build, Card, Order};

/// Strides of lane % 4, lane / 4, and of the bits of the value's number, lowest first.
struct Layout {
    lane: [usize; 2],
    value: &'static [usize],
}

impl Layout {
    /// Column-major index of a lane's value.
    fn index(&self, lane: usize, value: usize) -> usize {
        let bits = self.value.iter().enumerate().map(|(bit, stride)| (value >> bit & 1) * stride);
        lane % 4 * self.lane[0] + lane / 4 * self.lane[1] + bits.sum::<usize>()
    }
}

/// 16×8 sums, for all products alike.
const SUMS: Layout = Layout { lane: [32, 1], value: &[16, 8] };

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    *state >> 33
}

/// Multiplies a 16×`depth` by a `depth`×8 matrix of small whole numbers, `per_word` of them packed in a word by `pack`, and
/// compares with loops: no error is allowed.
fn check(
    kernel: &str,
    capabilities: &[u32],
    depth: usize,
    per_word: usize,
    layouts: [Layout; 2],
    pack: fn(i32, usize) -> u32,
) {
    let mut state = kernel.len() as u64;
    for &capability in capabilities {
        for order in [Order::Forward, Order::Reverse, Order::Random(9)] {
            let mut number = |below: u64, shift: i32| (random(&mut state) % below) as i32 - shift;
            let (range, shift) = if per_word == 32 { (2, 0) } else { (33, 16) };
            // a by columns of 16, b by columns of 8: element (n, k) at n + 8·k.
            let a: Vec<i32> = (0..16 * depth).map(|_| number(range, shift)).collect();
            let b: Vec<i32> = (0..8 * depth).map(|_| number(range, shift)).collect();
            let start: Vec<i32> = (0..128).map(|_| number(100, 50)).collect();
            let words = |matrix: &[i32], layout: &Layout, count: usize| -> Vec<u32> {
                let word = |lane, word: usize| {
                    (0..per_word)
                        .fold(0, |bits, part| bits | pack(matrix[layout.index(lane, word * per_word + part)], part))
                };
                (0..32 * count).map(|i| word(i / count, i % count)).collect()
            };
            let card = Card::new(capability, Build::Plain, order);
            let [a_layout, b_layout] = &layouts;
            let a_words = card.upload(&words(&a, a_layout, 16 * depth / 32 / per_word));
            let b_words = card.upload(&words(&b, b_layout, 8 * depth / 32 / per_word));
            let sum = |value: i32| if per_word == 32 { value as u32 } else { (value as f32).to_bits() };
            let sums = card.upload(&start.iter().map(|&value| sum(value)).collect::<Vec<_>>());
            let arguments = [a_words.address(), b_words.address(), sums.address()].map(Argument::new);
            let statistics = card.launch(kernel, [1, 1, 1], [32, 1, 1], 0, &arguments).unwrap();
            assert_eq!(statistics.products, 1);
            for (i, result) in card.download(&sums).into_iter().enumerate() {
                let index = SUMS.index(i / 4, i % 4);
                let (row, column) = (index % 16, index / 16);
                let product: i32 = (0..depth).map(|k| a[row + 16 * k] * b[column + 8 * k]).sum();
                assert_eq!(
                    result,
                    sum(start[i] + product),
                    "{kernel} {capability} {order:?}: row {row}, column {column}"
                );
            }
        }
    }
}

/// A whole number as a 16-bit float in one half of a word.
fn half(value: i32, part: usize) -> u32 {
    let magnitude = value.unsigned_abs();
    let bits = match magnitude {
        0 => 0,
        _ => {
            let exponent = magnitude.ilog2();
            (exponent + 15) << 10 | (magnitude << (10 - exponent)) & 0x3ff
        }
    };
    (bits | u32::from(value < 0) << 15) << (16 * part)
}

#[test]
fn halves_of_depth_8() {
    let layouts = [Layout { lane: [32, 1], value: &[16, 8] }, Layout { lane: [16, 1], value: &[8] }];
    check("test_multiply_f16_depth8", &[75, 80, 90], 8, 2, layouts, half);
}

#[test]
fn halves_of_depth_16() {
    let layouts = [Layout { lane: [32, 1], value: &[16, 8, 128] }, Layout { lane: [16, 1], value: &[8, 64] }];
    check("test_multiply_f16_depth16", &[80, 90], 16, 2, layouts, half);
}

#[test]
fn tf32_of_depth_8() {
    let layouts = [Layout { lane: [16, 1], value: &[8, 64] }, Layout { lane: [8, 1], value: &[32] }];
    // The lower 13 bits are ignored, whatever they are.
    check("test_multiply_tf32", &[80, 90], 8, 1, layouts, |value, _| (value as f32).to_bits() | 0x1fff);
}

#[test]
fn bits_of_depth_256() {
    let layouts = [
        Layout { lane: [512, 1], value: &[16, 32, 64, 128, 256, 8, 2048] },
        Layout { lane: [256, 1], value: &[8, 16, 32, 64, 128, 1024] },
    ];
    check("test_multiply_bits", &[80, 90], 256, 32, layouts, |value, part| (value as u32) << part);
}

#[test]
fn products_need_their_capability_and_a_whole_warp() {
    let card = Card::new(75, Build::Plain, Order::Forward);
    let memory = card.upload(&[0u32; 128]);
    let arguments = [memory.address(); 3].map(Argument::new);
    let missing = card.launch("test_multiply_tf32", [1, 1, 1], [32, 1, 1], 0, &arguments).unwrap_err();
    assert!(missing.contains("no kernel test_multiply_tf32 for capability 75"), "{missing}");
    let part = card.launch("test_multiply_f16_depth8", [1, 1, 1], [16, 1, 1], 0, &arguments).unwrap_err();
    assert!(part.starts_with("wrong mask: a product needs all 32 lanes"), "{part}");
}
