//! The state machine: it takes one input at a time and returns what follows from it.
//!
//! Each part has a file: local writes, registers from other nodes, anti-entropy, acknowledgements, garbage collection of tombstones,
//! quarantine, epochs, peers and their clocks. The parts share one state and add to one output.

mod acks;
mod anti_entropy;
mod budget;
pub(crate) mod epoch;
mod peers;
mod quarantine;
mod receive;
mod report;
mod reservation;
mod store;
mod tombstones;
mod watch;
mod write;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use crate::clock::Clock;
use crate::durable::DurableState;
use crate::membership::{self, Membership};
use crate::message::{Body, Message};
use crate::random::Random;
use crate::table::Table;
use crate::{
    Batch, Change, Counters, Input, Level, Loaded, Mutant, NodeId, Now, Options, Output, Register, Stamp, limits,
};

use acks::{DueAck, Pendings};
use peers::Peer;
use quarantine::{Decision, QuarantinedRegister};
use reservation::Unreserved;
use store::Origin;

/// One node's copy of the registers. See the [crate](crate) for how to drive it.
pub struct Replica {
    options: Options,
    clock: Clock,
    table: Table,
    membership: Membership,
    durable: DurableState,
    is_durable_state_new: bool,
    /// The clock reservation that is on the disk, and those on their way there.
    clock_reservation: Stamp,
    clock_reservations: VecDeque<(u64, Stamp)>,
    peers: BTreeMap<NodeId, Peer>,
    pendings: Pendings,
    /// Answers to other nodes' writes, each due once a batch is durable.
    acks: VecDeque<DueAck>,
    /// Registers of this node that no other node may have yet.
    unreserved: Unreserved,
    /// Writes that wait until this node knows which stamps it has used.
    waiting: VecDeque<Waiting>,
    quarantine: BTreeMap<Arc<[u8]>, QuarantinedRegister>,
    /// The drift that is allowed, within its bounds.
    max_drift_ms: u64,
    random: Random,
    /// The last batch handed out, and the last one that is durable.
    seq: u64,
    persisted: u64,
    batch: Batch,
    /// What was written and may leave: the registers of each write together.
    push: Vec<Vec<Register>>,
    /// Where the registers that are being merged come from.
    origin: Origin,
    output: Output,
    timers: Timers,
    /// The instant of the last input.
    last: Now,
    is_learned: bool,
    /// How many configured addresses have shown no node since the start; 1 until the caller says how many.
    unmet_peers: usize,
    /// Whether all was compared with a member since the start, and how often that has shown a difference.
    is_synced: bool,
    differences: u32,
    failed: Option<String>,
    /// When something last came from another process of this id, by the steady clock.
    duplicate_ms: Option<u64>,
    isolated_since_ms: Option<u64>,
    /// Since when, by the steady clock, no member announces the gc floor that this node enforces.
    orphaned_since_ms: Option<u64>,
    counters: Counters,
}

/// A write that waits.
#[derive(Debug)]
struct Waiting {
    request: u64,
    changes: Vec<Change>,
    level: Level,
    /// By the steady clock.
    deadline_ms: u64,
}

/// When what is due, by the steady clock.
#[derive(Debug)]
struct Timers {
    started_ms: u64,
    round_ms: u64,
    rounds: u64,
    tree_check_ms: u64,
    last_write_ms: Option<u64>,
    /// The epoch that this node lives in, and since when, or since its start.
    epoch: (u16, u64),
}

