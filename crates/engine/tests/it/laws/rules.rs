//! Rules, segments and prerequisites: what holds for every document and every subject.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_engine::lease::Clocks;
use tidegate_engine::{
    Activation, CompileOptions, FlagKey, JsonAttributes, Micros, Moment, Overlay, Share, Snapshot, Subject, Variant,
    compile, read,
};

/// The instants of a case lie in the hours after this one.
const START: i64 = 1_735_689_600_000_000;

fn second(second: i64) -> Micros {
    Micros::new(START + second * 1_000_000)
}

fn window() -> impl Strategy<Value = Value> {
    (0..4_000_i64, 0..4_000_u64, 0..=100_u64).prop_map(|(start, over, end)| {
        json!({"start_time": second(start).to_string(), "duration": format!("{over}s"), "end_pct": end})
    })
}

fn condition() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"attribute": "plan", "is": "premium"})),
        Just(json!({"attribute": "age", "gte": 18, "lt": 65})),
        Just(json!({"attribute": "tags", "contains": "a"})),
        Just(json!({"attribute": "$key", "starts_with": "a"})),
        Just(json!({"attribute": "address.zip", "exists": true})),
        Just(json!({"segment": "staff"})),
        Just(json!({"flag": "f/b", "is": "new"})),
        Just(json!({"flag": "f/c", "is": "stable"})),
        Just(json!({"flag": "f/d", "is": "blue"})),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..3).prop_map(|parts| json!({"all": parts})),
            vec(inner.clone(), 1..3).prop_map(|parts| json!({"any": parts})),
            inner.prop_map(|part| json!({"not": part})),
        ]
    })
}

fn rules() -> impl Strategy<Value = Vec<Value>> {
    let serve =
        prop_oneof![Just(json!("new")), Just(json!("stable")), window().prop_map(|window| json!({"ramp": window})),];
    vec((condition(), serve), 0..4).prop_map(|rules| {
        let rule = |(number, (when, serve))| json!({"name": format!("rule {number}"), "when": when, "serve": serve});
        rules.into_iter().enumerate().map(rule).collect()
    })
}

/// The flag `f/a`, which has rules and may ask for `f/b` and `f/c`, and subjects.
#[derive(Clone, Debug)]
struct Case {
    a: Value,
    others: [Value; 2],
    overlay: Overlay,
    subjects: Vec<(Option<String>, JsonAttributes)>,
    instants: Vec<Micros>,
}

fn subjects() -> impl Strategy<Value = (Option<String>, JsonAttributes)> {
    let attributes = (
        prop_oneof![Just(json!(null)), Just(json!("premium")), Just(json!("free")), Just(json!(7))],
        prop_oneof![Just(json!(null)), (0..100_i64).prop_map(|age| json!(age)), Just(json!("20"))],
        prop_oneof![Just(json!(["a", 1])), Just(json!("xax")), Just(json!([]))],
        prop_oneof![Just(json!({"zip": "1"})), Just(json!({})), Just(json!("1"))],
        prop_oneof![Just(json!("tenant")), (0..9_i64).prop_map(|tenant| json!(tenant)), Just(json!(null))],
    );
    let key = prop_oneof![1 => Just(None), 5 => "[ab][a-z]{0,3}".prop_map(Some)];
    (key, attributes).prop_map(|(key, (plan, age, tags, address, tenant))| {
        let text = json!({"plan": plan, "age": age, "tags": tags, "address": address, "tenant": tenant}).to_string();
        (key, JsonAttributes::parse(&text).unwrap())
    })
}

fn flag(rules: &[Value], window: Option<Value>, fields: Value) -> Value {
    let mut entry = json!({"stable": false, "new": true, "salt": "s"});
    for more in [window.unwrap_or_else(|| json!({})), fields] {
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    }
    if !rules.is_empty() {
        entry["rules"] = json!(rules);
    }
    entry
}

/// What the fields of a flag with variants can be.
fn choices() -> [Value; 5] {
    let split = |split: Value| json!({"split": split});
    [
        json!("red"),
        json!("blue"),
        split(json!({"red": 50, "blue": 50})),
        split(json!({"blue": 1, "green": 2.5, "red": 0})),
        split(json!({"green": 7})),
    ]
}

/// The same flag with named variants, on its two sides and in its rules.
fn with_variants(mut entry: Value, [stable, new, served]: [usize; 3], has_new: bool) -> Value {
    let choice = |pick: usize| choices()[pick % choices().len()].clone();
    entry["variants"] = json!({"red": 1, "blue": 2, "green": "three"});
    entry["stable"] = choice(stable);
    entry["new"] = choice(new);
    if !has_new {
        entry.as_object_mut().unwrap().remove("new");
    }
    let rules = entry.get_mut("rules").and_then(Value::as_array_mut);
    for (number, rule) in rules.into_iter().flatten().enumerate() {
        if rule["serve"].is_string() {
            rule["serve"] = choice(served.wrapping_add(number));
        }
    }
    entry
}

