//! Seen elsewhere: scores that depend on the draw of weights are told as if they were the cell's own, and one seed moves everything.

use super::{keys, rows, stdout};
use etnas::engine::{Engine, Options};
use etnas::input::Dataset;
use etnas::measure::Measure;
use etnas::random::Seeds;
use serde_json::Value;

const SCORE: [&str; 8] = ["score", "1462", "5", "--dataset", "imagenet16-120", "--batch", "2", "--measures"];

fn scored(measures: &str, more: &[&str]) -> Vec<Value> {
    rows(&stdout(&[&SCORE[..], &[measures, "--format", "jsonl"], more].concat()))
}

#[test]
fn the_weight_seed_is_apart_from_the_search_seed() {
    let measures = "naswot,log-synflow,loss-slope";
    let first = scored(measures, &[]);
    assert_eq!(scored(measures, &["--search-seed", "77", "--sample-seed", "78"]), first);
    for record in scored(measures, &["--weight-seed", "77"]).iter().zip(&first) {
        assert!(["naswot", "log_synflow", "loss_slope"].iter().all(|key| record.0[*key] != record.1[*key]));
    }
    // What a search decides: the cells that it starts with are those of the search seed.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.jsonl");
    let searched = |more: &[&str]| {
        let tiny = ["--dataset", "imagenet16-120", "--batch", "2", "--quiet", "--format", "jsonl", "--trajectory"];
        let method = ["search", "--method", "random-naswot", "--evaluations", "8"];
        let found = rows(&stdout(&[&method[..], &tiny, &[path.to_str().unwrap()], more].concat())).remove(0);
        let points = rows(&std::fs::read_to_string(&path).unwrap());
        let first_cell = points[0]["index"].clone();
        (found["weight_seed"].clone(), first_cell, found["score"].clone())
    };
    let (weights, cell, score) = searched(&[]);
    let other_weights = searched(&["--weight-seed", "77"]);
    assert_eq!((other_weights.0, &other_weights.1), (77.into(), &cell));
    assert_ne!(other_weights.2, score);
    let other_decisions = searched(&["--search-seed", "77"]);
    assert_eq!(other_decisions.0, weights);
    assert_ne!(other_decisions.1, cell);
}

#[test]
fn repeats_are_the_mean_and_the_spread_of_their_draws() {
    let measures = [Measure::Naswot, Measure::LogSynflow, Measure::Synflow, Measure::LossSlope];
    let cells = ["1462", "5"].map(|cell| cell.parse().unwrap());
    let records = scored("naswot,log-synflow,synflow,loss-slope,degree,params", &["--repeats", "3", "--seed", "9"]);
    let drawn = ["naswot", "naswot_std", "log_synflow", "log_synflow_std", "synflow", "synflow_std"];
    assert_eq!(keys(&records[0])[4..10], drawn);
    assert_eq!(keys(&records[0])[10..], ["degree", "loss_slope", "loss_slope_std", "params"]);
    let seeds = Seeds::new(9);
    let draws: Vec<_> = (0..3)
        .map(|repeat| {
            let seeds = seeds.repeat(repeat);
            let options = Options { dataset: Dataset::ImageNet16, batch: 2, seeds, ..Options::default() };
            Engine::new(options).unwrap().records(&cells, &measures, &()).unwrap()
        })
        .collect();
    for (at, record) in records.iter().enumerate() {
        for measure in measures {
            let values: Vec<f64> = draws.iter().map(|draw| draw[at].score(measure).unwrap().value.unwrap()).collect();
            let mean = values.iter().sum::<f64>() / 3.0;
            let std = (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / 2.0).sqrt();
            let told = |key: &str| record[key].as_f64().unwrap();
            let (found, spread) = (told(measure.key()), told(&format!("{}_std", measure.key())));
            assert!((found - mean).abs() <= 1e-12 * mean.abs(), "{measure:?}: {found} {mean}");
            assert!(spread > 0.0 && (spread - std).abs() <= 1e-9 * std, "{measure:?}: {spread} {std}");
        }
    }
}

#[test]
fn the_spread_is_printed() {
    let table = stdout(&[&SCORE[..], &["naswot,log-synflow", "--repeats", "2"]].concat());
    let header = table.lines().next().unwrap();
    assert_eq!(header.matches('±').count(), 2, "{table}");
    assert!(table.contains("± standard deviation over the repeats"), "{table}");
    let csv = stdout(&[&SCORE[..], &["naswot,log-synflow", "--repeats", "2", "--format", "csv"]].concat());
    assert!(csv.starts_with("index,arch,dataset,status,naswot,naswot_std,log_synflow,log_synflow_std\n"), "{csv}");
    // Of searches: the accuracies over the runs.
    let method = ["search", "--method", "random-naswot", "--evaluations", "2", "--runs", "2", "--quiet"];
    let several = stdout(&[&method[..], &["--dataset", "imagenet16-120", "--batch", "2"]].concat());
    assert!(several.contains("accuracy"), "{several}");
}
