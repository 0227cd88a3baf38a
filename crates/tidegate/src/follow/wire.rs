//! What a server sends to its followers, as JSON: a snapshot, and lines of a stream.
//!
//! Values of a newer version may have members that this one does not know: they are not looked at.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_replica::{Register, Stamp};

use crate::ingest::source::body_digest;
use crate::registry::DocumentId;

/// A place in the stream of one process: lines up to `seq` have been applied.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Position {
    /// Which process; positions of another one mean nothing.
    pub(crate) instance: u64,
    pub(crate) seq: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}-{}", self.instance, self.seq)
    }
}

impl FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (instance, seq) = text.split_once('-').ok_or(())?;
        Ok(Self { instance: parse_id(instance).ok_or(())?, seq: seq.parse().map_err(drop)? })
    }
}

/// The id of a process, as text.
pub(crate) fn parse_id(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok().filter(|_| text.len() == ID_DIGITS)
}

/// One process on the way from the members to a follower.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Hop {
    /// The id of the process: 16 hexadecimal digits.
    pub(crate) id: String,
    /// What people call it.
    pub(crate) name: String,
}

/// All that a server has.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct SnapshotJson {
    pub(crate) cluster: String,
    pub(crate) position: String,
    pub(crate) digest: String,
    /// Tombstones with stamps up to here are collected.
    pub(crate) floor: String,
    /// What nodes are called, by their ids.
    pub(crate) nodes: BTreeMap<String, String>,
    pub(crate) documents: Vec<DocumentJson>,
    pub(crate) registers: Vec<RegisterJson>,
}

/// A document with all that decides what it means.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct DocumentJson {
    pub(crate) source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) default_lease_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signature: Option<String>,
    /// Since the last successful poll of its source.
    pub(crate) age_ms: u64,
    pub(crate) text: String,
}

impl DocumentJson {
    pub(crate) fn id(&self) -> DocumentId {
        DocumentId {
            source: self.source.clone(),
            digest: body_digest(self.text.as_bytes()),
            default_lease_us: self.default_lease_us,
            signature: self.signature.clone(),
        }
    }
}

/// A register. One whose key or value is not text, which only a newer version writes, goes as bytes.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct RegisterJson {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    key: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    stamp: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaces: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    supersedes: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    actor: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
    /// The whole register in the replica's own encoding, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
}

/// A line of the stream.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Line {
    /// The first one: who sends, and from whom it has what it sends.
    Hello { cluster: String, path: Vec<Hop> },
    /// Registers have changed.
    Change { position: String, digest: String, nodes: BTreeMap<String, String>, registers: Vec<RegisterJson> },
    /// These registers are gone: they were tombstones, and are collected.
    Gone { position: String, digest: String, keys: Vec<String> },
    /// Documents have changed: the follower takes a snapshot.
    Documents { position: String },
    /// The server follows another one now.
    Path { path: Vec<Hop> },
    /// The server is there, and has this.
    Alive { digest: String, age_ms: u64, documents_age_ms: Vec<u64> },
    /// The stream ends.
    End { reason: String },
    /// Of a newer version.
    #[serde(other)]
    Unknown,
}

impl Line {
    /// Its bytes, as a server-sent event.
    pub(crate) fn to_bytes(&self) -> Arc<[u8]> {
        // Maps with text for keys and no floats: writing them cannot fail.
        let json = serde_json::to_vec(self).unwrap_or_default();
        [DATA, &json, b"\n\n"].concat().into()
    }

    /// The line in these bytes; none in those of the stream itself, between two events.
    pub(crate) fn read(bytes: &[u8]) -> Option<Result<Self, serde_json::Error>> {
        bytes.strip_prefix(DATA).map(serde_json::from_slice)
    }
}

