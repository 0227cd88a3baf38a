//! Writing a reply onto a connection, with its faults.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

use crate::reply::{Before, Body, Ending, Framing, Reply};
use crate::state::Shared;

/// A connection, secured or not.
pub(crate) trait Stream: Read + Write + Send {
    /// The socket below.
    fn socket(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Stream for rustls::StreamOwned<rustls::ServerConnection, TcpStream> {
    fn socket(&self) -> &TcpStream {
        &self.sock
    }
}

/// Whether the connection can carry another request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Then {
    Keep,
    Close,
}

/// Writes one reply.
pub(crate) fn send(reply: &Reply, stream: &mut dyn Stream, shared: &Shared) -> io::Result<Then> {
    let mut out = Out { stream, shared, pace: reply.pace };
    match reply.before {
        Before::Nothing => {}
        Before::Hang => return out.hang(),
        Before::Close => return Ok(Then::Close),
        Before::Reset => return out.reset(),
    }
    match &reply.body {
        Body::Raw(bytes) => {
            out.write(bytes)?;
            Ok(Then::Close)
        }
        Body::EndlessHead => {
            out.write(b"HTTP/1.1 200 OK\r\n")?;
            loop {
                out.write(b"X-More: and more and more and more and more and more and more and more\r\n")?;
            }
        }
        Body::Endless(block) => {
            out.write(&reply.head())?;
            loop {
                out.piece(block, reply.framing)?;
            }
        }
        Body::Bytes(body) => {
            out.write(&reply.head())?;
            out.body(if reply.may_have_body() { body } else { &[] }, reply)
        }
    }
}

struct Out<'a> {
    stream: &'a mut dyn Stream,
    shared: &'a Shared,
    pace: Option<Duration>,
}

impl Out<'_> {
    fn body(&mut self, body: &[u8], reply: &Reply) -> io::Result<Then> {
        let sent = match reply.ending {
            Ending::Complete => body.len(),
            Ending::Close(bytes) | Ending::Reset(bytes) | Ending::Hang(bytes) => bytes.min(body.len()),
        };
        for piece in body[..sent].chunks(PIECE_BYTES) {
            self.piece(piece, reply.framing)?;
        }
        match reply.ending {
            Ending::Complete => {}
            Ending::Close(_) => return Ok(Then::Close),
            Ending::Reset(_) => return self.reset(),
            Ending::Hang(_) => return self.hang(),
        }
        match reply.framing {
            Framing::Length => Ok(Then::Keep),
            Framing::Chunked => self.write(b"0\r\n\r\n").map(|()| Then::Keep),
            Framing::Announced(_) | Framing::UntilClose => Ok(Then::Close),
        }
    }

    fn piece(&mut self, piece: &[u8], framing: Framing) -> io::Result<()> {
        if !matches!(framing, Framing::Chunked) {
            return self.write(piece);
        }
        self.write(format!("{:x}\r\n", piece.len()).as_bytes())?;
        self.write(piece)?;
        self.write(b"\r\n")
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let step = if self.pace.is_some() { 1 } else { bytes.len().max(1) };
        for part in bytes.chunks(step) {
            if let Some(pause) = self.pace {
                self.shared.pause(pause)?;
            }
            self.stream.write_all(part)?;
            self.stream.flush()?;
            self.shared.count_sent(part.len());
        }
        Ok(())
    }

    /// Waits for the client to go away, or for the end of the origin.
    fn hang(&mut self) -> io::Result<Then> {
        let mut ignored = [0; 1024];
        while self.stream.read(&mut ignored)? > 0 {}
        Ok(Then::Close)
    }

    fn reset(&mut self) -> io::Result<Then> {
        set_socket_linger(self.stream.socket(), Some(Duration::ZERO))?;
        Ok(Then::Close)
    }
}

const PIECE_BYTES: usize = 16 * 1024;
