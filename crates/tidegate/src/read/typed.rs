//! From a flag's answer to a Rust value.
//!
//! A value of the wrong type is the caller's default, never an error in the request path: the document is
//! written elsewhere and changes while the program runs. It is counted, and the status names the flag.

use serde::de::{Deserialize, Deserializer, IntoDeserializer as _, Visitor};
use serde_json::Value;
use tidegate_engine::Answer;

/// What became of an answer.
#[derive(Debug, PartialEq)]
pub(crate) enum Read<T> {
    /// A value of the type.
    Value(T),
    /// The flag leaves the answer to the caller.
    CallerDefault,
    /// The value is of another type.
    WrongType,
}

/// Reads an answer as a `T`, as `serde_json` reads the JSON text of the value.
#[inline]
pub(crate) fn read<'s, T: Deserialize<'s>>(answer: Answer<'s>) -> Read<T> {
    let read = match answer {
        Answer::CallerDefault => return Read::CallerDefault,
        Answer::Bool(value) => T::deserialize(value.into_deserializer()),
        Answer::Json(text) => T::deserialize(Scalar(text)),
        Answer::Integer(integer) => read_number(number(integer)),
        Answer::Float(float) => read_number(Value::from(float)),
    };
    read.map_or(Read::WrongType, Read::Value)
}

#[inline(never)]
fn read_number<'s, T: Deserialize<'s>>(number: Value) -> serde_json::Result<T> {
    T::deserialize(number)
}

/// The JSON text of a value. Numbers and texts are read in place, where `T` says that it wants one; everything else is left to
/// `serde_json`.
struct Scalar<'s>(&'s str);

impl<'s> Scalar<'s> {
    /// The number, if it is written with few enough digits and without fraction and exponent.
    #[inline]
    fn integer(&self) -> Option<i64> {
        let (digits, is_negative) = match self.0.strip_prefix('-') {
            None => (self.0, false),
            Some(digits) => (digits, true),
        };
        // Zero with a sign is a float.
        if digits.is_empty() || digits.len() > DIGITS_MAX || (is_negative && digits == "0") {
            return None;
        }
        let mut number = 0_i64;
        for byte in digits.bytes() {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            number = number.wrapping_mul(10).wrapping_add(i64::from(digit));
        }
        Some(if is_negative { number.wrapping_neg() } else { number })
    }

    /// The text, if it is one without escapes.
    #[inline]
    fn text(&self) -> Option<&'s str> {
        let text = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if text.as_bytes().contains(&b'\\') { None } else { Some(text) }
    }
}

/// Numbers of so many digits fit into 64 bits, whatever the digits are.
const DIGITS_MAX: usize = 18;

/// Methods that read an integer in place, and others by `serde_json`.
macro_rules! by_integer {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'s>>(self, visitor: V) -> Result<V::Value, Self::Error> {
            match self.integer() {
                Some(number) => visitor.visit_i64(number),
                None => by_serde_json(self.0, |json| json.$method(visitor)),
            }
        }
    )*};
}

/// Methods that read a text in place, and others by `serde_json`.
macro_rules! by_text {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'s>>(self, visitor: V) -> Result<V::Value, Self::Error> {
            match self.text() {
                Some(text) => visitor.visit_borrowed_str(text),
                None => by_serde_json(self.0, |json| json.$method(visitor)),
            }
        }
    )*};
}

macro_rules! by_serde_json {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {$(
        fn $method<V: Visitor<'s>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, Self::Error> {
            by_serde_json(self.0, |json| json.$method($($argument,)* visitor))
        }
    )*};
}

/// Reads a whole text by `serde_json`.
fn by_serde_json<'s, T>(
    text: &'s str,
    read: impl FnOnce(&mut serde_json::Deserializer<serde_json::de::StrRead<'s>>) -> serde_json::Result<T>,
) -> serde_json::Result<T> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = read(&mut json)?;
    json.end()?;
    Ok(value)
}

impl<'s> Deserializer<'s> for Scalar<'s> {
    type Error = serde_json::Error;

    by_integer! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64
    }

    by_text! { deserialize_str deserialize_string }

    by_serde_json! {
        deserialize_any() deserialize_bool() deserialize_i128() deserialize_u128() deserialize_char()
        deserialize_bytes() deserialize_byte_buf() deserialize_option() deserialize_unit()
        deserialize_unit_struct(name: &'static str) deserialize_newtype_struct(name: &'static str)
        deserialize_seq() deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize) deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier() deserialize_ignored_any()
    }
}

