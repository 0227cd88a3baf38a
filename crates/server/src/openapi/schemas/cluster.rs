//! `ClusterStatus` of the library, as it serializes.
#![expect(dead_code, reason = "only the schemas of these types are used")]

use std::collections::BTreeMap;

use utoipa::ToSchema;

/// The cluster as the answering node sees it: what `tidegate cluster status --format json` prints and `Cluster::status` of the
/// library returns.
#[derive(Debug, ToSchema)]
pub(crate) struct Cluster {
    /// This node.
    node: NodeStatus,
    /// Each problem, once.
    problems: Vec<ClusterProblem>,
    /// Why changes are refused on this node, or null while they are accepted.
    #[schema(required)]
    writes_refused: Option<String>,
    /// Since when no other node is reachable, or null.
    #[schema(required, format = DateTime)]
    isolated_since: Option<String>,
    /// The other nodes that are known.
    peers: Vec<Peer>,
    /// The nodes among which majorities are counted.
    members: Vec<Member>,
    /// Where the node looks for others, configured addresses first.
    addresses: Vec<AddressState>,
    /// The first hundred changes whose stamps are too far in the future.
    quarantined: Vec<QuarantinedChange>,
    /// Their number.
    quarantined_count: u64,
    /// Changes that this version cannot activate.
    inapplicable: Vec<InapplicableChange>,
    /// Definitions without effect, because a document defines the flag.
    shadowed: Vec<String>,
    /// The problem of the disk, or null.
    #[schema(required)]
    disk: Option<String>,
    /// The Redis through which changes are shared, or null.
    #[schema(required)]
    redis: Option<RedisStatus>,
    /// What was damaged at the start.
    damage: Vec<String>,
    /// Messages that were dropped because a queue was full or a link was closed.
    messages_dropped: u64,
    /// Messages and registers of other nodes that were refused since the start, by cause: `malformed`, `newer-version`, `quarantined`,
    /// `collected`, `equal-stamps`.
    messages_refused: BTreeMap<String, u64>,
    /// Connections of other nodes that were refused since the start, by cause (`displaced`: closed for a newer one).
    connections_refused: BTreeMap<String, u64>,
    /// Connections that have not authenticated yet.
    connections_pending: u64,
    /// Problems of this node's own end of its links: it cannot accept connections, its certificates cannot be reloaded or have
    /// expired.
    link_problems: Vec<String>,
    /// How many snapshots were published.
    published: u64,
}

/// The node that answers.
#[derive(Debug, ToSchema)]
pub(crate) struct NodeStatus {
    /// Its id, 16 hexadecimal digits.
    id: String,
    /// Its name.
    name: String,
    /// The name of its cluster.
    cluster: String,
    /// A number of this start, in hexadecimal digits.
    instance: String,
    /// How long the process has run.
    uptime_ms: u64,
    /// Whether it keeps changes on a disk.
    durable: bool,
    /// Its data folder.
    #[schema(required)]
    folder: Option<String>,
    /// Where it listens for other nodes.
    #[schema(required)]
    address: Option<String>,
    /// Where they reach it, as it tells them.
    #[schema(required)]
    advertised: Option<String>,
    /// When its certificate expires.
    #[schema(required, format = DateTime)]
    certificate_expires: Option<String>,
    /// How often the clock was repaired.
    epoch: u64,
    /// A hash of all registers.
    digest: String,
    /// The number of registers.
    registers: u64,
    /// Those of them that are removals.
    tombstones: u64,
}

/// A problem of the cluster.
#[derive(Debug, ToSchema)]
pub(crate) struct ClusterProblem {
    /// The problem, as a word; see the table of codes.
    code: String,
    /// The same for people, with what to do.
    message: String,
    /// Whether a person has to act; otherwise it ends by itself, or is for information.
    needs_action: bool,
}

/// Another node that is known.
#[derive(Debug, ToSchema)]
pub(crate) struct Peer {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// Whether it is reachable.
    reachable: bool,
    /// False if it is connected and does not answer: its process is at fault.
    responsive: bool,
    /// Whether its last digest was equal to this node's; null: not known yet.
    #[schema(required)]
    equal: Option<bool>,
    /// That digest.
    #[schema(required)]
    digest: Option<String>,
    /// How far its clock is ahead.
    #[schema(required)]
    clock_offset_ms: Option<i64>,
    /// Whether that is 500 ms or more, and more than the delay of the messages explains.
    clock_off: bool,
    /// The time since its last message.
    #[schema(required)]
    heard_ms_ago: Option<u64>,
}

