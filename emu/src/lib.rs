//! Runs the CUDA kernels of this project on a processor.
//!
//! The kernels' sources are compiled by g++ and run by an emulator whose CUDA threads are fibers. There are two builds: a plain one,
//! and one that checks every access for races, bounds and uninitialised memory. [`Card`] launches single kernels. [`activate`] makes
//! the emulator stand in for NVIDIA's driver, so that a program which loads kernels through cudarc runs on emulated cards.

#![deny(missing_docs)]

mod card;
pub mod faults;
mod library;
pub mod profile;

use std::path::Path;

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

impl Order {
    /// Kind and seed, as the library takes them.
    fn raw(self) -> (u32, u64) {
        match self {
            Order::Forward => (0, 0),
            Order::Reverse => (1, 0),
            Order::Random(seed) => (2, seed),
        }
    }
}

/// Makes this process's driver the emulator: cudarc, which looks for `libcuda.so`, finds the library that is loaded here.
///
/// Must come before the first call of cudarc; may be called again.
///
/// # Errors
/// If the library cannot be loaded, or the other build is in use in this process.
pub fn activate(build: Build) -> Result<(), String> {
    library::activate(build)
}

/// The folder with the library, for `LD_LIBRARY_PATH` of a child process that is to run on emulated cards.
pub fn library_folder(build: Build) -> &'static Path {
    library::folder(build)
}
