//! All flags, compiled: immutable, indexed by name, cheap to clone.
//!
//! A snapshot is one dense table of records and a few tables beside it (names, values, points of ramps), so that an
//! evaluation touches two or three cache lines and follows no chain of pointers. What only some flags have (early adopters,
//! a rollback, a lease) is in a table of its own. Readers see whole snapshots only.
//!
//! This module holds data and look-ups. It knows nothing of the modules above it: `compile` makes snapshots, `evaluate`,
//! `explain`, `timeline` and `plan` read them and implement their methods.

mod adopters;
mod chunks;
mod dependents;
mod difference;
mod extra;
mod flag;
mod index;
mod leases;
mod name_index;
mod nearest;
mod overrides;
mod reads;
mod rules;
mod store;
mod variants;

use std::fmt;
use std::sync::Arc;

use crate::custom_hash::{CustomHash, HashName, RecordHash};
use crate::ends::{self, Ends};
use crate::same_text::is_same;
use crate::{Activation, Digest, FlagKey, HashAlgorithm, HostLock, Micros, Overlay, Point, Position, Share, Variant};

pub(crate) use adopters::Adopters;
pub(crate) use dependents::Dependents;
pub(crate) use extra::{Extra, Interpolation};
pub use flag::Flag;
pub(crate) use name_index::NameIndex;
use overrides::Defined;
pub(crate) use overrides::{Overridden, Overrides, Undocumented};
pub(crate) use rules::{BucketBy, CompiledRule, CompiledSegment, Served, Targeting};
pub(crate) use store::{Names, Values, hash_key};
pub(crate) use variants::{Choice, Variants};

/// All flags of one or several documents, compiled, with the locks and activations that override them.
///
/// [`compile`](crate::compile()) makes one, [`Snapshot::evaluate`] answers from it. A clone is one or two reference counts;
/// changes ([`Snapshot::set_activation`] and the like) leave earlier clones as they are.
#[derive(Clone)]
pub struct Snapshot {
    core: Arc<Core>,
    overrides: Option<Arc<Overrides>>,
}

/// The index of a flag in one snapshot, from [`Snapshot::find`]. It means nothing in another snapshot.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct FlagIndex(u32);

