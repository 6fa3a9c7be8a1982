//! What a client may ask.

use crate::error::{Error, Result};
use crate::measure::Measure;
use crate::space::{Cell, Encoding};
use serde_json::{Map, Value};

/// What a request wants to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// The measures of cells.
    Scores {
        /// The cells, in the order of the answer.
        cells: Vec<Cell>,
        /// The measures, in the order of [`Measure::ALL`].
        measures: Vec<Measure>,
    },
    /// Everything that decides a score.
    Configuration,
}

/// A request: one line of JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The client's name for it, given back with the answer; null if it has none.
    pub id: Value,
    /// What it wants.
    pub wanted: Wanted,
}

/// Why a line is no request, with its id as far as that could be read.
#[derive(Debug)]
pub struct Refused {
    /// The client's name for it.
    pub id: Value,
    /// What is wrong.
    pub error: Box<Error>,
}

const KEYS: [&str; 5] = ["id", "cells", "measures", "encoding", "ask"];

impl Request {
    /// Reads a line, of at most `most_cells` cells.
    ///
    /// # Errors
    /// What was expected and found, for a line that is no request.
    pub fn read(line: &[u8], most_cells: usize) -> Result<Request, Refused> {
        let anonymous = |error| Refused { id: Value::Null, error: Box::new(error) };
        let text = std::str::from_utf8(line).map_err(|e| {
            let found = format!("other bytes from byte {} on", e.valid_up_to());
            anonymous(wrong("text in UTF-8", found, "Send one JSON object a line."))
        })?;
        let value: Value = serde_json::from_str(text).map_err(|e| {
            anonymous(wrong(
                "one JSON object a line",
                e.to_string(),
                "Send one such as {\"id\": 1, \"cells\": [9930]}.",
            ))
        })?;
        let Value::Object(object) = value else {
            let remedy = "Send one such as {\"id\": 1, \"cells\": [9930]}.";
            return Err(anonymous(wrong("a JSON object", kind(&value), remedy)));
        };
        let id = object.get("id").cloned().unwrap_or_default();
        if id.is_array() || id.is_object() {
            let remedy = "Number the requests, or name them.";
            return Err(anonymous(wrong("a number or a string as id", kind(&id), remedy)));
        }
        match wanted(&object, most_cells) {
            Ok(wanted) => Ok(Request { id, wanted }),
            Err(error) => Err(Refused { id, error: Box::new(error) }),
        }
    }
}

fn wanted(object: &Map<String, Value>, most_cells: usize) -> Result<Wanted> {
    if let Some(key) = object.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(Error::UnknownName {
            kind: "key of a request",
            found: key.clone(),
            allowed: KEYS.map(String::from).to_vec(),
        });
    }
    match (object.get("ask"), object.get("cells")) {
        (Some(Value::String(what)), None) if what == "configuration" => {
            if let Some(key) = ["measures", "encoding"].into_iter().find(|key| object.contains_key(*key)) {
                return Err(wrong("no other key beside ask", key, "Leave it out."));
            }
            return Ok(Wanted::Configuration);
        }
        (Some(Value::String(what)), None) => {
            let allowed = vec!["configuration".to_string()];
            return Err(Error::UnknownName { kind: "thing to ask", found: what.clone(), allowed });
        }
        (Some(other), None) => return Err(wrong("a string as ask", kind(other), "Ask for \"configuration\".")),
        (Some(_), Some(_)) => return Err(wrong("cells or ask", "both", "Send two requests.")),
        (None, _) => {}
    }
    let encoding = match object.get("encoding") {
        None => Encoding::default(),
        Some(Value::String(name)) => Encoding::from_name(name)?,
        Some(other) => return Err(wrong("a string as encoding", kind(other), "Name one: arch, ops or naslib.")),
    };
    let remedy = "Send indices and strings, as in \"cells\": [9930, \"1462\"].";
    let cells: Vec<Cell> = match object.get("cells") {
        Some(Value::Array(cells)) if cells.len() > most_cells => {
            let found = format!("{} cells", cells.len());
            return Err(wrong(format!("at most {most_cells} cells in a request"), found, "Send several requests."));
        }
        Some(Value::Array(cells)) => cells.iter().map(|value| cell(value, encoding)).collect::<Result<_>>()?,
        Some(one @ (Value::String(_) | Value::Number(_))) => vec![cell(one, encoding)?],
        Some(other) => return Err(wrong("a list of cells", kind(other), remedy)),
        None => return Err(wrong("the key cells", "none", remedy)),
    };
    let names = match object.get("measures") {
        None => return Ok(Wanted::Scores { cells, measures: Measure::USUAL.to_vec() }),
        Some(Value::Array(names)) => names.iter().collect(),
        Some(one @ Value::String(_)) => vec![one],
        Some(other) => return Err(wrong("a list of measures", kind(other), "Send names, as in [\"naswot\"].")),
    };
    let named = |value: &&Value| match value {
        Value::String(name) => Measure::from_name(name),
        other => Err(wrong("the name of a measure", kind(other), "Send names, as in [\"naswot\"].")),
    };
    let asked: Vec<Measure> = names.iter().map(named).collect::<Result<_>>()?;
    if asked.is_empty() {
        return Err(wrong("at least one measure", "an empty list", "Leave measures out for the usual ones."));
    }
    Ok(Wanted::Scores { cells, measures: Measure::ALL.into_iter().filter(|m| asked.contains(m)).collect() })
}

