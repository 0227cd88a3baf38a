//! Where documents come from: HTTP(S), a file, a callback, ZooKeeper, or text in the program itself.
//!
//! A source answers one question: is there a newer document than the one I have, and what is it? It keeps no
//! document and decides nothing about its content; what it hands out is bytes. Whatever goes wrong is a
//! [`FetchError`], and nothing that went wrong ever looks like an (empty) document.

mod attendant;
mod callback;
mod error;
mod file;
mod http;
mod redirect;
mod tag;
#[cfg(feature = "cluster")]
mod upstream;
#[cfg(feature = "zookeeper")]
mod zookeeper;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_engine::Micros;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use self::attendant::Attendant;
use self::callback::CallbackFn;
use self::file::FileReader;
use self::http::{HttpFetcher, Location};
pub use error::{FetchError, Phase, RedirectError, SourceError, TlsProblem};
pub(crate) use http::RETRY_AFTER_MAX;
pub use http::{client_config, proxy_of};
pub(crate) use tag::Kind as TagKind;
pub use tag::{Tag, TagError};
#[cfg(feature = "cluster")]
pub(crate) use upstream::{Lines, Upstream};

/// Any error, as a callback source may return it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Where a document comes from. Its `Display` is safe to log: of a URL it shows neither user name and
/// password nor the values of the query.
///
/// ```
/// use tidegate::Source;
///
/// let source = Source::http("https://user:word@example.com/flags.json?token=secret")?;
/// assert_eq!(source.to_string(), "https://example.com/flags.json?token=…");
/// # Ok::<(), tidegate::SourceError>(())
/// ```
#[derive(Clone)]
pub struct Source(Origin);

#[derive(Clone)]
enum Origin {
    Http(Box<Location>),
    #[cfg(feature = "zookeeper")]
    ZooKeeper(Box<zookeeper::Location>),
    File(PathBuf),
    Callback(Arc<CallbackFn>),
    Text(Text),
}

/// A document that is part of the program.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) body: Arc<[u8]>,
    pub(crate) signature: Option<Arc<str>>,
}

/// What a source has to say about a document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fetched {
    /// The document is still the one of the tag that was given.
    Unchanged,
    /// The document as it is now, and a tag by which to ask next time, if the source has one.
    Changed {
        /// The document's bytes, as text in UTF-8; checked by the caller.
        body: Vec<u8>,
        /// Names this version; absent, the next question is unconditional.
        tag: Option<Tag>,
    },
    /// The same, with its signature: for programs that trust keys ([`Builder::trusted_key`](crate::Builder::trusted_key)).
    Signed {
        /// The document's bytes, exactly as they were signed.
        body: Vec<u8>,
        /// The text of the signature, as minisign writes it.
        signature: String,
        /// Names this version; absent, the next question is unconditional.
        tag: Option<Tag>,
    },
}

impl Source {
    /// A document at an `http` or `https` URL. User name and password in it are sent to that origin only.
    ///
    /// # Errors
    /// The text is no URL, or has another scheme.
    pub fn http(url: &str) -> Result<Self, SourceError> {
        Location::parse(url).map(|location| Self(Origin::Http(Box::new(location))))
    }

    /// A document in a node of ZooKeeper, `zk://user:password@host:2181,host2:2181/path`. User and password, if any, are for the
    /// scheme `digest`, and are never shown.
    ///
    /// ```
    /// use tidegate::Source;
    ///
    /// let source = Source::zookeeper("zk://user:word@zk1:2181,zk2:2181/flags/app")?;
    /// assert_eq!(source.to_string(), "zk://zk1:2181,zk2:2181/flags/app");
    /// # Ok::<(), tidegate::SourceError>(())
    /// ```
    ///
    /// # Errors
    /// The text is no such URL.
    #[cfg(feature = "zookeeper")]
    pub fn zookeeper(url: &str) -> Result<Self, SourceError> {
        zookeeper::Location::parse(url).map(|location| Self(Origin::ZooKeeper(Box::new(location))))
    }

