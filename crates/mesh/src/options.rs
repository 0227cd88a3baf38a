//! What a node has to be told before it can reach others.

use std::net::SocketAddr;

use tidegate_replica::NodeId;

use crate::identity::Identity;

/// Who this node is, where it listens, and whom it looks for.
#[derive(Debug)]
pub struct Options {
    /// The name of the cluster. Nodes of different clusters do not hear each other.
    pub cluster: String,
    /// This node.
    pub node: NodeId,
    /// The number of this start of it.
    pub instance: u64,
    /// Where other nodes reach this one. None: nowhere, so that this node has to reach them. With port 0 a free one is
    /// taken, which [`Mesh::address`](crate::Mesh::address) tells.
    pub listen: Option<SocketAddr>,
    /// Where other nodes are, as `host:port`. Each pair of nodes needs one way to meet: by an address that one of them has
    /// here, or through a third that both have met. An address of this node itself is left out, so that all nodes can be
    /// given the same list.
    pub peers: Vec<String>,
    /// How nodes know each other.
    pub security: Security,
}

/// How nodes know each other.
#[derive(Debug)]
pub enum Security {
    /// They do not: whoever reaches an address is one of them. For one host, and for networks that are closed otherwise.
    Open,
    /// By the certificates of the cluster: every link is TLS in both directions, and every message shows who
    /// has sent it, by a signature or by a key that both have agreed on.
    Certificates(Box<Identity>),
}

impl Security {
    /// What shows who this node is; none where nodes do not know each other.
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Open => None,
            Self::Certificates(identity) => Some(identity),
        }
    }
}

impl Options {
    /// A node that listens nowhere and knows no other.
    pub fn new(cluster: impl Into<String>, node: NodeId, instance: u64) -> Self {
        Self { cluster: cluster.into(), node, instance, listen: None, peers: Vec::new(), security: Security::Open }
    }
}

/// The variable of the environment that a process with [`Security::Certificates`] has to be started with, and its value.
///
/// zenoh 1.10.2 reads and writes one TLS link on two threads without a lock, which ends in a crash when the link fails in the
/// wrong moment. With this setting it has one thread for all links. It reads the variable when the process first uses it, and
/// nobody may set variables of a process that has threads; so whoever starts the process sets it.
pub const RUNTIME: (&str, &str) = (
    "ZENOH_RUNTIME",
    "(app:(worker_threads:1),rx:(handover:app),tx:(handover:app),acc:(handover:app),net:(handover:app))",
);
