//! Cells of Python programs: whole numbers, strings, six ids; one of them or many.

use crate::errors::{guarded, raised};
use etnas::cli::embedded;
use etnas::space::{Cell, Encoding};
use etnas::Error;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt, PyString};

/// The cells given, in their order. One alone is a list of one.
pub fn cells(given: &Bound<'_, PyAny>, encoding: &str) -> PyResult<Vec<Cell>> {
    guarded(given.py(), || read(given, encoding))
}

fn read(given: &Bound<'_, PyAny>, encoding: &str) -> PyResult<Vec<Cell>> {
    let py = given.py();
    let encoding = embedded::encoding(encoding).map_err(|error| raised(py, &error))?;
    if is_one(given) {
        return Ok(vec![cell(given, encoding)?]);
    }
    let items = given.try_iter().map_err(|_| wrong(given))?.collect::<PyResult<Vec<_>>>()?;
    // Six ids are one cell: no cell is a bare id in these encodings.
    if encoding != Encoding::Arch && items.first().is_some_and(is_whole) {
        return Ok(vec![cell(given, encoding)?]);
    }
    items.iter().map(|item| cell(item, encoding)).collect()
}

fn is_one(given: &Bound<'_, PyAny>) -> bool {
    given.is_instance_of::<PyString>() || is_whole(given)
}

/// A whole number, of Python or another library.
fn is_whole(given: &Bound<'_, PyAny>) -> bool {
    !given.is_instance_of::<PyBool>() && (given.is_instance_of::<PyInt>() || given.extract::<i64>().is_ok())
}

fn cell(item: &Bound<'_, PyAny>, encoding: Encoding) -> PyResult<Cell> {
    let found = if let Ok(text) = item.cast::<PyString>() {
        Cell::parse(&text.to_string_lossy(), encoding)
    } else if is_whole(item) && encoding == Encoding::Arch {
        match item.extract::<i64>() {
            Ok(index) => Cell::from_index(index),
            Err(_) => Err(Error::CellIndex { found: item.str()?.to_string_lossy().into_owned() }),
        }
    } else if encoding != Encoding::Arch && !is_one(item) {
        let ids = item.try_iter().map_err(|_| wrong(item))?;
        let ids = ids.map(|id| Ok(id?.str()?.to_string_lossy().into_owned())).collect::<PyResult<Vec<_>>>()?;
        Cell::parse(&format!("({})", ids.join(", ")), encoding)
    } else {
        return Err(wrong(item));
    };
    found.map_err(|error| raised(item.py(), &error))
}

fn wrong(item: &Bound<'_, PyAny>) -> PyErr {
    let found = item.get_type().name().map_or_else(|_| "something else".to_string(), |name| name.to_string());
    PyTypeError::new_err(format!(
        "A cell is an index (int) or a string, in the encodings ops and naslib also six ids; found {found}."
    ))
}

/// The indices of the cells given.
#[pyfunction]
pub fn indices(given: &Bound<'_, PyAny>, encoding: &str) -> PyResult<Vec<usize>> {
    Ok(cells(given, encoding)?.iter().map(Cell::index).collect())
}
