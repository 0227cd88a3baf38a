//! Local writes: whether they are allowed, their stamps, and what is sent and persisted.
//!
//! A write has one or more changes. All are admitted before the first is stamped, and no other input comes in between, so that all are
//! made or none. Their registers are in one batch for the disk. They are pushed in one message, once the disk has reserved the last of
//! their stamps, and a node that receives it merges them in one step. Anti-entropy brings registers one by one, in any order: each is an
//! LWW register of its own.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::table::Merged;
use crate::{Change, Level, Mutant, NodeId, Now, Register, Stamp, WriteError, limits, membership};

use super::{OPERATOR_MS, OVERHEAD, Replica, Waiting, is_users};

/// A register that is written here; its stamp is issued.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) key: Arc<[u8]>,
    pub(super) stamp: Stamp,
    pub(super) value: Option<Arc<[u8]>>,
    pub(super) actor: Arc<str>,
    pub(super) reason: Arc<str>,
    /// Fields of a newer version that are to be kept.
    pub(super) extra: Arc<[u8]>,
}

impl Replica {
    /// A write of a user: now, or once this node knows which stamps it has used.
    pub(super) fn enqueue_write(
        &mut self,
        request: u64,
        changes: Vec<Change>,
        level: Level,
        timeout_ms: u64,
        now: Now,
    ) {
        let deadline_ms = now.steady_ms.saturating_add(timeout_ms);
        // What waits to be made has a bound, too.
        if let Err(error) = self.check_room(&changes) {
            return self.output.receipts.push((request, Err(error)));
        }
        self.waiting.push_back(Waiting { request, changes, level, deadline_ms });
    }

    /// Why a write of these changes would be refused now, if so: what [`Input::Write`](crate::Input::Write) finds. In the first seconds
    /// a write waits before it is refused as [`WriteError::Starting`], and this does not.
    ///
    /// # Errors
    /// The refusal.
    pub fn check_write(&self, changes: &[Change], now: Now) -> Result<(), WriteError> {
        self.check_room(changes)?;
        self.refusal_while_starting(now).map_or(Ok(()), Err)?;
        self.admit(changes, now)
    }

    /// Whether one write may have as many changes, and as many may wait.
    fn check_room(&self, changes: &[Change]) -> Result<(), WriteError> {
        if changes.is_empty() || changes.len() > limits::WRITE_CHANGES_MAX {
            return Err(WriteError::ChangeCount { count: changes.len() });
        }
        let waiting = self.waiting().saturating_add(changes.len());
        if waiting > limits::PENDING_MAX { Err(WriteError::Busy) } else { Ok(()) }
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
        while let Some(Waiting { request, changes, level, deadline_ms }) = self.waiting.pop_front() {
            if let Err(error) = self.admit(&changes, now) {
                self.output.receipts.push((request, Err(error)));
                continue;
            }
            let issue = |Change { key, value, actor, reason, .. }| {
                let stamp = self.clock.issue(now.wall_ms);
                Written { key, stamp, value, actor, reason, extra: Arc::default() }
            };
            let written: Vec<Written> = changes.into_iter().map(issue).collect();
            let keys = written.iter().map(|written| (Arc::clone(&written.key), written.stamp)).collect();
            self.install(written, now);
            self.expect_acks(request, keys, level, deadline_ms, now);
        }
    }

    /// Whether all changes of a write may be made.
    fn admit(&self, changes: &[Change], now: Now) -> Result<(), WriteError> {
        let mut keys = BTreeSet::new();
        for (index, change) in changes.iter().enumerate() {
            let is_sound = is_users(&change.key)
                && change.key.len() <= limits::KEY_BYTES_MAX
                && change.value.as_ref().is_none_or(|value| value.len() <= limits::VALUE_BYTES_MAX)
                && change.actor.len().max(change.reason.len()) <= limits::TEXT_BYTES_MAX;
            if !is_sound {
                return Err(WriteError::Invalid { index });
            }
            if !keys.insert(&change.key) {
                return Err(WriteError::Repeated { index });
            }
            let found = self.table.get(&change.key).map(|register| register.stamp);
            if !change.expected.is_met(found) {
                return Err(WriteError::Conflict { index, found });
            }
        }
        let bytes = changes.iter().map(size_of_change).sum();
        if bytes > limits::WRITE_BYTES_MAX {
            return Err(WriteError::TooLarge { bytes });
        }
        self.refusal(now).map_or(Ok(()), Err)
    }

    /// Why nothing may be written now, if so.
    pub(super) fn refusal(&self, now: Now) -> Option<WriteError> {
        if let Some(error) = self.refusal_except_poisoned(now) {
            return Some(error);
        }
        let ahead_ms = self.clock.ahead(self.clock.next(now.wall_ms), now.wall_ms);
        let is_sharing = self.options.expects_peers || self.options.has_shared_store;
        let is_alone = !is_sharing && self.others().next().is_none();
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
        let (actor, reason, extra) = texts;
        self.install(vec![Written { key, stamp, value, actor, reason, extra }], now);
        stamp
    }

    /// Makes the registers of one write active here, with rising stamps, and sends them on together once the disk has reserved the last
    /// of their stamps.
    pub(super) fn install(&mut self, written: Vec<Written>, now: Now) {
        let Some(last) = written.last().map(|written| written.stamp) else { return };
        self.timers.last_write_ms = Some(now.steady_ms);
        self.reserve_clock(last, now);
        let half = written.len() / 2;
        let mut installed = Vec::with_capacity(written.len());
        for (index, Written { key, stamp, value, actor, reason, extra }) in written.into_iter().enumerate() {
            if index > 0 && index == half && self.has(Mutant::WriteIsTorn) {
                self.end_batch();
            }
            let replaces = self.table.get(&key).map(|register| register.stamp);
            let supersedes = self.stamp_to_supersede(&key, stamp);
            let register = Register { key: Arc::clone(&key), stamp, value, replaces, supersedes, actor, reason, extra };
            let shown = self.shown_of(&key).cloned();
            if let Merged::Accepted(_) = self.table.merge(register.clone(), self.has(Mutant::OverwriteForgetsHash)) {
                self.note_history(register.clone(), None);
                self.record(register.clone());
                installed.push((register, shown));
                self.end_quarantine(&key);
            }
        }
        if self.is_reserved(last) {
            self.push.push(installed.into_iter().map(|(register, _)| register).collect());
        } else {
            self.unreserved.hold(installed);
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
        let deadline_ms = now.steady_ms.saturating_add(OPERATOR_MS);
        self.expect_acks(request, vec![(key, stamp)], Level::Majority, deadline_ms, now);
    }
}

/// Bytes that a change takes in a message, roughly.
fn size_of_change(change: &Change) -> usize {
    let texts = change.actor.len() + change.reason.len();
    change.key.len() + change.value.as_ref().map_or(0, |value| value.len()) + texts + OVERHEAD
}

const _: () =
    assert!(limits::WRITE_BYTES_MAX + limits::WRITE_CHANGES_MAX * OVERHEAD + 8 * 1024 < limits::MESSAGE_BYTES_MAX);