impl FlagIndex {
    /// The place with this number.
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }

    /// The number of the place.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl Snapshot {
    pub(crate) fn from_core(core: Core) -> Self {
        Self { core: Arc::new(core), overrides: None }
    }

    /// The same documents under this overlay, which replaces all locks, activations, defaults and definitions of single
    /// flags. The tables of the documents are shared.
    #[must_use]
    pub fn overlaid(&self, overlay: &Overlay) -> Self {
        let mut laid = Self { core: Arc::clone(&self.core), overrides: None };
        if *overlay != Overlay::default() {
            let mut overrides = Overrides::new(&self.core);
            overrides.lay(&self.core, overlay);
            laid.overrides = Some(Arc::new(overrides));
        }
        laid
    }

    /// Sets or removes the activation of one flag. It takes a few microseconds however many flags there are, and leaves
    /// earlier clones as they are.
    ///
    /// ```
    /// use tidegate_engine::lease::Clocks;
    /// use tidegate_engine::{Activation, FlagKey, Micros, Moment, Share, Snapshot, Subject};
    ///
    /// let mut snapshot = Snapshot::empty();
    /// let flag = FlagKey::parse("shop/dark");
    /// snapshot.set_activation(&flag, Some(Activation { share: Share::FULL, until: None, defined: false }));
    /// let moment = Moment { now: Micros::new(0), leases: &Clocks::synced() };
    /// let decision = snapshot.evaluate(snapshot.find("shop", "dark"), &Subject::key("ann"), &moment);
    /// assert_eq!(decision.answer.as_bool(), Some(true));
    /// ```
    pub fn set_activation(&mut self, flag: &FlagKey, activation: Option<Activation>) {
        self.change_override(flag, |overridden| overridden.activation = activation);
    }

    /// Sets or removes the lock of this host on one flag, at the same cost.
    pub fn set_lock(&mut self, flag: &FlagKey, lock: Option<HostLock>) {
        self.change_override(flag, |overridden| overridden.lock = lock.map(Arc::new));
    }

    /// Sets or removes the share that a flag has while nothing else defines it, at the same cost; see [`Overlay::defaults`].
    pub fn set_default(&mut self, flag: &FlagKey, share: Option<Share>) {
        self.change_override(flag, |overridden| overridden.default = share);
    }

    fn change_override(&mut self, flag: &FlagKey, change: impl FnOnce(&mut Overridden)) {
        let overrides = self.overrides.get_or_insert_with(|| Arc::new(Overrides::new(&self.core)));
        Arc::make_mut(overrides).change(&self.core, flag, change);
    }

    /// Sets the definition of one flag that no document of this snapshot defines: the flag of `definition`, a snapshot that
    /// has this flag and no other. With `None`, or with any other snapshot, the definition is removed.
    ///
    /// It costs as much as a change of an activation, and leaves earlier clones as they are. If a document of the snapshot
    /// defines the flag, nothing changes and the result is `false`.
    ///
    /// ```
    /// use tidegate_engine::{CompileOptions, FlagKey, Snapshot, compile, document::read_definition};
    ///
    /// let key = FlagKey::parse("shop/dark");
    /// let (definition, _) = read_definition(&key, r#"{"stable": false, "new": true}"#).unwrap();
    /// let alone = compile(&definition.into_document(), &CompileOptions::default());
    /// let mut snapshot = Snapshot::empty();
    /// assert!(snapshot.set_definition(&key, Some(&alone)));
    /// assert_eq!(snapshot.digest(), alone.digest());
    /// assert!(snapshot.find("shop", "dark").is_some());
    /// ```
    pub fn set_definition(&mut self, flag: &FlagKey, definition: Option<&Self>) -> bool {
        if self.core.find(flag.section(), flag.flag()).is_some() {
            return false;
        }
        let defined = definition.and_then(|alone| Defined::new(&alone.core, flag));
        let overrides = self.overrides.get_or_insert_with(|| Arc::new(Overrides::new(&self.core)));
        Arc::make_mut(overrides).define(flag, defined);
        true
    }

    /// The number of flags that are defined, by documents or by definitions of single flags.
    pub fn len(&self) -> usize {
        self.core.records.len().saturating_add(self.overrides.as_ref().map_or(0, |overrides| overrides.defined()))
    }

    /// Whether no flag is defined.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A number that is equal for snapshots with equal flags; see [`Digest`]. Locks and activations do not count.
    pub fn digest(&self) -> Digest {
        self.overrides.as_ref().map_or(self.core.digest, |overrides| self.core.digest.plus(overrides.digest()))
    }

    /// Finds a flag, also one that only has a lock or an activation.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    pub fn find(&self, section: &str, flag: &str) -> Option<FlagIndex> {
        match self.core.find(section, flag) {
            Some(id) => Some(FlagIndex(id)),
            None => self.find_undocumented(section, flag),
        }
    }

    /// Finds a flag by its flag key, `section/flag`; see [`FlagKey`].
    ///
    /// ```
    /// use tidegate_engine::{CompileOptions, compile, read};
    ///
    /// let (document, _) = read(br#"{"flags": {"dark": {"stable": 1}}, "shop": {"cart": {"stable": 2}}}"#).unwrap();
    /// let snapshot = compile(&document, &CompileOptions::default());
    /// assert!(snapshot.find_key("shop/cart").is_some());
    /// // A key without `/` means a flag of the section `flags`.
    /// assert_eq!(snapshot.find_key("dark"), snapshot.find("flags", "dark"));
    /// ```
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    pub fn find_key(&self, flag_key: &str) -> Option<FlagIndex> {
        match self.core.find_key(flag_key) {
            Some(id) => Some(FlagIndex(id)),
            None if self.overrides.is_none() && !self.core.has_escapes => None,
            None => self.find_parsed(flag_key),
        }
    }

    /// The place of a flag by its flag key, looked for first where it was in another snapshot.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    pub fn find_again(&self, place: Option<FlagIndex>, flag_key: &str) -> Option<FlagIndex> {
        let is_there = |place: &FlagIndex| {
            self.core.records.get(place.0 as usize).is_some_and(|record| self.core.reads(record.key, flag_key))
        };
        match place.filter(is_there) {
            Some(place) => Some(place),
            None => self.find_by_name(flag_key),
        }
    }

    #[inline(never)]
    fn find_by_name(&self, flag_key: &str) -> Option<FlagIndex> {
        self.find_key(flag_key)
    }

    /// Finds a flag whose key has another spelling than the canonical one, and one that no document defines.
    #[inline(never)]
    fn find_parsed(&self, flag_key: &str) -> Option<FlagIndex> {
        match flag_key.split_once('/') {
            // No document defines it: the index of flag keys has all of them.
            None => self.find_undocumented(FlagKey::DEFAULT_SECTION, flag_key),
            Some((section, flag)) if !section.contains('%') => self.find_undocumented(section, flag),
            Some(_) => {
                let key = FlagKey::parse(flag_key);
                self.find(key.section(), key.flag())
            }
        }
    }

    /// A flag of a document by its names.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    pub(crate) fn find_record(&self, section: &str, flag: &str) -> Option<(&Core, u32, &Record)> {
        let core = &*self.core;
        let (id, record) = core.find_record(section, flag)?;
        Some((core, id, record))
    }

    /// Whether a lock or an activation is laid over a flag.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    pub(crate) fn is_overridden(&self, flag: FlagIndex) -> bool {
        self.overrides.is_some() && self.is_among_overridden(flag)
    }

    #[inline(never)]
    fn is_among_overridden(&self, flag: FlagIndex) -> bool {
        self.overridden(flag).is_some()
    }

    #[inline(never)]
    pub(crate) fn find_undocumented(&self, section: &str, flag: &str) -> Option<FlagIndex> {
        let number = self.overrides.as_ref()?.find(section, flag)?;
        Some(FlagIndex(self.known().saturating_add(number)))
    }

    /// One flag.
    pub fn flag(&self, index: FlagIndex) -> Flag<'_> {
        Flag::new(self, index)
    }

    /// Every flag of the documents in their order, then, in no particular order, flags with a definition of their own and
    /// flags that only have a lock or an activation.
    pub fn flags(&self) -> impl Iterator<Item = Flag<'_>> {
        let known = self.known();
        let undocumented_flags = self
            .overrides
            .iter()
            .flat_map(|overrides| overrides.undocumented_flags())
            .map(move |id| known.saturating_add(id));
        (0..known).chain(undocumented_flags).map(|index| Flag::new(self, FlagIndex(index)))
    }

    /// Whether every key keeps the answer that it has at `instant` from then on. A reader that knows that `instant` is past
    /// need not read the clock.
    pub fn is_settled(&self, flag: FlagIndex, instant: Micros) -> bool {
        self.without_override(flag).is_some_and(|entry| entry.record.moves_until < instant)
    }

    /// The number of flags of documents; indexes from here on are of other flags.
    #[inline]
    fn known(&self) -> u32 {
        u32::try_from(self.core.records.len()).unwrap_or(u32::MAX)
    }

    /// What a flag was compiled to, if nothing is laid over it.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    pub(crate) fn without_override(&self, flag: FlagIndex) -> Option<Entry<'_>> {
        if self.overrides.is_some() && self.overridden(flag).is_some() {
            return None;
        }
        self.entry(flag)
    }

    /// The compiled entry of a flag; `None` for a flag that only has a lock or an activation.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    pub(crate) fn entry(&self, flag: FlagIndex) -> Option<Entry<'_>> {
        match self.core.records.get(flag.0 as usize) {
            Some(record) => Some(Entry { core: &self.core, record }),
            None => self.entry_beside(flag),
        }
    }

    #[inline(never)]
    fn entry_beside(&self, flag: FlagIndex) -> Option<Entry<'_>> {
        self.undocumented(flag)?.definition()?.entry()
    }

    /// The lock and the activation of a flag.
    #[inline]
    pub(crate) fn overridden(&self, flag: FlagIndex) -> Option<&Overridden> {
        let overrides = self.overrides.as_deref()?;
        overrides.get(flag.0, self.known())
    }

    pub(crate) fn undocumented(&self, flag: FlagIndex) -> Option<&Undocumented> {
        self.overrides.as_deref()?.undocumented(flag.0.checked_sub(self.known())?)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Snapshot").field("flags", &self.len()).field("digest", &self.digest()).finish()
    }
}

