//! Anti-entropy: two nodes find where they differ, and send each other what is missing.
//!
//! One node sends its root hash. If the other one has a different root, both send the hashes of the branches that differ, down to
//! the leaves, whose entries are compared by rank. Every message stands for itself: a lost one ends the comparison, and the next
//! round starts another.

use std::sync::Arc;

use crate::merkle::Branch;
use crate::message::{Body, Entry, Summary};
use crate::{NodeId, Now, Register, Stamp, limits};

use super::peers::{Asked, SnapshotTransfer};
use super::{Replica, size_of};

impl Replica {
    /// A peer asks whether this node holds the same.
    pub(super) fn reply_to_root(&mut self, from: NodeId, floor: Stamp, theirs: &Summary, now: Now) {
        self.note_summary(from, theirs, now);
        let is_same = theirs.root == self.root();
        let is_durable = self.is_all_durable();
        let mine = self.summary(from, now);
        let summary = Summary { echo_ms: theirs.steady_ms, merges: theirs.merges, ..mine };
        let children = if is_same { [0; 16] } else { self.table.tree().children(Branch::ROOT) };
        self.send(from, Body::RootReply { summary, is_same, is_durable, children });
        if is_same {
            self.note_equal(from, floor, now);
        } else if theirs.clock.epoch() > self.clock.epoch() {
            self.ask_for_repairs(from);
        }
    }

