//! The way out: a message gets its envelope and is put on the links.
//!
//! Two threads use it. The thread of the links does, for all that waits in the queue. And whoever hands in a message does
//! so itself if nothing waits: to wake another thread takes longer than to send, and on a busy host several times as long.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tidegate_replica::NodeId;
use tidegate_replica::limits::MESSAGE_BYTES_MAX;

use crate::dial::Link;
use crate::ear::Ear;
use crate::queue::Queue;
use crate::seal::{Destination, Sealer};
use crate::session::Session;

/// See the module.
pub(crate) struct Line {
    /// None before the links are open, and while they are made anew.
    session: Option<Session>,
    sealer: Sealer,
    ear: Arc<Ear>,
    /// Counts what could not be sent.
    queue: Arc<Queue>,
}

impl Line {
    pub(crate) fn new(sealer: Sealer, ear: Arc<Ear>, queue: Arc<Queue>) -> Self {
        Self { session: None, sealer, ear, queue }
    }

    /// Whether a message of this length is to be sent by whoever hands it in. What takes long is for the thread of the links.
    pub(crate) fn is_quick(&self, bytes: usize) -> bool {
        self.session.is_some() && bytes <= QUICK_BYTES_MAX
    }

    pub(crate) fn send(&mut self, to: Destination, payload: &[u8]) {
        let bytes = self.sealer.seal(to, payload, &self.ear.processes());
        self.put(to, bytes);
    }

    pub(crate) fn introduce(&mut self, to: NodeId) {
        let bytes = self.sealer.introduce(to);
        self.put(Destination::Node(to), bytes);
    }

    pub(crate) fn ask(&mut self, to: NodeId) {
        let bytes = self.sealer.ask(to);
        self.put(Destination::Node(to), bytes);
    }

    /// Takes these links in place of those that were there.
    pub(crate) fn replace(&mut self, session: Option<Session>) -> Option<Session> {
        std::mem::replace(&mut self.session, session)
    }

    /// The links that there are.
    pub(crate) fn links(&self, listen: Option<SocketAddr>) -> Vec<Link> {
        self.session.as_ref().map(|session| session.links(listen)).unwrap_or_default()
    }

    fn put(&mut self, to: Destination, bytes: Option<Vec<u8>>) {
        // There is nothing to say where nobody has certificates.
        let Some(bytes) = bytes else { return };
        let sent = match (&mut self.session, to) {
            (None, _) => Err("there is no session".into()),
            (Some(session), Destination::All) => session.broadcast(bytes),
            (Some(session), Destination::Node(node)) => session.send(node, bytes),
        };
        if let Err(error) = sent {
            self.queue.note_dropped();
            tracing::debug!("a message was not sent: {error}");
        }
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Line").field("session", &self.session).finish_non_exhaustive()
    }
}

/// A message that is longer goes by way of the queue: its hash alone would take its sender a tenth of a millisecond.
const QUICK_BYTES_MAX: usize = 64 * 1024;

const _: () = assert!(QUICK_BYTES_MAX <= MESSAGE_BYTES_MAX);
