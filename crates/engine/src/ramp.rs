//! The share as a function of time, and its inverse: when does this key flip?
//!
//! A ramp is a piecewise linear function: points of an instant and a share each, linear between them, a jump where two
//! points have the same instant, share 0 before the first point, the last share after the last. A rollback takes over at
//! its start and leads down. Everything is integer arithmetic, and three functions use the same numbers, so that they
//! cannot disagree: whether a position has `new` ([`Rise::has_new`], without a division), when it flips ([`Rise::flip`]),
//! and how many positions have flipped ([`Rise::share_at`]).

use crate::share::round_half_even;
use crate::{Micros, Position, Share, Span};

/// A point of a ramp: from `at` on, the share is at least `share`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Point {
    /// The instant of the point.
    pub at: Micros,
    /// The share reached at that instant.
    pub share: Share,
}

/// The rising part of a ramp, as its points in order: neither instants nor shares ever fall.
///
/// ```
/// use tidegate_engine::{Micros, Point, Position, Ramp, Share};
///
/// let points = [
///     Point { at: Micros::new(0), share: Share::ZERO },
///     Point { at: Micros::new(1_000), share: Share::FULL },
/// ];
/// let ramp = Ramp::new(&points);
/// let position = Position::new(1 << 31);
/// assert_eq!(ramp.flip(position), Some(Micros::new(500)));
/// assert!(ramp.has_new(position, Micros::new(500)) && !ramp.has_new(position, Micros::new(499)));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Ramp<'s>(&'s [Point]);

impl<'s> Ramp<'s> {
    /// The ramp through these points, which should be in order as [`compile`](crate::compile()) makes them. With points out
    /// of order the results are meaningless, but nothing panics.
    pub const fn new(points: &'s [Point]) -> Self {
        Self(points)
    }

    /// The points of the ramp, in order.
    pub const fn points(self) -> &'s [Point] {
        self.0
    }

    /// Whether this position has `new` at this instant, without a division.
    #[inline]
    pub fn has_new(self, position: Position, instant: Micros) -> bool {
        match self.stretch_at(instant) {
            Stretch::Level(share) => share.includes(position),
            Stretch::Rise(rise) => rise.has_new(position, instant),
        }
    }

    /// The share at this instant: how many positions have flipped.
    pub fn share_at(self, instant: Micros) -> Share {
        match self.stretch_at(instant) {
            Stretch::Level(share) => share,
            Stretch::Rise(rise) => rise.share_at(instant),
        }
    }

    /// The instant from which this position has `new`; `None` if the ramp never reaches it.
    pub fn flip(self, position: Position) -> Option<Micros> {
        let after = self.0.partition_point(|point| !point.share.includes(position));
        let to = self.0.get(after)?;
        let from = after.checked_sub(1).and_then(|before| self.0.get(before));
        Some(from.map_or(to.at, |from| Rise::between(*from, *to).flip(position)))
    }

    /// How the share moves at this instant.
    #[inline]
    pub fn stretch_at(self, instant: Micros) -> Stretch {
        match self.0 {
            // Most ramps are over, or a single stretch.
            [.., last] if last.at <= instant => Stretch::Level(last.share),
            [first, ..] if first.at > instant => Stretch::Level(Share::ZERO),
            [from, to] => Stretch::between(*from, *to),
            _ => self.stretch_among_many(instant),
        }
    }

    fn stretch_among_many(self, instant: Micros) -> Stretch {
        let after = self.0.partition_point(|point| point.at <= instant);
        let from = after.checked_sub(1).and_then(|before| self.0.get(before));
        match (from, self.0.get(after)) {
            (Some(from), Some(to)) => Stretch::between(*from, *to),
            (from, _) => Stretch::Level(from.map_or(Share::ZERO, |from| from.share)),
        }
    }

    /// The first point after this instant.
    pub fn next_point(self, instant: Micros) -> Option<Point> {
        self.0.get(self.0.partition_point(|point| point.at <= instant)).copied()
    }
}

/// How the share of a ramp moves at an instant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stretch {
    /// The share stays.
    Level(Share),
    /// The share rises.
    Rise(Rise),
}

impl Stretch {
    /// How the share moves between two neighbouring points.
    #[inline]
    fn between(from: Point, to: Point) -> Self {
        if to.share > from.share { Self::Rise(Rise::between(from, to)) } else { Self::Level(from.share) }
    }
}

/// One rising stretch: from `from_share` at `start` to `to_share` a time `over` later.
///
/// A position p with `from_share` <= p < `to_share` flips at
/// `start + round_half_even(over * (p - from_share) / (to_share - from_share))`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rise {
    /// The instant at which the stretch begins.
    pub start: Micros,
    /// How long it takes.
    pub over: Span,
    /// The share at its start.
    pub from: Share,
    /// The share at its end; above `from`.
    pub to: Share,
}