/// An interpolated integer lies between two JSON integers, so it is one of 64 bits, with sign or without.
fn number(integer: i128) -> Value {
    match (i64::try_from(integer), u64::try_from(integer)) {
        (Ok(integer), _) => Value::from(integer),
        (_, Ok(integer)) => Value::from(integer),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_many_types() {
        assert_eq!(read(Answer::Bool(true)), Read::Value(true));
        assert_eq!(read(Answer::Bool(false)), Read::Value(Value::Bool(false)));
        assert_eq!(read(Answer::Json("1")), Read::Value(1_u8));
        assert_eq!(read(Answer::Json("1")), Read::Value(1.0_f64));
        assert_eq!(read(Answer::Json("\"x\"")), Read::Value("x".to_owned()));
        assert_eq!(read(Answer::Json("[1,2]")), Read::Value(vec![1, 2]));
        assert_eq!(read(Answer::Json("null")), Read::Value(None::<bool>));
        assert_eq!(read(Answer::Integer(-5)), Read::Value(Some(-5_i8)));
        assert_eq!(read(Answer::Integer(5)), Read::Value(5.0_f32));
        assert_eq!(read(Answer::Integer(u64::MAX.into())), Read::Value(u64::MAX));
        assert_eq!(read(Answer::Float(0.5)), Read::Value(0.5_f64));
        assert_eq!(read(Answer::Float(0.5)), Read::Value(Some(0.5_f64)));
    }

    /// Numbers and texts are read in place. That gives what `serde_json` gives, for each type and each spelling.
    #[test]
    fn read_in_place_as_serde_json_reads() {
        fn check<'t, T: Deserialize<'t> + PartialEq + std::fmt::Debug>(text: &'t str) {
            let expected = serde_json::from_str::<T>(text).map_or(Read::WrongType, Read::Value);
            assert_eq!(read::<T>(Answer::Json(text)), expected, "{text} as {}", std::any::type_name::<T>());
        }
        let numbers = [
            "0",
            "-0",
            "7",
            "-7",
            "127",
            "128",
            "-128",
            "-129",
            "255",
            "256",
            "65536",
            "4294967295",
            "4294967296",
            "1.0",
            "1e2",
            "-1.5",
            "0.1",
            "1e400",
            "9007199254740993",
            "999999999999999999",
            "-999999999999999999",
            "1000000000000000000",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "1e-400",
            "123456789012345678901234567890",
        ];
        let texts = [
            r#""""#,
            r#""a""#,
            r#""a\"b""#,
            r#""\\""#,
            r#""a\\""#,
            r#""\u00e9""#,
            "\"é\"",
            r#"["a"]"#,
            "{}",
            "null",
            "true",
        ];
        for text in numbers.into_iter().chain(texts) {
            check::<bool>(text);
            check::<u8>(text);
            check::<u16>(text);
            check::<u32>(text);
            check::<u64>(text);
            check::<u128>(text);
            check::<i8>(text);
            check::<i16>(text);
            check::<i32>(text);
            check::<i64>(text);
            check::<f32>(text);
            check::<f64>(text);
            check::<char>(text);
            check::<String>(text);
            check::<&str>(text);
            check::<Option<u8>>(text);
            check::<Option<String>>(text);
            check::<Vec<String>>(text);
            check::<Value>(text);
        }
    }

    #[test]
    fn other_types_are_told_apart_from_no_value() {
        assert_eq!(read::<bool>(Answer::CallerDefault), Read::CallerDefault);
        assert_eq!(read::<bool>(Answer::Json("1")), Read::WrongType);
        assert_eq!(read::<u8>(Answer::Bool(true)), Read::WrongType);
        assert_eq!(read::<u8>(Answer::Json("256")), Read::WrongType);
        assert_eq!(read::<i64>(Answer::Float(1.0)), Read::WrongType);
        assert_eq!(read::<i64>(Answer::Integer(i128::MAX)), Read::WrongType);
        assert_eq!(read::<String>(Answer::Json("null")), Read::WrongType);
    }
}
