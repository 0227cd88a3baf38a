//! A disk that keeps only what was synced, and loses writes that were under way.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::durable::DurableState;
use crate::membership::Membership;
use crate::random::Random;
use crate::{Batch, Loaded, Register, Stamp};

/// A simulated disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    registers: BTreeMap<Arc<[u8]>, Register>,
    meta: Option<Vec<u8>>,
    /// What is being written now, and what waits behind it.
    running: Vec<Batch>,
    waiting: VecDeque<Batch>,
    is_damaged: bool,
}

/// Batches that one sync writes.
const GROUP: usize = 64;

/// Batches that may wait before inputs are refused. The library's bound is greater, and would never be reached here.
const ROOM: usize = 200;

impl Disk {
    /// A copy of what is on it, without writes that are under way.
    pub(super) fn copy(&self) -> Self {
        let Self { registers, meta, .. } = self;
        Self { registers: registers.clone(), meta: meta.clone(), is_damaged: self.is_damaged, ..Self::default() }
    }

    /// Whether this register is on it.
    pub(super) fn has(&self, key: &[u8], stamp: Stamp) -> bool {
        self.registers.get(key).is_some_and(|register| register.stamp == stamp)
    }

    /// The clock reservation that is on it.
    pub(super) fn clock_reservation(&self) -> Stamp {
        let state = self.meta.as_deref().and_then(|meta| DurableState::decode(meta).ok());
        state.map_or(Stamp::ZERO, |state| state.clock_reservation)
    }

    /// How many members of the membership it knows.
    pub(super) fn members(&self) -> usize {
        let mut membership = Membership::default();
        self.registers.values().for_each(|register| membership.note(register));
        membership.members().count()
    }

    /// Whether another input may be worked through: a disk that is full must not fill the memory.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < ROOM
    }

    /// Whether more waits than one input makes of a disk that had room, and what ticks add meanwhile.
    pub(super) fn is_overfull(&self) -> bool {
        self.waiting.len() > ROOM * 2
    }

    pub(super) fn submit(&mut self, batches: Vec<Batch>) {
        self.waiting.extend(batches);
    }

    /// Begins to write what waits, if nothing is being written; whether it does.
    pub(super) fn begin(&mut self) -> bool {
        if !self.running.is_empty() || self.waiting.is_empty() {
            return false;
        }
        let count = self.waiting.len().min(GROUP);
        self.running = self.waiting.drain(..count).collect();
        true
    }

    /// What was being written is synced: up to which batch, and which registers.
    pub(super) fn synced(&mut self) -> (u64, Vec<Register>) {
        let batches = std::mem::take(&mut self.running);
        let upto = batches.last().map_or(0, |batch| batch.seq);
        let registers = batches.iter().flat_map(|batch| batch.registers.iter().cloned()).collect();
        for batch in batches {
            self.apply(batch);
        }
        (upto, registers)
    }

    /// The process or the machine stops: of what was being written, the first so many batches are there, or with a power
    /// cut none.
    pub(super) fn crash(&mut self, is_power_cut: bool, random: &mut Random) {
        let whole = if is_power_cut { 0 } else { random.index(self.running.len() + 1) };
        for batch in std::mem::take(&mut self.running).into_iter().take(whole) {
            self.apply(batch);
        }
        self.waiting.clear();
    }

    /// Nothing more is written: what was on its way is not there.
    pub(super) fn fail(&mut self) {
        self.running.clear();
        self.waiting.clear();
    }

    /// A row cannot be read any more; whether there was one.
    pub(super) fn damage(&mut self, random: &mut Random) -> bool {
        let index = random.index(self.registers.len());
        let key = self.registers.keys().filter(|key| key.first() != Some(&0)).nth(index).cloned();
        self.is_damaged |= key.is_some();
        key.and_then(|key| self.registers.remove(&key)).is_some()
    }

    pub(super) fn load(&mut self) -> Loaded {
        Loaded {
            registers: self.registers.values().cloned().collect(),
            meta: self.meta.clone(),
            is_damaged: std::mem::take(&mut self.is_damaged),
        }
    }

    fn apply(&mut self, batch: Batch) {
        for register in batch.registers {
            self.registers.insert(Arc::clone(&register.key), register);
        }
        for key in batch.dropped {
            self.registers.remove(&key);
        }
        if let Some(meta) = batch.meta {
            self.meta = Some(meta);
        }
    }
}
