//! Changes while programs run: activations and definitions that a cluster of nodes agrees on and remembers.
//!
//! A change goes one way, wherever it was made: it becomes a register, the register becomes durable and goes to the
//! other nodes, and what it says becomes active. So a change made here takes the path of a change made elsewhere, and
//! reads stay what they were: they look at a snapshot in memory.
//!
//! The replica decides, without input or output; the driver ([`driver`]) does for it what it cannot do itself.

mod arrivals;
mod backup;
mod carrier;
mod change;
mod change_error;
mod change_request;
mod change_set;
mod cluster;
mod driver;
mod driver_handle;
mod driver_view;
mod flag_state;
mod history;
mod inbox;
mod intake;
mod live_error;
mod live_thread;
mod names;
mod network;
mod percentage;
mod problem;
mod projected;
mod quarantine;
mod receipt;
mod record;
#[cfg(feature = "redis")]
mod redis;
#[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "without the feature no thread is at the other end"))]
mod redis_link;
mod registers;
mod request;
mod runner;
mod start;
mod status;
mod synced;
mod text;
mod value;

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
#[cfg(test)]
use std::sync::Arc;
use std::time::Duration;

#[cfg(test)]
use tidegate_replica::NodeId;

#[cfg(test)]
use carrier::Carrier;
#[cfg(test)]
use intake::Intake;
use network::Network;
#[cfg(feature = "redis")]
use redis::RedisTls;

pub use arrivals::{Arrivals, ArrivedChange, ArrivedChanges};
pub use backup::{RestoreError, Restored};
pub use change::Change;
pub use change_error::ChangeError;
pub use change_request::FlagTags;
pub use change_set::{CHANGE_SET_MAX, ChangeSet, ChangeSetError, ChangeSetReceipt, MadeChange};
pub use cluster::{Cluster, ClusterError};
pub use flag_state::{FlagSource, FlagState};
pub use history::{HistoryEntry, HistoryPage, MissingChange};
pub use live_error::LiveError;
pub use names::NodeName;
pub use network::NetworkError;
pub use percentage::{InvalidPercentage, Percentage};
pub use problem::ClusterProblem;
pub use quarantine::{QuarantineEntry, UnknownKind, Verdict};
pub use receipt::{ClusterReceipt, Effect, Forgotten, OutrankedBy, Receipt, UnreachedPeer};
pub use record::{FlagRecord, Record};
#[cfg(feature = "redis")]
pub use redis::{RedisUrlError, check_redis_url};
pub use redis_link::{RedisReceipt, RedisStatus};
pub use status::{
    AddressView, ClusterStatus, InapplicableChange, MemberStatus, NodeStatus, PeerView, QuarantinedChange,
};
pub use value::{ActivationValue, ChangeKind, RegisterValue};

pub(crate) use change_request::{Entry, Operation};
pub(crate) use live_thread::LiveThread;
pub(crate) use projected::project;
pub(crate) use registers::Registers;
pub(crate) use start::host_name;

/// Lets an instance take live changes, and says where it keeps them; for
/// [`Builder::live`](crate::Builder::live).
///
/// ```no_run
/// use tidegate::{Live, Tidegate};
///
/// let tide = Tidegate::builder()
///     .live(Live::at("/var/lib/checkout/tidegate").name("checkout-1"))
///     .connect()?;
/// tide.activate("blog_post_comments").actor("dana").send()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Live {
    place: Place,
    name: Option<String>,
    cluster: String,
    network: Network,
    #[cfg(feature = "redis")]
    redis: Option<SecretUrl>,
    #[cfg(feature = "redis")]
    redis_tls: RedisTls,
    max_drift: Duration,
    #[cfg(test)]
    connect: Option<Connect>,
}

/// A URL that may hold a password: it is not shown.
#[cfg(feature = "redis")]
#[derive(Clone)]
struct SecretUrl(String);

/// Opens another way to the other nodes, which put what they receive into the intake.
#[cfg(test)]
type Connect = Arc<dyn Fn(NodeId, u64, Arc<Intake>) -> Box<dyn Carrier> + Send + Sync>;

/// Where a node keeps its registers.
#[derive(Clone, Debug)]
enum Place {
    Memory,
    Folder(PathBuf),
}

