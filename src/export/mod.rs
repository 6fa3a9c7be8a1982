//! A cell's network for other programs: weights and images as safetensors, the network as ONNX.
//!
//! Everything is written as it is when a score is computed, so that others' code can compute it again: the weights under the names
//! of the state_dict of the NATS-Bench network ([`weights`]), the batch and LossSlope's task ([`images`], [`task`]), and the network
//! itself with the statistics of the batch in its BatchNorms ([`network`]). [`logits`] and [`losses`] are what the f64 reference says
//! of them. Each gives the bytes of one file; what they are of stands in the file ([`Origin`]).

mod graph;
pub mod onnx;
mod origin;
mod pass;
mod tensors;

pub use origin::Origin;
pub use pass::Pass;

use crate::backend::{Backend, Watch};
use crate::engine::Inputs;
use crate::error::{Error, Result};
use crate::reference::parameters::{self, Form};
use crate::reference::{network::HEAD_SIZE, Reference};
use crate::space::Cell;
use crate::weights::HEAD_CHANNELS;
use tensors::Tensors;

/// The weights of naswot and the synflows: all that `load_state_dict(strict=True)` of the NATS-Bench network wants. BatchNorms
/// have, beside γ and β, the running statistics of a network that has seen no image: 0, 1, and no batch.
///
/// # Errors
/// [`crate::Error::Internal`] if the file could not be made.
pub fn weights(cell: &Cell, inputs: &Inputs, origin: &Origin) -> Result<Vec<u8>> {
    let mut tensors = Tensors::default();
    let parameters = parameters::initial(cell, &inputs.weights, Form::Classifier);
    for (name, parameter) in &parameters {
        tensors.single(name, &parameter.shape, parameter.values.iter().map(|&v| v as f32));
        let norm = name.strip_suffix(".bias").filter(|_| name != "classifier.bias");
        if let Some(norm) = norm {
            let channels = parameter.values.len();
            tensors.single(&format!("{norm}.running_mean"), &[channels], vec![0.0; channels]);
            tensors.single(&format!("{norm}.running_var"), &[channels], vec![1.0; channels]);
            tensors.whole(&format!("{norm}.num_batches_tracked"), 0);
        }
    }
    tensors.file(origin)
}

/// The batch of naswot, `images` `[n, 3, h, w]` f32, normalised: what `--data FILE` reads.
///
/// # Errors
/// Those of [`weights`].
pub fn images(inputs: &Inputs, origin: &Origin) -> Result<Vec<u8>> {
    let batch = inputs.batch;
    let mut tensors = Tensors::default();
    tensors.single("images", &[batch.count, 3, batch.height, batch.width], batch.pixels.iter().copied());
    tensors.file(origin)
}

/// All that LossSlope starts from: `slope.input` `[n, 3, h, w]`, `slope.noise` `[10, n, 3, h, w]`, `slope.target.{0,1,2}`
/// `[n, c, 8, 8]`, and the regressor's parameters: `net.*` under the names of the state_dict, where the searched cells' BatchNorms have
/// no γ and β, and `heads.{0,1,2}.{0,1}.*`.
///
/// # Errors
/// Those of [`weights`].
pub fn task(cell: &Cell, inputs: &Inputs, origin: &Origin) -> Result<Vec<u8>> {
    let (task, mut tensors) = (inputs.task, Tensors::default());
    let images = &task.images;
    let shape = [images.count, 3, images.height, images.width];
    tensors.single("slope.input", &shape, images.pixels.iter().copied());
    let noise = task.noise.iter().flatten().copied();
    tensors.single("slope.noise", &[&[task.noise.len()], &shape[..]].concat(), noise);
    for (stage, target) in task.targets.iter().enumerate() {
        let shape = [images.count, HEAD_CHANNELS[stage], HEAD_SIZE, HEAD_SIZE];
        tensors.single(&format!("slope.target.{stage}"), &shape, target.iter().copied());
    }
    for (name, parameter) in parameters::initial(cell, &inputs.slope_weights, Form::Heads) {
        let name = if name.starts_with("heads.") { name } else { format!("net.{name}") };
        tensors.single(&name, &parameter.shape, parameter.values.iter().map(|&v| v as f32));
    }
    tensors.file(origin)
}

/// The network as an ONNX model of the input `images` `[N, 3, h, w]` and the output `logits` `[N, classes]`.
///
/// It is the whole network as NATS-Bench builds it, branches that reach no output included; an edge that is `none` is left out, and
/// a node without other edges is its cell's input times 0. Its BatchNorms have the statistics of the pass, so the model gives for
/// that batch what a forward pass in train mode gives.
///
/// # Errors
/// [`Error::Internal`] if the pass is of another cell.
pub fn network(cell: &Cell, inputs: &Inputs, pass: &Pass, origin: &Origin) -> Result<Vec<u8>> {
    Ok(graph::model(cell, inputs, &pass.moments, origin)?.bytes())
}

/// The logits of a pass in f64: `logits` `[n, classes]`, BatchNorm on the statistics of the batch.
///
/// # Errors
/// Those of [`weights`].
pub fn logits(pass: &Pass, origin: &Origin) -> Result<Vec<u8>> {
    let mut tensors = Tensors::default();
    tensors.double("logits", &pass.logits.shape[..2], pass.logits.values.iter().copied());
    tensors.file(origin)
}

/// The losses of LossSlope's steps in f64, each taken before its step's update: `losses` `[10]`.
///
/// # Errors
/// [`Error::Interrupted`] when `watch` cancels; [`Error::Options`] when images and weights do not fit each other.
pub fn losses(cell: &Cell, inputs: &Inputs, origin: &Origin, watch: &dyn Watch) -> Result<Vec<u8>> {
    let trained = Reference.train(&[*cell], &inputs.slope_weights, inputs.task, watch)?;
    let losses = trained.first().ok_or_else(|| Error::Internal("a training gave nothing".to_string()))?;
    let mut tensors = Tensors::default();
    tensors.double("losses", &[losses.len()], losses.iter().copied());
    tensors.file(origin)
}
