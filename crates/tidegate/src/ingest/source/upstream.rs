//! The server of a follower: a snapshot, asked for like a document, and a stream of lines.

use std::fmt;
use std::time::Duration;

use reqwest::{Response, Url};

use super::http::{HttpFetcher, Location};
use super::{Answer, FetchError, FetchOptions, Phase, SourceError, Tag};

/// Asks one server.
pub(crate) struct Upstream {
    http: HttpFetcher,
    name: String,
}

/// The lines of an answer, as they come.
pub(crate) struct Lines {
    response: Response,
    buffer: Vec<u8>,
    /// How much of the buffer has no end of a line.
    searched: usize,
}

impl Upstream {
    /// Whether this can be the base URL of a server.
    ///
    /// # Errors
    /// It is no URL.
    pub(crate) fn check(base: &str) -> Result<(), SourceError> {
        Location::parse(base).map(drop)
    }

    /// Prepares to ask the server at this base URL; asks nothing yet.
    ///
    /// # Errors
    /// It is no URL, or the options cannot work.
    pub(crate) fn new(base: &str, options: FetchOptions) -> Result<Self, SourceError> {
        // The name is that which the user knows; it shows no secrets.
        let name = Location::parse(base)?.to_string().trim_end_matches('/').to_owned();
        let (place, query) = base.split_once(['?', '#']).map_or((base, ""), |(place, query)| (place, query));
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        let location = Location::parse(&format!("{}{SNAPSHOT}{query}", place.trim_end_matches('/')))?;
        Ok(Self { http: HttpFetcher::new(location, FetchOptions { is_signed: false, ..options })?, name })
    }

    /// The server for people.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Asks for the snapshot, unless it is the one with this tag.
    pub(crate) async fn snapshot(&mut self, have: Option<&Tag>) -> Result<Answer, FetchError> {
        self.http.fetch(have).await
    }

    /// Opens the stream for a follower that has this.
    pub(crate) async fn changes(&mut self, query: &[(&str, &str)]) -> Result<Lines, FetchError> {
        let mut url: Url = self.http.url().clone();
        let path = url.path().strip_suffix(SNAPSHOT).unwrap_or_default().to_owned();
        url.set_path(&format!("{path}{CHANGES}"));
        url.query_pairs_mut().extend_pairs(query);
        let response = self.http.open(url).await?;
        Ok(Lines { response, buffer: Vec::new(), searched: 0 })
    }

    /// The next line, without its end. May be dropped at any point, and called again.
    ///
    /// # Errors
    /// The connection broke, or no line came in time.
    pub(crate) async fn next(
        &self,
        lines: &mut Lines,
        limit: usize,
        silence_max: Duration,
    ) -> Result<Vec<u8>, FetchError> {
        loop {
            if let Some(end) = lines.buffer.iter().skip(lines.searched).position(|byte| *byte == b'\n') {
                let rest = lines.buffer.split_off(lines.searched + end + 1);
                let mut line = std::mem::replace(&mut lines.buffer, rest);
                lines.searched = 0;
                line.pop();
                return Ok(line);
            }
            lines.searched = lines.buffer.len();
            if lines.buffer.len() > limit {
                return Err(FetchError::BodyTooBig { limit });
            }
            let phase = Phase::ReadingBody;
            let piece = tokio::time::timeout(silence_max, lines.response.chunk()).await;
            match piece.map_err(|_| FetchError::TimedOut { phase, after: silence_max })? {
                Ok(Some(piece)) => lines.buffer.extend_from_slice(&piece),
                Ok(None) => {
                    let (reason, source) = ("the server has ended the stream".to_owned(), "end of stream".into());
                    return Err(FetchError::Broken { phase, reason, source });
                }
                Err(error) => return Err(self.http.broken(error)),
            }
        }
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Upstream({})", self.name)
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Lines").field("buffered", &self.buffer.len()).finish_non_exhaustive()
    }
}

const SNAPSHOT: &str = "/api/v1/follow/snapshot";
const CHANGES: &str = "/api/v1/follow/changes";
