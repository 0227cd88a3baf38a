//! What a snapshot says, as one number.
//!
//! Two snapshots with the same flags, values and rules have the same digest, whatever the order, white space
//! or comments of their documents; so hosts can be compared. Each flag is written in a fixed form and hashed
//! by XXH3-128, and the numbers of all flags are added: order does not matter, and one flag can be exchanged.

use std::fmt;

use xxhash_rust::xxh3::xxh3_128;

use crate::document::{Adopter, Curve, Flag, Schedule, Value};
use crate::{HashAlgorithm, Share, Span, Variant};

/// The digest of a snapshot; [`Display`](fmt::Display) is 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Digest(u128);

impl Digest {
    /// The digest as a number.
    pub const fn get(self) -> u128 {
        self.0
    }

    /// With the flags of another one besides.
    pub(crate) const fn plus(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// Without the flags of another one.
    pub(crate) const fn minus(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

/// Adds up the digest of a snapshot, flag by flag.
#[derive(Debug, Default)]
pub(crate) struct Accumulator {
    sum: u128,
    text: Vec<u8>,
}

impl Accumulator {
    pub(crate) fn add(&mut self, section: &str, flag: &Flag, default_lease: Option<Span>) {
        self.text.clear();
        self.write(section, flag, default_lease);
        self.sum = self.sum.wrapping_add(xxh3_128(&self.text));
    }

    pub(crate) fn finish(self) -> Digest {
        Digest(self.sum)
    }

    fn write(&mut self, section: &str, flag: &Flag, default_lease: Option<Span>) {
        self.string(section);
        self.string(&flag.name);
        self.string(flag.stable.as_str());
        self.optional(flag.new.as_ref().map(Value::as_str));
        self.schedule(&flag.schedule);
        self.number(flag.early_adopters.len() as u64);
        for adopter in &flag.early_adopters {
            match adopter {
                Adopter::Key(key) => self.tagged(0, key),
                Adopter::Pattern(pattern) => self.tagged(1, pattern),
            }
        }
        self.text.push(u8::from(flag.interpolate));
        if let Some(rollback) = &flag.rollback {
            self.instant(rollback.start.get());
            self.number(rollback.over.get());
            self.number(rollback.to.get());
        }
        self.optional(flag.lock.map(Variant::as_str));
        self.number(flag.lease.or(default_lease).map_or(u64::MAX, Span::get));
        self.optional(flag.hash.map(HashAlgorithm::as_str));
        self.optional(flag.salt.as_deref());
        self.text.push(u8::from(flag.enabled));
        if let Some(details) = &flag.details {
            self.optional(details.description.as_deref());
            self.optional(details.owner.as_deref());
            self.number(details.tags.len() as u64);
            for tag in &details.tags {
                self.string(tag);
            }
            for (name, value) in &details.metadata {
                self.string(name);
                self.string(value.as_str());
            }
        }
    }

    fn schedule(&mut self, schedule: &Schedule) {
        match schedule {
            Schedule::None => self.text.push(0),
            Schedule::Window { start, end, from, to, curve } => {
                self.text.push(if *curve == Curve::Linear { 1 } else { 2 });
                self.instant(start.get());
                self.instant(end.get());
                self.share(*from);
                self.share(*to);
            }
            Schedule::Steps { start, steps } => {
                self.text.push(3);
                self.instant(start.get());
                self.number(steps.len() as u64);
                for step in steps {
                    self.share(step.share);
                    self.number(step.over.get());
                    self.number(step.hold.get());
                }
            }
        }
    }

    fn tagged(&mut self, tag: u8, text: &str) {
        self.text.push(tag);
        self.string(text);
    }

    fn optional(&mut self, text: Option<&str>) {
        match text {
            None => self.text.push(0),
            Some(text) => self.tagged(1, text),
        }
    }

    fn string(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.text.extend_from_slice(text.as_bytes());
    }

    fn share(&mut self, share: Share) {
        self.number(share.get());
    }

    fn instant(&mut self, instant: i64) {
        self.text.extend_from_slice(&instant.to_le_bytes());
    }

    fn number(&mut self, number: u64) {
        self.text.extend_from_slice(&number.to_le_bytes());
    }
}
