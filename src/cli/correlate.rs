//! `correlate`: how well the scores of a file order cells, and two files compared.

use super::common::{OutputArguments, TableArguments};
use super::names;
use super::progress::{catch_interrupts, Progress};
use crate::error::{Error, Result};
use crate::input::Dataset;
use crate::measure::Measure;
use crate::report::{CompareReport, CorrelateReport, Output};
use crate::statistics::{compare, correlate_all, Clash, Comparison, Population, ScoreSet, Settings, Top, RESAMPLES};
use crate::table::{test_column, Accuracies, ScoreColumn, ScoreFile};
use clap::Args;
use std::path::PathBuf;

/// Differences that `--compare` lists of each score.
const LARGEST: usize = 5;

/// The most resamples: their coefficients are kept until they are sorted.
const MOST_RESAMPLES: usize = 1_000_000;

/// Files of scores.
#[derive(Args)]
pub struct ScoreFileArguments {
    /// Score files: what `score` wrote, or CSV with a column index, arch, arch_index or arch_str; joined by cell
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Take the mean of columns that several files have; the columns of the files follow as NAME[1], NAME[2], …
    #[arg(long)]
    average: bool,
    /// Columns of which lower values promise the better cells, with commas between them
    ///
    /// The directions of etnas' own measures are known; other columns are taken to be better the higher they are.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    lower: Vec<String>,
}

impl ScoreFileArguments {
    /// The files as they were named.
    pub fn names(&self) -> Vec<String> {
        self.files.iter().map(|file| file.display().to_string()).collect()
    }

    /// Reads and joins the files.
    pub fn scores(&self) -> Result<ScoreSet> {
        let files: Vec<ScoreFile> = self.files.iter().map(|file| ScoreFile::open(file)).collect::<Result<_>>()?;
        let clash = if self.average { Clash::Average } else { Clash::Refuse };
        let mut scores = ScoreSet::join(&files, clash)?;
        scores.lower_is_better(&self.lower)?;
        Ok(scores)
    }
}

/// Which accuracies are looked at.
#[derive(Args)]
pub struct ColumnArguments {
    /// Columns of the table, with commas between them; `all` are all of its accuracies
    ///
    /// [default: the test accuracy after 200 epochs on the data set of the scores, or on all three where they name none]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    column: Vec<String>,
}

