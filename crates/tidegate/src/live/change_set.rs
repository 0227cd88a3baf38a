//! Several changes that are made as one.

use std::fmt;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde::Serialize;
use tidegate_engine::{FlagKey, Micros};
use tidegate_replica::limits::WRITE_CHANGES_MAX;
use tidegate_replica::{Level, Stamp, WriteError};
use tokio::sync::oneshot;

use super::change::{Change, with_meant};
use super::change_error::ChangeError;
use super::change_request::{ACK_TIMEOUT, ChangeRequest};
use super::driver_handle::{DriverHandle, to_timeout};
use super::names::{NodeName, instant_of};
use super::receipt::{Done, Effect, OutrankedBy, UnreachedPeer};
use super::redis_link::RedisReceipt;
use super::request::{Refusal, Request};
use super::text;
use super::value::ChangeKind;

/// Several changes that are about to be made as one; by [`Tidegate::apply`](crate::Tidegate::apply). Nothing happens before it is
/// sent.
///
/// All are made or none: each is checked as if the ones before it had been made, and one that is refused refuses all. On this node
/// readers see all of them in one snapshot, and a crash leaves all of them or none. They go to other nodes in one message, which a
/// node takes in as a whole. A node that has missed it gets them one by one. There is one receipt.
///
/// ```
/// use tidegate::{Level, Live, Tidegate};
///
/// let tide = Tidegate::builder().live(Live::in_memory()).without_locks().connect()?;
/// let receipt = tide
///     .apply([
///         tide.define("shop/theme", r#"{"stable": "plain", "new": "festive"}"#).actor("dana"),
///         tide.activate_percentage("shop/theme", 20).existing().actor("dana"),
///         tide.deactivate("shop/banner").actor("dana"),
///     ])
///     .ack(Level::Majority)
///     .send()?;
/// assert!(receipt.is_reached && receipt.changes.len() == 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a change set does nothing until it is sent"]
pub struct ChangeSet {
    /// Taken out when it is sent.
    driver: Option<Arc<DriverHandle>>,
    changes: Vec<Change>,
    level: Level,
    timeout: Duration,
}

impl ChangeSet {
    pub(crate) fn new(driver: Option<Arc<DriverHandle>>, changes: Vec<Change>) -> Self {
        Self { driver, changes, level: Level::default(), timeout: ACK_TIMEOUT }
    }

    /// How many nodes must have all changes on their disks before they are acknowledged. The levels of the single changes have no
    /// effect. Default: a majority of the cluster's members.
    pub fn ack(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// How long to wait for that, at most a minute. The timeouts of the single changes have no effect. Default: 500 ms. When it is
    /// over, the changes stand all the same, and the receipt says so.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Makes the changes, and waits until all are acknowledged or the time is over. Reads on this node see them before this returns.
    /// It blocks the thread; in an async program use [`ChangeSet::send_async`].
    ///
    /// ```
    /// # use tidegate::{ChangeError, Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory()).without_locks().connect()?;
    /// let refused = tide.apply([tide.activate("a"), tide.activate_percentage("b", 101)]).send().unwrap_err();
    /// assert!(matches!((refused.index, refused.error), (Some(1), ChangeError::Percentage { .. })));
    /// assert!(!tide.is_active("a"), "nothing was changed");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Nothing was changed; [`ChangeSetError::index`] is the change that is refused. That too few nodes have answered is no error: see
    /// [`ChangeSetReceipt::is_reached`].
    pub fn send(self) -> Result<ChangeSetReceipt, ChangeSetError> {
        let (driver, requests) = self.requests()?;
        let (about, (sender, receiver)) = (About::new(&driver, &requests), mpsc::sync_channel(1));
        begin(&driver, requests, move |answer| {
            let _ = sender.send(answer);
        })?;
        about.receipt(receiver.recv().unwrap_or(Err(ChangeError::Stopped.into())))
    }

    /// The same for an async program, in any runtime. If the future is dropped after its first poll, the changes are made all the
    /// same.
    ///
    /// # Errors
    /// See [`ChangeSet::send`].
    pub async fn send_async(self) -> Result<ChangeSetReceipt, ChangeSetError> {
        let (driver, requests) = self.requests()?;
        let (about, (sender, receiver)) = (About::new(&driver, &requests), oneshot::channel());
        begin(&driver, requests, move |answer| {
            let _ = sender.send(answer);
        })?;
        about.receipt(receiver.await.unwrap_or(Err(ChangeError::Stopped.into())))
    }

    /// The changes as the driver makes them, after all that can be checked without it.
    fn requests(self) -> Result<(Arc<DriverHandle>, Vec<ChangeRequest>), ChangeSetError> {
        let Self { driver, changes, level, timeout } = self;
        if changes.is_empty() || changes.len() > WRITE_CHANGES_MAX {
            return Err(ChangeError::from(WriteError::ChangeCount { count: changes.len() }).into());
        }
        let timeout = to_timeout(timeout);
        let server = changes.iter().find_map(|change| change.server.clone());
        let refused = server.map_or(ChangeError::NotLive, |server| ChangeError::Follower { server });
        let driver = driver.ok_or(refused)?;
        let now = driver.now();
        let checked = |(index, change): (usize, Change)| {
            let mut request = ChangeRequest { level, timeout, ..change.request };
            request.check(now).map_err(|error| ChangeSetError { index: Some(index), error })?;
            Ok(request)
        };
        let requests = changes.into_iter().enumerate().map(checked).collect::<Result<_, ChangeSetError>>()?;
        Ok((driver, requests))
    }
}

/// Hands the changes to the driver, which makes them and answers with all that the receipt needs.
fn begin(
    driver: &DriverHandle,
    requests: Vec<ChangeRequest>,
    reply: impl FnOnce(Result<Done, Refusal>) + Send + 'static,
) -> Result<(), ChangeSetError> {
    driver
        .intake
        .request(Request::Change(requests, Box::new(reply)))
        .map_err(|refused| ChangeError::from(refused).into())
}

/// What is needed besides the driver's answer to say what became of a change set.
struct About {
    driver: Arc<DriverHandle>,
    changed: Vec<(FlagKey, ChangeKind)>,
}

impl About {
    fn new(driver: &Arc<DriverHandle>, requests: &[ChangeRequest]) -> Self {
        let changed = requests.iter().map(|request| (request.flag.clone(), request.operation.kind())).collect();
        Self { driver: Arc::clone(driver), changed }
    }

