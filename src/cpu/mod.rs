//! The engine for processors: f32, vectorised by hand, threads over the population or over the images of a batch.
//!
//! Everything below the seam works on a [`crate::plan::Plan`]. Layout and kernels: `docs/cpu-engine.md`.

// Register tiles are indexed in several arrays at once: ranges say what is unrolled.
#![allow(clippy::needless_range_loop)]
// A pass needs maps, places, moments and memory of its own: naming each beats a structure for one call.
#![allow(clippy::too_many_arguments)]

pub mod ahead;
mod bank;
mod conv;
mod heads;
mod layout;
mod maps;
mod naswot;
mod norm;
mod norm_back;
mod pairs;
mod pass;
#[doc(hidden)]
pub mod peak;
#[doc(hidden)]
pub mod probe;
mod scratch;
mod simd;
mod strided;
mod sums;
mod synflow;
mod totals;
mod train;
mod winograd;

pub use simd::Isa;

use crate::backend::{Backend, Hamming, SynflowSums, Watch};
use crate::error::{Error, Result};
use crate::input::{Batch, RegressionTask};
use crate::plan::{Plan, Purpose};
use crate::space::Cell;
use crate::weights::Weights;
use bank::Banks;
use naswot::Prefix;
use rayon::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};

/// How 3×3 convolutions of stride 1 are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Convolution {
    /// By Winograd's F(4×4), wherever a map can be cut into tiles of 4×4.
    #[default]
    Winograd,
    /// As sums of products. Slower; there to compare accuracy with.
    Direct,
}

/// The backend for processors. Threads are those of the rayon pool that it is called from.
pub struct Cpu {
    isa: Isa,
    convolution: Convolution,
    banks: Banks,
    naswot: Pool<naswot::Workspace>,
    synflow: Pool<synflow::Workspace>,
    train: Pool<train::Workspace>,
}

impl Cpu {
    /// With the best instruction set of this processor.
    pub fn new() -> Cpu {
        Cpu::with_isa(Isa::detect())
    }

    /// With a given instruction set, or the best of this processor where it lacks that one.
    pub fn with_isa(isa: Isa) -> Cpu {
        Cpu::with(isa, Convolution::default())
    }

    /// With a given instruction set, as [`Cpu::with_isa`], and a given way to convolve.
    pub fn with(isa: Isa, convolution: Convolution) -> Cpu {
        Cpu {
            isa: isa.or_best(),
            convolution,
            banks: Banks::default(),
            naswot: Pool::default(),
            synflow: Pool::default(),
            train: Pool::default(),
        }
    }

    /// The instruction set in use.
    pub fn isa(&self) -> Isa {
        self.isa
    }
}

impl Default for Cpu {
    fn default() -> Cpu {
        Cpu::new()
    }
}

impl Cpu {
    /// The norms of the gradients of LossSlope's first step, by the parameter's name in the state_dict (heads as
    /// `heads.0.0.weight` …). Parameters that no gradient reaches are absent.
    pub fn first_gradients(&self, cell: &Cell, weights: &Arc<Weights>, task: &RegressionTask) -> Vec<(String, f64)> {
        let bank = self.banks.get(weights);
        let plan = Plan::new(cell, weights.skeleton(), Purpose::Stages, false);
        let mut norms = Vec::new();
        let run = |space: &mut _| {
            train::losses(
                self.isa,
                self.convolution == Convolution::Winograd,
                &plan,
                &bank,
                task,
                false,
                space,
                Some(&mut norms),
            )
        };
        self.train.lend(run);
        norms
    }

    /// The ReLU codes of a batch, value by value, each beside (channels, height, width): one list of words an image, bit i
    /// the sign of element i in the order `[h][w][c]` with c padded to a multiple of 16. There to count flipped signs.
    #[doc(hidden)]
    #[allow(clippy::type_complexity)]
    pub fn codes(
        &self,
        cell: &Cell,
        weights: &Arc<Weights>,
        batch: &Batch,
    ) -> Vec<((usize, usize, usize), Vec<Vec<u64>>)> {
        let bank = self.banks.get(weights);
        let plan = Plan::new(cell, weights.skeleton(), Purpose::Codes, weights.shifts());
        let run = |space: &mut _| naswot::codes(self.isa, self.convolution, &plan, &bank, batch, space);
        let codes = self.naswot.lend(run);
        codes.into_iter().map(|(shape, code)| ((shape.channels, shape.height, shape.width), code)).collect()
    }
}

