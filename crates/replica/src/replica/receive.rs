//! Registers from other nodes: which are merged, refused or quarantined, and who gets an answer.

use std::sync::Arc;

use crate::message::Body;
use crate::table::Merged;
use crate::{Event, Mutant, NodeId, Now, Register, Stamp};

use super::{Replica, is_users};

impl Replica {
    /// Takes registers in: those of a push, which its sender waits for, or those of anti-entropy.
    pub(super) fn receive_registers(
        &mut self,
        from: NodeId,
        floor: Stamp,
        registers: Vec<Register>,
        is_push: bool,
        now: Now,
    ) {
        let (mut gone, mut is_behind) = (Vec::new(), false);
        let epoch = self.clock.epoch();
        for register in registers {
            let rank_stamp = register.rank_stamp();
            if self.table.visible(&register.key).is_none() && self.refuses(rank_stamp, from, floor) {
                self.counters.refused += 1;
                gone.push((self.table.hash(&register.key), rank_stamp));
            } else if self.opens_epoch(&register, now) {
                self.clock.observe(register.stamp);
                self.accept(register, is_push.then_some(from), now);
            } else if self.is_of_later_epoch(&register) && !self.has(Mutant::EpochsNeedNoRepair) {
                self.counters.repairs_refused = self.counters.repairs_refused.saturating_add(1);
            } else if self.must_be_quarantined(&register, now) {
                is_behind |= register.stamp.epoch() > self.clock.epoch();
                self.put_in_quarantine(register, from, now);
            } else {
                self.accept(register, is_push.then_some(from), now);
            }
        }
        if !gone.is_empty() {
            self.send(from, Body::Collected(gone));
        }
        if is_behind {
            self.ask_for_repairs(from);
        }
        if self.clock.epoch() > epoch {
            self.release_quarantine(now);
        }
    }

    /// Merges a register, and owes its sender an answer, or its writer if it came another way.
    pub(super) fn accept(&mut self, register: Register, pushed_by: Option<NodeId>, now: Now) {
        let (key, stamp) = (Arc::clone(&register.key), register.stamp);
        let to = pushed_by.or_else(|| self.writer_that_waits(stamp, now));
        self.merge(register, now);
        if let Some(to) = to {
            self.batch.is_awaited |= pushed_by.is_none();
            self.queue_ack(to, key, stamp);
        }
    }

    /// Whether a register of a key that is not visible here may be what a collected tombstone stood for, because it comes
    /// from a node that has not collected as far.
    pub(super) fn refuses(&self, rank_stamp: Stamp, from: NodeId, floor: Stamp) -> bool {
        // Up to the floor that this node announces itself, it knows what there is.
        let is_orphaned = self.membership.is_member(from) && self.is_gc_floor_orphaned();
        let refusing = if is_orphaned { self.durable.announced_gc_floor } else { self.durable.enforced_gc_floor };
        rank_stamp <= refusing && floor < refusing
    }

    /// The writer of a register that came by way of others, if it may still wait for word.
    fn writer_that_waits(&self, stamp: Stamp, now: Now) -> Option<NodeId> {
        let age = now.wall_ms.saturating_sub(stamp.millis());
        (age < WAITING_MS && stamp.node() != self.options.node).then(|| stamp.node())
    }

    /// The one way in for what others wrote.
    fn merge(&mut self, register: Register, now: Now) {
        // What has lost against one that supersedes it may lie far ahead.
        if !self.is_too_far_ahead(register.stamp, now) && !self.has(Mutant::ReceivedStampsDoNotAdvance) {
            self.clock.observe(register.stamp);
        }
        let merged = self.table.merge(register.clone(), self.has(Mutant::OverwriteForgetsHash));
        let replaces = register.replaces.unwrap_or(Stamp::ZERO);
        let stamp = register.stamp;
        match merged {
            Merged::Known => {}
            Merged::Accepted(loser) => {
                self.counters.merged += 1;
                let key = Arc::clone(&register.key);
                if let Some(loser) = loser.filter(|loser| loser.stamp > replaces) {
                    if loser.stamp == stamp {
                        self.counters.equal_stamps += 1;
                    }
                    self.note_history(loser, Some(stamp));
                }
                self.note_history(register.clone(), None);
                self.offer_to_store(&register);
                self.record(register);
                self.end_quarantine(&key);
            }
            Merged::Outranked(by) => {
                self.unreserved.note_outranked(&register);
                let winner = self.table.get(&register.key);
                let known = winner.and_then(|winner| winner.replaces).unwrap_or(Stamp::ZERO);
                let is_superseded = winner.is_some_and(|winner| winner.stamp < stamp);
                self.note_history(register, (known < stamp || is_superseded).then_some(by));
            }
        }
    }

    pub(super) fn note_history(&mut self, register: Register, lost_to: Option<Stamp>) {
        if is_users(&register.key) {
            self.batch.history.push(Event { register, lost_to });
        }
    }
}

/// For this long after a write, in milliseconds, its writer may still wait for acknowledgements.
const WAITING_MS: u64 = 10_000;
