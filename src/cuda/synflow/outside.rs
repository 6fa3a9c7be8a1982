//! What Synflow's passes read and no cell has of its own: weights without signs, the image of ones, the classifier.

use super::super::device::{aligned, Device, Memory};
use super::super::layout::{inputs, packed_place, padded, BLOCK};
use crate::error::Result;
use crate::plan::{Conv, Plan};
use crate::weights::{Slot, Weights};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// |weights|·2^−exponent of a convolution on the card, the largest in [1, 2).
#[derive(Clone, Copy, Debug)]
pub struct Absolute {
    /// The power of two that was taken out.
    pub exponent: i32,
    /// Packed.
    pub forward: u64,
    /// Packed for the data gradient.
    pub turned: u64,
}

/// Everything outside the cells, for one set of weights.
pub struct Outside {
    weights: Arc<Weights>,
    convs: HashMap<Slot, Absolute>,
    sums: Mutex<HashMap<Slot, f64>>,
    /// The image of ones: map and state.
    pub image: [u64; 2],
    /// The gradient of the sum of logits by the network's last value: map and state.
    pub seed: [u64; 2],
    /// Σ |w| of the classifier over its classes, by channel.
    pub column_sums: u64,
    memory: Vec<Memory>,
}

/// A state as the kernels keep it: exponent, then the bits of the largest number.
fn state(exponent: i32, largest: f32) -> [u8; 8] {
    bytemuck::cast([exponent.to_ne_bytes(), largest.to_ne_bytes()])
}

/// Pieces of one upload.
#[derive(Default)]
struct Pieces(Vec<u8>);

impl Pieces {
    fn push<T: bytemuck::NoUninit>(&mut self, values: &[T]) -> usize {
        let at = self.0.len();
        self.0.extend_from_slice(bytemuck::cast_slice(values));
        self.0.resize(aligned(self.0.len()), 0);
        at
    }
}

impl Outside {
    /// Uploads what does not depend on the cells.
    pub fn new(device: &Device, weights: Arc<Weights>) -> Result<Outside> {
        let skeleton = *weights.skeleton();
        let mut pieces = Pieces::default();
        let pixels = skeleton.height * skeleton.width;
        let ones: Vec<f32> = (0..pixels * BLOCK).map(|at| f32::from(u8::from(at % BLOCK < 3))).collect();
        let image = [pieces.push(&ones), pieces.push(&state(0, 1.0))];

        let channels = skeleton.stage_channels(2);
        let classifier = weights.tensor(Slot::Classifier);
        let mut columns = vec![0.0f64; padded(channels)];
        for row in classifier.chunks_exact(channels) {
            columns.iter_mut().zip(row).for_each(|(sum, w)| *sum += f64::from(w.abs()));
        }
        let pixels = skeleton.stage_pixels(2);
        let each: Vec<f32> = columns.iter().map(|sum| (sum / pixels as f64) as f32).collect();
        let largest = each.iter().copied().fold(0.0, f32::max);
        let seed = [pieces.push(&each.repeat(pixels)), pieces.push(&state(0, largest))];
        let column_sums = pieces.push(&columns);

        let mut memory = device.demand(pieces.0.len(), "the classifier")?;
        device.write(&mut memory, 0, &pieces.0)?;
        let address = |at: usize| memory.address() + at as u64;
        Ok(Outside {
            weights,
            convs: HashMap::new(),
            sums: Mutex::default(),
            image: image.map(address),
            seed: seed.map(address),
            column_sums: address(column_sums),
            memory: vec![memory],
        })
    }

    /// The weights themselves.
    pub fn weights(&self) -> &Arc<Weights> {
        &self.weights
    }

    /// Uploads the weights that these plans need and that are not there yet.
    pub fn prepare<'a>(&mut self, device: &Device, plans: impl Iterator<Item = &'a Plan>) -> Result<()> {
        let mut pieces = Pieces::default();
        let mut added: HashMap<Slot, (i32, [usize; 2])> = HashMap::new();
        for conv in plans.flat_map(|plan| &plan.convs) {
            if !self.convs.contains_key(&conv.slot) && !added.contains_key(&conv.slot) {
                let (exponent, [forward, turned]) = absolute(&self.weights, conv);
                added.insert(conv.slot, (exponent, [pieces.push(&forward), pieces.push(&turned)]));
            }
        }
        if added.is_empty() {
            return Ok(());
        }
        let mut memory = device.demand(pieces.0.len(), "the network's weights")?;
        device.write(&mut memory, 0, &pieces.0)?;
        self.convs.extend(added.into_iter().map(|(slot, (exponent, places))| {
            let [forward, turned] = places.map(|at| memory.address() + at as u64);
            (slot, Absolute { exponent, forward, turned })
        }));
        self.memory.push(memory);
        Ok(())
    }

    /// The weights of a convolution of a plan that was prepared.
    pub fn conv(&self, conv: &Conv) -> Absolute {
        self.convs.get(&conv.slot).copied().unwrap_or(Absolute { exponent: 0, forward: 0, turned: 0 })
    }

    /// Σ |w| of a slot, added up once.
    pub fn sum(&self, slot: Slot) -> f64 {
        let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        *sums.entry(slot).or_insert_with(|| self.weights.tensor(slot).iter().map(|w| f64::from(w.abs())).sum())
    }
}

/// Weights without signs and without their largest one's power of two, packed both ways.
fn absolute(weights: &Weights, conv: &Conv) -> (i32, [Vec<f32>; 2]) {
    let tensor = weights.tensor(conv.slot);
    let [out, real, kh, kw] = conv.slot.shape(weights.skeleton());
    let most = tensor.iter().fold(0.0f32, |most, w| most.max(w.abs()));
    let exponent = if most > 0.0 { libm::ilogbf(most) } else { 0 };
    let factor = libm::ldexp(1.0, -exponent);
    let (inputs, outputs, taps) = (inputs(conv), padded(conv.shape.channels), kh * kw);
    let (mut forward, mut turned) = (vec![0.0; inputs * taps * outputs], vec![0.0; inputs * taps * outputs]);
    for (at, w) in tensor.iter().enumerate().take(out * real * taps) {
        let (o, i, tap) = (at / (real * taps), at / taps % real, at % taps);
        let w = (f64::from(w.abs()) * factor) as f32;
        forward[packed_place(i, tap, o, taps, outputs)] = w;
        turned[packed_place(o, taps - 1 - tap, i, taps, inputs)] = w;
    }
    (exponent, [forward, turned])
}
