//! LossSlope's raw numbers: the losses of SGD steps on the regression task (SPEC section 4).

use super::network::{Network, Norms, Observer, HEAD_SIZE};
use super::parameters::{self, Form, Parameters};
use super::tape::Gradients;
use super::tensor::Tensor;
use crate::backend::Watch;
use crate::error::{Error, Result};
use crate::input::RegressionTask;
use crate::space::{Cell, Skeleton};
use crate::weights::{Weights, HEAD_CHANNELS};
use std::collections::BTreeMap;

/// What the mean squared error of each head counts for in the loss.
pub const STAGE_WEIGHTS: [f64; 3] = [0.25, 0.5, 1.0];
/// SGD's learning rate.
pub const LEARNING_RATE: f64 = 0.1;
/// SGD's momentum (no dampening, not Nesterov's).
pub const MOMENTUM: f64 = 0.9;
/// Weight decay of the parameters with more than one dimension.
pub const WEIGHT_DECAY: f64 = 4e-5;

/// The course of one training.
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    /// The loss of each step, before its update.
    pub losses: Vec<f64>,
    /// The Euclidean norm of the first step's gradient with respect to each parameter, without weight decay, by name.
    pub first_gradient_norms: BTreeMap<String, f64>,
}

/// Trains the regressor of `cell` for as many steps as the task has noise.
///
/// # Errors
/// [`Error::Interrupted`] when `watch` cancels. The task must fit the weights ([`super::Reference`] checks that).
pub(super) fn train(cell: &Cell, weights: &Weights, task: &RegressionTask, watch: &dyn Watch) -> Result<Training> {
    let mut parameters = parameters::initial(cell, weights, Form::Heads);
    let shape = [task.images.count, 3, task.images.height, task.images.width];
    let targets = [0, 1, 2]
        .map(|stage| Tensor::from_f32([shape[0], HEAD_CHANNELS[stage], HEAD_SIZE, HEAD_SIZE], &task.targets[stage]));
    let mut velocities = BTreeMap::new();
    let mut training = Training { losses: Vec::new(), first_gradient_norms: BTreeMap::new() };
    for (step, noise) in task.noise.iter().enumerate() {
        if watch.cancelled() {
            return Err(Error::Interrupted);
        }
        let mut images = Tensor::from_f32(shape, &task.images.pixels);
        images.add(&Tensor::from_f32(shape, noise));
        let (loss, gradients) = loss_and_gradients(cell, weights.skeleton(), &parameters, images, &targets);
        training.losses.push(loss);
        if step == 0 {
            let norm = |g: &Vec<f64>| g.iter().map(|v| v * v).sum::<f64>().sqrt();
            training.first_gradient_norms = gradients.parameters.iter().map(|(n, g)| (n.clone(), norm(g))).collect();
        }
        update(&mut parameters, &mut velocities, gradients.parameters);
    }
    Ok(training)
}

/// The loss Σ weight·MSE over the heads.
pub fn loss(
    cell: &Cell,
    skeleton: &Skeleton,
    parameters: &Parameters,
    images: Tensor,
    targets: &[Tensor; 3],
    observer: &mut dyn Observer,
) -> f64 {
    let mut network = Network::new(cell, skeleton, parameters, Norms::Batch, false, observer);
    let stages = network.stages(images);
    let outputs = network.heads(&stages);
    (0..3).map(|stage| STAGE_WEIGHTS[stage] * mean_squared_error(&outputs[stage], &targets[stage])).sum()
}

/// The loss and its gradients with respect to every parameter.
pub fn loss_and_gradients(
    cell: &Cell,
    skeleton: &Skeleton,
    parameters: &Parameters,
    images: Tensor,
    targets: &[Tensor; 3],
) -> (f64, Gradients) {
    let mut nobody = ();
    let mut network = Network::new(cell, skeleton, parameters, Norms::Batch, true, &mut nobody);
    let stages = network.stages(images);
    let outputs = network.heads(&stages);
    let mut loss = 0.0;
    let mut seeds = Vec::new();
    for (stage, output) in outputs.into_iter().enumerate() {
        let target = &targets[stage];
        loss += STAGE_WEIGHTS[stage] * mean_squared_error(&output, target);
        let factor = STAGE_WEIGHTS[stage] * 2.0 / target.values.len() as f64;
        let seed = output.values.iter().zip(&target.values).map(|(o, t)| factor * (o - t)).collect();
        seeds.push((output, Tensor { shape: target.shape, values: seed }));
    }
    (loss, network.backward(seeds))
}

fn mean_squared_error(output: &Tensor, target: &Tensor) -> f64 {
    let squares = output.values.iter().zip(&target.values).map(|(o, t)| (o - t) * (o - t));
    squares.sum::<f64>() / target.values.len() as f64
}

/// One SGD step: v ← momentum·v + (g + decay·p), p ← p − rate·v. A parameter without a gradient stays as it is.
fn update(
    parameters: &mut Parameters,
    velocities: &mut BTreeMap<String, Vec<f64>>,
    gradients: BTreeMap<String, Vec<f64>>,
) {
    for (name, gradient) in gradients {
        let Some(parameter) = parameters.get_mut(&name) else { continue };
        let decay = if parameter.shape.len() > 1 { WEIGHT_DECAY } else { 0.0 };
        let velocity = velocities.entry(name).or_insert_with(|| vec![0.0; gradient.len()]);
        for ((p, v), g) in parameter.values.iter_mut().zip(velocity).zip(gradient) {
            *v = MOMENTUM * *v + (g + decay * *p);
            *p -= LEARNING_RATE * *v;
        }
    }
}
