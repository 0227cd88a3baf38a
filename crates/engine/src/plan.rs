//! Plans: the answer of a flag precomputed for an interval of time, which a flag handle keeps.
//!
//! A handle is read far more often than a flag changes, so a plan holds everything that a decision needs, together with
//! the interval for which it is right. A plan answers variant and boolean only. Flags that need more (early adopters, rules, a
//! salt that is hashed with the key, an interpolated number, a lease) have [`PlanKind::Ask`]: evaluate the snapshot.

use crate::bucket;
use crate::change::earliest;
use crate::custom_hash::RecordHash;
use crate::evaluate::bool_of;
use crate::ramp::{Fall, Rise};
use crate::snapshot::{Entry, Flag, FlagIndex, NONE, Record, Snapshot};
use crate::timeline::{Segment, Timeline};
use crate::{Decision, HashAlgorithm, Micros, Moment, Position, Share, Subject, Variant};

/// The answer of a flag for every key, at each instant from `from` to before `until`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// How to answer.
    pub kind: PlanKind,
    /// The value `stable`, if it is a boolean.
    pub stable: Option<bool>,
    /// The value `new`, if it is a boolean.
    pub new: Option<bool>,
    /// The first instant at which the plan holds.
    pub from: Micros,
    /// The first instant at which the plan no longer holds; `None`: it holds for good.
    pub until: Option<Micros>,
}

/// How a [`Plan`] answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PlanKind {
    /// The same for every key: this variant (`None` for the caller's default and for a value locked on this host), and
    /// the value if it is a boolean.
    Fixed(Option<Variant>, Option<bool>),
    /// `new` for positions below the share.
    Share(KeyHash, Share),
    /// `new` for positions that have flipped on this rising stretch.
    Rise(KeyHash, Rise),
    /// `new` for positions that the rollback has not reached yet.
    Fall(KeyHash, Fall),
    /// The plan does not know: call [`Snapshot::evaluate`].
    Ask,
}

/// How a [`Plan`] hashes keys to positions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyHash {
    /// XXH3 with this seed, which stands for the salt.
    Xxh3(u64),
    /// SHA-1 without a salt.
    Sha1,
}

impl KeyHash {
    /// The position of `key`.
    #[inline]
    pub fn position(self, key: &str) -> Position {
        match self {
            Self::Xxh3(seed) => bucket::xxh3_position(seed, key),
            Self::Sha1 => bucket::sha1_position("", key),
        }
    }

    /// The hash of a flag; `None` if its salt is hashed together with each key, or the program's own hash places them.
    fn from_record(record: &Record) -> Option<Self> {
        match record.hash {
            RecordHash::Algorithm(HashAlgorithm::Xxh3) => Some(Self::Xxh3(record.seed)),
            RecordHash::Algorithm(HashAlgorithm::Sha1) if record.salt == NONE => Some(Self::Sha1),
            RecordHash::Algorithm(HashAlgorithm::Sha1 | HashAlgorithm::Murmur3)
            | RecordHash::Custom
            | RecordHash::ByAttribute => None,
        }
    }
}

impl Plan {
    /// Whether this key has `new` at this instant, which lies in the plan's interval; `None` for [`PlanKind::Ask`] and for
    /// answers that are no variant.
    #[inline]
    pub fn has_new(&self, key: &str, now: Micros) -> Option<bool> {
        match self.kind {
            PlanKind::Fixed(variant, _) => Some(variant? == Variant::New),
            PlanKind::Share(hash, share) => Some(share.includes(hash.position(key))),
            PlanKind::Rise(hash, rise) => Some(rise.has_new(hash.position(key), now)),
            PlanKind::Fall(hash, fall) => Some(fall.has_new(hash.position(key), now)),
            PlanKind::Ask => None,
        }
    }
}

impl Flag<'_> {
    /// The plan of this flag at this instant.
    pub fn plan(&self, moment: &Moment<'_>) -> Plan {
        plan_at(self.snapshot(), self.index(), moment)
    }
}

