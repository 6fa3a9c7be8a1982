//! The f64 forward pass over the batch that an export needs.

use crate::engine::Inputs;
use crate::error::Result;
use crate::reference::network::Observer;
use crate::reference::norm::Moments;
use crate::reference::{self, Tensor};
use crate::space::{Cell, Skeleton};
use crate::weights::NormSlot;
use std::collections::BTreeMap;

/// One forward pass over the batch in f64, BatchNorm on the statistics of the batch: the logits, and the moments of every
/// BatchNorm.
pub struct Pass {
    /// `[n, classes, 1, 1]`.
    pub logits: Tensor,
    /// By names such as `cells.0.layers.3.op.2`.
    pub moments: BTreeMap<String, Moments>,
}

impl Pass {
    /// The pass of a cell's network.
    ///
    /// # Errors
    /// [`crate::Error::Options`] when the images are none that the network can be fed.
    pub fn of(cell: &Cell, inputs: &Inputs) -> Result<Pass> {
        let mut seen = Seen { skeleton: *inputs.weights.skeleton(), moments: BTreeMap::new() };
        let logits = reference::evaluate(cell, &inputs.weights, inputs.batch, &mut seen)?;
        Ok(Pass { logits, moments: seen.moments })
    }
}

struct Seen {
    skeleton: Skeleton,
    moments: BTreeMap<String, Moments>,
}

impl Observer for Seen {
    fn norm(&mut self, slot: NormSlot, input: &Tensor) {
        self.moments.insert(norm_name(slot, &self.skeleton), Moments::of(input));
    }
}

/// The name of a BatchNorm in the state_dict.
pub fn norm_name(slot: NormSlot, skeleton: &Skeleton) -> String {
    let [gamma, _] = slot.names(skeleton);
    gamma.trim_end_matches(".weight").to_string()
}
