//! The shares of flags over time, as `plan` shows them and `simulate` steps through them.
//!
//! The forecast is that of a fleet, not of this host: locks of this host and leases are ignored, so that
//! every share is a pure function of time.

mod json;
mod movement;

use std::collections::BTreeSet;

use crate::document::Serve;
use crate::lease::Clocks;
use crate::{Change, Flag, Micros, Moment, Share, Span};

pub use movement::{Bounds, Movement, Movements};

/// The flags that are looked at, over a stretch of time.
#[derive(Debug)]
pub struct Forecast<'s> {
    /// The first instant that is shown.
    pub from: Micros,
    /// The last instant that is shown; after `from`.
    pub to: Micros,
    /// The wall clock.
    pub now: Micros,
    /// The flags.
    pub curves: Vec<Curve<'s>>,
}

/// One flag and its way.
#[derive(Debug)]
pub struct Curve<'s> {
    /// The flag.
    pub flag: Flag<'s>,
    /// The flag's key and, for the ramp of a rule, the rule's name.
    pub name: String,
    /// The number of the rule whose ramp it is; `None`: the flag's own ramp.
    pub rule: Option<usize>,
    /// Every instant at which the share takes another course, in order.
    pub changes: Vec<Change>,
}

/// A time in which several flags move at once.
#[derive(Debug, Eq, PartialEq)]
pub struct Overlap {
    /// Its first instant.
    pub from: Micros,
    /// Its end.
    pub to: Micros,
    /// How many flags move at once when it is most.
    pub most: usize,
    /// The curves that move in that time, by their numbers.
    pub curves: BTreeSet<usize>,
}

impl<'s> Forecast<'s> {
    /// The forecast on these flags. Where no stretch is given it goes from the earliest to the latest change
    /// around now; changes more than [`NEAR`] away count only where there is none nearer.
    pub fn new(flags: impl Iterator<Item = Flag<'s>>, now: Micros, from: Option<Micros>, to: Option<Micros>) -> Self {
        Self::from_curves(flags.flat_map(Curve::all).collect(), now, from, to)
    }

    /// The same of curves that the caller has made one by one: a flag with many rules has many.
    pub fn from_curves(curves: Vec<Curve<'s>>, now: Micros, from: Option<Micros>, to: Option<Micros>) -> Self {
        let changes = || curves.iter().flat_map(|curve| &curve.changes).map(|change| change.at);
        let (first, last) = stretch(changes, now);
        let from = from.unwrap_or_else(|| to.map_or(first, |to| first.min(to.saturating_sub(Span::SECOND))));
        let to = to.unwrap_or_else(|| last.max(from.saturating_add(Span::SECOND)));
        Self { from, to, now, curves }
    }

    /// The instant so far into the stretch, of `whole` parts.
    pub fn instant(&self, part: usize, whole: usize) -> Micros {
        let length = u128::from(self.to.since(self.from).get());
        let into = length * part as u128 / whole.max(1) as u128;
        self.from.saturating_add(Span::from_micros(u64::try_from(into).unwrap_or(u64::MAX)))
    }

    /// How far into the stretch the instant lies, from 0 to 1; `None` outside of it.
    #[expect(clippy::cast_precision_loss, reason = "a place on a picture, not a decision")]
    pub fn place(&self, instant: Micros) -> Option<f64> {
        let length = self.to.since(self.from).get();
        (instant >= self.from && instant <= self.to)
            .then(|| instant.since(self.from).get() as f64 / length.max(1) as f64)
    }

    /// The changes after now and in the stretch, in time order, each with its curve.
    pub fn coming(&self) -> Vec<(&Curve<'s>, Change)> {
        let is_coming = |change: &&Change| change.at > self.now && change.at >= self.from && change.at <= self.to;
        let mut coming: Vec<_> = self
            .curves
            .iter()
            .flat_map(|curve| curve.changes.iter().filter(is_coming).map(move |change| (curve, *change)))
            .collect();
        coming.sort_by_key(|(_, change)| change.at);
        coming
    }

    /// The times of the stretch in which two or more flags move at once.
    pub fn overlaps(&self) -> Vec<Overlap> {
        let mut events: Vec<(Micros, bool, usize)> = Vec::new();
        for (number, curve) in self.curves.iter().enumerate() {
            for (from, to) in curve.moves() {
                let (from, to) = (from.max(self.from), to.min(self.to));
                if from < to {
                    events.push((from, true, number));
                    events.push((to, false, number));
                }
            }
        }
        // An end comes before a beginning at the same instant: the two do not overlap.
        events.sort_unstable();
        overlaps(&events)
    }
}

impl<'s> Curve<'s> {
    /// The whole way of a flag, and those of its rules that have a ramp.
    pub fn all(flag: Flag<'s>) -> Vec<Self> {
        let rules = flag.targeting().map(|targeting| targeting.rules.as_slice()).unwrap_or_default();
        let with_ramp = rules.iter().enumerate().filter(|(_, rule)| matches!(rule.serve, Serve::Ramp(_)));
        let of_rules = with_ramp.map(|(number, rule)| {
            let name = format!("{}, rule {}", flag.key(), rule.name);
            Self::along(flag, &name, Some(number), |moment| flag.next_rule_change(number, moment))
        });
        std::iter::once(Self::new(flag)).chain(of_rules).collect()
    }

    /// The whole way of a flag.
    pub fn new(flag: Flag<'s>) -> Self {
        Self::along(flag, &flag.key().to_string(), None, |moment| flag.next_change(moment))
    }

