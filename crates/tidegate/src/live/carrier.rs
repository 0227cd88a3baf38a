//! What carries messages between nodes, as the driver sees it.
//!
//! A carrier decides nothing. It may lose, double and turn round messages, and be wrong about who is there: the
//! replica expects no more of it. What it must not do is wait: everything here returns at once.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use tidegate_replica::NodeId;

/// The way to the other nodes.
pub(crate) trait Carrier: fmt::Debug + Send {
    /// Queues a message to one node.
    fn send(&self, to: NodeId, bytes: Vec<u8>);

    /// Queues a message to all others.
    fn broadcast(&self, bytes: Vec<u8>);

    /// Begins anew, because a node that should be there does not answer.
    fn reopen(&self);

    /// What there is to tell.
    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}

/// What a carrier has to tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic {
    /// Where other nodes reach this one.
    pub(crate) address: Option<SocketAddr>,
    /// Messages that were not sent.
    pub(crate) dropped: u64,
    /// Messages that were not taken, by what was wrong with them.
    pub(crate) refused: BTreeMap<&'static str, u64>,
    /// When the certificate of this node ends, in seconds since 1970.
    pub(crate) certificate_expires: Option<u64>,
}

/// The carrier of a node that is alone.
#[derive(Debug)]
pub(crate) struct Alone;

impl Carrier for Alone {
    fn send(&self, _: NodeId, _: Vec<u8>) {}
    fn broadcast(&self, _: Vec<u8>) {}
    fn reopen(&self) {}
}
