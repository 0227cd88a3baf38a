//! What must hold, and what has to be remembered to know whether it does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::{NodeId, Receipt, Register, Replica, Stamp};

type Key = Arc<[u8]>;

/// An invariant that was broken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Which: I1 to I10.
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
}

/// What is remembered of one node.
#[derive(Debug, Default)]
struct Known {
    /// The stamps in memory; after a restart, those that were on the disk.
    seen: BTreeMap<Key, Stamp>,
    durable: BTreeMap<Key, Stamp>,
    /// The greatest tombstone that was on its disk.
    removed: BTreeMap<Key, Stamp>,
    /// The greatest stamp of its own that others may have seen.
    visible: Stamp,
}

/// What all nodes have said and shown.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    nodes: BTreeMap<NodeId, Known>,
    acknowledged: Vec<Acknowledged>,
    /// The content of each stamp that others may have seen.
    contents: BTreeMap<Stamp, u64>,
    /// The greatest tombstone of each key.
    tombstones: BTreeMap<Key, Stamp>,
    /// Nodes whose disks lost something, or that were forgotten.
    unreliable: BTreeSet<NodeId>,
}

type Broken = (&'static str, String);

impl Ledger {
    /// A node sends registers of its own to others.
    pub(super) fn visible(&mut self, node: NodeId, register: &Register) -> Result<(), Broken> {
        if register.stamp.node() != node {
            return Ok(());
        }
        let hash = register.content_hash();
        let before = *self.contents.entry(register.stamp).or_insert(hash);
        let known = self.nodes.entry(node).or_default();
        known.visible = known.visible.max(register.stamp);
        if before == hash { Ok(()) } else { Err(("I4", format!("{node} issued {} twice", register.stamp))) }
    }

    /// A node has just written a register of its own.
    pub(super) fn issued(&mut self, node: NodeId, register: &Register) -> Result<(), Broken> {
        if register.is_tombstone() {
            let greatest = self.tombstones.entry(Arc::clone(&register.key)).or_default();
            *greatest = register.stamp.max(*greatest);
        }
        let visible = self.nodes.entry(node).or_default().visible;
        if register.stamp > visible || self.contents.contains_key(&register.stamp) {
            return Ok(());
        }
        Err(("I4", format!("{node} issued {} after {visible}", register.stamp)))
    }

    /// A key of a node is another than before.
    pub(super) fn changed(&mut self, node: NodeId, key: &Key, register: Option<&Register>) -> Result<(), Broken> {
        let known = self.nodes.entry(node).or_default();
        let Some(register) = register else {
            known.seen.remove(key);
            return Ok(());
        };
        let stamp = register.stamp;
        if known.removed.get(key).is_some_and(|removed| *removed > stamp) {
            return Err(("I5", format!("{node} had {} removed, and shows {stamp}", show(key))));
        }
        match known.seen.insert(Arc::clone(key), stamp) {
            Some(before) if before > stamp => {
                Err(("I3", format!("{node} had {} at {before}, and now at {stamp}", show(key))))
            }
            _ => Ok(()),
        }
    }

    /// Registers are on a node's disk.
    pub(super) fn durable(&mut self, node: NodeId, registers: Vec<Register>) {
        let known = self.nodes.entry(node).or_default();
        for register in registers {
            if register.is_tombstone() {
                let removed = known.removed.entry(Arc::clone(&register.key)).or_default();
                *removed = register.stamp.max(*removed);
            }
            known.durable.insert(register.key, register.stamp);
        }
    }

    /// A node starts again; `registers`: what its disk had.
    pub(super) fn restarted<'r>(
        &mut self,
        node: NodeId,
        registers: impl Iterator<Item = &'r Register>,
    ) -> Result<(), Broken> {
        let is_reliable = !self.unreliable.contains(&node);
        let known = self.nodes.entry(node).or_default();
        known.seen = registers.map(|register| (Arc::clone(&register.key), register.stamp)).collect();
        let durable = std::mem::take(&mut known.durable);
        let lost = durable.into_iter().find(|(key, stamp)| known.seen.get(key).is_some_and(|now| now < stamp));
        match lost {
            Some((key, stamp)) if is_reliable => {
                Err(("I3", format!("{node} had {} at {stamp} on its disk, and came back with less", show(&key))))
            }
            _ => Ok(()),
        }
    }

    /// From here on nothing depends on what this node alone has.
    pub(super) fn distrust(&mut self, node: NodeId) {
        self.unreliable.insert(node);
        if let Some(known) = self.nodes.get_mut(&node) {
            known.removed.clear();
        }
    }

    /// A write was acknowledged.
    pub(super) fn acknowledged(&mut self, key: Key, receipt: Receipt) {
        self.acknowledged.push(Acknowledged { key, stamp: receipt.stamp, durable_on: receipt.durable_on });
    }

    /// Everything has healed: whether all that was acknowledged is there.
    pub(super) fn lost(&self, replica: &Replica, node: NodeId) -> Option<Broken> {
        self.acknowledged.iter().filter(|write| self.must_survive(write)).find_map(|write| {
            let here = replica.get(&write.key).map(|register| register.stamp);
            let is_removed = || self.tombstones.get(&write.key).is_some_and(|removed| *removed >= write.stamp);
            let is_there = here.map_or_else(is_removed, |stamp| stamp >= write.stamp);
            let what = || format!("{node} has {} at {here:?}, but {} was acknowledged", show(&write.key), write.stamp);
            (!is_there).then(|| ("I2", what()))
        })
    }

    fn must_survive(&self, write: &Acknowledged) -> bool {
        write.durable_on.iter().any(|node| !self.unreliable.contains(node))
    }
}

fn show(key: &Key) -> String {
    String::from_utf8_lossy(key).into_owned()
}
