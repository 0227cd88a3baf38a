//! Following a server instead of asking sources.

use std::sync::Arc;

use tidegate_engine::CompileOptions;

use super::Builder;
use crate::clock;
use crate::error::ConnectError;
use crate::follow::{ADDRESSES_MAX, Feed, FollowOptions, FollowThread, Pump, StartingFollower};
use crate::ingest::source::{SourceError, Upstream};
use crate::live::{Cluster, DEFAULT_CLUSTER, host_name};
use crate::registry::Registry;

impl Builder {
    /// The instance follows this server: it has the documents, definitions and activations that the server has, receives each
    /// change within milliseconds, and answers from its own memory. The URL is that of `tidegate serve`. It may be called
    /// several times with servers of one cluster; the instance follows one of them, and another one when that is lost.
    ///
    /// What was received is kept on the disk under the [cache name](Builder::cache_name), so that a start while no server is
    /// reachable has it. Ramps move by this process's own clock, and their leases count from the last successful poll of the
    /// document's source by the server. Changes are refused: they are made on the server. A follower has no sources and takes no
    /// [`Live`](crate::Live).
    ///
    /// ```no_run
    /// # use tidegate::Tidegate;
    /// let tide = Tidegate::builder()
    ///     .follow("https://flags-1.internal")?
    ///     .follow("https://flags-2.internal")?
    ///     .cache_name("checkout")
    ///     .connect()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The text is no URL, or one of another scheme than `http` and `https`.
    pub fn follow(mut self, url: &str) -> Result<Self, SourceError> {
        Upstream::check(url)?;
        self.servers.push(url.to_owned());
        Ok(self)
    }

    /// Other processes may follow this one by its server; `name` is what they call it. Default: none may, and no text of a document
    /// is kept for them. For the server of the same version.
    #[doc(hidden)]
    pub fn serve_followers(mut self, name: impl Into<String>) -> Self {
        self.follow_name = Some(name.into());
        self
    }

    /// Whether the instance follows a server.
    pub(super) fn is_follower(&self) -> bool {
        !self.servers.is_empty()
    }

    /// Whether what a follower is told fits together.
    pub(super) fn check_follower(&self) -> Result<(), ConnectError> {
        if !self.is_follower() {
            return Ok(());
        }
        let problem = if self.source.is_some() {
            "it has the documents of its server; name no source"
        } else if self.live.is_some() {
            "it is not a member of a cluster; leave `live` out"
        } else if self.servers.len() > ADDRESSES_MAX {
            "it takes 16 servers at most"
        } else {
            return Ok(());
        };
        Err(ConnectError::Follow { problem })
    }

    /// What other processes follow, if they may.
    pub(super) fn feed(&self, registry: &Arc<Registry>) -> Option<Feed> {
        let name = self.follow_name.clone()?;
        let name = if name.is_empty() { host_name().unwrap_or_default() } else { name };
        Some(Feed::new(name, DEFAULT_CLUSTER.to_owned(), Arc::clone(registry)))
    }

    /// Starts to follow.
    pub(super) fn start_follower(
        &self,
        registry: &Arc<Registry>,
        feed: Option<&Feed>,
    ) -> Result<Option<StartingFollower>, ConnectError> {
        if !self.is_follower() {
            return Ok(None);
        }
        let name = self.cache_name.clone().unwrap_or_else(|| self.servers.join(" "));
        let options = FollowOptions {
            servers: self.servers.clone(),
            fetch: self.fetch.clone(),
            cache: (!self.is_uncached).then(|| (name, self.cache_dir.clone())),
            trust: self.trust.clone(),
            state_dir: self.state_dir.clone(),
            compile: CompileOptions {
                default_lease: self.default_lease.map(clock::span),
                custom_hash: self.custom_hash.clone(),
                ..CompileOptions::default()
            },
            is_one_shot: self.is_one_shot,
            is_offline: self.is_offline,
            feed: feed.cloned(),
        };
        FollowThread::start(registry, options).map(Some)
    }

    /// Starts to tell the feed of an instance that follows nothing what changes.
    pub(super) fn start_pump(
        &self,
        registry: &Arc<Registry>,
        feed: Option<&Feed>,
        cluster: Option<Cluster>,
    ) -> Result<Option<Pump>, ConnectError> {
        match feed.filter(|_| !self.is_follower()) {
            None => Ok(None),
            Some(feed) => Pump::start(feed.clone(), cluster, registry.instance().notifier.subscribe()).map(Some),
        }
    }
}
