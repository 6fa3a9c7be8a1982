//! What a reader is told of each measure.

use crate::engine::LogSynflowForm;
use crate::measure::Measure;

/// The name that people write in prose and in headers.
pub fn title(measure: Measure) -> &'static str {
    match measure {
        Measure::Naswot => "naswot",
        Measure::LogSynflow => "LogSynflow",
        Measure::Synflow => "Synflow",
        Measure::Degree => "Degree",
        Measure::LossSlope => "LossSlope",
        Measure::Utopian => "utopian",
        Measure::Params => "params",
        Measure::Macs => "MACs",
    }
}

/// The definition in one line, LogSynflow's in the form that is in use.
pub fn definition(measure: Measure, form: LogSynflowForm) -> &'static str {
    match measure {
        Measure::Naswot => "ln|det K|, K_ij = ReLU code bits in which images i and j agree",
        Measure::LogSynflow if form == LogSynflowForm::OnePlus => "sum of |w·ln(g + 1)|, g = d(sum of logits)/d|w|",
        Measure::LogSynflow => "sum of |w·ln(g + 1e-6)|, g = d(sum of logits)/d|w|",
        Measure::Synflow => "sum of |w·g|, g as in LogSynflow",
        Measure::Degree => "convolutions + skips on 0→2 and 1→3 + 2 for a skip on 0→3",
        Measure::LossSlope => "minus the slope of the loss over ten steps of a regression task",
        Measure::Utopian => "distance to the best naswot, LogSynflow, LossSlope of the cells",
        Measure::Params => "trainable parameters of the network",
        Measure::Macs => "multiply-accumulates of the network for one image",
    }
}

/// Which values promise the better cells: `higher` or `lower`.
pub fn direction(measure: Measure) -> &'static str {
    if measure.higher_is_better() {
        "higher"
    } else {
        "lower"
    }
}

/// The measure depends on drawn weights, so that repeats give it a standard deviation. Utopian distance is that of the
/// means.
pub fn draws(measure: Measure) -> bool {
    !matches!(measure, Measure::Degree | Measure::Utopian | Measure::Params | Measure::Macs)
}
