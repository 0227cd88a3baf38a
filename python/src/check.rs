//! Documents without an instance: checks, and the decision of a single entry.

use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use tidegate::Subject;
use tidegate::engine::lease::Clocks;
use tidegate::engine::{CompileOptions, CustomHash, Moment, compile, document};

use crate::error::{exception, type_error};
use crate::hasher;
use crate::value::{answered, instant, typed};

/// Everything that is noteworthy in a document.
#[pyfunction]
pub(crate) fn check(py: Python<'_>, text: PyBackedBytes) -> PyResult<Bound<'_, PyAny>> {
    let checked = py.detach(|| document::check(&text));
    typed(py, "Diagnostic", &checked.diagnostics)
}

/// The value that an entry, as it would stand in a document, gives to a key at an instant.
#[pyfunction]
#[pyo3(signature = (entry, key, now, hash))]
pub(crate) fn decide_entry<'py>(
    py: Python<'py>,
    entry: PyBackedStr,
    key: PyBackedStr,
    now: &Bound<'py, PyAny>,
    hash: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let text = format!(r#"{{"entry": {{"entry": {}}}}}"#, &*entry);
    let read = document::read(text.as_bytes());
    let (document, _) = read.map_err(|diagnostics| {
        let message = diagnostics.first().map(ToString::to_string).unwrap_or_default();
        exception(py, "DocumentError", &message, &diagnostics)
    })?;
    let custom_hash = hash.map(|hash| CustomHash::new("hasher", hasher::function(hash)));
    let snapshot = compile(&document, &CompileOptions { custom_hash, ..CompileOptions::default() });
    let clocks = Clocks::synced();
    let moment = Moment { now: instant(now)?, leases: &clocks };
    let decision = snapshot.evaluate(snapshot.find("entry", "entry"), &Subject::key(&key), &moment);
    hasher::raised()?;
    answered(py, decision.answer)?.ok_or_else(|| type_error(&"the entry is disabled: it has no value"))
}
