//! Answers that are made and sent in parts, so that no more of them is in memory than is on its way.

use std::future::poll_fn;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::budget::Reserved;
use crate::limits;

/// The near end of an answer: takes its parts.
#[derive(Debug)]
pub(super) struct Parts {
    parts: mpsc::Sender<Result<Bytes, BoxError>>,
    /// When the whole of it has to be out.
    ends: Instant,
}

/// The client has gone, or was too slow.
#[derive(Debug, thiserror::Error)]
#[error("the client takes no more of the answer")]
pub(super) struct Gone;

/// The far end: the body of the answer.
struct Far {
    parts: mpsc::Receiver<Result<Bytes, BoxError>>,
    /// A part that was taken before the body was.
    first: Option<Bytes>,
    _reserved: Reserved,
}

/// Both ends of an answer, which has its place in the budget.
pub(super) fn parts(reserved: Reserved, timeout: Duration) -> (Parts, Ready) {
    let (sender, receiver) = mpsc::channel(1);
    (
        Parts { parts: sender, ends: Instant::now() + timeout },
        Ready(Far { parts: receiver, first: None, _reserved: reserved }),
    )
}

/// An answer of which nothing was sent yet.
pub(super) struct Ready(Far);

impl Ready {
    /// Waits until there is something to send, so that what fails at once can still be answered as a problem.
    pub(super) async fn first(mut self) -> Option<Body> {
        self.0.first = Some(poll_fn(|context| self.0.parts.poll_recv(context)).await?.ok()?);
        Some(self.body())
    }

    /// The body as it is.
    pub(super) fn body(self) -> Body {
        Body::new(self.0)
    }
}

impl Parts {
    /// Sends a part, as soon as the client has taken one before it.
    pub(super) async fn send(&self, part: Vec<u8>) -> Result<(), Gone> {
        let sent = timeout_at(self.ends, self.parts.send(Ok(part.into()))).await;
        sent.map_err(|_| Gone)?.map_err(|_| Gone)
    }

    /// Breaks the answer off, so that the client cannot take it for whole.
    pub(super) async fn fail(&self, error: BoxError) {
        // A client that takes nothing has no whole answer either.
        let _ = timeout_at(self.ends, self.parts.send(Err(error))).await;
    }

    /// Something to write to, on a thread that may block.
    pub(super) fn writer(self) -> Writer {
        Writer { parts: self, part: Vec::new(), runtime: Handle::current() }
    }
}

/// Sends what is written in parts.
#[derive(Debug)]
pub(super) struct Writer {
    parts: Parts,
    part: Vec<u8>,
    runtime: Handle,
}

impl Writer {
    /// Breaks the answer off.
    pub(super) fn fail(self, error: BoxError) {
        self.runtime.block_on(self.parts.fail(error));
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.part.extend_from_slice(bytes);
        if self.part.len() >= limits::PART_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.part.is_empty() {
            return Ok(());
        }
        let part = std::mem::take(&mut self.part);
        self.runtime.block_on(self.parts.send(part)).map_err(|gone| io::Error::new(io::ErrorKind::BrokenPipe, gone))
    }
}

impl HttpBody for Far {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        self.parts.poll_recv(context).map(|part| part.map(|part| part.map(Frame::data)))
    }
}
