//! Every search method on scores and trainings made up for the purpose: budgets, equal runs, hopeless cells, tiny and huge options.

use etnas::error::Result;
use etnas::input::Dataset;
use etnas::measure::Measure;
use etnas::random::derive;
use etnas::search::{
    Area, Budget, ClimbBy, Criterion, Ended, EtNas, FreeRea, LocalSearch, Method, Outcome, RandomAccuracy,
    RandomNaswot, Rea, ReaNaswot, Reinforce, Scores, Trained, Variant, MOST_EVALUATIONS,
};
use etnas::space::{Cell, Kernel, SPACE_SIZE};
use etnas::table::Accuracies;
use std::collections::HashSet;
use std::fmt::Write;

/// Scores that follow from measure and cell, and a list of what was asked.
struct Toy {
    function: fn(Measure, &Cell) -> f64,
    asked: Vec<(Measure, Vec<Cell>)>,
}

impl Toy {
    fn new() -> Toy {
        Toy::with(|measure, cell| 1.0 + derive(cell.index() as u64, measure.name()) as f64)
    }

    fn with(function: fn(Measure, &Cell) -> f64) -> Toy {
        Toy { function, asked: Vec::new() }
    }

    fn cells(&self, measure: Measure) -> Vec<Cell> {
        self.asked.iter().filter(|(m, _)| *m == measure).flat_map(|(_, cells)| cells.clone()).collect()
    }
}

impl Scores for Toy {
    fn supports(&self, _: Measure) -> bool {
        true
    }

    fn scores(&mut self, measure: Measure, cells: &[Cell]) -> Result<Vec<f64>> {
        self.asked.push((measure, cells.to_vec()));
        Ok(cells.iter().map(|cell| (self.function)(measure, cell)).collect())
    }
}

