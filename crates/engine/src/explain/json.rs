//! An explanation as JSON: one shape for the command line, the library and the server.

use serde::ser::{Error as _, SerializeMap};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::document::{Adopter, Choice, Portion};
use crate::{Flips, HashName, HostLock, Micros, Pin, Position, Share};

use super::{Explanation, Part, Passed, Tried};

/// An object with `flag`, `value` (with the document's spelling; absent for the caller's default), `variant`,
/// `side` and `split` (only of a flag with named variants: `stable`, `new` or `named`, and the weights that gave the variant),
/// `reason`, `error_code` (only where there is one), `rule`, `position`, `share` (per cent, up to six decimals),
/// `flip`, `flips` (`on`, `off`), `valid_until`, and, where they apply, `hash` (the name of the program's own),
/// `ramp_instant`, `adopter`, `lock`, `targeting` (the rule of the entry that decided); and `passed`, the steps before that did
/// not decide. Instants are RFC 3339 in UTC with six digits of fraction; absent ones are `null`.
impl Serialize for Explanation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("flag", &self.flag.to_string())?;
        if let Some(value) = &self.value {
            map.serialize_entry("value", &raw::<S>(value)?)?;
        }
        map.serialize_entry("variant", &self.variant_name())?;
        if let (Some(_), Some(side)) = (&self.name, self.variant) {
            map.serialize_entry("side", side.as_str())?;
        }
        if let Some(Choice::Split(portions)) = &self.split {
            map.serialize_entry("split", &Weights(portions))?;
        }
        map.serialize_entry("reason", self.reason.as_str())?;
        if let Some(error) = self.error {
            map.serialize_entry("error_code", error.as_str())?;
        }
        map.serialize_entry("rule", self.rule.as_str())?;
        map.serialize_entry("position", &self.position.map(Position::get))?;
        if let Some(HashName::Custom(name)) = &self.hash {
            map.serialize_entry("hash", &**name)?;
        }
        map.serialize_entry("share", &self.share)?;
        map.serialize_entry("flip", &self.flip)?;
        map.serialize_entry("flips", &self.flips)?;
        map.serialize_entry("valid_until", &self.valid_until)?;
        if let Some(instant) = &self.ramp_instant {
            map.serialize_entry("ramp_instant", instant)?;
        }
        if let Some(adopter) = &self.adopter {
            map.serialize_entry("adopter", adopter)?;
        }
        if let Some(lock) = &self.lock {
            map.serialize_entry("lock", lock)?;
        }
        if let Some(tried) = &self.targeting {
            map.serialize_entry("targeting", tried)?;
        }
        map.serialize_entry("passed", &self.passed)?;
        map.end()
    }
}

/// `{"blue": 50, "green": 50}`.
struct Weights<'e>(&'e [Portion]);

impl Serialize for Weights<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for portion in self.0 {
            map.serialize_entry(&portion.variant, &raw::<S>(&portion.weight.to_string())?)?;
        }
        map.end()
    }
}

/// `{"name", "number", "conditions": [{"condition", "segment", "held", "found"}]}`.
impl Serialize for Tried {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("number", &self.number)?;
        map.serialize_entry("conditions", &self.parts)?;
        map.end()
    }
}

/// `{"condition", "segment" (where it stands in one), "held", "found" (where the subject has something there)}`.
impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("condition", &raw::<S>(&self.condition)?)?;
        if let Some(segment) = &self.segment {
            map.serialize_entry("segment", segment)?;
        }
        map.serialize_entry("held", &self.held)?;
        if let Some(found) = &self.found {
            match RawValue::from_string(found.clone()) {
                Ok(found) => map.serialize_entry("found", &found)?,
                Err(_) => map.serialize_entry("found", found)?,
            }
        }
        map.end()
    }
}

/// `{"step", "why"}`, and for a rule `targeting`.
impl Serialize for Passed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("step", self.step.as_str())?;
        map.serialize_entry("why", &*self.why)?;
        if let Some(tried) = &self.tried {
            map.serialize_entry("targeting", tried)?;
        }
        map.end()
    }
}

