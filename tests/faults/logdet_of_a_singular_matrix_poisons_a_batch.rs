//! Seen elsewhere: the log-determinant of a singular matrix is −∞, and −∞ − (−∞) makes NaN of everything that is normalised with it.
//!
//! Here −∞ is a value like others: every normaliser, rank, front, mean, search and report survives a population of nothing but dead cells.

use super::common::measures::{batch, fresh, skeleton};
use super::{etnas, rows, stdout};
use etnas::backend::Backend;
use etnas::cpu::{Cpu, Isa};
use etnas::engine::{Engine, Options, Status};
use etnas::input::Dataset;
use etnas::measure::{naswot, utopian, Measure};
use etnas::random::Stream;
use etnas::reference::Reference;
use etnas::search::{pareto, Method, Scores};
use etnas::space::Cell;
use etnas::statistics::{average_ranks, kendall_tau_b, ranks_from_best, spearman_rho};
use etnas::weights::{Init, Weights};
use std::fs;
use std::sync::Arc;

const NONE: f64 = f64::NEG_INFINITY;

/// The 201 cells of which no ReLU code differs between images.
fn dead() -> Vec<Cell> {
    let cells: Vec<Cell> = Cell::all().filter(Cell::has_constant_codes).collect();
    assert_eq!(cells.len(), 201);
    cells
}

#[test]
fn a_batch_of_dead_cells_is_minus_infinity_in_every_backend() {
    let mut stream = Stream::new(fresh(), &[]);
    let weights = Arc::new(Weights::generated(skeleton(1, 8, 8), Init::Uniform, stream.bits()).unwrap());
    let images = batch(5, (8, 8), &mut stream);
    let mut cells = dead();
    cells.insert(100, "9930".parse().unwrap());
    let processors: Vec<Cpu> = Isa::available().into_iter().map(Cpu::with_isa).collect();
    let backends = processors.iter().map(|cpu| cpu as &dyn Backend).chain([&Reference as &dyn Backend]);
    for backend in backends {
        let kernels = backend.kernels(&cells, &weights, &images, &()).unwrap();
        let scores: Vec<f64> = kernels.iter().map(naswot::score_of).collect();
        let alive = scores.iter().enumerate().filter(|(_, score)| **score != NONE);
        let alive: Vec<(usize, f64)> = alive.map(|(at, score)| (at, *score)).collect();
        assert!(matches!(alive[..], [(100, score)] if score.is_finite() && score > 0.0), "{alive:?}");
    }
}

#[test]
fn means_and_distances_of_nothing_but_dead_cells() {
    let options = Options { dataset: Dataset::ImageNet16, batch: 2, repeats: 2, ..Options::default() };
    let cells: Vec<Cell> = dead().into_iter().step_by(10).collect();
    let records = Engine::new(options).unwrap().records(&cells, &Measure::ALL, &()).unwrap();
    for record in &records {
        assert_eq!(record.status, Status::Singular);
        for (measure, score) in &record.scores {
            let exists = *measure != Measure::Naswot;
            assert_eq!(score.value.is_some_and(f64::is_finite), exists, "{measure:?} {score:?}");
            assert!(score.std.is_none_or(f64::is_finite) && (exists || score.std.is_none()), "{measure:?} {score:?}");
        }
    }
}

