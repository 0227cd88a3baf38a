//! The evaluation context of a request: who asks.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use tidegate::{JsonAttributes, Subject, View};

use crate::api::Problem;

/// The evaluation context. This is the one place that knows what a decision may depend on besides flag and time.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Context {
    targeting_key: Option<String>,
    /// The other members: rules read them.
    attributes: JsonAttributes,
}

impl Context {
    /// Reads the body of a request, `{"context": {"targetingKey": "...", ...}}`. Both may be absent, and other members may be
    /// there. An empty key is none: some clients send it where a program has set none, and one key for all of them would give
    /// all of them one variant.
    ///
    /// Of the other members of the context, those are kept that a flag may read.
    pub(super) fn parse(body: &[u8], names: &Names) -> Result<Self, Problem> {
        let text = str::from_utf8(body).map_err(|error| Problem::not_utf8(error.valid_up_to()))?;
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = Member(Body(names)).deserialize(&mut reader);
        let read = read.and_then(|read| reader.end().map(|()| read));
        let Some(context) = read.map_err(|error| Problem::malformed(&error, EXPECTED))? else {
            return Err(Problem::invalid_context("context", "the body is not an object", EXPECTED));
        };
        let members = match context {
            None => return Ok(Self::default()),
            Some(None) => return Err(Problem::invalid_context("context", "`context` is not an object", EXPECTED)),
            Some(Some(members)) => members,
        };
        let targeting_key = match members.targeting_key {
            None => None,
            Some(TargetingKey::Text(key)) => Some(key).filter(|key| !key.is_empty()),
            Some(TargetingKey::NotAString) => {
                let detail = "`targetingKey` is not a string";
                return Err(Problem::invalid_context("targetingKey", detail, "send a JSON string"));
            }
        };
        Ok(Self { targeting_key, attributes: JsonAttributes::from(members.attributes) })
    }

    /// Whom a flag is evaluated for.
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject::from(self.targeting_key.as_deref()).with_attributes(&self.attributes)
    }

    /// The key; none for an empty one.
    pub(super) fn key(&self) -> Option<&str> {
        self.targeting_key.as_deref()
    }

    /// What an answer may depend on: no other context has the same.
    pub(super) fn identity(&self) -> (Option<&str>, &JsonAttributes) {
        (self.key(), &self.attributes)
    }
}

/// Which members of a context are attributes that some flag reads.
#[derive(Debug)]
pub(super) enum Names {
    /// Unknown: all are kept.
    All,
    /// These.
    These(HashSet<Box<str>>),
}

impl Names {
    /// None at all.
    pub(super) fn none() -> Self {
        Self::These(HashSet::new())
    }

    /// Whether this is the name of one.
    fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(names) => !names.is_empty() && names.contains(name),
        }
    }
}

/// The names of attributes that flags of the last version read.
#[derive(Debug, Default)]
pub(super) struct AttributeNames {
    last: Mutex<Option<(u64, Arc<Names>)>>,
}

impl AttributeNames {
    /// Those of this view's version.
    pub(super) fn current(&self, view: &View) -> Arc<Names> {
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, names)) = last().as_ref().filter(|(version, _)| *version == view.version()) {
            return Arc::clone(names);
        }
        let names = view.snapshot().attribute_names().into_iter().map(Box::from).collect();
        let names = Arc::new(Names::These(names));
        *last() = Some((view.version(), Arc::clone(&names)));
        names
    }
}

/// Reads an object by what it has inside; none for any other value, which is read to its end.
struct Member<T>(T);

/// Reads the members of an object.
trait Object<'de> {
    type Value;

    fn read<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error>;
}

impl<'de, T: Object<'de>> DeserializeSeed<'de> for Member<T> {
    type Value = Option<T::Value>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de, T: Object<'de>> Visitor<'de> for Member<T> {
    type Value = Option<T::Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        self.0.read(members).map(Some)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// The body: its context, if it has one; none within for a context that is not an object.
struct Body<'n>(&'n Names);

impl<'de> Object<'de> for Body<'_> {
    type Value = Option<Option<Members>>;

    fn read<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut context = None;
        while let Some(name) = members.next_key_seed(Text)? {
            if name != "context" {
                members.next_value::<IgnoredAny>()?;
            } else if context.is_some() {
                return Err(A::Error::duplicate_field("context"));
            } else {
                context = Some(members.next_value_seed(Member(Attributes(self.0)))?);
            }
        }
        Ok(context)
    }
}

