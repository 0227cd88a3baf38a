//! Overrides: locks and activations of flags, and flags that no document defines.
//!
//! They change while the program runs, one at a time and sometimes many a second. They are kept in persistent tables: a
//! copy with one change shares nearly everything with the original, however many there are, and readers of the original
//! see no change.

mod moved;

use std::fmt;
use std::sync::Arc;

use crate::{Activation, Digest, FlagKey, HostLock, Micros, Overlay, Share, bucket, ends};

use super::chunks::Chunks;
use super::index::Index;
use super::{Core, Entry, Extra, NONE, dependents};

/// The overrides of one snapshot, and its flags that no document defines.
#[derive(Clone, Debug)]
pub(crate) struct Overrides {
    /// For each flag of the documents the number of its overrides.
    of_flag: Chunks<OverrideNumber>,
    overridden: Chunks<Overridden>,
    /// Numbers of overrides that are free.
    free: Chunks<u32>,
    /// Flags that no document defines. Copying a leaf of this table counts a reference for each flag, each in another cache
    /// line, so the numbers that change often are in a table of their own.
    undocumented_flags: Chunks<Option<Arc<Undocumented>>>,
    /// For each of them the number of its overrides.
    of_undocumented: Chunks<OverrideNumber>,
    /// Numbers that are free among them.
    free_undocumented: Chunks<u32>,
    by_name: Index,
    /// How many of these flags have a definition.
    defined: usize,
    /// The digest of these definitions.
    digest: Digest,
    /// The numbers of the flags whose definitions ask for other flags, by the hashes of those.
    dependents: Index,
}

/// The number of one flag's overrides, or [`NONE`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct OverrideNumber(u32);

impl Default for OverrideNumber {
    fn default() -> Self {
        Self(NONE)
    }
}

/// The overrides of one flag.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overridden {
    pub(crate) lock: Option<Arc<HostLock>>,
    pub(crate) activation: Option<Activation>,
    /// The program's share for a flag that is not defined, while no activation is active.
    pub(crate) default: Option<Share>,
}

impl Overridden {
    /// Whether the flag is the boolean flag `false`/`true` as long as it is not defined: its activation, active or expired,
    /// was set on a flag without a definition, or it has only a default.
    pub(crate) fn is_bare(&self) -> bool {
        self.activation.as_ref().map_or(self.default.is_some(), |activation| !activation.defined)
    }

    /// The share of such a flag at this instant.
    pub(crate) fn bare_share(&self, now: Micros) -> Share {
        let active = self.activation.as_ref().filter(|activation| activation.until.is_none_or(|until| now < until));
        active.map_or(self.default.unwrap_or(Share::ZERO), |activation| activation.share)
    }

    fn is_empty(&self) -> bool {
        self.lock.is_none() && self.activation.is_none() && self.default.is_none()
    }
}

/// A flag that no document defines: it has a definition of its own, or only a lock or an activation.
#[derive(Clone, Debug)]
pub(crate) struct Undocumented {
    pub(crate) section: Box<str>,
    pub(crate) name: Box<str>,
    /// The seed of its salt, which is its flag key.
    pub(crate) seed: u64,
    definition: Option<Defined>,
}

/// The definition of one flag, compiled to tables of its own.
#[derive(Clone)]
pub(crate) struct Defined(Arc<Core>);

impl Defined {
    /// The definition, if the tables have this flag and no other.
    pub(super) fn new(core: &Arc<Core>, flag: &FlagKey) -> Option<Self> {
        let is_alone = core.records.len() == 1 && core.find(flag.section(), flag.flag()).is_some();
        is_alone.then(|| Self(Arc::clone(core)))
    }

    #[inline]
    pub(super) fn entry(&self) -> Option<Entry<'_>> {
        Some(Entry { core: &self.0, record: self.0.records.first()? })
    }
}

impl fmt::Debug for Defined {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Defined({})", self.0.digest)
    }
}

