//! Early adopters, compiled: exact keys in a hash table, regular expressions as one set.

use std::fmt;

use hashbrown::HashTable;
use regex::RegexSet;
use xxhash_rust::xxh3::xxh3_64;

use crate::document::Adopter;
use crate::document::patterns::compile_patterns;

/// The early adopters of one flag.
#[derive(Default)]
pub(crate) struct Adopters {
    keys: HashTable<Box<str>>,
    patterns: Option<RegexSet>,
    listed: Box<[Adopter]>,
}

impl Adopters {
    pub(crate) fn new(listed: &[Adopter]) -> Self {
        let mut keys = HashTable::new();
        let mut patterns = Vec::new();
        for adopter in listed {
            match adopter {
                Adopter::Key(key) => {
                    keys.insert_unique(hash(key), key.clone(), |key| hash(key));
                }
                Adopter::Pattern(pattern) => patterns.push(&**pattern),
            }
        }
        // The reader has built the same set under the same limit, so this cannot fail; a set that could not be built
        // would match no key.
        let patterns = if patterns.is_empty() { None } else { compile_patterns(patterns).ok() };
        Self { keys, patterns, listed: listed.into() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    pub(crate) fn listed(&self) -> &[Adopter] {
        &self.listed
    }

    #[inline]
    pub(crate) fn has(&self, key: &str) -> bool {
        (!self.keys.is_empty() && self.keys.find(hash(key), |adopter| **adopter == *key).is_some())
            || self.patterns.as_ref().is_some_and(|patterns| patterns.is_match(key))
    }

    /// The adopter that this key matches: the key itself, or the first pattern.
    pub(crate) fn which(&self, key: &str) -> Option<&Adopter> {
        let exact = |adopter: &&Adopter| matches!(adopter, Adopter::Key(listed) if **listed == *key);
        if let Some(adopter) = self.listed.iter().find(exact) {
            return Some(adopter);
        }
        let first = self.patterns.as_ref()?.matches(key).iter().next()?;
        self.listed.iter().filter(|adopter| matches!(adopter, Adopter::Pattern(_))).nth(first)
    }
}

impl fmt::Debug for Adopters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.listed.fmt(formatter)
    }
}

fn hash(key: &str) -> u64 {
    xxh3_64(key.as_bytes())
}