/// What a context has.
struct Members {
    /// The targeting key, if there is one.
    targeting_key: Option<TargetingKey>,
    attributes: Map<String, Value>,
}

/// A targeting key as it was sent.
enum TargetingKey {
    Text(String),
    NotAString,
}

/// The context: its key, and the attributes with these names.
struct Attributes<'n>(&'n Names);

impl<'de> Object<'de> for Attributes<'_> {
    type Value = Members;

    fn read<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut read = Members { targeting_key: None, attributes: Map::new() };
        while let Some(name) = members.next_key_seed(Text)? {
            if name == "targetingKey" {
                if read.targeting_key.is_some() {
                    return Err(A::Error::duplicate_field("targetingKey"));
                }
                let key = members.next_value_seed(Key)?;
                read.targeting_key = Some(key.map_or(TargetingKey::NotAString, TargetingKey::Text));
            } else if self.0.has(&name) {
                let value = members.next_value()?;
                read.attributes.insert(name.into_owned(), value);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(read)
    }
}

/// Reads a name, borrowed where it has no escapes.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// Reads a string; none for any other value.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Option<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

const EXPECTED: &str = "send `{\"context\": {\"targetingKey\": \"...\"}}`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_members_are_attributes_and_tell_contexts_apart() {
        let read =
            |members: &str| Context::parse(format!(r#"{{"context": {{{members}}}}}"#).as_bytes(), &Names::All).unwrap();
        let one = read(r#""targetingKey": "a", "plan": "premium", "x": [1]"#);
        assert_eq!(one.identity(), read(r#""x":[1],"plan":"premium","targetingKey":"a""#).identity());
        for other in [
            r#""targetingKey": "a""#,
            r#""targetingKey": "a", "plan": "free", "x": [1]"#,
            r#""plan": "premium", "x": [1]"#,
        ] {
            assert_ne!(one.identity(), read(other).identity(), "{other}");
        }
    }

    #[test]
    fn only_attributes_that_a_flag_may_read_are_kept_and_all_are_well_formed() {
        let names = Names::These(HashSet::from(["plan".into()]));
        let read = |text: &str| Context::parse(text.as_bytes(), &names);
        let one = read(r#"{"context": {"targetingKey": "a", "pl\u0061n": "x", "session": {"at": [1, {}]}}}"#).unwrap();
        assert_eq!(one, read(r#"{"context": {"session": 7, "plan": "x", "targetingKey": "a"}}"#).unwrap());
        assert_eq!((one.key(), one.attributes.to_json()), (Some("a"), r#"{"plan":"x"}"#.into()));
        assert!(read(r#"{"context": {"session": {"at": [1, }}}"#).is_err());
        assert!(read(r#"{"context": {"session": tru}}"#).is_err());
    }

    #[test]
    fn a_key_may_be_absent_and_must_be_a_string() {
        let read = |body: &str| Context::parse(body.as_bytes(), &Names::none()).map(|context| context.targeting_key);
        for body in [
            "{}",
            r#"{"context": {}}"#,
            r#"{"context": {"plan": [1, null]}, "x": 1}"#,
            r#"{"context":{"targetingKey":""}}"#,
        ] {
            assert_eq!(read(body).unwrap(), None, "{body}");
        }
        assert_eq!(
            read(r#" {"context": {"a": 1, "targetingKey": "\u00e4\n"}} "#).unwrap().as_deref(),
            Some("\u{e4}\n")
        );
        for (body, code) in [
            ("[]", "INVALID_CONTEXT"),
            ("1", "INVALID_CONTEXT"),
            ("null", "INVALID_CONTEXT"),
            (r#"{"context": null}"#, "INVALID_CONTEXT"),
            (r#"{"context": []}"#, "INVALID_CONTEXT"),
            (r#"{"context": {"targetingKey": 1}}"#, "INVALID_CONTEXT"),
            (r#"{"context": {"targetingKey": null}}"#, "INVALID_CONTEXT"),
            ("{", "PARSE_ERROR"),
            ("{} {}", "PARSE_ERROR"),
            (r#"{"context": {"targetingKey": "a", "targetingKey": "b"}}"#, "PARSE_ERROR"),
            (r#"{"context": {"a": 01}}"#, "PARSE_ERROR"),
        ] {
            let failure = read(body).unwrap_err().to_ofrep_json(None);
            let failure: Value = serde_json::from_slice(&failure).unwrap();
            assert_eq!(failure["errorCode"], code, "{body}");
        }
        assert!(Context::parse(b"\xff", &Names::All).is_err());
    }
}
