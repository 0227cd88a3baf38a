//! The status of one source, which its thread writes and the program reads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::status::{Shadowed, Status};

/// The status of one source.
#[derive(Debug)]
pub(crate) struct SourceStatus {
    /// As the thread of the source knows it. What changes by itself (ages, counts of the readers) is filled in when the program
    /// asks.
    status: Mutex<Status>,
    /// Entries of the source's document that have no effect. Apart from the status, which a source holds while it
    /// publishes: another source's document decides this.
    shadowed: Mutex<Shadowed>,
}

impl SourceStatus {
    pub(crate) fn new(status: Status) -> Arc<Self> {
        Arc::new(Self { status: Mutex::new(status), shadowed: Mutex::default() })
    }

    /// The status, to be changed or copied. No check ever waits for it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of the status, with the entries that have no effect.
    pub(crate) fn to_status(&self) -> Status {
        let mut status = self.lock().clone();
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
                "an earlier document defines flags of this one, whose entries have no effect here: {count} in all, such as \
                 `{flag}` in {by}; remove them from one of the two"
            );
        }
        *before = shadowed;
    }
}
