//! What stands over the table of flags and beside it: locks and activations, and flags that no document defines.
//!
//! They change while the program runs, one at a time and sometimes many a second. So a copy of all of this with one
//! change shares nearly everything with what it was copied from, whatever its size, and readers of the old one are not
//! disturbed.

use std::fmt;
use std::sync::Arc;

use crate::{Activation, Digest, FlagKey, HostLock, Overlay, Share, bucket};

use super::chunks::Chunks;
use super::index::Index;
use super::{Core, Entry, NONE, hash_flag, hash_section};

/// What stands over and beside the table of one snapshot, ready to be read.
#[derive(Clone, Debug)]
pub(crate) struct Pins {
    /// For each flag of the table its pin.
    of_flag: Chunks<PinNumber>,
    pinned: Chunks<Pinned>,
    /// Numbers of pins that are free.
    free: Chunks<u32>,
    /// Flags that no document defines. A leaf of this table is copied by counting references, each in a place of its own,
    /// so what changes often stands apart from it.
    strangers: Chunks<Option<Arc<Stranger>>>,
    /// For each of them its pin.
    of_stranger: Chunks<PinNumber>,
    /// Numbers of strangers that are free.
    free_strangers: Chunks<u32>,
    by_name: Index,
    /// How many of the strangers have a definition.
    defined: usize,
    /// The digest of these definitions.
    digest: Digest,
}

/// The number of a pin, or [`NONE`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct PinNumber(u32);

impl Default for PinNumber {
    fn default() -> Self {
        Self(NONE)
    }
}

/// What is laid over one flag.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pinned {
    pub(crate) lock: Option<Arc<HostLock>>,
    pub(crate) activation: Option<Activation>,
    /// The share of a flag that nobody defines while no dial is in force.
    pub(crate) default: Option<Share>,
}

impl Pinned {
    /// Whether the flag is the boolean flag `false`/`true` as long as no document defines it: its dial, in force or
    /// not, was set on a flag without a definition, or it has only a default.
    pub(crate) fn is_bare(&self) -> bool {
        self.activation.as_ref().map_or(self.default.is_some(), |activation| !activation.defined)
    }

    fn is_empty(&self) -> bool {
        self.lock.is_none() && self.activation.is_none() && self.default.is_none()
    }
}

/// A flag that no document defines: one that only a lock or an activation knows, or that was defined by itself.
#[derive(Clone, Debug)]
pub(crate) struct Stranger {
    pub(crate) section: Box<str>,
    pub(crate) name: Box<str>,
    /// The seed of its salt, which is its flag key.
    pub(crate) seed: u64,
    definition: Option<Defined>,
}

/// A flag that was compiled by itself: a table of its own.
#[derive(Clone)]
pub(crate) struct Defined(Arc<Core>);

impl Defined {
    /// The flag of a table that has this flag and no other; `None` where it is not so.
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

impl Stranger {
    fn new(flag: &FlagKey) -> Self {
        let seed = bucket::xxh3_seed(&flag.to_string());
        Self { section: flag.section().into(), name: flag.flag().into(), seed, definition: None }
    }

    pub(super) fn definition(&self) -> Option<&Defined> {
        self.definition.as_ref()
    }
}

impl Pins {
    pub(super) fn new(core: &Core) -> Self {
        Self {
            of_flag: Chunks::of_defaults(core.records.len()),
            pinned: Chunks::default(),
            free: Chunks::default(),
            strangers: Chunks::default(),
            of_stranger: Chunks::default(),
            free_strangers: Chunks::default(),
            by_name: Index::default(),
            defined: 0,
            digest: Digest::default(),
        }
    }

    pub(super) fn lay(&mut self, core: &Core, overlay: &Overlay) {
        for lock in &overlay.locks {
            self.change(core, &lock.flag, |pinned| pinned.lock = Some(Arc::new(lock.clone())));
        }
        for (flag, activation) in &overlay.activations {
            self.change(core, flag, |pinned| pinned.activation = Some(activation.clone()));
        }
        for (flag, share) in &overlay.defaults {
            self.change(core, flag, |pinned| pinned.default = Some(*share));
        }
    }

    /// Changes what is laid over one flag; what is left with nothing goes.
    pub(super) fn change(&mut self, core: &Core, flag: &FlagKey, change: impl FnOnce(&mut Pinned)) {
        if let Some(record) = core.find(flag.section(), flag.flag()) {
            let before = self.of_flag.get(record as usize).copied().unwrap_or_default();
            let after = self.change_pin(before, change);
            return set(&mut self.of_flag, record, before, after);
        }
        let id = self.find(flag.section(), flag.flag());
        let before = id.and_then(|id| self.of_stranger.get(id as usize)).copied().unwrap_or_default();
        let after = self.change_pin(before, change);
        if after == before {
            return;
        }
        let id = id.unwrap_or_else(|| self.add_stranger(flag));
        set(&mut self.of_stranger, id, before, after);
        self.remove_empty(id);
    }

