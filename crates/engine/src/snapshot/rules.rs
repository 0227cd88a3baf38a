//! The rules of a flag, compiled.

use crate::attributes::AttributePath;
use crate::condition::Program;
use crate::custom_hash::RecordHash;
use crate::document;
use crate::{FlagKey, Point, Subject};

use super::Choice;

/// The rules of one flag, and what its positions are made of.
#[derive(Debug)]
pub(crate) struct Targeting {
    pub(crate) rules: Box<[CompiledRule]>,
    pub(crate) bucket_by: Option<BucketBy>,
    /// The same as the document has it.
    pub(crate) source: Box<document::Targeting>,
    /// A hash of the source and of all segments that it names.
    pub(crate) digest: u128,
    /// The flags that its conditions ask for, also through segments.
    pub(crate) prerequisites: Box<[FlagKey]>,
}

/// One rule.
#[derive(Debug)]
pub(crate) struct CompiledRule {
    pub(crate) when: Program,
    pub(crate) serve: Served,
}

/// What a rule serves.
#[derive(Debug)]
pub(crate) enum Served {
    Stable,
    New,
    /// The points of a ramp of its own.
    Ramp(Box<[Point]>),
    /// Another variant, or a split of its own.
    Choice(Choice),
}

/// A segment of one of the documents.
#[derive(Debug)]
pub(crate) struct CompiledSegment {
    pub(crate) when: Program,
    pub(crate) source: document::Segment,
}

/// The attribute that positions are made of, and the hash that turns it into one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct BucketBy {
    attribute: AttributePath,
    pub(crate) hash: RecordHash,
}

impl BucketBy {
    pub(crate) fn new(attribute: &str, hash: RecordHash) -> Self {
        Self { attribute: AttributePath::parse(attribute), hash }
    }

    /// Hashes what a subject has there; `None` for a subject that has neither a string nor a whole number.
    pub(crate) fn with_text<T>(&self, subject: &Subject<'_>, hash: impl FnOnce(&str) -> T) -> Option<T> {
        let found = self.attribute.find(subject.key_ref(), subject.attributes())?;
        if let Some(text) = found.as_text() {
            return Some(hash(text));
        }
        let mut digits = Digits { bytes: [0; DIGITS_MAX], length: 0 };
        std::fmt::write(&mut digits, format_args!("{}", found.as_number()?.as_integer()?)).ok()?;
        Some(hash(digits.as_str()?))
    }
}

/// The digits of a number, without an allocation.
struct Digits {
    bytes: [u8; DIGITS_MAX],
    length: usize,
}

impl Digits {
    fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes.get(..self.length)?).ok()
    }
}

impl std::fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length.saturating_add(text.len());
        let place = self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// As many as an integer of 128 bits has, with its sign.
const DIGITS_MAX: usize = 40;
