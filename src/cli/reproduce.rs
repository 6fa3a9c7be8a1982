//! `reproduce`: the paper's tables and figures beside ours.

use super::common::TableArguments;
use super::names;
use super::plot::sheets::Sheets;
use super::progress::{catch_interrupts, Progress};
use crate::engine::{Device, Options, Precision};
use crate::error::{Error, Result};
use crate::input::{Dataset, Source};
use crate::plot::Size;
use crate::random::Seeds;
use crate::report::{self, Output, ReproduceFormat};
use crate::reproduce::{self, Experiment, Laboratory, Setting, Told};
use crate::table::{Accuracies, ScoreFile};
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Runs of each row with `--quick`.
const QUICK_RUNS: usize = 5;
/// Scores of networks that the runs of a row may ask for with `--quick`; where five runs would ask for more there is one.
const QUICK_SCORES: usize = 1_000;
/// Cells of the correlations with `--quick`.
const QUICK_CELLS: usize = 100;

/// The size of Fig. 2's picture.
const FIG2_SIZE: Size = Size { width: 1080, height: 460, scale: 2 };

/// Compute the paper's tables and figures again, and set them beside the published values.
///
/// Searches and scores are live, on the built-in photographs unless --data names images; what a method that trains would see is looked up
/// in the table of accuracies. Each figure says whether its scores were computed for it (cold), partly remembered from earlier runs
/// (memoised), read from score files (files) or looked up (table). Rows of methods that do not exist here are shown as missing.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct ReproduceArguments {
    /// Which table or figure
    #[arg(value_name = "WHAT", value_parser = names::experiments(), required = true)]
    what: Vec<Vec<Experiment>>,
    /// Runs of each row
    #[arg(long, value_name = "R", value_parser = names::count, default_value_t = reproduce::paper::RUNS)]
    runs: usize,
    /// 5 runs a row, and correlations over 100 cells: minutes instead of hours
    ///
    /// Live rows get one run where five would ask for more than 1,000 scores of networks, or where the paper has no figure.
    #[arg(long, conflicts_with = "runs")]
    quick: bool,
    /// Take correlations over N cells drawn by the sample seed instead of the whole space
    #[arg(long, value_name = "N", value_parser = names::count)]
    sample: Option<usize>,
    /// Each run draws its own weights; else all runs share them, and the scores of earlier runs
    #[arg(long, conflicts_with = "scores")]
    weights_per_run: bool,
    /// Data sets, with commas between [default: all three]
    #[arg(long, value_name = "LIST", value_parser = names::dataset(), value_delimiter = ',')]
    dataset: Vec<Dataset>,
    /// Scores of the whole space, as `score --all` writes them, to be used instead of computing them
    ///
    /// Several files may be given; where several of a data set hold the same measure, its mean is taken.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    scores: Vec<PathBuf>,
    /// Images of a data set: its file or folder [default: the built-in photographs]
    #[arg(long, value_name = "DATASET=PATH", value_parser = images)]
    data: Vec<(Dataset, PathBuf)>,
    /// Master seed of weights, images, targets, noise, searches and samples
    #[arg(long, value_name = "SEED", value_parser = names::seed, default_value_t = 0)]
    seed: u64,
    /// Worker threads; changes no result [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = names::count, help_heading = "Device")]
    threads: Option<usize>,
    /// Where to compute: a card is `cuda` or `cuda:i`
    #[arg(long, value_name = "NAME", value_parser = names::device(), default_value = "auto", help_heading = "Device")]
    device: Device,
    /// Arithmetic of a card's convolutions [default: tf32x3, or f32 on cards without it]
    #[arg(long, value_name = "NAME", value_parser = names::precision(), help_heading = "Device")]
    precision: Option<Precision>,
    /// Form of the tables
    #[arg(long, value_name = "NAME", value_parser = names::reproduce_format(), default_value = "markdown")]
    #[arg(help_heading = "Output")]
    format: ReproduceFormat,
    /// Write the tables to FILE, and how to get them again to FILE.meta.json
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// Draw Fig. 2 into FILE (.svg or .png)
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    picture: Option<PathBuf>,
    /// Neither progress bar nor notes on stderr; errors are still told
    #[arg(short, long, help_heading = "Output")]
    quiet: bool,
    #[command(flatten)]
    table: TableArguments,
}

/// `DATASET=PATH`.
fn images(text: &str) -> Result<(Dataset, PathBuf), String> {
    let (name, path) = text
        .split_once('=')
        .ok_or_else(|| format!("expected DATASET=PATH, as in cifar10=cifar-10-batches-bin, found {text:?}"))?;
    Ok((Dataset::from_name(name).map_err(|error| error.to_string())?, PathBuf::from(path)))
}