/// The compiled entry of a flag: its record, and the tables that the record's numbers refer to.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'s> {
    pub(crate) core: &'s Core,
    pub(crate) record: &'s Record,
}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Entry({})", self.core.name(self.record.key))
    }
}

impl<'s> Entry<'s> {
    /// What places the flag's keys.
    pub(crate) fn hash_name(self) -> HashName {
        match (self.position_hash(), &self.core.custom_hash) {
            (RecordHash::Algorithm(algorithm), _) => HashName::Algorithm(algorithm),
            (RecordHash::Custom, Some(custom)) => custom.to_name(),
            (RecordHash::Custom | RecordHash::ByAttribute, _) => HashName::Algorithm(HashAlgorithm::Sha1),
        }
    }

    /// The hash of the positions, also of those that are made of an attribute.
    fn position_hash(self) -> RecordHash {
        match (self.record.hash, self.bucket_by()) {
            (RecordHash::ByAttribute, Some(bucket_by)) => bucket_by.hash,
            (hash, _) => hash,
        }
    }

    /// The attribute that positions are made of instead of the key.
    pub(crate) fn bucket_by(self) -> Option<&'s BucketBy> {
        self.extra()?.targeting.as_ref()?.bucket_by.as_ref()
    }

    /// The position of a key by the program's own hash.
    #[inline(never)]
    pub(crate) fn custom_position(self, key: &str) -> Position {
        // A record with such a hash stands in a table that has it.
        self.core.custom_hash.as_ref().map_or(Position::new(0), |custom| custom.position(key))
    }

    #[inline]
    pub(crate) fn extra(self) -> Option<&'s Extra> {
        self.core.extra(self.record)
    }
}

