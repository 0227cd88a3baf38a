//! How a node reaches others.

use std::net::SocketAddr;

use tidegate_replica::NodeId;

use crate::identity::Identity;
use crate::startup::Startup;

/// Who this node is, where it listens, and whom it looks for.
#[derive(Debug)]
pub struct Options {
    /// The name of the cluster, 1 to 255 bytes. Nodes of different clusters do not make links.
    pub cluster: String,
    /// This node.
    pub node: NodeId,
    /// The number of this start of it.
    pub instance: u64,
    /// Where other nodes reach this one. None: nowhere, so that this node has to reach them. With port 0 the system chooses
    /// a free one, which [`Mesh::address`](crate::Mesh::address) tells.
    pub listen: Option<SocketAddr>,
    /// What this node tells others about where it is, `host:port`, where that is not [`listen`](Self::listen): behind
    /// network address translation, or for a name that outlives addresses.
    ///
    /// Default: the address that it listens on. Where that stands for all addresses of the host (`0.0.0.0`, `[::]`), the first
    /// host that its certificate names; without certificates, the address by which it reaches the first of its peers.
    pub advertise: Option<String>,
    /// Where other nodes are, as `host:port`. One that answers is enough, because members tell each other where they are.
    /// Names are resolved at each attempt, and all their addresses are tried. An address of this node itself is left out, so
    /// that all nodes can be given the same list.
    pub peers: Vec<String>,
    /// How nodes know each other.
    pub security: Security,
    /// When this process began to start, and whether it still does: while it does, it is refused if another process of its
    /// node is running. Default: [`Startup::finished`].
    pub startup: Startup,
}

/// How nodes know each other.
#[derive(Debug)]
pub enum Security {
    /// They do not: any process that reaches an address is one of them. For one host, and for networks that are closed otherwise.
    Open,
    /// By certificates of the cluster's own authority: every link is TLS 1.3 in both directions, and what comes on a link
    /// comes from the node that its certificate names.
    Certificates(Box<Identity>),
}

impl Options {
    /// A node that does not listen and connects to no address.
    pub fn new(cluster: impl Into<String>, node: NodeId, instance: u64) -> Self {
        Self {
            cluster: cluster.into(),
            node,
            instance,
            listen: None,
            advertise: None,
            peers: Vec::new(),
            security: Security::Open,
            startup: Startup::finished(),
        }
    }
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