impl Replica {
    /// Creates a replica that continues with what its disk had. Perform the output before anything else.
    pub fn new(options: Options, loaded: Loaded, now: Now) -> (Self, Output) {
        let mut table = Table::new(&options.cluster);
        let mut membership = Membership::default();
        let mut last = Stamp::ZERO;
        for register in loaded.registers {
            last = last.max(register.stamp);
            membership.note(&register);
            table.merge(register, false);
        }
        // Durable state that cannot be read is treated like lost state: what other nodes announce counts.
        let meta = loaded.meta.as_deref().map(DurableState::decode);
        let is_damaged = loaded.is_damaged || matches!(meta, Some(Err(_)));
        let mut durable = meta.and_then(Result::ok).unwrap_or_default();
        if is_damaged {
            // Lost registers are fetched from other nodes; until then this node announces no gc floor.
            durable.announced_gc_floor = Stamp::ZERO;
        }
        if options.mutant() != Some(Mutant::ClockReservationNotPersisted) {
            let reservation = durable.clock_reservation;
            last = last.max(Stamp::new(reservation.epoch(), reservation.millis(), u16::MAX, options.node));
        }
        let timers = Timers {
            started_ms: now.steady_ms,
            round_ms: now.steady_ms,
            rounds: 0,
            tree_check_ms: now.steady_ms.saturating_add(options.timing.tree_check_ms),
            last_write_ms: None,
            epoch: (last.epoch(), now.steady_ms),
        };
        let max_drift_ms = options.max_drift_ms.clamp(limits::CLOCK_WARNING_MS, limits::DRIFT_MS_MAX);
        let mut replica = Self {
            clock: Clock::new(options.node, last, options.instance),
            random: Random::new(options.seed),
            is_learned: !options.expects_peers,
            unmet_peers: usize::from(options.expects_peers && options.has_peers),
            options,
            table,
            membership,
            durable,
            is_durable_state_new: is_damaged,
            clock_reservation: durable.clock_reservation,
            clock_reservations: VecDeque::new(),
            peers: BTreeMap::new(),
            pendings: Pendings::default(),
            acks: VecDeque::new(),
            unreserved: Unreserved::default(),
            waiting: VecDeque::new(),
            quarantine: BTreeMap::new(),
            max_drift_ms,
            seq: 0,
            persisted: 0,
            batch: Batch::default(),
            push: Vec::new(),
            origin: Origin::default(),
            output: Output::default(),
            timers,
            last: now,
            is_synced: false,
            differences: 0,
            failed: None,
            duplicate_ms: None,
            isolated_since_ms: None,
            orphaned_since_ms: None,
            counters: Counters::default(),
        };
        replica.note_isolation(now);
        // Another process with this id is told at once.
        replica.send(replica.options.node, Body::Hello);
        let output = replica.finish(now);
        (replica, output)
    }

    /// Advances by one input. Does no input or output; the caller performs what is returned.
    pub fn handle(&mut self, input: Input, now: Now) -> Output {
        self.note_jump(now);
        match input {
            Input::Message { from, bytes } => self.receive(from, &bytes, now),
            Input::FromStore { registers } => self.receive_from_store(registers, now),
            Input::PeerUp { node, instance } => self.peer_up(node, instance, now),
            Input::PeerDown { node, instance } => self.peer_down(node, instance, now),
            Input::UnmetPeers { count } => self.unmet_peers = count,
            Input::Write { request, changes, level, timeout_ms } => {
                self.enqueue_write(request, changes, level, timeout_ms, now);
            }
            Input::RaiseEpoch { request, actor, reason } => self.raise_epoch(request, actor, reason, now),
            Input::Resolve { request, key, stamp, resolution, actor, reason } => {
                self.resolve(request, Decision { key, stamp, resolution, actor, reason }, now);
            }
            Input::Forget { request, node, actor, reason } => self.forget(request, node, actor, reason, now),
            Input::Persisted { upto } => self.note_persisted(upto),
            Input::PersistFailed { message } => self.failed = Some(message),
            Input::Tick => self.tick(now),
        }
        self.finish(now)
    }

    /// The active register of a key, or its tombstone.
    pub fn get(&self, key: &[u8]) -> Option<&Register> {
        self.table.get(key)
    }

    /// All registers of users, tombstones included, in an arbitrary order.
    pub fn iter(&self) -> impl Iterator<Item = &Register> {
        self.table.iter().filter(|register| is_users(&register.key))
    }

    /// All registers, the replica's own too, without hidden tombstones.
    #[cfg(feature = "simulate")]
    pub(crate) fn all(&self) -> impl Iterator<Item = &Register> {
        self.table.iter().filter(|register| !self.table.is_hidden(register))
    }

    /// Changes that wait, for their acknowledgement or to be made.
    pub(crate) fn waiting(&self) -> usize {
        let to_make = self.waiting.iter().map(|waiting| waiting.changes.len()).sum();
        self.pendings.len().saturating_add(to_make)
    }

    /// The root hash: equal roots mean equal contents.
    pub fn root(&self) -> u64 {
        self.table.tree().root()
    }

