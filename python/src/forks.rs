//! What a fork means: the child has the memory of its parent, and none of its threads.
//!
//! Reads go on from memory. An instance starts threads of its own in the child, and is replaced by that new one as soon as it has
//! as much to answer from; until then the old one answers what the parent answered at the fork. The old one is never dropped in
//! the child, because that would wait for threads that are not there. An instance with live changes that only one process can be (a
//! folder, an address, a certificate) is not replaced: it answers what was active at the fork, and makes no change.

use std::cell::RefCell;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::prelude::*;

use crate::logs::{self, Queue};
use crate::waiting;

/// How many forks lie between this process and the one that loaded the module.
static FORKS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static HELD: RefCell<Option<MutexGuard<'static, Queue>>> = const { RefCell::new(None) };
}

#[inline]
pub(crate) fn count() -> u64 {
    FORKS.load(Ordering::Relaxed)
}

/// No other thread is in the middle of the queue of records while the process forks.
#[pyfunction]
pub(crate) fn before_fork() {
    HELD.with(|held| *held.borrow_mut() = Some(logs::lock()));
}

#[pyfunction]
pub(crate) fn after_fork_in_parent() {
    HELD.with(|held| held.borrow_mut().take());
}

#[pyfunction]
pub(crate) fn after_fork_in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    waiting::after_fork_in_child();
    HELD.with(|held| {
        if let Some(mut queue) = held.borrow_mut().take() {
            // The parent logs them.
            queue.clear();
        }
    });
}
