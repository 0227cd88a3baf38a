//! Notifications of changes.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;
use tidegate::{Changes, RecvTimeoutError, Tidegate};

use crate::clock::duration;
use crate::forks;
use crate::instance::Instance;
use crate::waiting::detached;

/// What `tidegate.Subscription` extends; made by `Tidegate.subscribe`.
#[pyclass(frozen, module = "tidegate._native")]
pub(crate) struct Subscription {
    instance: Py<Instance>,
    first: Slot,
}

/// The subscription of one process, and the one after a fork. A thread that waits in it has it locked, and in a child that thread
/// is gone; so the child makes another one and leaves this alone.
struct Slot {
    forks: u64,
    subscription: Mutex<tidegate::Subscription>,
    next: OnceLock<Box<Slot>>,
}

impl Slot {
    fn new(tide: &Tidegate) -> Self {
        Self { forks: forks::count(), subscription: Mutex::new(tide.subscribe()), next: OnceLock::new() }
    }

    /// That of this process; none until its instance has threads of its own.
    fn current(&self, instance: &Instance) -> PyResult<Option<&Self>> {
        if self.forks == forks::count() {
            return Ok(Some(self));
        }
        if let Some(next) = self.next.get() {
            return next.current(instance);
        }
        if !instance.is_reconnected() {
            return Ok(None);
        }
        let next = Box::new(Self::new(instance.tide()?));
        Ok(Some(self.next.get_or_init(|| next)))
    }
}

/// What [`Changes`] has, in its order; no list of flags where any flag may have changed.
type Told = (bool, bool, bool, bool, bool, Option<Vec<String>>);

impl Subscription {
    pub(crate) fn new(instance: Py<Instance>, within: &Instance) -> PyResult<Self> {
        Ok(Self { instance, first: Slot::new(within.tide()?) })
    }
}

#[pymethods]
impl Subscription {
    /// Waits for changes, at most this many seconds: a tuple of document, locks, health, activations, definitions and flags (none: any
    /// flag may have changed). None when nothing has changed in that time, `False` when nothing will change any more.
    fn _wait<'py>(&self, py: Python<'py>, timeout: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let timeout = duration("timeout", timeout)?;
        let instance = self.instance.get();
        match detached(py, || self.wait(instance, timeout))? {
            Ok(changes) => Ok(told_of(changes).into_pyobject(py)?.into_any()),
            Err(RecvTimeoutError::Timeout) => Ok(py.None().into_bound(py)),
            Err(RecvTimeoutError::Closed(_)) => Ok(pyo3::types::PyBool::new(py, false).to_owned().into_any()),
        }
    }
}

impl Subscription {
    fn wait(&self, instance: &Instance, timeout: Duration) -> PyResult<Result<Changes, RecvTimeoutError>> {
        let Some(slot) = self.first.current(instance)? else {
            thread::sleep(timeout);
            return Ok(Err(RecvTimeoutError::Timeout));
        };
        let mut subscription = slot.subscription.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(subscription.recv_timeout(timeout))
    }
}

fn told_of(changes: Changes) -> Told {
    let flags = changes.flags.listed().map(|flags| flags.iter().map(ToString::to_string).collect());
    (changes.document, changes.locks, changes.health, changes.activations, changes.definitions, flags)
}
