//! What the background thread and its readers share besides the board.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cells::Cells;
use crate::status::Status;
use crate::subscription::Bell;

/// See the module.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) cells: Cells,
    pub(crate) bell: Arc<Bell>,
    /// As the background thread knows it. What changes by itself (ages, expired locks, counts of the readers)
    /// is filled in when somebody asks.
    status: Mutex<Status>,
}

impl Shared {
    pub(crate) fn new(status: Status) -> Arc<Self> {
        Self::with_bell(status, Arc::default())
    }

    /// Of a further source, whose changes ring the same bell.
    pub(crate) fn with_bell(status: Status, bell: Arc<Bell>) -> Arc<Self> {
        Arc::new(Self { cells: Cells::default(), bell, status: Mutex::new(status) })
    }

    /// The status, to be changed or copied. No check ever waits for it.
    pub(crate) fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
