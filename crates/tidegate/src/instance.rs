//! What the readers and the threads of one instance share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate_engine::Snapshot;
use tidegate_engine::lease::Clocks;

use crate::clock::Clock;
use crate::read::cell_table::CellTable;
use crate::read::publish::Board;
use crate::read::reader_state::ReaderState;
use crate::read::subscription::Notifier;
use crate::status::{LocksStatus, Status};

/// What belongs to the whole instance, however many sources it has.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) board: Arc<Board>,
    pub(crate) cells: CellTable,
    pub(crate) notifier: Arc<Notifier>,
    locks: Mutex<LocksStatus>,
    /// Earlier snapshots that some reader still holds.
    snapshots_held: AtomicUsize,
}

impl Instance {
    /// An instance in which no flag is defined. The seed is that of random draws, for tests.
    pub(crate) fn new(clock: Clock, random_seed: Option<u64>) -> Arc<Self> {
        Arc::new(Self {
            board: Board::new(Snapshot::empty(), Clocks::synced(), ReaderState::new(random_seed), clock),
            cells: CellTable::default(),
            notifier: Arc::default(),
            locks: Mutex::default(),
            snapshots_held: AtomicUsize::new(0),
        })
    }

    pub(crate) fn clock(&self) -> &Clock {
        self.board.clock()
    }

    /// The status of the locks. The thread that activates locks holds it meanwhile, so that it always fits the active ones.
    pub(crate) fn locks(&self) -> MutexGuard<'_, LocksStatus> {
        self.locks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_snapshots_held(&self, count: usize) {
        self.snapshots_held.store(count, Ordering::Relaxed);
    }

    /// Adds what is of the whole instance to the status of its first source.
    pub(crate) fn complete(&self, status: &mut Status) {
        status.locks = self.locks().clone();
        status.snapshots_held = self.snapshots_held.load(Ordering::Relaxed);
    }
}
