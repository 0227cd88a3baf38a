//! Acknowledgements: on which nodes a write is durable and active, and when its caller gets the receipt.
//!
//! A node that has a register on its disk answers its writer in one of two ways: the register is active here, or another one
//! outranks it here. Only the first counts towards a level. After the second, no level is reached: the write has lost already, or
//! will lose when a quarantined register is released.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::message::{Awaited, Body, Loss};
use crate::{Level, Mutant, NodeId, Now, Outranked, Receipt, Register, Stamp};

use super::Replica;

/// A write that waits for its level.
#[derive(Debug)]
struct Pending {
    request: u64,
    key: Arc<[u8]>,
    level: Level,
    /// The batch that makes it durable here.
    seq: u64,
    acked: BTreeSet<NodeId>,
    /// The members that have it, and on which another register outranks it.
    outranked: BTreeMap<NodeId, Outranked>,
    deadline_ms: u64,
    /// When to send it again to members that have not answered, and how often that was done.
    resend_ms: u64,
    resends: u32,
}

impl Pending {
    fn due(&self) -> u64 {
        self.deadline_ms.min(self.resend_ms)
    }
}

/// Writes that wait, by stamp and by when something is due.
#[derive(Debug, Default)]
pub(super) struct Pendings {
    by_stamp: BTreeMap<Stamp, Pending>,
    by_due: BTreeSet<(u64, Stamp)>,
}

impl Pendings {
    pub(super) fn len(&self) -> usize {
        self.by_stamp.len()
    }

    pub(super) fn next_due(&self) -> Option<u64> {
        self.by_due.first().map(|(due, _)| *due)
    }

    fn insert(&mut self, stamp: Stamp, pending: Pending) {
        self.by_due.insert((pending.due(), stamp));
        self.by_stamp.insert(stamp, pending);
    }

    fn remove(&mut self, stamp: Stamp) -> Option<Pending> {
        let pending = self.by_stamp.remove(&stamp)?;
        self.by_due.remove(&(pending.due(), stamp));
        Some(pending)
    }
}

impl Replica {
    /// The write of this stamp is answered once its level is reached, or at the deadline.
    pub(super) fn expect_acks(
        &mut self,
        request: u64,
        (key, stamp): (Arc<[u8]>, Stamp),
        level: Level,
        deadline_ms: u64,
        now: Now,
    ) {
        let resend_ms = now.steady_ms.saturating_add(self.options.timing.resend_ms);
        // The batch that is being gathered is the next one.
        let seq = self.seq.saturating_add(1);
        self.batch.is_awaited = true;
        let pending = Pending {
            request,
            key,
            level,
            seq,
            acked: BTreeSet::new(),
            outranked: BTreeMap::new(),
            deadline_ms,
            resend_ms,
            resends: 0,
        };
        self.pendings.insert(stamp, pending);
    }

    /// The members whose acknowledgement the writer of this stamp needs. For a majority these are the nearest ones, as many as it
    /// takes: the others need not sync at once.
    pub(super) fn awaited(&self, stamp: Stamp) -> Awaited {
        let Some(pending) = self.pendings.by_stamp.get(&stamp) else { return Awaited::Only(Vec::new()) };
        let here = usize::from(self.options.is_durable);
        let needed = match pending.level {
            Level::Local if self.options.is_durable => return Awaited::Only(Vec::new()),
            Level::Local | Level::One => 1,
            Level::Majority => self.membership.majority().saturating_sub(here),
            Level::All => return Awaited::Everybody,
        };
        let mut nearest: Vec<(bool, u64, NodeId)> = self
            .others()
            .filter_map(|node| Some((node, self.peers.get(&node).filter(|peer| peer.is_live)?)))
            .map(|(node, peer)| (peer.unanswered > 1, peer.trip_ms, node))
            .collect();
        if needed > AWAITED_MAX || nearest.len() <= needed {
            return Awaited::Everybody;
        }
        nearest.sort_unstable();
        Awaited::Only(nearest.into_iter().take(needed).map(|(.., node)| node).collect())
    }

