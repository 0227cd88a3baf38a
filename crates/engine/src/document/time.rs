//! Instants as text: slowroll's three forms, as leniently as it reads them, and RFC 3339.
//!
//! Instants are computed with a civil calendar in whole microseconds, because a document may say the last
//! minute of the year 9999, where time zones' own instants have already ended.

use std::fmt;

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time, date};

use super::duration::is_blank;
use crate::Micros;

/// Why a text is not an instant.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// The text has none of the known forms.
    #[error("is not a time")]
    Unreadable,
    /// The text has no zone, so it means another instant in each time zone.
    #[error("has no time zone")]
    NoZone,
    /// The calendar has no such day, or the day no such time.
    #[error("names a day or time that does not exist")]
    NoSuchTime,
    /// The second is 60 or 61.
    #[error("names a leap second")]
    LeapSecond,
    /// The fraction of the second has more than six digits.
    #[error("is finer than a microsecond")]
    TooFine,
}

impl TimeError {
    /// What to do about it.
    pub const fn help(self) -> &'static str {
        match self {
            Self::Unreadable => "write it like `2026-12-01 00:00Z` or `2026-12-01T00:00:00+01:00`",
            Self::NoZone => "put a `Z` at the end for UTC, or an offset such as `+01:00`",
            Self::NoSuchTime => "check year (0001 to 9999, also in UTC), month, day, hour (0 to 23), minute and offset",
            Self::LeapSecond => "leap seconds are not counted: write second 59, or the next minute",
            Self::TooFine => "a microsecond is the finest step: leave at most six digits after the point",
        }
    }
}

/// Reads an instant as documents write it, to the microsecond.
///
/// The forms are `2026-12-01 00:00Z`, the same with seconds or with seconds and a fraction (fields of one
/// digit, several blanks and a small `z` are accepted, as slowroll does), and RFC 3339 with any offset, its
/// seconds optional.
///
/// ```
/// use tidegate_engine::document::parse_time;
///
/// assert_eq!(parse_time("2026-12-1  0:00z"), parse_time("2026-12-01T01:00:00+01:00"));
/// assert!(parse_time("2026-12-01 00:00").is_err());
/// ```
///
/// # Errors
///
/// [`TimeError`] says what is wrong with the text.
pub fn parse_time(text: &str) -> Result<Micros, TimeError> {
    match parse_plain(text) {
        Some(instant) => Ok(instant),
        None => parse_any(text),
    }
}

/// An instant such as `2026-12-01 00:00Z`, as most of them are written; the result is that of [`parse_any`].
fn parse_plain(text: &str) -> Option<Micros> {
    let &[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b' ', h0, h1, b':', n0, n1, b'Z'] = text.as_bytes() else {
        return None;
    };
    let digit = |byte: u8| char::from(byte).to_digit(10).map(i64::from);
    let two = |tens, ones| Some(digit(tens)? * 10 + digit(ones)?);
    let year = two(y0, y1)? * 100 + two(y2, y3)?;
    let (month, day, hour, minute) = (two(m0, m1)?, two(d0, d1)?, two(h0, h1)?, two(n0, n1)?);
    if hour > 23 || minute > 59 {
        return None;
    }
    let day = calendar_day(year, month, day)?;
    Some(Micros::new(((day * 24 + hour) * 60 + minute) * 60_000_000))
}

