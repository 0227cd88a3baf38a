//! What overrides the document: the lock of this host, then the activation.

use super::{Query, interpolated, key_missing, value_of};
use crate::bucket::{self, SubjectKind};
use crate::snapshot::{Entry, FlagIndex, NONE, Overridden};
use crate::timeline::Segment;
use crate::trace::{Facts, Trace};
use crate::{Activation, Answer, Decision, ErrorCode, HostLock, Micros, Pin, Reason, Rule, Variant};

impl<'s> Query<'s, '_> {
    /// The lock of this host, then the activation; `None` if neither is active.
    #[cold]
    pub(super) fn by_override(
        &self,
        flag: FlagIndex,
        entry: Option<Entry<'s>>,
        overridden: &'s Overridden,
        trace: &mut impl Trace,
    ) -> Option<Decision<'s>> {
        if let Some(lock) = overridden.lock.as_ref().filter(|lock| self.is_active(lock.until))
            && let Some(decision) = by_lock(entry, overridden, lock)
        {
            trace.rule(Rule::HostLock);
            trace.lock(lock);
            trace.expires(lock.until);
            return Some(self.with_variant(entry, decision, trace));
        }
        trace.passed(Rule::HostLock, passed_override(overridden.lock.is_some()));
        let active = overridden.activation.as_ref().filter(|activation| self.is_active(activation.until));
        if active.is_none() {
            trace.passed(Rule::Activation, passed_override(overridden.activation.is_some()));
        }
        match entry {
            Some(known) => {
                let decision = self.by_activation(known, active?, trace);
                Some(self.with_variant(entry, decision, trace))
            }
            None if overridden.is_bare() => Some(self.by_bare_activation(flag, overridden, active, trace)),
            // The flag had a definition that is not loaded, so its values are unknown.
            None => None,
        }
    }

    fn is_active(&self, until: Option<Micros>) -> bool {
        until.is_none_or(|until| self.moment.now < until)
    }

    /// An activation of a defined flag: it replaces the document's `lock`, `enabled` and ramp.
    fn by_activation(&self, entry: Entry<'s>, activation: &Activation, trace: &mut impl Trace) -> Decision<'s> {
        trace.expires(activation.until);
        let unanimous = Segment::Level(activation.share).unanimous();
        if let Some(has_new) = unanimous {
            trace.rule(Rule::Activation);
            trace.share(|| Facts { share: activation.share, ..Facts::default() });
            return value_of(entry, has_new, Reason::Static);
        }
        let extra = entry.extra();
        if entry.record.new == NONE {
            return self.without_new(entry, extra, activation.share, trace);
        }
        if let Some(decision) = self.by_adopters(entry, extra, || None, trace) {
            trace.share(|| Facts {
                position: self.position(entry),
                share: activation.share,
                until: extra.and_then(|extra| extra.adopters_leave),
                ..Facts::default()
            });
            return decision;
        }
        let leave = extra.and_then(|extra| extra.adopters_leave);
        if let Some(decision) = extra.and_then(|extra| self.by_rules(entry, extra, || activation.share, leave, trace)) {
            return decision;
        }
        trace.rule(Rule::Activation);
        if let Some(interpolation) = extra.and_then(|extra| extra.interpolation) {
            trace.share(|| Facts { share: activation.share, ..Facts::default() });
            return interpolated(interpolation.at(activation.share));
        }
        let position = self.position(entry);
        trace.share(|| Facts { position, share: activation.share, ..Facts::default() });
        let Some(position) = position else { return key_missing(entry, trace) };
        value_of(entry, activation.share.includes(position), Reason::Split)
    }

    /// An activation of a flag without a definition: the boolean flag `false`/`true`, with its flag key as salt. While
    /// no activation is active, the share of such a flag is the program's default, or 0.
    fn by_bare_activation(
        &self,
        flag: FlagIndex,
        overridden: &Overridden,
        active: Option<&Activation>,
        trace: &mut impl Trace,
    ) -> Decision<'s> {
        let seed = self.snapshot.undocumented(flag).map_or(0, |undocumented| undocumented.seed);
        let position = match self.subject.kind() {
            SubjectKind::Key(key) => Some(bucket::xxh3_position(seed, key)),
            SubjectKind::Drawn(position) => Some(position),
            SubjectKind::Absent => None,
        };
        let share = overridden.bare_share(self.moment.now);
        trace.rule(if active.is_some() || overridden.default.is_some() { Rule::Activation } else { Rule::Ramp });
        trace.expires(active.and_then(|activation| activation.until));
        trace.share(|| Facts { position, share, ..Facts::default() });
        match (Segment::Level(share).unanimous(), position) {
            (Some(has_new), _) => bare(has_new, Reason::Static, None),
            (None, Some(position)) => bare(share.includes(position), Reason::Split, None),
            (None, None) => {
                trace.rule(Rule::KeyMissing);
                bare(false, Reason::Error, Some(ErrorCode::TargetingKeyMissing))
            }
        }
    }
}

/// Why a lock or an activation did not decide.
const fn passed_override(is_there: bool) -> &'static str {
    if is_there { "it has expired, or needs a definition that is not loaded" } else { "there is none" }
}

fn by_lock<'s>(entry: Option<Entry<'s>>, overridden: &Overridden, lock: &'s HostLock) -> Option<Decision<'s>> {
    match (&lock.pin, entry) {
        (Pin::Value(value), _) => {
            Some(Decision { answer: Answer::from_json(value), variant: None, reason: Reason::Static, error: None })
        }
        (Pin::Variant(variant), Some(entry)) => Some(value_of(entry, *variant == Variant::New, Reason::Static)),
        (Pin::Variant(variant), None) => {
            overridden.is_bare().then(|| bare(*variant == Variant::New, Reason::Static, None))
        }
    }
}

/// The answer of a flag that has an activation and no definition.
fn bare<'s>(has_new: bool, reason: Reason, error: Option<ErrorCode>) -> Decision<'s> {
    let answer = Answer::Bool(has_new);
    Decision { answer, variant: Some(variant(has_new)), reason, error }
}

const fn variant(has_new: bool) -> Variant {
    if has_new { Variant::New } else { Variant::Stable }
}
