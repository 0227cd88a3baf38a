//! What carries messages between nodes, as the driver sees it.
//!
//! A carrier decides nothing. It may lose, double and reorder messages, and be wrong about who is connected: the replica
//! expects no more. What it must not do is wait: everything here returns at once.

use std::fmt;
use std::net::SocketAddr;

use tidegate_mesh::MeshStatus;
use tidegate_replica::NodeId;

/// The way to the other nodes.
pub(crate) trait Carrier: fmt::Debug + Send {
    /// Queues a message to one node.
    fn send(&self, to: NodeId, bytes: Vec<u8>);

    /// Queues a message to all others.
    fn broadcast(&self, bytes: Vec<u8>);

    /// Where members can be reached, as the membership says. Replaces what it knew before.
    fn learn(&self, members: Vec<(NodeId, String)>) {
        drop(members);
    }

    /// Where this node listens for others.
    fn address(&self) -> Option<SocketAddr> {
        None
    }

    /// Where other nodes reach this one, for the membership.
    fn advertised(&self) -> Option<String> {
        None
    }

    /// How the links are doing; none where there are none to be made.
    fn status(&self) -> Option<MeshStatus> {
        None
    }
}

/// The carrier of a node that is alone.
#[derive(Debug)]
pub(crate) struct Alone;

impl Carrier for Alone {
    fn send(&self, _: NodeId, _: Vec<u8>) {}
    fn broadcast(&self, _: Vec<u8>) {}
}
