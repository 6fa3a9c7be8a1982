//! What the networks are fed: batches of images, and LossSlope's regression task.

mod augment;
mod check;
mod cifar;
mod dataset;
mod files;
mod given;
mod images;
mod magnitude;
mod photos;
mod pickled;
mod published;
mod regression;

pub use check::{Check, FileCheck, FileState};
pub use dataset::Dataset;
pub use given::{Given, GivenValues};
pub use images::{Images, Origin};
pub use magnitude::LARGEST_PIXEL;
pub use regression::{RegressionTask, NOISE, STEPS};

/// Where images come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The embedded photographs.
    Photos,
    /// Gaussian noise, drawn by the data seed.
    Noise,
    /// A data set's file or directory, or a safetensors batch.
    Path(std::path::PathBuf),
    /// Images of the caller: [`Source::tensor`], [`Source::levels`].
    Given(std::sync::Arc<Given>),
}

/// Images as the network sees them, normalised.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Number of images.
    pub count: usize,
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
    /// `[count, 3, height, width]`, row-major.
    pub pixels: Vec<f32>,
}
