//! What was asked.

use std::io::{self, Read};
use std::time::Instant;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Usually `GET`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names and values as they came, in their order.
    pub headers: Vec<(String, String)>,
    /// When its last byte arrived.
    pub at: Instant,
    /// Counts connections, so that reuse can be seen.
    pub connection: usize,
    /// Size of the request.
    pub bytes: usize,
}

impl Request {
    /// The first value of a header, its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The tag or date that makes the request conditional.
    pub fn condition(&self) -> Option<&str> {
        self.header("If-None-Match").or_else(|| self.header("If-Modified-Since"))
    }

    /// Reads one request; none if the client has closed the connection.
    pub(crate) fn read(stream: &mut dyn Read, connection: usize) -> io::Result<Option<Self>> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() > HEAD_BYTES_MAX {
                return Err(io::Error::other("request head too large"));
            }
            if stream.read(&mut byte)? == 0 {
                return Ok(None);
            }
            head.push(byte[0]);
        }
        let text: String = head.iter().map(|byte| char::from(*byte)).collect();
        let mut lines = text.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut request = Self { method, target, headers, at: Instant::now(), connection, bytes: head.len() };
        request.skip_body(stream)?;
        Ok(Some(request))
    }
}

impl Request {
    /// Reads the body, so that another request may follow on the connection.
    fn skip_body(&mut self, stream: &mut dyn Read) -> io::Result<()> {
        let length = self.header("Content-Length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let read = io::copy(&mut stream.take(length), &mut io::sink())?;
        self.bytes += usize::try_from(read).unwrap_or(usize::MAX);
        self.at = Instant::now();
        if read == length { Ok(()) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof)) }
    }
}

const HEAD_BYTES_MAX: usize = 64 * 1024;
