//! The parameters of one cell's network in f64, under the names of the state_dict.

use crate::space::{Block, Cell, Skeleton};
use crate::weights::{NormSlot, Reduce, Slot, Weights};
use std::collections::BTreeMap;

/// One parameter tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Sizes of its dimensions: 4 for a convolution, 2 for the classifier's weight, 1 for biases, γ and β.
    pub shape: Vec<usize>,
    /// Its elements, row-major.
    pub values: Vec<f64>,
}

/// Parameters by name, such as `cells.3.layers.5.op.1.weight` or `heads.0.1.bias`.
pub type Parameters = BTreeMap<String, Parameter>;

/// What stands behind the last cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The benchmark's network: last BatchNorm, ReLU, mean, classifier; every BatchNorm has γ and β.
    Classifier,
    /// LossSlope's regressor: three heads; the searched cells' BatchNorms have no γ and β.
    Heads,
}

/// The parameters of `cell`'s network as `weights` start it.
pub fn initial(cell: &Cell, weights: &Weights, form: Form) -> Parameters {
    let skeleton = *weights.skeleton();
    let mut read = Reader { weights, skeleton, parameters: Parameters::new() };
    read.conv(Slot::Stem);
    read.norm(NormSlot::After(Slot::Stem), skeleton.channels);
    for (block, kind) in skeleton.blocks().enumerate() {
        match kind {
            Block::Cell { stage } => {
                for (edge, op) in cell.ops().iter().enumerate() {
                    let Some(kernel) = op.kernel() else { continue };
                    let slot = Slot::Edge { block, edge, kernel };
                    read.conv(slot);
                    if form == Form::Classifier {
                        read.norm(NormSlot::After(slot), skeleton.stage_channels(stage));
                    }
                }
            }
            Block::Reduction { stage } => {
                for conv in [Reduce::ConvA, Reduce::ConvB] {
                    let slot = Slot::Reduction { stage, conv };
                    read.conv(slot);
                    read.norm(NormSlot::After(slot), skeleton.stage_channels(stage));
                }
                read.conv(Slot::Reduction { stage, conv: Reduce::Shortcut });
            }
        }
    }
    match form {
        Form::Classifier => {
            read.norm(NormSlot::Last, skeleton.stage_channels(2));
            read.tensor(Slot::Classifier, 2);
            read.tensor(Slot::ClassifierBias, 1);
        }
        Form::Heads => {
            for stage in 0..3 {
                read.norm(NormSlot::Head(stage), skeleton.stage_channels(stage));
                read.conv(Slot::Head(stage));
                read.tensor(Slot::HeadBias(stage), 1);
            }
        }
    }
    read.parameters
}

struct Reader<'a> {
    weights: &'a Weights,
    skeleton: Skeleton,
    parameters: Parameters,
}

impl Reader<'_> {
    fn conv(&mut self, slot: Slot) {
        self.tensor(slot, 4);
    }

    fn tensor(&mut self, slot: Slot, dimensions: usize) {
        let shape = slot.shape(&self.skeleton)[..dimensions].to_vec();
        let values = self.weights.tensor(slot).iter().map(|&v| f64::from(v)).collect();
        self.parameters.insert(slot.name(&self.skeleton), Parameter { shape, values });
    }

    fn norm(&mut self, slot: NormSlot, channels: usize) {
        let given = self.weights.norm(slot).map(|norm| [&norm.gamma, &norm.beta]);
        for (i, name) in slot.names(&self.skeleton).into_iter().enumerate() {
            let start = [1.0, 0.0][i];
            let values = given.map_or_else(|| vec![start; channels], |n| n[i].iter().map(|&v| f64::from(v)).collect());
            self.parameters.insert(name, Parameter { shape: vec![channels], values });
        }
    }
}