    /// Owes `to` an answer once what it sent is durable here.
    pub(super) fn queue_ack(&mut self, to: NodeId, key: Arc<[u8]>, stamp: Stamp) {
        if !self.options.is_durable {
            return;
        }
        // What is in no batch is durable once all that went before is.
        let is_gathering = !self.batch.registers.is_empty() || !self.batch.history.is_empty();
        let seq = if is_gathering { self.seq.saturating_add(1) } else { self.seq };
        let seq = if self.has(Mutant::PeerAcksBeforeSync) { 0 } else { seq };
        self.acks.push_back(DueAck { seq, to, key, stamp });
    }

    pub(super) fn send_due_acks(&mut self) {
        let mut active: BTreeMap<NodeId, Vec<Stamp>> = BTreeMap::new();
        let mut outranked: BTreeMap<NodeId, Vec<(Loss, Register)>> = BTreeMap::new();
        let mut waiting = Vec::new();
        while let Some(DueAck { to, key, stamp, .. }) = self.acks.pop_front_if(|due| due.seq <= self.persisted) {
            match self.winner(&key) {
                // An answer that names a register waits until that may leave: then a batch up to the latest one is durable.
                Some((winner, _)) if !self.may_leave(winner) => {
                    waiting.push(DueAck { seq: self.seq, to, key, stamp });
                }
                Some((winner, is_quarantined))
                    if winner.stamp != stamp && !self.has(Mutant::OutrankedIsAcknowledged) =>
                {
                    let loss = Loss { stamp, by: winner.stamp, is_quarantined };
                    outranked.entry(to).or_default().push((loss, winner.clone()));
                }
                Some(_) => active.entry(to).or_default().push(stamp),
                // It went with a collected tombstone: there is nothing to say of it.
                None => {}
            }
        }
        self.acks.extend(waiting);
        for (to, stamps) in active {
            self.send(to, Body::Ack(stamps));
        }
        for (to, losses) in outranked {
            let (losses, mut winners): (Vec<Loss>, Vec<Register>) = losses.into_iter().unzip();
            self.send(to, Body::Outranked(losses));
            // What it has written itself it need not be told.
            winners.retain(|winner| winner.stamp.node() != to);
            self.send_registers(to, winners, self.last);
        }
    }

    /// What counts for most under a key, and whether it is still in quarantine.
    fn winner(&self, key: &[u8]) -> Option<(&Register, bool)> {
        let quarantined = self.quarantined_above(key).map(|register| (register, true));
        quarantined.or_else(|| self.table.get(key).map(|register| (register, false)))
    }

    /// Batches are on the disk.
    pub(super) fn note_persisted(&mut self, upto: u64) {
        self.persisted = self.persisted.max(upto.min(self.seq));
        while let Some((_, reservation)) = self.clock_reservations.pop_front_if(|(seq, _)| *seq <= self.persisted) {
            self.note_reserved(reservation);
        }
        let stamps: Vec<Stamp> = self.pendings.by_stamp.keys().copied().collect();
        for stamp in stamps {
            self.settle(stamp, false);
        }
    }

    /// A peer has these on its disk, and they are active there.
    pub(super) fn acknowledged(&mut self, from: NodeId, stamps: &[Stamp], now: Now) {
        for &stamp in stamps {
            if !self.is_too_far_ahead(stamp, now) && !self.has(Mutant::ReceivedStampsDoNotAdvance) {
                self.clock.observe(stamp);
            }
            if let Some(pending) = self.pendings.by_stamp.get_mut(&stamp) {
                pending.acked.insert(from);
                pending.outranked.remove(&from);
                self.settle(stamp, false);
            }
        }
    }

    /// A peer has these on its disk, and others outrank them there.
    pub(super) fn outranked(&mut self, from: NodeId, losses: &[Loss]) {
        for &Loss { stamp, by, is_quarantined } in losses {
            if let Some(pending) = self.pendings.by_stamp.get_mut(&stamp) {
                pending.acked.remove(&from);
                pending.outranked.insert(from, Outranked { node: from, by, is_quarantined });
                self.settle(stamp, false);
            }
        }
    }

