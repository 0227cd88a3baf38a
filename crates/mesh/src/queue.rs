//! What waits to be sent.
//!
//! Messages are bounded by their bytes: one that finds no room is dropped and counted, and the replica sends it again if it
//! still matters. What else waits is one word each, and never more than a few of them.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate_replica::NodeId;
use tidegate_replica::limits::MESSAGE_BYTES_MAX;

use crate::seal::Destination;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct State {
    commands: VecDeque<Command>,
    bytes: usize,
    dropped: u64,
    /// What was taken last has not been done yet.
    is_worked_on: bool,
    /// Nobody takes anything any more.
    is_gone: bool,
}

/// What the thread is to do.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Command {
    /// A message.
    Send(Destination, Vec<u8>),
    /// Tell a node by which certificate it knows this one.
    Introduce(NodeId),
    /// Ask a node for its certificate.
    Ask(NodeId),
    /// Let all links go and make them anew.
    Reopen,
    /// End.
    Close,
}

impl Queue {
    /// Puts something in.
    pub(crate) fn push(&self, command: Command) {
        let mut state = self.lock();
        let bytes = command.bytes();
        // A message that no node takes would end the link.
        if state.is_gone || bytes > MESSAGE_BYTES_MAX || state.bytes.saturating_add(bytes) > QUEUE_BYTES_MAX {
            state.dropped += 1;
            return;
        }
        // Said twice it means no more than once.
        if bytes == 0 && state.commands.contains(&command) {
            return;
        }
        state.bytes += bytes;
        state.commands.push_back(command);
        drop(state);
        self.bell.notify_one();
    }

    /// Whether nothing waits, and nothing that was taken is still to be done. What is said now comes after all that was said
    /// before.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.lock();
        state.commands.is_empty() && !state.is_worked_on && !state.is_gone
    }

    /// Waits for something, at most so long, and takes all there is. What was taken before is done.
    pub(crate) fn take(&self, patience: Duration) -> VecDeque<Command> {
        let mut state = self.lock();
        state.is_worked_on = false;
        let waited = self.bell.wait_timeout_while(state, patience, |state| state.commands.is_empty());
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.bytes = 0;
        state.is_worked_on = !state.commands.is_empty();
        std::mem::take(&mut state.commands)
    }

    /// Lets go what waits: it would be stale when it could be sent. Whether to end is kept.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        let messages = state.commands.iter().filter(|command| command.bytes() > 0).count();
        state.dropped += u64::try_from(messages).unwrap_or(u64::MAX);
        state.commands.retain(|command| *command == Command::Close);
        state.bytes = 0;
    }

    /// Nothing will be taken any more.
    pub(crate) fn go(&self) {
        let mut state = self.lock();
        *state = State { is_gone: true, dropped: state.dropped, ..State::default() };
    }

    /// Counts a message that was taken and could not be sent.
    pub(crate) fn note_dropped(&self) {
        self.lock().dropped += 1;
    }

    /// How many messages found no room, or could not be sent.
    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Command {
    /// How much room it takes.
    fn bytes(&self) -> usize {
        match self {
            Self::Send(_, bytes) => bytes.len().max(1),
            Self::Introduce(_) | Self::Ask(_) | Self::Reopen | Self::Close => 0,
        }
    }
}

/// Bytes of messages that wait to be sent: two seconds of what a replica may send at most.
pub const QUEUE_BYTES_MAX: usize = 32 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_dropped_and_counted() {
        let queue = Queue::default();
        let count = QUEUE_BYTES_MAX / MESSAGE_BYTES_MAX;
        for _ in 0..count {
            queue.push(Command::Send(Destination::All, vec![0; MESSAGE_BYTES_MAX]));
        }
        queue.push(Command::Send(Destination::All, Vec::new()));
        queue.push(Command::Ask(NodeId::new(1)));
        assert_eq!(queue.dropped(), 1);
        assert_eq!(queue.take(Duration::ZERO).len(), count + 1);
        queue.push(Command::Send(Destination::All, vec![0; MESSAGE_BYTES_MAX]));
        assert_eq!((queue.dropped(), queue.take(Duration::ZERO).len()), (1, 1));
        queue.push(Command::Send(Destination::Node(NodeId::new(1)), vec![0; MESSAGE_BYTES_MAX + 1]));
        assert_eq!((queue.dropped(), queue.take(Duration::ZERO).len()), (2, 0));
    }

    #[test]
    fn it_is_idle_when_all_is_done_that_was_said() {
        let queue = Queue::default();
        assert!(queue.is_idle());
        queue.push(Command::Introduce(NodeId::new(1)));
        assert!(!queue.is_idle(), "it waits");
        assert_eq!(queue.take(Duration::ZERO).len(), 1);
        assert!(!queue.is_idle(), "it is worked on");
        assert_eq!(queue.take(Duration::ZERO).len(), 0);
        assert!(queue.is_idle());
        queue.go();
        assert!(!queue.is_idle(), "nobody sends any more");
    }

    #[test]
    fn a_word_said_twice_is_there_once() {
        let queue = Queue::default();
        for _ in 0..3 {
            queue.push(Command::Ask(NodeId::new(1)));
            queue.push(Command::Reopen);
        }
        assert_eq!(queue.take(Duration::ZERO), [Command::Ask(NodeId::new(1)), Command::Reopen]);
    }

    #[test]
    fn clearing_keeps_the_end() {
        let queue = Queue::default();
        queue.push(Command::Send(Destination::All, vec![1]));
        queue.push(Command::Close);
        queue.clear();
        assert_eq!((queue.dropped(), queue.take(Duration::ZERO)), (1, VecDeque::from([Command::Close])));
    }

    #[test]
    fn nothing_waits_for_a_thread_that_is_gone() {
        let queue = Queue::default();
        queue.go();
        queue.push(Command::Send(Destination::All, vec![1]));
        assert_eq!((queue.dropped(), queue.take(Duration::ZERO).len()), (1, 0));
    }
}
