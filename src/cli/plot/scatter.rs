//! `plot scatter`: a score against an accuracy.

use super::sheets::PictureArguments;
use crate::cli::common::TableArguments;
use crate::cli::names;
use crate::error::{Error, Result};
use crate::input::Dataset;
use crate::plot::{Bounds, Colouring, Picture, Scatter, Values};
use crate::statistics::{Clash, ScoreSet};
use crate::table::{test_column, Accuracies, ScoreFile};
use clap::Args;
use std::path::PathBuf;

/// Draw a score against an accuracy, a point for each cell.
///
/// Of more than 2,000 cells, squares show how many lie in a place. Kendall's τ-b and Spearman's ρ are over all cells whose accuracy
/// is known; a score that does not exist ties with its like below all others, and is told below the picture.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct ScatterArguments {
    /// Score files of the same cells: CSV, JSON or JSON Lines, also packed by gzip
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The score: a measure, or a column of the files [default: the only one]
    #[arg(long, value_name = "NAME")]
    x: Option<String>,
    #[command(flatten)]
    against: AgainstArguments,
    /// Logarithmic horizontal axis
    #[arg(long)]
    log_x: bool,
    /// Where the horizontal axis begins and ends, as 0:1.5 or 0: or :1.5
    #[arg(long, value_name = "LOW:HIGH", value_parser = bounds)]
    x_range: Option<Bounds>,
    #[command(flatten)]
    picture: PictureArguments,
}

/// What scores are shown against, and in which colours.
#[derive(Args, Clone)]
pub struct AgainstArguments {
    /// The accuracy: a column of the table, or of the files [default: test accuracy on the data set]
    #[arg(long, value_name = "COLUMN")]
    y: Option<String>,
    /// Data set of the test accuracy [default: that of the files, else cifar10]
    #[arg(long, value_name = "NAME", value_parser = names::dataset())]
    dataset: Option<Dataset>,
    #[command(flatten)]
    table: TableArguments,
    /// Of a column that is no measure of etnas: lower values promise the better cells
    #[arg(long, value_name = "COLUMN")]
    lower: Vec<String>,
    /// What colours say: `density`, `rank` by the vertical axis, or a column's value
    #[arg(long, value_name = "NAME", default_value = "density")]
    color: String,
    /// Where the vertical axis begins and ends, as 80:95 or 80: or :95
    #[arg(long, value_name = "LOW:HIGH", value_parser = bounds)]
    y_range: Option<Bounds>,
}

fn bounds(text: &str) -> Result<Bounds, String> {
    let number = |part: &str| match part.trim() {
        "" => Ok(None),
        part => part.parse().ok().filter(|v: &f64| v.is_finite()).map(Some).ok_or(()),
    };
    let wrong = "expected two numbers as 0:1.5, the lower one first; either may be left out";
    let (low, high) = text.split_once(':').ok_or(wrong)?;
    match (number(low), number(high)) {
        (Ok(Some(low)), Ok(Some(high))) if low >= high => Err(wrong.to_string()),
        (Ok(low), Ok(high)) => Ok(Bounds { low, high }),
        _ => Err(wrong.to_string()),
    }
}

/// Scores of cells and what they are shown against.
pub struct Against {
    pub set: ScoreSet,
    pub y: Values,
    pub colouring: Colouring,
    pub y_bounds: Bounds,
}

impl AgainstArguments {
    /// Reads the files and the table.
    pub fn read(self, files: &[PathBuf]) -> Result<Against> {
        let files = files.iter().map(|path| ScoreFile::open(path)).collect::<Result<Vec<_>>>()?;
        let mut set = ScoreSet::join(&files, Clash::Refuse)?;
        set.lower_is_better(&self.lower)?;
        set.add_baselines();
        set.add_utopian();
        let table = Accuracies::find(self.table.table.as_deref())?;
        let dataset = self.dataset.or(set.dataset()).unwrap_or_default();
        let column = self.y.as_deref().unwrap_or(test_column(dataset));
        let y = values(column, &set, &table)?;
        let colouring = match self.color.as_str() {
            "density" => Colouring::Density,
            "rank" => Colouring::Rank,
            name => Colouring::Values(values(name, &set, &table).map_err(with_kinds)?),
        };
        Ok(Against { set, y, colouring, y_bounds: self.y_range.unwrap_or_default() })
    }
}

/// The same error for what colours may say, which is more than columns.
fn with_kinds(error: Error) -> Error {
    match error {
        Error::UnknownName { found, allowed, .. } => {
            let allowed = ["density", "rank"].map(String::from).into_iter().chain(allowed).collect();
            Error::UnknownName { kind: "colouring", found, allowed }
        }
        other => other,
    }
}

/// The values of a column of the table, or else of the files.
fn values(name: &str, set: &ScoreSet, table: &Accuracies) -> Result<Values> {
    if let Some(column) = table.column(name) {
        return Ok(Values::of_table(name, column, set.cells()));
    }
    match set.column(name) {
        Ok(column) => Ok(Values::of_scores(column)),
        Err(_) => {
            let files = set.columns().iter().map(|column| column.name.as_str());
            let allowed = table.column_names().chain(files).map(String::from).collect();
            Err(Error::UnknownName { kind: "column of the table or the files", found: name.to_string(), allowed })
        }
    }
}

impl ScatterArguments {
    /// Everything is read and checked; nothing is drawn.
    pub fn ready(self) -> Result<ScatterJob> {
        self.picture.check()?;
        let names = match &self.x {
            Some(_) => Vec::new(),
            None => {
                let files = self.files.iter().map(|path| ScoreFile::open(path)).collect::<Result<Vec<_>>>()?;
                files.iter().flat_map(|file| file.columns().iter().map(|c| c.name.clone())).collect()
            }
        };
        let x = match (self.x, names.as_slice()) {
            (Some(name), _) => name,
            (None, [only]) => only.clone(),
            (None, several) => {
                let found = several.join(", ");
                return Err(Error::options("The score to show", "one", found, "Choose one with --x NAME."));
            }
        };
        let Against { set, y, colouring, y_bounds } = self.against.read(&self.files)?;
        let x = Values::of_scores(set.column(&x)?);
        let scatter =
            Scatter { x, y, colouring, log_x: self.log_x, x_bounds: self.x_range.unwrap_or_default(), y_bounds };
        Ok(ScatterJob { picture: scatter.picture(), sheets: self.picture })
    }
}

/// A picture to draw.
pub struct ScatterJob {
    picture: Picture,
    sheets: PictureArguments,
}

impl ScatterJob {
    /// Draws and writes.
    pub fn run(self) -> Result<()> {
        self.sheets.open((720, 500))?.write(self.picture)
    }
}
