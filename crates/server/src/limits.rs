//! Every limit of the server, with its reason.

use std::time::Duration;

/// The body of a request, but for a restore: an entry has two values of 64 KiB and 100,000 early adopters at most, far more than
/// one request needs.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The body of a restore: a backup of 100,000 flags is about 50 MB.
pub const RESTORE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bodies and answers together, but for small ones. Two of the largest restores fit in, each of which takes twice its size: for its
/// text, and for what is read from it.
pub const MEMORY_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A body or an answer that is no longer is small: it belongs to its connection, and no budget refuses it. A change and its
/// receipt are smaller.
pub const SMALL_BYTES: usize = 16 * 1024;

/// The list of flags and a backup are sent in parts of about this size, so that memory does not depend on how many flags there are.
pub const PART_BYTES: usize = 64 * 1024;

/// Parts of one answer in memory: one that is made, one that waits, one that is being sent.
pub const PARTS_MAX: usize = 3;

/// A page of history ends when its changes have this length.
pub const HISTORY_BYTES_MAX: usize = 1024 * 1024;

/// What is read and thrown away of a body that is too large, so that its sender hears why: one that is cut off while it
/// writes often does not read the answer.
pub const REFUSED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The head of a request: the longest flag key and the longest key that anybody uses, percent-encoded, several times over. Each
/// connection may hold this much before anything is known of it.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Headers of a request, which is hyper's own limit. Browsers send about 20, gateways add about as many.
pub const HEADERS_MAX: usize = 100;

/// Connections at once, unless the configuration says otherwise. When another one comes, one that waits for its client is closed. An idle
/// one costs about 20 KiB, so that all of them are 320 MiB.
pub const CONNECTIONS_MAX: usize = 16_384;

/// Connections at once that the configuration can ask for: 20 GiB of idle ones.
pub const CONNECTIONS_SETTING_MAX: usize = 1_000_000;

/// Connections at once where the process may open few files: enough for an operator and a proxy.
pub const CONNECTIONS_MIN: usize = 16;

/// Files of the process that connections leave for members of the cluster, strangers at its port, the data folder and documents.
pub const FILES_RESERVED: usize = 4_096;

/// Where the process may open few files, connections take at most this part of them.
pub const FILES_SHARE: usize = 2;

/// Connections that wait to be accepted. Beyond it the system drops what a client sends, and the client tries again after a second.
pub const LISTEN_BACKLOG: u32 = 4_096;

/// Connections at once on the listener for health alone.
pub const HEALTH_CONNECTIONS_MAX: usize = 64;

/// Connections at once that watch: each has a task and a timer, and each change wakes all of them. The others stay free
/// for changes.
pub const WATCHERS_MAX: usize = 2_048;

/// Followers at once: each has a connection and about 20 KiB. A tree of servers has more.
pub const FOLLOWERS_MAX: usize = 1_024;

/// At most this part of the connections may be followers.
pub const FOLLOWERS_SHARE: usize = 2;

/// Snapshots at once that are sent to followers. One of 10,000 flags has some 300 KB, and all send the same bytes.
pub const SNAPSHOTS_AT_ONCE: usize = 32;

/// What a snapshot takes from the budget that is sent without compression, to a client that asks for that.
pub const SNAPSHOT_BYTES: usize = 64 * 1024 * 1024;

/// Changes at once that wait long for their acknowledgement: each holds a connection meanwhile. The others stay free.
pub const WAITS_MAX: usize = 512;

/// At most this part of the connections may watch, and at most this part may wait long.
pub const LONG_SHARE: usize = 4;

/// A wait that is no longer is short: connections come free again fast enough for all who come.
pub const SHORT_WAIT: Duration = Duration::from_secs(1);

/// Changes at once that are held against what stands there. Each takes some microseconds.
pub const CHANGES_AT_ONCE: usize = 32;

/// Definitions at once whose entries are read. It keeps a processor busy.
pub const DEFINITIONS_AT_ONCE: usize = 4;

/// Requests at once that look something up.
pub const READS_AT_ONCE: usize = 16;

/// Operations at once on the cluster itself.
pub const OPERATIONS_AT_ONCE: usize = 4;

/// Lists of all flags at once that are begun: each goes through all that there is.
pub const LISTS_AT_ONCE: usize = 4;

