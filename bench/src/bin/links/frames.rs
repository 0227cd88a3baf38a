//! Frames with their lengths, written by a task for each connection or by who sends.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use futures_core::Stream as _;
use futures_sink::Sink;
use tokio::net::TcpStream;
use tokio::time::{Interval, interval};
use tokio_rustls::TlsStream;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use crate::echo::{self, FRAME_BYTES, Node};
use crate::{Outcome, PING_EVERY, sockets};

/// Who writes a frame.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Writer {
    /// The task of the connection, in the thread of the runtime. The sender wakes it.
    Task,
    /// The sender, in its own thread. The task writes only what the socket did not take at once.
    Sender,
}

pub(crate) fn run(words: &[&str], writer: Writer) -> Outcome {
    echo::run(words, |seat, node| {
        let node = Arc::clone(node);
        sockets::open(seat, move |socket| carry(Arc::clone(&node), socket, writer))
    })
}

/// Works on a connection until it ends. The node that connected sends the pings.
async fn carry(node: Arc<Node<Link>>, socket: TlsStream<TcpStream>, writer: Writer) -> Outcome {
    let mut ticks = matches!(socket, TlsStream::Client(_)).then(|| interval(PING_EVERY));
    let link = Arc::new(Link { writer, state: Mutex::new(State::new(socket)) });
    node.add(&link)?;
    loop {
        match poll_fn(|context| link.poll(context, ticks.as_mut())).await? {
            Event::Tick => link.put(Bytes::from_static(PING))?,
            Event::Frame(frame) if frame == PING => link.put(Bytes::from_static(PONG))?,
            Event::Frame(frame) if frame == PONG => {}
            Event::Frame(frame) => node.hear(&link, frame[..].try_into()?)?,
            Event::End => return Ok(()),
        }
    }
}

struct Link {
    writer: Writer,
    state: Mutex<State>,
}

struct State {
    framed: Framed<TlsStream<TcpStream>, LengthDelimitedCodec>,
    waiting: VecDeque<Bytes>,
    /// Wakes the task of the connection. A sender that writes gives it to the socket, so that the task continues when
    /// the socket takes more.
    task: Waker,
}

enum Event {
    Frame(BytesMut),
    Tick,
    End,
}

impl echo::Link for Link {
    fn send(&self, frame: &[u8; FRAME_BYTES]) -> Outcome {
        self.put(Bytes::copy_from_slice(frame))
    }
}

impl Link {
    fn put(&self, frame: Bytes) -> Outcome {
        let mut state = self.state.lock().map_err(|_| "a thread panicked")?;
        state.waiting.push_back(frame);
        let task = state.task.clone();
        match self.writer {
            Writer::Task => {
                drop(state);
                task.wake();
            }
            Writer::Sender => {
                if let Poll::Ready(outcome) = state.write(&mut Context::from_waker(&task)) {
                    outcome?;
                }
            }
        }
        Ok(())
    }

    /// Writes what waits, and reads until something happens.
    fn poll(&self, context: &mut Context<'_>, ticks: Option<&mut Interval>) -> Poll<Outcome<Event>> {
        let mut state = self.state.lock().map_err(|_| "a thread panicked")?;
        state.task.clone_from(context.waker());
        if let Poll::Ready(outcome) = state.write(context) {
            outcome?;
        }
        match Pin::new(&mut state.framed).poll_next(context)? {
            Poll::Ready(Some(frame)) => return Poll::Ready(Ok(Event::Frame(frame))),
            Poll::Ready(None) => return Poll::Ready(Ok(Event::End)),
            Poll::Pending => {}
        }
        match ticks.map(|ticks| ticks.poll_tick(context)) {
            Some(Poll::Ready(_)) => Poll::Ready(Ok(Event::Tick)),
            _ => Poll::Pending,
        }
    }
}

impl State {
    fn new(socket: TlsStream<TcpStream>) -> Self {
        let framed = Framed::new(socket, LengthDelimitedCodec::new());
        Self { framed, waiting: VecDeque::new(), task: Waker::noop().clone() }
    }

    /// Writes what waits, as far as the socket takes it.
    fn write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut framed = Pin::new(&mut self.framed);
        while !self.waiting.is_empty() {
            ready!(Sink::<Bytes>::poll_ready(framed.as_mut(), context))?;
            if let Some(frame) = self.waiting.pop_front() {
                framed.as_mut().start_send(frame)?;
            }
        }
        Sink::<Bytes>::poll_flush(framed, context)
    }
}

const PING: &[u8] = b"ping";
const PONG: &[u8] = b"pong";
