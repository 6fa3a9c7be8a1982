//! Synflow's raw numbers, layer by layer (SPEC section 3).

use super::network::{Network, Norms};
use super::parameters::{self, Form};
use super::tensor::Tensor;
use crate::backend::SynflowSums;
use crate::space::Cell;
use crate::weights::Weights;

/// The sums of one convolution or of the classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// The name of its weight in the state_dict without `.weight`: `stem.0`, `cells.0.layers.1.op.1`, `classifier`.
    pub name: String,
    /// Its part of the cell's sums.
    pub sums: SynflowSums,
}

/// The sums of every layer, sorted by name: |parameters|, BatchNorm = identity, one image of ones, g = d(sum of logits)/d|w|.
pub fn layers(cell: &Cell, weights: &Weights) -> Vec<Layer> {
    let skeleton = weights.skeleton();
    let mut parameters = parameters::initial(cell, weights, Form::Classifier);
    parameters.values_mut().flat_map(|p| &mut p.values).for_each(|v| *v = v.abs());
    let mut nobody = ();
    let mut network = Network::new(cell, skeleton, &parameters, Norms::Identity, true, &mut nobody);
    let ones = Tensor::zeros([1, 3, skeleton.height, skeleton.width]).map(|_| 1.0);
    let stages = network.stages(ones);
    let logits = network.logits(&stages[2]);
    let seed = logits.map(|_| 1.0);
    let gradients = network.backward(vec![(logits, seed)]).parameters;
    let layer_of = |(name, g): (&String, &Vec<f64>)| {
        let (name, parameter) = (name.strip_suffix(".weight")?, parameters.get(name)?);
        let mut sums = SynflowSums::default();
        for (&w, &g) in parameter.values.iter().zip(g) {
            sums.product += (w * g).abs();
            sums.log_reference += (w * (g + 1e-6).ln()).abs();
            sums.log_one_plus += (w * (g + 1.0).ln()).abs();
        }
        Some(Layer { name: name.to_string(), sums })
    };
    gradients.iter().filter_map(layer_of).collect()
}

/// The sums over all layers.
pub fn total(layers: &[Layer]) -> SynflowSums {
    layers.iter().fold(SynflowSums::default(), |sum, Layer { sums, .. }| SynflowSums {
        product: sum.product + sums.product,
        log_reference: sum.log_reference + sums.log_reference,
        log_one_plus: sum.log_one_plus + sums.log_one_plus,
    })
}
