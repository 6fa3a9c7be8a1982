//! naswot's raw numbers: how the ReLU codes of a batch disagree (SPEC section 2).

use super::network::{Network, Norms, Observer};
use super::parameters::{self, Form};
use super::tensor::Tensor;
use crate::backend::Hamming;
use crate::space::Cell;
use crate::weights::Weights;

/// One train-mode forward pass over `images`, and the Hamming distances between the codes (x > 0) of every ReLU.
pub fn hamming(cell: &Cell, weights: &Weights, images: Tensor) -> Hamming {
    let parameters = parameters::initial(cell, weights, Form::Classifier);
    let count = images.shape[0];
    let mut codes = Codes(Hamming { count, bits: 0, distance: vec![0; count * count] });
    let mut network = Network::new(cell, weights.skeleton(), &parameters, Norms::Batch, false, &mut codes);
    let stages = network.stages(images);
    network.logits(&stages[2]);
    codes.0
}

/// Counts bits and distances as the ReLUs are met.
struct Codes(Hamming);

impl Observer for Codes {
    fn relu(&mut self, x: &Tensor) {
        let codes: Vec<Vec<u64>> = x
            .values
            .chunks_exact(x.image_len())
            .map(|image| {
                image.chunks(64).map(|word| word.iter().fold(0, |w, &v| w << 1 | u64::from(v > 0.0))).collect()
            })
            .collect();
        self.0.bits += x.image_len() as u64;
        for (row, a) in self.0.distance.chunks_exact_mut(codes.len()).zip(&codes) {
            for (sum, b) in row.iter_mut().zip(&codes) {
                *sum += a.iter().zip(b).map(|(a, b)| u64::from((a ^ b).count_ones())).sum::<u64>();
            }
        }
    }
}
