//! One connection to one process of another node.
//!
//! Two kinds of threads use a link. Its task, on the thread of the mesh, reads frames and answers pings. A sender puts a
//! frame into the link's queue, which is bounded in bytes, and then writes to the socket itself if no other thread is writing:
//! to wake the other thread first would take longer than to write. A write never blocks. What the socket does not take at
//! once stays in the queue, and the task writes it when there is room.
//!
//! Locks are taken in this order: `socket`, `queue`. The queue's is held for some instructions only.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_core::Stream as _;
use futures_sink::Sink;
use tidegate_replica::NodeId;
use tidegate_replica::limits::MESSAGE_BYTES_MAX;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use crate::cause::Cause;
use crate::wire::{self, FRAME_BYTES_MAX, LENGTH_BYTES, Reason};

/// A process of a node: two that run at once have one node id, and different numbers.
pub(crate) type Process = (NodeId, u64);

/// A TCP connection, with TLS or without.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What a handshake has found out about the other end.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) process: Process,
    pub(crate) remote: SocketAddr,
    /// Whether this node made the connection.
    pub(crate) is_outbound: bool,
    /// Where the peer says that it can be reached.
    pub(crate) address: Option<String>,
    /// How long its process had been running when it sent its hello; none of a version that does not say.
    pub(crate) age: Option<Duration>,
    /// Whether it was starting then.
    pub(crate) is_starting: bool,
    /// When the link has to end because a certificate does, in seconds since 1970.
    pub(crate) expires: u64,
    /// The peer's certificate in DER; empty without certificates.
    pub(crate) certificate: Vec<u8>,
}

/// One connection, from the handshake until it is closed.
pub(crate) struct Link {
    peer: Peer,
    since: Instant,
    queue: Mutex<Queue>,
    socket: Mutex<Socket>,
    /// When something last came, in milliseconds after `since`.
    heard_ms: AtomicU64,
    /// The number of the last pong that came.
    pongs: watch::Sender<u64>,
    /// Set once, when this node wants the link to end.
    end: watch::Sender<Option<End>>,
    /// Why the link has ended; none while it has not.
    ended: Mutex<Option<Cause>>,
}

/// Frames that wait to be written.
struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
    dropped: u64,
    /// Nothing more is accepted.
    is_closed: bool,
    /// When something was last put in.
    last: Instant,
    /// Wakes the link's task.
    task: Waker,
}

/// The connection, and what is on its way through it.
struct Socket {
    framed: Framed<Box<dyn Stream>, LengthDelimitedCodec>,
    /// What went wrong while somebody else than the task was writing.
    error: Option<io::Error>,
}

/// How this node wants a link to end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// In good order: what waits is sent, then this.
    Goodbye(Reason),
    /// At once: the peer is gone.
    Broken(Cause),
}

/// Whether a frame was accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Queued {
    Yes,
    /// There is no room, or the link is ending.
    Dropped,
}

impl Link {
    /// A link whose handshake is finished.
    pub(crate) fn new(stream: Box<dyn Stream>, peer: Peer) -> Self {
        let codec = LengthDelimitedCodec::builder()
            .length_field_length(LENGTH_BYTES)
            .max_frame_length(FRAME_BYTES_MAX)
            .new_codec();
        let queue = Queue {
            frames: VecDeque::new(),
            bytes: 0,
            dropped: 0,
            is_closed: false,
            last: Instant::now(),
            task: Waker::noop().clone(),
        };
        let (end, _) = watch::channel(None);
        Self {
            peer,
            since: Instant::now(),
            queue: Mutex::new(queue),
            socket: Mutex::new(Socket { framed: Framed::new(stream, codec), error: None }),
            heard_ms: AtomicU64::new(0),
            pongs: watch::channel(0).0,
            end,
            ended: Mutex::new(None),
        }
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// When the handshake was finished.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// Puts a frame into the queue, and writes what it can. Never waits.
    pub(crate) fn send(&self, frame: Bytes) -> Queued {
        let (is_quick, task) = {
            let mut queue = self.lock_queue();
            if !queue.push(frame) {
                return Queued::Dropped;
            }
            (queue.bytes <= QUICK_BYTES_MAX, queue.task.clone())
        };
        if !is_quick || !self.write_now(&task) {
            task.wake();
        }
        Queued::Yes
    }

    /// Writes on this thread, unless another one is writing or reading. Returns whether the task has nothing to do.
    fn write_now(&self, task: &Waker) -> bool {
        let mut socket = match self.socket.try_lock() {
            Ok(socket) => socket,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // The thread that has it may be past the queue: the task looks again.
            Err(TryLockError::WouldBlock) => return false,
        };
        // When the socket has room again, the task is woken by it.
        match self.poll_write(&mut socket, &mut Context::from_waker(task)) {
            Poll::Ready(Err(error)) => {
                socket.error = Some(error);
                false
            }
            Poll::Ready(Ok(())) | Poll::Pending => true,
        }
    }

    /// Asks the link to end; what is asked for first counts.
    pub(crate) fn end(&self, how: End) {
        self.end.send_if_modified(|end| {
            let is_first = end.is_none();
            if is_first {
                *end = Some(how);
            }
            is_first
        });
    }

    /// How long the peer's process has been running; none if it does not say.
    pub(crate) fn peer_age(&self) -> Option<Duration> {
        self.peer.age.map(|age| age.saturating_add(self.since.elapsed()))
    }

    /// Whether the peer answers a ping of this number, which no other ping of this link has, within this time.
    pub(crate) async fn answers(&self, number: u64, within: Duration) -> bool {
        let mut pongs = self.pongs.subscribe();
        self.send(wire::ping(number)) == Queued::Yes
            && timeout(within, pongs.wait_for(|pong| *pong == number)).await.is_ok_and(|pong| pong.is_ok())
    }

    /// A pong has come.
    pub(crate) fn note_pong(&self, number: u64) {
        self.pongs.send_replace(number);
    }

    /// Something has come.
    pub(crate) fn note_heard(&self) {
        let ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.heard_ms.store(ms, Ordering::Relaxed);
    }

    /// When something last came.
    pub(crate) fn last_heard(&self) -> Instant {
        self.since + Duration::from_millis(self.heard_ms.load(Ordering::Relaxed))
    }

    /// Changes when this node wants the link to end.
    pub(crate) fn watch_end(&self) -> watch::Receiver<Option<End>> {
        self.end.subscribe()
    }

    /// Why the link has ended; none while it has not.
    pub(crate) fn ended(&self) -> Option<Cause> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn note_ended(&self, cause: Cause) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(cause);
    }

