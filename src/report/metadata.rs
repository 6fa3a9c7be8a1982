//! What must be known to get the same results again: no time, host, duration, thread count, chunk size or output path.

use super::{json::object, measures, Sweep};
use crate::engine::Engine;
use crate::measure::Measure;
use crate::search::EtNas;
use crate::table::Accuracies;
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
    let mut meta = opening("score", engine);
    meta.extend(object([
        ("measures", described(asked, engine)),
        ("selection", sweep.selection()),
        ("shard", sweep.shard_value()),
        ("cells", Value::from(cells)),
        ("complete", Value::from(complete)),
    ]));
    Value::Object(meta)
}

/// What was asked of a search beside the engine's options.
pub struct SearchSetting<'a> {
    /// The search.
    pub search: &'a EtNas,
    /// Runs asked for.
    pub runs: usize,
    /// Each run draws its own weights.
    pub weights_per_run: bool,
    /// Where test accuracies are looked up afterwards.
    pub accuracies: &'a Accuracies,
}

/// The metadata of a search, as [`score_metadata`] with the search's own setting and the source of accuracies.
pub fn search_metadata(engine: &Engine, setting: &SearchSetting, complete: bool) -> Value {
    let search = setting.search;
    let mut meta = opening("search", engine);
    meta.extend(object([
        (
            "search",
            json!({
                "method": "ET-NAS",
                "preset": search.preset.name(),
                "variant": search.variant.name(),
                "degree_rule": search.rule().name(),
                "rank_pool": search.rank_pool.name(),
                "population": search.population,
                "sample": search.sample,
                "cycles": search.cycles,
                "patience": search.patience,
                "runs": setting.runs,
                "weights_per_run": setting.weights_per_run,
            }),
        ),
        ("measures", described(&[Measure::Naswot, Measure::LogSynflow, Measure::Degree, Measure::LossSlope], engine)),
        (
            "accuracies",
            json!({"source": setting.accuracies.source(), "unit": "percent, mean test accuracy after 200 epochs"}),
        ),
        ("complete", Value::from(complete)),
    ]));
    Value::Object(meta)
}

fn opening(command: &str, engine: &Engine) -> serde_json::Map<String, Value> {
    object([
        ("program", Value::from("etnas-fast")),
        ("version", Value::from(env!("CARGO_PKG_VERSION"))),
        ("command", Value::from(command)),
        // A configuration is plain data with string keys: it always has a JSON form.
        ("configuration", serde_json::to_value(engine.configuration()).unwrap_or(Value::Null)),
    ])
}

fn described(asked: &[Measure], engine: &Engine) -> Value {
    let form = engine.options().log_synflow;
    let one = |m: &Measure| {
        json!({
            "name": m.name(),
            "key": m.key(),
            "better": measures::direction(*m),
            "definition": measures::definition(*m, form),
        })
    };
    asked.iter().map(one).collect()
}
