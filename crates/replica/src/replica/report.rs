//! The status of the replica, its members and its peers.

use std::collections::BTreeSet;

use crate::{Member, NodeId, Now, PeerStatus, Status};

use super::peers::Peer;
use super::{Replica, is_users};

impl Replica {
    /// How the replica is doing now. This counts the registers: for people and monitors, not for once a second.
    pub fn status(&self, now: Now) -> Status {
        let off: BTreeSet<NodeId> = self.peers_with_clocks_off(now).map(|(node, _)| node).collect();
        let peers = self.peers.iter().map(|(node, peer)| PeerStatus {
            node: *node,
            is_live: peer.is_live,
            root: peer.root,
            clock_offset_ms: peer.offset.map(|(offset, _)| offset),
            is_clock_off: off.contains(node),
            heard_ms_ago: peer.heard_ms.map(|at| now.steady_ms.saturating_sub(at)),
            unanswered: peer.unanswered,
        });
        Status {
            node: self.options.node,
            epoch: self.clock.epoch(),
            root: self.root(),
            gc_floor: self.durable.announced_gc_floor,
            registers: self.table.iter().filter(|register| is_users(&register.key)).count(),
            tombstones: self.table.tombstone_count(),
            members: self.members().cloned().collect(),
            silent: self.silent_members(now).collect(),
            peers: peers.collect(),
            quarantined: self.quarantine.len(),
            quarantine: self.quarantine().take(QUARANTINE_SHOWN).collect(),
            is_synced: self.is_synced(),
            is_membership_known: self.is_membership_known(),
            clock_offset_ms: self.clock_offset(now).map(|(offset, _)| offset),
            isolated_since_ms: self.isolated_since_ms,
            writes_refused: self.refusal(now),
            counters: self.counters,
        }
    }

    /// Whether this node holds what the cluster does; see [`Status::is_synced`].
    pub fn is_synced(&self) -> bool {
        let expects = self.options.expects_peers && self.options.has_peers;
        let is_alone = !expects && self.others().next().is_none();
        self.is_synced || is_alone
    }

    /// All that were ever in the membership, in the order of their ids.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.membership.all()
    }

    /// The peers that are connected, as the carrier says, and of which nothing has come for
    /// [`Timing::silence_ms`](crate::Timing), although they were asked: their processes are at fault.
    pub fn unresponsive_peers(&self, now: Now) -> impl Iterator<Item = NodeId> {
        let is_silent = move |peer: &Peer| {
            let heard_ms = peer.heard_ms.unwrap_or(self.timers.started_ms);
            now.steady_ms.saturating_sub(heard_ms) >= self.options.timing.silence_ms
        };
        let is_unresponsive =
            move |peer: &Peer| peer.up.is_some() && peer.unanswered >= UNANSWERED_MIN && is_silent(peer);
        self.peers.iter().filter(move |(_, peer)| is_unresponsive(peer)).map(|(node, _)| *node)
    }

    /// The members of which nothing has come for seven days, see [`Status::silent`].
    pub fn silent_members(&self, now: Now) -> impl Iterator<Item = NodeId> {
        let heard = |node: NodeId| self.peers.get(&node).and_then(|peer| peer.heard_ms);
        let last = move |node: NodeId| heard(node).unwrap_or(self.timers.started_ms);
        self.others().filter(move |node| now.steady_ms.saturating_sub(last(*node)) >= SILENT_MS)
    }
}

/// A member from which nothing came for this long, in milliseconds, is reported: seven days, longer than a holiday and
/// shorter than it takes tombstones to matter.
const SILENT_MS: u64 = 7 * 24 * 3_600_000;

/// The quarantined registers that the status lists.
const QUARANTINE_SHOWN: usize = 100;

/// With this many comparisons in a row without an answer, more than single messages were lost.
const UNANSWERED_MIN: u32 = 3;
