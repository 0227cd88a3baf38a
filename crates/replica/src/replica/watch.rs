//! What the driver looks at once a second to log changes. All of it is cheap.

use crate::{Counters, NodeId, Now, WriteError};

use super::Replica;

impl Replica {
    /// Why writes are refused now, if they are.
    pub fn writes_refused(&self, now: Now) -> Option<WriteError> {
        self.refusal(now)
    }

    /// Whether something comes from another node, or is expected to.
    pub fn is_reachable(&self, node: NodeId) -> bool {
        self.is_live(node)
    }

    /// How far the clocks of other nodes are ahead of this one, in milliseconds, as far as it was measured.
    pub fn clock_offsets(&self) -> impl Iterator<Item = (NodeId, i64)> {
        let live = self.peers.iter().filter(|(_, peer)| peer.is_live);
        live.filter_map(|(node, peer)| Some((*node, peer.offset?.0)))
    }

    /// How often things have happened since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }
}
