//! What happens between convolutions: values added up, averages, moments, and the distances of codes.

use super::{random, tensor, Kernel, STAGES};
use crate::cpu::norm::moments;
use crate::cpu::pairs::{self, Layout};
use crate::cpu::sums::{self, Part, Place, Sum};
use crate::random::Stream;
use crate::reference::norm::Moments;
use crate::reference::pool::Pool;
use std::hint::black_box;

pub fn list() -> Vec<Kernel> {
    let mut list = Vec::new();
    list.extend(STAGES.map(|(channels, side)| value(channels, side)));
    list.extend(STAGES.map(|(channels, side)| average(channels, side)));
    list.extend(STAGES.map(|(channels, side)| moment(channels, side)));
    list.push(distances(600_000));
    list
}

/// Two scaled outputs of convolutions and a skip added up, kept, put through the ReLU, and packed as a code.
fn value(channels: usize, side: usize) -> Kernel {
    let len = channels * side * side;
    let mut arena = random(4 * len, 1);
    let (shift, scale) = (random(channels, 2), random(channels, 3));
    let (mut out, mut words) = (vec![0.0; len], vec![0; len.div_ceil(64)]);
    let terms = [1, 2, 3].map(|key| tensor(1, channels, side, key));
    Kernel {
        name: format!("value of 3 terms {channels} {side}x{side}"),
        flop: 0,
        bytes: (5 * 4 * len + len / 8) as u64,
        fast: Box::new(move |isa| {
            let scaled = |at: usize| Part { place: Place::Arena(at), scale: Some(&scale) };
            let parts = [scaled(0), scaled(len), Part { place: Place::Arena(2 * len), scale: None }];
            let sum = Sum { shift: &shift, parts: &parts, pooled: false, keep: Some(3 * len), relu: true };
            sums::add_up(isa, &sum, &mut arena, &mut out, &mut words);
        }),
        plain: Box::new(move || {
            let mut sum = terms[0].map(|x| 0.5 * x + 0.1);
            sum.add(&terms[1].map(|x| 0.5 * x));
            sum.add(&terms[2]);
            let words = sum.values.chunks(64);
            let code: Vec<u64> = words.map(|word| word.iter().fold(0, |w, &v| w << 1 | u64::from(v > 0.0))).collect();
            let relu = sum.map(|x| x.max(0.0));
            black_box((code, relu));
        }),
    }
}

/// The 3×3 average.
fn average(channels: usize, side: usize) -> Kernel {
    let map = random(channels * side * side, 4);
    let mut out = vec![0.0; map.len()];
    let zeros = vec![0.0; side * channels];
    let plain = tensor(1, channels, side, 4);
    Kernel {
        name: format!("average 3x3 {channels} {side}x{side}"),
        flop: 0,
        bytes: 2 * 4 * map.len() as u64,
        fast: Box::new(move |isa| sums::pool(isa, &mut out, &map, (side, side), &zeros, false)),
        plain: Box::new(move || drop(black_box(Pool::Average3.forward(&plain)))),
    }
}

/// Mean and squared deviation of every channel.
fn moment(channels: usize, side: usize) -> Kernel {
    let map = random(channels * side * side, 5);
    let mut out = vec![[0.0; 2]; channels];
    let plain = tensor(1, channels, side, 5);
    Kernel {
        name: format!("moments {channels} {side}x{side}"),
        flop: 0,
        bytes: 4 * map.len() as u64,
        fast: Box::new(move |isa| moments(isa, &map, &mut out)),
        plain: Box::new(move || drop(black_box(Moments::of(&plain)))),
    }
}

/// Distances of all pairs of 128 codes of so many bits.
fn distances(bits: usize) -> Kernel {
    const COUNT: usize = 128;
    let words = bits.div_ceil(64);
    let mut stream = Stream::new(0, &[6]);
    let rows: Vec<u64> = (0..COUNT * words).map(|_| stream.bits()).collect();
    let plain = rows.clone();
    let layout = Layout::new(&[(words, 1)]);
    Kernel {
        name: format!("distances {COUNT} codes, {bits} bits"),
        flop: 0,
        bytes: (COUNT * (COUNT - 1) / 2 * words * 8) as u64,
        fast: Box::new(move |isa| drop(black_box(pairs::distances(isa, &layout, &rows, COUNT, false)))),
        plain: Box::new(move || {
            let rows: Vec<&[u64]> = plain.chunks_exact(words).collect();
            for (i, a) in rows.iter().enumerate() {
                for b in &rows[..i] {
                    black_box(a.iter().zip(*b).map(|(a, b)| u64::from((a ^ b).count_ones())).sum::<u64>());
                }
            }
        }),
    }
}
