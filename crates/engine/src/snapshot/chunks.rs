//! A table of which a copy with one difference is cheap.

use std::sync::Arc;

/// A growing table in chunks. A clone shares them all, and a change copies the one that it is in.
#[derive(Clone, Debug)]
pub(crate) struct Chunks<T> {
    chunks: Vec<Arc<[T]>>,
    length: usize,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), length: 0 }
    }
}

impl<T: Clone + Default> Chunks<T> {
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.chunks.get(index / CHUNK)?.get(index % CHUNK)
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        Arc::make_mut(self.chunks.get_mut(index / CHUNK)?).get_mut(index % CHUNK)
    }

    /// Adds an entry, and gives its number.
    pub(crate) fn push(&mut self, entry: T) -> usize {
        let index = self.length;
        if index / CHUNK == self.chunks.len() {
            self.chunks.push((0..CHUNK).map(|_| T::default()).collect());
        }
        self.length = index.saturating_add(1);
        if let Some(place) = self.get_mut(index) {
            *place = entry;
        }
        index
    }
}

/// Entries of a chunk: few enough to be copied in a microsecond, enough that a hundred thousand entries are some
/// hundred pointers.
const CHUNK: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_not_what_it_was_copied_from() {
        let mut one = Chunks::default();
        for number in 0..1_000 {
            assert_eq!(one.push(number), number);
        }
        let mut other = one.clone();
        *other.get_mut(500).unwrap() = 0;
        assert_eq!(other.push(1_000), 1_000);
        assert_eq!((one.get(500), other.get(500), one.len(), other.len()), (Some(&500), Some(&0), 1_000, 1_001));
        assert!(Arc::ptr_eq(&one.chunks[0], &other.chunks[0]), "untouched chunks are shared");
        assert_eq!(other.get(2_000), None);
    }
}
