//! The entry of a single flag outside of a document, as live changes carry it.
//!
//! The reader of documents reads it as the only flag of a document made for it, so that the same entries are legal in both
//! places. The entry begins on a line of its own, so its lines are those of that document less one.

use super::scan::scan;
use super::{Document, Flag, Section, check, write};
use crate::{Diagnostic, FlagKey, Severity};

/// The definition of one flag, apart from any document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Definition {
    /// The section.
    pub section: Box<str>,
    /// The flag. Its salt is its flag key, unless the entry has one, so that each such flag has an order of keys of its own.
    pub flag: Flag,
    /// The entry in one line, in one canonical form: reading it gives the same definition.
    pub entry: String,
}

impl Definition {
    /// The document that defines this flag and no other.
    pub fn into_document(self) -> Document {
        Document {
            header: None,
            segments: Vec::new(),
            sections: vec![Section { name: self.section, flags: vec![self.flag] }],
        }
    }
}

/// Why a text is not a definition.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DefinitionError {
    /// A document with this entry would be refused; there is at least one error. The caller's fault; nothing has changed.
    #[error("the definition is refused: {}", first(.0))]
    Refused(Vec<Diagnostic>),
    /// The text is not one entry and nothing else, or the section's name is reserved. The caller's fault; nothing has changed.
    #[error("a definition is the entry of one flag, such as `{{\"stable\": false, \"new\": true}}`")]
    NotAnEntry,
    /// The entry has a lease, which depends on a document's source, and this flag has no document. The caller's fault; nothing has changed.
    #[error("`lease` is for flags of documents: it counts from the last successful poll of their source; leave it out")]
    Lease,
}

/// Reads the entry of this flag, with warnings and notes, if there are any.
///
/// ```
/// use tidegate_engine::{FlagKey, document::read_definition};
///
/// let (definition, _) = read_definition(&FlagKey::parse("dark"), r#"{"stable": false, "new": true}"#).unwrap();
/// assert_eq!(definition.flag.salt.as_deref(), Some("flags/dark"));
/// assert!(read_definition(&FlagKey::parse("dark"), r#"{"new": true}"#).is_err());
/// ```
///
/// # Errors
///
/// [`DefinitionError`] says what is wrong and how to fix it.
pub fn read_definition(key: &FlagKey, entry: &str) -> Result<(Definition, Vec<Diagnostic>), DefinitionError> {
    let quoted = |name: &str| serde_json::Value::from(name).to_string();
    let head = format!("{{{}: {{{}:\n", quoted(key.section()), quoted(key.flag()));
    let checked = check(format!("{head}{entry}\n}}}}").as_bytes());
    let diagnostics = moved(checked.diagnostics, head.len());
    let Some(document) = checked.document else { return Err(DefinitionError::Refused(diagnostics)) };
    let mut alone = document;
    let [Section { name, flags }] = alone.sections.as_mut_slice() else { return Err(DefinitionError::NotAnEntry) };
    let [flag] = flags.as_mut_slice() else { return Err(DefinitionError::NotAnEntry) };
    if alone.header.is_some() || **name != *key.section() || *flag.name != *key.flag() {
        return Err(DefinitionError::NotAnEntry);
    }
    if !is_one_value(entry) {
        return Err(DefinitionError::NotAnEntry);
    }
    if flag.lease.is_some() {
        return Err(DefinitionError::Lease);
    }
    let (section, mut flag) = (name.clone(), flag.clone());
    let entry = entry_of(&write(&alone));
    flag.salt.get_or_insert_with(|| key.to_string().into());
    Ok((Definition { section, flag, entry }, diagnostics))
}

/// Whether a text is one JSON value by itself. A text that closes the entry and opens another one is not, although the
/// document made of it may be valid.
fn is_one_value(entry: &str) -> bool {
    scan(entry).is_ok_and(|scanned| serde_json::from_str::<serde::de::IgnoredAny>(&scanned.text).is_ok())
}

/// The entry in the text of a document that has nothing else. White space at the ends of its lines is between tokens:
/// no string of JSON goes beyond a line.
fn entry_of(text: &str) -> String {
    // `{`, the section, the flag and what opens it; and what closes them.
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let inner = lines.get(3..lines.len().saturating_sub(3)).unwrap_or_default();
    format!("{{{}}}", inner.join(" "))
}

/// The diagnostics as of the entry alone, which begins after the first line.
fn moved(mut diagnostics: Vec<Diagnostic>, head: usize) -> Vec<Diagnostic> {
    for place in diagnostics.iter_mut().filter_map(|diagnostic| diagnostic.place.as_mut()) {
        place.line = place.line.saturating_sub(1).max(1);
        place.span = place.span.start.saturating_sub(head)..place.span.end.saturating_sub(head);
    }
    diagnostics
}

