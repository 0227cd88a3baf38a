//! Forecasts and tallies: what they show is what evaluation at each instant gives.

use tidegate_engine::document::parse_time;
use tidegate_engine::forecast::{Curve, Forecast, Overlap};
use tidegate_engine::lease::Clocks;
use tidegate_engine::population::{Counts, StepsError, Tally, steps};
use tidegate_engine::{
    CompileOptions, Flag, JsonAttributes, Micros, Moment, Share, Snapshot, Span, Subject, Variant, compile, read,
};

/// Four flags: 10 days from 1 January, 10 from 6 January, 1 day from 21 January with a rollback, and one that never moves.
const DOCUMENT: &str = r#"{"s": {
    "first": {"stable": 0, "new": 1, "start_time": "2026-01-01 00:00Z", "duration": "10d"},
    "second": {"stable": 0, "new": 1, "start_time": "2026-01-06 00:00Z", "duration": "10d"},
    "third": {"stable": 0, "new": 1, "start_time": "2026-01-21 00:00Z", "duration": "1d",
        "rollback": {"start_time": "2026-01-24 00:00Z", "duration": "12h"}},
    "fixed": {"stable": 0}
}}"#;

fn snapshot(text: &str) -> Snapshot {
    compile(&read(text.as_bytes()).expect("a document that is accepted").0, &CompileOptions::default())
}

fn at(text: &str) -> Micros {
    parse_time(text).unwrap()
}

fn day(day: u32) -> Micros {
    at(&format!("2026-01-{day:02} 00:00Z"))
}

fn hours(hours: u64) -> Span {
    Span::from_micros(hours * 3_600_000_000)
}

fn flag<'s>(snapshot: &'s Snapshot, name: &str) -> Flag<'s> {
    snapshot.flag(snapshot.find("s", name).unwrap())
}

/// Whether they are the same but for what a microsecond makes.
fn near(one: Share, other: Share) -> bool {
    one.get().abs_diff(other.get()) <= Share::FULL.get() / 1_000_000
}

fn percent(percent: u64) -> Share {
    Share::from_millionths(percent * 1_000_000).unwrap()
}

#[test]
fn the_stretch_reaches_over_the_near_changes_with_a_margin() {
    let snapshot = snapshot(DOCUMENT);
    let stretch = |now, from, to| {
        let forecast = Forecast::new(snapshot.flags(), now, from, to);
        (forecast.from, forecast.to)
    };
    // From 1 January to the middle of the 24th are 564 hours, and the margin is a part in 24 of them.
    let margin = Span::from_micros(hours(564).get() / 24);
    let last = day(24).saturating_add(hours(12));
    assert_eq!(stretch(day(10), None, None), (day(1).saturating_sub(margin), last.saturating_add(margin)));
    assert_eq!(stretch(day(10), Some(day(3)), Some(day(4))), (day(3), day(4)));
    assert_eq!(stretch(day(10), None, Some(day(3))), (day(1).saturating_sub(margin), day(3)), "the end alone");
    // Now is on the picture where it lies nearer than the changes are long, and not where it is farther away.
    let later = last.saturating_add(hours(564));
    assert!(stretch(later, None, None).1 > later);
    let too_late = later.saturating_add(hours(1));
    assert!(stretch(too_late, None, None).1 < too_late);
    let early = day(1).saturating_sub(hours(564));
    assert!(stretch(early, None, None).0 < early);
    let too_early = early.saturating_sub(hours(1));
    assert!(stretch(too_early, None, None).0 > too_early);
    // Changes of another decade count where there are no nearer ones.
    assert_eq!(stretch(at("2036-01-01 00:00Z"), None, None).0, day(1).saturating_sub(margin));
    let none = Forecast::new(std::iter::empty(), day(10), None, None);
    assert_eq!((none.from, none.to), (day(9), day(11)), "a day on each side");
}

