//! An axis: what it shows, from where to where, and where its ticks stand.

use super::font::spoken;
use crate::report::grouped;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use std::ops::Range;

/// Values beyond this in magnitude are not drawn: their differences would leave f64.
pub const MOST: f64 = 1e300;

/// Air between the outermost values and the frame, as a share of their span.
const AIR: f64 = 0.03;

/// Where an axis may be told to begin and to end.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    /// The least value shown, else the least of the data.
    pub low: Option<f64>,
    /// The greatest value shown, else the greatest of the data.
    pub high: Option<f64>,
}

/// One axis of a panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it shows, with its unit.
    pub title: String,
    /// The values at its two ends.
    pub range: (f64, f64),
    /// Equal distances are equal factors.
    pub log: bool,
    /// Whether anything is shown along it.
    pub empty: bool,
}

/// Where ticks stand, what is written there, and the power of ten that the labels leave out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ticks {
    /// Values and labels, ascending.
    pub marks: Vec<(f64, String)>,
    /// The labels count units of 10 to this power.
    pub exponent: i32,
}

impl Axis {
    /// An axis around these values, of which only those that [`Axis::shows`] would show count; `bounds` precede them.
    pub fn around(title: &str, values: impl IntoIterator<Item = f64>, log: bool, bounds: Bounds) -> Axis {
        let drawable = |v: &f64| v.abs() <= MOST && (!log || *v >= 1.0 / MOST);
        let inside = |v: &f64| bounds.low.is_none_or(|low| *v >= low) && bounds.high.is_none_or(|high| *v <= high);
        let (min, max) = values
            .into_iter()
            .filter(|v| drawable(v) && inside(v))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), v| (min.min(v), max.max(v)));
        let empty = min > max;
        let (min, max) = match (empty, bounds.low, bounds.high) {
            (false, ..) => (min, max),
            (true, Some(low), Some(high)) => (low, high),
            (true, ..) => (1.0, 1.0),
        };
        let range = if log { widened(min.log10(), max.log10()) } else { widened(min, max) };
        let range = if log { (10f64.powf(range.0.max(-305.0)), 10f64.powf(range.1.min(305.0))) } else { range };
        let (low, high) = (bounds.low.unwrap_or(range.0), bounds.high.unwrap_or(range.1));
        let range = if low < high { (low, high) } else { range };
        Axis { title: spoken(title), range, log, empty }
    }

    /// An axis of the whole numbers from 0 to `count` − 1.
    pub fn steps(title: &str, count: usize) -> Axis {
        let last = count.saturating_sub(1) as f64;
        Axis { title: spoken(title), range: (-0.03 * last - 0.2, 1.03 * last + 0.2), log: false, empty: count == 0 }
    }

    /// Whether a value has a place on the axis.
    pub fn shows(&self, value: f64) -> bool {
        !self.empty
            && (self.range.0..=self.range.1).contains(&value)
            && value.abs() <= MOST
            && (!self.log || value >= 1.0 / MOST)
    }

    /// Where a value stands: 0 at the begin, 1 at the end.
    pub fn place(&self, value: f64) -> f64 {
        let at = |v: f64| if self.log { v.max(f64::MIN_POSITIVE).log10() } else { v };
        let (low, high) = (at(self.range.0), at(self.range.1));
        // Halves, lest the span overflow.
        ((at(value) / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0)).clamp(-1.0, 2.0)
    }

    /// At most about `most` ticks, at round values.
    pub fn ticks(&self, most: usize) -> Ticks {
        let (low, high) = self.range;
        if self.empty {
            return Ticks::default();
        }
        if self.log && high.log10() - low.log10() >= 1.0 {
            return decades(low, high, most);
        }
        linear(low, high, most.max(2))
    }
}

/// The span with air around it, also where it is a single value.
fn widened(min: f64, max: f64) -> (f64, f64) {
    let least = (min.abs().max(max.abs()) * 1e-9).max(f64::MIN_POSITIVE * 1e9);
    let span = max - min;
    if span < least {
        let half = if min == 0.0 { 1.0 } else { (min.abs() * 0.05).max(least) };
        return (min - half, max + half);
    }
    (min - AIR * span, max + AIR * span)
}

/// The least of 1, 2, 5 · 10ᵏ that is not below `least`.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0].map(|m| m * power).into_iter().find(|step| *step >= least * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

