//! The paper's figures are those of the paper, and what can be computed from tables alone comes out as published.

mod common;

use common::shared;
use etnas::engine::Options;
use etnas::input::{Dataset, Source};
use etnas::reproduce::{self, paper, Entry, Experiment, Laboratory, Quantity, Setting};
use etnas::search::{Method, RandomNaswot};
use etnas::space::Cell;
use etnas::table::{Accuracies, ScoreFile};
use std::path::Path;

fn setting(runs: usize) -> Setting {
    Setting {
        runs,
        most_scores: None,
        sample: None,
        weights_per_run: false,
        datasets: Dataset::ALL.to_vec(),
        options: Options { batch: 4, ..Options::default() },
        images: [Source::Photos, Source::Photos, Source::Photos],
    }
}

/// The numbers of a Markdown table row, `|` and `±` and `/` between them.
fn numbers(row: &str) -> Vec<f64> {
    let words = row.split(|c: char| !(c.is_ascii_digit() || ".e".contains(c)));
    words.filter_map(|word| word.parse().ok()).collect()
}

/// Mean, deviation and seconds of each data set in a row of Table I or II. Two deviations are misprints: behind them stands what
/// the experiment's own output says. The seconds have deviations too, which are not compared.
fn random_search(row: &str) -> Vec<f64> {
    let of = |cell: &str| {
        let all = numbers(cell);
        [all[0], all[all.len() - 3], all[all.len() - 2]]
    };
    row.trim_matches(['|', ' ']).split('|').skip(1).flat_map(of).collect()
}

#[test]
fn published_figures_are_those_of_the_papers_tables() {
    let Some(page) = shared("paper_tables.md") else { return };
    let page = std::fs::read_to_string(page).unwrap();
    let part = |title: &str| {
        let from = page.find(&format!("**{title}**")).unwrap();
        let rows = page[from..].lines().skip_while(|line| !line.starts_with('|')).skip(2);
        rows.take_while(|line| line.starts_with('|')).map(String::from).collect::<Vec<_>>()
    };
    let three = |figures: [paper::Published; 3]| -> Vec<f64> {
        figures.iter().flat_map(|f| [f.mean, f.std.unwrap(), f.seconds.unwrap()]).collect()
    };
    for (n, (one, two)) in paper::DRAWN.into_iter().zip(part("Table I").iter().zip(part("Table II"))) {
        let expected = three(Dataset::ALL.map(|d| paper::table1(n, d).unwrap()));
        assert_eq!(random_search(one), expected, "{one}");
        let expected = three(Dataset::ALL.map(|d| paper::table2(n, d).unwrap()));
        assert_eq!(random_search(&two), expected, "{two}");
    }
    for (dataset, row) in Dataset::ALL.into_iter().zip(part("Table III")) {
        let figures = (0..4).flat_map(|m| paper::table3(m, dataset).unwrap().map(|f| f.mean));
        let row = row.split_once(dataset.title()).unwrap().1.to_string();
        assert_eq!(numbers(&row), figures.collect::<Vec<_>>(), "{row}");
    }
    type Named = Vec<(&'static str, [paper::Published; 3])>;
    let tables: [(&str, Named); 2] = [("Table IV", paper::table4().collect()), ("Table V", paper::table5().collect())];
    for (title, rows) in tables {
        let printed = part(title);
        assert_eq!(printed.len(), rows.len());
        for (line, (name, figures)) in printed.iter().zip(rows) {
            let rest = line.strip_prefix(&format!("| {name} |")).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(numbers(rest), three(figures), "{line}");
        }
    }
}

/// Score files of the whole space out of published scores; LossSlope is not published, a stand-in orders by index.
fn files(folder: &Path, proxies: &Path) -> Vec<ScoreFile> {
    let published = ScoreFile::open(proxies).unwrap();
    let file = |dataset: Dataset, suffix: &str| {
        let column = |name: &str| &published.column(&format!("fracapuano_{name}_{suffix}")).unwrap().values;
        let (naswot, synflow) = (column("naswot"), column("logsynflow"));
        let mut text = String::from("index,dataset,naswot,log_synflow,loss_slope\n");
        for (i, cell) in published.cells().iter().enumerate() {
            let (naswot, synflow) = (naswot[i].unwrap(), synflow[i].unwrap());
            text.push_str(&format!("{},{},{naswot},{synflow},{}\n", cell.index(), dataset.name(), cell.index()));
        }
        let path = folder.join(format!("{suffix}.csv"));
        std::fs::write(&path, text).unwrap();
        ScoreFile::open(&path).unwrap()
    };
    vec![file(Dataset::Cifar10, "c10"), file(Dataset::Cifar100, "c100"), file(Dataset::ImageNet16, "in16")]
}

fn figure<'a>(entries: &'a [Entry], row: &str, dataset: Dataset, quantity: Quantity) -> &'a Entry {
    entries
        .iter()
        .find(|e| e.row == row && e.dataset == dataset && e.quantity == quantity)
        .unwrap_or_else(|| panic!("no {row}"))
}