impl Live {
    /// Changes are kept in this folder, which is made if need be, for its owner only. One folder is one node: it has an
    /// id of its own, and no second process may use it.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let folder = tempfile::tempdir()?;
    /// # let folder = folder.path().join("data");
    /// let tide = Tidegate::builder().live(Live::at(&folder)).without_locks().connect()?;
    /// tide.activate("x").send()?;
    /// assert!(folder.exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self::new(Place::Folder(folder.into()))
    }

    /// Changes are kept in memory, and are gone when the process ends: for tests, and for programs that only read what
    /// a cluster has. In a cluster such a node is a reader: no majority counts it.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// assert!(tide.cluster().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn in_memory() -> Self {
        Self::new(Place::Memory)
    }

    /// Changes are shared through this Redis or Valkey, and kept in memory: for processes that have no links to each other. All that
    /// name the same Redis and the same [cluster](Live::cluster) have the same flags.
    ///
    /// `redis://[user[:password]@]host[:port][/database]`, `rediss://` with TLS, or `unix:///path`. Of a Redis Cluster, several hosts
    /// may be named with commas between them; one that answers is enough. `redis+sentinel://[user[:password]@]host[:port]/name[/database]`,
    /// also with several hosts, asks Sentinels for the master of that name, where user and password are those of the master; those of
    /// the Sentinels follow as `?sentinel_user=USER&sentinel_password=PASSWORD`. User and password are never shown. Redis is a copy of what the processes hold: while it cannot be reached, reads go on, changes are active in the process
    /// that makes them and wait, and what Redis has lost is written to it again. It has to keep what it is given: an eviction
    /// policy `allkeys-*` is reported, and then nothing counts as acknowledged. The guide is `docs/guide/redis.md`.
    ///
    /// Without a cluster, [`Level`](crate::Level) counts copies of Redis: [`Local`](crate::Level::Local) waits for none,
    /// [`One`](crate::Level::One) for Redis and a replica of it if there is one, [`Majority`](crate::Level::Majority) for more than
    /// half of Redis and its replicas, [`All`](crate::Level::All) for all of them.
    ///
    /// ```no_run
    /// use tidegate::{Live, Tidegate};
    ///
    /// let tide = Tidegate::builder().live(Live::redis("redis://127.0.0.1").cluster("checkout")).connect()?;
    /// let receipt = tide.activate("blog_post_comments").actor("dana").send()?;
    /// println!("acknowledged by Redis: {}", receipt.is_reached);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "redis")]
    pub fn redis(url: impl Into<String>) -> Self {
        Self::in_memory().with_redis(url)
    }

    /// The same for a process that keeps its changes in a folder, or is a node of a cluster: all that it holds is shared through
    /// this Redis, too. A change from there reaches the other nodes of the cluster within about a second. In a cluster, levels count
    /// members and not Redis.
    ///
    /// ```no_run
    /// # use tidegate::{Live, Tidegate};
    /// let live = Live::at("/var/lib/checkout/tidegate").with_redis("rediss://user:password@redis.example/0");
    /// # let tide = Tidegate::builder().live(live).connect()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn with_redis(mut self, url: impl Into<String>) -> Self {
        self.redis = Some(SecretUrl(url.into()));
        self
    }

    /// Certificate authorities, in PEM, that may have issued the certificate of a Redis at `rediss://`, besides those of the machine.
    /// Default: none.
    ///
    /// ```no_run
    /// # use tidegate::{Live, Tidegate};
    /// let authorities = std::fs::read("/etc/ssl/company.pem")?;
    /// let live = Live::redis("rediss://redis.example").redis_root_certificates(authorities);
    /// # let tide = Tidegate::builder().live(live).connect()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn redis_root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.redis_tls.roots = Some(pem.into());
        self
    }

    /// The certificate that this process shows to a Redis at `rediss://`, with its chain, and its key, both in PEM: where Redis has
    /// `tls-auth-clients yes`, its default. Default: none.
    ///
    /// ```no_run
    /// # use tidegate::{Live, Tidegate};
    /// let (chain, key) = (std::fs::read("checkout.pem")?, std::fs::read("checkout.key")?);
    /// let live = Live::redis("rediss://redis.example").redis_client_certificate(chain, key);
    /// # let tide = Tidegate::builder().live(live).connect()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn redis_client_certificate(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.redis_tls.own = Some((chain.into(), key.into()));
        self
    }

    fn new(place: Place) -> Self {
        Self {
            place,
            name: None,
            cluster: DEFAULT_CLUSTER.to_owned(),
            network: Network::default(),
            #[cfg(feature = "redis")]
            redis: None,
            #[cfg(feature = "redis")]
            redis_tls: RedisTls::default(),
            max_drift: MAX_DRIFT,
            #[cfg(test)]
            connect: None,
        }
    }

    /// What people call this node, 1 to 255 bytes without control characters. Default: the name of the host, or the
    /// node's id where the system does not tell.
    ///
    /// ```
    /// # use tidegate::Live;
    /// let live = Live::in_memory().name("checkout-1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The name of the cluster, 1 to 255 bytes without control characters. Nodes of different clusters never agree on
    /// anything. Default: `tidegate`.
    ///
    /// ```
    /// # use tidegate::Live;
    /// let live = Live::in_memory().cluster("checkout");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn cluster(mut self, name: impl Into<String>) -> Self {
        self.cluster = name.into();
        self
    }

    /// Other nodes of the cluster reach this one here. Port 0 takes a free one, which the cluster's status tells. Default:
    /// nowhere; a node that reaches no other either is a cluster of one.
    ///
    /// ```
    /// # use tidegate::Live;
    /// let live = Live::in_memory().listen("127.0.0.1:0".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.network.listen = Some(address);
        self
    }

    /// What this node tells others about where it is, `host:port`: behind network address translation, or for a name that
    /// outlives addresses. Default: the address that it listens on; where that is `0.0.0.0` or `[::]`, the first host that
    /// its certificate names, and without certificates the address by which it reaches its first peer.
    ///
    /// ```
    /// # use tidegate::Live;
    /// let live = Live::in_memory().advertise("flags-1.example.com:7947");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn advertise(mut self, address: impl Into<String>) -> Self {
        self.network.advertise = Some(address.into());
        self
    }

    /// Another node of the cluster can be reached there: `host:port`. One that answers is enough: members tell each other
    /// where they are. It is simplest to give all nodes the same addresses, their own included. May be called several times.
    ///
    /// ```
    /// # use tidegate::Live;
    /// let live = Live::in_memory().peer("flags-2.example.com:7947");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn peer(mut self, address: impl Into<String>) -> Self {
        self.network.peers.push(address.into());
        self
    }

    /// The nodes know each other by certificates, and this folder has this node's: `ca.pem`, `node.pem` and `node.key`, as
    /// `tidegate cluster init` makes them. The certificate says which node this is, and every link is TLS 1.3. Files that
    /// are replaced are used without a restart. Default: none, which is accepted only where every address is a loopback one.
    ///
    /// ```
    /// # use tidegate::Live;
    /// let live = Live::in_memory().certificates("/etc/tidegate/node");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn certificates(mut self, folder: impl Into<PathBuf>) -> Self {
        self.network.certificates = Some(folder.into());
        self
    }

    /// Nodes on several hosts do without certificates: any process that reaches an address of the cluster can read and change every
    /// flag, so the network has to keep others out.
    ///
    /// ```
    /// # use tidegate::Live;
    /// let live = Live::in_memory().insecure();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn insecure(mut self) -> Self {
        self.network.is_insecure = true;
        self
    }

    /// How far a stamp of another node may lie ahead of this host's clock before it is quarantined, and this clock be off those
    /// of the others before it makes no change: from 500 ms to 60 s, in whole milliseconds. All nodes should have the same.
    ///
    /// Default: 5 s, ten times what a badly kept clock drifts before it is corrected. More admits hosts whose clocks are kept
    /// worse, and lets the changes of one whose clock is ahead win for that much longer.
    ///
    /// ```
    /// # use tidegate::Live;
    /// let live = Live::in_memory().max_drift(std::time::Duration::from_secs(10));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn max_drift(mut self, drift: Duration) -> Self {
        self.max_drift = drift;
        self
    }

    #[cfg(test)]
    pub(crate) fn connected(mut self, connect: Connect) -> Self {
        self.connect = Some(connect);
        self
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Live")
            .field("place", &self.place)
            .field("name", &self.name)
            .field("cluster", &self.cluster)
            .field("network", &self.network)
            .finish_non_exhaustive()
    }
}

/// What [`Live::max_drift`] takes: below, clocks that are kept well would be refused for a moment's load; above, one that is
/// ahead would win for longer than anybody waits.
pub const MAX_DRIFT_RANGE: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_mins(1);

/// The drift that clocks may have, where none is configured.
const MAX_DRIFT: Duration = Duration::from_secs(5);

/// The name of a cluster that has none.
pub const DEFAULT_CLUSTER: &str = "tidegate";

/// Names of nodes and clusters: what a label of DNS, a log line and a table can take, four times over.
pub(crate) const NAME_BYTES_MAX: usize = 255;

#[cfg(test)]
mod tests;
