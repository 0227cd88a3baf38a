//! Documents made to hurt: each is refused, names the limit, and stays within the memory of the promise.
//!
//! Time is not asserted, because it depends on the machine; each of these takes well under a second.

use allocation_counter::measure;
use tidegate_engine::{Checked, Code, check, limits, read};

/// The promise: at most this much above what the text itself takes.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The text is refused by this code, the message names the limit, and it takes no more memory than promised.
fn check_refused(what: &str, text: &[u8], code: Code, limit: &str) {
    let diagnostics = check_bounded(what, text, BYTES_MAX).diagnostics;
    let found = diagnostics.iter().find(|found| found.code == code);
    let found = found.unwrap_or_else(|| panic!("{what}: no {code} in {:?}", diagnostics.first()));
    assert!(found.message.contains(limit), "{what}: {limit} is not in {:?}", found.message);
    assert!(found.to_string().len() < 1_000, "{what}: {} bytes", found.to_string().len());
}

/// Checks a text within this number of bytes of memory.
fn check_bounded(what: &str, text: &[u8], bytes_max: u64) -> Checked {
    let mut checked = Checked::default();
    let took = measure(|| checked = check(text)).bytes_max;
    assert!(took < bytes_max, "{what}: {took} bytes for a text of {}", text.len());
    checked
}

/// A document whose only entry has these fields besides `stable` and `new`.
fn entry(fields: &str) -> Vec<u8> {
    format!("{{\"f\":{{\"a\":{{\"stable\":0,\"new\":1,{fields}}}}}}}").into_bytes()
}

fn listed(count: usize, element: impl Fn(usize) -> String) -> String {
    (0..count).map(element).collect::<Vec<_>>().join(",")
}

#[test]
fn a_hundred_megabytes() {
    check_refused("100 MB", &vec![b' '; 100_000_000], Code::DocumentTooLarge, "DOCUMENT_BYTES_MAX");
    check_refused("not UTF-8 either", &vec![0xff; 100_000_000], Code::DocumentTooLarge, "DOCUMENT_BYTES_MAX");
}

