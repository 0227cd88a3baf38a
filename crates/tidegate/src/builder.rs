//! How an instance is made: a source, and what to do differently from the defaults.

mod fetch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
#[cfg(feature = "cluster")]
use std::time::Instant;
use std::{io, thread};

use tidegate_engine::{CompileOptions, CustomHash, FlagKey, HashAlgorithm, HostLock, Pin};
use tokio::sync::oneshot;

use crate::clock::{self, Clock};
use crate::error::ConnectError;
use crate::files::locks::{self, LockFile};
use crate::files::paths;
use crate::ingest::compile::Refused;
use crate::ingest::schedule::Schedule;
use crate::ingest::signature::{SeenFile, Trust};
use crate::ingest::source::{FetchOptions, Fetcher};
use crate::ingest::worker::{CachePlace, Running, SourceOptions, SourceState, Starting, Work};
use crate::random::random;
use crate::status::Health;
use crate::threads::Threads;
use crate::{BoxError, Fetched, Source, SourceError, Tag, Tidegate, TrustedKeyError};
#[cfg(feature = "cluster")]
use crate::{Live, Percentage};
#[cfg(feature = "cluster")]
use tidegate_engine::Share;

pub use fetch::TextError;

/// Collects what an instance needs; made by [`Tidegate::builder`]. Only the source has no default.
///
/// ```no_run
/// use std::time::Duration;
/// use tidegate::Tidegate;
///
/// let tide = Tidegate::builder()
///     .http("https://example.com/flags.json")?
///     .header("Authorization", std::fs::read_to_string("/run/secrets/flags")?.trim())
///     .cache_name("checkout-service")
///     .poll_interval(Duration::from_secs(30))
///     .default_lease(Duration::from_secs(60 * 60))
///     .connect()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `connect`"]
pub struct Builder {
    source: Option<Source>,
    additional_sources: Vec<Source>,
    #[cfg(feature = "cluster")]
    live: Option<Live>,
    #[cfg(feature = "cluster")]
    defaults: Vec<(FlagKey, Percentage)>,
    cache_name: Option<String>,
    cache_dir: Option<PathBuf>,
    is_uncached: bool,
    trust: Trust,
    state_dir: Option<PathBuf>,
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
    custom_hash: Option<CustomHash>,
}

/// Which file holds the locks of this host.
#[derive(Clone, Debug)]
enum LocksAt {
    Default,
    File(PathBuf),
    Nowhere,
}

