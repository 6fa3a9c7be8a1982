//! The engine for NVIDIA cards: hand-written kernels (`kernels/*.cu`), each launch over a whole population.
//!
//! Needs nothing but the driver at run time: images of the kernels are part of the program. `docs/cuda-engine.md` has layouts,
//! the order of launches and the floors.

// Kernels take flat lists of numbers, and so do the functions that launch them.
#![allow(clippy::too_many_arguments)]

mod bank;
mod chunk;
mod codes;
mod device;
mod forward;
pub mod images;
mod jobs;
mod launches;
mod layout;
mod naswot;
mod probe;
mod program;
mod synflow;
mod train;
mod work;

pub use probe::{cards, Card};
pub use work::{Least, Work};

use crate::backend::{Backend, Hamming, HammingKernel, SynflowSums, Watch};
use crate::error::{Error, Result};
use crate::input::{Batch, RegressionTask};
use crate::plan::{Plan, Purpose};
use crate::space::Cell;
use crate::weights::Weights;
use bank::Bank;
use chunk::Arena;
use device::{Device, Memory};
use naswot::{Surroundings, Wanted};
use rayon::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};
use synflow::Outside;
use train::{Kind, Task};

/// Arithmetic of the convolutions; sums are f32 in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// f32 products, on the card's ordinary units. Everywhere.
    F32,
    /// Each operand split into two of TF32, three products: nearly f32, on tensor cores. From compute capability 8.0 on.
    Tf32x3,
    /// Operands rounded to TF32 (10 bits behind the point). From compute capability 8.0 on.
    Tf32,
    /// Operands rounded to fp16 (10 bits behind the point, up to 65,504). Everywhere.
    F16,
}

impl Precision {
    /// All of them.
    pub const ALL: [Precision; 4] = [Precision::F32, Precision::Tf32x3, Precision::Tf32, Precision::F16];

    /// As it is called by users, and in the names of kernels.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Tf32x3 => "tf32x3",
            Precision::Tf32 => "tf32",
            Precision::F16 => "f16",
        }
    }
}

/// How many sets of weights are kept on the card: up to 20 MB each.
const BANKS: usize = 4;

/// Cells asked for at a time: several chunks, so that the host can work beside the card, few enough to be told of progress.
const CELLS_AT_A_TIME: usize = 4 * chunk::MOST;

/// The backend for a card. Calls from several threads wait for each other.
pub struct Cuda {
    device: Device,
    precision: Precision,
    state: Mutex<State>,
}

/// What the memory for chunks was last used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Use {
    #[default]
    Nothing,
    Naswot,
    Synflow,
    Training,
}

#[derive(Default)]
struct State {
    banks: Vec<Bank>,
    outsides: Vec<Outside>,
    arena: Arena,
    used_for: Use,
    batch: Option<(Batch, Memory)>,
    task: Option<Task>,
}

impl Cuda {
    /// Opens the card with this number, with its best arithmetic of f32 accuracy.
    ///
    /// # Errors
    /// [`Error::Device`] where it is not there or cannot run the kernels.
    pub fn new(number: usize) -> Result<Cuda> {
        let device = Device::open(number)?;
        let precision = if device.card().capability.0 >= 8 { Precision::Tf32x3 } else { Precision::F32 };
        Ok(Cuda { device, precision, state: Mutex::default() })
    }

    /// With another arithmetic.
    ///
    /// # Errors
    /// [`Error::Device`] where the card does not have it.
    pub fn with(mut self, precision: Precision) -> Result<Cuda> {
        let card = self.device.card();
        if matches!(precision, Precision::Tf32x3 | Precision::Tf32) && card.capability.0 < 8 {
            return Err(Error::Device {
                asked: format!("cuda:{}", card.number),
                reason: format!("{} has no TF32, which begins with compute capability 8.0", card.name),
                remedy: "Choose f32 or f16.".to_string(),
            });
        }
        self.precision = precision;
        Ok(self)
    }

    /// The card.
    pub fn card(&self) -> &Card {
        self.device.card()
    }

