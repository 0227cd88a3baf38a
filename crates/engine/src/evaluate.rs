//! The decision: a snapshot, a subject and an instant in, an answer out.
//!
//! One function decides, in a fixed order of precedence: a lock of this host, an activation, a lock in the document, a
//! disabled flag, early adopters, rules, then the share of the ramp. The function is generic over a [`Trace`], which sees each
//! step. With the trace that does nothing it is the fast path; with the trace that records it is `explain`; so the two
//! cannot disagree. Evaluation never blocks, panics or fails, and allocates nothing (a regular expression may fill its
//! cache once per thread).

mod flips;
mod overrides;
mod rules;
mod variants;

use std::hint::select_unpredictable;

use crate::bucket::{self, SubjectKind};
use crate::change::{Flips, earliest};
use crate::custom_hash::RecordHash;
use crate::lease::Clocks;
use crate::snapshot::{Entry, Extra, FlagIndex, NONE, Record, RecordKind, Snapshot, Values};
use crate::timeline::{Segment, Timeline};
use crate::trace::{Facts, NoTrace, Trace, Validity};
use crate::{
    Answer, Decision, ErrorCode, HashAlgorithm, Micros, Moment, Position, Reason, Rule, Span, Subject, Variant,
};

use rules::Asking;

impl Snapshot {
    /// Evaluates a flag; `None` stands for a flag that was not found. Never blocks, panics or fails.
    ///
    /// ```
    /// use tidegate_engine::lease::Clocks;
    /// use tidegate_engine::{CompileOptions, Micros, Moment, Subject, compile, read};
    ///
    /// let text = br#"{"shop": {"dark": {"stable": false, "new": true, "early_adopters": ["ann"]}}}"#;
    /// let snapshot = compile(&read(text).unwrap().0, &CompileOptions::default());
    /// let moment = Moment { now: Micros::new(0), leases: &Clocks::synced() };
    /// let flag = snapshot.find("shop", "dark");
    /// assert_eq!(snapshot.evaluate(flag, &Subject::key("ann"), &moment).answer.as_bool(), Some(true));
    /// assert_eq!(snapshot.evaluate(flag, &Subject::key("bob"), &moment).answer.as_bool(), Some(false));
    /// ```
    #[inline]
    pub fn evaluate(&self, flag: Option<FlagIndex>, subject: &Subject<'_>, moment: &Moment<'_>) -> Decision<'_> {
        decide(self, flag, subject, moment, &mut NoTrace)
    }

    /// The same, with the instant before which ramp, rollback and expiry do not change the answer for this subject; `None`: they
    /// never do. It allocates nothing, so that all flags can be evaluated for one subject.
    ///
    /// ```
    /// use tidegate_engine::lease::Clocks;
    /// use tidegate_engine::{CompileOptions, Micros, Moment, Subject, compile, document::parse_time, read};
    ///
    /// let text = br#"{"shop": {"dark": {"stable": 1, "new": 2, "start_time": "2026-12-01 00:00Z", "duration": "0s"}}}"#;
    /// let snapshot = compile(&read(text).unwrap().0, &CompileOptions::default());
    /// let moment = Moment { now: Micros::new(0), leases: &Clocks::synced() };
    /// let flag = snapshot.find("shop", "dark");
    /// let (decision, until) = snapshot.evaluate_until(flag, &Subject::key("ann"), &moment);
    /// assert_eq!((decision.answer.to_json().as_deref(), until), (Some("1"), parse_time("2026-12-01 00:00Z").ok()));
    /// ```
    pub fn evaluate_until(
        &self,
        flag: Option<FlagIndex>,
        subject: &Subject<'_>,
        moment: &Moment<'_>,
    ) -> (Decision<'_>, Option<Micros>) {
        let mut validity = Validity::default();
        let decision = decide(self, flag, subject, moment, &mut validity);
        (decision, validity.until(moment.now))
    }

    /// What a flag answers now, if `past` is an instant before now: the moment is asked for only where it matters. Most flags
    /// no longer move, so that any instant after their last move is as good as now, and a clock costs more than a decision.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    pub fn evaluate_now<'m>(
        &self,
        flag: Option<FlagIndex>,
        subject: &Subject<'_>,
        past: Micros,
        moment: impl FnOnce() -> Moment<'m>,
    ) -> Decision<'_> {
        let Some(flag) = flag else { return not_found(&mut NoTrace) };
        let Some(entry) = self.without_override(flag) else {
            return self.evaluate_overridden(flag, subject, &moment());
        };
        if entry.record.moves_until >= past {
            return self.evaluate_moving(entry, subject, &moment());
        }
        // A flag with a lease never settles, so no clock of a lease has a part in this.
        let moment = Moment { now: past, leases: const { &Clocks::synced() } };
        Query { snapshot: self, subject, moment: &moment, asking: None }.by_document(entry, &mut NoTrace)
    }

    #[inline(never)]
    fn evaluate_moving<'s>(&'s self, entry: Entry<'s>, subject: &Subject<'_>, moment: &Moment<'_>) -> Decision<'s> {
        Query { snapshot: self, subject, moment, asking: None }.by_document(entry, &mut NoTrace)
    }

    #[inline(never)]
    fn evaluate_overridden(&self, flag: FlagIndex, subject: &Subject<'_>, moment: &Moment<'_>) -> Decision<'_> {
        decide(self, Some(flag), subject, moment, &mut NoTrace)
    }

    /// The answer of a flag that is constant in its document, without locks and activations.
    pub(crate) fn constant_without_override<'s>(&'s self, entry: Entry<'s>) -> Option<Decision<'s>> {
        let moment = Moment { now: Micros::MIN, leases: const { &Clocks::synced() } };
        let query = Query { snapshot: self, subject: &Subject::absent(), moment: &moment, asking: None };
        (entry.record.kind == RecordKind::Constant).then(|| query.by_document(entry, &mut NoTrace))
    }
}

