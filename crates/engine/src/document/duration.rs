//! Durations as text: `14d`, `1h30m`, `1.5h`, `250ms 15s`.
//!
//! A duration is one or more parts, each a number and a unit, in any order, with optional white space; no unit twice,
//! nothing negative. Numbers are read as doubles and added as slowroll's `timedelta` adds them, so that both give the same
//! number of microseconds. Only reading uses doubles: the result is an integer.

use crate::{Span, limits};

/// Why a text is not a duration.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DurationError {
    /// The text is empty or blank.
    #[error("is empty")]
    Empty,
    /// A number is negative.
    #[error("is negative")]
    Negative,
    /// A unit occurs twice.
    #[error("has the unit `{0}` twice")]
    UnitTwice(&'static str),
    /// A number has no unit, or another one than `w d h m s ms`.
    #[error("has a number without a unit")]
    UnitMissing,
    /// A part is not a number with a unit.
    #[error("is not a list of numbers with units")]
    Unreadable,
    /// The whole is longer than [`limits::DURATION_MICROS_MAX`].
    #[error("is longer than the limit of 10,000 years")]
    TooLong,
}

impl DurationError {
    /// What to do about it.
    pub const fn help(self) -> &'static str {
        match self {
            Self::Negative => "a duration is a length of time: write it without the sign",
            Self::UnitTwice(_) => "add the two up into one number",
            Self::TooLong => "no rollout takes that long: check the unit",
            Self::Empty | Self::UnitMissing | Self::Unreadable => {
                "write numbers with the units w, d, h, m, s or ms, such as `14d` or `1h30m`"
            }
        }
    }
}

/// Reads a duration as documents write it, to the microsecond.
///
/// ```
/// use tidegate_engine::document::parse_duration;
///
/// assert_eq!(parse_duration("1h30m").unwrap(), parse_duration("1.5h").unwrap());
/// assert!(parse_duration("-1h").is_err());
/// ```
///
/// # Errors
///
/// [`DurationError`] says what is wrong with the text.
pub fn parse_duration(text: &str) -> Result<Span, DurationError> {
    match parse_plain(text) {
        Some(span) => Ok(span),
        None => parse_any(text),
    }
}

/// A duration of a whole number and one unit, as most of them are written; the result is that of [`parse_any`].
fn parse_plain(text: &str) -> Option<Span> {
    let (unit, digits) = text.as_bytes().split_last()?;
    if !(1..=PLAIN_DIGITS_MAX).contains(&digits.len()) {
        return None;
    }
    let unit = match unit {
        b's' => 1_000_000,
        b'm' => 60_000_000,
        b'h' => 3_600_000_000,
        b'd' => 86_400_000_000,
        b'w' => 604_800_000_000_u64,
        _ => return None,
    };
    let mut number = 0_u64;
    for digit in digits {
        number = number * 10 + u64::from(char::from(*digit).to_digit(10)?);
    }
    let span = number * unit;
    if span <= limits::DURATION_MICROS_MAX { Some(Span::from_micros(span)) } else { None }
}

/// A number of this many digits times the longest unit is below 2^64.
const PLAIN_DIGITS_MAX: usize = 7;

fn parse_any(text: &str) -> Result<Span, DurationError> {
    let mut rest = text.trim_matches(is_blank);
    if rest.is_empty() {
        return Err(DurationError::Empty);
    }
    let mut numbers = [None; UNITS.len()];
    while !rest.is_empty() {
        let (number, unit, after) = split_piece(rest)?;
        let (slot, name) = numbers
            .iter_mut()
            .zip(UNITS)
            .find_map(|(slot, (name, ..))| (name == unit).then_some((slot, name)))
            .ok_or(DurationError::Unreadable)?;
        if slot.replace(number).is_some() {
            return Err(DurationError::UnitTwice(name));
        }
        rest = after;
    }
    add_up(numbers)
}

/// The first number, its unit, and the text after both.
fn split_piece(text: &str) -> Result<(f64, &str, &str), DurationError> {
    let (digits, rest) = split_while(text, |character| character.is_ascii_digit() || character == '.');
    if digits.is_empty() {
        let negative =
            rest.strip_prefix('-').is_some_and(|after| after.starts_with(|c: char| c.is_ascii_digit() || c == '.'));
        return Err(if negative { DurationError::Negative } else { DurationError::Unreadable });
    }
    let number = digits.parse::<f64>().map_err(|_| DurationError::Unreadable)?;
    let rest = rest.trim_start_matches(is_blank);
    let unit_bytes = if rest.starts_with("ms") {
        2
    } else if rest.starts_with(['w', 'd', 'h', 'm', 's']) {
        1
    } else {
        return Err(DurationError::UnitMissing);
    };
    let (unit, after) = rest.split_at_checked(unit_bytes).ok_or(DurationError::Unreadable)?;
    Ok((number, unit, after.trim_start_matches(is_blank)))
}

