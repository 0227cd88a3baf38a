//! Changes whose callers wait for Redis, where there is no cluster: their level counts the copies of Redis, and not members.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_replica::{Input, Level, Outranked, Receipt as Written, Register, Stamp};

use super::{Awaiting, Driver, guarded};
use crate::live::receipt::Done;
use crate::live::redis_link::{Ack, Outcome, RedisLink};

/// What the driver keeps of changes that wait for Redis.
#[derive(Debug)]
pub(super) struct SharedStore {
    pub(super) link: Arc<RedisLink>,
    /// Whether there are no other nodes, so that a level means copies of Redis.
    is_alone: bool,
    /// The latest that Redis has said of a key that a caller waits for.
    acks: BTreeMap<Arc<[u8]>, Ack>,
    waiting: Vec<Waiting>,
}

/// A change that this process has, and that Redis has not acknowledged.
#[derive(Debug)]
struct Waiting {
    awaiting: Awaiting,
    written: Written,
    wait: StoreWait,
}

/// What a change waits for.
#[derive(Clone, Debug)]
pub(super) struct StoreWait {
    /// The keys of its registers, in their order.
    keys: Vec<Arc<[u8]>>,
    level: Level,
    until: Instant,
}

impl SharedStore {
    pub(super) fn new(link: Arc<RedisLink>, is_alone: bool) -> Self {
        Self { link, is_alone, acks: BTreeMap::new(), waiting: Vec::new() }
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING_MAX
    }

    /// The next timeout of a caller.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waiting.iter().map(|waiting| waiting.wait.until).min()
    }

    pub(super) fn put(&self, registers: Vec<Register>) {
        self.link.put(registers);
    }

    fn release(&mut self, keys: &[Arc<[u8]>]) {
        for key in keys {
            self.link.release(key);
            if !self.link.is_awaited(key) {
                self.acks.remove(key);
            }
        }
    }

    /// What Redis has said of all registers of a change, or none if it has not said something of each: the first that is outranked, or
    /// not claimed, or that on the fewest replicas.
    fn outcome(&self, waiting: &Waiting) -> Option<(Stamp, Outcome)> {
        let mut worst = None;
        for (key, stamp) in waiting.wait.keys.iter().zip(waiting.written.stamps.iter().copied()) {
            let ack = self.acks.get(key).filter(|ack| ack.stamp >= stamp)?;
            if worst.is_none_or(|(_, worst)| precedence(ack.outcome) < precedence(worst)) {
                worst = Some((stamp, ack.outcome));
            }
        }
        worst
    }
}

impl Driver {
    /// Where Redis acknowledges instead of members: what a change waits for there.
    pub(super) fn expect_store(&mut self, keys: Vec<Arc<[u8]>>, level: Level, timeout: Duration) -> Option<StoreWait> {
        let store = self.store.as_ref().filter(|store| store.is_alone && level != Level::Local)?;
        for key in &keys {
            store.link.expect(key, level);
        }
        Some(StoreWait { keys, level, until: Instant::now() + timeout })
    }

    /// The change is not made, so that nothing is waited for.
    pub(super) fn release_store(&mut self, wait: Option<&StoreWait>) {
        if let (Some(store), Some(wait)) = (&mut self.store, wait) {
            store.release(&wait.keys);
        }
    }

    /// This process has the change: its caller waits for Redis.
    pub(super) fn wait_for_store(&mut self, awaiting: Awaiting, written: Written, wait: StoreWait) {
        if let Some(store) = &mut self.store {
            store.waiting.push(Waiting { awaiting, written, wait });
        }
    }

    /// Registers that other processes have put into Redis.
    pub(super) fn receive_from_store(&mut self, registers: Vec<Register>, reply: Box<dyn FnOnce(bool) + Send>) {
        if !self.committer.has_room() {
            return reply(false);
        }
        self.handle(Input::FromStore { registers });
        reply(true);
    }

    /// Redis has answered.
    pub(super) fn note_store_acks(&mut self, acks: Vec<Ack>) {
        let Some(store) = &mut self.store else { return };
        for ack in acks.into_iter().filter(|ack| store.link.is_awaited(&ack.key)) {
            let is_newer = store.acks.get(&ack.key).is_none_or(|known| known.stamp <= ack.stamp);
            if is_newer {
                store.acks.insert(Arc::clone(&ack.key), ack);
            }
        }
    }

    /// Answers the callers of whose changes Redis has said something, or whose time is over.
    pub(super) fn tell_stored(&mut self) {
        let Some(store) = &mut self.store else { return };
        let now = Instant::now();
        let mut over = Vec::new();
        for waiting in std::mem::take(&mut store.waiting) {
            let outcome = store.outcome(&waiting);
            // Replicas may still follow: a later write of the key asks them again.
            if outcome.is_some() || waiting.wait.until <= now {
                over.push((waiting, outcome));
            } else {
                store.waiting.push(waiting);
            }
        }
        for (waiting, outcome) in over {
            let Waiting { awaiting, written, wait } = waiting;
            self.release_store(Some(&wait));
            self.tell_stored_one(awaiting, written, wait.level, outcome);
        }
    }

    fn tell_stored_one(
        &mut self,
        awaiting: Awaiting,
        written: Written,
        level: Level,
        outcome: Option<(Stamp, Outcome)>,
    ) {
        let Awaiting { reply, changes, .. } = awaiting;
        let (stamp, outcome) = outcome.unzip();
        let Some(redis) = self.store.as_ref().map(|store| store.link.receipt(outcome)) else { return };
        let is_reached = matches!(outcome, Some(Outcome::Stored { is_reached: true, .. }));
        let mut written = Written { level, is_reached: is_reached && written.outranked.is_empty(), ..written };
        if let (Some(stamp), Some(Outcome::Outranked { by })) = (stamp, outcome) {
            let is_quarantined = self.replica.quarantine().any(|held| held.stamp == by);
            written.outranked.push(Outranked { stamp, node: self.node, by, is_quarantined });
        }
        let made = self.made(&changes);
        self.tell_changes(&changes, &made, &written, Some(&redis));
        let done = Done { written, names: Arc::clone(&self.names), made, unreached: Vec::new(), redis: Some(redis) };
        guarded(|| reply(Ok(done)));
    }
}

/// What a receipt tells of Redis first: what says most against the change.
fn precedence(outcome: Outcome) -> (u8, u32) {
    match outcome {
        Outcome::Outranked { .. } => (0, 0),
        Outcome::Unclaimed => (1, 0),
        Outcome::Stored { replicas, is_reached } => (if is_reached { 3 } else { 2 }, replicas),
    }
}

/// Changes that wait for Redis at once: as many as requests may.
const WAITING_MAX: usize = 10_000;