/// RFC 3339 in UTC with six digits of fraction.
impl Serialize for Micros {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Per cent, as a number with up to six decimals.
impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        raw::<S>(&self.to_string())?.serialize(serializer)
    }
}

/// `{"on": instant or null, "off": instant or null}`.
impl Serialize for Flips {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("on", &self.on)?;
        map.serialize_entry("off", &self.off)?;
        map.end()
    }
}

/// A text, or `{"regex": text}`, as in documents.
impl Serialize for Adopter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Key(key) => serializer.serialize_str(key),
            Self::Pattern(pattern) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("regex", pattern)?;
                map.end()
            }
        }
    }
}

/// `{"flag", "variant" or "value", "actor", "reason", "until"}`, as in the lock file.
impl Serialize for HostLock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("flag", &self.flag.to_string())?;
        match &self.pin {
            Pin::Variant(variant) => map.serialize_entry("variant", variant.as_str())?,
            Pin::Value(value) => map.serialize_entry("value", &raw::<S>(value)?)?,
        }
        map.serialize_entry("actor", &self.actor)?;
        map.serialize_entry("reason", &self.reason)?;
        if let Some(until) = &self.until {
            map.serialize_entry("until", until)?;
        }
        map.end()
    }
}

/// JSON text without changes. The reader has checked it.
fn raw<S: Serializer>(text: &str) -> Result<Box<RawValue>, S::Error> {
    RawValue::from_string(text.to_owned()).map_err(S::Error::custom)
}

#[cfg(test)]
mod tests {
    use crate::{ErrorCode, FlagKey, Reason, Rule, Variant};

    use super::*;

    #[test]
    fn an_explanation_has_one_shape() {
        let mut explanation = Explanation {
            flag: FlagKey::new("features", "x"),
            value: Some("1.50".to_owned()),
            variant: Some(Variant::New),
            name: None,
            split: None,
            reason: Reason::Split,
            error: None,
            rule: Rule::Ramp,
            position: Some(Position::new(7)),
            hash: Some(HashName::Algorithm(crate::HashAlgorithm::Sha1)),
            share: Share::from_millionths(12_500_000),
            flips: Flips { on: Some(Micros::new(0)), off: None },
            flip: Some(Micros::new(0)),
            valid_until: None,
            ramp_instant: None,
            adopter: None,
            lock: None,
            targeting: None,
            passed: vec![Passed { step: Rule::Activation, why: "there is none".into(), tried: None }],
        };
        let text = serde_json::to_string(&explanation).unwrap();
        let expected = concat!(
            r#"{"flag":"features/x","value":1.50,"variant":"new","reason":"SPLIT","rule":"ramp","position":7,"#,
            r#""share":12.5,"flip":"1970-01-01T00:00:00.000000Z","#,
            r#""flips":{"on":"1970-01-01T00:00:00.000000Z","off":null},"valid_until":null,"#,
            r#""passed":[{"step":"activation","why":"there is none"}]}"#
        );
        assert_eq!(text, expected);
        explanation.value = None;
        explanation.error = Some(ErrorCode::FlagNotFound);
        explanation.adopter = Some(Adopter::Pattern("^ci-".into()));
        explanation.lock = Some(HostLock {
            flag: FlagKey::new("a/b", "c"),
            pin: Pin::Value("[1]".into()),
            actor: "ops".to_owned(),
            reason: "a trial".to_owned(),
            until: Some(Micros::new(1)),
        });
        let value = serde_json::to_value(&explanation).unwrap();
        assert_eq!(value.get("value"), None);
        assert_eq!(value["error_code"], "FLAG_NOT_FOUND");
        assert_eq!(value["adopter"]["regex"], "^ci-");
        assert_eq!(value["lock"]["flag"], "a%2Fb/c");
        assert_eq!(value["lock"]["value"][0], 1);
        assert_eq!(value["lock"]["until"], "1970-01-01T00:00:00.000001Z");
    }
}
