//! An instance of the library, as `tidegate.Tidegate` extends it.

use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyDict;
use tidegate::{Builder, ErrorCode, FlagKey, Source, Tidegate};

use crate::calls::Calls;
use crate::clock::duration;
use crate::error::{self, exception};
use crate::flag::Flag;
use crate::options::{Configured, configure};
use crate::subscription::Subscription;
use crate::value::{Asked, answered, instant, loads, typed};
use crate::view::View;
use crate::{forks, hasher};

/// An instance: where its document comes from, and what is active.
#[pyclass(frozen, subclass, weakref, module = "tidegate._native")]
pub(crate) struct Instance {
    origin: Origin,
    builder: Builder,
    has_hasher: bool,
    calls: Mutex<Option<Calls>>,
    /// Empty until `_connect`.
    first: OnceLock<Generation>,
}

type Decided<'py> = (Option<(Bound<'py, PyAny>,)>, Option<String>, &'static str, Option<&'static str>);

enum Origin {
    Given(Source),
    Function,
}

/// The instance of one process, and the one that took its place after a fork. None is ever taken out, so a read holds no lock.
pub(crate) struct Generation {
    pub(crate) tide: Tidegate,
    forks: u64,
    next: OnceLock<Box<Generation>>,
}

impl Generation {
    fn new(tide: Tidegate) -> Self {
        Self { tide, forks: forks::count(), next: OnceLock::new() }
    }

    fn latest(&self) -> &Self {
        let mut latest = self;
        while let Some(next) = latest.next.get() {
            latest = next;
        }
        latest
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        if self.forks != forks::count() {
            // The threads of a parent are not here, and its last handle would wait for them.
            std::mem::forget(self.tide.clone());
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.close_calls();
        // The last handle waits for its threads, and these need no GIL.
        let first = self.first.take();
        let _ = Python::try_attach(|py| py.detach(|| drop(first)));
    }
}

impl Instance {
    pub(crate) fn tide(&self) -> PyResult<&Tidegate> {
        match self.first.get() {
            Some(first) if first.next.get().is_none() => Ok(&first.tide),
            Some(first) => Ok(&first.latest().tide),
            None => Err(PyRuntimeError::new_err("made by `Tidegate.http`, `file`, `text` or `callback`")),
        }
    }

    /// Whether this process has an instance of its own, with threads.
    pub(crate) fn is_reconnected(&self) -> bool {
        self.first.get().is_some_and(|first| first.latest().forks == forks::count())
    }

    pub(crate) fn has_hasher(&self) -> bool {
        self.has_hasher
    }

    fn close_calls(&self) {
        if let Some(calls) = &*self.calls.lock().unwrap_or_else(PoisonError::into_inner) {
            calls.close();
        }
    }

    fn builder(&self) -> Builder {
        let source = match &self.origin {
            Origin::Given(source) => source.clone(),
            Origin::Function => {
                let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
                calls.as_ref().map_or_else(|| Calls::new().source(), Calls::source)
            }
        };
        self.builder.clone().source(source)
    }
}

#[pymethods]
impl Instance {
    #[new]
    fn new(kind: &Bound<'_, PyAny>, origin: &Bound<'_, PyAny>, options: &Bound<'_, PyDict>) -> PyResult<Self> {
        let Configured { builder, has_hasher } = configure(options)?;
        let origin = match &*kind.extract::<PyBackedStr>()? {
            "http" => {
                let source = Source::http(&origin.extract::<PyBackedStr>()?);
                Origin::Given(source.map_err(|problem| exception(kind.py(), "ConnectError", &problem, &[]))?)
            }
            "file" => Origin::Given(Source::file(origin.extract::<PathBuf>()?)),
            "text" => Origin::Given(Source::text(origin.extract::<Vec<u8>>()?)),
            "callback" => Origin::Function,
            kind => return Err(PyTypeError::new_err(format!("there is no source of kind {kind:?}"))),
        };
        Ok(Self { origin, builder, has_hasher, calls: Mutex::new(None), first: OnceLock::new() })
    }

    /// The calls of the source, if that is a function: new ones for this process.
    fn _calls(&self) -> Option<Calls> {
        if matches!(self.origin, Origin::Given(_)) {
            return None;
        }
        let calls = Calls::new();
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner) = Some(calls.clone());
        Some(calls)
    }

    fn _connect(&self, py: Python<'_>) -> PyResult<()> {
        let connected = py.detach(|| self.builder().connect());
        let tide = connected.map_err(|problem| error::of_connect(py, &problem))?;
        let _ = self.first.set(Generation::new(tide));
        Ok(())
    }

    /// In the child of a fork: an instance with threads of its own. Waits for it, and for nothing of Python.
    fn _reconnect(&self, py: Python<'_>) -> PyResult<()> {
        let connected = py.detach(|| self.builder().connect());
        let tide = connected.map_err(|problem| error::of_connect(py, &problem))?;
        if let Some(first) = self.first.get() {
            let _ = first.latest().next.set(Box::new(Generation::new(tide)));
        }
        Ok(())
    }

    fn _close(&self, py: Python<'_>, timeout: &Bound<'_, PyAny>) -> PyResult<()> {
        self.close_calls();
        let (tide, timeout) = (self.tide()?, duration("timeout", timeout)?);
        let closed = py.detach(|| tide.shutdown(timeout));
        closed.map_err(|problem| exception(py, "CloseTimeout", &problem, &[]))
    }

