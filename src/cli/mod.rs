//! The command line: typed arguments become ready objects before any work begins.
//!
//! One file for each subcommand. Results go to stdout or to a file; the progress bar, notes and errors go to stderr.

mod bench;
mod cells;
mod common;
mod completions;
mod convert;
mod correlate;
mod data;
mod devices;
mod explain;
mod export;
mod machine;
mod merge;
mod names;
mod plot;
mod progress;
mod rank;
mod reproduce;
mod score;
mod search;
mod serve;
mod table;

pub use common::engine_options;

use crate::error::{Error, Result};
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use std::io;
use std::process::ExitCode;

/// Scores neural architectures of the NATS-Bench topology space without training them, and searches the space with ET-NAS.
///
/// A cell is an architecture string or a NATS-Bench index from 0 to 15624. Without options the network is CIFAR-10's and the
/// images are 128 photographs that are part of the program.
#[derive(Parser)]
#[command(name = "etnas-fast", version, arg_required_else_help = true, after_help = AFTER_HELP)]
#[command(disable_help_subcommand = true, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  etnas-fast search                                     run ET-NAS and report what it found
  etnas-fast score 1462 9930                            score two cells
  etnas-fast score --sample 100 --format csv -o a.csv   score 100 random cells into a file
  etnas-fast explain 9930                               draw a cell and tell all that is known of it
  etnas-fast bench --measures search                    time a search, cold, warm and from a table

Exit codes: 0 done; 1 input/output or internal failure; 2 wrong use or wrong data; 3 device; 130 interrupted.";

/// Each is described where its arguments are.
#[derive(Subcommand)]
enum Command {
    Search(Box<search::SearchArguments>),
    Score(Box<score::ScoreArguments>),
    Merge(merge::MergeArguments),
    Serve(Box<serve::ServeArguments>),
    Correlate(Box<correlate::CorrelateArguments>),
    Rank(Box<rank::RankArguments>),
    Explain(explain::ExplainArguments),
    Export(Box<export::ExportArguments>),
    Reproduce(Box<reproduce::ReproduceArguments>),
    Convert(convert::ConvertArguments),
    Data(data::DataCommand),
    Table(table::TableCommand),
    Bench(Box<bench::BenchArguments>),
    Plot(plot::PlotArguments),
    Devices(devices::DevicesArguments),
    Completions(completions::CompletionsArguments),
}

/// Runs the program with the process's arguments. Returns the exit code: 0 done; 1 input/output or internal failure; 2 wrong
/// use or wrong data; 3 device; 130 interrupted.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => {
            match usage.kind() {
                // One sentence says what the value should be; clap's own text adds lines about help.
                ErrorKind::ValueValidation => progress::say(usage.to_string().lines().next().unwrap_or_default()),
                // Nobody is left to be told if this fails.
                _ => drop(usage.print()),
            }
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    let done = match arguments.command {
        Command::Search(arguments) => arguments.ready().and_then(search::SearchJob::run),
        Command::Score(arguments) => arguments.ready().and_then(score::ScoreJob::run),
        Command::Merge(arguments) => arguments.run(),
        Command::Serve(arguments) => arguments.run(),
        Command::Correlate(arguments) => arguments.ready().and_then(correlate::CorrelateJob::run),
        Command::Rank(arguments) => arguments.ready().and_then(rank::RankJob::run),
        Command::Explain(arguments) => arguments.run(),
        Command::Export(arguments) => arguments.ready().and_then(export::ExportJob::run),
        Command::Reproduce(arguments) => arguments.ready().and_then(reproduce::ReproduceJob::run),
        Command::Convert(arguments) => arguments.run(),
        Command::Data(arguments) => arguments.run(),
        Command::Table(arguments) => arguments.run(),
        Command::Bench(arguments) => arguments.ready().and_then(bench::BenchJob::run),
        Command::Plot(arguments) => arguments.run(),
        Command::Devices(arguments) => arguments.run(),
        Command::Completions(arguments) => arguments.run(),
    };
    end(done)
}

fn end(done: Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads the results has read enough: `etnas-fast score --all | head` is no failure.
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            progress::say(&format!("error: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}