impl Rise {
    /// The stretch between two neighbouring points.
    pub const fn between(from: Point, to: Point) -> Self {
        Self { start: from.at, over: to.at.since(from.at), from: from.share, to: to.share }
    }

    /// Whether this position has `new` at this instant, which lies in the stretch.
    ///
    /// With n the time since the start, D the whole time and R the rise of the share, the position k places
    /// above the start flips at `n >= round_half_even(D k / R)`, and that is `2 D k < (2 n + 1) R`, or they
    /// are equal and n is even.
    #[inline]
    #[expect(clippy::needless_bitwise_bool, reason = "a lazy operator is a branch, and this one cannot be foreseen")]
    pub const fn has_new(self, position: Position, instant: Micros) -> bool {
        let place = position.get() as u64;
        let is_in_stretch = (place < self.to.get()) & (instant.get() >= self.start.get());
        let above = place.saturating_sub(self.from.get());
        let has_flipped = has_flipped(above, self.elapsed(instant), self.over.get(), self.gain());
        (place < self.from.get()) | (is_in_stretch & has_flipped)
    }

    /// The instant at which this position of the stretch flips; a position outside of it gives the nearer end.
    pub const fn flip(self, position: Position) -> Micros {
        let place = position.get() as u64;
        let above = if place > self.from.get() { place - self.from.get() } else { 0 };
        let above = if above < self.gain() { above } else { self.gain() };
        self.start.saturating_add(flip_after(above, self.over, self.gain()))
    }

    /// The share at this instant, which lies in the stretch: the start's, and the positions that have flipped.
    pub const fn share_at(self, instant: Micros) -> Share {
        if instant.get() < self.start.get() {
            return self.from;
        }
        let counted = flipped_by(self.elapsed(instant), self.over.get(), self.gain());
        let flipped = if counted < self.gain() { counted } else { self.gain() };
        match Share::new(self.from.get() + flipped) {
            Some(share) => share,
            None => self.to,
        }
    }

    /// The linear interpolation between both shares at this instant, which lies in the stretch, rounded half to even.
    ///
    /// [`share_at`](Self::share_at) counts positions, and the position at the start flips at the start, so it is at least
    /// one place ahead of the line. Interpolated values use the line: it is exact at both ends, and half of the time gives
    /// half of the way.
    pub const fn line_at(self, instant: Micros) -> Share {
        let risen = way(self.elapsed(instant), self.over.get(), self.gain());
        match Share::new(self.from.get() + risen) {
            Some(share) => share,
            None => self.to,
        }
    }

    const fn elapsed(self, instant: Micros) -> u64 {
        instant.since(self.start).get()
    }

    const fn gain(self) -> u64 {
        self.to.get().saturating_sub(self.from.get())
    }
}

/// A rollback: from the share that was active at `start` down to `to`, last in first out.
///
/// A position p with `to` <= p < `from` leaves at `start + round_half_even(over * (from - p) / (from - to))`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fall {
    /// The instant at which the rollback begins.
    pub start: Micros,
    /// How long it takes; zero: at once.
    pub over: Span,
    /// The share at its start.
    pub from: Share,
    /// The share at its end; never above `from`.
    pub to: Share,
}

impl Fall {
    /// Whether this position still has `new` at this instant, without a division.
    #[inline]
    #[expect(clippy::needless_bitwise_bool, reason = "a lazy operator is a branch, and this one cannot be foreseen")]
    pub const fn has_new(self, position: Position, instant: Micros) -> bool {
        let place = position.get() as u64;
        let above = self.from.get().saturating_sub(place);
        let has_left = (instant.get() >= self.start.get())
            & has_flipped(above, instant.since(self.start).get(), self.over.get(), self.loss());
        (place < self.to.get()) | ((place < self.from.get()) & !has_left)
    }

    /// The instant at which this position loses `new`; `None` if it keeps it or never had it.
    pub const fn flip(self, position: Position) -> Option<Micros> {
        let place = position.get() as u64;
        if place < self.to.get() || place >= self.from.get() {
            return None;
        }
        Some(self.start.saturating_add(flip_after(self.from.get() - place, self.over, self.loss())))
    }

    /// The share at this instant.
    pub const fn share_at(self, instant: Micros) -> Share {
        if instant.get() < self.start.get() || self.loss() == 0 {
            return self.from;
        }
        // Place `from - k` leaves like place k of a rise, counted from 1; place 0 of a rise flips at once.
        let elapsed = instant.since(self.start).get();
        let counted = flipped_by(elapsed, self.over.get(), self.loss()).saturating_sub(1);
        let left = if counted < self.loss() { counted } else { self.loss() };
        match Share::new(self.from.get() - left) {
            Some(share) => share,
            None => self.to,
        }
    }

