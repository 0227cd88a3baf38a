//! How an instance is made: a source, and what to do differently from the defaults.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tidegate_engine::lease::Clocks;
use tidegate_engine::{CompileOptions, FlagKey, HostLock, Overlay, Pin, Snapshot};

use crate::clock::{self, Clock};
use crate::error::ConnectError;
use crate::load::{self, Refused};
use crate::publish::Board;
use crate::readings::Readings;
use crate::shared::Shared;
use crate::source::FetchOptions;
use crate::worker::Running;
use crate::{BoxError, Fetched, Source, SourceError, Tag, Tidegate};

/// Collects what an instance needs; made by [`Tidegate::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `connect`"]
pub struct Builder {
    source: Option<Source>,
    cache_name: Option<String>,
    cache_dir: Option<PathBuf>,
    poll_interval: Option<Duration>,
    default_lease: Option<Duration>,
    locks: LocksAt,
    pins: Vec<HostLock>,
    startup_wait: Option<Duration>,
    fetch: FetchOptions,
    is_offline: bool,
    is_one_shot: bool,
    clock: Clock,
    random_seed: Option<u64>,
}

/// Which file holds the locks of this host.
#[derive(Clone, Debug)]
enum LocksAt {
    Default,
    File(PathBuf),
    Nowhere,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            source: None,
            cache_name: None,
            cache_dir: None,
            poll_interval: None,
            default_lease: None,
            locks: LocksAt::Default,
            pins: Vec::new(),
            startup_wait: None,
            fetch: FetchOptions::default(),
            is_offline: false,
            is_one_shot: false,
            clock: Clock::system(),
            random_seed: None,
        }
    }

    /// The document is at this URL, `http` or `https`. User name and password in it are sent to that origin
    /// only, and shown nowhere.
    ///
    /// # Errors
    /// The text is no URL, or one of another scheme.
    pub fn http(self, url: &str) -> Result<Self, SourceError> {
        Ok(self.source(Source::http(url)?))
    }

    /// The document is this file, looked at each second. Publish by renaming a complete file over it.
    pub fn file(self, path: impl Into<PathBuf>) -> Self {
        self.source(Source::file(path))
    }

    /// The document comes from this function, which is given the tag of the document at hand.
    ///
    /// It runs on a thread of its own and may block for as long as [`Builder::timeout`]; a later answer is
    /// thrown away, and it is not called again before it has come back. A panic in it is caught.
    pub fn callback<F>(self, callback: F) -> Self
    where
        F: Fn(Option<&Tag>) -> Result<Fetched, BoxError> + Send + Sync + 'static,
    {
        self.source(Source::callback(callback))
    }

    /// The document is this text, for tests and for defaults that are part of a program.
    pub fn text(self, text: impl Into<Vec<u8>>) -> Self {
        self.source(Source::text(text))
    }

    /// The document comes from this source. The last one named counts.
    pub fn source(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }

    /// The name under which the last good document is kept for the next start. Give each program its own.
    ///
    /// Default: made from the URL for a document at one. A file is at hand anyway, a text too, and a callback
    /// has no name: they are only cached under a name given here.
    pub fn cache_name(mut self, name: impl Into<String>) -> Self {
        self.cache_name = Some(name.into());
        self
    }

    /// The folder of the cache. Default: `$XDG_CACHE_HOME/tidegate`, or `~/.cache/tidegate`.
    pub fn cache_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache_dir = Some(folder.into());
        self
    }

    /// How often the source is asked, at least 100 ms and at most a day; each poll is moved by up to a tenth.
    ///
    /// Default: 60 s, which keeps a fleet within a minute of its origin at a few hundred bytes a poll; 1 s for
    /// a file, since a look is one system call.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = Some(interval);
        self
    }

    /// The lease of flags that name none: how long this host's ramps go on without fresh word from the source.
    ///
    /// Default: none, so that a ramp is a pure function of time. With one, a host that cannot hear "stop" does
    /// not climb on.
    pub fn default_lease(mut self, lease: Duration) -> Self {
        self.default_lease = Some(lease);
        self
    }

    /// The file with the locks of this host. Default: `$TIDEGATE_LOCKS`, or `locks.json` in
    /// `$XDG_STATE_HOME/tidegate` or `~/.local/state/tidegate`. It need not exist.
    pub fn locks_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.locks = LocksAt::File(path.into());
        self
    }

    /// No file of locks is read: what a test wants, which is not to depend on its host.
    pub fn without_locks(mut self) -> Self {
        self.locks = LocksAt::Nowhere;
        self
    }

    /// Pins a flag from within the program, below the locks of the host's file. For tests that need a flag at
    /// one variant, or at a value (any JSON text).
    pub fn pin(mut self, flag_key: &str, pin: Pin) -> Self {
        let why = "pinned by the program".to_owned();
        self.pins.push(HostLock { flag: FlagKey::parse(flag_key), pin, who: String::new(), why, until: None });
        self
    }

    /// The longest time for which [`Builder::connect`] waits for the source's first word.
    ///
    /// Default: 5 s where there is nothing to serve yet; no time at all where the cache has a document, since
    /// a restart of a whole fleet should not wait for, or fall upon, its origin. If it is set, the source is
    /// asked at once and waited for in both cases; zero never waits.
    pub fn startup_wait(mut self, wait: Duration) -> Self {
        self.startup_wait = Some(wait);
        self
    }

    /// How long name, connection and handshake may take together. Default: 3 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.fetch.connect_timeout = timeout;
        self
    }

    /// How long one fetch may take in all, or one call of a callback. Default: 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.fetch.timeout = timeout;
        self
    }

    /// A header of each request, to the origin of the URL only; its value is shown nowhere.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fetch.headers.push((name.into(), value.into()));
        self
    }

    /// Whether to leave the source alone and serve the cache. Default: no. A file or a text is read all the
    /// same.
    pub fn offline(mut self, is_offline: bool) -> Self {
        self.is_offline = is_offline;
        self
    }

    /// Whether to ask the source once and no more, for a command that answers and ends. Default: no. Then
    /// [`Builder::connect`] waits for the answer as long as it may take, unless told otherwise.
    pub fn one_shot(mut self, is_one_shot: bool) -> Self {
        self.is_one_shot = is_one_shot;
        self
    }

    /// Where the time comes from. Default: the system; tests set their own.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Seeds the draws of [`Tidegate::is_active`], so that a test sees the same ones each time. Default: each
    /// thread draws from a generator of its own with a random seed.
    pub fn random_seed(mut self, seed: u64) -> Self {
        self.random_seed = Some(seed);
        self
    }

    /// Starts the instance: serves the cache, or whatever the source has to say within
    /// [`Builder::startup_wait`]. That a source is away, slow or wrong is no error; see the
    /// [`Status`](crate::Status).
    ///
    /// It may block for that long. In an async program use [`Builder::connect_async`], or a wait of zero.
    ///
    /// # Errors
    /// What the program itself has said cannot work; see [`ConnectError`].
    pub fn connect(self) -> Result<Tidegate, ConnectError> {
        let _ = (
            &self.locks,
            &self.startup_wait,
            self.is_one_shot,
            self.is_offline,
            &self.cache_name,
            &self.cache_dir,
            &self.poll_interval,
            &self.fetch,
        );
        let source = self.source.ok_or(ConnectError::NoSource)?;
        let mut fetcher = crate::source::Fetcher::new(source, self.fetch)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ConnectError::Thread)?;
        let fetched = runtime.block_on(fetcher.fetch(None));
        let options = CompileOptions { default_lease: self.default_lease.map(clock::span) };
        let snapshot = match fetched {
            Ok(crate::source::Answer { fetched: Fetched::Changed { body, .. }, .. }) => {
                match load::load(&body, &options) {
                    Ok(loaded) => loaded.snapshot,
                    Err(Refused::Diagnostics(diagnostics)) => return Err(ConnectError::Text(diagnostics)),
                    Err(Refused::Panicked) => return Err(ConnectError::Text(Vec::new())),
                }
            }
            _ => Snapshot::empty(),
        };
        let snapshot = snapshot.overlaid(&Overlay { locks: self.pins, activations: Vec::new() });
        let board = Board::new(snapshot, Clocks::synced(), Readings::new(self.random_seed), self.clock);
        Ok(Tidegate::new(board, Running::new(Arc::new(Shared::default()))))
    }
}
