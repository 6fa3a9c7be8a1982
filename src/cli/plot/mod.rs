//! `plot`: pictures of scores, searches and losses.

mod losses;
mod scatter;
pub mod sheets;
mod trajectory;
mod utopian;

use crate::error::Result;
use clap::{Args, Subcommand};

/// Draw scores against accuracies, the course of searches, or losses.
///
/// A picture goes to the files of -o, SVG or PNG by their names. The same data give the same bytes.
#[derive(Args)]
#[command(arg_required_else_help = true, after_help = AFTER_HELP)]
pub struct PlotArguments {
    #[command(subcommand)]
    kind: Kind,
}

const AFTER_HELP: &str = "\
Examples:
  etnas-fast plot scatter scores.jsonl --x naswot --table nb201.csv -o naswot.svg
  etnas-fast plot utopian scores.jsonl --table nb201.csv -o fig2.svg -o fig2.png
  etnas-fast plot trajectory rea.csv et-nas.csv --x simulated-seconds --log-x -o searches.svg
  etnas-fast plot losses 9930 1462 -o losses.svg";

#[derive(Subcommand)]
enum Kind {
    /// A score against an accuracy, a point for each cell
    Scatter(Box<scatter::ScatterArguments>),
    /// LossSlope and the utopian distance against an accuracy: the paper's Fig. 2
    Utopian(Box<utopian::UtopianArguments>),
    /// The best cell so far against what searches spent
    Trajectory(Box<trajectory::TrajectoryArguments>),
    /// The losses that LossSlope is fitted to
    Losses(Box<losses::LossesArguments>),
}

impl PlotArguments {
    /// Reads, draws and writes.
    pub fn run(self) -> Result<()> {
        match self.kind {
            Kind::Scatter(arguments) => arguments.ready().and_then(scatter::ScatterJob::run),
            Kind::Utopian(arguments) => arguments.ready().and_then(utopian::UtopianJob::run),
            Kind::Trajectory(arguments) => arguments.ready().and_then(trajectory::TrajectoryJob::run),
            Kind::Losses(arguments) => arguments.ready().and_then(losses::LossesJob::run),
        }
    }
}
