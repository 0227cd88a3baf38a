//! The invariants, and what the simulator remembers to check them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::{NodeId, Receipt, Register, Replica, Stamp};

type Key = Arc<[u8]>;

/// An invariant that was broken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Which: I1 to I13.
    pub invariant: &'static str,
    /// When, in virtual milliseconds.
    pub at_ms: u64,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} broken after {} ms: {}", self.invariant, self.at_ms, self.what)
    }
}

/// An acknowledged write.
#[derive(Debug)]
struct Acknowledged {
    key: Key,
    stamp: Stamp,
    durable_on: Vec<NodeId>,
    asked_ms: u64,
}

/// A write that was made although something that would have outranked it was in quarantine.
#[derive(Debug)]
struct Superseded {
    key: Key,
    waiting: Stamp,
    durable_on: Vec<NodeId>,
    asked_ms: u64,
}

/// What is remembered of one node.
#[derive(Debug, Default)]
struct Known {
    /// The registers in memory; after a restart, those that were on the disk.
    seen: BTreeMap<Key, Register>,
    durable: BTreeMap<Key, Register>,
    /// The greatest tombstone that was on its disk.
    removed: BTreeMap<Key, Register>,
    /// What was in quarantine when it wrote the key, since its start.
    superseded: BTreeSet<(Key, Stamp)>,
    /// The greatest stamp of its own that others may have seen.
    visible: Stamp,
    /// Its disk was restored, and had the whole membership on it.
    is_put_back: bool,
    /// The registers that it wrote together, by the first of their stamps.
    together: BTreeMap<Stamp, Vec<(Key, Stamp)>>,
}

/// What all nodes have said and shown.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    places: BTreeMap<usize, Known>,
    acknowledged: Vec<Acknowledged>,
    superseded: Vec<Superseded>,
    /// The keys that were written at each stamp.
    keys: BTreeMap<Stamp, BTreeSet<Key>>,
    /// The content of each stamp that others may have seen.
    contents: BTreeMap<Stamp, u64>,
    /// The contents that two processes of one node wrote while both ran: they may have issued the same stamps.
    copied_contents: BTreeSet<(Stamp, u64)>,
    /// The greatest tombstone of each key.
    tombstones: BTreeMap<Key, Stamp>,
    /// Nodes that were forgotten.
    forgotten: BTreeSet<NodeId>,
    /// Up to when what a node had on its disk may be gone from it.
    lossy_until: BTreeMap<NodeId, u64>,
    /// The node of which two processes run.
    copied: Option<NodeId>,
    /// How many nodes there are.
    size: usize,
}

/// A process: where it runs, and as which node. A copy has a place of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) index: usize,
    pub(super) node: NodeId,
}