#[test]
fn published_scores_give_the_published_correlations_and_searches() {
    let (Some(table), Some(proxies)) = (shared("data/nb201_accuracy.csv"), shared("data/nb201_proxy_scores.csv"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let accuracies = Accuracies::open(&table).unwrap();
    let files = files(folder.path(), &proxies);
    let mut lab = Laboratory::new(setting(30), &accuracies, &files, &()).unwrap();

    let table3 = reproduce::table3(&mut lab).unwrap();
    for dataset in Dataset::ALL {
        for row in ["naswot", "LogSynflow"] {
            for quantity in [Quantity::Kendall, Quantity::Spearman] {
                let entry = figure(&table3.entries, row, dataset, quantity);
                let found = entry.found.as_ref().unwrap();
                // The paper rounds to two digits.
                assert!(entry.difference().unwrap().abs() < 0.0051, "{entry:?}");
                assert_eq!((found.n, found.origin.name(), found.origin.from_files), (15_625, "files", 15_625));
            }
            let classes = figure(&table3.entries, &format!("{row}, classes"), dataset, Quantity::Kendall);
            assert_eq!(classes.found.as_ref().unwrap().n, 6_466);
        }
        // The stand-in has nothing to do with accuracy.
        assert!(
            figure(&table3.entries, "LossSlope", dataset, Quantity::Kendall).found.as_ref().unwrap().mean.abs() < 0.05
        );
    }

    let table1 = reproduce::table1(&mut lab).unwrap();
    for entry in &table1.entries {
        // Four deviations of both means: 9 figures, each off by more once in 16,000.
        assert!(entry.standard_errors().unwrap().abs() < 4.0, "{entry:?}");
        assert_eq!(entry.found.as_ref().unwrap().origin.name(), "files");
        assert_eq!(entry.found.as_ref().unwrap().cold_seconds, None);
    }
    let table4 = reproduce::table4(&mut lab).unwrap();
    for row in ["RANK", "NO DEGREE", "ET-NAS", "ET-NAS without Degree", "Sweep by naswot", "Sweep by utopian distance"]
    {
        for dataset in Dataset::ALL {
            assert!(figure(&table4.entries, row, dataset, Quantity::Accuracy).found.is_ok(), "{row}");
        }
    }
    // The best of all by published naswot, and nothing else decides.
    let naswot = files[0].column("naswot").unwrap();
    let best =
        (0..naswot.values.len()).max_by(|&a, &b| naswot.values[a].partial_cmp(&naswot.values[b]).unwrap()).unwrap();
    let sweep = figure(&table4.entries, "Sweep by naswot", Dataset::Cifar10, Quantity::Accuracy);
    let accuracy = accuracies.lookup(&files[0].cells()[best], Dataset::Cifar10).unwrap();
    assert_eq!(sweep.found.as_ref().unwrap().mean, accuracy);
}

#[test]
fn what_cannot_be_computed_is_shown_as_missing() {
    let builtin = Accuracies::builtin();
    let mut lab = Laboratory::new(setting(1), &builtin, &[], &()).unwrap();
    for table in [reproduce::table2(&mut lab).unwrap(), reproduce::table3(&mut lab).unwrap()] {
        assert!(table.entries.len() >= 9);
        assert!(table.entries.iter().all(|entry| entry.found.as_ref().is_err_and(|why| why.contains("--table"))));
        assert!(table.entries.iter().filter(|entry| entry.paper.is_some()).all(|entry| entry.difference().is_none()));
    }
    let (fig2, picture) = reproduce::fig2(&mut lab).unwrap();
    assert!(picture.is_none() && fig2.entries.iter().all(|entry| entry.found.is_err()));
}

#[test]
fn score_files_that_could_not_be_ranked_with_live_scores_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        ScoreFile::open(&folder.path().join(name)).unwrap()
    };
    let builtin = Accuracies::builtin();
    let refused = |file: ScoreFile| Laboratory::new(setting(1), &builtin, &[file], &()).err().unwrap().to_string();
    assert!(refused(file("a.csv", "index,naswot\n5,1\n")).contains("one data set"));
    assert!(refused(file("b.csv", "index,dataset,naswot\n5,cifar10,1\n")).contains("all 15625 cells"));
}

