//! Which attributes pass which conditions.

use proptest::prelude::*;

use crate::JsonAttributes;
use crate::attributes::{Attribute, Attributes, Found};
use crate::document::{self, Comparison, Condition, Value, read};

use super::{Context, Prerequisite, Program};

struct Subject<'a> {
    attributes: Attributes<'a>,
    leaves: Vec<(u32, bool)>,
}

impl<'a> Context<'a> for Subject<'a> {
    fn key(&self) -> Option<&'a &'a str> {
        Some(&"ann")
    }

    fn attributes(&self) -> Attributes<'a> {
        self.attributes
    }

    fn is_in_segment(&mut self, segment: u32) -> bool {
        segment == 7
    }

    fn has_variant(&mut self, prerequisite: &Prerequisite) -> bool {
        prerequisite.flag.flag() == "on"
    }

    fn leaf(&mut self, leaf: u32, held: bool, _: Option<Found<'a>>) {
        self.leaves.push((leaf, held));
    }
}

fn leaves(condition: &str, attributes: &str) -> (bool, Vec<(u32, bool)>) {
    let text = format!(
        r#"{{"$tidegate": {{"segments": {{"staff": {{"attribute": "x", "exists": true}}}}}},
            "s": {{"x": {{"stable": 1, "new": 2, "rules": [{{"name": "r", "when": {condition}, "serve": "new"}}]}}}}}}"#
    );
    let (document, _) = read(text.as_bytes()).unwrap_or_else(|found| panic!("{condition}: {found:#?}"));
    let when = &document.sections[0].flags[0].targeting.as_ref().unwrap().rules[0].when;
    let program = Program::new(when, &|_| Some(7));
    let attributes = JsonAttributes::parse(attributes).unwrap();
    let mut subject = Subject { attributes: Attributes::from(&attributes), leaves: Vec::new() };
    let held = program.holds(&mut subject);
    (held, subject.leaves)
}