impl Undocumented {
    fn new(flag: &FlagKey) -> Self {
        let seed = bucket::xxh3_seed(&flag.to_string());
        Self { section: flag.section().into(), name: flag.flag().into(), seed, definition: None }
    }

    pub(super) fn definition(&self) -> Option<&Defined> {
        self.definition.as_ref()
    }
}

impl Overrides {
    pub(super) fn new(core: &Core) -> Self {
        Self {
            of_flag: Chunks::of_defaults(core.records.len()),
            overridden: Chunks::default(),
            free: Chunks::default(),
            undocumented_flags: Chunks::default(),
            of_undocumented: Chunks::default(),
            free_undocumented: Chunks::default(),
            by_name: Index::default(),
            defined: 0,
            digest: Digest::default(),
            dependents: Index::default(),
        }
    }

    pub(super) fn lay(&mut self, core: &Core, overlay: &Overlay) {
        for lock in &overlay.locks {
            self.change(core, &lock.flag, |overridden| overridden.lock = Some(Arc::new(lock.clone())));
        }
        for (flag, activation) in &overlay.activations {
            self.change(core, flag, |overridden| overridden.activation = Some(activation.clone()));
        }
        for (flag, share) in &overlay.defaults {
            self.change(core, flag, |overridden| overridden.default = Some(*share));
        }
    }

    /// Changes the overrides of one flag, and removes what has become empty.
    pub(super) fn change(&mut self, core: &Core, flag: &FlagKey, change: impl FnOnce(&mut Overridden)) {
        if let Some(record) = core.find(flag.section(), flag.flag()) {
            let before = self.of_flag.get(record as usize).copied().unwrap_or_default();
            let after = self.change_override(before, change);
            return set(&mut self.of_flag, record, before, after);
        }
        let id = self.find(flag.section(), flag.flag());
        let before = id.and_then(|id| self.of_undocumented.get(id as usize)).copied().unwrap_or_default();
        let after = self.change_override(before, change);
        if after == before {
            return;
        }
        let id = id.unwrap_or_else(|| self.add_undocumented(flag));
        set(&mut self.of_undocumented, id, before, after);
        self.remove_empty(id);
    }

    /// Sets or removes the definition of a flag that no document defines.
    pub(super) fn define(&mut self, flag: &FlagKey, definition: Option<Defined>) {
        let id = self.find(flag.section(), flag.flag());
        if id.is_none() && definition.is_none() {
            return;
        }
        let id = id.unwrap_or_else(|| self.add_undocumented(flag));
        let Some(undocumented) = self.undocumented(id) else { return };
        let changed = Undocumented { definition: definition.clone(), ..undocumented.clone() };
        if let Some(before) = undocumented.definition.clone() {
            self.count(id, &before, false);
        }
        if let Some(after) = definition {
            self.count(id, &after, true);
        }
        if let Some(place) = self.undocumented_flags.get_mut(id as usize) {
            *place = Some(Arc::new(changed));
        }
        self.remove_empty(id);
    }

    /// Adds or removes what is known of all definitions together.
    fn count(&mut self, id: u32, defined: &Defined, is_added: bool) {
        let digest = defined.0.digest;
        for flag in defined.0.extras.iter().flat_map(Extra::prerequisites) {
            let hash = dependents::hash(flag);
            if is_added {
                self.dependents.insert(hash, id);
            } else {
                self.dependents.remove(hash, id);
            }
        }
        if is_added {
            self.defined = self.defined.saturating_add(1);
            self.digest = self.digest.plus(digest);
        } else {
            self.defined = self.defined.saturating_sub(1);
            self.digest = self.digest.minus(digest);
        }
    }

    /// The numbers of the flags whose definitions ask for a flag with this hash.
    pub(super) fn dependents(&self, hash: u64) -> impl Iterator<Item = u32> {
        self.dependents.with_hash(hash)
    }

    pub(super) fn defined(&self) -> usize {
        self.defined
    }

    pub(super) fn digest(&self) -> Digest {
        self.digest
    }

