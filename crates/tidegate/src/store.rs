//! What a node keeps on its disk: registers, their history, and what the replica wants to remember.
//!
//! All registers live in memory; a store only has to bring them back. So it knows two things: to make batches
//! durable in the order in which they come, and to load everything at the start. Whatever it has confirmed is
//! there after a crash, and what is damaged is told, never guessed:
//!
//! - [`Store::commit`] returns when every batch is on the disk, or none of them is;
//! - a register whose checksum is wrong is not loaded; it is kept apart and [`Loaded::is_damaged`] says so;
//! - after a failed sync there is no second attempt: the kernel may then claim success for what it has dropped.
//!
//! [`SqliteStore`] is the one that survives; [`MemoryStore`] is for readers and tests. Every store passes the
//! same suite of tests, which begins in `store/tests/conformance.rs`.

pub mod backup;
mod committer;
mod error;
mod folder;
mod limits;
mod memory;
mod sqlite;

use std::fmt;

pub use committer::{Committer, Outcome, QUEUE_WEIGHT_MAX};
pub use error::{OpenError, StoreError};
pub use folder::{Damage, DataFolder};
pub use limits::{
    ARRIVALS_BYTES_MAX, ASIDE_ROWS_MAX, HISTORY_BYTES_MAX, HISTORY_EVENTS_MAX, HISTORY_PAGE_MAX, HISTORY_PER_KEY_MAX,
    WAL_PAGES_MAX,
};
pub use memory::MemoryStore;
pub use sqlite::SqliteStore;
pub(crate) use sqlite::UnwritableStore;
pub use tidegate_replica::{Batch, Event, Loaded, Register, Stamp};

/// Keeps registers, so that a node that starts again is where it was.
pub trait Store: fmt::Debug + Send {
    /// Everything that was committed, in no particular order.
    ///
    /// [`Loaded::is_damaged`] stays set, also across restarts, until a batch with [`Batch::meta`] was
    /// committed: by then the loader could remember it.
    ///
    /// # Errors
    /// Nothing was loaded, and nothing has changed.
    fn load(&mut self) -> Result<Loaded, StoreError>;

    /// Makes all batches durable, in one transaction: each is kept as a whole, and all of them or none.
    ///
    /// Within a batch, [`Batch::dropped`] comes before [`Batch::registers`]. An event that is there already
    /// (the same key and stamp) takes over [`Event::lost_to`] if there is one, and is else left as it is.
    ///
    /// # Errors
    /// Nothing of it is kept. [`StoreError::is_retryable`] says whether the same batches may be tried again;
    /// any other failure finishes the store for good.
    fn commit(&mut self, batches: &[Batch]) -> Result<(), StoreError>;

    /// Does what can wait until no caller waits, such as writing a log back; called after commits.
    ///
    /// # Errors
    /// What was committed is safe. If this cannot be tried again, the store is finished.
    fn tend(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Looks whether what was committed is still where it was. Called twice a second, and after each commit before it is
    /// confirmed, so it has to be quick.
    ///
    /// # Errors
    /// What cannot be tried again finishes the store; what can is looked at again.
    fn check(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Whether it is known, and was told, that nothing can be committed for now.
    fn is_known_to_wait(&self) -> bool {
        false
    }

    /// A reader of the history, which works on other threads and never holds up a commit.
    fn history(&self) -> Box<dyn History>;

    /// Ends in good order. What was committed is safe without it.
    fn close(self: Box<Self>) -> Result<(), StoreError>;
}

/// Reads what happened to a key on this node.
pub trait History: fmt::Debug + Send + Sync {
    /// The events of a key, newest first, at most `limit` and at most [`HISTORY_PAGE_MAX`]; with `before`,
    /// only those with a smaller stamp. The last stamp of a page is the `before` of the next.
    ///
    /// # Errors
    /// The store is closed, or cannot be read.
    fn page(&self, key: &[u8], before: Option<Stamp>, limit: usize) -> Result<Vec<Event>, StoreError>;

    /// The events of all keys, newest first, in the same way.
    ///
    /// # Errors
    /// The store is closed, or cannot be read.
    fn page_of_all(&self, before: Option<Stamp>, limit: usize) -> Result<Vec<Event>, StoreError>;

    /// The events that came after this position, of those the ones whose stamps are wanted, in the order in which they came. At
    /// most `limit` events are looked at, and at most [`HISTORY_PAGE_MAX`]; fewer where [`ARRIVALS_BYTES_MAX`] is reached.
    ///
    /// # Errors
    /// The store is closed, or cannot be read.
    fn arrivals(&self, after: u64, limit: usize, is_wanted: &dyn Fn(Stamp) -> bool) -> Result<Arrivals, StoreError>;

    /// The positions of the first and the last event that are kept; none where there is no event.
    ///
    /// # Errors
    /// The store is closed, or cannot be read.
    fn ends(&self) -> Result<Option<(u64, u64)>, StoreError>;

    /// The stamp of the event at a position, if it is kept.
    ///
    /// # Errors
    /// The store is closed, or cannot be read.
    fn stamp_at(&self, position: u64) -> Result<Option<Stamp>, StoreError>;
}

/// Events in the order in which they came to this node.
#[derive(Clone, Debug, Default)]
pub struct Arrivals {
    /// The events with their positions, which grow.
    pub events: Vec<(u64, Event)>,
    /// The position of the last event that was looked at; that from which it was looked, where there was none.
    pub last: u64,
    /// Whether all that came in between is kept: false where an event before a wanted one has been removed or is damaged. Positions
    /// count by one, so a position that is missing is an event that is missing.
    pub is_complete: bool,
}

#[cfg(test)]
mod tests;
