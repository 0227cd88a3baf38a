//! What registers say of flags: their keys, and their values as JSON.
//!
//! A flag has two registers, its activation and its definition, so that an edit and a kill switch never overwrite each
//! other. Values of a newer version may have members that this one does not know: they are not looked at, and
//! the bytes stay as they are.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidegate_engine::document::{Document, parse_percent, read_definition};
use tidegate_engine::{Activation, FlagKey, Micros, Share};

/// What a register says of its flag. Its JSON is that of the activation or of the entry.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum RegisterValue {
    /// The flag has this activation.
    Activation(ActivationValue),
    /// The flag is defined by this entry, as it would stand in a document.
    Definition(Box<RawValue>),
}

/// An activation as it was set.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ActivationValue {
    /// The share of keys that have `new`.
    #[serde(rename = "percentage")]
    pub share: Share,
    /// When it ends; none: when it is cleared.
    pub until: Option<Micros>,
    /// Whether the flag had a definition when it was set. Where none is loaded, such a flag answers the caller's default.
    pub defined: bool,
}

/// What a register is about.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// The operator's activation of a flag.
    Activation,
    /// The definition of a flag apart from any document.
    Definition,
}

impl ChangeKind {
    /// The key of the register for this flag.
    pub(crate) fn key(self, flag: &FlagKey) -> Arc<[u8]> {
        let letter = match self {
            Self::Activation => 'a',
            Self::Definition => 'd',
        };
        Arc::from(format!("{letter}{flag}").into_bytes())
    }

    /// What a key is about; none for one that only a newer version knows.
    pub(crate) fn from_key(key: &[u8]) -> Option<(Self, FlagKey)> {
        let text = str::from_utf8(key).ok()?;
        let (kind, name) = match text.split_at_checked(1)? {
            ("a", name) => (Self::Activation, name),
            ("d", name) => (Self::Definition, name),
            _ => return None,
        };
        let flag = FlagKey::parse(name);
        // Two spellings of one flag would be two registers, and it would be unknown which counts.
        (flag.to_string() == name).then_some((kind, flag))
    }
}

/// An activation in the bytes of a register.
#[derive(Debug, Deserialize, Serialize)]
struct ActivationJson {
    /// As decimal text: exact, and the same in every language.
    percentage: String,
    /// Microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    #[serde(default)]
    defined: bool,
}

/// A definition in the bytes of a register.
#[derive(Debug, Deserialize, Serialize)]
struct DefinitionJson {
    entry: Box<RawValue>,
}

