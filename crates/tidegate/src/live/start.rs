//! The start of a node: its store is opened, what it has becomes active, and the threads begin.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidegate_engine::{FlagKey, Share};
use tidegate_mesh::Startup;
use tidegate_replica::{NodeId, Options};
use tokio::sync::watch;

#[cfg(feature = "redis")]
use super::SecretUrl;
use super::carrier::{Alone, Carrier};
use super::driver::{DiskState, Driver, Parts};
use super::driver_handle::DriverHandle;
use super::intake::Intake;
use super::live_thread::LiveThread;
use super::network::{NetworkError, Secured};
#[cfg(feature = "redis")]
use super::redis::Address;
use super::redis_link::RedisLink;
use super::runner::Runner;
use super::synced::Synced;
use super::{Live, LiveError, MAX_DRIFT_RANGE, NAME_BYTES_MAX, Place};
use crate::random::{random, random_id};
use crate::registry::Registry;
use crate::store::{Committer, DataFolder, MemoryStore, OpenError, SqliteStore, Store, UnwritableStore};

impl Live {
    /// Opens the store, makes what it has active, and starts the thread.
    pub(crate) fn start(
        &self,
        registry: Arc<Registry>,
        defaults: Vec<(FlagKey, Share)>,
    ) -> Result<LiveThread, LiveError> {
        for name in self.name.iter().chain([&self.cluster]) {
            check_name(name)?;
        }
        let max_drift_ms = checked_drift(self.max_drift)?;
        #[cfg(feature = "redis")]
        let redis_address = self.redis_address()?;
        #[cfg(feature = "redis")]
        let redis_url = redis_address.as_ref().map(ToString::to_string);
        #[cfg(not(feature = "redis"))]
        let redis_url = None;
        let redis = redis_url.map(|url: String| RedisLink::new(url, registry.instance().clock().now()));
        let network = self.network.is_used().then(|| self.network.secure(&self.cluster)).transpose()?;
        let mut opened = self.open(network.as_ref().and_then(Secured::node))?;
        let loaded = opened.store.load().map_err(OpenError::from)?;
        let history = opened.store.history();
        let intake = Arc::<Intake>::default();
        let expects_peers = self.expects_peers();
        let (synced, startup) = (Arc::<Synced>::default(), Startup::new());
        let carrier = self.carrier(network, &opened, (Arc::clone(&intake), Arc::clone(&synced)), startup.clone())?;
        let address = carrier.advertised();
        let committer = {
            let intake = Arc::clone(&intake);
            Committer::start(opened.store, move |outcome| intake.outcome(outcome)).map_err(LiveError::Thread)?
        };
        let name = self.name.clone().or_else(host_name).unwrap_or_else(|| opened.node.to_string());
        let is_durable = opened.folder.is_some() || !expects_peers;
        let options = Options {
            instance: opened.instance,
            name: name.clone(),
            address,
            is_durable,
            expects_peers,
            has_peers: self.has_peers(),
            has_shared_store: redis.is_some(),
            max_drift_ms,
            seed: random(),
            ..Options::new(self.cluster.clone(), opened.node)
        };
        registry.set_defaults(defaults);
        let disk = Arc::<DiskState>::default();
        let (kept, grown) = watch::channel(0);
        let parts = Parts {
            options,
            loaded,
            registry: Arc::clone(&registry),
            carrier,
            committer,
            redis: redis.clone(),
            synced: Arc::clone(&synced),
            disk: Arc::clone(&disk),
            grown: kept,
            unwritable: opened.folder.as_ref().and_then(|folder| folder.unwritable.clone()),
        };
        let runner = Runner::new(Driver::new(parts), Arc::clone(intake.inbox()));
        let driver = Arc::new(DriverHandle {
            intake,
            registry,
            history,
            node: opened.node,
            instance: opened.instance,
            name,
            cluster: self.cluster.clone(),
            is_durable,
            folder: opened.folder,
            runner: Arc::clone(&runner),
            redis,
            synced,
            startup,
            disk,
            grown,
        });
        let thread = LiveThread::start(runner, driver).map_err(LiveError::Thread)?;
        #[cfg(feature = "redis")]
        let thread = match redis_address {
            Some(address) => thread.with_redis((address, &self.cluster), max_drift_ms).map_err(LiveError::Thread)?,
            None => thread,
        };
        Ok(thread)
    }

