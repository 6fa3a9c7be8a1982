//! One reproduced figure beside the published one.

use super::paper::{Published, RUNS};
use crate::input::Dataset;
use crate::table::Summary;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Test accuracy after 200 epochs, in %.
    Accuracy,
    /// Kendall's τ-b with that accuracy.
    Kendall,
    /// Spearman's ρ with that accuracy.
    Spearman,
}

impl Quantity {
    /// The word in records.
    pub fn name(self) -> &'static str {
        ["test_accuracy", "kendall_tau_b", "spearman_rho"][self as usize]
    }
}

/// Where the scores behind a figure came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Scores that the engine computed for this figure.
    pub computed: usize,
    /// Scores that the engine had computed before, for another run or figure.
    pub remembered: usize,
    /// Scores read from score files.
    pub from_files: usize,
    /// Accuracies or training times that a method looked up in the table.
    pub from_table: usize,
}

impl Origin {
    /// `cold`, `memoised`, `files` or `table`: where the costliest part came from that was not computed for this figure.
    pub fn name(&self) -> &'static str {
        match self {
            Origin { from_files: 1.., .. } => "files",
            Origin { remembered: 1.., .. } => "memoised",
            Origin { computed: 1.., .. } => "cold",
            _ => "table",
        }
    }

    /// The parts in words.
    pub fn text(&self) -> String {
        let parts = [
            (self.computed, "computed"),
            (self.remembered, "remembered"),
            (self.from_files, "from score files"),
            (self.from_table, "from the accuracy table"),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", grouped(*n))).collect();
        parts.join(", ")
    }

    /// Both together.
    pub fn and(self, other: Origin) -> Origin {
        Origin {
            computed: self.computed + other.computed,
            remembered: self.remembered + other.remembered,
            from_files: self.from_files + other.from_files,
            from_table: self.from_table + other.from_table,
        }
    }
}

/// Our figure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The mean (of a correlation: the coefficient).
    pub mean: f64,
    /// The standard deviation (n − 1) over the runs.
    pub std: Option<f64>,
    /// Runs, or cells of a correlation.
    pub n: usize,
    /// Wall seconds of the first run, for which nothing was remembered; `None` where nothing was computed.
    pub cold_seconds: Option<f64>,
    /// Wall seconds of all runs together.
    pub seconds: f64,
    /// Simulated seconds of training, mean over the runs, for methods that train.
    pub simulated_seconds: Option<f64>,
    /// Where the scores came from.
    pub origin: Origin,
}

impl Found {
    /// The figure of runs with these accuracies; `None` if no accuracy is known.
    pub fn of(summary: Summary) -> Option<Found> {
        let Summary { mean, std, n, .. } = summary;
        Some(Found { mean: mean?, std, n, ..Found::default() })
    }
}

/// A figure of a table, published and found.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The row: `N = 100`, `ET-NAS`, `naswot`.
    pub row: String,
    /// The data set.
    pub dataset: Dataset,
    /// What is measured.
    pub quantity: Quantity,
    /// The paper's figure; `None` for rows of ours.
    pub paper: Option<Published>,
    /// Ours, or why there is none: a sentence.
    pub found: Result<Found, String>,
    /// What a reader must know.
    pub note: String,
}

impl Entry {
    /// Ours minus the paper's.
    pub fn difference(&self) -> Option<f64> {
        Some(self.found.as_ref().ok()?.mean - self.paper?.mean)
    }

    /// The difference of two means of runs, counted in its standard error √(s²/n + s²/30).
    pub fn standard_errors(&self) -> Option<f64> {
        let found = self.found.as_ref().ok()?;
        let (ours, paper) = (found.std?, self.paper?.std?);
        let error = (ours * ours / found.n as f64 + paper * paper / RUNS as f64).sqrt();
        Some(self.difference()? / error).filter(|errors| errors.is_finite())
    }
}

/// A table or figure of the paper.
#[derive(Clone, Debug, PartialEq)]
pub struct Reproduction {
    /// `table1` … `fig2`.
    pub name: &'static str,
    /// What it shows.
    pub title: String,
    /// Its figures in the order of the paper.
    pub entries: Vec<Entry>,
    /// What holds for all of them, a sentence each.
    pub notes: Vec<String>,
    /// Wall seconds that it took.
    pub seconds: f64,
}

/// A count with commas between groups of three digits.
fn grouped(n: usize) -> String {
    crate::report::grouped(n as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(mean: f64, std: Option<f64>, n: usize) -> Entry {
        Entry {
            row: "ET-NAS".to_string(),
            dataset: Dataset::Cifar10,
            quantity: Quantity::Accuracy,
            paper: Some(Published { mean: 94.0, std: Some(0.3), seconds: None, remark: None }),
            found: Ok(Found { mean, std, n, ..Found::default() }),
            note: String::new(),
        }
    }

    #[test]
    fn differences_are_counted_in_standard_errors() {
        // √(.4²/10 + .3²/30) = √.019.
        let errors = entry(94.5, Some(0.4), 10).standard_errors().unwrap();
        assert!((errors - 0.5 / 0.019f64.sqrt()).abs() < 1e-9, "{errors}");
        assert_eq!(entry(94.5, Some(0.4), 10).difference(), Some(0.5));
        assert_eq!(entry(94.5, None, 1).standard_errors(), None);
        assert_eq!(Entry { paper: None, ..entry(94.5, Some(0.4), 10) }.difference(), None);
        assert_eq!(Entry { found: Err("no".to_string()), ..entry(1.0, None, 1) }.difference(), None);
    }

    #[test]
    fn the_origin_names_what_was_not_computed() {
        let cold = Origin { computed: 3, ..Origin::default() };
        assert_eq!((cold.name(), cold.text()), ("cold", "3 computed".to_string()));
        let mixed = cold.and(Origin { remembered: 2, ..Origin::default() });
        assert_eq!((mixed.name(), mixed.text()), ("memoised", "3 computed, 2 remembered".to_string()));
        assert_eq!(mixed.and(Origin { from_files: 1, ..Origin::default() }).name(), "files");
        assert_eq!(Origin { from_table: 9, ..Origin::default() }.name(), "table");
    }
}
