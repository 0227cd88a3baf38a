//! Changes in the order in which they came to this node: what a stream of all changes is made from.
//!
//! A position is a place in this node's history, and means nothing on another node. What holds on every node is the greatest
//! stamp of each writer, with one restriction: changes of one writer may come out of order.

use std::collections::BTreeMap;

use tidegate_engine::Snapshot;
use tidegate_replica::{NodeId, Stamp};
use tokio::sync::watch;

use super::cluster::{Cluster, ClusterError};
use super::history::{self, HistoryEntry};
use super::names::NodeName;
use super::value::{ChangeKind, RegisterValue};
use crate::read::subscription::Closed;
use crate::store::History;

/// Changes in the order in which they came to this node; made by [`Cluster::changes_after`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ArrivedChanges {
    /// The changes.
    pub changes: Vec<ArrivedChange>,
    /// Up to which position was looked: for the next call.
    pub last: u64,
    /// Whether no change that came in between is missing. The history of this node keeps a bounded number of changes of each flag and
    /// of all flags, and the oldest are removed.
    pub is_complete: bool,
}

/// A change, and its place in this node's history.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ArrivedChange {
    /// Its place among the changes that have come to this node.
    pub position: u64,
    /// The change.
    pub change: HistoryEntry,
    /// The value that its writer has replaced; none where there was none, and where this node does not have it (any more).
    pub old: Option<RegisterValue>,
}

/// Learns that more changes have come; made by [`Cluster::arrivals`].
#[derive(Clone, Debug)]
pub struct Arrivals(watch::Receiver<u64>);

impl Arrivals {
    /// Waits until more has come than when this was last called or made. What has come is on this node's disk.
    ///
    /// # Errors
    /// The instance is gone.
    pub async fn recv(&mut self) -> Result<(), Closed> {
        self.0.changed().await.map_err(|_| Closed)
    }
}

impl Cluster {
    /// Learns of more changes, to read them with [`Cluster::changes_after`].
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory()).without_locks().connect()?;
    /// let cluster = tide.cluster().expect("it was given a `Live`");
    /// let mut arrivals = cluster.arrivals();
    /// let before = cluster.history_ends()?.map_or(0, |(_, last)| last);
    /// tide.activate("x").actor("dana").send()?;
    /// tokio::runtime::Builder::new_current_thread().build()?.block_on(arrivals.recv())?;
    /// let arrived = cluster.changes_after(before, 10, |_| true)?;
    /// assert_eq!(arrived.changes[0].change.actor, "dana");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn arrivals(&self) -> Arrivals {
        Arrivals(self.driver().grown.clone())
    }

    /// The changes that have come to this node after a position, in the order in which they came, as far as they are kept: of at
    /// most `limit`, those whose stamps are wanted. Whether one before them is missing is in the answer.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn changes_after(
        &self,
        position: u64,
        limit: usize,
        is_wanted: impl Fn(Stamp) -> bool,
    ) -> Result<ArrivedChanges, ClusterError> {
        let history = &*self.driver().history;
        let arrivals = history.arrivals(position, limit, &is_wanted)?;
        let names = self.names()?;
        let mut changes = Vec::with_capacity(arrivals.events.len());
        for (position, event) in arrivals.events {
            // The membership has a history as well, and a newer version may know more kinds.
            let Some((kind, flag)) = ChangeKind::from_key(&event.register.key) else { continue };
            let old = match event.register.replaces {
                Some(replaced) => value_at(history, kind, &event.register.key, replaced)?,
                None => None,
            };
            changes.push(ArrivedChange { position, change: history::entry(kind, &flag, event, &names), old });
        }
        Ok(ArrivedChanges { changes, last: arrivals.last, is_complete: arrivals.is_complete })
    }

    /// The positions of the first and the last change that this node keeps.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn history_ends(&self) -> Result<Option<(u64, u64)>, ClusterError> {
        Ok(self.driver().history.ends()?)
    }

    /// The stamp of the change at a position, if it is kept.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn stamp_at(&self, position: u64) -> Result<Option<Stamp>, ClusterError> {
        Ok(self.driver().history.stamp_at(position)?)
    }

    /// The greatest stamp of each node among what is stored here now.
    ///
    /// # Errors
    /// The thread of live changes has ended.
    pub fn latest_stamps(&self) -> Result<BTreeMap<NodeId, Stamp>, ClusterError> {
        self.query(|view| {
            let mut latest = BTreeMap::<NodeId, Stamp>::new();
            for register in view.replica.iter() {
                let stamp = latest.entry(register.stamp.node()).or_insert(register.stamp);
                *stamp = register.stamp.max(*stamp);
            }
            latest
        })
    }

    /// This node.
    pub fn node(&self) -> NodeName {
        NodeName { node: self.driver().node, name: self.driver().name.clone() }
    }

    /// What the documents define by themselves, without live changes and locks.
    pub fn documents(&self) -> Snapshot {
        self.driver().registry.documents()
    }
}

/// The value of a register of this stamp, as far as it is kept.
fn value_at(
    history: &dyn History,
    kind: ChangeKind,
    key: &[u8],
    stamp: Stamp,
) -> Result<Option<RegisterValue>, ClusterError> {
    let found = history.page(key, Some(history::next_after(stamp)), 1)?;
    let event = found.first().filter(|event| event.register.stamp == stamp);
    Ok(event.and_then(|event| RegisterValue::from_bytes(kind, event.register.value.as_deref()?)))
}