/// A node among which majorities are counted.
#[derive(Debug, ToSchema)]
pub(crate) struct Member {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// Where it says that it can be reached.
    #[schema(required)]
    address: Option<String>,
    /// Since when its entry stands as it is.
    #[schema(required, format = DateTime)]
    since: Option<String>,
    /// Whether an operator has removed it.
    forgotten: bool,
    /// Whether nothing has come from it for seven days, counted from the start of this process at the earliest.
    silent: bool,
}

/// An address at which the node looks for others.
#[derive(Debug, ToSchema)]
pub(crate) struct AddressState {
    /// `host:port`.
    address: String,
    /// Whether it is configured; otherwise it is that of a member.
    configured: bool,
    /// The node there, if known.
    #[schema(required)]
    node: Option<Node>,
    /// Whether there is a link to it.
    connected: bool,
    /// Why there is none, as a word such as `connection-refused`; see the table of causes.
    #[schema(required)]
    cause: Option<String>,
    /// A sentence that says what to do.
    #[schema(required)]
    problem: Option<String>,
    /// How long attempts have failed.
    #[schema(required)]
    failing_ms: Option<u64>,
}

/// A node.
#[derive(Debug, ToSchema)]
pub(crate) struct Node {
    /// Its id.
    id: String,
    /// Its name; empty where it is unknown.
    name: String,
}

/// A change that is quarantined because its stamp lies too far in the future.
#[derive(Debug, ToSchema)]
pub(crate) struct QuarantinedChange {
    /// The flag key; null for a change of a kind that only a newer version knows.
    #[schema(required)]
    flag: Option<String>,
    /// `activation` or `definition`; null likewise.
    #[schema(required)]
    kind: Option<String>,
    /// Its stamp.
    stamp: String,
    /// The instant that the stamp names.
    #[schema(required, format = DateTime)]
    at: Option<String>,
    /// The node that made it.
    node: Node,
    /// The node that sent it here.
    #[schema(required)]
    from: Option<Node>,
}

/// A Redis through which processes share changes.
#[derive(Debug, ToSchema)]
pub(crate) struct RedisStatus {
    /// Where it is, without user and password.
    url: String,
    /// Whether it is connected, loaded and followed.
    connected: bool,
    /// Since when it is not, or null.
    #[schema(required, format = DateTime)]
    unreachable_since: Option<String>,
    /// Why it is not, or null.
    #[schema(required)]
    problem: Option<String>,
    /// When it syncs to its disk: `always`, `everysec`, `no`, `off`; null where it does not tell.
    #[schema(required)]
    appendfsync: Option<String>,
    /// How many replicas are connected to it.
    replicas: u32,
    /// Its `maxmemory-policy`, or null.
    #[schema(required)]
    eviction: Option<String>,
    /// How far its clock is ahead of the server's, or null.
    #[schema(required)]
    clock_offset_ms: Option<i64>,
    /// How many registers it has.
    registers: u64,
    /// How many registers wait to be written to it.
    waiting: u64,
    /// How often all that it has was compared with memory.
    comparisons: u64,
    /// How many registers those comparisons have written to it.
    refilled: u64,
    /// How many registers were read from its stream.
    received: u64,
    /// How many of its entries cannot be read.
    unreadable: u64,
    /// What is wrong with it; `problems` of the cluster has the same.
    problems: Vec<ClusterProblem>,
}

/// What Redis has said of a change.
#[derive(Debug, ToSchema)]
pub(crate) struct RedisReceipt {
    /// Whether it has the change and claims to keep it.
    acknowledged: bool,
    /// When it syncs to its disk: `always`, `everysec`, `no`, `off`; null where it does not tell.
    #[schema(required)]
    appendfsync: Option<String>,
    /// How many of its replicas have acknowledged the change, as far as that was asked.
    replicas: u32,
    /// Why it has not acknowledged the change, or null.
    #[schema(required)]
    problem: Option<String>,
}

/// A change that this version cannot activate.
#[derive(Debug, ToSchema)]
pub(crate) struct InapplicableChange {
    /// The flag key.
    flag: String,
    /// `activation` or `definition`.
    kind: String,
    /// Why.
    problem: String,
}
