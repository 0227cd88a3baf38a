//! Peers: which nodes are reachable, and how far their clocks are off.

use crate::message::{Body, Summary};
use crate::{Mutant, NodeId, Now, Stamp, limits};

use super::Replica;
use super::budget::Budget;

/// What this node knows of another one.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// Whether the carrier says that it is there, or something came from it.
    pub(super) is_live: bool,
    /// Which process of it came last, if the carrier has not said that it has gone.
    pub(super) up: Option<u64>,
    pub(super) heard_ms: Option<u64>,
    pub(super) root: Option<u64>,
    /// How far its clock is ahead, and when that was measured by the steady clock.
    pub(super) offset: Option<(i64, u64)>,
    /// Whether that was by an answer to a question of ours, and not by what it said of itself at some time.
    pub(super) is_measured: bool,
    /// How long its latest answer took, in milliseconds.
    pub(super) trip_ms: u64,
    /// What was last asked of it: at what time, and what was held here.
    pub(super) asked: Option<Asked>,
    /// Comparisons in a row without an answer.
    pub(super) unanswered: u32,
    /// The number of merges here whose result it has confirmed to have on its disk.
    pub(super) confirmed: Option<u64>,
    /// The gc floor that it announces, and which process of it does.
    pub(super) claimed: Option<(u64, Stamp)>,
    /// The gc floor that this node enforced when the two last held the same; none if they have not since the start. From then on
    /// this node has the peer's entry in the membership, if it has one.
    pub(super) agreed_gc_floor: Option<Stamp>,
    /// It has said which of this node's stamps it knows, since the start.
    pub(super) has_told: bool,
    pub(super) budget: Budget,
    pub(super) snapshot: Option<SnapshotTransfer>,
}

/// A question that an answer is held against: it may be one to an earlier process of this node, or to another one that
/// has its id, and says nothing of what is held here then.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Asked {
    pub(super) steady_ms: u64,
    pub(super) merges: u64,
    pub(super) root: u64,
}

/// Everything is being fetched from a peer: from where on, and when it was last asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct SnapshotTransfer {
    pub(super) from: u64,
    pub(super) asked_ms: u64,
}

impl Peer {
    /// The gc floor of a process only rises: a message with a lower one was overtaken.
    pub(super) fn note_announced_gc_floor(&mut self, instance: u64, floor: Stamp) {
        self.claimed = match self.claimed {
            Some((same, before)) if same == instance => Some((instance, before.max(floor))),
            _ => Some((instance, floor)),
        };
    }
}

impl Replica {
    pub(super) fn is_live(&self, node: NodeId) -> bool {
        self.peers.get(&node).is_some_and(|peer| peer.is_live)
    }

    /// The carrier says that a node is connected.
    pub(super) fn peer_up(&mut self, node: NodeId, instance: u64, now: Now) {
        if node == self.options.node {
            if instance != self.options.instance {
                self.send(node, Body::Hello);
            }
            return;
        }
        let Some(peer) = self.note_heard(node, now) else { return };
        peer.up = Some(instance);
        if !self.has(Mutant::NoAntiEntropy) {
            self.send_root_request(node, now);
        }
    }

