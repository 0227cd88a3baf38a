//! One ramp, one rollback: the same numbers answer "has it", "when" and "how many".

use proptest::collection::vec;
use proptest::prelude::*;
use tidegate_engine::{Fall, Micros, Point, Position, Ramp, Rise, Share, Span};

use super::strategies::{around, instants_along, place, places_around, points};

/// The rule of the design, with the division, in numbers wide enough for anything: a second writing of it.
fn flip_with_division(points: &[Point], position: Position) -> Option<Micros> {
    let place = u64::from(position.get());
    let mut before: Option<Point> = None;
    for point in points {
        if place < point.share.get() {
            let Some(from) = before else { return Some(point.at) };
            let whole = i128::from(point.at.get()) - i128::from(from.at.get());
            let above = i128::from(place) - i128::from(from.share.get());
            let gain = i128::from(point.share.get()) - i128::from(from.share.get());
            let (quotient, rest) = ((whole * above).div_euclid(gain), (whole * above).rem_euclid(gain));
            let up = match (rest * 2).cmp(&gain) {
                std::cmp::Ordering::Less => 0,
                std::cmp::Ordering::Equal => quotient.rem_euclid(2),
                std::cmp::Ordering::Greater => 1,
            };
            return Some(Micros::new(i64::try_from(i128::from(from.at.get()) + quotient + up).unwrap()));
        }
        before = Some(*point);
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn with_and_without_the_division_agree(points in points(), place in place()) {
        let ramp = Ramp::new(&points);
        for position in places_around(&points).into_iter().chain([place]) {
            let flip = flip_with_division(&points, position);
            prop_assert_eq!(ramp.flip(position), flip, "flip of {}", position);
            for instant in flip.into_iter().chain(points.iter().map(|point| point.at)).flat_map(around) {
                let has_new = flip.is_some_and(|flip| instant >= flip);
                prop_assert_eq!(ramp.has_new(position, instant), has_new, "{} at {}", position, instant.get());
            }
        }
    }

    #[test]
    fn the_share_counts_the_positions_that_have_flipped(points in points(), fractions in vec(any::<u32>(), 0..6)) {
        let ramp = Ramp::new(&points);
        for instant in instants_along(&points, &fractions) {
            let share = ramp.share_at(instant).get();
            if let Some(last_on) = share.checked_sub(1).map(|place| Position::new(u32::try_from(place).unwrap())) {
                prop_assert!(ramp.has_new(last_on, instant), "{} of {share} at {}", last_on, instant.get());
            }
            if let Ok(first_off) = u32::try_from(share) {
                prop_assert!(!ramp.has_new(Position::new(first_off), instant), "{first_off} of {share} at {}", instant.get());
            }
        }
    }

    #[test]
    fn the_share_never_falls_and_no_position_flips_twice(
        points in points(),
        fractions in vec(any::<u32>(), 0..8),
        place in place(),
    ) {
        let ramp = Ramp::new(&points);
        let instants = instants_along(&points, &fractions);
        for pair in instants.windows(2) {
            prop_assert!(ramp.share_at(pair[0]) <= ramp.share_at(pair[1]));
            prop_assert!(!ramp.has_new(place, pair[0]) || ramp.has_new(place, pair[1]));
        }
    }

    #[test]
    fn the_ramp_has_each_share_at_its_point(points in points()) {
        let ramp = Ramp::new(&points);
        for point in &points {
            prop_assert!(ramp.share_at(point.at) >= point.share, "at the point {:?}", point);
        }
        let first = points[0].at;
        prop_assert_eq!(ramp.share_at(first.saturating_sub(Span::from_micros(1))), Share::ZERO);
        let last = points[points.len() - 1];
        prop_assert_eq!(ramp.share_at(last.at), last.share);
    }

    #[test]
    fn a_rollback_is_last_in_first_out(
        (from, to) in (0..=Share::FULL.get()).prop_flat_map(|from| (Just(from), 0..=from)),
        start in -1_000_000_000_000_i64..1_000_000_000_000,
        over in prop_oneof![Just(0_u64), 1..50_u64, 1_000_000..1_000_000_000_000_u64],
        place in place(),
        other in place(),
    ) {
        let share = |places| Share::new(places).unwrap();
        let start = Micros::new(start);
        let fall = Fall { start, over: Span::from_micros(over), from: share(from), to: share(to) };
        for position in [place, other] {
            let had = share(from).includes(position);
            let keeps = share(to).includes(position);
            prop_assert_eq!(fall.flip(position).is_some(), had && !keeps);
            for instant in fall.flip(position).into_iter().chain([start, fall.end()]).flat_map(around) {
                let expected = match fall.flip(position) {
                    _ if instant < start => had,
                    Some(flip) => instant < flip,
                    None => keeps,
                };
                prop_assert_eq!(fall.has_new(position, instant), expected, "{} at {}", position, instant.get());
                let count = fall.share_at(instant);
                prop_assert_eq!(count.includes(position), expected, "share {} at {}", count.get(), instant.get());
            }
        }
        let (early, late) = if place <= other { (place, other) } else { (other, place) };
        if let (Some(early), Some(late)) = (fall.flip(early), fall.flip(late)) {
            prop_assert!(late <= early, "the last in is the first out");
        }
        prop_assert_eq!(fall.share_at(fall.end()), share(to));
    }

    #[test]
    fn raising_a_percentage_takes_new_from_no_position(
        start in -1_000_000_i64..1_000_000,
        over in prop_oneof![1..100_u64, 1_000_000..1_000_000_000_000_u64],
        ends in (0..=Share::FULL.get()).prop_flat_map(|low| (Just(low), low..=Share::FULL.get())),
        place in place(),
        fraction in any::<u32>(),
    ) {
        let rise = |to| Rise {
            start: Micros::new(start),
            over: Span::from_micros(over),
            from: Share::ZERO,
            to: Share::new(to).unwrap(),
        };
        let elapsed = u64::try_from(u128::from(over) * u128::from(fraction) / u128::from(u32::MAX)).unwrap();
        for instant in around(Micros::new(start).saturating_add(Span::from_micros(elapsed))) {
            if ends.0 > 0 && rise(ends.0).has_new(place, instant) {
                prop_assert!(rise(ends.1).has_new(place, instant));
            }
        }
    }
}

#[test]
fn the_extremes_of_time_do_not_overflow() {
    let points = [Point { at: Micros::MIN, share: Share::ZERO }, Point { at: Micros::MAX, share: Share::FULL }];
    let ramp = Ramp::new(&points);
    assert_eq!(ramp.flip(Position::new(1 << 31)), Some(Micros::new(0)), "half of 2^64 - 1, rounded to even");
    assert!(ramp.has_new(Position::new(1 << 31), Micros::new(0)));
    assert!(!ramp.has_new(Position::new(1 << 31), Micros::new(-1)));
    assert_eq!(ramp.share_at(Micros::MAX), Share::FULL);
    assert!(ramp.share_at(Micros::MIN) <= Share::new(1).unwrap());
    let fall = Fall { start: Micros::MIN, over: Span::MAX, from: Share::FULL, to: Share::ZERO };
    assert_eq!(fall.share_at(Micros::MAX), Share::ZERO);
    assert!(fall.has_new(Position::new(0), Micros::new(i64::MAX - 10_000_000_000)));
}