    /// Changes the overrides with this number, or makes or frees them, and returns their number.
    fn change_override(&mut self, pin: OverrideNumber, change: impl FnOnce(&mut Overridden)) -> OverrideNumber {
        let mut overridden = self.overridden.get(pin.0 as usize).cloned().unwrap_or_default();
        change(&mut overridden);
        match (pin.0 == NONE, overridden.is_empty()) {
            (true, true) => pin,
            (true, false) => OverrideNumber(put(&mut self.overridden, &mut self.free, overridden)),
            (false, is_empty) => {
                if let Some(place) = self.overridden.get_mut(pin.0 as usize) {
                    *place = overridden;
                }
                if !is_empty {
                    return pin;
                }
                self.free.push(pin.0);
                OverrideNumber::default()
            }
        }
    }

    /// Adds a flag that no document defines, without overrides and definition.
    fn add_undocumented(&mut self, flag: &FlagKey) -> u32 {
        let undocumented = Some(Arc::new(Undocumented::new(flag)));
        let id = match self.free_undocumented.pop() {
            None => {
                self.of_undocumented.push(OverrideNumber::default());
                number(self.undocumented_flags.push(undocumented))
            }
            Some(id) => {
                if let Some(place) = self.undocumented_flags.get_mut(id as usize) {
                    *place = undocumented;
                }
                id
            }
        };
        self.by_name.insert(hash_name(flag.section(), flag.flag()), id);
        id
    }

    /// Removes a flag that has neither overrides nor a definition.
    fn remove_empty(&mut self, id: u32) {
        let Some(undocumented) = self.undocumented(id) else { return };
        let has_override = self.of_undocumented.get(id as usize).is_some_and(|pin| pin.0 != NONE);
        if has_override || undocumented.definition.is_some() {
            return;
        }
        let hash = hash_name(&undocumented.section, &undocumented.name);
        self.by_name.remove(hash, id);
        self.free_undocumented.push(id);
        if let Some(place) = self.undocumented_flags.get_mut(id as usize) {
            *place = None;
        }
    }

    /// The number of a flag that no document defines.
    pub(super) fn find(&self, section: &str, flag: &str) -> Option<u32> {
        self.by_name.find(hash_name(section, flag), |id| {
            self.undocumented(id)
                .is_some_and(|undocumented| *undocumented.name == *flag && *undocumented.section == *section)
        })
    }

    /// The numbers of the flags that no document defines.
    pub(super) fn undocumented_flags(&self) -> impl Iterator<Item = u32> {
        (0..number(self.undocumented_flags.len())).filter(|id| self.undocumented(*id).is_some())
    }

    #[inline]
    pub(super) fn undocumented(&self, number: u32) -> Option<&Undocumented> {
        self.undocumented_flags.get(number as usize)?.as_deref()
    }

    /// The overrides of the flag with this index, where documents define `known` flags.
    #[inline]
    pub(super) fn get(&self, flag: u32, known: u32) -> Option<&Overridden> {
        let pin = match flag.checked_sub(known) {
            None => self.of_flag.get(flag as usize)?.0,
            Some(undocumented) => self.of_undocumented.get(undocumented as usize)?.0,
        };
        if pin == NONE { None } else { self.overridden.get(pin as usize) }
    }
}

/// Writes the number of a flag's overrides, if it has changed.
fn set(table: &mut Chunks<OverrideNumber>, id: u32, before: OverrideNumber, after: OverrideNumber) {
    if after != before
        && let Some(place) = table.get_mut(id as usize)
    {
        *place = after;
    }
}

/// Puts an entry in a free place or in a new one, and returns its number.
fn put<T: Clone + Default>(table: &mut Chunks<T>, free: &mut Chunks<u32>, entry: T) -> u32 {
    let Some(id) = free.pop() else { return number(table.push(entry)) };
    if let Some(place) = table.get_mut(id as usize) {
        *place = entry;
    }
    id
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn hash_name(section: &str, flag: &str) -> u64 {
    ends::hash(section, flag)
}
