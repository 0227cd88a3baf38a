//! The memory for bodies and answers: one budget for all of them.
//!
//! What is small is part of its connection, and connections are limited. Whatever is larger takes its bytes from the budget while it is
//! held, and is refused with 503 where there are none left. So a change always finds room: its body and its receipt are small.

use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Api;
use super::problem::Problem;
use crate::limits;

/// The memory that bodies and answers may take together.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    /// Counts units of [`UNIT`] bytes.
    free: Arc<Semaphore>,
}

/// Bytes of the budget; they are free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Reserved {
    free: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { free: Arc::new(Semaphore::new((bytes / UNIT).min(Semaphore::MAX_PERMITS))) }
    }

    /// Bytes for something that is not small, if that many are left.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<Reserved, Problem> {
        let mut reserved = Reserved { free: Arc::clone(&self.free), permit: None };
        reserved.grow_to(bytes).map(|()| reserved)
    }

    /// A text that takes its bytes from the budget while anybody holds it.
    pub(crate) fn hold(&self, text: String) -> Result<Bytes, Problem> {
        if text.len() <= limits::SMALL_BYTES {
            return Ok(text.into());
        }
        let reserved = self.reserve(text.len())?;
        Ok(Bytes::from_owner(Held { bytes: text.into_bytes(), _reserved: reserved }))
    }

    /// The bytes that are taken, and the limit.
    #[cfg(test)]
    fn used(&self, bytes: usize) -> usize {
        bytes - self.free.available_permits() * UNIT
    }
}

impl Reserved {
    /// Takes as many more as there have to be for this size.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), Problem> {
        let held = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = u32::try_from(bytes.div_ceil(UNIT).saturating_sub(held)).map_err(|_| Problem::no_memory())?;
        if more == 0 {
            return Ok(());
        }
        let more = Arc::clone(&self.free).try_acquire_many_owned(more).map_err(|_| Problem::no_memory())?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
    }
}

/// Bytes with their place in the budget.
#[derive(Debug)]
pub(crate) struct Held {
    bytes: Vec<u8>,
    _reserved: Reserved,
}

impl Held {
    pub(crate) fn new(bytes: Vec<u8>, reserved: Reserved) -> Self {
        Self { bytes, _reserved: reserved }
    }
}

impl Deref for Held {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Answers that are read take their bytes from the budget until the client has them. A receipt is never refused: its change was
/// made.
pub(super) async fn limit_answers(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let response = next.run(request).await;
    // One without a known size is a stream, which has its place in the budget already.
    let size = response.body().size_hint().exact().and_then(|size| usize::try_from(size).ok());
    let Some(size) = size.filter(|size| is_read && *size > limits::SMALL_BYTES) else { return response };
    match api.budget.reserve(size) {
        Ok(reserved) => response.map(|body| Body::new(Limited { body, reserved: Arc::new(reserved) })),
        Err(problem) => problem.into_response(),
    }
}

/// A body with its place in the budget.
struct Limited {
    body: Body,
    reserved: Arc<Reserved>,
}

/// A part of it, which outlives it in the buffers of the connection.
struct Part {
    bytes: Bytes,
    _reserved: Arc<Reserved>,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl HttpBody for Limited {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let reserved = &self.reserved;
        let part = |bytes| Bytes::from_owner(Part { bytes, _reserved: Arc::clone(reserved) });
        polled.map(|frame| frame.map(|frame| frame.map(|frame| frame.map_data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What the budget is counted in.
const UNIT: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted_and_free_again_afterwards() {
        let budget = Budget::new(1024 * UNIT);
        let used = || budget.used(1024 * UNIT);
        let mut reserved = budget.reserve(1).unwrap();
        assert_eq!(used(), UNIT);
        for (size, held) in [(UNIT, 1), (UNIT + 1, 2), (10, 2), (600 * UNIT, 600)] {
            reserved.grow_to(size).unwrap();
            assert_eq!(used(), held * UNIT);
        }
        assert!(reserved.grow_to(1025 * UNIT).is_err() && budget.reserve(425 * UNIT).is_err());
        assert!(budget.reserve(usize::MAX).is_err());
        assert_eq!(used(), 600 * UNIT, "a refusal takes nothing");
        let text = budget.hold("x".repeat(424 * UNIT)).unwrap();
        assert!(budget.hold("x".repeat(limits::SMALL_BYTES + 1)).is_err());
        assert!(budget.hold("x".repeat(limits::SMALL_BYTES)).is_ok(), "what is small always finds room");
        drop((text, reserved));
        assert_eq!(used(), 0);
    }

    #[tokio::test]
    async fn an_answer_is_counted_until_its_bytes_are_gone() {
        let budget = Budget::new(1024 * UNIT);
        let reserved = Arc::new(budget.reserve(100 * UNIT).unwrap());
        let mut body = Limited { body: Body::from(vec![0; 100 * UNIT]), reserved };
        let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await.unwrap().unwrap();
        drop(body);
        assert_eq!(budget.used(1024 * UNIT), 100 * UNIT, "the connection has it still");
        assert_eq!(frame.into_data().unwrap().len(), 100 * UNIT);
        assert_eq!(budget.used(1024 * UNIT), 0);
    }
}