/// The sum as Python's `timedelta` makes it: whole parts exactly, fractions as doubles whose own whole
/// parts are exact again, and one rounding of what is left, half to the even total.
fn add_up(numbers: [Option<f64>; UNITS.len()]) -> Result<Span, DurationError> {
    let mut total: u128 = 0;
    let mut leftover = 0.0_f64;
    for (number, (_, unit, unit_double)) in numbers.into_iter().zip(UNITS) {
        let Some(number) = number else { continue };
        let whole = whole_number(number.trunc())?;
        total += whole * u128::from(unit);
        if number.fract() > 0.0 {
            let scaled = number.fract() * unit_double;
            total += whole_number(scaled.trunc())?;
            leftover += scaled.fract();
        }
    }
    total += round_leftover(leftover, total % 2 == 1)?;
    match u64::try_from(total) {
        Ok(microseconds) if microseconds <= limits::DURATION_MICROS_MAX => Ok(Span::from_micros(microseconds)),
        _ => Err(DurationError::TooLong),
    }
}

fn round_leftover(leftover: f64, total_is_odd: bool) -> Result<u128, DurationError> {
    let nearest = leftover.round();
    if (nearest - leftover).abs().total_cmp(&0.5).is_ne() {
        return whole_number(nearest);
    }
    let odd = if total_is_odd { 1.0 } else { 0.0 };
    whole_number(2.0 * ((leftover + odd) * 0.5).round() - odd)
}

/// A double without a fraction as an integer; too long beyond what any unit allows.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie between 0 and 2^63")]
fn whole_number(number: f64) -> Result<u128, DurationError> {
    if (0.0..9.2e18).contains(&number) { Ok(number as u128) } else { Err(DurationError::TooLong) }
}

fn split_while(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|character| !belongs(character)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// White space as Python's `str` knows it: Unicode's, and the four separators of ASCII.
pub(crate) fn is_blank(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')
}

/// The units with their microseconds, as integer and as double, in the order in which `timedelta` adds
/// them up.
const UNITS: [(&str, u64, f64); 6] = [
    ("ms", 1_000, 1e3),
    ("s", 1_000_000, 1e6),
    ("m", 60_000_000, 6e7),
    ("h", 3_600_000_000, 3.6e9),
    ("d", 86_400_000_000, 8.64e10),
    ("w", 604_800_000_000, 6.048e11),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_duration_is_read_as_any_other() {
        for number in
            ["0", "1", "7", "14", "0014", "999999", "9999999", "10000000", "99999999999", "", "1.5", "-1", " 1", "1 "]
        {
            for unit in ["w", "d", "h", "m", "s", "ms", "", "x", "d ", " d", "\u{e9}"] {
                let text = format!("{number}{unit}");
                assert_eq!(parse_duration(&text), parse_any(&text), "{text:?}");
            }
        }
        assert!(parse_plain("14d").is_some() && parse_plain("1ms").is_none());
    }

    #[test]
    fn read_to_the_microsecond() {
        let durations = [
            ("14d", 1_209_600_000_000),
            ("2w", 1_209_600_000_000),
            ("1 ms", 1_000),
            ("1ms1m", 60_001_000),
            ("250ms 15s 30m", 1_815_250_000),
            (".5h", 1_800_000_000),
            ("5.h", 18_000_000_000),
            ("  1\t h \u{1f}\u{a0}", 3_600_000_000),
            ("0.0005ms", 0),
            ("0.0015ms", 2),
            ("0.0025ms", 2),
            ("1.0000005s", 1_000_001),
            ("0s", 0),
            ("3652500d", limits::DURATION_MICROS_MAX),
        ];
        for (text, microseconds) in durations {
            assert_eq!(parse_duration(text), Ok(Span::from_micros(microseconds)), "{text:?}");
        }
    }

    #[test]
    fn refused_with_the_reason() {
        let refused = [
            ("", DurationError::Empty),
            (" \t", DurationError::Empty),
            ("-1h", DurationError::Negative),
            ("1h -1m", DurationError::Negative),
            ("-.5h", DurationError::Negative),
            ("-", DurationError::Unreadable),
            ("-x", DurationError::Unreadable),
            ("1h 1h", DurationError::UnitTwice("h")),
            ("1", DurationError::UnitMissing),
            ("1 month", DurationError::Unreadable),
            ("1y", DurationError::UnitMissing),
            ("1H", DurationError::UnitMissing),
            ("1e3s", DurationError::UnitMissing),
            ("1.2.3s", DurationError::Unreadable),
            (".s", DurationError::Unreadable),
            ("h", DurationError::Unreadable),
            ("+1h", DurationError::Unreadable),
            ("1h,1m", DurationError::Unreadable),
            ("PT1H", DurationError::Unreadable),
            ("\u{0661}h", DurationError::Unreadable),
            ("3652500d 0.001ms", DurationError::TooLong),
            ("99999999999999999999999s", DurationError::TooLong),
        ];
        for (text, error) in refused {
            assert_eq!(parse_duration(text), Err(error), "{text:?}");
        }
        assert_eq!(parse_duration(&format!("{}s", "9".repeat(400))), Err(DurationError::TooLong));
    }
}
