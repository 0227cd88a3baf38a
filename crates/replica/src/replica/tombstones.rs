//! Garbage collection of tombstones, and the gc floor, which keeps removed registers from coming back.
//!
//! A node collects a tombstone once it is old and every member has confirmed, after the tombstone came here, that it holds the same
//! on its disk. The node needs to know the whole membership for that: decision 0085. What was collected is remembered as a floor:
//! of keys that are not held, the node takes registers up to the floor only from nodes with the same floor, because those have
//! dropped whatever the tombstones stood for. It refuses them from all others, and tells those that the registers are collected.
//!
//! A node that receives a higher floor enforces it at once, but announces it only when it holds the same as a node that announces it,
//! or as all other members. So a node that announces a floor holds all that members had when it was collected, and nothing that a
//! collected tombstone stood for.
//!
//! A node shows its own tombstones up to the floor until a node that announces it is seen to hold nothing in their place: a tombstone
//! that the collecting node did not wait for may be unknown to all others. Then it hides them: they are in no hash and no message, so
//! that both nodes can become equal, and they still outrank what they stand for. The node drops them when it announces the floor. Until
//! then the collecting node may lose its disk, and no node announces the floor; a register that a hidden tombstone outranks reveals it.

use std::sync::Arc;

use crate::table::Tombstone;
use crate::{Mutant, NodeId, Now, Stamp};

use super::Replica;
use super::peers::Peer;

impl Replica {
    /// Collects the tombstones that every member has, if they are old enough.
    pub(super) fn collect_tombstones(&mut self, now: Now) {
        let is_whole = self.durable.announced_gc_floor >= self.durable.enforced_gc_floor && self.is_all_durable();
        let may_collect = self.options.is_durable
            && !self.options.has_shared_store
            && is_whole
            && self.is_synced()
            && self.membership.is_member(self.options.node)
            && self.is_membership_complete();
        if !may_collect || self.table.tombstone_count() == 0 {
            return;
        }
        let is_early = self.has(Mutant::TombstoneCollectedEarly);
        let confirmed = if is_early { Some(u64::MAX) } else { self.confirmed_by_all() };
        let Some(confirmed) = confirmed else { return };
        let age = if is_early { EARLY_MS } else { self.options.timing.tombstone_ms };
        let is_past = |stamp: Stamp| stamp.millis().saturating_add(age) < now.wall_ms;
        // How old one of an earlier epoch is, its stamp does not say. The members of a cluster are not all known at once, so that its
        // age is counted, too: from the begin of the epoch, or of this process.
        let is_epoch_old = now.steady_ms.saturating_sub(self.timers.epoch.1) > age;
        let is_old = |tombstone: &Tombstone| {
            let (epoch, here) = (tombstone.stamp.epoch(), self.clock.epoch());
            !tombstone.is_superseding && ((epoch < here && is_epoch_old) || (epoch <= here && is_past(tombstone.stamp)))
        };
        // The stamp that one supersedes lies ahead of what members write until then, also after they have confirmed it, or in an
        // epoch that never comes: it is no floor, and keeps no other one from being it. It goes with one above it.
        let may_go =
            |tombstone: &Tombstone| (is_old(tombstone) || tombstone.is_superseding) && tombstone.arrived <= confirmed;
        // Those that came late, from below the floor, go with the next one above it: a floor never falls.
        let last = self.table.tombstones().take_while(may_go).filter(is_old).last();
        if let Some(Tombstone { stamp: floor, .. }) = last.filter(|last| last.stamp > self.durable.enforced_gc_floor) {
            self.enforce_gc_floor(floor);
            for key in self.table.tombstones_up_to(floor) {
                self.drop_key(&key);
            }
            self.announce_gc_floor();
        }
    }

    /// Whether this node knows every member that it can know of. If not, it would wait for the confirmations of too few, and its
    /// gc floor would refuse what the others have written.
    ///
    /// Each configured address has to have shown a node, and each node that was connected has to be in the membership or to have held
    /// the same as this one: a node enrols before its first write, so this one would have its entry by then.
    fn is_membership_complete(&self) -> bool {
        let is_known =
            |node: NodeId, peer: &Peer| self.membership.get(node).is_some() || peer.agreed_gc_floor.is_some();
        let are_known = self.unmet_peers == 0 && self.peers.iter().all(|(node, peer)| is_known(*node, peer));
        are_known || self.has(Mutant::UnmetPeersIgnored)
    }