impl ColumnArguments {
    /// The columns by name, those of the scores' data set first.
    pub fn names(&self, accuracies: &Accuracies, dataset: Option<Dataset>) -> Result<Vec<String>> {
        let has = |name: &str| accuracies.column(name).is_some();
        if self.column.is_empty() {
            let datasets = dataset.map_or(Dataset::ALL.to_vec(), |dataset| vec![dataset]);
            let names = datasets.into_iter().map(test_column).filter(|name| has(name)).map(String::from);
            return Ok(names.collect());
        }
        let mut names: Vec<String> = Vec::new();
        for asked in &self.column {
            let found = match asked.as_str() {
                "all" => of_the_table(accuracies, dataset),
                name if has(name) => vec![name.to_string()],
                name => {
                    let allowed = accuracies.column_names().map(String::from).chain(["all".to_string()]).collect();
                    return Err(Error::UnknownName { kind: "column of the table", found: name.to_string(), allowed });
                }
            };
            for name in found {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        Ok(names)
    }
}

/// All columns of accuracies: those of the data set first, of each data set the test accuracy after 200 epochs first.
fn of_the_table(accuracies: &Accuracies, dataset: Option<Dataset>) -> Vec<String> {
    let accuracy = |name: &&str| name.contains("_test") || name.contains("_valid");
    let mut names: Vec<String> = accuracies.column_names().filter(accuracy).map(String::from).collect();
    let place = |name: &str| {
        let of = Dataset::ALL.into_iter().position(|d| name.starts_with(test_column(d).trim_end_matches("test200")));
        let own = of.is_some() && of == dataset.map(|dataset| dataset as usize);
        (!own, of, !name.ends_with("_test200"))
    };
    names.sort_by_key(|name| place(name));
    names
}

/// Tell how well scores order cells, or compare two score files
///
/// For each score and each accuracy: Kendall's τ-b and Spearman's ρ with 95 % intervals, and how many of the best cells are among the
/// first by score; over all cells of the file, and over one cell of each isomorphism class. Degree, parameters and
/// multiply-accumulates stand beside them, as what a score must beat; so does the utopian distance over the file's cells, where naswot,
/// LogSynflow and LossSlope are there.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct CorrelateArguments {
    #[command(flatten)]
    files: ScoreFileArguments,
    /// Scores, with commas between them: columns of the files, or utopian [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    measures: Vec<String>,
    #[command(flatten)]
    columns: ColumnArguments,
    /// Cells: all of the file, the first of each isomorphism class, or each in turn
    #[arg(long, value_name = "NAME", value_parser = names::populations(), default_value = "both")]
    population: std::vec::Vec<Population>,
    /// Numbers of best cells to compare, with commas between them; `1%` is one of a hundred [default: 10,100,1%]
    #[arg(long, value_name = "LIST", value_parser = top, value_delimiter = ',')]
    top: Vec<Top>,
    /// Resamples of the cells that the intervals are taken from; 0 for no intervals
    #[arg(long, value_name = "N", value_parser = resamples, default_value_t = RESAMPLES)]
    bootstrap: usize,
    /// Seed of the resamples
    #[arg(long, value_name = "SEED", value_parser = names::seed, default_value_t = 0)]
    seed: u64,
    /// Compare two score files with each other, cell by cell, and not with accuracies
    #[arg(long, conflicts_with_all = ["average", "lower", "measures", "column", "population", "top", "bootstrap", "seed", "table"])]
    compare: bool,
    #[command(flatten)]
    table: TableArguments,
    #[command(flatten)]
    output: OutputArguments,
}

fn top(text: &str) -> Result<Top, String> {
    text.parse().map_err(|_| "expected a whole number of at least 1, or a percentage such as 1%".to_string())
}

fn resamples(text: &str) -> Result<usize, String> {
    let expected = || format!("expected a whole number from 0 to {MOST_RESAMPLES}");
    text.parse().ok().filter(|n| *n <= MOST_RESAMPLES).ok_or_else(expected)
}

/// Either of the two things that `correlate` does.
pub enum CorrelateJob {
    /// Scores against accuracies.
    Accuracies(Box<AccuraciesJob>),
    /// Two files against each other.
    Files {
        /// Their names.
        names: [String; 2],
        /// How they compare.
        comparison: Box<Comparison>,
        /// Where the report goes.
        output: OutputArguments,
    },
}

/// Scores to correlate with accuracies.
pub struct AccuraciesJob {
    files: Vec<String>,
    scores: ScoreSet,
    asked: Vec<String>,
    utopian: Option<Vec<String>>,
    accuracies: Accuracies,
    columns: Vec<String>,
    populations: Vec<Population>,
    settings: Settings,
    output: OutputArguments,
}

impl CorrelateArguments {
    /// Reads the files.
    pub fn ready(self) -> Result<CorrelateJob> {
        let files = self.files.names();
        if self.compare {
            let [first, second] = self.files.files.as_slice() else {
                let remedy = "Name the two files to compare.";
                return Err(Error::options("--compare", "two files", self.files.files.len().to_string(), remedy));
            };
            let comparison = compare(&ScoreFile::open(first)?, &ScoreFile::open(second)?, LARGEST)?;
            return Ok(CorrelateJob::Files {
                names: [first, second].map(|file| file.display().to_string()),
                comparison: Box::new(comparison),
                output: self.output,
            });
        }
        let mut scores = self.files.scores()?;
        let has_utopian = |scores: &ScoreSet| scores.measure(Measure::Utopian).is_some();
        let before = has_utopian(&scores);
        let shifted = scores.add_utopian();
        let utopian = (!before && has_utopian(&scores)).then_some(shifted);
        scores.add_baselines();
        self.measures.iter().try_for_each(|name| scores.column(name).map(drop))?;
        let accuracies = Accuracies::find(self.table.table.as_deref())?;
        let columns = self.columns.names(&accuracies, scores.dataset())?;
        let known = |name: &String| {
            let values = accuracies.column(name).unwrap_or_default();
            scores.cells().iter().filter(|cell| values.get(cell.index()).is_some_and(|value| !value.is_nan())).count()
        };
        let most = columns.iter().map(known).max().unwrap_or(0);
        if most < 2 {
            return Err(Error::options(
                "The accuracies",
                "those of at least two of the cells that are scored",
                format!("{most}: {}", accuracies.source()),
                "Give a table that has them with --table FILE, or name its columns with --column.",
            ));
        }
        let settings = Settings {
            resamples: self.bootstrap,
            seed: self.seed,
            top: if self.top.is_empty() { Top::DEFAULT.to_vec() } else { self.top },
        };
        Ok(CorrelateJob::Accuracies(Box::new(AccuraciesJob {
            files,
            scores,
            asked: self.measures,
            utopian,
            accuracies,
            columns,
            populations: self.population,
            settings,
            output: self.output,
        })))
    }
}

impl CorrelateJob {
    /// Computes and writes.
    pub fn run(self) -> Result<()> {
        match self {
            CorrelateJob::Accuracies(job) => job.run(),
            CorrelateJob::Files { names, comparison, output } => {
                let [first, second] = &names;
                let file = Output::open(output.output.as_deref(), true)?;
                catch_interrupts();
                CompareReport { files: [first, second], comparison: &comparison }.write(output.format, file)
            }
        }
    }
}

impl AccuraciesJob {
    fn run(self) -> Result<()> {
        let output = Output::open(self.output.output.as_deref(), true)?;
        catch_interrupts();
        // The baselines stand beside whatever was asked for.
        let chosen: Vec<&ScoreColumn> = match self.asked.as_slice() {
            [] => self.scores.columns().iter().collect(),
            names => {
                let asked = names.iter().map(|name| self.scores.column(name)).collect::<Result<Vec<_>>>()?;
                let baselines = self.scores.columns().iter().rev().take(3).rev();
                let others = baselines.filter(|column| !asked.iter().any(|a| a.name == column.name));
                asked.iter().copied().chain(others).collect()
            }
        };
        let accuracies: Vec<(&str, &[f64])> =
            self.columns.iter().filter_map(|name| Some((name.as_str(), self.accuracies.column(name)?))).collect();
        let steps = chosen.len() * accuracies.len() * self.populations.len();
        let progress = Progress::new(steps, self.output.quiet);
        let rows = correlate_all(&self.scores, &chosen, &accuracies, &self.populations, &self.settings, &progress);
        progress.clear();
        let rows = rows?;
        let report = CorrelateReport {
            files: &self.files,
            scores: &self.scores,
            utopian: self.utopian,
            accuracies: &self.accuracies,
            settings: &self.settings,
            rows: &rows,
        };
        report.write(self.output.format, output)
    }
}
