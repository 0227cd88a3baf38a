//! Errors of the library as exceptions of Python: their texts are the library's own.

use std::fmt::Display;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use tidegate::engine::Diagnostic;
use tidegate::{ChangeError, ClusterError, ConnectError, TextError, WriteError};

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

/// A change that was not made.
pub(crate) fn of_change(py: Python<'_>, error: &ChangeError) -> PyErr {
    let class = match error {
        ChangeError::NotLive | ChangeError::Follower { .. } => "NotLiveError",
        ChangeError::UnknownFlag { .. } => "UnknownFlagError",
        ChangeError::Refused(WriteError::Conflict { .. }) => "ConflictError",
        ChangeError::Definition(_)
        | ChangeError::Entry
        | ChangeError::Lease
        | ChangeError::Name { .. }
        | ChangeError::Never { .. }
        | ChangeError::Past { .. }
        | ChangeError::Percentage { .. }
        | ChangeError::TextTooLong { .. } => "InvalidChangeError",
        _ => "ChangeError",
    };
    let diagnostics: &[Diagnostic] = match error {
        ChangeError::Definition(diagnostics) => diagnostics,
        _ => &[],
    };
    exception(py, class, error, diagnostics)
}

/// A question about the cluster that was not answered.
pub(crate) fn of_cluster(py: Python<'_>, error: &ClusterError) -> PyErr {
    match error {
        ClusterError::Change(error) => of_change(py, error),
        _ => exception(py, "ClusterError", error, &[]),
    }
}

/// What a child of a fork does not do.
pub(crate) fn of_fork(py: Python<'_>, is_bound: bool) -> PyErr {
    let message = if is_bound {
        "this process was forked from the one that has these live changes; make the change there, or an instance in this process"
    } else {
        "this process was forked, and its own instance is not connected yet; try again"
    };
    exception(py, "NotLiveError", &message, &[])
}

pub(crate) fn type_error(problem: &dyn Display) -> PyErr {
    PyTypeError::new_err(problem.to_string())
}
