//! The network between the nodes of a cluster, as it is configured and as it is opened.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tidegate_mesh::{Identity, IdentityError, Mesh, MeshError, MeshStatus, Options, PeerEvent, Receiver, Security};
use tidegate_replica::NodeId;

use super::carrier::Carrier;
use super::inbox::Inbox;

/// Where a node listens, whom it looks for, and how nodes know each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Network {
    pub(super) listen: Option<SocketAddr>,
    pub(super) advertise: Option<String>,
    pub(super) peers: Vec<String>,
    pub(super) certificates: Option<PathBuf>,
    pub(super) is_insecure: bool,
}

/// A network that nobody has opened yet, whose nodes know each other.
#[derive(Debug)]
pub(super) struct Secured {
    listen: Option<SocketAddr>,
    advertise: Option<String>,
    peers: Vec<String>,
    security: Security,
}

/// The network between the nodes cannot be used as it is configured, or cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// Addresses of other hosts without certificates: whoever reaches this node could change every flag.
    #[error(
        "nodes on several hosts need certificates; make them with `tidegate cluster init` and name their folder, use \
         loopback addresses only, or say that the network is safe (`insecure`)"
    )]
    Unprotected,
    /// The certificates cannot be used; the reason says what to do.
    #[error(transparent)]
    Certificates(#[from] IdentityError),
    /// The address is taken, or not this host's, or the links could not be opened.
    #[error(transparent)]
    Open(#[from] MeshError),
}

impl Network {
    /// Whether there is anybody to reach or to be reached by.
    pub(super) fn is_used(&self) -> bool {
        self.listen.is_some() || !self.peers.is_empty()
    }

    /// Reads the certificates; without them it has to be clear that nobody else can listen in.
    pub(super) fn secure(&self, cluster: &str) -> Result<Secured, NetworkError> {
        let security = match &self.certificates {
            Some(folder) => Security::Certificates(Box::new(Identity::read(folder, cluster, now())?)),
            None if self.is_insecure || tidegate_mesh::are_local(&self.peers, self.listen) => Security::Open,
            None => return Err(NetworkError::Unprotected),
        };
        Ok(Secured { listen: self.listen, advertise: self.advertise.clone(), peers: self.peers.clone(), security })
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
        inbox: Arc<Inbox>,
    ) -> Result<Box<dyn Carrier>, NetworkError> {
        let options = Options {
            listen: self.listen,
            advertise: self.advertise,
            peers: self.peers,
            security: self.security,
            ..Options::new(cluster, node, instance)
        };
        Ok(Box::new(Mesh::open(options, inbox)?))
    }
}

impl Receiver for Inbox {
    fn message(&self, from: NodeId, bytes: Vec<u8>) {
        self.message(from, bytes);
    }

    fn peer(&self, node: NodeId, instance: u64, event: PeerEvent) {
        self.peer(node, instance, event);
    }
}

impl Carrier for Mesh {
    fn send(&self, to: NodeId, bytes: Vec<u8>) {
        self.send(to, &bytes);
    }

    fn broadcast(&self, bytes: Vec<u8>) {
        self.broadcast(&bytes);
    }

    fn learn(&self, members: Vec<(NodeId, String)>) {
        self.learn(members);
    }

    fn address(&self) -> Option<SocketAddr> {
        self.address()
    }

    fn advertised(&self) -> Option<String> {
        self.advertised().map(str::to_owned)
    }

    fn status(&self) -> Option<MeshStatus> {
        Some(self.status())
    }
}

/// Seconds since 1970, for the validity of certificates.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
