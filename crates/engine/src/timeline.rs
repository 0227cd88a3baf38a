//! The share of one flag over time: ramp, rollback and lease taken together.

mod rule;

use crate::change::{Change, ChangeKind, Flips, earliest};
use crate::lease::{Clocks, LeaseClock};
use crate::ramp::{Fall, Ramp, Rise, Stretch};
use crate::snapshot::{Entry, Extra, Flag, NONE, Record};
use crate::{Micros, Moment, Pin, Position, Share, Span, Variant};

/// The ramp and the rollback of one flag, under the lease clocks of this host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline<'s> {
    entry: Entry<'s>,
    ramp: Ramp<'s>,
    extra: Option<&'s Extra>,
    clocks: &'s Clocks,
}

/// How the share moves at an instant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Segment {
    /// It stays.
    Level(Share),
    /// It rises; the instant is the one on the ramp's own clock.
    Rise(Rise, Micros),
    /// It falls in a rollback; the instant is the one on the wall clock.
    Fall(Fall, Micros),
}

impl Segment {
    /// Whether this position has `new`.
    #[inline]
    pub(crate) fn has_new(self, position: Position) -> bool {
        match self {
            Self::Level(share) => share.includes(position),
            Self::Rise(rise, instant) => rise.has_new(position, instant),
            Self::Fall(fall, now) => fall.has_new(position, now),
        }
    }

    /// The share.
    pub(crate) fn share(self) -> Share {
        match self {
            Self::Level(share) => share,
            Self::Rise(rise, instant) => rise.share_at(instant),
            Self::Fall(fall, now) => fall.share_at(now),
        }
    }

    /// The share on the straight line between the points, for interpolated numbers: exact at every point.
    pub(crate) fn line(self) -> Share {
        match self {
            Self::Level(share) => share,
            Self::Rise(rise, instant) => rise.line_at(instant),
            Self::Fall(fall, now) => fall.line_at(now),
        }
    }

    /// Whether every position has `new`, or none has; `None` if positions differ.
    #[inline]
    pub(crate) fn unanimous(self) -> Option<bool> {
        match self {
            Self::Level(Share::ZERO) => Some(false),
            Self::Level(Share::FULL) => Some(true),
            _ => None,
        }
    }
}

impl<'s> Timeline<'s> {
    #[inline]
    pub(crate) fn new(entry: Entry<'s>, extra: Option<&'s Extra>, clocks: &'s Clocks) -> Self {
        Self { entry, ramp: Ramp::new(entry.core.points(entry.record)), extra, clocks }
    }

    /// The rollback as it was compiled, from the share that the ramp has by the wall clock.
    #[inline]
    fn written_rollback(&self) -> Option<Fall> {
        self.extra?.rollback
    }

    #[inline]
    fn lease(&self) -> Option<Span> {
        self.extra?.lease
    }

    /// The clock of this flag under its lease.
    fn clock(&self, lease: Span) -> LeaseClock<'s> {
        let Entry { core, record } = self.entry;
        self.clocks.for_source(self.extra.map_or(0, |extra| extra.source)).clock(lease, core.name(record.key))
    }

    /// How the share moves at this instant of the wall clock.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    pub(crate) fn segment(&self, now: Micros) -> Segment {
        match self.written_rollback() {
            Some(fall) if now >= fall.start => {
                let fall = self.fall(fall, now);
                if now >= fall.end() || fall.from == fall.to {
                    Segment::Level(fall.to)
                } else {
                    Segment::Fall(fall, now)
                }
            }
            _ => {
                let instant = self.ramp_instant(now);
                match self.ramp.stretch_at(instant) {
                    Stretch::Level(share) => Segment::Level(share),
                    Stretch::Rise(rise) => Segment::Rise(rise, instant),
                }
            }
        }
    }

    /// The instant on the ramp's own clock.
    #[inline]
    pub(crate) fn ramp_instant(&self, now: Micros) -> Micros {
        match self.lease() {
            None => now,
            Some(lease) => self.clock(lease).ramp_instant(now),
        }
    }

    /// The rollback, from the share that this host had at its start, or will have if the source stays reachable.
    fn fall(&self, fall: Fall, now: Micros) -> Fall {
        let Some(lease) = self.lease() else { return fall };
        let instant = if now < fall.start {
            self.clock(lease).ramp_instant_foreseen(fall.start, now)
        } else {
            self.clock(lease).ramp_instant_at_rollback(fall.start)
        };
        let from = self.ramp.share_at(instant);
        Fall { from, to: self.extra.map_or(Share::ZERO, |extra| extra.rollback_to).min(from), ..fall }
    }

    /// The rollback as this host sees it at `now`, if there is one.
    pub(crate) fn rollback(&self, now: Micros) -> Option<Fall> {
        self.written_rollback().map(|fall| self.fall(fall, now))
    }

    pub(crate) fn is_leased(&self) -> bool {
        self.lease().is_some()
    }

    /// The wall-clock instant at which the ramp's clock shows this instant, as seen at `now`.
    pub(crate) fn wall(&self, instant: Micros, now: Micros) -> Micros {
        self.lease().map_or(instant, |lease| self.clock(lease).wall(instant, now))
    }

    /// When this position gets `new` and when it loses it, as seen at `now`.
    pub(crate) fn flips(&self, position: Position, now: Micros) -> Flips {
        let on = self.ramp.flip(position).map(|instant| self.wall(instant, now));
        let Some(fall) = self.rollback(now) else { return Flips { on, off: None } };
        if !fall.from.includes(position) {
            return Flips::default();
        }
        let on = on.map(|on| on.min(fall.start));
        let off = fall.flip(position);
        if off.is_some() && off <= on { Flips::default() } else { Flips { on, off } }
    }

    /// The next instant after `now` at which the share begins another segment.
    pub(crate) fn next_point(&self, now: Micros) -> Option<Micros> {
        match self.rollback(now) {
            Some(fall) if now >= fall.start => Some(fall.end()).filter(|end| *end > now),
            rollback => {
                let point = self.ramp.next_point(self.ramp_instant(now)).map(|point| self.wall(point.at, now));
                let point = point.filter(|point| *point > now);
                earliest(point, rollback.map(|fall| fall.start))
            }
        }
    }

    /// The last instant up to `now`, on the wall clock, at which the share began another segment.
    pub(crate) fn last_point(&self, now: Micros) -> Micros {
        match self.written_rollback() {
            Some(fall) if now >= fall.end() => fall.end(),
            Some(fall) if now >= fall.start => fall.start,
            _ => {
                let points = self.ramp.points();
                let after = points.partition_point(|point| point.at <= now);
                after.checked_sub(1).and_then(|last| points.get(last)).map_or(Micros::MIN, |point| point.at)
            }
        }
    }

    /// The change that begins at this instant.
    pub(crate) fn kind_of_change(&self, at: Micros) -> ChangeKind {
        match self.segment(at) {
            Segment::Rise(..) => ChangeKind::Rises,
            Segment::Fall(..) => ChangeKind::Falls,
            Segment::Level(_) if self.next_point(at).is_none() => ChangeKind::Ends,
            Segment::Level(_) => ChangeKind::Holds,
        }
    }

    /// An instant up to which every position flips as [`Timeline::flips`] says. With a lease, the share from which a
    /// rollback leads down is not known before the rollback begins.
    pub(crate) fn foreseen(&self, now: Micros) -> Option<Micros> {
        self.written_rollback().filter(|fall| self.is_leased() && now < fall.start).map(|fall| fall.start)
    }
}

