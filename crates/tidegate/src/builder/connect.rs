//! How an instance is started from what its builder says.

use std::sync::Arc;
use std::time::Duration;
#[cfg(feature = "cluster")]
use std::time::Instant;
use std::{io, thread};

use tidegate_engine::{CompileOptions, CustomHash, HashAlgorithm, HostLock};
#[cfg(feature = "cluster")]
use tidegate_engine::{FlagKey, Share};
use tokio::sync::oneshot;

use super::{Builder, LocksAt};
use crate::client::Tidegate;
use crate::clock;
use crate::error::ConnectError;
use crate::files::locks::{self, LockFile};
use crate::files::paths;
use crate::ingest::compile::Refused;
use crate::ingest::schedule::Schedule;
use crate::ingest::signature::SeenFile;
use crate::ingest::source::{FetchOptions, Fetcher, Source};
use crate::ingest::worker::{CachePlace, Running, SourceOptions, SourceState, Starting, Upkeep, Work};
use crate::instance::Instance;
#[cfg(feature = "cluster")]
use crate::live::{Cluster, Percentage};
use crate::random::random;
use crate::registry::Registry;
use crate::status::Health;
use crate::threads::Threads;

impl Builder {
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
    /// What the program itself has configured cannot work; see [`ConnectError`].
    pub fn connect(self) -> Result<Tidegate, ConnectError> {
        #[cfg(feature = "cluster")]
        let began = Instant::now();
        let pins = self.check()?;
        #[cfg(feature = "cluster")]
        let defaults = self.checked_defaults()?;
        let instance = Instance::new(self.clock.clone(), self.random_seed);
        let registry = Registry::new(Arc::clone(&instance));
        let upkeep = Upkeep::new(Arc::clone(&registry), pins, self.lock_file());
        let first = self.prepare_first(&registry, upkeep)?;
        let additional_sources = self.prepare_additional(&registry)?;
        #[cfg(feature = "cluster")]
        let live = if let Some(live) = &self.live {
            Some(live.start(Arc::clone(&registry), defaults)?)
        } else {
            registry.set_defaults(defaults);
            None
        };
        #[cfg(feature = "cluster")]
        let feed = self.feed(&registry);
        #[cfg(feature = "cluster")]
        let follower = self.start_follower(&registry, feed.as_ref())?;
        // All are started before any is waited for.
        let first = first.start()?;
        let additional_sources = additional_sources.into_iter().map(Prepared::start).collect::<Result<Vec<_>, _>>()?;
        let board = Arc::clone(&instance.board);
        let threads = Threads {
            instance,
            #[cfg(feature = "cluster")]
            live,
            #[cfg(feature = "cluster")]
            feed: None,
            #[cfg(feature = "cluster")]
            follower: follower.map(|follower| follower.wait(self.startup_wait, self.follower_wait())),
            first: first.wait(),
            additional_sources: additional_sources.into_iter().map(Starting::wait).collect(),
            #[cfg(feature = "cluster")]
            pump: None,
        };
        #[cfg(feature = "cluster")]
        let threads = {
            let cluster = threads.live.as_ref().map(|live| Cluster::new(Arc::clone(live.driver())));
            let pump = self.start_pump(&registry, feed.as_ref(), cluster)?;
            Threads { feed, pump, ..threads }
        };
        #[cfg(feature = "cluster")]
        if let Some(live) = &threads.live {
            live.wait_synced(began, self.startup_wait.unwrap_or(STARTUP_WAIT))?;
        }
        Ok(Tidegate::new(board, threads))
    }

    /// The same for an async program: does what may block on another thread, and can be awaited in any
    /// runtime. When the future is dropped, the instance goes as soon as it has been made.
    ///
    /// # Errors
    /// See [`Builder::connect`].
    pub async fn connect_async(self) -> Result<Tidegate, ConnectError> {
        let (sender, receiver) = oneshot::channel();
        let connecting = move || {
            // The caller may have given up.
            let _ = sender.send(self.connect());
        };
        thread::Builder::new().name("tidegate-connect".to_owned()).spawn(connecting).map_err(ConnectError::Thread)?;
        let gone = |_| Err(ConnectError::Thread(io::Error::other("the connecting thread panicked")));
        receiver.await.unwrap_or_else(gone)
    }

