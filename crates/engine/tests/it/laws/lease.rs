//! A leased ramp holds when blind, catches up without a jump, and never goes back.

use proptest::collection::vec;
use proptest::prelude::*;
use tidegate_engine::lease::{Clocks, Leased};
use tidegate_engine::{CompileOptions, Micros, Moment, Part, Snapshot, Span, compile, compile_all};

/// What happens to a host: time passes, or a poll succeeds.
#[derive(Clone, Copy, Debug)]
enum Event {
    Passes(u64),
    Polls,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    vec(prop_oneof![(0..5_000_u64).prop_map(Event::Passes), Just(Event::Polls)], 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_ramp_goes_neither_back_nor_ahead_nor_faster_than_twice(events in events(), lease in 1..4_000_u64, start in 0..9_000_i64) {
        let lease = Span::from_micros(lease);
        let rollback = Micros::new(start);
        let leases = [Leased { lease, rollback: Some(rollback) }];
        let mut clocks = Clocks::synced();
        let mut now = Micros::new(0);
        clocks.note_poll(now, &leases);
        let mut stood = clocks.ramp_instant(lease, now);
        let mut at_rollback = None;
        for event in events {
            let before = now;
            match event {
                Event::Passes(micros) => now = now.saturating_add(Span::from_micros(micros)),
                Event::Polls => clocks.note_poll(now, &leases),
            }
            let stands = clocks.ramp_instant(lease, now);
            prop_assert!(stands <= now);
            prop_assert!(stands >= stood);
            let passed = now.since(before).get();
            prop_assert!(stands.since(stood).get() <= 2 * passed, "{} in {passed}", stands.since(stood).get());
            if now >= rollback {
                let marked = *at_rollback.get_or_insert(clocks.ramp_instant_at_rollback(lease, rollback));
                prop_assert_eq!(clocks.ramp_instant_at_rollback(lease, rollback), marked, "a mark stays");
                prop_assert!(marked <= stands);
            }
            stood = stands;
        }
    }

    #[test]
    fn the_wall_clock_of_a_ramp_instant(
        lag in 0..5_000_u64,
        lease in 1..10_000_u64,
        passed in 0..20_000_u64,
        ahead in 0..20_000_u64,
    ) {
        let (lease, poll) = (Span::from_micros(lease), Micros::new(1_000_000));
        let mut clocks = Clocks::synced();
        clocks.note_poll(poll, &[Leased { lease, rollback: None }]);
        clocks.ramps[0].instant = poll.saturating_sub(Span::from_micros(lag));
        let now = poll.saturating_add(Span::from_micros(passed));
        let stands = clocks.ramp_instant(lease, now);
        let wanted = stands.saturating_add(Span::from_micros(ahead));
        let wall = clocks.wall(lease, wanted, now);
        if ahead == 0 {
            prop_assert!(wall <= now);
        } else {
            // With a poll at every instant from now on, the ramp gets there exactly then.
            prop_assert!(wall > now);
            let mut informed = clocks.clone();
            informed.note_poll(now, &[Leased { lease: Span::MAX, rollback: None }, Leased { lease, rollback: None }]);
            let ramp = informed.ramps.iter().find(|ramp| ramp.lease == lease).unwrap().instant;
            let unbounded = Clocks {
                last_poll: Some(now),
                ramps: vec![tidegate_engine::lease::LeaseRamp { lease: Span::MAX, instant: ramp }],
                ..Clocks::synced()
            };
            let micro = Span::from_micros(1);
            prop_assert!(unbounded.ramp_instant(Span::MAX, wall) >= wanted);
            prop_assert!(unbounded.ramp_instant(Span::MAX, wall.saturating_sub(micro)) < wanted);
        }
    }
}

#[test]
fn a_ramp_stands_still_without_polls_and_then_catches_up() {
    let lease = Span::from_micros(100);
    let leases = [Leased { lease, rollback: None }];
    let mut clocks = Clocks::synced();
    clocks.note_poll(Micros::new(1_000), &leases);
    let stands = |clocks: &Clocks, now| clocks.ramp_instant(lease, Micros::new(now)).get();
    assert_eq!(stands(&clocks, 1_050), 1_050);
    assert_eq!(stands(&clocks, 1_500), 1_100, "blind: held at the end of the lease");
    clocks.note_poll(Micros::new(1_500), &leases);
    assert_eq!(stands(&clocks, 1_500), 1_100, "no jump");
    assert_eq!(stands(&clocks, 1_550), 1_200, "twice the speed");
    clocks.note_poll(Micros::new(1_600), &leases);
    clocks.note_poll(Micros::new(1_700), &leases);
    clocks.note_poll(Micros::new(1_800), &leases);
    assert_eq!(stands(&clocks, 1_899), 1_898, "about to catch up");
    clocks.note_poll(Micros::new(1_900), &leases);
    assert_eq!(stands(&clocks, 1_990), 1_990, "in step again");
}

#[test]
fn without_any_poll_the_ramp_follows_the_wall_clock() {
    let clocks = Clocks::synced();
    assert_eq!(clocks.ramp_instant(Span::SECOND, Micros::new(77)), Micros::new(77));
    assert_eq!(clocks.wall(Span::SECOND, Micros::new(99), Micros::new(77)), Micros::new(99));
}

#[test]
fn leases_no_longer_in_use_are_forgotten() {
    let mut clocks = Clocks::synced();
    let (short, long) = (Span::from_micros(10), Span::from_micros(20));
    clocks.note_poll(Micros::new(5), &[Leased { lease: short, rollback: Some(Micros::new(3)) }]);
    assert_eq!((clocks.ramps.len(), clocks.marks.len()), (1, 1));
    clocks.note_poll(Micros::new(6), &[Leased { lease: long, rollback: None }]);
    assert_eq!((clocks.ramps.len(), clocks.marks.len()), (1, 0));
    assert_eq!(clocks.ramps[0].lease, long);
}

/// A snapshot of one flag with this lease, if any, from 0 to 100 per cent in a thousand seconds.
fn leased(lease: Option<u64>, rollback: bool) -> Snapshot {
    let lease = lease.map_or(String::new(), |seconds| format!(r#", "lease": "{seconds}s""#));
    let rollback =
        if rollback { r#", "rollback": {"start_time": "1970-01-01 00:05Z", "duration": "10m"}"# } else { "" };
    let window = r#""stable": 1, "new": 2, "salt": "s", "start_time": "1970-01-01 00:00Z", "duration": "1000s""#;
    let text = format!(r#"{{"f": {{"x": {{{window}{lease}{rollback}}}, "other": {{{window}, "lease": "60s"}}}}}}"#);
    let (document, _) = tidegate_engine::read(text.as_bytes()).unwrap();
    compile(&document, &CompileOptions::default())
}

fn seconds(seconds: i64) -> Micros {
    Micros::new(seconds * 1_000_000)
}

/// The share of a flag, in millionths of a per cent.
fn share(snapshot: &Snapshot, flag: &str, now: Micros, clocks: &Clocks) -> u64 {
    let index = snapshot.find("f", flag).unwrap();
    snapshot.flag(index).share_at(&Moment { now, leases: clocks }).to_millionths()
}

#[test]
fn a_lease_of_another_duration_makes_no_ramp_jump() {
    for has_rollback in [false, true] {
        let leases = [Some(10), Some(30), Some(60), Some(200), None];
        for (from, to) in leases.iter().flat_map(|from| leases[..4].iter().map(move |to| (*from, *to))) {
            let (before, after) = (leased(from, has_rollback), leased(to, has_rollback));
            for changed_at in [150, 250, 300, 350, 500] {
                let now = seconds(changed_at);
                let mut clocks = Clocks::synced();
                clocks.note_poll(seconds(100), &before.leases());
                let stood = [share(&before, "x", now, &clocks), share(&before, "other", now, &clocks)];
                clocks.note_document(now, &before, &after);
                let stands = [share(&after, "x", now, &clocks), share(&after, "other", now, &clocks)];
                assert_eq!(stands, stood, "{from:?} to {to:?} at {changed_at}");
                // From there on it moves at most at twice the speed, while polls succeed.
                let mut last = stands[0];
                for second in changed_at + 1..changed_at + 700 {
                    let now = seconds(second);
                    clocks.note_poll(now, &after.leases());
                    let next = share(&after, "x", now, &clocks);
                    assert!(next.abs_diff(last) <= 200_100, "{from:?} to {to:?}: {last} to {next} at {second}");
                    last = next;
                }
                if !has_rollback {
                    assert_eq!(
                        (last, clocks.moved.len()),
                        (100_000_000.min(100_000 * (changed_at.unsigned_abs() + 699)), 0)
                    );
                }
            }
        }
    }
}

#[test]
fn each_lease_counts_from_the_polls_of_its_own_source() {
    let document = |name: &str| {
        let text = format!(
            r#"{{"f": {{"{name}": {{"stable": 1, "new": 2, "start_time": "1970-01-01 00:00Z", "duration": "1000s", "lease": "60s"}}}}}}"#
        );
        tidegate_engine::read(text.as_bytes()).unwrap().0
    };
    let documents = [document("x"), document("y")];
    let options = [0, 1].map(|source| CompileOptions { source, ..CompileOptions::default() });
    let parts = documents.iter().zip(&options).map(|(document, options)| Part { document, options });
    let snapshot = compile_all(&parts.collect::<Vec<_>>());
    let heard = |second: i64| {
        let mut clocks = Clocks::synced();
        clocks.note_poll(seconds(second), &[Leased { lease: Span::from_micros(60_000_000), rollback: None }]);
        clocks
    };
    for (first, second) in [(100, 490), (490, 100)] {
        let clocks = Clocks { additional: vec![heard(second)], ..heard(first) };
        let shares = ["x", "y"].map(|flag| share(&snapshot, flag, seconds(500), &clocks));
        let expected = [first, second].map(|heard: i64| if heard == 490 { 50_000_000 } else { 16_000_000 });
        assert!(shares.iter().zip(expected).all(|(share, expected)| share.abs_diff(expected) <= 1), "{shares:?}");
    }
}

#[test]
fn a_rollback_that_is_learnt_late_begins_at_the_share_of_its_start() {
    // Polled at 100, then not until 500: the ramp stood at 160 when a rollback began at 300, which the host did not know.
    let (before, after) = (leased(Some(60), false), leased(Some(60), true));
    let lease = Span::from_micros(60_000_000);
    let mut clocks = Clocks::synced();
    clocks.note_poll(seconds(100), &before.leases());
    clocks.note_poll(seconds(500), &before.leases());
    assert_eq!(clocks.ramp_instant_at_rollback(lease, seconds(300)), seconds(160));
    let stood = share(&before, "x", seconds(500), &clocks);
    clocks.note_document(seconds(501), &before, &after);
    assert_eq!(clocks.ramp_instant_at_rollback(lease, seconds(300)), seconds(160), "and so it is marked");
    for second in [501, 600, 700] {
        assert!(share(&after, "x", seconds(second), &clocks) <= stood, "no key gets `new` in a rollback");
    }
}
