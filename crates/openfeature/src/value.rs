//! Values of documents as values of OpenFeature: typed as they are written, and never converted.

use std::fmt;

use open_feature::{FlagMetadata, FlagMetadataValue, StructValue, Value};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A type that a program can ask for.
pub(crate) trait Typed: Sized {
    /// The type's name in messages.
    const NAME: &'static str;

    /// The value from its JSON text; `None` if it is of another type.
    fn read(json: &str) -> Option<Self>;
}

impl Typed for bool {
    const NAME: &'static str = "a boolean";

    fn read(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }
}

impl Typed for i64 {
    const NAME: &'static str = "an integer";

    fn read(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }
}

impl Typed for f64 {
    const NAME: &'static str = "a float";

    fn read(json: &str) -> Option<Self> {
        if is_integer(json) { None } else { serde_json::from_str(json).ok() }
    }
}

impl Typed for String {
    const NAME: &'static str = "a string";

    fn read(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }
}

impl Typed for StructValue {
    const NAME: &'static str = "a structure";

    fn read(json: &str) -> Option<Self> {
        match serde_json::from_str(json).ok()? {
            Json(Some(Value::Struct(value))) => Some(value),
            Json(_) => None,
        }
    }
}

/// What a value is, for a caller that asked for another type; the second says why no caller can have it.
pub(crate) fn kind(json: &str) -> (&'static str, Option<&'static str>) {
    match json.as_bytes().first() {
        Some(b'n') => ("`null`", Some("OpenFeature cannot carry it; put the value into an object")),
        Some(b'[') => ("a list", Some("OpenFeature cannot carry it; put the list into an object")),
        Some(b'{') => (StructValue::NAME, Some(NOT_CARRIED).filter(|_| StructValue::read(json).is_none())),
        Some(b'"') => (String::NAME, None),
        Some(b't' | b'f') => (bool::NAME, None),
        _ if is_integer(json) => (i64::NAME, Some(TOO_LARGE).filter(|_| i64::read(json).is_none())),
        _ => (f64::NAME, None),
    }
}

/// The metadata of an entry: a flat object of texts, numbers and booleans.
pub(crate) fn metadata<'m>(entries: impl Iterator<Item = (&'m str, &'m str)>) -> FlagMetadata {
    let value = |json: &str| {
        Some(match serde_json::from_str(json).ok()? {
            Json(Some(Value::Bool(value))) => FlagMetadataValue::Bool(value),
            Json(Some(Value::Int(value))) => FlagMetadataValue::Int(value),
            Json(Some(Value::Float(value))) => FlagMetadataValue::Float(value),
            Json(Some(Value::String(value))) => FlagMetadataValue::String(value),
            // The reader of documents refuses these.
            Json(Some(Value::Array(_) | Value::Struct(_)) | None) => return None,
        })
    };
    FlagMetadata { values: entries.filter_map(|(name, json)| Some((name.to_owned(), value(json)?))).collect() }
}

/// Whether compact JSON text is a number without fraction and exponent.
fn is_integer(json: &str) -> bool {
    json.starts_with(|first: char| first == '-' || first.is_ascii_digit()) && !json.contains(['.', 'e', 'E'])
}

/// Any JSON as OpenFeature can carry it. `None` is `null`: a member that is `null` is left out of its object, because readers of
/// a structure cannot tell the two apart.
struct Json(Option<Value>);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json(None))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json(Some(Value::Bool(value))))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json(Some(Value::Int(value))))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Json, E> {
        i64::try_from(value).map(|value| Json(Some(Value::Int(value)))).map_err(|_| E::custom(TOO_LARGE))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json(Some(Value::Float(value))))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json(Some(Value::String(value.to_owned()))))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json(Some(Value::String(value))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(Json(element)) = access.next_element()? {
            list.push(element.ok_or_else(|| A::Error::custom("`null` in a list"))?);
        }
        Ok(Json(Some(Value::Array(list))))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut object = StructValue::default();
        while let Some((name, Json(value))) = access.next_entry::<String, Json>()? {
            if let Some(value) = value {
                object.fields.insert(name, value);
            }
        }
        Ok(Json(Some(Value::Struct(object))))
    }
}

const TOO_LARGE: &str = "OpenFeature's integers have 64 bits with a sign, and it needs more; write it as a string";

const NOT_CARRIED: &str = "OpenFeature cannot carry a `null` in a list, nor an integer beyond 64 bits with a sign";

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the types can read it.
    fn readers(json: &str) -> Vec<&'static str> {
        let readers = [
            bool::read(json).map(|_| bool::NAME),
            i64::read(json).map(|_| i64::NAME),
            f64::read(json).map(|_| f64::NAME),
            String::read(json).map(|_| String::NAME),
            StructValue::read(json).map(|_| StructValue::NAME),
        ];
        readers.into_iter().flatten().collect()
    }

    #[test]
    fn each_value_has_one_type_at_most_and_a_word_for_it() {
        for (json, expected) in [
            ("true", Some("a boolean")),
            ("false", Some("a boolean")),
            ("0", Some("an integer")),
            ("-9223372036854775808", Some("an integer")),
            ("9223372036854775807", Some("an integer")),
            ("3.0", Some("a float")),
            ("1e2", Some("a float")),
            ("-0.0", Some("a float")),
            ("\"\"", Some("a string")),
            (r#""a\nb""#, Some("a string")),
            ("{}", Some("a structure")),
            (r#"{"a": {"b": [1, "x", {"c": 1.5}]}}"#, Some("a structure")),
            ("9223372036854775808", None),
            ("null", None),
            ("[]", None),
            ("[1]", None),
            (r#"{"a": [null]}"#, None),
            (r#"{"a": 9223372036854775808}"#, None),
        ] {
            assert_eq!(readers(json), Vec::from_iter(expected), "{json}");
            let (word, why_not) = kind(json);
            assert_eq!(why_not.is_some(), expected.is_none(), "{json}: {why_not:?}");
            assert!(expected.is_none_or(|expected| word == expected), "{json}: {word}");
        }
    }

    #[test]
    fn a_structure_keeps_its_types_and_leaves_null_members_out() {
        let read = StructValue::read(r#"{"i": 3, "f": 3.0, "s": "x", "b": true, "n": null, "l": [1, 2.0], "o": {}}"#);
        let expected = StructValue::default()
            .with_field("i", 3)
            .with_field("f", 3.0)
            .with_field("s", "x")
            .with_field("b", true)
            .with_field("l", Value::Array(vec![Value::Int(1), Value::Float(2.0)]))
            .with_field("o", StructValue::default());
        assert_eq!(read, Some(expected));
    }
}
