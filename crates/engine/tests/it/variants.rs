//! Named variants: reading them, deciding among them, and saying what is wrong.

use tidegate_engine::lease::Clocks;
use tidegate_engine::{
    CompileOptions, Decision, ErrorCode, Moment, Position, Reason, Scalar, Snapshot, Subject, Variant, check, compile,
    document::parse_time, read,
};

const HUES: &str = r##""variants": {"red": "#f00", "blue": "#00f", "green": 7, "on": true}"##;

fn snapshot(fields: &str) -> Snapshot {
    let text = format!(r#"{{"shop": {{"button": {{{HUES}, {fields}}}}}}}"#);
    compile(&read(text.as_bytes()).unwrap_or_else(|found| panic!("{found:#?}")).0, &CompileOptions::default())
}

fn decide<'s>(snapshot: &'s Snapshot, subject: &Subject<'_>, time: &str) -> Decision<'s> {
    let moment = Moment { now: parse_time(time).unwrap(), leases: &Clocks::synced() };
    snapshot.evaluate(snapshot.find("shop", "button"), subject, &moment)
}

#[test]
fn a_ramp_moves_keys_from_one_variant_into_an_experiment() {
    let snapshot = snapshot(
        r#""stable": "red", "new": {"split": {"blue": 50, "green": 50}}, "start_time": "2026-01-01 00:00Z", "duration": "10d""#,
    );
    let mut seen = Vec::new();
    for number in 0..200 {
        let key = format!("user-{number}");
        let subject = Subject::key(&key);
        let before = decide(&snapshot, &subject, "2025-12-31 00:00Z");
        assert_eq!((before.variant_name(), before.variant), (Some("red"), Some(Variant::Stable)));
        assert_eq!((before.answer.as_text(), before.reason), (Some("#f00"), Reason::Split));
        let after = decide(&snapshot, &subject, "2026-01-12 00:00Z");
        assert_eq!((after.variant, after.reason), (Some(Variant::New), Reason::Split));
        let during = decide(&snapshot, &subject, "2026-01-05 00:00Z");
        assert!(during == before || during == after, "{key}");
        seen.push(after.variant_name().unwrap().to_owned());
    }
    let blue = seen.iter().filter(|name| *name == "blue").count();
    assert!((70..=130).contains(&blue) && seen.iter().all(|name| name == "blue" || name == "green"), "{blue} of 200");
}

#[test]
fn a_variant_has_a_value_of_any_type() {
    for (name, json, as_bool) in [("red", "\"#f00\"", None), ("green", "7", None), ("on", "true", Some(true))] {
        let snapshot = snapshot(&format!(r#""stable": "{name}""#));
        let decision = decide(&snapshot, &Subject::absent(), "2026-01-01 00:00Z");
        assert_eq!(decision.answer.to_json().as_deref(), Some(json));
        assert_eq!((decision.answer.as_bool(), decision.reason), (as_bool, Reason::Static));
        assert_eq!(decision.answer.scalar().and_then(Scalar::as_bool), as_bool);
    }
}

#[test]
fn a_split_needs_a_key_and_a_split_of_one_variant_needs_none() {
    let split = snapshot(r#""stable": {"split": {"red": 1, "blue": 1}}"#);
    let missing = decide(&split, &Subject::absent(), "2026-01-01 00:00Z");
    assert_eq!((missing.variant_name(), missing.answer.to_json()), (None, None));
    assert_eq!((missing.reason, missing.error), (Reason::Error, Some(ErrorCode::TargetingKeyMissing)));
    let drawn = |number| decide(&split, &Subject::drawn(Position::new(number)), "2026-01-01 00:00Z").variant_name();
    let red = (0..1_000).filter(|number| drawn(*number) == Some("red")).count();
    assert!((420..580).contains(&red), "{red} of 1000 random draws");

    let alone = snapshot(r#""stable": {"split": {"red": 0, "blue": 1}}"#);
    let decision = decide(&alone, &Subject::absent(), "2026-01-01 00:00Z");
    assert_eq!((decision.variant_name(), decision.reason, decision.error), (Some("blue"), Reason::Static, None));

    // What a key is missing for is the experiment, so the answer is the variant from before.
    let experiment = snapshot(r#""stable": "red", "new": {"split": {"green": 1, "blue": 1}}, "lock": "new""#);
    let missing = decide(&experiment, &Subject::absent(), "2026-01-01 00:00Z");
    assert_eq!((missing.variant_name(), missing.error), (Some("red"), Some(ErrorCode::TargetingKeyMissing)));
}

#[test]
fn experiments_are_independent_unless_they_have_one_salt() {
    let text = |salt: &str| {
        let entry = format!(r#"{{{HUES}, "stable": {{"split": {{"red": 1, "blue": 1}}}}{salt}}}"#);
        let text = format!(r#"{{"shop": {{"a": {entry}, "b": {entry}}}}}"#);
        compile(&read(text.as_bytes()).unwrap().0, &CompileOptions::default())
    };
    let moment = Moment { now: parse_time("2026-01-01 00:00Z").unwrap(), leases: &Clocks::synced() };
    let same = |snapshot: &Snapshot| {
        let name = |flag, key: &str| {
            snapshot.evaluate(snapshot.find("shop", flag), &Subject::key(key), &moment).variant_name()
        };
        (0..1_000).map(|number| number.to_string()).filter(|key| name("a", key) == name("b", key)).count()
    };
    assert_eq!(same(&text(r#", "salt": "one""#)), 1_000);
    let count = same(&text(""));
    assert!((420..580).contains(&count), "{count} of 1000 keys have one variant in both");
}

#[test]
fn each_mistake_has_a_code_and_a_place() {
    let found = |entry: &str| {
        let text = format!(r#"{{"f": {{"x": {{{entry}}}}}}}"#);
        let found = check(text.as_bytes()).diagnostics;
        found.iter().map(|found| (found.code.as_str().to_owned(), found.path.to_string())).collect::<Vec<_>>()
    };
    let two = r#""variants": {"red": 1, "blue": 2}"#;
    let rule = |serve: &str| {
        format!(
            r#"{two}, "stable": "red", "new": "blue", "rules": [{{"name": "r", "when": {{"attribute": "a", "is": 1}}, "serve": {serve}}}]"#
        )
    };
    for (entry, expected) in [
        (r#""variants": [], "stable": "red""#.to_owned(), &[("E013", "f.x.variants"), ("E074", "f.x.stable")][..]),
        (r#""variants": {}, "stable": "red""#.to_owned(), &[("E075", "f.x.variants"), ("E074", "f.x.stable")]),
        (format!(r#"{two}, "new": "blue""#), &[("E030", "f.x")]),
        (format!(r#"{two}, "stable": "rde", "new": "blue""#), &[("E074", "f.x.stable")]),
        (format!(r#"{two}, "stable": "red", "new": false"#), &[("E077", "f.x.new")]),
        (format!(r#"{two}, "stable": "red", "new": {{"splt": {{}}}}"#), &[("E015", "f.x.new"), ("E062", "f.x.new.splt")]),
        (format!(r#"{two}, "stable": "red", "new": {{"ramp": {{}}}}"#), &[("E077", "f.x.new.ramp")]),
        (format!(r#"{two}, "stable": {{"split": 5}}"#), &[("E013", "f.x.stable.split")]),
        (format!(r#"{two}, "stable": {{"split": {{}}}}"#), &[("E079", "f.x.stable.split")]),
        (format!(r#"{two}, "stable": {{"split": {{"red": 0}}}}"#), &[("E079", "f.x.stable.split")]),
        (format!(r#"{two}, "stable": {{"split": {{"red": 1, "green": 1}}}}"#), &[("E074", "f.x.stable.split.green")]),
        (format!(r#"{two}, "stable": {{"split": {{"red": 1, "red": 2}}}}"#), &[("E008", "f.x.stable.split.red")]),
        (format!(r#"{two}, "stable": {{"split": {{"red": -1, "blue": 1}}}}"#), &[("E078", "f.x.stable.split.red")]),
        (format!(r#"{two}, "stable": {{"split": {{"red": "1", "blue": 1}}}}"#), &[("E078", "f.x.stable.split.red")]),
        (format!(r#"{two}, "stable": {{"split": {{"red": 1000000.1, "blue": 1}}}}"#), &[("E078", "f.x.stable.split.red")]),
        (format!(r#"{two}, "stable": {{"split": {{"red": 0.0000001, "blue": 1}}}}"#), &[("E078", "f.x.stable.split.red")]),
        (rule("\"stable\""), &[("E074", "f.x.rules[0].serve")]),
        (rule(r#"{"split": {"red": 1, "bleu": 1}}"#), &[("E074", "f.x.rules[0].serve.split.bleu")]),
        (rule(r#"{"split": {"red": 1, "blue": 1}, "ramp": {}}"#), &[("E077", "f.x.rules[0].serve")]),
        (rule("7"), &[("E063", "f.x.rules[0].serve")]),
        (format!(r#"{two}, "stable": "red", "new": "blue", "interpolate": true"#), &[("E080", "f.x.interpolate")]),
        (format!(r#"{two}, "stable": "red""#), &[("W113", "f.x.variants.blue")]),
        (format!(r#"{two}, "stable": "red", "new": "red""#), &[("W113", "f.x.variants.blue"), ("W103", "f.x.new")]),
        (r#""variants": {"new": 1, "b": 2}, "stable": "new", "new": "b""#.to_owned(), &[("W114", "f.x.variants.new")]),
        (r#""variants": {"stable": 1, "new": 2}, "stable": "stable", "new": "new""#.to_owned(), &[]),
        (r#""stable": {"split": {"red": 1}}"#.to_owned(), &[("W115", "f.x.stable")]),
        (r#""stable": {"split": {"red": 1}, "other": 1}"#.to_owned(), &[]),
        (
            r#""stable": 1, "new": 2, "rules": [{"name": "r", "when": {"attribute": "a", "is": 1}, "serve": {"split": {"a": 1}}}]"#.to_owned(),
            &[("E077", "f.x.rules[0].serve.split")],
        ),
        (rule("\"red\"").replace(r#", "new": "blue""#, r#", "new": {"split": {"blue": 0, "red": 1}}"#), &[]),
        (r#""variants": {"a": null, "b": 2}, "stable": "a", "new": "b""#.to_owned(), &[("N204", "f.x.variants.a")]),
    ] {
        let expected: Vec<_> = expected.iter().map(|(code, path)| ((*code).to_owned(), (*path).to_owned())).collect();
        assert_eq!(found(&entry), expected, "{entry}");
    }
}

#[test]
fn a_condition_on_another_flag_names_one_of_its_variants() {
    let found = |is: &str| {
        let when = format!(r#"{{"flag": "f/x", "is": "{is}"}}"#);
        let text = format!(
            r#"{{"f": {{"x": {{"variants": {{"red": 1, "blue": 2, "dark blue": 3}}, "stable": "red", "new": {{"split": {{"blue": 1, "dark blue": 0}}}}}},
                "y": {{"stable": 1, "new": 2, "rules": [{{"name": "r", "when": {when}, "serve": "new"}}]}}}}}}"#
        );
        let found = check(text.as_bytes()).diagnostics;
        found.iter().map(|found| (found.code.as_str().to_owned(), found.help.clone())).collect::<Vec<_>>()
    };
    assert_eq!(found("blue"), []);
    assert_eq!(found("red"), []);
    assert_eq!(found("bleu"), [("E074".to_owned(), "did you mean `blue`?".to_owned())]);
    assert_eq!(found("new").first().map(|(code, _)| code.as_str()), Some("E074"));
    let plain = r#"{"f": {"x": {"stable": 1, "new": 2}, "y": {"stable": 1, "new": 2, "rules": [{"name": "r", "when": {"flag": "f/x", "is": "blue"}, "serve": "new"}]}}}"#;
    let found_plain = check(plain.as_bytes()).diagnostics;
    assert_eq!((found_plain.len(), found_plain[0].code.as_str()), (1, "E014"), "{found_plain:?}");
    assert_eq!(found_plain[0].path.to_string(), "f.y.rules[0].when.is");
    assert_eq!(found("dark blue").first().map(|(code, _)| code.as_str()), Some("W111"));
}
