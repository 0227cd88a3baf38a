//! Explain: the decision with everything that led to it.

mod json;

use std::borrow::Cow;

use crate::change::{Flips, earliest};
use crate::document::{Adopter, Choice};
use crate::evaluate;
use crate::snapshot::Snapshot;
use crate::trace::{Facts, Trace};

pub use crate::trace::Part;
use crate::{
    Answer, ErrorCode, FlagKey, HashName, HostLock, Micros, Moment, Position, Reason, Rule, Share, Subject, Variant,
};

/// The answer of a flag and everything that led to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The flag that was query.
    pub flag: FlagKey,
    /// The value, compact JSON text; `None` for the caller's default.
    pub value: Option<String>,
    /// Which of the flag's values it is; of a flag with named variants the side that decided.
    pub variant: Option<Variant>,
    /// The name of the variant, if the flag has named ones.
    pub name: Option<String>,
    /// The split that gave the key its variant.
    pub split: Option<Choice>,
    /// Why: OpenFeature's `reason`.
    pub reason: Reason,
    /// What was wrong with the call, if anything was.
    pub error: Option<ErrorCode>,
    /// The rule that decided.
    pub rule: Rule,
    /// The key's position; `None` without a key, or if no position was needed.
    pub position: Option<Position>,
    /// What computed the position: the name of an algorithm, or of the program's own hash. `None` if there is no position, or a
    /// random one.
    pub hash: Option<HashName>,
    /// The share on `new`; `None` if a lock or `enabled` decided.
    pub share: Option<Share>,
    /// When this key gets `new` and when it loses it, by ramp and rollback alone.
    pub flips: Flips,
    /// The next flip of this key; without one, the last flip before now.
    pub flip: Option<Micros>,
    /// Before this instant ramp, rollback and expiry do not change the answer for this key; `None`: they never do.
    pub valid_until: Option<Micros>,
    /// The instant on the ramp's own clock, for a flag with a lease.
    pub ramp_instant: Option<Micros>,
    /// The early adopter that the key matches.
    pub adopter: Option<Adopter>,
    /// The lock of this host that decided.
    pub lock: Option<HostLock>,
    /// The rule of the entry that decided.
    pub targeting: Option<Tried>,
    /// The steps that were looked at before and did not decide, in their order.
    pub passed: Vec<Passed>,
}

/// A rule of an entry that was tried.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tried {
    /// Its name.
    pub name: String,
    /// Its place among the rules of the flag, from 1.
    pub number: usize,
    /// The parts of its condition that were looked at, in their order.
    pub parts: Vec<Part>,
}

/// A step of a decision that did not decide.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Passed {
    /// What would have decided.
    pub step: Rule,
    /// Why it did not.
    pub why: Cow<'static, str>,
    /// The rule that was tried, where the step is one.
    pub tried: Option<Tried>,
}

impl Snapshot {
    /// Evaluates a flag and records everything that led to the answer. The answer is that of [`Snapshot::evaluate`], because
    /// the same code runs with a trace that records.
    ///
    /// ```
    /// use tidegate_engine::lease::Clocks;
    /// use tidegate_engine::{CompileOptions, Micros, Moment, Rule, Subject, compile, read};
    ///
    /// let text = br#"{"shop": {"dark": {"stable": false, "new": true, "lock": "new"}}}"#;
    /// let snapshot = compile(&read(text).unwrap().0, &CompileOptions::default());
    /// let moment = Moment { now: Micros::new(0), leases: &Clocks::synced() };
    /// let explanation = snapshot.explain("shop", "dark", &Subject::key("ann"), &moment);
    /// assert_eq!((explanation.rule, explanation.value.as_deref()), (Rule::DocumentLock, Some("true")));
    /// ```
    pub fn explain(&self, section: &str, flag: &str, subject: &Subject<'_>, moment: &Moment<'_>) -> Explanation {
        let mut recorder = Recorder::default();
        let index = self.find(section, flag);
        let decision = evaluate::decide(self, index, subject, moment, &mut recorder);
        let facts = recorder.facts.unwrap_or_default();
        let valid_until = recorder.valid_until(moment.now);
        Explanation {
            flag: FlagKey::new(section, flag),
            value: decision.answer.to_json().map(Into::into),
            variant: decision.variant,
            name: match decision.answer {
                Answer::Named(named) => Some(named.name().to_owned()),
                _ => None,
            },
            split: recorder.split,
            reason: decision.reason,
            error: decision.error,
            rule: recorder.rule.unwrap_or(Rule::UnknownFlag),
            position: facts.position,
            hash: index
                .filter(|_| facts.position.is_some() && subject.as_key().is_some())
                .map(|index| self.flag(index).hash()),
            share: recorder.facts.map(|facts| facts.share),
            flips: facts.flips,
            flip: facts.flips.nearest(moment.now),
            valid_until,
            ramp_instant: facts.ramp_instant,
            adopter: recorder.adopter,
            lock: recorder.lock,
            targeting: recorder.targeting,
            passed: recorder.passed,
        }
    }
}

