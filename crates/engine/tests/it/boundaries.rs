//! Texts of public types, and the exact instants and counts at which rules begin to apply.

use tidegate_engine::document::check;
use tidegate_engine::lease::{Clocks, Leased};
use tidegate_engine::limits::NAME_BYTES_MAX;
use tidegate_engine::{
    Activation, ChangeKind, CompileOptions, CustomHash, ErrorCode, FlagKey, Flips, HashAlgorithm, HashName, HostLock,
    Micros, Moment, Overlay, Pin, Position, Reason, Rule, Share, Snapshot, Span, Subject, Variant, compile, read,
};

fn snapshot(text: &str) -> Snapshot {
    compile(&read(text.as_bytes()).unwrap().0, &CompileOptions::default())
}

#[test]
fn each_public_type_displays_as_its_text() {
    assert_eq!(HashAlgorithm::Xxh3.to_string(), "xxh3");
    assert_eq!(Reason::TargetingMatch.to_string(), "TARGETING_MATCH");
    assert_eq!(ErrorCode::FlagNotFound.to_string(), "FLAG_NOT_FOUND");
    assert_eq!(Variant::New.to_string(), "new");
    assert_eq!(Position::new(70).to_string(), "70");
    // Widths and alignments work as for text.
    assert_eq!(format!("{:>6}|{:<8}|", Variant::New, HashAlgorithm::Sha1), "   new|sha1    |");
}

