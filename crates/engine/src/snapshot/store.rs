//! Texts of a snapshot: names in one arena, values with a number each.

use xxhash_rust::xxh3::xxh3_64;

use crate::{Answer, StoredValue};

/// The hash under which a flag is found by its key.
#[inline]
pub(crate) fn hash_key(key: &str) -> u64 {
    xxh3_64(key.as_bytes())
}

/// A growing arena of names.
#[derive(Debug, Default)]
pub(crate) struct Names(String);

impl Names {
    /// Appends the parts of a name and returns its place.
    pub(crate) fn push(&mut self, parts: &[&str]) -> (u32, u32) {
        let start = self.0.len();
        for part in parts {
            self.0.push_str(part);
        }
        (offset(start), offset(self.0.len().saturating_sub(start)))
    }

    pub(crate) fn get(&self, (start, length): (u32, u32)) -> &str {
        slice(&self.0, start, length)
    }

    pub(crate) fn into_boxed(self) -> Box<str> {
        self.0.into_boxed_str()
    }
}

/// The values of a snapshot, each distinct text once. [`Values::FALSE`] and [`Values::TRUE`] are always
/// there under their numbers, so that "is this a boolean" is a comparison of numbers. Each value is a text of
/// its own, read once: an answer borrows it whole, and a piece of an arena would have to be looked at first.
#[derive(Debug, Default)]
pub(crate) struct Values(Vec<StoredValue>);

impl Values {
    const TRUE: u32 = 1;

    /// The number that a boolean has.
    pub(crate) fn id_of_bool(text: &str) -> Option<u32> {
        match text {
            "false" => Some(0),
            "true" => Some(Self::TRUE),
            _ => None,
        }
    }

    pub(crate) fn push(&mut self, value: &str) -> u32 {
        self.0.push(StoredValue::new(value));
        offset(self.0.len()).saturating_sub(1)
    }

    #[inline]
    pub(crate) fn get(&self, id: u32) -> &str {
        self.stored(id).map_or("null", StoredValue::as_json)
    }

    /// The value.
    #[inline]
    pub(crate) fn stored(&self, id: u32) -> Option<&StoredValue> {
        self.0.get(id as usize)
    }

    /// The value as an answer.
    #[inline]
    pub(crate) fn answer(&self, id: u32) -> Answer<'_> {
        match Self::as_bool(id) {
            Some(value) => Answer::Bool(value),
            None => self.stored(id).map_or(Answer::Json("null"), Answer::Stored),
        }
    }

    /// The value as a boolean; `None` for any other type.
    #[inline]
    pub(crate) const fn as_bool(id: u32) -> Option<bool> {
        if id <= Self::TRUE { Some(id == Self::TRUE) } else { None }
    }

    /// Frees unused capacity.
    pub(crate) fn into_boxed(mut self) -> Self {
        self.0.shrink_to_fit();
        self
    }
}

/// A piece of an arena.
#[inline]
pub(crate) fn slice(text: &str, start: u32, length: u32) -> &str {
    let start = start as usize;
    text.get(start..start.saturating_add(length as usize)).unwrap_or_default()
}

/// An offset into an arena. Documents are limited to 16 MiB, so none comes near 2^32.
fn offset(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}
