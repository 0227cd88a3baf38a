//! A persistent table: a copy with one difference shares all but a path.
//!
//! A tree of fixed width, two levels of nodes under a list of roots. A clone copies the list, which has one pointer for
//! five hundred entries; a change copies one leaf and the node above it. So the cost of a change hardly depends on how
//! much there is.

use std::sync::Arc;

/// A growing table. A clone shares all leaves, and a change copies the one that it is in.
#[derive(Clone, Debug)]
pub(crate) struct Chunks<T> {
    roots: Vec<Node<T>>,
    length: usize,
}

type Node<T> = Arc<[Leaf<T>]>;
type Leaf<T> = Arc<[T]>;

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { roots: Vec::new(), length: 0 }
    }
}

impl<T: Clone + Default> Chunks<T> {
    /// A table of so many default entries, which share one leaf until they are changed.
    pub(crate) fn of_defaults(length: usize) -> Self {
        let node = Self::empty_node();
        Self { roots: vec![node; length.div_ceil(NODE)], length }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.roots.get(index / NODE)?.get(index / LEAF % LEAVES)?.get(index % LEAF)
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        let node = Arc::make_mut(self.roots.get_mut(index / NODE)?);
        Arc::make_mut(node.get_mut(index / LEAF % LEAVES)?).get_mut(index % LEAF)
    }

    /// Adds an entry, and gives its number.
    pub(crate) fn push(&mut self, entry: T) -> usize {
        let index = self.length;
        if index / NODE == self.roots.len() {
            self.roots.push(Self::empty_node());
        }
        self.length = index.saturating_add(1);
        if let Some(place) = self.get_mut(index) {
            *place = entry;
        }
        index
    }

    /// Takes the last entry away.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let last = self.length.checked_sub(1)?;
        let entry = self.get(last).cloned();
        self.length = last;
        entry
    }

    fn empty_node() -> Node<T> {
        let leaf: Leaf<T> = (0..LEAF).map(|_| T::default()).collect();
        (0..LEAVES).map(|_| Arc::clone(&leaf)).collect()
    }
}

/// Entries of a leaf: few enough to be copied in a fraction of a microsecond.
const LEAF: usize = 16;

/// Leaves of a node.
const LEAVES: usize = 32;

/// Entries of a node: a hundred thousand entries are two hundred roots.
const NODE: usize = LEAF * LEAVES;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_not_what_it_was_copied_from() {
        let mut one = Chunks::default();
        for number in 0..3_000 {
            assert_eq!(one.push(number), number);
        }
        let mut other = one.clone();
        *other.get_mut(500).unwrap() = 0;
        assert_eq!(other.push(3_000), 3_000);
        assert_eq!((one.get(500), other.get(500), one.len(), other.len()), (Some(&500), Some(&0), 3_000, 3_001));
        assert!(Arc::ptr_eq(&one.roots[1], &other.roots[1]), "untouched nodes are shared");
        assert!(Arc::ptr_eq(&one.roots[0][0], &other.roots[0][0]), "and so are untouched leaves");
        assert_eq!(other.get(4_096), None);
    }

    #[test]
    fn a_stack_gives_back_what_it_was_given() {
        let mut stack = Chunks::default();
        assert_eq!(stack.pop(), None);
        for number in 0..2_000 {
            stack.push(number);
        }
        assert!((0..2_000).rev().all(|number| stack.pop() == Some(number)));
        assert_eq!((stack.pop(), stack.len()), (None, 0));
    }

    #[test]
    fn defaults_take_no_room_until_they_are_changed() {
        let mut table: Chunks<u32> = Chunks::of_defaults(100_000);
        assert!(table.roots.iter().all(|root| Arc::ptr_eq(root, &table.roots[0])));
        *table.get_mut(99_999).unwrap() = 7;
        assert_eq!((table.get(99_999), table.get(99_998), table.get(5)), (Some(&7), Some(&0), Some(&0)));
    }
}
