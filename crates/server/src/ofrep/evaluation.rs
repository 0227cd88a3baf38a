//! Decisions of the engine as OFREP says them.

use std::borrow::Cow;

use tidegate::{Decision, ErrorCode, Micros, View};
use tidegate_engine::Flag;

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
pub(super) fn single(view: &View, found: &Found, context: &Context, is_page: bool) -> Result<Vec<u8>, Problem> {
    let snapshot = view.snapshot();
    let unknown = || {
        let meant = snapshot.nearest(&found.key).filter(|_| !is_page).map(|meant| meant.to_short());
        Problem::unknown_ofrep_flag(&found.name, meant.as_deref())
    };
    let flag = snapshot.flag(found.index.ok_or_else(unknown)?);
    if is_page && !flag.is_for_clients() {
        return Err(unknown());
    }
    let decision = snapshot.evaluate(found.index, &context.subject(), &view.moment());
    let said = said(&flag, decision)?.ok_or_else(unknown)?;
    let internal = |error: serde_json::Error| Problem::internal(&error);
    let mut json = Vec::new();
    json.extend_from_slice(b"{\"key\":");
    serde_json::to_writer(&mut json, &found.name).map_err(internal)?;
    said.put(&catalog::metadata(&flag).map_err(internal)?, &mut json);
    Ok(json)
}

/// The answer to a bulk evaluation, and the instant before which no flag in it changes by itself.
pub(super) fn bulk(
    view: &View,
    flags: &[Listed],
    section: Option<&str>,
    context: &Context,
    bytes_max: usize,
) -> (Vec<u8>, Option<Micros>) {
    let (snapshot, moment, subject) = (view.snapshot(), view.moment(), context.subject());
    let mut json = Vec::with_capacity(bytes_max);
    json.extend_from_slice(b"{\"flags\":[");
    let (mut until, mut is_first) = (None::<Micros>, true);
    for listed in flags {
        let (decision, holds_until) = snapshot.evaluate_until(Some(listed.index), &subject, &moment);
        until = [until, holds_until].into_iter().flatten().min();
        let said = match said(&snapshot.flag(listed.index), decision) {
            // Nothing is known of it here: its client gets `FLAG_NOT_FOUND` from its own SDK.
            Ok(None) => continue,
            Ok(Some(said)) => Ok(said),
            Err(problem) => Err(problem),
        };
        if !is_first {
            json.push(b',');
        }
        is_first = false;
        json.extend_from_slice(b"{\"key\":");
        listed.put_name(section.is_some(), &mut json);
        match said {
            Ok(said) => said.put(&listed.metadata, &mut json),
            Err(problem) => {
                json.push(b',');
                json.extend_from_slice(problem.to_ofrep_json(None).get(1..).unwrap_or_default());
            }
        }
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
    (json, until)
}

/// The most bytes that a bulk answer of these flags can have.
pub(super) fn bulk_bytes_max(flags: &[Listed], section: Option<&str>, context: &Context) -> usize {
    let failure_bytes = if context.is_keyless() { FAILURE_BYTES } else { 0 };
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
