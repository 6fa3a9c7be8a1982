//! What an engine computes its scores from, for those who want to compute them elsewhere.

use super::scoring::Engine;
use crate::input::{Batch, RegressionTask};
use crate::weights::Weights;
use std::sync::Arc;

/// What the scores of a cell are computed from, under the engine's first draw.
pub struct Inputs<'a> {
    /// naswot's images.
    pub batch: &'a Batch,
    /// The weights of naswot and the synflows.
    pub weights: Arc<Weights>,
    /// The weights that LossSlope starts from, its heads among them.
    pub slope_weights: Arc<Weights>,
    /// LossSlope's images, noise and targets.
    pub task: &'a RegressionTask,
}

impl Engine {
    /// Runs work on the engine's threads.
    pub fn on_threads<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.threads.install(work)
    }
}