    /// Checks what the program itself has configured. Returns its locks.
    fn check(&self) -> Result<Vec<HostLock>, ConnectError> {
        if self.cache_name.as_ref().is_some_and(String::is_empty) {
            return Err(ConnectError::CacheName);
        }
        self.custom_hash.as_ref().map_or(Ok(()), check_hash_name)?;
        if self.source.is_none() && !self.is_live() {
            return Err(ConnectError::NoSource);
        }
        #[cfg(feature = "cluster")]
        self.check_follower()?;
        self.pins.iter().map(checked_pin).collect()
    }

    #[cfg_attr(not(feature = "cluster"), expect(clippy::unused_self, reason = "with live changes it is looked at"))]
    fn is_live(&self) -> bool {
        #[cfg(feature = "cluster")]
        return self.live.is_some() || self.is_follower();
        #[cfg(not(feature = "cluster"))]
        false
    }

    #[cfg_attr(not(feature = "cluster"), expect(clippy::unused_self, reason = "only followers get it"))]
    fn keeps_text(&self) -> bool {
        #[cfg(feature = "cluster")]
        return self.follow_name.is_some();
        #[cfg(not(feature = "cluster"))]
        false
    }

    /// How long a start waits for its server, where nothing is configured and nothing is kept.
    #[cfg(feature = "cluster")]
    fn follower_wait(&self) -> Duration {
        if self.is_one_shot { self.fetch.timeout + ONE_SHOT_GRACE } else { STARTUP_WAIT }
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

    /// The first source, or none, whose thread also has the upkeep of the instance.
    fn prepare_first(&self, registry: &Arc<Registry>, upkeep: Upkeep) -> Result<Prepared, ConnectError> {
        let source = self.source.as_ref();
        let state = SourceState::new(Arc::clone(registry), self.source_options(source, None));
        let Prepared { work, wait } = self.prepare(state, source)?;
        Ok(Prepared { work: Work { upkeep: Some(upkeep), ..work }, wait })
    }

    fn prepare_additional(&self, registry: &Arc<Registry>) -> Result<Vec<Prepared>, ConnectError> {
        let numbered = (1..).zip(&self.additional_sources);
        let prepared = numbered.map(|(number, source)| {
            let options = self.source_options(Some(source), Some(number));
            self.prepare(SourceState::new(Arc::clone(registry), options), Some(source))
        });
        prepared.collect()
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
            is_one_shot: self.is_one_shot,
            health: match source {
                None => Health::NoSource,
                Some(source) if self.is_offline && source.is_remote() => Health::Offline,
                Some(_) => Health::Starting,
            },
            is_combined: !self.additional_sources.is_empty(),
            keeps_text: self.keeps_text(),
        }
    }

    /// Prepares the work of a source's thread.
    fn prepare(&self, mut state: SourceState, source: Option<&Source>) -> Result<Prepared, ConnectError> {
        let mut schedule =
            Schedule::new(self.poll_interval.unwrap_or(source.map_or(STARTUP_WAIT, Source::default_poll_interval)));
        let Some(source) = source else {
            let (first, is_one_shot) = (Duration::ZERO, self.is_one_shot);
            let work = Work { source: state, upkeep: None, fetcher: None, schedule, first, is_one_shot };
            return Ok(Prepared { work, wait: Duration::ZERO });
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
        let work = Work { source: state, upkeep: None, fetcher, schedule, first, is_one_shot: self.is_one_shot };
        Ok(Prepared { work, wait })
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

    /// What messages call the source.
    #[cfg(feature = "conformance")]
    pub(crate) fn source_name(&self) -> String {
        self.source.as_ref().map_or_else(|| NO_SOURCE.to_owned(), Source::to_string)
    }

    /// Asks the source, as the thread of an instance does.
    #[cfg(feature = "conformance")]
    pub(crate) fn to_fetcher(&self) -> Result<Fetcher, String> {
        let source = self.source.clone().ok_or_else(|| "the subject has named no source".to_owned())?;
        Fetcher::new(source, self.fetch_options()).map_err(|error| error.to_string())
    }

    pub(super) fn fetch_options(&self) -> FetchOptions {
        FetchOptions { is_signed: self.trust.wants_signature(), ..self.fetch.clone() }
    }

    pub(super) fn cache_place(&self, source: &Source, name: Option<String>) -> CachePlace {
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

/// The thread of a source, before it is started.
struct Prepared {
    work: Work,
    /// How long to wait until the source has been asked once.
    wait: Duration,
}

impl Prepared {
    fn start(self) -> Result<Starting, ConnectError> {
        Running::start(self.work, self.wait).map_err(ConnectError::Thread)
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
