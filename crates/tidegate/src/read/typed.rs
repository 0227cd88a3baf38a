//! From a flag's answer to a Rust value.
//!
//! A value of the wrong type is the caller's default, never an error in the request path: the document is
//! written elsewhere and changes while the program runs. It is counted, and the status names the flag.

use std::fmt;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::Value;
use tidegate_engine::{Answer, Scalar, ScalarKind};

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
        Answer::Bool(value) => T::deserialize(Reader::new(Scalar::from(value), if value { "true" } else { "false" })),
        Answer::Named(named) => T::deserialize(Reader::new(named.value().scalar(), named.value().as_json())),
        Answer::Stored(value) => T::deserialize(Reader::new(value.scalar(), value.as_json())),
        Answer::Json(json) => T::deserialize(Reader::new(Scalar::from_json(json), json)),
        Answer::Integer(_) | Answer::Float(_) => T::deserialize(number(answer)).map_err(WrongType::from),
    };
    read.map_or(Read::WrongType, Read::Value)
}

/// Reads a scalar as a type that [wants](crate::read::wants) one.
#[inline]
pub(crate) fn read_scalar<'s, T: Deserialize<'s>>(scalar: Scalar) -> Option<T> {
    T::deserialize(Reader { scalar, json: None }).ok()
}

/// Reads a text as a type that wants one.
#[inline]
pub(crate) fn read_text<'s, T: Deserialize<'s>>(text: &'s str) -> Option<T> {
    T::deserialize(BorrowedStrDeserializer::<WrongType>::new(text)).ok()
}

/// The value is of another type. It says no more: what is counted is that there was one, and a message would cost an allocation.
#[derive(Debug)]
struct WrongType;

impl fmt::Display for WrongType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the value is of another type")
    }
}

impl std::error::Error for WrongType {}

impl Error for WrongType {
    fn custom<M: fmt::Display>(_message: M) -> Self {
        Self
    }
}

impl From<serde_json::Error> for WrongType {
    fn from(_error: serde_json::Error) -> Self {
        Self
    }
}

/// A value as a deserializer. Booleans and numbers are those that were read when the document was compiled, and texts without
/// escapes are borrowed; everything else is left to `serde_json`.
struct Reader<'s> {
    scalar: Scalar,
    /// The JSON text of the value; `None` where the type wants the scalar.
    json: Option<&'s str>,
}

impl<'s> Reader<'s> {
    #[inline]
    fn new(scalar: Scalar, json: &'s str) -> Self {
        Self { scalar, json: Some(json) }
    }

    /// The text, if it is one without escapes.
    #[inline]
    fn text(&self) -> Option<&'s str> {
        if self.scalar.kind() != ScalarKind::Text {
            return None;
        }
        self.json?.strip_prefix('"')?.strip_suffix('"')
    }

    /// Reads the whole text by `serde_json`.
    fn by_serde_json<T>(
        self,
        read: impl FnOnce(&mut serde_json::Deserializer<serde_json::de::StrRead<'s>>) -> serde_json::Result<T>,
    ) -> Result<T, WrongType> {
        let mut json = serde_json::Deserializer::from_str(self.json.ok_or(WrongType)?);
        let value = read(&mut json)?;
        json.end()?;
        Ok(value)
    }
}

/// Methods that read a number.
macro_rules! by_number {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'s>>(self, visitor: V) -> Result<V::Value, WrongType> {
            if let Some(integer) = self.scalar.as_u64() {
                visitor.visit_u64(integer)
            } else if let Some(integer) = self.scalar.as_negative() {
                visitor.visit_i64(integer)
            } else if let Some(float) = self.scalar.as_f64() {
                visitor.visit_f64(float)
            } else {
                Err(WrongType)
            }
        }
    )*};
}

/// Methods that read a text in place, and others by `serde_json`.
macro_rules! by_text {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'s>>(self, visitor: V) -> Result<V::Value, WrongType> {
            match self.text() {
                Some(text) => visitor.visit_borrowed_str(text),
                None => self.by_serde_json(|json| json.$method(visitor)),
            }
        }
    )*};
}

macro_rules! by_serde_json {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {$(
        fn $method<V: Visitor<'s>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, WrongType> {
            self.by_serde_json(|json| json.$method($($argument,)* visitor))
        }
    )*};
}

impl<'s> Deserializer<'s> for Reader<'s> {
    type Error = WrongType;

    #[inline]
    fn deserialize_bool<V: Visitor<'s>>(self, visitor: V) -> Result<V::Value, WrongType> {
        match self.scalar.as_bool() {
            Some(value) => visitor.visit_bool(value),
            None => Err(WrongType),
        }
    }

    by_number! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f64
    }

    by_text! { deserialize_str deserialize_string }

    by_serde_json! {
        deserialize_any() deserialize_i128() deserialize_u128() deserialize_f32() deserialize_char()
        deserialize_bytes() deserialize_byte_buf() deserialize_option() deserialize_unit()
        deserialize_unit_struct(name: &'static str) deserialize_newtype_struct(name: &'static str)
        deserialize_seq() deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize) deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier() deserialize_ignored_any()
    }
}

/// An interpolated number.
#[inline(never)]
fn number(answer: Answer<'_>) -> Value {
    let Some(scalar) = answer.scalar() else { return Value::Null };
    match (scalar.as_u64(), scalar.as_negative(), scalar.as_f64()) {
        (Some(integer), _, _) => Value::from(integer),
        (_, Some(integer), _) => Value::from(integer),
        (_, _, Some(float)) => Value::from(float),
        (None, None, None) => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_many_types() {
        assert_eq!(read(Answer::Bool(true)), Read::Value(true));
        assert_eq!(read(Answer::Bool(false)), Read::Value(Value::Bool(false)));
        assert_eq!(read(Answer::Bool(true)), Read::Value(Some(true)));
        assert_eq!(read(Answer::Bool(true)), Read::<u8>::WrongType);
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
        fn check<'t, T: Deserialize<'t> + PartialEq + fmt::Debug>(text: &'t str) {
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
