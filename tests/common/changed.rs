//! Weights of a cell's network that were changed tensor by tensor.

use etnas::space::{Block, Cell};
use etnas::tensor_file::TensorFile;
use etnas::weights::{Reduce, Slot, Weights};
use safetensors::tensor::TensorView;
use safetensors::Dtype;

/// The weights of a cell's network, each tensor changed by `change(slot, [out, in, k, k], values)`, by way of a file. Biases, norms and
/// LossSlope's heads are not in it.
pub fn changed(cell: &Cell, drawn: &Weights, mut change: impl FnMut(Slot, [usize; 4], &mut [f32])) -> Weights {
    let skeleton = drawn.skeleton();
    let mut slots = vec![Slot::Stem, Slot::Classifier];
    for (block, kind) in skeleton.blocks().enumerate() {
        match kind {
            Block::Cell { .. } => slots
                .extend((0..6).filter_map(|edge| Some(Slot::Edge { block, edge, kernel: cell.ops()[edge].kernel()? }))),
            Block::Reduction { stage } => slots
                .extend([Reduce::ConvA, Reduce::ConvB, Reduce::Shortcut].map(|conv| Slot::Reduction { stage, conv })),
        }
    }
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = slots
        .into_iter()
        .map(|slot| {
            let mut values = drawn.tensor(slot).to_vec();
            change(slot, slot.shape(skeleton), &mut values);
            let used = if slot == Slot::Classifier { 2 } else { 4 };
            let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
            (slot.name(skeleton), slot.shape(skeleton)[..used].to_vec(), bytes)
        })
        .collect();
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| (name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), safetensors::serialize(views, None).unwrap()).unwrap();
    let tensors = TensorFile::open(file.path()).unwrap();
    Weights::from_safetensors(&tensors, "", cell, (skeleton.height, skeleton.width)).unwrap()
}
