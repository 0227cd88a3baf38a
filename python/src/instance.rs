//! An instance of the library, as `tidegate.Tidegate` extends it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyDict;
use tidegate::{Builder, ChangeError, Cluster, ClusterError, ErrorCode, FlagKey, Source, Stamp, Tidegate};

use crate::calls::Calls;
use crate::clock::duration;
use crate::error::{self, exception};
use crate::flag::Flag;
use crate::live::{self, LiveSettings, parsed};
use crate::options::{Configured, configure};
use crate::subscription::Subscription;
use crate::value::{Asked, answered, instant, loads, typed};
use crate::view::View;
use crate::waiting::detached;
use crate::{forks, hasher};

/// An instance: where its flags come from, and what is active.
#[pyclass(frozen, subclass, weakref, module = "tidegate._native")]
pub(crate) struct Instance {
    origin: Origin,
    builder: Builder,
    has_hasher: bool,
    /// Whether it has live changes that only one process can have: then no child of a fork gets an instance of its own.
    is_bound: bool,
    is_closed: AtomicBool,
    /// Whether it had something to answer from, and all that others knew, when this process was last about to fork. A child cannot ask the
    /// former instance: a thread that is not there may have had it locked.
    was_complete: AtomicBool,
    calls: Mutex<Option<Calls>>,
    /// Empty until `_connect`.
    first: OnceLock<Generation>,
}

type Decided<'py> = (Option<(Bound<'py, PyAny>,)>, Option<String>, &'static str, Option<&'static str>);

enum Origin {
    Given(Source),
    Function,
    /// The builder has a server to follow, or live changes without a document.
    Nothing,
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

    fn is_own(&self) -> bool {
        self.forks == forks::count()
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
        if !self.is_own() {
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
            None => Err(PyRuntimeError::new_err("made by `Tidegate.http` and its like")),
        }
    }

    /// The instance of this process, with threads: for what is more than reading memory.
    fn own(&self) -> Option<&Tidegate> {
        self.first.get().map(Generation::latest).filter(|latest| latest.is_own()).map(|latest| &latest.tide)
    }

    /// Whether this process has an instance of its own, with threads.
    pub(crate) fn is_reconnected(&self) -> bool {
        self.own().is_some()
    }

    pub(crate) fn has_hasher(&self) -> bool {
        self.has_hasher
    }

    fn has_ended(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    fn close_calls(&self) {
        if let Some(calls) = &*self.calls.lock().unwrap_or_else(PoisonError::into_inner) {
            calls.close();
        }
    }

    fn builder(&self) -> Builder {
        let builder = self.builder.clone();
        match &self.origin {
            Origin::Given(source) => builder.source(source.clone()),
            Origin::Function => {
                let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
                builder.source(calls.as_ref().map_or_else(|| Calls::new().source(), Calls::source))
            }
            Origin::Nothing => builder,
        }
    }

    /// Asks the cluster something, without the GIL.
    fn ask<T: Send>(
        &self,
        py: Python<'_>,
        question: impl FnOnce(&Cluster) -> Result<T, ClusterError> + Send,
    ) -> PyResult<T> {
        let tide = self.own().ok_or_else(|| error::of_fork(py, self.is_bound))?;
        let answer = detached(py, || {
            let cluster = tide.cluster().ok_or(ClusterError::Change(ChangeError::NotLive))?;
            question(&cluster)
        });
        answer.map_err(|problem| error::of_cluster(py, &problem))
    }
}

/// Whether it has something to answer from, and all that others know.
fn is_complete(tide: &Tidegate) -> bool {
    tide.is_ready() && tide.cluster().is_none_or(|cluster| cluster.is_synced())
}

/// How often a new instance in the child of a fork is looked at.
const LOOK: Duration = Duration::from_millis(20);

#[pymethods]
impl Instance {
    /// `live` is none, or a folder or none, and the other settings of live changes.
    #[new]
    #[pyo3(signature = (kind, origin, options, live=None))]
    fn new(
        kind: &Bound<'_, PyAny>,
        origin: &Bound<'_, PyAny>,
        options: &Bound<'_, PyDict>,
        live: Option<(Option<PathBuf>, Bound<'_, PyDict>)>,
    ) -> PyResult<Self> {
        let Configured { mut builder, has_hasher } = configure(options)?;
        let refused = |problem| exception(kind.py(), "ConnectError", &problem, &[]);
        let origin = match &*kind.extract::<PyBackedStr>()? {
            "http" => Origin::Given(Source::http(&origin.extract::<PyBackedStr>()?).map_err(refused)?),
            "file" => Origin::Given(Source::file(origin.extract::<PathBuf>()?)),
            "text" => Origin::Given(Source::text(origin.extract::<Vec<u8>>()?)),
            "callback" => Origin::Function,
            "follow" => {
                for server in origin.try_iter()? {
                    builder = builder.follow(&server?.extract::<PyBackedStr>()?).map_err(refused)?;
                }
                Origin::Nothing
            }
            "live" => Origin::Nothing,
            kind => return Err(PyTypeError::new_err(format!("there is no source of kind {kind:?}"))),
        };
        let mut is_bound = false;
        if let Some((folder, options)) = live {
            let settings = LiveSettings::new(folder, &options)?;
            (builder, is_bound) = (builder.live(settings.live), settings.is_bound);
        }
        Ok(Self {
            origin,
            builder,
            has_hasher,
            is_bound,
            is_closed: AtomicBool::new(false),
            was_complete: AtomicBool::new(false),
            calls: Mutex::new(None),
            first: OnceLock::new(),
        })
    }

    /// The calls of the source, if that is a function: new ones for this process.
    fn _calls(&self) -> Option<Calls> {
        if !matches!(self.origin, Origin::Function) {
            return None;
        }
        let calls = Calls::new();
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner) = Some(calls.clone());
        Some(calls)
    }

