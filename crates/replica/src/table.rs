//! All registers of a node in the order of their key hashes, and the Merkle tree over them.
//!
//! [`Table::merge`] is the only function that changes a register. It is commutative, associative and idempotent.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::{Bound, RangeInclusive};
use std::sync::Arc;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::merkle::MerkleTree;
use crate::message::Entry;
use crate::{NodeId, Register, Stamp};

type Place = (u64, Arc<[u8]>);

/// All registers of a node.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    seed: u64,
    registers: BTreeMap<Place, Register>,
    tree: MerkleTree,
    /// The tombstones by rank stamp and hash.
    tombstones: BTreeMap<(Stamp, u64), Listed>,
    /// How many of them are hidden.
    hidden: usize,
    /// The greatest stamp of each node.
    greatest: BTreeMap<NodeId, Stamp>,
    /// Counts merges that changed something.
    merges: u64,
}

/// A tombstone as it is listed for collection.
#[derive(Clone, Debug)]
struct Listed {
    key: Arc<[u8]>,
    arrived: u64,
    is_superseding: bool,
    /// See [`Table::hide`].
    is_hidden: bool,
}

/// A tombstone that may be collected some day.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Tombstone {
    /// See [`Register::rank_stamp`].
    pub(crate) stamp: Stamp,
    /// The number of the merge that brought it.
    pub(crate) arrived: u64,
    /// Whether it counts by a greater stamp than its own.
    pub(crate) is_superseding: bool,
}

/// What came of a merge.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Merged {
    /// The register counts; what it replaced.
    Accepted(Option<Register>),
    /// It was here already.
    Known,
    /// One that ranks higher is here: its stamp.
    Outranked(Stamp),
}

impl Table {
    /// A table whose hashes are those of this cluster.
    pub(crate) fn new(cluster: &str) -> Self {
        Self {
            seed: xxh3_64(cluster.as_bytes()),
            registers: BTreeMap::new(),
            tree: MerkleTree::default(),
            tombstones: BTreeMap::new(),
            hidden: 0,
            greatest: BTreeMap::new(),
            merges: 0,
        }
    }

    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        xxh3_64_with_seed(key, self.seed)
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&Register> {
        let hash = self.hash(key);
        self.at(hash).find(|register| *register.key == *key)
    }

    /// The register of a key, unless it is hidden.
    pub(crate) fn visible(&self, key: &[u8]) -> Option<&Register> {
        self.get(key).filter(|register| !self.is_hidden(register))
    }

    /// The registers whose keys have this hash: nearly always at most one.
    pub(crate) fn at(&self, hash: u64) -> impl Iterator<Item = &Register> {
        self.within(hash..=hash)
    }

    /// The registers in a range of hashes, in their order, without hidden ones.
    pub(crate) fn visible_within(&self, hashes: RangeInclusive<u64>) -> impl Iterator<Item = &Register> {
        self.within(hashes).filter(|register| !self.is_hidden(register))
    }