    fn receipt(self, answer: Result<Done, Refusal>) -> Result<ChangeSetReceipt, ChangeSetError> {
        match answer {
            Ok(done) => Ok(ChangeSetReceipt::new(self.changed, done)),
            Err(Refusal { index, error }) => {
                Err(ChangeSetError { index, error: with_meant(error, Some(&self.driver.registry)) })
            }
        }
    }
}

/// Why a change set was not made. Nothing has changed.
#[derive(Debug)]
#[non_exhaustive]
pub struct ChangeSetError {
    /// The change that is refused, from 0; none where the set as a whole is, or the node takes no changes at all.
    pub index: Option<usize>,
    /// Why.
    pub error: ChangeError,
}

impl From<ChangeError> for ChangeSetError {
    fn from(error: ChangeError) -> Self {
        Self { index: None, error }
    }
}

impl fmt::Display for ChangeSetError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(formatter, "changes[{index}]: {}", self.error),
            None => self.error.fmt(formatter),
        }
    }
}

impl std::error::Error for ChangeSetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// Changes that stand: from now on they are part of what the cluster agrees on.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ChangeSetReceipt {
    /// What each change did, in their order.
    pub changes: Vec<MadeChange>,
    /// The instant of the last one's stamp.
    pub at: Micros,
    /// The level that was asked for.
    #[serde(rename = "ack", serialize_with = "text::serialize")]
    pub level: Level,
    /// Whether it was reached in time, by members on which all changes are active. If not, the changes stand all the same.
    #[serde(rename = "reached")]
    pub is_reached: bool,
    /// The members that have all changes on their disks.
    pub durable_on: Vec<NodeName>,
    /// The members that had not acknowledged all of them.
    pub pending: Vec<NodeName>,
    /// Where the level was not reached: the configured addresses at which no node is connected, and why.
    pub unreached: Vec<UnreachedPeer>,
    /// What Redis has said of all of them, where changes are shared through Redis without a cluster and the level is more than
    /// [`Level::Local`].
    pub redis: Option<RedisReceipt>,
}

/// One change of a change set that stands.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MadeChange {
    /// The flag.
    #[serde(serialize_with = "text::serialize")]
    pub flag: FlagKey,
    /// Which of its registers was changed.
    #[serde(serialize_with = "text::serialize")]
    pub kind: ChangeKind,
    /// When and by which node it was made. Each change of a set has a stamp of its own.
    #[serde(serialize_with = "text::serialize")]
    pub stamp: Stamp,
    /// What the set did to the flag on this node.
    pub effect: Effect,
    /// Whether it made a bare boolean flag that this node did not know.
    #[serde(rename = "created")]
    pub is_created: bool,
    /// The nodes on which another change counts for more. While one change of a set has such a node, no level is reached.
    pub outranked: Vec<OutrankedBy>,
}

impl ChangeSetReceipt {
    fn new(changed: Vec<(FlagKey, ChangeKind)>, done: Done) -> Self {
        let Done { written, names, made, unreached, redis } = done;
        let change = |(((flag, kind), stamp), made): (((FlagKey, ChangeKind), &Stamp), super::receipt::Made)| {
            let losses = written.outranked.iter().filter(|loss| loss.stamp == *stamp);
            let outranked = losses.map(|loss| OutrankedBy::new(loss, &names)).collect();
            MadeChange { flag, kind, stamp: *stamp, effect: made.effect, is_created: made.is_created, outranked }
        };
        let named = |nodes: &[_]| nodes.iter().map(|node| NodeName::new(*node, &names)).collect();
        Self {
            changes: changed.into_iter().zip(&written.stamps).zip(made).map(change).collect(),
            at: instant_of(written.stamp()),
            level: written.level,
            is_reached: written.is_reached,
            durable_on: named(&written.durable_on),
            pending: named(&written.pending),
            unreached,
            redis,
        }
    }
}

/// Changes that one set may have.
pub const CHANGE_SET_MAX: usize = WRITE_CHANGES_MAX;
