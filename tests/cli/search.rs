//! `search`: what it reports in every format.

use super::{etnas, keys, rows, stdout};
use etnas::random::Seeds;
use serde_json::Value;

const SMALL: [&str; 10] =
    ["search", "--batch", "2", "--population", "4", "--sample", "2", "--cycles", "8", "--patience=500"];

fn small(more: &[&str]) -> String {
    stdout(&[&SMALL[..], &["--quiet"], more].concat())
}

/// Without what a clock decides.
fn timeless(mut json: Value) -> Value {
    for run in json["runs"].as_array_mut().unwrap() {
        run.as_object_mut().unwrap().remove("seconds").unwrap();
    }
    json
}

#[test]
fn json_has_the_contracts_keys() {
    let json: Value = serde_json::from_str(&small(&["--format", "json", "--runs", "2"])).unwrap();
    assert_eq!(keys(&json), ["meta", "runs", "mean", "std", "n"]);
    let runs = json["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    for (number, run) in runs.iter().enumerate() {
        assert_eq!(run["run"], number);
        for key in ["arch", "index", "test_accuracy", "evaluations", "seconds", "front", "ended"] {
            assert!(keys(run).contains(&key), "{key} is not in {run}");
        }
        let counts = ["log_synflow", "naswot", "loss_slope", "mutations", "children", "trained"];
        assert_eq!(keys(&run["evaluations"]), counts);
        assert_eq!((&run["method"], &run["simulated_seconds"]), (&"et-nas".into(), &0.0.into()));
        assert_eq!(keys(&run["seconds"]), ["evolution", "naswot", "loss_slope", "total"]);
        assert!(run["seconds"]["total"].as_f64().unwrap() > 0.0);
        let front = run["front"].as_array().unwrap();
        assert!(front.iter().any(|f| f["arch"] == run["arch"]), "{run}");
        assert!(front.iter().all(|f| f["log_synflow"].is_f64()));
    }
    let search = &json["meta"]["search"];
    assert_eq!(
        (&search["preset"], &search["population"], &search["cycles"]),
        (&"reference".into(), &4.into(), &8.into())
    );
    assert!(json["meta"]["accuracies"]["source"].is_string());
    assert_eq!(timeless(json), timeless(serde_json::from_str(&small(&["--format", "json", "--runs", "2"])).unwrap()));
}

#[test]
fn rows_hold_no_time_and_are_the_same_on_any_threads() {
    for format in ["jsonl", "csv"] {
        let run = |threads: &str| {
            let output =
                etnas(&[&SMALL[..], &["--runs", "3", "--format", format, "--quiet", "--threads", threads]].concat())
                    .output()
                    .unwrap();
            assert!(output.status.success() && output.stderr.is_empty());
            String::from_utf8(output.stdout).unwrap()
        };
        let text = run("1");
        assert_eq!(text, run("2"));
        assert!(!text.replace("simulated_seconds", "").contains("seconds"), "{text}");
        assert_eq!(text.lines().count(), if format == "csv" { 4 } else { 3 });
    }
}

#[test]
fn accuracies_come_from_the_table_and_the_mean_is_over_those_that_have_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    let mut table = String::from("arch_index,cifar10_test200\n");
    (0..15_625).for_each(|i| table.push_str(&format!("{i},{}\n", 10.0 + i as f64 / 200.0)));
    std::fs::write(&path, table).unwrap();
    let file = path.to_str().unwrap();
    let json: Value = serde_json::from_str(&small(&["--format", "json", "--runs", "3", "--table", file])).unwrap();
    let mut accuracies = Vec::new();
    for run in json["runs"].as_array().unwrap() {
        let accuracy = run["test_accuracy"].as_f64().unwrap();
        assert_eq!(accuracy, 10.0 + run["index"].as_f64().unwrap() / 200.0);
        accuracies.push(accuracy);
    }
    let mean = accuracies.iter().sum::<f64>() / 3.0;
    let variance = accuracies.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / 2.0;
    assert!((json["mean"].as_f64().unwrap() - mean).abs() < 1e-9);
    assert!((json["std"].as_f64().unwrap() - variance.sqrt()).abs() < 1e-9);
    assert_eq!(json["n"], 3);

    let index = json["runs"][0]["index"].as_u64().unwrap();
    let text = small(&["--table", file]);
    let rank = 15_625 - index;
    let expected = format!("{:.2} % on the test images of CIFAR-10, rank ", 10.0 + index as f64 / 200.0);
    assert!(text.contains(&expected), "{expected} is not in {text}");
    let digits: String =
        text.split(", rank ").nth(1).unwrap().chars().take_while(|c| *c != ' ').filter(|c| *c != ',').collect();
    assert_eq!(digits.parse::<u64>().unwrap(), rank);
    let through_the_environment = etnas(&SMALL).env("ETNAS_TABLE", file).output().unwrap();
    assert!(String::from_utf8(through_the_environment.stdout).unwrap().contains(&expected));
}

