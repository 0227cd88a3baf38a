//! Property: reading what was written gives the same document.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tidegate_engine::document::{
    self, Adopter, Choice, Comparison, Condition, Curve, Details, Document, Flag, Header, Order, Rollback, Schedule,
    Section, Segment, Serve, Step, Targeting, TargetingRule, Test, Value, Variants, Visibility, check, read, write,
};
use tidegate_engine::{FlagKey, HashAlgorithm, Micros, Severity, Share, Span, Variant, limits};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_written_document_reads_back_the_same(document in documents()) {
        let text = write(&document);
        let checked = check(text.as_bytes());
        prop_assert_eq!(checked.count(Severity::Error), 0, "{:#?}\n{}", checked.diagnostics, text);
        prop_assert_eq!(checked.document.as_ref(), Some(&document), "{}", text);
        prop_assert_eq!(read(text.as_bytes()).map(|(document, _)| document), Ok(document));
    }

    #[test]
    fn durations_read_back(microseconds in 0..=limits::DURATION_MICROS_MAX) {
        let span = Span::from_micros(microseconds);
        prop_assert_eq!(document::parse_duration(&span.to_string()), Ok(span));
    }

    #[test]
    fn instants_read_back(instant in instants()) {
        prop_assert_eq!(document::parse_time(&instant.to_string()), Ok(instant));
    }

    #[test]
    fn percentages_read_back(share in shares()) {
        prop_assert_eq!(document::parse_percent(&share.to_string()), Ok(share));
    }
}

fn documents() -> impl Strategy<Value = Document> {
    let sections = vec((names(), vec(flags(), 0..4)), 0..4);
    (option::of(headers()), segments(), sections).prop_map(|(mut header, segments, sections)| {
        let defined: Vec<Box<str>> = segments.iter().map(|segment| segment.name.clone()).collect();
        let sections = sections.into_iter().map(|(name, flags)| {
            let mut flags = once(flags, |flag| flag.name.clone());
            for flag in &mut flags {
                keep_defined(flag, &defined);
            }
            Section { name, flags }
        });
        let sections = once(sections.collect(), |section| section.name.clone());
        if !segments.is_empty() {
            header.get_or_insert_default();
        }
        Document { header, segments, sections }
    })
}

/// Drops the rules that name a segment which the document does not have.
fn keep_defined(flag: &mut Flag, defined: &[Box<str>]) {
    let Some(targeting) = &mut flag.targeting else { return };
    targeting.rules.retain(|rule| {
        let text = rule.to_string();
        !SEGMENTS.iter().any(|name| {
            text.contains(&format!(r#"{{"segment": "{name}"}}"#)) && !defined.iter().any(|known| **known == **name)
        })
    });
    if **targeting == Targeting::default() {
        flag.targeting = None;
    }
}

/// None, or some of those that rules name.
fn segments() -> impl Strategy<Value = Vec<Segment>> {
    vec(comparisons(), 0..=SEGMENTS.len()).prop_map(|conditions| {
        let segment =
            |(name, when): (&&str, Comparison)| Segment { name: (*name).into(), when: Condition::Compare(when) };
        SEGMENTS.iter().zip(conditions).map(segment).collect()
    })
}

fn comparisons() -> impl Strategy<Value = Comparison> {
    let scalars = || values().prop_filter("a scalar", |value| !value.as_str().starts_with(['n', '[', '{']));
    let bounds = || {
        let times = instants().prop_map(|instant| value_of(&format!("\"{instant}\"")));
        prop_oneof![any::<i32>().prop_map(|number| value_of(&number.to_string())), times]
    };
    let networks = vec(prop_oneof![Just("10.0.0.0/8"), Just("2001:db8::/32"), Just("192.0.2.7")], 1..3);
    let few = (option::of(scalars()), option::of(vec(scalars(), 1..4)), option::of(scalars()));
    let of_text = (option::of(texts()), option::of(texts()), option::of(Just("^ci-[0-9]+$")));
    let orders = (option::of(bounds()), option::of(bounds()), option::of(bounds()), option::of(bounds()));
    let others = (option::of(Just(">=1.4.0-rc.1, <2")), option::of(any::<bool>()), option::of(networks));
    let attributes = "[a-z]{1,5}(\\.[a-z]{1,3})?|\\$key";
    (attributes, few, of_text, orders, others).prop_map(|(attribute, few, of_text, orders, others)| {
        let boxed = |text: &str| Box::<str>::from(text);
        let order = |order, bound: Option<Value>| bound.map(|bound| Test::Order(order, bound));
        let tests = [
            few.0.map(Test::Is),
            few.1.map(Test::In),
            few.2.map(Test::Contains),
            of_text.0.map(Test::StartsWith),
            of_text.1.map(Test::EndsWith),
            of_text.2.map(|pattern| Test::Matches(boxed(pattern))),
            order(Order::Less, orders.0),
            order(Order::LessOrEqual, orders.1),
            order(Order::Greater, orders.2),
            order(Order::GreaterOrEqual, orders.3),
            others.0.map(|range| Test::Semver(boxed(range))),
            others.1.map(Test::Exists),
            others.2.map(|networks| Test::InNetwork(networks.into_iter().map(boxed).collect())),
        ];
        let mut tests: Vec<Test> = tests.into_iter().flatten().collect();
        if tests.is_empty() {
            tests.push(Test::Exists(true));
        }
        Comparison { attribute: attribute.into(), tests }
    })
}

fn conditions() -> impl Strategy<Value = Condition> {
    let elsewhere = (texts(), any::<bool>()).prop_map(|(is, is_new)| Condition::Flag {
        flag: FlagKey::new("not in the document", "x"),
        is: if is_new { "new".into() } else { is },
    });
    let leaf = prop_oneof![
        3 => comparisons().prop_map(Condition::Compare),
        1 => proptest::sample::select(SEGMENTS).prop_map(|name| Condition::Segment(name.into())),
        1 => elsewhere,
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..3).prop_map(Condition::All),
            vec(inner.clone(), 1..3).prop_map(Condition::Any),
            inner.prop_map(|part| Condition::Not(Box::new(part))),
        ]
    })
}

