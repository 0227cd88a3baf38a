//! One flag of a snapshot, for reports and forecasts: its fields rather than its answer.

use std::borrow::Cow;
use std::fmt;

use super::{Entry, Extra, FlagIndex, NONE, Record, Snapshot};
use crate::document::{self, Adopter, Details, Visibility};
use crate::{Activation, Answer, FlagKey, HashAlgorithm, HashName, HostLock, Micros, Point, Span, Variant};

/// One flag of a snapshot: what is known of it, and what its share does over time.
///
/// To evaluate a flag, use [`Snapshot::evaluate`].
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

    /// Its index in the snapshot.
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

    /// Whether a document or a definition of its own defines the flag; otherwise it only has a lock or an activation.
    pub fn is_defined(&self) -> bool {
        self.entry.is_some()
    }

    /// The value `stable`, compact JSON text; `None` if the flag is not defined. Of a flag with [`Self::variants`] it is the
    /// field: a name in quotes, or a split.
    pub fn stable(&self) -> Option<&'s str> {
        self.entry.map(|entry| entry.core.values.get(entry.record.stable))
    }

    /// The value `new`, compact JSON text, if the entry has one; with [`Self::variants`] the field.
    pub fn new_value(&self) -> Option<&'s str> {
        let entry = self.entry.filter(|entry| entry.record.new != NONE)?;
        Some(entry.core.values.get(entry.record.new))
    }

    /// An answer of this flag as JSON text, for readers that know a type of number for each flag: where one of its values is
    /// written as a float, an integer among them is written as one, too (`3.0`). `None` for the caller's default.
    ///
    /// ```
    /// use tidegate_engine::lease::Clocks;
    /// use tidegate_engine::{CompileOptions, Micros, Moment, Subject, compile, read};
    ///
    /// let text = br#"{"shop": {"factor": {"stable": 3, "new": 3.5}}}"#;
    /// let snapshot = compile(&read(text).unwrap().0, &CompileOptions::default());
    /// let moment = Moment { now: Micros::new(0), leases: &Clocks::synced() };
    /// let factor = snapshot.find("shop", "factor").unwrap();
    /// let answer = snapshot.evaluate(Some(factor), &Subject::key("ann"), &moment).answer;
    /// assert_eq!(answer.to_json().as_deref(), Some("3"));
    /// assert_eq!(snapshot.flag(factor).typed_json(answer).as_deref(), Some("3.0"));
    /// ```
    pub fn typed_json(&self, answer: Answer<'s>) -> Option<Cow<'s, str>> {
        let json = answer.to_json()?;
        let is_float = |value: Option<&str>| value.is_some_and(|text| is_number(text) && !is_integer(text));
        let has_float = || match self.variants() {
            None => is_float(self.stable()) || is_float(self.new_value()),
            Some(variants) => variants.values.iter().any(|variant| is_float(Some(variant.value.as_str()))),
        };
        let is_widened = is_integer(&json) && has_float();
        Some(if is_widened { Cow::Owned(format!("{json}.0")) } else { json })
    }

    /// Whether the flag is enabled; a disabled flag gives the caller's default.
    pub fn is_enabled(&self) -> bool {
        self.record().is_none_or(|record| record.enabled)
    }

    /// The lock in the document.
    pub fn lock(&self) -> Option<Variant> {
        self.record().and_then(|record| record.lock)
    }

    /// The lock of this host, active or expired.
    pub fn host_lock(&self) -> Option<&'s HostLock> {
        self.snapshot.overridden(self.index)?.lock.as_deref()
    }

    /// The activation, active or expired.
    pub fn activation(&self) -> Option<&'s Activation> {
        self.snapshot.overridden(self.index)?.activation.as_ref()
    }

    /// When the lock or the activation that is active at `now` expires; the outer `None`: none is active, the inner `None`:
    /// it does not expire.
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

    /// What places the flag's keys.
    pub fn hash(&self) -> HashName {
        self.entry.map_or(HashName::Algorithm(HashAlgorithm::Xxh3), Entry::hash_name)
    }

    /// The salt as the document has it.
    pub fn salt(&self) -> Option<&'s str> {
        let Entry { core, record } = self.entry?;
        core.salt(record)
    }

    /// The lease of the flag, its own or the host's default.
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

    /// Its rules, and what its positions are made of; `None` if it has neither.
    pub fn targeting(&self) -> Option<&'s document::Targeting> {
        self.extra()?.targeting.as_ref().map(|targeting| &*targeting.source)
    }

    /// Its named variants, and what `stable` and `new` choose among them; `None` if it has none.
    pub fn variants(&self) -> Option<&'s document::Variants> {
        self.extra()?.variants.as_ref().map(|variants| &*variants.source)
    }

    /// Description, owner, tags and metadata.
    pub fn details(&self) -> Option<&'s Details> {
        self.extra()?.details.as_deref()
    }

    /// Whether browsers and apps should see it; a flag without a definition has nothing that says otherwise.
    pub fn is_for_clients(&self) -> bool {
        self.details().is_none_or(|details| details.visibility == Visibility::Client)
    }

    /// The points of the ramp, before any rollback; empty for a flag without a window.
    pub fn points(&self) -> &'s [Point] {
        self.entry.map_or(&[], |entry| entry.core.points(entry.record))
    }

    /// The snapshot that has it.
    pub(crate) fn snapshot(&self) -> &'s Snapshot {
        self.snapshot
    }

    /// Its compiled entry; `None` for a flag that only has a lock or an activation.
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

/// Whether compact JSON text is a number.
fn is_number(text: &str) -> bool {
    text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

/// Whether compact JSON text is a number without fraction and exponent.
fn is_integer(text: &str) -> bool {
    is_number(text) && !text.contains(['.', 'e', 'E'])
}

impl fmt::Debug for Flag<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Flag({})", self.key())
    }
}
