//! Searches.

use crate::arrays;
use crate::engine::Engine;
use crate::errors::raised;
use crate::work::detached;
use etnas::cli::embedded;
use etnas::Error;
use pyo3::prelude::*;

/// The report of a search as JSON. `engine` computes the scores; else one of the options given does, on `images` if there are any.
#[pyfunction]
pub fn search(
    py: Python<'_>,
    arguments: Vec<String>,
    engine: Option<PyRef<'_, Engine>>,
    images: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    let mut job = detached(py, None, |_| embedded::search(&arguments))?;
    let adopted = Error::catch(|| {
        let Some(mut options) = job.options().cloned() else {
            return match engine.is_some() || images.is_some() {
                true => Err(Error::options(
                    "--scores",
                    "neither an engine nor images beside it, for nothing is computed",
                    "one of them",
                    "Leave one of the two out.",
                )),
                false => Ok(()),
            };
        };
        if let Some(array) = images {
            options.data = arrays::images(array, &options)?;
        }
        job.adopt(engine.as_ref().map_or(&options, |engine| engine.0.options()));
        Ok(())
    });
    adopted.map_err(|error| raised(py, &error))?;
    let given = engine.as_ref().map(|engine| &engine.0);
    let report = detached(py, None, |flags| {
        let made = match (given, job.options()) {
            (None, Some(options)) => Some(etnas::engine::Engine::new(options.clone())?),
            _ => None,
        };
        Ok(job.report(given.or(made.as_ref()), flags)?.to_string())
    })?;
    Ok(report)
}
