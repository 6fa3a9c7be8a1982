//! Searches answered by published tables of scores and judged by published accuracies (SPEC section 6). LossSlope was never
//! published, so ET-NAS' finalists are compared by naswot and LogSynflow alone. Trainings and their cost are looked up.

mod common;

use etnas::input::Dataset;
use etnas::measure::Measure;
use etnas::search::{
    Budget, ClimbBy, DegreeRule, Ended, EtNas, FreeRea, LocalSearch, Method, Outcome, Preset, RandomAccuracy,
    RandomNaswot, RankPool, Scores, Trained, Variant,
};
use etnas::space::Cell;
use etnas::table::{Accuracies, ScoreTable, Summary};

const RUNS: usize = 300;

/// The table of scores of a data set that the paper's figures were made with, and all accuracies.
fn tables(dataset: Dataset) -> Option<(ScoreTable, Accuracies)> {
    tables_of("fracapuano", dataset)
}

/// The scores of a data set that one repository published, and all accuracies.
fn tables_of(repository: &str, dataset: Dataset) -> Option<(ScoreTable, Accuracies)> {
    let scores = common::shared("data/nb201_proxy_scores.csv")?;
    let accuracies = common::shared("data/nb201_accuracy.csv")?;
    let suffix = match dataset {
        Dataset::Cifar10 => "c10",
        Dataset::Cifar100 => "c100",
        Dataset::ImageNet16 => "in16",
    };
    let naswot = format!("{repository}_naswot_{suffix}");
    let log_synflow = format!("{repository}_logsynflow_{suffix}");
    let columns = [(Measure::Naswot, naswot.as_str()), (Measure::LogSynflow, log_synflow.as_str())];
    Some((ScoreTable::open(&scores, &columns).unwrap(), Accuracies::open(&accuracies).unwrap()))
}

fn replay(search: &EtNas, table: &mut ScoreTable) -> Vec<Outcome> {
    (0..RUNS).map(|r| search.run(table, 20_240, r).unwrap()).collect()
}

/// Replays a search on the three data sets and compares the mean test accuracies with (expected, tolerance).
fn check(search: &EtNas, expected: [(f64, f64); 3]) {
    for (dataset, (mean, tolerance)) in Dataset::ALL.into_iter().zip(expected) {
        let Some((mut table, accuracies)) = tables(dataset) else { return };
        let outcomes = replay(search, &mut table);
        let summary = Summary::of(outcomes.iter().map(|o| accuracies.lookup(&o.winner, dataset)));
        assert_eq!((summary.n, summary.missing), (RUNS, 0));
        println!("{} {:?}", dataset.name(), summary);
        let found = summary.mean.unwrap();
        assert!((found - mean).abs() <= tolerance, "{}: {found} instead of {mean} ± {tolerance}", dataset.name());
    }
}

#[test]
fn reference_reaches_the_papers_accuracy() {
    check(&EtNas::default(), [(94.35, 0.1), (73.44, 0.2), (46.32, 0.2)]);
}

#[test]
fn algorithm1_with_the_weaker_degree_rule() {
    let search = EtNas { preset: Preset::Algorithm1, degree_rule: Some(DegreeRule::Ge), ..EtNas::default() };
    check(&search, [(93.83, 0.1), (71.3, 0.3), (42.6, 0.5)]);
}

#[test]
fn no_degree() {
    // SPEC: 94.01 ± .39, 72.27 ± 1.0, 45.65 ± 1.3. The tolerances are some three standard errors of the difference of
    // two such means.
    check(&EtNas { variant: Variant::NoDegree, ..EtNas::default() }, [(94.01, 0.1), (72.27, 0.25), (45.65, 0.3)]);
}

