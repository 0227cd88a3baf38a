//! Decisions of the engine as OFREP says them.

use std::borrow::Cow;

use tidegate::{Decision, ErrorCode, Micros, Subject, View};
use tidegate_engine::{Flag, Moment, Snapshot};

use super::catalog::{self, FAILURE_BYTES, Listed};
use super::context::Context;
use super::path::{self, Found};
use crate::api::Problem;

/// What is said of one flag.
struct Said<'s> {
    /// None: the client takes the default of its own code.
    value: Option<Cow<'s, str>>,
    /// As JSON writes it, without quotes.
    variant: Cow<'s, str>,
    reason: &'static str,
}

/// The answer to a single evaluation. From a page of another origin, flags for servers are hidden.
pub(super) fn single(view: &View, found: &Found<'_>, context: &Context, is_page: bool) -> Result<Vec<u8>, Problem> {
    let snapshot = view.snapshot();
    let unknown = || {
        let meant = snapshot.nearest(&found.key()).filter(|_| !is_page).map(|meant| meant.to_short());
        Problem::unknown_ofrep_flag(&found.name, meant.as_deref())
    };
    let flag = snapshot.flag(found.index.ok_or_else(unknown)?);
    if is_page && !flag.is_for_clients() {
        return Err(unknown());
    }
    let decision = snapshot.evaluate(found.index, &context.subject(), &view.moment());
    let said = said(&flag, decision)?.ok_or_else(unknown)?;
    let internal = |error: serde_json::Error| Problem::internal(&error);
    let value_bytes = said.value.as_ref().map_or(0, |value| value.len());
    let mut json = Vec::with_capacity(found.name.len().saturating_add(value_bytes).saturating_add(ITEM_BYTES));
    json.extend_from_slice(b"{\"key\":");
    serde_json::to_writer(&mut json, &*found.name).map_err(internal)?;
    said.put(&catalog::metadata(&flag).map_err(internal)?, &mut json);
    Ok(json)
}

/// Appends the answer to a bulk evaluation, every flag of which the engine evaluates. The instant before which no flag in it changes
/// by itself.
pub(super) fn bulk(
    view: &View,
    flags: &[Listed],
    section: Option<&str>,
    context: &Context,
    json: &mut Vec<u8>,
) -> Option<Micros> {
    let (moment, subject) = (view.moment(), context.subject());
    begin_bulk(json);
    let mut until = None;
    for listed in flags {
        until = earlier(until, item(view.snapshot(), listed, section.is_some(), &subject, &moment, json));
    }
    end_bulk(section, json);
    until
}

/// Appends the start of a bulk answer. Each item ends with a comma.
pub(super) fn begin_bulk(json: &mut Vec<u8>) {
    json.extend_from_slice(b"{\"flags\":[");
}

/// Appends what follows the items.
pub(super) fn end_bulk(section: Option<&str>, json: &mut Vec<u8>) {
    if json.last() == Some(&b',') {
        json.pop();
    }
    json.extend_from_slice(b"],\"eventStreams\":[{\"type\":\"sse\",\"endpoint\":{\"requestUri\":\"");
    // The path has no character that JSON escapes.
    json.extend_from_slice(path::events_path(section).as_bytes());
    json.extend_from_slice(b"\"},\"inactivityDelaySec\":120}]");
    if let Some(Ok(name)) = section.map(serde_json::to_string) {
        json.extend_from_slice(b",\"metadata\":{\"flagSetId\":");
        json.extend_from_slice(name.as_bytes());
        json.push(b'}');
    }
    json.push(b'}');
}

