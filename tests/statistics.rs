//! Rank correlations against SciPy 1.17.1 (`scipy.stats.kendalltau`, `spearmanr`), and over published scores against the
//! paper's Table III.

mod common;

use etnas::input::Dataset;
use etnas::measure::Measure;
use etnas::space::Cell;
use etnas::statistics::{
    average_ranks, best, combine, compare, correlate_all, kendall_tau_b, order, spearman_rho, Clash, Combination,
    Paired, Population, Row, ScoreSet, Settings, Top,
};
use etnas::table::{test_column, Accuracies, ScoreColumn, ScoreFile};
use std::path::PathBuf;

const NONE: f64 = f64::NEG_INFINITY;

#[track_caller]
fn close(found: Option<f64>, expected: f64) {
    let found = found.unwrap();
    assert!((found - expected).abs() < 2e-15, "{found} instead of {expected}");
}

#[test]
fn small_columns_agree_with_scipy() {
    // SciPy's ρ of −∞ is NaN: there it was given −1e300.
    let cases: [(&[f64], &[f64], f64, f64); 7] = [
        (&[1.0, 2.0, 3.0, 4.0, 5.0], &[3.0, 1.0, 2.0, 5.0, 4.0], 0.39999999999999997, 0.6),
        (&[1.0, 1.0, 2.0, 3.0], &[1.0, 2.0, 4.0, 3.0], 0.5477225575051662, 0.7378647873726218),
        (
            &[1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 4.0],
            &[2.0, 1.0, 1.0, 5.0, 5.0, 4.0, 4.0],
            0.4573295603800236,
            0.6732014170987178,
        ),
        (&[1.0, 1.0, 1.0, 2.0, 2.0], &[7.0, 7.0, 7.0, 7.0, 3.0], -0.6123724356957946, -0.6123724356957945),
        (
            &[NONE, 3.0, NONE, 1.0, 2.0, NONE, 8.0],
            &[10.0, 90.0, 10.0, 50.0, 70.0, 20.0, 60.0],
            0.7378647873726218,
            0.8601512308077806,
        ),
        (&[1.0, 2.0], &[9.0, 4.0], -1.0, -0.9999999999999999),
        (&[1.0, 2.0, 3.0, 4.0], &[8.0, 6.0, 4.0, 2.0], -1.0, -1.0),
    ];
    for (x, y, tau, rho) in cases {
        close(kendall_tau_b(x, y), tau);
        close(spearman_rho(x, y), rho);
    }
    // NaN there, nothing here.
    for (x, y) in [(&[1.0, 1.0][..], &[1.0, 2.0][..]), (&[1.0], &[2.0]), (&[3.0, 3.0, 3.0], &[1.0, 2.0, 3.0])] {
        assert_eq!((kendall_tau_b(x, y), spearman_rho(x, y)), (None, None));
    }
    assert_eq!((kendall_tau_b(&[1.0, f64::NAN], &[1.0, 2.0]), average_ranks(&[f64::NAN])), (None, None));
}

/// Two columns from Knuth's linear congruential generator, the same in the Python program that gave the figures.
fn drawn(seed: u64, n: usize, levels_x: u64, levels_y: u64) -> (Vec<f64>, Vec<f64>) {
    let mut state = seed;
    let mut next = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        state >> 33
    };
    let one = |_| {
        let (a, b, c) = (next(), next(), next());
        let y = ((a % levels_x) * levels_y / levels_x + b % levels_y) / 2;
        (if c % 50 == 0 { NONE } else { (a % levels_x) as f64 }, y as f64)
    };
    (0..n).map(one).unzip()
}

#[test]
fn long_columns_agree_with_scipy() {
    let cases = [
        (1, 5000, 50, 7, 0.5118444801315563, 0.6595064146665799),
        (2, 20_000, 1 << 30, 1 << 30, 0.4758184709357847, 0.6669100506343905),
        (3, 15_625, 1000, 40, 0.4892319983967687, 0.6736657627905046),
    ];
    for (seed, n, levels_x, levels_y, tau, rho) in cases {
        let (x, y) = drawn(seed, n, levels_x, levels_y);
        close(kendall_tau_b(&x, &y), tau);
        close(spearman_rho(&x, &y), rho);
    }
}

fn published() -> Option<(ScoreSet, Accuracies)> {
    let scores = common::shared("data/nb201_proxy_scores.csv")?;
    let accuracies = Accuracies::open(&common::shared("data/nb201_accuracy.csv")?).unwrap();
    let mut set = ScoreSet::join(&[ScoreFile::open(&scores).unwrap()], Clash::Refuse).unwrap();
    set.add_baselines();
    Some((set, accuracies))
}