/// The plan of a flag at this instant.
fn plan_at(snapshot: &Snapshot, flag: FlagIndex, moment: &Moment<'_>) -> Plan {
    let now = moment.now;
    let (from, override_ends) = override_bounds(snapshot, flag, now);
    let fixed = |decision: &Decision<'_>| PlanKind::Fixed(decision.variant, decision.answer.as_bool());
    let mut plan = Plan { kind: PlanKind::Ask, stable: None, new: None, from, until: override_ends };
    let Some(entry) = snapshot.entry(flag) else {
        // Only a lock, an activation or a default knows the flag. Between 0 and 100 % the key's position decides.
        let decision = snapshot.evaluate(Some(flag), &Subject::absent(), moment);
        if decision.error != Some(crate::ErrorCode::TargetingKeyMissing) {
            plan.kind = fixed(&decision);
        } else if let (Some(overridden), Some(undocumented)) = (snapshot.overridden(flag), snapshot.undocumented(flag))
        {
            (plan.stable, plan.new) = (Some(false), Some(true));
            plan.kind = PlanKind::Share(KeyHash::Xxh3(undocumented.seed), overridden.bare_share(now));
        }
        return plan;
    };
    plan.stable = bool_of(entry.record, false);
    plan.new = bool_of(entry.record, true);
    if snapshot.flag(flag).overridden_until(now).is_some() {
        let decision = snapshot.evaluate(Some(flag), &Subject::absent(), moment);
        let activation = snapshot.flag(flag).activation();
        match (decision.reason, activation, plain_hash(entry)) {
            (crate::Reason::Static, ..) => plan.kind = fixed(&decision),
            (_, Some(activation), Some(hash)) => plan.kind = PlanKind::Share(hash, activation.share),
            _ => {}
        }
        return plan;
    }
    if let Some(decision) = snapshot.constant_without_override(entry) {
        plan.kind = fixed(&decision);
        return plan;
    }
    by_ramp(entry, moment, plan)
}

/// The plan of a flag that its ramp decides.
fn by_ramp(entry: Entry<'_>, moment: &Moment<'_>, plan: Plan) -> Plan {
    let now = moment.now;
    let (record, extra) = (entry.record, entry.extra());
    let asks = extra.is_some_and(|extra| {
        let values = extra.interpolation.is_some() || extra.variants.is_some();
        values || extra.is_targeted() || extra.lease.is_some()
    });
    if asks || record.new == NONE {
        return plan;
    }
    let timeline = Timeline::new(entry, extra, moment.leases);
    let segment = timeline.segment(now);
    let kind = match (segment, segment.unanimous(), KeyHash::from_record(record)) {
        (_, Some(true), _) => PlanKind::Fixed(Some(Variant::New), plan.new),
        (_, Some(false), _) => PlanKind::Fixed(Some(Variant::Stable), plan.stable),
        (_, None, None) => return plan,
        (Segment::Level(share), None, Some(hash)) => PlanKind::Share(hash, share),
        (Segment::Rise(rise, _), None, Some(hash)) => PlanKind::Rise(hash, rise),
        (Segment::Fall(fall, _), None, Some(hash)) => PlanKind::Fall(hash, fall),
    };
    let from = plan.from.max(timeline.last_point(now));
    Plan { kind, from, until: earliest(plan.until, timeline.next_point(now)), ..plan }
}

/// The hash of a flag, if nothing but the position decides under an activation between 0 and 100 %.
fn plain_hash(entry: Entry<'_>) -> Option<KeyHash> {
    let plain = entry
        .extra()
        .is_none_or(|extra| extra.interpolation.is_none() && extra.variants.is_none() && !extra.is_targeted());
    if plain && entry.record.new != NONE { KeyHash::from_record(entry.record) } else { None }
}

/// The interval around `now` in which no lock and no activation of the flag begins or expires.
fn override_bounds(snapshot: &Snapshot, flag: FlagIndex, now: Micros) -> (Micros, Option<Micros>) {
    let overridden = snapshot.overridden(flag);
    let lock = overridden.and_then(|overridden| overridden.lock.as_ref()?.until);
    let activation = overridden.and_then(|overridden| overridden.activation.as_ref()?.until);
    let mut bounds = (Micros::MIN, None);
    for until in [lock, activation].into_iter().flatten() {
        if until <= now {
            bounds.0 = bounds.0.max(until);
        } else {
            bounds.1 = earliest(bounds.1, Some(until));
        }
    }
    bounds
}