    /// Sends again what was not acknowledged, and answers writes whose timeout is over.
    pub(super) fn resend_or_time_out(&mut self, now: Now) {
        while let Some(&(due, stamp)) = self.pendings.by_due.first() {
            if due > now.steady_ms {
                return;
            }
            let Some(pending) = self.pendings.remove(stamp) else { return };
            let (is_over, silent) = (pending.deadline_ms <= now.steady_ms, self.silent(&pending));
            let resend_ms = self.options.timing.resend_ms;
            let is_sent = self.is_reserved(stamp);
            let (resend_ms, resends) = match pending.resends {
                // What waits for the clock reservation has not been sent once.
                resends if !is_sent => (now.steady_ms.saturating_add(resend_ms), resends),
                0 => (now.steady_ms.saturating_add(resend_ms.saturating_mul(2)), 1),
                resends => (u64::MAX, resends.saturating_add(1)),
            };
            self.pendings.insert(stamp, Pending { resend_ms, resends, ..pending });
            if is_over {
                self.settle(stamp, true);
            } else if is_sent {
                self.send_again(stamp, &silent);
            }
        }
    }

    fn send_again(&mut self, stamp: Stamp, to: &[NodeId]) {
        // What was overwritten meanwhile is on its way as its successor.
        let key = self.pendings.by_stamp.get(&stamp).map(|pending| Arc::clone(&pending.key));
        let Some(register) = key.and_then(|key| self.shown_of(&key).cloned()) else { return };
        for &node in to {
            self.send(node, Body::Push { registers: vec![register.clone()], awaited: Awaited::Everybody });
        }
    }

    /// The live members that have not answered.
    fn silent(&self, pending: &Pending) -> Vec<NodeId> {
        let has_answered = |node: &NodeId| pending.acked.contains(node) || pending.outranked.contains_key(node);
        let is_silent = |node: &NodeId| self.is_live(*node) && !has_answered(node);
        self.membership.members().map(|member| member.node).filter(is_silent).collect()
    }

    /// Whether this node knows the members that form a majority: from its disk, from others, or because there are none.
    pub(super) fn is_membership_known(&self) -> bool {
        let knows_others = self.membership.all().any(|member| member.node != self.options.node);
        !self.options.expects_peers || !self.options.has_peers || knows_others || self.has(Mutant::MajorityOfOne)
    }

    /// Answers a write, if its level is reached, it has lost, or `is_over`.
    pub(super) fn settle(&mut self, stamp: Stamp, is_over: bool) {
        let Some(pending) = self.pendings.by_stamp.get(&stamp) else { return };
        let here = self.options.node;
        let is_synced = pending.seq <= self.persisted || self.has(Mutant::AckBeforeSync);
        let lost_here = self
            .winner(&pending.key)
            .filter(|(winner, _)| winner.stamp != stamp)
            .map(|(winner, is_quarantined)| Outranked { node: here, by: winner.stamp, is_quarantined });
        let lost_here = lost_here.filter(|_| !self.has(Mutant::LostWriteCountsHere));
        let is_here = self.options.is_durable && is_synced && lost_here.is_none();
        let has_it = |node: NodeId| if node == here { is_here } else { pending.acked.contains(&node) };
        let (durable_on, mut waited_for): (Vec<NodeId>, Vec<NodeId>) =
            self.membership.members().map(|member| member.node).partition(|node| has_it(*node));
        let outranked: Vec<Outranked> = lost_here.into_iter().chain(pending.outranked.values().copied()).collect();
        waited_for.retain(|node| !outranked.iter().any(|outranked| outranked.node == *node));
        let count = durable_on.len();
        let is_safe_here = is_here || (!self.options.is_durable && count > 0);
        let is_reached = is_safe_here
            && outranked.is_empty()
            && match pending.level {
                Level::Local => true,
                _ if !self.is_membership_known() => false,
                Level::One => count >= if self.options.is_durable { 2 } else { 1 },
                Level::Majority => count >= self.membership.majority(),
                Level::All => !waited_for.iter().any(|node| self.is_live(*node)),
            };
        let is_lost = is_synced && !outranked.is_empty();
        if is_reached || is_lost || is_over {
            let receipt =
                Receipt { stamp, level: pending.level, is_reached, durable_on, pending: waited_for, outranked };
            self.output.receipts.push((pending.request, Ok(receipt)));
            self.pendings.remove(stamp);
        }
    }
}

/// An answer that is due once a batch is durable.
#[derive(Debug)]
pub(super) struct DueAck {
    seq: u64,
    to: NodeId,
    key: Arc<[u8]>,
    stamp: Stamp,
}

/// A list of more nodes would cost a message more than it spares them.
const AWAITED_MAX: usize = 16;
