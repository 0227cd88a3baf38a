//! A persistent hash table from a hash to a number: a hash array mapped trie.
//!
//! It stores hashes and numbers, no names: the caller compares the names behind equal hashes. A clone is one pointer, and
//! a change copies the path to one leaf.

use std::sync::Arc;

/// A persistent map from hashes to numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    root: Arc<Node>,
}

#[derive(Clone, Debug)]
enum Node {
    Leaf(Vec<(u64, u32)>),
    Branch([Arc<Node>; WIDTH]),
}

impl Default for Node {
    fn default() -> Self {
        Self::Leaf(Vec::new())
    }
}

impl Index {
    /// The number under this hash for which `is_it` is true.
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.with_hash(hash).find(|number| is_it(*number))
    }

    /// All numbers under this hash.
    pub(crate) fn with_hash(&self, hash: u64) -> impl Iterator<Item = u32> {
        let entries = self.leaf(hash).iter().filter(move |(other, _)| *other == hash);
        entries.map(|(_, number)| *number)
    }

    /// The leaf in which a hash stands, if it stands anywhere.
    fn leaf(&self, hash: u64) -> &[(u64, u32)] {
        let (mut node, mut rest) = (&*self.root, hash);
        loop {
            match node {
                Node::Leaf(entries) => return entries,
                Node::Branch(children) => match children.get(slot(rest)) {
                    Some(child) => node = child,
                    None => return &[],
                },
            }
            rest >>= BITS;
        }
    }

    /// Adds a number that is not in the table yet.
    pub(crate) fn insert(&mut self, hash: u64, number: u32) {
        insert(&mut self.root, hash, number, 0);
    }

    /// Removes a number.
    pub(crate) fn remove(&mut self, hash: u64, number: u32) {
        let (mut node, mut rest) = (&mut self.root, hash);
        loop {
            match Arc::make_mut(node) {
                Node::Leaf(entries) => return entries.retain(|entry| *entry != (hash, number)),
                Node::Branch(children) => match children.get_mut(slot(rest)) {
                    Some(child) => node = child,
                    None => return,
                },
            }
            rest >>= BITS;
        }
    }
}

fn insert(node: &mut Arc<Node>, hash: u64, number: u32, depth: u32) {
    let node = Arc::make_mut(node);
    // Where the bits of the hash are used up, a leaf grows without limit.
    if let Node::Leaf(entries) = node {
        if entries.len() < LEAF_MAX || depth >= DEPTH_MAX {
            return entries.push((hash, number));
        }
        let entries = std::mem::take(entries);
        *node = Node::Branch(std::array::from_fn(|_| Arc::default()));
        for (hash, number) in entries {
            insert_below(node, hash, number, depth);
        }
    }
    insert_below(node, hash, number, depth);
}

fn insert_below(node: &mut Node, hash: u64, number: u32, depth: u32) {
    let Node::Branch(children) = node else { return };
    if let Some(child) = children.get_mut(slot(hash >> (BITS * depth))) {
        insert(child, hash, number, depth.saturating_add(1));
    }
}

/// The child that the lowest bits choose.
#[inline]
fn slot(rest: u64) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "only the low bits choose a child")]
    let low = rest as usize;
    low % WIDTH
}

/// Bits of the hash that choose a child.
const BITS: u32 = 4;

/// Children of a branch.
const WIDTH: usize = 1 << BITS;

/// Entries of a leaf before it becomes a branch.
const LEAF_MAX: usize = 12;

/// Branches on a path at most, one less than the hash has bits for.
const DEPTH_MAX: u32 = u64::BITS / BITS - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_until_it_is_removed() {
        let hash = |number: u32| u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut index = Index::default();
        for number in 0..20_000 {
            index.insert(hash(number), number);
        }
        let before = index.clone();
        for number in (0..20_000).step_by(2) {
            index.remove(hash(number), number);
        }
        for number in 0..20_000 {
            let found = |index: &Index| index.find(hash(number), |other| other == number);
            assert_eq!(found(&before), Some(number), "the copy is as it was");
            assert_eq!(found(&index), (number % 2 == 1).then_some(number));
        }
    }

    #[test]
    fn numbers_with_equal_hashes_are_distinguished() {
        let mut index = Index::default();
        for number in 0..100 {
            index.insert(7, number);
        }
        assert!((0..100).all(|number| index.find(7, |other| other == number) == Some(number)));
        index.remove(7, 50);
        assert_eq!(index.find(7, |other| other == 50), None);
        let mut all: Vec<u32> = index.with_hash(7).collect();
        all.sort_unstable();
        assert_eq!(all, (0..100).filter(|number| *number != 50).collect::<Vec<_>>());
        assert_eq!(index.find(8, |_| true), None);
    }
}
