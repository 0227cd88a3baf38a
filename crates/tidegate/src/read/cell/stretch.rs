//! Which side of a moving share a key is on, for a plan that holds from the start of its stretch to the end of it.
//!
//! The instants at which such a plan begins and ends are those of the stretch, so one comparison of the time that has elapsed
//! replaces three, and no position below or above the stretch needs a comparison of its own: the formula of
//! [`Rise::has_new`] is true below it and false above it.

use tidegate_engine::{Fall, Micros, Plan, PlanKind, Position, Rise};

/// Whether a plan holds from the start of its stretch to the end of it.
pub(super) fn is_whole(plan: &Plan) -> bool {
    let (start, over) = match plan.kind {
        PlanKind::Rise(_, Rise { start, over, .. }) | PlanKind::Fall(_, Fall { start, over, .. }) => (start, over),
        PlanKind::Fixed(..) | PlanKind::Share(..) | PlanKind::Ask => return false,
    };
    let end = start.get().checked_add_unsigned(over.get()).map(Micros::new);
    // With less than this, no difference of two instants wraps around to a time within the stretch.
    let is_sane = start.get().unsigned_abs() <= SANE && over.get() <= SANE;
    is_sane && plan.from == start && end.is_some() && plan.until == end
}

/// The time since the start, if the instant lies in a stretch for which [`is_whole`] is true.
#[inline]
pub(super) fn elapsed(now: Micros, start: i64, over: u64) -> Option<u64> {
    // An instant before the start wraps around to more than any stretch takes.
    let elapsed = now.get().wrapping_sub(start).cast_unsigned();
    if elapsed < over { Some(elapsed) } else { None }
}

/// Whether this position has `new` at a time within the stretch that leads from the share `low` to `high`, or back.
///
/// It is [`Rise::has_new`], and [`Fall::has_new`] where `is_fall`, without what cannot happen within the stretch.
#[inline]
pub(super) fn has_new(is_fall: bool, position: Position, (low, high): (u64, u64), elapsed: u64, over: u64) -> bool {
    let place = u64::from(position.get());
    // Places from the end at which the stretch begins.
    let above = if is_fall { high.saturating_sub(place) } else { place.saturating_sub(low) };
    let places = high.wrapping_sub(low);
    let moved = u128::from(over << 1) * u128::from(above);
    let passed = u128::from((elapsed << 1) | 1) * u128::from(places);
    // Equal counts where the time is even.
    (moved < passed + u128::from(!elapsed & 1)) != is_fall
}

/// Instants and lengths up to this number of microseconds, which is 73,000 years.
const SANE: u64 = 1 << 61;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidegate_engine::{KeyHash, Share, Span};

    use super::*;

    fn plan(kind: PlanKind, from: i64, until: i64) -> Plan {
        Plan { kind, stable: Some(false), new: Some(true), from: Micros::new(from), until: Some(Micros::new(until)) }
    }

    fn rise(start: i64, over: u64) -> PlanKind {
        let (start, over) = (Micros::new(start), Span::from_micros(over));
        PlanKind::Rise(KeyHash::Xxh3(0), Rise { start, over, from: Share::ZERO, to: Share::FULL })
    }

    #[test]
    fn only_a_plan_with_the_bounds_of_its_stretch_is_whole() {
        assert!(is_whole(&plan(rise(-5, 20), -5, 15)));
        assert!(!is_whole(&plan(rise(-5, 20), -4, 15)));
        assert!(!is_whole(&plan(rise(-5, 20), -5, 14)));
        assert!(!is_whole(&Plan { until: None, ..plan(rise(-5, 20), -5, 15) }));
        assert!(!is_whole(&plan(rise(i64::MAX - 5, 5), i64::MAX - 5, i64::MAX)), "too late to compare by difference");
        assert!(!is_whole(&plan(PlanKind::Ask, -5, 15)));
    }

    #[test]
    fn instants_outside_of_the_stretch_are_not_in_it() {
        let (start, over) = (1_000, 50);
        for (now, expected) in [(999, None), (1_000, Some(0)), (1_049, Some(49)), (1_050, None)] {
            assert_eq!(elapsed(Micros::new(now), start, over), expected, "{now}");
        }
        for start in [-(1_i64 << 61), 0, 1 << 61] {
            for now in [i64::MIN, start - 1] {
                assert_eq!(elapsed(Micros::new(now), start, SANE), None, "{now} of {start}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn it_is_the_decision_of_the_engine(
            places in (0_u64..=1 << 32, 0_u64..=1 << 32).prop_filter("a stretch moves", |(one, other)| one != other),
            start in -1_000_000_000_000_i64..1_000_000_000_000,
            over in prop_oneof![1_u64..100, 1_u64..1 << 59],
            part in 0.0_f64..1.0,
            position in any::<u32>(),
            near in -2_i64..=2,
        ) {
            let (low, high) = (places.0.min(places.1), places.0.max(places.1));
            let [from, to] = [low, high].map(|share| Share::new(share).unwrap());
            let rise = Rise { start: Micros::new(start), over: Span::from_micros(over), from, to };
            let fall = Fall { start: Micros::new(start), over: Span::from_micros(over), from: to, to: from };
            let positions = [Some(Position::new(position)), u32::try_from(low).ok().map(Position::new)];
            for position in positions.into_iter().flatten() {
                // Any time within the stretch, and those beside the flip.
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "any time does")]
                let any = start + ((over as f64 * part) as u64).cast_signed();
                let flips = [Some(rise.flip(position)), fall.flip(position)].into_iter().flatten().map(|flip| flip.get() + near);
                for now in flips.chain([any]).map(Micros::new) {
                    let Some(elapsed) = elapsed(now, start, over) else { continue };
                    let shares = (low, high);
                    prop_assert_eq!(has_new(false, position, shares, elapsed, over), rise.has_new(position, now), "{:?} at {}", rise, now);
                    prop_assert_eq!(has_new(true, position, shares, elapsed, over), fall.has_new(position, now), "{:?} at {}", fall, now);
                }
            }
        }
    }
}
