//! Several reads at one version and one instant.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;

use crate::hasher;
use crate::value::{Asked, answered, datetime, instant, typed};

/// Several reads at one version and one instant; made by `Tidegate.view`.
#[pyclass(frozen, module = "tidegate._native")]
pub(crate) struct View(pub(crate) tidegate::View);

#[pymethods]
impl View {
    /// The value of a flag for a key; `default` for an unknown flag.
    #[pyo3(signature = (section, flag, key, default=None, *, attributes=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        section: PyBackedStr,
        flag: PyBackedStr,
        key: Option<PyBackedStr>,
        default: Option<Bound<'py, PyAny>>,
        attributes: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let asked = Asked::new(key, attributes)?;
        let subject = asked.subject();
        let decision = self.0.decide(&section, &flag, subject.clone());
        hasher::raised()?;
        if let Some(value) = answered(py, decision.answer)? {
            return Ok(value);
        }
        self.0.raw(&section, &flag, subject);
        Ok(default.unwrap_or_else(|| py.None().into_bound(py)))
    }

    /// Whether a boolean flag is on for a key.
    #[pyo3(signature = (flag_key, key, *, attributes=None))]
    fn is_active_for(
        &self,
        flag_key: PyBackedStr,
        key: Option<PyBackedStr>,
        attributes: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let asked = Asked::new(key, attributes)?;
        let is_active = self.0.is_active_for(&flag_key, asked.subject());
        hasher::raised().map(|()| is_active)
    }

    /// The number of the version that is read: greater ones are later.
    #[getter]
    fn version(&self) -> u64 {
        self.0.version()
    }

    /// The decision with everything that led to it.
    #[pyo3(signature = (section, flag, key, *, attributes=None))]
    pub(crate) fn explain<'py>(
        &self,
        py: Python<'py>,
        section: PyBackedStr,
        flag: PyBackedStr,
        key: Option<PyBackedStr>,
        attributes: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let asked = Asked::new(key, attributes)?;
        let explanation = self.0.explain(&section, &flag, asked.subject());
        hasher::raised()?;
        typed(py, "Explanation", &explanation)
    }

    /// When a key changes its variant.
    #[pyo3(signature = (section, flag, key, *, attributes=None))]
    pub(crate) fn when<'py>(
        &self,
        py: Python<'py>,
        section: PyBackedStr,
        flag: PyBackedStr,
        key: Option<PyBackedStr>,
        attributes: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let asked = Asked::new(key, attributes)?;
        let flips = self.0.when(&section, &flag, asked.subject());
        hasher::raised()?;
        typed(py, "Flips", &flips)
    }

    /// The instant of its reads.
    fn now<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        datetime(py, self.0.now())
    }

    /// The same version at another instant, an aware `datetime`.
    fn at(&self, now: &Bound<'_, PyAny>) -> PyResult<Self> {
        instant(now).map(|now| Self(self.0.at(now)))
    }
}
