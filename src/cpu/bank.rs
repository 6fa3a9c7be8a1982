//! Packed copies of the weights, made once per set of weights and shared by all cells.

use super::layout::{pack_backward, pack_exchanged, pack_forward, padded_channels, IMAGE_CHANNELS};
use super::scratch::Buffer;
use super::simd::Isa;
use super::strided;
use super::winograd::{self, POSITIONS};
use crate::plan::Conv;
use crate::weights::{Slot, Weights};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// |weights|·2^−exponent of a convolution, packed both ways, the largest in [1, 2).
pub struct Absolute {
    /// The power of two that was taken out.
    pub exponent: i32,
    /// Packed for the forward convolution.
    pub forward: Vec<f32>,
    /// Packed for the data gradient: by parities ([`strided`]) where the stride is 2.
    pub backward: Vec<f32>,
}

/// The packed weights of one [`Weights`].
pub struct Bank {
    /// The weights themselves.
    pub weights: Arc<Weights>,
    forward: RwLock<HashMap<Slot, Arc<Vec<f32>>>>,
    tiled: RwLock<HashMap<Slot, Arc<Buffer>>>,
    absolute: RwLock<HashMap<Slot, Arc<Absolute>>>,
    sums: RwLock<HashMap<Slot, f64>>,
}

/// Channels of a convolution's source in memory.
pub fn source_channels(conv: &Conv) -> usize {
    if conv.slot == Slot::Stem {
        IMAGE_CHANNELS
    } else {
        padded_channels(conv.inputs)
    }
}

fn remembered<T: Clone>(map: &RwLock<HashMap<Slot, T>>, slot: Slot, make: impl FnOnce() -> T) -> T {
    if let Some(known) = map.read().unwrap_or_else(PoisonError::into_inner).get(&slot) {
        return known.clone();
    }
    let made = make();
    map.write().unwrap_or_else(PoisonError::into_inner).entry(slot).or_insert(made).clone()
}

impl Bank {
    fn new(weights: Arc<Weights>) -> Bank {
        Bank {
            weights,
            forward: RwLock::default(),
            tiled: RwLock::default(),
            absolute: RwLock::default(),
            sums: RwLock::default(),
        }
    }

    /// The weights of a convolution, packed for the forward pass.
    pub fn forward(&self, conv: &Conv) -> Arc<Vec<f32>> {
        remembered(&self.forward, conv.slot, || {
            let shape = conv.slot.shape(self.weights.skeleton());
            Arc::new(pack_forward(self.weights.tensor(conv.slot), shape, source_channels(conv)))
        })
    }

    /// The weights of a 3×3 convolution, transformed for [`super::winograd`].
    pub fn tiled(&self, isa: Isa, conv: &Conv) -> Arc<Buffer> {
        remembered(&self.tiled, conv.slot, || {
            let direct = self.forward(conv);
            let mut tiled = Buffer::default();
            winograd::pack(isa, &direct, source_channels(conv), tiled.grown(direct.len() / 9 * POSITIONS));
            Arc::new(tiled)
        })
    }

    /// The absolute weights of a convolution, packed both ways.
    pub fn absolute(&self, conv: &Conv) -> Arc<Absolute> {
        remembered(&self.absolute, conv.slot, || {
            let weights = self.weights.tensor(conv.slot);
            let most = weights.iter().fold(0.0, |most: f32, w| most.max(w.abs()));
            let exponent = if most > 0.0 { libm::ilogbf(most) } else { 0 };
            let factor = libm::ldexp(1.0, -exponent);
            let scaled: Vec<f32> = weights.iter().map(|w| (f64::from(w.abs()) * factor) as f32).collect();
            let shape = conv.slot.shape(self.weights.skeleton());
            let forward = pack_forward(&scaled, shape, source_channels(conv));
            let mut backward = vec![0.0; if conv.slot == Slot::Stem { 0 } else { forward.len() }];
            let (outputs, inputs) = (padded_channels(conv.shape.channels), source_channels(conv));
            if conv.stride == 2 {
                let mut exchanged = vec![0.0; forward.len()];
                pack_exchanged(&forward, outputs, inputs, conv.kernel, &mut exchanged);
                strided::pack(&exchanged, outputs, &mut backward);
            } else if conv.slot != Slot::Stem {
                pack_backward(&forward, outputs, inputs, conv.kernel, &mut backward);
            }
            Arc::new(Absolute { exponent, forward, backward })
        })
    }

    /// Σ |w| of a slot.
    pub fn sum(&self, slot: Slot) -> f64 {
        remembered(&self.sums, slot, || self.weights.tensor(slot).iter().map(|w| f64::from(w.abs())).sum())
    }
}

/// The banks of the last few sets of weights.
#[derive(Default)]
pub struct Banks(Mutex<Vec<Arc<Bank>>>);

impl Banks {
    /// How many banks are kept: some 20 MB each.
    const KEPT: usize = 4;

    /// The bank of these weights.
    pub fn get(&self, weights: &Arc<Weights>) -> Arc<Bank> {
        let mut banks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bank = match banks.iter().position(|bank| bank.weights.id() == weights.id()) {
            Some(at) => banks.remove(at),
            None => Arc::new(Bank::new(weights.clone())),
        };
        banks.insert(0, bank.clone());
        banks.truncate(Banks::KEPT);
        bank
    }
}
