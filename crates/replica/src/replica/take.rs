//! Registers that come from others.

use std::sync::Arc;

use crate::message::Body;
use crate::table::Merged;
use crate::{Event, Mutant, NodeId, Now, Register, Stamp, limits};

use super::{Replica, is_users};

impl Replica {
    /// Takes registers in: those of a push, which its sender waits for, or those of a repair.
    pub(super) fn take(&mut self, from: NodeId, floor: Stamp, registers: Vec<Register>, is_push: bool, now: Now) {
        let mut gone = Vec::new();
        for register in registers {
            let stamp = register.stamp;
            if self.table.get(&register.key).is_none() && self.refuses(stamp, from, floor) {
                self.counters.refused += 1;
                gone.push((self.table.hash(&register.key), stamp));
            } else if self.is_too_far_ahead(stamp, now) {
                self.set_aside(register, from);
            } else {
                let to = if is_push { Some(from) } else { self.origin_that_waits(stamp, now) };
                self.merge(register);
                if let Some(to) = to {
                    self.batch.is_awaited |= !is_push;
                    self.owe_ack(to, stamp);
                }
            }
        }
        if !gone.is_empty() {
            self.send(from, Body::Gone(gone));
        }
    }

    /// Whether a stamp lies further in the future than clocks may be apart.
    pub(super) fn is_too_far_ahead(&self, stamp: Stamp, now: Now) -> bool {
        self.clock.ahead(stamp, now.wall_ms) > self.options.max_drift_ms && !self.has(Mutant::DriftNotRefused)
    }

    fn set_aside(&mut self, register: Register, from: NodeId) {
        self.counters.quarantined += 1;
        let has_room = self.quarantine.len() < limits::QUARANTINE_MAX;
        let is_newer = self.quarantine.get(&register.key).is_none_or(|(held, _)| held.stamp < register.stamp);
        if is_newer && (has_room || self.quarantine.contains_key(&register.key)) {
            self.quarantine.insert(Arc::clone(&register.key), (register, from));
        }
    }

    /// What was set aside and lies no longer in the future is taken in.
    pub(super) fn release_quarantine(&mut self, now: Now) {
        let (clock, drift) = (&self.clock, self.options.max_drift_ms);
        let is_due = |register: &Register| clock.ahead(register.stamp, now.wall_ms) <= drift;
        let due: Vec<Arc<[u8]>> = self
            .quarantine
            .iter()
            .filter(|(_, (register, _))| is_due(register))
            .map(|(key, _)| Arc::clone(key))
            .collect();
        for key in due {
            // Who sent it may not have the floor that there is by now; if it is wanted all the same, it comes again.
            let Some((register, from)) = self.quarantine.remove(&key) else { continue };
            if self.table.get(&key).is_some() || !self.refuses(register.stamp, from, Stamp::ZERO) {
                self.merge(register);
            }
        }
    }

    /// Whether a register of a key that is not held here may be what a collected tombstone stood for, because it comes
    /// from somebody who has not collected as far.
    pub(super) fn refuses(&self, stamp: Stamp, from: NodeId, floor: Stamp) -> bool {
        // Up to the floor that this node claims itself, it knows what there is.
        let is_orphaned = self.roster.is_member(from) && self.is_floor_orphaned();
        let refusing = if is_orphaned { self.meta.claimed } else { self.meta.refusing };
        stamp <= refusing && floor < refusing
    }

    /// The writer of a register that came by way of others, if it may still wait for word.
    fn origin_that_waits(&self, stamp: Stamp, now: Now) -> Option<NodeId> {
        let age = now.wall_ms.saturating_sub(stamp.millis());
        (age < WAITING_MS && stamp.node() != self.options.node).then(|| stamp.node())
    }

    /// The one way in for what others wrote.
    pub(super) fn merge(&mut self, register: Register) {
        if !self.has(Mutant::ReceivedStampsDoNotAdvance) {
            self.clock.observe(register.stamp);
        }
        let merged = self.table.merge(register.clone(), self.has(Mutant::OverwriteForgetsHash));
        let replaces = register.replaces.unwrap_or(Stamp::ZERO);
        let stamp = register.stamp;
        match merged {
            Merged::Known => {}
            Merged::Accepted(loser) => {
                self.counters.merged += 1;
                if let Some(loser) = loser.filter(|loser| loser.stamp > replaces) {
                    if loser.stamp == stamp {
                        self.counters.equal_stamps += 1;
                    }
                    self.note_history(loser, Some(stamp));
                }
                self.note_history(register.clone(), None);
                self.record(register);
            }
            Merged::Outranked(by) => {
                let winner = self.table.get(&register.key).and_then(|winner| winner.replaces);
                let lost = winner.unwrap_or(Stamp::ZERO) < stamp;
                self.note_history(register, lost.then_some(by));
            }
        }
    }

    fn note_history(&mut self, register: Register, lost_to: Option<Stamp>) {
        if is_users(&register.key) {
            self.batch.history.push(Event { register, lost_to });
        }
    }
}

/// So long after a write, in milliseconds, its writer may still wait for acknowledgements.
const WAITING_MS: u64 = 10_000;
