//! Bucketing: from a key to its position, by one of several hash algorithms.
//!
//! A position decides which keys get `new` first, so an algorithm never changes under its name: golden vectors in
//! `conformance/positions.json` guard each of them. None is used for security.

use std::cell::Cell;
use std::fmt;

use sha1::{Digest as _, Sha1};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::Position;
use crate::attributes::Attributes;

/// The algorithm that turns a key into a [`Position`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum HashAlgorithm {
    /// The last four bytes, big-endian, of SHA-1(salt + key). The default without a salt, because that is
    /// how documents of slowroll are read: the same hosts keep their places.
    Sha1,
    /// The high 32 bits of XXH3-64(key), seeded with XXH3-64(salt). The default with a salt: far
    /// cheaper, and the salt costs nothing at each check.
    Xxh3,
    /// MurmurHash3 x86 32-bit of salt + key, seed 0: equals the places of flagd's fractional evaluation.
    /// Never a default.
    Murmur3,
}

impl HashAlgorithm {
    /// Every algorithm, in the order in which they came.
    pub const ALL: [Self; 3] = [Self::Sha1, Self::Xxh3, Self::Murmur3];

    /// The name of the algorithm in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Xxh3 => "xxh3",
            Self::Murmur3 => "murmur3",
        }
    }

    /// The algorithm of a flag that names none: `sha1` without a salt, `xxh3` with one, even an empty one.
    pub const fn default_for(salt: Option<&str>) -> Self {
        match salt {
            None => Self::Sha1,
            Some(_) => Self::Xxh3,
        }
    }

    /// The position of `key` under `salt`.
    ///
    /// ```
    /// use tidegate_engine::HashAlgorithm;
    ///
    /// assert_eq!(HashAlgorithm::Sha1.position("", "Cx1v").get(), 3_547_306_452);
    /// ```
    pub fn position(self, salt: &str, key: &str) -> Position {
        match self {
            Self::Sha1 => sha1_position(salt, key),
            Self::Xxh3 => xxh3_position(xxh3_seed(salt), key),
            Self::Murmur3 => Position::new(murmur3_x86_32(salt.as_bytes(), key.as_bytes())),
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// What a subject is: a key, a position drawn at random, or nothing; and its attributes, if a caller knows some.
///
/// It remembers the SHA-1 of its key once a flag has asked for it, since that is the same for every flag
/// without a salt; so make one per request and ask all flags with it.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    kind: SubjectKind<'a>,
    attributes: Attributes<'a>,
    unsalted_sha1: Cell<Option<Position>>,
}

/// The forms of a [`Subject`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum SubjectKind<'a> {
    Key(&'a str),
    Drawn(Position),
    Absent,
}

impl<'a> Subject<'a> {
    /// A key: a user id, a host name, anything that should keep its variant (OpenFeature: targeting key). The empty text is a
    /// key like any other.
    pub const fn key(key: &'a str) -> Self {
        Self::new(SubjectKind::Key(key))
    }

    /// A position drawn at random, for a percentage of calls instead of keys; it is never an early adopter.
    pub const fn drawn(position: Position) -> Self {
        Self::new(SubjectKind::Drawn(position))
    }

    /// No key. If a flag needs one, the answer is `stable` with the error `TARGETING_KEY_MISSING`.
    pub const fn absent() -> Self {
        Self::new(SubjectKind::Absent)
    }

    const fn new(kind: SubjectKind<'a>) -> Self {
        Self { kind, attributes: Attributes::NONE, unsalted_sha1: Cell::new(None) }
    }

    /// The same subject with these attributes, which rules of flags read. Flags without rules do not look at them.
    ///
    /// ```
    /// use tidegate_engine::{Attribute, Subject};
    ///
    /// let attributes = [("plan", Attribute::from("premium"))];
    /// let subject = Subject::key("ann").with_attributes(&attributes);
    /// # let _ = subject;
    /// ```
    #[must_use]
    pub fn with_attributes(self, attributes: impl Into<Attributes<'a>>) -> Self {
        Self { attributes: attributes.into(), ..self }
    }

    pub(crate) const fn attributes(&self) -> Attributes<'a> {
        self.attributes
    }

    /// The key; `None` for a random draw and where there is no key.
    pub const fn as_key(&self) -> Option<&'a str> {
        match self.kind {
            SubjectKind::Key(key) => Some(key),
            SubjectKind::Drawn(_) | SubjectKind::Absent => None,
        }
    }

    /// The same, borrowed.
    pub(crate) const fn key_ref(&self) -> Option<&&'a str> {
        match &self.kind {
            SubjectKind::Key(key) => Some(key),
            SubjectKind::Drawn(_) | SubjectKind::Absent => None,
        }
    }

    pub(crate) const fn kind(&self) -> SubjectKind<'a> {
        self.kind
    }

    /// The SHA-1 position of `key` without a salt, computed at most once.
    pub(crate) fn unsalted_sha1(&self, key: &str) -> Position {
        if let Some(position) = self.unsalted_sha1.get() {
            return position;
        }
        let position = sha1_position("", key);
        self.unsalted_sha1.set(Some(position));
        position
    }
}

