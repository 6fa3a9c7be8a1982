//! The plain f64 implementation of everything that the engines compute: the truth they are tested against.
//!
//! It walks a [`Cell`] in its [`Skeleton`] directly. Nothing is pruned, nothing is shared between cells or edges, and every
//! operation is a loop that can be read beside its formula. Results do not depend on the number of threads.
//!
//! [`Reference`] stands behind the seam of all engines; [`train()`] and [`synflow_layers`] also give what tests of single
//! layers need: sums per layer, norms of the first gradients.

pub mod conv;
mod naswot;
pub mod network;
pub mod norm;
pub mod parameters;
pub mod pool;
mod synflow;
pub mod tape;
mod tensor;
pub mod train;

pub use synflow::Layer;
pub use tensor::Tensor;
pub use train::Training;

use crate::backend::{Backend, Hamming, SynflowSums, Watch};
use crate::error::{Error, Result};
use crate::input::{Batch, RegressionTask};
use crate::space::{Cell, Skeleton};
use crate::weights::{Weights, HEAD_CHANNELS};
use std::sync::Arc;

/// The backend `reference`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference;

impl Backend for Reference {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn kernel_set(&self) -> &'static str {
        "plain f64"
    }

    fn hamming(
        &self,
        cells: &[Cell],
        weights: &Arc<Weights>,
        batch: &Batch,
        watch: &dyn Watch,
    ) -> Result<Vec<Hamming>> {
        check_images(batch, weights.skeleton())?;
        let images = Tensor::from_f32([batch.count, 3, batch.height, batch.width], &batch.pixels);
        each(cells, watch, |cell| Ok(naswot::hamming(cell, weights, images.clone())))
    }

    fn synflow(&self, cells: &[Cell], weights: &Arc<Weights>, watch: &dyn Watch) -> Result<Vec<SynflowSums>> {
        each(cells, watch, |cell| Ok(synflow::total(&synflow::layers(cell, weights))))
    }

    fn train(
        &self,
        cells: &[Cell],
        weights: &Arc<Weights>,
        task: &RegressionTask,
        watch: &dyn Watch,
    ) -> Result<Vec<Vec<f64>>> {
        check_task(task, weights.skeleton())?;
        each(cells, watch, |cell| Ok(train::train(cell, weights, task, watch)?.losses))
    }
}

/// Synflow's sums of every layer of `cell`'s network, sorted by name.
pub fn synflow_layers(cell: &Cell, weights: &Weights) -> Vec<Layer> {
    synflow::layers(cell, weights)
}

/// One forward pass over the batch, BatchNorm on its statistics: the logits `[n, classes, 1, 1]`. `observer` sees every value.
///
/// # Errors
/// [`Error::Options`] when the images are none that the network can be fed.
pub fn evaluate(cell: &Cell, weights: &Weights, batch: &Batch, observer: &mut dyn network::Observer) -> Result<Tensor> {
    check_images(batch, weights.skeleton())?;
    let images = Tensor::from_f32([batch.count, 3, batch.height, batch.width], &batch.pixels);
    let parameters = parameters::initial(cell, weights, parameters::Form::Classifier);
    let mut network =
        network::Network::new(cell, weights.skeleton(), &parameters, network::Norms::Batch, false, observer);
    let stages = network.stages(images);
    Ok(Tensor::clone(&network.logits(&stages[2])))
}

/// The training of `cell`'s regressor, with the norms of the first gradients.
///
/// # Errors
/// [`Error::Options`] when the task's images, noise or targets do not fit each other.
pub fn train(cell: &Cell, weights: &Weights, task: &RegressionTask) -> Result<Training> {
    check_task(task, weights.skeleton())?;
    train::train(cell, weights, task, &())
}

fn each<T>(cells: &[Cell], watch: &dyn Watch, f: impl Fn(&Cell) -> Result<T>) -> Result<Vec<T>> {
    let one = |cell| {
        if watch.cancelled() {
            return Err(Error::Interrupted);
        }
        let result = f(cell)?;
        watch.advance();
        Ok(result)
    };
    cells.iter().map(one).collect()
}

/// The images can be fed to a network of this skeleton. Their height and width need not be the skeleton's: no weight depends
/// on them.
fn check_images(batch: &Batch, skeleton: &Skeleton) -> Result<()> {
    Skeleton { height: batch.height, width: batch.width, ..*skeleton }.check()?;
    if batch.count == 0 {
        return Err(Error::options("The batch", "at least one image", "none", "Give images."));
    }
    check_length("pixels of the batch", batch.pixels.len(), batch.count * 3 * batch.height * batch.width)
}

fn check_task(task: &RegressionTask, skeleton: &Skeleton) -> Result<()> {
    check_images(&task.images, skeleton)?;
    for noise in &task.noise {
        check_length("numbers of a step's noise", noise.len(), task.images.pixels.len())?;
    }
    for (target, channels) in task.targets.iter().zip(HEAD_CHANNELS) {
        let expected = task.images.count * channels * network::HEAD_SIZE * network::HEAD_SIZE;
        check_length("numbers of a head's targets", target.len(), expected)?;
    }
    Ok(())
}

fn check_length(what: &str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::options(
        format!("The number of {what}"),
        expected.to_string(),
        found.to_string(),
        "Make them for the same images.",
    ))
}
