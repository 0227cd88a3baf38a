//! How a replica is doing.

use std::sync::Arc;

use crate::{NodeId, Now, PeerStatus, Quarantined, Status};

use super::{Replica, is_users};

impl Replica {
    /// How the replica is doing now.
    pub fn status(&self, now: Now) -> Status {
        let peers = self.peers.iter().map(|(node, peer)| PeerStatus {
            node: *node,
            is_live: peer.is_live,
            root: peer.root,
            clock_offset_ms: peer.offset.map(|(offset, _)| offset),
            heard_ms_ago: peer.heard_ms.map(|at| now.steady_ms.saturating_sub(at)),
            unanswered: peer.unanswered,
        });
        let quarantine = self.quarantine.values().take(QUARANTINE_SHOWN).map(|(register, from)| Quarantined {
            key: Arc::clone(&register.key),
            stamp: register.stamp,
            from: *from,
        });
        Status {
            node: self.options.node,
            epoch: self.clock.epoch(),
            root: self.root(),
            floor: self.meta.claimed,
            registers: self.table.iter().filter(|register| is_users(&register.key)).count(),
            tombstones: self.table.tombstone_count(),
            members: self.roster.all().cloned().collect(),
            silent: self.silent_members(now),
            peers: peers.collect(),
            quarantined: self.quarantine.len(),
            quarantine: quarantine.collect(),
            isolated_since_ms: self.isolated_since_ms,
            writes_refused: self.refusal(now),
            counters: self.counters,
        }
    }

    fn silent_members(&self, now: Now) -> Vec<NodeId> {
        let heard = |node: NodeId| self.peers.get(&node).and_then(|peer| peer.heard_ms);
        let last = |node: NodeId| heard(node).unwrap_or(self.timers.started_ms);
        self.others().filter(|node| now.steady_ms.saturating_sub(last(*node)) >= SILENT_MS).collect()
    }
}

/// So long nothing has come from a member, in milliseconds, before somebody is told: seven days, longer than a holiday and
/// shorter than it takes tombstones to matter.
const SILENT_MS: u64 = 7 * 24 * 3_600_000;

/// So many registers in quarantine are listed.
const QUARANTINE_SHOWN: usize = 100;
