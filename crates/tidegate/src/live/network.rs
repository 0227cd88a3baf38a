//! The network between the nodes of a cluster, as it is configured and as it is opened.

use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tidegate_mesh::{
    Identity, IdentityError, Mesh, MeshError, MeshStatus, Options, PeerEvent, Receiver, Security, Startup,
};
use tidegate_replica::NodeId;

use super::carrier::Carrier;
use super::intake::Intake;
use super::synced::Synced;

/// Where a node listens, whom it looks for, and how nodes know each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Network {
    pub(super) listen: Option<SocketAddr>,
    pub(super) advertise: Option<String>,
    pub(super) peers: Vec<String>,
    pub(super) certificates: Option<PathBuf>,
    pub(super) is_insecure: bool,
}

/// A network that is not open yet, whose nodes know each other.
#[derive(Debug)]
pub(super) struct Secured {
    listen: Option<SocketAddr>,
    advertise: Option<String>,
    peers: Vec<String>,
    security: Security,
    lock: Option<File>,
}

/// The links, and what keeps other processes on this host from using their certificates.
#[derive(Debug)]
struct Linked {
    mesh: Mesh,
    _lock: Option<File>,
}

/// The network between the nodes cannot be used as it is configured, or cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// Addresses of other hosts without certificates: any process that reaches this node could change every flag.
    #[error(
        "nodes on several hosts need certificates; make them with `tidegate cluster init` and name their folder, use \
         loopback addresses only, or say that the network is safe (`insecure`)"
    )]
    Unprotected,
    /// The certificates cannot be used; the reason says what to do.
    #[error(transparent)]
    Certificates(#[from] IdentityError),
    /// Another process on this host uses the certificates, so that it is the node that they name. Stop it, or give this one
    /// certificates of its own.
    #[error(
        "the certificates in `{}` are in use by another process: a certificate is one node; stop that process, or make \
         certificates for another node with `tidegate cluster init`",
        path.display()
    )]
    CertificatesInUse {
        /// The folder of the certificates.
        path: PathBuf,
    },
    /// Another process of this node, which started earlier, is running: this one has a copy of its certificates. Stop the other
    /// one, or give this one certificates of its own.
    #[error(
        "this node is already running at {}: a certificate is one node; stop that process, or make certificates for \
         another node with `tidegate cluster init`",
        address.escape_debug()
    )]
    RunningElsewhere {
        /// Where other nodes reach the other process.
        address: String,
    },
    /// The address is taken, or not this host's, or the links could not be opened.
    #[error(transparent)]
    Open(#[from] MeshError),
}

impl Network {
    /// Whether there is anybody to reach or to be reached by.
    pub(super) fn is_used(&self) -> bool {
        self.listen.is_some() || !self.peers.is_empty()
    }

    /// Reads the certificates; without them no other process may be able to listen in.
    pub(super) fn secure(&self, cluster: &str) -> Result<Secured, NetworkError> {
        let security = match &self.certificates {
            Some(folder) => Security::Certificates(Box::new(Identity::read(folder, cluster, now())?)),
            None if self.is_insecure || tidegate_mesh::are_local(&self.peers, self.listen) => Security::Open,
            None => return Err(NetworkError::Unprotected),
        };
        let lock = self.certificates.as_deref().map(lock).transpose()?.flatten();
        let (advertise, peers) = (self.advertise.clone(), self.peers.clone());
        Ok(Secured { listen: self.listen, advertise, peers, security, lock })
    }
}

impl Secured {
    /// The node whose certificate this is.
    pub(super) fn node(&self) -> Option<NodeId> {
        self.security.identity().map(Identity::node)
    }

    /// Opens the links.
    pub(super) fn open(
        self,
        cluster: &str,
        node: NodeId,
        instance: u64,
        (intake, synced): (Arc<Intake>, Arc<Synced>),
        startup: Startup,
    ) -> Result<Box<dyn Carrier>, NetworkError> {
        let options = Options {
            startup,
            listen: self.listen,
            advertise: self.advertise,
            peers: self.peers,
            security: self.security,
            ..Options::new(cluster, node, instance)
        };
        Ok(Box::new(Linked { mesh: Mesh::open(options, Arc::new(Incoming { intake, synced }))?, _lock: self.lock }))
    }
}

/// Hands what comes from other nodes to the driver, and what concerns the start to the thread that waits for it.
#[derive(Debug)]
struct Incoming {
    intake: Arc<Intake>,
    synced: Arc<Synced>,
}

impl Receiver for Incoming {
    fn message(&self, from: NodeId, bytes: Vec<u8>) {
        self.intake.message(from, bytes);
    }

    fn peer(&self, node: NodeId, instance: u64, event: PeerEvent) {
        self.intake.peer(node, instance, event);
    }

    fn running_elsewhere(&self, address: &str) {
        self.synced.note_running_elsewhere(address);
    }
}

impl Carrier for Linked {
    fn send(&self, to: NodeId, bytes: Vec<u8>) {
        self.mesh.send(to, &bytes);
    }

    fn broadcast(&self, bytes: Vec<u8>) {
        self.mesh.broadcast(&bytes);
    }

    fn learn(&self, members: Vec<(NodeId, String)>) {
        self.mesh.learn(members);
    }

    fn address(&self) -> Option<SocketAddr> {
        self.mesh.address()
    }

    fn advertised(&self) -> Option<String> {
        self.mesh.advertised().map(str::to_owned)
    }

    fn status(&self) -> Option<MeshStatus> {
        Some(self.mesh.status())
    }
}

/// Takes hold of a folder of certificates: two processes that use one are one node twice, and each would undo what the other
/// one acknowledges. None where the file system has no locks; other nodes notice it then.
fn lock(folder: &Path) -> Result<Option<File>, NetworkError> {
    // The folder, and not a file in it: those are replaced when certificates are renewed.
    let Ok(file) = File::open(folder) else { return Ok(None) };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(NetworkError::CertificatesInUse { path: folder.to_owned() }),
        Err(TryLockError::Error(error)) => {
            tracing::debug!("the folder of the certificates cannot be locked: {error}");
            Ok(None)
        }
    }
}

/// Seconds since 1970, for the validity of certificates.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
