//! Random ramps, and the instants and places where they are interesting.

use proptest::collection::vec;
use proptest::prelude::*;
use tidegate_engine::{Micros, Point, Position, Share, Span};

/// Steps between points: jumps, less time than places, ordinary windows, years.
fn gap() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => Just(0),
        2 => 1..20_u64,
        2 => 1_000..5_000_000_u64,
        3 => 3_600_000_000..2_000_000_000_000_u64,
        1 => 1..40_000_000_000_000_000_u64,
    ]
}

/// Gains between points: holds, a few places, any share.
fn gain() -> impl Strategy<Value = u64> {
    prop_oneof![2 => Just(0), 2 => 1..10_u64, 4 => 0..=Share::FULL.get()]
}

/// The points of a rising ramp.
pub(super) fn points() -> impl Strategy<Value = Vec<Point>> {
    let start = prop_oneof![Just(0_i64), -10_000..10_000_i64, -60_000_000_000_000_000..250_000_000_000_000_000_i64];
    (start, vec((gap(), gain()), 1..7)).prop_map(|(start, steps)| {
        let mut at = Micros::new(start);
        let mut share = 0_u64;
        let mut points = Vec::new();
        for (gap, gain) in steps {
            at = at.saturating_add(Span::from_micros(gap));
            share = (share + gain).min(Share::FULL.get());
            points.push(Point { at, share: Share::new(share).unwrap() });
        }
        points
    })
}

/// A position, the first and the last more often than chance would have it.
pub(super) fn place() -> impl Strategy<Value = Position> {
    prop_oneof![Just(0), Just(u32::MAX), any::<u32>()].prop_map(Position::new)
}

/// The places where something begins or ends: around each share of the ramp.
pub(super) fn places_around(points: &[Point]) -> Vec<Position> {
    let around = |point: &Point| {
        let share = point.share.get();
        [share.saturating_sub(2), share.saturating_sub(1), share, share.saturating_add(1)]
    };
    let mut places: Vec<u32> =
        points.iter().flat_map(around).filter_map(|place| u32::try_from(place).ok()).chain([0, u32::MAX]).collect();
    places.sort_unstable();
    places.dedup();
    places.into_iter().map(Position::new).collect()
}

/// An instant with its neighbours.
pub(super) fn around(instant: Micros) -> [Micros; 3] {
    let micro = Span::from_micros(1);
    [instant.saturating_sub(micro), instant, instant.saturating_add(micro)]
}

/// An instant somewhere along the ramp, before it and after it.
pub(super) fn instants_along(points: &[Point], fractions: &[u32]) -> Vec<Micros> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    let whole = u128::from(last.at.since(first.at).get());
    let inside = fractions.iter().map(|fraction| {
        let along = whole * u128::from(*fraction) / u128::from(u32::MAX);
        first.at.saturating_add(Span::from_micros(u64::try_from(along).unwrap()))
    });
    let mut instants: Vec<Micros> =
        points.iter().map(|point| point.at).chain(inside).flat_map(around).chain([Micros::MIN, Micros::MAX]).collect();
    instants.sort_unstable();
    instants
}
