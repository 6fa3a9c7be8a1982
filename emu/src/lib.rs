//! Runs the CUDA kernels of this project on a processor.
//!
//! The kernels' sources are compiled by g++ and run by an emulator whose CUDA threads are fibers. There are two builds: a plain one,
//! and one that checks every access for races, bounds and uninitialised memory. [`Card`] launches single kernels.

mod card;
mod library;

pub use card::{Argument, Card, Memory, Statistics};

/// Which build of the emulator runs the kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Build {
    /// Optimised, without checks.
    Plain,
    /// Every access is checked; a finding makes the launch an error.
    Checked,
}

/// In which order blocks, and the ready threads of a block, run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// First to last.
    Forward,
    /// Last to first.
    Reverse,
    /// Drawn from a seed.
    Random(u64),
}
