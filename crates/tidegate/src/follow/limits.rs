//! Every limit of followers, with its reason.

use std::time::Duration;

use tidegate_engine::Span;

/// Lines of the stream that a server keeps for all its followers together: some minutes of a busy cluster, in which a follower
/// whose connection broke goes on without a snapshot.
pub(crate) const RING_LINES_MAX: usize = 4_096;

/// Bytes of these lines.
pub(crate) const RING_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Registers in one line.
pub(crate) const EVENT_REGISTERS_MAX: usize = 1_000;

/// Bytes of keys and values after which a line is full. One register may have 258 KiB itself.
pub(crate) const EVENT_BYTES_MAX: usize = 256 * 1024;

/// Size of the longest line that a follower reads: a full one whose last register is the largest, with every byte of it escaped.
pub(crate) const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Size of the largest snapshot that a follower reads, decompressed: several documents of 16 MiB, and 100,000 definitions.
pub(crate) const SNAPSHOT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Documents in a snapshot; members have a few.
pub(crate) const DOCUMENTS_MAX: usize = 64;

/// Processes between the members and a follower. Four levels of 1,000 each are more than there are hosts.
pub(crate) const HOPS_MAX: usize = 8;

/// Between two lines by which a server says that it is there, and the digest of what it has.
pub(crate) const ALIVE_PERIOD: Duration = Duration::from_secs(10);

/// For this long the bytes of a snapshot serve: what they say of the age of documents is wrong by that much at most.
pub(crate) const SNAPSHOT_AGE_MAX: Span = Span::from_micros(10_000_000);

/// A follower that reads nothing for this long, three such lines, takes its server for unreachable.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(32);

/// The longest delay before a follower tries to connect again.
pub(crate) const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// The first one, at most: 1,000 followers whose server was restarted come back within a second, and not at once.
pub(crate) const BACKOFF_FIRST: Duration = Duration::from_secs(1);

/// How long a follower keeps a register that is newer than what its present server has. A server that lags has it by then; one
/// that was set up again from nothing never will.
pub(crate) const AHEAD_MAX: Duration = Duration::from_mins(10);

/// Between two writes of what a follower keeps on the disk, at least.
pub(crate) const SAVE_PERIOD: Duration = Duration::from_secs(1);

/// Size of the file of a follower: the registers of a snapshot.
pub(crate) const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Addresses of servers that a follower takes.
pub(crate) const ADDRESSES_MAX: usize = 16;