impl Tidegate {
    /// Where to begin: name a source, then [`connect`](Builder::connect).
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let tide = Tidegate::builder().text("{}").without_locks().connect()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder() -> Builder {
        Builder::new()
    }
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            source: None,
            additional_sources: Vec::new(),
            #[cfg(feature = "cluster")]
            live: None,
            #[cfg(feature = "cluster")]
            defaults: Vec::new(),
            cache_name: None,
            cache_dir: None,
            is_uncached: false,
            trust: Trust::default(),
            state_dir: None,
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
            custom_hash: None,
        }
    }

    /// The document is at this URL, `http` or `https`. User name and password in it are sent to that origin
    /// only, and shown nowhere.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().http("https://example.com/flags.json")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The text is no URL, or one of another scheme.
    pub fn http(self, url: &str) -> Result<Self, SourceError> {
        Ok(self.source(Source::http(url)?))
    }

    /// The document is this file, looked at each second. Publish by renaming a complete file over it.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().file("/etc/tidegate/flags.json");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn file(self, path: impl Into<PathBuf>) -> Self {
        self.source(Source::file(path))
    }

    /// The document comes from this function, which is given the tag of the document at hand.
    ///
    /// It runs on a thread of its own and may block for as long as [`Builder::timeout`]; a later answer is
    /// thrown away, and it is not called again before it has come back. A panic in it is caught.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().callback(|_tag| Ok(tidegate::Fetched::Unchanged));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn callback<F>(self, callback: F) -> Self
    where
        F: Fn(Option<&Tag>) -> Result<Fetched, BoxError> + Send + Sync + 'static,
    {
        self.source(Source::callback(callback))
    }

    /// The document is this text, for tests and for defaults that are part of a program.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().text(r#"{"flags": {"x": {"stable": 1}}}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn text(self, text: impl Into<Vec<u8>>) -> Self {
        self.source(Source::text(text))
    }

    /// The document comes from this source. The last one named counts.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().source(tidegate::Source::text("{}"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn source(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }

    /// An additional document comes from this source, beside those named before; it is asked on a schedule of its own, and
    /// has a cache and a [`Status`](crate::Status) of its own. Everything else that is said here counts for all sources.
    ///
    /// Of a flag that several documents define, the first counts, in the order in which their sources are named here,
    /// whichever was loaded first. The entries of the others have no effect, which [`Status::shadowed`](crate::Status::shadowed)
    /// of their source tells.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().text("{}").additional_source(tidegate::Source::file("/etc/tidegate/more.json"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn additional_source(mut self, source: Source) -> Self {
        if self.source.is_none() {
            return self.source(source);
        }
        self.additional_sources.push(source);
        self
    }

    /// The instance takes live changes, which override its documents: activations and definitions of flags. No source is
    /// needed then. Default: it takes none, and starts no thread for them.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().live(tidegate::Live::in_memory());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "cluster")]
    pub fn live(mut self, live: Live) -> Self {
        self.live = Some(live);
        self
    }

    /// A flag of which nobody has said anything, no document and no live change, is on for this percentage of keys. It
    /// stands below everything else and overwrites nothing, whenever it is said and on however many nodes. Default: such
    /// a flag is unknown.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().live(tidegate::Live::in_memory()).default_percentage("shop/banner", 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "cluster")]
    pub fn default_percentage(mut self, flag_key: &str, percentage: impl Into<Percentage>) -> Self {
        self.defaults.push((FlagKey::parse(flag_key), percentage.into()));
        self
    }

    /// The name under which the last good document is kept for the next start. Give each program its own.
    ///
    /// Default: made from the URL for a document at one. A file is at hand anyway, a text too, and a callback
    /// has no name: they are only cached under a name given here.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().cache_name("checkout");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cache_name(mut self, name: impl Into<String>) -> Self {
        self.cache_name = Some(name.into());
        self
    }

    /// The folder of the cache. Default: `$XDG_CACHE_HOME/tidegate`, or `~/.cache/tidegate`.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().cache_dir("/var/cache/checkout");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cache_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache_dir = Some(folder.into());
        self
    }

    /// No document is kept on the disk. Then a start with the source away has nothing to serve.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().without_cache();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn without_cache(mut self) -> Self {
        self.is_uncached = true;
        self
    }

    /// Only documents are taken that this key has signed, or another one named so; up to 16 may be. `key` is the
    /// text of a public key of minisign, or its second line alone.
    ///
    /// The signature lies beside the document: at its URL with `.minisig` added to the path, in the file of its
    /// name and `.minisig`; a callback answers [`Fetched::Signed`]. A signed document has a version, which may not
    /// fall, and may name its environment and when it expires: see the guide on signing.
    ///
    /// Default: no key, and nobody needs to sign.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().trusted_key("RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The text is no public key of minisign.
    pub fn trusted_key(mut self, key: &str) -> Result<Self, TrustedKeyError> {
        self.trust.add_key(key)?;
        Ok(self)
    }

    /// Only documents are taken that name this environment in their header, so that what is meant for staging is
    /// not active in production. Default: they may name any, or none.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().environment("production");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn environment(mut self, name: impl Into<String>) -> Self {
        self.trust.set_environment(name.into());
        self
    }

    /// The folder that remembers the newest version of signed documents. Default: `$XDG_STATE_HOME/tidegate`, or
    /// `~/.local/source/tidegate`: not the cache, which anybody may clear.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().state_dir("/var/lib/checkout");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn state_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(folder.into());
        self
    }

    /// How often the source is asked, at least 100 ms and at most a day; each poll is moved by up to a tenth.
    ///
    /// Default: 60 s, which keeps a fleet within a minute of its origin at a few hundred bytes a poll; 1 s for
    /// a file, since a look is one system call.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().poll_interval(std::time::Duration::from_secs(30));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = Some(interval);
        self
    }

    /// The lease of flags that name none: how long this host's ramps go on without a successful poll of the source.
    ///
    /// Default: none, so that a ramp is a pure function of time. With one, a host that cannot hear "stop" does
    /// not climb on.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().default_lease(std::time::Duration::from_secs(3600));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn default_lease(mut self, lease: Duration) -> Self {
        self.default_lease = Some(lease);
        self
    }

    /// The file with the locks of this host. Default: `$TIDEGATE_LOCKS`, or `locks.json` in
    /// `$XDG_STATE_HOME/tidegate` or `~/.local/source/tidegate`. It need not exist.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().locks_file("/etc/tidegate/locks.json");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn locks_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.locks = LocksAt::File(path.into());
        self
    }

    /// No file of locks is read: what a test wants, which is not to depend on its host.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().without_locks();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn without_locks(mut self) -> Self {
        self.locks = LocksAt::Nowhere;
        self
    }

    /// Pins a flag from within the program, below the locks of the host's file. For tests that need a flag at
    /// one variant, or at a value (any JSON text).
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().pin("shop/x", tidegate::Pin::Variant(tidegate::Variant::New));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pin(mut self, flag_key: &str, pin: Pin) -> Self {
        let why = "pinned by the program".to_owned();
        self.pins.push(HostLock { flag: FlagKey::parse(flag_key), pin, who: String::new(), why, until: None });
        self
    }

    /// The longest time for which [`Builder::connect`] waits for the first answer of the source and, with live changes and other
    /// nodes configured, until this node has compared itself with one member of the cluster.
    ///
    /// Default: 5 s where there is nothing to serve yet; no time at all where the cache has a document, since
    /// a restart of a whole fleet should not wait for, or fall upon, its origin. If it is set, the source is
    /// asked at once and waited for in both cases; zero never waits.
    ///
    /// For a member it is 5 s: many times what a comparison takes, and short enough for a node whose cluster is down,
    /// which must start, too. Afterwards such a node answers from what it has, warns, and `Cluster::is_synced` is false.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().startup_wait(std::time::Duration::ZERO);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn startup_wait(mut self, wait: Duration) -> Self {
        self.startup_wait = Some(wait);
        self
    }

    /// How long name, connection and handshake may take together. Default: 3 s.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().connect_timeout(std::time::Duration::from_secs(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.fetch.connect_timeout = timeout;
        self
    }

    /// How long one fetch may take in all, or one call of a callback. Default: 10 s.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().timeout(std::time::Duration::from_secs(5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.fetch.timeout = timeout;
        self
    }

    /// A header of each request, to the origin of the URL only; its value is shown nowhere.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().header("Authorization", "Bearer token");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fetch.headers.push((name.into(), value.into()));
        self
    }

    /// Certificate authorities, in PEM, that are trusted besides those of the machine: for an origin within a
    /// company.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().root_certificates(Vec::new());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.fetch.extra_root_pem = Some(pem.into());
        self
    }

    /// Whether to leave the source alone and serve the cache. Default: no. A file or a text is read all the
    /// same.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().offline(true);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn offline(mut self, is_offline: bool) -> Self {
        self.is_offline = is_offline;
        self
    }

    /// Whether to ask the source once and no more, for a command that answers and ends. Default: no. Then
    /// [`Builder::connect`] waits for the answer as long as it may take, unless told otherwise.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().one_shot(true);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn one_shot(mut self, is_one_shot: bool) -> Self {
        self.is_one_shot = is_one_shot;
        self
    }

    /// Where the time comes from. Default: the system; tests set their own.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().clock(tidegate::Clock::system());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Seeds the draws of [`Tidegate::is_active`], so that a test sees the same ones each time. Default: each
    /// thread draws from a generator of its own with a random seed.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().random_seed(7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn random_seed(mut self, seed: u64) -> Self {
        self.random_seed = Some(seed);
        self
    }

    /// Places keys by a hash of the program's own, where slowroll has its `hasher`: for every flag of a document that names
    /// neither `hash` nor `salt`, in place of `sha1`. What a document names stands, and flags that are made by live changes
    /// have a salt. Explanations show `name`. Every program that decides about the same keys has to have the same hash.
    ///
    /// The function is called in the middle of a read. It has to be pure, must not block, and must not panic: a panic unwinds
    /// through the read to its caller; the instance and later reads are unharmed. Default: none, and no read pays for it.
    ///
    /// ```
    /// use tidegate::Tidegate;
    ///
    /// let tide = Tidegate::builder()
    ///     .text(r#"{"web": {"tls13": {"stable": false, "new": true,
    ///         "start_time": "2020-01-01 00:00Z", "duration": "1d", "end_pct": 50}}}"#)
    ///     .hasher("last-digit", |key| u32::from(key.ends_with(['5', '6', '7', '8', '9'])) << 31)
    ///     .without_locks()
    ///     .connect()?;
    /// assert!(tide.is_active_for("web/tls13", "host-3") && !tide.is_active_for("web/tls13", "host-7"));
    /// assert_eq!(tide.explain("web", "tls13", "host-3").hash.unwrap().as_str(), "last-digit");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn hasher(mut self, name: impl Into<Arc<str>>, hasher: impl Fn(&str) -> u32 + Send + Sync + 'static) -> Self {
        self.custom_hash = Some(CustomHash::new(name, hasher));
        self
    }

    /// Starts the instance: serves the cache, or whatever the source has to say within
    /// [`Builder::startup_wait`]. An unreachable, slow or wrong source is no error; see the
    /// [`Status`](crate::Status).
    ///
    /// It may block for that long. In an async program use [`Builder::connect_async`], or a wait of zero.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let tide = Tidegate::builder().text("{}").without_locks().connect()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What the program itself has said cannot work; see [`ConnectError`].
    pub fn connect(self) -> Result<Tidegate, ConnectError> {
        if self.cache_name.as_ref().is_some_and(String::is_empty) {
            return Err(ConnectError::CacheName);
        }
        self.custom_hash.as_ref().map_or(Ok(()), check_hash_name)?;
        let source = match (&self.source, self.is_live()) {
            (None, false) => return Err(ConnectError::NoSource),
            (source, _) => source.as_ref(),
        };
        #[cfg(feature = "cluster")]
        let began = Instant::now();
        #[cfg(feature = "cluster")]
        let defaults = self.checked_defaults()?;
        let pins = self.pins.iter().map(checked_pin).collect::<Result<_, _>>()?;
        let first =
            SourceState::new(SourceOptions { pins, locks: self.lock_file(), ..self.source_options(source, None) });
        let registry = Arc::clone(first.registry());
        let first = self.prepare(first, source)?;
        let additional_sources: Vec<_> = (1..)
            .zip(&self.additional_sources)
            .map(|(number, source)| {
                let options = self.source_options(Some(source), Some(number));
                self.prepare(SourceState::beside(Arc::clone(&registry), options), Some(source))
            })
            .collect::<Result<_, _>>()?;
        #[cfg(feature = "cluster")]
        let live = self.live.as_ref().map(|live| live.start(Arc::clone(&registry), defaults)).transpose()?;
        // All are started before any is waited for.
        let start = |(work, wait)| Running::start(work, wait).map_err(ConnectError::Thread);
        let first = start(first)?;
        let additional_sources = additional_sources.into_iter().map(start).collect::<Result<Vec<_>, _>>()?;
        let threads = Threads {
            #[cfg(feature = "cluster")]
            live,
            first: first.wait(),
            additional_sources: additional_sources.into_iter().map(Starting::wait).collect(),
        };
        #[cfg(feature = "cluster")]
        if let Some(live) = &threads.live {
            live.wait_synced(self.startup_wait.unwrap_or(STARTUP_WAIT).saturating_sub(began.elapsed()))?;
        }
        Ok(Tidegate::new(Arc::clone(registry.board()), threads))
    }

    #[cfg_attr(not(feature = "cluster"), expect(clippy::unused_self, reason = "with live changes it is looked at"))]
    fn is_live(&self) -> bool {
        #[cfg(feature = "cluster")]
        return self.live.is_some();
        #[cfg(not(feature = "cluster"))]
        false
    }

    #[cfg(feature = "cluster")]
    fn checked_defaults(&self) -> Result<Vec<(FlagKey, Share)>, ConnectError> {
        let checked = |(flag, percentage): &(FlagKey, Percentage)| {
            let problem = |problem: String| ConnectError::Default { flag: flag.clone(), problem };
            flag.check().map_err(|error| problem(error.to_string()))?;
            let share = percentage.share().map_err(|error| problem(error.to_string()))?;
            Ok((flag.clone(), share))
        };
        self.defaults.iter().map(checked).collect()
    }

    /// What the state of a source is made of; `number` is that of an additional source.
    fn source_options(&self, source: Option<&Source>, number: Option<usize>) -> SourceOptions {
        let name = self.cache_name.as_ref().map(|name| match number {
            None => name.clone(),
            Some(number) => format!("{name}-{number}"),
        });
        SourceOptions {
            source: source
                .map_or_else(|| (NO_SOURCE.to_owned(), 0), |source| (source.to_string(), source.fingerprint())),
            cache: source.map_or(CachePlace::Nowhere, |source| self.cache_place(source, name.clone())),
            trust: self.trust.clone(),
            seen: source.and_then(|source| self.seen_file(source, name)),
            compile: CompileOptions {
                default_lease: self.default_lease.map(clock::span),
                custom_hash: self.custom_hash.clone(),
                ..CompileOptions::default()
            },
            pins: Vec::new(),
            locks: None,
            random_seed: self.random_seed,
            clock: self.clock.clone(),
            is_one_shot: self.is_one_shot,
            health: match source {
                None => Health::NoSource,
                Some(source) if self.is_offline && source.is_remote() => Health::Offline,
                Some(_) => Health::Starting,
            },
            is_combined: !self.additional_sources.is_empty(),
        }
    }

    /// Gets the work on a source ready, and says how long to wait for its first word.
    fn prepare(&self, mut state: SourceState, source: Option<&Source>) -> Result<(Work, Duration), ConnectError> {
        let mut schedule =
            Schedule::new(self.poll_interval.unwrap_or(source.map_or(STARTUP_WAIT, Source::default_poll_interval)));
        let Some(source) = source else {
            let work =
                Work { source: state, fetcher: None, schedule, first: Duration::ZERO, is_one_shot: self.is_one_shot };
            return Ok((work, Duration::ZERO));
        };
        let text = source.as_text();
        let is_asked = text.is_none() && !(self.is_offline && source.is_remote());
        let fetcher = is_asked.then(|| Fetcher::new(source.clone(), self.fetch_options())).transpose()?;
        if let Some(text) = text {
            state.set_text(text).map_err(|refused| match refused {
                Refused::Diagnostics(diagnostics) => ConnectError::Text(diagnostics),
                Refused::Panicked => ConnectError::Text(Vec::new()),
                Refused::Signature(error) => ConnectError::Signature(error),
            })?;
        }
        let (first, wait) = self.first_poll(source, state.has_document(), &mut schedule);
        let wait = if fetcher.is_some() { wait } else { Duration::ZERO };
        Ok((Work { source: state, fetcher, schedule, first, is_one_shot: self.is_one_shot }, wait))
    }

    /// The same for an async program: does what may block on another thread, and can be awaited in any
    /// runtime. When the future is dropped, the instance goes as soon as it has been made.
    ///
    /// # Errors
    /// See [`Builder::connect`].
    pub async fn connect_async(self) -> Result<Tidegate, ConnectError> {
        let (sender, receiver) = oneshot::channel();
        let connecting = move || {
            // Nobody may want it any more.
            let _ = sender.send(self.connect());
        };
        thread::Builder::new().name("tidegate-connect".to_owned()).spawn(connecting).map_err(ConnectError::Thread)?;
        let gone = |_| Err(ConnectError::Thread(io::Error::other("the connecting thread panicked")));
        receiver.await.unwrap_or_else(gone)
    }

    /// The delay before the first poll, and how long to wait for its end.
    fn first_poll(&self, source: &Source, is_served: bool, schedule: &mut Schedule) -> (Duration, Duration) {
        let delay = schedule.first(is_served, random());
        match self.startup_wait {
            Some(wait) if wait.is_zero() && !self.is_one_shot => (delay, wait),
            Some(wait) => (Duration::ZERO, wait),
            None if self.is_one_shot => (Duration::ZERO, self.fetch.timeout + ONE_SHOT_GRACE),
            None if is_served && source.is_remote() => (delay, Duration::ZERO),
            None => (Duration::ZERO, STARTUP_WAIT),
        }
    }

    fn fetch_options(&self) -> FetchOptions {
        FetchOptions { is_signed: self.trust.wants_signature(), ..self.fetch.clone() }
    }

    fn cache_place(&self, source: &Source, name: Option<String>) -> CachePlace {
        if self.is_uncached {
            return CachePlace::Nowhere;
        }
        let name = name.or_else(|| source.default_cache_name());
        name.map_or(CachePlace::Nowhere, |name| CachePlace::Under(name, self.cache_dir.clone()))
    }

    /// The file for the newest version of this source's documents in this environment. Sources without a name
    /// cannot be told apart in another process, and without a home folder there is no file.
    fn seen_file(&self, source: &Source, name: Option<String>) -> Option<SeenFile> {
        let name = name.or_else(|| source.default_seen_name())?;
        let folder = self.state_dir.clone().or_else(paths::state_dir)?;
        Some(SeenFile::new(folder, &format!("{}\n{name}", self.trust.environment().unwrap_or_default())))
    }

    fn lock_file(&self) -> Option<LockFile> {
        match &self.locks {
            LocksAt::Nowhere => None,
            LocksAt::File(path) => Some(LockFile::at(path)),
            // Without a home folder there is no file, and so there are no locks.
            LocksAt::Default => LockFile::of_this_host().ok(),
        }
    }
}