    /// The linear interpolation between both shares at this instant, rounded half to even; see [`Rise::line_at`].
    pub const fn line_at(self, instant: Micros) -> Share {
        let fallen = way(instant.since(self.start).get(), self.over.get(), self.loss());
        match Share::new(self.from.get() - fallen) {
            Some(share) => share,
            None => self.to,
        }
    }

    /// The instant from which the share stays.
    pub const fn end(self) -> Micros {
        self.start.saturating_add(self.over)
    }

    const fn loss(self) -> u64 {
        self.from.get().saturating_sub(self.to.get())
    }
}

/// Whether the place `k` above the start of a stretch has flipped after `elapsed` of `over`, where the whole
/// stretch holds `places`: `elapsed >= round_half_even(over * k / places)`, without the division.
#[inline]
const fn has_flipped(k: u64, elapsed: u64, over: u64, places: u64) -> bool {
    // Below 2^98 each, since there are 2^32 places.
    let moved = (over as u128 * k as u128) << 1;
    let passed = ((elapsed as u128 * places as u128) << 1).wrapping_add(places as u128);
    // Equal counts where the time is even: whole numbers, so that is less than one more.
    moved < passed.wrapping_add((!elapsed & 1) as u128)
}

/// The time from the start of a stretch to the flip of the place `k` above it, with the division.
const fn flip_after(k: u64, over: Span, places: u64) -> Span {
    if places == 0 {
        return Span::ZERO;
    }
    let after = round_half_even(over.get() as u128 * k as u128, places as u128);
    // `k` is at most `places`, so the result is at most `over`.
    #[expect(clippy::cast_possible_truncation, reason = "at most `over`, which is a u64")]
    Span::from_micros(after as u64)
}

/// How far a straight line over `places` has come after `elapsed` of `over`; all the way where `over` is zero.
const fn way(elapsed: u64, over: u64, places: u64) -> u64 {
    if elapsed >= over {
        return places;
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most `places`, which is a u64")]
    {
        round_half_even(elapsed as u128 * places as u128, over as u128) as u64
    }
}

/// How many places, counted from 0 and without an upper end, have flipped after `elapsed` of `over`: the
/// number of k >= 0 for which [`has_flipped`] holds.
const fn flipped_by(elapsed: u64, over: u64, places: u64) -> u64 {
    if over == 0 {
        return u64::MAX;
    }
    let passed = (2 * elapsed as u128 + 1) * places as u128;
    let (whole, rest) = (passed / (2 * over as u128), passed % (2 * over as u128));
    let count = if rest > 0 || elapsed.is_multiple_of(2) { whole + 1 } else { whole };
    #[expect(clippy::cast_possible_truncation, reason = "compared with the limit of u64 first")]
    if count > u64::MAX as u128 { u64::MAX } else { count as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rise(over: u64, from: u64, to: u64) -> Rise {
        let [from, to] = [from, to].map(|places| Share::new(places).unwrap());
        Rise { start: Micros::new(-5), over: Span::from_micros(over), from, to }
    }

    #[test]
    fn the_line_is_exact_where_the_count_of_flipped_positions_is_ahead() {
        let full = 1 << 32;
        // (over, from, to, elapsed, line, share)
        let cases = [
            (10, 0, full, 0, 0, 214_748_365),
            (10, 0, full, 5, full / 2, 2_362_232_013),
            (10, 0, full, 10, full, full),
            (86_400_000_000, 0, full, 43_200_000_000, full / 2, full / 2 + 1),
            (4, 1, 3, 1, 1, 2), // half a place goes to the even one of 0 and 1
            (4, 1, 3, 3, 3, 3), // one and a half goes to 2
            (0, 1, 3, 0, 3, 3),
        ];
        for (over, from, to, elapsed, line, share) in cases {
            let rise = rise(over, from, to);
            let instant = rise.start.saturating_add(Span::from_micros(elapsed));
            assert_eq!(rise.line_at(instant).get(), line, "the line {elapsed} of {over} from {from} to {to}");
            assert_eq!(rise.share_at(instant).get(), share, "the share {elapsed} of {over} from {from} to {to}");
        }
    }

    #[test]
    fn the_line_of_a_rollback_leads_from_one_end_to_the_other() {
        let [from, to] = [1 << 31, 1 << 30].map(|places| Share::new(places).unwrap());
        let fall = Fall { start: Micros::new(0), over: Span::from_micros(4), from, to };
        let line = [0, 1, 2, 3, 4].map(|at| fall.line_at(Micros::new(at)).get() >> 28);
        assert_eq!(line, [8, 7, 6, 5, 4]);
    }
}
