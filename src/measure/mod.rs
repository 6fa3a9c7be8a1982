//! What the measures are: names, directions, and the way from raw numbers to a score.

mod log_synflow;
pub mod loss_slope;
pub mod naswot;
pub mod utopian;

pub use log_synflow::LogSynflowForm;
pub use loss_slope::SlopeFit;

use crate::error::{Error, Result};

/// A number that ranks cells. For every one of them that ranks quality, larger is better; Utopian distance is smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Measure {
    /// ln|det K_H| of the Hamming kernel of ReLU codes.
    Naswot,
    /// Σ |w·ln(g + 1e-6)| (or + 1).
    LogSynflow,
    /// Σ |w·g|.
    Synflow,
    /// Convolutions and long skips.
    Degree,
    /// Minus the slope of the loss over ten SGD steps.
    LossSlope,
    /// Distance to the utopian point of naswot, LogSynflow and LossSlope.
    Utopian,
    /// Trainable parameters.
    Params,
    /// Multiply-accumulates for one image.
    Macs,
}

impl Measure {
    /// All, in the order of records.
    pub const ALL: [Measure; 8] = [
        Measure::Naswot,
        Measure::LogSynflow,
        Measure::Synflow,
        Measure::Degree,
        Measure::LossSlope,
        Measure::Utopian,
        Measure::Params,
        Measure::Macs,
    ];

    /// Those that are computed where none is named: all but Synflow, and the utopian distance, which compares cells.
    pub const USUAL: [Measure; 6] =
        [Measure::Naswot, Measure::LogSynflow, Measure::Degree, Measure::LossSlope, Measure::Params, Measure::Macs];

    /// The name on the command line: `log-synflow`.
    pub fn name(self) -> &'static str {
        ["naswot", "log-synflow", "synflow", "degree", "loss-slope", "utopian", "params", "macs"][self as usize]
    }

    /// The key in records: `log_synflow`.
    pub fn key(self) -> &'static str {
        ["naswot", "log_synflow", "synflow", "degree", "loss_slope", "utopian", "params", "macs"][self as usize]
    }

    /// The measure of a name; keys are understood too.
    pub fn from_name(name: &str) -> Result<Measure> {
        Measure::ALL.into_iter().find(|m| m.name() == name || m.key() == name).ok_or_else(|| Error::UnknownName {
            kind: "measure",
            found: name.to_string(),
            allowed: Measure::ALL.iter().map(|m| m.name().to_string()).collect(),
        })
    }

    /// Larger values promise better cells.
    pub fn higher_is_better(self) -> bool {
        self != Measure::Utopian
    }
}
