//! REINFORCE (Williams 1992), as NATS-Bench ran it: a policy over the operations of each edge learns from the validation accuracy
//! of the cells drawn from it.

use super::budget::Budget;
use super::ledger::Ledger;
use super::outcome::Outcome;
use crate::error::{Error, Result};
use crate::random::Stream;
use crate::space::{Cell, Op, EDGES};
use serde::Serialize;

/// Standard deviation of the policy's first parameters.
const INITIAL: f64 = 1e-3;

/// Adam (Kingma and Ba 2015): decay of the first and the second moment, and what keeps the divisor from 0.
const DECAY: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

/// REINFORCE. The reward is the validation accuracy after 12 epochs in %; the best cell of all that were drawn wins.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reinforce {
    /// Learning rate of Adam.
    pub learning_rate: f64,
    /// Decay of the exponential average of the rewards, the baseline.
    pub momentum: f64,
    /// When it ends.
    #[serde(flatten)]
    pub budget: Budget,
}

impl Default for Reinforce {
    fn default() -> Reinforce {
        Reinforce { learning_rate: 0.01, momentum: 0.9, budget: Budget::default() }
    }
}

impl Reinforce {
    pub(super) fn check(&self) -> Result<()> {
        let rate = self.learning_rate;
        if !(rate > 0.0 && rate.is_finite()) {
            let remedy = "NATS-Bench's is 0.01.";
            return Err(Error::options(
                "The learning rate of REINFORCE",
                "a positive number",
                rate.to_string(),
                remedy,
            ));
        }
        if !(0.0..1.0).contains(&self.momentum) {
            return Err(Error::options(
                "The momentum of REINFORCE's baseline",
                "a number from 0 to below 1",
                self.momentum.to_string(),
                "NATS-Bench's is 0.9.",
            ));
        }
        self.budget.check()
    }

    pub(super) fn search(&self, mut ledger: Ledger, rng: &mut Stream) -> Result<Outcome> {
        let budget = self.budget.or_paper(ledger.trained()?.dataset());
        let mut policy = Policy::new(rng);
        let mut baseline = Baseline { momentum: self.momentum, sum: 0.0, weight: 0.0 };
        loop {
            let probabilities = policy.probabilities();
            let ops = probabilities.map(|edge| choose(&edge, rng.unit()));
            let reward = ledger.train(&Cell::new(ops))?;
            let advantage = reward - baseline.with(reward);
            policy.learn(&probabilities, &ops, advantage, self.learning_rate);
            if let Some(ended) = ledger.spent(&budget, ledger.evaluations.trained) {
                return ledger.close(ended);
            }
        }
    }
}

type Table = [[f64; Op::ALL.len()]; EDGES.len()];

/// A softmax over the operations of each edge, and Adam's state.
struct Policy {
    logits: Table,
    moments: [Table; 2],
    steps: i32,
}

impl Policy {
    fn new(rng: &mut Stream) -> Policy {
        let mut policy = Policy { logits: Table::default(), moments: [Table::default(); 2], steps: 0 };
        policy.logits.as_flattened_mut().chunks_mut(2).for_each(|pair| {
            pair.iter_mut().zip(rng.normals()).for_each(|(logit, normal)| *logit = INITIAL * normal);
        });
        policy
    }

    fn probabilities(&self) -> Table {
        self.logits.map(|edge| {
            let largest = edge.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights = edge.map(|logit| libm::exp(logit - largest));
            let sum: f64 = weights.iter().sum();
            weights.map(|weight| weight / sum)
        })
    }

    /// One step of Adam down −advantage · Σ ln p(op), whose gradient by an edge's logits is advantage · (p − one-hot).
    fn learn(&mut self, probabilities: &Table, ops: &[Op; EDGES.len()], advantage: f64, rate: f64) {
        self.steps = self.steps.saturating_add(1);
        let correction = DECAY.map(|decay| 1.0 - libm::pow(decay, f64::from(self.steps)));
        let [first, second] = &mut self.moments;
        for (edge, op) in ops.iter().enumerate() {
            for (o, known) in Op::ALL.iter().enumerate() {
                let gradient = advantage * (probabilities[edge][o] - if known == op { 1.0 } else { 0.0 });
                let (m, v) = (&mut first[edge][o], &mut second[edge][o]);
                *m = DECAY[0] * *m + (1.0 - DECAY[0]) * gradient;
                *v = DECAY[1] * *v + (1.0 - DECAY[1]) * gradient * gradient;
                self.logits[edge][o] -= rate * (*m / correction[0]) / ((*v / correction[1]).sqrt() + EPSILON);
            }
        }
    }
}

