//! What the driver looks at once a second: nodes that should answer and do not.

use std::collections::BTreeSet;
use std::time::Duration;

use tidegate_mesh::{AddressStatus, Cause};
use tidegate_replica::{Input, NodeId, Now};

use super::Driver;

impl Driver {
    /// A peer that is connected and does not answer: its process is at fault. Logged once, and again only if it has answered
    /// in between.
    pub(super) fn watch_peers(&mut self, now: Now) {
        let unresponsive: BTreeSet<NodeId> = self.replica.unresponsive_peers(now).collect();
        for node in unresponsive.difference(&self.unresponsive) {
            let name = self.names.get(node).map_or_else(String::new, |name| format!("`{}` ", name.escape_debug()));
            tracing::warn!("the node {name}({node}) is connected and does not answer; look at its log, or restart it");
        }
        self.unresponsive = unresponsive;
    }

    /// Tells the replica how many configured addresses have shown no node yet: until all have, it may not know every member.
    pub(super) fn watch_unmet_peers(&mut self) {
        let status = self.carrier.status();
        let addresses = status.iter().flat_map(|status| &status.addresses);
        let is_unmet = |address: &&AddressStatus| {
            address.is_configured && address.node.is_none() && address.cause != Some(Cause::Own)
        };
        let count = addresses.filter(is_unmet).count();
        if self.unmet_peers != Some(count) {
            self.unmet_peers = Some(count);
            self.handle(Input::UnmetPeers { count });
        }
    }

    /// A member of which nothing has come for long: logged once, and again only if something came in between.
    pub(super) fn watch_members(&mut self, now: Now) {
        let silent: BTreeSet<NodeId> = self.replica.silent_members(now).collect();
        for member in self.replica.members().filter(|member| silent.contains(&member.node)) {
            if !self.silent.contains(&member.node) {
                let (name, node) = (member.name.escape_debug(), member.node);
                tracing::warn!(
                    "nothing has come from the member `{name}` ({node}) for seven days, and majorities count it; bring \
                     it back, or take it out with `tidegate cluster forget {node}` if it is gone for good"
                );
            }
        }
        self.silent = silent;
    }
}

/// Between two looks at what should not happen.
pub(super) const WATCH_PERIOD: Duration = Duration::from_secs(1);
