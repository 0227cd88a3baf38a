//! The link between the driver and the thread that owns the connections to Redis: what is to be written, and how Redis is doing.
//!
//! It is here without the feature `redis`, too, so that the driver has one form.

mod status;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate_engine::Micros;
use tidegate_replica::{Level, Register, Stamp};
#[cfg(feature = "redis")]
use tokio::sync::Notify;

#[cfg(feature = "redis")]
use super::problem::ClusterProblem;

pub use status::{RedisReceipt, RedisStatus};

/// What Redis said of a register.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Ack {
    pub(super) key: Arc<[u8]>,
    pub(super) stamp: Stamp,
    pub(super) outcome: Outcome,
}

/// What became of a register in Redis.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// Redis has it, and so have as many of its replicas. Whether those are as many as the level needs.
    Stored { replicas: u32, is_reached: bool },
    /// Redis has it, and may drop it at any time.
    Unclaimed,
    /// Redis has a register that counts for more.
    Outranked { by: Stamp },
}

/// What the driver and the thread share.
#[derive(Debug)]
pub(super) struct RedisLink {
    state: Mutex<State>,
    /// Wakes the thread.
    #[cfg(feature = "redis")]
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// What is to be written, by key: the latest register of each.
    queue: BTreeMap<Arc<[u8]>, Register>,
    /// Whether all has to be compared: more waited than the queue takes, or Redis has lost something.
    must_compare: bool,
    /// The keys of changes whose callers wait for Redis, how many do, and the highest level of those.
    awaited: BTreeMap<Arc<[u8]>, (usize, Level)>,
    status: RedisStatus,
    /// What keeps Redis from claiming anything while it is connected.
    unclaimed: Option<String>,
    /// Whether all that it has was read once.
    is_loaded: bool,
    is_closing: bool,
}

impl RedisLink {
    pub(super) fn new(url: String, now: Micros) -> Arc<Self> {
        let status = RedisStatus {
            url,
            unreachable_since: Some(now),
            problem: Some("not connected yet".to_owned()),
            ..RedisStatus::default()
        };
        Arc::new(Self {
            state: Mutex::new(State { status, ..State::default() }),
            #[cfg(feature = "redis")]
            wake: Notify::new(),
        })
    }

    /// These registers are active here, and Redis may not have them.
    pub(super) fn put(&self, registers: Vec<Register>) {
        if registers.is_empty() {
            return;
        }
        let mut state = self.lock();
        for register in registers {
            if state.queue.len() >= QUEUE_MAX {
                // A comparison finds them all.
                state.queue.clear();
                state.must_compare = true;
            }
            state.queue.insert(Arc::clone(&register.key), register);
        }
        drop(state);
        self.wake();
    }

    /// A caller waits until Redis has what is written under this key.
    pub(super) fn expect(&self, key: &Arc<[u8]>, level: Level) {
        let mut state = self.lock();
        let (count, highest) = state.awaited.entry(Arc::clone(key)).or_insert((0, level));
        (*count, *highest) = (*count + 1, level.max(*highest));
    }

    /// It waits no longer.
    pub(super) fn release(&self, key: &Arc<[u8]>) {
        let mut state = self.lock();
        if let Some((count, _)) = state.awaited.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                state.awaited.remove(key);
            }
        }
    }

    /// Whether a caller waits for this key.
    pub(super) fn is_awaited(&self, key: &[u8]) -> bool {
        self.lock().awaited.contains_key(key)
    }

    /// Whether all that Redis had was read once since the start.
    pub(super) fn is_loaded(&self) -> bool {
        self.lock().is_loaded
    }

    pub(super) fn status(&self) -> RedisStatus {
        let state = self.lock();
        RedisStatus { waiting: state.queue.len(), ..state.status.clone() }
    }

    /// What a receipt has of Redis: what it has said, or why it has said nothing.
    pub(super) fn receipt(&self, outcome: Option<Outcome>) -> RedisReceipt {
        let state = self.lock();
        let status = &state.status;
        let (is_acknowledged, replicas) = match outcome {
            Some(Outcome::Stored { replicas, .. }) => (true, replicas),
            _ => (false, 0),
        };
        let problem = match outcome {
            Some(Outcome::Stored { .. }) => None,
            Some(Outcome::Outranked { .. }) => Some("Redis has a change of the flag that counts for more".to_owned()),
            Some(Outcome::Unclaimed) => state.unclaimed.clone(),
            None if status.is_connected => Some("Redis has not answered in time".to_owned()),
            None => status.problem.clone(),
        };
        RedisReceipt { is_acknowledged, appendfsync: status.appendfsync.clone(), replicas, problem }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(not(feature = "redis"))]
    #[expect(clippy::unused_self, reason = "with the feature there is a thread to wake")]
    fn wake(&self) {}
}

