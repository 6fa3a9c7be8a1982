//! The launch geometry of every kernel that works on maps, as the comments above the kernels ask for.

use super::device::{Argument, Grid};
use super::jobs::{
    ConvJob, ConvShape, CopyJob, GradientJob, HeadJob, LossJob, MapJob, MomentsJob, NodeJob, NormBackJob, Reader,
    SgdJob, Term, WeightGradientJob, PART,
};
use super::layout::parts;
use super::program::Program;
use super::Precision;
use crate::plan::Shape;
use std::collections::{HashMap, HashSet};

/// Threads of a block.
const THREADS: usize = 256;
/// Channels that a block of BatchNorm's kernels takes.
const SLAB: usize = 1024;
/// Numbers of an image that a block of `node` and its like takes.
const STRETCH: usize = 4096;
/// The most numbers that such a block keeps on either side of them for 3×3 averages; wider maps have kernels of their own.
const MOST_HALO: usize = 4096;

fn numbers<const N: usize>(list: [usize; N]) -> [Argument; N] {
    list.map(|n| Argument::Number(n as i32))
}

/// Convolutions of one shape.
pub fn convolution(program: &mut Program, precision: Precision, kernel: usize, shape: ConvShape, jobs: &[ConvJob]) {
    let outputs = shape.outputs as usize;
    let tiles: &[usize] = if precision == Precision::F32 { &[16] } else { &[64, 32, 16] };
    let tile = tiles.iter().copied().find(|tile| outputs.is_multiple_of(*tile)).unwrap_or(16);
    let pixels = (shape.images * shape.height * shape.width) as usize;
    let grid = Grid { blocks: [pixels.div_ceil(PART), 0, outputs / tile], threads: THREADS, shared: 0 };
    let name = format!("conv{kernel}_{}_n{tile}", precision.name());
    program.launch(name, grid, jobs, &[Argument::Shape(shape)]);
    let (inputs, weights) = (shape.inputs as usize, weight_numbers(kernel, shape));
    let source = (shape.images * shape.source_height * shape.source_width) as usize * inputs;
    let sums = jobs.iter().filter(|job| job.sums != 0).count() * parts(pixels) * 2 * outputs;
    let read = distinct(jobs.iter().map(|job| job.x)) * source + distinct(jobs.iter().map(|job| job.w)) * weights;
    // Of a spread source a quarter of the products are with numbers.
    let products = pixels * weights / (shape.spread * shape.spread) as usize;
    program.least(4 * (read + jobs.len() * pixels * outputs + sums), 2 * jobs.len() * products);
}

fn weight_numbers(kernel: usize, shape: ConvShape) -> usize {
    kernel * kernel * (shape.inputs * shape.outputs) as usize
}

/// How many different addresses there are.
fn distinct(addresses: impl Iterator<Item = u64>) -> usize {
    addresses.collect::<HashSet<u64>>().len()
}

/// Strips of four pixels of a row that one part of a weight gradient covers: few parts, so that their sum costs little, but enough
/// for all multiprocessors once a few cells train together.
const STRIPS_OF_PART: usize = 512;

fn strips(images: usize, height: usize, width: usize) -> usize {
    images * height * width.div_ceil(4)
}

/// Parts of the weight gradient of a convolution with this output.
pub fn gradient_parts(output: &Shape, images: usize) -> usize {
    strips(images, output.height, output.width).div_ceil(STRIPS_OF_PART)
}

/// Weight gradients of convolutions of one shape, the forward one, in [`gradient_parts`].
pub fn weight_gradient(
    program: &mut Program,
    precision: Precision,
    kernel: usize,
    shape: ConvShape,
    jobs: &[WeightGradientJob],
) {
    let parts = strips(shape.images as usize, shape.height as usize, shape.width as usize).div_ceil(STRIPS_OF_PART);
    let blocks = (shape.inputs / 16 * (shape.outputs / 16)) as usize;
    let (name, threads) = if precision == Precision::F32 { ("f32", 256) } else { ("tf32x3", 128) };
    let grid = Grid { blocks: [parts, 0, blocks], threads, shared: 0 };
    let arguments = [Argument::Shape(shape), Argument::Number(STRIPS_OF_PART as i32)];
    program.launch(format!("weight_gradient{kernel}_{name}"), grid, jobs, &arguments);
    let (inputs, outputs, weights) = (shape.inputs as usize, shape.outputs as usize, weight_numbers(kernel, shape));
    let pixels = (shape.images * shape.height * shape.width) as usize;
    let source = (shape.images * shape.source_height * shape.source_width) as usize * inputs;
    let read = distinct(jobs.iter().map(|job| job.x)) * source + jobs.len() * pixels * outputs;
    program.least(4 * (read + jobs.len() * parts * weights), 2 * jobs.len() * pixels * weights);
}

