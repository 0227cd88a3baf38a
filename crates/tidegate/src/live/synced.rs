//! Whether this node has the cluster's state, and waiting for it at a start.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Whether this node has compared all that it holds with one member since its start. It becomes so once, and stays so.
#[derive(Debug, Default)]
pub(super) struct Synced {
    is_synced: Mutex<bool>,
    changed: Condvar,
}

impl Synced {
    pub(super) fn is_synced(&self) -> bool {
        *self.is_synced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self) {
        *self.is_synced.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits until it is so, at most that long; whether it is.
    pub(super) fn wait(&self, timeout: Duration) -> bool {
        let is_synced = self.is_synced.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(is_synced, timeout, |is_synced| !*is_synced);
        let (is_synced, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *is_synced
    }
}
