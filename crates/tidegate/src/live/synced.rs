//! How far the start of this node has come: whether it has the cluster's state, or is a second process of its node.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// What the network has found out about the start of this node.
#[derive(Debug, Default)]
pub(super) struct Synced {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whether this node has compared all that it holds with one member since its start. It becomes so once, and stays so.
    is_synced: bool,
    /// Where an older process of this node is running.
    running_elsewhere: Option<String>,
}

/// Another process of this node is running, at this address, and is older.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct RunningElsewhere(pub(super) String);

impl Synced {
    pub(super) fn is_synced(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_synced
    }

    pub(super) fn set(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_synced = true;
        self.changed.notify_all();
    }

    /// Another node says that an older process of this node is running there.
    pub(super) fn note_running_elsewhere(&self, address: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.running_elsewhere.get_or_insert_with(|| address.to_owned());
        self.changed.notify_all();
    }

    /// Waits until this node is synced, at most that long; whether it is.
    ///
    /// # Errors
    /// An older process of this node is running.
    pub(super) fn wait(&self, timeout: Duration) -> Result<bool, RunningElsewhere> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_pending = |state: &mut State| !state.is_synced && state.running_elsewhere.is_none();
        let waited = self.changed.wait_timeout_while(state, timeout, is_pending);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match &state.running_elsewhere {
            Some(address) => Err(RunningElsewhere(address.clone())),
            None => Ok(state.is_synced),
        }
    }
}