/// An explanation shows the name where it shows those of documents, so the two have to differ.
fn check_hash_name(hash: &CustomHash) -> Result<(), ConnectError> {
    let name = hash.name();
    let is_taken = HashAlgorithm::ALL.iter().any(|algorithm| algorithm.as_str() == name);
    let is_good = (1..=HASH_NAME_BYTES_MAX).contains(&name.len()) && !name.contains(char::is_control) && !is_taken;
    if is_good { Ok(()) } else { Err(ConnectError::HasherName { name: name.to_owned() }) }
}

fn checked_pin(lock: &HostLock) -> Result<HostLock, ConnectError> {
    locks::checked(lock).map_err(|problem| ConnectError::Pin { flag: lock.flag.clone(), problem })
}

/// Names of hashes: a word, for a line of an explanation.
const HASH_NAME_BYTES_MAX: usize = 64;

/// What the status calls the source of an instance that has none.
const NO_SOURCE: &str = "none";

/// How long a start without anything to serve waits: longer than a slow origin needs, shorter than the
/// patience of whatever started the program.
const STARTUP_WAIT: Duration = Duration::from_secs(5);

/// What a one-shot start waits beyond the time of its fetch: to read, keep and publish a large document.
const ONE_SHOT_GRACE: Duration = Duration::from_secs(5);