    /// The registers in a range of hashes, in their order.
    fn within(&self, hashes: RangeInclusive<u64>) -> impl Iterator<Item = &Register> {
        let end = *hashes.end();
        self.registers
            .range((Bound::Included((*hashes.start(), Arc::default())), Bound::Unbounded))
            .take_while(move |((hash, _), _)| *hash <= end)
            .map(|(_, register)| register)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Register> {
        self.registers.values()
    }

    /// How many registers there are that are not hidden.
    pub(crate) fn visible_count(&self) -> usize {
        self.registers.len().saturating_sub(self.hidden)
    }

    pub(crate) fn tombstone_count(&self) -> usize {
        self.tombstones.len()
    }

    pub(crate) fn tree(&self) -> &MerkleTree {
        &self.tree
    }

    pub(crate) fn merges(&self) -> u64 {
        self.merges
    }

    /// The greatest stamp of a node among all that was ever here.
    pub(crate) fn greatest_of(&self, node: NodeId) -> Stamp {
        self.greatest.get(&node).copied().unwrap_or(Stamp::ZERO)
    }

    /// The tombstones, oldest first.
    pub(crate) fn tombstones(&self) -> impl Iterator<Item = Tombstone> {
        self.tombstones.iter().map(|((stamp, _), listed)| Tombstone {
            stamp: *stamp,
            arrived: listed.arrived,
            is_superseding: listed.is_superseding,
        })
    }

    /// Takes a register in, if it counts for more than what is here.
    ///
    /// `forgets_hash` is the mistake of a mutant: the tree keeps the number of what was replaced.
    pub(crate) fn merge(&mut self, register: Register, forgets_hash: bool) -> Merged {
        self.reveal(&register.key);
        let (hash, stamp) = (self.hash(&register.key), register.stamp);
        let greatest = self.greatest.entry(stamp.node()).or_default();
        *greatest = stamp.max(*greatest);
        let place = (hash, Arc::clone(&register.key));
        if let Some(here) = self.registers.get(&place) {
            match register.rank(here) {
                Ordering::Less => return Merged::Outranked(here.stamp),
                Ordering::Equal => return Merged::Known,
                Ordering::Greater => {}
            }
        }
        self.merges = self.merges.saturating_add(1);
        self.tree.toggle(hash, entry(hash, &register));
        let listed = register.is_tombstone().then(|| Listed {
            key: Arc::clone(&register.key),
            arrived: self.merges,
            is_superseding: register.is_superseding(),
            is_hidden: false,
        });
        let rank_stamp = register.rank_stamp();
        let replaced = self.registers.insert(place, register);
        if let Some(replaced) = &replaced {
            if !forgets_hash {
                self.tree.toggle(hash, entry(hash, replaced));
            }
            // Before the new one is listed: both may have the same stamp.
            self.tombstones.remove(&(replaced.rank_stamp(), hash));
        }
        if let Some(listed) = listed {
            self.tombstones.insert((rank_stamp, hash), listed);
        }
        Merged::Accepted(replaced)
    }

    /// Whether a register of this table is a hidden tombstone.
    pub(crate) fn is_hidden(&self, register: &Register) -> bool {
        let place = || (register.rank_stamp(), self.hash(&register.key));
        register.is_tombstone() && self.tombstones.get(&place()).is_some_and(|listed| listed.is_hidden)
    }

    /// Hides a tombstone: it still outranks what is older, and counts neither in the tree nor as a register that others may have.
    pub(crate) fn hide(&mut self, key: &[u8]) {
        self.set_hidden(key, true);
    }

    /// Ends that. As to its collection the tombstone has come now: what others have confirmed before was without it.
    pub(crate) fn reveal(&mut self, key: &[u8]) {
        self.set_hidden(key, false);
    }

    /// The same for the tombstones whose keys have this hash.
    pub(crate) fn reveal_at(&mut self, hash: u64) {
        let keys: Vec<Arc<[u8]>> = self
            .at(hash)
            .filter(|register| self.is_hidden(register))
            .map(|register| Arc::clone(&register.key))
            .collect();
        for key in keys {
            self.reveal(&key);
        }
    }

    fn set_hidden(&mut self, key: &[u8], is_hidden: bool) {
        let Some(register) = self.get(key).filter(|register| register.is_tombstone()) else { return };
        let hash = self.hash(key);
        let (place, entry) = ((register.rank_stamp(), hash), entry(hash, register));
        let Some(listed) = self.tombstones.get_mut(&place).filter(|listed| listed.is_hidden != is_hidden) else {
            return;
        };
        self.merges = self.merges.saturating_add(1);
        (listed.is_hidden, listed.arrived) = (is_hidden, self.merges);
        self.hidden = if is_hidden { self.hidden.saturating_add(1) } else { self.hidden.saturating_sub(1) };
        self.tree.toggle(hash, entry);
    }

    /// Takes a register out: a tombstone that is collected, or what a collected tombstone stood for.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<Register> {
        self.reveal(key);
        let hash = self.hash(key);
        let removed = self.registers.remove(&(hash, Arc::from(key)))?;
        self.tree.toggle(hash, entry(hash, &removed));
        self.tombstones.remove(&(removed.rank_stamp(), hash));
        self.merges = self.merges.saturating_add(1);
        Some(removed)
    }

    /// The keys of all tombstones up to this stamp.
    pub(crate) fn tombstones_up_to(&self, floor: Stamp) -> Vec<Arc<[u8]>> {
        self.tombstones.range(..=(floor, u64::MAX)).map(|(_, listed)| Arc::clone(&listed.key)).collect()
    }

    /// The keys of the hidden tombstones up to this stamp.
    pub(crate) fn hidden_up_to(&self, floor: Stamp) -> Vec<Arc<[u8]>> {
        let listed = self.tombstones.range(..=(floor, u64::MAX)).map(|(_, listed)| listed);
        listed.filter(|listed| listed.is_hidden).map(|listed| Arc::clone(&listed.key)).collect()
    }

    /// Whether the tree equals one that is built from scratch. If not, the new one takes its place.
    pub(crate) fn check_tree(&mut self) -> bool {
        let mut tree = MerkleTree::default();
        for ((hash, _), register) in self.registers.iter().filter(|(_, register)| !self.is_hidden(register)) {
            tree.toggle(*hash, entry(*hash, register));
        }
        let is_right = tree == self.tree;
        self.tree = tree;
        is_right
    }

    /// The entry of a register in a leaf.
    pub(crate) fn entry(&self, register: &Register) -> Entry {
        Entry {
            hash: self.hash(&register.key),
            stamp: register.rank_stamp(),
            content: xxh3_64_with_seed(&register.stamp.to_bytes(), register.content_hash()),
        }
    }
}

/// The hash of a register in the tree.
fn entry(hash: u64, register: &Register) -> u64 {
    let mut bytes = [0; Stamp::BYTES + 16];
    let (stamp, rest) = bytes.split_at_mut(Stamp::BYTES);
    stamp.copy_from_slice(&register.stamp.to_bytes());
    let (key, content) = rest.split_at_mut(8);
    key.copy_from_slice(&hash.to_be_bytes());
    content.copy_from_slice(&register.content_hash().to_be_bytes());
    xxh3_64(&bytes)
}

#[cfg(test)]
mod tests;
