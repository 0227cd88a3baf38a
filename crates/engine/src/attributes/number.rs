//! Numbers of attributes and conditions, compared exactly.

use std::cmp::Ordering;
use std::fmt;

/// A number as JSON knows it. An integer and a float are compared by their exact values, never rounded to each other's type.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Integer(i128),
    Float(f64),
}

impl Number {
    /// A number from its JSON text; `None` if it is not a number or not finite.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if !text.contains(['.', 'e', 'E']) {
            return text.parse().ok().map(Self::Integer);
        }
        text.parse().ok().filter(|float: &f64| float.is_finite()).map(Self::Float)
    }

    pub(crate) fn from_json(number: &serde_json::Number) -> Option<Self> {
        let integer = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        integer.map(Self::Integer).or_else(|| number.as_f64().map(Self::Float))
    }

    /// How this number relates to another; `None` if one of them is not a number.
    #[inline]
    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(one), Self::Integer(other)) => Some(one.cmp(&other)),
            (Self::Float(one), Self::Float(other)) => one.partial_cmp(&other),
            (Self::Integer(one), Self::Float(other)) => compare_mixed(one, other),
            (Self::Float(one), Self::Integer(other)) => compare_mixed(other, one).map(Ordering::reverse),
        }
    }

    #[inline]
    pub(crate) fn is_same(self, other: Self) -> bool {
        self.compare(other) == Some(Ordering::Equal)
    }

    /// The number as an integer, if it is written as one.
    pub(crate) fn as_integer(self) -> Option<i128> {
        match self {
            Self::Integer(integer) => Some(integer),
            Self::Float(_) => None,
        }
    }
}

fn compare_mixed(integer: i128, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    if float >= INTEGERS_END {
        return Some(Ordering::Less);
    }
    if float < -INTEGERS_END {
        return Some(Ordering::Greater);
    }
    let whole = float.trunc();
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and within the range of 128 bits")]
    let order = integer.cmp(&(whole as i128));
    Some(order.then_with(|| {
        if float > whole {
            Ordering::Less
        } else if float < whole {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    }))
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(integer) => integer.fmt(formatter),
            Self::Float(float) => match serde_json::Number::from_f64(*float) {
                Some(number) => number.fmt(formatter),
                None => formatter.write_str("null"),
            },
        }
    }
}

/// 2^127: from here on no integer of 128 bits is as large.
const INTEGERS_END: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_exactly() {
        let rising = [
            "-1e300",
            "-9007199254740993.0e3",
            "-3",
            "-2.5",
            "-2",
            "0",
            "0.1",
            "1",
            "1.5",
            "2",
            "9007199254740992.0",
            "9007199254740993",
            "18446744073709551615",
            "1e300",
        ];
        for (place, one) in rising.iter().enumerate() {
            for (other_place, other) in rising.iter().enumerate() {
                let compared = Number::parse(one).unwrap().compare(Number::parse(other).unwrap());
                assert_eq!(compared, Some(place.cmp(&other_place)), "{one} and {other}");
            }
        }
        assert!(Number::parse("1").unwrap().is_same(Number::parse("1.0").unwrap()));
        assert!(Number::parse("-0.0").unwrap().is_same(Number::Integer(0)));
        assert_eq!(Number::Float(f64::NAN).compare(Number::Integer(0)), None);
        assert_eq!(Number::Float(f64::INFINITY).compare(Number::Integer(i128::MAX)), Some(Ordering::Greater));
        assert_eq!(Number::Float(f64::NEG_INFINITY).compare(Number::Integer(i128::MIN)), Some(Ordering::Less));
        assert!(Number::parse("x").is_none() && Number::parse("1e999").is_none());
    }
}
