//! The trained parameters of one cell, in one piece of memory, and their update: SGD with momentum and weight decay.

use super::super::bank::Bank;
use super::super::layout::{pack_forward, padded_channels};
use super::super::simd::{kernels, Vector, BLOCK};
use super::super::Isa;
use crate::plan::Plan;
use crate::weights::{NormSlot, Slot};
use std::ops::Range;

/// SPEC section 4.
const RATE: f32 = 0.1;
const MOMENTUM: f32 = 0.9;
const DECAY: f32 = 4e-5;

kernels! {
    /// m = 0.9·m + (g + decay·w), w −= 0.1·m, where g is the sum of the parts that begin every `stride` floats of `parts`,
    /// added in their order.
    fn step(w: &mut [f32], m: &mut [f32], parts: &[f32], stride: usize, decay: f32) = step_body;
}

#[inline(always)]
fn step_body<V: Vector>(w: &mut [f32], m: &mut [f32], parts: &[f32], stride: usize, decay: f32) {
    let len = w.len();
    assert!(len.is_multiple_of(BLOCK) && m.len() == len && parts.len() >= len && stride > 0);
    for at in (0..len).step_by(V::LANES) {
        // SAFETY: a vector from `at` on lies within `w` and `m`, and within each part as checked here.
        unsafe {
            let mut g = V::load(parts.as_ptr().add(at));
            let mut part = at + stride;
            while part + len <= parts.len() + at {
                g = g.add(V::load(parts.as_ptr().add(part)));
                part += stride;
            }
            let (w, m) = (w.as_mut_ptr().add(at), m.as_mut_ptr().add(at));
            let old = V::load(w);
            let momentum = V::load(m).mul_add(V::splat(MOMENTUM), old.mul_add(V::splat(decay), g));
            momentum.store(m);
            momentum.mul_add(V::splat(-RATE), old).store(w);
        }
    }
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

    /// One step; the gradient is the sum of parts that begin every `stride` floats, added in their order. Decays if these
    /// are weights. Returns the gradient's norm if it is wanted.
    pub fn update(
        &mut self,
        isa: Isa,
        place: &Range<usize>,
        (parts, stride): (&[f32], usize),
        decays: bool,
        wants_norm: bool,
    ) -> f64 {
        let decay = if decays { DECAY } else { 0.0 };
        step(isa, &mut self.values[place.clone()], &mut self.momentum[place.clone()], parts, stride, decay);
        if !wants_norm {
            return 0.0;
        }
        let sum = |i: usize| parts[i..].iter().step_by(stride).map(|g| f64::from(*g)).sum::<f64>();
        (0..place.len()).map(|i| sum(i) * sum(i)).sum::<f64>().sqrt()
    }
}
