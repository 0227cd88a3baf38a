//! Any bytes as a document: the checker and the loader agree, places lie inside the text, what is accepted
//! has the value that a plain JSON reader finds, and a written document reads back the same.

use std::collections::BTreeSet;

use serde_json::Value;
use tidegate_engine::document::{Document, check, read, write};
use tidegate_engine::{Checked, Code, Severity};

pub fn run(data: &[u8]) {
    let checked = check(data);
    check_places(data, &checked);
    let errors = checked.count(Severity::Error);
    assert_eq!(checked.document.is_none(), errors > 0, "{:?}", checked.diagnostics);
    match read(data) {
        Ok((document, tally)) => {
            assert_eq!(Some(&document), checked.document.as_ref());
            assert_eq!(tally.errors, 0);
            assert!(tally.warnings >= checked.count(Severity::Warning));
        }
        Err(diagnostics) => assert_eq!(diagnostics, checked.diagnostics),
    }
    if let Some(document) = &checked.document {
        let text = write(document);
        assert_eq!(check(text.as_bytes()).document.as_ref(), Some(document), "{text}");
        check_values(data, &checked, document);
    }
}

fn check_places(data: &[u8], checked: &Checked) {
    let mut last = 0;
    for found in &checked.diagnostics {
        let place = found.place.as_ref().expect("every finding has a place");
        assert!(place.span.start <= place.span.end && place.span.end <= data.len(), "{found}: {place:?}");
        assert!(place.line >= 1 && place.column >= 1);
        assert!(last <= place.span.start, "{found}: out of order");
        last = place.span.start;
        if let Ok(text) = std::str::from_utf8(data) {
            assert!(
                text.is_char_boundary(place.span.start) && text.is_char_boundary(place.span.end),
                "{found}: {place:?}"
            );
            // A byte order mark takes no column.
            let before = &text[..place.span.start];
            let before = before.strip_prefix('\u{feff}').unwrap_or(before);
            assert_eq!(place.line as usize, before.matches('\n').count() + 1, "{found}");
            assert_eq!(place.column as usize, before.rsplit('\n').next().unwrap_or("").chars().count() + 1, "{found}");
        }
        for text in [&found.message, &found.help, &found.path.to_string()] {
            assert!(!text.contains(|c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}')), "{text:?}");
            assert!(text.len() < 4_000, "{text:?}");
        }
    }
}

/// Where nothing was relaxed, another reader sees the same names and values.
fn check_values(data: &[u8], checked: &Checked, document: &Document) {
    let is_relaxed = |code| matches!(code, Code::ByteOrderMark | Code::Comment | Code::TrailingComma);
    if checked.diagnostics.iter().any(|found| is_relaxed(found.code)) {
        return;
    }
    // Through another code path than the strict reader's: from a stream, into a tree.
    let plain: Value = serde_json::from_reader(data).expect("what is accepted is JSON");
    let reserved = |name: &str| matches!(name, "$schema" | "$tidegate");
    let names = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<BTreeSet<_>>();
    let sections = document.sections.iter().map(|section| section.name.to_string()).collect::<BTreeSet<_>>();
    assert_eq!(sections, names(&plain).into_iter().filter(|name| !reserved(name)).collect());
    for section in &document.sections {
        let plain = &plain[&*section.name];
        let flags = section.flags.iter().map(|flag| flag.name.to_string()).collect::<BTreeSet<_>>();
        assert_eq!(flags, names(plain));
        for flag in &section.flags {
            let plain = &plain[&*flag.name];
            let value = |text: &str| serde_json::from_str::<Value>(text).expect("values are JSON");
            assert_eq!(value(flag.stable.as_str()), plain["stable"]);
            assert_eq!(flag.new.as_ref().map(|new| value(new.as_str())).as_ref(), plain.get("new"));
            assert_eq!(flag.salt.as_deref(), plain.get("salt").and_then(Value::as_str));
            assert_eq!(flag.enabled, plain.get("enabled").is_none_or(|enabled| enabled == true));
        }
    }
}
