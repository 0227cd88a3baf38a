//! A flag's answer in a few words, for a while: what a handle keeps ready.
//!
//! A handle is asked far more often than a flag changes, so whatever a decision needs is worked out ahead,
//! together with the time for which it holds. A plan answers variant and boolean only; what needs more (early
//! adopters, a salt that is hashed, an interpolated number, a moving lease) is [`PlanKind::Ask`], and the snapshot decides.

use crate::bucket;
use crate::change::earliest;
use crate::evaluate::bool_of;
use crate::ramp::{Fall, Rise};
use crate::snapshot::{Entry, Flag, FlagIndex, NONE, Record, Snapshot};
use crate::timeline::{Segment, Timeline};
use crate::{Decision, HashAlgorithm, Micros, Moment, Position, Share, Subject, Variant};

/// What a flag answers at each instant from `from` to before `until`, for every key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// How to answer.
    pub kind: PlanKind,
    /// The boolean that `stable` stands for, if it is one.
    pub stable: Option<bool>,
    /// The boolean that `new` stands for, if it is one.
    pub new: Option<bool>,
    /// The first instant at which the plan holds.
    pub from: Micros,
    /// The first instant at which it no longer does; `None`: never.
    pub until: Option<Micros>,
}

/// How a [`Plan`] answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PlanKind {
    /// The same for every key: this variant, or the caller's default, or a value pinned on this host, whose
    /// boolean is given.
    Fixed(Option<Variant>, Option<bool>),
    /// `new` where the position lies below the share.
    Share(Line, Share),
    /// `new` where the position has flipped on the rising stretch.
    Rise(Line, Rise),
    /// `new` where the position has not yet left in the rollback.
    Fall(Line, Fall),
    /// Ask the snapshot.
    Ask,
}

/// How a [`Plan`] places keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Line {
    /// By `xxh3` under this seed.
    Xxh3(u64),
    /// By `sha1` without a salt.
    Sha1,
}

impl Line {
    /// The place of `key`.
    #[inline]
    pub fn position(self, key: &str) -> Position {
        match self {
            Self::Xxh3(seed) => bucket::xxh3_position(seed, key),
            Self::Sha1 => bucket::sha1_position("", key),
        }
    }

    /// How a flag places keys; `None` where its salt is hashed together with each key.
    fn of(record: &Record) -> Option<Self> {
        match record.algorithm {
            HashAlgorithm::Xxh3 => Some(Self::Xxh3(record.seed)),
            HashAlgorithm::Sha1 if record.salt == NONE => Some(Self::Sha1),
            HashAlgorithm::Sha1 | HashAlgorithm::Murmur3 => None,
        }
    }
}

impl Plan {
    /// Whether this key has `new` at this instant, for the kinds that know; the instant lies in the plan's time.
    #[inline]
    pub fn has_new(&self, key: &str, now: Micros) -> Option<bool> {
        match self.kind {
            PlanKind::Fixed(variant, _) => Some(variant? == Variant::New),
            PlanKind::Share(line, share) => Some(share.includes(line.position(key))),
            PlanKind::Rise(line, rise) => Some(rise.has_new(line.position(key), now)),
            PlanKind::Fall(line, fall) => Some(fall.has_new(line.position(key), now)),
            PlanKind::Ask => None,
        }
    }
}

impl Flag<'_> {
    /// The form in which a handle keeps this flag ready at this instant.
    pub fn plan(&self, moment: &Moment<'_>) -> Plan {
        of(self.snapshot(), self.index(), moment)
    }
}

/// The plan of a flag at this instant.
fn of(snapshot: &Snapshot, flag: FlagIndex, moment: &Moment<'_>) -> Plan {
    let now = moment.now;
    let (from, pin_ends) = pin_bounds(snapshot, flag, now);
    let fixed = |decision: &Decision<'_>| PlanKind::Fixed(decision.variant, decision.answer.as_bool());
    let mut plan = Plan { kind: PlanKind::Ask, stable: None, new: None, from, until: pin_ends };
    let Some(entry) = snapshot.entry(flag) else {
        // A flag that only a lock or a dial knows; a dial between its ends is asked by key.
        let decision = snapshot.evaluate(Some(flag), &Subject::absent(), moment);
        if decision.error != Some(crate::ErrorCode::TargetingKeyMissing) {
            plan.kind = fixed(&decision);
        }
        return plan;
    };
    plan.stable = bool_of(entry.record, false);
    plan.new = bool_of(entry.record, true);
    if snapshot.flag(flag).pinned_until(now).is_some() {
        let decision = snapshot.evaluate(Some(flag), &Subject::absent(), moment);
        let activation = snapshot.flag(flag).activation();
        match (decision.reason, activation, plain_line(entry)) {
            (crate::Reason::Static, ..) => plan.kind = fixed(&decision),
            (_, Some(activation), Some(line)) => plan.kind = PlanKind::Share(line, activation.share),
            _ => {}
        }
        return plan;
    }
    if let Some(decision) = snapshot.unpinned_constant(entry) {
        plan.kind = fixed(&decision);
        return plan;
    }
    by_ramp(entry, moment, plan)
}

/// The plan of a flag that its ramp decides.
fn by_ramp(entry: Entry<'_>, moment: &Moment<'_>, plan: Plan) -> Plan {
    let now = moment.now;
    let (record, extra) = (entry.record, entry.extra());
    let asks =
        extra.is_some_and(|extra| extra.interpolation.is_some() || !extra.adopters.is_empty() || extra.lease.is_some());
    if asks || record.new == NONE {
        return plan;
    }
    let timeline = Timeline::new(entry, extra, moment.leases);
    let segment = timeline.segment(now);
    let kind = match (segment, segment.unanimous(), Line::of(record)) {
        (_, Some(true), _) => PlanKind::Fixed(Some(Variant::New), plan.new),
        (_, Some(false), _) => PlanKind::Fixed(Some(Variant::Stable), plan.stable),
        (_, None, None) => return plan,
        (Segment::Level(share), None, Some(line)) => PlanKind::Share(line, share),
        (Segment::Rise(rise, _), None, Some(line)) => PlanKind::Rise(line, rise),
        (Segment::Fall(fall, _), None, Some(line)) => PlanKind::Fall(line, fall),
    };
    let from = plan.from.max(timeline.last_corner(now));
    Plan { kind, from, until: earliest(plan.until, timeline.next_corner(now)), ..plan }
}

/// How a flag places keys, if nothing but the position decides a dial between its ends.
fn plain_line(entry: Entry<'_>) -> Option<Line> {
    let plain = entry.extra().is_none_or(|extra| extra.interpolation.is_none() && extra.adopters.is_empty());
    if plain && entry.record.new != NONE { Line::of(entry.record) } else { None }
}

/// From when to when nothing changes in what lies over the flag.
fn pin_bounds(snapshot: &Snapshot, flag: FlagIndex, now: Micros) -> (Micros, Option<Micros>) {
    let pinned = snapshot.pinned(flag);
    let lock = pinned.and_then(|pinned| pinned.lock.as_ref()?.until);
    let dial = pinned.and_then(|pinned| pinned.activation.as_ref()?.until);
    let mut bounds = (Micros::MIN, None);
    for until in [lock, dial].into_iter().flatten() {
        if until <= now {
            bounds.0 = bounds.0.max(until);
        } else {
            bounds.1 = earliest(bounds.1, Some(until));
        }
    }
    bounds
}
