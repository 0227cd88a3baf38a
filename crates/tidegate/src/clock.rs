//! The instant of a read.
//!
//! An exact look at the clock costs more than a whole decision, and a ramp is hours long. So reads take the
//! system's coarse clock, which the kernel advances every few milliseconds and which never runs ahead of the
//! exact one; a view, `explain`, `when` and the background thread look at the exact clock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidegate_engine::{Micros, Span};

/// Where the library takes the time from.
///
/// A program uses [`Clock::system`], which is the default. A test uses [`Clock::manual`], so that a ramp of a
/// week can be watched in a moment:
///
/// ```
/// use std::time::Duration;
/// use tidegate::{Clock, Tidegate, parse_time};
///
/// let clock = Clock::manual(parse_time("2026-01-01T00:00:00Z")?);
/// let tide = Tidegate::builder()
///     .text(r#"{"features": {"blue": {"stable": false, "new": true,
///         "start_time": "2026-01-01 12:00Z", "duration": "1d"}}}"#)
///     .clock(clock.clone())
///     .without_locks()
///     .connect()?;
/// assert!(!tide.is_active_for("features/blue", "somebody"));
/// clock.advance(Duration::from_secs(36 * 60 * 60));
/// assert!(tide.is_active_for("features/blue", "somebody"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Clock(Kind);

#[derive(Clone)]
enum Kind {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The system's real-time clock.
    pub const fn system() -> Self {
        Self(Kind::System)
    }

    /// A clock that stands at this instant until it is set. Clones share their hands.
    pub fn manual(now: Micros) -> Self {
        Self(Kind::Manual(Arc::new(AtomicI64::new(now.get()))))
    }

    /// Sets a manual clock, forwards or back. The system's clock is left alone.
    pub fn set(&self, now: Micros) {
        if let Kind::Manual(hands) = &self.0 {
            hands.store(now.get(), Ordering::SeqCst);
        }
    }

    /// Moves a manual clock forwards. The system's clock is left alone.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().saturating_add(span(by)));
    }

    /// The exact instant.
    pub fn now(&self) -> Micros {
        match &self.0 {
            Kind::System => system_now(),
            Kind::Manual(hands) => Micros::new(hands.load(Ordering::SeqCst)),
        }
    }

    /// An instant at most a few milliseconds before the exact one, for a tenth of the price.
    #[inline]
    pub(crate) fn coarse(&self) -> Micros {
        match &self.0 {
            Kind::System => system_coarse(),
            Kind::Manual(hands) => Micros::new(hands.load(Ordering::Relaxed)),
        }
    }

    /// Whether it may be set back at any time without anybody noticing.
    pub(crate) fn is_manual(&self) -> bool {
        matches!(self.0, Kind::Manual(_))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::System => formatter.write_str("Clock::system"),
            Kind::Manual(_) => write!(formatter, "Clock::manual({})", self.now()),
        }
    }
}

/// The exact instant of the system's clock, before 1970 too.
pub(crate) fn system_now() -> Micros {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => Micros::new(0).saturating_add(span(since)),
        Err(before) => Micros::new(0).saturating_sub(span(before.duration())),
    }
}

/// A duration in whole microseconds.
pub(crate) fn span(duration: Duration) -> Span {
    Span::from_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

/// The coarse clock, on systems that have one.
#[cfg(target_os = "linux")]
#[inline]
fn system_coarse() -> Micros {
    micros(rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse))
}

#[cfg(not(target_os = "linux"))]
fn system_coarse() -> Micros {
    system_now()
}

#[cfg(target_os = "linux")]
#[inline]
fn micros(time: rustix::time::Timespec) -> Micros {
    Micros::new(time.tv_sec.saturating_mul(1_000_000).saturating_add(time.tv_nsec / 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coarse_clock_is_behind_by_little_and_never_ahead() {
        let clock = Clock::system();
        for _ in 0..1_000 {
            let coarse = clock.coarse();
            let exact = clock.now();
            assert!(coarse <= exact, "{coarse} is ahead of {exact}");
            assert!(exact.since(coarse) < Span::SECOND, "{coarse} is far behind {exact}");
        }
    }

    #[test]
    fn a_manual_clock_moves_when_told_to() {
        let clock = Clock::manual(Micros::new(5));
        let twin = clock.clone();
        twin.advance(Duration::from_micros(7));
        assert_eq!((clock.now(), clock.coarse()), (Micros::new(12), Micros::new(12)));
        twin.set(Micros::new(-3));
        assert_eq!(clock.now(), Micros::new(-3));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn timespecs_before_the_epoch() {
        let before = rustix::time::Timespec { tv_sec: -1, tv_nsec: 999_999_000 };
        assert_eq!(micros(before), Micros::new(-1));
    }
}
