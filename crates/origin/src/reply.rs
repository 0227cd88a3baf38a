//! What to answer, and how badly.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::Request;

/// One answer. Correct HTTP/1.1 unless told otherwise.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Body,
    pub(crate) framing: Framing,
    pub(crate) before: Before,
    pub(crate) pace: Option<Duration>,
    pub(crate) ending: Ending,
    is_conditional: bool,
    is_gzip: bool,
}

/// What is sent after the headers.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Bytes(Arc<[u8]>),
    /// The same block until the client goes away.
    Endless(Arc<[u8]>),
    /// Instead of a whole reply, as it is.
    Raw(Arc<[u8]>),
    /// A head whose headers never end.
    EndlessHead,
}

/// How the end of the body is marked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Framing {
    Length,
    /// A length that need not be true.
    Announced(u64),
    Chunked,
    UntilClose,
}

/// What happens before the status line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Before {
    Nothing,
    /// Nothing more, until the client goes away.
    Hang,
    Close,
    Reset,
}

/// How the body ends; numbers are bytes sent before.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Complete,
    Close(usize),
    Reset(usize),
    Hang(usize),
}

impl Reply {
    /// A document, 200; or 304 to a request whose condition names this document's tag or date.
    pub fn document(body: impl AsRef<[u8]>) -> Self {
        Self { is_conditional: true, ..Self::ok(body) }.header("Content-Type", "application/json")
    }

    /// 200 and a body, whatever the request's condition.
    pub fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::status(200).body(body)
    }

    /// An empty answer of any status.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Bytes(Arc::default()),
            framing: Framing::Length,
            before: Before::Nothing,
            pace: None,
            ending: Ending::Complete,
            is_conditional: false,
            is_gzip: false,
        }
    }

    /// 304, asked for or not.
    pub fn not_modified() -> Self {
        Self::status(304)
    }

    /// A redirect; `location` may be anything.
    pub fn redirect(status: u16, location: impl AsRef<[u8]>) -> Self {
        Self::status(status).header("Location", location)
    }

    /// 200 and a body of `block` after `block` without end.
    pub fn endless(block: impl AsRef<[u8]>) -> Self {
        Self { body: Body::Endless(block.as_ref().into()), ..Self::status(200) }.chunked()
    }

    /// Headers without end.
    pub fn endless_head() -> Self {
        Self { body: Body::EndlessHead, ..Self::status(200) }
    }

    /// 200 and `bytes` of spaces in a small gzip body.
    pub fn gzip_bomb(bytes: usize) -> Self {
        Self::ok(vec![b' '; bytes]).gzip()
    }

    /// These bytes and nothing else, then the connection is closed.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self { body: Body::Raw(bytes.as_ref().into()), ..Self::status(200) }
    }

    /// Reads the request and then does nothing until the client goes away.
    pub fn hang() -> Self {
        Self { before: Before::Hang, ..Self::status(200) }
    }

    /// Closes the connection instead of answering.
    pub fn close() -> Self {
        Self { before: Before::Close, ..Self::status(200) }
    }

    /// Resets the connection instead of answering.
    pub fn reset() -> Self {
        Self { before: Before::Reset, ..Self::status(200) }
    }

    /// Adds a header. The value is written as it is, even if it is not legal.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Adds an `ETag`, written as it is: give the quotes.
    #[must_use]
    pub fn tag(self, tag: impl AsRef<[u8]>) -> Self {
        self.header("ETag", tag)
    }

    /// Replaces the body.
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Body::Bytes(body.as_ref().into());
        self
    }

    /// Replaces the status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Compresses the body that it has now, to every client.
    #[must_use]
    pub fn gzip(mut self) -> Self {
        if let Body::Bytes(body) = &self.body {
            self.body = Body::Bytes(gzip(body).into());
        }
        self.is_gzip = true;
        self
    }

    /// Sends the body in chunks.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.framing = Framing::Chunked;
        self
    }

    /// Sends the body without saying how long it is; the end of the connection is its end.
    #[must_use]
    pub fn until_close(mut self) -> Self {
        self.framing = Framing::UntilClose;
        self
    }

    /// Announces a length, whatever the body's is.
    #[must_use]
    pub fn announce(mut self, bytes: u64) -> Self {
        self.framing = Framing::Announced(bytes);
        self
    }

    /// Closes the connection after this number of bytes of the body.
    #[must_use]
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.ending = Ending::Close(bytes);
        self
    }

    /// Resets the connection after this number of bytes of the body.
    #[must_use]
    pub fn reset_after(mut self, bytes: usize) -> Self {
        self.ending = Ending::Reset(bytes);
        self
    }

    /// Stops after this number of bytes of the body, and keeps the connection open.
    #[must_use]
    pub fn hang_after(mut self, bytes: usize) -> Self {
        self.ending = Ending::Hang(bytes);
        self
    }

    /// Sends everything, the head as well, byte by byte with this pause between them.
    #[must_use]
    pub fn drip(mut self, pause: Duration) -> Self {
        self.pace = Some(pause);
        self
    }

    /// The reply that `request` gets: this one, or 304 if this is a document that the client has.
    pub(crate) fn to(&self, request: &Request) -> Self {
        let names = |header: &str, condition: &str| {
            let own = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(header));
            own.is_some_and(|(_, own)| request.header(condition).is_some_and(|asked| latin1(own) == asked))
        };
        let has_it = names("ETag", "If-None-Match")
            || (request.header("If-None-Match").is_none() && names("Last-Modified", "If-Modified-Since"));
        if !self.is_conditional || !has_it {
            return self.clone();
        }
        let mut reply = Self { headers: self.headers.clone(), ..Self::not_modified() };
        reply.headers.retain(|(name, _)| name != "Content-Type");
        reply
    }

    /// Whether HTTP allows a body after this head.
    pub(crate) fn may_have_body(&self) -> bool {
        !matches!((self.status, self.framing), (204 | 304, Framing::Length))
    }

    /// Status line and headers.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, words(self.status)).into_bytes();
        let mut line = |name: &str, value: &[u8]| {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        };
        for (name, value) in &self.headers {
            line(name, value);
        }
        if self.is_gzip {
            line("Content-Encoding", b"gzip");
        }
        match (self.framing, &self.body) {
            (Framing::Length, Body::Bytes(body)) if self.may_have_body() => {
                line("Content-Length", body.len().to_string().as_bytes());
            }
            (Framing::Announced(bytes), _) => line("Content-Length", bytes.to_string().as_bytes()),
            (Framing::Chunked, _) => line("Transfer-Encoding", b"chunked"),
            (Framing::UntilClose, _) => line("Connection", b"close"),
            (Framing::Length, _) => {}
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Memory does not fail.
    let _ = encoder.write_all(data);
    encoder.finish().unwrap_or_default()
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn words(status: u16) -> &'static str {
    match status {
        200 => "OK",
        304 => "Not Modified",
        404 => "Not Found",
        503 => "Service Unavailable",
        _ => "As Asked",
    }
}
