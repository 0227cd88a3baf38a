//! Acknowledgements: on which nodes a write is durable and active, and when its caller gets the receipt.
//!
//! A node that has a register on its disk answers its writer in one of two ways: the register is active here, or another one
//! outranks it here. Only the first counts towards a level. After the second, no level is reached: the write has lost already, or
//! will lose when a quarantined register is released. A write of several registers has one receipt: a node counts once it has said of
//! each of them that it is active there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::message::{Awaited, Body, Loss};
use crate::{Level, Mutant, NodeId, Now, Outranked, Receipt, Register, Stamp, limits};

use super::{Replica, size_of};

/// A write that waits for its level.
#[derive(Debug)]
struct Pending {
    request: u64,
    /// What it has written, by rising stamps.
    registers: Vec<(Arc<[u8]>, Stamp)>,
    level: Level,
    /// The batch that makes it durable here.
    seq: u64,
    /// The members that have a register, and on which it is active.
    acked: BTreeSet<(NodeId, Stamp)>,
    /// The members that have a register, and on which another one outranks it.
    outranked: BTreeMap<(NodeId, Stamp), Outranked>,
    deadline_ms: u64,
    /// When to send it again to members that have not answered, and how often that was done.
    resend_ms: u64,
    resends: u32,
}

impl Pending {
    fn due(&self) -> u64 {
        self.deadline_ms.min(self.resend_ms)
    }

    fn has(&self, stamp: Stamp) -> bool {
        self.registers.binary_search_by_key(&stamp, |(_, stamp)| *stamp).is_ok()
    }

    /// Whether a member has acknowledged all of it.
    fn is_acked_by(&self, node: NodeId) -> bool {
        self.acked.range(all_of(node)).count() == self.registers.len()
    }

    /// Whether a member has answered for all of it.
    fn is_answered_by(&self, node: NodeId) -> bool {
        let (acked, outranked) = (self.acked.range(all_of(node)), self.outranked.range(all_of(node)));
        acked.count().saturating_add(outranked.count()) == self.registers.len()
    }
}

/// Writes that wait, by the last of their stamps and by when something is due.
///
/// The stamps of one write are issued one after the other, so that the write of a stamp is the first whose last stamp is not less.
#[derive(Debug, Default)]
pub(super) struct Pendings {
    by_last: BTreeMap<Stamp, Pending>,
    by_due: BTreeSet<(u64, Stamp)>,
    /// How many registers all of them have written.
    registers: usize,
}

impl Pendings {
    /// How many registers wait.
    pub(super) fn len(&self) -> usize {
        self.registers
    }

    pub(super) fn next_due(&self) -> Option<u64> {
        self.by_due.first().map(|(due, _)| *due)
    }

    fn insert(&mut self, last: Stamp, pending: Pending) {
        self.by_due.insert((pending.due(), last));
        self.registers = self.registers.saturating_add(pending.registers.len());
        self.by_last.insert(last, pending);
    }

    fn remove(&mut self, last: Stamp) -> Option<Pending> {
        let pending = self.by_last.remove(&last)?;
        self.by_due.remove(&(pending.due(), last));
        self.registers = self.registers.saturating_sub(pending.registers.len());
        Some(pending)
    }

    /// The write that a stamp is of, and the last of its stamps.
    fn of_stamp(&mut self, stamp: Stamp) -> Option<(Stamp, &mut Pending)> {
        let (last, pending) = self.by_last.range_mut(stamp..).next()?;
        pending.has(stamp).then_some((*last, pending))
    }
}

/// All registers of a node, in the order of nodes and stamps.
fn all_of(node: NodeId) -> std::ops::RangeInclusive<(NodeId, Stamp)> {
    (node, Stamp::ZERO)..=(node, Stamp::MAX)
}

impl Replica {
    /// The write of these registers is answered once its level is reached, or at the deadline.
    pub(super) fn expect_acks(
        &mut self,
        request: u64,
        registers: Vec<(Arc<[u8]>, Stamp)>,
        level: Level,
        deadline_ms: u64,
        now: Now,
    ) {
        let Some(last) = registers.last().map(|(_, stamp)| *stamp) else { return };
        let resend_ms = now.steady_ms.saturating_add(self.options.timing.resend_ms);
        // The batch that is being gathered is the next one.
        let seq = self.seq.saturating_add(1);
        self.batch.is_awaited = true;
        let pending = Pending {
            request,
            registers,
            level,
            seq,
            acked: BTreeSet::new(),
            outranked: BTreeMap::new(),
            deadline_ms,
            resend_ms,
            resends: 0,
        };
        self.pendings.insert(last, pending);
    }

    /// The members whose acknowledgement the write with this last stamp needs. For a majority these are the nearest ones, as many as it
    /// takes: the others need not sync at once.
    pub(super) fn awaited(&self, last: Stamp) -> Awaited {
        let Some(pending) = self.pendings.by_last.get(&last) else { return Awaited::Only(Vec::new()) };
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
        let writes: Vec<Stamp> = self.pendings.by_last.keys().copied().collect();
        for last in writes {
            self.settle(last, false);
        }
    }