impl Explanation {
    /// The name of the variant: that of one of the flag's `variants`; for a flag without, `stable`, `new` or `interpolated`.
    /// `None` for the caller's default and for a value locked on this host.
    pub fn variant_name(&self) -> Option<&str> {
        self.name.as_deref().or(self.variant.map(Variant::as_str))
    }

    /// Whether a caller gets the same of both: value, variant, reason, error and the rule that decided. What led to it, such as
    /// the share, may differ.
    ///
    /// ```
    /// use tidegate_engine::lease::Clocks;
    /// use tidegate_engine::{CompileOptions, Micros, Moment, Subject, compile, read};
    ///
    /// let text = br#"{"a": {"b": {"stable": false, "new": true, "start_time": "2026-01-01 00:00Z", "duration": "9d"}}}"#;
    /// let snapshot = compile(&read(text).unwrap().0, &CompileOptions::default());
    /// let start = 1_767_225_600_000_000;
    /// let [begun, later, ended] = [start, start + 60_000_000, start + 9 * 86_400_000_000].map(|now| {
    ///     let moment = Moment { now: Micros::new(now), leases: &Clocks::synced() };
    ///     snapshot.explain("a", "b", &Subject::key("ann"), &moment)
    /// });
    /// assert!(begun.is_same_decision(&later) && begun.share != later.share);
    /// assert!(!begun.is_same_decision(&ended));
    /// ```
    pub fn is_same_decision(&self, other: &Self) -> bool {
        (&self.value, self.variant_name(), self.variant, self.reason, self.error, self.rule)
            == (&other.value, other.variant_name(), other.variant, other.reason, other.error, other.rule)
    }
}

/// The trace that records what it sees.
#[derive(Debug, Default)]
struct Recorder {
    rule: Option<Rule>,
    expires: Option<Micros>,
    facts: Option<Facts>,
    adopter: Option<Adopter>,
    split: Option<Choice>,
    lock: Option<HostLock>,
    /// The parts of the rule that is being tried.
    parts: Vec<Part>,
    targeting: Option<Tried>,
    passed: Vec<Passed>,
}

impl Recorder {
    /// Before this instant the answer does not change by itself.
    fn valid_until(&self, now: Micros) -> Option<Micros> {
        self.facts.unwrap_or_default().valid_until(self.expires, now)
    }
}

impl Trace for Recorder {
    fn rule(&mut self, rule: Rule) {
        self.rule = Some(rule);
    }

    fn expires(&mut self, until: Option<Micros>) {
        self.expires = earliest(self.expires, until);
    }

    fn lock(&mut self, lock: &HostLock) {
        self.lock = Some(lock.clone());
    }

    fn adopter(&mut self, adopter: impl FnOnce() -> Option<Adopter>) {
        self.adopter = adopter();
    }

    fn split(&mut self, split: impl FnOnce() -> Choice) {
        self.split = Some(split());
    }

    fn share(&mut self, facts: impl FnOnce() -> Facts) {
        self.facts = Some(facts());
    }

    fn passed(&mut self, step: Rule, why: &'static str) {
        self.passed.push(Passed { step, why: why.into(), tried: None });
    }

    fn part(&mut self, part: impl FnOnce() -> Part) {
        self.parts.push(part());
    }

    fn tried<'n>(&mut self, number: usize, name: impl FnOnce() -> &'n str, held: bool) {
        let parts = std::mem::take(&mut self.parts);
        let tried = Tried { name: name().to_owned(), number: number.saturating_add(1), parts };
        if held {
            self.targeting = Some(tried);
        } else {
            let why = "its condition does not hold".into();
            self.passed.push(Passed { step: Rule::Targeting, why, tried: Some(tried) });
        }
    }

    fn inner(&self) -> Self {
        Self::default()
    }

    fn join(&mut self, inner: Self, now: Micros) {
        self.expires = earliest(self.expires, inner.valid_until(now));
    }
}