    /// The kernel image in use.
    pub fn image(&self) -> &str {
        self.device.image()
    }
}

impl Cuda {
    /// What `ask`, which asks this backend for raw numbers, makes the card do at least: nothing is launched, and the numbers are
    /// meaningless.
    pub fn rehearse(&self, ask: impl FnOnce(&dyn Backend) -> Result<()>) -> Result<Work> {
        self.device.rehearse(|| ask(self))
    }
}

impl State {
    /// Begins a use of the memory for chunks; what another use took is given back, so that there is room for what it needs besides.
    fn begin(&mut self, this: Use) {
        if self.used_for != this {
            self.arena = Arena::default();
            self.used_for = this;
        }
    }

    /// The bank of these weights, with what the plans need.
    fn bank(&mut self, device: &Device, weights: &Arc<Weights>, plans: &[Plan]) -> Result<usize> {
        let at = match self.banks.iter().position(|bank| bank.weights().id() == weights.id()) {
            Some(at) => at,
            None => {
                self.banks.truncate(BANKS - 1);
                self.banks.insert(0, Bank::new(weights.clone()));
                0
            }
        };
        self.banks[at].prepare(device, plans)?;
        Ok(at)
    }

    /// The batch on the card.
    fn batch(&mut self, device: &Device, batch: &Batch) -> Result<u64> {
        if let Some((_, memory)) = self.batch.as_ref().filter(|(known, _)| known == batch) {
            return Ok(memory.address());
        }
        self.batch = None;
        let map = layout::image_map(&batch.pixels, None, batch.count, batch.height * batch.width);
        let mut memory = device.demand(map.len() * 4, "the batch of images")?;
        device.write(&mut memory, 0, &map)?;
        Ok(self.batch.insert((batch.clone(), memory)).1.address())
    }
}

impl Cuda {
    fn hamming_kernels(
        &self,
        cells: &[Cell],
        weights: &Arc<Weights>,
        batch: &Batch,
        wanted: Wanted,
        watch: &dyn Watch,
    ) -> Result<Vec<HammingKernel>> {
        if batch.count > codes::MOST_IMAGES {
            return Err(Error::options(
                "The batch of naswot on a card",
                format!("at most {} images", codes::MOST_IMAGES),
                batch.count.to_string(),
                "Give a smaller --batch, or use --device cpu.",
            ));
        }
        let skeleton = weights.skeleton();
        let plan = |cell: &Cell| Plan::new(cell, skeleton, Purpose::Codes, weights.shifts());
        let plans: Vec<Plan> = cells.par_iter().map(plan).collect();
        let bits: Vec<u64> = cells.iter().map(|cell| skeleton.code_bits(cell)).collect();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.begin(Use::Naswot);
        let bank = state.bank(&self.device, weights, &plans)?;
        let image = state.batch(&self.device, batch)?;
        let State { banks, arena, .. } = &mut *state;
        let (device, precision, bank, images) = (&self.device, self.precision, &banks[bank], batch.count);
        let around = Surroundings { device, precision, bank, image, images };
        naswot::kernels(&around, arena, &plans, &bits, wanted, watch)
    }
}

