//! Quarantine: registers whose stamps lie too far in the future to be merged.
//!
//! A register stays until its time has come, or until a person accepts or drops it by its key and stamp; a clock repair releases
//! none. Until then it is active only on the node whose wrong clock wrote it. A write of the same key on a node that has it names its
//! stamp as superseded and outranks it on all nodes: otherwise the register would undo that write, perhaps a kill switch, when its
//! time comes. To accept or to drop is to write such a register, so both are in the history with actor and reason, reach every node,
//! and are acknowledged like any write.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::{Level, Mutant, NodeId, Now, Quarantined, Register, Resolution, Stamp, WriteError, limits};

use super::{OPERATOR_MS, Replica, epoch};

/// A register in quarantine.
#[derive(Debug)]
pub(super) struct QuarantinedRegister {
    pub(super) register: Register,
    /// Who sent it.
    from: NodeId,
    /// When, by the wall clock.
    since_ms: u64,
}

/// What a person has decided about a register in quarantine.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) key: Arc<[u8]>,
    pub(super) stamp: Stamp,
    pub(super) resolution: Resolution,
    pub(super) actor: Arc<str>,
    pub(super) reason: Arc<str>,
}

impl QuarantinedRegister {
    pub(super) fn new(register: Register, from: NodeId, since_ms: u64) -> Self {
        Self { register, from, since_ms }
    }
}

impl Replica {
    /// Whether a stamp lies further in the future than clocks may be apart.
    pub(super) fn is_too_far_ahead(&self, stamp: Stamp, now: Now) -> bool {
        if self.has(Mutant::EpochsNeedNoRepair) && stamp.epoch() > self.clock.epoch() {
            return stamp.millis().saturating_sub(now.wall_ms) > self.max_drift_ms;
        }
        let is_over = stamp.epoch() < self.clock.epoch();
        if self.has(Mutant::DriftNotRefused) || (is_over && self.has(Mutant::RepairReleasesQuarantine)) {
            return false;
        }
        self.clock.ahead(stamp, now.wall_ms) > self.max_drift_ms
    }

    /// Whether a stamp lies too far ahead to be one that this node's clock goes on from. One of an epoch that is over is below
    /// whatever it issues.
    pub(super) fn is_beyond(&self, stamp: Stamp, now: Now) -> bool {
        stamp.epoch() >= self.clock.epoch() && self.is_too_far_ahead(stamp, now)
    }

    /// Whether a register has to wait for its time: it lies too far ahead, and would count.
    pub(super) fn must_be_quarantined(&self, register: &Register, now: Now) -> bool {
        let would_count = self.table.get(&register.key).is_none_or(|here| here.rank(register) == Ordering::Less);
        would_count && self.is_too_far_ahead(register.stamp, now)
    }

    /// Puts a register in quarantine, unless one that ranks higher is there.
    pub(super) fn put_in_quarantine(&mut self, register: Register, from: NodeId, now: Now) {
        let is_wanted = match self.quarantine.get(&register.key) {
            None => self.quarantine.len() < limits::QUARANTINE_MAX,
            Some(held) => held.register.rank(&register) == Ordering::Less,
        };
        if !is_wanted {
            return;
        }
        self.counters.quarantined = self.counters.quarantined.saturating_add(1);
        let key = Arc::clone(&register.key);
        self.quarantine.insert(Arc::clone(&key), QuarantinedRegister::new(register, from, now.wall_ms));
        // A write of this key that waits for its level has met what will outrank it.
        if let Some(stamp) = self.table.get(&key).map(|here| here.stamp) {
            self.settle_write_of(stamp);
        }
    }

    /// Merges what lies no longer in the future.
    pub(super) fn release_quarantine(&mut self, now: Now) {
        let is_due = |held: &QuarantinedRegister| !self.is_too_far_ahead(held.register.stamp, now);
        let due: Vec<Arc<[u8]>> =
            self.quarantine.iter().filter(|(_, held)| is_due(held)).map(|(key, _)| Arc::clone(key)).collect();
        for key in due {
            let Some(QuarantinedRegister { register, from, .. }) = self.quarantine.remove(&key) else { continue };
            // Who sent it may not have the floor that there is by now; if it is wanted all the same, it comes again.
            if self.table.visible(&key).is_some() || !self.refuses(register.rank_stamp(), from, Stamp::ZERO) {
                self.accept(register, None, now);
            }
        }
    }