impl<'a> From<&'a str> for Subject<'a> {
    fn from(key: &'a str) -> Self {
        Self::key(key)
    }
}

impl<'a> From<&'a String> for Subject<'a> {
    fn from(key: &'a String) -> Self {
        Self::key(key)
    }
}

/// No key is [`Subject::absent`].
impl<'a> From<Option<&'a str>> for Subject<'a> {
    fn from(key: Option<&'a str>) -> Self {
        key.map_or_else(Self::absent, Self::key)
    }
}

/// The seed that stands for a salt in `xxh3`, computed once per flag.
pub(crate) fn xxh3_seed(salt: &str) -> u64 {
    xxh3_64(salt.as_bytes())
}

/// The position of `key` under a seed of [`xxh3_seed`].
#[inline]
pub(crate) fn xxh3_position(seed: u64, key: &str) -> Position {
    Position::new((xxh3_64_with_seed(key.as_bytes(), seed) >> 32) as u32)
}

/// The position of `key` after `salt` by SHA-1.
pub(crate) fn sha1_position(salt: &str, key: &str) -> Position {
    let mut hasher = Sha1::new();
    hasher.update(salt.as_bytes());
    hasher.update(key.as_bytes());
    let digest: [u8; 20] = hasher.finalize().into();
    let [.., a, b, c, d] = digest;
    Position::new(u32::from_be_bytes([a, b, c, d]))
}

/// MurmurHash3 x86 32-bit with seed 0 of the two texts, one after the other (Appleby, public domain).
fn murmur3_x86_32(salt: &[u8], key: &[u8]) -> u32 {
    let mut hash = 0_u32;
    let mut block = [0_u8; 4];
    let mut filled = 0_usize;
    for &byte in salt.iter().chain(key) {
        if let Some(place) = block.get_mut(filled) {
            *place = byte;
        }
        filled += 1;
        if filled == block.len() {
            hash ^= murmur3_mix(u32::from_le_bytes(block));
            hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
            block = [0; 4];
            filled = 0;
        }
    }
    // An empty tail mixes to zero, so no case for it is needed.
    hash ^= murmur3_mix(u32::from_le_bytes(block));
    #[expect(clippy::cast_possible_truncation, reason = "the algorithm takes the length modulo 2^32")]
    let length = salt.len().wrapping_add(key.len()) as u32;
    hash ^= length;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

fn murmur3_mix(block: u32) -> u32 {
    block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha1_places_are_those_of_slowroll() {
        let places = [("C0fAlY7RGDDE37w", 3_111_524_794), ("user-45578", 3_364_335_722), ("YbkGrskWO", 2_674_469_289)];
        for (key, place) in places {
            assert_eq!(sha1_position("", key).get(), place, "{key}");
        }
        assert_eq!(sha1_position("user-", "45578").get(), 3_364_335_722, "the salt stands before the key");
    }

    #[test]
    fn murmur3_equals_published_values() {
        // From the reference implementation's well-known test values for seed 0.
        let values = [
            ("", 0),
            ("test", 0xba6b_d213),
            ("Hello, world!", 0xc036_3e43),
            ("The quick brown fox jumps over the lazy dog", 0x2e4f_f723),
        ];
        for (text, expected) in values {
            assert_eq!(murmur3_x86_32(b"", text.as_bytes()), expected, "{text}");
            for cut in 0..text.len() {
                let (salt, key) = text.as_bytes().split_at(cut);
                assert_eq!(murmur3_x86_32(salt, key), expected, "{text} cut at {cut}");
            }
        }
    }

    #[test]
    fn xxh3_takes_the_high_half() {
        let seed = xxh3_64(b"features/x");
        let expected = u32::try_from(xxh3_64_with_seed(b"key", seed) >> 32).unwrap();
        assert_eq!(HashAlgorithm::Xxh3.position("features/x", "key").get(), expected);
    }

    #[test]
    fn a_subject_hashes_its_key_once() {
        let subject = Subject::key("Cx1v");
        assert_eq!(subject.unsalted_sha1("Cx1v").get(), 3_547_306_452);
        assert_eq!(subject.unsalted_sha1("another").get(), 3_547_306_452, "the second time nothing is hashed");
    }
}
