//! What comes from others, on its way in.
//!
//! zenoh calls this on its own threads. Every message is opened here, and what is not from a node of this cluster goes no
//! further: it is counted by what was wrong with it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tidegate_replica::NodeId;
use tokio::runtime::Handle;

use crate::mesh::Receiver;
use crate::queue::{Command, Queue};
use crate::seal::{Destination, Opened, Opener, Process, Refused};

/// See the module.
pub(crate) struct Ear {
    node: NodeId,
    instance: u64,
    opener: Opener,
    queue: Arc<Queue>,
    receiver: Arc<dyn Receiver>,
    /// Whose signs of life there are. Behind a pointer, because it is asked for with each message and rarely changed.
    alive: Mutex<Arc<BTreeSet<Process>>>,
    /// Where zenoh works on links.
    runtime: OnceLock<Handle>,
}

impl Ear {
    pub(crate) fn new(
        node: NodeId,
        instance: u64,
        opener: Opener,
        queue: Arc<Queue>,
        receiver: Arc<dyn Receiver>,
    ) -> Self {
        Self { node, instance, opener, queue, receiver, alive: Mutex::default(), runtime: OnceLock::new() }
    }

    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    pub(crate) fn instance(&self) -> u64 {
        self.instance
    }

    pub(crate) fn opener(&self) -> &Opener {
        &self.opener
    }

    /// A message that came to this destination.
    pub(crate) fn hear(&self, to: Destination, bytes: &[u8]) {
        match self.opener.open(bytes, to, now()) {
            Ok(Opened::Payload { from, payload, wants_key }) => {
                // The introduction was lost, or there was none since this node has last seen that process come.
                if wants_key {
                    self.queue.push(Command::Ask(from));
                }
                self.receiver.message(from, payload);
            }
            Ok(Opened::Asked { from }) => self.queue.push(Command::Introduce(from)),
            Ok(Opened::Introduced) => {}
            // The message is lost and will come again; by then the certificate and the key are here.
            Err(Refused::UnknownCertificate { from } | Refused::UnknownKey { from }) => {
                self.queue.push(Command::Ask(from));
            }
            Err(refused) => tracing::debug!("a message was refused: {refused}"),
        }
    }

    /// A sign of life came or went.
    pub(crate) fn peer(&self, node: NodeId, instance: u64, is_up: bool) {
        if node == self.node && instance == self.instance {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            let _ = self.runtime.set(runtime);
        }
        // Before the first message to it, so that it can open that one.
        if is_up && self.opener.knows_certificates() {
            self.queue.push(Command::Introduce(node));
        }
        {
            let mut alive = self.lock();
            let alive = Arc::make_mut(&mut alive);
            if is_up {
                alive.insert((node, instance))
            } else {
                alive.remove(&(node, instance))
            };
        }
        if !is_up {
            self.opener.forget((node, instance));
        }
        self.receiver.peer(node, instance, is_up);
    }

    /// Where zenoh works on links; none before anything has come over one.
    pub(crate) fn runtime(&self) -> Option<Handle> {
        self.runtime.get().cloned()
    }

    /// The processes that show signs of life.
    pub(crate) fn processes(&self) -> Arc<BTreeSet<Process>> {
        Arc::clone(&self.lock())
    }

    /// The nodes that do.
    pub(crate) fn alive(&self) -> BTreeSet<NodeId> {
        self.processes().iter().map(|(node, _)| *node).collect()
    }

    /// Nothing can be heard any more: whoever was there has gone, for all that this node knows.
    pub(crate) fn hear_nothing(&self) {
        let gone = std::mem::take(&mut *self.lock());
        for (node, instance) in gone.iter().copied() {
            self.opener.forget((node, instance));
            self.receiver.peer(node, instance, false);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Arc<BTreeSet<Process>>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Ear {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ear").field("node", &self.node).finish_non_exhaustive()
    }
}

/// Seconds since 1970, for the validity of certificates.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
