//! The trained parameters of one cell, in one piece of memory, and their update: SGD with momentum and weight decay.

use super::bank::{source_channels, Bank};
use super::layout::{pack_forward, padded_channels};
use super::simd::{kernels, Vector};
use crate::plan::{Conv, Plan};
use crate::weights::{NormSlot, Slot};
use std::ops::Range;

/// SPEC section 4.
const RATE: f32 = 0.1;
const MOMENTUM: f32 = 0.9;
const DECAY: f32 = 4e-5;

kernels! {
    /// m = 0.9·m + (g + decay·w), w −= 0.1·m.
    fn step(w: &mut [f32], m: &mut [f32], g: &[f32], decay: f32) = step_body;
    /// `sums += part`.
    fn accumulate(sums: &mut [f32], part: &[f32]) = accumulate_body;
}

#[inline(always)]
fn step_body<V: Vector>(w: &mut [f32], m: &mut [f32], g: &[f32], decay: f32) {
    for ((w, m), g) in w.iter_mut().zip(m).zip(g) {
        *m = MOMENTUM * *m + (g + decay * *w);
        *w -= RATE * *m;
    }
}

#[inline(always)]
fn accumulate_body<V: Vector>(sums: &mut [f32], part: &[f32]) {
    sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
}

/// A trained BatchNorm's places among the values.
#[derive(Clone, Debug)]
pub struct NormPlace {
    /// γ.
    pub gamma: Range<usize>,
    /// β.
    pub beta: Range<usize>,
}

/// Where a cell's parameters lie.
pub struct Places {
    /// The packed weights of each convolution of the plan.
    pub convs: Vec<Range<usize>>,
    /// γ and β behind a convolution; searched cells train none.
    pub norms: Vec<Option<NormPlace>>,
    /// γ and β, packed weights and bias of the three heads.
    pub heads: Vec<(NormPlace, Range<usize>, Range<usize>)>,
}

/// All parameters with their momentum.
#[derive(Default)]
pub struct Parameters {
    values: Vec<f32>,
    momentum: Vec<f32>,
    sum: Vec<f32>,
}

impl Parameters {
    /// Fills in the initial values of a plan's network and its heads.
    pub fn start(&mut self, plan: &Plan, bank: &Bank) -> Places {
        self.values.clear();
        let weights = &bank.weights;
        let skeleton = weights.skeleton();
        let mut places = Places { convs: Vec::new(), norms: Vec::new(), heads: Vec::new() };
        for conv in &plan.convs {
            places.convs.push(self.push(&bank.forward(conv)));
            let trained = conv.norm && !matches!(conv.slot, Slot::Edge { .. });
            let channels = padded_channels(conv.shape.channels);
            places.norms.push(trained.then(|| self.push_norm(bank, NormSlot::After(conv.slot), channels)));
        }
        for stage in 0..3 {
            let (slot, channels) = (Slot::Head(stage), padded_channels(skeleton.stage_channels(stage)));
            let norm = self.push_norm(bank, NormSlot::Head(stage), channels);
            let packed = pack_forward(weights.tensor(slot), slot.shape(skeleton), channels);
            let bias = weights.tensor(Slot::HeadBias(stage)).to_vec();
            let head = (norm, self.push(&packed), self.push(&bias));
            places.heads.push(head);
        }
        self.momentum.clear();
        self.momentum.resize(self.values.len(), 0.0);
        places
    }

    fn push(&mut self, values: &[f32]) -> Range<usize> {
        let start = self.values.len();
        self.values.extend_from_slice(values);
        start..self.values.len()
    }

    fn push_norm(&mut self, bank: &Bank, slot: NormSlot, channels: usize) -> NormPlace {
        let (mut gamma, mut beta) = (vec![1.0; channels], vec![0.0; channels]);
        if let Some(norm) = bank.weights.norm(slot) {
            gamma[..norm.gamma.len()].copy_from_slice(&norm.gamma);
            beta[..norm.beta.len()].copy_from_slice(&norm.beta);
        }
        NormPlace { gamma: self.push(&gamma), beta: self.push(&beta) }
    }

    /// Current values.
    pub fn at(&self, place: &Range<usize>) -> &[f32] {
        &self.values[place.clone()]
    }

    /// γ and β of a trained BatchNorm.
    pub fn norm<'a>(&'a self, place: &Option<NormPlace>) -> Option<(&'a [f32], &'a [f32])> {
        place.as_ref().map(|place| (self.at(&place.gamma), self.at(&place.beta)))
    }

    /// One step; `gradient` is a sum of parts at equal distances, added in their order. Decays if these are weights.
    /// Returns the gradient's norm.
    pub fn update(
        &mut self,
        isa: super::Isa,
        place: &Range<usize>,
        gradient: &mut dyn Iterator<Item = &[f32]>,
        decays: bool,
    ) -> f64 {
        self.sum.clear();
        self.sum.resize(place.len(), 0.0);
        for part in gradient {
            accumulate(isa, &mut self.sum, part);
        }
        let decay = if decays { DECAY } else { 0.0 };
        step(isa, &mut self.values[place.clone()], &mut self.momentum[place.clone()], &self.sum, decay);
        self.sum.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>().sqrt()
    }
}

/// The packed weights of the way back, remade from the current values.
pub fn backward_weights(conv: &Conv, forward: &[f32], out: &mut Vec<f32>) {
    out.resize(forward.len(), 0.0);
    let outputs = padded_channels(conv.shape.channels);
    super::layout::pack_backward(forward, outputs, source_channels(conv), conv.kernel, out);
}