fn rows(set: &ScoreSet, names: &[&str], accuracies: &Accuracies, dataset: Dataset, settings: &Settings) -> Vec<Row> {
    let scores: Vec<&ScoreColumn> = names.iter().map(|name| set.column(name).unwrap()).collect();
    let column = test_column(dataset);
    let known = [(column, accuracies.column(column).unwrap())];
    correlate_all(set, &scores, &known, &Population::ALL, settings, &()).unwrap()
}

#[test]
fn published_scores_give_table_iii_and_scipys_figures() {
    let Some((set, accuracies)) = published() else { return };
    let settings = Settings { resamples: 0, ..Settings::default() };
    // τ and ρ of naswot, then of LogSynflow: the paper's two decimals; SciPy over all cells; SciPy over the unique ones.
    let expected = [
        (
            Dataset::Cifar10,
            "c10",
            [0.61, 0.79, 0.63, 0.83],
            [
                0.6074575297199292,
                0.7938092571857809,
                0.6296506573896122,
                0.8257267591773931,
                0.6052719644678025,
                0.7936004557397305,
                0.6186682514744476,
                0.8157033746725668,
            ],
        ),
        (
            Dataset::Cifar100,
            "c100",
            [0.62, 0.81, 0.61, 0.81],
            [
                0.6241162719978333,
                0.8090877369326995,
                0.6130810606147803,
                0.8094833465857678,
                0.6294490245298929,
                0.8143780869632469,
                0.5870253026357722,
                0.7843940516658515,
            ],
        ),
        (
            Dataset::ImageNet16,
            "in16",
            [0.60, 0.78, 0.60, 0.79],
            [
                0.5973073057355597,
                0.7794240509224608,
                0.5966247991107546,
                0.7896344318849867,
                0.5857138146568758,
                0.7693015684441037,
                0.5437537510607477,
                0.732697759015383,
            ],
        ),
    ];
    for (dataset, suffix, paper, scipy) in expected {
        let names = [format!("fracapuano_naswot_{suffix}"), format!("fracapuano_logsynflow_{suffix}")];
        let rows = rows(&set, &[&names[0], &names[1]], &accuracies, dataset, &settings);
        assert_eq!(rows.iter().map(|r| r.correlation.n).collect::<Vec<_>>(), [15_625, 15_625, 6_466, 6_466]);
        let found: Vec<Option<f64>> =
            rows.iter().flat_map(|r| [r.correlation.coefficients.tau, r.correlation.coefficients.rho]).collect();
        assert_eq!(found.len(), scipy.len());
        for (found, scipy) in found.iter().zip(scipy) {
            assert!((found.unwrap() - scipy).abs() < 1e-13, "{found:?} instead of {scipy}");
        }
        for (found, paper) in found.iter().zip(paper) {
            assert_eq!(format!("{:.2}", found.unwrap()), format!("{paper:.2}"));
        }
    }
}

#[test]
fn scores_that_do_not_exist_are_tied_below_all_others() {
    let Some((set, accuracies)) = published() else { return };
    let naswot = set.column("freerea_naswot_c10").unwrap();
    assert_eq!(naswot.values.iter().filter(|value| value.is_none()).count(), 201);
    let settings = Settings { resamples: 0, ..Settings::default() };
    let rows = rows(&set, &["freerea_naswot_c10"], &accuracies, Dataset::Cifar10, &settings);
    let found = rows.iter().map(|r| r.correlation.coefficients.tau);
    for (found, scipy) in found.zip([0.6081509902434246, 0.6075549539163344]) {
        assert!((found.unwrap() - scipy).abs() < 1e-13, "{found:?} instead of {scipy}");
    }
}

#[test]
fn the_bootstrap_of_the_whole_space_agrees_with_scipys_of_other_draws() {
    let Some((set, accuracies)) = published() else { return };
    let settings = Settings { resamples: 300, ..Settings::default() };
    let rows = rows(&set, &["fracapuano_naswot_c10"], &accuracies, Dataset::Cifar10, &settings);
    let intervals = &rows[0].correlation.intervals;
    let (tau, rho) = (intervals.tau.unwrap(), intervals.rho.unwrap());
    // 1,000 resamples by NumPy's generator: .6003 to .6141 and .7866 to .8004.
    for (found, numpy) in [(tau.low, 0.60033), (tau.high, 0.61411), (rho.low, 0.78659), (rho.high, 0.80037)] {
        assert!((found - numpy).abs() < 0.0015, "{found} instead of {numpy}");
    }
}

