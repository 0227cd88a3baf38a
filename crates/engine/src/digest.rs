//! The digest of a snapshot: one number that is equal for equal flags.
//!
//! Two snapshots with the same flags, values and rules have the same digest, whatever the order, white space
//! or comments of their documents; so hosts can be compared. Each flag is written in a fixed form and hashed
//! by XXH3-128, and the hashes of all flags are added: order does not matter, and one flag can be replaced.
//!
//! Every part of a flag counts, its description included, each with the document's spelling: `1.50` is not `1.5`. The fixed
//! form is unambiguous, because optional parts begin with a presence byte and lists with their length: no two flags have
//! the same form. The header of a document (`$tidegate`) does not count. The digest is no protection against forgery.

use std::fmt;

use xxhash_rust::xxh3::xxh3_128;

use crate::document::{Adopter, Curve, Flag, Schedule, Value, Visibility, variants_text};
use crate::{HashAlgorithm, Share, Span, Variant};

/// The digest of a snapshot; [`Display`](fmt::Display) is 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Digest(u128);

impl Digest {
    /// The digest as a number.
    pub const fn get(self) -> u128 {
        self.0
    }

    /// The digest of some bytes, such as an answer that was made from a snapshot.
    ///
    /// ```
    /// use tidegate_engine::Digest;
    ///
    /// assert_eq!(Digest::from_bytes(b"[]"), Digest::from_bytes(b"[]"));
    /// assert_ne!(Digest::from_bytes(b"[]"), Digest::from_bytes(b"[ ]"));
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(xxh3_128(bytes))
    }

    /// The digest of the flags of both.
    pub(crate) const fn plus(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// The digest without the flags of the other.
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
    /// `default_lease` and `hash` are what the host adds where the flag names neither; `targeting` is the digest of its rules.
    pub(crate) fn add(
        &mut self,
        section: &str,
        flag: &Flag,
        default_lease: Option<Span>,
        hash: Option<&str>,
        targeting: Option<u128>,
    ) {
        self.text.clear();
        self.write(section, flag, default_lease, hash);
        // The form of a flag without rules ends here, so nothing that follows can be taken for one of its parts.
        if let Some(targeting) = targeting.or(flag.variants.as_ref().map(|_| 0)) {
            self.text.extend_from_slice(&targeting.to_le_bytes());
        }
        // Variants come after the sixteen bytes of rules, or of their absence.
        if let Some(variants) = &flag.variants {
            self.string(&variants_text(variants));
        }
        self.sum = self.sum.wrapping_add(xxh3_128(&self.text));
    }

    pub(crate) fn finish(self) -> Digest {
        Digest(self.sum)
    }

    fn write(&mut self, section: &str, flag: &Flag, default_lease: Option<Span>, hash: Option<&str>) {
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
        self.text.push(u8::from(flag.rollback.is_some()));
        if let Some(rollback) = &flag.rollback {
            self.instant(rollback.start.get());
            self.number(rollback.over.get());
            self.number(rollback.to.get());
        }
        self.optional(flag.lock.map(Variant::as_str));
        let lease = flag.lease.or(default_lease);
        self.text.push(u8::from(lease.is_some()));
        self.number(lease.map_or(0, Span::get));
        // Hosts with hashes of their own decide differently.
        self.optional(flag.hash.map(HashAlgorithm::as_str).or(hash));
        self.optional(flag.salt.as_deref());
        self.text.push(u8::from(flag.enabled));
        self.text.push(u8::from(flag.details.is_some()));
        if let Some(details) = &flag.details {
            self.optional(details.description.as_deref());
            self.optional(details.owner.as_deref());
            self.number(details.tags.len() as u64);
            for tag in &details.tags {
                self.string(tag);
            }
            self.number(details.metadata.len() as u64);
            for (name, value) in &details.metadata {
                self.string(name);
                self.string(value.as_str());
            }
            // It is the last part, and absent for the default, so that digests of earlier versions stay equal.
            if details.visibility != Visibility::Client {
                self.string(details.visibility.as_str());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Details, Document, Rollback, Section, Step};
    use crate::{CompileOptions, Micros, compile, read};

    fn flag(fields: &str) -> Flag {
        let text = format!(r#"{{"s": {{"x": {{"stable": 1, "new": 2, {fields}}}}}}}"#);
        read(text.as_bytes()).unwrap().0.sections.remove(0).flags.remove(0)
    }

    fn digest(flag: Flag) -> Digest {
        let document =
            Document { sections: vec![Section { name: "s".into(), flags: vec![flag] }], ..Document::default() };
        compile(&document, &CompileOptions::default()).digest()
    }

    #[test]
    fn no_two_flags_have_the_same_form() {
        let plain = flag(r#""start_time": "2026-01-01 00:00Z", "duration": "1d""#);
        // The bytes of a rollback, read as a missing lock, a lease and a salt.
        let start = Micros::new(0x0006_4748_4620_4000);
        let over = Span::from_micros(1 << 16 | 16 << 24);
        let one = Flag {
            rollback: Some(Rollback { start, over, to: Share::ZERO }),
            lease: Some(Span::from_micros(65)),
            ..plain.clone()
        };
        let lease = Span::from_micros(u64::try_from(start.get() >> 8).unwrap());
        let salt = "\0\0\0\0\0\0A\0\0\0\0\0\0\0\0\0";
        let other = Flag { lease: Some(lease), salt: Some(salt.into()), ..plain.clone() };
        assert_ne!(digest(one), digest(other));
        // The longest lease there can be is not none.
        assert_ne!(digest(Flag { lease: Some(Span::MAX), ..plain.clone() }), digest(plain.clone()));
        assert_ne!(digest(Flag { details: Some(Box::new(Details::default())), ..plain.clone() }), digest(plain));
    }

    #[test]
    fn every_part_of_a_flag_counts() {
        let base = flag(
            r#""start_time": "2026-01-01 00:00Z", "duration": "1d", "description": "a", "owner": "b", "tags": ["c"], "metadata": {"d": 1}"#,
        );
        let details = |change: fn(&mut Details)| {
            let mut details = base.details.clone().unwrap();
            change(&mut details);
            Flag { details: Some(details), ..base.clone() }
        };
        let steps = |over| Schedule::Steps {
            start: Micros::new(0),
            steps: vec![Step { share: Share::FULL, over: Span::from_micros(over), hold: Span::ZERO }],
        };
        let rollback = |over| Some(Rollback { start: Micros::new(0), over: Span::from_micros(over), to: Share::ZERO });
        let keys = |keys: &[&str]| keys.iter().map(|key| Adopter::Key((*key).into())).collect::<Vec<_>>();
        let others = [
            Flag { name: "y".into(), ..base.clone() },
            Flag { stable: base.new.clone().unwrap(), ..base.clone() },
            Flag { new: None, ..base.clone() },
            Flag { schedule: Schedule::None, ..base.clone() },
            Flag { schedule: steps(1), ..base.clone() },
            Flag { schedule: steps(2), ..base.clone() },
            Flag { early_adopters: keys(&["k", "l"]), ..base.clone() },
            Flag { early_adopters: keys(&["kl"]), ..base.clone() },
            Flag { early_adopters: vec![Adopter::Pattern("kl".into())], ..base.clone() },
            Flag { interpolate: true, ..base.clone() },
            Flag { rollback: rollback(0), ..base.clone() },
            Flag { rollback: rollback(1), ..base.clone() },
            Flag { lock: Some(Variant::New), ..base.clone() },
            Flag { lock: Some(Variant::Stable), ..base.clone() },
            Flag { lease: Some(Span::SECOND), ..base.clone() },
            Flag { hash: Some(HashAlgorithm::Sha1), ..base.clone() },
            Flag { salt: Some("".into()), ..base.clone() },
            Flag { enabled: false, ..base.clone() },
            Flag { details: None, ..base.clone() },
            details(|details| details.description = None),
            details(|details| details.owner = None),
            details(|details| details.tags.clear()),
            details(|details| details.metadata.clear()),
            details(|details| details.visibility = Visibility::Server),
        ];
        let mut digests: Vec<u128> = others.into_iter().chain([base.clone()]).map(|flag| digest(flag).get()).collect();
        let count = digests.len();
        let variants = ["1, \"b\": 2", "1, \"b\": 3", "1, \"c\": 2"].map(|values| {
            let text = format!(r#"{{"s": {{"x": {{"variants": {{"a": {values}}}, "stable": "a"}}}}}}"#);
            compile(&read(text.as_bytes()).unwrap().0, &CompileOptions::default()).digest().get()
        });
        digests.extend(variants);
        let count = count + variants.len();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), count, "two of them have one digest");
        let spelled = ["1.50", "1.5", "15e-1"].map(|number| {
            let text = format!(r#"{{"s": {{"x": {{"stable": {number}}}}}}}"#);
            compile(&read(text.as_bytes()).unwrap().0, &CompileOptions::default()).digest()
        });
        assert!(spelled[0] != spelled[1] && spelled[1] != spelled[2], "values count as they are written");
    }
}