impl ReproduceArguments {
    /// Everything is read and checked; nothing is computed.
    pub fn ready(self) -> Result<ReproduceJob> {
        let asked = |experiment: &Experiment| self.what.iter().flatten().any(|one| one == experiment);
        let experiments: Vec<Experiment> = Experiment::ALL.into_iter().filter(asked).collect();
        if self.picture.is_some() && !experiments.contains(&Experiment::Fig2) {
            let remedy = "Add fig2, or leave --picture out.";
            return Err(Error::options("--picture", "fig2 among the figures asked for", "other tables alone", remedy));
        }
        let mut images = [Source::Photos, Source::Photos, Source::Photos];
        for (dataset, path) in &self.data {
            images[*dataset as usize] = Source::Path(path.clone());
        }
        let datasets: Vec<Dataset> =
            Dataset::ALL.into_iter().filter(|d| self.dataset.is_empty() || self.dataset.contains(d)).collect();
        let options = Options {
            seeds: Seeds::new(self.seed),
            threads: self.threads,
            device: self.device,
            precision: self.precision,
            ..Options::default()
        };
        let setting = Setting {
            runs: if self.quick { QUICK_RUNS } else { self.runs },
            most_scores: (self.quick && self.scores.is_empty()).then_some(QUICK_SCORES),
            sample: self.sample.or(self.quick.then_some(QUICK_CELLS)),
            weights_per_run: self.weights_per_run,
            datasets,
            options,
            images,
        };
        let accuracies = Accuracies::find(self.table.table.as_deref())?;
        if self.picture.is_some() && !accuracies.is_whole(Dataset::ImageNet16) {
            let remedy = "Give a table with --table FILE or in ETNAS_TABLE, or leave --picture out.";
            let expected = "the ImageNet16-120 test accuracies of the whole space";
            return Err(Error::options("--picture", expected, accuracies.source(), remedy));
        }
        Ok(ReproduceJob {
            experiments,
            quick: self.quick,
            setting,
            files: self.scores.iter().map(|path| ScoreFile::open(path)).collect::<Result<_>>()?,
            accuracies,
            format: self.format,
            output: self.output,
            picture: self.picture,
            quiet: self.quiet,
        })
    }
}

/// What is to be reproduced.
pub struct ReproduceJob {
    experiments: Vec<Experiment>,
    quick: bool,
    setting: Setting,
    files: Vec<ScoreFile>,
    accuracies: Accuracies,
    format: ReproduceFormat,
    output: Option<PathBuf>,
    picture: Option<PathBuf>,
    quiet: bool,
}

impl Told for Progress {
    fn describe(&self, text: String) {
        Progress::describe(self, text);
    }
}

impl ReproduceJob {
    /// Computes and writes.
    pub fn run(self) -> Result<()> {
        let mut output = Output::open(self.output.as_deref(), true)?;
        let picture = self.picture.map(|path| Sheets::open(&[path], FIG2_SIZE)).transpose()?;
        catch_interrupts();
        let progress = Progress::new(self.experiments.len(), self.quiet);
        let quick = self.quick;
        let mut metadata = json!({
            "program": "etnas-fast",
            "version": env!("CARGO_PKG_VERSION"),
            "command": "reproduce",
            "quick": quick,
            "runs": self.setting.runs,
            "correlated_cells": self.setting.sample,
            "weights_per_run": self.setting.weights_per_run,
            "seeds": self.setting.options.seeds,
            "score_files": self.files.iter().map(|file| file_name(file.path())).collect::<Vec<_>>(),
            "accuracies": self.accuracies.source(),
        });
        let mut lab = Laboratory::new(self.setting, &self.accuracies, &self.files, &progress)?;
        let (mut tables, mut scored) = (Vec::new(), None);
        for (i, experiment) in self.experiments.iter().enumerate() {
            progress.move_to(i, self.experiments.len());
            let table = match experiment {
                Experiment::Table1 => reproduce::table1(&mut lab),
                Experiment::Table2 => reproduce::table2(&mut lab),
                Experiment::Table3 => reproduce::table3(&mut lab),
                Experiment::Table4 => reproduce::table4(&mut lab),
                Experiment::Table5 => reproduce::table5(&mut lab),
                Experiment::Fig2 => reproduce::fig2(&mut lab).map(|(table, cells)| {
                    scored = cells;
                    table
                }),
            };
            match table {
                Ok(mut table) => {
                    if quick {
                        table.notes.insert(0, quick_note(*experiment, self.files.is_empty()));
                    }
                    tables.push(table);
                }
                // Tables that are done are worth keeping.
                Err(Error::Interrupted) if !tables.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        progress.clear();
        let complete = tables.len() == self.experiments.len();
        if let (Some(sheets), Some(scored)) = (picture, scored) {
            sheets.write(scored.picture())?;
        }
        metadata["complete"] = complete.into();
        output.write(&report::reproduction_text(&tables, self.format, &metadata)?)?;
        output.finish(&metadata)?;
        if complete {
            Ok(())
        } else {
            Err(Error::Interrupted)
        }
    }
}

fn quick_note(experiment: Experiment, limited: bool) -> String {
    let runs = format!("Quick: {QUICK_RUNS} runs a row instead of {}", reproduce::paper::RUNS);
    match experiment {
        Experiment::Table3 | Experiment::Fig2 => format!("Quick: {QUICK_CELLS} cells instead of the whole space."),
        Experiment::Table2 => runs + ".",
        _ if !limited => runs + ".",
        _ => format!(
            "{runs}; one where {QUICK_RUNS} would ask for more than {} scores of networks, or where the paper has no figure. A method is timed \
             once, and only if the paper has its time: other rows use what was computed before.",
            report::grouped(QUICK_SCORES as u64)
        ),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
