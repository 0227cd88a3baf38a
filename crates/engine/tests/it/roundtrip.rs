//! Property: reading what was written gives the same document.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tidegate_engine::document::{
    self, Adopter, Curve, Details, Document, Flag, Header, Rollback, Schedule, Section, Step, Value, Visibility, check,
    read, write,
};
use tidegate_engine::{HashAlgorithm, Micros, Severity, Share, Span, Variant, limits};

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
    (option::of(headers()), vec((names(), vec(flags(), 0..4)), 0..4)).prop_map(|(header, sections)| {
        let sections =
            sections.into_iter().map(|(name, flags)| Section { name, flags: once(flags, |flag| flag.name.clone()) });
        Document { header, segments: Vec::new(), sections: once(sections.collect(), |section| section.name.clone()) }
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
    (head, ways, tail).prop_map(|(head, ways, tail)| {
        let (name, stable, new, schedule, early_adopters) = head;
        let (rollback, lock, lease) = ways;
        let (hash, salt, enabled, details, wants_numbers) = tail;
        let is_number = |value: &Value| value.as_str().starts_with(|c: char| c.is_ascii_digit() || c == '-');
        let interpolate = wants_numbers && is_number(&stable) && new.as_ref().is_some_and(is_number);
        let details = details.filter(|details| *details != Details::default()).map(Box::new);
        Flag {
            name,
            stable,
            new,
            schedule,
            early_adopters,
            targeting: None,
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
    any_value.prop_map(|text| {
        let document = format!("{{\"f\":{{\"a\":{{\"stable\":{text}}}}}}}");
        let (document, _) = read(document.as_bytes()).unwrap_or_else(|found| panic!("{found:#?}"));
        document.sections[0].flags[0].stable.clone()
    })
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