/// The first error, for a message of one line.
fn first(diagnostics: &[Diagnostic]) -> String {
    let error = diagnostics.iter().find(|diagnostic| diagnostic.code.severity() == Severity::Error);
    error.map_or_else(|| "it has errors".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: &str, entry: &str) -> Result<Definition, DefinitionError> {
        read_definition(&FlagKey::parse(key), entry).map(|(definition, _)| definition)
    }

    #[test]
    fn a_definition_reads_back_the_same() {
        let entries = [
            r#"{"stable": false}"#,
            "{\n  \"stable\": \"a  b\", // a comment\n  \"new\": [1, {\"x\": 2.50}],\n}",
            r#"{"stable": 1, "new": 2, "end_time": "2027-01-01 00:00Z", "duration": "14d", "salt": "s"}"#,
            r#"{"stable": 0, "new": 1, "hash": "sha1", "description": "what it is for"}"#,
        ];
        for entry in entries {
            let one = read("a%2Fb/c\"d", entry).unwrap();
            assert_eq!(read("a%2Fb/c\"d", &one.entry), Ok(one.clone()), "{}", one.entry);
            assert!(serde_json::from_str::<serde_json::Value>(&one.entry).is_ok(), "{}", one.entry);
        }
        assert_eq!(read("x", entries[0]).unwrap().entry, r#"{"stable": false}"#);
    }

    #[test]
    fn the_salt_is_the_flag_key_unless_one_is_named() {
        assert_eq!(read("x", r#"{"stable": 1}"#).unwrap().flag.salt.as_deref(), Some("flags/x"));
        assert_eq!(read("x", r#"{"stable": 1, "salt": ""}"#).unwrap().flag.salt.as_deref(), Some(""));
    }

    #[test]
    fn a_text_that_is_not_one_entry_is_refused() {
        let others = [
            r#"{"stable": 1}, "y": {"stable": 2}"#,
            r#"{"stable": 1}}, "t": {"y": {"stable": 2}"#,
            r#"{"stable": 1}}, "$tidegate": {"version": 1"#,
            r#"{"stable": 1}}, "$schema": {"x": 1"#,
            r#"{"stable": 1}}, "$schema": [1], "s2": {"#,
        ];
        for entry in others {
            let refused = read("s/x", entry);
            assert_eq!(refused, Err(DefinitionError::NotAnEntry), "{entry}");
        }
        for entry in ["", "1", "{", r#"{"stable": 1}}"#, r#"{"new": 1}"#, r#"{"stable": 1, "stable": 2}"#] {
            assert!(matches!(read("s/x", entry), Err(DefinitionError::Refused(_))), "{entry}");
        }
        let leased = r#"{"stable": 1, "new": 2, "end_time": "2027-01-01 00:00Z", "duration": "1d", "lease": "1h"}"#;
        assert_eq!(read("s/x", leased), Err(DefinitionError::Lease));
        assert!(read("$tidegate/x", r#"{"stable": 1}"#).is_err(), "a reserved name");
        assert!(read("s/a\u{7}b", r#"{"stable": 1}"#).is_err(), "a control character");
    }

    #[test]
    fn a_definition_at_the_ends_of_the_calendar_reads_back_the_same() {
        let window = |field: &str, instant: &str| {
            format!(r#"{{"stable": 1, "new": 2, "{field}": "{instant}", "duration": "10d"}}"#)
        };
        let rollback = |instant: &str| {
            let end = "9999-12-31T23:59:59Z";
            format!(
                r#"{{"stable": 1, "new": 2, "end_time": "{end}", "duration": "1d", "rollback": {{"start_time": "{instant}"}}}}"#
            )
        };
        let inside = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "0001-01-02T00:00:00+01:00"];
        for instant in inside {
            for entry in [window("start_time", instant), window("end_time", instant), rollback(instant)] {
                let one = read("s/x", &entry).unwrap_or_else(|error| panic!("{entry}: {error}"));
                assert_eq!(read("s/x", &one.entry), Ok(one.clone()), "{}", one.entry);
            }
        }
        for instant in ["9999-12-31T23:59:59-01:00", "0001-01-01T00:59:00+01:00"] {
            for entry in [window("start_time", instant), window("end_time", instant), rollback(instant)] {
                assert!(matches!(read("s/x", &entry), Err(DefinitionError::Refused(_))), "{entry}");
            }
        }
    }

    #[test]
    fn the_message_of_a_refused_definition_is_its_first_error() {
        // A warning comes before it.
        let refused = read("x", r#"{"colour": 1, "stable": 1, "duration": "1d", "hash": "md5"}"#).unwrap_err();
        let DefinitionError::Refused(found) = &refused else { panic!("{refused:?}") };
        let severities: Vec<Severity> = found.iter().map(|diagnostic| diagnostic.code.severity()).collect();
        assert_eq!(severities.first(), Some(&Severity::Warning), "{found:?}");
        let error = found.iter().find(|diagnostic| diagnostic.code.severity() == Severity::Error).unwrap();
        assert_eq!(refused.to_string(), format!("the definition is refused: {error}"));
    }

    #[test]
    fn places_are_those_of_the_entry() {
        let Err(DefinitionError::Refused(found)) = read("x", "{\"stable\": 1,\n \"new\": }") else {
            panic!("accepted")
        };
        let place = found[0].place.clone().unwrap();
        assert_eq!((place.line, place.column, place.span), (2, 9, 22..23));
    }
}
