//! `rank`: cells in the order of one score or of several.

use super::common::{OutputArguments, TableArguments};
use super::correlate::{ColumnArguments, ScoreFileArguments};
use super::names;
use super::progress::catch_interrupts;
use crate::error::{Error, Result};
use crate::measure::Measure;
use crate::report::{Format, Output, RankReport};
use crate::statistics::{combine, order, Combination, ScoreSet};
use crate::table::{Accuracies, ScoreColumn};
use clap::Args;

/// Cells that the table format tells where nothing else is asked for.
const SCREENFUL: usize = 20;

/// The measures that an order is made of where nothing else is asked for.
const MEASURES: [Measure; 3] = [Measure::Naswot, Measure::LogSynflow, Measure::LossSlope];

/// Put cells in the order of their scores, the best first
///
/// With the scores of a sweep over the whole space this is a search: its outcome is the first cell. Equal cells are in the order of
/// their indices; a score that does not exist is last.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct RankArguments {
    #[command(flatten)]
    files: ScoreFileArguments,
    /// What orders: rank-sum, log-rank-sum, utopian, or a single score by its name
    ///
    /// rank-sum: the sum of the ranks that a cell has by each of --measures, 1 being the best; equal values share the better rank.
    /// log-rank-sum: the sum of their logarithms, which asks for the very best in some measures. utopian: the distance to the point that is
    /// best in each of --measures over the cells of the files.
    #[arg(long, value_name = "NAME", default_value = "rank-sum")]
    by: String,
    /// Scores that the order is made of, with commas between them [default: naswot, log-synflow, loss-slope, as far as they are there]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    measures: Vec<String>,
    /// Tell the first N cells [default: 20 in the table format, else all]
    #[arg(long, value_name = "N", value_parser = names::count)]
    top: Option<usize>,
    #[command(flatten)]
    columns: ColumnArguments,
    #[command(flatten)]
    table: TableArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// Cells to put in order.
pub struct RankJob {
    files: Vec<String>,
    scores: ScoreSet,
    by: Combination,
    columns: Vec<String>,
    top: Option<usize>,
    accuracies: Accuracies,
    accuracy_columns: Vec<String>,
    output: OutputArguments,
}

impl RankArguments {
    /// Reads the files.
    pub fn ready(self) -> Result<RankJob> {
        let files = self.files.names();
        let mut scores = self.files.scores()?;
        scores.add_baselines();
        let (by, columns) = self.order(&scores)?;
        let accuracies = Accuracies::find(self.table.table.as_deref())?;
        let accuracy_columns = self.columns.names(&accuracies, scores.dataset())?;
        let screenful = (self.output.format == Format::Table).then_some(SCREENFUL);
        let top = self.top.or(screenful);
        Ok(RankJob { files, scores, by, columns, top, accuracies, accuracy_columns, output: self.output })
    }

    /// How cells are ordered, and the names of the columns that it is of.
    fn order(&self, scores: &ScoreSet) -> Result<(Combination, Vec<String>)> {
        let own = |name: &str| scores.column(name).map(|column| column.name.clone());
        let Some(by) = Combination::OF_SEVERAL.into_iter().find(|by| by.name() == self.by) else {
            if !self.measures.is_empty() {
                return Err(Error::options(
                    format!("--by {}", self.by),
                    "no --measures beside a single score",
                    format!("--measures {}", self.measures.join(",")),
                    "Leave --measures out, or name rank-sum, log-rank-sum or utopian.",
                ));
            }
            let name = own(&self.by).map_err(|_| {
                let of_several = Combination::OF_SEVERAL.iter().map(|by| by.name().to_string());
                let columns = scores.columns().iter().map(|column| column.name.clone());
                Error::UnknownName {
                    kind: "order",
                    found: self.by.clone(),
                    allowed: of_several.chain(columns).collect(),
                }
            })?;
            return Ok((Combination::Single, vec![name]));
        };
        if !self.measures.is_empty() {
            return Ok((by, self.measures.iter().map(|name| own(name)).collect::<Result<_>>()?));
        }
        let there: Vec<String> =
            MEASURES.iter().filter_map(|measure| scores.measure(*measure)).map(|column| column.name.clone()).collect();
        match (by, scores.measure(Measure::Utopian)) {
            // A distance that the file has is over the cells that were scored together.
            (Combination::Utopian, Some(column)) => Ok((Combination::Single, vec![column.name.clone()])),
            _ if there.len() > 1 => Ok((by, there)),
            _ => {
                let names: Vec<&str> = scores.columns().iter().map(|column| column.name.as_str()).collect();
                Err(Error::options(
                    format!("--by {}", by.name()),
                    "two at least of naswot, log_synflow and loss_slope in the files",
                    format!("the columns {}", names.join(", ")),
                    "Name the columns that the order is made of with --measures.",
                ))
            }
        }
    }
}

impl RankJob {
    /// Orders and writes.
    pub fn run(self) -> Result<()> {
        let output = Output::open(self.output.output.as_deref(), true)?;
        catch_interrupts();
        let columns: Vec<&ScoreColumn> =
            self.columns.iter().map(|name| self.scores.column(name)).collect::<Result<_>>()?;
        let combined = combine(self.by, &columns)?;
        let mut order = order(self.scores.cells(), &combined.numbers);
        order.truncate(self.top.unwrap_or(order.len()));
        let report = RankReport {
            files: &self.files,
            scores: &self.scores,
            by: self.by,
            columns,
            numbers: &combined.numbers,
            order: &order,
            accuracies: &self.accuracies,
            accuracy_columns: &self.accuracy_columns,
            shifted: &combined.shifted,
        };
        report.write(self.output.format, output)
    }
}