type Broken = (&'static str, String);

impl Ledger {
    pub(super) fn new(size: usize) -> Self {
        Self { size, ..Self::default() }
    }

    /// A node sends registers of its own to others.
    pub(super) fn visible(&mut self, place: Place, register: &Register) -> Result<(), Broken> {
        let Place { index, node } = place;
        if register.stamp.node() != node {
            return Ok(());
        }
        let hash = register.content_hash();
        let before = *self.contents.entry(register.stamp).or_insert(hash);
        let known = self.places.entry(index).or_default();
        known.visible = known.visible.max(register.stamp);
        let is_copied = self.copied == Some(node) || self.copied_contents.contains(&(register.stamp, hash));
        if before == hash || is_copied {
            Ok(())
        } else {
            Err(("I4", format!("{node} issued {} twice", register.stamp)))
        }
    }

    /// Whether others may have seen this stamp.
    pub(super) fn is_visible(&self, stamp: Stamp) -> bool {
        self.contents.contains_key(&stamp)
    }

    /// A register goes to a disk.
    pub(super) fn written(&mut self, register: &Register) {
        self.keys.entry(register.stamp).or_default().insert(Arc::clone(&register.key));
        if self.copied == Some(register.stamp.node()) {
            self.copied_contents.insert((register.stamp, register.content_hash()));
        }
        if register.is_tombstone() {
            let greatest = self.tombstones.entry(Arc::clone(&register.key)).or_default();
            *greatest = register.rank_stamp().max(*greatest);
        }
    }

    /// The keys of the registers with this stamp: one, unless the stamp was issued again because no disk and no other node had it.
    pub(super) fn keys_of(&self, stamp: Stamp) -> impl Iterator<Item = &Key> {
        self.keys.get(&stamp).into_iter().flatten()
    }

    /// A node has just written a register of its own; `is_early`: so soon that it must have been told what it had used.
    pub(super) fn issued(&mut self, place: Place, register: &Register, is_early: bool) -> Result<(), Broken> {
        let Place { index, node } = place;
        let known = self.places.entry(index).or_default();
        let (mut visible, is_put_back) = (known.visible, known.is_put_back);
        if is_early && is_put_back {
            visible = visible.max(self.greatest_by_majority(node));
        }
        if register.stamp > visible || self.contents.contains_key(&register.stamp) {
            return Ok(());
        }
        Err(("I4", format!("{node} issued {} after {visible}", register.stamp)))
    }

    /// The greatest stamp of a node that a majority of disks has. One of them is another member's: a node alone whose disk was
    /// restored has no node to ask.
    fn greatest_by_majority(&self, node: NodeId) -> Stamp {
        let majority = self.size / 2 + 1;
        let is_kept = |write: &&Acknowledged| {
            let is_held = |on: &&NodeId| **on == node || self.is_reliable(**on, write.asked_ms);
            let is_elsewhere = write.durable_on.iter().any(|on| *on != node);
            write.stamp.node() == node && is_elsewhere && write.durable_on.iter().filter(is_held).count() >= majority
        };
        self.acknowledged.iter().filter(is_kept).map(|write| write.stamp).max().unwrap_or(Stamp::ZERO)
    }

    /// A key of a node is another than before.
    pub(super) fn changed(&mut self, place: Place, key: &Key, register: Option<&Register>) -> Result<(), Broken> {
        let Place { index, node } = place;
        let known = self.places.entry(index).or_default();
        let Some(register) = register else {
            known.seen.remove(key);
            return Ok(());
        };
        let stamp = register.stamp;
        if known.removed.get(key).is_some_and(|removed| removed.rank(register).is_gt()) {
            return Err(("I5", format!("{node} had {} removed, and shows {stamp}", show(key))));
        }
        if known.superseded.contains(&(Arc::clone(key), stamp)) {
            return Err(("I12", format!("{node} shows {} at {stamp}, which it had superseded", show(key))));
        }
        match known.seen.insert(Arc::clone(key), register.clone()) {
            Some(before) if before.rank(register).is_gt() => {
                Err(("I3", format!("{node} had {} at {}, and now at {stamp}", show(key), before.stamp)))
            }
            _ => Ok(()),
        }
    }

    /// Registers are on a node's disk.
    pub(super) fn durable(&mut self, index: usize, registers: Vec<Register>) {
        let known = self.places.entry(index).or_default();
        for register in registers {
            let is_more = |before: &Register| before.rank(&register).is_lt();
            if register.is_tombstone() && known.removed.get(&register.key).is_none_or(is_more) {
                known.removed.insert(Arc::clone(&register.key), register.clone());
            }
            known.durable.insert(Arc::clone(&register.key), register);
        }
    }

    /// A node starts again; `registers`: what its disk had.
    pub(super) fn restarted<'r>(
        &mut self,
        place: Place,
        registers: impl Iterator<Item = &'r Register>,
    ) -> Result<(), Broken> {
        let Place { index, node } = place;
        let known = self.places.entry(index).or_default();
        known.seen = registers.map(|register| (Arc::clone(&register.key), register.clone())).collect();
        known.superseded.clear();
        let durable = std::mem::take(&mut known.durable);
        let is_less = |(key, before): &(Key, Register)| known.seen.get(key).is_some_and(|now| now.rank(before).is_lt());
        match durable.into_iter().find(is_less) {
            Some((key, Register { stamp, .. })) if !self.forgotten.contains(&node) => {
                Err(("I3", format!("{node} had {} at {stamp} on its disk, and came back with less", show(&key))))
            }
            _ => self.check_torn(place),
        }
    }

    /// A node has made a write of several registers.
    pub(super) fn wrote_together(&mut self, place: Place, registers: Vec<(Key, Stamp)>) {
        if let Some((_, first)) = registers.first() {
            self.places.entry(place.index).or_default().together.insert(*first, registers);
        }
    }

    /// A node has started again: of registers that it wrote together its disk has all, or what replaced them, or none.
    fn check_torn(&self, place: Place) -> Result<(), Broken> {
        let Place { index, node } = place;
        let Some(known) = self.places.get(&index) else { return Ok(()) };
        let on_disk = |key: &Key| known.seen.get(key);
        let is_there = |(key, stamp): &(Key, Stamp)| on_disk(key).is_some_and(|register| register.stamp == *stamp);
        let is_replaced = |(key, stamp): &(Key, Stamp)| {
            let is_newer = on_disk(key).is_some_and(|register| register.rank_stamp() >= *stamp);
            // A tombstone may have been collected.
            is_newer || self.tombstones.get(key).is_some_and(|removed| removed >= stamp)
        };
        for registers in known.together.values() {
            let torn = registers.iter().find(|register| !is_there(register) && !is_replaced(register));
            if let (Some((key, stamp)), Some((other, _))) = (torn, registers.iter().find(|found| is_there(found))) {
                let (lost, found) = (show(key), show(other));
                return Err((
                    "I13",
                    format!("{node} came back with {found} and without {lost} at {stamp} of one write"),
                ));
            }
        }
        Ok(())
    }

    /// From here on nothing depends on what this node alone has.
    pub(super) fn forgot(&mut self, place: Place) {
        self.forgotten.insert(place.node);
        self.lost_rows(place, u64::MAX);
    }

    /// What a node had on its disk may be gone from it; what it takes after `until_ms` counts again.
    pub(super) fn lost_rows(&mut self, place: Place, until_ms: u64) {
        self.lossy_until.insert(place.node, until_ms);
        let known = self.places.entry(place.index).or_default();
        known.removed.clear();
        known.durable.clear();
        known.together.clear();
    }

    /// The disk of a node is what it was some time ago.
    pub(super) fn put_back(&mut self, place: Place, members: usize, now_ms: u64) {
        self.lost_rows(place, now_ms);
        self.forget_contents_of_single_node();
        let known = self.places.entry(place.index).or_default();
        (known.visible, known.is_put_back) = (Stamp::ZERO, members == self.size);
    }

    /// The stamps that the disk of a single node has lost were seen by no other node: to issue one again does no harm.
    fn forget_contents_of_single_node(&mut self) {
        if self.size == 1 {
            self.contents.clear();
        }
    }

    /// A second process of a node runs, on a copy of its disk.
    pub(super) fn copied(&mut self, place: Place, copy: usize) {
        self.copied = Some(place.node);
        self.lossy_until.insert(place.node, u64::MAX);
        self.places.insert(copy, Known::default());
    }

    /// One of the two was removed, or both; `place`: the one that stays.
    pub(super) fn end_copy(&mut self, place: Place, now_ms: u64) {
        self.copied = None;
        self.lost_rows(place, now_ms);
        self.forget_contents_of_single_node();
        let known = self.places.entry(place.index).or_default();
        (known.visible, known.is_put_back) = (Stamp::ZERO, false);
    }

    /// A write was acknowledged.
    pub(super) fn acknowledged(&mut self, key: Key, stamp: Stamp, receipt: &Receipt, asked_ms: u64) {
        let durable_on = receipt.durable_on.clone();
        self.acknowledged.push(Acknowledged { key, stamp, durable_on, asked_ms });
    }

    /// A write was made although something that would have outranked it was in quarantine.
    pub(super) fn superseded(&mut self, place: usize, key: Key, waiting: Stamp, receipt: &Receipt, asked_ms: u64) {
        self.places.entry(place).or_default().superseded.insert((Arc::clone(&key), waiting));
        let durable_on = receipt.durable_on.clone();
        self.superseded.push(Superseded { key, waiting, durable_on, asked_ms });
    }

    /// Everything has healed: whether something has come out of quarantine that was superseded.
    pub(super) fn undone(&self, replica: &Replica, node: NodeId) -> Option<Broken> {
        let must_survive =
            |write: &&Superseded| write.durable_on.iter().any(|node| self.is_reliable(*node, write.asked_ms));
        self.superseded.iter().filter(must_survive).find_map(|write| {
            let is_undone = replica.get(&write.key).is_some_and(|register| register.stamp == write.waiting);
            let what = || format!("{node} has {} at {}, which a write superseded", show(&write.key), write.waiting);
            is_undone.then(|| ("I12", what()))
        })
    }

    /// Everything has healed: whether all that was acknowledged is there.
    pub(super) fn lost(&self, replica: &Replica, node: NodeId) -> Option<Broken> {
        self.acknowledged.iter().filter(|write| self.must_survive(write)).find_map(|write| {
            let here = replica.get(&write.key).map(Register::rank_stamp);
            let is_removed = || self.tombstones.get(&write.key).is_some_and(|removed| *removed >= write.stamp);
            let is_there = here.map_or_else(is_removed, |stamp| stamp >= write.stamp);
            let what = || format!("{node} has {} at {here:?}, but {} was acknowledged", show(&write.key), write.stamp);
            (!is_there).then(|| ("I2", what()))
        })
    }

    fn must_survive(&self, write: &Acknowledged) -> bool {
        write.durable_on.iter().any(|node| self.is_reliable(*node, write.asked_ms))
    }

    /// Whether a node still has what was asked for then and came to its disk.
    fn is_reliable(&self, node: NodeId, asked_ms: u64) -> bool {
        let is_lossy = self.lossy_until.get(&node).is_some_and(|until| *until >= asked_ms);
        !is_lossy && !self.forgotten.contains(&node)
    }
}

fn show(key: &Key) -> String {
    String::from_utf8_lossy(key).into_owned()
}
