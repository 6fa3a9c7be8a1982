//! `plot utopian`: the paper's Fig. 2.

use super::scatter::{Against, AgainstArguments};
use super::sheets::PictureArguments;
use crate::error::{Error, Result};
use crate::measure::Measure;
use crate::plot::{utopian, Picture, Values};
use clap::Args;
use std::path::PathBuf;

/// Draw LossSlope and the distance to the utopian point against an accuracy: the paper's Fig. 2.
///
/// The distance is that over all cells of the files, which must have naswot, LogSynflow and LossSlope, or the distance itself.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct UtopianArguments {
    /// Score files of the same cells: CSV, JSON or JSON Lines, also packed by gzip
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The score of the left panel: a measure, or a column of the files
    #[arg(long, value_name = "NAME", default_value = Measure::LossSlope.name())]
    x: String,
    #[command(flatten)]
    against: AgainstArguments,
    #[command(flatten)]
    picture: PictureArguments,
}

impl UtopianArguments {
    /// Everything is read and checked; nothing is drawn.
    pub fn ready(self) -> Result<UtopianJob> {
        self.picture.check()?;
        let Against { set, y, colouring, y_bounds } = self.against.read(&self.files)?;
        let Some(distance) = set.measure(Measure::Utopian) else {
            let names: Vec<&str> = set.columns().iter().map(|column| column.name.as_str()).collect();
            return Err(Error::options(
                "The scores of a utopian distance",
                "naswot, log_synflow and loss_slope, or utopian",
                names.join(", "),
                "Score the cells by these three measures.",
            ));
        };
        let measure = Values::of_scores(set.column(&self.x)?);
        let picture = utopian(measure, Values::of_scores(distance), y, &colouring, y_bounds);
        Ok(UtopianJob { picture, sheets: self.picture })
    }
}

/// A picture to draw.
pub struct UtopianJob {
    picture: Picture,
    sheets: PictureArguments,
}

impl UtopianJob {
    /// Draws and writes.
    pub fn run(self) -> Result<()> {
        self.sheets.open((1080, 460))?.write(self.picture)
    }
}