fn case() -> impl Strategy<Value = Case> {
    let rollback = (0..6_000_i64, 0..2_000_u64, prop_oneof![Just(0), 0..50_u64]).prop_map(|(start, over, to)| {
        json!({"start_time": second(start).to_string(), "duration": format!("{over}s"), "to_pct": to})
    });
    let fields = (prop_oneof![Just(None), rollback.prop_map(Some)], any::<bool>(), any::<bool>()).prop_map(
        |(rollback, has_adopters, by_tenant)| {
            let mut fields = json!({});
            if let Some(rollback) = rollback {
                fields["rollback"] = rollback;
            }
            if has_adopters {
                fields["early_adopters"] = json!(["aa"]);
            }
            if by_tenant {
                fields["bucket_by"] = json!("tenant");
            }
            fields
        },
    );
    let others = (
        window(),
        window(),
        prop_oneof![Just(json!({})), Just(json!({"lock": "new"})), Just(json!({"enabled": false}))],
    );
    let activation =
        (0..=2_usize, 0..=100_u64, prop_oneof![Just(None), (0..8_000_i64).prop_map(|at| Some(second(at)))]);
    let overlay = prop_oneof![2 => Just(None), 1 => activation.prop_map(Some)].prop_map(|activation| {
        let set = |(flag, percent, until): (usize, u64, Option<Micros>)| {
            let share = Share::from_millionths(percent * 1_000_000).unwrap();
            (FlagKey::new("f", ["a", "b", "c"][flag]), Activation { share, until, defined: true })
        };
        Overlay { activations: activation.map(set).into_iter().collect(), ..Overlay::default() }
    });
    let named = proptest::option::weighted(0.4, (any::<[usize; 3]>(), any::<bool>()));
    let a = (rules(), prop_oneof![Just(None), window().prop_map(Some)], fields, named).prop_map(
        |(rules, window, fields, named)| {
            let entry = flag(&rules, window, fields);
            match named {
                Some((picks, has_new)) => with_variants(entry, picks, has_new),
                None => entry,
            }
        },
    );
    (a, others, overlay, vec(subjects(), 1..5), vec(0..9_000_000_000_i64, 1..12)).prop_map(
        |(a, (b, c, switch), overlay, subjects, instants)| {
            let others = [flag(&[], Some(b), json!({})), flag(&[], Some(c), switch)];
            let mut instants: Vec<Micros> = instants.into_iter().map(|micros| Micros::new(START + micros)).collect();
            instants.sort_unstable();
            Case { a, others, overlay, subjects, instants }
        },
    )
}

impl Case {
    fn snapshot_of(&self, a: &Value) -> Snapshot {
        let [b, c] = &self.others;
        let text = json!({
            "$tidegate": {"segments": {"staff": {"any": [{"attribute": "plan", "is": 7}, {"segment": "old"}]}, "old": {"attribute": "age", "gt": 60}}},
            "f": {"a": a, "b": b, "c": c, "d": with_variants(b.clone(), [0, 2, 0], true)}
        });
        let (document, _) =
            read(text.to_string().as_bytes()).unwrap_or_else(|problems| panic!("{text}: {problems:#?}"));
        compile(&document, &CompileOptions::default()).overlaid(&self.overlay)
    }

    fn snapshot(&self) -> Snapshot {
        self.snapshot_of(&self.a)
    }

    fn subjects(&self) -> impl Iterator<Item = Subject<'_>> {
        self.subjects.iter().map(|(key, attributes)| Subject::from(key.as_deref()).with_attributes(attributes))
    }
}

