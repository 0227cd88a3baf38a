//! The lines that `watch` prints.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidegate::{Health, Status};
use tidegate_engine::{Explanation, Micros};

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
    variant: Option<String>,
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
            variant: explanation.variant_name().map(str::to_owned),
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

/// A change that a server reports, as it is written there.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct ChangeLine {
    #[serde(skip_deserializing, default = "change")]
    event: &'static str,
    at: String,
    /// None: many flags of a document, or it is unknown which.
    flag: Option<String>,
    kind: String,
    old: Option<Box<RawValue>>,
    new: Option<Box<RawValue>>,
    actor: String,
    reason: String,
    node: String,
    /// None for what is not replicated.
    stamp: Option<String>,
    replaced: Option<String>,
    lost_to: Option<String>,
}

fn change() -> &'static str {
    "change"
}

/// Changes are missing: the server does not have them any more.
#[derive(Debug, Serialize)]
pub(super) struct GapLine {
    event: &'static str,
    at: String,
    detail: String,
}

/// What a server says of a gap.
#[derive(Debug, Deserialize)]
pub(super) struct Gap {
    detail: String,
}

impl GapLine {
    pub(super) fn new(gap: Gap) -> Self {
        Self { event: "gap", at: instant(now()), detail: gap.detail }
    }
}

/// The health of the sources of a server.
#[derive(Debug, Serialize)]
pub(super) struct HealthLine {
    event: &'static str,
    at: String,
    sources: Box<RawValue>,
}

/// What a server says of its sources.
#[derive(Debug, Deserialize)]
pub(super) struct Sources {
    sources: Box<RawValue>,
}

impl HealthLine {
    pub(super) fn new(all: Sources) -> Self {
        Self { event: "health", at: instant(now()), sources: all.sources }
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