/// What the share of a flag is and will be.
impl<'s> Flag<'s> {
    /// The rollback as this host sees it: with a lease, its first share depends on the host.
    pub fn rollback(&self, moment: &Moment<'_>) -> Option<Fall> {
        self.timeline(moment)?.rollback(moment.now)
    }

    /// The share on `new` at this instant, with locks, activations and `enabled` taken into account; 0 for a flag without
    /// `new`.
    pub fn share_at(&self, moment: &Moment<'_>) -> Share {
        let fixed = |variant| if variant == Variant::New { Share::FULL } else { Share::ZERO };
        let overridden = self.snapshot().overridden(self.index());
        let is_active = |until: Option<Micros>| until.is_none_or(|until| moment.now < until);
        if let Some(lock) = overridden.and_then(|overridden| overridden.lock.as_ref())
            && is_active(lock.until)
            && let Pin::Variant(variant) = lock.pin
        {
            return fixed(variant);
        }
        if let Some(activation) = overridden.and_then(|overridden| overridden.activation.as_ref())
            && is_active(activation.until)
        {
            return activation.share;
        }
        match self.record() {
            Some(Record { lock: Some(variant), .. }) => fixed(*variant),
            Some(record) if record.enabled && record.new != NONE => self.ramp_share_at(moment),
            None => overridden
                .filter(|overridden| overridden.is_bare())
                .and_then(|overridden| overridden.default)
                .unwrap_or(Share::ZERO),
            _ => Share::ZERO,
        }
    }

    /// The share at this instant by ramp and rollback alone.
    pub fn ramp_share_at(&self, moment: &Moment<'_>) -> Share {
        self.timeline(moment).map_or(Share::ZERO, |timeline| timeline.segment(moment.now).share())
    }

    /// The next change in how the share moves after this instant, if there is one.
    ///
    /// ```
    /// use tidegate_engine::document::{parse_time, read};
    /// use tidegate_engine::lease::Clocks;
    /// use tidegate_engine::{ChangeKind, CompileOptions, Moment, compile};
    ///
    /// let text = br#"{"shop": {"dark": {"stable": 1, "new": 2, "start_time": "2026-12-01 00:00Z", "duration": "1d"}}}"#;
    /// let snapshot = compile(&read(text).unwrap().0, &CompileOptions::default());
    /// let flag = snapshot.flag(snapshot.find("shop", "dark").unwrap());
    /// let moment = Moment { now: parse_time("2026-12-01 12:00Z").unwrap(), leases: &Clocks::synced() };
    /// let change = flag.next_change(&moment).unwrap();
    /// assert_eq!((change.at, change.kind), (parse_time("2026-12-02 00:00Z").unwrap(), ChangeKind::Ends));
    /// ```
    pub fn next_change(&self, moment: &Moment<'_>) -> Option<Change> {
        let now = moment.now;
        if let Some(until) = self.overridden_until(now) {
            let at = until?;
            let share = self.share_at(&Moment { now: at, ..*moment });
            return Some(Change { at, share, kind: ChangeKind::Expires });
        }
        let moves = |record: &&Record| record.lock.is_none() && record.enabled && record.new != NONE;
        self.record().filter(moves)?;
        let timeline = self.timeline(moment)?;
        let at = timeline.next_point(now)?;
        let share = timeline.segment(at).share();
        let kind = timeline.kind_of_change(at);
        Some(Change { at, share, kind })
    }

    fn timeline<'a>(&self, moment: &Moment<'a>) -> Option<Timeline<'a>>
    where
        's: 'a,
    {
        Some(Timeline::new(self.entry()?, self.extra(), moment.leases))
    }
}