impl Cuda {
    /// Runs `work` with weights and task on the card.
    fn training<R>(
        &self,
        weights: &Arc<Weights>,
        task: &RegressionTask,
        plans: &[Plan],
        work: impl FnOnce(&train::Surroundings, &mut Arena) -> Result<R>,
    ) -> Result<R> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.begin(Use::Training);
        let bank = state.bank(&self.device, weights, plans)?;
        state.banks[bank].prepare_training(&self.device)?;
        if state.task.as_ref().is_none_or(|known| known.task != *task) {
            state.task = None;
            state.task = Some(Task::new(&self.device, task)?);
        }
        let State { banks, arena, task, .. } = &mut *state;
        let Some(task) = task else { return Err(Error::Internal("a task was lost".into())) };
        let precision = match self.precision {
            // Gradients are too small for fp16.
            Precision::F16 if self.device.card().capability.0 >= 8 => Precision::Tf32,
            Precision::F16 => Precision::F32,
            other => other,
        };
        work(&train::Surroundings { device: &self.device, precision, bank: &banks[bank], task }, arena)
    }

    /// The norms of the gradients of LossSlope's first step, by the parameter's name in the state_dict (heads as
    /// `heads.0.0.weight` …). Parameters that no gradient reaches are absent.
    pub fn first_gradients(
        &self,
        cell: &Cell,
        weights: &Arc<Weights>,
        task: &RegressionTask,
    ) -> Result<Vec<(String, f64)>> {
        let skeleton = weights.skeleton();
        let plan = Plan::new(cell, skeleton, Purpose::Stages, false);
        let norms = self.training(weights, task, std::slice::from_ref(&plan), |around, arena| {
            train::first_gradients(around, arena, &plan)
        })?;
        let name = |kind| match kind {
            Kind::Weights(slot) | Kind::Bias(slot) => slot.name(skeleton),
            Kind::Gamma(slot) => slot.names(skeleton)[0].clone(),
            Kind::Beta(slot) => slot.names(skeleton)[1].clone(),
        };
        Ok(norms.into_iter().map(|(kind, norm)| (name(kind), norm)).collect())
    }
}

impl Backend for Cuda {
    fn name(&self) -> &'static str {
        "cuda"
    }

    fn kernel_set(&self) -> &'static str {
        match self.precision {
            Precision::F32 => "cuda-f32",
            Precision::Tf32x3 => "cuda-tf32x3",
            Precision::Tf32 => "cuda-tf32",
            Precision::F16 => "cuda-f16",
        }
    }

    fn card(&self) -> Option<(String, f64)> {
        Some((self.device.card().name.clone(), self.device.card().peak()))
    }

    fn cells_at_a_time(&self, _: usize) -> usize {
        CELLS_AT_A_TIME
    }

    fn hamming(
        &self,
        cells: &[Cell],
        weights: &Arc<Weights>,
        batch: &Batch,
        watch: &dyn Watch,
    ) -> Result<Vec<Hamming>> {
        let kernels = self.hamming_kernels(cells, weights, batch, Wanted::Distances, watch)?;
        let distances = kernels.into_iter().map(|kernel| match kernel {
            HammingKernel::Distances(hamming) => Ok(hamming),
            HammingKernel::LogDeterminant(_) => Err(Error::Internal("a determinant was given for distances".into())),
        });
        distances.collect()
    }

    fn kernels(
        &self,
        cells: &[Cell],
        weights: &Arc<Weights>,
        batch: &Batch,
        watch: &dyn Watch,
    ) -> Result<Vec<HammingKernel>> {
        self.hamming_kernels(cells, weights, batch, Wanted::Determinants, watch)
    }

    fn synflow(&self, cells: &[Cell], weights: &Arc<Weights>, watch: &dyn Watch) -> Result<Vec<SynflowSums>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.begin(Use::Synflow);
        let known = state.outsides.iter().position(|outside| outside.weights().id() == weights.id());
        let at = match known {
            Some(at) => at,
            None => {
                let outside = Outside::new(&self.device, weights.clone())?;
                state.outsides.truncate(BANKS - 1);
                state.outsides.insert(0, outside);
                0
            }
        };
        let State { outsides, arena, .. } = &mut *state;
        let around = synflow::Surroundings { device: &self.device, outside: &mut outsides[at] };
        synflow::population(around, arena, cells, watch)
    }

    fn train(
        &self,
        cells: &[Cell],
        weights: &Arc<Weights>,
        task: &RegressionTask,
        watch: &dyn Watch,
    ) -> Result<Vec<Vec<f64>>> {
        let plan = |cell: &Cell| Plan::new(cell, weights.skeleton(), Purpose::Stages, false);
        let plans: Vec<Plan> = cells.par_iter().map(plan).collect();
        self.training(weights, task, &plans, |around, arena| train::losses(around, arena, &plans, watch))
    }
}
