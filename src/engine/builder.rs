//! An engine's options one by one.

use super::options::{Device, Options};
use super::scoring::Engine;
use crate::cuda::Precision;
use crate::error::Result;
use crate::input::{Dataset, Source};
use crate::measure::{LogSynflowForm, SlopeFit};
use crate::random::Seeds;
use crate::weights::{Init, WeightSource};

/// Makes an [`Engine`]. What is not set has the default of [`Options`]: the paper's setting on CIFAR-10 with the embedded photographs,
/// on the fastest device that is there.
///
/// ```
/// use etnas::engine::Engine;
/// use etnas::input::Dataset;
/// let engine = Engine::builder().dataset(Dataset::ImageNet16).batch(8).seed(3).build()?;
/// assert_eq!(engine.options().batch, 8);
/// # Ok::<(), etnas::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder makes an engine by build()"]
pub struct EngineBuilder {
    options: Options,
}

/// Setters that put their argument into the option of the same name.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)+) => {
        $($(#[$doc])*
        pub fn $name(mut self, $name: $type) -> EngineBuilder {
            self.options.$name = $name.into();
            self
        })+
    };
}

impl EngineBuilder {
    setters! {
        /// Data set: classes, image size, normalisation.
        dataset: Dataset;
        /// Where the images come from: the embedded photographs, noise, files, or arrays of the caller.
        data: Source;
        /// Images in naswot's batch, at least 2 for naswot; LossSlope trains on the first 16 of them.
        batch: usize;
        /// The batch is drawn from the images by the data seed; else it is the first images in file order.
        draw_batch: bool;
        /// All seeds, one by one.
        seeds: Seeds;
        /// Initial weights of naswot and LogSynflow.
        init: Init;
        /// Initial weights of LossSlope.
        slope_init: Init;
        /// LogSynflow's form.
        log_synflow: LogSynflowForm;
        /// The losses that LossSlope's line is fitted to.
        slope_fit: SlopeFit;
        /// Outputs of the classifier, where not the data set's.
        classes: usize;
        /// Weights of one cell's network; else they are drawn.
        weights: WeightSource;
        /// Draws of weights, targets and noise that a score is the mean of, from 1 to 10,000.
        repeats: usize;
        /// Worker threads, from 1 to 1024; else one for each processor. Never changes a result.
        threads: usize;
        /// Where to compute.
        device: Device;
        /// Arithmetic of a card's convolutions; the processor always computes in f32.
        precision: Precision;
    }

    /// The master seed, from which all others follow.
    pub fn seed(self, seed: u64) -> EngineBuilder {
        self.seeds(Seeds::new(seed))
    }

    /// The options so far.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Loads images and weights and prepares the device. Working memory and banks of weights are made by the first call that needs
    /// them, and kept.
    ///
    /// # Errors
    /// Those of [`Engine::new`].
    pub fn build(self) -> Result<Engine> {
        Engine::new(self.options)
    }
}

impl From<Options> for EngineBuilder {
    fn from(options: Options) -> EngineBuilder {
        EngineBuilder { options }
    }
}