#[test]
fn a_cell_without_accuracy_says_how_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    // The table knows one cell, a dead one that no search ends on.
    std::fs::write(&path, "arch_index,cifar10_test200\n10,10.0\n").unwrap();
    let table = ["--table", path.to_str().unwrap()];
    let text = small(&table);
    assert!(text.contains("unknown\n") && text.contains("--table FILE"), "{text}");
    let json = etnas(&[&SMALL[..], &table, &["--format", "json"]].concat()).output().unwrap();
    let read: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&read["runs"][0]["test_accuracy"], &read["mean"], &read["n"]), (&Value::Null, &Value::Null, &0.into()));
    let note = String::from_utf8(json.stderr).unwrap();
    assert!(note.starts_with("note: ") && note.contains("--table FILE"), "{note}");
}

#[test]
fn the_screen_shows_cell_costs_and_sources() {
    let one = small(&[]);
    assert!(one.starts_with("ET-NAS on CIFAR-10: preset reference, variant et-nas\n\n"), "{one}");
    let labels =
        ["cell   ", "index   ", "accuracy   ", "evaluated   ", "seconds   ", "ended   ", "images   ", "accuracies   "];
    for label in labels {
        assert!(one.lines().any(|line| line.starts_with(label)), "{label} is not in {one}");
    }
    assert!(one.contains("LogSynflow, ") && one.contains("= evolution ") && one.contains("  0 ") && one.contains("▶"));
    assert_eq!(one.lines().filter(|line| line.starts_with('*')).count(), 1, "{one}");
    let several = small(&["--runs", "3", "--variant", "rank"]);
    assert!(several.starts_with("ET-NAS on CIFAR-10: preset reference, variant rank, 3 runs\n\n"), "{several}");
    let runs = several.lines().skip(4).take(3).map(|line| line.split_whitespace().next().unwrap());
    assert_eq!(runs.collect::<Vec<_>>(), ["0", "1", "2"], "{several}");
}