fn cell(value: &Value, encoding: Encoding) -> Result<Cell> {
    match value {
        Value::String(text) => Cell::parse(text, encoding),
        // What is no whole number is refused by the parser, in the words of the command line.
        Value::Number(number) => Cell::parse(&number.to_string(), encoding),
        other => Err(wrong("a cell as a string or an index", kind(other), "Send it as the command line takes it.")),
    }
}

fn wrong(expected: impl Into<String>, found: impl Into<String>, remedy: &str) -> Error {
    Error::Data {
        what: "The request".to_string(),
        expected: expected.into(),
        found: found.into(),
        remedy: remedy.to_string(),
    }
}

/// What a JSON value is, in words.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Request, Refused> {
        Request::read(text.as_bytes(), 3)
    }

    #[test]
    fn requests_are_read() {
        let request =
            read(r#"{"id": "a", "cells": [9930, "0"], "measures": ["degree", "log-synflow", "log_synflow"]}"#);
        let Request { id, wanted } = request.unwrap();
        let cells = ["9930", "0"].map(|text| text.parse().unwrap()).to_vec();
        assert_eq!(id, "a");
        assert_eq!(wanted, Wanted::Scores { cells, measures: vec![Measure::LogSynflow, Measure::Degree] });
        let usual = read(r#"{"cells": "3,0,1,0,0,4", "encoding": "ops"}"#).unwrap();
        let cells = vec![Cell::parse("3,0,1,0,0,4", Encoding::Ops).unwrap()];
        assert_eq!(
            usual,
            Request { id: Value::Null, wanted: Wanted::Scores { cells, measures: Measure::USUAL.to_vec() } }
        );
        assert_eq!(read(r#"{"id": 3, "ask": "configuration"}"#).unwrap().wanted, Wanted::Configuration);
        assert_eq!(read(r#"{"cells": 7}"#).unwrap().id, Value::Null);
    }

    #[test]
    fn what_is_no_request_is_told_with_its_id() {
        for (text, id, part) in [
            (r#"{"id": 1, "cells": ["9930"#, Value::Null, "one JSON object a line"),
            ("[1]", Value::Null, "found a list"),
            (r#"{"id": [1], "cells": 1}"#, Value::Null, "as id"),
            (r#"{"id": 4, "cell": [1]}"#, 4.into(), "Did you mean cells?"),
            (r#"{"id": 4}"#, 4.into(), "the key cells"),
            (r#"{"id": 4, "cells": [1, 2, 3, 4]}"#, 4.into(), "at most 3 cells"),
            (r#"{"id": 4, "cells": [1.5]}"#, 4.into(), "1.5"),
            (r#"{"id": 4, "cells": [15625]}"#, 4.into(), "15625 does not exist"),
            (r#"{"id": 4, "cells": [null]}"#, 4.into(), "found null"),
            (r#"{"id": 4, "cells": {"a": 1}}"#, 4.into(), "found an object"),
            (r#"{"id": 4, "cells": [1], "measures": ["naswut"]}"#, 4.into(), "Did you mean naswot?"),
            (r#"{"id": 4, "cells": [1], "measures": []}"#, 4.into(), "an empty list"),
            (r#"{"id": 4, "cells": [1], "measures": [1]}"#, 4.into(), "found a number"),
            (r#"{"id": 4, "cells": [1], "encoding": "arc"}"#, 4.into(), "arch"),
            (r#"{"id": 4, "cells": [1], "ask": "configuration"}"#, 4.into(), "cells or ask"),
            (r#"{"id": 4, "ask": "weather"}"#, 4.into(), "configuration"),
            (r#"{"id": 4, "ask": "configuration", "encoding": "ops"}"#, 4.into(), "found encoding"),
        ] {
            let refused = read(text).unwrap_err();
            assert_eq!(refused.id, id, "{text}");
            let error = refused.error.to_string();
            assert!(error.contains(part) && error.ends_with(['.', '?']), "{text}: {error}");
        }
        assert!(Request::read(b"{\"id\": \"\xff\"}", 3).unwrap_err().error.to_string().contains("from byte 8 on"));
    }
}