#[test]
fn live_runs_tell_what_was_computed_and_what_was_remembered() {
    let builtin = Accuracies::builtin();
    let datasets = vec![Dataset::ImageNet16];
    let mut lab = Laboratory::new(Setting { datasets, ..setting(2) }, &builtin, &[], &()).unwrap();
    let table = reproduce::table4(&mut lab).unwrap();
    for row in ["RANK", "ET-NAS"] {
        let found = figure(&table.entries, row, Dataset::ImageNet16, Quantity::Accuracy).found.as_ref().unwrap();
        assert_eq!((found.n, found.origin.from_files, found.origin.from_table), (2, 0, 0));
        // 61 LogSynflow a run, of which the second run finds some remembered; the first was cold.
        assert!(found.origin.computed > 61 && found.origin.computed + found.origin.remembered >= 122, "{found:?}");
        assert!(found.cold_seconds.is_some_and(|s| s > 0.0 && s <= found.seconds));
        assert_eq!(found.simulated_seconds, None);
    }
    let cell: Cell = "9930".parse().unwrap();
    assert!(builtin.lookup(&cell, Dataset::ImageNet16).is_some());
}

#[test]
fn a_method_is_timed_once_where_scores_are_limited() {
    let builtin = Accuracies::builtin();
    let limited = Setting { datasets: vec![Dataset::ImageNet16], most_scores: Some(1000), ..setting(2) };
    let mut lab = Laboratory::new(limited, &builtin, &[], &()).unwrap();
    let [first, again] = [(), ()].map(|()| reproduce::table4(&mut lab).unwrap().entries);
    let found = |entries: &[Entry], row| {
        figure(entries, row, Dataset::ImageNet16, Quantity::Accuracy).found.as_ref().unwrap().clone()
    };
    for row in ["RANK", "NO DEGREE", "ET-NAS"] {
        let (first, again) = (found(&first, row), found(&again, row));
        assert!(first.cold_seconds.is_some_and(|seconds| seconds > 0.0) && first.origin.computed > 0, "{first:?}");
        assert_eq!((again.cold_seconds, again.mean), (first.cold_seconds, first.mean), "{row}");
    }
    // ET-NAS came last: all of its scores are there.
    assert_eq!(found(&again, "ET-NAS").origin.computed, 0);
    let extra = found(&first, "ET-NAS without Degree");
    assert!(extra.cold_seconds.is_none() && extra.origin.remembered > 0, "{extra:?}");
}

#[test]
fn rows_that_would_take_long_get_one_run_where_that_is_asked() {
    let quick = Setting { most_scores: Some(1_000), ..setting(5) };
    let drawn = |n| Method::RandomNaswot(RandomNaswot { evaluations: n });
    let named = |name| Method::from_name(name).unwrap();
    for (method, published, runs) in [
        (drawn(100), true, 5),
        (drawn(200), true, 5),
        (drawn(201), true, 1),
        (named("et-nas"), true, 5),
        (named("off-degree"), false, 1),
        (named("local"), false, 1),
        // What is looked up costs nothing.
        (named("random-accuracy"), true, 5),
        (named("rea"), false, 5),
    ] {
        assert_eq!(quick.runs_of(&method, published), runs, "{method:?}");
        assert_eq!(setting(5).runs_of(&method, published), 5);
    }
}

#[test]
fn experiments_have_names() {
    for experiment in Experiment::ALL {
        assert_eq!(Experiment::named(experiment.name()).unwrap(), [experiment]);
    }
    assert_eq!(Experiment::named("all").unwrap(), Experiment::ALL);
    assert!(Experiment::named("tabel1").unwrap_err().to_string().contains("table1"));
}
