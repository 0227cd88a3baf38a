//! Clocks that jump (F42, F43), and reads that cross a flip.

use std::time::Duration;

use tidegate::{Clock, Micros, Tidegate, Variant, parse_time};

use super::support::until;

const RAMP: &str = r#"{"features": {"ramp": {"stable": false, "new": true, "salt": "s",
    "start_time": "2026-03-01 00:00Z", "duration": "10h"}}}"#;

fn connect(clock: &Clock) -> Tidegate {
    Tidegate::builder().text(RAMP).clock(clock.clone()).without_locks().connect().unwrap()
}

fn hour(hours: i64) -> Micros {
    let start = parse_time("2026-03-01T00:00:00Z").unwrap();
    Micros::new(start.get() + hours * 3_600_000_000)
}

/// The process was frozen: the first read afterwards is right without a notification.
#[test]
fn frozen_across_the_end_of_a_ramp() {
    let clock = Clock::manual(hour(9));
    let tide = connect(&clock);
    let handle = tide.flag("features", "ramp");
    let late = (0..1_000).map(|number| format!("k{number}")).find(|key| !handle.is_active_for(key)).unwrap();
    assert!(!tide.is_active_for("features/ramp", &late));
    clock.set(hour(11));
    assert!(handle.is_active_for(&late));
    assert!(tide.is_active_for("features/ramp", &late));
    assert_eq!(handle.variant_for(&late), Some(Variant::New));
    assert!(tide.get("features", "ramp", &late, false));
}

#[test]
fn every_way_in_says_the_same_at_every_instant() {
    let clock = Clock::manual(hour(-1));
    let tide = connect(&clock);
    let handle = tide.flag("features", "ramp");
    let keys: Vec<String> = (0..50).map(|number| format!("key-{number}")).collect();
    let mut instants: Vec<Micros> = (-2..13).map(hour).collect();
    for key in &keys {
        let flip = tide.when("features", "ramp", key).on.unwrap();
        instants.extend([-1, 0, 1].map(|micros| Micros::new(flip.get() + micros)));
    }
    // Back and forth.
    instants.sort_by_key(|instant| instant.get().reverse_bits());
    for instant in instants {
        clock.set(instant);
        let view = tide.view();
        for key in &keys {
            let expected = tide.when("features", "ramp", key).on.unwrap() <= instant;
            assert_eq!(tide.is_active_for("features/ramp", key), expected, "by name, {key} at {instant}");
            assert_eq!(handle.is_active_for(key), expected, "by handle, {key} at {instant}");
            assert_eq!(view.is_active_for("features/ramp", key), expected, "by view, {key} at {instant}");
            assert_eq!(view.flag(&handle).is_active_for(key), expected, "by handle in a view, {key} at {instant}");
            assert_eq!(view.for_key(key).get("features", "ramp", !expected), expected, "by key in a view");
            let explained = tide.explain("features", "ramp", key);
            assert_eq!(explained.value.as_deref(), Some(if expected { "true" } else { "false" }));
        }
    }
}

#[test]
fn a_hash_of_the_programs_own_decides_in_every_way_of_reading() {
    let document = r#"{"features": {
        "plain": {"stable": false, "new": true, "start_time": "2020-01-01 00:00Z", "duration": "1d", "end_pct": 50},
        "salted": {"stable": false, "new": true, "salt": "s", "start_time": "2020-01-01 00:00Z", "duration": "1d", "end_pct": 50}}}"#;
    let by_parity = |key: &str| u32::try_from(key.len() % 2).unwrap() << 31;
    let tide = Tidegate::builder().text(document).hasher("parity", by_parity).without_locks().connect().unwrap();
    let usual = Tidegate::builder().text(document).without_locks().connect().unwrap();
    let (handle, view) = (tide.flag("features", "plain"), tide.view());
    for key in ["ab", "abc", "abcd", "abcde"] {
        let expected = key.len() % 2 == 0;
        assert_eq!(tide.is_active_for("features/plain", key), expected, "{key}");
        assert_eq!(tide.get("features", "plain", key, !expected), expected, "{key}");
        assert_eq!(handle.is_active_for(key), expected, "{key}");
        assert_eq!(handle.variant_for(key).map(Variant::as_str), Some(if expected { "new" } else { "stable" }));
        assert_eq!(view.for_key(key).is_active_for_key("features/plain"), expected, "{key}");
        assert_eq!(view.flag(&handle).is_active_for(key), expected, "{key}");
        assert_eq!(tide.explain("features", "plain", key).hash.unwrap().as_str(), "parity");
        assert_eq!(tide.is_active_for("features/salted", key), usual.is_active_for("features/salted", key));
        assert_eq!(tide.explain("features", "salted", key).hash.unwrap().as_str(), "xxh3");
    }
}

#[test]
fn a_view_stands_still() {
    let clock = Clock::manual(hour(-1));
    let tide = connect(&clock);
    let view = tide.view();
    clock.set(hour(20));
    assert!(!view.is_active_for("features/ramp", "k"));
    assert!(tide.is_active_for("features/ramp", "k"));
}

#[test]
fn years_far_away() {
    for year in ["0001", "1969", "1970", "2038", "9999"] {
        let clock = Clock::manual(parse_time(&format!("{year}-12-31T23:59:59Z")).unwrap());
        let tide = connect(&clock);
        assert_eq!(tide.is_active_for("features/ramp", "k"), clock.now() > hour(10), "{year}");
        assert_eq!(tide.flag("features", "ramp").is_active_for("k"), clock.now() > hour(10), "{year}");
    }
    for instant in [Micros::MIN, Micros::MAX] {
        let tide = connect(&Clock::manual(instant));
        assert_eq!(tide.is_active_for("features/ramp", "k"), instant == Micros::MAX);
        assert_eq!(tide.flag("features", "ramp").is_active_for("k"), instant == Micros::MAX);
    }
}

/// On the system's clock a handle's cell is rewritten as the ramp goes on.
#[test]
fn a_ramp_of_a_second_on_the_system_clock() {
    let start = Micros::new(Clock::system().now().get() + 300_000);
    let text = format!(
        r#"{{"features": {{"ramp": {{"stable": false, "new": true, "salt": "s", "start_time": "{start}", "duration": "1s"}}}}}}"#
    );
    let tide = Tidegate::builder().text(text).without_locks().connect().unwrap();
    let handle = tide.flag("features", "ramp");
    let keys: Vec<String> = (0..200).map(|number| format!("key-{number}")).collect();
    let mut on = vec![false; keys.len()];
    until("everybody has come", || {
        for (key, on) in keys.iter().zip(&mut on) {
            let now = handle.is_active_for(key);
            assert!(now || !*on, "{key} has left");
            *on = now;
        }
        on.iter().all(|on| *on)
    });
    let end = Duration::from_micros(Clock::system().now().since(start).get());
    assert!(end >= Duration::from_millis(950), "everybody has come after {end:?}");
}
