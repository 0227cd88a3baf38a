//! The ramp of a rule, under the lease and the rollback of its flag.

use super::{Segment, Timeline};
use crate::change::{Change, ChangeKind, Flips, earliest};
use crate::ramp::{Ramp, Stretch};
use crate::snapshot::{Flag, Served};
use crate::{Micros, Moment, Point, Position, Share};

/// The share of a rule over time. It rises as its ramp says; from the start of a rollback on it stays, so that no key gets `new`
/// during a rollback. At the end of a rollback to 0 rules no longer decide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RuleTimeline<'t, 's> {
    flag: &'t Timeline<'s>,
    ramp: Ramp<'s>,
}

impl<'s> Timeline<'s> {
    /// The timeline of a rule of this flag, through these points.
    pub(crate) fn rule<'t>(&'t self, points: &'s [Point]) -> RuleTimeline<'t, 's> {
        RuleTimeline { flag: self, ramp: Ramp::new(points) }
    }
}

/// What the ramps of rules are and will be, without locks and activations.
impl Flag<'_> {
    /// The share on `new` of those for whom the rule with this number (from 0) decides, at this instant; `None` if it has no ramp.
    pub fn rule_share_at(&self, rule: usize, moment: &Moment<'_>) -> Option<Share> {
        self.with_rule(rule, moment, |timeline| timeline.segment(moment.now).share())
    }

    /// The next change in how that share moves after this instant, if there is one.
    pub fn next_rule_change(&self, rule: usize, moment: &Moment<'_>) -> Option<Change> {
        let change = self.with_rule(rule, moment, |timeline| {
            let at = timeline.next_point(moment.now)?;
            let segment = timeline.segment(at);
            let kind = match segment {
                Segment::Rise(..) => ChangeKind::Rises,
                _ if timeline.next_point(at).is_none() => ChangeKind::Ends,
                _ => ChangeKind::Holds,
            };
            Some(Change { at, share: segment.share(), kind })
        });
        change.flatten()
    }

    fn with_rule<T>(
        &self,
        rule: usize,
        moment: &Moment<'_>,
        read: impl FnOnce(&RuleTimeline<'_, '_>) -> T,
    ) -> Option<T> {
        let (entry, extra) = (self.entry()?, self.extra()?);
        match &extra.targeting.as_ref()?.rules.get(rule)?.serve {
            Served::Ramp(points) => Some(read(&Timeline::new(entry, Some(extra), moment.leases).rule(points))),
            Served::Stable | Served::New | Served::Choice(_) => None,
        }
    }
}

impl RuleTimeline<'_, '_> {
    /// The instant on the ramp's clock at which a rollback that has begun stopped it.
    fn stopped_at(&self, now: Micros) -> Option<Micros> {
        let start = self.flag.written_rollback().map(|fall| fall.start).filter(|start| now >= *start)?;
        Some(self.flag.lease().map_or(start, |lease| self.flag.clock(lease).ramp_instant_at_rollback(start)))
    }

    /// How the share moves at this instant of the wall clock.
    pub(crate) fn segment(&self, now: Micros) -> Segment {
        if let Some(instant) = self.stopped_at(now) {
            return Segment::Level(self.ramp.share_at(instant));
        }
        let instant = self.flag.ramp_instant(now);
        match self.ramp.stretch_at(instant) {
            Stretch::Level(share) => Segment::Level(share),
            Stretch::Rise(rise) => Segment::Rise(rise, instant),
        }
    }

    /// When this position gets `new` and, at `leave`, loses it, as seen at `now`.
    pub(crate) fn flips(&self, position: Position, now: Micros, leave: Option<Micros>) -> Flips {
        let Some(flip) = self.ramp.flip(position) else { return Flips::default() };
        let on = self.flag.wall(flip, now);
        let comes = match (self.stopped_at(now), self.flag.written_rollback()) {
            (Some(instant), _) => flip <= instant,
            (None, Some(fall)) => on <= fall.start,
            (None, None) => true,
        };
        if comes { Flips { on: Some(on), off: leave } } else { Flips::default() }
    }

    /// The next instant after `now` at which the share begins another segment.
    pub(crate) fn next_point(&self, now: Micros) -> Option<Micros> {
        if self.stopped_at(now).is_some() {
            return None;
        }
        let point = self.ramp.next_point(self.flag.ramp_instant(now)).map(|point| self.flag.wall(point.at, now));
        let start = self.flag.written_rollback().map(|fall| fall.start);
        earliest(point.filter(|point| *point > now), start)
    }
}
