//! What the program asks of the driver.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use tidegate_engine::FlagKey;
use tidegate_replica::{NodeId, Register, Resolution, Stamp, WriteError};

use super::change_error::ChangeError;
use super::change_request::ChangeRequest;
use super::driver_view::DriverView;
use super::receipt::Done;
use super::redis_link::Ack;

/// Takes the answer to a request. It is called on the driver's thread, so it only hands it on.
pub(super) type Reply = Box<dyn FnOnce(Result<Done, Refusal>) + Send>;

/// Why nothing was changed.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The change that is refused, from 0; none where all are.
    pub(super) index: Option<usize>,
    pub(super) error: ChangeError,
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        Self { index: None, error }
    }
}

impl From<WriteError> for Refusal {
    fn from(error: WriteError) -> Self {
        let index = error.index();
        let error = if matches!(error, WriteError::Busy) { ChangeError::Busy } else { error.into() };
        Self { index, error }
    }
}

impl From<Refusal> for ChangeError {
    fn from(refusal: Refusal) -> Self {
        refusal.error
    }
}

/// A request.
#[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "only the thread of Redis makes some of them"))]
pub(super) enum Request {
    /// Changes of flags, checked as far as they can be without the driver: all are made or none. Level and timeout are those of the
    /// first.
    Change(Vec<ChangeRequest>, Reply),
    /// The cluster's clock is to be repaired.
    RaiseEpoch { actor: Arc<str>, reason: Arc<str>, reply: Reply },
    /// A person has decided about a change in quarantine.
    Resolve(Box<Resolve>),
    /// A node is to be taken out of the membership.
    Forget { node: NodeId, actor: Arc<str>, reason: Arc<str>, reply: Reply },
    /// Registers that other processes have put into Redis. The answer is whether they are merged; if not, they come again.
    FromStore { registers: Vec<Register>, reply: Box<dyn FnOnce(bool) + Send> },
    /// Redis has said something of registers that were written to it.
    StoreAcks(Vec<Ack>),
    /// Something is to be looked up.
    Query(Box<dyn FnOnce(&DriverView<'_>) + Send>),
    /// The caller wants to know when this node has a change.
    Wait { flag: FlagKey, stamp: Stamp, until: Instant, reply: Box<dyn FnOnce(bool) + Send> },
}

impl Request {
    /// The caller that waits for the answer to a change; the request itself, if it changes nothing.
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

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Change(..) => "Change",
            Self::RaiseEpoch { .. } => "RaiseEpoch",
            Self::Resolve(_) => "Resolve",
            Self::Forget { .. } => "Forget",
            Self::FromStore { .. } => "FromStore",
            Self::StoreAcks(_) => "StoreAcks",
            Self::Query(_) => "Query",
            Self::Wait { .. } => "Wait",
        })
    }
}
