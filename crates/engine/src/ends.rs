//! Short names as two words, for look-ups by section and name.
//!
//! Most names have at most 16 bytes. Two words, which may overlap, hold all of such a name. They are hashed in a few instructions,
//! and compared in two.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// A name of 1 to 16 bytes. Equal only for equal names.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Ends {
    length: u64,
    first: u64,
    last: u64,
}

impl Ends {
    /// The ends of a name; `None` for an empty and for a longer one.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    pub(crate) fn new(name: &str) -> Option<Self> {
        let (name, length) = (name.as_bytes(), name.len() as u64);
        if let (8..=16, Some(first), Some(last)) = (length, name.first_chunk(), name.last_chunk()) {
            return Some(Self { length, first: u64::from_le_bytes(*first), last: u64::from_le_bytes(*last) });
        }
        if let (4..8, Some(first), Some(last)) = (length, name.first_chunk(), name.last_chunk()) {
            let [first, last] = [first, last].map(|half| u64::from(u32::from_le_bytes(*half)));
            return Some(Self { length, first, last });
        }
        let (1..4, Some(first), Some(last)) = (length, name.first(), name.last()) else { return None };
        let middle = name.get(name.len() / 2)?;
        Some(Self { length, first: u64::from(*first), last: u64::from(*last) << 8 | u64::from(*middle) })
    }

    /// One word in which each of the others has a part.
    #[inline]
    const fn mix(self) -> u64 {
        self.first.wrapping_add(self.length) ^ self.last.wrapping_mul(ODD)
    }
}

/// The hash under which a flag is found by section and name. Half of the instructions of `xxh3`; as there, somebody who writes
/// the document can choose names with equal hashes, which slows only that document's readers.
#[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "both halves of the product are used")]
pub(crate) fn hash_ends(section: Ends, flag: Ends) -> u64 {
    let product = u128::from(section.mix()) * u128::from(flag.mix());
    product as u64 ^ (product >> 64) as u64
}

/// The same where one of the names is empty or longer.
#[inline(never)]
pub(crate) fn hash_names(section: &str, flag: &str) -> u64 {
    xxh3_64_with_seed(flag.as_bytes(), xxh3_64(section.as_bytes()))
}

/// The hash under which a flag is found, whatever its names are.
pub(crate) fn hash(section: &str, flag: &str) -> u64 {
    match (Ends::new(section), Ends::new(flag)) {
        (Some(section), Some(flag)) => hash_ends(section, flag),
        _ => hash_names(section, flag),
    }
}

/// 2^64 divided by the golden ratio.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_with_other_names_have_other_hashes() {
        let mut hashes = std::collections::HashSet::new();
        let mut count = 0;
        let words = ["", "a", "flag", "features", "section-of-flags", "a-section-with-a-long-name"];
        for section in words.map(str::to_owned).into_iter().chain((0..50).map(|number| format!("section_{number}"))) {
            for flag in words.map(str::to_owned).into_iter().chain((0..2_000).map(|number| format!("flag_{number}"))) {
                let hash = hash(&section, &flag);
                // The index compares half of a hash, and chooses the place by a part of that half.
                hashes.insert(hash >> 32);
                count += 1;
            }
        }
        // Among 2^32 numbers a hundred thousand random ones have one or two pairs.
        assert!(count - hashes.len() < 12, "{} of {count} halves are equal to another", count - hashes.len());
    }

    #[test]
    fn two_names_have_the_same_ends_only_if_they_are_the_same() {
        let mut seen = std::collections::HashSet::new();
        for length in 0..=40 {
            let name = "a".repeat(length);
            let is_short = (1..=16).contains(&length);
            assert_eq!(Ends::new(&name).is_some(), is_short, "{length}");
            assert!(!is_short || seen.insert(Ends::new(&name)), "{length}");
            for place in 0..length {
                let mut other = name.clone();
                other.replace_range(place..=place, "b");
                assert!(!is_short || seen.insert(Ends::new(&other)), "{length} bytes, another one at {place}");
            }
        }
    }
}
