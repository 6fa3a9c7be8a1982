//! Weights of a cell's network that were written to a file and read from it: changed tensor by tensor, or with shifts.

use etnas::random::Stream;
use etnas::space::{Block, Cell, Skeleton};
use etnas::tensor_file::TensorFile;
use etnas::weights::{Init, NormSlot, Reduce, Slot, Weights};
use safetensors::tensor::TensorView;
use safetensors::Dtype;
use std::sync::Arc;

/// A tensor of a file: its name, its shape, its values.
pub type Named = (String, Vec<usize>, Vec<f32>);

/// The convolutions of a cell's network, its classifier and the classifier's bias.
pub fn slots(cell: &Cell, skeleton: &Skeleton) -> Vec<Slot> {
    let mut slots = vec![Slot::Stem, Slot::Classifier, Slot::ClassifierBias];
    for (block, kind) in skeleton.blocks().enumerate() {
        match kind {
            Block::Cell { .. } => slots
                .extend((0..6).filter_map(|edge| Some(Slot::Edge { block, edge, kernel: cell.ops()[edge].kernel()? }))),
            Block::Reduction { stage } => slots
                .extend([Reduce::ConvA, Reduce::ConvB, Reduce::Shortcut].map(|conv| Slot::Reduction { stage, conv })),
        }
    }
    slots
}

/// A slot as a file has it.
pub fn named(slot: Slot, skeleton: &Skeleton, values: Vec<f32>) -> Named {
    let dimensions = match slot {
        Slot::Classifier => 2,
        Slot::ClassifierBias => 1,
        _ => 4,
    };
    (slot.name(skeleton), slot.shape(skeleton)[..dimensions].to_vec(), values)
}

/// A safetensors file.
pub fn file(tensors: &[Named]) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|(.., v)| v.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

fn read(tensors: &[Named], cell: &Cell, skeleton: &Skeleton) -> Weights {
    let tensors = TensorFile::of_bytes("weights", file(tensors)).unwrap();
    Weights::from_safetensors(&tensors, "", cell, (skeleton.height, skeleton.width)).unwrap()
}

/// The weights of a cell's network, each tensor changed by `change(slot, [out, in, k, k], values)`. Biases, norms and LossSlope's heads are
/// not in the file.
pub fn changed(cell: &Cell, drawn: &Weights, mut change: impl FnMut(Slot, [usize; 4], &mut [f32])) -> Weights {
    let skeleton = drawn.skeleton();
    let weights = slots(cell, skeleton).into_iter().filter(|slot| *slot != Slot::ClassifierBias);
    let tensors: Vec<Named> = weights
        .map(|slot| {
            let mut values = drawn.tensor(slot).to_vec();
            change(slot, slot.shape(skeleton), &mut values);
            named(slot, skeleton, values)
        })
        .collect();
    read(&tensors, cell, skeleton)
}

/// The weights of a cell's network, every BatchNorm with a random γ and β.
pub fn shifted(cell: &Cell, skeleton: Skeleton, stream: &mut Stream) -> Arc<Weights> {
    let drawn = Weights::generated(skeleton, Init::Uniform, stream.bits()).unwrap();
    let mut norms = vec![(NormSlot::Last, skeleton.stage_channels(2))];
    let mut tensors: Vec<Named> = Vec::new();
    for slot in slots(cell, &skeleton) {
        if !matches!(slot, Slot::Classifier | Slot::ClassifierBias | Slot::Reduction { conv: Reduce::Shortcut, .. }) {
            norms.push((NormSlot::After(slot), slot.shape(&skeleton)[0]));
        }
        tensors.push(named(slot, &skeleton, drawn.tensor(slot).to_vec()));
    }
    for (slot, channels) in norms {
        let [gamma, beta] = slot.names(&skeleton);
        tensors.push((gamma, vec![channels], (0..channels).map(|_| 1.0 + stream.symmetric(0.5)).collect()));
        tensors.push((beta, vec![channels], (0..channels).map(|_| stream.symmetric(0.5)).collect()));
    }
    Arc::new(read(&tensors, cell, &skeleton))
}