#[test]
fn ranks_fronts_and_coefficients_of_nothing_but_minus_infinity() {
    let column = [NONE; 7];
    assert_eq!(average_ranks(&column), Some(vec![4.0; 7]));
    assert_eq!(ranks_from_best(&column), Some(vec![1; 7]));
    assert_eq!(pareto::front(&[(NONE, NONE); 7]), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(utopian::distances(&[[NONE; 3]; 7]).distances, [3f64.sqrt(); 7]);
    let accuracies = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
    assert_eq!((kendall_tau_b(&column, &accuracies), spearman_rho(&column, &accuracies)), (None, None));
    // One that is alive is above them all.
    let mut one = column;
    one[6] = 5.0;
    let (tau, rho) = (kendall_tau_b(&one, &accuracies).unwrap(), spearman_rho(&one, &accuracies).unwrap());
    assert!(tau > 0.0 && tau < 1.0 && rho > 0.0 && rho < 1.0, "{tau} {rho}");
    assert_eq!(ranks_from_best(&one).unwrap()[6], 1);
}

/// Scores of a space in which nothing is alive.
struct AllDead(f64);

impl Scores for AllDead {
    fn supports(&self, measure: Measure) -> bool {
        matches!(measure, Measure::Naswot | Measure::LogSynflow | Measure::LossSlope)
    }

    fn scores(&mut self, measure: Measure, cells: &[Cell]) -> etnas::Result<Vec<f64>> {
        Ok(vec![if measure == Measure::LogSynflow { self.0 } else { NONE }; cells.len()])
    }
}

#[test]
fn searches_end_where_nothing_is_alive() {
    for name in ["et-nas", "rank", "no-degree", "off-degree", "random-naswot", "rea-naswot", "free-rea", "local"] {
        for log_synflow in [NONE, 0.0, 3.0] {
            let outcome = Method::from_name(name).unwrap().run(&mut AllDead(log_synflow), None, 7, 0);
            let outcome = outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(outcome.score.is_none_or(f64::is_finite), "{name}: {:?}", outcome.score);
            let shown = outcome.front.iter().flat_map(|finalist| [finalist.distance]);
            assert!(shown.flatten().all(f64::is_finite), "{name}");
        }
    }
}

#[test]
fn reports_over_nothing_but_dead_cells() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let list: String = dead().iter().step_by(8).map(|cell| format!("{}\n", cell.index())).collect();
    let table: String = dead().iter().map(|c| format!("{},{}\n", c.index(), 10 + c.index() % 80)).collect();
    fs::write(at.join("table.csv"), format!("arch_index,imagenet16_120_test200\n{table}")).unwrap();
    let tiny = ["--dataset", "imagenet16-120", "--batch", "2", "--quiet", "--force", "-o", "a.jsonl"];
    let measures = ["score", "-", "--measures", "naswot,log-synflow,loss-slope,utopian", "--format", "jsonl"];
    let mut command = etnas(&[&measures[..], &tiny].concat());
    let output = command.current_dir(at).write_stdin(list).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let records = rows(&fs::read_to_string(at.join("a.jsonl")).unwrap());
    assert_eq!(records.len(), 26);
    for record in &records {
        assert!(record["naswot"].is_null() && record["status"] == "singular", "{record}");
        assert!(record["utopian"].as_f64().unwrap().is_finite(), "{record}");
    }
    for arguments in [
        &["correlate", "a.jsonl", "--table", "table.csv", "--bootstrap", "50"][..],
        &["correlate", "a.jsonl", "a.jsonl", "--compare"],
        &["rank", "a.jsonl", "--table", "table.csv"],
        &["rank", "a.jsonl", "--by", "log-rank-sum"],
        &["rank", "a.jsonl", "--by", "utopian", "--measures", "naswot,log-synflow"],
        &["rank", "a.jsonl", "--by", "naswot"],
        &["plot", "scatter", "a.jsonl", "--x", "naswot", "--table", "table.csv", "-o", "a.svg"],
        &["plot", "utopian", "a.jsonl", "--table", "table.csv", "-o", "u.svg"],
        &["merge", "a.jsonl", "-o", "merged.jsonl", "--force"],
    ] {
        for format in ["table", "csv", "json", "jsonl"] {
            let form = if arguments.contains(&"-o") { &[][..] } else { &["--format", format] };
            let output = etnas(&[arguments, form].concat()).current_dir(at).output().unwrap();
            let errors = String::from_utf8(output.stderr).unwrap();
            // Where there is nothing to draw or to merge a sentence says so; nothing else may go wrong.
            let drawn = arguments[0] == "plot" || arguments[0] == "merge";
            let fine = output.status.success() || drawn && output.status.code() == Some(2);
            assert!(fine && !errors.contains("panicked"), "{arguments:?}: {errors}");
            let printed = String::from_utf8(output.stdout).unwrap();
            assert!(!printed.contains("NaN") && !printed.contains("inf"), "{arguments:?} {format}: {printed}");
        }
    }
    // Every cell is told, in the order of the indices: all are equally good by naswot.
    let ranked = etnas(&["rank", "a.jsonl", "--by", "naswot", "--format", "jsonl"]).current_dir(at).output().unwrap();
    let indices =
        |rows: Vec<serde_json::Value>| -> Vec<u64> { rows.iter().map(|row| row["index"].as_u64().unwrap()).collect() };
    let mut all = indices(records);
    all.sort_unstable();
    assert_eq!(indices(rows(&String::from_utf8(ranked.stdout).unwrap())), all);
    assert_eq!(
        stdout(&["score", "1651", "--measures", "naswot", "--batch", "2", "--format", "csv"]).lines().count(),
        2
    );
}
