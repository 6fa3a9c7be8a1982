//! Tables I, II, IV and V: rows of searches.

use super::correlation::NO_TABLE;
use super::entry::{Entry, Found, Origin, Quantity, Reproduction};
use super::laboratory::{Bench, Laboratory};
use super::paper::{self, Published, DRAWN};
use crate::error::Result;
use crate::input::Dataset;
use crate::search::{Budget, Method, Outcome, RandomAccuracy, RandomNaswot, Trained};
use crate::space::Cell;
use crate::table::Summary;
use std::time::Instant;

/// A row: a method's runs on every data set, beside the paper's figures.
struct Row {
    name: String,
    method: Method,
    paper: Option<[Published; 3]>,
    /// The accuracies after 12 epochs that are compared are CIFAR-10's on every data set.
    validated_on_cifar10: bool,
    note: &'static str,
}

/// Why rows of the paper are not there.
const NOT_BUILT: &str = "Not built: they train networks for hours, or need measures that etnas does not have.";

/// Table I. The smaller samples begin the larger ones, so that most of their scores are shared.
///
/// # Errors
/// Those of the engine.
pub fn table1(lab: &mut Laboratory) -> Result<Reproduction> {
    let start = Instant::now();
    let mut entries = Vec::new();
    for n in DRAWN {
        let row = Row {
            name: format!("N = {n}"),
            method: Method::RandomNaswot(RandomNaswot { evaluations: n }),
            paper: figures(|dataset| paper::table1(n, dataset)),
            validated_on_cifar10: false,
            note: "",
        };
        entries.extend(row.entries(lab, "Table I")?);
    }
    let title = "Table I: random search by naswot, test accuracy after 200 epochs in %".to_string();
    let notes = vec![lab.weights_note(), GPU.to_string()];
    Ok(Reproduction { name: "table1", title, entries, notes, seconds: start.elapsed().as_secs_f64() })
}

/// Table II.
///
/// # Errors
/// A table with values that cannot be.
pub fn table2(lab: &mut Laboratory) -> Result<Reproduction> {
    let start = Instant::now();
    let mut entries = Vec::new();
    for n in DRAWN {
        let row = Row {
            name: format!("N = {n}"),
            method: Method::RandomAccuracy(RandomAccuracy { budget: Budget::cells(n) }),
            paper: figures(|dataset| paper::table2(n, dataset)),
            validated_on_cifar10: true,
            note: "",
        };
        entries.extend(row.entries(lab, "Table II")?);
    }
    let title =
        "Table II: random search by validation accuracy after 12 epochs, test accuracy after 200 in %".to_string();
    let notes = vec![
        "Cells are compared by CIFAR-10's validation accuracy on every data set, as in the paper.".to_string(),
        "Nothing is trained: accuracies and seconds are NATS-Bench's, looked up. The paper's seconds include the validation, some 3 % on CIFAR-10."
            .to_string(),
    ];
    Ok(Reproduction { name: "table2", title, entries, notes, seconds: start.elapsed().as_secs_f64() })
}

/// Table IV, and below it ET-NAS without Degree anywhere.
///
/// # Errors
/// Those of the engine.
pub fn table4(lab: &mut Laboratory) -> Result<Reproduction> {
    let start = Instant::now();
    let mut entries = Vec::new();
    for (title, figures) in paper::table4() {
        let method = Method::from_name(match title {
            "RANK" => "rank",
            "NO DEGREE" => "no-degree",
            _ => "et-nas",
        })?;
        let row = Row { name: title.to_string(), method, paper: Some(figures), validated_on_cifar10: false, note: "" };
        entries.extend(row.entries(lab, "Table IV")?);
    }
    let row = Row::ours("off-degree", "no rule of Degree at all: the other reading of NO DEGREE")?;
    entries.extend(row.entries(lab, "Table IV")?);
    entries.extend(super::sweep::entries(lab)?);
    let title = "Table IV: variants of ET-NAS (P = 20, C = 60), test accuracy after 200 epochs in %".to_string();
    let notes = vec![lab.weights_note(), GPU.to_string(), super::sweep::NOTE.to_string()];
    Ok(Reproduction { name: "table4", title, entries, notes, seconds: start.elapsed().as_secs_f64() })
}

/// Table V, and below it the methods that the paper does not list.
///
/// # Errors
/// Those of the engine.
pub fn table5(lab: &mut Laboratory) -> Result<Reproduction> {
    let start = Instant::now();
    let mut entries = Vec::new();
    for (title, figures) in paper::table5() {
        let name = match title {
            "REA" => "rea",
            "REINFORCE" => "reinforce",
            "ET-NAS" => "et-nas",
            _ => {
                entries.extend(lab.setting.datasets.iter().map(|&dataset| Entry {
                    row: title.to_string(),
                    dataset,
                    quantity: Quantity::Accuracy,
                    paper: Some(figures[dataset as usize]),
                    found: Err(NOT_BUILT.to_string()),
                    note: String::new(),
                }));
                continue;
            }
        };
        let method = Method::from_name(name)?;
        let row = Row { name: title.to_string(), method, paper: Some(figures), validated_on_cifar10: false, note: "" };
        entries.extend(row.entries(lab, "Table V")?);
    }
    for (name, note) in [
        ("area", "REA from the best by naswot of a pool"),
        ("rea-naswot", "evolution by naswot alone"),
        ("free-rea", "evolution by naswot, LogSynflow and skipped layers"),
        ("local", "moves to the best neighbour by naswot while that is better, 100 cells"),
    ] {
        entries.extend(Row::ours(name, note)?.entries(lab, "Table V")?);
    }
    entries.extend(super::sweep::entries(lab)?);
    let title = "Table V: ET-NAS beside other methods, test accuracy after 200 epochs in %".to_string();
    let notes = vec![
        lab.weights_note(),
        "The paper's seconds: others on an RTX 3080, ET-NAS on a Tesla T4; of REA and REINFORCE the simulated training.".to_string(),
        super::sweep::NOTE.to_string(),
    ];
    Ok(Reproduction { name: "table5", title, entries, notes, seconds: start.elapsed().as_secs_f64() })
}

