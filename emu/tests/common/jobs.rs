//! Structures of `kernels/jobs.cuh`, field by field.

use etnas_emulator::{Argument, Card, Memory};

/// What a convolution reads and writes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ConvShape {
    pub images: i32,
    pub source_height: i32,
    pub source_width: i32,
    pub height: i32,
    pub width: i32,
    pub inputs: i32,
    pub outputs: i32,
    pub stride: i32,
    pub spread: i32,
    pub relu: i32,
}

/// One convolution.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ConvJob {
    pub x: u64,
    pub w: u64,
    pub y: u64,
    pub sums: u64,
}

/// One weight gradient.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct WeightGradientJob {
    pub x: u64,
    pub g: u64,
    pub gradient: u64,
}

/// One tensor to another.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MapJob {
    pub from: u64,
    pub to: u64,
}

/// A list of jobs on the card, and the argument that names it.
pub fn list<T: Copy>(card: &Card, jobs: &[T]) -> (Memory<T>, Argument) {
    let memory = card.upload(jobs);
    let argument = Argument::new(memory.address());
    (memory, argument)
}
