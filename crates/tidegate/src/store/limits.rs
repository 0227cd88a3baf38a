//! What bounds the files of a store, and their newest form.

/// Events of one key that are kept, about: they are counted now and then, not each time, so that a key may
/// have some more for a while. A flag that an operator moves ten times a day has its last hundred days.
pub const HISTORY_PER_KEY_MAX: u32 = 1_000;

/// Events of all keys that are kept; the oldest by arrival go first. A start reads them once to check the
/// file.
pub const HISTORY_EVENTS_MAX: u64 = 1_000_000;

/// Bytes of all events that are kept, as encoded. Definitions may be large, and a start checks every page.
pub const HISTORY_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Events of one page of the history. A key has hardly more.
pub const HISTORY_PAGE_MAX: usize = 1_000;

/// Bytes of events, as encoded, after which events that are read in the order of arrival make a page of their own.
pub const ARRIVALS_BYTES_MAX: usize = 1024 * 1024;

/// Damaged rows that are kept for inspection; as many as a cluster has flags.
pub const ASIDE_ROWS_MAX: u32 = 100_000;

/// Pages in the write-ahead log at which it is written back into the database, 4 KiB each: enough that this
/// happens once in some hundred commits, and little enough that a start reads it in a few milliseconds.
pub const WAL_PAGES_MAX: u32 = 2_000;

/// Events that are removed at a time where there are too many; one commit brings fewer.
pub(super) const HISTORY_PRUNE_MAX: u32 = 512;

/// The newest form of a data folder that this version reads and writes.
pub(super) const FORMAT: u32 = 1;
