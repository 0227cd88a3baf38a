//! What waits for the driver: requests of the program, messages of other nodes, outcomes of the disk.
//!
//! Requests and messages are bounded: a request that finds no room is refused, a message is dropped, and its sender
//! sends it again. Outcomes and peers are never dropped. Whoever puts something in waits for nothing; if nobody runs the
//! driver, it runs it itself for a moment ([`super::runner`]).

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use tidegate_mesh::PeerEvent;
use tidegate_replica::NodeId;

use crate::store::Outcome;

use super::request::Request;
use super::runner::Runner;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    /// Wakes the driver's thread.
    thread: Condvar,
    /// Who runs the driver; nobody before it has started, and after it has ended.
    runner: OnceLock<Weak<Runner>>,
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
    /// When the driver has something to do even if nothing comes, as whoever ran it last has left word.
    wake_at: Option<Instant>,
    /// Until when the driver's thread sleeps.
    sleeps_until: Option<Instant>,
    is_closing: bool,
    /// Nobody takes anything any more.
    is_gone: bool,
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
    /// From now on whoever puts something in may run the driver.
    pub(super) fn set_runner(&self, runner: Weak<Runner>) {
        // There is one, and it starts once.
        let _ = self.runner.set(runner);
    }

    /// A request of the program.
    pub(super) fn request(&self, request: Request) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.is_gone || state.is_closing {
            return Err(Refused::Gone);
        }
        if state.requests.len() >= REQUESTS_MAX {
            return Err(Refused::Busy);
        }
        state.requests.push_back(request);
        self.hand_over(state);
        Ok(())
    }

    /// A message of another node; dropped where there is no room.
    pub(crate) fn message(&self, from: NodeId, bytes: Vec<u8>) {
        let mut state = self.lock();
        if state.is_gone || state.message_bytes.saturating_add(bytes.len()) > MESSAGE_BYTES_MAX {
            state.messages_dropped += 1;
            return;
        }
        state.message_bytes += bytes.len();
        state.messages.push_back((from, bytes));
        self.hand_over(state);
    }

    /// A peer has come or gone. There are as many of these as links that come and go. The driver's thread sees to it: whoever
    /// tells it holds a lock of the links, which sending takes as well.
    pub(crate) fn peer(&self, node: NodeId, instance: u64, event: PeerEvent) {
        let mut state = self.lock();
        if !state.is_gone {
            state.peers.push_back((node, instance, event));
            drop(state);
            self.wake_thread();
        }
    }

    /// Word of the disk.
    pub(super) fn outcome(&self, outcome: Outcome) {
        let mut state = self.lock();
        if !state.is_gone {
            state.outcomes.push_back(outcome);
            self.hand_over(state);
        }
    }

    /// Asks the driver to end; no more requests are accepted.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closing = true;
        drop(state);
        self.wake_thread();
    }

    /// Nothing will be taken any more. What waits is let go, so that nobody waits for its answer.
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

    /// Whoever has run the driver leaves word when it has something to do by time.
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

    /// Something was put in. What takes long is for the driver's thread.
    fn hand_over(&self, state: MutexGuard<'_, State>) {
        let is_quick = state.is_quick();
        drop(state);
        match self.runner.get().and_then(Weak::upgrade) {
            Some(runner) if is_quick => runner.run_here(),
            _ => self.wake_thread(),
        }
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

    /// Whether what waits is done in a moment, by whoever has brought the last of it.
    fn is_quick(&self) -> bool {
        let count = self.requests.len() + self.messages.len() + self.outcomes.len();
        !self.is_closing && count <= QUICK_COUNT && self.message_bytes <= QUICK_BYTES
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

/// More than that is not done by whoever brings it: some tens of microseconds are shorter than waking a thread, and a
/// backlog is not.
const QUICK_COUNT: usize = 8;
const QUICK_BYTES: usize = 16 * 1024;

/// The longest single wait.
const WAIT_MAX: Duration = Duration::from_mins(1);
