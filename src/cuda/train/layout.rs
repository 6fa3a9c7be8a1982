//! Where a cell in training keeps what: its maps, all of which stay for the way back, the gradients by its values and by its
//! convolutions' sources, and its own parameters with momentum and gradients.

use super::super::device::aligned;
use super::super::launches::gradient_parts;
use super::super::layout::{map_bytes, padded, weight_count, CellLayout, Keep, Turns};
use crate::plan::{Before, Conv, Plan, Shape, Source};
use crate::space::Skeleton;
use crate::weights::{NormSlot, Slot, HEAD_CHANNELS};
use std::collections::HashSet;

/// A list of trained numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// What it belongs to.
    pub kind: Kind,
    /// Floats, padding included.
    pub count: usize,
    /// Where it lies among the cell's parameters, in bytes; its momentum lies so among the momenta.
    pub at: usize,
    /// Where its gradient lies, in bytes from the begin of the cell's memory.
    pub gradient: usize,
    /// Parts that add up to the gradient, [`Parameter::count`] floats each.
    pub parts: usize,
}

/// What a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Packed weights.
    Weights(Slot),
    /// A list of biases.
    Bias(Slot),
    /// γ.
    Gamma(NormSlot),
    /// β, right behind its γ.
    Beta(NormSlot),
}

/// Where everything of a cell lies, in bytes from the begin of its memory.
pub struct Layout {
    /// The way forward.
    pub forward: CellLayout,
    /// The gradient by each value.
    pub values: Vec<usize>,
    /// The gradient by each convolution's source; `usize::MAX` for the image's.
    pub sources: Vec<usize>,
    /// Coefficients of each BatchNorm's way back.
    pub coefficients: Vec<usize>,
    /// Turned weights of each convolution.
    pub turned: Vec<usize>,
    /// All parameters.
    pub parameters: Vec<Parameter>,
    /// The parameters' begin.
    pub values_of_parameters: usize,
    /// The momenta's begin.
    pub momenta: usize,
    /// The heads' memory.
    pub heads: usize,
    /// All together.
    pub bytes: usize,
}

/// Hands out memory, piece behind piece.
struct Heap(usize);

impl Heap {
    fn take(&mut self, bytes: usize) -> usize {
        self.0 += aligned(bytes);
        self.0 - aligned(bytes)
    }
}

impl Layout {
    /// Lays out a cell of `images` images; `head_bytes` is what its heads need.
    pub fn new(plan: &Plan, turns: &Turns, skeleton: &Skeleton, images: usize, head_bytes: usize) -> Layout {
        let nothing = HashSet::new();
        let forward = CellLayout::new(plan, turns, images, Keep::Everything, (&nothing, &nothing));
        let mut heap = Heap(forward.bytes);
        let values = plan.values.iter().map(|value| heap.take(map_bytes(&value.shape, images))).collect();
        let source_shape = |conv: &Conv| match conv.source {
            Source::Image => None,
            Source::Value(_) if conv.before == Before::Average => Some(Shape { channels: conv.inputs, ..conv.shape }),
            Source::Value(value) => Some(plan.values[value].shape),
        };
        let sources = plan
            .convs
            .iter()
            .map(|conv| source_shape(conv).map_or(usize::MAX, |shape| heap.take(map_bytes(&shape, images))))
            .collect();
        let coefficients = plan.convs.iter().map(|conv| heap.take(3 * padded(conv.shape.channels) * 4)).collect();
        let turned = plan.convs.iter().map(|conv| heap.take(weight_count(conv) * 4)).collect();

        let mut list: Vec<(Kind, usize, usize)> = Vec::new();
        for conv in &plan.convs {
            list.push((Kind::Weights(conv.slot), weight_count(conv), gradient_parts(&conv.shape, images)));
            if conv.norm && !matches!(conv.slot, Slot::Edge { .. }) {
                push_norm(&mut list, NormSlot::After(conv.slot), conv.shape.channels);
            }
        }
        for (stage, outputs) in HEAD_CHANNELS.into_iter().enumerate() {
            let channels = skeleton.stage_channels(stage);
            push_norm(&mut list, NormSlot::Head(stage), channels);
            let output = Shape { channels: outputs, height: 8, width: 8 };
            let parts = gradient_parts(&output, images);
            list.push((Kind::Weights(Slot::Head(stage)), padded(channels) * padded(outputs), parts));
            list.push((
                Kind::Bias(Slot::HeadBias(stage)),
                padded(outputs),
                super::super::layout::parts(images * HEAD_PIXELS),
            ));
        }
        let mut parameters: Vec<Parameter> = Vec::new();
        let mut at = 0;
        for (kind, count, parts) in list {
            let gradient = heap.take(count * parts * 4);
            parameters.push(Parameter { kind, count, at, gradient, parts });
            // β follows its γ without a gap.
            at += if matches!(kind, Kind::Gamma(_)) { count * 4 } else { aligned(at + count * 4) - at };
        }
        let values_of_parameters = heap.take(at);
        let momenta = heap.take(at);
        let heads = heap.take(head_bytes);
        Layout {
            forward,
            values,
            sources,
            coefficients,
            turned,
            parameters,
            values_of_parameters,
            momenta,
            heads,
            bytes: heap.0,
        }
    }
}

/// Pixels of a head's maps.
pub const HEAD_PIXELS: usize = 64;

fn push_norm(list: &mut Vec<(Kind, usize, usize)>, slot: NormSlot, channels: usize) {
    list.push((Kind::Gamma(slot), padded(channels), 1));
    list.push((Kind::Beta(slot), padded(channels), 1));
}
