//! LossSlope's raw numbers: ten SGD steps on the regression task, and the loss before each.
//!
//! A step goes forward as naswot does, but keeps every convolution's output ([`forward`]); then back over the values, last
//! first ([`backward`]): a value's gradient from its readers, through its convolutions, with their weight gradients on the
//! way. Weights are updated as soon as the pass that needs them is done. Weight gradients are summed over groups of images,
//! the groups in order, so that results do not depend on the number of threads. The last step needs no way back.
//!
//! Per cell at 16 images of 32×32: 28 × 2 FLOP × 16 × MACs (42 GFLOP for an average cell of the space, were all its
//! convolutions direct).

mod backward;
mod forward;
mod layers;
mod sgd;

use super::bank::Bank;
use super::heads::{Head, Step};
use super::layout::{map_len, padded_channels};
use super::norm::{Affine, Moment};
use super::norm_back::Gradient;
use super::pass::{moment_offsets, Network};
use super::scratch::{grown, Buffer};
use super::simd::Isa;
use crate::input::RegressionTask;
use crate::plan::{Plan, Shape, Slots, Source, Storage};
use crate::weights::{NormSlot, Slot};
use layers::{Layer, Node};
pub use sgd::{Parameters, Places};

/// Weight gradients are summed in this many groups of images.
const GROUPS: usize = 4;

/// Memory of one cell in training, reused by the next.
#[derive(Default)]
pub struct Workspace {
    arena: Buffer,
    moments: Vec<Moment>,
    partial: Buffer,
    parameters: Parameters,
    layers: Vec<Layer>,
    affines: Vec<Affine>,
    gradients: Vec<Gradient>,
    shifts: Vec<Vec<f32>>,
    heads: [Head; 3],
    exchanged: Buffer,
}

/// The norm of a gradient, under the name of its parameter.
pub type Norms = Vec<(String, f64)>;

/// The losses of all steps; not a number from the step after which one was not finite. With `winograd`, 3×3 convolutions
/// run by tiles where they can. `norms`, if given, receives the norms of the first step's gradients.
#[allow(clippy::too_many_arguments)]
pub fn losses(
    isa: Isa,
    winograd: bool,
    plan: &Plan,
    bank: &Bank,
    task: &RegressionTask,
    parallel: bool,
    space: &mut Workspace,
    mut norms: Option<&mut Norms>,
) -> Vec<f64> {
    let slots = Slots::assign(plan, Storage::Training, |c, pixels| padded_channels(c) * pixels);
    let network = Network { isa, plan, slots: &slots, weights: &bank.weights, outside: None };
    let mut trainer = Trainer::new(network, winograd, bank, task, parallel, space);
    let mut losses = vec![f64::NAN; task.noise.len()];
    let last = losses.len().saturating_sub(1);
    for (step, noise) in task.noise.iter().enumerate() {
        trainer.forward(noise);
        losses[step] = trainer.heads(step < last, norms.as_deref_mut().filter(|_| step == 0));
        if !losses[step].is_finite() {
            losses[step] = f64::NAN;
            break;
        }
        if step < last {
            trainer.backward(noise, norms.as_deref_mut().filter(|_| step == 0));
        }
    }
    losses
}

struct Trainer<'a> {
    network: Network<'a>,
    task: &'a RegressionTask,
    places: Places,
    nodes: Vec<Node>,
    /// The convolutions of the image.
    stem: Vec<usize>,
    parallel: bool,
    space: &'a mut Workspace,
    /// Floats of one image's arena.
    size: usize,
    /// Images of a group.
    group: usize,
}

impl<'a> Trainer<'a> {
    fn new(
        network: Network<'a>,
        winograd: bool,
        bank: &Bank,
        task: &'a RegressionTask,
        parallel: bool,
        space: &'a mut Workspace,
    ) -> Trainer<'a> {
        let (plan, count) = (network.plan, task.images.count);
        let places = space.parameters.start(plan, bank);
        let size = network.slots.size.max(1);
        let nodes: Vec<Node> = (0..plan.values.len()).map(|v| Node::new(&network, winograd, v)).collect();
        let stem: Vec<usize> = (0..plan.convs.len()).filter(|&c| plan.convs[c].source == Source::Image).collect();
        let group = count.div_ceil(GROUPS).max(1);

        space.affines.resize_with(space.affines.len().max(plan.convs.len()), Affine::default);
        space.gradients.resize_with(space.gradients.len().max(plan.convs.len()), Gradient::default);
        space.layers.resize_with(space.layers.len().max(plan.convs.len()), Layer::default);
        space.shifts.resize_with(space.shifts.len().max(plan.values.len()), Vec::new);
        let stem_stride = moment_offsets(plan, &stem).1;
        let most = nodes.iter().map(|node| node.forward_stride.max(node.backward_stride)).max();
        let moments = count * most.unwrap_or(0).max(stem_stride).max(1);
        space.moments.resize(space.moments.len().max(moments), [f64::NAN; 2]);
        grown(&mut space.arena, count * size);
        for (c, conv) in plan.convs.iter().enumerate() {
            let Workspace { layers, parameters, exchanged, .. } = &mut *space;
            layers[c].start(conv, winograd);
            layers[c].refresh(network.isa, conv, parameters.at(&places.convs[c]), exchanged);
        }
        let trainer = Trainer { network, task, places, nodes, stem, parallel, space, size, group };
        for stage in 0..3 {
            let step = trainer.head_step(stage);
            trainer.space.heads[stage].start(&step);
        }
        trainer
    }

    fn count(&self) -> usize {
        self.task.images.count
    }

    /// The loss of all heads; with `learn` also the step of their parameters and the gradients of the stage outputs.
    fn heads(&mut self, learn: bool, mut norms: Option<&mut Norms>) -> f64 {
        let skeleton = *self.network.weights.skeleton();
        let mut loss = 0.0;
        for stage in 0..3 {
            let step = self.head_step(stage);
            let Workspace { arena, parameters, heads, .. } = &mut *self.space;
            let slot = self.network.plan.stages[stage].and_then(|v| self.network.slots.values[v]);
            let len = map_len(&step.shape);
            let map = |i: usize| slot.map(|slot| &arena[i * self.size + slot..][..len]);
            loss += heads[stage].forward(&step, parameters, &self.places, map);
            if learn {
                let found = heads[stage].backward(&step, parameters, &self.places, norms.is_some());
                if let Some(norms) = norms.as_deref_mut() {
                    let [gamma, beta] = NormSlot::Head(stage).names(&skeleton);
                    let [weight, bias] = [Slot::Head(stage), Slot::HeadBias(stage)].map(|slot| slot.name(&skeleton));
                    norms.extend([gamma, beta, weight, bias].into_iter().zip(found));
                }
            }
        }
        loss
    }

    fn head_step(&self, stage: usize) -> Step<'a> {
        let skeleton = self.network.weights.skeleton();
        let (height, width) = skeleton.stage_size(stage);
        Step {
            isa: self.network.isa,
            stage,
            count: self.count(),
            shape: Shape { channels: skeleton.stage_channels(stage), height, width },
            target: &self.task.targets[stage],
        }
    }
}
