//! When to ask the source next: a pure state machine, outcome and randomness in, delay out.
//!
//! A fleet must not become its origin's second problem. Polls are spread by jitter. After a failure the delay
//! is drawn evenly from one second to a ceiling, so that clients which failed together do not come back
//! together. The first ceiling is twice the poll interval: a client in trouble asks, on average, no more
//! often than before, and so a whole fleet stays below twice its usual rate at every moment during and after
//! an outage (a test simulates it). Only a client that has no document at all is quicker, from two seconds
//! on. Whatever the origin asks for by `Retry-After` is kept.

mod damper;

use std::time::Duration;

use crate::ingest::source::RETRY_AFTER_MAX;
use crate::random::between;
pub(crate) use damper::{Damper, Verdict};

/// How the last attempt ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// The poll was successful: the source has a document, or it is unchanged.
    Fresh,
    /// The source did not answer, or not as it should.
    Trouble {
        /// What the origin asked for, see [`crate::ingest::source::FetchError::retry_after`].
        retry_after: Option<Duration>,
    },
}

/// Chooses the delay before each poll.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    interval: Duration,
    failures: u32,
    has_document: bool,
}

impl Schedule {
    /// Polls each `interval`, at least [`INTERVAL_MIN`] and at most [`INTERVAL_MAX`].
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval: interval.clamp(INTERVAL_MIN, INTERVAL_MAX), failures: 0, has_document: false }
    }

    /// The delay before the first poll. With a document from the cache at hand it is spread over a tenth of
    /// the interval, so that a fleet that restarts together does not ask together; without one there is no
    /// time to lose.
    pub(crate) fn first(&mut self, has_document: bool, random: u64) -> Duration {
        self.has_document = has_document;
        if has_document { between(Duration::ZERO, self.interval / 10, random) } else { Duration::ZERO }
    }

    /// The delay from the end of an attempt to the next. `random` must be evenly distributed.
    pub(crate) fn after(&mut self, outcome: Outcome, random: u64) -> Duration {
        let Outcome::Trouble { retry_after } = outcome else {
            self.failures = 0;
            self.has_document = true;
            return between(self.interval * 9 / 10, self.interval * 11 / 10, random);
        };
        self.failures = self.failures.saturating_add(1);
        let back_off = between(BACK_OFF_MIN, self.ceiling(), random);
        let Some(asked) = retry_after else { return back_off };
        // Never earlier than asked, and spread over an interval: a date is the same instant for everybody.
        let asked = asked.min(RETRY_AFTER_MAX);
        back_off.max(between(asked, asked + self.interval, random))
    }

    /// Failures since the last successful poll.
    #[cfg(test)]
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// The longest delay after the present number of failures; doubled with each.
    fn ceiling(&self) -> Duration {
        let single = if self.has_document { self.interval } else { BACK_OFF_MIN.min(self.interval) };
        let doubled = single.saturating_mul(1 << self.failures.min(DOUBLINGS_MAX));
        doubled.clamp(BACK_OFF_MIN, BACK_OFF_MAX)
    }
}

/// Shortest poll interval: more often is a subscription, not polling.
pub(crate) const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Longest poll interval; beyond it a fleet is not governed any more.
pub(crate) const INTERVAL_MAX: Duration = Duration::from_hours(24);

/// Shortest delay after a failure.
const BACK_OFF_MIN: Duration = Duration::from_secs(1);

/// Longest delay after a failure, unless the origin asks for more: an operator who has fixed the origin
/// does not want to wait longer.
const BACK_OFF_MAX: Duration = Duration::from_mins(5);

/// Doublings after which every ceiling is [`BACK_OFF_MAX`].
const DOUBLINGS_MAX: u32 = 16;

#[cfg(test)]
mod tests;