/// Appends one flag for this subject, and a comma; nothing for a flag of which nothing is known here: its client gets
/// `FLAG_NOT_FOUND` from its own SDK. The instant before which it does not change by itself.
pub(super) fn item(
    snapshot: &Snapshot,
    listed: &Listed,
    is_bare: bool,
    subject: &Subject<'_>,
    moment: &Moment<'_>,
    json: &mut Vec<u8>,
) -> Option<Micros> {
    let (decision, until) = snapshot.evaluate_until(Some(listed.index), subject, moment);
    let said = match said(&snapshot.flag(listed.index), decision) {
        Ok(None) => return until,
        Ok(Some(said)) => Ok(said),
        Err(problem) => Err(problem),
    };
    json.extend_from_slice(b"{\"key\":");
    listed.put_name(is_bare, json);
    match said {
        Ok(said) => said.put(&listed.metadata, json),
        Err(problem) => {
            json.push(b',');
            json.extend_from_slice(problem.to_ofrep_json(None).get(1..).unwrap_or_default());
        }
    }
    json.push(b',');
    until
}

/// The earlier one of two instants, of which none is never.
pub(super) fn earlier(one: Option<Micros>, other: Option<Micros>) -> Option<Micros> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The most bytes that a bulk answer of these flags can have.
pub(super) fn bulk_bytes_max(flags: &[Listed], section: Option<&str>, is_keyless: bool) -> usize {
    let failure_bytes = if is_keyless { FAILURE_BYTES } else { 0 };
    let bytes = |listed: &Listed| {
        let value = listed.value_bytes_max.max(failure_bytes);
        listed.name_bytes().saturating_add(value).saturating_add(listed.metadata.len()).saturating_add(ITEM_BYTES)
    };
    let section = section.map_or(0, |section| section.len().saturating_mul(JSON_BYTES_MAX));
    flags.iter().map(bytes).fold(section.saturating_add(AROUND_BYTES), usize::saturating_add)
}

/// What OFREP can say of a decision; none for a flag of which nothing is known.
fn said<'s>(flag: &Flag<'s>, decision: Decision<'s>) -> Result<Option<Said<'s>>, Problem> {
    match decision.error {
        None => {}
        Some(ErrorCode::FlagNotFound) => return Ok(None),
        Some(_) => return Err(Problem::key_missing()),
    }
    let value = flag.typed_json(decision.answer);
    match value.as_deref() {
        Some("null") => return Err(Problem::not_in_ofrep("the value is `null`, which OFREP cannot carry")),
        Some(text) if text.starts_with('[') => {
            return Err(Problem::not_in_ofrep("the value is a list, which OFREP cannot carry"));
        }
        _ => {}
    }
    let other = if value.is_some() { LOCKED } else { CODE_DEFAULT };
    let variant = escaped(decision.variant_name().unwrap_or(other));
    Ok(Some(Said { value, variant, reason: decision.reason.as_str() }))
}

/// A name as it stands between the quotes of a JSON string.
fn escaped(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\')) {
        return Cow::Borrowed(name);
    }
    let quoted = serde_json::to_string(name).unwrap_or_default();
    Cow::Owned(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned())
}

impl Said<'_> {
    /// Appends everything that follows the key in an item.
    fn put(&self, metadata: &str, into: &mut Vec<u8>) {
        if let Some(value) = &self.value {
            into.extend_from_slice(b",\"value\":");
            into.extend_from_slice(value.as_bytes());
        }
        into.extend_from_slice(b",\"reason\":\"");
        into.extend_from_slice(self.reason.as_bytes());
        into.extend_from_slice(b"\",\"variant\":\"");
        into.extend_from_slice(self.variant.as_bytes());
        into.push(b'"');
        into.extend_from_slice(metadata.as_bytes());
        into.push(b'}');
    }
}

/// The variant of an answer without a value: the client takes the default of its own code. Clients demand a variant in each answer.
const CODE_DEFAULT: &str = "code_default";

/// The variant of a value that a lock of this host gives.
const LOCKED: &str = "locked";

/// More than an item has besides name, value and metadata.
const ITEM_BYTES: usize = 128;

/// More than an answer has around its items, but for the name of its section.
const AROUND_BYTES: usize = 256;

/// The most bytes that JSON and a path together need for one byte of text.
const JSON_BYTES_MAX: usize = 6 + 3;