#[test]
fn runs_share_the_weight_seed_unless_asked() {
    let seeds = |more: &[&str]| {
        let text = stdout(&[&SMALL[..], &["--runs", "2", "--format", "jsonl", "--quiet"], more].concat());
        rows(&text).iter().map(|run| run["weight_seed"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let first = Seeds::new(0);
    assert_eq!(seeds(&[]), [first.weight, first.weight]);
    assert_eq!(seeds(&["--weights-per-run"]), [first.weight, first.repeat(1).weight]);
}

#[test]
fn a_search_that_stalls_ends_and_says_so() {
    let text = stdout(&[
        "search",
        "--batch",
        "2",
        "--preset",
        "algorithm1",
        "--population",
        "4",
        "--sample",
        "2",
        "--cycles",
        "300",
        "--patience",
        "50",
    ]);
    assert!(text.contains("The search ended early: 50 mutants in a row were rejected"), "{text}");
}

/// A table in which the accuracy of a cell follows from its index, and a training takes 30 s on CIFAR-10.
fn trainings(folder: &std::path::Path) -> String {
    let mut table =
        String::from("arch_index,cifar10_test200,cifar10_valid12,cifar100_valid12,train_time_epoch_50k_s\n");
    for i in 0..15_625 {
        table.push_str(&format!("{i},{},{},{},5\n", i as f64 / 200.0, i as f64 / 160.0, 99.0 - i as f64 / 160.0));
    }
    let path = folder.join("table.csv");
    std::fs::write(&path, table).unwrap();
    path.to_str().unwrap().to_string()
}

#[test]
fn methods_that_train_report_their_simulated_cost() {
    let folder = tempfile::tempdir().unwrap();
    let table = trainings(folder.path());
    let search = |more: &[&str]| stdout(&[&["search", "--quiet", "--table", &table], more].concat());
    let text = search(&["--method", "rea", "--simulated-seconds", "600", "--format", "json", "--runs", "2"]);
    let json: Value = serde_json::from_str(&text).unwrap();
    for run in json["runs"].as_array().unwrap() {
        assert_eq!((&run["method"], &run["criterion"]), (&"rea".into(), &"valid_accuracy".into()));
        assert_eq!((&run["evaluations"]["trained"], &run["simulated_seconds"]), (&20.into(), &600.0.into()));
        assert_eq!((&run["ended"], keys(&run["seconds"])), (&"simulated-seconds-spent".into(), vec!["total"]));
        assert_eq!(run["score"].as_f64().unwrap(), run["index"].as_f64().unwrap() / 160.0);
        assert_eq!(run["test_accuracy"].as_f64().unwrap(), run["index"].as_f64().unwrap() / 200.0);
    }
    let search_keys = &json["meta"]["search"];
    assert_eq!((&search_keys["name"], &search_keys["simulated_seconds"]), (&"rea".into(), &600.0.into()));
    assert_eq!((&search_keys["validated_on"], &search_keys["evaluations"]), (&"cifar10".into(), &Value::Null));
    // Accuracies of another data set order cells the other way round; the cost stays that of the one searched.
    let other = search(&[
        "--method",
        "random-accuracy",
        "--evaluations",
        "9",
        "--validate-on",
        "cifar100",
        "--format",
        "jsonl",
    ]);
    let run = &rows(&other)[0];
    assert_eq!(run["score"].as_f64().unwrap(), 99.0 - run["index"].as_f64().unwrap() / 160.0);
    assert_eq!(run["simulated_seconds"], 270.0);
    let screen = search(&["--method", "reinforce"]);
    assert!(
        screen.starts_with("REINFORCE on CIFAR-10: learning rate 0.01, momentum 0.9, 20,000 simulated seconds\n"),
        "{screen}"
    );
    for line in
        ["won by       ", "evaluated    667 trainings of 12 epochs", "simulated    20,010 s of training (5.6 hours)"]
    {
        assert!(screen.contains(line), "{line} is not in {screen}");
    }
    assert!(!screen.contains("\nimages"), "{screen}");
    let several = search(&["--method", "local", "--by", "accuracy", "--starts", "2", "--runs", "3"]);
    assert!(several.starts_with("Local search on CIFAR-10: by accuracy, 2 starts, 3 runs\n"), "{several}");
    assert!(several.contains("valid %  trained  seconds"), "{several}");
}

#[test]
fn methods_by_scores_report_what_they_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let table = trainings(folder.path());
    let one = |more: &[&str]| {
        let text =
            stdout(&[&["search", "--quiet", "--batch", "2", "--table", &table, "--format", "jsonl"], more].concat());
        rows(&text).remove(0)
    };
    let run = one(&["--method", "random-naswot", "--evaluations", "4"]);
    assert_eq!(
        (&run["evaluations"]["naswot"], &run["criterion"], &run["front"]),
        (&4.into(), &"naswot".into(), &serde_json::json!([]))
    );
    let run = one(&["--method", "free-rea", "--evaluations", "4", "--population", "3", "--sample", "2"]);
    assert_eq!((&run["evaluations"]["naswot"], &run["evaluations"]["log_synflow"]), (&4.into(), &4.into()));
    let run = one(&["--method", "area", "--pool", "4", "--population", "2", "--sample", "2", "--evaluations", "5"]);
    assert_eq!((&run["evaluations"]["naswot"], &run["evaluations"]["trained"]), (&4.into(), &5.into()));
    // The variants have two names.
    let by_method = small(&["--method", "no-degree", "--format", "jsonl"]);
    assert_eq!(by_method, small(&["--variant", "no-degree", "--format", "jsonl"]));
    assert_eq!(by_method, small(&["--method", "no-degree", "--variant", "no-degree", "--format", "jsonl"]));
}

#[test]
fn trajectories_go_to_files() {
    let folder = tempfile::tempdir().unwrap();
    let table = trainings(folder.path());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (csv, jsonl) = (path("t.csv"), path("t.jsonl"));
    let common = ["search", "--quiet", "--table", &table, "--method", "rea", "--evaluations", "15", "--runs", "2"];
    stdout(&[&common[..], &["--trajectory", &jsonl]].concat());
    let points = rows(&std::fs::read_to_string(&jsonl).unwrap());
    assert_eq!(points.len(), 30);
    let expected = [
        "method",
        "dataset",
        "run",
        "evaluations",
        "seconds",
        "simulated_seconds",
        "criterion",
        "score",
        "index",
        "arch",
        "test_accuracy",
    ];
    for (i, point) in points.iter().enumerate() {
        assert_eq!(keys(point), expected);
        assert_eq!((&point["run"], &point["evaluations"]), (&(i / 15).into(), &(i % 15 + 1).into()));
        assert_eq!(point["simulated_seconds"], 30.0 * (i % 15 + 1) as f64);
        assert_eq!(point["test_accuracy"].as_f64().unwrap(), point["index"].as_f64().unwrap() / 200.0);
    }
    stdout(&[&common[..], &["--trajectory", &csv]].concat());
    let text = std::fs::read_to_string(&csv).unwrap();
    assert_eq!((text.lines().next().unwrap(), text.lines().count()), (expected.join(",").as_str(), 31));
    for name in ["t.csv.meta.json", "t.jsonl.meta.json"] {
        let meta: Value = serde_json::from_str(&std::fs::read_to_string(path(name)).unwrap()).unwrap();
        assert_eq!(meta["search"]["name"], "rea");
    }
    // ET-NAS: a point for each LogSynflow and one for the choice.
    stdout(&[&SMALL[..], &["--quiet", "--trajectory", &jsonl]].concat());
    let points = rows(&std::fs::read_to_string(&jsonl).unwrap());
    let criteria: Vec<&str> = points.iter().map(|point| point["criterion"].as_str().unwrap()).collect();
    assert_eq!(criteria[..9], ["log_synflow"; 9]);
    assert_eq!(criteria[9..], ["utopian"]);
    for (file, part) in [("t.txt", "ends in .csv or .jsonl"), ("none/t.csv", "Choose a file in a folder that exists")] {
        let output = etnas(&[&common[..], &["--trajectory", &path(file)]].concat()).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && error.contains(part), "{error}");
    }
    let output = etnas(&[&common[..], &["--trajectory", &csv, "-o", &csv]].concat()).output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("another than that of -o"));
}