/// 400 days before and after now are near; a change farther away, on either side, does not stretch the picture.
#[test]
fn far_changes_do_not_stretch_the_picture() {
    let starting = |name: &str, start: Micros| {
        let text =
            format!(r#"{{"s": {{"{name}": {{"stable": 0, "new": 1, "start_time": "{start}", "duration": "1d"}}}}}}"#);
        snapshot(&text)
    };
    let now = day(10);
    let days = |days: u64| hours(24 * days);
    let near = starting("near", now);
    for far in [now.saturating_sub(days(402)), now.saturating_add(days(401))] {
        let other = starting("far", far);
        let forecast = Forecast::new(near.flags().chain(other.flags()), now, None, None);
        assert!(forecast.from > now.saturating_sub(days(1)) && forecast.to < now.saturating_add(days(2)), "{far}");
    }
    for edge in [now.saturating_sub(days(400)), now.saturating_add(days(399))] {
        let other = starting("edge", edge);
        let forecast = Forecast::new(near.flags().chain(other.flags()), now, None, None);
        assert!(forecast.from < edge && edge < forecast.to, "{edge}");
    }
}

#[test]
fn instants_and_places_are_parts_of_the_stretch() {
    let snapshot = snapshot(DOCUMENT);
    let forecast = Forecast::new(snapshot.flags(), day(1), Some(day(1)), Some(day(5)));
    assert_eq!([0, 1, 2, 4].map(|part| forecast.instant(part, 4)), [1, 2, 3, 5].map(day));
    assert_eq!([1, 2, 3, 5].map(|number| forecast.place(day(number))), [0.0, 0.25, 0.5, 1.0].map(Some));
    assert_eq!((forecast.place(day(6)), forecast.place(day(1).saturating_sub(Span::SECOND))), (None, None));
}

#[test]
fn coming_changes_are_after_now_and_in_the_stretch() {
    let snapshot = snapshot(DOCUMENT);
    let coming = |now, from, to| {
        let forecast = Forecast::new(snapshot.flags(), now, from, to);
        let coming = forecast.coming();
        coming.iter().map(|(curve, change)| (curve.name.clone(), change.at)).collect::<Vec<_>>()
    };
    let named = |all: &[(&str, Micros)]| all.iter().map(|(name, at)| (format!("s/{name}"), *at)).collect::<Vec<_>>();
    let all = named(&[
        ("first", day(11)),
        ("second", day(16)),
        ("third", day(21)),
        ("third", day(22)),
        ("third", day(24)),
        ("third", day(24).saturating_add(hours(12))),
    ]);
    assert_eq!(coming(day(6), None, None), all, "the change at this instant has come");
    assert_eq!(coming(day(6), Some(day(16)), Some(day(21))), all[1..3], "both ends are in the stretch");
    assert_eq!(coming(day(25), None, None), []);
}

#[test]
fn overlaps_are_times_in_which_several_flags_move() {
    let snapshot = snapshot(DOCUMENT);
    let overlaps = |flags: &[&str], from, to| {
        Forecast::new(flags.iter().map(|name| flag(&snapshot, name)), day(1), from, to).overlaps()
    };
    let overlap =
        |from, to, most, curves: &[usize]| Overlap { from, to, most, curves: curves.iter().copied().collect() };
    assert_eq!(overlaps(&["first", "second", "third"], None, None), [overlap(day(6), day(11), 2, &[0, 1])]);
    assert_eq!(overlaps(&["first", "second"], Some(day(8)), Some(day(9))), [overlap(day(8), day(9), 2, &[0, 1])]);
    assert_eq!(overlaps(&["first", "third", "fixed"], None, None), []);
    assert_eq!(overlaps(&["first", "second"], Some(day(11)), Some(day(12))), [], "one ends where the stretch begins");
    let three = overlaps(&["first", "second", "first"], None, None);
    assert_eq!(three, [overlap(day(1), day(11), 3, &[0, 1, 2])]);
}

#[test]
fn an_overlap_lasts_while_two_move_and_another_one_is_its_own() {
    let flag = |name: &str, from: u32, days: u32| {
        format!(
            r#""{name}": {{"stable": 0, "new": 1, "start_time": "2026-01-{from:02} 00:00Z", "duration": "{days}d"}}"#
        )
    };
    let flags = [flag("a", 1, 10), flag("b", 6, 10), flag("c", 5, 3), flag("d", 20, 4), flag("e", 22, 4)];
    let snapshot = snapshot(&format!(r#"{{"s": {{{}}}}}"#, flags.join(", ")));
    let found = Forecast::new(snapshot.flags(), day(1), None, None).overlaps();
    let found: Vec<_> = found.into_iter().map(|overlap| (overlap.from, overlap.to, overlap.most)).collect();
    assert_eq!(found, [(day(5), day(11), 3), (day(22), day(24), 2)]);
}

/// One ramp begins at the instant at which the other ends, and a ramp with a corner moves on both sides of it.
#[test]
fn an_end_and_a_beginning_at_one_instant_are_no_overlap_and_a_corner_does_not_part_one() {
    let snapshot = snapshot(
        r#"{"s": {
            "before": {"stable": 0, "new": 1, "start_time": "2026-01-01 00:00Z", "duration": "5d"},
            "after": {"stable": 0, "new": 1, "start_time": "2026-01-06 00:00Z", "duration": "5d"},
            "corner": {"stable": 0, "new": 1, "start_time": "2026-01-01 00:00Z",
                "steps": [{"pct": 20, "over": "2d"}, {"pct": 100, "over": "8d"}]}
        }}"#,
    );
    let overlaps = |flags: &[&str]| {
        let found = Forecast::new(flags.iter().map(|name| flag(&snapshot, name)), day(1), None, None).overlaps();
        found.into_iter().map(|overlap| (overlap.from, overlap.to, overlap.most)).collect::<Vec<_>>()
    };
    assert_eq!(overlaps(&["before", "after"]), []);
    assert_eq!(overlaps(&["before", "corner"]), [(day(1), day(6), 2)]);
    assert_eq!(overlaps(&["before", "after", "corner"]), [(day(1), day(11), 2)]);
}

#[test]
fn corners_have_both_sides_of_a_jump() {
    let snapshot = snapshot(
        r#"{"s": {"jump": {"stable": 0, "new": 1, "start_time": "2026-01-02 00:00Z",
            "steps": [{"pct": 50, "hold": "1d"}, {"pct": 100, "over": "1d"}]}}}"#,
    );
    let curve = Curve::new(flag(&snapshot, "jump"));
    let expected = [(day(1), 0), (day(2), 0), (day(2), 50), (day(3), 50), (day(4), 100), (day(5), 100)];
    let corners = curve.corners(day(1), day(5));
    assert_eq!(corners.len(), expected.len(), "{corners:?}");
    for ((at, share), (expected_at, expected)) in corners.into_iter().zip(expected) {
        assert!(at == expected_at && near(share, percent(expected)), "{at}: {share:?}, not {expected} %");
    }
    // A change at an end of the stretch is the end itself.
    let corners = curve.corners(day(2), day(3));
    assert_eq!(corners.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [day(2), day(3)]);
    assert!(corners.iter().all(|(_, share)| near(*share, percent(50))), "{corners:?}");
    let is_moving = |from, to| curve.changes_within(from, to);
    assert!(is_moving(day(1), day(2)) && is_moving(day(2), day(3)), "changes at the end count");
    let noon = |number| day(number).saturating_add(hours(12));
    assert!(!is_moving(day(2), noon(2)) && !is_moving(day(4), day(5)));
    assert!(is_moving(noon(3), noon(3).saturating_add(hours(1))), "no change, but another share");
}

