//! The rules of a flag: the first one whose condition holds decides.

use std::cell::Cell;

use super::{Query, decide_within, key_missing, value_of};
use crate::attributes::{Attributes, Found};
use crate::change::{Flips, earliest};
use crate::condition::{Context, Prerequisite};
use crate::document::{Condition, condition_text};
use crate::snapshot::{CompiledRule, Entry, Extra, Served};
use crate::trace::{Facts, Part, Trace, Validity};
use crate::{Decision, Micros, Reason, Rule, Share, limits};

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
    #[inline(never)]
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
        let first = Asking::new();
        let asking = self.asking.unwrap_or(&first);
        let rule = (0..).zip(&targeting.rules).find(|(number, rule)| {
            let source = targeting.source.rules.get(*number);
            let mut subject = Subject {
                query: self,
                entry,
                condition: source.map(|rule| &rule.when),
                segment: None,
                asking,
                trace: &mut *trace,
            };
            let held = rule.when.holds(&mut subject);
            // A prerequisite that was not asked for makes the condition unknown, also where it stands in a `not`.
            let held = held && !asking.is_exhausted.get();
            if self.asking.is_none() {
                asking.is_exhausted.set(false);
            }
            trace.tried(*number, || source.map_or("", |rule| &rule.name), held);
            held
        });
        let (_, rule) = rule?;
        trace.rule(Rule::Targeting);
        Some(self.serve(entry, extra, rule, share, until, trace))
    }

    fn serve(
        &self,
        entry: Entry<'s>,
        extra: &'s Extra,
        rule: &'s CompiledRule,
        share: impl FnOnce() -> Share,
        until: Option<Micros>,
        trace: &mut impl Trace,
    ) -> Decision<'s> {
        let points = match &rule.serve {
            Served::Ramp(points) => points,
            served => {
                let has_new = matches!(served, Served::New);
                // At the end of a rollback to 0 rules no longer decide.
                let off = extra.adopters_leave.filter(|_| !matches!(served, Served::Stable));
                trace.share(|| Facts {
                    position: self.position(entry),
                    share: share(),
                    flips: Flips { on: None, off },
                    until,
                    ramp_instant: None,
                });
                return match served {
                    Served::Choice(choice) => self.served(entry, extra, choice, trace),
                    _ => value_of(entry, has_new, Reason::TargetingMatch),
                };
            }
        };
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
    /// The condition as the document has it.
    condition: Option<&'s Condition>,
    /// The segment whose condition it is.
    segment: Option<&'s str>,
    asking: &'t Asking,
    trace: &'t mut T,
}

impl<'q, T: Trace> Context<'q> for Subject<'_, 'q, '_, T> {
    #[inline]
    fn key(&self) -> Option<&'q str> {
        self.query.subject.as_key()
    }

    #[inline]
    fn attributes(&self) -> Attributes<'q> {
        self.query.subject.attributes()
    }

    fn is_in_segment(&mut self, segment: u32) -> bool {
        let Some(segment) = self.entry.core.segments.get(segment as usize) else { return false };
        let mut inner = Subject {
            query: self.query,
            entry: self.entry,
            condition: Some(&segment.source.when),
            segment: Some(&segment.source.name),
            asking: self.asking,
            trace: &mut *self.trace,
        };
        segment.when.holds(&mut inner)
    }

    fn has_variant(&mut self, prerequisite: &Prerequisite) -> bool {
        let asking = self.asking;
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
        self.trace.part(|| {
            let mut leaves = Vec::new();
            if let Some(condition) = self.condition {
                condition.leaves(&mut |leaf| leaves.push(leaf));
            }
            Part {
                condition: leaves.get(leaf as usize).map_or_else(String::new, |leaf| condition_text(leaf)),
                segment: self.segment.map(str::to_owned),
                held,
                found: found.map(Found::to_json),
            }
        });
    }
}