    /// The number of merges here that every other member has confirmed to have on its disk; none if one has confirmed nothing.
    fn confirmed_by_all(&self) -> Option<u64> {
        let confirmed = |node: NodeId| self.peers.get(&node).and_then(|peer| peer.confirmed);
        self.others()
            .map(confirmed)
            .try_fold(u64::MAX, |least, confirmed| confirmed.map(|confirmed| least.min(confirmed)))
    }

    /// A peer announces its gc floor.
    pub(super) fn learn_gc_floor(&mut self, floor: Stamp, now: Now) {
        if floor > self.durable.enforced_gc_floor && !self.is_beyond(floor, now) {
            self.enforce_gc_floor(floor);
        }
    }

    /// Whether every member has held the same as this node since this node enforces its floor. Then no other node is left to
    /// ask, and the members hold all that there is: the node that collected has been forgotten.
    pub(super) fn is_gc_floor_common(&self) -> bool {
        let is_equal = |node: NodeId| {
            self.peers
                .get(&node)
                .is_some_and(|peer| peer.agreed_gc_floor.unwrap_or_default() >= self.durable.enforced_gc_floor)
        };
        self.membership.is_member(self.options.node) && self.others().all(is_equal)
    }

    /// Whether no member announces the floor that this node enforces, and all have been heard again for a while: the node that
    /// did has lost its disk. Then the members hold all that there is.
    pub(super) fn is_gc_floor_orphaned(&self) -> bool {
        let Some(since) = self.orphaned_since_ms else { return false };
        let heard_again = |peer: &Peer| peer.heard_ms.is_some_and(|at| at >= since.saturating_add(ORPHANED_MS));
        self.others().all(|node| self.peers.get(&node).is_some_and(heard_again))
    }

    pub(super) fn look_for_orphans(&mut self, now: Now) {
        let announced = |node: NodeId| self.peers.get(&node).and_then(|peer| peer.claimed);
        let is_below = |announced: Option<(u64, Stamp)>| {
            announced.is_some_and(|(_, floor)| floor < self.durable.enforced_gc_floor)
        };
        let is_orphaned = self.durable.announced_gc_floor < self.durable.enforced_gc_floor
            && self.others().map(announced).all(is_below);
        self.orphaned_since_ms = if is_orphaned { self.orphaned_since_ms.or(Some(now.steady_ms)) } else { None };
    }

    /// The other members.
    pub(super) fn others(&self) -> impl Iterator<Item = NodeId> {
        self.membership.members().map(|member| member.node).filter(|node| *node != self.options.node)
    }

    fn enforce_gc_floor(&mut self, floor: Stamp) {
        self.durable.enforced_gc_floor = floor;
        self.is_durable_state_new = true;
    }

    pub(super) fn announce_gc_floor(&mut self) {
        if self.durable.announced_gc_floor != self.durable.enforced_gc_floor {
            self.durable.announced_gc_floor = self.durable.enforced_gc_floor;
            self.is_durable_state_new = true;
            for key in self.table.hidden_up_to(self.durable.announced_gc_floor) {
                self.drop_key(&key);
            }
        }
    }

    /// Whether a tombstone here has been collected elsewhere, because a node that announces `floor` holds nothing under its key.
    pub(super) fn is_collected(&self, rank_stamp: Stamp, floor: Stamp) -> bool {
        self.durable.announced_gc_floor < floor && rank_stamp <= floor.min(self.durable.enforced_gc_floor)
    }

    /// A node with this gc floor says that registers are collected.
    pub(super) fn drop_collected(&mut self, floor: Stamp, entries: &[(u64, Stamp)]) {
        // A floor that this node does not refuse by (its clock may be wrong) says nothing to it.
        let floor = floor.min(self.durable.enforced_gc_floor);
        for &(hash, stamp) in entries.iter().filter(|(_, stamp)| *stamp <= floor) {
            let gone: Vec<(Arc<[u8]>, bool)> = self
                .table
                .visible_within(hash..=hash)
                .filter(|register| register.rank_stamp() == stamp)
                .map(|register| (Arc::clone(&register.key), register.is_tombstone()))
                .collect();
            for (key, is_tombstone) in gone {
                self.counters.gone += 1;
                if is_tombstone {
                    self.table.hide(&key);
                } else {
                    self.drop_key(&key);
                }
            }
        }
    }
}

/// A floor that no member has announced for this long, in milliseconds, is orphaned: longer than a message takes.
const ORPHANED_MS: u64 = 5_000;

/// The age at which the mutant collects.
const EARLY_MS: u64 = 2_000;