impl RegisterJson {
    pub(crate) fn new(register: &Register) -> Self {
        let text = |bytes: &[u8]| str::from_utf8(bytes).ok().map(str::to_owned);
        let value = register.value.as_deref();
        let (Some(key), true, true) =
            (text(&register.key), value.is_none_or(|value| str::from_utf8(value).is_ok()), register.extra.is_empty())
        else {
            return Self { bytes: Some(hex(&register.encode())), ..Self::default() };
        };
        Self {
            key,
            stamp: register.stamp.to_string(),
            value: value.and_then(text),
            replaces: register.replaces.map(|stamp| stamp.to_string()),
            supersedes: register.supersedes.map(|stamp| stamp.to_string()),
            actor: register.actor.to_string(),
            reason: register.reason.to_string(),
            bytes: None,
        }
    }

    /// The register; none if it is none, or is larger than registers may be.
    pub(crate) fn read(self) -> Option<Register> {
        if let Some(bytes) = self.bytes {
            return Register::decode(&unhex(&bytes)?).ok();
        }
        let stamp = |text: Option<String>| text.map(|text| text.parse::<Stamp>()).transpose().ok();
        let register = Register {
            key: self.key.into_bytes().into(),
            stamp: self.stamp.parse().ok()?,
            value: self.value.map(|value| value.into_bytes().into()),
            replaces: stamp(self.replaces)?,
            supersedes: stamp(self.supersedes)?,
            actor: self.actor.into(),
            reason: self.reason.into(),
            extra: Arc::from([]),
        };
        // Only the replica knows the limits, and says them when it reads.
        Register::decode(&register.encode()).ok()
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    Some(pairs.iter().map(|[high, low]| (high << 4) | low).collect())
}

/// Before the JSON of an event.
const DATA: &[u8] = b"data: ";

/// Digits of the id of a process.
const ID_DIGITS: usize = 16;

#[cfg(test)]
mod tests {
    use tidegate_replica::NodeId;

    use super::*;

    fn register(key: &[u8], value: Option<&[u8]>, extra: &[u8]) -> Register {
        Register {
            key: key.into(),
            stamp: Stamp::new(0, 17, 3, NodeId::new(5)),
            value: value.map(Arc::from),
            replaces: Some(Stamp::ZERO),
            supersedes: None,
            actor: "dana".into(),
            reason: "a \"word\"\n".into(),
            extra: extra.into(),
        }
    }

    #[test]
    fn registers_read_back() {
        for register in [
            register(b"aflags/x", Some(br#"{"percentage":"5"}"#), b""),
            register(b"aflags/x", None, b""),
            register(&[b'z', 0xff], Some(&[0xfe, 0]), b""),
        ] {
            let text = serde_json::to_string(&RegisterJson::new(&register)).unwrap();
            let read: RegisterJson = serde_json::from_str(&text).unwrap();
            assert_eq!(read.read(), Some(register), "{text}");
        }
    }

    #[test]
    fn what_is_no_register_is_none() {
        for text in [
            "{}",
            r#"{"key":"ax","stamp":"12"}"#,
            r#"{"key":"","stamp":"000000000000000000000000000000000000"}"#,
            r#"{"bytes":"0"}"#,
            r#"{"bytes":"zz"}"#,
            r#"{"bytes":"0102"}"#,
        ] {
            assert_eq!(serde_json::from_str::<RegisterJson>(text).unwrap().read(), None, "{text}");
        }
    }

    #[test]
    fn positions_read_back() {
        let position = Position { instance: 7, seq: 12 };
        assert_eq!(position.to_string(), "0000000000000007-12");
        assert_eq!(position.to_string().parse(), Ok(position));
        for text in ["", "-", "7-12", "0000000000000007", "0000000000000007-x", "000000000000000g-1"] {
            assert_eq!(text.parse::<Position>(), Err(()), "{text}");
        }
    }

    #[test]
    fn lines_of_a_newer_version_are_unknown_and_their_members_are_not_looked_at() {
        let line = |text: &str| serde_json::from_str::<Line>(text).unwrap();
        assert!(matches!(line(r#"{"type":"flourish","colour":"red"}"#), Line::Unknown));
        assert!(matches!(line(r#"{"type":"end","reason":"x","colour":"red"}"#), Line::End { .. }));
    }
}
