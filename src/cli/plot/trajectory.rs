//! `plot trajectory`: searches over their course.

use super::sheets::PictureArguments;
use crate::cli::names;
use crate::error::Result;
use crate::plot::{Cost, Gain, Trajectories};
use clap::Args;
use std::path::PathBuf;

/// Draw the best cell so far against what searches spent.
///
/// For each method the median over its runs, and a band from the first to the third quartile. A method begins where all its runs
/// have a cell; a run that has ended keeps its cell.
#[derive(Args)]
pub struct TrajectoryArguments {
    /// Files of `search --trajectory`; runs of one method in several files belong together
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// What was spent
    #[arg(long, value_name = "NAME", value_parser = names::cost(), default_value = Cost::default().name())]
    x: Cost,
    /// What was gained
    #[arg(long, value_name = "NAME", value_parser = names::gain(), default_value = Gain::default().name())]
    y: Gain,
    /// Logarithmic horizontal axis
    #[arg(long)]
    log_x: bool,
    #[command(flatten)]
    picture: PictureArguments,
}

impl TrajectoryArguments {
    /// Everything is read and checked; nothing is drawn.
    pub fn ready(self) -> Result<TrajectoryJob> {
        self.picture.check()?;
        let trajectories = Trajectories::open(&self.files, self.x, self.y)?;
        Ok(TrajectoryJob { trajectories, log_x: self.log_x, sheets: self.picture })
    }
}

/// Searches to draw.
pub struct TrajectoryJob {
    trajectories: Trajectories,
    log_x: bool,
    sheets: PictureArguments,
}

impl TrajectoryJob {
    /// Draws and writes.
    pub fn run(self) -> Result<()> {
        self.sheets.open((720, 500))?.write(self.trajectories.picture(self.log_x))
    }
}
