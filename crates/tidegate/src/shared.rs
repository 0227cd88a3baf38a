//! What the background thread and its readers share besides the board.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::read::cell_table::CellTable;
use crate::read::subscription::Notifier;
use crate::status::{Shadowed, Status};

/// See the module.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) cells: CellTable,
    pub(crate) notifier: Arc<Notifier>,
    /// As the background thread knows it. What changes by itself (ages, expired locks, counts of the readers)
    /// is filled in when somebody asks.
    status: Mutex<Status>,
    /// Entries of the source's document that have no effect. Apart from the status, which a source holds while it
    /// publishes: another source's document decides this.
    shadowed: Mutex<Shadowed>,
}

impl Shared {
    pub(crate) fn new(status: Status) -> Arc<Self> {
        Self::with_notifier(status, Arc::default())
    }

    /// Of an additional source, whose changes go to the same subscribers.
    pub(crate) fn with_notifier(status: Status, notifier: Arc<Notifier>) -> Arc<Self> {
        Arc::new(Self { cells: CellTable::default(), notifier, status: Mutex::new(status), shadowed: Mutex::default() })
    }

    /// The status, to be changed or copied. No check ever waits for it.
    pub(crate) fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of the status, with the entries that have no effect.
    pub(crate) fn full_status(&self) -> Status {
        let mut status = self.status().clone();
        status.shadowed = self.shadowed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        status
    }

    /// Takes note of the entries without effect, and tells the log of those that were not among them before.
    pub(crate) fn set_shadowed(&self, shadowed: Shadowed, source: &str) {
        let mut before = self.shadowed.lock().unwrap_or_else(PoisonError::into_inner);
        if *before == shadowed {
            return;
        }
        if let Some(entry) = shadowed.entries.iter().find(|entry| !before.entries.contains(entry)) {
            let (count, flag, by) = (shadowed.count, &entry.flag, &entry.by);
            tracing::warn!(
                source,
                "{count} of this document's entries have no effect, because an earlier document defines the same flags, \
                 such as `{flag}` in {by}; take them out of one of the two"
            );
        }
        *before = shadowed;
    }
}
