//! What must be known to get the same results again: no time, host, duration, thread count, chunk size or output path.

use super::{json::object, measures, Sweep};
use crate::engine::Engine;
use crate::input::Dataset;
use crate::measure::Measure;
use crate::search::{Criterion, Method};
use crate::table::{Accuracies, ScoreFile};
use serde_json::{json, Value};

/// The metadata of scored cells: program, version, configuration, the measures with direction and definition, the cells asked for and the
/// shard of them, how many are there (`None` while the records are being written), and whether that is all.
pub fn score_metadata(
    engine: &Engine,
    asked: &[Measure],
    sweep: &Sweep,
    cells: Option<usize>,
    complete: bool,
) -> Value {
    let mut meta = opening("score", Some(engine));
    meta.extend(object([
        ("measures", described(asked, Some(engine))),
        ("selection", sweep.selection()),
        ("shard", sweep.shard_value()),
        ("cells", Value::from(cells)),
        ("complete", Value::from(complete)),
    ]));
    Value::Object(meta)
}

/// Where the scores of a search came from.
#[derive(Clone, Copy)]
pub enum ScoreSource<'a> {
    /// An engine computed them.
    Engine(&'a Engine),
    /// They stand in files of the whole space.
    Files(&'a [ScoreFile]),
}

/// What a test accuracy is, where its name does not say it all: unit, images, epochs.
pub(super) const TEST_ACCURACY: &str = "percent, mean test accuracy after 200 epochs";

/// What was asked of a search beside the engine's options.
pub struct SearchSetting<'a> {
    /// The method.
    pub method: &'a Method,
    /// The data set by whose validation accuracy cells are compared, where the method trains.
    pub validated_on: Option<Dataset>,
    /// Runs asked for.
    pub runs: usize,
    /// Number of the first of them.
    pub first_run: usize,
    /// Each run draws its own weights.
    pub weights_per_run: bool,
    /// Where test accuracies are looked up afterwards.
    pub accuracies: &'a Accuracies,
}

/// The metadata of a search, as [`score_metadata`] with the search's own setting and the source of accuracies.
///
/// With score files there is no configuration; name and metadata of each file stand in its stead.
pub fn search_metadata(source: ScoreSource, setting: &SearchSetting, dataset: Dataset, complete: bool) -> Value {
    let measures: &[Measure] = match setting.method {
        Method::EtNas(_) => &[Measure::Naswot, Measure::LogSynflow, Measure::Degree, Measure::LossSlope],
        other => other.needs_scores(),
    };
    let (engine, files) = match source {
        ScoreSource::Engine(engine) => (Some(engine), Value::Null),
        ScoreSource::Files(files) => (None, files.iter().map(file_value).collect()),
    };
    let mut meta = opening("search", engine);
    meta.extend(object([
        ("score_files", files),
        ("search", search_value(setting, dataset)),
        ("measures", described(measures, engine)),
        ("criteria", criteria(setting.method)),
        ("accuracies", json!({"source": setting.accuracies.source(), "unit": TEST_ACCURACY})),
        ("complete", Value::from(complete)),
    ]));
    Value::Object(meta)
}

/// Method, options and budget.
fn search_value(setting: &SearchSetting, dataset: Dataset) -> Value {
    let mut value = match setting.method {
        Method::EtNas(search) => json!({
            "method": "ET-NAS",
            "preset": search.preset.name(),
            "variant": search.variant.name(),
            "degree_rule": search.rule().name(),
            "rank_pool": search.rank_pool.name(),
            "population": search.population,
            "sample": search.sample,
            "cycles": search.cycles,
            "patience": search.patience,
        }),
        other => json!({"method": other.title(), "name": other.name()}),
    };
    let options = match setting.method {
        Method::EtNas(_) => Value::Null,
        Method::RandomNaswot(search) => json!(search),
        Method::RandomAccuracy(search) => json!(search),
        Method::Rea(search) => json!(search),
        Method::ReaNaswot(search) => json!(search),
        Method::Area(search) => json!(search),
        Method::Reinforce(search) => json!(search),
        Method::FreeRea(search) => json!(search),
        Method::LocalSearch(search) => json!(search),
    };
    if let (Some(object), Value::Object(options)) = (value.as_object_mut(), options) {
        object.extend(options);
        // The budget in force, not the one that was left open.
        let budget = setting.method.budget(dataset);
        for (key, limit) in
            [("evaluations", json!(budget.evaluations)), ("simulated_seconds", json!(budget.simulated_seconds))]
        {
            if object.contains_key(key) {
                object.insert(key.to_string(), limit);
            }
        }
        if let Some(validated_on) = setting.validated_on {
            object.insert("validated_on".to_string(), Value::from(validated_on.name()));
        }
    }
    if let Some(object) = value.as_object_mut() {
        object.insert("runs".to_string(), Value::from(setting.runs));
        // Only a part of a search begins elsewhere.
        if setting.first_run > 0 {
            object.insert("first_run".to_string(), Value::from(setting.first_run));
        }
        object.insert("weights_per_run".to_string(), Value::from(setting.weights_per_run));
    }
    value
}

/// A score file, and how it came about where that is known.
fn file_value(file: &ScoreFile) -> Value {
    let name = file.path().file_name().unwrap_or(file.path().as_os_str()).to_string_lossy();
    json!({"name": name, "meta": file.metadata()})
}

fn opening(command: &str, engine: Option<&Engine>) -> serde_json::Map<String, Value> {
    object([
        ("program", Value::from("etnas-fast")),
        ("version", Value::from(env!("CARGO_PKG_VERSION"))),
        ("command", Value::from(command)),
        // A configuration is plain data with string keys: it always has a JSON form.
        (
            "configuration",
            engine.map_or(Value::Null, |engine| serde_json::to_value(engine.configuration()).unwrap_or(Value::Null)),
        ),
    ])
}

/// What a method compares cells by, each with its direction.
fn criteria(method: &Method) -> Value {
    let one = |criterion: &Criterion| {
        let better = if criterion.higher_is_better() { "higher" } else { "lower" };
        json!({"key": criterion.key(), "better": better, "definition": criterion.definition()})
    };
    Criterion::of(method).iter().map(one).collect()
}

/// The measures; how they are defined is known of an engine's, and else stands in the files' metadata.
fn described(asked: &[Measure], engine: Option<&Engine>) -> Value {
    let one = |m: &Measure| {
        json!({
            "name": m.name(),
            "key": m.key(),
            "better": measures::direction(*m),
            "definition": engine.map(|engine| measures::definition(*m, engine.options().log_synflow)),
        })
    };
    asked.iter().map(one).collect()
}
