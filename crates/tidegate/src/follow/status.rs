//! How a follower is doing.

use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};
use tidegate_engine::Micros;

use super::wire::Hop;

/// Whom a process follows, how old what it has is, and whether it agrees with its server; made by
/// [`Follower::status`](super::Follower::status).
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FollowStatus {
    /// The server that this process follows now, or tries to.
    pub server: String,
    /// All servers that it may follow.
    pub servers: Vec<String>,
    /// Whether it has a stream of changes.
    pub is_connected: bool,
    /// Since when it has been connected, or without a connection.
    pub since: Micros,
    /// How old what it has may be: the time since its server last said something, and how old it was there. None where no server
    /// was reached yet.
    #[serde(rename = "age_seconds", serialize_with = "seconds")]
    pub age: Option<Duration>,
    /// From the members to its server.
    pub path: Vec<FollowPath>,
    /// The place in the stream up to which changes are active here.
    pub position: Option<String>,
    /// The digest of what the server has said, 32 hexadecimal digits.
    pub digest: String,
    /// Whether the server had the same digest when it was last compared; none before that.
    pub is_equal: Option<bool>,
    /// Activations and definitions that the server has, cleared and removed ones included.
    pub registers: usize,
    /// Activations and definitions that are newer here than at the server, and are active. They came from a server before.
    pub newer: usize,
    /// Changes that have come by the stream since the start.
    pub changes: u64,
    /// Snapshots that were taken since the start.
    pub snapshots: u64,
    /// How often digests differed since the start, so that a snapshot was taken.
    pub differences: u64,
    /// How often the server no longer had the position of this process since the start, so that a snapshot was asked for.
    pub lost_positions: u64,
    /// Why there is no connection.
    pub last_error: Option<String>,
    /// Why nothing is kept on the disk at the moment.
    pub disk_error: Option<String>,
}

/// A process on the way from the members to a follower.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FollowPath {
    /// The id of the process.
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// The same while it changes.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) server: String,
    pub(crate) servers: Vec<String>,
    pub(crate) is_connected: bool,
    pub(crate) since: Micros,
    /// How old all was when the server last said something, and when that was.
    pub(crate) heard: Option<(Duration, Instant)>,
    pub(crate) path: Vec<Hop>,
    pub(crate) position: Option<String>,
    pub(crate) is_equal: Option<bool>,
    pub(crate) changes: u64,
    pub(crate) snapshots: u64,
    pub(crate) differences: u64,
    pub(crate) lost_positions: u64,
    pub(crate) last_error: Option<String>,
    pub(crate) disk_error: Option<String>,
    pub(crate) has_state: bool,
}

impl Report {
    pub(crate) fn new(servers: Vec<String>, now: Micros) -> Self {
        Self {
            server: servers.first().cloned().unwrap_or_default(),
            servers,
            is_connected: false,
            since: now,
            heard: None,
            path: Vec::new(),
            position: None,
            is_equal: None,
            changes: 0,
            snapshots: 0,
            differences: 0,
            lost_positions: 0,
            last_error: None,
            disk_error: None,
            has_state: false,
        }
    }

    pub(crate) fn to_status(&self, (digest, registers, newer): (String, usize, usize)) -> FollowStatus {
        let path = self.path.iter().map(|hop| FollowPath { id: hop.id.clone(), name: hop.name.clone() });
        FollowStatus {
            server: self.server.clone(),
            servers: self.servers.clone(),
            is_connected: self.is_connected,
            since: self.since,
            age: self.heard.map(|(age, at)| age.saturating_add(at.elapsed())),
            path: path.collect(),
            position: self.position.clone(),
            digest,
            is_equal: self.is_equal,
            registers,
            newer,
            changes: self.changes,
            snapshots: self.snapshots,
            differences: self.differences,
            lost_positions: self.lost_positions,
            last_error: self.last_error.clone(),
            disk_error: self.disk_error.clone(),
        }
    }
}

#[expect(clippy::ref_option, reason = "serde hands over the field as it is")]
fn seconds<S: Serializer>(age: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match age {
        Some(age) => serializer.serialize_f64(age.as_secs_f64()),
        None => serializer.serialize_none(),
    }
}