#[test]
fn options_of_other_methods_are_refused() {
    for (options, part) in [
        (
            &["--method", "rea", "--cycles", "60"][..],
            "--cycles: expected an option of --method rea, which has --population, --sample,",
        ),
        (&["--evaluations", "60"], "--evaluations: expected an option of --method et-nas"),
        (&["--method", "random-naswot", "--simulated-seconds", "60"], "--simulated-seconds: expected an option of"),
        (&["--method", "rea", "--weights-per-run"], "--weights-per-run: expected"),
        (&["--method", "local", "--validate-on", "cifar100"], "--validate-on: expected"),
        (&["--method", "rank", "--variant", "no-degree"], "--variant: expected none beside --method rank"),
        (&["--method", "ree"], "There is no search method called"),
        (&["--method", "rea"], "expected the columns cifar10_valid12 and train_time_epoch_50k_s"),
        (&["--method", "area", "--pool", "3"], "The pool of AREA"),
        (&["--method", "reinforce", "--simulated-seconds=-3"], "a positive number"),
        (&["--method", "reinforce", "--learning-rate", "fast"], "expected a number"),
    ] {
        let output = etnas(&[&["search"], options].concat()).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(part) && error.lines().count() == 1, "{error}");
        assert!(output.stdout.is_empty());
    }
}