fn linear(low: f64, high: f64, most: usize) -> Ticks {
    let step = round_step((high / most as f64) - (low / most as f64));
    let (first, last) = ((low / step).ceil(), (high / step).floor());
    if !(step > 0.0 && first <= last && last - first <= 2.0 * most as f64) {
        return Ticks::default();
    }
    let values: Vec<f64> = (0..=(last - first) as u32).map(|i| (first + f64::from(i)) * step).collect();
    let largest = values.iter().fold(0f64, |most, v| most.max(v.abs()));
    let exponent = match largest {
        l if l >= 1e6 || (l > 0.0 && l < 1e-2) => 3 * (l.log10() / 3.0).floor() as i32,
        _ => 0,
    };
    let decimals = (f64::from(exponent) - step.log10() - 1e-9).ceil().clamp(0.0, 12.0) as usize;
    let commas = exponent == 0 && largest >= 1e4;
    let label = |v: f64| number(v / 10f64.powi(exponent), decimals, commas);
    Ticks { marks: values.iter().map(|v| (*v, label(*v))).collect(), exponent }
}

fn decades(low: f64, high: f64, most: usize) -> Ticks {
    let (first, last) = (low.log10().ceil() as i32, high.log10().floor() as i32);
    let stride = round_step(f64::from(last - first + 1) / most.max(1) as f64).max(1.0) as i32;
    let multiples = (first.div_euclid(stride)..=last.div_euclid(stride)).map(|i| i * stride);
    let mut values: Vec<(i32, f64)> = multiples.map(|k| (k, 10f64.powi(k))).collect();
    values.retain(|(_, v)| (low..=high).contains(v));
    if values.len() < 3 && most >= 5 {
        let finer = (first - 1..=last).flat_map(|k| [1.0, 2.0, 5.0].map(|m| (k, m * 10f64.powi(k))));
        values = finer.filter(|(_, v)| (low..=high).contains(v)).collect();
    }
    let plain = values.iter().all(|(k, _)| (-3..6).contains(k));
    let commas = values.iter().any(|(_, v)| *v >= 1e4);
    let label = |k: i32, v: f64| match plain {
        true => number(v, (-k).max(0) as usize, commas),
        false => match (v / 10f64.powi(k)).round() {
            1.0 => power(k),
            m => format!("{m}·{}", power(k)),
        },
    };
    Ticks { marks: values.into_iter().map(|(k, v)| (v, label(k, v))).collect(), exponent: 0 }
}

/// Ten to a power, as `10⁻³`.
pub fn power(k: i32) -> String {
    let digit = |c: char| match c {
        '-' => '⁻',
        c => c.to_digit(10).and_then(|d| "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(d as usize)).unwrap_or(c),
    };
    std::iter::once("10".to_string()).chain(k.to_string().chars().map(|c| digit(c).to_string())).collect()
}

/// A number with so many decimals and a true minus sign; whole ones with commas between thousands, if asked for.
pub fn number(v: f64, decimals: usize, commas: bool) -> String {
    let text = match decimals {
        0 if commas && v.abs() < 1e15 => grouped(v.abs().round() as u64),
        _ => format!("{:.decimals$}", v.abs()),
    };
    let sign = if v < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b)) { "−" } else { "" };
    format!("{sign}{text}")
}

/// An axis together with its ticks, as plotters wants to see them.
#[derive(Clone)]
pub struct Ruled {
    pub axis: Axis,
    pub ticks: Ticks,
}

impl Ruled {
    /// The title, with the power of ten that the labels leave out.
    pub fn title(&self) -> String {
        match self.ticks.exponent {
            0 => self.axis.title.clone(),
            k => format!("{} (×{})", self.axis.title, power(k)),
        }
    }
}

impl Ranged for Ruled {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (begin, end): (i32, i32)) -> i32 {
        begin + (self.axis.place(*value) * f64::from(end - begin)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.marks.iter().map(|(value, _)| *value).collect()
    }

    fn range(&self) -> Range<f64> {
        self.axis.range.0..self.axis.range.1
    }
}

