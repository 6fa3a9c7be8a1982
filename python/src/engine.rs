//! The engine.

use crate::arrays;
use crate::cells::cells;
use crate::errors::{guarded, raised};
use crate::work::{detached, Flags, Listener};
use etnas::cli::embedded;
use etnas::engine::{Columns, Options};
use etnas::input::STEPS;
use etnas::measure::Measure;
use etnas::space::Cell;
use etnas::weights::WeightSource;
use etnas::{report, Error, Result};
use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

/// An engine. Every method may be called by several threads at once.
#[pyclass(frozen, module = "etnas._etnas")]
pub struct Engine(pub etnas::engine::Engine);

/// The options of arguments, with images of an array and weights of tensors where these are given.
pub fn options(
    arguments: &[String],
    images: Option<&Bound<'_, PyAny>>,
    weights: Option<&Bound<'_, PyAny>>,
) -> PyResult<Result<Options>> {
    let mut options = match embedded::engine_options(arguments) {
        Ok(options) => options,
        Err(error) => return Ok(Err(error)),
    };
    if let Some(array) = images {
        match arrays::images(array, &options) {
            Ok(source) => options.data = source,
            Err(error) => return Ok(Err(error)),
        }
    }
    if let Some(given) = weights {
        match arrays::weights(given)? {
            Ok(source) => options.weights = Some(source),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(options))
}

impl Engine {
    fn of(py: Python<'_>, options: Options) -> PyResult<Engine> {
        detached(py, None, |_| etnas::engine::Engine::new(options)).map(Engine)
    }

    /// The columns of cells. With a listener they are scored chunk by chunk, so that there is progress to tell.
    fn columns(&self, cells: &[Cell], measures: &[Measure], listening: bool, flags: &Flags) -> Result<Columns> {
        embedded::check_cells(self.0.options(), cells.len())?;
        let chunk = match listening && !measures.contains(&Measure::Utopian) {
            true => self.0.cells_at_a_time(),
            false => cells.len(),
        };
        let mut records = Vec::with_capacity(cells.len());
        for chunk in cells.chunks(chunk.max(1)) {
            records.extend(self.0.records(chunk, measures, flags)?);
            flags.reach(records.len());
        }
        Ok(Columns::of(&records))
    }

    /// A list or an array for each key of a record, in their order.
    fn record<'py>(
        &self,
        py: Python<'py>,
        cells: &[Cell],
        measures: &[Measure],
        columns: &Columns,
    ) -> PyResult<Bound<'py, PyDict>> {
        let record = PyDict::new(py);
        let index: Vec<i64> = cells.iter().map(|cell| cell.index() as i64).collect();
        record.set_item("index", PyArray1::from_vec(py, index))?;
        record.set_item("arch", cells.iter().map(Cell::to_string).collect::<Vec<_>>())?;
        record.set_item("status", columns.status.iter().map(|status| status.name()).collect::<Vec<_>>())?;
        for &measure in measures {
            let column = columns.column(measure);
            record.set_item(measure.key(), PyArray1::from_slice(py, columns.values(measure)))?;
            if self.0.options().repeats > 1 && report::draws(measure) {
                // Where no cell has a value there is no deviation either.
                let std = column.and_then(|column| column.std.clone()).unwrap_or_else(|| vec![f64::NAN; cells.len()]);
                record.set_item(format!("{}_std", measure.key()), PyArray1::from_vec(py, std))?;
            }
        }
        Ok(record)
    }
}

#[pymethods]
impl Engine {
    #[new]
    fn new(
        py: Python<'_>,
        arguments: Vec<String>,
        images: Option<&Bound<'_, PyAny>>,
        weights: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Engine> {
        let options = guarded(py, || options(&arguments, images, weights)?.map_err(|error| raised(py, &error)))?;
        Engine::of(py, options)
    }

    /// Another engine of the same options.
    fn again(&self, py: Python<'_>) -> PyResult<Engine> {
        Engine::of(py, self.0.options().clone())
    }

    /// A list or an array for each key of a record.
    fn score<'py>(
        &self,
        py: Python<'py>,
        cells: &Bound<'py, PyAny>,
        measures: Option<Vec<String>>,
        encoding: &str,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let cells = self::cells(cells, encoding)?;
        let measures = embedded::measures(measures.as_deref()).map_err(|error| raised(py, &error))?;
        let listener = progress.map(|callback| Listener { callback, cells: cells.len() });
        let listening = listener.is_some();
        let columns = detached(py, listener.as_ref(), |flags| self.columns(&cells, &measures, listening, flags))?;
        guarded(py, || self.record(py, &cells, &measures, &columns))
    }

    /// Refuses measures that cannot be streamed.
    fn check_stream(&self, py: Python<'_>, measures: Option<Vec<String>>) -> PyResult<()> {
        let measures = embedded::measures(measures.as_deref());
        let checked = measures.and_then(|measures| self.0.stream(&[], &measures, &()).map(drop));
        checked.map_err(|error| raised(py, &error))
    }

    /// The losses of LossSlope's steps.
    fn losses<'py>(
        &self,
        py: Python<'py>,
        cells: &Bound<'py, PyAny>,
        encoding: &str,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let cells = self::cells(cells, encoding)?;
        let losses = detached(py, None, |flags| {
            embedded::check_cells(self.0.options(), cells.len())?;
            self.0.losses(&cells, flags)
        })?;
        PyArray1::from_vec(py, losses.into_iter().flatten().collect()).reshape([cells.len(), STEPS])
    }

    fn forget(&self, py: Python<'_>) {
        py.detach(|| self.0.forget());
    }

    /// The configuration as JSON.
    fn configuration(&self, py: Python<'_>) -> PyResult<String> {
        let text = serde_json::to_string(&self.0.configuration());
        text.map_err(|error| raised(py, &Error::Internal(format!("a configuration without a JSON form: {error}"))))
    }

    fn device_note(&self) -> Option<&str> {
        self.0.device_note()
    }

    fn threads(&self) -> usize {
        self.0.threads()
    }

    fn cells_at_a_time(&self) -> usize {
        self.0.cells_at_a_time()
    }

    /// The images that the program gave.
    fn images<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        arrays::given(py, self.0.options())
    }

    /// The weights that the program gave, as the bytes of a safetensors file.
    fn weights<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        match &self.0.options().weights {
            Some(WeightSource::Tensors(tensors)) => Some(PyBytes::new(py, tensors.bytes())),
            _ => None,
        }
    }
}