/// Decides.
#[inline]
pub(crate) fn decide<'s>(
    snapshot: &'s Snapshot,
    flag: Option<FlagIndex>,
    subject: &Subject<'_>,
    moment: &Moment<'_>,
    trace: &mut impl Trace,
) -> Decision<'s> {
    decide_within(&Query { snapshot, subject, moment, asking: None }, flag, trace)
}

/// The same, as a part of another decision.
#[inline]
fn decide_within<'s>(query: &Query<'s, '_>, flag: Option<FlagIndex>, trace: &mut impl Trace) -> Decision<'s> {
    let Some(flag) = flag else { return not_found(trace) };
    let snapshot = query.snapshot;
    let entry = snapshot.entry(flag);
    if let Some(overridden) = snapshot.overridden(flag) {
        if let Some(decision) = query.by_override(flag, entry, overridden, trace) {
            return decision;
        }
    } else {
        trace.passed(Rule::HostLock, "there is none");
        trace.passed(Rule::Activation, "there is none");
    }
    match entry {
        None => not_found(trace),
        Some(entry) => query.by_document(entry, trace),
    }
}

/// One evaluation: the subject and the moment, on their way through the rules.
struct Query<'s, 'q> {
    snapshot: &'s Snapshot,
    subject: &'q Subject<'q>,
    moment: &'q Moment<'q>,
    /// What is left to ask for; `None` for a decision that is not a part of another one.
    asking: Option<&'q Asking>,
}

