//! Loading a document and checking it agree: `read` leaves out the pass that blanks comments where a text is strict JSON, and checks the limits of
//! that pass itself.

use proptest::prelude::*;
use tidegate_engine::document::{check, read};
use tidegate_engine::limits::{DIAGNOSTICS_MAX, NESTING_MAX, NUMBER_BYTES_MAX};
use tidegate_engine::{Code, Severity};

fn agree(text: &str) {
    let checked = check(text.as_bytes());
    let shown = text.get(..text.floor_char_boundary(300)).unwrap_or(text);
    match read(text.as_bytes()) {
        Ok((document, tally)) => {
            assert_eq!(checked.document, Some(document), "{shown}");
            let counted = [Severity::Error, Severity::Warning, Severity::Note].map(|severity| checked.count(severity));
            if counted.iter().sum::<usize>() < DIAGNOSTICS_MAX {
                assert_eq!([tally.errors, tally.warnings, tally.notes], counted, "{shown}: {:#?}", checked.diagnostics);
            }
        }
        Err(diagnostics) => {
            assert_eq!(checked.document, None, "{shown}");
            assert!(!diagnostics.is_empty(), "{shown}");
            assert_eq!(diagnostics, checked.diagnostics, "{shown}");
        }
    }
}

/// A list in a list in a list.
fn nested(depth: usize) -> String {
    ["[".repeat(depth), "]".repeat(depth)].concat()
}

/// A number of `length` characters, which is nearly 0.
fn number(length: usize) -> String {
    format!("0.{}1", "0".repeat(length - 3))
}

/// Documents with this value in each place where one can stand.
fn documents(value: &str) -> [String; 12] {
    let flag = |field: &str| format!(r#"{{"s": {{"f": {{"stable": 1, "new": 2, {field}}}}}}}"#);
    [
        format!(r#"{{"s": {{"f": {{"stable": {value}}}}}}}"#),
        format!(r#"{{"s": {{"f": {{"stable": {{"a": [{value}]}}}}}}}}"#),
        flag(&format!(r#""unknown": {value}"#)),
        flag(&format!(r#""unknown": [1, {{"a": {value}}}]"#)),
        flag(&format!(r#""end_time": "2026-01-01 00:00Z", "duration": "1d", "end_pct": {value}"#)),
        flag(&format!(r#""salt": {value}"#)),
        flag(&format!(r#""metadata": {{"a": {value}}}"#)),
        flag(&format!(r#""early_adopters": [{value}]"#)),
        format!(r#"{{"$schema": {value}, "s": {{"f": {{"stable": 1}}}}}}"#),
        format!(r#"{{"$tidegate": {{"later": {value}}}, "s": {{"f": {{"stable": 1}}}}}}"#),
        format!(r#"{{"$tidegate": {value}, "s": {{"f": {{"stable": 1}}}}}}"#),
        format!(r#"{{"s": {value}}}"#),
    ]
}

#[test]
fn at_the_limit_of_nesting() {
    for depth in (NESTING_MAX - 6..NESTING_MAX + 3).chain([1_000, 200_000]) {
        for text in &documents(&nested(depth)) {
            agree(text);
        }
    }
    let [plain, ..] = documents(&nested(NESTING_MAX - 3));
    assert!(read(plain.as_bytes()).is_ok());
    let [plain, ..] = documents(&nested(NESTING_MAX - 2));
    assert_eq!(read(plain.as_bytes()).unwrap_err()[0].code, Code::NestedTooDeep);
}

#[test]
fn at_the_limit_of_numbers() {
    for length in [NUMBER_BYTES_MAX - 1, NUMBER_BYTES_MAX, NUMBER_BYTES_MAX + 1, 100_000] {
        for value in [number(length), "1".repeat(length)] {
            for text in &documents(&value) {
                agree(text);
            }
        }
    }
    let [plain, _, unknown, .., later, _, _] = documents(&number(NUMBER_BYTES_MAX + 1));
    for text in [plain, unknown, later] {
        assert_eq!(read(text.as_bytes()).unwrap_err()[0].code, Code::NumberTooLong);
    }
}

#[test]
fn with_and_without_what_only_jsonc_allows() {
    for value in [
        "1",
        "true",
        "null",
        r#""a\"b""#,
        r#""//""#,
        r#""/*""#,
        r#""\ud800""#,
        "[1, 2]",
        "[1, 2,]",
        "1 // x\n",
        "/* x */ 1",
    ] {
        for text in documents(value) {
            agree(&text);
            agree(&format!("\u{feff}{text}"));
            agree(&format!("{text} // a comment"));
            agree(&text.replace("}}", "},}"));
        }
    }
}

#[test]
fn names_that_look_alike_are_counted_in_any_order() {
    let names = ["x", "X", "x ", "caf\u{e9}", "cafe\u{301}", "CAF\u{c9}", "y"];
    let entry = r#"{"stable": 1}"#;
    for one in names {
        for two in names {
            for three in names {
                let members = [one, two, three].map(|name| format!("{}: {entry}", serde_json::Value::from(name)));
                agree(&format!(r#"{{"s": {{{}}}}}"#, members.join(", ")));
                let alike = |name: &str| name.trim().to_lowercase().replace("e\u{301}", "\u{e9}");
                if one != two && one != three && two != three {
                    let [first, second, third] = [one, two, three].map(alike);
                    let expected = usize::from(first == second) + usize::from(third == first || third == second);
                    let found = check(format!(r#"{{"s": {{{}}}}}"#, members.join(", ")).as_bytes()).diagnostics;
                    let found = found.iter().filter(|found| found.code == Code::NamesAlike).count();
                    assert_eq!(found, expected, "{one:?}, {two:?}, {three:?}");
                }
            }
        }
    }
}

const WHOLE: &str = r#"{"$tidegate": {"version": 1}, "shop": {"a": {"stable": false, "new": true, "end_time": "2026-12-01 00:00Z",
    "duration": "14d", "start_pct": 0.5, "salt": "x/y", "tags": ["o\u00e9", "//"]}, "b": {"stable": {"k": [1, -2.5e3, null]},
    "steps": [{"pct": 1, "hold": "1h"}, {"pct": 100, "over": "3d"}], "start_time": "2026-01-01 00:00Z", "new": "n"}}, "t": {}}"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn after_any_few_changes(changes in prop::collection::vec((0..WHOLE.len(), 0..3, prop::sample::select(r#"{}[]",:/*\ 0-.eE+tn"#.chars().collect::<Vec<_>>())), 1..4)) {
        let mut text = WHOLE.to_owned();
        for (at, kind, character) in changes {
            let at = at.min(text.len() - 1);
            match kind {
                0 => text.insert(at, character),
                1 => { text.remove(at); }
                _ => text.replace_range(at..=at, &character.to_string()),
            }
        }
        agree(&text);
    }
}
