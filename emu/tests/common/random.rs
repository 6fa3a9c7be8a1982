//! Numbers from a seed of its own in every run.

use std::time::{SystemTime, UNIX_EPOCH};

/// xorshift64*.
pub struct Random(u64);

impl Random {
    pub fn new() -> Random {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock behind 1970");
        let seed = since.as_nanos() as u64 | 1;
        println!("seed {seed}");
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn unit(&mut self) -> f64 {
        (self.next() & 0xffff_ffff) as f64 / 4294967296.0
    }
}