fn parse_any(text: &str) -> Result<Micros, TimeError> {
    let is_strict = matches!(text.as_bytes().get(10), Some(b'T' | b't')) || has_offset(text);
    let mut fields = Fields { rest: text, is_strict };
    let year = fields.digits(4, 4)?;
    fields.literal('-')?;
    let month = fields.two_digits()?;
    fields.literal('-')?;
    if !is_strict && fields.rest.strip_prefix(' ').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
        fields.literal(' ')?;
        if !fields.rest.get(1..).is_some_and(|rest| rest.starts_with(is_blank)) {
            return Err(TimeError::Unreadable);
        }
    }
    let day = fields.two_digits()?;
    fields.separator()?;
    let hour = fields.two_digits()?;
    fields.literal(':')?;
    let minute = fields.two_digits()?;
    let (second, microsecond) =
        if fields.literal(':').is_ok() { (fields.two_digits()?, fields.fraction()?) } else { (0, 0) };
    let offset_minutes = fields.zone()?;
    let day = calendar_day(year, month, day).ok_or(TimeError::NoSuchTime)?;
    if hour > 23 || minute > 59 || second > 61 {
        return Err(TimeError::NoSuchTime);
    }
    if second > 59 {
        return Err(TimeError::LeapSecond);
    }
    let seconds = ((day * 24 + hour) * 60 + minute - offset_minutes) * 60 + second;
    // By its offset an instant may lie in the year 0 or 10000, which nothing here could write.
    if !CALENDAR_SECONDS.contains(&seconds) {
        return Err(TimeError::NoSuchTime);
    }
    Ok(Micros::new(seconds * 1_000_000 + microsecond))
}

/// The seconds of the years 0001 to 9999 in UTC.
const CALENDAR_SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// Whether the text ends as RFC 3339 does where its offset is not `Z`: with `+01:00` or the like.
fn has_offset(text: &str) -> bool {
    let Some(sign) = text.len().checked_sub(6) else { return false };
    matches!(text.as_bytes().get(sign), Some(b'+' | b'-')) && text.as_bytes().get(sign + 3) == Some(&b':')
}

/// Days since the epoch; `None` where the calendar has no such day.
fn calendar_day(year: i64, month: i64, day: i64) -> Option<i64> {
    let year = i16::try_from(year).ok().filter(|&year| year >= 1)?;
    let day = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    Some(day.duration_since(date(1970, 1, 1)).as_secs() / 86_400)
}

/// The text that is still to be read, field by field.
struct Fields<'t> {
    rest: &'t str,
    /// RFC 3339: two digits in each field, one character between date and time.
    is_strict: bool,
}

impl Fields<'_> {
    fn two_digits(&mut self) -> Result<i64, TimeError> {
        self.digits(if self.is_strict { 2 } else { 1 }, 2)
    }

    fn digits(&mut self, least: usize, most: usize) -> Result<i64, TimeError> {
        let length = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at_checked(length).ok_or(TimeError::Unreadable)?;
        if length < least {
            return Err(TimeError::Unreadable);
        }
        self.rest = rest;
        digits.parse().map_err(|_| TimeError::Unreadable)
    }

    fn literal(&mut self, literal: char) -> Result<(), TimeError> {
        self.rest = self.rest.strip_prefix(literal).ok_or(TimeError::Unreadable)?;
        Ok(())
    }

    fn separator(&mut self) -> Result<(), TimeError> {
        self.rest = if self.is_strict {
            self.rest.strip_prefix(['T', 't', ' ']).ok_or(TimeError::Unreadable)?
        } else {
            let rest = self.rest.trim_start_matches(is_blank);
            if rest.len() == self.rest.len() {
                return Err(TimeError::Unreadable);
            }
            rest
        };
        Ok(())
    }

    /// Microseconds after a point, if there is one. RFC 3339 sets no bound on the digits: those after the
    /// sixth have to be zeros, so that nothing is rounded.
    fn fraction(&mut self) -> Result<i64, TimeError> {
        if self.literal('.').is_err() {
            return Ok(0);
        }
        let before = self.rest.len();
        let number = self.digits(1, 6)?;
        let digits = before - self.rest.len();
        let finer = self.rest.trim_start_matches('0');
        if finer.starts_with(|character: char| character.is_ascii_digit()) {
            return Err(TimeError::TooFine);
        }
        if finer.len() < self.rest.len() && !self.is_strict {
            return Err(TimeError::TooFine);
        }
        self.rest = finer;
        Ok(number * 10_i64.pow(6_u32.saturating_sub(u32::try_from(digits).unwrap_or(6))))
    }

    /// Minutes east of Greenwich; nothing may follow.
    fn zone(&mut self) -> Result<i64, TimeError> {
        if self.rest.is_empty() {
            return Err(TimeError::NoZone);
        }
        if self.rest.eq_ignore_ascii_case("z") {
            return Ok(0);
        }
        let sign = if self.literal('+').is_ok() {
            1
        } else {
            self.literal('-')?;
            -1
        };
        let hours = self.digits(2, 2)?;
        self.literal(':')?;
        let minutes = self.digits(2, 2)?;
        if !self.rest.is_empty() {
            return Err(TimeError::Unreadable);
        }
        if hours > 23 || minutes > 59 {
            return Err(TimeError::NoSuchTime);
        }
        Ok(sign * (hours * 60 + minutes))
    }
}

