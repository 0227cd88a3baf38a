//! The status of a replica, for people and monitors.

use std::sync::Arc;

use crate::{NodeId, Stamp, WriteError};

/// A replica at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Which node.
    pub node: NodeId,
    /// How often the cluster's clock has been repaired.
    pub epoch: u16,
    /// A number of all that it holds; equal numbers mean equal contents.
    pub root: u64,
    /// Up to where tombstones are collected.
    pub gc_floor: Stamp,
    /// Registers of users, tombstones included.
    pub registers: usize,
    /// Tombstones among them.
    pub tombstones: usize,
    /// All that were ever in the membership.
    pub members: Vec<Member>,
    /// Members of which nothing has come for seven days, counted from this start at the earliest: repair them, or have
    /// them forgotten. Until then no tombstone goes.
    pub silent: Vec<NodeId>,
    /// The nodes from which something came since the start.
    pub peers: Vec<PeerStatus>,
    /// How many registers are in quarantine because they lie too far in the future.
    pub quarantined: usize,
    /// The first hundred of them.
    pub quarantine: Vec<Quarantined>,
    /// Whether this node has compared all that it holds with one member since its start, and has what that one had. At once
    /// where no other node is to be expected.
    pub is_synced: bool,
    /// Whether it knows the members that form a majority. A node that expects peers and knows no member but itself does not, and
    /// reaches no level above [`Level::Local`](crate::Level).
    pub is_membership_known: bool,
    /// How far this host's clock is ahead of the middle of all clocks in sight, its own among them, in milliseconds. None
    /// while no other one is in sight. With a single other one it is half of a guess: neither node knows which of the two is
    /// wrong, so see [`PeerStatus::is_clock_off`].
    pub clock_offset_ms: Option<i64>,
    /// When the last peer went, in milliseconds since 1970; none while one is there, or where none is to be expected.
    pub isolated_since_ms: Option<u64>,
    /// Why writes are refused, if they are.
    pub writes_refused: Option<WriteError>,
    /// How often things have happened since the start.
    pub counters: Counters,
}

/// A node of the membership.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Member {
    /// Which node.
    pub node: NodeId,
    /// What people call it.
    pub name: String,
    /// Where it can be reached, `host:port`, as it says; none if it cannot.
    pub address: Option<String>,
    /// The stamp of its entry.
    pub since: Stamp,
    /// Whether an operator has taken it out.
    pub is_forgotten: bool,
}

/// Another node, as this one sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PeerStatus {
    /// Which node.
    pub node: NodeId,
    /// Whether it is reachable.
    pub is_live: bool,
    /// The number of all that it held when it last said so.
    pub root: Option<u64>,
    /// How far its clock is ahead of this one's, in milliseconds.
    pub clock_offset_ms: Option<i64>,
    /// Whether the two clocks are so far apart that somebody should be warned:
    /// [`CLOCK_WARNING_MS`](crate::limits::CLOCK_WARNING_MS), and more than the measurement may be wrong.
    pub is_clock_off: bool,
    /// How long ago something came from it, in milliseconds.
    pub heard_ms_ago: Option<u64>,
    /// Comparisons in a row that it has not answered.
    pub unanswered: u32,
}

/// A register that lies too far in the future to be merged.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Quarantined {
    /// Its key.
    pub key: Arc<[u8]>,
    /// Its stamp, which names the node whose clock was wrong.
    pub stamp: Stamp,
    /// Who sent it.
    pub from: NodeId,
    /// When it came, in milliseconds since 1970, by this host's clock.
    pub since_ms: u64,
}

/// How often things have happened since the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Counters {
    /// Registers of others that were taken.
    pub merged: u64,
    /// Registers that were refused because they stand under a collected tombstone.
    pub refused: u64,
    /// Registers put in quarantine because they lie too far in the future.
    pub quarantined: u64,
    /// Registers that went because another node has collected their tombstone.
    pub gone: u64,
    /// Repairs of the clock that were not believed, because those before them are unknown or their time is ahead.
    pub repairs_refused: u64,
    /// Messages, and registers in messages, that could not be read.
    pub malformed: u64,
    /// Messages of a kind, and registers in messages of a version, that only a newer program knows.
    pub unknown: u64,
    /// Two contents under one stamp: a cloned node was writing.
    pub equal_stamps: u64,
    /// The Merkle tree did not match the registers, and was rebuilt: a fault of this library.
    pub tree_mismatches: u64,
    /// Registers sent to others to repair them.
    pub repaired: u64,
}