#[test]
fn parameters_are_a_baseline_and_order_as_operations_do() {
    let Some((set, accuracies)) = published() else { return };
    let settings = Settings { resamples: 0, top: vec![Top::Count(10), Top::Percent(1.0)], ..Settings::default() };
    let rows = rows(&set, &["params", "macs", "fracapuano_naswot_c10"], &accuracies, Dataset::Cifar10, &settings);
    close(rows[0].correlation.coefficients.tau, 0.5778485929525705);
    assert_eq!(rows[0].correlation.coefficients, rows[1].correlation.coefficients);
    assert_eq!(rows.iter().map(|r| r.baseline).collect::<Vec<_>>(), [true, true, false, true, true, false]);
    let sizes: Vec<usize> = rows[0].correlation.top.iter().map(|(k, _)| *k).collect();
    assert_eq!(sizes, [10, 156]);
}

/// A score file with this content, and the folder that it lives in.
fn file(name: &str, content: &str) -> (tempfile::TempDir, ScoreFile) {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    let read = ScoreFile::open(&path).unwrap();
    (folder, read)
}

#[test]
fn files_are_joined_by_cell() {
    let (_a, a) = file("a.csv", "index,naswot,mine\n9,1.5,4\n3,,5\n7,0.5,6\n");
    let (_b, b) = file("b.csv", "index,log_synflow,loss_slope\n3,30,0.3\n9,10,0.1\n8,20,0.2\n");
    let mut set = ScoreSet::join(&[a, b], Clash::Refuse).unwrap();
    assert_eq!(set.cells().iter().map(Cell::index).collect::<Vec<_>>(), [3, 9]);
    assert_eq!(set.left_out(), 2);
    let names = |set: &ScoreSet| set.columns().iter().map(|c| c.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&set), ["naswot", "mine", "log_synflow", "loss_slope"]);
    assert_eq!(set.column("naswot").unwrap().values, [None, Some(1.5)]);
    assert_eq!(set.column("loss-slope").unwrap().values, [Some(0.3), Some(0.1)]);
    assert!(set.add_utopian().is_empty());
    set.add_baselines();
    assert_eq!(names(&set)[4..], ["utopian", "degree", "params", "macs"]);
    // Coordinates (0, 1, 1) and (1, 1/3, 1/3).
    let distances: Vec<f64> = set.measure(Measure::Utopian).unwrap().values.iter().map(|v| v.unwrap()).collect();
    assert!((distances[0] - 1.0).abs() < 1e-12 && (distances[1] - 8f64.sqrt() / 3.0).abs() < 1e-12, "{distances:?}");
    let degree = Cell::from_index(9).unwrap().degree();
    assert_eq!(set.column("degree").unwrap().values[1], Some(f64::from(degree)));
    let unknown = set.column("naswott").unwrap_err().to_string();
    assert!(unknown.contains("Did you mean naswot?"), "{unknown}");
    assert_eq!(best(&set, Combination::Single, &["utopian"]).unwrap(), (set.cells()[1], distances[1]));
}

#[test]
fn columns_of_one_name_are_averaged_or_refused() {
    let (_a, a) = file("a.csv", "index,loss_slope,degree\n3,0.25,2\n9,0.5,3\n");
    let (_b, b) = file("b.csv", "index,loss-slope\n9,\n3,0.75\n");
    let refused = ScoreSet::join(&[a.clone(), b.clone()], Clash::Refuse).unwrap_err().to_string();
    assert!(refused.contains("The column loss_slope") && refused.contains("--average"), "{refused}");
    let set = ScoreSet::join(&[a, b], Clash::Average).unwrap();
    let columns: Vec<_> = set.columns().iter().map(|c| (c.name.as_str(), c.measure, c.values.clone())).collect();
    let slope = Some(Measure::LossSlope);
    assert_eq!(
        columns,
        [
            ("loss_slope", slope, vec![Some(0.5), None]),
            ("loss_slope[1]", slope, vec![Some(0.25), Some(0.5)]),
            ("loss_slope[2]", slope, vec![Some(0.75), None]),
            ("degree", Some(Measure::Degree), vec![Some(2.0), Some(3.0)]),
        ]
    );
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let (_a, a) = file("a.csv", "index,dataset,x\n3,cifar10,1\n");
    let (_b, b) = file("b.csv", "index,dataset,y\n3,cifar100,1\n");
    let (_c, c) = file("c.csv", "index,z\n4,1\n");
    let told = |files: &[ScoreFile]| ScoreSet::join(files, Clash::Refuse).unwrap_err().to_string();
    let text = told(&[a.clone(), b]);
    assert!(text.contains("one data set") && text.contains("cifar100"), "{text}");
    assert!(told(&[a, c]).contains("a cell that all of them have"));
    assert!(told(&[]).contains("at least one"));
}

