//! The command line's options for programs in other languages: same names, same defaults, same sentences where one is wrong.
//!
//! Arguments are given as `--name=value` (or `--name` where there is none), without the name of the subcommand.

use super::common::{DrawArguments, EngineArguments};
use super::convert::ConvertArguments;
use super::search::SearchArguments;
use super::{names, score};
use crate::engine::Options;
use crate::error::{Error, Result};
use crate::measure::Measure;
use crate::space::Encoding;
use crate::weights::WeightSource;
use clap::Args;
use std::path::PathBuf;

pub use super::search::SearchJob;

/// What decides a score: the options of `score` but for cells, measures and output.
#[derive(Args)]
struct ScoringArguments {
    #[command(flatten)]
    engine: EngineArguments,
    #[command(flatten)]
    draws: DrawArguments,
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
}

/// How the cells of a program are written.
#[derive(Args)]
struct EncodingArgument {
    #[arg(long, value_name = "NAME", value_parser = names::encoding(), default_value = "arch")]
    encoding: Encoding,
}

/// The engine's options that `score` would have with these arguments.
///
/// # Errors
/// [`Error::Usage`] in the words of the command line.
pub fn engine_options(arguments: &[String]) -> Result<Options> {
    let arguments: ScoringArguments = read("score", arguments)?;
    let mut options = arguments.engine.options();
    options.repeats = arguments.draws.repeats;
    options.weights = arguments.weights.map(WeightSource::File);
    Ok(options)
}

/// A search with the arguments of `search`, ready to run.
///
/// # Errors
/// [`Error::Usage`] in the words of the command line; all that keeps such a search from being run.
pub fn search(arguments: &[String]) -> Result<SearchJob> {
    read::<SearchArguments>("search", arguments)?.ready()
}

/// What `convert` would print with these arguments.
///
/// # Errors
/// [`Error::Usage`] in the words of the command line; cells that cannot be read.
pub fn convert(arguments: &[String]) -> Result<String> {
    read::<ConvertArguments>("convert", arguments)?.text()
}

/// The encoding of a name, as of `score --encoding`.
///
/// # Errors
/// [`Error::Usage`].
pub fn encoding(name: &str) -> Result<Encoding> {
    Ok(read::<EncodingArgument>("score", &[format!("--encoding={name}")])?.encoding)
}

/// The measures of these names, in the order of records; without any list those that `score` computes unasked.
///
/// # Errors
/// [`Error::UnknownName`].
pub fn measures(names: Option<&[String]>) -> Result<Vec<Measure>> {
    let Some(names) = names else {
        return Ok(Measure::USUAL.to_vec());
    };
    let asked = names.iter().map(|name| Measure::from_name(name)).collect::<Result<Vec<_>>>()?;
    Ok(Measure::ALL.into_iter().filter(|measure| asked.contains(measure)).collect())
}

/// That weights, if the options have some, meet one cell.
///
/// # Errors
/// [`Error::Options`], as `score` has it.
pub fn check_cells(options: &Options, cells: usize) -> Result<()> {
    score::one_cell(options, cells)
}