#[test]
fn an_empty_snapshot_says_so_and_its_debug_text_is_short() {
    let (empty, one) = (Snapshot::empty(), snapshot(r#"{"s": {"x": {"stable": 1}}}"#));
    assert!(empty.is_empty() && !one.is_empty());
    let digest = one.digest().to_string();
    assert_eq!((digest.len(), digest.chars().all(|digit| digit.is_ascii_hexdigit())), (32, true));
    assert_ne!(digest, empty.digest().to_string());
    assert_eq!(format!("{one:?}"), format!("Snapshot {{ flags: 1, digest: {:?} }}", one.digest()));
}

#[test]
fn a_diagnostic_displays_place_path_message_and_help() {
    let found = check(b"{\n  \"s\": {\"x\": {\"stable\": 1, \"duration\": \"1d\"}}\n}").diagnostics;
    let text = found[0].to_string();
    assert!(text.starts_with(&format!("error[{}]: line 2, column ", found[0].code)), "{text}");
    assert!(text.contains(": s.x") && text.ends_with(&format!("{}; {}", found[0].message, found[0].help)), "{text}");
    let whole = check(b"[]").diagnostics;
    assert!(whole[0].path.is_root() && whole[0].path.segments().is_empty());
    assert!(!whole[0].to_string().contains("column 1: : "), "{}", whole[0]);
    assert_eq!(found[0].path.segments().first().map(|first| format!("{first:?}")), Some("Name(\"s\")".to_owned()));
}

#[test]
fn control_characters_are_quoted_as_escapes() {
    let found = check(b"{\"a\\tb\\rc\\nd\": 1}").diagnostics;
    assert!(found[0].to_string().contains(r"a\tb\rc\nd"), "{}", found[0]);
}

#[test]
fn a_name_may_have_256_bytes_and_no_more() {
    for (bytes, is_valid) in [(1, true), (NAME_BYTES_MAX, true), (NAME_BYTES_MAX + 1, false), (2_000, false)] {
        let name = "n".repeat(bytes);
        assert_eq!(FlagKey::new("s", name.as_str()).check().is_ok(), is_valid, "{bytes} bytes");
        assert_eq!(FlagKey::new(name.as_str(), "x").check().is_ok(), is_valid, "{bytes} bytes");
    }
}

#[test]
fn flags_are_found_among_many_sections() {
    for sections in [1, 7, 8, 9, 16, 17, 200] {
        let parts: Vec<String> =
            (0..sections).map(|number| format!(r#""s{number}": {{"x": {{"stable": {number}}}}}"#)).collect();
        let snapshot = snapshot(&format!("{{{}}}", parts.join(", ")));
        for number in 0..sections {
            let (section, value) = (format!("s{number}"), number.to_string());
            let flag = snapshot.find(&section, "x").map(|flag| snapshot.flag(flag));
            assert_eq!(flag.and_then(|flag| flag.stable()), Some(value.as_str()), "{section} of {sections}");
            let by_key = snapshot.find_key(&format!("{section}/x")).map(|flag| snapshot.flag(flag));
            assert_eq!(by_key.and_then(|flag| flag.stable()), Some(value.as_str()), "{section} of {sections}");
        }
        assert!(snapshot.find("other", "x").is_none() && snapshot.find("s0", "y").is_none());
    }
}

#[test]
fn an_explanation_names_the_early_adopter_and_the_lock_that_decided() {
    let text = r#"{"s": {"x": {"stable": 1, "new": 2, "early_adopters": ["ann", {"regex": "^b"}]}}}"#;
    let snapshot = snapshot(text);
    let moment = Moment { now: Micros::new(0), leases: &Clocks::synced() };
    let adopter = |key: &str| {
        let explanation = snapshot.explain("s", "x", &Subject::key(key), &moment);
        (explanation.rule == Rule::EarlyAdopter, explanation.adopter.map(|adopter| format!("{adopter:?}")))
    };
    assert_eq!(adopter("cid"), (false, None));
    for (key, pattern) in [("ann", "ann"), ("bob", "^b")] {
        let (is_adopter, named) = adopter(key);
        assert!(is_adopter && named.as_deref().is_some_and(|named| named.contains(pattern)), "{key}: {named:?}");
    }
}

const HOUR: i64 = 3_600_000_000;

fn hours(count: i64) -> Micros {
    Micros::new(count * HOUR)
}

#[test]
fn each_lease_keeps_its_own_mark_of_each_rollback() {
    let lease = |count: i64| Span::from_micros((count * HOUR).try_into().unwrap());
    let rollbacks = [(1, 5), (2, 5), (1, 7), (1, 5)];
    let leases = rollbacks.map(|(count, start)| Leased { lease: lease(count), rollback: Some(hours(start)) });
    let mut clocks = Clocks::default();
    clocks.note_poll(hours(0), &leases);
    // At the second poll both rollbacks have begun; a ramp under the longer lease has moved on for longer.
    clocks.note_poll(hours(9), &leases);
    let mark = |count: i64, start: i64| clocks.ramp_instant_at_rollback(lease(count), hours(start));
    assert_eq!([mark(1, 5), mark(2, 5), mark(1, 7)], [hours(1), hours(2), hours(1)]);
    // A rollback of which no mark was made yet begins at the ramp's instant of its start.
    assert_eq!([mark(2, 7), mark(1, 8), mark(1, 10)], [hours(2), hours(1), hours(3)]);
    // The marks stay what they are while the ramp catches up.
    let mut later = clocks.clone();
    later.note_poll(hours(30), &leases);
    assert_eq!(later.ramp_instant_at_rollback(lease(1), hours(5)), hours(1));
    assert_eq!(later.ramp_instant_at_rollback(lease(2), hours(5)), hours(2));
    assert_eq!(later.ramp_instant_at_rollback(lease(1), hours(7)), hours(1));
}

#[test]
fn a_ramp_under_a_lease_is_foreseen_at_twice_its_speed_until_it_has_caught_up() {
    let lease = Span::from_micros(HOUR as u64);
    let mut clocks = Clocks::default();
    clocks.note_poll(hours(0), &[Leased { lease, rollback: None }]);
    let foreseen = |later: i64, now: i64| clocks.ramp_instant_foreseen(lease, hours(later), hours(now));
    // In step with the wall clock.
    assert_eq!([foreseen(1, 1), foreseen(4, 1)], [hours(1), hours(4)]);
    // Three hours after the last poll it stands at one hour: two hours behind, caught up two hours later.
    assert_eq!([foreseen(3, 3), foreseen(4, 3), foreseen(5, 3), foreseen(6, 3)], [1, 3, 5, 6].map(hours));
}

#[test]
fn the_wall_clock_of_a_ramps_instant_lies_in_the_past_or_in_the_future() {
    let lease = Span::from_micros(HOUR as u64);
    let mut clocks = Clocks::default();
    clocks.note_poll(hours(0), &[Leased { lease, rollback: None }]);
    let wall = |ramp: i64, now: i64| clocks.wall(lease, Micros::new(ramp * HOUR / 2), hours(now));
    // Reached in step with the wall clock, before the ramp stood still.
    assert_eq!([wall(-1, 3), wall(1, 3), wall(2, 3)], [-1, 1, 2].map(|half| Micros::new(half * HOUR / 2)));
    // Reached only at twice the speed from now on, from one hour.
    assert_eq!([wall(4, 3), wall(6, 3), wall(10, 3)], [7, 8, 10].map(|half| Micros::new(half * HOUR / 2)));
    // Not blind: in step.
    assert_eq!([wall(4, 1), wall(6, 0)], [hours(2), hours(3)]);
}

#[test]
fn the_nearest_flip_is_the_next_one_or_the_last() {
    let flips = |on: Option<i64>, off: Option<i64>| Flips { on: on.map(Micros::new), off: off.map(Micros::new) };
    let at = |flips: Flips, now: i64| {
        [flips.nearest(Micros::new(now)), flips.coming(Micros::new(now))].map(|instant| instant.map(Micros::get))
    };
    let both = flips(Some(5), Some(9));
    assert_eq!([4, 5, 8, 9].map(|now| at(both, now)[0]), [Some(5), Some(9), Some(9), Some(9)]);
    assert_eq!([4, 5, 8, 9].map(|now| at(both, now)[1]), [Some(5), Some(9), Some(9), None]);
    assert_eq!([4, 5].map(|now| at(flips(Some(5), None), now)), [[Some(5), Some(5)], [Some(5), None]]);
    assert_eq!([4, 5].map(|now| at(flips(None, Some(5)), now)), [[Some(5), Some(5)], [Some(5), None]]);
    assert_eq!(at(flips(None, None), 5), [None, None]);
}

#[test]
fn kinds_of_change_and_hashes_display_as_their_names() {
    let kinds = [ChangeKind::Rises, ChangeKind::Holds, ChangeKind::Ends, ChangeKind::Falls, ChangeKind::Expires];
    assert_eq!(kinds.map(|kind| kind.to_string()), ["rises", "holds", "ends", "falls", "expires"]);
    assert_eq!(HashName::Algorithm(HashAlgorithm::Murmur3).to_string(), "murmur3");
    assert_eq!(HashName::Custom("ours".into()).to_string(), "ours");
    assert_eq!(format!("{:?}", CustomHash::new("ours", |_| 0)), "CustomHash(\"ours\")");
}

#[test]
fn an_explanation_names_the_lock_of_this_host() {
    let lock = HostLock {
        flag: FlagKey::new("s", "x"),
        pin: Pin::Variant(Variant::New),
        actor: "dana".into(),
        reason: "canary".into(),
        until: Some(Micros::new(9)),
    };
    let locked = snapshot(r#"{"s": {"x": {"stable": 1, "new": 2}}}"#);
    let overlay = Overlay { locks: vec![lock.clone()], ..Overlay::default() };
    let locked = locked.overlaid(&overlay);
    let explain = |now: i64| {
        let moment = Moment { now: Micros::new(now), leases: &Clocks::synced() };
        locked.explain("s", "x", &Subject::key("ann"), &moment)
    };
    assert_eq!((explain(8).lock, explain(8).valid_until), (Some(lock), Some(Micros::new(9))));
    assert_eq!((explain(9).lock, explain(9).valid_until), (None, None));
}

#[test]
fn an_explanation_names_the_hash_where_a_key_was_placed() {
    let snapshot = snapshot(
        r#"{"s": {"ramp": {"stable": 1, "new": 2, "end_time": "2030-01-01 00:00Z", "duration": "1d"}, "constant": {"stable": 1}}}"#,
    );
    let moment = Moment { now: Micros::new(0), leases: &Clocks::synced() };
    let hash = |flag: &str, subject: Subject<'_>| snapshot.explain("s", flag, &subject, &moment).hash;
    assert_eq!(hash("ramp", Subject::key("ann")), Some(HashName::Algorithm(HashAlgorithm::Sha1)));
    assert_eq!(hash("ramp", Subject::drawn(Position::new(7))), None, "a random draw is not hashed");
    assert_eq!(hash("ramp", Subject::absent()), None);
    assert_eq!(hash("other", Subject::key("ann")), None);
}

#[test]
fn evaluating_now_equals_evaluating_and_asks_for_the_moment_only_where_it_matters() {
    let snapshot = snapshot(
        r#"{"s": {"ramp": {"stable": 1, "new": 2, "start_time": "1970-01-01 00:00:01Z", "duration": "1s"}, "constant": {"stable": 3}}}"#,
    );
    for (flag, past, is_asked) in [
        ("constant", -5_000_000, false),
        ("ramp", 0, true),
        ("ramp", 1_999_999, true),
        ("ramp", 2_000_000, false),
        ("ramp", 9_000_000, false),
    ] {
        let index = snapshot.find("s", flag);
        for key in ["ann", "bob", "cid"] {
            let now = Micros::new(past + 1);
            let mut asked = false;
            let moment = || {
                asked = true;
                Moment { now, leases: const { &Clocks::synced() } }
            };
            let fast = snapshot.evaluate_now(index, &Subject::key(key), Micros::new(past), moment);
            let moment = Moment { now, leases: &Clocks::synced() };
            let slow = snapshot.evaluate(index, &Subject::key(key), &moment);
            assert_eq!(fast.answer.to_json(), slow.answer.to_json(), "{flag} at {past}");
            assert_eq!((fast.variant, asked), (slow.variant, is_asked), "{flag} at {past}");
        }
    }
}

/// In per cent, without the positions that flip in the microsecond itself.
fn whole_percent(share: Share) -> String {
    (share.to_millionths() / 1_000_000).to_string()
}

#[test]
fn the_share_of_a_flag_counts_locks_activations_and_what_is_disabled() {
    let documented = snapshot(
        r#"{"s": {
            "ramp": {"stable": 1, "new": 2, "start_time": "1970-01-01 00:00:01Z", "duration": "1s"},
            "locked": {"stable": 1, "new": 2, "lock": "new"},
            "pinned": {"stable": 1, "new": 2, "lock": "stable"},
            "disabled": {"stable": 1, "new": 2, "enabled": false, "start_time": "1970-01-01 00:00:01Z", "duration": "1s"},
            "half": {"stable": 1, "start_time": "1970-01-01 00:00:01Z", "duration": "1s"}
        }}"#,
    );
    let second = 1_000_000;
    let share = |snapshot: &Snapshot, flag: &str, now: i64| {
        let moment = Moment { now: Micros::new(now), leases: &Clocks::synced() };
        snapshot.find("s", flag).map(|index| whole_percent(snapshot.flag(index).share_at(&moment)))
    };
    let percent = |text: &str| Some(text.to_owned());
    assert_eq!(
        [0, 3 * second / 2, 2 * second].map(|now| share(&documented, "ramp", now)),
        ["0", "50", "100"].map(percent)
    );
    for (flag, expected) in [("locked", "100"), ("pinned", "0"), ("disabled", "0"), ("half", "0")] {
        assert_eq!(share(&documented, flag, 5 * second), percent(expected), "{flag}");
    }
    let until = Some(Micros::new(9));
    let lock = |flag: &str, variant: Variant| HostLock {
        flag: FlagKey::new("s", flag),
        pin: Pin::Variant(variant),
        actor: "dana".into(),
        reason: String::new(),
        until,
    };
    let activation = Activation { share: "25".parse().unwrap(), until, defined: true };
    let overlay = Overlay {
        locks: vec![lock("ramp", Variant::New), lock("locked", Variant::Stable)],
        activations: vec![
            (FlagKey::new("s", "ramp"), activation.clone()),
            (FlagKey::new("s", "disabled"), activation.clone()),
            (FlagKey::new("s", "bare"), Activation { defined: false, ..activation }),
        ],
        defaults: vec![(FlagKey::new("s", "default"), "75".parse().unwrap())],
    };
    let overlaid = documented.overlaid(&overlay);
    let at = |flag: &str| [8, 9].map(|now| share(&overlaid, flag, now));
    // A lock before an activation, and both until their end.
    assert_eq!(at("ramp"), ["100", "0"].map(percent));
    assert_eq!(at("locked"), ["0", "100"].map(percent));
    assert_eq!(at("disabled"), ["25", "0"].map(percent));
    assert_eq!(at("bare"), ["25", "0"].map(percent));
    assert_eq!(at("default"), ["75", "75"].map(percent));
}

#[test]
fn the_next_change_of_a_flag_is_known_until_there_is_none() {
    let second = 1_000_000;
    let snapshot = snapshot(
        r#"{"s": {
            "steps": {"stable": 1, "new": 2, "start_time": "1970-01-01 00:00:01Z",
                "steps": [{"pct": 10, "over": "1s", "hold": "1s"}, {"pct": 100, "over": "1s"}]},
            "rollback": {"stable": 1, "new": 2, "start_time": "1970-01-01 00:00:01Z", "duration": "4s",
                "rollback": {"start_time": "1970-01-01 00:00:03Z", "duration": "1s"}},
            "locked": {"stable": 1, "new": 2, "lock": "new", "start_time": "1970-01-01 00:00:01Z", "duration": "1s"},
            "disabled": {"stable": 1, "new": 2, "enabled": false, "start_time": "1970-01-01 00:00:01Z", "duration": "1s"},
            "half": {"stable": 1, "start_time": "1970-01-01 00:00:01Z", "duration": "1s"}
        }}"#,
    );
    let next = |flag: &str, now: i64| {
        let moment = Moment { now: Micros::new(now), leases: &Clocks::synced() };
        let change = snapshot.flag(snapshot.find("s", flag).unwrap()).next_change(&moment)?;
        Some((change.at.get() / second, whole_percent(change.share), change.kind.as_str()))
    };
    let known = |at: i64, share: &str, kind: &'static str| Some((at, share.to_owned(), kind));
    assert_eq!(next("steps", 0), known(1, "0", "rises"));
    assert_eq!(next("steps", second), known(2, "10", "holds"));
    assert_eq!(next("steps", 2 * second), known(3, "10", "rises"));
    assert_eq!(next("steps", 3 * second), known(4, "100", "ends"));
    assert_eq!(next("steps", 4 * second), None);
    assert_eq!(next("rollback", second), known(3, "49", "falls"), "the last positions leave at the start");
    assert_eq!(next("rollback", 3 * second), known(4, "0", "ends"));
    assert_eq!(next("rollback", 4 * second), None);
    for flag in ["locked", "disabled", "half"] {
        assert_eq!(next(flag, 0), None, "{flag}");
    }
}

#[test]
fn the_note_about_ramps_in_the_same_order_names_five_and_counts_the_others() {
    let note = |ramps: usize| {
        let ramp = |number| {
            format!(r#""f{number}": {{"stable": 1, "new": 2, "end_time": "2030-01-01 00:00Z", "duration": "1d"}}"#)
        };
        let flags = (0..ramps).map(ramp).collect::<Vec<_>>().join(",");
        let found = check(format!(r#"{{"s": {{{flags}}}}}"#).as_bytes()).diagnostics;
        let mut notes = found.iter().filter(|diagnostic| diagnostic.message.contains("same keys go first"));
        notes.next().map(|note| note.message.split(" have no").next().unwrap().to_owned())
    };
    assert_eq!(note(1), None);
    assert_eq!(note(2).as_deref(), Some("the ramps `s.f0`, `s.f1`"));
    assert_eq!(note(5).as_deref(), Some("the ramps `s.f0`, `s.f1`, `s.f2`, `s.f3`, `s.f4`"));
    assert_eq!(note(7).as_deref(), Some("the ramps `s.f0`, `s.f1`, `s.f2`, `s.f3`, `s.f4` and 2 more"));
}

#[test]
fn a_mark_counts_for_the_rollback_for_which_it_was_made() {
    let snapshot = snapshot(
        r#"{"s": {"x": {"stable": 1, "new": 2, "start_time": "2040-01-01 00:00Z", "duration": "100h", "lease": "1h",
            "rollback": {"start_time": "2040-01-03 02:00Z", "duration": "10h"}}}}"#,
    );
    let flag = snapshot.flag(snapshot.find("s", "x").unwrap());
    let at = |text: &str| tidegate_engine::document::parse_time(text).unwrap();
    let (start, lease) = (at("2040-01-03 02:00Z"), Span::from_micros(3_600_000_000));
    let from = |rollback: &str| {
        // The ramp of this host stood still at 20 per cent when that rollback began, and has come to 30 per cent since.
        let moved = tidegate_engine::lease::MovedRamp {
            flag: "s/x".into(),
            lease,
            instant: at("2040-01-02 06:00Z"),
            rollback: Some(at(rollback)),
            mark: Some(at("2040-01-01 20:00Z")),
        };
        let leases = Clocks { last_poll: Some(start), moved: vec![moved], ..Clocks::synced() };
        let fall = flag.rollback(&Moment { now: start, leases: &leases }).unwrap();
        assert_eq!(fall.start, start);
        fall.from.to_string()
    };
    assert_eq!(from("2040-01-03 02:00Z"), "20");
    assert_eq!(from("2040-01-03 01:00Z"), "30", "the mark of another rollback");
}
