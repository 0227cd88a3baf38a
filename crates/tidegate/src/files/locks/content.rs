//! The text of the file of locks.
//!
//! It is read leniently where nothing can be misunderstood (unknown fields, no `actor`, a list alone), and all
//! that is wrong is said at once. A file with anything wrong in it is not used in part: it is unknown
//! which half of an intention was meant.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;
use tidegate_engine::document::parse_time;
use tidegate_engine::{FlagKey, HostLock, Micros, Pin, Variant};

use super::LOCKS_MAX;

/// The locks in a text, or all that is wrong with it.
pub(super) fn parse(text: &[u8]) -> Result<Vec<HostLock>, Vec<String>> {
    let text = std::str::from_utf8(text).map_err(|_| vec!["it is not UTF-8".to_owned()])?;
    // Some editors put a byte order mark before a text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_ascii().is_empty() {
        return Err(vec![r#"it is empty; write `{"locks": []}`, or remove it"#.to_owned()]);
    }
    let entries = entries(text).map_err(|problem| vec![problem])?;
    if entries.len() > LOCKS_MAX {
        return Err(vec![format!("it has {} locks, more than the limit of {LOCKS_MAX}", entries.len())]);
    }
    let mut locks = Vec::with_capacity(entries.len());
    let mut problems = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        match parse_entry(entry) {
            Ok(lock) => locks.push(lock),
            Err(problem) => problems.push(format!("`locks[{number}]`: {problem}")),
        }
    }
    if problems.is_empty() {
        return Ok(locks);
    }
    let more = problems.len().saturating_sub(PROBLEMS_MAX);
    if more > 0 {
        problems.truncate(PROBLEMS_MAX);
        problems.push(format!("and {more} more"));
    }
    Err(problems)
}

/// The text for these locks, one on a line.
pub(super) fn render(locks: &[HostLock]) -> String {
    let mut text = "{\"locks\": [".to_owned();
    for (number, lock) in locks.iter().enumerate() {
        // Checked locks are texts and legal JSON: there is nothing in them that could fail.
        let lock = serde_json::to_string(lock).unwrap_or_default();
        let _ = write!(text, "{}\n  {lock}", if number == 0 { "" } else { "," });
    }
    text.push_str(if locks.is_empty() { "]}\n" } else { "\n]}\n" });
    text
}

/// The lock as the file will have it, its value compact.
pub(crate) fn checked(lock: &HostLock) -> Result<HostLock, String> {
    for (name, text) in [("actor", &lock.actor), ("reason", &lock.reason)] {
        check_length(name, text)?;
    }
    if let Some(until) = lock.until
        && parse_time(&until.to_string()) != Ok(until)
    {
        return Err("`until` lies outside of the years 0001 to 9999".to_owned());
    }
    let mut lock = lock.clone();
    match &lock.pin {
        Pin::Value(value) => lock.pin = Pin::Value(compact_value(&lock.flag, value)?),
        Pin::Variant(Variant::Interpolated | Variant::Named) => return Err(VARIANTS.to_owned()),
        Pin::Variant(Variant::Stable | Variant::New) => {
            compact_value(&lock.flag, "null")?;
        }
    }
    Ok(lock)
}

/// A value's JSON text made compact, if names and value are legal in a document: the engine's own reader is
/// the judge, so that a lock has the limits of a document.
fn compact_value(flag: &FlagKey, value: &str) -> Result<Box<str>, String> {
    // What is no single JSON value could close the entry and open another.
    serde_json::from_str::<&RawValue>(value).map_err(|error| format!("`value` is not JSON: {error}"))?;
    let text = |name: &str| serde_json::to_string(name).unwrap_or_default();
    let document = format!(r#"{{{}: {{{}: {{"stable": {value}}}}}}}"#, text(flag.section()), text(flag.flag()));
    let (document, _) = tidegate_engine::read(document.as_bytes()).map_err(|diagnostics| {
        let first = diagnostics.first().map(|diagnostic| (diagnostic.message.as_str(), diagnostic.help.as_str()));
        let (message, help) = first.unwrap_or_default();
        if help.is_empty() { message.to_owned() } else { format!("{message}; {help}") }
    })?;
    let flag = document.sections.into_iter().flat_map(|section| section.flags).next();
    flag.map(|flag| flag.stable.as_str().into()).ok_or_else(|| "the section's name is reserved".to_owned())
}

/// `{"locks": [...]}`, or the list alone.
fn entries(text: &str) -> Result<Vec<&RawValue>, String> {
    #[derive(Deserialize)]
    struct Whole<'t> {
        #[serde(borrow)]
        locks: Vec<&'t RawValue>,
    }
    if text.trim_ascii_start().starts_with('[') {
        return serde_json::from_str(text).map_err(|error| error.to_string());
    }
    serde_json::from_str::<Whole<'_>>(text).map(|whole| whole.locks).map_err(|error| error.to_string())
}

fn parse_entry(entry: &RawValue) -> Result<HostLock, String> {
    let fields: BTreeMap<String, &RawValue> =
        serde_json::from_str(entry.get()).map_err(|_| "is not an object".to_owned())?;
    let text = |name: &str| -> Result<Option<String>, String> {
        let Some(value) = fields.get(name).filter(|value| value.get() != "null") else { return Ok(None) };
        let text: String = serde_json::from_str(value.get()).map_err(|_| format!("`{name}` is not a text"))?;
        check_length(name, &text)?;
        Ok(Some(text))
    };
    let flag = text("flag")?.ok_or("`flag` is missing")?;
    let flag = FlagKey::parse(&flag);
    let pin = match (text("variant")?, fields.get("value")) {
        (Some(_), Some(_)) => return Err("has both `variant` and `value`; leave one of them out".to_owned()),
        (None, None) => return Err("has neither `variant` nor `value`; say which".to_owned()),
        (None, Some(value)) => Pin::Value(compact_value(&flag, value.get())?),
        (Some(variant), None) => match variant.as_str() {
            "stable" => Pin::Variant(Variant::Stable),
            "new" => Pin::Variant(Variant::New),
            _ => return Err(VARIANTS.to_owned()),
        },
    };
    let until = text("until")?.map(|until| parse_until(&until)).transpose()?;
    // Files of versions before November 2026 have the old names.
    let either = |name: &str, old: &str| text(name)?.map_or_else(|| text(old), |text| Ok(Some(text)));
    let actor = either("actor", "who")?.unwrap_or_default();
    let reason = either("reason", "why")?.unwrap_or_default();
    Ok(HostLock { flag, pin, actor, reason, until })
}

fn parse_until(until: &str) -> Result<Micros, String> {
    parse_time(until).map_err(|error| format!("`until`: {error}"))
}

fn check_length(name: &str, text: &str) -> Result<(), String> {
    if text.len() <= TEXT_BYTES_MAX {
        return Ok(());
    }
    Err(format!("`{name}` has {} bytes, more than the limit of {TEXT_BYTES_MAX}", text.len()))
}

const VARIANTS: &str = "`variant` is neither `stable` nor `new`";

/// Actor, reason and the name of the flag: a longer text belongs in a document.
const TEXT_BYTES_MAX: usize = 4 * 1024;

/// Problems that are told of one file.
const PROBLEMS_MAX: usize = 10;
