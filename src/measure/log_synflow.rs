//! Synflow (Tanaka, Kunin, Yamins, Ganguli: Pruning neural networks without any data) and LogSynflow (Cavagnero, Robbiano,
//! Caputo, Averta: FreeREA): sums over the weights of convolutions and classifier, g = d(sum of logits)/d|w|, on |weights|,
//! with identity BatchNorm and one image of ones. Larger is better.

use crate::backend::SynflowSums;
use crate::error::{Error, Result};

/// Which logarithm LogSynflow takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogSynflowForm {
    /// Σ |w·ln(g + 1e-6)|: what the paper's table was made with. A weight without gradient adds 13.8155·|w|.
    #[default]
    Reference,
    /// Σ |w·ln(g + 1)|: FreeREA's; dead cells are exactly 0.
    OnePlus,
}

impl LogSynflowForm {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            LogSynflowForm::Reference => "reference",
            LogSynflowForm::OnePlus => "one-plus",
        }
    }

    /// The form of a name.
    pub fn from_name(name: &str) -> Result<LogSynflowForm> {
        let all = [LogSynflowForm::Reference, LogSynflowForm::OnePlus];
        all.into_iter().find(|form| form.name() == name).ok_or_else(|| Error::UnknownName {
            kind: "form of LogSynflow",
            found: name.to_string(),
            allowed: all.iter().map(|form| form.name().to_string()).collect(),
        })
    }

    /// LogSynflow from the raw sums.
    pub fn score(self, sums: &SynflowSums) -> f64 {
        match self {
            LogSynflowForm::Reference => sums.log_reference,
            LogSynflowForm::OnePlus => sums.log_one_plus,
        }
    }
}
