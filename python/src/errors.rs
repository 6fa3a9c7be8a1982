//! The library's errors as Python's.

use etnas::Error;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use std::io::ErrorKind;

/// What `work` gives; a panic in it becomes an InternalError.
pub fn guarded<T>(py: Python<'_>, work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    Error::catch(|| Ok(work())).unwrap_or_else(|error| Err(raised(py, &error)))
}

/// The exception of an error: a class of `etnas._errors`, with the sentence that the command line says.
pub fn raised(py: Python<'_>, error: &Error) -> PyErr {
    let name = match error {
        Error::Usage(_) | Error::UnknownName { .. } | Error::Options { .. } => "OptionsError",
        Error::CellSyntax { .. } | Error::CellIndex { .. } | Error::SizeSpaceCell { .. } => "CellError",
        Error::Data { .. } => "DataError",
        Error::Unreadable { source, .. } if source.kind() == ErrorKind::NotFound => "MissingFileError",
        Error::Unreadable { .. } | Error::Unwritable { .. } | Error::Io { .. } => "FileError",
        Error::Device { .. } => "DeviceError",
        Error::Interrupted => return PyKeyboardInterrupt::new_err(()),
        _ => "InternalError",
    };
    let class = py.import("etnas._errors").and_then(|module| module.getattr(name));
    match class.and_then(|class| class.call1((error.to_string(),))) {
        Ok(exception) => PyErr::from_value(exception),
        Err(failure) => failure,
    }
}
