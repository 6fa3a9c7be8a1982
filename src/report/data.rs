//! The files of a data set, as they were found.

use super::grid::{pairs, Align, Grid};
use super::{json, number, Format};
use crate::input::{Check, FileCheck};
use serde_json::{json, Value};

/// What `data check` tells; [`Format::Json`] for programs, any other for people.
pub fn data_text(check: &Check, format: Format) -> String {
    match format {
        Format::Json => json::pretty(&object(check)),
        _ => text(check),
    }
}

fn object(check: &Check) -> Value {
    let file = |file: &FileCheck| {
        json!({
            "name": file.name,
            "state": file.state.name(),
            "images": file.images,
            "expected": file.expected,
            "found": file.found,
        })
    };
    json!({
        "dataset": check.dataset.map(|dataset| dataset.name()),
        "ok": check.verdict().is_ok(),
        "images": check.images(),
        "files": check.files.iter().map(file).collect::<Value>(),
    })
}

fn text(check: &Check) -> String {
    let left = ["file", "state"].map(|name| (name.to_string(), Align::Left));
    let mut header = left.to_vec();
    header.push(("images".to_string(), Align::Right));
    header.extend(["expected", "found"].map(|name| (name.to_string(), Align::Left)));
    let mut grid = Grid::new(header);
    for file in &check.files {
        let images = file.images.map_or(number::ABSENT.to_string(), |images| number::grouped(images as u64));
        grid.row(vec![
            file.name.clone(),
            file.state.name().to_string(),
            images,
            file.expected.clone(),
            file.found.clone(),
        ]);
    }
    let lines = [
        ("data set", check.dataset.map_or("any: a batch is taken as it is", |dataset| dataset.title()).to_string()),
        ("images", number::grouped(check.images() as u64)),
    ];
    format!("{}\n{}", pairs(&lines), grid.text())
}
