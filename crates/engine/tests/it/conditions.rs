//! What is reported about conditions, and where their limits are.

use tidegate_engine::lease::Clocks;
use tidegate_engine::{
    Attribute, Code, CompileOptions, Micros, Moment, Subject, Variant, check, compile, limits, read,
};

/// The findings about a flag whose only rule has this condition: codes and messages.
fn findings(condition: &str) -> Vec<(Code, String)> {
    let text = format!(
        r#"{{"f": {{"x": {{"stable": 0, "new": 1, "rules": [{{"name": "r", "when": {condition}, "serve": "new"}}]}}, "y": {{"stable": true}}}}}}"#
    );
    let found = check(text.as_bytes()).diagnostics;
    found.into_iter().map(|found| (found.code, format!("{}; {}", found.message, found.help))).collect()
}

fn codes(condition: &str) -> Vec<Code> {
    findings(condition).into_iter().map(|(code, _)| code).collect()
}

fn check_message(condition: &str, code: Code, parts: &[&str]) {
    let found = findings(condition);
    let [(found_code, text)] = &*found else { panic!("{condition}: {found:?}") };
    assert_eq!(*found_code, code, "{condition}: {text}");
    assert!(parts.iter().all(|part| text.contains(part)), "{condition}: {text}");
}

#[test]
fn conditions_nest_as_deep_as_the_limit_says() {
    let leaf = r#"{"attribute": "a", "is": 1}"#.to_owned();
    for (before, after) in [(r#"{"not": "#, "}"), (r#"{"all": ["#, "]}"), (r#"{"any": ["#, "]}")] {
        let nested = |levels| (1..levels).fold(leaf.clone(), |inner, _| format!("{before}{inner}{after}"));
        assert_eq!(codes(&nested(limits::CONDITION_DEPTH_MAX)), [], "{before}");
        assert_eq!(codes(&nested(limits::CONDITION_DEPTH_MAX + 1)), [Code::ConditionTooDeep], "{before}");
    }
}

/// A list of networks counts one for each, and the comparison itself one more.
#[test]
fn comparisons_are_as_many_as_the_limit_says() {
    let listed = |count: usize| {
        let networks = (0..count).map(|number| format!(r#""10.{}.{}.0/24""#, number / 256, number % 256));
        format!(r#"{{"attribute": "ip", "in_network": [{}]}}"#, networks.collect::<Vec<_>>().join(", "))
    };
    assert_eq!(codes(&listed(limits::COMPARISONS_MAX - 1)), []);
    assert_eq!(codes(&listed(limits::COMPARISONS_MAX)), [Code::ConditionTooLarge]);
    let both = |count| format!(r#"{{"any": [{}, {}]}}"#, listed(count), listed(count));
    assert_eq!(codes(&both(limits::COMPARISONS_MAX / 2 - 2)), []);
    assert_eq!(codes(&both(limits::COMPARISONS_MAX / 2)), [Code::ConditionTooLarge]);
}

#[test]
fn prerequisites_that_can_never_hold_say_why() {
    let found = |other: &str, is: &str| {
        let text = format!(
            r#"{{"f": {{"x": {{"stable": 0, "new": 1, "rules": [
                {{"name": "r", "when": {{"flag": "f/y", "is": "{is}"}}, "serve": "new"}}]}}, "y": {other}}}}}"#
        );
        let found = check(text.as_bytes()).diagnostics;
        found.into_iter().map(|found| (found.code, found.message)).collect::<Vec<_>>()
    };
    let window = r#""start_time": "2026-01-01 00:00Z", "duration": "1d""#;
    let moving = format!(r#"{{"stable": 0, "new": 1, {window}}}"#);
    let between = format!(r#"{{"stable": 0, "new": 1, {window}, "interpolate": true}}"#);
    assert_eq!(found(&moving, "new"), []);
    assert_eq!(found(r#"{"stable": 0}"#, "stable"), []);
    for (other, is, why) in [
        (r#"{"stable": 0}"#, "new", "it has no `new`"),
        (&between, "new", "its values are interpolated"),
        (
            r#"{"variants": {"a": 1, "b": 2, "c": 3}, "stable": "a", "new": "b"}"#,
            "c",
            "no field of it gives that variant",
        ),
    ] {
        let found = found(other, is);
        let is_said = |(code, message): &(Code, String)| *code == Code::ComparisonNeverHolds && message.contains(why);
        assert!(found.iter().any(is_said), "{other}, {is}: {found:?}");
    }
}

/// In a rule and in a segment, with and without an explanation.
#[test]
fn the_key_is_an_attribute() {
    let text = r#"{"$tidegate": {"segments": {"team": {"attribute": "$key", "starts_with": "team-"}}},
        "f": {"x": {"stable": 0, "new": 1, "rules": [{"name": "r", "when": {"attribute": "$key", "is": "ann"}, "serve": "new"}]},
              "y": {"stable": 0, "new": 1, "rules": [{"name": "r", "when": {"segment": "team"}, "serve": "new"}]}}}"#;
    let snapshot = compile(&read(text.as_bytes()).unwrap().0, &CompileOptions::default());
    let moment = Moment { now: Micros::new(0), leases: const { &Clocks::synced() } };
    for (flag, key, expected) in [
        ("x", "ann", Variant::New),
        ("x", "bob", Variant::Stable),
        ("y", "team-7", Variant::New),
        ("y", "ann", Variant::Stable),
    ] {
        let (index, subject) = (snapshot.find("f", flag), Subject::key(key));
        assert_eq!(snapshot.evaluate(index, &subject, &moment).variant, Some(expected), "{flag} {key}");
        assert_eq!(snapshot.explain("f", flag, &subject, &moment).variant, Some(expected), "explain {flag} {key}");
    }
}

#[test]
fn the_name_of_an_attribute_has_a_limit() {
    let named = |bytes: usize| format!(r#"{{"attribute": "{}", "is": 1}}"#, "a".repeat(bytes));
    assert_eq!(codes(&named(limits::NAME_BYTES_MAX)), []);
    check_message(&named(limits::NAME_BYTES_MAX + 1), Code::OperandUnusable, &["is longer than 256 bytes"]);
    check_message(&named(0), Code::OperandUnusable, &["is empty"]);
}

#[test]
fn a_condition_that_does_not_say_one_thing_says_what_is_missing() {
    check_message("{}", Code::ConditionUnclear, &["says nothing", "`segment` and `flag`"]);
    check_message(r#"{"is": 1}"#, Code::ConditionUnclear, &["names no `attribute`", "`$key` is the key"]);
    let leaf = r#"{"attribute": "a", "is": 1}"#;
    let both = format!(r#"{{"all": [{leaf}], "not": {leaf}}}"#);
    check_message(&both, Code::ConditionUnclear, &["`all` and `not` stand in one condition"]);
    let beside = format!(r#"{{"not": {leaf}, "is": 1}}"#);
    check_message(&beside, Code::ConditionUnclear, &["`is` stands beside `not`"]);
    assert_eq!(codes(r#"{"flag": "f/y", "is": "stable"}"#), []);
    check_message(r#"{"flag": "f/y", "lt": 1}"#, Code::ConditionUnclear, &["`lt` stands beside `flag`"]);
    check_message(r#"{"attribute": "a"}"#, Code::OperatorMissing, &["`is`", "`starts_with`", "`in_network`"]);
}

#[test]
fn comparisons_that_can_never_hold_are_told_from_others() {
    for (tests, why) in [
        (r#""is": true, "starts_with": "t""#, "different types"),
        (r#""is": true, "lt": 5"#, "different types"),
        (r#""is": "a", "in": ["b", "c"]"#, "no value passes"),
        (r#""in": [1, "x"], "starts_with": "y""#, "no value passes"),
        (r#""in": [1, 2], "gt": 2"#, "no value passes"),
        (r#""gt": 3, "lt": 3"#, "nothing lies between"),
    ] {
        check_message(&format!(r#"{{"attribute": "a", {tests}}}"#), Code::ComparisonNeverHolds, &[why]);
    }
    for tests in [
        r#""in": ["a", "b"], "starts_with": "a""#,
        r#""in": [true, false, true]"#,
        r#""in": [1, 2], "gt": 1"#,
        r#""is": "abc", "starts_with": "a", "ends_with": "c""#,
        r#""is": "1.2.3", "semver": "^1""#,
        r#""gte": 3, "lte": 3"#,
        r#""contains": "a", "starts_with": "b""#,
        r#""exists": true, "is": 1"#,
    ] {
        assert_eq!(codes(&format!(r#"{{"attribute": "a", {tests}}}"#)), [], "{tests}");
    }
}

/// Integers of a typed map are compared by the two ends of a range.
#[test]
fn bounds_of_integers_are_exact() {
    let holds = |test: &str, value: i64| {
        let text = format!(
            r#"{{"f": {{"x": {{"stable": 0, "new": 1, "rules": [{{"name": "r", "when": {{"attribute": "a", {test}}}, "serve": "new"}}]}}}}}}"#
        );
        let snapshot = compile(&read(text.as_bytes()).unwrap().0, &CompileOptions::default());
        let attributes = [("a", Attribute::from(value))];
        let moment = Moment { now: Micros::new(0), leases: const { &Clocks::synced() } };
        let subject = Subject::key("k").with_attributes(&attributes);
        snapshot.evaluate(snapshot.find("f", "x"), &subject, &moment).variant == Some(Variant::New)
    };
    for (test, below, at, above) in [
        (r#""lt": 7"#, true, false, false),
        (r#""lte": 7"#, true, true, false),
        (r#""gt": 7"#, false, false, true),
        (r#""gte": 7"#, false, true, true),
        (r#""gte": 7, "lte": 7"#, false, true, false),
    ] {
        assert_eq!([6, 7, 8].map(|value| holds(test, value)), [below, at, above], "{test}");
    }
    assert!(holds(r#""gte": 9223372036854775807"#, i64::MAX) && !holds(r#""gt": 9223372036854775807"#, i64::MAX));
    assert!(holds(r#""lte": -9223372036854775808"#, i64::MIN) && !holds(r#""lt": -9223372036854775808"#, i64::MIN));
}

#[test]
fn variants_with_the_name_of_something_else_and_unknown_ones_are_reported() {
    let entry = |variants: &str, stable: &str, new: &str| {
        let text = format!(r#"{{"f": {{"x": {{"variants": {{{variants}}}, "stable": "{stable}", "new": "{new}"}}}}}}"#);
        let found = check(text.as_bytes()).diagnostics;
        found.into_iter().map(|found| (found.code, found.help)).collect::<Vec<_>>()
    };
    let codes = |found: Vec<(Code, String)>| found.into_iter().map(|(code, _)| code).collect::<Vec<_>>();
    assert_eq!(codes(entry(r#""stable": 1, "new": 2"#, "stable", "new")), []);
    assert_eq!(codes(entry(r#""stable": 1, "b": 2"#, "b", "stable")), [Code::VariantMisnamed]);
    assert_eq!(codes(entry(r#""new": 1, "b": 2"#, "new", "b")), [Code::VariantMisnamed]);
    assert_eq!(codes(entry(r#""interpolated": 1, "b": 2"#, "interpolated", "b")), [Code::VariantMisnamed]);
    let many = (0..10).map(|number| format!(r#""variant-{number:03}": {number}"#)).collect::<Vec<_>>();
    let unknown = |count: usize| {
        let found = entry(&many[..count].join(", "), "variant-000", "zzzzzzzzzzzz");
        found.into_iter().find(|(code, _)| *code == Code::VariantUnknown).expect("it is unknown").1
    };
    assert!(unknown(8).ends_with("`variant-007`"), "{}", unknown(8));
    assert!(unknown(9).ends_with("`variant-007` and 1 more"), "{}", unknown(9));
}