/// The shared tables of a snapshot.
pub(crate) struct Core {
    /// Flag keys, names of sections and salts, one after the other.
    pub(crate) names: Box<str>,
    pub(crate) sections: Box<[Section]>,
    pub(crate) records: Box<[Record]>,
    pub(crate) values: Values,
    pub(crate) points: Box<[Point]>,
    pub(crate) salts: Box<[(u32, u32)]>,
    pub(crate) extras: Box<[Extra]>,
    /// The segments of the documents.
    pub(crate) segments: Box<[CompiledSegment]>,
    pub(crate) dependents: Dependents,
    /// The numbers of the flags by flag key; those of the default section also by their name alone, marked [`BARE`].
    pub(crate) key_index: NameIndex,
    /// Whether the name of a section is written with an escape in a flag key, which may then be spelled in several ways.
    pub(crate) has_escapes: bool,
    /// The numbers of the flags by name, all sections in one.
    pub(crate) flag_index: NameIndex,
    pub(crate) digest: Digest,
    /// The hash that records with [`RecordHash::Custom`] have.
    pub(crate) custom_hash: Option<CustomHash>,
}

/// One section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section {
    /// Start and length of the section's name.
    pub(crate) name: (u32, u32),
    /// The length of the prefix before the flag's name in its flags' keys, in bytes.
    pub(crate) prefix: u32,
    /// The name, if it is short.
    pub(crate) ends: Option<Ends>,
}

/// One flag, in the table that every evaluation reads: exactly one cache line.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(crate) struct Record {
    /// Start and length of the flag's key, which ends in its name.
    pub(crate) key: (u32, u32),
    pub(crate) section: u32,
    pub(crate) stable: u32,
    /// The value `new`, or [`NONE`].
    pub(crate) new: u32,
    /// Start and count of the ramp's points.
    pub(crate) points: (u32, u32),
    /// The number of the salt, or [`NONE`].
    pub(crate) salt: u32,
    /// After this instant the share is [`Record::rest`] for good, and early adopters no longer change variant.
    pub(crate) moves_until: Micros,
    /// The last share of the flag.
    pub(crate) rest: Share,
    /// The seed of the salt, for `xxh3`.
    pub(crate) seed: u64,
    /// The number of the flag's [`Extra`], or [`NONE`].
    pub(crate) extra: u32,
    pub(crate) hash: RecordHash,
    pub(crate) lock: Option<Variant>,
    pub(crate) enabled: bool,
    pub(crate) kind: RecordKind,
}

/// What decides a flag that nothing is laid over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RecordKind {
    /// Everyone has the same answer at all times.
    Constant,
    /// The share alone.
    Share,
    /// Rules, then the share.
    Targeted,
    /// The share, and some of what stands in [`Extra`].
    Rules,
}

/// The mark of an entry of [`Core::key_index`] that stands for a name without a section. Flags are far fewer.
pub(crate) const BARE: u32 = 1 << 31;

/// The place of the name in the key of a flag of the default section.
#[inline]
pub(crate) const fn bare((start, length): (u32, u32)) -> (u32, u32) {
    /// The bytes of `flags/`.
    const PREFIX: u32 = 6;
    (start.saturating_add(PREFIX), length.saturating_sub(PREFIX))
}

/// The number for "none" in a [`Record`].
pub(crate) const NONE: u32 = u32::MAX;
/// A record is read at each check, so it should not grow beyond one cache line.
const _: () = assert!(size_of::<Record>() == 64);