/// RFC 3339 in UTC with six digits of fraction; `None` outside of the years -9999 to 9999.
pub(crate) fn to_rfc3339(instant: Micros) -> Option<String> {
    let epoch = DateTime::from_parts(date(1970, 1, 1), Time::midnight());
    let moment = epoch.checked_add(SignedDuration::from_micros(instant.get())).ok()?;
    Some(format!("{moment:.6}Z"))
}

impl fmt::Display for Micros {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match to_rfc3339(*self) {
            Some(text) => formatter.write_str(&text),
            None => write!(formatter, "{}us", self.get()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_ends_where_its_years_do() {
        let start_of = |day: Date| day.duration_since(date(1970, 1, 1)).as_secs();
        assert_eq!(CALENDAR_SECONDS, start_of(date(1, 1, 1))..=start_of(date(9999, 12, 31)) + 86_399);
    }

    #[test]
    fn a_plain_time_is_read_as_any_other() {
        for year in ["0000", "0001", "1900", "1969", "1970", "2000", "2023", "2024", "9999", "+202", "20a4"] {
            for day in
                ["00-01", "01-00", "01-01", "02-28", "02-29", "02-30", "12-31", "13-01", "1-011", " 1-01", "06-31"]
            {
                for time in ["00:00Z", "23:59Z", "24:00Z", "12:60Z", "1:000Z", " 1:00Z", "00:00z", "00:00", "00:00:00Z"]
                {
                    let text = format!("{year}-{day} {time}");
                    assert_eq!(parse_time(&text), parse_any(&text), "{text:?}");
                }
            }
        }
        assert!(parse_plain("2026-12-01 00:00Z").is_some() && parse_plain("2026-12-01T00:00Z").is_none());
    }

    #[test]
    fn instants_beyond_the_calendar_still_print() {
        assert_eq!(Micros::MAX.to_string(), "9223372036854775807us");
        assert_eq!(Micros::new(-1).to_string(), "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn read_to_the_microsecond() {
        let times = [
            ("2025-01-01 00:00Z", "2025-01-01T00:00:00.000000Z"),
            ("2025-1-1 0:0Z", "2025-01-01T00:00:00.000000Z"),
            ("2025-01- 1 00:00Z", "2025-01-01T00:00:00.000000Z"),
            ("2025-01-01 \t\u{a0}\u{1c} 7:5:9.5z", "2025-01-01T07:05:09.500000Z"),
            ("2031-12-10 02:47:48.1234Z", "2031-12-10T02:47:48.123400Z"),
            ("2025-01-01T00:00:00Z", "2025-01-01T00:00:00.000000Z"),
            ("2025-01-01t00:00:00z", "2025-01-01T00:00:00.000000Z"),
            ("2025-01-01T00:00Z", "2025-01-01T00:00:00.000000Z"),
            ("2025-01-01T00:00:00.123456000Z", "2025-01-01T00:00:00.123456Z"),
            ("2025-01-01 00:00+02:00", "2024-12-31T22:00:00.000000Z"),
            ("2025-01-01T00:00:00.25-23:59", "2025-01-01T23:59:00.250000Z"),
            ("2025-01-01T00:00:00-00:00", "2025-01-01T00:00:00.000000Z"),
            ("0001-01-01 00:00Z", "0001-01-01T00:00:00.000000Z"),
            ("9999-12-31T23:59:59.999999-00:00", "9999-12-31T23:59:59.999999Z"),
            ("9999-12-31 23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
            ("2024-02-29 12:00Z", "2024-02-29T12:00:00.000000Z"),
        ];
        for (text, instant) in times {
            assert_eq!(parse_time(text).map(|time| time.to_string()).as_deref(), Ok(instant), "{text:?}");
        }
    }

    #[test]
    fn refused_with_the_reason() {
        let refused = [
            ("", TimeError::Unreadable),
            ("tomorrow", TimeError::Unreadable),
            ("2025-01-01", TimeError::Unreadable),
            ("2025-01-01 00:00", TimeError::NoZone),
            ("2025-01-01T00:00:00", TimeError::NoZone),
            ("2025-01-01 00:00:00.5", TimeError::NoZone),
            ("2025-02-30 00:00Z", TimeError::NoSuchTime),
            ("2023-02-29 00:00Z", TimeError::NoSuchTime),
            ("2025-13-01 00:00Z", TimeError::NoSuchTime),
            ("2025-00-01 00:00Z", TimeError::NoSuchTime),
            ("0000-01-01 00:00Z", TimeError::NoSuchTime),
            ("2025-01-01 24:00Z", TimeError::NoSuchTime),
            ("2025-01-01 00:60Z", TimeError::NoSuchTime),
            ("2025-01-01 00:00:62Z", TimeError::NoSuchTime),
            ("2025-01-01T00:00:00+24:00", TimeError::NoSuchTime),
            ("0001-01-01T00:00:00+00:01", TimeError::NoSuchTime),
            ("9999-12-31T23:59:59-00:01", TimeError::NoSuchTime),
            ("2016-12-31 23:59:60Z", TimeError::LeapSecond),
            ("2016-12-31T23:59:60+00:00", TimeError::LeapSecond),
            ("2025-01-01 00:00:00.1234567Z", TimeError::TooFine),
            ("2025-01-01 00:00:00.1234560Z", TimeError::TooFine),
            ("2025-01-01T00:00:00.1234567Z", TimeError::TooFine),
            ("2025-01-01 00:00Z; rm -rf", TimeError::Unreadable),
            ("2025-01-01 00:00Z\n", TimeError::Unreadable),
            (" 2025-01-01 00:00Z", TimeError::Unreadable),
            ("2025-01-01 00:00 Z", TimeError::Unreadable),
            ("2025-01-01 00:00:Z", TimeError::Unreadable),
            ("2025-01-01 00:00:00.Z", TimeError::Unreadable),
            ("2025-01-01 00:00.5Z", TimeError::Unreadable),
            ("2025-01-0100:00Z", TimeError::Unreadable),
            ("2025-01- 01 00:00Z", TimeError::Unreadable),
            ("25-01-01 00:00Z", TimeError::Unreadable),
            ("02025-01-01 00:00Z", TimeError::Unreadable),
            ("2025-1-1T0:0:0Z", TimeError::Unreadable),
            ("2025-01-01  00:00+01:00", TimeError::Unreadable),
            ("2025-01-01 00:00+0100", TimeError::Unreadable),
            ("2025-01-01 00:00 UTC", TimeError::Unreadable),
            ("2025-01-01 00:00Ｚ", TimeError::Unreadable),
            ("\u{0662}\u{0660}25-01-01 00:00Z", TimeError::Unreadable),
            ("1735689600", TimeError::Unreadable),
        ];
        for (text, error) in refused {
            assert_eq!(parse_time(text), Err(error), "{text:?}");
        }
    }
}
