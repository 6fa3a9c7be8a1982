//! The structures of `kernels/jobs.cuh` as the engine has them, so that kernels are tested with what they will be given.

use etnas_emulator::{Argument, Card, Memory};

#[path = "../../../src/cuda/jobs.rs"]
#[allow(dead_code)]
mod engine;

#[allow(unused_imports)]
pub use engine::*;

/// A list of jobs on the card, and the argument that names it.
pub fn list<T: Copy>(card: &Card, jobs: &[T]) -> (Memory<T>, Argument) {
    let memory = card.upload(jobs);
    let argument = Argument::new(memory.address());
    (memory, argument)
}
