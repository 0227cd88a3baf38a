//! Rules in the order of a decision, what an explanation says of them, and where they stop.

use tidegate_engine::document::{parse_time, read_definition};
use tidegate_engine::lease::Clocks;
use tidegate_engine::{
    Activation, Attribute, CompileOptions, ConditionPart as Part, ErrorCode, FlagKey, Moment, Reason, Rule, Share,
    Snapshot, Subject, Variant, check, compile, compile_all, read,
};

fn snapshot(text: &str) -> Snapshot {
    let (document, _) = read(text.as_bytes()).unwrap_or_else(|found| panic!("{text}: {found:#?}"));
    compile(&document, &CompileOptions::default())
}

fn at(time: &str) -> Moment<'static> {
    Moment { now: parse_time(time).unwrap(), leases: const { &Clocks::synced() } }
}

const STAFF: &str = r#"{"$tidegate": {"segments": {"staff": {"attribute": "email", "ends_with": "@example.com"}}},
    "f": {"x": {"stable": "old", "new": "fresh", "salt": "", "early_adopters": ["early"],
        "start_time": "2026-01-01 00:00Z", "duration": "10d",
        "rollback": {"start_time": "2026-02-01 00:00Z", "duration": "1d"},
        "rules": [
            {"name": "banned", "when": {"attribute": "country", "in": ["XX", "YY"]}, "serve": "stable"},
            {"name": "staff", "when": {"all": [{"segment": "staff"}, {"not": {"attribute": "intern", "is": true}}]}, "serve": "new"},
            {"name": "paying", "when": {"attribute": "plan", "is": "premium"},
             "serve": {"ramp": {"start_time": "2025-12-01 00:00Z", "duration": "10d", "end_pct": 50}}}]}}}"#;