    /// The carrier says that a node is no longer connected.
    pub(super) fn peer_down(&mut self, node: NodeId, instance: u64, now: Now) {
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.is_live = false;
            // Of a node that has started again the process before may go after the new one has come.
            peer.up = peer.up.filter(|up| *up != instance);
        }
        self.note_isolation(now);
    }

    /// Something has come from a node. None: there are too many, and this one is not listened to.
    pub(super) fn note_heard(&mut self, node: NodeId, now: Now) -> Option<&mut Peer> {
        if self.peers.len() >= limits::NODES_MAX && !self.peers.contains_key(&node) {
            return None;
        }
        self.isolated_since_ms = None;
        let peer = self.peers.entry(node).or_default();
        peer.is_live = true;
        peer.heard_ms = Some(now.steady_ms);
        Some(peer)
    }

    pub(super) fn note_isolation(&mut self, now: Now) {
        let expects = self.options.expects_peers || self.membership.members().count() > 1;
        let is_isolated = expects && !self.peers.values().any(|peer| peer.is_live);
        self.isolated_since_ms = if is_isolated { self.isolated_since_ms.or(Some(now.wall_ms)) } else { None };
    }

    /// Compares with one peer.
    pub(super) fn round(&mut self, now: Now) {
        self.forget_duplicate(now);
        self.note_isolation(now);
        if self.timers.rounds.is_multiple_of(HELLO_ROUNDS) {
            // Only another process of this id can hear it.
            self.send(self.options.node, Body::Hello);
        }
        if self.has(Mutant::NoAntiEntropy) {
            return;
        }
        if let Some(node) = self.choose_peer() {
            self.send_root_request(node, now);
        }
    }

    /// The peer to compare with: a live one at random, and now and then a member that seems to be unreachable, because it may only
    /// seem so.
    pub(super) fn choose_peer(&mut self) -> Option<NodeId> {
        let live: Vec<NodeId> = self.peers.iter().filter(|(_, peer)| peer.is_live).map(|(node, _)| *node).collect();
        let away: Vec<NodeId> = self
            .membership
            .members()
            .map(|member| member.node)
            .filter(|node| *node != self.options.node && !live.contains(node))
            .collect();
        let is_for_unreachable = live.is_empty() || self.timers.rounds.is_multiple_of(UNREACHABLE_ROUNDS);
        let from =
            if is_for_unreachable && !away.is_empty() && !self.has(Mutant::DeadPeersNeverTried) { away } else { live };
        let index = self.random.index(from.len());
        from.get(index).copied()
    }

    pub(super) fn send_root_request(&mut self, node: NodeId, now: Now) {
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.unanswered = peer.unanswered.saturating_add(1);
            if peer.unanswered > UNANSWERED_MAX {
                peer.is_live = false;
            }
        }
        let summary = self.summary(node, now);
        let asked = Asked { steady_ms: summary.steady_ms, merges: summary.merges, root: summary.root };
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.asked = Some(asked);
        }
        self.send(node, Body::RootRequest(summary));
    }

    pub(super) fn summary(&self, to: NodeId, now: Now) -> Summary {
        Summary {
            root: self.root(),
            count: self.table.visible_count() as u64,
            wall_ms: now.wall_ms,
            steady_ms: now.steady_ms,
            echo_ms: 0,
            merges: self.table.merges(),
            clock: self.clock.last(),
            yours: self.table.greatest_of(to),
        }
    }

    /// What a peer says of itself in any comparison.
    pub(super) fn note_summary(&mut self, from: NodeId, summary: &Summary, now: Now) {
        for stamp in [summary.clock, summary.yours] {
            if !self.is_beyond(stamp, now) && !self.has(Mutant::ReceivedStampsDoNotAdvance) {
                self.clock.observe(stamp);
            }
        }
        // What lies too far ahead of this clock was not taken note of, and does not help to stay above it.
        let has_told = ![summary.clock, summary.yours].into_iter().any(|stamp| self.is_beyond(stamp, now));
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.root = Some(summary.root);
            peer.has_told |= has_told;
            // Until it has answered a question: the first write may come before, and this clock may be off by years.
            let rough = i128::from(summary.wall_ms) - i128::from(now.wall_ms);
            let bound = i128::from(i64::MAX);
            let rough = i64::try_from(rough.clamp(-bound, bound)).unwrap_or(i64::MAX);
            peer.offset.get_or_insert((rough, now.steady_ms));
        }
    }

    /// How far a peer's clock is ahead, from its answer to a question of ours: as in NTP (RFC 5905, section 8), with one
    /// time for its receiving and sending.
    pub(super) fn measure(&mut self, from: NodeId, summary: &Summary, now: Now) {
        let trip = now.steady_ms.saturating_sub(summary.echo_ms);
        let middle = i128::from(now.wall_ms) - i128::from(trip / 2);
        let offset = i128::from(summary.wall_ms) - middle;
        let bound = i128::from(i64::MAX);
        let offset = i64::try_from(offset.clamp(-bound, bound)).unwrap_or(i64::MAX);
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.offset = Some((offset, now.steady_ms));
            peer.is_measured = true;
            peer.trip_ms = trip;
        }
    }

    /// This clock was set, which shows by the steady one: then it is off the others by so much more at once, and not only when
    /// they have been asked again. A write in between would have a stamp that all others quarantine.
    pub(super) fn note_jump(&mut self, now: Now) {
        let before = std::mem::replace(&mut self.last, now);
        let jump = i128::from(now.wall_ms)
            - i128::from(before.wall_ms)
            - (i128::from(now.steady_ms) - i128::from(before.steady_ms));
        // Both clocks are read one after the other, and rounded.
        if jump.unsigned_abs() < JUMP_MS_MIN || self.has(Mutant::DriftNotRefused) {
            return;
        }
        let jump = i64::try_from(jump.clamp(i64::MIN.into(), i64::MAX.into())).unwrap_or(i64::MAX);
        for peer in self.peers.values_mut() {
            peer.offset = peer.offset.map(|(offset, at)| (offset.saturating_sub(jump), at));
        }
    }

    /// How far this clock is off the others, if that is too far to write by it. With a single other clock it is unknown
    /// which one is wrong.
    pub(super) fn clock_off(&self, now: Now) -> Option<i64> {
        if self.has(Mutant::DriftNotRefused) {
            return None;
        }
        let (offset, others) = self.clock_offset(now)?;
        (others >= 2 && offset.unsigned_abs() > self.max_drift_ms).then_some(offset)
    }

    /// How far this clock is ahead of the middle of all in sight, itself included, and how many others there are. Of two middle
    /// ones the one nearer to this clock counts. One that went out of sight a moment ago was still a clock.
    pub(super) fn clock_offset(&self, now: Now) -> Option<(i64, usize)> {
        let is_recent = |at: u64| now.steady_ms.saturating_sub(at) <= CLOCK_AGE_MS;
        let mut offsets: Vec<i64> = self
            .peers
            .values()
            .filter_map(|peer| peer.offset.filter(|(_, at)| is_recent(*at)).map(|(offset, _)| offset))
            .collect();
        let others = offsets.len();
        if others == 0 {
            return None;
        }
        if others == 1 {
            return offsets.first().map(|offset| (offset.saturating_neg() / 2, others));
        }
        offsets.push(0);
        offsets.sort_unstable();
        let upper = offsets.get(offsets.len() / 2).copied()?;
        let lower = offsets.get((offsets.len() - 1) / 2).copied()?;
        let median = if upper.unsigned_abs() <= lower.unsigned_abs() { upper } else { lower };
        Some((median.saturating_neg(), others))
    }

    /// The peers whose clocks are so far off this one that somebody should be warned, and how far they are ahead, in
    /// milliseconds.
    pub fn peers_with_clocks_off(&self, now: Now) -> impl Iterator<Item = (NodeId, i64)> {
        self.peers.iter().filter_map(move |(node, peer)| {
            let (offset, at) = peer.offset?;
            let is_recent = now.steady_ms.saturating_sub(at) <= CLOCK_AGE_MS;
            // A message that was long on its way says little of a clock.
            let is_off = offset.unsigned_abs() >= limits::CLOCK_WARNING_MS.saturating_add(peer.trip_ms / 2);
            (is_recent && peer.is_measured && is_off).then_some((*node, offset))
        })
    }

    /// A message came from another process with this node's id.
    pub(super) fn receive_from_duplicate(&mut self, instance: u64, now: Now) {
        if instance == self.options.instance || self.has(Mutant::CopiesNotRefused) {
            return;
        }
        if self.duplicate_ms.replace(now.steady_ms).is_none() {
            // It may not know yet.
            self.send(self.options.node, Body::Hello);
        }
    }

    fn forget_duplicate(&mut self, now: Now) {
        let is_over = |at: u64| now.steady_ms.saturating_sub(at) > DUPLICATE_MS;
        self.duplicate_ms = self.duplicate_ms.filter(|at| !is_over(*at));
    }
}

/// In one of this many rounds a member that seems to be unreachable is asked.
const UNREACHABLE_ROUNDS: u64 = 10;

/// In one of this many rounds a hello goes to other processes with this id.
const HELLO_ROUNDS: u64 = 5;

/// A peer that has not answered this many comparisons counts as unreachable.
const UNANSWERED_MAX: u32 = 5;

/// A smaller jump is a correction of the clock, or the time between two readings.
const JUMP_MS_MIN: u128 = 50;

/// A clock that was looked at longer ago, in milliseconds, is not in sight.
const CLOCK_AGE_MS: u64 = 60_000;

/// Another process with this id that was silent for this long, in milliseconds, has ended.
const DUPLICATE_MS: u64 = 20_000;
