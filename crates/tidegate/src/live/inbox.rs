//! What waits for the driver: requests of the program, messages of other nodes, outcomes of the disk.
//!
//! Requests and messages are bounded: a request that finds no room is refused, a message is dropped, and its sender
//! sends it again. Outcomes and peers are never dropped. Who puts something in waits for nothing; see [`super::intake`].

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tidegate_mesh::PeerEvent;
use tidegate_replica::NodeId;

use crate::store::Outcome;

use super::request::Request;

/// A bounded queue for each kind of input, and the timer of the driver.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    /// Wakes the driver's thread.
    thread: Condvar,
}

#[derive(Default)]
struct State {
    requests: VecDeque<Request>,
    messages: VecDeque<(NodeId, Vec<u8>)>,
    message_bytes: usize,
    /// Peers that came and went.
    peers: VecDeque<(NodeId, u64, PeerEvent)>,
    outcomes: VecDeque<Outcome>,
    messages_dropped: u64,
    /// When the driver has something to do even if nothing comes, as the thread that ran it last has noted.
    wake_at: Option<Instant>,
    /// Until when the driver's thread sleeps.
    sleeps_until: Option<Instant>,
    is_closing: bool,
    /// Nothing is accepted any more.
    is_gone: bool,
}

/// How long the driver takes for what waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Load {
    /// Some tens of microseconds, less than it takes to wake a thread.
    Quick,
    Long,
}

/// Why a request was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refused {
    /// Too many wait already.
    Busy,
    /// The driver has ended.
    Gone,
}

/// What the driver has to do next.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) outcomes: VecDeque<Outcome>,
    pub(super) peers: VecDeque<(NodeId, u64, PeerEvent)>,
    pub(super) requests: Vec<Request>,
    pub(super) messages: Vec<(NodeId, Vec<u8>)>,
    pub(super) is_closing: bool,
}

impl Inbox {
    /// A request of the program.
    pub(super) fn request(&self, request: Request) -> Result<Load, Refused> {
        let mut state = self.lock();
        if state.is_gone || state.is_closing {
            return Err(Refused::Gone);
        }
        if state.requests.len() >= REQUESTS_MAX {
            return Err(Refused::Busy);
        }
        state.requests.push_back(request);
        Ok(state.load())
    }

    /// Whether a request would be refused because too many wait.
    #[cfg(feature = "redis")]
    pub(super) fn is_full(&self) -> bool {
        self.lock().requests.len() >= REQUESTS_MAX
    }

    /// A message of another node. It is dropped, and the answer is none, where there is no room.
    pub(super) fn message(&self, from: NodeId, bytes: Vec<u8>) -> Option<Load> {
        let mut state = self.lock();
        if state.is_gone || state.message_bytes.saturating_add(bytes.len()) > MESSAGE_BYTES_MAX {
            state.messages_dropped += 1;
            return None;
        }
        state.message_bytes += bytes.len();
        state.messages.push_back((from, bytes));
        Some(state.load())
    }

    /// A peer has come or gone. There are as many of these as links that come and go. The driver's thread takes it: its
    /// sender holds a lock of the links, which sending takes as well.
    pub(super) fn peer(&self, node: NodeId, instance: u64, event: PeerEvent) {
        let mut state = self.lock();
        if !state.is_gone {
            state.peers.push_back((node, instance, event));
            drop(state);
            self.wake_thread();
        }
    }

    /// An outcome of the disk; none where the driver has ended.
    pub(super) fn outcome(&self, outcome: Outcome) -> Option<Load> {
        let mut state = self.lock();
        if state.is_gone {
            return None;
        }
        state.outcomes.push_back(outcome);
        Some(state.load())
    }

    /// Asks the driver to end; no more requests are accepted.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closing = true;
        drop(state);
        self.wake_thread();
    }

    /// Nothing will be taken any more. What waits is let go, so that no caller waits for its answer.
    pub(super) fn go(&self) {
        let mut state = self.lock();
        *state = State { is_gone: true, messages_dropped: state.messages_dropped, ..State::default() };
    }

    /// How many messages found no room.
    pub(super) fn messages_dropped(&self) -> u64 {
        self.lock().messages_dropped
    }

    /// Waits until there is something to do, or the driver has something to do by time. For the driver's thread. Without
    /// `has_room`, messages stay where they are.
    pub(super) fn wait(&self, has_room: bool) {
        let mut state = self.lock();
        loop {
            let left = state.wake_at.map(|at| at.saturating_duration_since(Instant::now()));
            if state.is_due(has_room) || state.is_closing || left.is_none_or(|left| left.is_zero()) {
                break;
            }
            state.sleeps_until = state.wake_at;
            let waited = self.thread.wait_timeout(state, left.unwrap_or_default().min(WAIT_MAX));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.sleeps_until = None;
    }

    /// Takes what there is, up to what is done at one go.
    pub(super) fn take(&self, has_room: bool) -> Taken {
        let mut state = self.lock();
        let requests = REQUESTS_AT_ONCE.min(state.requests.len());
        let messages = if has_room { MESSAGES_AT_ONCE.min(state.messages.len()) } else { 0 };
        let messages: Vec<_> = state.messages.drain(..messages).collect();
        state.message_bytes -= messages.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        Taken {
            outcomes: std::mem::take(&mut state.outcomes),
            peers: std::mem::take(&mut state.peers),
            requests: state.requests.drain(..requests).collect(),
            messages,
            is_closing: state.is_closing && state.requests.is_empty(),
        }
    }

    /// The thread that has run the driver notes when it has something to do by time.
    pub(super) fn wake_at(&self, at: Instant) {
        let is_late = {
            let mut state = self.lock();
            state.wake_at = Some(at);
            state.sleeps_until.is_some_and(|until| at < until)
        };
        if is_late {
            self.wake_thread();
        }
    }

    /// The driver's thread looks at what there is.
    pub(super) fn wake_thread(&self) {
        self.thread.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_due(&self, has_room: bool) -> bool {
        let has_messages = has_room && !self.messages.is_empty();
        has_messages || !(self.outcomes.is_empty() && self.peers.is_empty() && self.requests.is_empty())
    }

    fn load(&self) -> Load {
        let count = self.requests.len() + self.messages.len() + self.outcomes.len();
        let is_quick = !self.is_closing && count <= QUICK_COUNT && self.message_bytes <= QUICK_BYTES;
        if is_quick { Load::Quick } else { Load::Long }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("State")
            .field("requests", &self.requests.len())
            .field("messages", &self.messages.len())
            .finish_non_exhaustive()
    }
}

/// Requests that wait. A program that makes more at once should wait for some receipts first.
const REQUESTS_MAX: usize = 10_000;

/// Bytes of messages that wait: some seconds of what repair may send.
const MESSAGE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What is done at one go, before what came of it is published.
const REQUESTS_AT_ONCE: usize = 256;
const MESSAGES_AT_ONCE: usize = 256;

/// More than that is not done by the thread that brings it, which would take longer than to wake another thread.
const QUICK_COUNT: usize = 8;
const QUICK_BYTES: usize = 16 * 1024;

/// The longest single wait.
const WAIT_MAX: Duration = Duration::from_mins(1);
