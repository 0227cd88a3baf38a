//! One flag of a snapshot, for those who look at it rather than ask it.

use std::fmt;

use super::{Entry, Extra, FlagIndex, NONE, Record, Snapshot};
use crate::document::{Adopter, Details};
use crate::{Activation, FlagKey, HashAlgorithm, HostLock, Micros, Point, Span, Variant};

/// One flag of a snapshot.
#[derive(Clone, Copy)]
pub struct Flag<'s> {
    snapshot: &'s Snapshot,
    index: FlagIndex,
    entry: Option<Entry<'s>>,
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
        match (self.entry, self.snapshot.undocumented(self.index)) {
            (Some(entry), _) => entry.core.section_name(entry.record.section),
            (None, undocumented) => undocumented.map_or("", |undocumented| &undocumented.section),
        }
    }

    /// The flag's name.
    pub fn name(&self) -> &'s str {
        match (self.entry, self.snapshot.undocumented(self.index)) {
            (Some(entry), _) => entry.core.flag_name(entry.record),
            (None, undocumented) => undocumented.map_or("", |undocumented| &undocumented.name),
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
        self.snapshot.overridden(self.index)?.lock.as_deref()
    }

    /// The operator's dial, whether in force or expired.
    pub fn activation(&self) -> Option<&'s Activation> {
        self.snapshot.overridden(self.index)?.activation.as_ref()
    }

    /// The lock or the dial that stands above the document at this instant ends then; the outer `None`:
    /// none is in force.
    pub fn overridden_until(&self, now: Micros) -> Option<Option<Micros>> {
        let overridden = self.snapshot.overridden(self.index)?;
        let untils = [
            overridden.lock.as_ref().map(|lock| lock.until),
            overridden.activation.as_ref().map(|activation| activation.until),
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

    /// The snapshot that has it.
    pub(crate) fn snapshot(&self) -> &'s Snapshot {
        self.snapshot
    }

    /// What it was compiled to; `None` for a flag that only a lock or an activation knows.
    pub(crate) fn entry(&self) -> Option<Entry<'s>> {
        self.entry
    }

    pub(crate) fn extra(&self) -> Option<&'s Extra> {
        self.entry?.extra()
    }

    pub(crate) fn record(&self) -> Option<&'s Record> {
        self.entry.map(|entry| entry.record)
    }
}

impl fmt::Debug for Flag<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Flag({})", self.key())
    }
}