#[test]
fn reference_spends_what_the_paper_spends() {
    let Some((mut table, accuracies)) = tables(Dataset::Cifar10) else { return };
    let outcomes = replay(&EtNas::default(), &mut table);
    let mean = |count: fn(&Outcome) -> usize| outcomes.iter().map(count).sum::<usize>() as f64 / RUNS as f64;
    for outcome in &outcomes {
        assert_eq!(outcome.ended, Ended::Completed);
        assert_eq!((outcome.evaluations.log_synflow, outcome.evaluations.children), (61, 41));
        assert_eq!(outcome.evaluations.loss_slope, 0);
        assert_eq!(outcome.without_loss_slope, outcome.front.len() > 1);
    }
    let (mutations, pool, front) =
        (mean(|o| o.evaluations.mutations), mean(|o| o.evaluations.naswot), mean(|o| o.front.len()));
    let top = outcomes.iter().filter(|o| o.winner.degree() == 7).count();
    println!("{mutations} mutations, {pool} in the pool, {front} on the front, {top} of Degree 7");
    // Over 10,000 runs the means are 234, 25.8 and 5.2, and 99.4 % end on Degree 7. The bounds are four standard errors
    // of 300 runs.
    assert!((mutations - 234.0).abs() < 20.0, "{mutations} mutations");
    assert!((pool - 25.8).abs() < 1.8, "{pool} in the pool");
    assert!((front - 5.2).abs() < 0.4, "{front} on the front");
    assert!(top >= 293, "{top} of {RUNS} end on Degree 7");
    // So nearly every default search can be told its accuracy without a download, and it is the table's.
    let known = Accuracies::builtin();
    for outcome in outcomes.iter().filter(|o| o.winner.degree() == 7) {
        for dataset in Dataset::ALL {
            assert_eq!(known.lookup(&outcome.winner, dataset), accuracies.lookup(&outcome.winner, dataset));
        }
    }
}

#[test]
fn algorithm1_to_the_letter_stalls() {
    let Some((mut table, _)) = tables(Dataset::Cifar10) else { return };
    let outcomes = replay(&EtNas { preset: Preset::Algorithm1, ..EtNas::default() }, &mut table);
    let mut children: Vec<usize> = outcomes.iter().map(|o| o.evaluations.children).collect();
    children.sort_unstable();
    assert!(outcomes.iter().all(|o| matches!(o.ended, Ended::Stalled { .. })));
    // SPEC: "after some 14 to 23 children"; where in that range depends on the patience.
    assert!((14..=23).contains(&children[RUNS / 2]), "{children:?}");
    assert!(children[RUNS - 1] < 41, "{children:?}");
}

#[test]
fn rank_over_either_pool_beats_the_search_without_degree() {
    let Some((mut table, accuracies)) = tables(Dataset::Cifar100) else { return };
    let mut mean = |search: &EtNas| {
        let winners = replay(search, &mut table);
        Summary::of(winners.iter().map(|o| accuracies.lookup(&o.winner, Dataset::Cifar100))).mean.unwrap()
    };
    let no_degree = mean(&EtNas { variant: Variant::NoDegree, ..EtNas::default() });
    for rank_pool in [RankPool::Front, RankPool::MaxDegree] {
        let rank = mean(&EtNas { variant: Variant::Rank, rank_pool, ..EtNas::default() });
        println!("{}: {rank}", rank_pool.name());
        assert!(rank > no_degree, "{rank} against {no_degree}");
    }
}

#[test]
fn tables_answer_as_they_stand() {
    let Some(path) = common::shared("data/nb201_proxy_scores.csv") else { return };
    let columns = [(Measure::Naswot, "freerea_naswot_c10"), (Measure::LossSlope, "fracapuano_naswot_c10")];
    let mut table = ScoreTable::open(&path, &columns).unwrap();
    assert!(table.supports(Measure::Naswot) && table.supports(Measure::LossSlope));
    assert!(!table.supports(Measure::LogSynflow));
    let cells: Vec<_> = etnas::space::Cell::all().collect();
    let naswot = table.scores(Measure::Naswot, &cells).unwrap();
    assert_eq!((naswot[0], naswot[1]), (740.8457, 781.9199));
    let replaced = table.scores(Measure::LossSlope, &cells).unwrap();
    for ((cell, value), replaced) in cells.iter().zip(&naswot).zip(&replaced) {
        assert_eq!(*value == f64::NEG_INFINITY, cell.has_constant_codes());
        assert_eq!(*replaced == 1e-6, cell.has_constant_codes());
    }
    let error = table.scores(Measure::LogSynflow, &cells[..1]).unwrap_err();
    assert!(error.to_string().contains("expected a column of log-synflow, found none"), "{error}");
}

