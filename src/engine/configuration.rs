//! Everything that decides a score, as it is written beside results.

use crate::input::{Dataset, Origin};
use crate::measure::{LogSynflowForm, SlopeFit};
use crate::random::Seeds;
use crate::space::Skeleton;
use crate::weights::Init;
use serde::{Serialize, Serializer};

/// The file that weights were read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WeightFile {
    /// Its name, without the folder.
    pub name: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
}

/// Everything that decides a score: two results with equal configurations are equal to the last bit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Configuration {
    /// Data set.
    pub dataset: Dataset,
    /// The images.
    pub images: Origin,
    /// Images that LossSlope trains on.
    pub regression_images: usize,
    /// The network around the cell.
    #[serde(serialize_with = "network")]
    pub network: Skeleton,
    /// All seeds.
    pub seeds: Seeds,
    /// Initial weights of naswot and LogSynflow.
    pub init: Init,
    /// Initial weights of LossSlope.
    pub slope_init: Init,
    /// The file that all of these weights came from instead.
    pub weights: Option<WeightFile>,
    /// LogSynflow's form.
    pub log_synflow: LogSynflowForm,
    /// The losses that LossSlope's line is fitted to.
    pub slope_fit: SlopeFit,
    /// Draws that a score is the mean of.
    pub repeats: usize,
    /// `cpu`, …
    pub backend: &'static str,
    /// Arithmetic of its kernels.
    pub kernel_set: &'static str,
}

fn network<S: Serializer>(skeleton: &Skeleton, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Network {
        channels: usize,
        cells_per_stage: usize,
        classes: usize,
        height: usize,
        width: usize,
    }
    let &Skeleton { channels, cells_per_stage, classes, height, width } = skeleton;
    Network { channels, cells_per_stage, classes, height, width }.serialize(serializer)
}