fn moment(now: Micros) -> Moment<'static> {
    Moment { now, leases: const { &Clocks::synced() } }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn explain_equals_evaluate_and_nothing_changes_before_valid_until(case in case()) {
        let snapshot = case.snapshot();
        let index = snapshot.find("f", "a");
        for subject in case.subjects() {
            let explained: Vec<_> =
                case.instants.iter().map(|now| snapshot.explain("f", "a", &subject, &moment(*now))).collect();
            for (place, (now, explanation)) in case.instants.iter().zip(&explained).enumerate() {
                let decision = snapshot.evaluate(index, &subject, &moment(*now));
                prop_assert_eq!(explanation.value.clone(), decision.answer.to_json().map(String::from));
                prop_assert_eq!(explanation.variant, decision.variant);
                prop_assert_eq!(explanation.variant_name(), decision.variant_name());
                prop_assert_eq!((explanation.reason, explanation.error), (decision.reason, decision.error));
                let until = explanation.valid_until;
                prop_assert_eq!(snapshot.evaluate_until(index, &subject, &moment(*now)), (decision, until));
                prop_assert_eq!(snapshot.evaluate_now(index, &subject, *now, || moment(*now)), decision);
                let later = case.instants.iter().zip(&explained).skip(place);
                for (at, other) in later.filter(|(at, _)| until.is_none_or(|until| **at < until)) {
                    prop_assert_eq!(&other.value, &explanation.value, "{} and {}", now, at);
                }
            }
        }
    }

    #[test]
    fn a_rule_that_does_not_match_changes_nothing(case in case(), place in 0..4_usize) {
        let mut with = case.a.clone();
        let serve = if with.get("variants").is_some() { "green" } else { "new" };
        let idle = json!({"name": "idle", "when": {"attribute": "nobody has it", "exists": true}, "serve": serve});
        let mut rules = with["rules"].as_array().cloned().unwrap_or_default();
        rules.insert(place.min(rules.len()), idle);
        with["rules"] = json!(rules);
        let (without, with) = (case.snapshot(), case.snapshot_of(&with));
        for subject in case.subjects() {
            for now in &case.instants {
                let one = without.evaluate(without.find("f", "a"), &subject, &moment(*now));
                let other = with.evaluate(with.find("f", "a"), &subject, &moment(*now));
                prop_assert_eq!((one.answer, one.variant, one.error), (other.answer, other.variant, other.error), "{}", now);
                prop_assert_eq!(one.variant_name(), other.variant_name());
            }
        }
    }

    #[test]
    fn a_prerequisite_is_seen_at_the_same_instant_under_the_same_overrides(case in case(), is_new in any::<bool>()) {
        let is = if is_new { "new" } else { "stable" };
        let a = flag(&[json!({"name": "r", "when": {"flag": "f/b", "is": is}, "serve": "new"})], None, json!({}));
        let snapshot = case.snapshot_of(&a).overlaid(&Overlay {
            activations: case.overlay.activations.iter().filter(|(key, _)| key.flag() == "b").cloned().collect(),
            ..Overlay::default()
        });
        for subject in case.subjects() {
            for now in &case.instants {
                let variant = |flag| snapshot.evaluate(snapshot.find("f", flag), &subject, &moment(*now)).variant;
                let expected = variant("b").map(Variant::as_str) == Some(is);
                prop_assert_eq!(variant("a") == Some(Variant::New), expected, "{}", now);
            }
        }
    }

    #[test]
    fn during_a_rollback_rules_on_attributes_give_new_to_no_key_that_never_had_it(case in case()) {
        let mut a = case.a.clone();
        if a.get("rollback").is_none() {
            return Ok(());
        }
        let rules = a["rules"].as_array().cloned().unwrap_or_default();
        a["rules"] = json!(rules.into_iter().filter(|rule| !rule.to_string().contains("\"flag\"")).collect::<Vec<_>>());
        let snapshot = case.snapshot_of(&a).overlaid(&Overlay::default());
        let index = snapshot.find("f", "a").unwrap();
        let fall = snapshot.flag(index).rollback(&moment(second(0))).unwrap();
        for subject in case.subjects() {
            let mut instants = case.instants.clone();
            instants.extend([fall.start, fall.end()]);
            instants.sort_unstable();
            let mut had = false;
            for now in instants {
                let has = snapshot.evaluate(Some(index), &subject, &moment(now)).variant == Some(Variant::New);
                prop_assert!(now <= fall.start || had || !has, "{subject:?} first at {now}");
                prop_assert!(now < fall.end() || fall.to != Share::ZERO || a["rollback"]["to_pct"] != 0 || !has, "{subject:?} at {now}");
                had |= has;
            }
        }
    }

    #[test]
    fn flips_of_a_rule_are_those_of_the_subject(case in case()) {
        let mut a = case.a.clone();
        let rules = a["rules"].as_array().cloned().unwrap_or_default();
        a["rules"] = json!(rules.into_iter().filter(|rule| !rule.to_string().contains("\"flag\"")).collect::<Vec<_>>());
        let snapshot = case.snapshot_of(&a).overlaid(&Overlay::default());
        let index = snapshot.find("f", "a").unwrap();
        for subject in case.subjects() {
            let begins = moment(Micros::MIN);
            let explanation = snapshot.explain("f", "a", &subject, &begins);
            let flips = snapshot.flag(index).flips(&subject, &begins);
            let has_first = explanation.variant == Some(Variant::New);
            for now in &case.instants {
                let came = has_first || flips.on.is_some_and(|on| *now >= on);
                let expected = came && flips.off.is_none_or(|off| *now < off);
                let decision = snapshot.evaluate(Some(index), &subject, &moment(*now));
                // Without a position no key flips: a share of 0 or 100 needs none.
                if explanation.position.is_some() {
                    prop_assert_eq!(decision.variant == Some(Variant::New), expected, "{} {:?}", now, flips);
                }
            }
        }
    }
}
