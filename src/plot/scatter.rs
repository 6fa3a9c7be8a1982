//! Scores against accuracies, a point for each cell.

use super::axis::{Axis, Bounds};
use super::font::spoken;
use super::picture::{Bar, Mark, Panel, Picture, Shade};
use super::values::Values;
use crate::report::grouped;
use crate::statistics::{kendall_tau_b, ranks_from_best, spearman_rho};

/// What the colours of the cells say.
#[derive(Clone, Debug, PartialEq)]
pub enum Colouring {
    /// How many cells lie in a place.
    Density,
    /// The rank of a cell by what the vertical axis shows, among the cells that are shown.
    Rank,
    /// Another value.
    Values(Values),
}

/// Two values of the same cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Scatter {
    /// From left to right.
    pub x: Values,
    /// From below upwards.
    pub y: Values,
    /// The colours.
    pub colouring: Colouring,
    /// The horizontal axis is logarithmic.
    pub log_x: bool,
    /// Where the horizontal axis begins and ends.
    pub x_bounds: Bounds,
    /// Where the vertical axis begins and ends.
    pub y_bounds: Bounds,
}

impl Scatter {
    /// The picture of one panel, titled by what it shows.
    pub fn picture(&self) -> Picture {
        let (panel, notes) = self.panel("");
        Picture {
            title: first_upper(&format!("{} against {}", spoken(&self.y.name), spoken(&self.x.name))),
            panels: vec![panel],
            notes,
        }
    }

    /// A panel, and sentences on what it does not show.
    pub(super) fn panel(&self, title: &str) -> (Panel, Vec<String>) {
        let (x, y) = (&self.x.promise, &self.y.promise);
        let known: Vec<usize> = (0..x.len().min(y.len())).filter(|&i| !x[i].is_nan() && !y[i].is_nan()).collect();
        let exists: Vec<usize> = known.iter().copied().filter(|&i| x[i].is_finite() && y[i].is_finite()).collect();
        let point = |i: &usize| [self.x.shown(*i), self.y.shown(*i)];
        let inside =
            |v: f64, bounds: Bounds| bounds.low.is_none_or(|low| v >= low) && bounds.high.is_none_or(|high| v <= high);
        // The range of one axis is that of the cells that the other one shows.
        let within = |i: &&usize| {
            let [x, y] = point(i);
            inside(x, self.x_bounds) && inside(y, self.y_bounds)
        };
        let along = |k: usize| exists.iter().filter(within).map(move |i| point(i)[k]);
        let x_axis = Axis::around(&first_upper(&self.x.title), along(0), self.log_x, self.x_bounds);
        let y_axis = Axis::around(&first_upper(&self.y.title), along(1), false, self.y_bounds);
        let shown: Vec<usize> =
            exists.iter().copied().filter(|i| x_axis.shows(point(i)[0]) && y_axis.shows(point(i)[1])).collect();

        let columns = [x, y].map(|values| known.iter().map(|&i| values[i]).collect::<Vec<f64>>());
        let facts = self.facts(&columns);
        let total = x.len().min(y.len());
        let mut notes = Vec::new();
        let mut note = |count: usize, one: &str, many: &str| match count {
            0 => {}
            1 => notes.push(format!("1 cell {one}.")),
            n => notes.push(format!("{} cells {many}.", grouped(n as u64))),
        };
        let name = spoken(&self.y.name);
        note(
            total - known.len(),
            &format!("is left out, as its {name} is not known"),
            &format!("are left out, as their {name} is not known"),
        );
        let lowest = "τ and ρ count";
        note(
            known.len() - exists.len(),
            &format!("without {} is not shown; {lowest} it as lowest", self.missing(&known)),
            &format!("without {} are not shown; {lowest} them as lowest", self.missing(&known)),
        );
        note(exists.len() - shown.len(), "lies outside the axes", "lie outside the axes");
        if !self.x.higher_is_better && columns[0].len() > 1 {
            notes.push(format!(
                "Smaller {} is better: τ and ρ are positive if smaller values go with better cells.",
                spoken(&self.x.name)
            ));
        }
        let points = shown.iter().map(point).collect();
        let marks = vec![Mark::Cells { points, shade: self.shade(&shown) }];
        (Panel { title: title.to_string(), facts, x: x_axis, y: y_axis, marks, legend: Vec::new(), bar: None }, notes)
    }

