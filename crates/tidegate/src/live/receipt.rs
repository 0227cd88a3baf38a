//! What became of a change.

use serde::Serialize;
use tidegate_engine::{FlagKey, Micros, Share};
use tidegate_mesh::AddressStatus;
use tidegate_replica::{Level, NodeId, Outranked, Receipt as Written, Stamp};

use super::names::{Names, NodeName, instant_of};
use super::redis_link::RedisReceipt;
use super::text;

/// A change that stands: from now on it is part of what the cluster agrees on.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Receipt {
    /// The flag.
    #[serde(serialize_with = "text::serialize")]
    pub flag: FlagKey,
    /// When and by which node it was made; of two changes the one with the greater stamp counts. Pass it on to read on
    /// another node what was written on this one: [`Cluster::wait`](super::Cluster::wait).
    #[serde(serialize_with = "text::serialize")]
    pub stamp: Stamp,
    /// The same instant for people.
    pub at: Micros,
    /// The level that was asked for.
    #[serde(rename = "ack", serialize_with = "text::serialize")]
    pub level: Level,
    /// The nodes on which another change of the flag counts for more, so that this one is not active there and will not be:
    /// see [`OutrankedBy`]. While there is one, no level is reached.
    pub outranked: Vec<OutrankedBy>,
    /// Whether it was reached in time. If not, the change stands all the same, on the nodes in `durable_on` at least,
    /// and comes to the others when they can be reached; it is lost only with the disks that have it.
    #[serde(rename = "reached")]
    pub is_reached: bool,
    /// The members that have it on their disks.
    pub durable_on: Vec<NodeName>,
    /// The members that had not acknowledged it.
    pub pending: Vec<NodeName>,
    /// Where the level was not reached: the configured addresses at which no node is connected, and why.
    pub unreached: Vec<UnreachedPeer>,
    /// What Redis has said of it, where changes are shared through Redis without a cluster and the level is more than
    /// [`Level::Local`].
    pub redis: Option<RedisReceipt>,
    /// What the change did on this node.
    pub effect: Effect,
    /// Whether it made a bare boolean flag that this node did not know.
    #[serde(rename = "created")]
    pub is_created: bool,
}

impl Receipt {
    pub(super) fn new(flag: FlagKey, done: Done) -> Self {
        let (effect, is_created) =
            done.made.first().map_or((Effect { from: None, to: None }, false), |made| (made.effect, made.is_created));
        let redis = done.redis.clone();
        let ClusterReceipt { stamp, at, level, outranked, is_reached, durable_on, pending, unreached } =
            ClusterReceipt::new(done);
        Self {
            flag,
            stamp,
            at,
            level,
            outranked,
            is_reached,
            durable_on,
            pending,
            unreached,
            redis,
            effect,
            is_created,
        }
    }
}

/// A change of the cluster itself that stands: a repair of its clock, or a member that is taken out. Its level is
/// [`Level::Majority`], and it is waited for at most two seconds.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClusterReceipt {
    /// When and by which node it was made.
    #[serde(serialize_with = "text::serialize")]
    pub stamp: Stamp,
    /// The same instant for people.
    pub at: Micros,
    /// The level that was asked for.
    #[serde(rename = "ack", serialize_with = "text::serialize")]
    pub level: Level,
    /// The nodes on which another change of the same thing counts for more, so that this one is not active there and will not
    /// be. While there is one, no level is reached.
    pub outranked: Vec<OutrankedBy>,
    /// Whether the level was reached in time. If not, the change stands all the same, on the nodes in `durable_on` at least, and
    /// comes to the others when they can be reached.
    #[serde(rename = "reached")]
    pub is_reached: bool,
    /// The members that have it on their disks.
    pub durable_on: Vec<NodeName>,
    /// The members that had not acknowledged it.
    pub pending: Vec<NodeName>,
    /// Where the level was not reached: the configured addresses at which no node is connected, and why.
    pub unreached: Vec<UnreachedPeer>,
}

impl ClusterReceipt {
    pub(super) fn new(done: Done) -> Self {
        let Done { written, names, unreached, .. } = done;
        let named = |nodes: &[NodeId]| nodes.iter().map(|node| NodeName::new(*node, &names)).collect();
        Self {
            stamp: written.stamp(),
            at: instant_of(written.stamp()),
            level: written.level,
            outranked: written.outranked.iter().map(|loss| OutrankedBy::new(loss, &names)).collect(),
            is_reached: written.is_reached,
            durable_on: named(&written.durable_on),
            pending: named(&written.pending),
            unreached,
        }
    }
}

/// A member that is taken out of the cluster; made by [`Cluster::forget`](super::Cluster::forget).
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Forgotten {
    /// The member.
    pub node: NodeName,
    /// Which of the other members know that it is taken out.
    #[serde(flatten)]
    pub receipt: ClusterReceipt,
}

/// A configured address at which no node is connected.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct UnreachedPeer {
    /// `host:port`.
    pub address: String,
    /// Why, and what to do.
    pub problem: String,
}

impl UnreachedPeer {
    pub(super) fn from_address(address: &AddressStatus) -> Option<Self> {
        let is_missing = address.is_configured && !address.is_connected;
        let problem = address.cause.as_ref().map_or_else(|| "not connected yet".to_owned(), ToString::to_string);
        is_missing.then(|| Self { address: address.address.clone(), problem })
    }
}

/// A node on which another change of the flag counts for more than the one that was made.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OutrankedBy {
    /// The node that says so.
    pub on: NodeName,
    /// The stamp of the change that counts for more.
    #[serde(serialize_with = "text::serialize")]
    pub stamp: Stamp,
    /// The node that made it.
    pub by: NodeName,
    /// Whether it is in quarantine there, and counts only when its time has come. A change that is made again supersedes it.
    #[serde(rename = "quarantined")]
    pub is_quarantined: bool,
}

impl OutrankedBy {
    pub(super) fn new(loss: &Outranked, names: &Names) -> Self {
        Self {
            on: NodeName::new(loss.node, names),
            stamp: loss.by,
            by: NodeName::new(loss.by.node(), names),
            is_quarantined: loss.is_quarantined,
        }
    }
}
/// What a change did on the node that made it: the share of keys with `new`, before and after.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Effect {
    /// Immediately before the change; none where the flag was unknown here, so that each caller had its own default.
    pub from: Option<Share>,
    /// When the receipt was written: it shows, too, whether another change has been active since. None where each caller has
    /// its own default: the flag has no definition here (any more), or is disabled.
    pub to: Option<Share>,
}
/// A change that stands, with the names of the members that have it or do not.
#[derive(Clone, Debug)]
pub(super) struct Done {
    pub(super) written: Written,
    pub(super) names: Names,
    /// Of each change of a flag.
    pub(super) made: Vec<Made>,
    /// The addresses at which no node is connected, where the level was not reached.
    pub(super) unreached: Vec<UnreachedPeer>,
    pub(super) redis: Option<RedisReceipt>,
}

/// What one change of a flag did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    pub(super) effect: Effect,
    /// Whether it made a bare boolean flag that was not there.
    pub(super) is_created: bool,
}
