//! The latest changes of this node as events, made once and shared by all streams.
//!
//! One task follows the history of the node, its documents and its locks, and puts an event for each change into a ring. A stream
//! copies events from there at its own pace; one whose next event has left the ring is ended. So neither the time that a
//! change takes nor the memory of the ring depends on how many streams there are, or on whether they are read.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use tidegate::{Changes, Cluster, ClusterError, FlagKey, HostLock, NodeName, Snapshot, Stamp, Tidegate};
use tokio::sync::{OnceCell, watch as watched};

use super::event;
use super::position::Position;
use crate::api::Api;
use crate::api::problem::Problem;
use crate::limits;
use crate::stop::stopped;
use crate::tasks::Tasks;

/// The latest changes as events.
#[derive(Debug, Default)]
pub(in crate::api) struct Feed {
    /// Filled once there is a stream.
    begun: OnceCell<Arc<Shared>>,
}

/// What streams and the task share.
#[derive(Debug)]
pub(super) struct Shared {
    ring: Mutex<Ring>,
    /// Changes when there are more events.
    grown: watched::Sender<u64>,
}

#[derive(Debug)]
struct Ring {
    events: VecDeque<Bytes>,
    bytes: usize,
    /// The number of the event that comes next.
    next: u64,
    /// Up to where the events go.
    position: Position,
    /// Why there will be no more.
    ended: Option<Bytes>,
}

/// What a stream finds.
#[derive(Debug)]
pub(super) enum Found {
    /// Events, and the number of the next one.
    Events(Vec<Bytes>, u64),
    /// Nothing new.
    Nothing,
    /// The stream ends with this event.
    End(Bytes),
}

/// Where a stream begins.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// The number of its next event.
    pub(super) next: u64,
    /// Up to where the events before that one go.
    pub(super) position: Position,
}

impl Feed {
    /// What the streams share; the first one starts the task.
    pub(super) async fn begin(&self, api: &Arc<Api>) -> Result<Arc<Shared>, Problem> {
        let begun = self.begun.get_or_try_init(|| async {
            let (tide, cluster) = (api.tide.clone(), api.cluster()?);
            // Before anything is looked at, so that no change is missed between the two.
            let (subscription, arrivals) = (tide.subscribe(), cluster.arrivals());
            let follower = api.tasks.spawn_blocking(move || Follower::new(tide, cluster)).await;
            let follower = follower.map_err(|error| Problem::internal(&error))??;
            let ring =
                Ring { events: VecDeque::new(), bytes: 0, next: 0, position: follower.position.clone(), ended: None };
            let shared = Arc::new(Shared { ring: Mutex::new(ring), grown: watched::channel(0).0 });
            let mut stopping = api.stopping.clone();
            let (following, ends) = (Arc::clone(&shared), Arc::clone(&shared));
            let tasks = api.tasks.clone();
            api.tasks.spawn(async move {
                tokio::select! {
                    () = stopped(&mut stopping) => {}
                    () = follow(follower, subscription, arrivals, following, &tasks) => {}
                }
                ends.end();
            });
            Ok::<_, Problem>(shared)
        });
        begun.await.map(Arc::clone)
    }
}

impl Shared {
    /// Where a stream of what is new begins.
    pub(super) fn start(&self) -> Start {
        let ring = self.ring();
        Start { next: ring.next, position: ring.position.clone() }
    }

    /// Learns of more events.
    pub(super) fn grown(&self) -> watched::Receiver<u64> {
        self.grown.subscribe()
    }

