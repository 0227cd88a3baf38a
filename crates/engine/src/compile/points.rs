//! From a schedule to the points of its ramp.

use std::borrow::Cow;

use crate::document::{Curve, Schedule, Step};
use crate::share::round_half_even;
use crate::{Micros, Point, Share, Span};

/// The points of a schedule, in order; none for a flag without a window. Those of a linear window, which most flags have, are put
/// into `window`, so that they cost no allocation.
pub(super) fn from_schedule<'p>(schedule: &Schedule, window: &'p mut [Point; 2]) -> Cow<'p, [Point]> {
    match schedule {
        Schedule::None => Cow::Borrowed(&[]),
        Schedule::Window { start, end, from, to, curve } => match curve {
            Curve::Linear => {
                *window = [Point { at: *start, share: *from }, Point { at: *end, share: *to }];
                Cow::Borrowed(window)
            }
            Curve::Exponential => Cow::Owned(exponential(*start, end.since(*start), *from, *to)),
        },
        Schedule::Steps { start, steps } => Cow::Owned(stairs(*start, steps)),
    }
}

/// The points of a schedule, to be kept.
pub(super) fn to_vec(schedule: &Schedule) -> Vec<Point> {
    from_schedule(schedule, &mut [Point { at: Micros::MIN, share: Share::ZERO }; 2]).into_owned()
}

/// The points of steps: each step reaches its share, then holds it.
fn stairs(start: Micros, steps: &[Step]) -> Vec<Point> {
    let mut points = Vec::with_capacity(steps.len() * 2 + 1);
    let mut point = Point { at: start, share: Share::ZERO };
    points.push(point);
    for step in steps {
        point = Point { at: point.at.saturating_add(step.over), share: step.share };
        points.push(point);
        if step.hold > Span::ZERO {
            point.at = point.at.saturating_add(step.hold);
            points.push(point);
        }
    }
    points.dedup();
    points
}

/// Doublings in equal times from `from` to `to`, linear between them.
///
/// With n the least integer such that `from` * 2^n >= `to`, a = `from` * 2^(n-1) and b = `to` - a, the last
/// stretch gains b and each of the n - 1 before it would gain a at the same speed, so point k is at
/// k * D * a / ((n - 1) a + b).
fn exponential(start: Micros, over: Span, from: Share, to: Share) -> Vec<Point> {
    let mut points = vec![Point { at: start, share: from }];
    let (first, last) = (u128::from(from.get()), u128::from(to.get()));
    if first == 0 || first >= last {
        points.push(Point { at: start.saturating_add(over), share: to });
        return points;
    }
    let doublings = (0..=32_u32).find(|n| first << n >= last).unwrap_or(32);
    let gain = first << doublings.saturating_sub(1);
    let rest = last.saturating_sub(gain);
    let whole = u128::from(doublings.saturating_sub(1)) * gain + rest;
    for k in 1..doublings {
        let after = round_half_even(u128::from(k) * u128::from(over.get()) * gain, whole);
        let share = u64::try_from(first << k).ok().and_then(Share::new).unwrap_or(to);
        let after = u64::try_from(after).unwrap_or(over.get()).min(over.get());
        points.push(Point { at: start.saturating_add(Span::from_micros(after)), share });
    }
    points.push(Point { at: start.saturating_add(over), share: to });
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(percent: u64) -> Share {
        Share::from_millionths(percent * 1_000_000).unwrap()
    }

    fn points(schedule: &Schedule) -> Vec<(i64, u64)> {
        to_vec(schedule).iter().map(|point| (point.at.get(), point.share.to_millionths() / 1_000_000)).collect()
    }

    #[test]
    fn steps_reach_then_hold() {
        let step = |percent, over, hold| Step {
            share: share(percent),
            over: Span::from_micros(over),
            hold: Span::from_micros(hold),
        };
        let steps = vec![step(1, 0, 60), step(10, 100, 50), step(100, 300, 0)];
        let schedule = Schedule::Steps { start: Micros::new(1_000), steps };
        assert_eq!(points(&schedule), [(1_000, 0), (1_000, 1), (1_060, 1), (1_160, 10), (1_210, 10), (1_510, 100)]);
    }

    #[test]
    fn an_exponential_doubles_in_equal_times() {
        let window = |from, to, over: i64| Schedule::Window {
            start: Micros::new(0),
            end: Micros::new(over),
            from: share(from),
            to: share(to),
            curve: Curve::Exponential,
        };
        // 12.5 -> 25 -> 50 -> 100 would take three equal times; 10 -> 20 -> 40 -> 80 -> 100 ends with a quarter.
        let exact = to_vec(&Schedule::Window {
            start: Micros::new(0),
            end: Micros::new(300),
            from: Share::new(1 << 29).unwrap(),
            to: Share::FULL,
            curve: Curve::Exponential,
        });
        assert_eq!(exact.iter().map(|point| point.at.get()).collect::<Vec<_>>(), [0, 100, 200, 300]);
        assert_eq!(exact.iter().map(|point| point.share.get() >> 29).collect::<Vec<_>>(), [1, 2, 4, 8]);
        let partial = to_vec(&window(10, 100, 3_250));
        assert_eq!(partial.iter().map(|point| point.at.get()).collect::<Vec<_>>(), [0, 1_000, 2_000, 3_000, 3_250]);
        assert_eq!(points(&window(40, 40, 10)), [(0, 40), (10, 40)]);
        assert_eq!(points(&window(60, 100, 10)), [(0, 60), (10, 100)], "less than a doubling is one stretch");
    }
}