    #[cfg(feature = "redis")]
    fn redis_address(&self) -> Result<Option<Address>, LiveError> {
        let url = self.redis.as_ref();
        let address = url
            .map(|SecretUrl(url)| Address::parse(url))
            .transpose()
            .map_err(|problem| LiveError::RedisUrl { problem })?;
        let certificates = |problem| LiveError::RedisCertificates { problem };
        address.map(|address| address.with_tls(&self.redis_tls)).transpose().map_err(certificates)
    }

    /// Whether it was told where other nodes are.
    fn has_peers(&self) -> bool {
        #[cfg(test)]
        if self.connect.is_some() {
            return true;
        }
        !self.network.peers.is_empty()
    }

    fn expects_peers(&self) -> bool {
        #[cfg(test)]
        if self.connect.is_some() {
            return true;
        }
        self.network.is_used()
    }

    fn carrier(
        &self,
        network: Option<Secured>,
        opened: &Opened,
        (intake, synced): (Arc<Intake>, Arc<Synced>),
        startup: Startup,
    ) -> Result<Box<dyn Carrier>, NetworkError> {
        #[cfg(test)]
        if let Some(connect) = &self.connect {
            return Ok(connect(opened.node, opened.instance, intake));
        }
        match network {
            None => Ok(Box::new(Alone)),
            Some(network) => network.open(&self.cluster, opened.node, opened.instance, (intake, synced), startup),
        }
    }

    fn open(&self, wanted: Option<NodeId>) -> Result<Opened, OpenError> {
        Ok(match &self.place {
            Place::Memory => {
                let (node, instance) = (wanted.unwrap_or_else(|| NodeId::new(random_id())), random_id());
                Opened { store: Box::new(MemoryStore::new()), node, instance, folder: None }
            }
            Place::Folder(path) => {
                let opened = match wanted {
                    None => SqliteStore::open(path),
                    Some(node) => SqliteStore::open_as(path, node),
                };
                let (store, folder): (Box<dyn Store>, _) = match opened {
                    Ok((store, folder)) => (Box::new(store), folder),
                    // A disk that takes nothing does not prevent reads.
                    Err(error) if error.is_unwritable() => {
                        let (store, folder) = UnwritableStore::open(path, wanted, error)?;
                        (Box::new(store), folder)
                    }
                    Err(error) => return Err(error),
                };
                Opened { node: folder.node, instance: folder.instance, store, folder: Some(folder) }
            }
        })
    }
}

/// A store that is open, and who this node is by it.
struct Opened {
    store: Box<dyn Store>,
    node: NodeId,
    instance: u64,
    folder: Option<DataFolder>,
}

fn check_name(name: &str) -> Result<(), LiveError> {
    let is_good = (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.contains(char::is_control);
    if is_good { Ok(()) } else { Err(LiveError::Name { name: name.to_owned() }) }
}

fn checked_drift(drift: Duration) -> Result<u64, LiveError> {
    let is_whole = drift.subsec_nanos().is_multiple_of(1_000_000);
    let millis = u64::try_from(drift.as_millis()).ok().filter(|_| MAX_DRIFT_RANGE.contains(&drift) && is_whole);
    millis.ok_or(LiveError::MaxDrift { given: drift })
}

/// The name of this host, as the kernel has it.
pub(crate) fn host_name() -> Option<String> {
    let text = fs::read_to_string(Path::new("/proc/sys/kernel/hostname")).ok()?;
    let name = text.trim();
    check_name(name).ok().map(|()| name.to_owned())
}
