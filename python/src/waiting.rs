//! Waits without the GIL.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::marker::Ungil;
use pyo3::prelude::*;

/// Threads of Python that wait in a frame of Rust.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Waits without the GIL. The thread is counted meanwhile.
pub(crate) fn detached<T: Ungil>(py: Python<'_>, wait: impl FnOnce() -> T + Ungil) -> T {
    WAITING.fetch_add(1, Ordering::SeqCst);
    let waited = py.detach(wait);
    WAITING.fetch_sub(1, Ordering::SeqCst);
    waited
}

/// How many threads wait in a frame of Rust. At the end of the interpreter none may: closed instances wake them.
#[pyfunction]
pub(crate) fn waiting() -> usize {
    WAITING.load(Ordering::SeqCst)
}

/// The threads that waited are not in the child of a fork.
pub(crate) fn after_fork_in_child() {
    WAITING.store(0, Ordering::SeqCst);
}
