//! Instants, as whole microseconds.
//!
//! Callers pass the time to the engine as a [`Micros`]. Nothing here reads a clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Span;

/// An instant: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// The whole range of `i64` is legal (about 292,000 years each way); arithmetic saturates, because an
/// instant beyond the range can only be compared, never reached. [`Display`](std::fmt::Display) is RFC 3339 in
/// UTC with six digits of fraction for the years -9999 to 9999, and the plain number of microseconds
/// followed by `us` outside of them.
///
/// ```
/// use tidegate_engine::Micros;
///
/// assert_eq!(Micros::new(1_500_000).to_string(), "1970-01-01T00:00:01.500000Z");
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Micros(i64);

impl Micros {
    /// The earliest instant that can be written; earlier results saturate here.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest instant that can be written; later results saturate here.
    pub const MAX: Self = Self(i64::MAX);

    /// An instant from microseconds since the Unix epoch.
    pub const fn new(microseconds: i64) -> Self {
        Self(microseconds)
    }

    /// Microseconds since the Unix epoch.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The instant `span` later, at most [`Micros::MAX`].
    #[must_use]
    pub const fn saturating_add(self, span: Span) -> Self {
        Self(self.0.saturating_add_unsigned(span.get()))
    }

    /// The instant `span` earlier, at least [`Micros::MIN`].
    #[must_use]
    pub const fn saturating_sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub_unsigned(span.get()))
    }

    /// The time from `earlier` to `self`; zero if `earlier` is the later one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        if self.0 <= earlier.0 { Span::ZERO } else { Span::from_micros(self.0.abs_diff(earlier.0)) }
    }

    /// The last whole second at or before this instant.
    ///
    /// Interpolated numbers are computed there, so that an answer holds for at least a second.
    #[must_use]
    pub const fn floor_to_second(self) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(Span::SECOND.get().cast_signed())))
    }

    /// The first whole second at or after this instant.
    #[must_use]
    pub const fn ceil_to_second(self) -> Self {
        let floor = self.floor_to_second();
        if floor.0 == self.0 { self } else { floor.saturating_add(Span::SECOND) }
    }

    /// The same instant as the standard library has it; `None` where the platform's `SystemTime` cannot hold it. On Unix
    /// it holds every instant.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use tidegate_engine::Micros;
    ///
    /// assert_eq!(Micros::new(1_500_000).to_system_time(), Some(UNIX_EPOCH + Duration::from_millis(1_500)));
    /// ```
    pub fn to_system_time(self) -> Option<SystemTime> {
        let distance = Duration::from_micros(self.0.unsigned_abs());
        if self.0 < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
    }
}

/// The last whole microsecond at or before the instant; one out of range becomes [`Micros::MIN`] or [`Micros::MAX`].
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use tidegate_engine::Micros;
///
/// assert_eq!(Micros::from(UNIX_EPOCH + Duration::from_nanos(1_999)), Micros::new(1));
/// ```
impl From<SystemTime> for Micros {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(i64::try_from(after.as_micros()).unwrap_or(i64::MAX)),
            Err(before) => {
                let before = before.duration().as_nanos().div_ceil(1_000);
                Self(i64::try_from(before).ok().and_then(i64::checked_neg).unwrap_or(i64::MIN))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_found_on_both_sides_of_the_epoch() {
        let floors = [(0, 0), (1, 0), (999_999, 0), (1_000_000, 1_000_000), (-1, -1_000_000), (-1_000_000, -1_000_000)];
        for (instant, floor) in floors {
            assert_eq!(Micros::new(instant).floor_to_second(), Micros::new(floor), "floor of {instant}");
        }
        let ceilings = [(0, 0), (1, 1_000_000), (-1, 0), (-1_000_001, -1_000_000)];
        for (instant, ceiling) in ceilings {
            assert_eq!(Micros::new(instant).ceil_to_second(), Micros::new(ceiling), "ceiling of {instant}");
        }
        assert_eq!(Micros::MIN.floor_to_second(), Micros::MIN);
        assert_eq!(Micros::MAX.ceil_to_second(), Micros::MAX);
    }

    #[test]
    fn system_times_convert_both_ways() {
        for micros in [0, 1, -1, 1_764_000_000_123_456, -62_000_000_000_000_001, i64::MAX, -i64::MAX] {
            let instant = Micros::new(micros);
            let time = instant.to_system_time().unwrap();
            assert_eq!(Micros::from(time), instant, "{micros}");
        }
        let nanos = |nanos| UNIX_EPOCH + Duration::from_nanos(nanos);
        assert_eq!(Micros::from(nanos(1_999)), Micros::new(1));
        assert_eq!(Micros::from(UNIX_EPOCH - Duration::from_nanos(1)), Micros::new(-1), "the microsecond before");
        let far = Duration::from_secs(u64::from(u32::MAX) * 100_000);
        assert_eq!(Micros::from(UNIX_EPOCH + far), Micros::MAX);
        assert_eq!(Micros::from(UNIX_EPOCH - far), Micros::MIN);
    }

    #[test]
    fn distances_are_never_negative() {
        assert_eq!(Micros::new(5).since(Micros::new(7)), Span::ZERO);
        assert_eq!(Micros::MAX.since(Micros::MIN), Span::from_micros(u64::MAX));
    }
}
