//! Counts how many keys have which variant, at several instants.
//!
//! A key has `new` from its flip to its flip back. So each key adds one at the first of the instants after its flip and
//! subtracts one at the first after its flip back, and a running sum gives the counts. The result is the same as evaluating each
//! key at each instant.

mod json;

use crate::forecast::Curve;
use crate::lease::Clocks;
use crate::{Flag, FlagIndex, Micros, Moment, Reason, Snapshot, Span, Subject, Variant};

/// Counts of a population at each of some instants.
#[derive(Debug)]
pub struct Tally<'s> {
    snapshot: &'s Snapshot,
    flag: Flag<'s>,
    index: FlagIndex,
    instants: Vec<Micros>,
    /// For each instant and one more: how many keys come to `new` there, less those that leave.
    changes: Vec<i64>,
    /// The names of the flag's variants, and for each instant how many keys have each of them.
    variants: Vec<&'s str>,
    named: Vec<Vec<u64>>,
    population: u64,
}

/// How many keys have which variant at an instant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Counts {
    /// The instant.
    pub at: Micros,
    /// Keys that have `stable`.
    pub stable: u64,
    /// Keys that have `new`.
    pub new: u64,
    /// Keys that have a number between both.
    pub interpolated: u64,
    /// How many have which named variant, in the order of the document; empty for a flag without.
    pub named: Vec<(String, u64)>,
}

/// Why there are no steps to count at.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StepsError {
    /// A step has no length.
    #[error("a step is zero")]
    Zero,
    /// No beginning or no end is given, and the share of the flag never moves.
    #[error("the share of this flag never moves, so there is no time to step through")]
    NeverMoves,
    /// The end lies before the beginning.
    #[error("the steps would begin at {from} and end before that, at {to}")]
    Backwards {
        /// The beginning.
        from: Micros,
        /// The end.
        to: Micros,
    },
    /// There are more steps than the caller allows.
    #[error("there are {count} instants, too many")]
    TooMany {
        /// How many instants there would be.
        count: u64,
    },
}

/// The instants from `from` to `to` in steps of `every`, both ends included; without them from the first to the last change of
/// the flag's share.
///
/// # Errors
///
/// [`StepsError`]: there are no such instants, or more than `max`.
pub fn steps(
    flag: Flag<'_>,
    every: Span,
    from: Option<Micros>,
    to: Option<Micros>,
    max: u64,
) -> Result<Vec<Micros>, StepsError> {
    if every == Span::ZERO {
        return Err(StepsError::Zero);
    }
    let curves = Curve::all(flag);
    let changes = curves.first().map(|curve| &*curve.changes).unwrap_or_default();
    let (first, last) = (changes.first().map(|change| change.at), changes.last().map(|change| change.at));
    let (Some(from), Some(to)) = (from.or(first), to.or(last)) else { return Err(StepsError::NeverMoves) };
    if from > to {
        return Err(StepsError::Backwards { from, to });
    }
    let steps = to.since(from).get() / every.get();
    if steps >= max {
        return Err(StepsError::TooMany { count: steps.saturating_add(1) });
    }
    let mut instants: Vec<Micros> =
        (0..=steps).map(|step| from.saturating_add(Span::from_micros(every.get().saturating_mul(step)))).collect();
    instants.extend(instants.last().is_some_and(|last| *last < to).then_some(to));
    Ok(instants)
}

impl Counts {
    /// How many keys there are.
    pub fn population(&self) -> u64 {
        self.stable + self.new + self.interpolated
    }
}

impl<'s> Tally<'s> {
    /// Counts to be made at these instants, which are in order.
    pub fn new(snapshot: &'s Snapshot, flag: Flag<'s>, instants: Vec<Micros>) -> Self {
        let changes = vec![0; instants.len() + 1];
        let variants = flag.variants().into_iter().flat_map(|variants| &variants.values);
        let variants: Vec<&str> = variants.map(|variant| &*variant.name).collect();
        let named = vec![vec![0; variants.len()]; instants.len()];
        Self { snapshot, index: flag.index(), flag, instants, changes, variants, named, population: 0 }
    }

    /// Adds one subject to the population.
    pub fn add(&mut self, subject: &Subject<'_>) {
        self.population += 1;
        let has_rules = self.flag.targeting().is_some_and(|targeting| !targeting.rules.is_empty());
        if has_rules || !self.variants.is_empty() {
            return self.add_by_evaluation(subject);
        }
        let flips = self.flag.flips(subject, &ALWAYS);
        let on = match flips.on {
            Some(on) if !self.flag.interpolates() => on,
            _ if self.is_early(subject) => Micros::MIN,
            _ => return,
        };
        self.change(on, 1);
        if let Some(off) = flips.off {
            self.change(off, -1);
        }
    }

    /// A rule may depend on other flags, so that a subject flips more than twice, and a named variant is known by evaluation
    /// only: the subject is evaluated at each instant.
    fn add_by_evaluation(&mut self, subject: &Subject<'_>) {
        for (number, now) in self.instants.iter().enumerate() {
            let moment = Moment { now: *now, leases: SYNCED };
            let decision = self.snapshot.evaluate(Some(self.index), subject, &moment);
            let place = self.variants.iter().position(|name| Some(*name) == decision.variant_name());
            if let Some(count) = place.and_then(|place| self.named.get_mut(number)?.get_mut(place)) {
                *count += 1;
            }
            if decision.variant == Some(Variant::New)
                && let Some([on, off]) = self.changes.get_mut(number..=number + 1)
            {
                *on += 1;
                *off -= 1;
            }
        }
    }

    /// Whether the key has `new` before anything begins: an early adopter.
    fn is_early(&self, subject: &Subject<'_>) -> bool {
        if self.flag.early_adopters().is_empty() {
            return false;
        }
        let decision = self.snapshot.evaluate(Some(self.index), subject, &ALWAYS);
        decision.variant == Some(Variant::New) && decision.reason == Reason::TargetingMatch
    }

    fn change(&mut self, from: Micros, by: i64) {
        let first = self.instants.partition_point(|instant| *instant < from);
        if let Some(change) = self.changes.get_mut(first) {
            *change += by;
        }
    }

    /// The counts at each instant.
    pub fn counts(&self) -> Vec<Counts> {
        let mut running = 0_i64;
        let count = |((at, change), named): ((&Micros, &i64), &Vec<u64>)| {
            running += change;
            let with_new = u64::try_from(running).unwrap_or(0);
            let named = self.variants.iter().zip(named).map(|(name, count)| ((*name).to_owned(), *count));
            Counts { named: named.collect(), ..self.counts_at(*at, with_new) }
        };
        self.instants.iter().zip(&self.changes).zip(&self.named).map(count).collect()
    }

    /// Who has what, where `with_new` keys are on `new` by ramp, rollback or as early adopters.
    fn counts_at(&self, at: Micros, with_new: u64) -> Counts {
        let all = self.population;
        let (new, interpolated) = match self.flag.lock().filter(|_| self.variants.is_empty()) {
            Some(variant) => (if variant == Variant::New && self.flag.new_value().is_some() { all } else { 0 }, 0),
            None if self.flag.interpolates() => (with_new, all - with_new),
            None => (with_new, 0),
        };
        Counts { at, stable: all - new - interpolated, new, interpolated, named: Vec::new() }
    }
}

/// Leases are ignored.
const SYNCED: &Clocks = &Clocks::synced();
/// Before everything; flips do not depend on it where leases are ignored.
const ALWAYS: Moment<'static> = Moment { now: Micros::MIN, leases: SYNCED };