    fn _connect(&self, py: Python<'_>) -> PyResult<()> {
        let connected = detached(py, || self.builder().connect());
        let tide = connected.map_err(|problem| error::of_connect(py, &problem))?;
        let _ = self.first.set(Generation::new(tide));
        Ok(())
    }

    /// In the child of a fork: an instance with threads of its own. Waits until it has as much to answer from as the former one,
    /// and for nothing of Python.
    fn _reconnect(&self, py: Python<'_>) -> PyResult<()> {
        let connected = detached(py, || self.builder().connect());
        let tide = connected.map_err(|problem| error::of_connect(py, &problem))?;
        let Some(former) = self.first.get().map(Generation::latest) else { return Ok(()) };
        detached(py, || {
            while !self.has_ended() && self.was_complete.load(Ordering::Relaxed) && !is_complete(&tide) {
                thread::sleep(LOOK);
            }
            // Where it was closed meanwhile, its threads end here.
            if !self.has_ended() {
                let _ = former.next.set(Box::new(Generation::new(tide)));
            }
        });
        Ok(())
    }

    fn _before_fork(&self) {
        self.was_complete.store(self.own().is_some_and(is_complete), Ordering::Relaxed);
    }

    fn _is_own(&self) -> bool {
        self.own().is_some()
    }

    fn _is_bound(&self) -> bool {
        self.is_bound
    }

    fn _is_live(&self) -> bool {
        self.own().is_some_and(|tide| tide.cluster().is_some())
    }

    fn _is_closed(&self) -> bool {
        self.has_ended()
    }

    fn _close(&self, py: Python<'_>, timeout: &Bound<'_, PyAny>) -> PyResult<()> {
        self.is_closed.store(true, Ordering::Relaxed);
        self.close_calls();
        let timeout = duration("timeout", timeout)?;
        // In the child of a fork there may be nothing to end.
        let Some(tide) = self.own() else { return Ok(()) };
        let closed = detached(py, || tide.shutdown(timeout));
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
        typed(py, "Status", &self.tide()?.status())
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

    /// Makes a change, and waits for its acknowledgements.
    fn _change<'py>(
        &self,
        py: Python<'py>,
        operation: PyBackedStr,
        flag_key: PyBackedStr,
        operand: &Bound<'py, PyAny>,
        options: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let tide = self.own().ok_or_else(|| error::of_fork(py, self.is_bound))?;
        let change = live::change(tide, &operation, &flag_key, operand, options)?;
        let receipt = detached(py, || change.send()).map_err(|problem| error::of_change(py, &problem))?;
        typed(py, "Receipt", &receipt)
    }

    /// What happened to a flag, or to all flags.
    fn _history<'py>(
        &self,
        py: Python<'py>,
        flag_key: Option<PyBackedStr>,
        before: Option<&Bound<'py, PyAny>>,
        limit: Option<usize>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let before = before.map(|before| parsed::<Stamp>("before", before)).transpose()?;
        // The library has a limit of its own.
        let limit = limit.unwrap_or(usize::MAX);
        let page = self.ask(py, |cluster| match &flag_key {
            Some(flag_key) => cluster.history(flag_key, before, limit),
            None => cluster.history_of_all(before, limit),
        })?;
        typed(py, "HistoryPage", &page)
    }

    /// What live changes say of a flag here: its activation and its definition, with who wrote them and why.
    fn record<'py>(&self, py: Python<'py>, flag_key: PyBackedStr) -> PyResult<Bound<'py, PyAny>> {
        typed(py, "FlagRecord", &self.ask(py, |cluster| cluster.flag(&flag_key))?)
    }

    /// The cluster as this node sees it.
    fn cluster_status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        typed(py, "ClusterStatus", &self.ask(py, Cluster::status)?)
    }

    /// Whether a change with this stamp, or a newer one, has come here within the time.
    fn _wait_for(
        &self,
        py: Python<'_>,
        flag_key: PyBackedStr,
        stamp: &Bound<'_, PyAny>,
        timeout: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let (stamp, timeout) = (parsed::<Stamp>("stamp", stamp)?, duration("timeout", timeout)?);
        self.ask(py, |cluster| cluster.wait(&flag_key, stamp, timeout))
    }

    /// The server that this instance follows, and how they agree; none where it follows none.
    fn follow_status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        typed(py, "FollowStatus", &self.tide()?.follower().map(|follower| follower.status()))
    }

    /// Whether this process has all live changes that the others had when it was last compared with them: with one member, with its
    /// Redis, or with the server that it follows.
    fn is_synced(&self) -> PyResult<bool> {
        let tide = self.tide()?;
        let of_follower = tide.follower().is_none_or(|follower| follower.is_synced());
        Ok(of_follower && tide.cluster().is_none_or(|cluster| cluster.is_synced()))
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
