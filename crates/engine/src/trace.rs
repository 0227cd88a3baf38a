//! The trace of a decision: what `explain` records, and the trace that does nothing.

use crate::change::{Flips, earliest};
use crate::document::Adopter;
use crate::{HostLock, Micros, Position, Rule, Share};

/// Sees each step of a decision. Closures are called only by traces that record, so the fast path computes nothing more.
pub(crate) trait Trace {
    fn rule(&mut self, rule: Rule);
    /// The rule that decides expires at this instant.
    fn expires(&mut self, until: Option<Micros>);
    fn lock(&mut self, lock: &HostLock);
    fn adopter(&mut self, adopter: impl FnOnce() -> Option<Adopter>);
    fn share(&mut self, facts: impl FnOnce() -> Facts);
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
}

impl Trace for Validity {
    fn rule(&mut self, _: Rule) {}

    fn expires(&mut self, until: Option<Micros>) {
        self.expires = earliest(self.expires, until);
    }

    fn lock(&mut self, _: &HostLock) {}

    fn adopter(&mut self, _: impl FnOnce() -> Option<Adopter>) {}

    fn share(&mut self, facts: impl FnOnce() -> Facts) {
        self.facts = facts();
    }
}

/// The trace of the fast path.
pub(crate) struct NoTrace;

impl Trace for NoTrace {
    #[inline]
    fn rule(&mut self, _: Rule) {}
    #[inline]
    fn expires(&mut self, _: Option<Micros>) {}
    #[inline]
    fn lock(&mut self, _: &HostLock) {}
    #[inline]
    fn adopter(&mut self, _: impl FnOnce() -> Option<Adopter>) {}
    #[inline]
    fn share(&mut self, _: impl FnOnce() -> Facts) {}
}