#[test]
fn a_million_brackets() {
    for bracket in ["[", "{", "{\"a\":", "[{\"a\":"] {
        let text = bracket.repeat(1_000_000);
        check_refused(bracket, text.as_bytes(), Code::NestedTooDeep, "NESTING_MAX");
    }
    let closed = format!("{{\"f\":{{\"a\":{{\"stable\":{}{}}}}}}}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    check_refused("closed", closed.as_bytes(), Code::NestedTooDeep, "NESTING_MAX");
}

#[test]
fn a_million_digits() {
    for number in
        ["9".repeat(1_000_000), format!("0.{}", "3".repeat(1_000_000)), format!("1e{}", "0".repeat(1_000_000))]
    {
        check_refused("a value", &entry(&format!("\"x\":{number}")), Code::NumberTooLong, "NUMBER_BYTES_MAX");
    }
    let digits = "9".repeat(1_000_000);
    check_refused(
        "a duration",
        &entry(&format!("\"end_time\":\"2026-12-01 00:00Z\",\"duration\":\"{digits}s\"")),
        Code::DurationTooLong,
        "10,000 years",
    );
}

#[test]
fn a_million_adopters() {
    let keys = listed(1_000_000, |n| format!("\"u{n}\""));
    check_refused("keys", &entry(&format!("\"early_adopters\":[{keys}]")), Code::TooManyAdopters, "EARLY_ADOPTERS_MAX");
    let patterns = listed(600_000, |n| format!("{{\"regex\":\"{n}\"}}"));
    check_refused(
        "patterns",
        &entry(&format!("\"early_adopters\":[{patterns}]")),
        Code::PatternsTooLarge,
        "REGEX_TEXT_BYTES_MAX",
    );
    let empty = "{},".repeat(1_000_000);
    check_refused(
        "nothing",
        &entry(&format!("\"early_adopters\":[{empty}{{}}]")),
        Code::TooManyAdopters,
        "EARLY_ADOPTERS_MAX",
    );
}

#[test]
fn a_million_flags() {
    let good = listed(600_000, |n| format!("\"{n}\":{{\"stable\":{n}}}"));
    check_refused("flags", format!("{{\"f\":{{{good}}}}}").as_bytes(), Code::TooManyFlags, "FLAGS_MAX");
    let bad = listed(1_000_000, |n| format!("\"{n}\":[]"));
    check_refused("no flags", format!("{{\"f\":{{{bad}}}}}").as_bytes(), Code::TooManyFlags, "FLAGS_MAX");
    let sections = listed(1_000_000, |n| format!("\"{n}\":{{}}"));
    check_refused("sections", format!("{{{sections}}}").as_bytes(), Code::TooManyFlags, "SECTIONS_MAX");
    let one_each = listed(500_000, |n| format!("\"{n}\":{{\"a\":{{\"stable\":0}}}}"));
    check_refused("a section each", format!("{{{one_each}}}").as_bytes(), Code::TooManyFlags, "SECTIONS_MAX");
}

#[test]
fn a_million_names_in_one_object() {
    let names = listed(1_000_000, |n| format!("\"{n}\":0"));
    check_refused("unknown fields", &entry(&names), Code::TooManyNames, "NAMES_MAX");
    check_refused("a value", &entry(&format!("\"x\":{{{names}}}")), Code::TooManyNames, "NAMES_MAX");
    check_refused("metadata", &entry(&format!("\"metadata\":{{{names}}}")), Code::TooManyNames, "NAMES_MAX");
    check_refused("reserved", format!("{{\"$tidegate\":{{{names}}}}}").as_bytes(), Code::TooManyNames, "NAMES_MAX");
}

#[test]
fn a_million_elements_of_each_other_list() {
    let steps = listed(1_000_000, |_| "{\"pct\":1}".to_owned());
    check_refused(
        "steps",
        &entry(&format!("\"start_time\":\"2026-12-01 00:00Z\",\"steps\":[{steps}]")),
        Code::TooManySteps,
        "STEPS_MAX",
    );
    let long = "n".repeat(16_000_000);
    check_refused(
        "a name",
        format!("{{\"f\":{{\"{long}\":{{\"stable\":0}}}}}}").as_bytes(),
        Code::NameTooLong,
        "NAME_BYTES_MAX",
    );
    check_refused(
        "a value",
        &entry(&format!("\"x\":0,\"description\":\"{long}\"")),
        Code::ValueTooLarge,
        "VALUE_BYTES_MAX",
    );
    let escaped = "\\u0041".repeat(2_600_000);
    check_refused("escapes", &entry(&format!("\"salt\":\"{escaped}\"")), Code::ValueTooLarge, "VALUE_BYTES_MAX");
    let blanks = " 1 ,".repeat(4_000_000);
    check_refused(
        "a list",
        &entry(&format!("\"x\":0,\"early_adopters\":[],\"metadata\":{{\"m\":\"{blanks}\"}}")),
        Code::ValueTooLarge,
        "VALUE_BYTES_MAX",
    );
}

#[test]
fn the_largest_document_that_is_accepted_stays_within_its_bound() {
    let flags = listed(limits::FLAGS_MAX, |n| format!("\"{n}\":{{\"stable\":{n},\"new\":true}}"));
    let text = format!("{{\"f\":{{{flags}}}}}");
    let took = measure(|| assert!(read(text.as_bytes()).is_ok())).bytes_max;
    let bound = BYTES_MAX + 10 * text.len() as u64;
    assert!(took < bound, "{took} bytes for a text of {}", text.len());
}

/// A quarter of the largest document has a quarter of the memory.
#[test]
fn endless_mistakes_use_bounded_memory() {
    for (what, text) in [
        ("comments", "/**/".repeat(1_000_000)),
        ("blanks", " ".repeat(4_000_000)),
        ("line ends", "\n".repeat(4_000_000)),
        ("commas", ",".repeat(4_000_000)),
        ("quotes", "\"".repeat(4_000_000)),
        ("backslashes", format!("\"{}", "\\".repeat(4_000_000))),
        ("minus signs", "- ".repeat(2_000_000)),
        ("one name again and again", format!("{{\"f\":{{{}}}}}", vec!["\"a\":0"; 600_000].join(","))),
        ("tags", format!("{{\"f\":{{\"a\":{{\"stable\":0,\"tags\":[{}]}}}}}}", vec!["0"; 2_000_000].join(","))),
        ("numbers out of range", format!("{{\"f\":{{\"a\":{{\"stable\":[{}]}}}}}}", vec!["1e999"; 600_000].join(","))),
        ("a long name with many mistakes", {
            let flags = listed(90_000, |n| format!("\"{n}\":0"));
            format!("{{\"{}\":{{{flags}}}}}", "s".repeat(2_000_000))
        }),
        ("names that are half a character", format!("{{\"f\":{{{}}}}}", vec!["\"\\ud800\":0"; 300_000].join(","))),
    ] {
        let checked = check_bounded(what, text.as_bytes(), BYTES_MAX / 4);
        assert!(checked.document.is_none(), "{what}");
        assert!(checked.diagnostics.len() <= 3 * limits::DIAGNOSTICS_MAX, "{what}");
        assert!(checked.diagnostics.iter().all(|found| found.to_string().len() < 1_000), "{what}");
    }
}

#[test]
fn patterns_that_would_take_minutes_to_compile() {
    let flag = |number: usize| {
        let patterns = listed(2_000, |n| format!("{{\"regex\":\"\\\\pL{n}\"}}"));
        format!("\"f{number}\":{{\"stable\":1,\"new\":2,\"early_adopters\":[{patterns}]}}")
    };
    let text = format!("{{\"s\":{{{}}}}}", listed(200, flag));
    check_refused("many", text.as_bytes(), Code::PatternsTooCostly, "PATTERN_COST_MAX");
    let checked = check(text.as_bytes());
    let found: Vec<_> = checked.diagnostics.iter().filter(|found| found.code == Code::PatternsTooCostly).collect();
    assert_eq!(found.len(), 1, "said once");
    assert!(found[0].path.to_string().starts_with("s.f0.early_adopters[9"), "and where: {}", found[0].path);
    let simple = |n: usize| {
        format!("\"f{n}\":{{\"stable\":1,\"new\":2,\"early_adopters\":[{{\"regex\":\"^ci-[0-9]+-{n}$\"}}]}}")
    };
    assert!(read(format!("{{\"s\":{{{}}}}}", listed(2_000, simple)).as_bytes()).is_ok());
}

#[test]
fn regular_expressions_that_would_explode() {
    for pattern in [
        "(((a{100}){100}){100}){100}",
        "\\\\w{1000}",
        "[^a]{1000}{1000}",
        "(?i:ſ{60000})",
        "((((((((((a*)*)*)*)*)*)*)*)*)*){1000}",
    ] {
        let text = entry(&format!("\"early_adopters\":[{{\"regex\":\"{pattern}\"}}]"));
        check_refused(pattern, &text, Code::PatternsTooLarge, "REGEX_BYTES_MAX");
    }
    let classes = "\\\\w".repeat(limits::REGEX_TEXT_BYTES_MAX / 2);
    check_refused(
        "classes",
        &entry(&format!("\"early_adopters\":[{{\"regex\":\"{classes}\"}}]")),
        Code::PatternsTooLarge,
        "REGEX_",
    );
    let groups = format!("{}{}", "(".repeat(4_000), ")".repeat(4_000));
    check_refused(
        "groups",
        &entry(&format!("\"early_adopters\":[{{\"regex\":\"{groups}\"}}]")),
        Code::PatternUnreadable,
        "nest",
    );
}
