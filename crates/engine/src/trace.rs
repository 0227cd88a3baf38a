//! The trace of a decision: what `explain` records, and the traces that record nothing, or only how long an answer holds.

use crate::change::{Flips, earliest};
use crate::document::{Adopter, Choice};
use crate::{HostLock, Micros, Position, Rule, Share};

/// Sees each step of a decision. Closures are called only by traces that record, so the fast path computes nothing more.
pub(crate) trait Trace {
    fn rule(&mut self, rule: Rule);
    /// A step was looked at and did not decide.
    fn passed(&mut self, step: Rule, why: &'static str);
    /// The rule that decides expires at this instant.
    fn expires(&mut self, until: Option<Micros>);
    fn lock(&mut self, lock: &HostLock);
    fn adopter(&mut self, adopter: impl FnOnce() -> Option<Adopter>);
    /// A split was asked for a variant.
    fn split(&mut self, split: impl FnOnce() -> Choice);
    fn share(&mut self, facts: impl FnOnce() -> Facts);
    /// A part of a rule's condition was looked at.
    fn part(&mut self, part: impl FnOnce() -> Part);
    /// A rule was tried, after its parts.
    fn tried<'n>(&mut self, number: usize, name: impl FnOnce() -> &'n str, held: bool);
    /// The trace of another flag's decision, which a condition asks for.
    fn inner(&self) -> Self;
    /// That decision has been made: the answer holds no longer than it.
    fn join(&mut self, inner: Self, now: Micros);
}

/// How the share led to an answer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) position: Option<Position>,
    pub(crate) share: Share,
    pub(crate) flips: Flips,
    /// An instant before which nothing else can change.
    pub(crate) until: Option<Micros>,
    /// The instant on the ramp's own clock, for flags with a lease.
    pub(crate) ramp_instant: Option<Micros>,
}

impl Facts {
    /// The instant before which the answer cannot change by ramp, rollback and expiry; `None`: it never does.
    pub(crate) fn valid_until(&self, expires: Option<Micros>, now: Micros) -> Option<Micros> {
        let ends = [expires, self.flips.coming(now), self.until];
        ends.into_iter().flatten().filter(|end| *end > now).min()
    }
}

/// The trace that records only how long an answer holds.
#[derive(Debug, Default)]
pub(crate) struct Validity {
    expires: Option<Micros>,
    facts: Facts,
}

impl Validity {
    /// See [`Facts::valid_until`].
    pub(crate) fn until(&self, now: Micros) -> Option<Micros> {
        self.facts.valid_until(self.expires, now)
    }

    /// When the subject changes variant by the share.
    pub(crate) fn flips(&self) -> Flips {
        self.facts.flips
    }
}

impl Trace for Validity {
    fn rule(&mut self, _: Rule) {}

    fn expires(&mut self, until: Option<Micros>) {
        self.expires = earliest(self.expires, until);
    }

    fn lock(&mut self, _: &HostLock) {}

    fn adopter(&mut self, _: impl FnOnce() -> Option<Adopter>) {}

    fn split(&mut self, _: impl FnOnce() -> Choice) {}

    fn share(&mut self, facts: impl FnOnce() -> Facts) {
        self.facts = facts();
    }

    fn passed(&mut self, _: Rule, _: &'static str) {}

    fn part(&mut self, _: impl FnOnce() -> Part) {}

    fn tried<'n>(&mut self, _: usize, _: impl FnOnce() -> &'n str, _: bool) {}

    fn inner(&self) -> Self {
        Self::default()
    }

    fn join(&mut self, inner: Self, now: Micros) {
        self.expires = earliest(self.expires, inner.until(now));
    }
}

/// A comparison, a segment or a prerequisite in the condition of a rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Part {
    /// The part as JSON, as documents write it.
    pub condition: String,
    /// The segment in whose condition it stands; `None`: in the rule's own.
    pub segment: Option<String>,
    /// Whether it held.
    pub held: bool,
    /// What the subject has there, as JSON, shortened; `None` for an absent attribute, and for segments and prerequisites.
    pub found: Option<String>,
}

/// The trace of the fast path.
pub(crate) struct NoTrace;

impl Trace for NoTrace {
    #[inline]
    fn rule(&mut self, _: Rule) {}
    #[inline]
    fn passed(&mut self, _: Rule, _: &'static str) {}
    #[inline]
    fn expires(&mut self, _: Option<Micros>) {}
    #[inline]
    fn lock(&mut self, _: &HostLock) {}
    #[inline]
    fn adopter(&mut self, _: impl FnOnce() -> Option<Adopter>) {}
    #[inline]
    fn split(&mut self, _: impl FnOnce() -> Choice) {}
    #[inline]
    fn share(&mut self, _: impl FnOnce() -> Facts) {}
    #[inline]
    fn part(&mut self, _: impl FnOnce() -> Part) {}
    #[inline]
    fn tried<'n>(&mut self, _: usize, _: impl FnOnce() -> &'n str, _: bool) {}
    #[inline]
    fn inner(&self) -> Self {
        Self
    }
    #[inline]
    fn join(&mut self, _: Self, _: Micros) {}
}
