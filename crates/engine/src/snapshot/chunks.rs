//! A persistent vector: a tree of fixed width, as tall as its length needs.
//!
//! A clone is one pointer; a change copies one leaf and the branches above it. So the cost of a change hardly depends on
//! the length.

use std::sync::Arc;

/// A growing table. A clone shares everything, and a change copies the path to what it changes.
#[derive(Clone, Debug)]
pub(crate) struct Chunks<T> {
    root: Option<Arc<Node<T>>>,
    /// Branches above each leaf.
    height: u32,
    length: usize,
}

#[derive(Clone, Debug)]
enum Node<T> {
    Leaf([T; WIDTH]),
    Branch([Option<Arc<Node<T>>>; WIDTH]),
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self::of_defaults(0)
    }
}

impl<T> Chunks<T> {
    /// A table with this number of default entries, which take no memory until they are changed.
    pub(crate) const fn of_defaults(length: usize) -> Self {
        Self { root: None, height: 0, length }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// An entry; `None` also stands for the default, if no entry of its leaf was ever changed.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        if index >= self.length || index >> (BITS * self.height) >= WIDTH {
            return None;
        }
        let (mut node, mut shift) = (self.root.as_deref()?, BITS * self.height);
        loop {
            match node {
                Node::Leaf(entries) => return entries.get(index % WIDTH),
                Node::Branch(children) => node = children.get((index >> shift) % WIDTH)?.as_deref()?,
            }
            shift = shift.saturating_sub(BITS);
        }
    }
}

impl<T: Clone + Default> Chunks<T> {
    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        if index >= self.length {
            return None;
        }
        while index >> (BITS * self.height) >= WIDTH {
            let below = self.root.take();
            let is_empty = below.is_none();
            let mut children = std::array::from_fn(|_| None);
            if let Some(first) = children.first_mut() {
                *first = below;
            }
            self.root = (!is_empty).then(|| Arc::new(Node::Branch(children)));
            self.height = self.height.saturating_add(1);
        }
        let (mut place, mut height) = (&mut self.root, self.height);
        loop {
            let node = place.get_or_insert_with(|| Arc::new(Node::empty(height)));
            match Arc::make_mut(node) {
                Node::Leaf(entries) => return entries.get_mut(index % WIDTH),
                Node::Branch(children) => place = children.get_mut((index >> (BITS * height)) % WIDTH)?,
            }
            height = height.saturating_sub(1);
        }
    }

    /// Adds an entry and returns its number.
    pub(crate) fn push(&mut self, entry: T) -> usize {
        let index = self.length;
        self.length = index.saturating_add(1);
        if let Some(place) = self.get_mut(index) {
            *place = entry;
        }
        index
    }

    /// Removes the last entry and returns it.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let last = self.length.checked_sub(1)?;
        let entry = self.get(last).cloned();
        self.length = last;
        Some(entry.unwrap_or_default())
    }
}

impl<T: Default> Node<T> {
    fn empty(height: u32) -> Self {
        if height == 0 {
            Self::Leaf(std::array::from_fn(|_| T::default()))
        } else {
            Self::Branch(std::array::from_fn(|_| None))
        }
    }
}

/// Bits of a number that choose a child.
const BITS: u32 = 4;

/// Entries of a leaf, and children of a branch: few enough to be copied in a fraction of a microsecond.
const WIDTH: usize = 1 << BITS;

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(table: &Chunks<usize>, index: usize) -> *const usize {
        table.get(index).unwrap()
    }

    #[test]
    fn a_change_of_a_copy_leaves_the_original_unchanged() {
        let mut one = Chunks::default();
        for number in 0..3_000 {
            assert_eq!(one.push(number), number);
        }
        assert!((0..3_000).all(|number| one.get(number) == Some(&number)));
        let mut other = one.clone();
        *other.get_mut(500).unwrap() = 0;
        assert_eq!(other.push(3_000), 3_000);
        assert_eq!((one.get(500), other.get(500), one.len(), other.len()), (Some(&500), Some(&0), 3_000, 3_001));
        assert_eq!((other.get(3_000), one.get(3_000), other.get(65_536 + 500)), (Some(&3_000), None, None));
        let shared = (0..3_000).filter(|index| leaf(&one, *index) == leaf(&other, *index)).count();
        assert_eq!(shared, 3_000 - 16 - 8, "all but the two leaves that were changed");
    }

    #[test]
    fn pop_returns_the_entries_in_reverse_order() {
        let mut stack = Chunks::default();
        assert_eq!(stack.pop(), None);
        for number in 0..2_000 {
            stack.push(number);
        }
        assert!((0..2_000).rev().all(|number| stack.pop() == Some(number)));
        assert_eq!((stack.pop(), stack.len()), (None, 0));
    }

    #[test]
    fn defaults_take_no_memory_until_they_are_changed() {
        let mut table: Chunks<u32> = Chunks::of_defaults(100_000);
        assert!(table.root.is_none());
        *table.get_mut(5).unwrap() = 3;
        *table.get_mut(99_999).unwrap() = 7;
        let near = [5, 6, 99_998, 99_999, 50_000].map(|index| table.get(index).copied());
        assert_eq!(near, [Some(3), Some(0), Some(0), Some(7), None]);
        assert!(table.get_mut(100_000).is_none());
    }
}
