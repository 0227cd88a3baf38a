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
    /// Flags that no document defines.
    strangers: Chunks<Stranger>,
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
#[derive(Clone, Debug, Default)]
pub(crate) struct Stranger {
    pub(crate) section: Arc<str>,
    pub(crate) name: Arc<str>,
    /// The seed of its salt, which is its flag key.
    pub(crate) seed: u64,
    pin: PinNumber,
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
        Self { section: flag.section().into(), name: flag.flag().into(), seed, ..Self::default() }
    }

    /// Whether there is no such flag any more.
    fn is_empty(&self) -> bool {
        self.pin.0 == NONE && self.definition.is_none()
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
        let Some(record) = core.find(flag.section(), flag.flag()) else {
            return self.change_stranger(flag, |pins, stranger| stranger.pin = pins.change_pin(stranger.pin, change));
        };
        let before = self.of_flag.get(record as usize).copied().unwrap_or_default();
        let after = self.change_pin(before, change);
        if after != before
            && let Some(place) = self.of_flag.get_mut(record as usize)
        {
            *place = after;
        }
    }

    /// Sets or removes the definition of a flag that the table does not have.
    pub(super) fn define(&mut self, flag: &FlagKey, definition: Option<Defined>) {
        self.change_stranger(flag, |pins, stranger| {
            for (sign, defined) in [(false, &stranger.definition), (true, &definition)] {
                if let Some(defined) = defined {
                    pins.count(defined, sign);
                }
            }
            stranger.definition = definition;
        });
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

    /// Changes a flag that the table does not have, makes it or lets it go.
    fn change_stranger(&mut self, flag: &FlagKey, change: impl FnOnce(&mut Self, &mut Stranger)) {
        let id = self.find(flag.section(), flag.flag());
        let known = id.and_then(|id| self.strangers.get(id as usize)).cloned();
        let mut stranger = known.unwrap_or_else(|| Stranger::new(flag));
        change(self, &mut stranger);
        let hash = hash_name(flag.section(), flag.flag());
        match (id, stranger.is_empty()) {
            (None, true) => {}
            (None, false) => {
                let id = put(&mut self.strangers, &mut self.free_strangers, stranger);
                self.by_name.insert(hash, id);
            }
            (Some(id), is_empty) => {
                if let Some(place) = self.strangers.get_mut(id as usize) {
                    *place = if is_empty { Stranger::default() } else { stranger };
                }
                if is_empty {
                    self.by_name.remove(hash, id);
                    self.free_strangers.push(id);
                }
            }
        }
    }

    /// The number of a flag that no document defines.
    pub(super) fn find(&self, section: &str, flag: &str) -> Option<u32> {
        self.by_name.find(hash_name(section, flag), |id| {
            self.strangers
                .get(id as usize)
                .is_some_and(|stranger| *stranger.name == *flag && *stranger.section == *section)
        })
    }

    /// The numbers of the flags that no document defines.
    pub(super) fn strangers(&self) -> impl Iterator<Item = u32> {
        (0..number(self.strangers.len())).filter(|id| self.stranger(*id).is_some())
    }

    #[inline]
    pub(super) fn stranger(&self, number: u32) -> Option<&Stranger> {
        self.strangers.get(number as usize).filter(|stranger| !stranger.is_empty())
    }

    /// What is laid over the flag of this index, where the table has `known` flags.
    #[inline]
    pub(super) fn of(&self, flag: u32, known: u32) -> Option<&Pinned> {
        let pin = match flag.checked_sub(known) {
            None => self.of_flag.get(flag as usize)?.0,
            Some(stranger) => self.strangers.get(stranger as usize)?.pin.0,
        };
        if pin == NONE { None } else { self.pinned.get(pin as usize) }
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