/// A rule: its name, its condition, a number for what it serves, and its ramp, if it has one.
type Ruled = (Box<str>, Condition, usize, Option<Schedule>);

/// Rules whose `serve` is a number: `stable`, `new`, or one of what a flag with variants can serve.
fn targetings() -> impl Strategy<Value = (Vec<Ruled>, Option<Box<str>>)> {
    let ramps = option::weighted(0.3, schedules().prop_filter("a ramp", |schedule| *schedule != Schedule::None));
    let rules = prop_oneof![2 => Just(Vec::new()).boxed(), 1 => vec((names(), conditions(), any::<usize>(), ramps), 1..4).boxed()];
    (rules, option::weighted(0.2, "[a-z]{1,6}(\\.[a-z]{1,3})?".prop_map(String::into_boxed_str)))
}

/// The named variants of a flag, with the fields `stable` and `new`, and what rules can serve beside.
type Named = (Value, Option<Value>, Box<Variants>, Vec<Choice>);

/// A variant: its name, its value and its weight.
type Weighed = (Box<str>, Value, String);

/// Variants are made by reading them, because the fields beside them are kept as text.
fn variants() -> impl Strategy<Value = Named> {
    let weight = prop_oneof![
        Just("0".to_owned()),
        (1..100_u32).prop_map(|weight| weight.to_string()),
        "[1-9][0-9]{0,5}\\.[0-9]{1,6}"
    ];
    (vec((names(), values(), weight), 1..5), any::<[usize; 4]>(), any::<bool>()).prop_map(|(named, picks, has_new)| {
        let named = once(named, |(name, ..)| name.clone());
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let members = |part: &dyn Fn(&Weighed) -> String| {
            named.iter().map(|one| format!("{} : {}", quoted(&one.0), part(one))).collect::<Vec<_>>().join(", ")
        };
        let choice = |pick: usize| {
            if let Some((name, ..)) = named.get(pick % (named.len() + 1)) {
                return quoted(name);
            }
            // One weight is above 0.
            let is_first = |name: &str| *name == *named[0].0;
            let weights = members(&|(name, _, weight)| if is_first(name) { "1".to_owned() } else { weight.clone() });
            format!("{{\"split\": {{{weights}}} }}")
        };
        let new = if has_new { format!(", \"new\": {}", choice(picks[1])) } else { String::new() };
        let when = r#"{"attribute": "x", "exists": true}"#;
        let served = [picks[2], picks[3], usize::MAX]
            .into_iter()
            .enumerate()
            .map(|(number, pick)| format!(r#"{{"name": "{number}", "when": {when}, "serve": {}}}"#, choice(pick)));
        let text = format!(
            r#"{{"f": {{"a": {{"variants": {{{}}}, "stable": {}{new}, "rules": [{}]}}}}}}"#,
            members(&|(_, value, _)| value.as_str().to_owned()),
            choice(picks[0]),
            served.collect::<Vec<_>>().join(", "),
        );
        let (document, _) = read(text.as_bytes()).unwrap_or_else(|found| panic!("{found:#?}\n{text}"));
        let flag = document.sections[0].flags[0].clone();
        let choices = flag.targeting.unwrap().rules.into_iter().map(|rule| match rule.serve {
            Serve::Choice(choice) => choice,
            other => panic!("{other:?} beside variants"),
        });
        (flag.stable, flag.new, flag.variants.unwrap(), choices.collect())
    })
}

fn headers() -> impl Strategy<Value = Header> {
    let instants = (option::of(instants()), option::of(instants()));
    (option::of(texts()), option::of(0..1_u64 << 53), instants)
        .prop_map(|(environment, version, (issued, expires))| Header { environment, version, issued, expires })
}

/// Only the first of those with the same name.
fn once<T>(mut all: Vec<T>, name: impl Fn(&T) -> Box<str>) -> Vec<T> {
    let mut seen = std::collections::HashSet::new();
    all.retain(|one| seen.insert(name(one)));
    all
}

fn names() -> impl Strategy<Value = Box<str>> {
    "[a-z]{1,3}|\\PC{0,6}"
        .prop_filter("no control characters, nothing reserved", |name| {
            !name.chars().any(char::is_control) && !matches!(name.as_str(), "$schema" | "$tidegate" | "." | "..")
        })
        .prop_map(String::into_boxed_str)
}

fn flags() -> impl Strategy<Value = Flag> {
    let head = (names(), values(), option::of(values()), schedules(), vec(adopters(), 0..4));
    let ways = (
        option::of(rollbacks()),
        option::of(prop_oneof![Just(Variant::Stable), Just(Variant::New)]),
        option::of(spans(1)),
    );
    let hashes = prop_oneof![Just(HashAlgorithm::Sha1), Just(HashAlgorithm::Xxh3), Just(HashAlgorithm::Murmur3)];
    let tail = (option::of(hashes), option::of(texts()), any::<bool>(), option::of(details()), any::<bool>());
    let targeted = (targetings(), option::weighted(0.4, variants()));
    (head, ways, tail, targeted).prop_map(|(head, ways, tail, ((rules, bucket_by), named))| {
        let (name, mut stable, mut new, schedule, early_adopters) = head;
        let (rollback, lock, lease) = ways;
        let (hash, salt, enabled, details, wants_numbers) = tail;
        let is_number = |value: &Value| value.as_str().starts_with(|c: char| c.is_ascii_digit() || c == '-');
        let (mut variants, mut choices) = (None, Vec::new());
        if let Some(named) = named {
            (stable, new, choices) = (named.0, named.1, named.3);
            variants = Some(named.2);
        }
        let interpolate =
            wants_numbers && variants.is_none() && is_number(&stable) && new.as_ref().is_some_and(is_number);
        let serve = |pick: usize, ramp: Option<Schedule>| match (ramp.filter(|_| !interpolate), &variants) {
            (Some(ramp), _) => Serve::Ramp(ramp),
            (None, Some(_)) => Serve::Choice(choices[pick % choices.len()].clone()),
            (None, None) => Serve::Variant(if pick.is_multiple_of(2) { Variant::Stable } else { Variant::New }),
        };
        let rules = once(rules, |(name, ..)| name.clone()).into_iter();
        let rules = rules.map(|(name, when, pick, ramp)| TargetingRule { name, when, serve: serve(pick, ramp) });
        let targeting = Targeting { rules: rules.collect(), bucket_by };
        let targeting = (targeting != Targeting::default()).then(|| Box::new(targeting));
        let details = details.filter(|details| *details != Details::default()).map(Box::new);
        Flag {
            name,
            stable,
            new,
            variants,
            schedule,
            early_adopters,
            targeting,
            interpolate,
            rollback,
            lock,
            lease,
            hash,
            salt,
            enabled,
            details,
        }
    })
}

/// Values are made by reading them, because only the reader makes them.
fn values() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        "-?(0|[1-9][0-9]{0,20})\\.[0-9]{1,20}([eE][+-]?[0-9]{1,2})?",
        texts().prop_map(|text| serde_json::Value::from(&*text).to_string()),
    ];
    let any_value = scalar.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|elements| format!("[{}]", elements.join(" , "))),
            vec(inner, 0..4).prop_map(|members| {
                let members = members.iter().enumerate().map(|(index, value)| format!("\"n {index}\" :\n{value}"));
                format!("{{ {} }}", members.collect::<Vec<_>>().join(",\t"))
            }),
        ]
    });
    any_value.prop_map(|text| value_of(&text))
}

