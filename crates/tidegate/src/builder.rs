//! How an instance is made: a source, and what to do differently from the defaults.

mod connect;
mod fetch;
#[cfg(feature = "cluster")]
mod follow;
mod sources;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tidegate_engine::{CustomHash, FlagKey, HostLock, Pin};

use crate::client::Tidegate;
use crate::clock::Clock;
use crate::ingest::signature::{Trust, TrustedKeyError};
use crate::ingest::source::{FetchOptions, Source};
#[cfg(feature = "cluster")]
use crate::live::{Live, Percentage};

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
    /// The servers that the instance follows.
    #[cfg(feature = "cluster")]
    servers: Vec<String>,
    /// What followers of this instance call it; none: it has none.
    #[cfg(feature = "cluster")]
    follow_name: Option<String>,
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
            #[cfg(feature = "cluster")]
            servers: Vec::new(),
            #[cfg(feature = "cluster")]
            follow_name: None,
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

    /// A flag that no document and no live change defines is on for this percentage of keys. It
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
    /// name and `.minisig`; a callback answers [`Fetched::Signed`](crate::Fetched::Signed). A signed document has a version, which may not
    /// fall, and may name its environment and when it expires: see the guide on signing.
    ///
    /// Default: no key: documents need no signature.
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
    /// `~/.local/state/tidegate`: not the cache, which any user may clear.
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
    /// `$XDG_STATE_HOME/tidegate` or `~/.local/state/tidegate`. It need not exist.
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
        let reason = "pinned by the program".to_owned();
        self.pins.push(HostLock { flag: FlagKey::parse(flag_key), pin, actor: String::new(), reason, until: None });
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
    /// which must start, too. Afterwards such a node answers from what it has, warns (unless the wait is zero), and
    /// `Cluster::is_synced` is false.
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
}
