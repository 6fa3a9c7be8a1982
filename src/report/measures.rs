//! What a reader is told of each measure.

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

/// The definition in one line.
pub fn definition(measure: Measure) -> &'static str {
    match measure {
        Measure::Naswot => "ln|det K|, K[i][j] = ReLU code bits in which images i and j of the batch agree",
        Measure::LogSynflow => {
            "sum of |w·ln(g + 1e-6)| over the weights, g = d(sum of logits)/d|w| on an image of ones"
        }
        Measure::Synflow => "sum of |w·g| over the weights, g as in LogSynflow",
        Measure::Degree => "convolutions, plus 1 for a skip on 0→2 or 1→3, plus 2 for a skip on 0→3",
        Measure::LossSlope => "minus the slope of the loss over ten SGD steps of a regression task",
        Measure::Utopian => "distance to the best naswot, LogSynflow and LossSlope among the cells scored together",
        Measure::Params => "trainable parameters of the network",
        Measure::Macs => "multiply-accumulates of the network for one image",
    }
}

/// Which values are the better ones: `higher` or `lower`.
pub fn direction(measure: Measure) -> &'static str {
    if measure.higher_is_better() {
        "higher"
    } else {
        "lower"
    }
}

/// The measure depends on drawn weights, so that repeats give it a standard deviation.
pub fn draws(measure: Measure) -> bool {
    !matches!(measure, Measure::Degree | Measure::Params | Measure::Macs)
}
