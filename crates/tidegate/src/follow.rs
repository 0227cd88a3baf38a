//! Followers: processes that decide in their own memory, get live changes over HTTP, and are counted for nothing.
//!
//! A member has a link to every other one, so there are some fifty. A follower has one connection to one server, which may be a
//! follower itself. It takes a snapshot of all that its server has, then a stream of changes that it resumes by position after a
//! break, and compares digests with each change, so that a change that was lost does not stay lost. Both are kept on the disk.
//!
//! Invariant: what is active in a follower is what its server has, but for registers that it knows to be newer.

mod backoff;
mod disk;
mod documents;
mod feed;
mod held;
mod limits;
mod mirror;
mod pump;
mod status;
mod thread;
mod wire;
mod work;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate_engine::{CompileOptions, FlagKey};

use crate::ingest::signature::Trust;
use crate::ingest::source::{FetchOptions, SourceError, Upstream};
use crate::live::FlagRecord;
use crate::registry::Registry;
use crate::source_status::SourceStatus;
use crate::status::{Health, SourceTrouble, Status};

pub use feed::{Feed, FeedReader, FeedRefusal, FeedSnapshot};
pub use status::{FollowPath, FollowStatus};

pub(crate) use limits::ADDRESSES_MAX;
pub(crate) use pump::Pump;
pub(crate) use thread::{FollowThread, StartingFollower};

use held::Held;
use limits::SNAPSHOT_BYTES_MAX;
use status::Report;

/// What a follower is made of.
pub(crate) struct FollowOptions {
    /// The base URLs of servers of one cluster.
    pub(crate) servers: Vec<String>,
    pub(crate) fetch: FetchOptions,
    /// The name and the folder under which all is kept; none: nothing is.
    pub(crate) cache: Option<(String, Option<PathBuf>)>,
    pub(crate) trust: Trust,
    /// Where the newest versions of signed documents are remembered.
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) compile: CompileOptions,
    pub(crate) is_one_shot: bool,
    pub(crate) is_offline: bool,
    /// Where other followers get what this one has.
    pub(crate) feed: Option<Feed>,
}

impl FollowOptions {
    /// The servers, ready to be asked.
    fn upstreams(&self) -> Result<Vec<Upstream>, SourceError> {
        let options = FetchOptions { body_bytes_max: SNAPSHOT_BYTES_MAX, ..self.fetch.clone() };
        self.servers.iter().map(|server| Upstream::new(server, options.clone())).collect()
    }
}

/// What the thread of a follower shares with those who read.
#[derive(Debug)]
pub(crate) struct Shared {
    registry: Arc<Registry>,
    held: Mutex<Held>,
    report: Mutex<Report>,
    /// The documents that are in use.
    documents: Mutex<Vec<Arc<SourceStatus>>>,
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn documents(&self) -> MutexGuard<'_, Vec<Arc<SourceStatus>>> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server of a follower, and how they agree; made by [`Tidegate::follower`](crate::Tidegate::follower).
#[derive(Clone)]
pub struct Follower {
    shared: Arc<Shared>,
}

impl Follower {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Whom this process follows, how old what it has is, and whether it agrees with its server.
    ///
    /// ```no_run
    /// # use tidegate::Tidegate;
    /// let tide = Tidegate::builder().follow("https://flags.internal")?.connect()?;
    /// let status = tide.follower().expect("it follows").status();
    /// println!("{} is {:?} behind {}", status.digest, status.age, status.server);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn status(&self) -> FollowStatus {
        let held = self.shared.held();
        let counts = (held.digest(), held.len(), held.ahead());
        drop(held);
        self.shared.report().to_status(counts)
    }

    /// The server that this process follows now, or tries to.
    pub fn server(&self) -> String {
        self.shared.report().server.clone()
    }

    /// Whether this process is connected to its server and has what that has.
    pub fn is_synced(&self) -> bool {
        let report = self.shared.report();
        report.is_connected && report.is_equal != Some(false)
    }

    /// Whether there is something to answer from: a server was reached, now or before the disk was written.
    pub(crate) fn has_state(&self) -> bool {
        self.shared.report().has_state
    }

    /// Whether there is something to answer from, and each document of the server is here.
    pub(crate) fn is_ready(&self) -> bool {
        self.has_state() && self.shared.documents().iter().all(|status| status.lock().has_document())
    }

    /// The status of the documents that the server has, in place of those of sources.
    pub(crate) fn complete(&self, status: &mut Status) {
        let documents = self.shared.documents().clone();
        let mut documents = documents.iter().map(|status| status.to_status());
        if let Some(first) = documents.next() {
            *status = first;
            status.additional_sources = documents.collect();
            return;
        }
        let report = self.shared.report();
        status.source.clone_from(&report.server);
        if !report.has_state {
            status.health = Health::Starting;
            let (since, message) = (report.since, report.last_error.clone());
            status.last_error = message.map(|message| SourceTrouble { message, since, at: since, count: 1 });
        }
    }

    /// What live changes say of these flags, in their order.
    pub(crate) fn records(&self, flags: &[FlagKey]) -> Vec<FlagRecord> {
        let held = self.shared.held();
        let record = |flag: &FlagKey| FlagRecord::from_registers(flag.clone(), &held.nodes, |key| held.get(key));
        let mut records: Vec<FlagRecord> = flags.iter().map(record).collect();
        drop(held);
        for record in &mut records {
            record.document = self.shared.registry.source_of(&record.flag);
        }
        records
    }

    /// The flags of which something stands in a register and that are chosen, in order.
    #[doc(hidden)]
    pub fn changed_flags(&self, is_chosen: impl Fn(&FlagKey) -> bool) -> Vec<FlagKey> {
        let held = self.shared.held();
        let keys = held.registers().filter_map(|register| crate::live::ChangeKind::from_key(&register.key));
        let mut flags: Vec<FlagKey> = keys.map(|(_, flag)| flag).filter(|flag| is_chosen(flag)).collect();
        flags.sort();
        flags.dedup();
        flags
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Follower").field("server", &self.server()).finish_non_exhaustive()
    }
}

impl fmt::Debug for FollowOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FollowOptions").field("cache", &self.cache).finish_non_exhaustive()
    }
}
