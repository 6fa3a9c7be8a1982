//! The names of slots in the state_dict of the NATS-Bench network.

use super::slot::{NormSlot, Reduce, Slot};
use crate::space::Skeleton;

impl Slot {
    /// The tensor's name, such as `cells.3.layers.5.op.1.weight`.
    pub fn name(self, skeleton: &Skeleton) -> String {
        match self {
            Slot::Classifier => "classifier.weight".to_string(),
            Slot::ClassifierBias => "classifier.bias".to_string(),
            Slot::Head(stage) => format!("heads.{stage}.1.weight"),
            Slot::HeadBias(stage) => format!("heads.{stage}.1.bias"),
            Slot::Stem => "stem.0.weight".to_string(),
            Slot::Edge { block, edge, .. } => format!("cells.{block}.layers.{edge}.op.1.weight"),
            Slot::Reduction { stage, conv } => {
                let block = skeleton.stage_end(stage - 1) + 1;
                match conv {
                    Reduce::ConvA => format!("cells.{block}.conv_a.op.1.weight"),
                    Reduce::ConvB => format!("cells.{block}.conv_b.op.1.weight"),
                    Reduce::Shortcut => format!("cells.{block}.downsample.1.weight"),
                }
            }
        }
    }
}

impl NormSlot {
    /// The names of γ and β, such as `stem.1.weight` and `stem.1.bias`.
    pub fn names(self, skeleton: &Skeleton) -> [String; 2] {
        let stem = match self {
            NormSlot::Last => "lastact.0".to_string(),
            NormSlot::Head(stage) => format!("heads.{stage}.0"),
            NormSlot::After(Slot::Stem) => "stem.1".to_string(),
            NormSlot::After(slot) => slot.name(skeleton).replace(".op.1.weight", ".op.2"),
        };
        [format!("{stem}.weight"), format!("{stem}.bias")]
    }
}
