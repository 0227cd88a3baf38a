//! The body of an answer.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

/// The body of an answer: all of its bytes, or what the router gives. One that is whole costs no allocation.
#[derive(Debug)]
pub(crate) enum Content {
    /// These bytes; none when they were sent, and for an empty body.
    Whole(Option<Bytes>),
    /// A body that comes in parts.
    Parts(Body),
}

impl Content {
    /// An answer without a body.
    pub(crate) const EMPTY: Self = Self::Whole(None);
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl From<Body> for Content {
    fn from(body: Body) -> Self {
        Self::Parts(body)
    }
}

impl HttpBody for Content {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Parts(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Parts(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().and_then(|bytes| bytes.len().try_into().ok()).unwrap_or(0))
            }
            Self::Parts(body) => body.size_hint(),
        }
    }
}
