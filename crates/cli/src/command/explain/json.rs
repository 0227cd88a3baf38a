//! The explanation as JSON.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tidegate_engine::document::{Adopter, Choice};
use tidegate_engine::{ErrorCode, Explanation, HostLock, Micros, Pin, Position, Variant};

use crate::data::Data;
use crate::json::{Percent, instant, raw};

/// The one object that `explain --format json` prints. Fields with a `?` in the reference are left out where
/// they do not apply; all others are always there, and `null` where there is no value.
#[derive(Debug, Serialize)]
pub(super) struct Line<'e> {
    flag: String,
    key: &'e str,
    /// `null`: the caller's default.
    value: Option<Box<RawValue>>,
    variant: Option<&'e str>,
    /// `stable`, `new` or `named`: which side of a flag with named variants decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    side: Option<&'static str>,
    /// The weights that gave the key its variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    split: Option<Map<String, Value>>,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
    rule: &'static str,
    position: Option<u32>,
    share: Option<Percent>,
    flip: Option<String>,
    flips: Flips,
    valid_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    adopter: Option<AdopterLine<'e>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock: Option<Lock<'e>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ramp_instant: Option<String>,
    data: &'e Data,
}

/// When the key flips to `new`, and when back to `stable`.
#[derive(Debug, Serialize)]
struct Flips {
    on: Option<String>,
    off: Option<String>,
}

/// The early adopter that matched the key, as the document writes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum AdopterLine<'e> {
    Key(&'e str),
    Regex(&'e str),
}

/// The lock that decided.
#[derive(Debug, Serialize)]
pub(crate) struct Lock<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Box<RawValue>>,
    actor: &'e str,
    reason: &'e str,
    until: Option<String>,
}

impl<'e> Lock<'e> {
    pub(crate) fn new(lock: &'e HostLock) -> Self {
        let (variant, value) = match &lock.pin {
            Pin::Variant(variant) => (Some(variant.as_str()), None),
            Pin::Value(value) => (None, raw(value)),
        };
        Self { variant, value, actor: &lock.actor, reason: &lock.reason, until: lock.until.map(instant) }
    }
}

/// The weights of a split, as documents write them.
fn weights(choice: &Choice) -> Option<Map<String, Value>> {
    let Choice::Split(portions) = choice else { return None };
    let weight = |text: String| serde_json::from_str(&text).unwrap_or_default();
    Some(portions.iter().map(|portion| (portion.variant.to_string(), weight(portion.weight.to_string()))).collect())
}

/// The explanation as one object.
pub(super) fn line<'e>(explanation: &'e Explanation, key: &'e str, data: &'e Data) -> Line<'e> {
    let text = |at: Option<Micros>| at.map(instant);
    Line {
        flag: explanation.flag.to_string(),
        key,
        value: explanation.value.as_deref().and_then(raw),
        variant: explanation.variant_name(),
        side: explanation.variant.filter(|_| explanation.name.is_some()).map(Variant::as_str),
        split: explanation.split.as_ref().and_then(weights),
        reason: explanation.reason.as_str(),
        error_code: explanation.error.map(ErrorCode::as_str),
        rule: explanation.rule.as_str(),
        position: explanation.position.map(Position::get),
        share: explanation.share.map(Percent),
        flip: text(explanation.flip),
        flips: Flips { on: text(explanation.flips.on), off: text(explanation.flips.off) },
        valid_until: text(explanation.valid_until),
        adopter: explanation.adopter.as_ref().map(|adopter| match adopter {
            Adopter::Key(key) => AdopterLine::Key(key),
            Adopter::Pattern(pattern) => AdopterLine::Regex(pattern),
        }),
        lock: explanation.lock.as_ref().map(Lock::new),
        ramp_instant: text(explanation.ramp_instant),
        data,
    }
}
