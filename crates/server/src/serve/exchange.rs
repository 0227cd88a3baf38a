//! One request and its answer, as far as they tell whether the connection waits for its client.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use hyper::body::{Frame, Incoming, SizeHint};

use super::admission::Place;
use crate::api::EVENTS;
use crate::content::Content;

/// The connection was closed to make room for another one, before its request was whole.
#[derive(Debug, thiserror::Error)]
#[error("the connection had to make room for another one")]
pub(super) struct Displaced;

/// The body of a request. Until it is whole, its connection waits for the client.
pub(super) struct Received {
    body: Incoming,
    place: Arc<Place>,
}

impl Received {
    pub(super) fn new(body: Incoming, place: Arc<Place>) -> Result<Self, Displaced> {
        if body.is_end_stream() && !place.work() {
            return Err(Displaced);
        }
        Ok(Self { body, place })
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let is_whole = matches!(polled, Poll::Ready(None)) || self.body.is_end_stream();
        if is_whole && !self.place.work() {
            return Poll::Ready(Some(Err(Displaced.into())));
        }
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer. Its connection waits for the client to take it; but not that of a stream of events, which waits for
/// events.
pub(super) struct Sent {
    body: Content,
    place: Arc<Place>,
}

impl Sent {
    pub(super) fn answer(response: Response<Content>, place: Arc<Place>) -> Response<Self> {
        let kind = response.headers().get(header::CONTENT_TYPE);
        if kind == Some(&HeaderValue::from_static(EVENTS)) {
            place.work();
        } else {
            place.wait();
        }
        response.map(|body| Self { body, place })
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.place.wait();
    }
}