/// Workspaces that are not in use.
struct Pool<T>(Mutex<Vec<T>>);

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Pool(Mutex::new(Vec::new()))
    }
}

impl<T: Default> Pool<T> {
    /// Lends a workspace to `work`.
    fn lend<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let idle = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut space = idle().pop().unwrap_or_default();
        let result = work(&mut space);
        idle().push(space);
        result
    }
}

/// Runs `work(cell, parallel)` for all cells by number, in order of the results; a cell is work on `images` images.
///
/// Where there are enough images for all threads, cells run one after the other, each spread over the threads (`parallel`):
/// fewer maps are in the caches at a time. Else, as many cells as fill the threads evenly run one to a thread, and the rest are
/// spread, so that a small population uses the whole machine too.
fn population<R: Send>(
    cells: usize,
    images: usize,
    watch: &dyn Watch,
    work: impl Fn(usize, bool) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let watched = |cell: usize, parallel: bool| {
        if watch.cancelled() {
            return Err(Error::Interrupted);
        }
        let result = work(cell, parallel);
        watch.advance();
        result
    };
    let threads = rayon::current_num_threads();
    let whole = if images >= IMAGES_PER_THREAD * threads { 0 } else { cells / threads * threads };
    let mut results: Vec<R> =
        (0..whole).into_par_iter().with_max_len(1).map(|cell| watched(cell, false)).collect::<Result<_>>()?;
    for cell in whole..cells {
        results.push(watched(cell, true)?);
    }
    Ok(results)
}

/// Images for each thread from which on a cell is spread over the threads.
const IMAGES_PER_THREAD: usize = 32;

impl Backend for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn kernel_set(&self) -> &'static str {
        self.isa.kernel_set(self.convolution)
    }

    fn hamming(
        &self,
        cells: &[Cell],
        weights: &Arc<Weights>,
        batch: &Batch,
        watch: &dyn Watch,
    ) -> Result<Vec<Hamming>> {
        let bank = self.banks.get(weights);
        let skeleton = weights.skeleton();
        let plan = |cell: &Cell| Plan::new(cell, skeleton, Purpose::Codes, weights.shifts());
        let plans: Vec<Plan> = cells.iter().map(plan).collect();
        self.naswot.lend(|common| {
            let prefix = Prefix::new(self.isa, self.convolution, &plans, &bank, batch, common);
            let work = |at: usize, parallel: bool| {
                let plan = &plans[at];
                let run = |space: &mut _| {
                    naswot::distances(self.isa, self.convolution, plan, &bank, batch, prefix.as_ref(), parallel, space)
                };
                let distance = self.naswot.lend(run);
                Ok(Hamming { count: batch.count, bits: skeleton.code_bits(&cells[at]), distance })
            };
            population(cells.len(), batch.count, watch, work)
        })
    }

    fn synflow(&self, cells: &[Cell], weights: &Arc<Weights>, watch: &dyn Watch) -> Result<Vec<SynflowSums>> {
        let bank = self.banks.get(weights);
        synflow::population(self.isa, self.convolution, cells, &bank, &self.synflow, watch)
    }

    fn train(
        &self,
        cells: &[Cell],
        weights: &Arc<Weights>,
        task: &RegressionTask,
        watch: &dyn Watch,
    ) -> Result<Vec<Vec<f64>>> {
        let bank = self.banks.get(weights);
        population(cells.len(), task.images.count, watch, |at, parallel| {
            let plan = Plan::new(&cells[at], weights.skeleton(), Purpose::Stages, false);
            let tiles = self.convolution == Convolution::Winograd;
            Ok(self.train.lend(|space| train::losses(self.isa, tiles, &plan, &bank, task, parallel, space, None)))
        })
    }
}
