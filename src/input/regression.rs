//! LossSlope's regression task: images, the noise of each step, and the targets of the three heads.

use super::Batch;

/// SGD steps of LossSlope.
pub const STEPS: usize = 10;

/// What a network is trained on for ten steps; the same for all cells.
#[derive(Clone, Debug)]
pub struct RegressionTask {
    /// The images, `[n, 3, h, w]`.
    pub images: Batch,
    /// Noise added to the images at each step: ten tensors like the images.
    pub noise: Vec<Vec<f32>>,
    /// Targets of the three heads, `[n, c, 8, 8]` with c of [`crate::weights::HEAD_CHANNELS`].
    pub targets: [Vec<f32>; 3],
}
