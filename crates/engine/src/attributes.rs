//! Attributes of a subject: what a caller knows of it besides its key, for the rules of flags.
//!
//! The engine borrows attributes and looks at those that a rule names, one at a time, so a caller need not build a map, and no
//! evaluation allocates. They come as a slice of names and typed values, or as JSON that was read once.

mod number;

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

pub(crate) use number::Number;

/// One value of an attribute.
///
/// ```
/// use tidegate_engine::Attribute;
///
/// assert_eq!(Attribute::from("premium"), Attribute::Text("premium"));
/// assert_eq!(Attribute::from(3), Attribute::Integer(3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Attribute<'a> {
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number. A comparison with one that is not finite is false.
    Float(f64),
    /// A text.
    Text(&'a str),
    /// Several values; conditions ask for one of them with `contains`.
    List(&'a [Attribute<'a>]),
    /// Further attributes, which conditions reach by a dotted name.
    Object(&'a [(&'a str, Attribute<'a>)]),
}

/// The attributes of one subject, borrowed.
///
/// A slice of names and values, or [`JsonAttributes`]. If a slice has a name twice, the first counts. No attributes are
/// [`Attributes::default`].
///
/// ```
/// use tidegate_engine::{Attribute, Subject};
///
/// let attributes = [("plan", Attribute::from("premium")), ("age", Attribute::from(31))];
/// let subject = Subject::key("ann").with_attributes(&attributes);
/// assert_eq!(subject.as_key(), Some("ann"));
/// ```
#[derive(Clone, Copy, Default)]
pub struct Attributes<'a>(Source<'a>);

#[derive(Clone, Copy, Default)]
enum Source<'a> {
    #[default]
    None,
    Typed(&'a [(&'a str, Attribute<'a>)]),
    Json(&'a Map<String, Value>),
}

/// Attributes as JSON: an object, read once for any number of evaluations.
///
/// ```
/// use tidegate_engine::{JsonAttributes, Subject};
///
/// let attributes = JsonAttributes::parse(r#"{"plan": "premium", "address": {"country": "DE"}}"#).unwrap();
/// let subject = Subject::key("ann").with_attributes(&attributes);
/// assert!(JsonAttributes::parse("[]").is_err());
/// # let _ = subject;
/// ```
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(transparent)]
pub struct JsonAttributes(Map<String, Value>);

/// A text is not a JSON object, so it has no attributes. The caller's fault; nothing has changed.
#[derive(Debug, thiserror::Error)]
#[error("attributes are a JSON object, such as `{{\"plan\": \"premium\"}}`: {0}")]
pub struct AttributesError(serde_json::Error);

impl JsonAttributes {
    /// Reads attributes from JSON text. If a name occurs twice, the last counts, as in most readers of JSON.
    ///
    /// # Errors
    ///
    /// [`AttributesError`] if the text is not a JSON object.
    pub fn parse(text: &str) -> Result<Self, AttributesError> {
        serde_json::from_str(text).map(Self).map_err(AttributesError)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes an attribute away.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The attributes as JSON text, the same for the same attributes.
    pub fn to_json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// The attribute of this name as a text; for callers that take the key out of an object.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }
}

impl From<Map<String, Value>> for JsonAttributes {
    fn from(members: Map<String, Value>) -> Self {
        Self(members)
    }
}

impl<'a> Attributes<'a> {
    /// No attributes.
    pub(crate) const NONE: Self = Self(Source::None);

    /// The attribute of this name; `None` if it is absent or null.
    #[inline]
    fn get(self, name: &str) -> Option<Found<'a>> {
        match self.0 {
            Source::None => None,
            Source::Typed(pairs) => typed(pairs, name),
            Source::Json(members) => members.get(name).and_then(Found::from_json),
        }
    }
}

/// How a condition names an attribute.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum AttributePath {
    /// `$key`: the subject's key.
    Key,
    /// A name without dots.
    Name(Box<str>),
    /// A name with dots: an attribute of this name, or the way into objects.
    Dotted(Box<str>),
}

impl AttributePath {
    pub(crate) fn parse(name: &str) -> Self {
        match name {
            KEY => Self::Key,
            name if name.contains('.') => Self::Dotted(name.into()),
            name => Self::Name(name.into()),
        }
    }

    /// What a subject has there.
    #[inline]
    pub(crate) fn find<'a>(&self, key: Option<&'a str>, attributes: Attributes<'a>) -> Option<Found<'a>> {
        match self {
            Self::Key => key.map(Found::Text),
            Self::Name(name) => attributes.get(name),
            Self::Dotted(path) => attributes.get(path).or_else(|| reach(attributes, path)),
        }
    }
}

/// Follows a dotted name into objects: at each level the whole rest of the name first, then up to its first dot.
fn reach<'a>(attributes: Attributes<'a>, path: &str) -> Option<Found<'a>> {
    let (mut level, mut rest) = (attributes, path);
    loop {
        let (head, tail) = rest.split_once('.')?;
        let Some(Found::Object(inner)) = level.get(head) else { return None };
        if let Some(found) = inner.get(tail) {
            return Some(found);
        }
        (level, rest) = (inner, tail);
    }
}

#[inline]
fn typed<'a>(pairs: &'a [(&'a str, Attribute<'a>)], name: &str) -> Option<Found<'a>> {
    let (_, value) = pairs.iter().find(|(known, _)| *known == name)?;
    Some(Found::from_typed(*value))
}