#[test]
fn a_rule_with_a_ramp_has_a_curve_of_its_own() {
    let snapshot = snapshot(
        r#"{"s": {"ruled": {"stable": 0, "new": 1, "rules": [
            {"name": "staff", "when": {"attribute": "staff", "is": true}, "serve": "new"},
            {"name": "premium", "when": {"attribute": "plan", "is": "premium"},
                "serve": {"ramp": {"start_time": "2026-01-01 00:00Z", "duration": "10d"}}}]}}}"#,
    );
    let curves = Curve::all(flag(&snapshot, "ruled"));
    let names: Vec<_> = curves.iter().map(|curve| (&*curve.name, curve.rule, curve.rule_name())).collect();
    assert_eq!(names, [("s/ruled", None, None), ("s/ruled, rule premium", Some(1), Some("premium"))]);
    assert!(near(curves[1].share_at(day(6)), percent(50)));
    assert_eq!(curves[1].changes.iter().map(|change| change.at).collect::<Vec<_>>(), [day(1), day(11)]);
}

#[test]
fn steps_have_both_ends() {
    let snapshot = snapshot(DOCUMENT);
    let first = flag(&snapshot, "first");
    let count = |every, from, to, max| steps(first, every, from, to, max).map(|instants| instants.len());
    assert_eq!(steps(first, hours(96), None, None, 10).unwrap(), [day(1), day(5), day(9), day(11)], "the end is added");
    assert_eq!(steps(first, hours(120), None, None, 10).unwrap(), [day(1), day(6), day(11)]);
    assert_eq!(steps(first, hours(24), Some(day(3)), Some(day(3)), 10).unwrap(), [day(3)]);
    assert_eq!(count(Span::ZERO, None, None, 10), Err(StepsError::Zero));
    assert_eq!(count(hours(24), None, None, 11), Ok(11));
    assert_eq!(count(hours(24), None, None, 10), Err(StepsError::TooMany { count: 11 }));
    let backwards = StepsError::Backwards { from: day(4), to: day(3) };
    assert_eq!(count(hours(24), Some(day(4)), Some(day(3)), 10), Err(backwards));
    assert_eq!(steps(flag(&snapshot, "fixed"), hours(24), None, Some(day(3)), 10), Err(StepsError::NeverMoves));
}

