//! What waits for the driver: requests of the program, messages of other nodes, word of the disk.
//!
//! Requests and messages are bounded: a request that finds no room is refused, a message is dropped, and its sender
//! sends it again. Word of the disk and of peers is never dropped. Nobody who puts something in waits for anything.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tidegate_replica::{Input, NodeId};

use crate::store::Outcome;

use super::request::Request;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Default)]
struct State {
    requests: VecDeque<Request>,
    messages: VecDeque<(NodeId, Vec<u8>)>,
    message_bytes: usize,
    /// Peers that came and went.
    peers: VecDeque<Input>,
    outcomes: VecDeque<Outcome>,
    messages_dropped: u64,
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
    pub(super) peers: VecDeque<Input>,
    pub(super) requests: Vec<Request>,
    pub(super) messages: Vec<(NodeId, Vec<u8>)>,
    pub(super) is_closing: bool,
}

impl Inbox {
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
        self.ring(state);
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
        self.ring(state);
    }

    /// A peer has come or gone. There are as many of these as links that come and go.
    pub(crate) fn peer(&self, node: NodeId, instance: u64, is_up: bool) {
        let mut state = self.lock();
        if !state.is_gone {
            let input = if is_up { Input::PeerUp { node, instance } } else { Input::PeerDown { node, instance } };
            state.peers.push_back(input);
            self.ring(state);
        }
    }

    /// Word of the disk.
    pub(super) fn outcome(&self, outcome: Outcome) {
        let mut state = self.lock();
        if !state.is_gone {
            state.outcomes.push_back(outcome);
            self.ring(state);
        }
    }

    /// Asks the driver to end.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closing = true;
        self.ring(state);
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

    /// Waits until there is something to do, or until then. Without `has_room`, messages stay where they are.
    pub(super) fn take(&self, until: Instant, has_room: bool) -> Taken {
        let mut state = self.lock();
        loop {
            let has_messages = has_room && !state.messages.is_empty();
            let is_idle = state.outcomes.is_empty() && state.peers.is_empty() && state.requests.is_empty();
            let left = until.saturating_duration_since(Instant::now());
            if has_messages || !is_idle || state.is_closing || left.is_zero() {
                break;
            }
            let waited = self.bell.wait_timeout(state, left.min(WAIT_MAX));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
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

    fn ring(&self, state: MutexGuard<'_, State>) {
        drop(state);
        self.bell.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

/// The longest single wait.
const WAIT_MAX: Duration = Duration::from_mins(1);