#[test]
fn directions_of_other_peoples_columns_can_be_turned() {
    let (_a, a) = file("a.csv", "index,cost,naswot\n3,1,5\n4,2,6\n5,3,7\n");
    let mut set = ScoreSet::join(&[a], Clash::Refuse).unwrap();
    set.lower_is_better(&["cost".to_string()]).unwrap();
    assert_eq!(set.column("cost").unwrap().promise(), [-1.0, -2.0, -3.0]);
    assert!(set.lower_is_better(&["naswot".to_string()]).unwrap_err().to_string().contains("no measure of etnas"));
    assert!(set.lower_is_better(&["cots".to_string()]).unwrap_err().to_string().contains("Did you mean cost?"));
}

#[test]
fn two_files_are_compared_cell_by_cell() {
    let (_a, a) = file("a.csv", "index,naswot,only_a\n3,1,0\n4,2,0\n5,,0\n6,4,0\n7,5,0\n");
    let (_b, b) = file("b.csv", "index,naswot,only_b\n7,4.5,0\n6,8,0\n5,,0\n4,2,0\n9,1,0\n8,1,0\n3,,0\n");
    let comparison = compare(&a, &b, 1).unwrap();
    assert_eq!((comparison.both, comparison.first_only.len()), (5, 0));
    assert_eq!(comparison.second_only.iter().map(Cell::index).collect::<Vec<_>>(), [8, 9]);
    assert_eq!((comparison.first_columns, comparison.second_columns), (vec!["only_a".into()], vec!["only_b".into()]));
    let [naswot] = comparison.columns.as_slice() else { panic!("{:?}", comparison.columns) };
    // Cells 4 and 5 are equal; 3 exists in one file alone; 6 and 7 differ by 4 and −0.5.
    assert_eq!((naswot.equal, naswot.one_only), (2, 1));
    assert!((naswot.mean_difference.unwrap() - 3.5 / 3.0).abs() < 1e-12);
    let [largest] = naswot.largest.as_slice() else { panic!("{:?}", naswot.largest) };
    assert_eq!((largest.cell.index(), largest.first, largest.second), (6, 4.0, 8.0));
    let expected = kendall_tau_b(&[1.0, 2.0, NONE, 4.0, 5.0], &[NONE, 2.0, NONE, 8.0, 4.5]);
    assert_eq!(naswot.coefficients.tau, expected);
    let (_c, c) = file("c.csv", "index,log_synflow\n3,1\n");
    assert!(compare(&a, &c, 1).unwrap_err().to_string().contains("a column that both have"));
    let (_d, d) = file("d.csv", "index,naswot\n1,1\n");
    assert!(compare(&a, &d, 1).unwrap_err().to_string().contains("a cell that both have"));
}

#[test]
fn a_sweep_over_the_space_is_a_search() {
    let Some((set, accuracies)) = published() else { return };
    let names = ["fracapuano_naswot_c10", "fracapuano_logsynflow_c10"];
    let columns: Vec<&ScoreColumn> = names.iter().map(|name| set.column(name).unwrap()).collect();
    // By hand over the whole space: one more than the number of strictly better cells in each column.
    let ranks = |column: &ScoreColumn, i: usize| {
        let promise = column.promise();
        1 + promise.iter().filter(|value| **value > promise[i]).count()
    };
    let sums = combine(Combination::RankSum, &columns).unwrap().numbers;
    for i in [0, 1462, 9930] {
        assert_eq!(sums[i], columns.iter().map(|column| ranks(column, i)).sum::<usize>() as f64);
    }
    let places = order(set.cells(), &sums);
    assert!(places.windows(2).all(|p| sums[p[0]] < sums[p[1]] || (sums[p[0]] == sums[p[1]] && p[0] < p[1])));
    let (cell, sum) = best(&set, Combination::RankSum, &names).unwrap();
    assert_eq!((cell.index(), sum), (places[0], sums[places[0]]));
    assert!(accuracies.lookup(&cell, Dataset::Cifar10).unwrap() > 93.0);
}

#[test]
fn pairs_may_be_resampled_many_times() {
    let (x, y) = drawn(4, 200, 20, 20);
    let paired = Paired::new(&x, &y).unwrap();
    assert_eq!((paired.len(), paired.is_empty()), (200, false));
    let intervals = paired.bootstrap(500, 1);
    let (tau, interval) = (paired.coefficients().tau.unwrap(), intervals.tau.unwrap());
    assert!(interval.low < tau && tau < interval.high && interval.high - interval.low < 0.3, "{interval:?} {tau}");
}
