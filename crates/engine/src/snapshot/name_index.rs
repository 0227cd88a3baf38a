//! From the hash of a name to a number, in one table that a look-up reads once or twice.
//!
//! Open addressing with linear probing. A place holds half of a hash beside the number, so that a look-up walks to the right
//! place without reading a name, and the one name that it then compares is nearly always the one that it looks for.

/// A table of numbers by the hashes of names.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameIndex {
    /// A power of two, or none at all. Never full, so that a walk ends.
    slots: Box<[u64]>,
    count: usize,
}

impl NameIndex {
    /// An index with room for this number of names.
    pub(crate) fn with_capacity(names: usize) -> Self {
        Self { slots: vec![EMPTY; slots_for(names)].into(), count: 0 }
    }

    /// Enters a number, which is below `u32::MAX`, under a hash. Several numbers may stand under one hash.
    pub(crate) fn insert(&mut self, hash: u64, number: u32) {
        self.count = self.count.saturating_add(1);
        if slots_for(self.count) > self.slots.len() {
            let mut grown = Self { slots: vec![EMPTY; slots_for(self.count)].into(), count: self.count };
            for slot in self.slots.iter().filter(|slot| **slot != EMPTY) {
                grown.put(*slot);
            }
            *self = grown;
        }
        self.put(hash & TAG | u64::from(number));
    }

    fn put(&mut self, slot: u64) {
        let mut place = self.first(slot);
        while self.slots.get(place).is_some_and(|found| *found != EMPTY) {
            place = self.next(place);
        }
        if let Some(free) = self.slots.get_mut(place) {
            *free = slot;
        }
    }

    /// The number under this hash that is the right one.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let (place, number) = self.find_first(hash)?;
        if is_it(number) { Some(number) } else { self.find_after(place, hash, is_it) }
    }

    /// The first number under this hash, which nearly always is the right one, and its place.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    pub(crate) fn find_first(&self, hash: u64) -> Option<(usize, u32)> {
        let mut place = self.first(hash);
        loop {
            let slot = *self.slots.get(place)?;
            if (slot ^ hash) & TAG == 0 {
                return Some((place, number(slot)));
            }
            if slot == EMPTY {
                return None;
            }
            place = self.next(place);
        }
    }

    /// The number under this hash that is the right one, after a place that has half of the hash and another name.
    #[cold]
    #[inline(never)]
    pub(crate) fn find_after(&self, mut place: usize, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        loop {
            place = self.next(place);
            let slot = *self.slots.get(place)?;
            if slot == EMPTY {
                return None;
            }
            if (slot ^ hash) & TAG == 0 && is_it(number(slot)) {
                return Some(number(slot));
            }
        }
    }

    #[inline]
    fn first(&self, hash: u64) -> usize {
        // A hash that is spread evenly is so in any of its parts.
        usize::try_from(hash >> 32).unwrap_or(0) & self.slots.len().wrapping_sub(1)
    }

    #[inline]
    fn next(&self, place: usize) -> usize {
        place.wrapping_add(1) & self.slots.len().wrapping_sub(1)
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the lower half is the number")]
const fn number(slot: u64) -> u32 {
    slot as u32
}

/// At most two of three places are taken.
fn slots_for(names: usize) -> usize {
    if names == 0 { 0 } else { names.saturating_add(names / 2).saturating_add(1).next_power_of_two() }
}

/// The half of a hash that stands in a place.
const TAG: u64 = !(u32::MAX as u64);
const EMPTY: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_no_other() {
        let hash = |name: u32| xxhash_rust::xxh3::xxh3_64(&name.to_le_bytes());
        for capacity in [0, 1, 100, 5_000] {
            let mut index = NameIndex::with_capacity(capacity);
            for name in 0..5_000 {
                index.insert(hash(name), name);
            }
            for name in 0..10_000 {
                let found = index.find(hash(name), |found| found == name);
                assert_eq!(found, Some(name).filter(|name| *name < 5_000), "{name} with room for {capacity}");
            }
        }
        assert_eq!(NameIndex::default().find(7, |_| true), None);
    }

    #[test]
    fn names_with_the_same_half_of_a_hash_are_told_apart() {
        let mut index = NameIndex::default();
        for name in 0..100 {
            index.insert(u64::MAX - u64::from(name), name);
        }
        for name in 0..100 {
            assert_eq!(index.find(u64::MAX, |found| found == name), Some(name));
        }
        assert_eq!(index.find(u64::MAX, |_| false), None);
    }
}