impl ValueFormatter<f64> for Ruled {
    fn format_ext(&self, value: &f64) -> String {
        self.ticks.marks.iter().find(|(v, _)| v == value).map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(values: &[f64], log: bool) -> Axis {
        Axis::around("x", values.iter().copied(), log, Bounds::default())
    }

    fn labels(values: &[f64], log: bool, most: usize) -> (Vec<String>, i32) {
        let ticks = axis(values, log).ticks(most);
        (ticks.marks.into_iter().map(|(_, label)| label).collect(), ticks.exponent)
    }

    #[test]
    fn ticks_stand_at_round_values() {
        assert_eq!(labels(&[10.0, 94.4], false, 8).0, ["20", "40", "60", "80"]);
        assert_eq!(labels(&[10.0, 94.4], false, 9).0, ["10", "20", "30", "40", "50", "60", "70", "80", "90"]);
        assert_eq!(labels(&[-0.1, 0.42], false, 6).0, ["−0.1", "0.0", "0.1", "0.2", "0.3", "0.4"]);
        assert_eq!(labels(&[13e3, 4.2e6], false, 5), (["0", "1", "2", "3", "4"].map(String::from).to_vec(), 6));
        assert_eq!(labels(&[0.0, 45e3], false, 5).0, ["0", "10,000", "20,000", "30,000", "40,000"]);
        assert_eq!(labels(&[0.0, 12e3], false, 3).0, ["0", "5,000", "10,000"]);
        assert_eq!(labels(&[0.0, 2e3], false, 5).0, ["0", "500", "1000", "1500", "2000"]);
        assert_eq!(labels(&[0.0, 2e-5], false, 5), (["0", "5", "10", "15", "20"].map(String::from).to_vec(), -6));
    }

    #[test]
    fn a_log_axis_has_decades_and_fewer_if_there_is_no_room() {
        assert_eq!(labels(&[1.0, 1000.0], true, 6).0, ["1", "10", "100", "1000"]);
        assert_eq!(labels(&[1e-10, 6e66], true, 5).0, ["10⁰", "10²⁰", "10⁴⁰", "10⁶⁰"]);
        assert_eq!(labels(&[20.0, 400.0], true, 6).0, ["20", "50", "100", "200"]);
        // Less than a decade is as good as linear.
        assert_eq!(labels(&[20.0, 40.0], true, 5).0, ["20", "25", "30", "35", "40"]);
    }

    #[test]
    fn one_value_none_and_the_ends_of_f64_have_an_axis() {
        for (values, log) in [
            (&[5.0, 5.0][..], false),
            (&[0.0], false),
            (&[-1e300, 1e300], false),
            (&[f64::MAX, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 3.0], false),
            (&[5e-324, 1e-323], false),
            (&[1.0, 1.0 + f64::EPSILON], false),
            (&[5e-324, 1e-300, 1e300], true),
            (&[1e-300], true),
            (&[1e300], true),
            (&[-1.0, 0.0, 7.0], true),
        ] {
            let axis = axis(values, log);
            let (low, high) = axis.range;
            assert!(low < high && low.is_finite() && high.is_finite(), "{values:?}: {low} to {high}");
            assert!(!axis.empty);
            let places: Vec<f64> = values.iter().filter(|v| axis.shows(**v)).map(|v| axis.place(*v)).collect();
            assert!(!places.is_empty() && places.iter().all(|p| (0.0..=1.0).contains(p)), "{values:?}: {places:?}");
            for most in [0, 1, 2, 7, 50] {
                let ticks = axis.ticks(most);
                assert!(ticks.marks.iter().all(|(v, label)| (low..=high).contains(v) && label.len() < 30), "{ticks:?}");
            }
        }
        for values in [&[][..], &[f64::NAN, f64::NEG_INFINITY]] {
            let axis = axis(values, false);
            assert!(axis.empty && axis.range.0 < axis.range.1 && axis.ticks(5).marks.is_empty() && !axis.shows(1.0));
        }
    }

    #[test]
    fn bounds_precede_the_data() {
        let bounds = Bounds { low: Some(80.0), high: None };
        let axis = Axis::around("x", [10.0, 85.0, 94.0], false, bounds);
        assert_eq!(axis.range.0, 80.0);
        assert!(axis.range.1 > 94.0 && axis.range.1 < 95.0);
        assert!(!axis.shows(10.0) && axis.shows(85.0));
        assert!(Axis::around("x", [10.0], false, bounds).empty);
    }

    #[test]
    fn numbers_and_powers() {
        let texts =
            [number(-0.04, 1, false), number(-12345.0, 0, true), number(12345.0, 0, false), number(1234.5, 1, true)];
        assert_eq!(texts, ["0.0", "−12,345", "12345", "1234.5"]);
        assert_eq!([power(-3), power(12)], ["10⁻³", "10¹²"]);
    }
}
