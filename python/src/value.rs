//! Values of Python: texts that come in, and JSON that goes out.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyInt, PyString};
use serde_json::Value;
use tidegate::{Answer, JsonAttributes, Micros, Subject};

use crate::error;

static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static TYPES: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static DUMPS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// A key and attributes, as a caller gave them.
pub(crate) struct Asked {
    key: Option<PyBackedStr>,
    attributes: Option<JsonAttributes>,
}

impl Asked {
    pub(crate) fn new(key: Option<PyBackedStr>, attributes: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        Ok(Self { key, attributes: attributes.map(read_attributes).transpose()? })
    }

    pub(crate) fn subject(&self) -> Subject<'_> {
        let subject = Subject::from(self.key.as_deref());
        match &self.attributes {
            Some(attributes) => subject.with_attributes(attributes),
            None => subject,
        }
    }
}

#[cold]
fn read_attributes(attributes: &Bound<'_, PyAny>) -> PyResult<JsonAttributes> {
    let json = dumps(attributes)?;
    JsonAttributes::parse(&json).map_err(|problem| error::type_error(&problem))
}

/// The value of an answer; none where the caller's default is due. What JSON and Python may read differently (numbers with a
/// fraction, or of many digits) is read by Python itself.
#[inline]
pub(crate) fn answered<'py>(py: Python<'py>, answer: Answer<'_>) -> PyResult<Option<Bound<'py, PyAny>>> {
    if let Some(value) = answer.as_bool() {
        return Ok(Some(PyBool::new(py, value).to_owned().into_any()));
    }
    let Some(scalar) = answer.scalar() else { return Ok(None) };
    Ok(Some(if let Some(integer) = scalar.as_u64() {
        PyInt::new(py, integer).into_any()
    } else if let Some(integer) = scalar.as_negative() {
        PyInt::new(py, integer).into_any()
    } else if let Some(text) = answer.as_text() {
        PyString::new(py, text).into_any()
    } else if let Some(json) = answer.to_json() {
        loads(py, &json)?
    } else {
        return Ok(None);
    }))
}

/// JSON, read by Python's own `json`.
pub(crate) fn loads<'py>(py: Python<'py>, json: &str) -> PyResult<Bound<'py, PyAny>> {
    LOADS.import(py, "json", "loads")?.call1((json,))
}

/// JSON, written by Python's own `json`.
pub(crate) fn dumps(value: &Bound<'_, PyAny>) -> PyResult<PyBackedStr> {
    DUMPS.import(value.py(), "json", "dumps")?.call1((value,))?.extract()
}

/// Objects of a dataclass of `tidegate._types`, made of what the library serializes: one, none, or a tuple of them.
pub(crate) fn typed<'py>(py: Python<'py>, class: &str, value: &impl serde::Serialize) -> PyResult<Bound<'py, PyAny>> {
    types(py)?.getattr("make")?.call1((class, to_json(value)?))
}

/// An aware `datetime` as an instant.
pub(crate) fn instant(moment: &Bound<'_, PyAny>) -> PyResult<Micros> {
    types(moment.py())?.getattr("micros")?.call1((moment,))?.extract().map(Micros::new)
}

/// An instant as a `datetime` in UTC.
pub(crate) fn datetime(py: Python<'_>, instant: Micros) -> PyResult<Bound<'_, PyAny>> {
    types(py)?.getattr("instant")?.call1((instant.get(),))
}

fn types(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    TYPES
        .get_or_try_init(py, || py.import("tidegate._types").map(|module| module.into_any().unbind()))
        .map(|module| module.bind(py))
}

/// What the library serializes, as text for Python to read.
pub(crate) fn to_json(value: &impl serde::Serialize) -> PyResult<String> {
    serde_json::to_string(value).map_err(|problem| error::type_error(&problem))
}

/// The JSON text of a value that a caller gave.
pub(crate) fn json_text(value: &Bound<'_, PyAny>) -> PyResult<String> {
    let text = dumps(value)?;
    // Python writes `NaN`, which is not JSON.
    serde_json::from_str::<Value>(&text).map_err(|problem| error::type_error(&problem))?;
    Ok(text.to_string())
}
