//! Local writes: whether they are allowed, their stamps, and what is sent and persisted.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::message::Body;
use crate::table::Merged;
use crate::{Change, Level, Mutant, NodeId, Now, Register, Stamp, WriteError, limits, membership};

use super::{OPERATOR_MS, Replica, Waiting, is_users};

impl Replica {
    /// A write of a user: now, or once this node knows which stamps it has used.
    pub(super) fn enqueue_write(&mut self, request: u64, change: Change, level: Level, timeout_ms: u64, now: Now) {
        let deadline_ms = now.steady_ms.saturating_add(timeout_ms);
        if self.pendings.len() + self.waiting.len() >= limits::PENDING_MAX {
            return self.output.receipts.push((request, Err(WriteError::Busy)));
        }
        self.waiting.push_back(Waiting { request, change, level, deadline_ms });
    }

    /// Whether this node knows which stamps it has used before.
    pub(super) fn can_write_now(&self, now: Now) -> bool {
        let patience = self.timers.started_ms.saturating_add(self.options.timing.learn_ms);
        self.is_learned || now.steady_ms >= patience || self.has_learned() || self.has(Mutant::WritesBeforeLearning)
    }

    /// Whether enough members have said which of this node's stamps they know that one of them has everything a majority
    /// acknowledged. This node's own disk does not count: it may have been restored.
    fn has_learned(&self) -> bool {
        let has_told = |node: NodeId| self.peers.get(&node).is_some_and(|peer| peer.has_told);
        let others = self.others().count();
        if others == 0 {
            return self.peers.values().any(|peer| peer.has_told);
        }
        let majority = others.saturating_add(1) / 2 + 1;
        self.others().filter(|node| has_told(*node)).count() >= others.saturating_add(2).saturating_sub(majority)
    }

    /// Answers the writes whose time is over before this node may make them.
    pub(super) fn time_out_waiting(&mut self, now: Now) {
        if self.waiting.iter().all(|waiting| waiting.deadline_ms > now.steady_ms) {
            return;
        }
        let (over, waiting): (VecDeque<Waiting>, _) =
            std::mem::take(&mut self.waiting).into_iter().partition(|waiting| waiting.deadline_ms <= now.steady_ms);
        self.waiting = waiting;
        for Waiting { request, .. } in over {
            self.output.receipts.push((request, Err(WriteError::Starting)));
        }
    }

    pub(super) fn write_waiting(&mut self, now: Now) {
        self.enroll_if_due(now);
        while let Some(Waiting { request, change, level, deadline_ms }) = self.waiting.pop_front() {
            if let Err(error) = self.admit(&change, now) {
                self.output.receipts.push((request, Err(error)));
                continue;
            }
            let key = Arc::clone(&change.key);
            let stamp = self.write_own(change.key, change.value, change.actor, change.reason, now);
            self.expect_acks(request, (key, stamp), level, deadline_ms, now);
        }
    }

    fn admit(&self, change: &Change, now: Now) -> Result<(), WriteError> {
        let is_sound = is_users(&change.key)
            && change.key.len() <= limits::KEY_BYTES_MAX
            && change.value.as_ref().is_none_or(|value| value.len() <= limits::VALUE_BYTES_MAX)
            && change.actor.len().max(change.reason.len()) <= limits::TEXT_BYTES_MAX;
        if !is_sound {
            return Err(WriteError::Invalid);
        }
        let found = self.table.get(&change.key).map(|register| register.stamp);
        if !change.expected.is_met(found) {
            return Err(WriteError::Conflict { found });
        }
        self.refusal(now).map_or(Ok(()), Err)
    }

    /// Why nothing may be written now, if so.
    pub(super) fn refusal(&self, now: Now) -> Option<WriteError> {
        if let Some(error) = self.refusal_except_poisoned(now) {
            return Some(error);
        }
        let ahead_ms = self.clock.ahead(self.clock.next(now.wall_ms), now.wall_ms);
        let is_alone = !self.options.expects_peers && self.others().next().is_none();
        let is_poisoned = ahead_ms > self.max_drift_ms && !is_alone && !self.has(Mutant::DriftNotRefused);
        is_poisoned.then_some(WriteError::ClockPoisoned { ahead_ms })
    }

    /// Why an operator's command is refused in the first seconds: it issues a stamp, and does not wait.
    pub(super) fn refusal_while_starting(&self, now: Now) -> Option<WriteError> {
        (!self.can_write_now(now)).then_some(WriteError::Starting)
    }

    pub(super) fn refusal_except_poisoned(&self, now: Now) -> Option<WriteError> {
        if let Some(message) = &self.failed {
            return Some(WriteError::ReadOnly { message: message.clone() });
        }
        if self.duplicate_ms.is_some() {
            return Some(WriteError::DuplicateNode { node: self.options.node });
        }
        self.clock_off(now).map(|offset_ms| WriteError::ClockOff { offset_ms })
    }

