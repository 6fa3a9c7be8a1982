//! The seam between the measures and the machines that compute them: cells, weights and images in, raw numbers out.
//!
//! A backend knows nothing of scores, searches or files. The plain f64 [`crate::reference`] and the engine for processors
//! [`crate::cpu`] stand behind this seam, and so do NVIDIA's cards with [`crate::cuda`].

use crate::error::Result;
use crate::input::{Batch, RegressionTask};
use crate::space::Cell;
use crate::weights::Weights;
use std::sync::Arc;

/// Disagreement of the ReLU codes of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hamming {
    /// Images.
    pub count: usize,
    /// N_A, the bits of one image's code, with multiplicity.
    pub bits: u64,
    /// `[count, count]`: bits in which the codes of two images differ, with multiplicity. K_H = N_A − distance.
    pub distance: Vec<u64>,
}

/// What naswot is taken from: `K_H[i][j]` = N_A − distance.
#[derive(Clone, Debug, PartialEq)]
pub enum HammingKernel {
    /// The distances.
    Distances(Hamming),
    /// ln|det K_H| of a matrix that is certainly regular.
    LogDeterminant(f64),
}

/// Sums over all weights of convolutions and the classifier; g = d(sum of logits)/d|w|.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SynflowSums {
    /// Σ |w·g|.
    pub product: f64,
    /// Σ |w·ln(g + 1e-6)|.
    pub log_reference: f64,
    /// Σ |w·ln(g + 1)|.
    pub log_one_plus: f64,
}

/// Someone who wants to know of progress and may end the work.
pub trait Watch: Sync {
    /// A cell is done.
    fn advance(&self) {}
    /// The work shall end with [`crate::Error::Interrupted`] as soon as it can.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Nobody watches.
impl Watch for () {}

/// A machine that computes raw numbers for whole populations. Results are in the order of `cells` and do not depend on how
/// many cells are asked for at once.
pub trait Backend: Send + Sync {
    /// `reference`, `cpu`, …
    fn name(&self) -> &'static str;

    /// The set of kernels in use: results are equal to the last bit where backend and kernel set are.
    fn kernel_set(&self) -> &'static str;

    /// The name of the card that computes, if one does, and its f32 operations a second by its data.
    fn card(&self) -> Option<(String, f64)> {
        None
    }

    /// How many cells at a time keep it busy, with so many worker threads.
    fn cells_at_a_time(&self, threads: usize) -> usize {
        threads.saturating_mul(16)
    }

    /// naswot's raw numbers: one train-mode forward pass over the batch.
    fn hamming(&self, cells: &[Cell], weights: &Arc<Weights>, batch: &Batch, watch: &dyn Watch)
        -> Result<Vec<Hamming>>;

    /// The same for those who want nothing but the determinant: a backend may compute it where the distances are.
    fn kernels(
        &self,
        cells: &[Cell],
        weights: &Arc<Weights>,
        batch: &Batch,
        watch: &dyn Watch,
    ) -> Result<Vec<HammingKernel>> {
        let distances = self.hamming(cells, weights, batch, watch)?;
        Ok(distances.into_iter().map(HammingKernel::Distances).collect())
    }

    /// Synflow's raw numbers: forward and backward on |weights| with one image of ones and identity BatchNorm.
    fn synflow(&self, cells: &[Cell], weights: &Arc<Weights>, watch: &dyn Watch) -> Result<Vec<SynflowSums>>;

    /// LossSlope's raw numbers: the losses of each step, each taken before the step's update. Non-finite where the training
    /// diverges.
    fn train(
        &self,
        cells: &[Cell],
        weights: &Arc<Weights>,
        task: &RegressionTask,
        watch: &dyn Watch,
    ) -> Result<Vec<Vec<f64>>>;
}