    /// A peer has these on its disk, and they are active there.
    pub(super) fn acknowledged(&mut self, from: NodeId, stamps: &[Stamp], now: Now) {
        let mut writes = BTreeSet::new();
        for &stamp in stamps {
            if !self.is_too_far_ahead(stamp, now) && !self.has(Mutant::ReceivedStampsDoNotAdvance) {
                self.clock.observe(stamp);
            }
            if let Some((last, pending)) = self.pendings.of_stamp(stamp) {
                pending.acked.insert((from, stamp));
                pending.outranked.remove(&(from, stamp));
                writes.insert(last);
            }
        }
        for last in writes {
            self.settle(last, false);
        }
    }

    /// A peer has these on its disk, and others outrank them there.
    pub(super) fn outranked(&mut self, from: NodeId, losses: &[Loss]) {
        let mut writes = BTreeSet::new();
        for &Loss { stamp, by, is_quarantined } in losses {
            if let Some((last, pending)) = self.pendings.of_stamp(stamp) {
                pending.acked.remove(&(from, stamp));
                pending.outranked.insert((from, stamp), Outranked { stamp, node: from, by, is_quarantined });
                writes.insert(last);
            }
        }
        for last in writes {
            self.settle(last, false);
        }
    }

    /// Something outranks the register of this stamp here: if a write waits that has made it, it is answered.
    pub(super) fn settle_write_of(&mut self, stamp: Stamp) {
        if let Some((last, _)) = self.pendings.of_stamp(stamp) {
            self.settle(last, false);
        }
    }

    /// Sends again what was not acknowledged, and answers writes whose timeout is over.
    pub(super) fn resend_or_time_out(&mut self, now: Now) {
        while let Some(&(due, last)) = self.pendings.by_due.first() {
            if due > now.steady_ms {
                return;
            }
            let Some(pending) = self.pendings.remove(last) else { return };
            let (is_over, silent) = (pending.deadline_ms <= now.steady_ms, self.silent(&pending));
            let resend_ms = self.options.timing.resend_ms;
            let is_sent = self.is_reserved(last);
            let (resend_ms, resends) = match pending.resends {
                // What waits for the clock reservation has not been sent once.
                resends if !is_sent => (now.steady_ms.saturating_add(resend_ms), resends),
                0 => (now.steady_ms.saturating_add(resend_ms.saturating_mul(2)), 1),
                resends => (u64::MAX, resends.saturating_add(1)),
            };
            self.pendings.insert(last, Pending { resend_ms, resends, ..pending });
            if is_over {
                self.settle(last, true);
            } else if is_sent {
                self.send_again(last, &silent);
            }
        }
    }

    fn send_again(&mut self, last: Stamp, to: &[NodeId]) {
        let Some(pending) = self.pendings.by_last.get(&last) else { return };
        // What was overwritten meanwhile is on its way as its successor, which may be larger.
        let mut messages: Vec<Vec<Register>> = Vec::new();
        let mut room = 0;
        for register in pending.registers.iter().filter_map(|(key, _)| self.shown_of(key).cloned()) {
            let bytes = size_of(&register);
            match messages.last_mut() {
                Some(message) if bytes <= room => message.push(register),
                _ => {
                    room = limits::WRITE_BYTES_MAX;
                    messages.push(vec![register]);
                }
            }
            room = room.saturating_sub(bytes);
        }
        for registers in messages {
            for &node in to {
                self.send(node, Body::Push { registers: registers.clone(), awaited: Awaited::Everybody });
            }
        }
    }

    /// The live members that have not answered for all of it.
    fn silent(&self, pending: &Pending) -> Vec<NodeId> {
        let is_silent = |node: &NodeId| self.is_live(*node) && !pending.is_answered_by(*node);
        self.membership.members().map(|member| member.node).filter(is_silent).collect()
    }

    /// Whether this node knows the members that form a majority: from its disk, from others, or because there are none.
    pub(super) fn is_membership_known(&self) -> bool {
        let knows_others = self.membership.all().any(|member| member.node != self.options.node);
        !self.options.expects_peers || !self.options.has_peers || knows_others || self.has(Mutant::MajorityOfOne)
    }

    /// Answers a write, if its level is reached, it has lost, or `is_over`.
    fn settle(&mut self, last: Stamp, is_over: bool) {
        let Some(pending) = self.pendings.by_last.get(&last) else { return };
        let here = self.options.node;
        let is_synced = pending.seq <= self.persisted || self.has(Mutant::AckBeforeSync);
        let lost_here = self.lost_here(pending);
        let is_here = self.options.is_durable && is_synced && lost_here.is_empty();
        let has_it = |node: NodeId| if node == here { is_here } else { pending.is_acked_by(node) };
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
            let Some(Pending { request, registers, level, .. }) = self.pendings.remove(last) else { return };
            let stamps = registers.into_iter().map(|(_, stamp)| stamp).collect();
            let receipt = Receipt { stamps, level, is_reached, durable_on, pending: waited_for, outranked };
            self.output.receipts.push((request, Ok(receipt)));
        }
    }

    /// The registers of a write that have lost on this node, or will lose.
    fn lost_here(&self, pending: &Pending) -> Vec<Outranked> {
        if self.has(Mutant::LostWriteCountsHere) {
            return Vec::new();
        }
        let lost = |(key, stamp): &(Arc<[u8]>, Stamp)| {
            let (winner, is_quarantined) = self.winner(key).filter(|(winner, _)| winner.stamp != *stamp)?;
            Some(Outranked { stamp: *stamp, node: self.options.node, by: winner.stamp, is_quarantined })
        };
        pending.registers.iter().filter_map(lost).collect()
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