/// Weights of one shape, packed for the data gradient.
pub fn transpose_weights(program: &mut Program, inputs: usize, outputs: usize, taps: usize, jobs: &[MapJob]) {
    let count = inputs * outputs * taps;
    let grid = Grid { blocks: [count.div_ceil(4 * THREADS), 0, 1], threads: THREADS, shared: 0 };
    program.launch("transpose_weights", grid, jobs, &numbers([inputs, outputs, taps]));
    program.least(8 * jobs.len() * count, 0);
}

/// Scale and shift from sums of maps.
pub fn norm_moments(program: &mut Program, pixels: usize, channels: usize, jobs: &[MomentsJob]) {
    let grid = Grid { blocks: [1, 0, channels.div_ceil(SLAB)], threads: THREADS, shared: 0 };
    program.launch("norm_moments", grid, jobs, &numbers([parts(pixels), pixels, channels]));
    program.least(8 * jobs.len() * (parts(pixels) + 1) * channels, 0);
}

/// Sums of maps for a BatchNorm over values.
pub fn map_sums(program: &mut Program, pixels: usize, channels: usize, jobs: &[MapJob]) {
    let grid = Grid { blocks: [parts(pixels), 0, channels.div_ceil(SLAB)], threads: THREADS, shared: 0 };
    program.launch("map_sums", grid, jobs, &numbers([pixels, channels]));
    program.least(4 * jobs.len() * (pixels + 2 * parts(pixels)) * channels, 0);
}

/// BatchNorm's way back, three launches.
pub fn norm_back(program: &mut Program, pixels: usize, channels: usize, jobs: &[NormBackJob]) {
    let slabs = channels.div_ceil(SLAB);
    let whole = Grid { blocks: [parts(pixels), 0, slabs], threads: THREADS, shared: 0 };
    let merge = Grid { blocks: [1, 0, slabs], ..whole };
    let (map, sums) = (4 * jobs.len() * pixels * channels, 8 * jobs.len() * parts(pixels) * channels);
    program.launch("norm_back_sums", whole, jobs, &numbers([pixels, channels]));
    program.least(2 * map + sums, 0);
    program.launch("norm_back_coefficients", merge, jobs, &numbers([parts(pixels), pixels, channels]));
    program.least(sums, 0);
    program.launch("norm_back_apply", whole, jobs, &numbers([pixels, channels]));
    program.least(3 * map, 0);
}

/// A map's height, width and channels in memory.
pub type MapShape = (usize, usize, usize);

/// Blocks over stretches of the images of maps.
fn stretches(images: usize, (height, width, channels): MapShape) -> Grid {
    let blocks = images * (height * width * channels).div_ceil(STRETCH);
    Grid { blocks: [blocks, 0, 1], threads: THREADS, shared: 0 }
}

/// The name of a kernel for these maps, and its grid with room for what 3×3 averages read.
fn pooling(name: &str, images: usize, shape: MapShape) -> (String, Grid) {
    let (height, width, channels) = shape;
    let halo = (width + 1) * channels;
    let grid = stretches(images, shape);
    match halo <= MOST_HALO {
        true => {
            let staged = (STRETCH + 2 * halo).min(height * width * channels);
            (name.to_string(), Grid { shared: 4 * staged, ..grid })
        }
        false => (format!("{name}_wide"), grid),
    }
}

/// Values of one shape. Those with a 3×3 average have a launch of their own, as they need shared memory.
pub fn node(program: &mut Program, images: usize, shape: MapShape, code_stride: usize, jobs: &[NodeJob]) {
    let pools = |job: &&NodeJob| job.terms.iter().any(|term| term.kind == Term::POOL);
    let (pooled, plain): (Vec<NodeJob>, Vec<NodeJob>) = jobs.iter().partition(pools);
    let (height, width, channels) = shape;
    let arguments = numbers([images, height, width, channels, code_stride]);
    let map = images * height * width * channels;
    let least = |jobs: &[NodeJob]| -> usize {
        let of_job = |job: &NodeJob| {
            let terms = job.terms.iter().filter(|term| term.x != 0).count();
            let code = if job.code == 0 { 0 } else { map / 8 };
            4 * map * (terms + usize::from(job.value != 0)) + code
        };
        jobs.iter().map(of_job).sum()
    };
    program.launch("node", stretches(images, shape), &plain, &arguments);
    program.least(least(&plain), 0);
    let (name, grid) = pooling("node", images, shape);
    program.launch(name, grid, &pooled, &arguments);
    program.least(least(&pooled), 0);
}

