//! One flag of a snapshot, for those who look at it rather than ask it.

use std::fmt;

use crate::document::{Adopter, Details};
use crate::plan::{self, Plan};
use crate::timeline::{Timeline, earliest};
use crate::{
    Activation, FlagKey, HashAlgorithm, HostLock, Micros, Moment, Point, Share, Span, Subject, Variant, evaluate,
};

use super::{Entry, FlagIndex, NONE, Record, Snapshot};
use crate::ramp::Fall;

/// One flag of a snapshot.
#[derive(Clone, Copy)]
pub struct Flag<'s> {
    snapshot: &'s Snapshot,
    index: FlagIndex,
    entry: Option<Entry<'s>>,
}

/// The instants at which one key changes variant.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Flips {
    /// From here on it has `new`; `None`: the ramp never brings it there.
    pub on: Option<Micros>,
    /// From here on it has `stable` again; `None`: no rollback takes it back.
    pub off: Option<Micros>,
}

impl Flips {
    /// The next flip after `now`, or the last one there was.
    pub fn nearest(self, now: Micros) -> Option<Micros> {
        match (self.on, self.off) {
            (Some(on), Some(off)) => Some(if on > now { on } else { off }),
            (on, off) => on.or(off),
        }
    }

    /// The next flip after `now`.
    pub fn coming(self, now: Micros) -> Option<Micros> {
        earliest(self.on.filter(|on| *on > now), self.off.filter(|off| *off > now))
    }
}

/// The next turn of a flag's share.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Change {
    /// When it comes.
    pub at: Micros,
    /// The share from that instant on, or at that instant where it moves.
    pub share: Share,
    /// What begins then.
    pub kind: ChangeKind,
}

/// What begins at a [`Change`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChangeKind {
    /// The share begins to rise, or rises at another speed.
    Rises,
    /// The share stays for now.
    Holds,
    /// The share stays for good.
    Ends,
    /// A rollback begins.
    Falls,
    /// A lock or a dial ends by itself.
    Expires,
}