/// A mean, its standard deviation over single runs, and how many runs it is the mean of.
#[derive(Clone, Copy, Debug)]
struct Figure {
    mean: f64,
    std: f64,
    runs: f64,
}

impl Figure {
    /// The other mean is within so many standard errors of the difference.
    fn agrees(self, other: Figure, errors: f64) -> bool {
        let variance = |f: Figure| f.std * f.std / f.runs;
        (self.mean - other.mean).abs() <= errors * (variance(self) + variance(other)).sqrt()
    }
}

/// Figures of the paper, means of 30 runs.
fn paper(figures: [(f64, f64); 3]) -> [Figure; 3] {
    figures.map(|(mean, std)| Figure { mean, std, runs: 30.0 })
}

/// Figures of a second implementation that shares no code with this one, means of so many runs.
fn independent(figures: [(f64, f64); 3], runs: f64) -> [Figure; 3] {
    figures.map(|(mean, std)| Figure { mean, std, runs })
}

/// What the best of N cells drawn with replacement has for a test accuracy, exactly: the cell of rank k from below is it with
/// probability (k/n)ᴺ − ((k−1)/n)ᴺ.
fn best_of(draws: i32, score: impl Fn(&Cell) -> f64, accuracies: &Accuracies, dataset: Dataset) -> Figure {
    let mut cells: Vec<(f64, f64)> =
        Cell::all().map(|cell| (score(&cell), accuracies.lookup(&cell, dataset).unwrap())).collect();
    cells.sort_by(|a, b| a.0.total_cmp(&b.0));
    let share = |k: usize| (k as f64 / cells.len() as f64).powi(draws);
    let over = |of: &dyn Fn(f64) -> f64| {
        cells.iter().enumerate().map(|(k, (_, accuracy))| (share(k + 1) - share(k)) * of(*accuracy)).sum::<f64>()
    };
    let mean = over(&|accuracy| accuracy);
    Figure { mean, std: over(&|accuracy| (accuracy - mean).powi(2)).sqrt(), runs: f64::INFINITY }
}

/// The test accuracy of 300 runs of a method, and their mean simulated cost.
fn replayed(method: &Method, dataset: Dataset, validated_on: Dataset) -> Option<(Figure, f64)> {
    let (mut table, accuracies) = tables(dataset)?;
    let trained = Trained::new(&accuracies, dataset, validated_on).unwrap();
    let outcomes: Vec<Outcome> =
        (0..RUNS).map(|run| method.run(&mut table, Some(&trained), 20_240, run).unwrap()).collect();
    let summary = Summary::of(outcomes.iter().map(|o| accuracies.lookup(&o.winner, dataset)));
    assert_eq!((summary.n, summary.missing), (RUNS, 0));
    let seconds = outcomes.iter().map(|o| o.simulated_seconds).sum::<f64>() / RUNS as f64;
    let found = Figure { mean: summary.mean.unwrap(), std: summary.std.unwrap(), runs: RUNS as f64 };
    println!("{:15} {:14} {:.2} ± {:.2}; {seconds:.0} s", method.name(), dataset.name(), found.mean, found.std);
    Some((found, seconds))
}

/// Replays a method and holds it against figures, within so many standard errors of the difference.
fn hold(name: &str, figures: [Figure; 3], errors: f64) {
    for (dataset, figure) in Dataset::ALL.into_iter().zip(figures) {
        let Some((found, _)) = replayed(&Method::from_name(name).unwrap(), dataset, dataset) else { return };
        assert!(found.agrees(figure, errors), "{name} {}: {found:?} {figure:?}", dataset.name());
    }
}