/// Bulk answers of OFREP at once that evaluate more flags than [`BULK_FLAGS_INLINE`].
pub const BULKS_AT_ONCE: usize = 4;

/// A bulk answer of OFREP over no more flags than this is made where its request is read: it takes less than a millisecond.
pub const BULK_FLAGS_INLINE: usize = 2_000;

/// Plans and simulations at once of documents that requests bring. Each keeps a processor busy.
pub const FORECASTS_AT_ONCE: usize = 2;

/// For a plan, a simulation or an explanation of a document that a request brings. One of the largest takes a few seconds.
pub const FORECAST_TIMEOUT: Duration = Duration::from_secs(10);

/// Flags of a plan, and changes of their shares, together: its answer has about 10 MB then.
pub const PLAN_POINTS_MAX: usize = 50_000;

/// Keys of a simulation: their counts are within a tenth of a percent of the shares.
pub const POPULATION_MAX: u64 = 1_000_000;

/// Instants of a simulation: more than a picture shows.
pub const INSTANTS_MAX: u64 = 1_000;

/// Keys times instants of a simulation: each is an evaluation where the flag has rules, so that it takes a few seconds.
pub const SIMULATED_MAX: u64 = 10_000_000;

/// Answers of OFREP whose tags the server remembers, to answer 304 without evaluating: about 150 bytes for each.
pub const OFREP_TAGS_MAX: usize = 8_192;

/// Between two events by which an OFREP stream tells of a ramp that moves: a fast ramp makes each client ask at most so often.
pub const OFREP_STEP_PERIOD: Duration = Duration::from_secs(5);

/// Backups at once that are written, each as fast as its client takes it.
pub const BACKUPS_AT_ONCE: usize = 4;

/// What a backup of 100,000 flags takes from the budget while it is written: a reference to each register.
pub const BACKUP_BYTES: usize = 32 * 1024 * 1024;

/// Restores at once: two would undo each other.
pub const RESTORES_AT_ONCE: usize = 1;

/// For the turn of a request to come, while others of its kind are at work.
pub const TURN_TIMEOUT: Duration = Duration::from_secs(5);

/// For the head of a request, and between two requests on one connection.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// For the body of a request: 1 MiB over a line of 1 Mbit/s.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// For the body of a restore.
pub const RESTORE_TIMEOUT: Duration = Duration::from_mins(2);

/// For the whole of an answer that is sent in parts: 100 MB over a line of 3 Mbit/s.
pub const ANSWER_TIMEOUT: Duration = Duration::from_mins(5);

/// For a restore itself, when its body is there.
pub const RESTORE_WORK_TIMEOUT: Duration = Duration::from_mins(2);

/// For a client to take some bytes of an answer.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest wait for an acknowledgement that can be requested: a client that waits longer can ask again.
pub const ACK_TIMEOUT_MAX: Duration = Duration::from_mins(1);

/// Flags of a changed document that have an event each. Where more have changed there is one event for all, and its reader lists
/// the flags: that costs less.
pub const EVENT_FLAGS_MAX: usize = 100;

/// Latest changes that are kept as events for the streams of all changes. A stream that is further behind is ended: its client
/// connects again, and gets the rest from the history.
pub const FEED_EVENTS_MAX: usize = 4_096;

/// Bytes of these events. Two of them with the largest definitions take 2 MiB.
pub const FEED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long a stream of all changes rests after what it has sent, where there are a thousand streams, and in proportion: about twice
/// what it takes to send to all of them, so that they take half a processor at most.
pub const FEED_REST: Duration = Duration::from_millis(20);

/// Changes that are read from the history at a time for the streams of all changes.
pub const FEED_PAGE: usize = 128;

/// A history that could not be read for the streams of all changes is read again after this time.
pub const FEED_RETRY: Duration = Duration::from_secs(1);

/// Between two comments on an event stream: well within the minute after which gateways cut a silent connection.
pub const KEEP_ALIVE_PERIOD: Duration = Duration::from_secs(15);

/// A stop waits this long for requests under way, so that the process is gone after 5 s: the rest is for the disk.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// Who makes a change, and why.
pub const TEXT_BYTES_MAX: usize = 1_024;

/// The file of the configuration. One that is longer is some other file.
pub const CONFIG_BYTES_MAX: u64 = 1024 * 1024;
