//! Every limit, with its reason.

/// A key: section and flag of 256 bytes each, every byte of them escaped to three, with a letter before and a separator
/// between them.
pub const KEY_BYTES_MAX: usize = 2 * 256 * 3 + 2;

/// A value: a flag's definition with two values of 64 KiB each, and the fields around them.
pub const VALUE_BYTES_MAX: usize = 256 * 1024;

/// Actor or reason: a sentence or two, not a report.
pub const TEXT_BYTES_MAX: usize = 1024;

/// Changes of one write: a release with all its flags. More would keep other writes of the node from becoming active for some
/// milliseconds.
pub const WRITE_CHANGES_MAX: usize = 1_000;

/// Bytes of all changes of one write, so that they fit into one message: with 1,000 changes, 384 bytes each.
pub const WRITE_BYTES_MAX: usize = 384 * 1024;

/// Fields of a newer version that are kept.
pub const EXTRA_BYTES_MAX: usize = 4 * 1024;

/// One message: a register of the greatest size and the fields around it.
pub const MESSAGE_BYTES_MAX: usize = 512 * 1024;

/// Registers in one message are gathered up to that size: large enough to fill a link, small enough that a slow one
/// is not blocked for long.
pub const CHUNK_BYTES: usize = 128 * 1024;

/// Bytes of registers that repair may send to one peer in a second, so that it never crowds out live changes.
pub const REPAIR_BYTES_PER_SECOND: u64 = 1024 * 1024;

/// The same for a node that fetches a snapshot.
pub const SNAPSHOT_BYTES_PER_SECOND: u64 = 16 * 1024 * 1024;

/// Repairs of a cluster's clock: one a day for 27 years. The list of all of them has to fit into one register.
pub const EPOCHS_MAX: u16 = 10_000;

/// The greatest drift that may be allowed, in milliseconds: beyond it, stamps say nothing of what came first.
pub const DRIFT_MS_MAX: u64 = 60_000;

/// A clock that is so far off is worth a warning, in milliseconds: well kept clocks are a hundred times better.
pub const CLOCK_WARNING_MS: u64 = 500;

/// Registers in quarantine because they lie too far in the future. What does not fit comes again by anti-entropy.
pub const QUARANTINE_MAX: usize = 1_000;

/// Changes that wait for their acknowledgement level. More are refused as busy.
pub const PENDING_MAX: usize = 10_000;

/// Nodes of the membership, and peers that a node remembers: beyond 1,000 links a full mesh is the wrong shape.
pub const NODES_MAX: usize = 1_000;

/// Tree nodes compared in one message: 8 kB.
pub(crate) const NODES_PER_MESSAGE: usize = 64;

/// Stamps listed in one message: 100 kB.
pub(crate) const ENTRIES_PER_MESSAGE: usize = 4_096;

/// A node that lacks at least this many registers, and most of them, fetches a snapshot.
pub(crate) const SNAPSHOT_MISSING_MIN: u64 = 1_000;