    /// A file, looked at regularly. It may be replaced by renaming another over it, and be a link.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Origin::File(path.into()))
    }

    /// A function that fetches the document from anywhere else.
    ///
    /// It is given the tag of the document at hand, runs on a thread of its own, and may take as long as the
    /// fetch timeout; a later answer is thrown away, and it is not called again before it has come back. A
    /// panic in it is caught. It may call back into this library.
    pub fn callback<F>(callback: F) -> Self
    where
        F: Fn(Option<&Tag>) -> Result<Fetched, BoxError> + Send + Sync + 'static,
    {
        Self(Origin::Callback(Arc::new(callback)))
    }

    /// A document that is part of the program and never changes.
    pub fn text(text: impl Into<Vec<u8>>) -> Self {
        Self(Origin::Text(Text { body: text.into().into(), signature: None }))
    }

    /// The same with its signature, for programs that trust keys and take no exception for their own text.
    pub fn signed_text(text: impl Into<Vec<u8>>, signature: impl Into<String>) -> Self {
        Self(Origin::Text(Text { body: text.into().into(), signature: Some(signature.into().into()) }))
    }

    /// A number that differs between sources, so that a tag from one is never shown to another. It does not
    /// depend on user name and password.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hash = Xxh3::new();
        match &self.0 {
            Origin::Http(location) => {
                hash.update(b"http ");
                hash.update(location.url().as_str().as_bytes());
            }
            #[cfg(feature = "zookeeper")]
            Origin::ZooKeeper(location) => hash.update(location.to_string().as_bytes()),
            Origin::File(path) => {
                hash.update(b"file ");
                hash.update(path.as_os_str().as_encoded_bytes());
            }
            Origin::Callback(_) => hash.update(b"callback"),
            Origin::Text(_) => hash.update(b"text"),
        }
        hash.digest()
    }

    /// Whether asking it may reach beyond this host. A callback's does, for all we know.
    pub(crate) fn is_remote(&self) -> bool {
        !matches!(self.0, Origin::File(_) | Origin::Text(_))
    }

    /// The document, if it is part of the program.
    pub(crate) fn as_text(&self) -> Option<&Text> {
        match &self.0 {
            Origin::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The name under which a document from here is cached unless the user gives one. None: a file is at hand
    /// anyway, and so is a text; a callback cannot be told from another.
    pub(crate) fn default_cache_name(&self) -> Option<String> {
        match &self.0 {
            Origin::Http(_) => Some(format!("{self} {:016x}", self.fingerprint())),
            #[cfg(feature = "zookeeper")]
            Origin::ZooKeeper(_) => Some(self.to_string()),
            Origin::File(_) | Origin::Callback(_) | Origin::Text(_) => None,
        }
    }

    /// The name under which the newest version of its documents is remembered, unless the user gives one. A file
    /// has one as well, wherever the program was started.
    pub(crate) fn default_seen_name(&self) -> Option<String> {
        match &self.0 {
            Origin::File(path) => std::path::absolute(path).ok().map(|path| format!("file {}", path.display())),
            _ => self.default_cache_name(),
        }
    }

    /// How often this kind of source is asked unless the user says otherwise: a file each second (one look
    /// is one system call), everything else each minute.
    pub(crate) fn default_poll_interval(&self) -> Duration {
        match &self.0 {
            Origin::File(_) => Duration::from_secs(1),
            _ => Duration::from_mins(1),
        }
    }
}

/// How documents are fetched.
#[derive(Clone)]
pub(crate) struct FetchOptions {
    /// For name, connection and handshake together. 3 s: a healthy network needs a fraction, and the total
    /// must have room for the answer.
    pub(crate) connect_timeout: Duration,
    /// For one fetch with all its redirects, or one call or look. 10 s: below the poll interval with room.
    pub(crate) timeout: Duration,
    /// Sent to the origin of the URL itself, and to no other.
    pub(crate) headers: Vec<(String, String)>,
    /// Largest document in bytes, decompressed. The engine's limit.
    pub(crate) body_bytes_max: usize,
    /// Whether a document comes with its signature, which lies beside it.
    pub(crate) is_signed: bool,
    /// `user:password` for ZooKeeper, where the URL has none.
    #[cfg(feature = "zookeeper")]
    pub(crate) zookeeper_digest: Option<String>,
    /// Certificate authorities in PEM that are trusted besides those of the machine.
    pub(crate) extra_root_pem: Option<Vec<u8>>,
    /// Whether `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` of the environment count. They do: where they are
    /// set there may be no other way out.
    pub(crate) has_proxies: bool,
    /// Fixed addresses for host names, asked before the name server; for tests.
    pub(crate) addresses: Vec<(String, Vec<SocketAddr>)>,
}

/// What came of one fetch.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) fetched: Fetched,
    /// The origin's clock, where the answer has a date.
    pub(crate) server_date: Option<ServerDate>,
}

/// What an answer says of its origin's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerDate {
    /// Its `Date`, cut to the second.
    date: Micros,
    /// When the answer came. The origin wrote the date between this and that long before.
    arrived: Instant,
    /// Seconds that the date is cut by, and the time from the question to the answer.
    slack: Duration,
}

impl ServerDate {
    /// The origin's clock now: not before the first, nor after the second.
    pub(crate) fn bounds(&self) -> (Micros, Micros) {
        let earliest = later(self.date, self.arrived.elapsed());
        (earliest, later(earliest, self.slack))
    }

    /// The date of an origin that answers at once.
    #[cfg(test)]
    pub(crate) fn at_once(date: Micros) -> Self {
        Self { date, arrived: Instant::now(), slack: Duration::from_secs(1) }
    }
}

/// The instant `elapsed` after `instant`.
fn later(instant: Micros, elapsed: Duration) -> Micros {
    Micros::new(instant.get().saturating_add(i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)))
}