    fn receive(&mut self, from: NodeId, bytes: &[u8], now: Now) {
        let message = match Message::decode(bytes) {
            Ok((message, skipped)) => {
                self.counters.unknown = self.counters.unknown.saturating_add(skipped.unknown);
                self.counters.malformed = self.counters.malformed.saturating_add(skipped.malformed);
                message
            }
            Err(crate::DecodeError::Kind(_)) => return self.counters.unknown += 1,
            Err(_) => return self.counters.malformed += 1,
        };
        if from == self.options.node {
            return self.receive_from_duplicate(message.instance, now);
        }
        let Some(peer) = self.note_heard(from, now) else { return };
        peer.note_announced_gc_floor(message.instance, message.gc_floor);
        self.learn_gc_floor(message.gc_floor, now);
        let floor = message.gc_floor;
        match message.body {
            Body::Hello => {}
            Body::Push { registers, awaited } => {
                self.batch.is_awaited |= awaited.includes(self.options.node);
                self.receive_registers(from, floor, registers, true, now);
            }
            Body::Repair(registers) => self.receive_registers(from, floor, registers, false, now),
            Body::Ack(stamps) => self.acknowledged(from, &stamps, now),
            Body::Outranked(losses) => self.outranked(from, &losses),
            Body::Collected(entries) => self.drop_collected(floor, &entries),
            _ if self.has(Mutant::NoAntiEntropy) => {}
            Body::RootRequest(summary) => self.reply_to_root(from, floor, &summary, now),
            Body::RootReply { summary, is_same, is_durable, children } => {
                self.receive_root_reply(from, floor, &summary, is_same.then_some(is_durable), &children, now);
            }
            Body::Branches(branches) => self.compare_branches(from, &branches),
            Body::Leaves(leaves) => self.compare_leaves(from, floor, &leaves, now),
            Body::RegistersRequest(hashes) => self.send_requested(from, &hashes, now),
            Body::SnapshotRequest(hash) => self.send_snapshot_chunk(from, hash, now),
            Body::SnapshotChunk { registers, next } => self.receive_snapshot_chunk(from, floor, registers, next, now),
        }
    }

    fn tick(&mut self, now: Now) {
        if now.steady_ms >= self.timers.round_ms {
            let period = self.options.timing.round_ms / if self.has_fast_rounds(now) { FAST_ROUNDS } else { 1 };
            let jitter = self.random.below(period / 5 * 2 + 1);
            self.timers.round_ms = now.steady_ms.saturating_add(period / 5 * 4).saturating_add(jitter);
            self.timers.rounds = self.timers.rounds.wrapping_add(1);
            self.round(now);
            self.look_for_orphans(now);
            self.collect_tombstones(now);
            self.release_quarantine(now);
            self.renew_clock_reservation(now);
            self.enroll_if_due(now);
        }
        if now.steady_ms >= self.timers.tree_check_ms {
            self.timers.tree_check_ms = now.steady_ms.saturating_add(self.options.timing.tree_check_ms);
            if !self.table.check_tree() {
                self.counters.tree_mismatches += 1;
            }
        }
        self.resend_or_time_out(now);
    }

    /// Turns what has gathered into an output.
    fn finish(&mut self, now: Now) -> Output {
        if self.timers.epoch.0 != self.clock.epoch() {
            self.timers.epoch = (self.clock.epoch(), now.steady_ms);
        }
        if self.can_write_now(now) {
            self.is_learned = true;
            self.write_waiting(now);
        }
        self.time_out_waiting(now);
        self.end_batch();
        self.push_new();
        self.send_due_acks();
        self.output.wake_at_ms = self.wake_at(now);
        std::mem::take(&mut self.output)
    }