    /// Writes a register of this node's. It may be one of the replica itself.
    pub(super) fn write_own(
        &mut self,
        key: Arc<[u8]>,
        value: Option<Arc<[u8]>>,
        actor: Arc<str>,
        reason: Arc<str>,
        now: Now,
    ) -> Stamp {
        self.write_register(key, value, (actor, reason, Arc::default()), now)
    }

    /// The same, with the fields of a newer version that are to be kept.
    pub(super) fn write_register(
        &mut self,
        key: Arc<[u8]>,
        value: Option<Arc<[u8]>>,
        texts: (Arc<str>, Arc<str>, Arc<[u8]>),
        now: Now,
    ) -> Stamp {
        let stamp = self.clock.issue(now.wall_ms);
        self.install((key, stamp), value, texts, now);
        stamp
    }

    /// Makes a register of an issued stamp active here, and sends it on.
    pub(super) fn install(
        &mut self,
        (key, stamp): (Arc<[u8]>, Stamp),
        value: Option<Arc<[u8]>>,
        (actor, reason, extra): (Arc<str>, Arc<str>, Arc<[u8]>),
        now: Now,
    ) {
        let replaces = self.table.get(&key).map(|register| register.stamp);
        let supersedes = self.stamp_to_supersede(&key, stamp);
        let register = Register { key: Arc::clone(&key), stamp, value, replaces, supersedes, actor, reason, extra };
        self.timers.last_write_ms = Some(now.steady_ms);
        self.reserve_clock(stamp, now);
        if let Merged::Accepted(_) = self.table.merge(register.clone(), self.has(Mutant::OverwriteForgetsHash)) {
            self.note_history(register.clone(), None);
            self.record(register.clone());
            self.push.push(register);
            self.end_quarantine(&key);
        }
    }

    /// A member is taken out of the membership.
    pub(super) fn forget(&mut self, request: u64, node: NodeId, actor: Arc<str>, reason: Arc<str>, now: Now) {
        let Some(member) = self.membership.get(node).filter(|member| !member.is_forgotten) else {
            return self.output.receipts.push((request, Err(WriteError::NotMember { node })));
        };
        if node == self.options.node {
            return self.output.receipts.push((request, Err(WriteError::ForgetsItself { node })));
        }
        let value = membership::forgotten(&member.name);
        if let Some(error) = self.refusal_while_starting(now).or_else(|| self.refusal(now)) {
            return self.output.receipts.push((request, Err(error)));
        }
        let key = membership::key(node);
        let stamp = self.write_own(Arc::clone(&key), Some(value), actor, reason, now);
        self.expect_acks(request, (key, stamp), Level::Majority, now.steady_ms.saturating_add(OPERATOR_MS), now);
    }

    /// No stamp above the clock reservation may be sent before the reservation is on the disk: after a crash the clock goes
    /// on above it, so that no stamp is issued twice.
    pub(super) fn reserve_clock(&mut self, stamp: Stamp, now: Now) {
        let timing = self.options.timing;
        let (reservation, ahead) =
            (self.durable.clock_reservation, now.wall_ms.saturating_add(timing.clock_reservation_ms));
        let is_low = reservation.epoch() != stamp.epoch()
            || reservation.millis() < stamp.millis().max(ahead.saturating_sub(timing.clock_reservation_ms / 3));
        if is_low {
            self.durable.clock_reservation =
                Stamp::new(stamp.epoch(), stamp.millis().max(ahead), u16::MAX, NodeId::new(u64::MAX));
            self.is_durable_state_new = true;
        }
    }

    /// While there are writes, the clock reservation is kept ahead of them, so that they need not wait for it. By a clock that is wrong
    /// nothing is written, and the reservation stays where it is: the next start begins there.
    pub(super) fn renew_clock_reservation(&mut self, now: Now) {
        let is_busy = self.timers.last_write_ms.is_some_and(|last| now.steady_ms.saturating_sub(last) < BUSY_MS);
        if is_busy && self.refusal(now).is_none() {
            let next = self.clock.next(now.wall_ms);
            if self.clock.ahead(next, now.wall_ms) == 0 {
                self.reserve_clock(next, now);
            }
        }
    }

    /// Pushes what was written, except what has to wait for the clock reservation.
    pub(super) fn push_new(&mut self) {
        for register in std::mem::take(&mut self.push) {
            let is_covered = register.stamp <= self.clock_reservation || self.has(Mutant::ClockReservationNotPersisted);
            if is_covered {
                let awaited = self.awaited(register.stamp);
                let message = self.message(Body::Push { registers: vec![register], awaited });
                self.output.broadcast.push(message);
            } else {
                self.unreserved.push_back((self.seq, register));
            }
        }
    }
}

/// For this long after a write, in milliseconds, another one is expected.
const BUSY_MS: u64 = 60_000;
