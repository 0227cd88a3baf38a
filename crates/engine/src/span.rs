//! Durations, as whole microseconds.

use std::fmt;
use std::time::Duration;

/// A length of time in microseconds, never negative.
///
/// [`Display`](fmt::Display) writes it as documents do, in the largest units that fit (`1d12h`, `250ms`),
/// so that what is printed can be read back.
///
/// ```
/// use tidegate_engine::Span;
///
/// assert_eq!(Span::from_micros(129_600_000_000).to_string(), "1d12h");
/// assert_eq!(Span::ZERO.to_string(), "0s");
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Span(u64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// One second.
    pub const SECOND: Self = Self(1_000_000);
    /// The longest time that can be written.
    pub const MAX: Self = Self(u64::MAX);

    /// A length of time from microseconds.
    pub const fn from_micros(microseconds: u64) -> Self {
        Self(microseconds)
    }

    /// The length in microseconds.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Both lengths together, at most [`Span::MAX`].
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// In whole microseconds, what is below one cut off; a duration out of range becomes [`Span::MAX`].
///
/// ```
/// use std::time::Duration;
/// use tidegate_engine::Span;
///
/// assert_eq!(Span::from(Duration::from_millis(250)).to_string(), "250ms");
/// ```
impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
    }
}

/// Exact.
///
/// ```
/// use std::time::Duration;
/// use tidegate_engine::Span;
///
/// assert_eq!(Duration::from(Span::SECOND), Duration::from_secs(1));
/// ```
impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        Self::from_micros(span.0)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return formatter.write_str("0s");
        }
        let mut rest = self.0;
        for (name, unit) in UNITS {
            let count = rest / unit;
            rest %= unit;
            if count > 0 {
                write!(formatter, "{count}{name}")?;
            }
        }
        // Milliseconds are the smallest unit of a document; a fraction has the microseconds.
        let (millis, micros) = (rest / 1_000, rest % 1_000);
        match (millis, micros) {
            (0, 0) => Ok(()),
            (_, 0) => write!(formatter, "{millis}ms"),
            _ => write!(formatter, "{millis}.{}ms", format!("{micros:03}").trim_end_matches('0')),
        }
    }
}

/// Weeks are read but not written: people count a ramp in days.
const UNITS: [(&str, u64); 4] = [("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_convert_both_ways() {
        for micros in [0, 1, 1_500, u64::MAX] {
            assert_eq!(Span::from(Duration::from(Span::from_micros(micros))), Span::from_micros(micros));
        }
        assert_eq!(Span::from(Duration::from_nanos(1_999)), Span::from_micros(1));
        assert_eq!(Span::from(Duration::MAX), Span::MAX);
    }

    #[test]
    fn printed_in_the_largest_units_that_fit() {
        let spans = [
            (0, "0s"),
            (1, "0.001ms"),
            (1_500, "1.5ms"),
            (250_000, "250ms"),
            (1_000_000, "1s"),
            (90_061_001_000, "1d1h1m1s1ms"),
            (1_209_600_000_000, "14d"),
        ];
        for (microseconds, text) in spans {
            assert_eq!(Span::from_micros(microseconds).to_string(), text);
        }
    }
}