    /// What is in quarantine under a key, and would count for more than what is active.
    pub(super) fn quarantined_above(&self, key: &[u8]) -> Option<&Register> {
        let held = &self.quarantine.get(key)?.register;
        let is_above = self.table.get(key).is_none_or(|here| here.rank(held) == Ordering::Less);
        is_above.then_some(held)
    }

    /// The stamp that a new register of this key has to name in order to count, if its own does not do.
    pub(super) fn stamp_to_supersede(&self, key: &[u8], stamp: Stamp) -> Option<Stamp> {
        let waiting = self.quarantine.get(key).map(|held| &held.register);
        let waiting = waiting.filter(|_| !self.has(Mutant::QuarantineNotSuperseded));
        let greatest = self.table.get(key).into_iter().chain(waiting).max_by(|one, other| one.rank(other))?;
        let rank_stamp = greatest.rank_stamp();
        // One that supersedes the same stamp, and was written by a clock that is ahead of this one, would still count for more.
        let is_outranked = !greatest.is_superseding() || greatest.stamp < stamp;
        let named = if is_outranked { rank_stamp } else { rank_stamp.successor() };
        (rank_stamp > stamp).then_some(named)
    }

    /// Something new is active under a key: what it outranks there will never count.
    pub(super) fn end_quarantine(&mut self, key: &[u8]) {
        if self.quarantine.contains_key(key) && self.quarantined_above(key).is_none() {
            let by = self.table.get(key).map(|here| here.stamp);
            if let Some(held) = self.quarantine.remove(key) {
                self.note_history(held.register, by);
            }
        }
    }

    /// A person has decided.
    pub(super) fn resolve(&mut self, request: u64, decision: Decision, now: Now) {
        let Decision { key, stamp, resolution, actor, reason } = decision;
        let refused = match self.quarantine.get(&key).map(|held| held.register.stamp) {
            _ if actor.len().max(reason.len()) > limits::TEXT_BYTES_MAX => Some(WriteError::Invalid { index: 0 }),
            found if found != Some(stamp) => Some(WriteError::NotQuarantined { found }),
            // An epoch begins by a repair, and never because a value says so.
            _ if *key == *epoch::KEY && resolution == Resolution::Accept => Some(WriteError::Invalid { index: 0 }),
            _ => self.refusal_while_starting(now).or_else(|| self.refusal(now)),
        };
        let held = self.quarantine.get(&key).map(|held| &held.register);
        let source = if resolution == Resolution::Accept { held } else { self.table.get(&key) };
        let (mut value, extra) =
            source.map_or_else(Default::default, |register| (register.value.clone(), Arc::clone(&register.extra)));
        if *key == *epoch::KEY {
            value = Some(self.repairs_so_far());
        }
        if let Some(error) = refused {
            return self.output.receipts.push((request, Err(error)));
        }
        let stamp = self.write_register(Arc::clone(&key), value, (actor, reason, extra), now);
        let deadline_ms = now.steady_ms.saturating_add(OPERATOR_MS);
        self.expect_acks(request, vec![(key, stamp)], Level::Majority, deadline_ms, now);
    }

    /// The registers in quarantine, in the order of their keys.
    pub fn quarantine(&self) -> impl Iterator<Item = Quarantined> {
        self.quarantine.values().map(|held| Quarantined {
            key: Arc::clone(&held.register.key),
            stamp: held.register.stamp,
            from: held.from,
            since_ms: held.since_ms,
        })
    }

    /// The register that is in quarantine under a key: what would be active if it were accepted.
    pub fn quarantined(&self, key: &[u8]) -> Option<&Register> {
        self.quarantine.get(key).map(|held| &held.register)
    }
}
