//! Values of a snapshot, with what they are: read once, when the document is compiled, so that no read parses JSON.

use serde_json::Number;

/// A value of a flag: its JSON text, and what a typed read needs of it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredValue {
    json: Box<str>,
    scalar: Scalar,
}

impl StoredValue {
    /// A value from compact JSON text that was checked before.
    pub(crate) fn new(json: &str) -> Self {
        Self { json: json.into(), scalar: Scalar::from_json(json) }
    }

    /// The compact JSON text, with the document's spelling of numbers.
    #[inline]
    pub fn as_json(&self) -> &str {
        &self.json
    }

    /// What the value is.
    #[inline]
    pub fn scalar(&self) -> Scalar {
        self.scalar
    }

    /// The text, if it is one without escapes.
    #[inline]
    pub fn as_text(&self) -> Option<&str> {
        if self.scalar.kind == ScalarKind::Text { unquote(&self.json) } else { None }
    }
}

/// A variant that a document gives a name: the name and the value.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedValue {
    name: Box<str>,
    value: StoredValue,
}

impl NamedValue {
    pub(crate) fn new(name: Box<str>, value: StoredValue) -> Self {
        Self { name, value }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value.
    pub fn value(&self) -> &StoredValue {
        &self.value
    }
}

/// A number or a boolean, or which other kind of JSON a value is. Numbers are read as `serde_json` reads them.
///
/// ```
/// use tidegate_engine::{Scalar, ScalarKind};
///
/// assert_eq!(Scalar::from_json("-7"), Scalar::from(-7_i64));
/// assert_eq!(Scalar::from_json("1.50").as_f64(), Some(1.5));
/// assert_eq!(Scalar::from_json(r#""a text""#).kind(), ScalarKind::Text);
/// assert_eq!(Scalar::from_json("[7]").kind(), ScalarKind::Json);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Scalar {
    kind: ScalarKind,
    /// The number or the boolean; 0 for other kinds.
    bits: u64,
}

/// The kinds of a [`Scalar`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ScalarKind {
    /// A boolean.
    Bool,
    /// An integer that is not negative.
    Unsigned,
    /// A negative integer.
    Signed,
    /// Any other number, such as `1.0`, `1e2` and `-0`.
    Float,
    /// A text without escapes: what stands between its quotes is the text.
    Text,
    /// Everything else: null, a list, an object, a text with escapes, a number that no float holds.
    Json,
}

impl Scalar {
    /// What a JSON text is.
    pub fn from_json(json: &str) -> Self {
        match json.as_bytes() {
            b"false" => Self::from(false),
            b"true" => Self::from(true),
            [b'-' | b'0'..=b'9', ..] => Self::from_number(json),
            [b'"', ..] if unquote(json).is_some_and(|text| !text.contains('\\')) => {
                Self { kind: ScalarKind::Text, bits: 0 }
            }
            _ => Self::JSON,
        }
    }

    fn from_number(json: &str) -> Self {
        let Ok(number) = serde_json::from_str::<Number>(json) else { return Self::JSON };
        match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(integer), _, _) => Self::from(integer),
            (None, Some(integer), _) => Self::from(integer),
            (None, None, Some(float)) => Self::from(float),
            (None, None, None) => Self::JSON,
        }
    }

    /// An integer between two JSON integers; those are of 64 bits, with a sign or without.
    pub(crate) fn from_integer(integer: i128) -> Self {
        match (u64::try_from(integer), i64::try_from(integer)) {
            (Ok(integer), _) => Self::from(integer),
            (_, Ok(integer)) => Self::from(integer),
            _ => Self::JSON,
        }
    }

    const JSON: Self = Self { kind: ScalarKind::Json, bits: 0 };

    /// Which kind of JSON it is.
    #[inline]
    pub const fn kind(self) -> ScalarKind {
        self.kind
    }

    /// The boolean.
    #[inline]
    pub const fn as_bool(self) -> Option<bool> {
        match self.kind {
            ScalarKind::Bool => Some(self.bits != 0),
            _ => None,
        }
    }

    /// The integer, if it is not negative.
    #[inline]
    pub const fn as_u64(self) -> Option<u64> {
        match self.kind {
            ScalarKind::Unsigned => Some(self.bits),
            _ => None,
        }
    }

    /// The integer, if it is negative.
    #[inline]
    pub const fn as_negative(self) -> Option<i64> {
        match self.kind {
            ScalarKind::Signed => Some(self.bits.cast_signed()),
            _ => None,
        }
    }

    /// The number, if it is written as a float.
    #[inline]
    pub const fn as_f64(self) -> Option<f64> {
        match self.kind {
            ScalarKind::Float => Some(f64::from_bits(self.bits)),
            _ => None,
        }
    }
}

impl From<bool> for Scalar {
    #[inline]
    fn from(value: bool) -> Self {
        Self { kind: ScalarKind::Bool, bits: u64::from(value) }
    }
}

impl From<u64> for Scalar {
    #[inline]
    fn from(value: u64) -> Self {
        Self { kind: ScalarKind::Unsigned, bits: value }
    }
}

impl From<i64> for Scalar {
    #[inline]
    fn from(value: i64) -> Self {
        let kind = if value < 0 { ScalarKind::Signed } else { ScalarKind::Unsigned };
        Self { kind, bits: value.cast_unsigned() }
    }
}

impl From<f64> for Scalar {
    #[inline]
    fn from(value: f64) -> Self {
        Self { kind: ScalarKind::Float, bits: value.to_bits() }
    }
}

/// What stands between the quotes of a JSON text.
#[inline]
pub(crate) fn unquote(json: &str) -> Option<&str> {
    json.strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: Scalar) {
        assert_eq!(Scalar::from_json(json), expected, "{json}");
    }

    #[test]
    fn booleans_numbers_and_texts_are_told_apart() {
        let text = Scalar { kind: ScalarKind::Text, bits: 0 };
        check("true", Scalar::from(true));
        check("false", Scalar::from(false));
        check("0", Scalar::from(0_u64));
        check("0", Scalar::from(0_i64));
        check("-1", Scalar::from(-1_i64));
        check("9223372036854775807", Scalar::from(i64::MAX));
        check("9223372036854775808", Scalar::from(1_u64 << 63));
        check("18446744073709551615", Scalar::from(u64::MAX));
        check("-9223372036854775808", Scalar::from(i64::MIN));
        check("18446744073709551616", Scalar::from(18_446_744_073_709_551_616.0));
        check("-9223372036854775809", Scalar::from(-9_223_372_036_854_775_809.0));
        check("-0", Scalar::from(-0.0));
        check("1.0", Scalar::from(1.0));
        check("1e2", Scalar::from(100.0));
        check("1e-400", Scalar::from(0.0));
        check("\"\"", text);
        check("\"a\"", text);
        for json in ["1e400", "null", "[]", "{}", r#""\"""#, r#""\\""#, r#""a\u0000""#, "\"", ""] {
            check(json, Scalar::JSON);
        }
    }

    #[test]
    fn interpolated_integers_are_of_64_bits() {
        assert_eq!(Scalar::from_integer(-5), Scalar::from(-5_i64));
        assert_eq!(Scalar::from_integer(u64::MAX.into()), Scalar::from(u64::MAX));
        assert_eq!(Scalar::from_integer(i64::MIN.into()), Scalar::from(i64::MIN));
        assert_eq!(Scalar::from_integer(i128::MAX), Scalar::JSON);
    }
}