    /// Accepts nothing more. What waits is still written.
    pub(crate) fn close_queue(&self) {
        self.lock_queue().is_closed = true;
    }

    /// Takes what waits out of the queue.
    pub(crate) fn take_unsent(&self) -> VecDeque<Bytes> {
        let mut queue = self.lock_queue();
        queue.bytes = 0;
        std::mem::take(&mut queue.frames)
    }

    /// Puts the last frame behind all that waits.
    pub(crate) fn send_last(&self, frame: Bytes) {
        let mut queue = self.lock_queue();
        queue.is_closed = true;
        queue.bytes += frame.len();
        queue.frames.push_back(frame);
    }

    /// When something was last put into the queue.
    pub(crate) fn last_sent(&self) -> Instant {
        self.lock_queue().last
    }

    /// Bytes that wait in the queue, and frames that found no room in it.
    pub(crate) fn counts(&self) -> (usize, u64) {
        let queue = self.lock_queue();
        (queue.bytes, queue.dropped)
    }

    /// The next frame; none at the end of the connection. Also writes what waits. For the task only.
    pub(crate) fn poll_frame(&self, context: &mut Context<'_>) -> Poll<io::Result<Option<BytesMut>>> {
        self.note_task(context.waker());
        let mut socket = self.lock_socket();
        if let Some(error) = socket.error.take() {
            return Poll::Ready(Err(error));
        }
        if let Poll::Ready(Err(error)) = self.poll_write(&mut socket, context) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut socket.framed).poll_next(context).map(Option::transpose)
    }

    /// Ready when everything was written. For the task only.
    pub(crate) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.note_task(context.waker());
        self.poll_write(&mut self.lock_socket(), context)
    }

    /// Ready when everything was written and the connection is closed in this direction. For the task only.
    pub(crate) fn poll_close(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.note_task(context.waker());
        let mut socket = self.lock_socket();
        ready!(self.poll_write(&mut socket, context))?;
        Sink::<Bytes>::poll_close(Pin::new(&mut socket.framed), context)
    }

    /// Moves frames from the queue to the socket until one of them has no more room. Pending only while the socket has none.
    fn poll_write(&self, socket: &mut Socket, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut framed = Pin::new(&mut socket.framed);
        loop {
            ready!(Sink::<Bytes>::poll_ready(framed.as_mut(), context))?;
            let Some(frame) = self.lock_queue().pop() else { break };
            Sink::<Bytes>::start_send(framed.as_mut(), frame)?;
        }
        Sink::<Bytes>::poll_flush(framed, context)
    }

    fn note_task(&self, task: &Waker) {
        let mut queue = self.lock_queue();
        if !queue.task.will_wake(task) {
            queue.task.clone_from(task);
        }
    }

    fn lock_queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_socket(&self) -> MutexGuard<'_, Socket> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Whether there was room.
    fn push(&mut self, frame: Bytes) -> bool {
        // A frame that no node accepts would end the link.
        let is_too_long = frame.len() > FRAME_BYTES_MAX;
        if self.is_closed || is_too_long || self.bytes.saturating_add(frame.len()) > QUEUE_BYTES_MAX {
            self.dropped = self.dropped.saturating_add(1);
            return false;
        }
        self.bytes += frame.len();
        self.frames.push_back(frame);
        self.last = Instant::now();
        true
    }

    fn pop(&mut self) -> Option<Bytes> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.len();
        Some(frame)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Link").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// Bytes that may wait to be sent to one peer: half a second of what a replica may send at most. What finds no room is
/// dropped for that peer alone, and its replica asks for it again.
pub const QUEUE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// More than that is encrypted and written by the task: it would take its sender a tenth of a millisecond.
const QUICK_BYTES_MAX: usize = 64 * 1024;

const _: () = assert!(QUICK_BYTES_MAX <= MESSAGE_BYTES_MAX && MESSAGE_BYTES_MAX < QUEUE_BYTES_MAX);
const _: () = assert!(wire::HELLO_BYTES_MAX <= FRAME_BYTES_MAX);

#[cfg(test)]
mod tests;
