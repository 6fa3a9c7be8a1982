//! Arguments that several subcommands have.

use super::names;
use crate::engine::{Device, Engine, LogSynflowForm, Options, Precision, SlopeFit};
use crate::input::{Dataset, Source};
use crate::random::Seeds;
use crate::report::Format;
use crate::weights::Init;
use clap::Args;
use std::path::PathBuf;

/// What decides a score, and where it is computed.
#[derive(Args, Clone)]
pub struct EngineArguments {
    /// Data set: sets classes, image size and normalisation
    #[arg(long, value_name = "NAME", value_parser = names::dataset(), default_value = "cifar10")]
    #[arg(help_heading = "Network and images")]
    pub dataset: Dataset,
    /// Images: `noise`, or a data set's file or folder, or a safetensors batch [default: the built-in photographs]
    ///
    /// CIFAR-10 and CIFAR-100 are read in binary form and as pickles, ImageNet16-120 as pickles. A safetensors file (tensor
    /// `images`, f32 [n, 3, h, w]) is taken as it is and sets the image size of every measure. `noise` is Gaussian noise; a
    /// file of that name is `./noise`.
    #[arg(long, value_name = "PATH|noise", help_heading = "Network and images")]
    pub data: Option<PathBuf>,
    /// Images in the batch: the first ones in file order
    #[arg(long, value_name = "N", value_parser = names::count, default_value_t = Options::default().batch)]
    #[arg(help_heading = "Network and images")]
    pub batch: usize,
    /// Outputs of the classifier [default: the data set's]
    #[arg(long, value_name = "N", value_parser = names::count, help_heading = "Network and images")]
    pub classes: Option<usize>,
    /// Initial weights of naswot and LogSynflow
    #[arg(long, value_name = "NAME", value_parser = names::init(), default_value = "uniform")]
    #[arg(help_heading = "Network and images")]
    pub init: Init,
    /// Initial weights of LossSlope
    #[arg(long, value_name = "NAME", value_parser = names::slope_init(), default_value = "uniform")]
    #[arg(help_heading = "Network and images")]
    pub slope_init: Init,
    /// LogSynflow's logarithm: ln(g + 1e-6) or ln(g + 1)
    #[arg(long, value_name = "NAME", value_parser = names::log_synflow(), default_value = "reference")]
    #[arg(help_heading = "Network and images")]
    pub log_synflow: LogSynflowForm,

    /// Master seed; the seeds below follow from it unless they are set
    #[arg(long, value_name = "SEED", value_parser = names::seed, default_value_t = 0, help_heading = "Seeds")]
    pub seed: u64,
    /// Seed of the initial weights
    #[arg(long, value_name = "SEED", value_parser = names::seed, help_heading = "Seeds")]
    pub weight_seed: Option<u64>,
    /// Seed of noise images and of LossSlope's crops and flips; set, it also draws which images form the batch
    #[arg(long, value_name = "SEED", value_parser = names::seed, help_heading = "Seeds")]
    pub data_seed: Option<u64>,
    /// Seed of LossSlope's targets
    #[arg(long, value_name = "SEED", value_parser = names::seed, help_heading = "Seeds")]
    pub target_seed: Option<u64>,
    /// Seed of the noise that LossSlope adds to the images
    #[arg(long, value_name = "SEED", value_parser = names::seed, help_heading = "Seeds")]
    pub noise_seed: Option<u64>,
    /// Seed of the search's decisions
    #[arg(long, value_name = "SEED", value_parser = names::seed, help_heading = "Seeds")]
    pub search_seed: Option<u64>,
    /// Seed by which `score --sample` and `bench --cells` draw cells
    #[arg(long, value_name = "SEED", value_parser = names::seed, help_heading = "Seeds")]
    pub sample_seed: Option<u64>,

    /// Worker threads; changes no result [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = names::count, help_heading = "Device")]
    pub threads: Option<usize>,
    /// Where to compute: a card is `cuda` or `cuda:i`
    #[arg(long, value_name = "NAME", value_parser = names::device(), default_value = "auto", help_heading = "Device")]
    pub device: Device,
    /// Arithmetic of a card's convolutions [default: tf32x3, or f32 on cards without it]
    ///
    /// f32: ordinary units. tf32x3: tensor cores, operands split in two, nearly f32; from compute capability 8.0 on. tf32 and f16:
    /// operands rounded to 10 bits behind the point; faster, and signs of values near zero flip.
    #[arg(long, value_name = "NAME", value_parser = names::precision(), help_heading = "Device")]
    pub precision: Option<Precision>,
}

impl EngineArguments {
    /// The engine's options, for one draw.
    pub fn options(&self) -> Options {
        let derived = Seeds::new(self.seed);
        let seeds = Seeds {
            master: self.seed,
            weight: self.weight_seed.unwrap_or(derived.weight),
            data: self.data_seed.unwrap_or(derived.data),
            target: self.target_seed.unwrap_or(derived.target),
            noise: self.noise_seed.unwrap_or(derived.noise),
            search: self.search_seed.unwrap_or(derived.search),
            sample: self.sample_seed.unwrap_or(derived.sample),
        };
        let data = match &self.data {
            None => Source::Photos,
            Some(path) if path.as_os_str() == "noise" => Source::Noise,
            Some(path) => Source::Path(path.clone()),
        };
        Options {
            dataset: self.dataset,
            data,
            batch: self.batch,
            seeds,
            draw_batch: self.data_seed.is_some(),
            init: self.init,
            slope_init: self.slope_init,
            log_synflow: self.log_synflow,
            slope_fit: SlopeFit::Reference,
            classes: self.classes,
            weights: None,
            repeats: 1,
            threads: self.threads,
            device: self.device,
            precision: self.precision,
        }
    }
}

/// How many draws a score is the mean of.
#[derive(Args, Clone)]
pub struct DrawArguments {
    /// Score under R draws of weights, targets and noise: the mean counts, and the deviation over them is given as NAME_std
    #[arg(long, value_name = "R", value_parser = names::count, default_value_t = 1, help_heading = "Network and images")]
    pub repeats: usize,
}

/// Where results go and what is told beside them.
#[derive(Args, Clone)]
pub struct OutputArguments {
    /// Form of the results; `table` is for people and rounds
    #[arg(long, value_name = "NAME", value_parser = names::format(), default_value = "table", help_heading = "Output")]
    pub format: Format,
    /// Write the results to FILE, and how to get them again to FILE.meta.json
    ///
    /// The file appears when the work is done, or with what is finished when it is interrupted; never half a record. `score` appends
    /// jsonl and csv as they come.
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Neither progress bar nor notes on stderr; errors are still told
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,
}

/// Where accuracies are looked up.
#[derive(Args, Clone)]
pub struct TableArguments {
    /// Accuracies of the space: CSV, or what `table import` made [default: $ETNAS_TABLE, else the 75 cells that are built in]
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub table: Option<PathBuf>,
}

/// The images in use, for people: what the engine's configuration says of them.
pub fn images_line(engine: &Engine) -> String {
    let configuration = serde_json::to_value(engine.configuration()).unwrap_or_default();
    let images = configuration.get("images").and_then(|images| images.as_object());
    let text = |key: &str| match images.and_then(|images| images.get(key)) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "unknown".to_string(),
    };
    let hash: String = text("sha256").chars().take(16).collect();
    format!("{} of {}, {}×{} pixels (SHA-256 {hash}…)", text("count"), text("name"), text("height"), text("width"))
}
