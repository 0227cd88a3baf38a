//! A clock that a test moves.

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use tidegate::Clock;

use crate::value::{datetime, instant};

/// A clock that stands still until it is moved.
#[pyclass(frozen, module = "tidegate._native")]
pub(crate) struct ManualClock(pub(crate) Clock);

#[pymethods]
impl ManualClock {
    #[new]
    fn new(now: &Bound<'_, PyAny>) -> PyResult<Self> {
        instant(now).map(Clock::manual).map(Self)
    }

    /// Moves it to an aware `datetime`.
    fn set(&self, now: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.set(instant(now)?);
        Ok(())
    }

    /// Moves it ahead, by seconds or by a `timedelta`.
    fn advance(&self, by: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.advance(duration("by", by)?);
        Ok(())
    }

    /// Where it stands, in UTC.
    fn now<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        datetime(py, self.0.now())
    }

    fn __repr__(&self) -> String {
        format!("<ManualClock {}>", self.0.now())
    }
}

/// A duration, as seconds or as a `timedelta`.
pub(crate) fn duration(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Duration> {
    match given.extract::<f64>() {
        Ok(seconds) => {
            Duration::try_from_secs_f64(seconds).map_err(|problem| PyValueError::new_err(format!("{name}: {problem}")))
        }
        Err(_) => given.extract(),
    }
}