    /// What has gathered for the disk goes there as one batch.
    fn end_batch(&mut self) {
        if self.is_durable_state_new {
            self.is_durable_state_new = false;
            self.batch.meta = Some(self.durable.encode());
        }
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return;
        }
        let seq = self.seq.saturating_add(1);
        self.seq = seq;
        if batch.meta.is_some() {
            self.clock_reservations.push_back((seq, self.durable.clock_reservation));
        }
        self.output.persist.push(Batch { seq, ..batch });
    }

    fn wake_at(&self, now: Now) -> u64 {
        let mut wake = self.timers.round_ms.min(self.timers.tree_check_ms);
        if let Some(due) = self.pendings.next_due() {
            wake = wake.min(due);
        }
        if !self.waiting.is_empty() {
            wake = wake.min(self.timers.started_ms.saturating_add(self.options.timing.learn_ms));
        }
        wake = self.waiting.iter().fold(wake, |wake, waiting| wake.min(waiting.deadline_ms));
        wake.max(now.steady_ms.saturating_add(1))
    }

    /// Whether this rule is left out.
    fn has(&self, mutant: Mutant) -> bool {
        self.options.mutant() == Some(mutant)
    }

    fn message(&self, body: Body) -> Vec<u8> {
        Message { instance: self.options.instance, gc_floor: self.durable.announced_gc_floor, body }.encode()
    }

    fn send(&mut self, to: NodeId, body: Body) {
        let message = self.message(body);
        self.output.send.push((to, message));
    }

    /// Whether all that is held is on the disk.
    fn is_all_durable(&self) -> bool {
        self.persisted == self.seq && self.batch.is_empty() && self.failed.is_none()
    }

    /// The register goes to the disk and to readers.
    fn record(&mut self, register: Register) {
        self.batch.dropped.retain(|key| *key != register.key);
        self.membership.note(&register);
        self.output.is_membership_changed |= membership::node_of(&register.key).is_some();
        if is_users(&register.key) {
            self.output.changed.push(Arc::clone(&register.key));
        }
        self.batch.registers.push(register);
    }

    /// The key goes from memory, disk and readers.
    fn drop_key(&mut self, key: &Arc<[u8]>) {
        self.table.remove(key);
        self.batch.registers.retain(|register| register.key != *key);
        self.batch.dropped.push(Arc::clone(key));
        if is_users(key) {
            self.output.changed.push(Arc::clone(key));
        }
    }

    /// A member whose entry is missing, says another name or address than it has now, or was written by a clock that was ahead, so
    /// that others have it in quarantine, writes it; one that was forgotten does not.
    fn enroll_if_due(&mut self, now: Now) {
        let is_due = match self.membership.get(self.options.node) {
            None => true,
            Some(member) => {
                let is_other = member.name != self.options.name || member.address != self.options.address;
                // A node alone writes on by a clock that was ahead: its next stamp is no better.
                let is_ahead = |stamp: Stamp| self.is_too_far_ahead(stamp, now);
                let is_curable = is_ahead(member.since) && !is_ahead(self.clock.next(now.wall_ms));
                (is_other || is_curable) && !member.is_forgotten
            }
        };
        if is_due && self.options.is_durable && self.is_learned && self.refusal(now).is_none() {
            self.enroll(now);
        }
    }

    /// This node's own entry in the membership.
    fn enroll(&mut self, now: Now) {
        let entry = membership::member(&self.options.name, self.options.address.as_deref());
        self.write_own(membership::key(self.options.node), Some(entry), Arc::default(), Arc::default(), now);
    }
}

impl Options {
    /// The rule that is left out; never one in a program that does not simulate.
    #[inline]
    #[cfg_attr(not(feature = "simulate"), expect(clippy::unused_self, reason = "the simulator's build looks at it"))]
    pub(crate) fn mutant(&self) -> Option<Mutant> {
        #[cfg(feature = "simulate")]
        return self.mutant;
        #[cfg(not(feature = "simulate"))]
        None
    }
}

/// Whether a key is one of the users', not of the replica itself.
fn is_users(key: &[u8]) -> bool {
    key.first().is_some_and(|first| *first != 0)
}

impl fmt::Debug for Replica {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Replica")
            .field("node", &self.options.node)
            .field("registers", &self.table.visible_count())
            .field("root", &self.root())
            .finish_non_exhaustive()
    }
}

/// Bytes that a register takes in a message, roughly.
fn size_of(register: &Register) -> usize {
    let texts = register.actor.len() + register.reason.len() + register.extra.len();
    register.key.len() + register.value.as_ref().map_or(0, |value| value.len()) + texts + OVERHEAD
}

/// What operators' commands wait for a majority, in milliseconds.
const OPERATOR_MS: u64 = 2_000;

/// How many times as often a node compares while it is not in sync.
const FAST_ROUNDS: u64 = 5;

/// Stamps, lengths and checksum of a register.
const OVERHEAD: usize = 64;

const _: () = assert!(limits::CHUNK_BYTES + limits::VALUE_BYTES_MAX + 8 * 1024 < limits::MESSAGE_BYTES_MAX);

#[cfg(test)]
mod tests;