    /// The events from this number on: one, or as many as fit into a part of an answer.
    pub(super) fn take(&self, from: u64) -> Found {
        let ring = self.ring();
        let first = ring.next - ring.events.len() as u64;
        if from < first {
            return Found::End(event::end("too-slow", TOO_SLOW));
        }
        let (mut bytes, mut next, mut events) = (0, from, Vec::new());
        let index = usize::try_from(from - first).unwrap_or(usize::MAX).min(ring.events.len());
        for event in ring.events.range(index..) {
            if bytes > 0 && bytes + event.len() > limits::PART_BYTES {
                break;
            }
            bytes += event.len();
            next += 1;
            events.push(event.clone());
        }
        match &ring.ended {
            _ if !events.is_empty() => Found::Events(events, next),
            Some(end) => Found::End(end.clone()),
            None => Found::Nothing,
        }
    }

    /// Puts events into the ring, and lets the oldest go where there are too many.
    fn push(&self, events: Vec<Bytes>, position: &Position) {
        let mut ring = self.ring();
        ring.position.clone_from(position);
        let is_grown = !events.is_empty();
        for event in events {
            ring.bytes += event.len();
            ring.next += 1;
            ring.events.push_back(event);
            while (ring.events.len() > limits::FEED_EVENTS_MAX || ring.bytes > limits::FEED_BYTES_MAX)
                && let Some(oldest) = ring.events.pop_front()
            {
                ring.bytes -= oldest.len();
            }
        }
        let next = ring.next;
        drop(ring);
        if is_grown {
            self.grown.send_replace(next);
        }
    }

