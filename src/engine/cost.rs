//! What a measure of a cell costs, counted the plain way.

use super::Engine;
use crate::input::STEPS;
use crate::measure::Measure;
use crate::plan::{Plan, Purpose};
use crate::space::{Cell, Skeleton};

impl Engine {
    /// Floating-point operations of the convolutions that a measure of a cell needs, each computed as a sum of products, a
    /// multiply-add counting two: what effective rates refer to, however the engine computes them. Convolutions that cannot
    /// change the measure are not counted, neither are classifier and heads. 0 where no network is run. Utopian distance is
    /// its three measures together.
    pub fn flop(&self, measure: Measure, cell: &Cell) -> u64 {
        let plan = |purpose| Plan::new(cell, self.network(), purpose, false);
        let macs = match measure {
            Measure::Naswot => self.batch.count as u64 * plan(Purpose::Codes).macs(),
            Measure::LogSynflow | Measure::Synflow => {
                let plan = plan(Purpose::Output);
                plan.macs() + plan.backward_macs()
            }
            Measure::LossSlope => {
                let (height, width) = (self.regression_images.height, self.regression_images.width);
                let plan = Plan::new(cell, &Skeleton { height, width, ..*self.network() }, Purpose::Stages, false);
                // The last loss is taken before its update: nothing goes back.
                let steps = STEPS as u64;
                self.regression_images.count as u64 * (steps * plan.macs() + (steps - 1) * plan.backward_macs())
            }
            Measure::Utopian => {
                let three = [Measure::Naswot, Measure::LogSynflow, Measure::LossSlope];
                return three.into_iter().map(|measure| self.flop(measure, cell)).sum();
            }
            Measure::Degree | Measure::Params | Measure::Macs => 0,
        };
        2 * macs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Options;

    #[test]
    fn a_live_network_is_counted_whole() {
        let engine = Engine::new(Options { batch: 3, ..Options::default() }).unwrap();
        // Every convolution of this cell is alive, so that only classifier and bias are missing from the space's own count.
        let cell: Cell = "1462".parse().unwrap();
        let macs = engine.network().macs(&cell) - 650;
        let stem = 3 * 9 * 16 * 32 * 32;
        assert_eq!(engine.flop(Measure::Naswot, &cell), 2 * 3 * macs);
        assert_eq!(engine.flop(Measure::LogSynflow, &cell), 2 * (3 * macs - stem));
        assert_eq!(engine.flop(Measure::Synflow, &cell), engine.flop(Measure::LogSynflow, &cell));
        assert_eq!(engine.flop(Measure::LossSlope, &cell), 2 * 3 * (10 * macs + 9 * (2 * macs - stem)));
        assert_eq!(engine.flop(Measure::Params, &cell), 0);
    }

    #[test]
    fn what_cannot_count_costs_nothing() {
        let engine = Engine::new(Options { batch: 2, ..Options::default() }).unwrap();
        // A 3×3 convolution into a node that nothing leaves: its source's code counts, its output does not.
        let with: Cell = "|none~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|none~1|none~2|".parse().unwrap();
        let without: Cell = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|".parse().unwrap();
        for measure in [Measure::Naswot, Measure::LogSynflow, Measure::LossSlope] {
            assert_eq!(engine.flop(measure, &with), engine.flop(measure, &without));
        }
        let dead: Cell = "10".parse().unwrap();
        assert!(dead.is_dead());
        assert_eq!(engine.flop(Measure::LogSynflow, &dead), 0);
    }
}