fn check(test: &str, passing: &[&str], failing: &[&str]) {
    let condition = format!(r#"{{"attribute": "x", {test}}}"#);
    for (values, expected) in [(passing, true), (failing, false)] {
        for value in values {
            let (held, _) = leaves(&condition, &format!(r#"{{"x": {value}}}"#));
            assert_eq!(held, expected, "{test} for {value}");
            let (held, _) = leaves(&format!(r#"{{"not": {condition}}}"#), &format!(r#"{{"x": {value}}}"#));
            assert_eq!(held, !expected, "not {test} for {value}");
        }
    }
}

#[test]
fn an_absent_attribute_and_one_of_another_type_pass_no_test() {
    let tests = [
        r#""is": "a""#,
        r#""in": ["a", 1, true]"#,
        r#""contains": "a""#,
        r#""starts_with": "a""#,
        r#""ends_with": "a""#,
        r#""matches": "a""#,
        r#""lt": 1"#,
        r#""gte": "2026-01-01 00:00Z""#,
        r#""semver": "1""#,
        r#""in_network": "10.0.0.0/8""#,
        r#""exists": true"#,
    ];
    for test in tests {
        let (held, _) = leaves(&format!(r#"{{"attribute": "x", {test}}}"#), r#"{"y": "a", "x": null}"#);
        assert!(!held, "{test}");
        if !test.contains("exists") {
            check(test, &[], &["{}", "[{}]", "[[\"a\"]]"]);
        }
    }
    check(r#""exists": false"#, &["null"], &["1", "false", "\"\"", "[]", "{}"]);
    check(r#""exists": true"#, &["1", "false", "\"\"", "[]", "{}"], &["null"]);
}

#[test]
fn equality_is_of_values_not_of_spellings() {
    check(r#""is": "a\u0062""#, &["\"ab\""], &["\"Ab\"", "\"ab \"", "[\"ab\"]"]);
    check(r#""is": 1"#, &["1", "1.0", "1e0"], &["\"1\"", "true", "1.5"]);
    check(r#""is": 9007199254740993"#, &["9007199254740993"], &["9007199254740992", "9007199254740992.0"]);
    check(r#""is": true"#, &["true"], &["false", "1", "\"true\""]);
    let many = (0..20).map(|number| format!("\"n{number}\"")).collect::<Vec<_>>().join(",");
    check(&format!(r#""in": [{many}]"#), &["\"n0\"", "\"n7\"", "\"n19\""], &["\"n20\"", "\"\"", "7"]);
    check(r#""in": ["a", 2, false]"#, &["\"a\"", "2.0", "false"], &["\"2\"", "true", "3"]);
}

#[test]
fn texts_and_lists_are_looked_into() {
    check(r#""contains": "b""#, &["\"abc\"", "[\"a\", \"b\"]"], &["\"ac\"", "[\"abc\"]", "{\"b\": 1}"]);
    check(r#""contains": 2"#, &["[1, 2.0]"], &["\"2\"", "2", "[\"2\"]", "[[2]]"]);
    check(r#""starts_with": "ab""#, &["\"ab\"", "\"abc\""], &["\"a\"", "\"xab\"", "[\"ab\"]"]);
    check(r#""ends_with": "@example.com""#, &["\"ann@example.com\""], &["\"ann@example.org\""]);
    check(r#""matches": "^a+$""#, &["\"aa\""], &["\"ab\"", "\"\""]);
    check(r#""matches": "a""#, &["\"xax\""], &["\"x\""]);
}

#[test]
fn bounds_are_of_numbers_or_of_times() {
    check(r#""gte": 18, "lt": 65"#, &["18", "18.0", "64.9"], &["17.999", "65", "\"20\"", "true"]);
    check(r#""gt": 1.5, "lte": 2"#, &["1.6", "2"], &["1.5", "2.1"]);
    let (least, most) = (i64::MIN.to_string(), i64::MAX.to_string());
    let beyond = ["-9223372036854779904", "-1e300", "9223372036854775808", "1e300"];
    check(&format!(r#""lt": {least}"#), &beyond[..2], &[&least, "0", &most, beyond[2]]);
    check(&format!(r#""gte": {least}"#), &[&least, "0", &most, beyond[2]], &beyond[..2]);
    check(&format!(r#""gt": {most}"#), &beyond[2..], &[&most, "0", &least, beyond[0]]);
    check(&format!(r#""lte": {most}"#), &[&most, "0", &least, beyond[0]], &beyond[2..]);
    check(r#""gt": 18446744073709551615"#, &["1e300"], &["18446744073709551615", "0", &most]);
    let times = ["\"2026-06-01 00:00Z\"", "\"2026-06-01T02:00:00+02:00\"", "\"2026-06-01T00:00:00Z\""];
    check(r#""gte": "2026-06-01 00:00Z""#, &times, &["\"2026-05-31 23:59Z\"", "\"2026-06-01\"", "1800000000000"]);
    check(r#""lt": "2026-06-01 00:00Z""#, &["\"2026-05-31T23:59:59.999999Z\""], &times);
}

#[test]
fn versions_and_networks_have_ranges() {
    check(r#""semver": ">=1.4, <2""#, &["\"1.4.0\"", "\"1.99.0+b\""], &["\"1.3.9\"", "\"2.0.0\"", "\"1.5\"", "1.5"]);
    check(r#""semver": "^1.2.3-beta.2""#, &["\"1.2.3-beta.10\"", "\"1.9.0\""], &["\"1.2.3-beta.1\"", "\"1.9.0-a\""]);
    check(r#""in_network": ["10.0.0.0/8", "2001:db8::/32"]"#, &["\"10.1.2.3\"", "\"2001:db8::1\""], &["\"11.0.0.1\""]);
    check(r#""in_network": "10.0.0.0/8""#, &["\"::ffff:10.0.0.1\""], &["\"10.0.0.0/8\"", "167772161"]);
}

/// What a condition on the booleans `a` to `d` says, read as it stands.
fn reads(condition: &Condition, values: u32) -> bool {
    match condition {
        Condition::All(parts) => parts.iter().all(|part| reads(part, values)),
        Condition::Any(parts) => parts.iter().any(|part| reads(part, values)),
        Condition::Not(part) => !reads(part, values),
        Condition::Compare(comparison) => {
            let place = "abcd".find(&*comparison.attribute).unwrap();
            values >> place & 1 == 1
        }
        Condition::Segment(_) | Condition::Flag { .. } => unreachable!("none is written"),
    }
}

fn condition() -> impl Strategy<Value = Condition> {
    let is_true = |attribute: &str| {
        let tests = vec![document::Test::Is(Value::from_checked("true".into()))];
        Condition::Compare(Comparison { attribute: attribute.into(), tests })
    };
    let leaf = prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(is_true);
    leaf.prop_recursive(5, 32, 4, |part| {
        prop_oneof![
            prop::collection::vec(part.clone(), 1..4).prop_map(Condition::All),
            prop::collection::vec(part.clone(), 1..4).prop_map(Condition::Any),
            part.prop_map(|part| Condition::Not(Box::new(part))),
        ]
    })
}

proptest! {
    #[test]
    fn a_program_says_what_its_condition_says(condition in condition()) {
        let program = Program::new(&condition, &|_| None);
        for values in 0..16_u32 {
            let pairs = [("a", 0), ("b", 1), ("c", 2), ("d", 3)].map(|(name, place)| (name, (values >> place & 1 == 1).into()));
            let mut subject = Subject { attributes: Attributes::from(&pairs), leaves: Vec::new() };
            prop_assert_eq!(program.holds(&mut subject), reads(&condition, values), "{:?} with {:04b}", condition, values);
            let json = pairs.map(|(name, value): (&str, Attribute<'_>)| format!("\"{name}\": {}", value == Attribute::Bool(true)));
            let json = JsonAttributes::parse(&format!("{{{}}}", json.join(", "))).unwrap();
            let mut other = Subject { attributes: Attributes::from(&json), leaves: Vec::new() };
            prop_assert_eq!(program.holds(&mut other), reads(&condition, values));
            // Both look at the same parts, in the order of the text.
            prop_assert_eq!(&subject.leaves, &other.leaves);
            prop_assert!(subject.leaves.is_sorted_by(|one, next| one.0 < next.0));
        }
    }
}

#[test]
fn groups_stop_when_their_outcome_is_known() {
    let is = |value: u32| format!(r#"{{"attribute": "x", "is": {value}}}"#);
    let x = r#"{"x": 1}"#;
    let all = format!(r#"{{"all": [{}, {}, {}]}}"#, is(1), is(2), is(1));
    assert_eq!(leaves(&all, x), (false, vec![(0, true), (1, false)]));
    let any = format!(r#"{{"any": [{}, {}, {}]}}"#, is(2), is(1), is(2));
    assert_eq!(leaves(&any, x), (true, vec![(0, false), (1, true)]));
    let nested = format!(
        r#"{{"all": [{{"any": [{}, {}]}}, {{"not": {{"all": [{}, {}]}}}}, {}]}}"#,
        is(1),
        is(2),
        is(2),
        is(1),
        is(1)
    );
    assert_eq!(leaves(&nested, x), (true, vec![(0, true), (2, false), (4, true)]));
    assert!(leaves(r#"{"all": [{"segment": "staff"}, {"flag": "s/on", "is": "new"}]}"#, x).0);
    assert_eq!(leaves(r#"{"not": {"flag": "s/off", "is": "new"}}"#, x), (true, vec![(0, false)]));
    assert!(leaves(r#"{"attribute": "$key", "is": "ann"}"#, r#"{"$key": "bob"}"#).0);
}