const ANN: [(&str, Attribute<'static>); 1] = [("email", Attribute::Text("ann@example.com"))];
const XX: [(&str, Attribute<'static>); 2] =
    [("country", Attribute::Text("XX")), ("email", Attribute::Text("b@example.com"))];
const PAYING: [(&str, Attribute<'static>); 1] = [("plan", Attribute::Text("premium"))];

fn variant(snapshot: &Snapshot, subject: &Subject<'_>, time: &str) -> (Option<Variant>, Reason) {
    let decision = snapshot.evaluate(snapshot.find("f", "x"), subject, &at(time));
    (decision.variant, decision.reason)
}

#[test]
fn rules_come_after_early_adopters_and_before_the_ramp() {
    let snapshot = snapshot(STAFF);
    let ann = Subject::key("ann").with_attributes(&ANN);
    let banned = Subject::key("bob").with_attributes(&XX);
    let (new, stable) = (Some(Variant::New), Some(Variant::Stable));
    assert_eq!(variant(&snapshot, &ann, "2025-01-01 00:00Z"), (new, Reason::TargetingMatch));
    assert_eq!(variant(&snapshot, &banned, "2026-01-20 00:00Z"), (stable, Reason::TargetingMatch));
    let early = Subject::key("early").with_attributes(&XX);
    assert_eq!(variant(&snapshot, &early, "2025-01-01 00:00Z"), (new, Reason::TargetingMatch));
    assert_eq!(variant(&snapshot, &Subject::key("ann"), "2025-01-01 00:00Z"), (stable, Reason::Split));
    assert_eq!(variant(&snapshot, &Subject::key("ann"), "2026-01-20 00:00Z"), (new, Reason::Split));
    // A subject without a key: the early adopters cannot be told from others.
    let absent = Subject::absent().with_attributes(&ANN);
    assert_eq!(variant(&snapshot, &absent, "2026-01-05 00:00Z").1, Reason::Error);
    assert_eq!(variant(&snapshot, &absent, "2026-01-20 00:00Z"), (new, Reason::TargetingMatch));
}

#[test]
fn at_the_end_of_a_rollback_to_0_every_key_has_stable() {
    let snapshot = snapshot(STAFF);
    for attributes in [&ANN[..], &PAYING[..], &XX[..]] {
        for key in ["ann", "early", "bob"] {
            let subject = Subject::key(key).with_attributes(attributes);
            assert_eq!(
                variant(&snapshot, &subject, "2026-02-02 00:00Z").0,
                Some(Variant::Stable),
                "{key} {attributes:?}"
            );
        }
    }
    let ann = Subject::key("ann").with_attributes(&ANN);
    assert_eq!(variant(&snapshot, &ann, "2026-02-01 23:59:59.999999Z").0, Some(Variant::New), "until its end");
}

#[test]
fn under_an_activation_between_0_and_100_rules_still_apply_and_at_0_and_100_nothing_else_does() {
    let mut snapshot = snapshot(STAFF);
    let ann = Subject::key("ann").with_attributes(&ANN);
    let banned = Subject::key("bob").with_attributes(&XX);
    for (percent, of_ann, of_banned) in [
        (0, Variant::Stable, Variant::Stable),
        (1, Variant::New, Variant::Stable),
        (99, Variant::New, Variant::Stable),
        (100, Variant::New, Variant::New),
    ] {
        let share = Share::from_millionths(percent * 1_000_000).unwrap();
        snapshot.set_activation(&FlagKey::new("f", "x"), Some(Activation { share, until: None, defined: true }));
        let found = [&ann, &banned].map(|subject| variant(&snapshot, subject, "2025-01-01 00:00Z").0);
        assert_eq!(found, [Some(of_ann), Some(of_banned)], "{percent} %");
    }
    // Rules end with a rollback to 0 also under an activation.
    let share = Share::from_millionths(1).unwrap();
    snapshot.set_activation(&FlagKey::new("f", "x"), Some(Activation { share, until: None, defined: true }));
    let explained = snapshot.explain("f", "x", &ann, &at("2026-02-01 12:00Z"));
    assert_eq!(explained.valid_until, Some(at("2026-02-02 00:00Z").now));
    assert_eq!(variant(&snapshot, &ann, "2026-02-02 00:00Z").0, Some(Variant::Stable));
}

#[test]
fn a_ramp_of_a_rule_has_its_own_share_and_its_last_word() {
    let snapshot = snapshot(STAFF);
    let has_new = |number: u32, attributes: &[(&str, Attribute<'_>)], time: &str| {
        let key = number.to_string();
        let subject = Subject::key(&key).with_attributes(attributes);
        variant(&snapshot, &subject, time).0 == Some(Variant::New)
    };
    let count = |attributes: &[(&str, Attribute<'_>)], time: &str| {
        (0..1_000).filter(|key| has_new(*key, attributes, time)).count()
    };
    assert_eq!(count(&PAYING, "2025-12-01 00:00Z"), 0);
    assert!((450..550).contains(&count(&PAYING, "2025-12-20 00:00Z")));
    assert_eq!(count(&[], "2025-12-20 00:00Z"), 0, "no others");
    assert!((450..550).contains(&count(&PAYING, "2026-01-20 00:00Z")), "the ramp of the flag does not add to it");
    let subject = Subject::key("0").with_attributes(&PAYING);
    let flips = snapshot.flag(snapshot.find("f", "x").unwrap()).flips(&subject, &at("2025-01-01 00:00Z"));
    let explained = snapshot.explain("f", "x", &subject, &at("2025-01-01 00:00Z"));
    assert_eq!((explained.flips, explained.rule), (flips, Rule::Targeting));
    let index = snapshot.find("f", "x").unwrap();
    let share = |time| snapshot.flag(index).rule_share_at(2, &at(time)).unwrap().to_string();
    assert_eq!((share("2025-12-06 00:00Z"), share("2026-03-01 00:00Z")), ("25".to_owned(), "50".to_owned()));
    assert_eq!(snapshot.flag(index).rule_share_at(1, &at("2025-12-06 00:00Z")), None);
    let without_key = Subject::absent().with_attributes(&PAYING);
    let decision = snapshot.evaluate(Some(index), &without_key, &at("2026-01-20 00:00Z"));
    assert_eq!(decision.error, Some(ErrorCode::TargetingKeyMissing));
}

#[test]
fn an_explanation_names_the_rule_what_held_and_each_step_that_was_passed() {
    let snapshot = snapshot(STAFF);
    let explained = snapshot.explain("f", "x", &Subject::key("ann").with_attributes(&ANN), &at("2025-01-01 00:00Z"));
    let tried = explained.targeting.unwrap();
    assert_eq!((&*tried.name, tried.number), ("staff", 2));
    let parts: Vec<(&str, Option<&str>, bool, Option<&str>)> = tried
        .parts
        .iter()
        .map(|Part { condition, segment, held, found }| (&**condition, segment.as_deref(), *held, found.as_deref()))
        .collect();
    assert_eq!(
        parts,
        [
            (
                r#"{"attribute": "email", "ends_with": "@example.com"}"#,
                Some("staff"),
                true,
                Some("\"ann@example.com\"")
            ),
            (r#"{"segment": "staff"}"#, None, true, None),
            (r#"{"attribute": "intern", "is": true}"#, None, false, None),
        ]
    );
    let passed: Vec<&str> = explained.passed.iter().map(|passed| passed.step.as_str()).collect();
    assert_eq!(passed, ["host_lock", "activation", "document_lock", "disabled", "early_adopter", "targeting"]);
    assert_eq!(explained.passed[5].tried.as_ref().unwrap().name, "banned");
    let json = serde_json::to_value(snapshot.explain(
        "f",
        "x",
        &Subject::key("z").with_attributes(&XX),
        &at("2025-01-01 00:00Z"),
    ))
    .unwrap();
    assert_eq!(json["rule"], "targeting");
    assert_eq!(json["targeting"]["name"], "banned");
    assert_eq!(json["targeting"]["conditions"][0]["condition"]["in"][0], "XX");
}

#[test]
fn bucket_by_moves_all_keys_of_a_tenant_together() {
    let text = |bucket_by: &str| {
        format!(
            r#"{{"f": {{"x": {{"stable": 1, "new": 2, "salt": "", {bucket_by} "start_time": "2026-01-01 00:00Z", "duration": "0s", "end_pct": 50}}}}}}"#
        )
    };
    let (by_tenant, by_key) = (snapshot(&text("\"bucket_by\": \"tenant.id\",")), snapshot(&text("")));
    for tenant in 0..50_i64 {
        let id = [("id", Attribute::Integer(tenant))];
        let attributes = [("tenant", Attribute::Object(&id))];
        let as_key = tenant.to_string();
        let expected = variant(&by_key, &Subject::key(&as_key), "2026-02-01 00:00Z");
        for subject in [Subject::key("a"), Subject::key("b"), Subject::absent()] {
            assert_eq!(variant(&by_tenant, &subject.with_attributes(&attributes), "2026-02-01 00:00Z"), expected);
        }
    }
    let missing = [("tenant", Attribute::from("x"))];
    for subject in [Subject::key("a"), Subject::key("a").with_attributes(&missing), Subject::absent()] {
        let decision = by_tenant.evaluate(by_tenant.find("f", "x"), &subject, &at("2026-02-01 00:00Z"));
        assert_eq!((decision.variant, decision.error), (Some(Variant::Stable), Some(ErrorCode::TargetingKeyMissing)));
    }
}

#[test]
fn a_circle_across_documents_and_definitions_matches_no_rule() {
    let asks = |flag: &str, other: &str| {
        format!(
            r#"{{"f": {{"{flag}": {{"stable": 1, "new": 2, "rules": [
            {{"name": "not", "when": {{"not": {{"flag": "f/{other}", "is": "new"}}}}, "serve": "new"}},
            {{"name": "own", "when": {{"attribute": "plan", "is": "premium"}}, "serve": "new"}}]}}}}}}"#
        )
    };
    let documents = [asks("x", "y"), asks("y", "x")].map(|text| read(text.as_bytes()).unwrap().0);
    let options = CompileOptions::default();
    let parts = [&documents[0], &documents[1]].map(|document| tidegate_engine::Part { document, options: &options });
    let snapshot = compile_all(&parts);
    assert_eq!(variant(&snapshot, &Subject::key("a"), "2026-01-01 00:00Z").0, Some(Variant::Stable));
    let paying = Subject::key("a").with_attributes(&PAYING);
    assert_eq!(
        variant(&snapshot, &paying, "2026-01-01 00:00Z").0,
        Some(Variant::New),
        "rules that do not ask still match"
    );
}

#[test]
fn a_definition_has_rules_and_no_segments() {
    let key = FlagKey::new("f", "x");
    let rules = r#"{"stable": false, "new": true, "rules": [{"name": "a", "when": {"attribute": "plan", "is": "premium"}, "serve": "new"}]}"#;
    let (definition, _) = read_definition(&key, rules).unwrap();
    let mut snapshot = Snapshot::empty();
    let (again, _) = read_definition(&key, &definition.entry).unwrap();
    assert_eq!(again, definition);
    assert!(snapshot.set_definition(&key, Some(&compile(&definition.into_document(), &CompileOptions::default()))));
    assert_eq!(
        variant(&snapshot, &Subject::key("a").with_attributes(&PAYING), "2026-01-01 00:00Z").0,
        Some(Variant::New)
    );
    let segment = rules.replace(r#"{"attribute": "plan", "is": "premium"}"#, r#"{"segment": "staff"}"#);
    assert!(read_definition(&key, &segment).is_err());
}

#[test]
fn each_mistake_has_a_code_and_a_place() {
    let check = |rules: &str, expected: &[(&str, &str)]| {
        let text = format!(
            r#"{{"$tidegate": {{"segments": {{"staff": {{"attribute": "a", "is": 1}}}}}}, "f": {{"x": {{"stable": 1, "new": 2, "rules": {rules}}}}}}}"#
        );
        let found = check(text.as_bytes()).diagnostics;
        let found: Vec<_> = found.iter().map(|found| (found.code.as_str(), found.path.to_string())).collect();
        let expected: Vec<_> = expected.iter().map(|(code, path)| (*code, format!("f.x.rules{path}"))).collect();
        assert_eq!(found, expected, "{rules}");
    };
    let when = |condition: &str| format!(r#"[{{"name": "r", "when": {condition}, "serve": "new"}}]"#);
    check("{}", &[("E013", "")]);
    check("[1]", &[("E063", "[0]")]);
    check(r#"[{"name": "r"}]"#, &[("E015", "[0]"), ("E015", "[0]")]);
    check(r#"[{"name": "r", "wen": {}, "when": {"attribute": "a", "is": 1}, "serve": "new"}]"#, &[("E062", "[0].wen")]);
    check(r#"[{"name": "r", "when": {"attribute": "a", "is": 1}, "serve": "blue"}]"#, &[("E014", "[0].serve")]);
    check(
        r#"[{"name": "r", "when": {"attribute": "a", "is": 1}, "serve": {"ramp": {}}}]"#,
        &[("E063", "[0].serve.ramp")],
    );
    check(
        r#"[{"name": "r", "when": {"attribute": "a", "is": 1}, "serve": {"ramp": {"start_time": "2026-01-01 00:00Z"}}}]"#,
        &[("E031", "[0].serve.ramp.start_time")],
    );
    for (condition, code, path) in [
        ("{}", "E060", "[0].when"),
        (r#"{"is": 1}"#, "E060", "[0].when"),
        (r#"{"attribute": "a", "is": 1, "segment": "staff"}"#, "E060", "[0].when"),
        (r#"{"segment": "staff", "gt": 1}"#, "E060", "[0].when.gt"),
        (r#"{"attribute": "a"}"#, "E061", "[0].when.attribute"),
        (r#"{"attribute": "a", "is_not": 1, "is": 2}"#, "E062", "[0].when.is_not"),
        (r#"{"attribute": "", "is": 1}"#, "E063", "[0].when.attribute"),
        (r#"{"attribute": "$kye", "is": "1"}"#, "E063", "[0].when.attribute"),
        (r#"{"attribute": "a", "is": null}"#, "E063", "[0].when.is"),
        (r#"{"attribute": "a", "in": []}"#, "E063", "[0].when.in"),
        (r#"{"attribute": "a", "in": [1, [2]]}"#, "E063", "[0].when.in[1]"),
        (r#"{"attribute": "a", "lt": "soon"}"#, "E063", "[0].when.lt"),
        (r#"{"attribute": "a", "lt": "18"}"#, "E063", "[0].when.lt"),
        (r#"{"attribute": "a", "semver": "latest"}"#, "E064", "[0].when.semver"),
        (r#"{"attribute": "a", "in_network": ["10.0.0.0/8", "10.0.0.1/8"]}"#, "E065", "[0].when.in_network[1]"),
        (r#"{"attribute": "a", "matches": "("}"#, "E026", "[0].when.matches"),
        (r#"{"segment": "staf"}"#, "E066", "[0].when.segment"),
        (r#"{"flag": "f/x", "is": "new"}"#, "E068", ""),
        (r#"{"flag": "f/y"}"#, "E015", "[0].when"),
        (r#"{"flag": "f/y", "is": "blue"}"#, "W112", "[0].when.flag"),
        (r#"{"all": []}"#, "E063", "[0].when.all"),
        (r#"{"any": [1]}"#, "E063", "[0].when.any[0]"),
        (r#"{"flag": "f/y", "is": "new"}"#, "W112", "[0].when.flag"),
        (r#"{"attribute": "a", "is": 1, "gt": 2}"#, "W111", "[0].when.attribute"),
    ] {
        check(&when(condition), &[(code, path)]);
    }
}

#[test]
fn patterns_of_rules_and_early_adopters_share_their_limits() {
    let pattern = "x".repeat(5_000);
    let text = format!(
        r#"{{"f": {{"x": {{"stable": 1, "new": 2, "early_adopters": [{{"regex": "{pattern}"}}],
            "rules": [{{"name": "r", "when": {{"attribute": "a", "matches": "{pattern}"}}, "serve": "new"}}]}}}}}}"#
    );
    let found = check(text.as_bytes()).diagnostics;
    assert!(
        found
            .iter()
            .any(|found| found.code.as_str() == "E027" && found.path.to_string() == "f.x.rules[0].when.matches"),
        "{found:#?}"
    );
}

#[test]
fn segments_that_nest_are_bounded_however_they_multiply() {
    let mut segments = vec![r#""s0": {"attribute": "a", "is": 1}"#.to_owned()];
    for number in 1..12 {
        let inner = format!(r#"{{"segment": "s{}"}}"#, number - 1);
        segments.push(format!(r#""s{number}": {{"any": [{inner}, {inner}]}}"#));
    }
    let text = format!(
        r#"{{"$tidegate": {{"segments": {{{}}}}}, "f": {{"x": {{"stable": 1, "new": 2, "rules": [{{"name": "r", "when": {{"segment": "s11"}}, "serve": "new"}}]}}}}}}"#,
        segments.join(",")
    );
    let found = check(text.as_bytes()).diagnostics;
    assert!(found.iter().any(|found| matches!(found.code.as_str(), "E069" | "E070")), "{found:#?}");
}

#[test]
fn a_change_of_a_segment_is_another_definition_of_the_flags_that_name_it() {
    let (before, after) = (snapshot(STAFF), snapshot(&STAFF.replace("@example.com", "@example.org")));
    assert_ne!(before.digest(), after.digest());
    assert_eq!(after.changed_flags(&before, 9), Some(vec![FlagKey::new("f", "x")]));
    assert_eq!(snapshot(STAFF).changed_flags(&before, 9), Some(vec![]));
}
