//! All registers of a node in the order of their key hashes, and the Merkle tree over them.
//!
//! [`Table::merge`] is the only function that changes a register. It is commutative, associative and idempotent.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;
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
    /// Its hash in the tree.
    entry: u64,
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

    /// The registers whose keys have this hash: nearly always at most one.
    pub(crate) fn at(&self, hash: u64) -> impl Iterator<Item = &Register> {
        self.within(hash..=hash)
    }

    /// The registers in a range of hashes, in their order.
    pub(crate) fn within(&self, hashes: std::ops::RangeInclusive<u64>) -> impl Iterator<Item = &Register> {
        let end = *hashes.end();
        self.registers
            .range((Bound::Included((*hashes.start(), Arc::default())), Bound::Unbounded))
            .take_while(move |((hash, _), _)| *hash <= end)
            .map(|(_, register)| register)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Register> {
        self.registers.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.registers.len()
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
        let entry_hash = entry(hash, &register);
        self.tree.toggle(hash, entry_hash);
        let listed = register.is_tombstone().then(|| Listed {
            key: Arc::clone(&register.key),
            arrived: self.merges,
            is_superseding: register.is_superseding(),
            entry: entry_hash,
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

    /// Takes a register out: a tombstone that is collected, or what a collected tombstone stood for.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<Register> {
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

    /// The root hash as it would be without the tombstones up to this stamp.
    pub(crate) fn root_without_tombstones(&self, floor: Stamp) -> u64 {
        let gone = self.tombstones.range(..=(floor, u64::MAX)).map(|(_, listed)| listed.entry);
        gone.fold(self.tree.root(), |root, entry| root ^ entry)
    }

    /// Whether the tree equals one that is built from scratch. If not, the new one takes its place.
    pub(crate) fn check_tree(&mut self) -> bool {
        let mut tree = MerkleTree::default();
        for ((hash, _), register) in &self.registers {
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