    /// There will be no more events.
    fn end(&self) {
        self.ring().ended.get_or_insert_with(|| event::end("ended", ENDED));
        self.grown.send_modify(|_| {});
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows everything, until the instance is gone.
async fn follow(
    mut follower: Follower,
    mut subscription: tidegate::Subscription,
    mut arrivals: tidegate::Arrivals,
    shared: Arc<Shared>,
    tasks: &Tasks,
) {
    loop {
        let changes = tokio::select! {
            changes = subscription.changed() => match changes {
                Ok(changes) => changes,
                Err(_) => return,
            },
            grown = arrivals.recv() => match grown {
                Ok(()) => Changes::default(),
                Err(_) => return,
            },
        };
        let shared = Arc::clone(&shared);
        let read = move |mut follower: Follower, changes: &Changes| {
            let has_more = follower.read(changes, &shared);
            (follower, has_more)
        };
        let Some(read) = read_all(follower, changes, read, tasks).await else { return };
        follower = read;
    }
}

/// Reads what has changed, a part of it at a time, each on a thread that may block. A history that cannot be read is read again
/// later: streams wait for it. None: reading has panicked.
async fn read_all<F, E>(
    mut follower: F,
    changes: Changes,
    read: impl Fn(F, &Changes) -> (F, Result<bool, E>) + Clone + Send + 'static,
    tasks: &Tasks,
) -> Option<F>
where
    F: Send + 'static,
    E: std::fmt::Display + Send + 'static,
{
    let (mut changes, mut is_failing) = (changes, false);
    loop {
        let (read, found) = (read.clone(), changes.clone());
        let (returned, has_more) = tasks.spawn_blocking(move || read(follower, &found)).await.ok()?;
        follower = returned;
        match has_more {
            Ok(has_more) => {
                if is_failing {
                    tracing::info!("the history can be read again, and streams of changes go on");
                }
                (changes, is_failing) = (Changes::default(), false);
                if !has_more {
                    return Some(follower);
                }
            }
            Err(error) => {
                if !is_failing {
                    tracing::error!("the history cannot be read, and streams of changes wait: {error}; trying again");
                }
                is_failing = true;
                tokio::time::sleep(limits::FEED_RETRY).await;
            }
        }
    }
}

/// Makes events from what has changed.
struct Follower {
    tide: Tidegate,
    cluster: Cluster,
    node: NodeName,
    position: Position,
    documents: Snapshot,
    locks: BTreeMap<FlagKey, HostLock>,
}

impl Follower {
    fn new(tide: Tidegate, cluster: Cluster) -> Result<Self, ClusterError> {
        let documents = cluster.documents();
        let place = cluster.history_ends()?.map_or(0, |(_, last)| last);
        let stamp = cluster.stamp_at(place)?.unwrap_or(Stamp::ZERO);
        let (node, latest) = (cluster.node(), cluster.latest_stamps()?);
        let mut position = Position { node: node.node, place, stamp, documents: documents.digest().get(), latest };
        position.limit();
        let locks = locks(&tide);
        Ok(Self { tide, cluster, node, position, documents, locks })
    }

    /// Puts what has changed into the ring, a part of it at a time; whether there is more. After an error nothing has happened.
    fn read(&mut self, changes: &Changes, shared: &Shared) -> Result<bool, ClusterError> {
        let mut events = Vec::new();
        let arrived = self.cluster.changes_after(self.position.place, limits::FEED_PAGE, |_| true)?;
        let stamp = self.cluster.stamp_at(arrived.last)?;
        let has_more = arrived.last > self.position.place;
        if !arrived.is_complete {
            events.push(event::gap());
        }
        for change in &arrived.changes {
            self.position.note(change.position, change.change.stamp);
            events.push(event::register(change, &self.position));
        }
        if arrived.last > self.position.place {
            // What is no change of a flag.
            self.position.stamp = stamp.unwrap_or(self.position.stamp);
            self.position.place = arrived.last;
        }
        if changes.document {
            self.read_documents(&mut events);
        }
        if changes.locks {
            self.read_locks(&mut events);
        }
        if changes.health {
            events.push(event::health(&self.tide, &self.position));
        }
        shared.push(events, &self.position);
        Ok(has_more)
    }

    fn read_documents(&mut self, events: &mut Vec<Bytes>) {
        let documents = self.cluster.documents();
        if documents.digest() == self.documents.digest() {
            return;
        }
        let before = std::mem::replace(&mut self.documents, documents);
        self.position.documents = self.documents.digest().get();
        let (view, both) = (self.tide.view(), [&before, &self.documents]);
        let (node, id) = (&self.node, &self.position);
        if let Some(flags) = self.documents.changed_flags(&before, limits::EVENT_FLAGS_MAX) {
            events.extend(flags.iter().map(|flag| event::document_flag(flag, both, &view, node, id)));
        } else {
            let old = (before.digest().get(), Some(before.len()));
            events.push(event::documents(old, &self.documents, view.now(), node, id));
        }
    }

    fn read_locks(&mut self, events: &mut Vec<Bytes>) {
        let before = std::mem::replace(&mut self.locks, locks(&self.tide));
        let added = self.locks.keys().filter(|flag| !before.contains_key(*flag));
        for flag in before.keys().chain(added) {
            let both = [before.get(flag), self.locks.get(flag)];
            if both[0] != both[1] {
                events.push(event::lock(flag, both, self.tide.view().now(), &self.node, &self.position));
            }
        }
    }
}

/// The locks of this host, by flag; of two of one flag the later counts.
fn locks(tide: &Tidegate) -> BTreeMap<FlagKey, HostLock> {
    tide.status().locks.locks.into_iter().map(|status| (status.lock.flag.clone(), status.lock)).collect()
}

const TOO_SLOW: &str = "the events were not read as fast as changes came; connect again with the id of the last event";
const ENDED: &str =
    "this server reports no more changes; connect again with the id of the last event, or to another node";

impl std::fmt::Debug for Follower {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Follower").field("position", &self.position).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_history_that_cannot_be_read_is_read_again() {
        // Fails twice, and then has two parts. The changes are the same until they were read.
        let read = |mut seen: Vec<bool>, changes: &Changes| {
            seen.push(changes.locks);
            let answer = match seen.len() {
                1 | 2 => Err("no disk"),
                3 => Ok(true),
                _ => Ok(false),
            };
            (seen, answer)
        };
        let mut changes = Changes::default();
        changes.locks = true;
        assert_eq!(read_all(Vec::new(), changes, read, &Tasks::default()).await, Some(vec![true, true, true, false]));
    }
}
