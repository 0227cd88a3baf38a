//! Parses instants, durations and values on the command line with the code that reads documents.

use serde_json::value::RawValue;
use tidegate_engine::document::{parse_duration, parse_time};
use tidegate_engine::{Micros, Severity, Span, check};

/// An instant: RFC 3339, or any form that documents accept.
pub(crate) fn time(text: &str) -> Result<Micros, String> {
    parse_time(text).map_err(|error| format!("it {error}; {}", error.help()))
}

/// A duration as documents write it.
pub(crate) fn duration(text: &str) -> Result<Span, String> {
    parse_duration(text).map_err(|error| format!("it {error}; {}", error.help()))
}

/// Any JSON, as compact text: what a document accepts as a value.
pub(crate) fn json(text: &str) -> Result<Box<str>, String> {
    serde_json::from_str::<&RawValue>(text)
        .map_err(|error| format!("not JSON: {error}; a string needs quotes, as in '\"blue\"'"))?;
    let document = format!("{{\"flags\": {{\"x\": {{\"stable\": {text}}}}}}}");
    let checked = check(document.as_bytes());
    let flag = checked.document.as_ref().and_then(|document| document.sections.first()?.flags.first());
    match (flag, checked.diagnostics.iter().find(|found| found.code.severity() == Severity::Error)) {
        (Some(flag), _) => Ok(flag.stable.as_str().into()),
        (None, Some(found)) => Err(format!("{}; {}", found.message, found.help)),
        (None, None) => Err("not a value of a flag".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let values = [
            ("true", Some("true")),
            (" { \"a\" : [ 1.50, \"x y\" ] } ", Some("{\"a\":[1.50,\"x y\"]}")),
            ("blue", None),
            ("1}, \"y\": {\"stable\": 2", None),
            ("// x\n1", None),
            ("1e999", None),
            ("{\"a\":1,\"a\":2}", None),
            ("", None),
        ];
        for (text, value) in values {
            assert_eq!(json(text).ok().as_deref(), value, "{text}");
        }
    }
}