/// Arguments read by the grammar of a subcommand.
fn read<A: Args>(command: &'static str, arguments: &[String]) -> Result<A> {
    let grammar = A::augment_args(clap::Command::new(command)).no_binary_name(true).disable_help_flag(true);
    let parsed = grammar.try_get_matches_from(arguments).and_then(|mut matches| A::from_arg_matches_mut(&mut matches));
    parsed.map_err(|usage| {
        let text = usage.to_string();
        let sentence = text.lines().next().unwrap_or_default();
        Error::Usage(sentence.strip_prefix("error: ").unwrap_or(sentence).to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, SlopeFit};
    use crate::input::{Dataset, Source};
    use crate::random::Seeds;

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| text.to_string()).collect()
    }

    #[test]
    fn options_are_those_of_the_command_line() {
        assert_eq!(engine_options(&[]).unwrap(), Options::default());
        let given = strings(&["--dataset=cifar100", "--data=noise", "--seed=5", "--data-seed=7", "--repeats=3"]);
        let expected = Options {
            dataset: Dataset::Cifar100,
            data: Source::Noise,
            seeds: Seeds { data: 7, ..Seeds::new(5) },
            draw_batch: true,
            repeats: 3,
            ..Options::default()
        };
        assert_eq!(engine_options(&given).unwrap(), expected);
        assert!(search(&strings(&["--method=rank", "--runs=3"])).is_ok());
        assert_eq!(encoding("naslib").unwrap(), Encoding::Naslib);
        assert_eq!(convert(&strings(&["9930", "--to=ops", "--format=plain"])).unwrap(), "3,3,3,1,3,3\n");
    }

    #[test]
    fn wrong_ones_get_the_sentence_of_the_command_line() {
        for (arguments, sentence) in [
            ("--batch=0", "invalid value '0' for '--batch <N>': expected a whole number of at least 1"),
            ("--dataset=cifar-10", "There is no data set called \"cifar-10\". Did you mean cifar10?"),
            ("--mesures=1", "unexpected argument '--mesures' found"),
        ] {
            let error = engine_options(&strings(&[arguments])).unwrap_err();
            assert!(error.to_string().starts_with(sentence) && error.exit_code() == 2, "{error}");
        }
        let error = search(&strings(&["--method=rea-naswot", "--cycles=70"])).err().unwrap();
        assert!(error.to_string().starts_with("--cycles: expected an option of --method rea-naswot"), "{error}");
        let error = search(&strings(&["--scores=a.csv", "--batch=3"])).err().unwrap();
        assert!(error.to_string().contains("cannot be used with"), "{error}");
    }

    #[test]
    fn algorithm1_takes_an_engine_that_fits_otherwise_and_trajectories_are_written() {
        let quick = strings(&["--dataset=imagenet16-120", "--batch=2"]);
        let folder = tempfile::tempdir().unwrap();
        let search = |file: &str| {
            let file = format!("--trajectory={}", folder.path().join(file).display());
            let sizes = ["--preset=algorithm1", "--population=3", "--sample=2", "--cycles=4", &file];
            search(&[&strings(&sizes)[..], &quick].concat()).unwrap()
        };
        let shared = Engine::new(engine_options(&quick).unwrap()).unwrap();
        let mut job = search("shared.jsonl");
        job.adopt(shared.options());
        let options = job.options().unwrap().clone();
        assert_eq!((options.slope_fit, shared.options().slope_fit), (SlopeFit::Algorithm1, SlopeFit::Reference));
        let timeless = |mut report: serde_json::Value| {
            report["runs"][0]["seconds"].take();
            report
        };
        let found = timeless(job.report(Some(&shared), &()).unwrap());
        let own = Engine::new(options).unwrap();
        assert_eq!(found, timeless(search("own.jsonl").report(Some(&own), &()).unwrap()));
        let points = |file: &str| {
            let text = std::fs::read_to_string(folder.path().join(file)).unwrap();
            let without_time = |line: &str| {
                let mut point: serde_json::Value = serde_json::from_str(line).unwrap();
                point["seconds"].take();
                point
            };
            text.lines().map(without_time).collect::<Vec<_>>()
        };
        let shared = points("shared.jsonl");
        assert!(shared.len() > 3 && shared == points("own.jsonl"), "{shared:?}");
        let meta = std::fs::read_to_string(folder.path().join("shared.jsonl.meta.json")).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&meta).unwrap(), found["meta"]);
    }

    #[test]
    fn measures_are_in_the_order_of_records() {
        let named = measures(Some(&strings(&["loss_slope", "naswot", "loss-slope"]))).unwrap();
        assert_eq!(named, [Measure::Naswot, Measure::LossSlope]);
        assert_eq!(measures(Some(&[])).unwrap(), []);
        assert_eq!(measures(None).unwrap().len(), 6);
        assert!(measures(Some(&strings(&["nawsot"]))).unwrap_err().to_string().contains("Did you mean naswot?"));
    }
}
