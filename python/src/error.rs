//! Errors of the library as exceptions of Python: their texts are the library's own.

use std::fmt::Display;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use tidegate::engine::Diagnostic;
use tidegate::{ConnectError, TextError};

use crate::value::to_json;

/// An exception of `tidegate._errors`, with the library's text and what is wrong with a document.
pub(crate) fn exception(py: Python<'_>, class: &str, message: &dyn Display, diagnostics: &[Diagnostic]) -> PyErr {
    let make = || {
        let diagnostics = to_json(&diagnostics)?;
        let module = py.import("tidegate._errors")?;
        module.getattr("make")?.call1((class, message.to_string(), diagnostics))
    };
    make().map_or_else(|error| error, PyErr::from_value)
}

pub(crate) fn of_connect(py: Python<'_>, error: &ConnectError) -> PyErr {
    match error {
        ConnectError::Text(diagnostics) => exception(py, "DocumentError", error, diagnostics),
        _ => exception(py, "ConnectError", error, &[]),
    }
}

pub(crate) fn of_fetch(py: Python<'_>, error: &TextError) -> PyErr {
    exception(py, "SourceError", error, &[])
}

pub(crate) fn type_error(problem: &dyn Display) -> PyErr {
    PyTypeError::new_err(problem.to_string())
}