fn value_of(text: &str) -> Value {
    let document = format!("{{\"f\":{{\"a\":{{\"stable\":{text}}}}}}}");
    let (document, _) = read(document.as_bytes()).unwrap_or_else(|found| panic!("{found:#?}"));
    document.sections[0].flags[0].stable.clone()
}

fn schedules() -> impl Strategy<Value = Schedule> {
    let curves = prop_oneof![Just(Curve::Linear), Just(Curve::Exponential)];
    let windows = (instants(), spans(0), any::<bool>(), shares(), shares(), curves).prop_map(
        |(instant, span, is_start, one, other, curve)| {
            let (start, end) = if is_start {
                (instant, instant.saturating_add(span))
            } else {
                (instant.saturating_sub(span), instant)
            };
            let (from, to) = (one.min(other), one.max(other));
            let curve = if from == Share::ZERO { Curve::Linear } else { curve };
            Schedule::Window { start, end, from, to, curve }
        },
    );
    let steps = (instants(), vec((shares(), short_spans(), short_spans()), 1..6), any::<bool>()).prop_map(
        |(instant, steps, is_start)| {
            let mut steps: Vec<_> = steps.into_iter().map(|(share, over, hold)| Step { share, over, hold }).collect();
            steps.sort_by_key(|step| step.share);
            let sum =
                steps.iter().fold(Span::ZERO, |sum, step| sum.saturating_add(step.over).saturating_add(step.hold));
            Schedule::Steps { start: if is_start { instant } else { instant.saturating_sub(sum) }, steps }
        },
    );
    prop_oneof![Just(Schedule::None), windows, steps]
}

