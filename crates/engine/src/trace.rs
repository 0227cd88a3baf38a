//! The trace of a decision: what `explain` records, and the trace that does nothing.

use crate::change::Flips;
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