#[test]
fn table_1_random_search_by_naswot() {
    let published = [
        (10, paper([(92.59, 0.67), (68.91, 2.08), (41.69, 3.40)])),
        // ImageNet16-120's deviation is that of the experiment's own output; the paper's 1.26 is a misprint, and so is CIFAR-10's
        // 1.03 below.
        (100, paper([(92.92, 0.81), (69.70, 1.40), (42.64, 3.63)])),
        (1000, paper([(92.99, 0.81), (70.16, 0.68), (44.34, 2.59)])),
    ];
    for (draws, figures) in published {
        for (dataset, figure) in Dataset::ALL.into_iter().zip(figures) {
            let method = Method::RandomNaswot(RandomNaswot { evaluations: draws });
            let Some((found, _)) = replayed(&method, dataset, dataset) else { return };
            let Some((table, accuracies)) = tables(dataset) else { return };
            let exact =
                best_of(draws as i32, |cell| table.lookup(Measure::Naswot, cell).unwrap(), &accuracies, dataset);
            assert!(found.agrees(exact, 3.0), "{draws} {}: {found:?} {exact:?}", dataset.name());
            assert!(exact.agrees(figure, 2.0), "{draws} {}: {exact:?} {figure:?}", dataset.name());
        }
    }
}

#[test]
fn table_2_random_search_by_accuracy_and_its_simulated_cost() {
    let published = [
        (10, paper([(92.64, 0.94), (68.94, 1.45), (41.45, 2.75)]), [1134.0, 2220.0, 6594.0], [85.0, 227.0, 437.0]),
        (
            100,
            paper([(93.98, 0.25), (71.21, 1.08), (44.83, 1.50)]),
            [11083.0, 22124.0, 66670.0],
            [191.0, 603.0, 1740.0],
        ),
        (
            1000,
            paper([(94.09, 0.28), (72.11, 0.89), (46.21, 0.58)]),
            [112872.0, 220177.0, 665714.0],
            [990.0, 1779.0, 4956.0],
        ),
    ];
    for (draws, figures, costs, deviations) in published {
        for (d, dataset) in Dataset::ALL.into_iter().enumerate() {
            let method = Method::RandomAccuracy(RandomAccuracy { budget: Budget::cells(draws) });
            let Some((found, seconds)) = replayed(&method, dataset, Dataset::Cifar10) else { return };
            let Some((_, accuracies)) = tables(dataset) else { return };
            let valid = accuracies.column("cifar10_valid12").unwrap();
            let exact = best_of(draws as i32, |cell| valid[cell.index()], &accuracies, dataset);
            assert!(found.agrees(exact, 3.0), "{draws} {}: {found:?} {exact:?}", dataset.name());
            // The paper's 93.98 ± .25 of 100 draws on CIFAR-10 is 3.7 standard errors above what any validation accuracy of the
            // tables can give: 93.73 after 12 epochs, 93.78 after 200.
            let reachable = (draws, dataset) != (100, Dataset::Cifar10);
            let honest = Figure { std: exact.std.max(figures[d].std), ..figures[d] };
            assert_eq!(exact.agrees(honest, 2.0), reachable, "{draws} {}: {exact:?} {:?}", dataset.name(), figures[d]);
            // The paper's seconds include a validation, which the tables do not have: of NATS-Bench's three public cells it takes 2.8
            // to 4.1 % of the training on CIFAR-10, and .03 to .41 % elsewhere. (100 draws on CIFAR-10 are odd here too: 1.0 %.)
            let most = if dataset == Dataset::Cifar10 { 1.041 } else { 1.0041 };
            let error = 2.0 * deviations[d] / 30f64.sqrt();
            let possible = seconds - error..=seconds * most + error;
            assert!(possible.contains(&costs[d]), "{draws} {}: {seconds} s, {} s", dataset.name(), costs[d]);
        }
    }
}

#[test]
fn table_4_without_loss_slope() {
    // Of the paper's figures those that two measures can decide; on ImageNet16-120 RANK and ET-NAS need the third.
    for (name, figures) in [
        ("rank", paper([(94.24, 0.21), (72.81, 0.41), (46.48, 0.28)])),
        ("no-degree", paper([(93.98, 0.45), (72.54, 0.43), (45.53, 1.07)])),
    ] {
        let dataset = Dataset::Cifar10;
        let Some((found, _)) = replayed(&Method::from_name(name).unwrap(), dataset, dataset) else { return };
        assert!(found.agrees(figures[0], 2.0), "{name}: {found:?} {:?}", figures[0]);
    }
    // The other reading of NO DEGREE is far from the paper's 93.98 / 72.54 / 45.53.
    hold("off-degree", independent([(93.518, 0.462), (70.593, 1.382), (42.314, 2.936)], 300.0), 2.0);
}

