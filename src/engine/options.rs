//! Everything that decides a score, and everything that only decides how fast it comes.

use crate::cuda::Precision;
use crate::error::{Error, Result};
use crate::input::{Dataset, Source};
use crate::measure::{LogSynflowForm, SlopeFit};
use crate::random::Seeds;
use crate::weights::{Init, WeightSource};
use std::str::FromStr;

/// Where the numbers are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// The fastest that is there.
    #[default]
    Auto,
    /// This machine's processors.
    Cpu,
    /// The CUDA card with this number.
    Cuda(usize),
}

impl FromStr for Device {
    type Err = Error;

    /// Reads `auto`, `cpu`, `cuda` or `cuda:i`.
    fn from_str(text: &str) -> Result<Device> {
        match (text, text.strip_prefix("cuda:").map(str::parse)) {
            ("auto", _) => Ok(Device::Auto),
            ("cpu", _) => Ok(Device::Cpu),
            ("cuda", _) => Ok(Device::Cuda(0)),
            (_, Some(Ok(card))) => Ok(Device::Cuda(card)),
            _ => Err(Error::UnknownName {
                kind: "device",
                found: text.to_string(),
                allowed: ["auto", "cpu", "cuda", "cuda:i"].map(String::from).to_vec(),
            }),
        }
    }
}

/// The options of an engine. The default is the paper's setting on CIFAR-10 with the embedded photographs.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Data set: classes, image size, normalisation.
    pub dataset: Dataset,
    /// Where the images come from.
    pub data: Source,
    /// Images in naswot's batch; LossSlope trains on the first 16 of them.
    pub batch: usize,
    /// All seeds.
    pub seeds: Seeds,
    /// The batch is drawn from the images by the data seed; else it is the first images in file order.
    pub draw_batch: bool,
    /// Initial weights of naswot and LogSynflow.
    pub init: Init,
    /// Initial weights of LossSlope.
    pub slope_init: Init,
    /// LogSynflow's form.
    pub log_synflow: LogSynflowForm,
    /// The losses that LossSlope's line is fitted to.
    pub slope_fit: SlopeFit,
    /// Outputs of the classifier, where not the data set's.
    pub classes: Option<usize>,
    /// Weights of one cell's network; else they are drawn.
    pub weights: Option<WeightSource>,
    /// Draws of weights, targets and noise that a score is the mean of.
    pub repeats: usize,
    /// Worker threads; `None` for one per processor. Never changes a result.
    pub threads: Option<usize>,
    /// Where to compute.
    pub device: Device,
    /// Arithmetic of a card's convolutions; `None` for its best of f32 accuracy. The processor always computes in f32.
    pub precision: Option<Precision>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            dataset: Dataset::Cifar10,
            data: Source::Photos,
            batch: 128,
            seeds: Seeds::new(0),
            draw_batch: false,
            init: Init::Uniform,
            slope_init: Init::Uniform,
            log_synflow: LogSynflowForm::Reference,
            slope_fit: SlopeFit::Reference,
            classes: None,
            weights: None,
            repeats: 1,
            threads: None,
            device: Device::Auto,
            precision: None,
        }
    }
}