    /// A peer has answered; `same`: it holds the same, and whether on its disk.
    pub(super) fn receive_root_reply(
        &mut self,
        from: NodeId,
        floor: Stamp,
        theirs: &Summary,
        same: Option<bool>,
        children: &[u64; 16],
        now: Now,
    ) {
        self.note_summary(from, theirs, now);
        let asked = self.peers.get(&from).and_then(|peer| peer.asked);
        let is_echo = |asked: Asked| asked.steady_ms == theirs.echo_ms && asked.merges == theirs.merges;
        let Some(asked) = asked.filter(|asked| is_echo(*asked)) else { return };
        if same.is_some() && asked.root != theirs.root {
            return;
        }
        self.measure(from, theirs, now);
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.unanswered = 0;
        }
        let Some(is_durable) = same else { return self.descend(from, theirs, children, now) };
        if let Some(peer) = self.peers.get_mut(&from).filter(|_| is_durable) {
            peer.confirmed = Some(theirs.merges);
        }
        // A register that came since the request may be one that the announced gc floor refuses.
        if theirs.root == self.root() {
            self.note_equal(from, floor, now);
        }
    }

    /// A peer holds something else.
    fn descend(&mut self, from: NodeId, theirs: &Summary, children: &[u64; 16], now: Now) {
        self.note_difference(from);
        if theirs.clock.epoch() > self.clock.epoch() {
            self.ask_for_repairs(from);
        }
        if self.needs_snapshot(theirs.count) {
            self.request_snapshot(from, now);
        } else {
            self.compare_branches(from, &[(Branch::ROOT, *children)]);
        }
    }

    /// The numbers below some branches, as a peer has them.
    pub(super) fn compare_branches(&mut self, from: NodeId, theirs: &[(Branch, [u64; 16])]) {
        let (mut branches, mut leaves, mut entries) = (Vec::new(), Vec::new(), 0);
        for (branch, children) in theirs.iter().filter(|(branch, _)| !branch.is_leaf()) {
            let mine = self.table.tree().children(*branch);
            for (digit, _) in mine.iter().zip(children).enumerate().filter(|(_, (mine, theirs))| mine != theirs) {
                let child = branch.child(digit);
                if child.is_leaf() && entries < limits::ENTRIES_PER_MESSAGE {
                    let leaf: Vec<Entry> =
                        self.shown_within(child.hashes()).map(|register| self.table.entry(register)).collect();
                    entries += leaf.len() + 1;
                    leaves.push((child, leaf));
                } else if !child.is_leaf() && branches.len() < limits::NODES_PER_MESSAGE {
                    branches.push((child, self.table.tree().children(child)));
                }
            }
        }
        if !branches.is_empty() {
            self.send(from, Body::Branches(branches));
        }
        if !leaves.is_empty() {
            self.send(from, Body::Leaves(leaves));
        }
    }

    /// What lies in some leaves, as a peer has it: takes what is newer there, sends what is newer here.
    pub(super) fn compare_leaves(&mut self, from: NodeId, floor: Stamp, theirs: &[(Branch, Vec<Entry>)], now: Now) {
        let (mut wanted, mut given, mut gone, mut hidden) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (branch, entries) in theirs.iter().filter(|(branch, _)| branch.is_leaf()) {
            for theirs @ &Entry { hash, stamp, .. } in entries {
                let is_refused = self.shown_entry(hash).is_none() && self.refuses(stamp, from, floor);
                if !is_refused {
                    self.table.reveal_at(hash);
                }
                match self.shown_entry(hash) {
                    None if is_refused => gone.push((hash, stamp)),
                    None => wanted.push(hash),
                    Some(mine) if mine.stamp < stamp => wanted.push(hash),
                    Some(mine) if mine.stamp > stamp => given.push(hash),
                    // Two contents under one stamp: whichever ranks higher has to come to the other node.
                    Some(mine) if mine != *theirs => {
                        given.push(hash);
                        wanted.push(hash);
                    }
                    Some(_) => {}
                }
            }
            let is_new = |hash: u64| !entries.iter().any(|theirs| theirs.hash == hash);
            for register in self.table.visible_within(branch.hashes()) {
                let hash = self.table.hash(&register.key);
                if is_new(hash) && register.is_tombstone() && self.is_collected(register.rank_stamp(), floor) {
                    hidden.push(Arc::clone(&register.key));
                } else if is_new(hash) && self.shown(register).is_some() {
                    given.push(hash);
                }
            }
        }
        for key in hidden {
            self.table.hide(&key);
        }
        if !gone.is_empty() {
            self.send(from, Body::Collected(gone));
        }
        if !wanted.is_empty() {
            self.send(from, Body::RegistersRequest(wanted));
        }
        self.send_requested(from, &given, now);
    }

    /// What lies under a key hash, as other nodes may have it.
    fn shown_entry(&self, hash: u64) -> Option<Entry> {
        self.shown_within(hash..=hash).map(|register| self.table.entry(register)).next()
    }

    /// Sends registers to repair a peer, as many as the budget allows. The next round goes on.
    pub(super) fn send_requested(&mut self, to: NodeId, hashes: &[u64], now: Now) {
        let registers: Vec<Register> = hashes
            .iter()
            .take(limits::ENTRIES_PER_MESSAGE)
            .flat_map(|hash| self.shown_within(*hash..=*hash))
            .cloned()
            .collect();
        self.send_registers(to, registers, now);
    }

    pub(super) fn send_registers(&mut self, to: NodeId, registers: Vec<Register>, now: Now) {
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        for register in registers {
            let size = size_of(&register);
            let Some(peer) = self.peers.get_mut(&to) else { return };
            if !peer.budget.repair.take(size, limits::REPAIR_BYTES_PER_SECOND, now) {
                break;
            }
            self.counters.repaired += 1;
            bytes += size;
            chunk.push(register);
            if bytes >= limits::CHUNK_BYTES {
                self.send(to, Body::Repair(std::mem::take(&mut chunk)));
                bytes = 0;
            }
        }
        if !chunk.is_empty() {
            self.send(to, Body::Repair(chunk));
        }
    }

    /// Whether so much is missing here that a snapshot is cheaper.
    pub(super) fn needs_snapshot(&self, theirs: u64) -> bool {
        let mine = self.table.visible_count() as u64;
        let is_far_behind =
            theirs >= mine.saturating_mul(2) && theirs.saturating_sub(mine) >= limits::SNAPSHOT_MISSING_MIN;
        is_far_behind || self.differences >= DIFFERENCES_MAX
    }

    /// Whether this node compares more often, because it has started, is not in sync and somebody is there to compare with. A
    /// node that reaches only readers is never in sync, and stops comparing more often after a while.
    pub(super) fn has_fast_rounds(&self, now: Now) -> bool {
        let is_new = now.steady_ms.saturating_sub(self.timers.started_ms) < FAST_ROUNDS_MS;
        is_new && !self.is_synced && self.peers.values().any(|peer| peer.is_live)
    }

    /// A first comparison with a member has shown a difference: it may be a register that came meanwhile, or one that is in
    /// quarantine here and will differ for long.
    fn note_difference(&mut self, from: NodeId) {
        if !self.is_synced && self.membership.is_member(from) {
            self.differences = self.differences.saturating_add(1);
        }
    }

    /// All that a node had is here, by equal roots or by a stream from the beginning to the end.
    fn note_synced(&mut self, from: NodeId) {
        if self.membership.is_member(from) {
            (self.is_synced, self.differences) = (true, 0);
        }
    }

    /// Requests a snapshot, or its next chunk, unless that was just done.
    pub(super) fn request_snapshot(&mut self, from: NodeId, now: Now) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let snapshot = peer.snapshot.get_or_insert(SnapshotTransfer { from: 0, asked_ms: 0 });
        if now.steady_ms.saturating_sub(snapshot.asked_ms) < SNAPSHOT_RETRY_MS && snapshot.asked_ms > 0 {
            return;
        }
        snapshot.asked_ms = now.steady_ms;
        let hash = snapshot.from;
        self.send(from, Body::SnapshotRequest(hash));
    }

    /// Sends a snapshot chunk.
    pub(super) fn send_snapshot_chunk(&mut self, to: NodeId, hash: u64, now: Now) {
        let (mut registers, mut bytes, mut next) = (Vec::new(), 0, None);
        for register in self.shown_within(hash..=u64::MAX) {
            let place = self.table.hash(&register.key);
            if bytes >= limits::CHUNK_BYTES {
                next = Some(place);
                break;
            }
            bytes += size_of(register);
            registers.push(register.clone());
        }
        let Some(peer) = self.peers.get_mut(&to) else { return };
        if peer.budget.snapshot.take(bytes, limits::SNAPSHOT_BYTES_PER_SECOND, now) {
            self.counters.repaired = self.counters.repaired.saturating_add(registers.len() as u64);
            self.send(to, Body::SnapshotChunk { registers, next });
        }
    }

    /// A snapshot chunk has arrived.
    pub(super) fn receive_snapshot_chunk(
        &mut self,
        from: NodeId,
        floor: Stamp,
        registers: Vec<Register>,
        next: Option<u64>,
        now: Now,
    ) {
        self.receive_registers(from, floor, registers, false, now);
        let Some(peer) = self.peers.get_mut(&from) else { return };
        if let (Some(next), Some(_)) = (next, peer.snapshot) {
            peer.snapshot = Some(SnapshotTransfer { from: next, asked_ms: now.steady_ms });
            self.send(from, Body::SnapshotRequest(next));
        } else {
            // A chunk that was not requested ends no snapshot.
            let is_end = peer.snapshot.take().is_some();
            if is_end {
                self.note_synced(from);
            }
            self.send_root_request(from, now);
        }
    }

    /// A peer holds the same as this node.
    pub(super) fn note_equal(&mut self, from: NodeId, floor: Stamp, now: Now) {
        self.note_synced(from);
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.agreed_gc_floor = Some(self.durable.enforced_gc_floor);
            peer.snapshot = None;
        }
        if floor >= self.durable.enforced_gc_floor || self.is_gc_floor_common() {
            self.announce_gc_floor();
        }
        let is_forgotten = self.membership.get(self.options.node).is_some_and(|member| member.is_forgotten);
        let is_whole = self.durable.announced_gc_floor >= self.durable.enforced_gc_floor;
        if is_forgotten && is_whole && self.options.is_durable && self.refusal(now).is_none() {
            self.enroll(now);
        }
    }
}

/// For this long after its start, in milliseconds, a node that is not in sync compares more often.
const FAST_ROUNDS_MS: u64 = 30_000;

/// After this many comparisons with members that have shown a difference, a node that is not in sync yet fetches a snapshot: then
/// it has all that there was, whatever is written meanwhile.
const DIFFERENCES_MAX: u32 = 5;

/// A chunk that was requested this long ago, in milliseconds, is requested again.
const SNAPSHOT_RETRY_MS: u64 = 2_000;
