//! From a flag's answer to a Rust value.
//!
//! A value of the wrong type is the caller's default, never an error in the request path: the document is
//! written elsewhere and changes while the program runs. It is counted, and the status names the flag.

use serde::de::{DeserializeOwned, IntoDeserializer as _};
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
pub(crate) fn read<T: DeserializeOwned>(answer: Answer<'_>) -> Read<T> {
    let read = match answer {
        Answer::CallerDefault => return Read::CallerDefault,
        Answer::Bool(value) => T::deserialize(value.into_deserializer()),
        Answer::Json(text) => serde_json::from_str(text),
        Answer::Integer(integer) => T::deserialize(number(integer)),
        Answer::Float(float) => T::deserialize(Value::from(float)),
    };
    read.map_or(Read::WrongType, Read::Value)
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
