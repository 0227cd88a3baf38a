//! A flag that is looked up once.

use std::sync::OnceLock;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use tidegate::FlagHandle;

use crate::instance::Instance;
use crate::value::{Asked, answered, typed};
use crate::{forks, hasher};

/// A flag that is looked up once; made by `Tidegate.flag`.
#[pyclass(frozen, module = "tidegate._native")]
pub(crate) struct Flag {
    instance: Py<Instance>,
    first: Handle,
}

/// The handle of one process, and the one after a fork.
struct Handle {
    forks: u64,
    flag: FlagHandle,
    next: OnceLock<Box<Handle>>,
}

impl Handle {
    fn new(flag: FlagHandle) -> Self {
        Self { forks: forks::count(), flag, next: OnceLock::new() }
    }

    #[inline]
    fn current(&self, instance: &Instance) -> PyResult<&FlagHandle> {
        if self.forks == forks::count() { Ok(&self.flag) } else { self.after_fork(instance) }
    }

    /// The handle on the instance of this process, once there is one.
    #[cold]
    fn after_fork(&self, instance: &Instance) -> PyResult<&FlagHandle> {
        if let Some(next) = self.next.get() {
            return next.current(instance);
        }
        if !instance.is_reconnected() {
            return Ok(&self.flag);
        }
        let key = self.flag.flag_key();
        let handle = instance.tide()?.flag(key.section(), key.flag());
        Ok(&self.next.get_or_init(|| Box::new(Self::new(handle))).flag)
    }
}

impl Flag {
    pub(crate) fn new(instance: Py<Instance>, within: &Instance, section: &str, flag: &str) -> PyResult<Self> {
        Ok(Self { instance, first: Handle::new(within.tide()?.flag(section, flag)) })
    }
}

#[pymethods]
impl Flag {
    /// The value for a key; `default` while the flag is unknown.
    #[pyo3(signature = (key, default=None, *, attributes=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        key: Option<PyBackedStr>,
        default: Option<Bound<'py, PyAny>>,
        attributes: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let instance = self.instance.get();
        let handle = self.first.current(instance)?;
        let asked = Asked::new(key, attributes)?;
        let value = handle.decide(&asked.subject(), |decision| answered(py, decision.answer))?;
        if instance.has_hasher() {
            hasher::raised()?;
        }
        Ok(value.or(default).unwrap_or_else(|| py.None().into_bound(py)))
    }

    /// Whether the flag, a boolean one, is on for a key.
    #[pyo3(signature = (key, *, attributes=None))]
    fn is_active_for(&self, key: Option<PyBackedStr>, attributes: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
        let instance = self.instance.get();
        let handle = self.first.current(instance)?;
        let is_active = match (&key, attributes) {
            (Some(key), None) => handle.is_active_for(key),
            _ => handle.is_active_to(&Asked::new(key, attributes)?.subject()),
        };
        if instance.has_hasher() {
            hasher::raised()?;
        }
        Ok(is_active)
    }

    /// The name of the variant that a key has: `stable`, `new`, `interpolated`, or one of the flag's own; none for the default.
    #[pyo3(signature = (key, *, attributes=None))]
    fn variant_for(&self, key: Option<PyBackedStr>, attributes: Option<&Bound<'_, PyAny>>) -> PyResult<Option<String>> {
        let (instance, asked) = (self.instance.get(), Asked::new(key, attributes)?);
        let view = instance.tide()?.view();
        let variant =
            view.flag(self.first.current(instance)?).decide(asked.subject()).variant_name().map(str::to_owned);
        hasher::raised().map(|()| variant)
    }

    /// The decision with everything that led to it.
    #[pyo3(signature = (key, *, attributes=None))]
    fn explain<'py>(
        &self,
        py: Python<'py>,
        key: Option<PyBackedStr>,
        attributes: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (instance, asked) = (self.instance.get(), Asked::new(key, attributes)?);
        let explanation = instance.tide()?.view().flag(self.first.current(instance)?).explain(asked.subject());
        hasher::raised()?;
        typed(py, "Explanation", &explanation)
    }

    /// When a key changes its variant.
    #[pyo3(signature = (key, *, attributes=None))]
    fn when<'py>(
        &self,
        py: Python<'py>,
        key: Option<PyBackedStr>,
        attributes: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (instance, asked) = (self.instance.get(), Asked::new(key, attributes)?);
        let flips = instance.tide()?.view().flag(self.first.current(instance)?).when(asked.subject());
        hasher::raised()?;
        typed(py, "Flips", &flips)
    }

    /// The key of the flag, `section/flag`.
    #[getter]
    fn flag_key(&self) -> String {
        self.first.flag.flag_key().to_string()
    }

    fn __repr__(&self) -> String {
        format!("<Flag {}>", self.first.flag.flag_key())
    }
}