#[test]
fn table_5_rea_and_reinforce() {
    hold("rea", paper([(94.02, 0.31), (72.23, 0.84), (45.77, 0.80)]), 2.0);
    hold("reinforce", paper([(93.90, 0.26), (71.86, 0.89), (45.64, 0.78)]), 2.0);
    hold("rea", independent([(94.09, 0.29), (72.30, 0.88), (45.70, 0.82)], 300.0), 3.0);
    hold("reinforce", independent([(93.95, 0.24), (72.02, 0.89), (45.58, 0.88)], 300.0), 3.0);
}

#[test]
fn other_methods_agree_with_a_second_implementation() {
    hold("area", independent([(94.029, 0.390), (72.223, 0.892), (45.692, 0.937)], 300.0), 3.0);
    hold("rea-naswot", independent([(93.009, 0.429), (70.196, 0.952), (44.618, 2.209)], 300.0), 3.0);
    hold("local", independent([(93.045, 0.415), (70.180, 0.827), (44.753, 2.256)], 300.0), 3.0);
}

#[test]
fn local_search_by_accuracy() {
    let figures = independent([(94.167, 0.265), (72.255, 0.884), (45.828, 0.661)], 300.0);
    let method = Method::LocalSearch(LocalSearch { by: ClimbBy::Accuracy, ..LocalSearch::default() });
    for (dataset, figure) in Dataset::ALL.into_iter().zip(figures) {
        let Some((found, _)) = replayed(&method, dataset, dataset) else { return };
        assert!(found.agrees(figure, 3.0), "{}: {found:?} {figure:?}", dataset.name());
    }
}

/// FreeREA's test accuracy after 200 cells by the second implementation.
const FREE_REA: [(f64, f64); 3] = [(94.349, 0.057), (73.453, 0.192), (46.338, 0.133)];

#[test]
fn free_rea_by_the_scores_of_its_authors() {
    // FreeREA's own LogSynflow and naswot.
    for (dataset, figure) in Dataset::ALL.into_iter().zip(independent(FREE_REA, 900.0)) {
        let Some((mut table, accuracies)) = tables_of("freerea", dataset) else { return };
        let mut outcomes = |evaluations, runs| {
            let method = Method::FreeRea(FreeRea { evaluations, ..FreeRea::default() });
            let outcomes = (0..runs).map(|run| method.run(&mut table, None, 20_240, run).unwrap());
            outcomes.collect::<Vec<Outcome>>()
        };
        let accuracy = |outcomes: &[Outcome]| {
            let summary = Summary::of(outcomes.iter().map(|o| accuracies.lookup(&o.winner, dataset)));
            Figure { mean: summary.mean.unwrap(), std: summary.std.unwrap(), runs: outcomes.len() as f64 }
        };
        let short = accuracy(&outcomes(200, RUNS));
        println!("free-rea, 200 cells, {}: {short:?}", dataset.name());
        assert!(short.agrees(figure, 3.0), "{}: {short:?} {figure:?}", dataset.name());

        let long = outcomes(1_000, 100);
        let same = long.iter().filter(|o| o.winner.index() == 9930).count();
        let stalled = long.iter().filter(|o| matches!(o.ended, Ended::Stalled { .. })).count();
        let cells = long.iter().map(|o| o.evaluations.naswot).sum::<usize>() as f64 / 100.0;
        println!(
            "free-rea {}: {:?}, {same} end on 9930, {stalled} stalled, {cells} cells",
            dataset.name(),
            accuracy(&long)
        );
        // The population converges before its budget is spent.
        assert!(stalled >= 90 && same >= 90, "{stalled} stalled, {same} on 9930");
    }
}
