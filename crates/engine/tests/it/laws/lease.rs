//! A leased ramp holds when blind, catches up without a jump, and never goes back.

use proptest::collection::vec;
use proptest::prelude::*;
use tidegate_engine::lease::{Clocks, Leased};
use tidegate_engine::{Micros, Span};

/// What happens to a host: time passes, or fresh word comes.
#[derive(Clone, Copy, Debug)]
enum Event {
    Passes(u64),
    Hears,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    vec(prop_oneof![(0..5_000_u64).prop_map(Event::Passes), Just(Event::Hears)], 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn never_back_never_ahead_never_faster_than_twice(events in events(), lease in 1..4_000_u64, start in 0..9_000_i64) {
        let lease = Span::from_micros(lease);
        let rollback = Micros::new(start);
        let leases = [Leased { lease, rollback: Some(rollback) }];
        let mut clocks = Clocks::synced();
        let mut now = Micros::new(0);
        clocks.hear(now, &leases);
        let mut stood = clocks.ramp_instant(lease, now);
        let mut at_rollback = None;
        for event in events {
            let before = now;
            match event {
                Event::Passes(micros) => now = now.saturating_add(Span::from_micros(micros)),
                Event::Hears => clocks.hear(now, &leases),
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
        let (lease, word) = (Span::from_micros(lease), Micros::new(1_000_000));
        let mut clocks = Clocks::synced();
        clocks.hear(word, &[Leased { lease, rollback: None }]);
        clocks.ramps[0].instant = word.saturating_sub(Span::from_micros(lag));
        let now = word.saturating_add(Span::from_micros(passed));
        let stands = clocks.ramp_instant(lease, now);
        let wanted = stands.saturating_add(Span::from_micros(ahead));
        let wall = clocks.wall(lease, wanted, now);
        if ahead == 0 {
            prop_assert!(wall <= now);
        } else {
            // With fresh word at every instant from now on, the ramp comes there exactly then.
            prop_assert!(wall > now);
            let mut informed = clocks.clone();
            informed.hear(now, &[Leased { lease: Span::MAX, rollback: None }, Leased { lease, rollback: None }]);
            let ramp = informed.ramps.iter().find(|ramp| ramp.lease == lease).unwrap().instant;
            let unbounded = Clocks {
                fresh: Some(now),
                ramps: vec![tidegate_engine::lease::LeaseRamp { lease: Span::MAX, instant: ramp }],
                marks: Vec::new(),
            };
            let micro = Span::from_micros(1);
            prop_assert!(unbounded.ramp_instant(Span::MAX, wall) >= wanted);
            prop_assert!(unbounded.ramp_instant(Span::MAX, wall.saturating_sub(micro)) < wanted);
        }
    }
}

#[test]
fn blind_then_informed_again() {
    let lease = Span::from_micros(100);
    let leases = [Leased { lease, rollback: None }];
    let mut clocks = Clocks::synced();
    clocks.hear(Micros::new(1_000), &leases);
    let stands = |clocks: &Clocks, now| clocks.ramp_instant(lease, Micros::new(now)).get();
    assert_eq!(stands(&clocks, 1_050), 1_050);
    assert_eq!(stands(&clocks, 1_500), 1_100, "blind: held at the end of the lease");
    clocks.hear(Micros::new(1_500), &leases);
    assert_eq!(stands(&clocks, 1_500), 1_100, "no jump");
    assert_eq!(stands(&clocks, 1_550), 1_200, "twice the speed");
    clocks.hear(Micros::new(1_600), &leases);
    clocks.hear(Micros::new(1_700), &leases);
    clocks.hear(Micros::new(1_800), &leases);
    assert_eq!(stands(&clocks, 1_899), 1_898, "about to catch up");
    clocks.hear(Micros::new(1_900), &leases);
    assert_eq!(stands(&clocks, 1_990), 1_990, "in step again");
}

#[test]
fn the_clock_of_a_host_that_was_never_told_anything_is_the_wall_clock() {
    let clocks = Clocks::synced();
    assert_eq!(clocks.ramp_instant(Span::SECOND, Micros::new(77)), Micros::new(77));
    assert_eq!(clocks.wall(Span::SECOND, Micros::new(99), Micros::new(77)), Micros::new(99));
}

#[test]
fn leases_no_longer_in_use_are_forgotten() {
    let mut clocks = Clocks::synced();
    let (short, long) = (Span::from_micros(10), Span::from_micros(20));
    clocks.hear(Micros::new(5), &[Leased { lease: short, rollback: Some(Micros::new(3)) }]);
    assert_eq!((clocks.ramps.len(), clocks.marks.len()), (1, 1));
    clocks.hear(Micros::new(6), &[Leased { lease: long, rollback: None }]);
    assert_eq!((clocks.ramps.len(), clocks.marks.len()), (1, 0));
    assert_eq!(clocks.ramps[0].lease, long);
}
