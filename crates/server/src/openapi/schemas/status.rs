//! `Status` of the library, as it serializes.
#![expect(dead_code, reason = "only the schemas of these types are used")]

use utoipa::ToSchema;

/// Whether the server is ready, and its documents.
#[derive(Debug, ToSchema)]
pub(crate) struct Report {
    /// The version of the server.
    version: String,
    /// Whether each source has given a document, now or before.
    ready: bool,
    /// Whether this node has compared itself with a member of the cluster since its start; null where there is no cluster.
    #[schema(required)]
    synced: Option<bool>,
    /// How many followers are connected.
    followers: u64,
    /// What followers were sent and refused since the start.
    follower_traffic: FollowerTraffic,
    /// The server that this one follows, if it follows one.
    #[schema(required)]
    follow: Option<Follow>,
    /// The documents, their sources, their ages and their problems.
    status: Status,
}

/// What followers were sent and refused since the start.
#[derive(Debug, ToSchema)]
pub(crate) struct FollowerTraffic {
    /// Bytes of the streams of all followers.
    stream_bytes: u64,
    /// Snapshots that were sent.
    snapshots: u64,
    /// Bytes of these snapshots.
    snapshot_bytes: u64,
    /// Requests that were refused, by the reason: `loop`, `too-deep`, `snapshot-needed`, `not-ready`, `full`, `busy`.
    refused: std::collections::BTreeMap<String, u64>,
}

/// Whom the server follows, how old what it has is, and whether they agree.
#[derive(Debug, ToSchema)]
pub(crate) struct Follow {
    /// The server that it follows now, or tries to.
    server: String,
    /// All servers that it may follow.
    servers: Vec<String>,
    /// Whether it has a stream of changes.
    is_connected: bool,
    /// Since when it has been connected, or without a connection.
    #[schema(format = DateTime)]
    since: String,
    /// How old what it has may be; null where no server was reached yet.
    #[schema(required)]
    age_seconds: Option<f64>,
    /// From the members to its server.
    path: Vec<Hop>,
    /// The place in the stream up to which changes are active here.
    #[schema(required)]
    position: Option<String>,
    /// The digest of what the server has said.
    digest: String,
    /// Whether the server had the same digest when it was last compared.
    #[schema(required)]
    is_equal: Option<bool>,
    /// Activations and definitions that the server has, cleared and removed ones included.
    registers: u64,
    /// Those that are newer here than at the server, and are active.
    newer: u64,
    /// Changes that have come by the stream since the start.
    changes: u64,
    /// Snapshots that were taken since the start.
    snapshots: u64,
    /// How often digests differed since the start.
    differences: u64,
    /// How often its server no longer had its position since the start.
    lost_positions: u64,
    /// Why there is no connection.
    #[schema(required)]
    last_error: Option<String>,
    /// Why nothing is kept on the disk at the moment.
    #[schema(required)]
    disk_error: Option<String>,
}

/// A process on the way from the members to a follower.
#[derive(Debug, ToSchema)]
pub(crate) struct Hop {
    /// The id of the process.
    id: String,
    /// What people call it.
    name: String,
}

/// The status of the first source, and of the whole instance.
#[derive(Debug, ToSchema)]
pub(crate) struct Status {
    /// The source, without user, password and query values.
    source: String,
    /// How it is doing: `starting`, `fresh`, `stale`, `refused`, `offline` or `no_source`.
    health: String,
    /// Since when.
    #[schema(format = DateTime)]
    health_since: String,
    /// Where the active document comes from: `source`, `cache` or `no_document`.
    served_from: String,
    /// The tag of the active document.
    #[schema(required)]
    tag: Option<String>,
    /// When the active document was fetched from its source.
    #[schema(required, format = DateTime)]
    fetched_at: Option<String>,
    /// The last successful poll.
    #[schema(required, format = DateTime)]
    fresh_at: Option<String>,
    /// The time since the last successful poll.
    #[schema(required)]
    age_seconds: Option<f64>,
    /// What went wrong when the source was last asked.
    #[schema(required)]
    last_error: Option<Trouble>,
    /// The present document of the source, where it was refused; the one before stays active.
    #[schema(required)]
    refused: Option<Refusal>,
    /// Signatures, unless no key is trusted.
    #[schema(required)]
    signature: Option<SignatureStatus>,
    /// A document that is skipped because processes died while they loaded it.
    #[schema(required)]
    poisoned: Option<Poisoned>,
    /// Entries without effect, because the document of an earlier source defines the flag.
    shadowed: Shadowed,
    /// The digest of the active flags: equal on all hosts that have the same flags.
    digest: String,
    /// How many flags are defined.
    flags: u64,
    /// How many warnings `tidegate check` has of the document.
    warnings: u64,
    /// How often the source was asked.
    polls: u64,
    /// How often an earlier document came back.
    flip_flops: u64,
    /// The clock of this host against that of the source.
    #[schema(required)]
    clock: Option<ClockOffset>,
    /// The cache, unless there is none.
    #[schema(required)]
    cache: Option<CacheStatus>,
    /// The locks of this host.
    locks: LocksStatus,
    /// Reads of flags that are unknown.
    unknown_flags: Misreads,
    /// Reads of values as another type than they have.
    type_errors: Misreads,
    /// Reads whose arguments are exchanged.
    swapped_arguments: Misreads,
    /// Earlier snapshots that some thread or view still holds.
    snapshots_held: u64,
    /// The additional sources, each as this is of the first.
    additional_sources: Vec<serde_json::Value>,
}

