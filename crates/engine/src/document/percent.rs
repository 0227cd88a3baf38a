//! Percentages as text: exact decimals, never doubles.

use std::str::FromStr;

use crate::Share;

/// Why a text is not a percentage.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PercentError {
    /// The text is not a number as JSON writes it.
    #[error("is not a number")]
    Unreadable,
    /// The number is negative.
    #[error("is below 0")]
    BelowZero,
    /// The number is greater than 100.
    #[error("is above 100")]
    AboveHundred,
    /// The number needs more than six decimals.
    #[error("has more than six decimals")]
    TooFine,
}

impl PercentError {
    /// What to do about it.
    pub const fn help(self) -> &'static str {
        match self {
            Self::TooFine => "round it to six decimals: a millionth of a per cent is the finest step",
            _ => "write a number from 0 to 100, such as `12.5`",
        }
    }
}

/// Reads a percentage from the spelling of a JSON number, exactly: 0 to 100 with at most six decimals.
///
/// ```
/// use tidegate_engine::document::parse_percent;
///
/// assert_eq!(parse_percent("1e1").unwrap().to_string(), "10");
/// assert!(parse_percent("0.0000001").is_err());
/// ```
///
/// # Errors
///
/// [`PercentError`] says what is wrong with the number.
pub fn parse_percent(text: &str) -> Result<Share, PercentError> {
    Share::from_millionths(parse_millionths(text)?).ok_or(PercentError::AboveHundred)
}

/// Reads a number that is not negative and has at most six decimals, in millionths. A number that does not fit is
/// [`PercentError::AboveHundred`].
pub(crate) fn parse_millionths(text: &str) -> Result<u64, PercentError> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return Err(PercentError::Unreadable),
        None => (mantissa, ""),
    };
    let is_canonical = whole == "0" || !whole.starts_with('0');
    let digits = || whole.bytes().chain(fraction.bytes());
    if whole.is_empty() || !is_canonical || !digits().all(|digit| digit.is_ascii_digit()) {
        return Err(PercentError::Unreadable);
    }
    let mut millionths: u64 = 0;
    // The power of ten of the current digit, in millionths of a per cent.
    let mut power = exponent.saturating_add(5).saturating_add(i64::try_from(whole.len()).unwrap_or(i64::MAX));
    for digit in digits() {
        if digit != b'0' {
            if power < 0 {
                return Err(if negative { PercentError::BelowZero } else { PercentError::TooFine });
            }
            let unit = u32::try_from(power).ok().and_then(|power| 10_u64.checked_pow(power));
            let Some(part) = unit.and_then(|unit| unit.checked_mul(u64::from(digit - b'0'))) else {
                return Err(if negative { PercentError::BelowZero } else { PercentError::AboveHundred });
            };
            millionths = millionths.saturating_add(part);
        }
        power = power.saturating_sub(1);
    }
    if negative && millionths > 0 {
        return Err(PercentError::BelowZero);
    }
    Ok(millionths)
}

/// Reads a percentage as [`parse_percent`] does: `"12.5"`, without a sign.
///
/// ```
/// use tidegate_engine::Share;
///
/// let share: Share = "12.50".parse().unwrap();
/// assert_eq!(share.to_string(), "12.5");
/// ```
impl FromStr for Share {
    type Err = PercentError;

    fn from_str(text: &str) -> Result<Self, PercentError> {
        parse_percent(text)
    }
}

fn parse_exponent(text: &str) -> Result<i64, PercentError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(PercentError::Unreadable);
    }
    // Half the range, so that adding the number of digits cannot turn it round.
    let size = digits.parse::<i64>().unwrap_or(i64::MAX).min(i64::MAX / 2);
    Ok(if negative { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_exactly() {
        let percentages = [
            ("0", 0),
            ("-0", 0),
            ("-0.0e7", 0),
            ("0e999999999999999999999", 0),
            ("100", 100_000_000),
            ("100.000000000", 100_000_000),
            ("1e2", 100_000_000),
            ("1E+1", 10_000_000),
            ("0.1e+1", 1_000_000),
            ("1000e-1", 100_000_000),
            ("12.5", 12_500_000),
            ("0.000001", 1),
            ("1e-6", 1),
            ("0.0000010", 1),
            ("99.999999", 99_999_999),
        ];
        for (text, millionths) in percentages {
            assert_eq!(parse_percent(text), Ok(Share::from_millionths(millionths).unwrap()), "{text}");
        }
    }

    #[test]
    fn a_percentage_is_written_as_it_was_read() {
        for millionths in (0..=100_000_000_u64).step_by(49_999).chain([1, 99_999_999, 100_000_000]) {
            let (whole, fraction) = (millionths / 1_000_000, millionths % 1_000_000);
            let text = format!("{whole}.{fraction:06}");
            let text = text.trim_end_matches('0').trim_end_matches('.');
            assert_eq!(text.parse::<Share>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refused_with_the_reason() {
        let refused = [
            ("101", PercentError::AboveHundred),
            ("100.000001", PercentError::AboveHundred),
            ("1e999999999999999999999", PercentError::AboveHundred),
            ("1e18", PercentError::AboveHundred),
            ("-1", PercentError::BelowZero),
            ("-1e-7", PercentError::BelowZero),
            ("0.0000001", PercentError::TooFine),
            ("1e-999999999999999999999", PercentError::TooFine),
            ("100.0000001", PercentError::TooFine),
            ("", PercentError::Unreadable),
            ("-", PercentError::Unreadable),
            (".5", PercentError::Unreadable),
            ("5.", PercentError::Unreadable),
            ("05", PercentError::Unreadable),
            ("1e", PercentError::Unreadable),
            ("50%", PercentError::Unreadable),
            ("half", PercentError::Unreadable),
            ("\u{0665}", PercentError::Unreadable),
        ];
        for (text, error) in refused {
            assert_eq!(parse_percent(text), Err(error), "{text}");
        }
    }
}
