//! Locks and dials, laid over the table of flags.
//!
//! The operator's dials change while the program runs, one at a time and sometimes many a second. So a copy of all
//! of this with one dial changed shares nearly everything with what it was copied from, and readers of the old one
//! are not disturbed.

use std::sync::Arc;

use hashbrown::HashTable;

use crate::{Activation, FlagKey, HostLock, Overlay, Share, bucket};

use super::chunks::Chunks;
use super::{Core, NONE, hash_flag, hash_section};

/// The overlay of one snapshot, ready to be read.
#[derive(Clone, Debug)]
pub(crate) struct Pins {
    /// For each flag of the document the number of its pin, or [`NONE`].
    of_flag: Box<[u32]>,
    pinned: Chunks<Pinned>,
    /// Numbers of pins that are free.
    free: Vec<u32>,
    /// Flags that no document defines.
    strangers: Chunks<Stranger>,
    /// Numbers of strangers that are free.
    free_strangers: Vec<u32>,
    by_name: HashTable<u32>,
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

/// A flag that only a lock or a dial knows.
#[derive(Clone, Debug)]
pub(crate) struct Stranger {
    pub(crate) section: Arc<str>,
    pub(crate) name: Arc<str>,
    /// The seed of its salt, which is its flag key.
    pub(crate) seed: u64,
    /// [`NONE`]: there is no such flag any more.
    pin: u32,
}

impl Default for Stranger {
    fn default() -> Self {
        Self { section: Arc::default(), name: Arc::default(), seed: 0, pin: NONE }
    }
}

impl Pins {
    pub(super) fn new(core: &Core) -> Self {
        Self {
            of_flag: vec![NONE; core.records.len()].into(),
            pinned: Chunks::default(),
            free: Vec::new(),
            strangers: Chunks::default(),
            free_strangers: Vec::new(),
            by_name: HashTable::new(),
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
        let record = core.find(flag.section(), flag.flag());
        let stranger = if record.is_none() { self.find(flag.section(), flag.flag()) } else { None };
        let known = match (record, stranger) {
            (Some(record), _) => self.of_flag.get(record as usize).copied().unwrap_or(NONE),
            (None, Some(stranger)) => self.strangers.get(stranger as usize).map_or(NONE, |stranger| stranger.pin),
            (None, None) => NONE,
        };
        let mut pinned = self.pinned.get(known as usize).cloned().unwrap_or_default();
        change(&mut pinned);
        match (known, pinned.is_empty()) {
            (NONE, true) => {}
            (NONE, false) => {
                let pin = self.add(pinned);
                match record.and_then(|record| self.of_flag.get_mut(record as usize)) {
                    Some(place) => *place = pin,
                    None => self.add_stranger(flag, pin),
                }
            }
            (pin, is_empty) => {
                if let Some(place) = self.pinned.get_mut(pin as usize) {
                    *place = pinned;
                }
                if is_empty {
                    self.free.push(pin);
                    match record.and_then(|record| self.of_flag.get_mut(record as usize)) {
                        Some(place) => *place = NONE,
                        None => self.remove_stranger(stranger),
                    }
                }
            }
        }
    }

    fn add(&mut self, pinned: Pinned) -> u32 {
        let Some(pin) = self.free.pop() else { return number(self.pinned.push(pinned)) };
        if let Some(place) = self.pinned.get_mut(pin as usize) {
            *place = pinned;
        }
        pin
    }

    fn add_stranger(&mut self, flag: &FlagKey, pin: u32) {
        let seed = bucket::xxh3_seed(&flag.to_string());
        let stranger = Stranger { section: flag.section().into(), name: flag.flag().into(), seed, pin };
        let id = match self.free_strangers.pop() {
            None => number(self.strangers.push(stranger)),
            Some(id) => {
                if let Some(place) = self.strangers.get_mut(id as usize) {
                    *place = stranger;
                }
                id
            }
        };
        let strangers = &self.strangers;
        self.by_name.insert_unique(hash_name(flag.section(), flag.flag()), id, |&id| {
            strangers.get(id as usize).map_or(0, |stranger| hash_name(&stranger.section, &stranger.name))
        });
    }

    fn remove_stranger(&mut self, stranger: Option<u32>) {
        let Some(id) = stranger else { return };
        let Some(place) = self.strangers.get_mut(id as usize) else { return };
        let hash = hash_name(&place.section, &place.name);
        *place = Stranger::default();
        if let Ok(entry) = self.by_name.find_entry(hash, |&other| other == id) {
            entry.remove();
        }
        self.free_strangers.push(id);
    }

    /// The number of a flag that no document defines.
    pub(super) fn find(&self, section: &str, flag: &str) -> Option<u32> {
        let named = |id: &u32| {
            self.strangers
                .get(*id as usize)
                .is_some_and(|stranger| *stranger.name == *flag && *stranger.section == *section)
        };
        self.by_name.find(hash_name(section, flag), named).copied()
    }

    /// The numbers of the flags that no document defines.
    pub(super) fn strangers(&self) -> impl Iterator<Item = u32> {
        (0..number(self.strangers.len())).filter(|id| self.stranger(*id).is_some())
    }

    pub(super) fn stranger(&self, number: u32) -> Option<&Stranger> {
        self.strangers.get(number as usize).filter(|stranger| stranger.pin != NONE)
    }

    /// What is laid over the flag of this index, where the document defines `known` flags.
    #[inline]
    pub(super) fn of(&self, flag: u32, known: u32) -> Option<&Pinned> {
        let pin = match self.of_flag.get(flag as usize) {
            Some(pin) => *pin,
            None => self.strangers.get(flag.checked_sub(known)? as usize)?.pin,
        };
        if pin == NONE { None } else { self.pinned.get(pin as usize) }
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn hash_name(section: &str, flag: &str) -> u64 {
    hash_flag(hash_section(section), flag)
}