impl<'s> Query<'s, '_> {
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    fn by_document(&self, entry: Entry<'s>, trace: &mut impl Trace) -> Decision<'s> {
        match entry.record.kind {
            RecordKind::Share => {
                passed_switches(trace);
                self.by_share(entry, None, || self.timeline(entry, None), trace)
            }
            RecordKind::Constant => {
                if let Some(locked) = entry.record.lock {
                    trace.rule(Rule::DocumentLock);
                    return value_of(entry, locked == Variant::New, Reason::Static);
                }
                trace.passed(Rule::DocumentLock, "there is none");
                self.by_constant(entry, trace)
            }
            RecordKind::Targeted => {
                passed_switches(trace);
                self.by_rules_alone(entry, trace)
            }
            RecordKind::Rules => match entry.extra() {
                None => {
                    passed_switches(trace);
                    self.by_share(entry, None, || self.timeline(entry, None), trace)
                }
                Some(extra) => self.by_extra(entry, extra, trace),
            },
        }
    }

    /// A flag without a lock that has one answer for everyone at all times.
    #[inline(never)]
    fn by_constant(&self, entry: Entry<'s>, trace: &mut impl Trace) -> Decision<'s> {
        let record = entry.record;
        if !record.enabled {
            trace.rule(Rule::Disabled);
            return caller_default(Reason::Disabled, None);
        }
        trace.passed(Rule::Disabled, "the flag is enabled");
        if record.new == NONE {
            trace.rule(Rule::NoNew);
            return value_of(entry, false, Reason::Static);
        }
        match entry.extra() {
            None => self.by_share(entry, None, || self.timeline(entry, None), trace),
            Some(extra) => self.by_ramp(entry, extra, trace),
        }
    }

    #[inline]
    fn timeline<'a>(&'a self, entry: Entry<'a>, extra: Option<&'a Extra>) -> Timeline<'a> {
        Timeline::new(entry, extra, self.moment.leases)
    }

    /// Flags that have more than values and a ramp, in a function of their own to keep the common path short.
    #[inline(never)]
    fn by_extra(&self, entry: Entry<'s>, extra: &'s Extra, trace: &mut impl Trace) -> Decision<'s> {
        if extra.variants.is_some() {
            return self.by_variants(entry, extra, trace);
        }
        passed_switches(trace);
        self.by_ramp(entry, extra, trace)
    }

    /// Early adopters, rules, interpolation and the share.
    #[inline]
    fn by_ramp(&self, entry: Entry<'s>, extra: &'s Extra, trace: &mut impl Trace) -> Decision<'s> {
        let timeline = self.timeline(entry, Some(extra));
        match self.by_rare(entry, extra, &timeline, trace) {
            Some(decision) => decision,
            None => self.by_share(entry, Some(extra), || timeline, trace),
        }
    }

    /// Early adopters, rules and interpolation; `None` if the share decides.
    #[inline]
    fn by_rare(
        &self,
        entry: Entry<'s>,
        extra: &'s Extra,
        timeline: &Timeline<'_>,
        trace: &mut impl Trace,
    ) -> Option<Decision<'s>> {
        let now = self.moment.now;
        let is_asked =
            !matches!(self.subject.kind(), SubjectKind::Absent) || timeline.segment(now).unanimous() != Some(true);
        if is_asked && let Some(decision) = self.by_adopters(entry, Some(extra), || timeline.next_point(now), trace) {
            trace.share(|| Facts {
                position: self.position(entry),
                share: timeline.segment(now).share(),
                flips: Flips { on: None, off: extra.adopters_leave },
                ramp_instant: shown_instant(timeline, now),
                until: None,
            });
            return Some(decision);
        }
        if extra.targeting.is_some()
            && let Some(decision) = self.by_rules(entry, extra, || timeline.segment(now).share(), None, trace)
        {
            return Some(decision);
        }
        let interpolation = extra.interpolation?;
        let second = now.floor_to_second();
        let segment = timeline.segment(second);
        trace.rule(Rule::Interpolation);
        trace.share(|| Facts {
            share: segment.line(),
            until: next_number(timeline, second, segment),
            ramp_instant: shown_instant(timeline, second),
            ..Facts::default()
        });
        Some(interpolated(interpolation.at(segment.line())))
    }

    /// `new` for an early adopter; `TARGETING_KEY_MISSING` without a key; `None` for every other key.
    #[inline]
    fn by_adopters(
        &self,
        entry: Entry<'s>,
        extra: Option<&Extra>,
        next_point: impl FnOnce() -> Option<Micros>,
        trace: &mut impl Trace,
    ) -> Option<Decision<'s>> {
        let now = self.moment.now;
        let extra = extra.filter(|extra| !extra.adopters.is_empty())?;
        if extra.adopters_leave.is_some_and(|leave| now >= leave) {
            trace.passed(Rule::EarlyAdopter, "the rollback to 0 has ended");
            return None;
        }
        match self.subject.kind() {
            SubjectKind::Key(key) if extra.adopters.has(key) => {
                trace.rule(Rule::EarlyAdopter);
                trace.adopter(|| extra.adopters.which(key).cloned());
                Some(value_of(entry, true, Reason::TargetingMatch))
            }
            SubjectKind::Absent if extra.interpolation.is_none() => {
                trace.expires(next_point());
                Some(key_missing(entry, trace))
            }
            _ => {
                trace.passed(Rule::EarlyAdopter, "the key is not among them");
                None
            }
        }
    }

    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    fn by_share<'t>(
        &self,
        entry: Entry<'s>,
        extra: Option<&Extra>,
        timeline: impl Fn() -> Timeline<'t>,
        trace: &mut impl Trace,
    ) -> Decision<'s> {
        let (now, record) = (self.moment.now, entry.record);
        // Most ramps are over.
        let segment = if now > record.moves_until { Segment::Level(record.rest) } else { timeline().segment(now) };
        let rolling_back = extra.and_then(|extra| extra.rollback).is_some_and(|fall| now >= fall.start);
        trace.rule(if rolling_back { Rule::Rollback } else { Rule::Ramp });
        trace.share(|| {
            let (position, timeline) = (self.position(entry), timeline());
            Facts {
                position,
                share: segment.share(),
                flips: position.map(|position| timeline.flips(position, now)).unwrap_or_default(),
                until: if position.is_none() { timeline.next_point(now) } else { timeline.foreseen(now) },
                ramp_instant: shown_instant(&timeline, now),
            }
        });
        if let Some(has_new) = segment.unanimous() {
            let is_fixed = record.points.1 == 0 && extra.is_none_or(|extra| !extra.is_targeted());
            let reason = if is_fixed { Reason::Static } else { Reason::Split };
            return value_of(entry, has_new, reason);
        }
        let Some(position) = self.position(entry) else { return key_missing(entry, trace) };
        value_of(entry, segment.has_new(position), Reason::Split)
    }

    /// The subject's position for this flag; `None` without a key.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    fn position(&self, entry: Entry<'_>) -> Option<Position> {
        let record = entry.record;
        let key = match self.subject.kind() {
            SubjectKind::Key(key) => key,
            SubjectKind::Drawn(position) => return Some(position),
            SubjectKind::Absent => return self.position_by_attribute(entry),
        };
        match record.hash {
            RecordHash::Algorithm(HashAlgorithm::Xxh3) => Some(bucket::xxh3_position(record.seed, key)),
            _ => self.slow_position(entry, key),
        }
    }

    #[inline(never)]
    fn slow_position(&self, entry: Entry<'_>, key: &str) -> Option<Position> {
        let record = entry.record;
        match record.hash {
            RecordHash::Algorithm(HashAlgorithm::Sha1) if record.salt == NONE => Some(self.subject.unsalted_sha1(key)),
            RecordHash::ByAttribute => self.position_by_attribute(entry),
            hash => Some(position_of(entry, hash, key)),
        }
    }

    /// The position of a flag that hashes an attribute instead of the key; `None` for other flags, and where a subject has no
    /// such attribute.
    #[cold]
    fn position_by_attribute(&self, entry: Entry<'_>) -> Option<Position> {
        let bucket_by = entry.bucket_by()?;
        bucket_by.with_text(self.subject, |text| position_of(entry, bucket_by.hash, text))
    }
}

