//! Reading a body: no more of it than can be a document, compressed or not.

use std::io::{self, Write};
use std::time::Duration;

use flate2::write::MultiGzDecoder;
use reqwest::Response;
use reqwest::header;

use super::cause::Context;
use crate::ingest::source::{FetchError, Phase};

/// Why a body could not be read.
#[derive(Debug)]
pub(super) enum Failure {
    Transport(reqwest::Error),
    Content(FetchError),
}

impl Failure {
    pub(super) fn sort(self, context: &Context) -> FetchError {
        match self {
            Self::Transport(error) => context.sort(error, Phase::ReadingBody),
            Self::Content(error) => error,
        }
    }
}

/// Reads and decompresses the whole body, of at most `limit` bytes.
///
/// Both what comes over the wire and what it decompresses to are counted as they arrive; reading stops with
/// the piece that exceeds the limit. A piece is what the HTTP library read at once: 8 KiB as a rule, never
/// more than its buffer of 408 KiB. A length that is announced is judged before anything is read.
pub(super) async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut sink = Sink::new(coding(&response).map_err(Failure::Content)?, limit);
    let wire_max = sink.wire_max();
    let too_big = || Failure::Content(FetchError::BodyTooBig { limit });
    if response.content_length().is_some_and(|bytes| bytes > wire_max as u64) {
        return Err(too_big());
    }
    let mut wire = 0;
    while let Some(piece) = response.chunk().await.map_err(Failure::Transport)? {
        wire += piece.len();
        if wire > wire_max {
            return Err(too_big());
        }
        sink.write(&piece).map_err(Failure::Content)?;
    }
    sink.finish().map_err(Failure::Content)
}

/// Reads what little is left of a response that is not needed, so that its connection can be used again.
pub(super) async fn settle(mut response: Response) {
    if response.content_length().is_none_or(|bytes| bytes > SETTLE_BYTES_MAX) {
        return;
    }
    let rest = async { while let Ok(Some(_)) = response.chunk().await {} };
    // If the rest does not come, the connection is not worth keeping.
    let _ = tokio::time::timeout(SETTLE_TIME_MAX, rest).await;
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Coding {
    Identity,
    Gzip,
}

fn coding(response: &Response) -> Result<Coding, FetchError> {
    let mut coding = Coding::Identity;
    for value in response.headers().get_all(header::CONTENT_ENCODING) {
        let text = String::from_utf8_lossy(value.as_bytes());
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let known = match name.to_ascii_lowercase().as_str() {
                "identity" => continue,
                "gzip" | "x-gzip" if coding == Coding::Identity => Coding::Gzip,
                _ => return Err(FetchError::Coding { coding: name.escape_debug().take(40).collect() }),
            };
            coding = known;
        }
    }
    Ok(coding)
}

enum Sink {
    Plain(Limited),
    Gzip(Box<MultiGzDecoder<Limited>>),
}

impl Sink {
    fn new(coding: Coding, limit: usize) -> Self {
        let limited = Limited { body: Vec::new(), limit };
        match coding {
            Coding::Identity => Self::Plain(limited),
            Coding::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(limited))),
        }
    }

    /// Bytes accepted over the wire. What cannot be compressed grows a little under gzip.
    fn wire_max(&self) -> usize {
        match self {
            Self::Plain(limited) => limited.limit,
            Self::Gzip(decoder) => decoder.get_ref().limit.saturating_add(GZIP_SLACK),
        }
    }

    fn write(&mut self, piece: &[u8]) -> Result<(), FetchError> {
        match self {
            Self::Plain(limited) => limited.write_all(piece).map_err(sort),
            Self::Gzip(decoder) => decoder.write_all(piece).map_err(sort),
        }
    }

    fn finish(self) -> Result<Vec<u8>, FetchError> {
        match self {
            Self::Plain(limited) => Ok(limited.body),
            // An empty body is not gzip at all; what it is worth is for the reader of documents to say.
            Self::Gzip(decoder) => decoder.finish().map(|limited| limited.body).map_err(sort),
        }
    }
}

/// Bytes in memory, up to a limit.
struct Limited {
    body: Vec<u8>,
    limit: usize,
}

/// Marks the error of a writer that is full, to be told from damage.
#[derive(Debug, thiserror::Error)]
#[error("limit of {0} bytes")]
struct Full(usize);

impl Write for Limited {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if piece.len() > self.limit - self.body.len() {
            return Err(io::Error::other(Full(self.limit)));
        }
        self.body.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn sort(error: io::Error) -> FetchError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Full>()) {
        Some(Full(limit)) => FetchError::BodyTooBig { limit: *limit },
        None => FetchError::Gzip { source: error },
    }
}

/// What a body may be larger over the wire than decompressed.
const GZIP_SLACK: usize = 64 * 1024;

/// Size of an unneeded body that is still read, to keep the connection: an ordinary error page.
const SETTLE_BYTES_MAX: u64 = 8 * 1024;

/// Time spent on it at most.
const SETTLE_TIME_MAX: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn inflate(pieces: &[&[u8]], limit: usize) -> Result<Vec<u8>, FetchError> {
        let mut sink = Sink::new(Coding::Gzip, limit);
        for piece in pieces {
            sink.write(piece)?;
        }
        sink.finish()
    }

    #[test]
    fn gzip_in_any_pieces_is_decompressed() {
        let data = b"{\"features\": {}}".repeat(100);
        let packed = gzip(&data);
        assert_eq!(inflate(&[&packed], data.len()).unwrap(), data);
        let bytes: Vec<&[u8]> = packed.chunks(1).collect();
        assert_eq!(inflate(&bytes, data.len()).unwrap(), data);
        assert_eq!(inflate(&[&packed, &packed], data.len() * 2).unwrap(), data.repeat(2));
    }

    #[test]
    fn damage_is_told_from_size() {
        let packed = gzip(&vec![b' '; 10_000]);
        assert!(matches!(inflate(&[&packed], 9_999), Err(FetchError::BodyTooBig { limit: 9_999 })));
        assert!(matches!(inflate(&[&packed[..packed.len() - 3]], 10_000), Err(FetchError::Gzip { .. })));
        assert!(matches!(inflate(&[b"plain text"], 10_000), Err(FetchError::Gzip { .. })));
        assert!(matches!(inflate(&[&packed, b"rest"], 10_000), Err(FetchError::Gzip { .. })));
        let mut flipped = packed.clone();
        *flipped.last_mut().unwrap() ^= 1;
        assert!(matches!(inflate(&[&flipped], 10_000), Err(FetchError::Gzip { .. })));
    }
}
