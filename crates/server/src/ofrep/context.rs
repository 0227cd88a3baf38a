//! The evaluation context of a request: who asks.

use serde::Deserialize;
use serde_json::value::RawValue;
use tidegate::{JsonAttributes, Subject};

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
    pub(super) fn parse(body: &[u8]) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct Request<'b> {
            #[serde(borrow, default, deserialize_with = "present")]
            context: Option<&'b RawValue>,
        }
        #[derive(Deserialize)]
        struct Members<'b> {
            #[serde(borrow, default, rename = "targetingKey", deserialize_with = "present")]
            targeting_key: Option<&'b RawValue>,
        }
        let text = str::from_utf8(body).map_err(|error| Problem::not_utf8(error.valid_up_to()))?;
        let malformed = |error: serde_json::Error| Problem::malformed(&error, EXPECTED);
        let raw: &RawValue = serde_json::from_str(text).map_err(malformed)?;
        if !raw.get().starts_with('{') {
            return Err(Problem::invalid_context("context", "the body is not an object", EXPECTED));
        }
        let Some(context) = serde_json::from_str::<Request<'_>>(raw.get()).map_err(malformed)?.context else {
            return Ok(Self::default());
        };
        if !context.get().starts_with('{') {
            return Err(Problem::invalid_context("context", "`context` is not an object", EXPECTED));
        }
        let members: Members<'_> = serde_json::from_str(context.get()).map_err(malformed)?;
        let key = members.targeting_key.map(|key| serde_json::from_str::<String>(key.get())).transpose();
        let key = key.map_err(|_| {
            Problem::invalid_context("targetingKey", "`targetingKey` is not a string", "send a JSON string")
        })?;
        let mut attributes = JsonAttributes::parse(context.get())
            .map_err(|_| Problem::invalid_context("context", "`context` is not an object", EXPECTED))?;
        attributes.remove("targetingKey");
        Ok(Self { targeting_key: key.filter(|key| !key.is_empty()), attributes })
    }

    /// Whom a flag is evaluated for.
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject::from(self.targeting_key.as_deref()).with_attributes(&self.attributes)
    }

    /// Whether it has no key.
    pub(super) fn is_keyless(&self) -> bool {
        self.targeting_key.is_none()
    }

    /// What an answer may depend on: no other context has the same.
    pub(super) fn identity(&self) -> (Option<&str>, String) {
        (self.targeting_key.as_deref(), self.attributes.to_json())
    }
}

/// A member that is there, `null` included.
fn present<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(reader).map(Some)
}

const EXPECTED: &str = "send `{\"context\": {\"targetingKey\": \"...\"}}`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_members_are_attributes_and_tell_contexts_apart() {
        let read = |members: &str| Context::parse(format!(r#"{{"context": {{{members}}}}}"#).as_bytes()).unwrap();
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
    fn a_key_may_be_absent_and_must_be_a_string() {
        let read = |body: &str| Context::parse(body.as_bytes()).map(|context| context.targeting_key);
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
            let failure: serde_json::Value = serde_json::from_slice(&failure).unwrap();
            assert_eq!(failure["errorCode"], code, "{body}");
        }
        assert!(Context::parse(b"\xff").is_err());
    }
}