/// What was found under a name.
#[derive(Clone, Copy)]
pub(crate) enum Found<'a> {
    Bool(bool),
    Number(Number),
    Text(&'a str),
    List(Elements<'a>),
    Object(Attributes<'a>),
}

/// The elements of a list.
#[derive(Clone, Copy)]
pub(crate) enum Elements<'a> {
    Typed(&'a [Attribute<'a>]),
    Json(&'a [Value]),
}

impl<'a> Found<'a> {
    #[inline]
    fn from_typed(value: Attribute<'a>) -> Self {
        match value {
            Attribute::Bool(value) => Self::Bool(value),
            Attribute::Integer(value) => Self::Number(Number::Integer(value.into())),
            Attribute::Float(value) => Self::Number(Number::Float(value)),
            Attribute::Text(value) => Self::Text(value),
            Attribute::List(elements) => Self::List(Elements::Typed(elements)),
            Attribute::Object(pairs) => Self::Object(Attributes(Source::Typed(pairs))),
        }
    }

    fn from_json(value: &'a Value) -> Option<Self> {
        Some(match value {
            Value::Null => return None,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(Number::from_json(number)?),
            Value::String(text) => Self::Text(text),
            Value::Array(elements) => Self::List(Elements::Json(elements)),
            Value::Object(members) => Self::Object(Attributes(Source::Json(members))),
        })
    }

    /// The value as JSON text, shortened to what a person reads.
    pub(crate) fn to_json(self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => {
                let end = text.floor_char_boundary(SHOWN_BYTES_MAX);
                let shown = text.get(..end).unwrap_or_default();
                let more = if end < text.len() { "…" } else { "" };
                Value::from(format!("{shown}{more}")).to_string()
            }
            Self::List(_) => "[…]".to_owned(),
            Self::Object(_) => "{…}".to_owned(),
        }
    }
}

impl<'a> Elements<'a> {
    /// Whether one of the elements passes the test.
    pub(crate) fn any(self, test: impl Fn(Found<'a>) -> bool) -> bool {
        match self {
            Self::Typed(elements) => elements.iter().any(|element| test(Found::from_typed(*element))),
            Self::Json(elements) => elements.iter().filter_map(Found::from_json).any(test),
        }
    }
}

impl From<bool> for Attribute<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Attribute<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<i32> for Attribute<'_> {
    fn from(value: i32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<u32> for Attribute<'_> {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<f64> for Attribute<'_> {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl<'a> From<&'a str> for Attribute<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a String> for Attribute<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a [(&'a str, Attribute<'a>)]> for Attributes<'a> {
    fn from(pairs: &'a [(&'a str, Attribute<'a>)]) -> Self {
        Self(Source::Typed(pairs))
    }
}

impl<'a, const N: usize> From<&'a [(&'a str, Attribute<'a>); N]> for Attributes<'a> {
    fn from(pairs: &'a [(&'a str, Attribute<'a>); N]) -> Self {
        Self(Source::Typed(pairs))
    }
}

impl<'a> From<&'a Vec<(&'a str, Attribute<'a>)>> for Attributes<'a> {
    fn from(pairs: &'a Vec<(&'a str, Attribute<'a>)>) -> Self {
        Self(Source::Typed(pairs))
    }
}

impl<'a> From<&'a JsonAttributes> for Attributes<'a> {
    fn from(attributes: &'a JsonAttributes) -> Self {
        Self(Source::Json(&attributes.0))
    }
}

impl fmt::Debug for Attributes<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Source::None => formatter.write_str("{}"),
            Source::Typed(pairs) => formatter.debug_map().entries(pairs.iter().copied()).finish(),
            Source::Json(members) => formatter.debug_map().entries(members).finish(),
        }
    }
}

/// The name under which conditions read the subject's key.
pub(crate) const KEY: &str = "$key";

/// How much of a text an explanation shows.
const SHOWN_BYTES_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn found(attributes: Attributes<'_>, path: &str) -> Option<String> {
        AttributePath::parse(path).find(Some("ann"), attributes).map(Found::to_json)
    }

    #[test]
    fn typed_and_json_attributes_are_found_alike() {
        let inner = [("country", Attribute::from("DE")), ("zip.code", Attribute::from(10_115))];
        let list = [Attribute::from("a"), Attribute::from(1.5)];
        let pairs = [
            ("plan", Attribute::from("premium")),
            ("address", Attribute::Object(&inner)),
            ("a.b", Attribute::from(true)),
            ("groups", Attribute::List(&list)),
            ("plan", Attribute::from("second")),
        ];
        let json = JsonAttributes::parse(
            r#"{"plan": "premium", "address": {"country": "DE", "zip.code": 10115}, "a.b": true, "groups": ["a", 1.5],
                "nothing": null, "a": {"b": false}}"#,
        )
        .unwrap();
        let expected = [
            ("plan", Some("\"premium\"")),
            ("address.country", Some("\"DE\"")),
            ("address.zip.code", Some("10115")),
            ("address.city", None),
            ("address", Some("{…}")),
            ("a.b", Some("true")),
            ("groups", Some("[…]")),
            ("groups.0", None),
            ("plan.x", None),
            ("nothing", None),
            ("", None),
            ("$key", Some("\"ann\"")),
            ("key", None),
        ];
        for (path, expected) in expected {
            assert_eq!(found(Attributes::from(&pairs), path).as_deref(), expected, "{path}");
            assert_eq!(found(Attributes::from(&json), path).as_deref(), expected, "{path} in JSON");
        }
        assert_eq!(found(Attributes::default(), "plan"), None);
    }

    #[test]
    fn attributes_are_an_object() {
        for text in ["", "[]", "1", "null", "{\"a\": }", "{} {}"] {
            assert!(JsonAttributes::parse(text).is_err(), "{text}");
        }
        assert!(JsonAttributes::parse("{}").unwrap().is_empty());
    }
}