/// The end that the thread has.
#[cfg(feature = "redis")]
impl RedisLink {
    fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until there is something to write, or to end.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Some of what is to be written.
    pub(super) fn take(&self, count: usize) -> Vec<Register> {
        let mut state = self.lock();
        let mut taken = Vec::new();
        while taken.len() < count
            && let Some((_, register)) = state.queue.pop_first()
        {
            taken.push(register);
        }
        taken
    }

    pub(super) fn has_work(&self) -> bool {
        let state = self.lock();
        state.must_compare || !state.queue.is_empty()
    }

    /// The level that callers wait for under this key, if one does.
    pub(super) fn level(&self, key: &[u8]) -> Option<Level> {
        self.lock().awaited.get(key).map(|(_, level)| *level)
    }

    /// All is to be compared.
    pub(super) fn request_comparison(&self) {
        self.lock().must_compare = true;
    }

    /// Whether all is to be compared. What waits meanwhile is part of it.
    pub(super) fn begin_comparison(&self) -> bool {
        let mut state = self.lock();
        std::mem::take(&mut state.must_compare)
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut RedisStatus)) {
        change(&mut self.lock().status);
    }

    /// What is wrong while Redis is connected. `unclaimed`: why it claims nothing. Returns what is new, and whether it claims
    /// again.
    pub(super) fn note_problems(
        &self,
        problems: Vec<ClusterProblem>,
        unclaimed: Option<String>,
    ) -> (Vec<ClusterProblem>, bool) {
        let mut state = self.lock();
        let before = std::mem::replace(&mut state.status.problems, problems);
        let is_new = |problem: &&ClusterProblem| before.iter().all(|known| known.code != problem.code);
        let new = state.status.problems.iter().filter(is_new).cloned().collect();
        let is_claiming_again = state.unclaimed.is_some() && unclaimed.is_none();
        state.unclaimed = unclaimed;
        (new, is_claiming_again)
    }

    pub(super) fn is_unclaimed(&self) -> bool {
        self.lock().unclaimed.is_some()
    }

    /// Redis was read and compared; whether it was unreachable before.
    pub(super) fn note_connected(&self) -> bool {
        let mut state = self.lock();
        state.is_loaded = true;
        let was_connected = std::mem::replace(&mut state.status.is_connected, true);
        (state.status.unreachable_since, state.status.problem) = (None, None);
        !was_connected
    }

    /// Redis cannot be used.
    pub(super) fn note_lost(&self, code: &'static str, why: String, now: Micros) {
        let mut state = self.lock();
        state.status.is_connected = false;
        let since = *state.status.unreachable_since.get_or_insert(now);
        let message = format!("Redis cannot be used since {since}: {why}");
        state.status.problem = Some(why);
        state.status.problems = vec![ClusterProblem { code: code.to_owned(), message, needs_action: true }];
    }

    /// Nothing more will come: what waits is written, if that can be done now.
    pub(super) fn close(&self) {
        self.lock().is_closing = true;
        self.wake();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.lock().is_closing
    }
}

/// Registers that wait to be written. With more, comparing everything is cheaper than to keep a list.
const QUEUE_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use tidegate_replica::NodeId;

    use super::*;

    fn register(name: u64, millis: u64) -> Register {
        Register {
            key: Arc::from(name.to_be_bytes().as_slice()),
            stamp: Stamp::new(0, millis, 0, NodeId::new(1)),
            value: None,
            replaces: None,
            supersedes: None,
            actor: Arc::from(""),
            reason: Arc::from(""),
            extra: Arc::from([].as_slice()),
        }
    }

    #[test]
    fn the_latest_register_of_a_key_waits_and_too_many_ask_for_a_comparison() {
        let link = RedisLink::new("redis://localhost:6379/0".to_owned(), Micros::new(0));
        link.put(vec![register(1, 1), register(1, 2), register(2, 1)]);
        let state = link.lock();
        let waiting: Vec<u64> = state.queue.values().map(|register| register.stamp.millis()).collect();
        assert_eq!((waiting, state.must_compare), (vec![2, 1], false));
        drop(state);
        link.put((0..QUEUE_MAX as u64 + 5).map(|name| register(name, 3)).collect());
        let state = link.lock();
        assert!(state.queue.len() <= QUEUE_MAX && state.must_compare, "{} wait", state.queue.len());
    }

    #[test]
    fn a_receipt_says_why_redis_has_not_acknowledged() {
        let link = RedisLink::new("redis://localhost:6379/0".to_owned(), Micros::new(0));
        assert_eq!(link.receipt(None).problem.as_deref(), Some("not connected yet"));
        let stored = link.receipt(Some(Outcome::Stored { replicas: 2, is_reached: true }));
        assert_eq!((stored.is_acknowledged, stored.replicas, stored.problem), (true, 2, None));
        link.lock().status.is_connected = true;
        assert_eq!(link.receipt(None).problem.as_deref(), Some("Redis has not answered in time"));
    }
}
