//! What a table of accuracies knows: of cells, and of itself.

use super::grid::{pairs, Align, Grid};
use super::score::csv_text;
use super::{json, number, Format};
use crate::error::Result;
use crate::space::{Cell, SPACE_SIZE};
use crate::table::{column_info, Accuracies, TableColumn, Unit};
use serde_json::{json, Map, Value};

/// Cells side by side in text for people.
const SIDE_BY_SIDE: usize = 6;

/// Everything that `table` knows of `cells`.
pub fn table_cells(table: &Accuracies, cells: &[Cell], format: Format) -> Result<String> {
    let record = |cell: &Cell| {
        let mut object = json::object([("index", Value::from(cell.index())), ("arch", Value::from(cell.to_string()))]);
        object.extend(table.columns().iter().map(|column| (column.name.clone(), exact(value(column, cell)))));
        object
    };
    Ok(match format {
        Format::Json => {
            let records: Vec<Value> = cells.iter().map(|cell| Value::Object(record(cell))).collect();
            json::pretty(&json!({"meta": about(table), "records": records}))
        }
        Format::Jsonl => cells.iter().map(|cell| format!("{}\n", Value::Object(record(cell)))).collect(),
        Format::Csv => {
            let header = ["index", "arch"].into_iter().map(String::from);
            let header: Vec<String> = header.chain(table.column_names().map(String::from)).collect();
            let row = |cell: &Cell| record(cell).values().map(number::field).collect();
            csv_text(std::iter::once(header).chain(cells.iter().map(row)))?
        }
        Format::Table => cells_text(table, cells),
    })
}

fn cells_text(table: &Accuracies, cells: &[Cell]) -> String {
    let mut text = String::new();
    for cells in cells.chunks(SIDE_BY_SIDE) {
        let names: Vec<(String, String)> = cells.iter().map(|c| (c.index().to_string(), c.to_string())).collect();
        text.push_str(&pairs(&names.iter().map(|(name, arch)| (name.as_str(), arch.clone())).collect::<Vec<_>>()));
        text.push('\n');
        let mut header = vec![("column".to_string(), Align::Left)];
        header.extend(names.into_iter().map(|(name, _)| (name, Align::Right)));
        header.extend([("".to_string(), Align::Left), ("what it is".to_string(), Align::Left)]);
        let mut grid = Grid::new(header);
        for column in table.columns() {
            let mut row = vec![column.name.clone()];
            row.extend(cells.iter().map(|cell| rounded(column, cell)));
            row.extend([sign(column).to_string(), column.meaning.clone()]);
            grid.row(row);
        }
        text.push_str(&grid.text());
        text.push('\n');
    }
    text.push_str(&pairs(&[("accuracies", table.source().to_string())]));
    text
}

/// What a table is: its source, its columns and of how many cells they are known.
pub fn table_info(table: &Accuracies, format: Format) -> String {
    if format == Format::Json {
        return json::pretty(&about(table));
    }
    let right = |name: &str| (name.to_string(), Align::Right);
    let left = |name: &str| (name.to_string(), Align::Left);
    let mut grid = Grid::new(vec![left("column"), right("cells"), right("seeds"), left(""), left("what it is")]);
    for column in table.columns() {
        grid.row(vec![
            column.name.clone(),
            number::grouped(column.known() as u64),
            seeds(column),
            sign(column).to_string(),
            column.meaning.clone(),
        ]);
    }
    let lines = [
        ("table", table.source().to_string()),
        ("read from", table.kind().to_string()),
        ("cells", format!("{} of {}", number::grouped(table.cells() as u64), number::grouped(SPACE_SIZE as u64))),
    ];
    format!("{}\n{}", pairs(&lines), grid.text())
}

fn about(table: &Accuracies) -> Value {
    let column = |column: &TableColumn| {
        json!({
            "name": column.name,
            "unit": column_info(&column.name).map(|info| info.unit.sign()),
            "meaning": column.meaning,
            "known": column.known(),
            "seeds": column.seeds.iter().map(|(n, cells)| (n.to_string(), Value::from(*cells))).collect::<Map<_, _>>(),
        })
    };
    json!({
        "source": table.source(),
        "kind": table.kind(),
        "cells": table.cells(),
        "columns": table.columns().iter().map(column).collect::<Value>(),
    })
}

/// How many seeds the means are of: `1–3`.
fn seeds(column: &TableColumn) -> String {
    match (column.seeds.keys().min(), column.seeds.keys().max()) {
        (Some(least), Some(most)) if least == most => least.to_string(),
        (Some(least), Some(most)) => format!("{least}–{most}"),
        _ => number::ABSENT.to_string(),
    }
}

fn sign(column: &TableColumn) -> &'static str {
    column_info(&column.name).map_or("", |info| info.unit.sign())
}

fn value(column: &TableColumn, cell: &Cell) -> Option<f64> {
    column.values.get(cell.index()).copied().filter(|value| !value.is_nan())
}

fn exact(value: Option<f64>) -> Value {
    value.map_or(Value::Null, Value::from)
}

fn rounded(column: &TableColumn, cell: &Cell) -> String {
    let Some(value) = value(column, cell) else { return number::ABSENT.to_string() };
    match column_info(&column.name).map(|info| info.unit) {
        Some(Unit::Millions) => format!("{value:.3}"),
        _ => format!("{value:.2}"),
    }
}