    /// Which value the cells without one lack.
    fn missing(&self, known: &[usize]) -> String {
        let lacks = |values: &Values| known.iter().any(|&i| !values.promise[i].is_finite());
        match (lacks(&self.x), lacks(&self.y)) {
            (true, false) => spoken(&self.x.name),
            (false, true) => spoken(&self.y.name),
            _ => format!("{} or {}", spoken(&self.x.name), spoken(&self.y.name)),
        }
    }

    fn facts(&self, [x, y]: &[Vec<f64>; 2]) -> String {
        let n = format!("n = {}", grouped(x.len() as u64));
        match (kendall_tau_b(x, y), spearman_rho(x, y)) {
            (Some(tau), Some(rho)) => format!("{n}, Kendall τ = {}, Spearman ρ = {}", signed(tau), signed(rho)),
            _ if x.len() < 2 => n,
            _ if !x.iter().any(|v| v.is_finite()) => {
                format!("{n}, no τ and ρ: no cell has {}", spoken(&self.x.name))
            }
            _ => {
                let equal = |values: &[f64]| values.windows(2).all(|pair| pair[0] == pair[1]);
                let of = spoken(if equal(x) { &self.x.name } else { &self.y.name });
                format!("{n}, no τ and ρ: all values of {of} are equal")
            }
        }
    }

    fn shade(&self, shown: &[usize]) -> Shade {
        match &self.colouring {
            Colouring::Density => Shade::Density,
            Colouring::Rank => {
                let accuracies: Vec<f64> = shown.iter().map(|&i| self.y.promise[i]).collect();
                let ranks = ranks_from_best(&accuracies).unwrap_or_default();
                let (n, last) = (ranks.len(), ranks.len().max(2) as f64 - 1.0);
                let of = ranks.iter().map(|rank| 1.0 - (*rank as f64 - 1.0) / last).collect();
                let label = |rank: usize| (1.0 - (rank as f64 - 1.0) / last, grouped(rank as u64));
                let mut ticks = vec![label(1)];
                ticks.extend((n > 2).then(|| label(n.div_ceil(2))));
                ticks.extend((n > 1).then(|| label(n)));
                Shade::Values { of, bar: Bar { title: "rank".to_string(), ticks } }
            }
            Colouring::Values(values) => {
                let scale =
                    Axis::around(&values.name, shown.iter().map(|&i| values.shown(i)), false, Bounds::default());
                let of =
                    shown
                        .iter()
                        .map(|&i| if scale.shows(values.shown(i)) { scale.place(values.shown(i)) } else { 0.0 });
                Shade::Values { of: of.collect(), bar: Bar::along(&scale, scale.ticks(6)) }
            }
        }
    }
}

/// Three decimals, with a true minus sign.
fn signed(v: f64) -> String {
    super::axis::number(v, 3, false)
}

/// Words of ours that a title may begin with. Names of measures and columns keep their first letter.
const WORDS: [&str; 11] = [
    "accuracy",
    "distance",
    "multiply-accumulates",
    "one",
    "parameters",
    "score",
    "sum",
    "test",
    "trainable",
    "utopian",
    "validation",
];

/// The text with a capital letter, if it begins with a word of ours.
pub(super) fn first_upper(text: &str) -> String {
    let mut rest = text.chars();
    match (rest.next(), text.split([' ', ',']).next()) {
        (Some(first), Some(word)) if WORDS.contains(&word) => first.to_uppercase().chain(rest).collect(),
        _ => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_first_letter_and_words_do_not() {
        let texts = ["test accuracy on CIFAR-10", "naswot", "test_score", "utopian distance", "", "score of X"];
        let expected = ["Test accuracy on CIFAR-10", "naswot", "test_score", "Utopian distance", "", "Score of X"];
        assert_eq!(texts.map(first_upper), expected);
    }
}