    /// The value of a flag for a key; `default` for an unknown flag, and while there is no document.
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
        let view = self.tide()?.view();
        let asked = Asked::new(key, attributes)?;
        self.answer(py, &view, (&section, &flag), &asked, default)
    }

    /// The same at an instant.
    fn _get_at<'py>(
        &self,
        py: Python<'py>,
        section: PyBackedStr,
        flag: PyBackedStr,
        key: PyBackedStr,
        default: Option<Bound<'py, PyAny>>,
        now: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let view = self.tide()?.view().at(instant(now)?);
        self.answer(py, &view, (&section, &flag), &Asked::new(Some(key), None)?, default)
    }

    /// Whether a boolean flag is on for a key: the same key, the same answer.
    #[pyo3(signature = (flag_key, key, *, attributes=None))]
    fn is_active_for(
        &self,
        flag_key: PyBackedStr,
        key: Option<PyBackedStr>,
        attributes: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let asked = Asked::new(key, attributes)?;
        let is_active = self.tide()?.is_active_for(&flag_key, asked.subject());
        hasher::raised().map(|()| is_active)
    }

    /// Draws at random whether a boolean flag is on for this call.
    fn is_active(&self, flag_key: PyBackedStr) -> PyResult<bool> {
        Ok(self.tide()?.is_active(&flag_key))
    }

    /// Whether the source has given a document, now or before.
    fn is_ready(&self) -> PyResult<bool> {
        Ok(self.tide()?.is_ready())
    }

    /// A flag that is looked up once, for code that reads it very often.
    fn flag(slf: &Bound<'_, Self>, section: PyBackedStr, flag: PyBackedStr) -> PyResult<Flag> {
        Flag::new(slf.clone().unbind(), slf.get(), &section, &flag)
    }

    /// Several reads at one version and one instant.
    fn view(&self) -> PyResult<View> {
        Ok(View(self.tide()?.view()))
    }

    /// The decision with everything that led to it.
    #[pyo3(signature = (section, flag, key, *, attributes=None))]
    fn explain<'py>(
        &self,
        py: Python<'py>,
        section: PyBackedStr,
        flag: PyBackedStr,
        key: Option<PyBackedStr>,
        attributes: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.view()?.explain(py, section, flag, key, attributes)
    }

    /// When a key changes its variant.
    #[pyo3(signature = (section, flag, key, *, attributes=None))]
    fn when<'py>(
        &self,
        py: Python<'py>,
        section: PyBackedStr,
        flag: PyBackedStr,
        key: Option<PyBackedStr>,
        attributes: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.view()?.when(py, section, flag, key, attributes)
    }

    /// What is served, from where, how old it is, and what is wrong.
    fn status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        typed(py, "status", &self.tide()?.status())
    }

    /// The answer for OpenFeature: the value in a tuple, or none where the caller's default is due; variant, reason, error code.
    #[pyo3(signature = (flag_key, key, attributes))]
    fn _decide<'py>(
        &self,
        py: Python<'py>,
        flag_key: PyBackedStr,
        key: Option<PyBackedStr>,
        attributes: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Decided<'py>> {
        let (view, asked, flag_key) = (self.tide()?.view(), Asked::new(key, attributes)?, FlagKey::parse(&flag_key));
        let (section, flag) = (flag_key.section(), flag_key.flag());
        let decision = view.decide(section, flag, asked.subject());
        hasher::raised()?;
        // Where one of a flag's values is written as a float, all of them are.
        let snapshot = view.snapshot();
        let json = match snapshot.find(section, flag) {
            Some(index) => snapshot.flag(index).typed_json(decision.answer),
            None => decision.answer.to_json(),
        };
        let value = json.map(|json| loads(py, &json)).transpose()?.map(|value| (value,));
        let variant = decision.variant_name().map(str::to_owned);
        Ok((value, variant, decision.reason.as_str(), decision.error.map(ErrorCode::as_str)))
    }

    fn _subscribe(slf: &Bound<'_, Self>) -> PyResult<Subscription> {
        Subscription::new(slf.clone().unbind(), slf.get())
    }

    /// The document as the source has it now, for a caller that wants its text.
    fn _fetch(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        py.detach(|| self.builder().fetch_text()).map_err(|problem| error::of_fetch(py, &problem))
    }
}

impl Instance {
    #[inline]
    fn answer<'py>(
        &self,
        py: Python<'py>,
        view: &tidegate::View,
        (section, flag): (&str, &str),
        asked: &Asked,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let subject = asked.subject();
        let decision = view.decide(section, flag, subject.clone());
        if self.has_hasher {
            hasher::raised()?;
        }
        if let Some(value) = answered(py, decision.answer)? {
            return Ok(value);
        }
        // The library counts reads of unknown flags there.
        view.raw(section, flag, subject);
        Ok(default.unwrap_or_else(|| py.None().into_bound(py)))
    }
}

/// An object whose method does nothing: what a call from Python costs at least, for the measurements.
#[pyclass(frozen, module = "tidegate._native")]
pub(crate) struct Empty;

#[pymethods]
impl Empty {
    #[new]
    fn new() -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "it is a method, and an empty one")]
    fn method(&self, _argument: &Bound<'_, PyAny>) {}
}
