//! Answers to the requests that wait.

use super::request::{Refused, Request, Wanted};
use crate::backend::Watch;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::measure::Measure;
use crate::report::Columns;
use crate::space::Cell;
use serde_json::{json, Value};

/// A request's place, and its cells.
type Member<'a> = (usize, &'a [Cell]);

/// A line of answer for each request, in their order. Requests for the same measures are scored together, but for the utopian
/// distance, which compares the cells of its request.
pub fn answers(engine: &Engine, requests: &[Result<Request, Refused>], watch: &dyn Watch) -> Vec<String> {
    let mut answers: Vec<Option<Value>> = vec![None; requests.len()];
    let mut groups: Vec<(&[Measure], Vec<Member>)> = Vec::new();
    for (i, request) in requests.iter().enumerate() {
        match request {
            Err(Refused { id, error }) => answers[i] = Some(refusal(id, error)),
            Ok(Request { id, wanted: Wanted::Configuration }) => answers[i] = Some(configuration(engine, id)),
            Ok(Request { wanted: Wanted::Scores { cells, measures }, .. }) => {
                let alone = measures.contains(&Measure::Utopian);
                match groups.iter_mut().find(|(of, _)| !alone && of == measures) {
                    Some((_, members)) => members.push((i, cells)),
                    None => groups.push((measures, vec![(i, cells)])),
                }
            }
        }
    }
    let repeats = engine.options().repeats;
    for (measures, members) in groups {
        let cells: Vec<Cell> = members.iter().flat_map(|(_, cells)| cells.iter().copied()).collect();
        let scored = engine.records(&cells, measures, watch);
        let columns = Columns::new(measures, repeats);
        let mut from = 0;
        for (i, cells) in members {
            let Ok(Request { id, .. }) = &requests[i] else { continue };
            let own = from..from + cells.len();
            from = own.end;
            answers[i] = Some(match &scored {
                Ok(records) => {
                    let records: Vec<Value> = records[own].iter().map(|record| columns.object(record)).collect();
                    json!({"id": id, "records": records})
                }
                Err(error) => refusal(id, error),
            });
        }
    }
    let line = |answer: Option<Value>| {
        let none = || refusal(&Value::Null, &Error::Internal("a request got no answer".to_string()));
        format!("{}\n", answer.unwrap_or_else(none))
    };
    answers.into_iter().map(line).collect()
}

/// An error as an answer: the sentence of the command line, and the exit code that it would have there.
pub fn refusal(id: &Value, error: &Error) -> Value {
    json!({"id": id, "error": error.to_string(), "code": error.exit_code()})
}

fn configuration(engine: &Engine, id: &Value) -> Value {
    json!({
        "id": id,
        "program": "etnas-fast",
        "version": env!("CARGO_PKG_VERSION"),
        "configuration": engine.configuration(),
    })
}
