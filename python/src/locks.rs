//! The locks of this host.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use tidegate::locks::{LockError, LockFile};
use tidegate::{FlagKey, HostLock, Pin};

use crate::error::exception;
use crate::options::variant;
use crate::value::{instant, json_text, typed};

fn file(path: Option<PathBuf>) -> Result<LockFile, LockError> {
    path.map_or_else(LockFile::of_this_host, |path| Ok(LockFile::at(path)))
}

fn lock_error(py: Python<'_>, problem: &LockError) -> PyErr {
    exception(py, "LockError", problem, &[])
}

/// All locks of a file, or of this host's.
#[pyfunction]
pub(crate) fn list_locks(py: Python<'_>, path: Option<PathBuf>) -> PyResult<Bound<'_, PyAny>> {
    let locks = py.detach(|| file(path)?.list());
    typed(py, "Lock", &locks.map_err(|problem| lock_error(py, &problem))?)
}

/// Adds a lock; returns the one that it replaces.
#[pyfunction]
#[pyo3(signature = (path, flag_key, pin, is_variant, actor, reason, until))]
#[expect(clippy::too_many_arguments, reason = "these are the fields of a lock")]
pub(crate) fn add_lock<'py>(
    py: Python<'py>,
    path: Option<PathBuf>,
    flag_key: PyBackedStr,
    pin: &Bound<'py, PyAny>,
    is_variant: bool,
    actor: String,
    reason: String,
    until: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let pin = if is_variant { Pin::Variant(variant(pin)?) } else { Pin::Value(json_text(pin)?.into()) };
    let until = until.map(instant).transpose()?;
    let lock = HostLock { flag: FlagKey::parse(&flag_key), pin, actor, reason, until };
    let replaced = py.detach(|| file(path)?.add(&lock));
    typed(py, "Lock", &replaced.map_err(|problem| lock_error(py, &problem))?)
}

/// Removes the lock of a flag; returns it.
#[pyfunction]
pub(crate) fn remove_lock(py: Python<'_>, path: Option<PathBuf>, flag_key: PyBackedStr) -> PyResult<Bound<'_, PyAny>> {
    let flag = FlagKey::parse(&flag_key);
    let removed = py.detach(|| file(path)?.remove(&flag));
    typed(py, "Lock", &removed.map_err(|problem| lock_error(py, &problem))?)
}
