//! The names of one object, remembered to find those that occur twice.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hasher as _};

use hashbrown::HashTable;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::limits;

/// The result of [`Seen::insert`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Insert {
    /// The name is new.
    New,
    /// The name was there before.
    Twice,
    /// There are too many names to remember another one.
    Full,
}

/// The names of one object, to find those that occur twice; at most [`limits::NAMES_MAX`].
#[derive(Debug)]
pub(crate) struct Seen<'t> {
    few: Vec<Cow<'t, str>>,
    /// Each name with its hash, which is worked out once.
    many: HashTable<(u64, Cow<'t, str>)>,
    seed: Seed,
}

/// The seed for hashes of names: a hash of the whole text. An attacker cannot choose names that collide, because another
/// name changes the seed; and the same text always takes the same time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seed(u64);

impl Seed {
    /// The seed of a text.
    pub(crate) fn from_text(text: &str) -> Self {
        Self(xxh3_64(text.as_bytes()))
    }

    fn hash(self, name: &str) -> u64 {
        // Of so few bytes the seed is in every step, and this is a fifth of the instructions.
        if name.len() <= SHORT_BYTES_MAX {
            return xxh3_64_with_seed(name.as_bytes(), self.0);
        }
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher.write(name.as_bytes());
        hasher.finish()
    }
}

impl<'t> Seen<'t> {
    /// No names yet.
    pub(crate) fn new(seed: Seed) -> Self {
        Self { few: Vec::new(), many: HashTable::new(), seed }
    }

    /// Whether there is no name yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.few.is_empty() && self.many.is_empty()
    }

    /// Whether the name has been seen.
    pub(crate) fn contains(&self, name: &str) -> bool {
        if self.many.is_empty() {
            return self.few.iter().any(|known| known == name);
        }
        self.many.find(self.seed.hash(name), |(_, known)| *known == name).is_some()
    }

    /// Remembers a name.
    pub(crate) fn insert(&mut self, name: Cow<'t, str>) -> Insert {
        if self.many.is_empty() {
            let is_new = !self.few.contains(&name);
            if is_new {
                self.few.push(name);
            }
            if self.few.len() > FEW {
                for name in std::mem::take(&mut self.few) {
                    let hash = self.seed.hash(&name);
                    self.many.insert_unique(hash, (hash, name), |(hash, _)| *hash);
                }
            }
            return if is_new { Insert::New } else { Insert::Twice };
        }
        let hash = self.seed.hash(&name);
        if self.many.find(hash, |(_, known)| *known == name).is_some() {
            return Insert::Twice;
        }
        if self.many.len() >= limits::NAMES_MAX {
            return Insert::Full;
        }
        self.many.insert_unique(hash, (hash, name), |(hash, _)| *hash);
        Insert::New
    }
}

/// Names up to this length are hashed by `xxh3`, longer ones by `SipHash`.
const SHORT_BYTES_MAX: usize = 16;

/// Up to this number, comparing names one by one is faster than hashing.
const FEW: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_seen_once() {
        let mut seen = Seen::new(Seed::from_text("text"));
        for round in 0..2 {
            for number in 0..100 {
                let expected = if round == 0 { Insert::New } else { Insert::Twice };
                assert_eq!(seen.insert(Cow::Owned(number.to_string())), expected, "{number}");
            }
        }
    }
}