fn adopters() -> impl Strategy<Value = Adopter> {
    let patterns = prop_oneof![Just("^ci-[0-9]+$"), Just(""), Just("a|b"), Just("\"\\\\.\n")];
    prop_oneof![texts().prop_map(Adopter::Key), patterns.prop_map(|pattern| Adopter::Pattern(pattern.into()))]
}

fn rollbacks() -> impl Strategy<Value = Rollback> {
    (instants(), spans(0), shares()).prop_map(|(start, over, to)| Rollback { start, over, to })
}

fn details() -> impl Strategy<Value = Details> {
    let visibilities = prop_oneof![Just(Visibility::Client), Just(Visibility::Server)];
    let texts_of_all = (option::of(texts()), option::of(texts()), vec(texts(), 0..3), vec((texts(), values()), 0..3));
    (texts_of_all, visibilities).prop_map(|((description, owner, tags, mut metadata), visibility)| {
        metadata.retain(|(_, value)| !value.as_str().starts_with(['n', '[', '{']));
        Details { description, owner, tags, metadata: once(metadata, |(name, _)| name.clone()), visibility }
    })
}

fn texts() -> impl Strategy<Value = Box<str>> {
    prop_oneof!["[a-z \"\\\\/]{0,8}", any::<String>()].prop_map(|text: String| text.into_boxed_str())
}

/// Instants that can be written: the years 1 to 9999.
fn instants() -> impl Strategy<Value = Micros> {
    let calendar = (-62_135_596_800_000_000..=253_402_300_799_999_999_i64).boxed();
    prop_oneof![calendar.clone(), calendar.prop_map(|instant| instant - instant.rem_euclid(60_000_000))]
        .prop_map(Micros::new)
}

fn spans(least: u64) -> impl Strategy<Value = Span> {
    prop_oneof![least..=limits::DURATION_MICROS_MAX, least..=10_000_000].prop_map(Span::from_micros)
}

fn short_spans() -> impl Strategy<Value = Span> {
    prop_oneof![Just(0), 0..=10_000_000_000_u64].prop_map(Span::from_micros)
}

fn shares() -> impl Strategy<Value = Share> {
    prop_oneof![Just(0), Just(100_000_000), 0..=100_000_000_u64]
        .prop_map(|millionths| Share::from_millionths(millionths).unwrap())
}

/// The segments that rules name.
const SEGMENTS: &[&str] = &["staff", "old", "a b"];