/// A table in which a cell's accuracy follows from its index, and every training takes 12 × 5 × .5 = 30 s on CIFAR-10.
fn table(accuracy: fn(&Cell) -> f64) -> Accuracies {
    let mut text = String::from("arch_index,cifar10_test200,cifar10_valid12,train_time_epoch_50k_s\n");
    for cell in Cell::all() {
        writeln!(text, "{},50,{},5", cell.index(), accuracy(&cell)).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    std::fs::write(&path, text).unwrap();
    Accuracies::open(&path).unwrap()
}

fn by_index(cell: &Cell) -> f64 {
    derive(cell.index() as u64, "accuracy") as f64 / f64::from(u32::MAX) * 100.0
}

fn run(method: &Method, toy: &mut Toy, table: &Accuracies, seed: u64, run: usize) -> Outcome {
    let trained = Trained::new(table, Dataset::Cifar10, Dataset::Cifar10).unwrap();
    method.run(toy, Some(&trained), seed, run).unwrap().timeless()
}

/// Every method, with a budget of so many cells where it has one.
fn all_with(cells: usize) -> Vec<Method> {
    let budget = Budget::cells(cells);
    let mut all: Vec<Method> =
        ["et-nas", "rank", "no-degree", "off-degree"].iter().map(|name| Method::from_name(name).unwrap()).collect();
    all.extend([
        Method::RandomNaswot(RandomNaswot { evaluations: cells }),
        Method::RandomAccuracy(RandomAccuracy { budget }),
        Method::Rea(Rea { budget, ..Rea::default() }),
        Method::ReaNaswot(ReaNaswot { evaluations: cells, ..ReaNaswot::default() }),
        Method::Area(Area { budget, ..Area::default() }),
        Method::Reinforce(Reinforce { budget, ..Reinforce::default() }),
        Method::FreeRea(FreeRea { evaluations: cells, ..FreeRea::default() }),
        Method::LocalSearch(LocalSearch { budget, ..LocalSearch::default() }),
        Method::LocalSearch(LocalSearch { by: ClimbBy::Accuracy, budget, starts: None }),
    ]);
    all
}

#[test]
fn names_lead_to_methods_and_back() {
    for name in Method::NAMES {
        let method = Method::from_name(name).unwrap();
        assert_eq!(method.name(), *name);
        method.check().unwrap();
        assert!(!method.title().is_empty());
    }
    assert_eq!(Method::from_name("rank").unwrap(), Method::EtNas(EtNas { variant: Variant::Rank, ..EtNas::default() }));
    let error = Method::from_name("re").unwrap_err().to_string();
    assert!(error.contains("search method") && error.contains("random-naswot"), "{error}");
}

#[test]
fn a_run_is_a_function_of_method_seed_and_number_alone() {
    let table = table(by_index);
    for method in all_with(40) {
        let found = |seed, number| run(&method, &mut Toy::new(), &table, seed, number);
        let many: Vec<Outcome> = (0..3).map(|number| found(7, number)).collect();
        assert_eq!(found(7, 2), many[2], "{}", method.name());
        assert_ne!(many[0].trajectory, many[1].trajectory, "{}", method.name());
        assert_ne!(many[0].trajectory, found(8, 0).trajectory, "{}", method.name());
    }
}

#[test]
fn what_was_asked_is_what_is_counted_and_budgets_of_cells_are_met_exactly() {
    let table = table(by_index);
    for cells in [1, 2, 9, 10, 11, 60, 150] {
        for method in all_with(cells) {
            let mut toy = Toy::new();
            let outcome = run(&method, &mut toy, &table, 3, 0);
            let counts = outcome.evaluations;
            let asked = [Measure::LogSynflow, Measure::Naswot, Measure::LossSlope].map(|m| toy.cells(m).len());
            assert_eq!([counts.log_synflow, counts.naswot, counts.loss_slope], asked, "{}", method.name());
            let Some(budget) = method.budget(Dataset::Cifar10).evaluations else {
                assert!(matches!(method, Method::EtNas(_)));
                continue;
            };
            let spent = match method {
                Method::FreeRea(_) => {
                    assert_eq!(counts.naswot, counts.log_synflow);
                    counts.naswot
                }
                _ if method.needs_trained() => counts.trained,
                _ => counts.naswot,
            };
            assert_eq!((spent, outcome.ended), (budget, Ended::EvaluationsSpent), "{}", method.name());
            assert_eq!(outcome.simulated_seconds, 30.0 * counts.trained as f64);
            assert!(outcome.notes().is_empty(), "{:?}", outcome.notes());
            let pool = if matches!(method, Method::Area(_)) { 100 } else { 0 };
            let twice = if matches!(method, Method::FreeRea(_)) { 2 } else { 1 };
            assert_eq!(outcome.trajectory.last().unwrap().evaluations, pool + twice * cells);
        }
    }
}

#[test]
fn the_training_that_reaches_the_simulated_seconds_is_the_last() {
    let table = table(by_index);
    // 30 s each.
    for (seconds, trainings) in [(1e-9, 1), (30.0, 1), (30.1, 2), (600.0, 20), (601.0, 21)] {
        let budget = Budget::seconds(seconds);
        for method in [
            Method::RandomAccuracy(RandomAccuracy { budget }),
            Method::Rea(Rea { budget, ..Rea::default() }),
            Method::Area(Area { budget, ..Area::default() }),
            Method::Reinforce(Reinforce { budget, ..Reinforce::default() }),
            Method::LocalSearch(LocalSearch { by: ClimbBy::Accuracy, budget, starts: None }),
        ] {
            let outcome = run(&method, &mut Toy::new(), &table, 1, 0);
            assert_eq!((outcome.evaluations.trained, outcome.ended), (trainings, Ended::SimulatedSecondsSpent));
        }
        // Of two limits the first that is reached ends the search.
        let both = Rea { budget: Budget { evaluations: Some(15), ..budget }, ..Rea::default() };
        let outcome = run(&Method::Rea(both), &mut Toy::new(), &table, 1, 0);
        assert_eq!(outcome.evaluations.trained, trainings.min(15));
    }
    let paper = run(&Method::from_name("rea").unwrap(), &mut Toy::new(), &table, 1, 0);
    assert_eq!((paper.evaluations.trained, paper.simulated_seconds), (667, 20_010.0));
}

#[test]
fn the_winner_is_the_best_of_what_was_seen_and_trajectories_only_rise() {
    let table = table(by_index);
    for method in all_with(120) {
        let mut toy = Toy::new();
        let outcome = run(&method, &mut toy, &table, 5, 1);
        let last = outcome.trajectory.last().unwrap();
        assert_eq!((last.cell, last.criterion, last.score), (outcome.winner, outcome.criterion, outcome.score));
        assert_eq!(last.simulated_seconds, outcome.simulated_seconds);
        assert!(outcome.trajectory.windows(2).all(|pair| {
            pair[0].evaluations < pair[1].evaluations && pair[0].simulated_seconds <= pair[1].simulated_seconds
        }));
        match outcome.criterion {
            Criterion::Naswot | Criterion::ValidAccuracy => {
                assert!(outcome.trajectory.windows(2).all(|pair| pair[0].score <= pair[1].score), "{}", method.name());
                assert_eq!(outcome.trajectory.len(), 120);
            }
            Criterion::FreeReaRank => assert_eq!(outcome.trajectory.len(), 120),
            _ => {
                // One point for each LogSynflow, by Degree first where it counts, and one for the choice.
                assert_eq!(outcome.trajectory.len(), outcome.evaluations.log_synflow + 1);
                let by_degree = method.name() != "off-degree";
                let key = |cell: &Cell| {
                    (if by_degree { cell.degree() } else { 0 }, (toy.function)(Measure::LogSynflow, cell))
                };
                let evolution = &outcome.trajectory[..outcome.trajectory.len() - 1];
                assert!(evolution.windows(2).all(|pair| key(&pair[0].cell) <= key(&pair[1].cell)));
            }
        }
        if outcome.criterion == Criterion::Naswot {
            let best =
                toy.cells(Measure::Naswot).iter().map(|cell| (toy.function)(Measure::Naswot, cell)).fold(0.0, f64::max);
            assert_eq!(outcome.score, Some(best));
        }
    }
}

#[test]
fn equal_cells_leave_it_to_the_first() {
    let table = table(|_| 50.0);
    let first = |method: &Method| {
        let outcome = run(method, &mut Toy::with(|_, _| 7.0), &table, 2, 0);
        (outcome.winner, outcome.trajectory[0].cell)
    };
    for method in all_with(50).into_iter().filter(|method| !matches!(method, Method::EtNas(_) | Method::FreeRea(_))) {
        let (winner, earliest) = first(&method);
        assert_eq!(winner, earliest, "{}", method.name());
    }
}

#[test]
fn hopeless_scores_end_in_a_choice_without_a_score() {
    let table = table(|_| 0.0);
    for method in all_with(50) {
        let outcome = run(&method, &mut Toy::with(|_, _| f64::NEG_INFINITY), &table, 4, 0);
        let expected = method.needs_trained().then_some(0.0);
        if !matches!(method, Method::EtNas(_)) {
            assert_eq!(outcome.score, expected, "{}", method.name());
        }
        assert!(outcome.trajectory.iter().all(|point| point.score.is_none_or(f64::is_finite)));
    }
    // naswot of most cells −∞: the one that has a value wins.
    let lone = |_: Measure, cell: &Cell| if cell.degree() == 5 { cell.index() as f64 } else { f64::NEG_INFINITY };
    for name in ["random-naswot", "rea-naswot", "free-rea", "local"] {
        let outcome = run(&Method::from_name(name).unwrap(), &mut Toy::with(lone), &table, 4, 0);
        assert_eq!(outcome.winner.degree(), 5, "{name}");
    }
}

#[test]
fn small_populations_and_large_ones_work() {
    let table = table(by_index);
    let budget = Budget::cells(30);
    for (population, sample) in [(1, 1), (2, 1), (2, 2), (SPACE_SIZE, 1), (SPACE_SIZE, SPACE_SIZE)] {
        for method in [
            Method::Rea(Rea { population, sample, budget }),
            Method::ReaNaswot(ReaNaswot { population, sample, evaluations: 30, patience: 100 }),
            Method::Area(Area { pool: SPACE_SIZE, population, sample, budget }),
            Method::FreeRea(FreeRea { population, sample, evaluations: 30, patience: 100 }),
        ] {
            let outcome = run(&method, &mut Toy::new(), &table, 6, 0);
            assert_eq!(outcome.ended, Ended::EvaluationsSpent, "{} {population} {sample}", method.name());
        }
    }
    // AREA starts from the best of its pool: of all cells, if the pool is the space.
    let mut toy = Toy::with(|_, cell| cell.index() as f64);
    let area = Method::Area(Area { pool: SPACE_SIZE, population: 3, sample: 1, budget: Budget::cells(3) });
    let outcome = run(&area, &mut toy, &table, 6, 0);
    assert!(outcome.trajectory.iter().all(|point| point.cell.index() >= SPACE_SIZE - 3), "{:?}", outcome.trajectory);
}

#[test]
fn searches_of_more_than_the_space_end_when_nothing_is_left() {
    let table = table(by_index);
    let whole = SPACE_SIZE + 5;
    let local = Method::LocalSearch(LocalSearch { budget: Budget::cells(whole), ..LocalSearch::default() });
    let mut toy = Toy::new();
    let outcome = run(&local, &mut toy, &table, 1, 0);
    assert_eq!((outcome.ended, outcome.evaluations.naswot), (Ended::SpaceExhausted, SPACE_SIZE));
    assert!(outcome.notes()[0].contains("ended early"));
    // No cell was asked for twice, and the best of the space was found.
    assert_eq!(toy.cells(Measure::Naswot).into_iter().collect::<HashSet<Cell>>().len(), SPACE_SIZE);
    let best = Cell::all().map(|cell| (toy.function)(Measure::Naswot, &cell)).fold(0.0, f64::max);
    assert_eq!(outcome.score, Some(best));

    let stubborn = Method::ReaNaswot(ReaNaswot { evaluations: whole, patience: 20, ..ReaNaswot::default() });
    let outcome = run(&stubborn, &mut Toy::new(), &table, 1, 0);
    assert_eq!(outcome.ended, Ended::Stalled { rejections: 20 });
    assert!(outcome.notes()[0].contains("20 mutants in a row"), "{:?}", outcome.notes());
    let stubborn = Method::FreeRea(FreeRea { evaluations: whole, patience: 20, ..FreeRea::default() });
    // Three children a step.
    assert_eq!(run(&stubborn, &mut Toy::new(), &table, 1, 0).ended, Ended::Stalled { rejections: 21 });
    // Nothing but its budget ends REA.
    let long = Method::Rea(Rea { budget: Budget::cells(100_000), ..Rea::default() });
    assert_eq!(run(&long, &mut Toy::new(), &table, 1, 0).evaluations.trained, 100_000);
}

#[test]
fn a_local_search_climbs_to_the_top_of_a_slope() {
    // Accuracy counts 3×3 convolutions: every start leads to six of them, over the shortest way.
    let table = table(|cell| cell.conv_edges(Some(Kernel::K3)) as f64);
    let start = LocalSearch { by: ClimbBy::Accuracy, starts: Some(1), budget: Budget::default() };
    for number in 0..20 {
        let outcome = run(&Method::LocalSearch(start.clone()), &mut Toy::new(), &table, 9, number);
        assert_eq!((outcome.ended, outcome.score), (Ended::StartsDone, Some(6.0)));
        let first = outcome.trajectory[0].cell.conv_edges(Some(Kernel::K3));
        // The start, its 24 neighbours, and of each of the cells on the way at most 20 that are no neighbours of the one before.
        let most = 25 + 20 * (6 - first);
        assert!((25..=most).contains(&outcome.evaluations.trained), "{} of {most}", outcome.evaluations.trained);
    }
    let starts = LocalSearch { starts: Some(7), ..start };
    let outcome = run(&Method::LocalSearch(starts), &mut Toy::new(), &table, 9, 0);
    assert_eq!(outcome.ended, Ended::StartsDone);
    assert_eq!(outcome.simulated_seconds, 30.0 * outcome.evaluations.trained as f64);
}

#[test]
fn reinforce_learns_what_pays() {
    // An accuracy of 100 for 3×3 convolutions everywhere, less for each edge without: in the end the policy draws little else.
    let table = table(|cell| 40.0 + 10.0 * cell.conv_edges(Some(Kernel::K3)) as f64);
    let mean = |learning_rate| {
        let reinforce = Reinforce { learning_rate, budget: Budget::cells(2_000), ..Reinforce::default() };
        let outcome = run(&Method::Reinforce(reinforce), &mut Toy::new(), &table, 3, 0);
        let reached = outcome.trajectory.iter().position(|point| point.score == Some(100.0));
        reached.unwrap_or(2_000)
    };
    // By chance the best comes up once in 15,625 draws.
    assert!(mean(0.01) < 1_000, "{}", mean(0.01));
    assert_eq!(mean(1e-9), 2_000);
}

#[test]
fn what_cannot_be_carried_out_is_refused_with_a_sentence() {
    let cases: [(Method, &str); 16] = [
        (Method::RandomNaswot(RandomNaswot { evaluations: 0 }), "The budget of evaluations"),
        (Method::RandomNaswot(RandomNaswot { evaluations: MOST_EVALUATIONS + 1 }), "1 to 1000000"),
        (Method::RandomAccuracy(RandomAccuracy { budget: Budget::seconds(0.0) }), "a positive number"),
        (Method::RandomAccuracy(RandomAccuracy { budget: Budget::seconds(f64::NAN) }), "a positive number"),
        (Method::Rea(Rea { budget: Budget::seconds(f64::INFINITY), ..Rea::default() }), "a positive number"),
        (Method::Rea(Rea { population: 0, ..Rea::default() }), "The population"),
        (Method::Rea(Rea { sample: usize::MAX, ..Rea::default() }), "at most the population, 10"),
        (Method::ReaNaswot(ReaNaswot { population: usize::MAX, ..ReaNaswot::default() }), "at most 15625"),
        (Method::ReaNaswot(ReaNaswot { patience: 0, ..ReaNaswot::default() }), "The patience"),
        (Method::Area(Area { pool: 9, ..Area::default() }), "from 10, the population, to 15625"),
        (Method::Area(Area { pool: usize::MAX, ..Area::default() }), "to 15625"),
        (Method::Reinforce(Reinforce { learning_rate: 0.0, ..Reinforce::default() }), "The learning rate"),
        (Method::Reinforce(Reinforce { momentum: 1.0, ..Reinforce::default() }), "from 0 to below 1"),
        (Method::FreeRea(FreeRea { sample: 0, ..FreeRea::default() }), "The sample"),
        (Method::LocalSearch(LocalSearch { starts: Some(0), ..LocalSearch::default() }), "The number of starts"),
        (Method::LocalSearch(LocalSearch { budget: Budget::seconds(9.0), ..LocalSearch::default() }), "trains nothing"),
    ];
    let table = table(by_index);
    let trained = Trained::new(&table, Dataset::Cifar10, Dataset::Cifar10).unwrap();
    for (method, part) in cases {
        let mut toy = Toy::new();
        let error = method.run(&mut toy, Some(&trained), 0, 0).unwrap_err();
        assert!(error.to_string().contains(part) && error.exit_code() == 2, "{error}");
        assert!(toy.asked.is_empty());
    }
}

#[test]
fn sources_that_are_missing_are_named() {
    struct Nothing;
    impl Scores for Nothing {
        fn supports(&self, _: Measure) -> bool {
            false
        }
        fn scores(&mut self, _: Measure, _: &[Cell]) -> Result<Vec<f64>> {
            panic!("asked for what is not supported");
        }
    }
    let table = table(by_index);
    let trained = Trained::new(&table, Dataset::Cifar10, Dataset::Cifar10).unwrap();
    for method in all_with(20) {
        let without_scores = method.run(&mut Nothing, Some(&trained), 0, 0);
        match method.needs_scores() {
            [] => assert_eq!(without_scores.unwrap().evaluations.trained, 20),
            needed => {
                let error = without_scores.unwrap_err().to_string();
                assert!(error.contains(&format!("a source that knows {}", needed[0].name())), "{error}");
            }
        }
        let without_table = method.run(&mut Toy::new(), None, 0, 0);
        assert_eq!(without_table.is_err(), method.needs_trained(), "{}", method.name());
        if let Err(error) = without_table {
            assert!(error.to_string().contains("a table of accuracies after 12 epochs"), "{error}");
        }
    }
}