/// A failure of a source.
#[derive(Debug, ToSchema)]
pub(crate) struct Trouble {
    /// The latest failure, with what to do.
    message: String,
    /// The first failure since the source was last well.
    #[schema(format = DateTime)]
    since: String,
    /// The latest one.
    #[schema(format = DateTime)]
    at: String,
    /// How many since then.
    count: u64,
}

/// A document that was refused.
#[derive(Debug, ToSchema)]
pub(crate) struct Refusal {
    /// When it was first seen.
    #[schema(format = DateTime)]
    since: String,
    /// How often it was seen.
    count: u64,
    /// The hash of its bytes.
    body: String,
    /// The first error, in one line.
    message: String,
    /// The first twenty errors.
    diagnostics: Vec<super::Diagnostic>,
}

/// Signed documents.
#[derive(Debug, ToSchema)]
pub(crate) struct SignatureStatus {
    /// The key that signed the active document.
    #[schema(required)]
    key: Option<String>,
    /// The environment that the document names.
    #[schema(required)]
    environment: Option<String>,
    /// Its version.
    #[schema(required)]
    version: Option<u64>,
    /// When it was made.
    #[schema(required, format = DateTime)]
    issued: Option<String>,
    /// Whether that lies more than five minutes ahead.
    is_from_future: bool,
    /// When it should have been replaced.
    #[schema(required, format = DateTime)]
    expires: Option<String>,
    /// Whether that is over.
    is_expired: bool,
    /// The newest version that was ever active.
    #[schema(required)]
    version_seen: Option<u64>,
    /// Older documents that came and were refused.
    #[schema(required)]
    rollback: Option<Rollback>,
    /// The file that remembers the newest version.
    #[schema(required)]
    file: Option<String>,
    /// What is wrong with that file.
    #[schema(required)]
    error: Option<String>,
}

/// Documents that are older than one that was active.
#[derive(Debug, ToSchema)]
pub(crate) struct Rollback {
    /// The version of the latest of them.
    version: u64,
    /// The newest version that was active.
    seen: u64,
    /// When the first came.
    #[schema(format = DateTime)]
    since: String,
    /// When the latest came.
    #[schema(format = DateTime)]
    at: String,
    /// How many came.
    count: u64,
}

/// A document that is not loaded any more.
#[derive(Debug, ToSchema)]
pub(crate) struct Poisoned {
    /// The hash of its bytes.
    body: String,
    /// When it was skipped.
    #[schema(format = DateTime)]
    since: String,
    /// `source` or `cache`.
    from: String,
}

/// Entries of a document that have no effect.
#[derive(Debug, ToSchema)]
pub(crate) struct Shadowed {
    /// How many there are.
    count: u64,
    /// The first hundred.
    entries: Vec<ShadowedEntry>,
}

/// An entry that has no effect.
#[derive(Debug, ToSchema)]
pub(crate) struct ShadowedEntry {
    /// The flag key.
    flag: String,
    /// The source of the document that counts.
    by: String,
}

/// The clock of this host against that of a source.
#[derive(Debug, ToSchema)]
pub(crate) struct ClockOffset {
    /// How far this host is ahead.
    ahead_seconds: f64,
    /// How far that may be wrong.
    uncertainty_seconds: f64,
    /// Whether it is certainly more than 500 ms.
    is_suspicious: bool,
}

/// The cache.
#[derive(Debug, ToSchema)]
pub(crate) struct CacheStatus {
    /// The file of the document.
    #[schema(required)]
    file: Option<String>,
    /// What is wrong with it.
    #[schema(required)]
    error: Option<String>,
}

/// The locks of this host.
#[derive(Debug, ToSchema)]
pub(crate) struct LocksStatus {
    /// The file.
    #[schema(required)]
    file: Option<String>,
    /// What is wrong with it; the last good locks stay active.
    #[schema(required)]
    error: Option<LocksTrouble>,
    /// The locks.
    locks: Vec<LockStatus>,
}

/// What is wrong with the file of locks.
#[derive(Debug, ToSchema)]
pub(crate) struct LocksTrouble {
    /// All that is wrong, with its place.
    message: String,
    /// When it was first seen.
    #[schema(format = DateTime)]
    since: String,
}

/// A lock of this host.
#[derive(Debug, ToSchema)]
pub(crate) struct LockStatus {
    /// The flag key.
    flag: String,
    /// The variant that is pinned.
    variant: Option<String>,
    /// The value that is pinned instead.
    #[schema(required = false)]
    value: Option<serde_json::Value>,
    /// Who locked it.
    actor: String,
    /// Why.
    reason: String,
    /// When the lock ends.
    #[schema(format = DateTime)]
    until: Option<String>,
    /// Whether it has ended.
    is_expired: bool,
}

/// Reads that cannot mean what their author meant.
#[derive(Debug, ToSchema)]
pub(crate) struct Misreads {
    /// How often, by this process.
    count: u64,
    /// The first 16 of the flags.
    flags: Vec<String>,
}
