//! The rules of a flag: the first one whose condition holds decides.

use std::cell::Cell;

use super::{Query, decide_within, key_missing, value_of};
use crate::attributes::{Attributes, Found};
use crate::change::{Flips, earliest};
use crate::condition::{Context, Prerequisite};
use crate::document::{self, Condition, condition_text};
use crate::snapshot::{CompiledRule, Entry, Extra, Served, Targeting};
use crate::trace::{Facts, Part, Trace, Validity};
use crate::{Decision, Micros, Point, Reason, Rule, Share, limits};

/// How many other flags an evaluation may still ask for. Within one document the reader has counted them; flags of several
/// documents could ask for each other for ever.
pub(super) struct Asking {
    left: Cell<usize>,
    /// A flag was not asked for because none was left, so conditions that needed it do not count.
    is_exhausted: Cell<bool>,
}

impl Asking {
    fn new() -> Self {
        Self { left: Cell::new(limits::PREREQUISITES_MAX), is_exhausted: Cell::new(false) }
    }
}

impl<'s> Query<'s, '_> {
    /// What the first rule whose condition holds serves; `None` if none does. `share` is that of everyone whom no rule decides
    /// about, and `until` an instant before which nothing but the rule's own ramp changes.
    pub(super) fn by_rules(
        &self,
        entry: Entry<'s>,
        extra: &'s Extra,
        share: impl FnOnce() -> Share,
        until: Option<Micros>,
        trace: &mut impl Trace,
    ) -> Option<Decision<'s>> {
        let targeting = extra.targeting.as_deref().filter(|targeting| !targeting.rules.is_empty())?;
        if extra.adopters_leave.is_some_and(|leave| self.moment.now >= leave) {
            trace.passed(Rule::Targeting, "the rollback to 0 has ended");
            return None;
        }
        let rule = self.matching_rule(entry, targeting, trace)?;
        Some(self.serve(entry, extra, rule, share, until, trace))
    }

    /// The decision of a flag that has rules and, besides values and a ramp, nothing else: see [`RecordKind::Targeted`].
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    pub(super) fn by_rules_alone(&self, entry: Entry<'s>, trace: &mut impl Trace) -> Decision<'s> {
        let extra = entry.extra();
        let rule = extra.and_then(|extra| self.matching_rule(entry, extra.targeting.as_deref()?, trace));
        let (Some(extra), Some(rule)) = (extra, rule) else { return self.by_share_of(entry, extra, trace) };
        let share = || self.timeline(entry, Some(extra)).segment(self.moment.now).share();
        self.serve(entry, extra, rule, share, None, trace)
    }

    #[inline(never)]
    fn by_share_of(&self, entry: Entry<'s>, extra: Option<&'s Extra>, trace: &mut impl Trace) -> Decision<'s> {
        self.by_share(entry, extra, || self.timeline(entry, extra), trace)
    }

    /// The first rule whose condition holds.
    #[inline(never)]
    fn matching_rule(
        &self,
        entry: Entry<'s>,
        targeting: &'s Targeting,
        trace: &mut impl Trace,
    ) -> Option<&'s CompiledRule> {
        if targeting.prerequisites.is_empty() {
            return self.first_rule(entry, targeting, None, trace);
        }
        self.matching_rule_with_prerequisites(entry, targeting, trace)
    }

    #[inline(never)]
    fn matching_rule_with_prerequisites(
        &self,
        entry: Entry<'s>,
        targeting: &'s Targeting,
        trace: &mut impl Trace,
    ) -> Option<&'s CompiledRule> {
        let first = Asking::new();
        self.first_rule(entry, targeting, Some(self.asking.unwrap_or(&first)), trace)
    }

    #[expect(clippy::inline_always, reason = "without prerequisites nothing is left of asking")]
    #[inline(always)]
    fn first_rule(
        &self,
        entry: Entry<'s>,
        targeting: &'s Targeting,
        asking: Option<&Asking>,
        trace: &mut impl Trace,
    ) -> Option<&'s CompiledRule> {
        let mut subject = Subject { query: self, entry, scope: Scope::Rule(targeting, 0), asking, trace };
        for (number, rule) in targeting.rules.iter().enumerate() {
            subject.scope = Scope::Rule(targeting, number);
            let mut held = rule.when.holds(&mut subject);
            if let Some(asking) = asking {
                // A prerequisite that was not asked for makes the condition unknown, also where it stands in a `not`.
                held &= !asking.is_exhausted.get();
                if self.asking.is_none() {
                    asking.is_exhausted.set(false);
                }
            }
            subject.trace.tried(number, || subject.scope.rule().map_or("", |rule| &rule.name), held);
            if held {
                return Some(rule);
            }
        }
        None
    }

    /// What a rule serves whose condition holds.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    fn serve(
        &self,
        entry: Entry<'s>,
        extra: &'s Extra,
        rule: &'s CompiledRule,
        share: impl FnOnce() -> Share,
        until: Option<Micros>,
        trace: &mut impl Trace,
    ) -> Decision<'s> {
        trace.rule(Rule::Targeting);
        let has_new = match &rule.serve {
            Served::Ramp(points) => return self.by_rule_ramp(entry, extra, points, until, trace),
            Served::New => true,
            Served::Stable | Served::Choice(_) => false,
        };
        trace.share(|| Facts {
            position: self.position(entry),
            share: share(),
            // At the end of a rollback to 0 rules no longer decide.
            flips: Flips { on: None, off: extra.adopters_leave.filter(|_| !matches!(rule.serve, Served::Stable)) },
            until,
            ramp_instant: None,
        });
        match &rule.serve {
            Served::Choice(choice) => self.served(entry, extra, choice, trace),
            _ => value_of(entry, has_new, Reason::TargetingMatch),
        }
    }

    #[inline(never)]
    fn by_rule_ramp(
        &self,
        entry: Entry<'s>,
        extra: &'s Extra,
        points: &'s [Point],
        until: Option<Micros>,
        trace: &mut impl Trace,
    ) -> Decision<'s> {
        let now = self.moment.now;
        let flag = self.timeline(entry, Some(extra));
        let timeline = flag.rule(points);
        let segment = timeline.segment(now);
        trace.share(|| {
            let position = self.position(entry);
            let next = if position.is_none() { timeline.next_point(now) } else { flag.foreseen(now) };
            Facts {
                position,
                share: segment.share(),
                flips: position.map(|position| timeline.flips(position, now, extra.adopters_leave)).unwrap_or_default(),
                until: earliest(next, until),
                ramp_instant: super::shown_instant(&flag, now),
            }
        });
        if let Some(has_new) = segment.unanimous() {
            return value_of(entry, has_new, Reason::TargetingMatch);
        }
        let Some(position) = self.position(entry) else { return key_missing(entry, trace) };
        value_of(entry, segment.has_new(position), Reason::TargetingMatch)
    }

    /// The instants at which the subject changes variant by the rule that decides about it; `None` if no rule does.
    pub(super) fn rule_flips(&self, entry: Entry<'s>, extra: &'s Extra) -> Option<Flips> {
        let mut validity = Validity::default();
        self.by_rules(entry, extra, || Share::ZERO, None, &mut validity)?;
        Some(validity.flips())
    }
}

