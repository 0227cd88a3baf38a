//! What a fetch makes of every origin. The rows of misbehaviour are those of the fault list: tags, bodies,
//! sizes, statuses, redirects, time, TLS and names.

mod body;
mod call;
mod conditional;
mod misbehaving;
mod redirects;
mod secrets;
mod secure;
mod status;
mod time;

use std::time::Instant;

use tidegate_origin::Origin;
use tokio::runtime::{Builder, Runtime};

use super::*;

const GOOD: &str = r#"{"features": {"x": {"stable": 1, "new": 2, "description": "the last good document"}}}"#;

/// A fetcher and the runtime that drives it.
struct Client {
    runtime: Runtime,
    fetcher: Fetcher,
}

impl Client {
    fn new(source: Source, options: FetchOptions) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, fetcher: Fetcher::new(source, options).unwrap() }
    }

    fn for_origin(origin: &Origin) -> Self {
        Self::at(&origin.url("/flags.json"), quick())
    }

    fn at(url: &str, options: FetchOptions) -> Self {
        Self::new(Source::http(url).unwrap(), options)
    }

    fn fetch(&mut self, have: Option<&Tag>) -> Result<Answer, FetchError> {
        self.runtime.block_on(self.fetcher.fetch(have))
    }

    /// A new document, and its tag.
    fn changed(&mut self, have: Option<&Tag>) -> (String, Option<Tag>) {
        match self.fetch(have).unwrap().fetched {
            Fetched::Changed { body, tag } => (String::from_utf8(body).unwrap(), tag),
            Fetched::Unchanged => panic!("unchanged"),
            Fetched::Signed { .. } => panic!("no signature was requested"),
        }
    }

    fn unchanged(&mut self, have: Option<&Tag>) {
        assert_eq!(self.fetch(have).unwrap().fetched, Fetched::Unchanged);
    }

    /// Polls until the origin's document arrives, as a real client would.
    fn recovers(&mut self) {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            match self.fetch(None) {
                Ok(Answer { fetched: Fetched::Changed { body, .. }, .. }) => return assert_eq!(body, GOOD.as_bytes()),
                other => assert!(Instant::now() < until, "{other:?}"),
            }
        }
    }

    fn fails(&mut self, have: Option<&Tag>) -> FetchError {
        self.fetch(have).expect_err("the fetch succeeded")
    }

    /// Fetches unconditionally and expects an error whose message has these words.
    fn fails_with(&mut self, words: &str) -> FetchError {
        let error = self.fails(None);
        assert!(error.to_string().contains(words), "`{error}` lacks `{words}`");
        error
    }
}

/// Limits small enough for tests; times long enough for a busy machine, and overridden where they matter.
fn quick() -> FetchOptions {
    FetchOptions {
        connect_timeout: Duration::from_secs(5),
        timeout: Duration::from_secs(10),
        body_bytes_max: 100_000,
        has_proxies: false,
        ..FetchOptions::default()
    }
}

/// Options for attempts that are to end by time.
fn impatient() -> FetchOptions {
    FetchOptions { timeout: Duration::from_millis(200), ..quick() }
}

#[test]
fn a_fetch_can_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let mut client = Client::new(Source::text(GOOD), quick());
    is_send(&client.fetcher.fetch(None));
}