/// Each subject is evaluated at each instant; the tally has to say the same.
fn check_tally(entry: &str, subjects: &[(String, Option<JsonAttributes>)]) -> Vec<Counts> {
    let other = r#"{"stable": 0, "new": 1, "start_time": "2026-01-02 00:00Z", "duration": "4d",
        "rollback": {"start_time": "2026-01-07 00:00Z", "duration": "2d"}}"#;
    let snapshot = snapshot(&format!(r#"{{"s": {{"x": {entry}, "other": {other}}}}}"#));
    let flag = flag(&snapshot, "x");
    let instants: Vec<_> = (1..=13).map(day).collect();
    let mut tally = Tally::new(&snapshot, flag, instants.clone());
    let subjects: Vec<_> = subjects
        .iter()
        .map(|(key, attributes)| match attributes {
            Some(attributes) => Subject::key(key).with_attributes(attributes),
            None => Subject::key(key),
        })
        .collect();
    for subject in &subjects {
        tally.add(subject);
    }
    let counts = tally.counts();
    for (counts, at) in counts.iter().zip(instants) {
        let moment = Moment { now: at, leases: const { &Clocks::synced() } };
        let decisions: Vec<_> =
            subjects.iter().map(|subject| snapshot.evaluate(Some(flag.index()), subject, &moment)).collect();
        let having = |wanted| decisions.iter().filter(|decision| decision.variant == Some(wanted)).count() as u64;
        let named = having(Variant::Named);
        let expected = [having(Variant::Stable), having(Variant::New), having(Variant::Interpolated)];
        if named == 0 {
            assert_eq!([counts.stable, counts.new, counts.interpolated], expected, "{entry} at {at}");
        }
        assert_eq!((counts.at, counts.population()), (at, subjects.len() as u64));
        for (name, count) in &counts.named {
            let expected = decisions.iter().filter(|decision| decision.variant_name() == Some(name)).count() as u64;
            assert_eq!(*count, expected, "{entry} at {at}: {name}");
        }
    }
    counts
}

#[test]
fn a_tally_counts_what_evaluation_gives() {
    let keys: Vec<_> = (0..200).map(|number| (format!("key-{number}"), None)).collect();
    let window = r#""start_time": "2026-01-02 00:00Z", "duration": "8d""#;
    let rising = check_tally(&format!(r#"{{"stable": 0, "new": 1, {window}}}"#), &keys);
    assert!(rising[0].new == 0 && (60..140).contains(&rising[5].new) && rising[12].new == 200, "{rising:?}");
    check_tally(
        &format!(r#"{{"stable": 0, "new": 1, {window}, "early_adopters": ["key-7", {{"regex": "^key-1"}}]}}"#),
        &keys,
    );
    let back = r#""rollback": {"start_time": "2026-01-07 00:00Z", "duration": "4d"}"#;
    check_tally(&format!(r#"{{"stable": 0, "new": 1, {window}, {back}}}"#), &keys);
    check_tally(&format!(r#"{{"stable": 0, "new": 1, {window}, {back}, "early_adopters": ["key-7"]}}"#), &keys);
    let between = check_tally(
        &format!(r#"{{"stable": 0, "new": 100, {window}, "interpolate": true, "early_adopters": ["key-7"]}}"#),
        &keys,
    );
    assert!(between[5].interpolated > 0 && between[5].new == 1, "{between:?}");
    for lock in ["stable", "new"] {
        check_tally(&format!(r#"{{"stable": 0, "new": 1, {window}, "lock": "{lock}"}}"#), &keys);
    }
    check_tally(r#"{"stable": 0}"#, &keys);
}

#[test]
fn a_tally_evaluates_where_there_are_rules_or_variants() {
    let premium = || Some(JsonAttributes::parse(r#"{"plan": "premium"}"#).unwrap());
    let subjects: Vec<_> =
        (0..120).map(|number| (format!("key-{number}"), (number % 3 == 0).then(premium).flatten())).collect();
    let ruled = check_tally(
        r#"{"stable": 0, "new": 1, "rules": [{"name": "p", "when": {"attribute": "plan", "is": "premium"},
            "serve": {"ramp": {"start_time": "2026-01-02 00:00Z", "duration": "8d"}}}]}"#,
        &subjects,
    );
    assert_eq!((ruled[0].new, ruled[12].new), (0, 40));
    // The keys come to `new` with the other flag, and leave it.
    let dependent = check_tally(
        r#"{"stable": 0, "new": 1, "rules": [{"name": "p", "when": {"flag": "s/other", "is": "new"}, "serve": "new"}]}"#,
        &subjects,
    );
    assert!(dependent[0].new == 0 && dependent[5].new == 120 && dependent[12].new == 0, "{dependent:?}");
    let split = check_tally(
        r#"{"variants": {"red": 1, "blue": 2, "green": 3}, "stable": "red", "new": {"split": {"blue": 50, "green": 50}},
            "start_time": "2026-01-02 00:00Z", "duration": "8d"}"#,
        &subjects,
    );
    let sum = |counts: &Counts| counts.named.iter().map(|(_, count)| count).sum::<u64>();
    assert!(split.iter().all(|counts| sum(counts) == 120), "{split:?}");
    assert!(split[12].named.iter().all(|(name, count)| (name == "red") == (*count == 0)), "{split:?}");
}
