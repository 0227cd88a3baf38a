//! Texts of a snapshot in two arenas: names, and values with a number each.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The hash under which a flag is found by name.
#[inline]
pub(crate) fn hash_name(section: &str, flag: &str) -> u64 {
    xxh3_64_with_seed(flag.as_bytes(), xxh3_64(section.as_bytes()))
}

/// A growing arena of names.
#[derive(Debug, Default)]
pub(crate) struct Names(String);

impl Names {
    pub(crate) fn push(&mut self, name: &str) -> (u32, u32) {
        let start = offset(self.0.len());
        self.0.push_str(name);
        (start, offset(name.len()))
    }

    pub(crate) fn get(&self, (start, length): (u32, u32)) -> &str {
        slice(&self.0, start, length)
    }

    pub(crate) fn into_boxed(self) -> Box<str> {
        self.0.into_boxed_str()
    }
}

/// The values of a snapshot, each distinct text once. [`Values::FALSE`] and [`Values::TRUE`] are always
/// there under their numbers, so that "is this a boolean" is a comparison of numbers.
#[derive(Debug, Default)]
pub(crate) struct Values {
    text: String,
    ranges: Vec<(u32, u32)>,
}

impl Values {
    pub(crate) const FALSE: u32 = 0;
    pub(crate) const TRUE: u32 = 1;

    pub(crate) fn push(&mut self, value: &str) -> u32 {
        let range = (offset(self.text.len()), offset(value.len()));
        self.text.push_str(value);
        self.ranges.push(range);
        offset(self.ranges.len()).saturating_sub(1)
    }

    #[inline]
    pub(crate) fn get(&self, id: u32) -> &str {
        match self.ranges.get(id as usize) {
            Some(&(start, length)) => slice(&self.text, start, length),
            None => "null",
        }
    }

    /// The value as a boolean; `None` where it is none.
    #[inline]
    pub(crate) const fn as_bool(id: u32) -> Option<bool> {
        match id {
            Self::FALSE => Some(false),
            Self::TRUE => Some(true),
            _ => None,
        }
    }

    /// Gives back what growing left over.
    pub(crate) fn into_boxed(mut self) -> Self {
        self.text.shrink_to_fit();
        self.ranges.shrink_to_fit();
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
