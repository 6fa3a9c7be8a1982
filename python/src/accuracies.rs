//! Accuracies to look up.

use crate::cells::cells;
use crate::errors::raised;
use crate::work::detached;
use etnas::input::Dataset;
use etnas::space::Cell;
use numpy::PyArray1;
use pyo3::prelude::*;
use std::path::PathBuf;

/// A table of accuracies.
#[pyclass(frozen, module = "etnas._etnas")]
pub struct Accuracies(etnas::table::Accuracies);

#[pymethods]
impl Accuracies {
    #[new]
    fn new(py: Python<'_>, table: Option<PathBuf>) -> PyResult<Accuracies> {
        detached(py, None, |_| etnas::table::Accuracies::find(table.as_deref())).map(Accuracies)
    }

    fn source(&self) -> &str {
        self.0.source()
    }

    fn columns(&self) -> Vec<&str> {
        self.0.column_names().collect()
    }

    /// All values of a column, by index.
    fn column<'py>(&self, py: Python<'py>, name: &str) -> Option<Bound<'py, PyArray1<f64>>> {
        self.0.column(name).map(|values| PyArray1::from_slice(py, values))
    }

    /// Test accuracies in %, NaN where not known.
    fn lookup<'py>(
        &self,
        py: Python<'py>,
        cells: &Bound<'py, PyAny>,
        dataset: &str,
        encoding: &str,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let cells = self::cells(cells, encoding)?;
        let dataset = Dataset::from_name(dataset).map_err(|error| raised(py, &error))?;
        let values = cells.iter().map(|cell| self.0.lookup(cell, dataset).unwrap_or(f64::NAN)).collect();
        Ok(PyArray1::from_vec(py, values))
    }

    /// The rank of an index, and of how many cells.
    fn rank(&self, py: Python<'_>, index: i64, dataset: &str) -> PyResult<Option<(usize, usize)>> {
        let cell = Cell::from_index(index).map_err(|error| raised(py, &error))?;
        let dataset = Dataset::from_name(dataset).map_err(|error| raised(py, &error))?;
        Ok(self.0.rank(&cell, dataset))
    }
}
