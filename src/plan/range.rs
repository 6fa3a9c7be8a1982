//! Whether f32 holds what a network makes of its images: a bound of every number on the way, from the weights.
//!
//! Where a sum overflows, a ReLU may make a number of what is none, and scores would be finite and mean nothing. Drawn weights are far from
//! that; those of a file need not be.

use super::{Plan, Source, Term};
use crate::weights::{NormSlot, Slot, Weights};

/// The largest sum of squares that a BatchNorm is trusted with: f32 ends at 3.4e38, and transforms and other orders of summing need some
/// room.
pub const LARGEST_SUM: f64 = 1e36;

/// How much a 3×3 average whose divisor counts the pixels inside may lengthen a map: the middle of one of 3×3 pixels counts 16/9 times in all, no pixel
/// of any map more, so the root of that.
const POOLED: f64 = 4.0 / 3.0;

/// A tensor behind which f32 may not hold the numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Overflow {
    /// The tensor's name in the state_dict.
    pub tensor: String,
    /// What the sum of squares over a channel may reach behind it.
    pub reach: f64,
}

impl Plan {
    /// The first tensor of `weights` behind which the squares of a channel may add up to more than f32 is trusted with, when `images` of at most
    /// `pixel` in absolute value are fed; `None` if there is none. A bound, not an estimate: roots of sums of squares add up at most,
    /// and behind a BatchNorm such a root is |γ|·√n.
    pub fn overflow(&self, weights: &Weights, pixel: f64, images: usize) -> Option<Overflow> {
        // Roots of the sums of squares over a channel.
        let mut reach = vec![0.0; self.values.len()];
        let skeleton = weights.skeleton();
        let mut latest = Tensor::Of(Slot::Stem);
        for (at, value) in self.values.iter().enumerate() {
            let count = (images * value.shape.pixels()) as f64;
            let check = |root: f64, latest: Tensor| {
                let squares = root * root;
                // What is no number does not fit.
                let fits = squares <= LARGEST_SUM;
                (!fits).then(|| Overflow { tensor: latest.name(weights), reach: squares })
            };
            for term in &value.terms {
                reach[at] += match *term {
                    Term::Skip(source) => reach[source],
                    Term::Pool(source) => POOLED * reach[source],
                    Term::Shift(norm) => {
                        latest = Tensor::Behind(norm);
                        after(weights, norm, 0.0) * count.sqrt()
                    }
                    Term::Conv(conv) => {
                        let conv = &self.convs[conv];
                        let source = match conv.source {
                            Source::Image => pixel * ((images * skeleton.height * skeleton.width) as f64).sqrt(),
                            Source::Value(source) => reach[source],
                        };
                        latest = Tensor::Of(conv.slot);
                        let out = source * row_sum(weights.tensor(conv.slot), conv.shape.channels);
                        if let Some(overflow) = check(out, latest) {
                            return Some(overflow);
                        }
                        if conv.norm {
                            latest = Tensor::Behind(NormSlot::After(conv.slot));
                            after(weights, NormSlot::After(conv.slot), 1.0) * count.sqrt()
                        } else {
                            out
                        }
                    }
                };
                if let Some(overflow) = check(reach[at], latest) {
                    return Some(overflow);
                }
            }
        }
        None
    }
}

/// A tensor that numbers came from last.
#[derive(Clone, Copy)]
enum Tensor {
    /// A convolution's weights.
    Of(Slot),
    /// A BatchNorm's γ.
    Behind(NormSlot),
}

impl Tensor {
    fn name(self, weights: &Weights) -> String {
        match self {
            Tensor::Of(slot) => slot.name(weights.skeleton()),
            Tensor::Behind(norm) => {
                let [gamma, _] = norm.names(weights.skeleton());
                gamma
            }
        }
    }
}

/// The root of the mean square of what a BatchNorm gives, at most, of numbers that have this one.
fn after(weights: &Weights, slot: NormSlot, root: f64) -> f64 {
    let largest = |values: &[f32]| values.iter().fold(0.0, |most: f64, &value| most.max(f64::from(value).abs()));
    weights.norm(slot).map_or(root, |norm| largest(&norm.gamma) * root + largest(&norm.beta))
}

/// The largest sum of absolute values among the rows of an output channel each.
fn row_sum(tensor: &[f32], channels: usize) -> f64 {
    let row = tensor.len() / channels.max(1);
    let sums = tensor.chunks(row.max(1)).map(|row| row.iter().map(|&weight| f64::from(weight).abs()).sum());
    sums.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::LARGEST_PIXEL;
    use crate::plan::Purpose;
    use crate::space::{Cell, Skeleton};
    use crate::weights::Init;

    #[test]
    fn drawn_weights_are_far_from_the_end_of_f32() {
        let skeleton = Skeleton::benchmark(10, 32);
        for init in [Init::Uniform, Init::KaimingFanOut, Init::Xavier] {
            let weights = Weights::generated(skeleton, init, 3).expect("weights");
            for cell in Cell::all().step_by(311) {
                for purpose in [Purpose::Codes, Purpose::Stages] {
                    let plan = Plan::new(&cell, &skeleton, purpose, false);
                    assert_eq!(plan.overflow(&weights, f64::from(LARGEST_PIXEL), 4096), None, "{cell} {init:?}");
                }
            }
        }
    }
}
