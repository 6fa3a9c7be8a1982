//! Launches over codes: common bits of all pairs of images, the Hamming kernel K made of them, and its determinant.

use super::device::{Argument, Device, Grid};
use super::jobs::{CodeJob, DeterminantJob, MatrixJob, Segment};
use super::program::Program;

/// The most images that a matrix can have.
pub const MOST_IMAGES: usize = 1024;
/// Images that a block of the products takes.
const GROUP: usize = 128;
/// The most parts that the words of a code are split into, where few cells would leave multiprocessors idle.
const MOST_PARTS: usize = 16;

fn pairs(images: usize) -> usize {
    let groups = 2 * images.div_ceil(GROUP);
    groups * (groups - 1) / 2
}

/// The parts that codes are split into, for so many cells.
pub fn code_parts(device: &Device, images: usize, cells: usize) -> usize {
    (2 * device.card().multiprocessors / (cells * pairs(images)).max(1)).clamp(1, MOST_PARTS)
}

/// Common bits, in `parts` matrices for each cell.
pub fn common_bits(
    program: &mut Program,
    device: &Device,
    images: usize,
    parts: usize,
    jobs: &[CodeJob],
    segments: &[Segment],
) {
    let kernel = if device.card().capability.0 >= 8 { "common_bits_mma" } else { "common_bits_popc" };
    let grid = Grid { blocks: [pairs(images), 0, parts], threads: 320, shared: 0 };
    program.launch_with(kernel, grid, jobs, Some(segments), &[Argument::Number(images as i32)]);
    let words: usize = segments.iter().map(|segment| segment.words as usize).sum();
    program.least(4 * images * (words + jobs.len() * parts * images), 0);
}

/// K of each cell from its common bits in `parts` matrices.
pub fn kernel_matrix(program: &mut Program, images: usize, parts: usize, jobs: &[MatrixJob]) {
    let grid = Grid { blocks: [images.div_ceil(32), 0, 1], threads: 256, shared: 0 };
    program.launch("kernel_matrix", grid, jobs, &[images, parts].map(|n| Argument::Number(n as i32)));
    program.least(jobs.len() * images * images * (4 * parts + 8), 0);
}

/// ln|det K| of each cell, and its smallest pivot over the diagonal. Overwrites K.
pub fn log_determinant(program: &mut Program, images: usize, jobs: &[DeterminantJob]) {
    let grid = Grid { blocks: [1, 0, 1], threads: 256, shared: 0 };
    program.launch("log_determinant", grid, jobs, &[Argument::Number(images as i32)]);
    program.least(8 * jobs.len() * images * images, jobs.len() * images * images * images / 3);
}
