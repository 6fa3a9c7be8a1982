//! What the tests of the kernels of maps share: their jobs, fresh numbers, and launches.
#![allow(dead_code)]

use etnas_emulator::{Argument, Build, Card, Memory, Order};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The structures of `kernels/jobs.cuh` as the engine has them.
#[path = "../../../src/cuda/jobs.rs"]
mod jobs;

pub use jobs::*;

pub const TERM_MAP: i32 = Term::MAP;
pub const TERM_POOL: i32 = Term::POOL;
pub const TERM_SHIFT: i32 = Term::SHIFT;
pub const READER_CONV: i32 = Reader::CONV;
pub const READER_SKIP: i32 = Reader::SKIP;
pub const READER_POOL: i32 = Reader::POOL;
pub const READER_HALF: i32 = Reader::HALF;
pub const READER_NEAREST: i32 = Reader::NEAREST;

/// Fresh numbers, the same for all cards of one test.
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Numbers {
        Numbers(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [−1, 1).
    pub fn symmetric(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// As many, uniform in [−1, 1).
    pub fn list(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.symmetric() as f32).collect()
    }

    /// Maps whose channels from `real` on are zeros.
    pub fn maps(&mut self, pixels: usize, channels: usize, real: usize) -> Vec<f32> {
        (0..pixels * channels).map(|at| if at % channels < real { self.symmetric() as f32 } else { 0.0 }).collect()
    }
}

/// A seed of this run, printed where the test fails.
pub fn seed() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64);
    let seed = nanoseconds ^ COUNT.fetch_add(1, Ordering::Relaxed) << 60;
    println!("seed {seed}");
    seed
}

/// Runs a check on cards of all capabilities; what it returns must be the same to the bit.
pub fn on_all_cards(check: impl Fn(&Card, u64) -> Vec<f32>) {
    let seed = seed();
    same([75, 80, 90].map(|capability| check(&Card::new(capability, Build::Plain, Order::Forward), seed)));
}

/// Runs a check under the checker in three orders of threads; what it returns must be the same to the bit.
pub fn in_all_orders(check: impl Fn(&Card, u64) -> Vec<f32>) {
    let seed = seed();
    for capability in [75, 90] {
        let orders = [Order::Forward, Order::Reverse, Order::Random(seed)];
        same(orders.map(|order| check(&Card::new(capability, Build::Checked, order), seed)));
    }
}

fn same(results: [Vec<f32>; 3]) {
    let bits = results.map(|result| result.into_iter().map(f32::to_bits).collect::<Vec<_>>());
    assert!(!bits[0].is_empty());
    assert!(bits[0] == bits[1] && bits[0] == bits[2], "Results differ between cards or orders.");
}

/// Launches a kernel of jobs with `blocks` in x and z, numbers behind the jobs.
pub fn launch<J: Copy>(card: &Card, kernel: &str, [x, z]: [usize; 2], shared: usize, jobs: &[J], numbers: &[usize]) {
    let jobs_memory = card.upload(jobs);
    let mut arguments = vec![Argument::new(jobs_memory.address())];
    arguments.extend(numbers.iter().map(|&n| Argument::new(n as i32)));
    run(card, kernel, [x, jobs.len(), z], shared, &arguments);
}

/// Launches a kernel in blocks of 256 threads.
pub fn run(card: &Card, kernel: &str, grid: [usize; 3], shared: usize, arguments: &[Argument]) {
    let result = card.launch(kernel, grid.map(|n| n as u32), [256, 1, 1], shared, arguments);
    result.unwrap_or_else(|message| panic!("{kernel}: {message}"));
}

/// Blocks of `image_numbers` numbers of each image.
pub fn stretches(images: usize, image_numbers: usize) -> usize {
    images * image_numbers.div_ceil(4096)
}

/// Bytes of shared memory where a launch has a 3×3 average.
pub fn stage_bytes(height: usize, width: usize, channels: usize) -> usize {
    4 * (4096 + 2 * (width + 1) * channels).min(height * width * channels)
}

/// Slabs of channels.
pub fn slabs(channels: usize) -> usize {
    channels.div_ceil(1024)
}

/// An address, or null.
pub fn address<T>(memory: &Option<Memory<T>>) -> u64 {
    memory.as_ref().map_or(0, Memory::address)
}

/// Asserts that a number is within a tolerance.
pub fn near(found: f32, expected: f64, tolerance: f64, what: &dyn Fn() -> String) {
    let error = (f64::from(found) - expected).abs();
    assert!(error <= tolerance, "{}: found {found}, expected {expected}, tolerance {tolerance:e}", what());
}
