//! The lines that `watch` prints.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tidegate::{Health, Status};
use tidegate_engine::{Explanation, Micros, Variant};

use crate::data::Data;
use crate::json::{instant, raw};
use crate::server::Address;
use crate::source::now;

/// The value that the key has from an instant on.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ValueLine {
    event: &'static str,
    at: String,
    flag: String,
    key: String,
    /// `null`: the caller's default, because the flag is unknown or disabled.
    value: Option<Box<RawValue>>,
    variant: Option<&'static str>,
    reason: &'static str,
    rule: &'static str,
    valid_until: Option<String>,
}

impl ValueLine {
    pub(super) fn new(explanation: &Explanation, key: &str, at: Micros) -> Self {
        Self {
            event: "value",
            at: instant(at),
            flag: explanation.flag.to_string(),
            key: key.to_owned(),
            value: explanation.value.as_deref().and_then(raw),
            variant: explanation.variant.map(Variant::as_str),
            reason: explanation.reason.as_str(),
            rule: explanation.rule.as_str(),
            valid_until: explanation.valid_until.map(instant),
        }
    }

    /// Whether the value is the same; the rule may differ.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let text = |value: &Option<Box<RawValue>>| value.as_ref().map(|value| value.get().to_owned());
        text(&self.value) == text(&other.value) && self.variant == other.variant
    }
}

/// A flag of a server that has changed.
#[derive(Debug, Serialize)]
pub(super) struct ChangeLine {
    event: &'static str,
    at: String,
    flag: String,
    /// Its new state, as the server writes it.
    #[serde(flatten)]
    state: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    removed: bool,
}

impl ChangeLine {
    /// The new state of the flag; none if it was removed.
    pub(super) fn new(flag: String, state: Option<Map<String, Value>>) -> Self {
        let removed = state.is_none();
        Self { event: "change", at: instant(now()), flag, state, removed }
    }
}

/// The active document.
#[derive(Debug, Serialize)]
pub(super) struct DocumentLine {
    event: &'static str,
    at: String,
    digest: String,
    flags: usize,
    warnings: usize,
    tag: Option<String>,
}

impl DocumentLine {
    pub(super) fn new(status: &Status) -> Self {
        Self {
            event: "document",
            at: instant(now()),
            digest: status.digest.clone(),
            flags: status.flags,
            warnings: status.warnings,
            tag: status.tag.clone(),
        }
    }
}

/// The health of the source.
#[derive(Debug, Serialize)]
pub(super) struct SourceLine {
    event: &'static str,
    at: String,
    source: String,
    health: &'static str,
    why: Option<String>,
    age_seconds: Option<f64>,
}

impl SourceLine {
    /// The health of a server: it answers, or why it does not.
    pub(super) fn from_server(address: &Address, why: Option<String>) -> Self {
        let health = if why.is_some() { Health::Stale } else { Health::Fresh };
        Self {
            event: "source",
            at: instant(now()),
            source: address.to_string(),
            health: health.as_str(),
            why,
            age_seconds: None,
        }
    }

    pub(super) fn new(status: &Status) -> Self {
        let data = Data::new(status);
        Self {
            event: "source",
            at: instant(now()),
            source: data.source,
            health: status.health.as_str(),
            why: data.why,
            age_seconds: data.age_seconds,
        }
    }
}