/// The operation in whose share of [0, 1) a number falls.
fn choose(probabilities: &[f64; Op::ALL.len()], number: f64) -> Op {
    let mut sum = 0.0;
    let mut chosen = Op::None;
    for (op, probability) in Op::ALL.into_iter().zip(probabilities) {
        // Rounding may leave the sum below the number: then the last operation that can be drawn stands.
        if *probability > 0.0 {
            chosen = op;
        }
        sum += probability;
        if number < sum {
            break;
        }
    }
    chosen
}

/// The exponential average of the rewards, without the bias towards 0 of its start.
struct Baseline {
    momentum: f64,
    sum: f64,
    weight: f64,
}

impl Baseline {
    /// The average, this reward among them.
    fn with(&mut self, reward: f64) -> f64 {
        self.sum = self.momentum * self.sum + (1.0 - self.momentum) * reward;
        self.weight = self.momentum * self.weight + (1.0 - self.momentum);
        self.sum / self.weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_is_the_learning_rate_in_the_direction_of_the_gradient() {
        let mut policy = Policy { logits: Table::default(), moments: [Table::default(); 2], steps: 0 };
        let ops = [Op::NorConv3x3; 6];
        policy.learn(&policy.probabilities(), &ops, 2.0, 0.01);
        for edge in policy.logits {
            for (op, logit) in Op::ALL.into_iter().zip(edge) {
                let expected = if op == Op::NorConv3x3 { 0.01 } else { -0.01 };
                assert!((logit - expected).abs() < 1e-9, "{op:?} {logit}");
            }
        }
        // Second step by hand, advantage 0: m = .9·.1·g, v = .999·.001·g², corrected by 1 − .81 and 1 − .998001.
        let before = policy.logits;
        policy.learn(&policy.probabilities(), &ops, 0.0, 0.01);
        let step = 0.01 * (0.09 / 0.19) / (0.000_999f64 / 0.001_999).sqrt();
        for (was, is) in before.as_flattened().iter().zip(policy.logits.as_flattened()) {
            assert!(((is - was).abs() - step).abs() < 1e-6, "{was} {is} {step}");
        }
    }

    #[test]
    fn the_baseline_is_the_mean_that_forgets() {
        let mut baseline = Baseline { momentum: 0.9, sum: 0.0, weight: 0.0 };
        assert!((baseline.with(50.0) - 50.0).abs() < 1e-12);
        // (.9·50 + 60)/(.9 + 1)
        assert!((baseline.with(60.0) - 105.0 / 1.9).abs() < 1e-12);
    }

    #[test]
    fn operations_are_drawn_by_their_share() {
        let shares = [0.1, 0.0, 0.4, 0.5, 0.0];
        let drawn = [0.0, 0.099, 0.1, 0.49, 0.5, 0.999_999, 1.0].map(|number| choose(&shares, number) as usize);
        assert_eq!(drawn, [0, 0, 2, 2, 3, 3, 3]);
        assert_eq!(choose(&[0.0; 5], 0.5), Op::None);
    }

    #[test]
    fn probabilities_stay_probabilities_however_large_the_logits_are() {
        let mut policy = Policy::new(&mut Stream::new(1, &[]));
        assert!(policy.logits.as_flattened().iter().all(|logit| logit.abs() < 6e-3 && *logit != 0.0));
        policy.logits[2] = [1e308, -1e308, 0.0, 1e308, 0.0];
        let probabilities = policy.probabilities();
        assert_eq!(probabilities[2], [0.5, 0.0, 0.0, 0.5, 0.0]);
        for edge in probabilities {
            assert!((edge.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }
}
