//! The network's weights, as a pure function of (weight seed, place), or as given in a file.
//!
//! A [`Slot`] names a tensor by its place: block, edge and kernel side for a searched convolution, so that cells which
//! share them share the weights. [`Weights`] hands out the tensor of a slot, made on first use and kept: at most 7 MB for
//! the benchmark's network. Tensors are f32 in PyTorch's order `[out, in, k, k]`.

mod import;
mod init;
mod names;
mod slot;
mod source;

pub use init::Init;
pub use slot::{NormSlot, Reduce, Slot, HEAD_CHANNELS};
pub use source::WeightSource;

use crate::error::Result;
use crate::space::Skeleton;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// γ and β of a BatchNorm, one of each per channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Norm {
    /// Scale.
    pub gamma: Vec<f32>,
    /// Shift.
    pub beta: Vec<f32>,
}

/// All weights that a network of the space may use.
pub struct Weights {
    skeleton: Skeleton,
    id: u64,
    recipe: Option<(Init, u64)>,
    tensors: Vec<OnceLock<Arc<[f32]>>>,
    norms: HashMap<NormSlot, Norm>,
    given: Option<HashSet<Slot>>,
}

impl Weights {
    /// Weights drawn from streams keyed by `seed` and place. BatchNorms start at γ = 1, β = 0.
    pub fn generated(skeleton: Skeleton, init: Init, seed: u64) -> Result<Weights> {
        skeleton.check()?;
        Ok(Weights::empty(skeleton, Some((init, seed))))
    }

    /// Draws what a file did not give (LossSlope's heads, usually) as [`Weights::generated`] would.
    pub fn draw_missing(mut self, init: Init, seed: u64) -> Weights {
        self.recipe = Some((init, seed));
        self
    }

    fn empty(skeleton: Skeleton, recipe: Option<(Init, u64)>) -> Weights {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Weights {
            skeleton,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            recipe,
            tensors: (0..Slot::count(&skeleton)).map(|_| OnceLock::new()).collect(),
            norms: HashMap::new(),
            given: None,
        }
    }

    /// Whether both are drawn by the same recipe for networks that differ in their classes at most: all tensors but the
    /// classifier's are then equal.
    pub fn alike_but_for_classes(&self, other: &Weights) -> bool {
        let key = |weights: &Weights| match weights.given {
            None => weights.recipe.map(|recipe| (recipe, Skeleton { classes: 0, ..weights.skeleton })),
            Some(_) => None,
        };
        key(self).is_some() && key(self) == key(other)
    }

    /// The network that the weights fit.
    pub fn skeleton(&self) -> &Skeleton {
        &self.skeleton
    }

    /// A number that no other set of weights of this process has: backends keep packed copies under it.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The tensor of a slot, `[out, in, k, k]`.
    ///
    /// Weights read from a file hold the slots of the cell they were made for ([`Weights::holds`]); the others are drawn by
    /// the recipe of [`Weights::draw_missing`], or zero without one.
    pub fn tensor(&self, slot: Slot) -> &[f32] {
        self.tensors[slot.position()].get_or_init(|| match self.recipe {
            Some((init, seed)) => init.draw(slot, &self.skeleton, seed).into(),
            None => vec![0.0; slot.shape(&self.skeleton).iter().product()].into(),
        })
    }

    /// The slot's tensor belongs to these weights: always for generated ones, if it was read for those of a file.
    pub fn holds(&self, slot: Slot) -> bool {
        self.given.as_ref().is_none_or(|given| given.contains(&slot))
    }

    /// γ and β of a BatchNorm; `None` stands for ones and zeros.
    pub fn norm(&self, slot: NormSlot) -> Option<&Norm> {
        self.norms.get(&slot)
    }

    /// Some BatchNorm shifts its output, so that a convolution of zeros is not zero.
    pub fn shifts(&self) -> bool {
        self.norms.values().any(|norm| norm.beta.iter().any(|&b| b != 0.0))
    }
}

impl std::fmt::Debug for Weights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Weights")
            .field("skeleton", &self.skeleton)
            .field("recipe", &self.recipe)
            .finish_non_exhaustive()
    }
}