/// The gradients of values of one shape.
pub fn node_gradient(program: &mut Program, images: usize, shape: MapShape, jobs: &[GradientJob], readers: &[Reader]) {
    let pools = |job: &&GradientJob| {
        let own = &readers[job.first as usize..][..job.count as usize];
        own.iter().any(|reader| reader.kind == Reader::POOL)
    };
    let (pooled, plain): (Vec<GradientJob>, Vec<GradientJob>) = jobs.iter().partition(pools);
    let (height, width, channels) = shape;
    let arguments = numbers([images, height, width, channels]);
    let map = images * height * width * channels;
    let least = |jobs: &[GradientJob]| -> usize {
        let of_reader = |reader: &Reader| match reader.kind {
            Reader::HALF => map,
            Reader::NEAREST => 4 * images * 64 * channels,
            _ => 4 * map,
        };
        let of_job = |job: &GradientJob| {
            let own = &readers[job.first as usize..][..job.count as usize];
            let masks = usize::from(own.iter().any(|reader| reader.kind == Reader::CONV));
            own.iter().map(of_reader).sum::<usize>() + 4 * map * (1 + masks)
        };
        jobs.iter().map(of_job).sum()
    };
    program.launch_with("node_gradient", stretches(images, shape), &plain, Some(readers), &arguments);
    program.least(least(&plain), 0);
    let (name, grid) = pooling("node_gradient", images, shape);
    program.launch_with(name, grid, &pooled, Some(readers), &arguments);
    program.least(least(&pooled), 0);
}

/// 2×2 averages of maps of one shape.
pub fn average2(program: &mut Program, images: usize, (height, width, channels): MapShape, jobs: &[MapJob]) {
    let grid = stretches(images, (height / 2, width / 2, channels));
    program.launch("average2", grid, jobs, &numbers([images, height, width, channels]));
    program.least(5 * jobs.len() * images * height * width * channels, 0);
}

/// Copies of lists of floats, or zeros.
pub fn copy(program: &mut Program, jobs: &[CopyJob]) {
    program.launch("copy", lists(jobs.iter().map(|job| job.count)), jobs, &[]);
    let written: usize = jobs.iter().map(|job| job.count as usize).sum();
    let sources: HashMap<u64, usize> = jobs.iter().map(|job| (job.from, job.count as usize)).collect();
    let read: usize = sources.into_iter().filter(|(from, _)| *from != 0).map(|(_, count)| count).sum();
    program.least(4 * (written + read), 0);
}

/// A step of SGD.
pub fn sgd(program: &mut Program, jobs: &[SgdJob]) {
    program.launch("sgd", lists(jobs.iter().map(|job| job.weights)), jobs, &[]);
    let least = |job: &SgdJob| 4 * job.weights as usize * (4 + job.parts as usize);
    program.least(jobs.iter().map(least).sum(), 0);
}

/// Blocks over the longest of several lists, four numbers a thread.
fn lists(lengths: impl Iterator<Item = i32>) -> Grid {
    let longest = lengths.max().unwrap_or(0) as usize;
    Grid { blocks: [longest.div_ceil(4 * THREADS), 0, 1], threads: THREADS, shared: 0 }
}

/// Maps resized to 8×8.
pub fn resize8(program: &mut Program, images: usize, (height, width, channels): MapShape, jobs: &[MapJob]) {
    let grid = Grid { blocks: [images, 0, channels.div_ceil(SLAB)], threads: THREADS, shared: 0 };
    program.launch("resize8", grid, jobs, &numbers([images, height, width, channels]));
    program.least(8 * jobs.len() * images * 64 * channels, 0);
}

/// Losses of heads and their gradients by the heads' outputs.
pub fn head_loss(program: &mut Program, pixels: usize, channels: usize, jobs: &[HeadJob]) {
    let grid = Grid { blocks: [parts(pixels), 0, 1], threads: THREADS, shared: 0 };
    program.launch("head_loss", grid, jobs, &numbers([pixels, channels]));
    program.least(4 * (2 * jobs.len() + 1) * pixels * channels, 0);
}

/// The losses of a step from those of three heads.
pub fn head_losses(program: &mut Program, pixels: usize, step: usize, jobs: &[LossJob]) {
    let grid = Grid { blocks: [1, 0, 1], threads: THREADS, shared: 0 };
    program.launch("head_losses", grid, jobs, &numbers([parts(pixels), step]));
}
