//! Locks and dials, laid over the table of flags.

use hashbrown::HashTable;

use crate::{Activation, HostLock, Overlay, bucket};

use super::{NONE, Snapshot, hash_flag, hash_section};

/// The overlay of one snapshot, ready to be read.
#[derive(Debug)]
pub(crate) struct Pins {
    /// For each flag of the document the number of its pin, or [`NONE`].
    of_flag: Box<[u32]>,
    pinned: Vec<Pinned>,
    /// Flags that no document defines.
    strangers: Vec<Stranger>,
    by_name: HashTable<u32>,
}

/// What is laid over one flag.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pinned {
    pub(crate) lock: Option<HostLock>,
    pub(crate) activation: Option<Activation>,
}

impl Pinned {
    /// Whether the dial was set on a flag without a definition. Where no document has one since, the flag is
    /// the boolean flag `false`/`true`, in force or not.
    pub(crate) fn is_bare(&self) -> bool {
        self.activation.as_ref().is_some_and(|activation| !activation.defined)
    }
}

/// A flag that only a lock or a dial knows.
#[derive(Debug)]
pub(crate) struct Stranger {
    pub(crate) section: Box<str>,
    pub(crate) name: Box<str>,
    /// The seed of its salt, which is its flag key.
    pub(crate) seed: u64,
    pin: u32,
}

impl Pins {
    pub(super) fn new(plain: &Snapshot, overlay: &Overlay) -> Self {
        let mut pins = Self {
            of_flag: vec![NONE; plain.len()].into(),
            pinned: Vec::new(),
            strangers: Vec::new(),
            by_name: HashTable::new(),
        };
        for lock in &overlay.locks {
            if let Some(pinned) = pins.entry(plain, &lock.flag) {
                pinned.lock = Some(lock.clone());
            }
        }
        for (flag, activation) in &overlay.activations {
            if let Some(pinned) = pins.entry(plain, flag) {
                pinned.activation = Some(activation.clone());
            }
        }
        pins
    }

    fn entry(&mut self, plain: &Snapshot, flag: &crate::FlagKey) -> Option<&mut Pinned> {
        let next = number(self.pinned.len());
        let pin = match plain.find(flag.section(), flag.flag()) {
            Some(index) => {
                let pin = self.of_flag.get_mut(index.0 as usize)?;
                if *pin == NONE {
                    *pin = next;
                }
                *pin
            }
            None => {
                if let Some(stranger) = self.find(flag.section(), flag.flag()) {
                    self.strangers.get(stranger as usize)?.pin
                } else {
                    self.add_stranger(flag, next);
                    next
                }
            }
        };
        if pin == next {
            self.pinned.push(Pinned::default());
        }
        self.pinned.get_mut(pin as usize)
    }

    fn add_stranger(&mut self, flag: &crate::FlagKey, pin: u32) {
        let seed = bucket::xxh3_seed(&flag.to_string());
        self.strangers.push(Stranger { section: flag.section().into(), name: flag.flag().into(), seed, pin });
        let strangers = &self.strangers;
        let id = number(strangers.len()).saturating_sub(1);
        self.by_name.insert_unique(hash_name(flag.section(), flag.flag()), id, |&id| {
            strangers.get(id as usize).map_or(0, |stranger| hash_name(&stranger.section, &stranger.name))
        });
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

    pub(super) fn strangers(&self) -> u32 {
        number(self.strangers.len())
    }

    pub(super) fn stranger(&self, number: u32) -> Option<&Stranger> {
        self.strangers.get(number as usize)
    }

    /// What is laid over the flag of this index, where the document defines `known` flags.
    #[inline]
    pub(super) fn of(&self, flag: u32, known: u32) -> Option<&Pinned> {
        let pin = match self.of_flag.get(flag as usize) {
            Some(pin) => *pin,
            None => self.strangers.get(flag.checked_sub(known)? as usize)?.pin,
        };
        self.pinned.get(pin as usize)
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn hash_name(section: &str, flag: &str) -> u64 {
    hash_flag(hash_section(section), flag)
}