impl Core {
    /// The text in the arena of names.
    pub(crate) fn name(&self, (start, length): (u32, u32)) -> &str {
        store::slice(&self.names, start, length)
    }

    /// The place of a flag's name.
    #[inline]
    fn name_of(&self, record: &Record) -> (u32, u32) {
        let prefix = self.sections.get(record.section as usize).map_or(0, |section| section.prefix);
        (record.key.0.saturating_add(prefix), record.key.1.saturating_sub(prefix))
    }

    /// A flag's name.
    pub(crate) fn flag_name(&self, record: &Record) -> &str {
        self.name(self.name_of(record))
    }

    pub(crate) fn section_name(&self, section: u32) -> &str {
        self.sections.get(section as usize).map_or("", |section| self.name(section.name))
    }

    /// The salt as the document has it.
    pub(crate) fn salt(&self, record: &Record) -> Option<&str> {
        self.salts.get(record.salt as usize).map(|place| self.name(*place))
    }

    #[inline]
    pub(crate) fn points(&self, record: &Record) -> &[Point] {
        let (start, count) = (record.points.0 as usize, record.points.1 as usize);
        self.points.get(start..start.saturating_add(count)).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn extra(&self, record: &Record) -> Option<&Extra> {
        self.extras.get(record.extra as usize)
    }

    /// The number of a flag of the documents by its flag key in canonical spelling.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    fn find_key(&self, key: &str) -> Option<u32> {
        let is_flag = |entry: u32| {
            self.records.get((entry & !BARE) as usize).is_some_and(|record| {
                let name = if entry & BARE == 0 { record.key } else { bare(record.key) };
                self.reads(name, key)
            })
        };
        self.key_index.find(hash_key(key), is_flag).map(|entry| entry & !BARE)
    }

    /// The number of a flag of the document.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    fn find(&self, section: &str, flag: &str) -> Option<u32> {
        self.find_record(section, flag).map(|(id, _)| id)
    }

    /// The same with its record.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    pub(crate) fn find_record(&self, section: &str, flag: &str) -> Option<(u32, &Record)> {
        let Some(section_ends) = Ends::new(section) else { return self.find_names(section, flag) };
        let Some(flag_ends) = Ends::new(flag) else { return self.find_names(section, flag) };
        let hash = ends::hash_ends(section_ends, flag_ends);
        let (place, id) = self.flag_index.find_first(hash)?;
        match self.record_of(id, flag, |known| known.ends == Some(section_ends)) {
            Some(record) => Some((id, record)),
            None => self.find_after(place, hash, section, flag),
        }
    }

    /// The same where one of the names is empty or long.
    #[inline(never)]
    fn find_names(&self, section: &str, flag: &str) -> Option<(u32, &Record)> {
        let hash = ends::hash_names(section, flag);
        let (place, id) = self.flag_index.find_first(hash)?;
        match self.record_of(id, flag, |known| self.reads(known.name, section)) {
            Some(record) => Some((id, record)),
            None => self.find_after(place, hash, section, flag),
        }
    }

    #[cold]
    #[inline(never)]
    fn find_after(&self, place: usize, hash: u64, section: &str, flag: &str) -> Option<(u32, &Record)> {
        let record = |id| self.record_of(id, flag, |known| self.reads(known.name, section));
        let id = self.flag_index.find_after(place, hash, |id| record(id).is_some())?;
        Some((id, record(id)?))
    }

    /// The record with this number, if it is of a flag of this name in the section.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    fn record_of(&self, id: u32, flag: &str, is_section: impl Fn(&Section) -> bool) -> Option<&Record> {
        let record = self.records.get(id as usize)?;
        let section = self.sections.get(record.section as usize)?;
        let (start, length) = record.key;
        // The flag's key ends in its name.
        let name = (start.wrapping_add(section.prefix), length.wrapping_sub(section.prefix));
        if is_section(section) && self.reads(name, flag) { Some(record) } else { None }
    }

    /// Whether the text at this place is `text`; cheaper than making a `str` of the place first.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    fn reads(&self, (start, length): (u32, u32), text: &str) -> bool {
        if length as usize != text.len() {
            return false;
        }
        let start = start as usize;
        let place = start..start.saturating_add(length as usize);
        self.names.as_bytes().get(place).is_some_and(|name| is_same(name, text.as_bytes()))
    }
}
