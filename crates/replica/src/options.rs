//! Options of a replica, and its intervals and deadlines.

#[cfg(feature = "simulate")]
use crate::Mutant;
use crate::NodeId;

/// The options of a replica.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct Options {
    /// The id of the node, for as long as its data folder exists.
    pub node: NodeId,
    /// A number that no other process has, and no earlier start of this one: tells a node from its clone.
    pub instance: u64,
    /// What people call it; 1 to 255 bytes.
    pub name: String,
    /// Where others reach it, `host:port`; none if they cannot. Members learn it from each other.
    pub address: Option<String>,
    /// The cluster's name. Nodes of different clusters never agree on anything.
    pub cluster: String,
    /// Whether it has a disk. Without one it is a reader: not in the membership, and no majority counts it.
    pub is_durable: bool,
    /// Whether other nodes are to be expected: then the first write waits until enough members have answered that one of them
    /// has everything a majority acknowledged, at most [`Timing::learn_ms`], so that a node on a restored disk does not
    /// issue stamps that it has used.
    pub expects_peers: bool,
    /// Whether it has been told where other nodes are. One that expects peers and has not is the first of a cluster, as far as it
    /// knows, and a majority by itself until another one enrols. Default: true.
    pub has_peers: bool,
    /// Whether registers are also shared through a store that is no node ([`Output::to_store`](crate::Output::to_store)). Then
    /// tombstones are never collected, because the store may bring back an old copy of what they stand for, and this node writes
    /// nothing that other processes would quarantine. Default: false.
    pub has_shared_store: bool,
    /// How far a stamp may lie ahead of this node's wall clock, in milliseconds, and this clock off the others. Default:
    /// 5,000, ten times what a badly kept clock drifts before it is corrected. From [`CLOCK_WARNING_MS`] to [`DRIFT_MS_MAX`];
    /// what lies outside counts as the nearer of the two.
    ///
    /// [`CLOCK_WARNING_MS`]: crate::limits::CLOCK_WARNING_MS
    /// [`DRIFT_MS_MAX`]: crate::limits::DRIFT_MS_MAX
    pub max_drift_ms: u64,
    /// Seeds the choice of the next peer, and of the time to ask it.
    pub seed: u64,
    /// Intervals and deadlines.
    pub timing: Timing,
    /// The rule that is left out.
    #[cfg(feature = "simulate")]
    pub mutant: Option<Mutant>,
}

impl Options {
    /// A durable node of this cluster, alone unless told otherwise.
    pub fn new(cluster: impl Into<String>, node: NodeId) -> Self {
        Self {
            node,
            instance: node.get(),
            name: node.to_string(),
            address: None,
            cluster: cluster.into(),
            is_durable: true,
            expects_peers: false,
            has_peers: true,
            has_shared_store: false,
            max_drift_ms: 5_000,
            seed: node.get(),
            timing: Timing::default(),
            #[cfg(feature = "simulate")]
            mutant: None,
        }
    }
}

/// Intervals and deadlines in milliseconds of the steady clock, but for the age of tombstones, which is of the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between two comparisons with some peer, give or take a fifth. Default: 1,000.
    pub round_ms: u64,
    /// How long a first write waits for answers of other members. Default: 2,000, twice what a link takes to be made.
    pub learn_ms: u64,
    /// A write that a live peer has not acknowledged is sent to it again after that, and once more after three times
    /// that. Default: 100.
    pub resend_ms: u64,
    /// Something comes from a peer that is connected within that, if it is asked; or its process is at fault. Default: 15,000,
    /// more than a carrier takes to notice that a link was cut.
    pub silence_ms: u64,
    /// How long a tombstone is kept at least. Default: a day.
    pub tombstone_ms: u64,
    /// Between two checks of the whole tree. Default: an hour.
    pub tree_check_ms: u64,
    /// How far ahead of a write the durable ceiling of the clock is set. Default: 3,000.
    pub clock_reservation_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            round_ms: 1_000,
            learn_ms: 2_000,
            resend_ms: 100,
            silence_ms: 15_000,
            tombstone_ms: 24 * 3_600_000,
            tree_check_ms: 3_600_000,
            clock_reservation_ms: 3_000,
        }
    }
}
