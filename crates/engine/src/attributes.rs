//! Attributes of a subject: what a caller knows of it besides its key, for the rules of flags.
//!
//! The engine borrows attributes and looks at those that a rule names, one at a time, so a caller need not build a map, and no
//! evaluation allocates. They come as a slice of names and typed values, or as JSON that was read once.

mod number;

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::same_text::is_same;

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
#[derive(Clone, Copy)]
pub struct Attributes<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
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
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq)]
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
    pub(crate) const NONE: Self = Self(Source::Typed(&[]));

    /// The slice of names and values, if it is one.
    #[inline]
    pub(crate) fn as_pairs(self) -> Option<&'a [(&'a str, Attribute<'a>)]> {
        match self.0 {
            Source::Typed(pairs) => Some(pairs),
            Source::Json(_) => None,
        }
    }

    /// The attribute of this name; `None` if it is absent or null.
    fn get(self, name: &str) -> Option<Found<'a>> {
        match self.0 {
            Source::Typed(pairs) => find(pairs, name).map(Found::Typed),
            Source::Json(members) => members.get(name).and_then(Found::from_json),
        }
    }
}

/// The first value of this name. A loop of its own, because without link-time optimisation `Iterator::find` is a call.
#[expect(clippy::inline_always, reason = "the rules of a flag are one loop, also without link-time optimisation")]
#[inline(always)]
pub(crate) fn find<'a>(pairs: &'a [(&'a str, Attribute<'a>)], name: &str) -> Option<&'a Attribute<'a>> {
    for (known, value) in pairs {
        if is_same(known.as_bytes(), name.as_bytes()) {
            return Some(value);
        }
    }
    None
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
    pub(crate) fn find<'a>(&self, key: Option<&'a &'a str>, attributes: Attributes<'a>) -> Option<Found<'a>> {
        match self {
            Self::Name(name) => attributes.get(name),
            Self::Key => key.map(Found::Key),
            Self::Dotted(path) => attributes.get(path).or_else(|| reach(attributes, path)),
        }
    }
}

/// Follows a dotted name into objects: at each level the whole rest of the name first, then up to its first dot.
fn reach<'a>(attributes: Attributes<'a>, path: &str) -> Option<Found<'a>> {
    let (mut level, mut rest) = (attributes, path);
    loop {
        let (head, tail) = rest.split_once('.')?;
        let inner = level.get(head)?.as_object()?;
        if let Some(found) = inner.get(tail) {
            return Some(found);
        }
        (level, rest) = (inner, tail);
    }
}

/// What was found under a name. It borrows the value as the caller has it; each test asks for what it compares.
#[derive(Clone, Copy)]
pub(crate) enum Found<'a> {
    Typed(&'a Attribute<'a>),
    /// A value that is not null.
    Json(&'a Value),
    Key(&'a &'a str),
}

/// Small enough to be passed in registers.
const _: () = assert!(size_of::<Option<Found<'_>>>() == 16);

/// The elements of a list.
#[derive(Clone, Copy)]
enum Elements<'a> {
    Typed(&'a [Attribute<'a>]),
    Json(&'a [Value]),
}

impl<'a> Found<'a> {
    fn from_json(value: &'a Value) -> Option<Self> {
        Some(Self::Json(value)).filter(|_| !value.is_null())
    }

    #[inline]
    pub(crate) fn as_text(self) -> Option<&'a str> {
        match self {
            Self::Typed(Attribute::Text(text)) | Self::Key(text) => Some(text),
            Self::Json(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn as_bool(self) -> Option<bool> {
        match self {
            Self::Typed(Attribute::Bool(value)) | Self::Json(Value::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn as_number(self) -> Option<Number> {
        match self {
            Self::Typed(Attribute::Integer(value)) => Some(Number::Integer((*value).into())),
            Self::Typed(Attribute::Float(value)) => Some(Number::Float(*value)),
            Self::Json(Value::Number(number)) => Number::from_json(number),
            _ => None,
        }
    }

    fn as_object(self) -> Option<Attributes<'a>> {
        match self {
            Self::Typed(Attribute::Object(pairs)) => Some(Attributes(Source::Typed(pairs))),
            Self::Json(Value::Object(members)) => Some(Attributes(Source::Json(members))),
            _ => None,
        }
    }

    fn as_list(self) -> Option<Elements<'a>> {
        match self {
            Self::Typed(Attribute::List(elements)) => Some(Elements::Typed(elements)),
            Self::Json(Value::Array(elements)) => Some(Elements::Json(elements)),
            _ => None,
        }
    }

    /// Whether it is a list in which an element passes the test.
    pub(crate) fn has_element(self, test: impl Fn(Found<'a>) -> bool) -> bool {
        match self.as_list() {
            Some(Elements::Typed(elements)) => elements.iter().any(|element| test(Found::Typed(element))),
            Some(Elements::Json(elements)) => elements.iter().filter_map(Found::from_json).any(test),
            None => false,
        }
    }

    /// The value as JSON text, shortened to what a person reads.
    pub(crate) fn to_json(self) -> String {
        if let Some(text) = self.as_text() {
            let end = text.floor_char_boundary(SHOWN_BYTES_MAX);
            let shown = text.get(..end).unwrap_or_default();
            let more = if end < text.len() { "…" } else { "" };
            return Value::from(format!("{shown}{more}")).to_string();
        }
        match (self.as_bool(), self.as_number()) {
            (Some(value), _) => value.to_string(),
            (_, Some(number)) => number.to_string(),
            (None, None) if self.as_list().is_some() => "[…]".to_owned(),
            (None, None) => "{…}".to_owned(),
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

impl Default for Attributes<'_> {
    fn default() -> Self {
        Self::NONE
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
        AttributePath::parse(path).find(Some(&"ann"), attributes).map(Found::to_json)
    }

    #[test]
    fn json_attributes_are_an_object_that_callers_take_apart() {
        let mut attributes = JsonAttributes::parse(r#"{"targetingKey": "ann", "age": 7}"#).unwrap();
        assert_eq!(
            (attributes.text("targetingKey"), attributes.text("age"), attributes.text("x")),
            (Some("ann"), None, None)
        );
        attributes.remove("targetingKey");
        assert_eq!(attributes.to_json(), r#"{"age":7}"#);
        assert!(!attributes.is_empty());
        attributes.remove("age");
        assert!(attributes.is_empty());
        let members = Map::from_iter([("age".to_owned(), Value::from(7))]);
        assert_eq!(JsonAttributes::from(members).to_json(), r#"{"age":7}"#);
    }

    #[test]
    fn attributes_show_what_they_hold() {
        let pairs = vec![("age", Attribute::from(7)), ("share", Attribute::from(0.5))];
        let typed = Attributes::from(&pairs);
        assert_eq!(found(typed, "age").as_deref(), Some("7"));
        assert_eq!(found(typed, "share").as_deref(), Some("0.5"), "a float is a number");
        let text = format!("{typed:?}");
        assert!(text.contains("age") && text.contains("share"), "{text}");
        let json = JsonAttributes::parse(r#"{"plan": "premium"}"#).unwrap();
        assert!(format!("{:?}", Attributes::from(&json)).contains("premium"));
        let long = "x".repeat(SHOWN_BYTES_MAX);
        for (text, is_cut) in [(long.clone(), false), (format!("{long}y"), true)] {
            let pairs = [("text", Attribute::from(&*text))];
            let shown = found(Attributes::from(&pairs), "text").unwrap();
            assert_eq!((shown.contains('…'), shown.contains('y')), (is_cut, false), "{shown}");
        }
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
