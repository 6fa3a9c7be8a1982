//! The rate at which this processor multiplies and adds f32 when nothing but registers is touched: the limit that rates are
//! compared with.

use super::simd::{kernels, Isa, Vector};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Independent chains of multiply-adds, so that each waits for no other. Two a cycle with a latency of 4 cycles need 8; the
/// portable set multiplies and then adds, 6 to 8 cycles, and needs 14. With factor and addend they fill 16 registers.
const CHAINS: usize = 14;
/// Multiply-adds of a chain in one burst: 0.3 to 1 ms, short enough to fit between two interruptions now and then.
const LENGTH: usize = 200_000;
/// Bursts, of which the fastest counts: the peak is what the processor can do, not what it did beside other work.
const BURSTS: usize = 60;
/// Times that the rate of all threads is taken while it falls short.
const TRIES: usize = 4;

kernels! {
    /// One burst: each chain is x ← factor·x + addend, `length` times. Returns the FLOP done, a multiply-add counting two.
    fn burst(length: usize, factor: f32, addend: f32) -> f64 = burst_body;
}

#[inline(always)]
fn burst_body<V: Vector>(length: usize, factor: f32, addend: f32) -> f64 {
    // SAFETY: compiled for V's instruction set, as all bodies of `kernels!`; `sink` holds a vector.
    unsafe {
        let (factor, addend) = (V::splat(factor), V::splat(addend));
        let mut chains = [V::splat(0.0); CHAINS];
        for (i, x) in chains.iter_mut().enumerate() {
            *x = V::splat(i as f32);
        }
        for _ in 0..length {
            for x in &mut chains {
                *x = x.mul_add(factor, addend);
            }
        }
        for x in chains {
            let mut sink = [0.0f32; 16];
            x.store(sink.as_mut_ptr());
            black_box(sink);
        }
    }
    (2 * V::LANES * CHAINS * length) as f64
}

/// FLOP a second, a multiply-add counting two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// One thread, the others idle.
    pub one_thread: f64,
    /// All threads at a time, summed.
    pub all_threads: f64,
}

impl Peak {
    /// Measures an instruction set (the best of this processor where it lacks it) on so many threads of their own, for 0.05 to 0.2 s: longer where the threads together fall
    /// behind, as they do beside other work, or where two share a core.
    pub fn measure(isa: Isa, threads: usize) -> Peak {
        let isa = isa.or_best();
        let one_thread = rate(isa, 1);
        let mut all_threads: f64 = 0.0;
        for _ in 0..TRIES {
            all_threads = all_threads.max(rate(isa, threads.max(1)));
            if all_threads >= 0.95 * one_thread * threads as f64 {
                break;
            }
        }
        Peak { one_thread, all_threads }
    }

    /// The higher of two measurements of each rate.
    pub fn or_higher(self, other: Peak) -> Peak {
        Peak { one_thread: self.one_thread.max(other.one_thread), all_threads: self.all_threads.max(other.all_threads) }
    }
}

/// The best rate of threads that begin each burst together.
fn rate(isa: Isa, threads: usize) -> f64 {
    let arrived = AtomicUsize::new(0);
    let work = || {
        let now = Instant::now();
        let mut bursts = vec![(now, now, 0.0); BURSTS];
        for (i, (begin, end, flop)) in bursts.iter_mut().enumerate() {
            // A thread that sleeps here may wake on the core of another, so it stays awake.
            arrived.fetch_add(1, Ordering::AcqRel);
            while arrived.load(Ordering::Acquire) < threads * (i + 1) {
                std::thread::yield_now();
            }
            *begin = Instant::now();
            *flop = burst(isa, LENGTH, black_box(0.5), black_box(1.0));
            *end = Instant::now();
        }
        bursts
    };
    let all: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
    });
    let of_burst = |i: usize| {
        let begin = all.iter().map(|bursts| bursts[i].0).min();
        let end = all.iter().map(|bursts| bursts[i].1).max();
        let seconds = begin.zip(end).map_or(f64::INFINITY, |(begin, end)| (end - begin).as_secs_f64());
        all.iter().map(|bursts| bursts[i].2).sum::<f64>() / seconds
    };
    (0..BURSTS).map(of_burst).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_counts_what_it_does() {
        for isa in Isa::available() {
            let flop = burst(isa, 1000, 0.5, 1.0);
            let lanes = flop / (2 * CHAINS * 1000) as f64;
            assert!([4.0, 8.0, 16.0].contains(&lanes), "{isa:?}: {flop}");
        }
    }
}
