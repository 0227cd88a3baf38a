//! What the program asks of the driver.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use tidegate_engine::FlagKey;
use tidegate_replica::{NodeId, Receipt as Written, Replica, Resolution, Stamp};

use super::change::{Change, ChangeError, UnreachedPeer};
use super::target::Effect;

/// Takes the answer to a request. It is called on the driver's thread, so it only hands it on.
pub(super) type Reply = Box<dyn FnOnce(Result<Done, ChangeError>) + Send>;

/// A request.
pub(super) enum Request {
    /// A change of a flag, checked as far as it can be without the driver.
    Change(Box<Change>, Reply),
    /// The cluster's clock is to be repaired.
    RaiseEpoch { actor: Arc<str>, reason: Arc<str>, reply: Reply },
    /// A person has decided about a change in quarantine.
    Resolve(Box<Resolve>),
    /// A node is to be taken out of the roster.
    Forget { node: NodeId, actor: Arc<str>, reason: Arc<str>, reply: Reply },
    /// Something is to be looked up.
    Query(Box<dyn FnOnce(&DriverView<'_>) + Send>),
    /// Somebody wants to know when this node has a change.
    Wait { flag: FlagKey, stamp: Stamp, until: Instant, reply: Box<dyn FnOnce(bool) + Send> },
}

impl Request {
    /// Whoever waits for the answer to a change; the request itself, if it changes nothing.
    pub(super) fn into_reply(self) -> Result<Reply, Self> {
        match self {
            Self::Change(_, reply) | Self::RaiseEpoch { reply, .. } | Self::Forget { reply, .. } => Ok(reply),
            Self::Resolve(resolve) => Ok(resolve.reply),
            request => Err(request),
        }
    }
}

/// A decision about a change in quarantine.
pub(super) struct Resolve {
    pub(super) flag: FlagKey,
    pub(super) key: Arc<[u8]>,
    pub(super) stamp: Stamp,
    pub(super) resolution: Resolution,
    pub(super) actor: Arc<str>,
    pub(super) reason: Arc<str>,
    pub(super) reply: Reply,
}

/// A change that stands, with the names of the members that have it or do not.
#[derive(Clone, Debug)]
pub(super) struct Done {
    pub(super) written: Written,
    pub(super) names: Names,
    /// Of a change of a flag.
    pub(super) effect: Option<Effect>,
    /// Whether it made a bare boolean flag that was not there.
    pub(super) is_created: bool,
    /// The addresses at which no node is connected, where the level was not reached.
    pub(super) unreached: Vec<UnreachedPeer>,
}

/// What the members of the roster are called.
pub(super) type Names = Arc<std::collections::BTreeMap<NodeId, String>>;

/// What there is to be looked up.
pub(super) struct DriverView<'d> {
    pub(super) replica: &'d Replica,
    pub(super) report: &'d super::driver::Report,
    pub(super) names: &'d Names,
    pub(super) carrier: &'d dyn super::carrier::Carrier,
    /// The replica's steady clock.
    pub(super) steady_ms: u64,
}

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Change(..) => "Change",
            Self::RaiseEpoch { .. } => "RaiseEpoch",
            Self::Resolve(_) => "Resolve",
            Self::Forget { .. } => "Forget",
            Self::Query(_) => "Query",
            Self::Wait { .. } => "Wait",
        })
    }
}