/// What a condition is evaluated with: the subject of a query, and where its parts are reported.
struct Subject<'s, 'q, 't, T> {
    query: &'t Query<'s, 'q>,
    entry: Entry<'s>,
    scope: Scope<'s>,
    /// `None` if no condition of the flag asks for another one.
    asking: Option<&'t Asking>,
    trace: &'t mut T,
}

/// Whose condition it is.
#[derive(Clone, Copy)]
enum Scope<'s> {
    /// That of the rule with this number.
    Rule(&'s Targeting, usize),
    Segment(&'s document::Segment),
}

impl<'s> Scope<'s> {
    /// The rule as the document has it.
    fn rule(self) -> Option<&'s document::TargetingRule> {
        match self {
            Self::Rule(targeting, number) => targeting.source.rules.get(number),
            Self::Segment(_) => None,
        }
    }

    /// A part of the condition as the document has it.
    fn part(self, leaf: u32) -> Option<&'s Condition> {
        let condition = match self {
            Self::Rule(..) => &self.rule()?.when,
            Self::Segment(segment) => &segment.when,
        };
        let mut leaves = Vec::new();
        condition.leaves(&mut |leaf| leaves.push(leaf));
        leaves.get(leaf as usize).copied()
    }

    fn segment(self) -> Option<&'s str> {
        match self {
            Self::Rule(..) => None,
            Self::Segment(segment) => Some(&segment.name),
        }
    }
}

impl<'q, T: Trace> Context<'q> for Subject<'_, 'q, '_, T> {
    #[inline]
    fn key(&self) -> Option<&'q &'q str> {
        self.query.subject.key_ref()
    }

    #[inline]
    fn attributes(&self) -> Attributes<'q> {
        self.query.subject.attributes()
    }

    #[inline(never)]
    fn is_in_segment(&mut self, segment: u32) -> bool {
        let Some(segment) = self.entry.core.segments.get(segment as usize) else { return false };
        let mut inner = Subject {
            query: self.query,
            entry: self.entry,
            scope: Scope::Segment(&segment.source),
            asking: self.asking,
            trace: &mut *self.trace,
        };
        segment.when.holds(&mut inner)
    }

    #[inline(never)]
    fn has_variant(&mut self, prerequisite: &Prerequisite) -> bool {
        let Some(asking) = self.asking else { return false };
        let Some(left) = asking.left.get().checked_sub(1) else {
            asking.is_exhausted.set(true);
            return false;
        };
        asking.left.set(left);
        let snapshot = self.query.snapshot;
        let flag = snapshot.find(prerequisite.flag.section(), prerequisite.flag.flag());
        let query = Query { asking: Some(asking), ..*self.query };
        let mut inner = self.trace.inner();
        let decision = decide_within(&query, flag, &mut inner);
        self.trace.join(inner, self.query.moment.now);
        decision.variant_name() == Some(&*prerequisite.is)
    }

    #[inline]
    fn leaf(&mut self, leaf: u32, held: bool, found: Option<Found<'q>>) {
        self.trace.part(|| Part {
            condition: self.scope.part(leaf).map_or_else(String::new, condition_text),
            segment: self.scope.segment().map(str::to_owned),
            held,
            found: found.map(Found::to_json),
        });
    }
}