/// The position of a text by the hash of a flag.
fn position_of(entry: Entry<'_>, hash: RecordHash, text: &str) -> Position {
    let record = entry.record;
    match hash {
        RecordHash::Algorithm(HashAlgorithm::Xxh3) => bucket::xxh3_position(record.seed, text),
        RecordHash::Algorithm(algorithm) => algorithm.position(entry.core.salt(record).unwrap_or_default(), text),
        RecordHash::Custom | RecordHash::ByAttribute => entry.custom_position(text),
    }
}

/// The entry has no lock and is enabled.
#[inline]
fn passed_switches(trace: &mut impl Trace) {
    trace.passed(Rule::DocumentLock, "there is none");
    trace.passed(Rule::Disabled, "the flag is enabled");
}

/// `new` if the key has it and the entry has one; otherwise `stable`.
#[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
#[inline(always)]
#[expect(clippy::needless_bitwise_bool, reason = "a lazy operator is a branch, and this one cannot be foreseen")]
fn value_of(entry: Entry<'_>, has_new: bool, reason: Reason) -> Decision<'_> {
    let Entry { core, record } = entry;
    // The processor cannot predict which of the two a key has, so there should be no branch.
    let has_new = has_new & (record.new != NONE);
    let id = select_unpredictable(has_new, record.new, record.stable);
    let variant = select_unpredictable(has_new, Variant::New, Variant::Stable);
    Decision { answer: core.values.answer(id), variant: Some(variant), reason, error: None }
}

#[cold]
fn key_missing<'s>(entry: Entry<'s>, trace: &mut impl Trace) -> Decision<'s> {
    trace.rule(Rule::KeyMissing);
    let stable = value_of(entry, false, Reason::Error);
    Decision { error: Some(ErrorCode::TargetingKeyMissing), ..stable }
}

#[cold]
fn not_found<'s>(trace: &mut impl Trace) -> Decision<'s> {
    trace.rule(Rule::UnknownFlag);
    caller_default(Reason::Error, Some(ErrorCode::FlagNotFound))
}

fn caller_default<'s>(reason: Reason, error: Option<ErrorCode>) -> Decision<'s> {
    Decision { answer: Answer::CallerDefault, variant: None, reason, error }
}

fn interpolated<'s>(answer: Answer<'static>) -> Decision<'s> {
    Decision { answer, variant: Some(Variant::Interpolated), reason: Reason::TargetingMatch, error: None }
}

/// The instant on the ramp's own clock, for a flag with a lease.
fn shown_instant(timeline: &Timeline<'_>, now: Micros) -> Option<Micros> {
    timeline.is_leased().then(|| timeline.ramp_instant(now))
}

/// The first whole second after `second` at which the interpolated number can change.
fn next_number(timeline: &Timeline<'_>, second: Micros, segment: Segment) -> Option<Micros> {
    let next_second = second.saturating_add(Span::SECOND);
    let point = timeline.next_point(second).map(|point| point.ceil_to_second().max(next_second));
    match segment {
        Segment::Level(_) => point,
        Segment::Rise(..) | Segment::Fall(..) => earliest(Some(next_second), point),
    }
}

/// The boolean of one of the flag's variants; `None` if its value is not a boolean.
pub(crate) fn bool_of(record: &Record, has_new: bool) -> Option<bool> {
    Values::as_bool(if has_new && record.new != NONE { record.new } else { record.stable })
}