    /// Sets or removes the definition of a flag that the table does not have.
    pub(super) fn define(&mut self, flag: &FlagKey, definition: Option<Defined>) {
        let id = self.find(flag.section(), flag.flag());
        if id.is_none() && definition.is_none() {
            return;
        }
        let id = id.unwrap_or_else(|| self.add_stranger(flag));
        let Some(stranger) = self.stranger(id) else { return };
        let changed = Stranger { definition: definition.clone(), ..stranger.clone() };
        if let Some(before) = stranger.definition.clone() {
            self.count(&before, false);
        }
        if let Some(after) = definition {
            self.count(&after, true);
        }
        if let Some(place) = self.strangers.get_mut(id as usize) {
            *place = Some(Arc::new(changed));
        }
        self.remove_empty(id);
    }

    fn count(&mut self, defined: &Defined, is_added: bool) {
        let digest = defined.0.digest;
        if is_added {
            self.defined = self.defined.saturating_add(1);
            self.digest = self.digest.plus(digest);
        } else {
            self.defined = self.defined.saturating_sub(1);
            self.digest = self.digest.minus(digest);
        }
    }

    pub(super) fn defined(&self) -> usize {
        self.defined
    }

    pub(super) fn digest(&self) -> Digest {
        self.digest
    }

    /// Changes a pin, makes it or lets it go, and gives its number.
    fn change_pin(&mut self, pin: PinNumber, change: impl FnOnce(&mut Pinned)) -> PinNumber {
        let mut pinned = self.pinned.get(pin.0 as usize).cloned().unwrap_or_default();
        change(&mut pinned);
        match (pin.0 == NONE, pinned.is_empty()) {
            (true, true) => pin,
            (true, false) => PinNumber(put(&mut self.pinned, &mut self.free, pinned)),
            (false, is_empty) => {
                if let Some(place) = self.pinned.get_mut(pin.0 as usize) {
                    *place = pinned;
                }
                if !is_empty {
                    return pin;
                }
                self.free.push(pin.0);
                PinNumber::default()
            }
        }
    }

    /// A new flag that the table does not have, with nothing yet.
    fn add_stranger(&mut self, flag: &FlagKey) -> u32 {
        let stranger = Some(Arc::new(Stranger::new(flag)));
        let id = match self.free_strangers.pop() {
            None => {
                self.of_stranger.push(PinNumber::default());
                number(self.strangers.push(stranger))
            }
            Some(id) => {
                if let Some(place) = self.strangers.get_mut(id as usize) {
                    *place = stranger;
                }
                id
            }
        };
        self.by_name.insert(hash_name(flag.section(), flag.flag()), id);
        id
    }

    /// Lets a flag go that has neither a pin nor a definition.
    fn remove_empty(&mut self, id: u32) {
        let Some(stranger) = self.stranger(id) else { return };
        let has_pin = self.of_stranger.get(id as usize).is_some_and(|pin| pin.0 != NONE);
        if has_pin || stranger.definition.is_some() {
            return;
        }
        let hash = hash_name(&stranger.section, &stranger.name);
        self.by_name.remove(hash, id);
        self.free_strangers.push(id);
        if let Some(place) = self.strangers.get_mut(id as usize) {
            *place = None;
        }
    }

    /// The number of a flag that no document defines.
    pub(super) fn find(&self, section: &str, flag: &str) -> Option<u32> {
        self.by_name.find(hash_name(section, flag), |id| {
            self.stranger(id).is_some_and(|stranger| *stranger.name == *flag && *stranger.section == *section)
        })
    }

    /// The numbers of the flags that no document defines.
    pub(super) fn strangers(&self) -> impl Iterator<Item = u32> {
        (0..number(self.strangers.len())).filter(|id| self.stranger(*id).is_some())
    }

    #[inline]
    pub(super) fn stranger(&self, number: u32) -> Option<&Stranger> {
        self.strangers.get(number as usize)?.as_deref()
    }

    /// What is laid over the flag of this index, where the table has `known` flags.
    #[inline]
    pub(super) fn of(&self, flag: u32, known: u32) -> Option<&Pinned> {
        let pin = match flag.checked_sub(known) {
            None => self.of_flag.get(flag as usize)?.0,
            Some(stranger) => self.of_stranger.get(stranger as usize)?.0,
        };
        if pin == NONE { None } else { self.pinned.get(pin as usize) }
    }
}

/// Notes the pin of a flag, if it is another one.
fn set(table: &mut Chunks<PinNumber>, id: u32, before: PinNumber, after: PinNumber) {
    if after != before
        && let Some(place) = table.get_mut(id as usize)
    {
        *place = after;
    }
}

/// Puts an entry in a free place, or in a new one, and gives its number.
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
    hash_flag(hash_section(section), flag)
}
