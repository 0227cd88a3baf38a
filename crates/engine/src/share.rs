//! Positions and shares: in which of 2^32 buckets a key falls, and how many buckets have `new`.

use std::fmt;

/// The bucket of a key, one of 2^32 places; keys at place 0 get `new` first.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Position(u32);

impl Position {
    /// The place with this number, 0 to 2^32 - 1.
    pub const fn new(place: u32) -> Self {
        Self(place)
    }

    /// The number of this place, 0 to 2^32 - 1.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The rollout percentage as an integer: how many of the 2^32 positions have `new`; [`Share::FULL`] (2^32) is everyone.
///
/// Text is read by [`parse_percent`](crate::document::parse_percent), which [`FromStr`](std::str::FromStr) calls: 0 to 100
/// with at most six decimals, exactly.
///
/// [`Display`](fmt::Display) writes it in per cent, without a sign, rounded to six decimals. A percentage that was read is
/// written as the same number, because shares are 43 times finer than a millionth of a per cent.
///
/// ```
/// use tidegate_engine::Share;
///
/// let share = Share::from_millionths(12_500_000).unwrap();
/// assert_eq!(share.to_string(), "12.5");
/// assert_eq!(share.get(), 1 << 29);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Share(u64);

impl Share {
    /// No key has `new`.
    pub const ZERO: Self = Self(0);
    /// Every key has `new`.
    pub const FULL: Self = Self(1 << 32);

    /// The share of this number of places; `None` above [`Share::FULL`].
    pub const fn new(places: u64) -> Option<Self> {
        if places <= Self::FULL.0 { Some(Self(places)) } else { None }
    }

    /// How many of the 2^32 places have `new`.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The share of a percentage given in millionths of a per cent (0 to 10^8), rounded half to even;
    /// `None` above 100 per cent.
    pub const fn from_millionths(millionths: u64) -> Option<Self> {
        if millionths > MILLIONTHS_FULL {
            return None;
        }
        Some(Self(scaled(millionths, Self::FULL.0, MILLIONTHS_FULL)))
    }

    /// The percentage in millionths of a per cent, rounded half to even.
    ///
    /// A percentage that was read comes back as it was, because shares are 43 times finer than a millionth of a per cent.
    pub const fn to_millionths(self) -> u64 {
        scaled(self.0, MILLIONTHS_FULL, Self::FULL.0)
    }

    /// Whether a key has `new` under this fixed share: its position lies strictly below it. (While the share moves,
    /// [`Ramp`](crate::Ramp) decides.)
    pub const fn includes(self, key: Position) -> bool {
        (key.0 as u64) < self.0
    }

    /// The smaller of two shares.
    #[must_use]
    pub const fn min(self, other: Self) -> Self {
        if self.0 <= other.0 { self } else { other }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millionths = self.to_millionths();
        let (whole, fraction) = (millionths / 1_000_000, millionths % 1_000_000);
        if fraction == 0 {
            return write!(formatter, "{whole}");
        }
        write!(formatter, "{whole}.{}", format!("{fraction:06}").trim_end_matches('0'))
    }
}

/// `part` of `whole`, in units of which `units` make the whole; rounded half to even.
const fn scaled(part: u64, units: u64, whole: u64) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "a part of the whole gives at most `units`")]
    let scaled = round_half_even(part as u128 * units as u128, whole as u128) as u64;
    scaled
}

/// `numerator / denominator`, to the nearest integer, a half to the even one. The denominator is not zero.
pub(crate) const fn round_half_even(numerator: u128, denominator: u128) -> u128 {
    let (quotient, rest) = (numerator / denominator, numerator % denominator);
    let twice = rest * 2;
    if twice > denominator || (twice == denominator && quotient % 2 == 1) { quotient + 1 } else { quotient }
}

/// 100 per cent in millionths of a per cent.
const MILLIONTHS_FULL: u64 = 100_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_rounded_half_to_even() {
        let shares = [(0, 0), (1, 43), (50_000_000, 1 << 31), (100_000_000, 1 << 32), (390_625, 1 << 24)];
        for (millionths, places) in shares {
            assert_eq!(Share::from_millionths(millionths).unwrap().get(), places, "{millionths} millionths");
        }
        assert_eq!(Share::from_millionths(100_000_001), None);
    }

    #[test]
    fn every_percentage_comes_back_as_it_was() {
        for millionths in (0..=100_000_000).step_by(9_973) {
            assert_eq!(Share::from_millionths(millionths).unwrap().to_millionths(), millionths);
        }
    }

    #[test]
    fn the_edges_of_a_fixed_share() {
        let half = Share::new(1 << 31).unwrap();
        assert!(half.includes(Position::new((1 << 31) - 1)));
        assert!(!half.includes(Position::new(1 << 31)));
        assert!(!Share::ZERO.includes(Position::new(0)));
        assert!(Share::FULL.includes(Position::new(u32::MAX)));
    }

    #[test]
    fn shown_as_per_cent() {
        let shown = [(0, "0"), (1, "0.000001"), (12_500_000, "12.5"), (100_000_000, "100")];
        for (millionths, text) in shown {
            assert_eq!(Share::from_millionths(millionths).unwrap().to_string(), text);
        }
        assert_eq!(Share::new(1).unwrap().to_string(), "0", "a single place is below a millionth of a per cent");
    }

    #[test]
    fn halves_go_to_the_even_neighbour() {
        let cases = [(1, 2, 0), (3, 2, 2), (5, 2, 2), (7, 4, 2), (6, 4, 2), (2, 4, 0), (0, 7, 0)];
        for (numerator, denominator, expected) in cases {
            assert_eq!(round_half_even(numerator, denominator), expected, "{numerator}/{denominator}");
        }
    }
}
