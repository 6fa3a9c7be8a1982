//! etnas for Python: the native half of the package `etnas`, whose Python half (`python/etnas`) gives it names, types and documentation.
//!
//! Every function takes plain arguments and gives plain values; what they mean is told there.

mod accuracies;
mod arrays;
mod cells;
mod engine;
mod errors;
mod search;
mod work;

use etnas::engine::LogSynflowForm;
use etnas::measure::Measure;
use etnas::{report, Error};
use pyo3::prelude::*;

/// Key, name, title, better end and definition of each measure, LogSynflow's in the form given.
#[pyfunction]
fn measures(one_plus: bool) -> Vec<(&'static str, &'static str, &'static str, &'static str, &'static str)> {
    let form = if one_plus { LogSynflowForm::OnePlus } else { LogSynflowForm::Reference };
    let one = |m: Measure| (m.key(), m.name(), report::title(m), report::direction(m), report::definition(m, form));
    Measure::ALL.map(one).to_vec()
}

/// A cell in other encodings, as a JSON object.
#[pyfunction]
fn convert(py: Python<'_>, mut arguments: Vec<String>, cell: String) -> PyResult<String> {
    let converted = Error::catch(|| {
        // Alone it would stand for standard input.
        if cell == "-" {
            cell.parse::<etnas::space::Cell>()?;
        }
        arguments.extend(["--format=jsonl".to_string(), "--".to_string(), cell]);
        etnas::cli::embedded::convert(&arguments)
    });
    converted.map_err(|error| errors::raised(py, &error))
}

#[pymodule]
fn _etnas(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<engine::Engine>()?;
    module.add_class::<accuracies::Accuracies>()?;
    module.add_function(wrap_pyfunction!(measures, module)?)?;
    module.add_function(wrap_pyfunction!(convert, module)?)?;
    module.add_function(wrap_pyfunction!(cells::indices, module)?)?;
    module.add_function(wrap_pyfunction!(search::search, module)?)
}