    fn along(flag: Flag<'s>, name: &str, rule: Option<usize>, next: impl Fn(&Moment<'_>) -> Option<Change>) -> Self {
        let mut changes = Vec::new();
        let mut moment = Moment { now: Micros::MIN, leases: SYNCED };
        while let Some(change) = next(&moment) {
            changes.push(change);
            moment.now = change.at;
        }
        Self { flag, name: name.to_owned(), rule, changes }
    }

    /// The name of the rule whose ramp it is.
    pub fn rule_name(&self) -> Option<&'s str> {
        self.flag.targeting()?.rules.get(self.rule?).map(|rule| &*rule.name)
    }

    /// The share on `new` at an instant.
    pub fn share_at(&self, instant: Micros) -> Share {
        let moment = Moment { now: instant, leases: SYNCED };
        match self.rule {
            None => self.flag.share_at(&moment),
            Some(rule) => self.flag.rule_share_at(rule, &moment).unwrap_or(Share::ZERO),
        }
    }

    /// Whether the share is not the same throughout the stretch.
    pub fn changes_within(&self, from: Micros, to: Micros) -> bool {
        self.changes.iter().any(|change| change.at > from && change.at <= to)
            || self.share_at(from) != self.share_at(to)
    }

    /// The stretches in which the share moves.
    fn moves(&self) -> impl Iterator<Item = (Micros, Micros)> {
        self.changes.windows(2).filter_map(|pair| {
            let [from, to] = pair else { return None };
            let before_the_end = to.at.saturating_sub(Span::from_micros(1));
            (self.share_at(from.at) != self.share_at(before_the_end)).then_some((from.at, to.at))
        })
    }

    /// The corners of the share's line from `from` to `to`, with both sides of each jump.
    pub fn corners(&self, from: Micros, to: Micros) -> Vec<(Micros, Share)> {
        let mut corners = vec![(from, self.share_at(from))];
        for change in self.changes.iter().filter(|change| change.at > from && change.at < to) {
            let before = self.share_at(change.at.saturating_sub(Span::from_micros(1)));
            corners.push((change.at, before));
            if change.share.get().abs_diff(before.get()) > JUMP_LEAST {
                corners.push((change.at, change.share));
            }
        }
        corners.push((to, self.share_at(to)));
        corners
    }
}

/// The stretch from the first to the last change around now, with a margin.
fn stretch<I: Iterator<Item = Micros>>(changes: impl Fn() -> I, now: Micros) -> (Micros, Micros) {
    let near = |at: &Micros| now.since(*at) <= NEAR && at.since(now) <= NEAR;
    let bounds = |mut changes: Box<dyn Iterator<Item = Micros> + '_>| {
        let first = changes.next()?;
        Some(changes.fold((first, first), |(from, to), at| (from.min(at), to.max(at))))
    };
    let found = bounds(Box::new(changes().filter(near))).or_else(|| bounds(Box::new(changes())));
    let Some((mut from, mut to)) = found else {
        return (now.saturating_sub(MARGIN_LEAST), now.saturating_add(MARGIN_LEAST));
    };
    // Now belongs on the picture unless that would press everything else into a corner.
    let length = to.since(from);
    if from.since(now) <= length && now.since(to) <= length {
        (from, to) = (from.min(now), to.max(now));
    }
    let margin = Span::from_micros(to.since(from).get() / MARGIN_PART);
    let margin = if margin == Span::ZERO { MARGIN_LEAST } else { margin };
    (from.saturating_sub(margin), to.saturating_add(margin))
}

/// The times in which two or more move at once, from beginnings and ends in time order.
fn overlaps(events: &[(Micros, bool, usize)]) -> Vec<Overlap> {
    let mut overlaps: Vec<Overlap> = Vec::new();
    let mut moving: BTreeSet<usize> = BTreeSet::new();
    let mut open: Option<Overlap> = None;
    for &(at, begins, number) in events {
        if begins {
            moving.insert(number);
        } else {
            moving.remove(&number);
        }
        match &mut open {
            None if moving.len() >= 2 => {
                open = Some(Overlap { from: at, to: at, most: moving.len(), curves: moving.clone() });
            }
            Some(overlap) if begins => {
                overlap.most = overlap.most.max(moving.len());
                overlap.curves.insert(number);
            }
            Some(overlap) if moving.len() < 2 => {
                overlap.to = at;
                overlaps.extend(open.take());
            }
            _ => {}
        }
    }
    join(overlaps)
}

/// One overlap instead of two that follow each other at once with the same flags, as at a corner.
fn join(overlaps: Vec<Overlap>) -> Vec<Overlap> {
    let mut joined: Vec<Overlap> = Vec::new();
    for overlap in overlaps {
        match joined.last_mut() {
            Some(last) if last.to == overlap.from => {
                last.to = overlap.to;
                last.most = last.most.max(overlap.most);
                last.curves.extend(overlap.curves);
            }
            _ => joined.push(overlap),
        }
    }
    joined
}

/// Leases are ignored.
const SYNCED: &Clocks = &Clocks::synced();
/// A smaller step within a microsecond is no jump but the ramp itself: a ten-thousandth of a per cent.
const JUMP_LEAST: u64 = Share::FULL.get() / 1_000_000;
/// Turns further away do not stretch the picture: a flag of last decade says nothing of this week.
pub const NEAR: Span = Span::from_micros(400 * 86_400_000_000);
/// The margin on each side, as a part of the whole.
const MARGIN_PART: u64 = 24;
/// The margin where there is no length to take a part of: a day.
const MARGIN_LEAST: Span = Span::from_micros(86_400_000_000);