/// Asks one source, again and again.
pub(crate) struct Fetcher {
    asking: Asking,
    name: String,
}

enum Asking {
    Http(Box<HttpFetcher>),
    #[cfg(feature = "zookeeper")]
    ZooKeeper(Box<zookeeper::ZooKeeperFetcher>),
    Call(Attendant),
    Text(Text),
}

impl Fetcher {
    /// Prepares to ask `source`; asks nothing yet and starts no thread.
    ///
    /// # Errors
    /// The options cannot work for this source, whatever its origin does.
    pub(crate) fn new(source: Source, options: FetchOptions) -> Result<Self, SourceError> {
        let name = source.to_string();
        let asking = match source.0 {
            Origin::Http(location) => Asking::Http(Box::new(HttpFetcher::new(*location, options)?)),
            #[cfg(feature = "zookeeper")]
            Origin::ZooKeeper(location) => {
                Asking::ZooKeeper(Box::new(zookeeper::ZooKeeperFetcher::new(*location, options)))
            }
            Origin::File(path) => {
                let mut reader = FileReader::new(path, options.body_bytes_max, options.is_signed);
                Asking::Call(Attendant::new(options.timeout, move |have| reader.poll(have)))
            }
            Origin::Callback(callback) => Asking::Call(Attendant::new(options.timeout, move |have| {
                callback::call(&*callback, have, options.body_bytes_max)
            })),
            Origin::Text(text) => Asking::Text(text),
        };
        Ok(Self { asking, name })
    }

    /// Asks whether there is another document than the one of `have`, which must be the tag of a body that is
    /// at hand; `None` asks unconditionally.
    ///
    /// Ends within [`FetchOptions::timeout`]. May be dropped at any point.
    ///
    /// # Errors
    /// Nothing usable came. The caller keeps what it has.
    pub(crate) async fn fetch(&mut self, have: Option<&Tag>) -> Result<Answer, FetchError> {
        match &mut self.asking {
            Asking::Http(http) => http.fetch(have).await,
            #[cfg(feature = "zookeeper")]
            Asking::ZooKeeper(node) => Ok(Answer { fetched: node.fetch(have).await?, server_date: None }),
            Asking::Call(attendant) => Ok(Answer { fetched: attendant.call(have).await?, server_date: None }),
            Asking::Text(text) => Ok(Answer { fetched: text.unless_same(have), server_date: None }),
        }
    }

    /// Waits until the source tells by itself that it may have changed, or that it was lost. Most never do.
    pub(crate) async fn notified(&mut self) {
        match &mut self.asking {
            #[cfg(feature = "zookeeper")]
            Asking::ZooKeeper(node) => node.notified().await,
            _ => std::future::pending().await,
        }
    }
}

/// The hash by which bodies are compared: whether a document changed is decided by its content, never by
/// its tag.
pub(crate) fn body_digest(body: &[u8]) -> u128 {
    xxh3_128(body)
}

impl Text {
    /// The answer of a source whose tag is the hash of its content.
    fn unless_same(&self, have: Option<&Tag>) -> Fetched {
        let tag = content_tag(&self.body);
        if tag.is_some() && tag.as_ref() == have {
            return Fetched::Unchanged;
        }
        changed(self.body.to_vec(), self.signature.as_deref().map(str::to_owned), tag)
    }
}

/// A document with its signature, if it has one.
fn changed(body: Vec<u8>, signature: Option<String>, tag: Option<Tag>) -> Fetched {
    match signature {
        Some(signature) => Fetched::Signed { body, signature, tag },
        None => Fetched::Changed { body, tag },
    }
}

fn content_tag(body: &[u8]) -> Option<Tag> {
    Tag::new(format!("xxh3:{:032x}", body_digest(body))).ok()
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(10),
            headers: Vec::new(),
            body_bytes_max: BODY_BYTES_MAX,
            is_signed: false,
            #[cfg(feature = "zookeeper")]
            zookeeper_digest: None,
            extra_root_pem: None,
            has_proxies: true,
            addresses: Vec::new(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Origin::Http(location) => location.fmt(f),
            #[cfg(feature = "zookeeper")]
            Origin::ZooKeeper(location) => location.fmt(f),
            Origin::File(path) => path.display().fmt(f),
            Origin::Callback(_) => f.write_str("callback"),
            Origin::Text(_) => f.write_str("text"),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({self})")
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for FetchOptions {
    /// Header values are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchOptions")
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("body_bytes_max", &self.body_bytes_max)
            .finish_non_exhaustive()
    }
}

/// What is added to the path of a document for that of its signature; minisign does the same.
const SIGNATURE_SUFFIX: &str = ".minisig";

/// Largest document in bytes, decompressed: the engine's limit.
pub(crate) const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Size of the largest signature in bytes. Four lines of a few hundred; the limit leaves room for comments.
pub(crate) const SIGNATURE_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests;
