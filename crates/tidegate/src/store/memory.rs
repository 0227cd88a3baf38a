//! A store that forgets when the process ends: for readers, which have no data folder, and for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{
    ARRIVALS_BYTES_MAX, Arrivals, Batch, Event, HISTORY_PAGE_MAX, HISTORY_PER_KEY_MAX, History, Loaded, Register,
    Stamp, Store, StoreError,
};

/// Keeps everything in memory. A clone is another handle on the same memory, as a restart is on the same disk.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    registers: BTreeMap<Arc<[u8]>, Register>,
    meta: Option<Vec<u8>>,
    history: BTreeMap<Arc<[u8]>, BTreeMap<Stamp, Event>>,
    /// Of all keys, in the order of arrival.
    arrivals: BTreeMap<u64, (Arc<[u8]>, Stamp)>,
    last_arrival: u64,
}

impl MemoryStore {
    /// A store with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        // Nothing in here panics between two changes that belong together.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn load(&mut self) -> Result<Loaded, StoreError> {
        let shared = self.shared();
        let registers = shared.registers.values().cloned().collect();
        Ok(Loaded { registers, meta: shared.meta.clone(), is_damaged: false })
    }

    fn commit(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        let mut shared = self.shared();
        for batch in batches {
            for key in &batch.dropped {
                shared.registers.remove(key);
            }
            for register in &batch.registers {
                shared.registers.insert(Arc::clone(&register.key), register.clone());
            }
            for event in &batch.history {
                shared.append(event);
            }
            if batch.meta.is_some() {
                shared.meta.clone_from(&batch.meta);
            }
        }
        Ok(())
    }

    fn history(&self) -> Box<dyn History> {
        Box::new(self.clone())
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

impl History for MemoryStore {
    fn page(&self, key: &[u8], before: Option<Stamp>, limit: usize) -> Result<Vec<Event>, StoreError> {
        let shared = self.shared();
        let Some(events) = shared.history.get(key) else { return Ok(Vec::new()) };
        let older = events.iter().rev().filter(|(stamp, _)| before.is_none_or(|before| **stamp < before));
        Ok(older.map(|(_, event)| event.clone()).take(limit.min(HISTORY_PAGE_MAX)).collect())
    }

    fn page_of_all(&self, before: Option<Stamp>, limit: usize) -> Result<Vec<Event>, StoreError> {
        let shared = self.shared();
        let mut all: Vec<&Event> = shared.history.values().flat_map(BTreeMap::values).collect();
        all.retain(|event| before.is_none_or(|before| event.register.stamp < before));
        all.sort_unstable_by_key(|event| std::cmp::Reverse(event.register.stamp));
        Ok(all.into_iter().take(limit.min(HISTORY_PAGE_MAX)).cloned().collect())
    }

    fn arrivals(&self, after: u64, limit: usize, is_wanted: &dyn Fn(Stamp) -> bool) -> Result<Arrivals, StoreError> {
        let shared = self.shared();
        let (mut arrivals, mut bytes) = (Arrivals { events: Vec::new(), last: after, is_complete: true }, 0);
        let next = after.saturating_add(1);
        for (position, (key, stamp)) in shared.arrivals.range(next..).take(limit.min(HISTORY_PAGE_MAX)) {
            if bytes >= ARRIVALS_BYTES_MAX {
                break;
            }
            let follows = arrivals.last.saturating_add(1);
            arrivals.last = *position;
            let event = shared.history.get(key).and_then(|events| events.get(stamp));
            if let Some(event) = event.filter(|_| is_wanted(*stamp)) {
                arrivals.is_complete &= *position == follows;
                bytes += event.register.value.as_ref().map_or(0, |value| value.len());
                arrivals.events.push((*position, event.clone()));
            }
        }
        Ok(arrivals)
    }

    fn ends(&self) -> Result<Option<(u64, u64)>, StoreError> {
        let shared = self.shared();
        let (first, last) = (shared.arrivals.first_key_value(), shared.arrivals.last_key_value());
        Ok(first.zip(last).map(|((first, _), (last, _))| (*first, *last)))
    }

    fn stamp_at(&self, position: u64) -> Result<Option<Stamp>, StoreError> {
        Ok(self.shared().arrivals.get(&position).map(|(_, stamp)| *stamp))
    }
}

impl Shared {
    fn append(&mut self, event: &Event) {
        let events = self.history.entry(Arc::clone(&event.register.key)).or_default();
        if let Some(known) = events.get_mut(&event.register.stamp) {
            known.lost_to = event.lost_to.or(known.lost_to);
            return;
        }
        events.insert(event.register.stamp, event.clone());
        self.last_arrival += 1;
        self.arrivals.insert(self.last_arrival, (Arc::clone(&event.register.key), event.register.stamp));
        if events.len() > HISTORY_PER_KEY_MAX as usize
            && let Some((oldest, _)) = events.pop_first()
        {
            // A reader sees by the first arrival how far back the history reaches.
            let key = &event.register.key;
            let place = self.arrivals.iter().find(|(_, (of, stamp))| *stamp == oldest && of == key);
            if let Some(place) = place.map(|(place, _)| *place) {
                self.arrivals.remove(&place);
            }
        }
        if self.arrivals.len() > EVENTS_MAX {
            self.forget();
        }
    }

    /// Halves what every key has, where it has more than one: cheap, because it happens once in many events.
    fn forget(&mut self) {
        for events in self.history.values_mut() {
            let keep = events.len().div_ceil(2);
            while events.len() > keep {
                events.pop_first();
            }
        }
        let mut count: usize = self.history.values().map(BTreeMap::len).sum();
        // As many keys as events: the history of some has to go altogether.
        while count > EVENTS_MAX {
            let Some((_, events)) = self.history.pop_first() else { break };
            count -= events.len();
        }
        let history = &self.history;
        self.arrivals.retain(|_, (key, stamp)| history.get(key).is_some_and(|events| events.contains_key(stamp)));
    }
}

/// Events of all keys that are kept in memory. Each is some hundred bytes, and a reader shares the
/// process of another program.
const EVENTS_MAX: usize = 20_000;