const GPU: &str =
    "The paper's seconds are on its GPU (a Tesla T4 for ET-NAS), ours on this machine: of the first run, for which \
                   nothing was remembered.";

fn figures(of: impl Fn(Dataset) -> Option<Published>) -> Option<[Published; 3]> {
    let [a, b, c] = Dataset::ALL.map(of);
    Some([a?, b?, c?])
}

impl Laboratory<'_> {
    fn weights_note(&self) -> String {
        match self.setting.weights_per_run {
            true => "Each run draws its own weights.".to_string(),
            false => "All runs share one draw of weights, so that scores of earlier runs are remembered (--weights-per-run: each its own)."
                .to_string(),
        }
    }
}

impl Row {
    /// A method that the paper has no figures of.
    fn ours(name: &str, note: &'static str) -> Result<Row> {
        let method = Method::from_name(name)?;
        Ok(Row { name: method.title().to_string(), method, paper: None, validated_on_cifar10: false, note })
    }

    fn entries(&self, lab: &mut Laboratory, table: &str) -> Result<Vec<Entry>> {
        let datasets = lab.setting.datasets.clone();
        let entry = |dataset: Dataset| {
            lab.watch.describe(format!("{table}, {}, {}", self.name, dataset.title()));
            Ok(Entry {
                row: self.name.clone(),
                dataset,
                quantity: Quantity::Accuracy,
                paper: self.paper.map(|figures| figures[dataset as usize]),
                found: self.found(lab, dataset)?,
                note: self.note.to_string(),
            })
        };
        datasets.into_iter().map(entry).collect()
    }

    /// The runs of a data set, of which the first may be cold: [`Laboratory::begins_cold`].
    fn found(&self, lab: &mut Laboratory, dataset: Dataset) -> Result<Result<Found, String>> {
        let (accuracies, seeds) = (lab.accuracies, lab.seeds());
        let runs = lab.setting.runs_of(&self.method, self.paper.is_some());
        // The built-in table does for ET-NAS, which nearly always ends on cells of Degree 7.
        if !accuracies.is_whole(dataset) && !matches!(self.method, Method::EtNas(_)) {
            return Ok(Err(NO_TABLE.to_string()));
        }
        let validated_on = if self.validated_on_cifar10 { Dataset::Cifar10 } else { dataset };
        let trained = match self.method.needs_trained() {
            true => match Trained::new(accuracies, dataset, validated_on) {
                Ok(trained) => Some(trained),
                Err(error) => return Ok(Err(error.to_string())),
            },
            false => None,
        };
        let (start, mut cold_seconds) = (Instant::now(), None);
        let cold = lab.begins_cold(dataset, &self.method, self.paper.is_some());
        let (mut origin, mut outcomes) = (Origin::default(), Vec::<Outcome>::with_capacity(runs));
        for run in 0..runs {
            let live = !self.method.needs_scores().is_empty();
            if live {
                let mut bench = lab.bench(dataset, run)?;
                let search = |bench: &mut Bench| self.method.run(bench, trained.as_ref(), seeds.search, run);
                outcomes.push(if run == 0 && cold { bench.cold(search)? } else { search(&mut bench)? });
                let of_run = bench.take_origin();
                if run == 0 && cold && of_run.from_files == 0 && of_run.computed > 0 {
                    cold_seconds = outcomes.last().map(|outcome| outcome.seconds.total);
                }
                origin = origin.and(of_run);
            } else {
                outcomes.push(self.method.run(&mut Nothing, trained.as_ref(), seeds.search, run)?);
            }
        }
        match cold_seconds {
            Some(seconds) => lab.keep_time(dataset, &self.method, seconds),
            None => cold_seconds = lab.timed(dataset, &self.method).filter(|_| !cold),
        }
        origin.from_table = outcomes.iter().map(|outcome| outcome.evaluations.trained).sum();
        let summary = Summary::of(outcomes.iter().map(|outcome| accuracies.lookup(&outcome.winner, dataset)));
        let unknown = outcomes.iter().find(|outcome| accuracies.lookup(&outcome.winner, dataset).is_none());
        let simulated: f64 = outcomes.iter().map(|outcome| outcome.simulated_seconds).sum();
        let found = match (Found::of(summary), unknown) {
            (_, Some(outcome)) => Err(accuracies.missing(&outcome.winner, dataset)),
            (None, _) => Err(NO_TABLE.to_string()),
            (Some(found), None) => Ok(Found {
                cold_seconds,
                seconds: start.elapsed().as_secs_f64(),
                simulated_seconds: (simulated > 0.0).then(|| simulated / runs as f64),
                origin,
                ..found
            }),
        };
        Ok(found)
    }
}

/// The scores of a method that asks for none.
struct Nothing;

impl crate::search::Scores for Nothing {
    fn supports(&self, _: crate::measure::Measure) -> bool {
        false
    }

    fn scores(&mut self, measure: crate::measure::Measure, _: &[Cell]) -> Result<Vec<f64>> {
        Err(crate::Error::Internal(format!("{} was asked for by a method that needs no scores", measure.name())))
    }
}
