//! All links, by the process at their other end.
//!
//! Two nodes that connect to each other at the same moment have two links for a moment. Exactly one of the two nodes closes one
//! of them: the one whose process comes first in the order of (node, instance). It keeps the newest, because a peer that
//! connects again has lost the older one. The other node closes neither, so the two can never close one each and be left
//! without. Each sends on the newest link that it has.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tidegate_replica::NodeId;
use tidegate_replica::limits::NODES_MAX;
use tokio::sync::watch;

use crate::cause::Cause;
use crate::link::{End, Link, Process};
use crate::receiver::{PeerEvent, Receiver};
use crate::startup;
use crate::wire::Reason;

/// All links of this process, by the process at their other end.
#[derive(Debug)]
pub(crate) struct Registry {
    own: Process,
    receiver: Arc<dyn Receiver>,
    state: Mutex<State>,
    /// The number of the next ping whose pong is waited for. Those of the pulse have number 0.
    pings: AtomicU64,
    /// Counts the changes of the links.
    changes: watch::Sender<u64>,
    /// How many tasks of links run, those of links that are ending among them.
    tasks: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    /// Behind a pointer, because it is read for each message and rarely changed.
    links: Arc<Links>,
    /// Frames that links which are gone have dropped.
    dropped: u64,
}

/// The links to each process, the newest last; never an empty list.
type Links = BTreeMap<Process, Vec<Arc<Link>>>;

impl Registry {
    pub(crate) fn new(own: Process, receiver: Arc<dyn Receiver>) -> Self {
        let (changes, tasks) = (watch::channel(0).0, watch::channel(0).0);
        Self { own, receiver, state: Mutex::default(), pings: AtomicU64::new(1), changes, tasks }
    }

    pub(crate) fn receiver(&self) -> &dyn Receiver {
        self.receiver.as_ref()
    }

    /// Takes up a new link. The receiver learns of a process with its first link.
    ///
    /// # Errors
    /// Why the link has to end instead.
    pub(crate) fn add(&self, link: &Arc<Link>) -> Result<(), Reason> {
        let process = link.peer().process;
        if process == self.own {
            return Err(Reason::Own);
        }
        let mut state = self.lock();
        let is_full = state.links.len() >= NODES_MAX;
        let links = Arc::make_mut(&mut state.links);
        match links.entry(process) {
            Entry::Vacant(_) if is_full => return Err(Reason::TooMany),
            Entry::Vacant(entry) => {
                entry.insert(vec![Arc::clone(link)]);
                let (node, instance) = process;
                // Under the lock, so that two threads cannot tell it in the wrong order.
                self.receiver.peer(node, instance, PeerEvent::Connected { remote: link.peer().remote });
            }
            Entry::Occupied(mut entry) => {
                entry.get_mut().push(Arc::clone(link));
                let kept = if self.own < process { 1 } else { LINKS_MAX };
                entry.get().iter().rev().skip(kept).for_each(|older| older.end(End::Goodbye(Reason::Duplicate)));
            }
        }
        drop(state);
        self.note_change();
        Ok(())
    }

    /// The receiver learns that this process was refused because an older one of its node is running.
    pub(crate) fn note_refusal(&self, cause: &Cause) {
        if let Cause::RunningElsewhere(address) = cause {
            self.receiver.running_elsewhere(address);
        }
    }

    /// Where an older process of the peer's node is running, if the peer is starting; the peer has to be refused then. An
    /// older process counts only when it answers now: one that has crashed may have a link here for some seconds more.
    pub(crate) async fn running_elsewhere(&self, link: &Link) -> Option<String> {
        let (node, instance) = link.peer().process;
        let age = link.peer_age().filter(|_| link.peer().is_starting)?;
        let links = self.links();
        for (process, links) in links.range((node, 0)..=(node, u64::MAX)) {
            let Some((older, older_age)) = links.last().and_then(|older| Some((older, older.peer_age()?))) else {
                continue;
            };
            if process.1 != instance
                && startup::is_younger((age, instance), (older_age, process.1))
                && older.answers(self.pings.fetch_add(1, Ordering::Relaxed), ANSWER_MAX).await
            {
                let peer = older.peer();
                return Some(peer.address.clone().unwrap_or_else(|| peer.remote.to_string()));
            }
        }
        None
    }

