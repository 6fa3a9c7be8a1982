//! Numbers as text: exact for machines, rounded for people.

use crate::measure::Measure;
use serde_json::Value;

/// What stands for a value that does not exist in text for people.
pub const ABSENT: &str = "–";

/// The value of a measure for machines: whole numbers where the measure counts, else shortest round-trip f64; null where it
/// does not exist or is not finite.
pub fn exact(measure: Measure, value: Option<f64>) -> Value {
    let counts = matches!(measure, Measure::Degree | Measure::Params | Measure::Macs);
    match value {
        Some(v) if counts && v >= 0.0 && v < u64::MAX as f64 && v.fract() == 0.0 => Value::from(v as u64),
        Some(v) => Value::from(v),
        None => Value::Null,
    }
}

/// The text of a value in a CSV field: as in JSON, without quotes, empty for null.
pub fn field(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The value of a measure for people.
pub fn rounded(measure: Measure, value: Option<f64>) -> String {
    let Some(v) = value.filter(|v| v.is_finite()) else {
        return ABSENT.to_string();
    };
    match measure {
        Measure::Degree | Measure::Params | Measure::Macs => grouped(v.max(0.0) as u64),
        Measure::Synflow => format!("{v:.3e}"),
        Measure::LossSlope | Measure::Utopian => format!("{v:.4}"),
        Measure::LogSynflow if v >= 1000.0 => grouped(v.round() as u64),
        Measure::Naswot | Measure::LogSynflow => format!("{v:.2}"),
    }
}

/// A whole number with commas between groups of three digits.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_whole_and_nothing_is_invented() {
        assert_eq!(exact(Measure::Params, Some(73306.0)).to_string(), "73306");
        assert_eq!(exact(Measure::Naswot, Some(1466.0)).to_string(), "1466.0");
        assert_eq!(exact(Measure::Synflow, Some(6e66)).to_string(), "6e+66");
        for bad in [Some(f64::NAN), Some(f64::INFINITY), Some(f64::NEG_INFINITY), None] {
            assert_eq!(exact(Measure::Naswot, bad), Value::Null);
            assert_eq!(rounded(Measure::LossSlope, bad), ABSENT);
        }
    }

    #[test]
    fn numbers_for_machines_are_read_back_to_the_same_bits() {
        let mut stream = crate::random::Stream::new(4, &[]);
        for _ in 0..1000 {
            let v = f64::from_bits(stream.bits());
            if v.is_finite() {
                let text = field(&exact(Measure::Naswot, Some(v)));
                assert_eq!(text.parse::<f64>().unwrap().to_bits(), v.to_bits(), "{text}");
            }
        }
    }

    #[test]
    fn groups_of_three() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (73306, "73,306"), (1234567, "1,234,567")] {
            assert_eq!(grouped(n), text);
        }
        assert_eq!(rounded(Measure::LogSynflow, Some(1_383_600.4)), "1,383,600");
        assert_eq!(rounded(Measure::Synflow, Some(6.12e66)), "6.120e66");
    }
}
