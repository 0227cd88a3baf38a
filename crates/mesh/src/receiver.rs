//! What the mesh reports to its caller: messages of other nodes, and which of their processes are connected.

use std::fmt;
use std::net::SocketAddr;

use tidegate_replica::NodeId;

use crate::cause::Cause;

/// Receives what comes from other nodes. It is called on the thread of the mesh and must return soon: all links wait.
pub trait Receiver: fmt::Debug + Send + Sync {
    /// A message of a node of this cluster, to this one or to all. It may send messages.
    fn message(&self, from: NodeId, bytes: Vec<u8>);

    /// A process of a node is connected, or no longer. With the id of this node and another instance it is a clone. It must not
    /// call the mesh.
    fn peer(&self, node: NodeId, instance: u64, event: PeerEvent);

    /// Another process of this node is running at `address` and is older, as another node says; this one should end. Only
    /// a process that is [starting](crate::Startup) is told. It must not call the mesh.
    fn running_elsewhere(&self, address: &str) {
        let _ = address;
    }
}

/// What has become of a process of a node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PeerEvent {
    /// It is connected.
    Connected {
        /// The address of its end of the link.
        remote: SocketAddr,
    },
    /// No link to it is left.
    Lost {
        /// Why the last one has ended.
        cause: Cause,
    },
}