    /// Removes a link that ends, and closes its queue. What waits in it goes to the next newest link to the same process, if
    /// there is one. The receiver learns that a process is gone with its last link.
    pub(crate) fn remove(&self, link: &Arc<Link>) {
        let process = link.peer().process;
        let next = {
            let mut state = self.lock();
            let links = Arc::make_mut(&mut state.links);
            let Entry::Occupied(mut entry) = links.entry(process) else { return };
            let before = entry.get().len();
            entry.get_mut().retain(|other| !Arc::ptr_eq(other, link));
            if entry.get().len() == before {
                return;
            }
            let next = entry.get().last().cloned();
            if next.is_none() {
                entry.remove();
                let (node, instance) = process;
                let cause = link.ended().unwrap_or(Cause::Closed);
                self.receiver.peer(node, instance, PeerEvent::Lost { cause });
            }
            next
        };
        link.close_queue();
        if let Some(next) = next {
            for frame in link.take_unsent() {
                next.send(frame);
            }
        }
        self.note_change();
    }

    /// Counts what a link that was removed has not sent.
    pub(crate) fn count_dropped(&self, link: &Link) {
        let unsent = u64::try_from(link.take_unsent().len()).unwrap_or(u64::MAX);
        let mut state = self.lock();
        state.dropped = state.dropped.saturating_add(unsent).saturating_add(link.counts().1);
    }

    /// Sends to every process of a node but this one.
    pub(crate) fn send(&self, node: NodeId, frame: &Bytes) {
        let links = self.links();
        let mut count = 0;
        for links in links.range((node, 0)..=(node, u64::MAX)).map(|(_, links)| links) {
            send_to(links, frame);
            count += 1;
        }
        // A message to this node's own id is for its clones, and usually there are none.
        if count == 0 && node != self.own.0 {
            self.lock().dropped += 1;
        }
    }

    /// Sends to every other process.
    pub(crate) fn broadcast(&self, frame: &Bytes) {
        self.links().values().for_each(|links| send_to(links, frame));
    }

    /// The newest link to each process.
    pub(crate) fn newest(&self) -> Vec<Arc<Link>> {
        self.links().values().filter_map(|links| links.last().cloned()).collect()
    }

    /// All links.
    pub(crate) fn all(&self) -> Vec<Arc<Link>> {
        self.links().values().flatten().cloned().collect()
    }

    /// Whether there is a link to some process of this node.
    pub(crate) fn is_linked(&self, node: NodeId) -> bool {
        self.links().range((node, 0)..=(node, u64::MAX)).next().is_some()
    }

    /// The node that says of itself that it is reached at this address.
    pub(crate) fn node_at(&self, address: &str) -> Option<NodeId> {
        let links = self.links();
        let mut all = links.values().flatten();
        let link = all.find(|link| link.peer().address.as_deref() == Some(address))?;
        Some(link.peer().process.0)
    }

    /// Changes whenever a link comes or goes.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Counts the task of a link from now on until what is returned is dropped.
    pub(crate) fn count_task(self: &Arc<Self>) -> Counted {
        self.tasks.send_modify(|count| *count += 1);
        Counted(Arc::clone(self))
    }

    /// Waits until no link has a task any more.
    pub(crate) async fn all_ended(&self) {
        // It fails only when the sender is gone, which is here.
        let _ = self.tasks.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Frames that were dropped since the start: there was no room, or no link.
    pub(crate) fn dropped(&self) -> u64 {
        let state = self.lock();
        state.links.values().flatten().map(|link| link.counts().1).fold(state.dropped, u64::saturating_add)
    }

    fn links(&self) -> Arc<Links> {
        Arc::clone(&self.lock().links)
    }

    fn note_change(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task of a link that runs.
#[derive(Debug)]
pub(crate) struct Counted(Arc<Registry>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.tasks.send_modify(|count| *count -= 1);
    }
}

fn send_to(links: &[Arc<Link>], frame: &Bytes) {
    if let Some(link) = links.last() {
        link.send(frame.clone());
    }
}

/// How long an older process has to answer before a younger one of its node is accepted: several times the way between
/// continents, and well within the time of a handshake.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// Links to one process at a time, if it is the other node that closes them: one that lasts, and some that end while another
/// one begins. Of more the oldest are closed here, too, so that a member cannot open them without limit.
const LINKS_MAX: usize = 4;

#[cfg(test)]
mod tests;