/// Why a register says nothing that can be activated. It came from another node, so no caller here is at fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ValueError {
    /// It is not as registers of this kind are.
    #[error("its value cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// The percentage is none.
    #[error("its percentage {0}")]
    Percent(#[from] tidegate_engine::document::PercentError),
    /// The entry would be refused here.
    #[error(transparent)]
    Definition(#[from] tidegate_engine::document::DefinitionError),
}

pub(super) fn write_activation(activation: &Activation) -> Arc<[u8]> {
    let until = activation.until.map(Micros::get);
    let activation = ActivationJson { percentage: activation.share.to_string(), until, defined: activation.defined };
    to_bytes(&activation)
}

pub(super) fn read_activation(value: &[u8]) -> Result<Activation, ValueError> {
    let activation: ActivationJson = serde_json::from_slice(value)?;
    let share: Share = parse_percent(&activation.percentage)?;
    Ok(Activation { share, until: activation.until.map(Micros::new), defined: activation.defined })
}

/// The value for the entry of a flag, which is JSON already. It is read back as other nodes will read it: what they could
/// not activated is not written.
pub(super) fn write_definition(flag: &FlagKey, entry: &str) -> Result<Arc<[u8]>, ValueError> {
    let value = to_bytes(&DefinitionJson { entry: RawValue::from_string(entry.to_owned())? });
    check(ChangeKind::Definition, flag, &value)?;
    Ok(value)
}

/// The flag as a document of its own.
pub(super) fn read_definition_value(flag: &FlagKey, value: &[u8]) -> Result<Arc<Document>, ValueError> {
    let entry: DefinitionJson = serde_json::from_slice(value)?;
    let (definition, _) = read_definition(flag, entry.entry.get())?;
    Ok(Arc::new(definition.into_document()))
}

/// Whether a node of this version can activate it.
pub(super) fn check(kind: ChangeKind, flag: &FlagKey, value: &[u8]) -> Result<(), ValueError> {
    match kind {
        ChangeKind::Activation => read_activation(value).map(drop),
        ChangeKind::Definition => read_definition_value(flag, value).map(drop),
    }
}

impl RegisterValue {
    /// Reads a register; none if only a newer version can read it.
    pub(super) fn from_bytes(kind: ChangeKind, value: &[u8]) -> Option<Self> {
        match kind {
            ChangeKind::Activation => {
                let Activation { share, until, defined } = read_activation(value).ok()?;
                Some(Self::Activation(ActivationValue { share, until, defined }))
            }
            ChangeKind::Definition => {
                let json: DefinitionJson = serde_json::from_slice(value).ok()?;
                Some(Self::Definition(json.entry))
            }
        }
    }

    /// The activation, if it is one.
    pub fn as_activation(&self) -> Option<&ActivationValue> {
        match self {
            Self::Activation(activation) => Some(activation),
            Self::Definition(_) => None,
        }
    }

    /// The entry of a definition, if it is one.
    pub fn as_definition(&self) -> Option<&RawValue> {
        match self {
            Self::Activation(_) => None,
            Self::Definition(entry) => Some(entry),
        }
    }
}

/// Its JSON.
impl fmt::Display for RegisterValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

fn to_bytes(value: &impl Serialize) -> Arc<[u8]> {
    // Maps with text for keys and no floats: writing them cannot fail.
    Arc::from(serde_json::to_vec(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_and_have_one_spelling() {
        for kind in [ChangeKind::Activation, ChangeKind::Definition] {
            for flag in ["x", "a%2Fb/c/d", "50%25/x"] {
                let flag = FlagKey::parse(flag);
                assert_eq!(ChangeKind::from_key(&kind.key(&flag)), Some((kind, flag)));
            }
        }
        for key in ["", "a", "ax", "zflags/x", "a50%/x", "a\u{e9}"] {
            assert_eq!(ChangeKind::from_key(key.as_bytes()), None, "{key}");
        }
        assert_eq!(ChangeKind::from_key(&[b'a', 0xff]), None);
    }

    #[test]
    fn values_read_back() {
        for (percent, until, defined) in [("0", None, false), ("12.000001", Some(Micros::new(-5)), true)] {
            let activation = Activation { share: parse_percent(percent).unwrap(), until, defined };
            assert_eq!(read_activation(&write_activation(&activation)).unwrap(), activation);
        }
        let flag = FlagKey::parse("x");
        let value = write_definition(&flag, r#"{"stable": 1.50}"#).unwrap();
        let read = RegisterValue::from_bytes(ChangeKind::Definition, &value).unwrap();
        assert_eq!(read.as_definition().map(RawValue::get), Some(r#"{"stable": 1.50}"#));
        assert_eq!(read_definition_value(&flag, &value).unwrap().sections[0].flags[0].stable.as_str(), "1.50");
    }

    #[test]
    fn a_definition_that_no_node_could_read_is_not_written() {
        let flag = FlagKey::parse("x");
        for entry in [r#"{"new": 1}"#, r#"{"stable": 1, "rollback": {"start_time": ""}}"#, "[]"] {
            assert!(write_definition(&flag, entry).is_err(), "{entry}");
        }
        assert!(write_definition(&FlagKey::new("s", "x".repeat(300)), r#"{"stable": 1}"#).is_err());
    }

    #[test]
    fn values_as_people_see_them() {
        let text = |kind, value: &str| {
            let value = RegisterValue::from_bytes(kind, value.as_bytes());
            value.map(|value| value.to_string())
        };
        let activation = text(ChangeKind::Activation, r#"{"percentage":"12.5","until":1000000,"colour":"red"}"#);
        let until = r#""1970-01-01T00:00:01.000000Z""#;
        assert_eq!(activation, Some(format!(r#"{{"percentage":12.5,"until":{until},"defined":false}}"#)));
        let entry = text(ChangeKind::Definition, r#"{"entry":{"stable":1.50}}"#);
        assert_eq!(entry.as_deref(), Some(r#"{"stable":1.50}"#));
        assert_eq!(text(ChangeKind::Activation, "[]"), None);
    }

    #[test]
    fn the_longest_names_make_a_key_that_the_replica_accepts() {
        let longest = |text: &str| text.repeat(tidegate_engine::limits::NAME_BYTES_MAX);
        for (section, flag) in [("%", "%"), ("/", "/"), ("a", "%"), ("/", "a")] {
            let flag = FlagKey::new(longest(section), longest(flag));
            assert_eq!(flag.check(), Ok(()));
            for kind in [ChangeKind::Activation, ChangeKind::Definition] {
                let key = kind.key(&flag);
                assert!(key.len() <= tidegate_replica::limits::KEY_BYTES_MAX, "{} bytes", key.len());
                assert_eq!(ChangeKind::from_key(&key), Some((kind, flag.clone())));
            }
        }
    }

    #[test]
    fn what_a_newer_version_adds_is_not_looked_at() {
        let activation = read_activation(br#"{"percentage":"5","colour":"red"}"#).unwrap();
        assert_eq!((activation.until, activation.defined), (None, false));
        for value in
            ["", "{}", "5", r#"{"percentage":5}"#, r#"{"percentage":"101"}"#, r#"{"percentage":"5","until":"x"}"#]
        {
            assert!(read_activation(value.as_bytes()).is_err(), "{value}");
        }
        assert!(read_definition_value(&FlagKey::parse("x"), br#"{"entry":{"new":1}}"#).is_err());
    }
}
