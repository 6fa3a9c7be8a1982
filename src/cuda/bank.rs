//! The weights on the card: packed once for each set of weights, uploaded on first use, shared by all cells.

use super::device::{aligned, Device, Memory};
use super::layout::{inputs, pack, padded};
use super::train::Kind;
use crate::error::Result;
use crate::plan::{Conv, Plan, Term};
use crate::weights::{NormSlot, Reduce, Slot, Weights, HEAD_CHANNELS};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// γ and, right behind it, β of a BatchNorm on the card; zeros stand for ones and zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NormAddress {
    /// Scale, by channel.
    pub gamma: u64,
    /// Shift, by channel.
    pub beta: u64,
}

/// The packed weights of one [`Weights`].
pub struct Bank {
    weights: Arc<Weights>,
    convs: HashMap<Slot, u64>,
    norms: HashMap<NormSlot, NormAddress>,
    /// What training starts from, where it is not among the above.
    initial: HashMap<Kind, u64>,
    memory: Vec<Memory>,
}

impl Bank {
    /// A bank without contents.
    pub fn new(weights: Arc<Weights>) -> Bank {
        Bank { weights, convs: HashMap::new(), norms: HashMap::new(), initial: HashMap::new(), memory: Vec::new() }
    }

    /// The weights themselves.
    pub fn weights(&self) -> &Arc<Weights> {
        &self.weights
    }

    /// Uploads what these plans need and is not there yet.
    pub fn prepare(&mut self, device: &Device, plans: &[Plan]) -> Result<()> {
        let mut floats: Vec<f32> = Vec::new();
        let mut convs: Vec<(Slot, usize)> = Vec::new();
        let mut norms: Vec<(NormSlot, usize, usize)> = Vec::new();
        let mut push = |values: Vec<f32>| {
            let at = floats.len();
            floats.extend(values);
            floats.resize(aligned(floats.len() * 4) / 4, 0.0);
            at * 4
        };
        let mut seen: HashSet<Slot> = HashSet::new();
        let missing = |conv: &&Conv| !self.convs.contains_key(&conv.slot) && seen.insert(conv.slot);
        for conv in plans.iter().flat_map(|plan| &plan.convs).filter(missing) {
            let shape = conv.slot.shape(self.weights.skeleton());
            let packed = pack(self.weights.tensor(conv.slot), shape, inputs(conv), padded(conv.shape.channels));
            convs.push((conv.slot, push(packed)));
        }
        let shifts = plans.iter().flat_map(|plan| &plan.values).flat_map(|value| &value.terms);
        let shifts = shifts.filter_map(|term| match *term {
            Term::Shift(slot) => Some(slot),
            _ => None,
        });
        let after = convs.iter().map(|(slot, _)| NormSlot::After(*slot));
        let others = [NormSlot::Last, NormSlot::Head(0), NormSlot::Head(1), NormSlot::Head(2)];
        let wanted: HashSet<NormSlot> = after.chain(others).chain(shifts).collect();
        for slot in wanted.into_iter().filter(|slot| !self.norms.contains_key(slot)) {
            if let Some(norm) = self.weights.norm(slot) {
                let channels = padded(norm.gamma.len());
                let mut both = vec![0.0; 2 * channels];
                both[..norm.gamma.len()].copy_from_slice(&norm.gamma);
                both[channels..][..norm.beta.len()].copy_from_slice(&norm.beta);
                norms.push((slot, push(both), channels));
            }
        }
        if floats.is_empty() {
            return Ok(());
        }
        let mut memory = device.demand(floats.len() * 4, "the network's weights")?;
        device.write(&mut memory, 0, &floats)?;
        let address = |at: usize| memory.address() + at as u64;
        self.convs.extend(convs.into_iter().map(|(slot, at)| (slot, address(at))));
        self.norms.extend(
            norms.into_iter().map(|(slot, at, channels)| {
                (slot, NormAddress { gamma: address(at), beta: address(at + channels * 4) })
            }),
        );
        self.memory.push(memory);
        Ok(())
    }

    /// Uploads what training starts from besides: the heads, and γ and β of all trained BatchNorms.
    pub fn prepare_training(&mut self, device: &Device) -> Result<()> {
        if !self.initial.is_empty() {
            return Ok(());
        }
        let skeleton = *self.weights.skeleton();
        let reductions = [1, 2]
            .into_iter()
            .flat_map(|stage| [Reduce::ConvA, Reduce::ConvB].map(|conv| Slot::Reduction { stage, conv }));
        let behind = std::iter::once(Slot::Stem).chain(reductions);
        let norms = behind.map(|slot| (NormSlot::After(slot), slot.shape(&skeleton)[0]));
        let heads = (0..3).map(|stage| (NormSlot::Head(stage), skeleton.stage_channels(stage)));
        let mut lists: Vec<(Kind, Vec<f32>)> = Vec::new();
        for (slot, channels) in norms.chain(heads) {
            let (mut gamma, mut beta) = (vec![1.0; channels], vec![0.0; channels]);
            if let Some(norm) = self.weights.norm(slot) {
                (gamma, beta) = (norm.gamma.clone(), norm.beta.clone());
            }
            gamma.resize(padded(channels), 0.0);
            beta.resize(padded(channels), 0.0);
            lists.extend([(Kind::Gamma(slot), gamma), (Kind::Beta(slot), beta)]);
        }
        for (stage, outputs) in HEAD_CHANNELS.into_iter().enumerate() {
            let (weights, bias) = (Slot::Head(stage), Slot::HeadBias(stage));
            let inputs = padded(skeleton.stage_channels(stage));
            let packed = pack(self.weights.tensor(weights), weights.shape(&skeleton), inputs, padded(outputs));
            let mut values = self.weights.tensor(bias).to_vec();
            values.resize(padded(outputs), 0.0);
            lists.extend([(Kind::Weights(weights), packed), (Kind::Bias(bias), values)]);
        }
        let mut floats: Vec<f32> = Vec::new();
        let mut begins = Vec::new();
        for (kind, values) in lists {
            begins.push((kind, floats.len() * 4));
            floats.extend(values);
            floats.resize(aligned(floats.len() * 4) / 4, 0.0);
        }
        let mut memory = device.demand(floats.len() * 4, "the heads' weights")?;
        device.write(&mut memory, 0, &floats)?;
        self.initial = begins.into_iter().map(|(kind, at)| (kind, memory.address() + at as u64)).collect();
        self.memory.push(memory);
        Ok(())
    }

    /// What training of a parameter starts from, packed as it is trained; 0, for zeros, where it was not prepared.
    pub fn initial(&self, kind: Kind) -> u64 {
        let of_conv = match kind {
            Kind::Weights(slot) => self.convs.get(&slot),
            _ => None,
        };
        of_conv.or_else(|| self.initial.get(&kind)).copied().unwrap_or(0)
    }

    /// A convolution's packed weights, of a plan that was prepared.
    pub fn conv(&self, conv: &Conv) -> u64 {
        self.convs.get(&conv.slot).copied().unwrap_or(0)
    }

    /// γ and β of a BatchNorm, of a plan that was prepared.
    pub fn norm(&self, slot: NormSlot) -> NormAddress {
        self.norms.get(&slot).copied().unwrap_or_default()
    }
}