impl ChangeKind {
    /// The word for it in answers and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rises => "rises",
            Self::Holds => "holds",
            Self::Ends => "ends",
            Self::Falls => "falls",
            Self::Expires => "expires",
        }
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl<'s> Flag<'s> {
    pub(super) fn new(snapshot: &'s Snapshot, index: FlagIndex) -> Self {
        Self { snapshot, index, entry: snapshot.entry(index) }
    }

    /// Its place in the snapshot.
    pub fn index(&self) -> FlagIndex {
        self.index
    }

    /// The section's name.
    pub fn section(&self) -> &'s str {
        match (self.entry, self.snapshot.stranger(self.index)) {
            (Some(entry), _) => entry.core.section_name(entry.record.section),
            (None, stranger) => stranger.map_or("", |stranger| &stranger.section),
        }
    }

    /// The flag's name.
    pub fn name(&self) -> &'s str {
        match (self.entry, self.snapshot.stranger(self.index)) {
            (Some(entry), _) => entry.core.flag_name(entry.record),
            (None, stranger) => stranger.map_or("", |stranger| &stranger.name),
        }
    }

    /// The flag's key.
    pub fn key(&self) -> FlagKey {
        FlagKey::new(self.section(), self.name())
    }

    /// Whether a document or a definition of its own defines it; otherwise only a lock or an activation knows it.
    pub fn is_defined(&self) -> bool {
        self.entry.is_some()
    }

    /// The value `stable`, compact JSON text; `None` where no document defines the flag.
    pub fn stable(&self) -> Option<&'s str> {
        self.entry.map(|entry| entry.core.values.get(entry.record.stable))
    }

    /// The value `new`, compact JSON text, if the entry has one.
    pub fn new_value(&self) -> Option<&'s str> {
        let entry = self.entry.filter(|entry| entry.record.new != NONE)?;
        Some(entry.core.values.get(entry.record.new))
    }

    /// Whether the flag answers at all; a disabled one gives the caller's default.
    pub fn is_enabled(&self) -> bool {
        self.record().is_none_or(|record| record.enabled)
    }

    /// The lock in the document.
    pub fn lock(&self) -> Option<Variant> {
        self.record().and_then(|record| record.lock)
    }

    /// The lock of this host, whether in force or expired.
    pub fn host_lock(&self) -> Option<&'s HostLock> {
        self.snapshot.pinned(self.index)?.lock.as_deref()
    }

    /// The operator's dial, whether in force or expired.
    pub fn activation(&self) -> Option<&'s Activation> {
        self.snapshot.pinned(self.index)?.activation.as_ref()
    }

    /// The lock or the dial that stands above the document at this instant ends then; the outer `None`:
    /// none is in force.
    pub fn pinned_until(&self, now: Micros) -> Option<Option<Micros>> {
        let pinned = self.snapshot.pinned(self.index)?;
        let untils = [
            pinned.lock.as_ref().map(|lock| lock.until),
            pinned.activation.as_ref().map(|activation| activation.until),
        ];
        untils.into_iter().flatten().find(|until| until.is_none_or(|until| now < until))
    }

    /// Whether everyone gets a number between the two values.
    pub fn interpolates(&self) -> bool {
        self.extra().is_some_and(|extra| extra.interpolation.is_some())
    }

    /// The algorithm of the flag's positions.
    pub fn hash(&self) -> HashAlgorithm {
        self.record().map_or(HashAlgorithm::Xxh3, |record| record.algorithm)
    }

    /// The salt as the document has it.
    pub fn salt(&self) -> Option<&'s str> {
        let Entry { core, record } = self.entry?;
        core.salt(record)
    }

    /// The lease in force, its own or the host's.
    pub fn lease(&self) -> Option<Span> {
        self.extra()?.lease
    }

    /// The start of its rollback, on the wall clock, if it has one.
    pub(crate) fn rollback_start(&self) -> Option<Micros> {
        self.extra()?.rollback.map(|fall| fall.start)
    }

    /// Keys that have `new` at once.
    pub fn early_adopters(&self) -> &'s [Adopter] {
        self.extra().map_or(&[], |extra| extra.adopters.listed())
    }

    /// What people should know of the flag.
    pub fn details(&self) -> Option<&'s Details> {
        self.extra()?.details.as_deref()
    }

    /// The corners of the ramp, before any rollback; none for a flag without a window.
    pub fn points(&self) -> &'s [Point] {
        self.entry.map_or(&[], |entry| entry.core.points(entry.record))
    }

    /// The way down, as this host will see it.
    pub fn rollback(&self, moment: &Moment<'_>) -> Option<Fall> {
        self.timeline(moment)?.rollback(moment.now)
    }

    /// The share on `new` at this instant, locks, dials and switches included; a flag without `new` has none.
    pub fn share_at(&self, moment: &Moment<'_>) -> Share {
        let fixed = |variant| if variant == Variant::New { Share::FULL } else { Share::ZERO };
        let pinned = self.snapshot.pinned(self.index);
        let is_in_force = |until: Option<Micros>| until.is_none_or(|until| moment.now < until);
        if let Some(lock) = pinned.and_then(|pinned| pinned.lock.as_ref())
            && is_in_force(lock.until)
            && let crate::Pin::Variant(variant) = lock.pin
        {
            return fixed(variant);
        }
        if let Some(activation) = pinned.and_then(|pinned| pinned.activation.as_ref())
            && is_in_force(activation.until)
        {
            return activation.share;
        }
        match self.record() {
            Some(Record { lock: Some(variant), .. }) => fixed(*variant),
            Some(record) if record.enabled && record.new != NONE => self.ramp_share_at(moment),
            None => pinned.filter(|pinned| pinned.is_bare()).and_then(|pinned| pinned.default).unwrap_or(Share::ZERO),
            _ => Share::ZERO,
        }
    }

    /// The share that ramp and rollback alone give at this instant.
    pub fn ramp_share_at(&self, moment: &Moment<'_>) -> Share {
        self.timeline(moment).map_or(Share::ZERO, |timeline| timeline.segment(moment.now).share())
    }

    /// The instants at which a subject changes variant by ramp and rollback alone, locks and dials left aside.
    pub fn flips(&self, subject: &Subject<'_>, moment: &Moment<'_>) -> Flips {
        let Some(entry) = self.entry.filter(|entry| entry.record.new != NONE) else { return Flips::default() };
        evaluate::flips(self.snapshot, entry, subject, moment)
    }

    /// The next turn of the share after this instant, if there is one.
    pub fn next_change(&self, moment: &Moment<'_>) -> Option<Change> {
        let now = moment.now;
        if let Some(until) = self.pinned_until(now) {
            let at = until?;
            let share = self.share_at(&Moment { now: at, ..*moment });
            return Some(Change { at, share, kind: ChangeKind::Expires });
        }
        let moves = |record: &&Record| record.lock.is_none() && record.enabled && record.new != NONE;
        self.record().filter(moves)?;
        let timeline = self.timeline(moment)?;
        let at = timeline.next_corner(now)?;
        let share = timeline.segment(at).share();
        let kind = timeline.turn_at(at);
        Some(Change { at, share, kind })
    }

    /// The form in which a handle keeps this flag ready at this instant.
    pub fn plan(&self, moment: &Moment<'_>) -> Plan {
        plan::of(self.snapshot, self.index, moment)
    }

    fn extra(&self) -> Option<&'s super::Extra> {
        self.entry?.extra()
    }

    fn record(&self) -> Option<&'s Record> {
        self.entry.map(|entry| entry.record)
    }

    fn timeline<'a>(&self, moment: &Moment<'a>) -> Option<Timeline<'a>>
    where
        's: 'a,
    {
        Some(Timeline::new(self.entry?, self.extra(), moment.leases))
    }
}

impl fmt::Debug for Flag<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Flag({})", self.key())
    }
}
