//! How Redis is doing, and what it has said of a change.

use serde::{Deserialize, Serialize};
use tidegate_engine::Micros;

use crate::live::problem::ClusterProblem;
use crate::live::text;

/// How the Redis is doing through which this process shares live changes.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[non_exhaustive]
pub struct RedisStatus {
    /// Where it is, without user and password.
    #[serde(default)]
    pub url: String,
    /// Whether this process is connected to it, has loaded what it has, and follows what other processes write.
    #[serde(default, rename = "connected")]
    pub is_connected: bool,
    /// Since when it is not; none while it is.
    #[serde(default, with = "text::optional_instant")]
    pub unreachable_since: Option<Micros>,
    /// Why it is not, and what to do.
    pub problem: Option<String>,
    /// When Redis syncs what it was given to its disk: `always` before it answers, `everysec` within about a second, `no` when the
    /// system likes, `off` never; none where Redis does not tell this user.
    pub appendfsync: Option<String>,
    /// How many replicas of it are connected.
    #[serde(default)]
    pub replicas: u32,
    /// Which keys it drops when its memory is full: its `maxmemory-policy`.
    pub eviction: Option<String>,
    /// How far its clock is ahead of this host's, in milliseconds.
    pub clock_offset_ms: Option<i64>,
    /// How many registers it has.
    #[serde(default)]
    pub registers: u64,
    /// How many registers wait to be written to it.
    #[serde(default)]
    pub waiting: usize,
    /// How often all that it has was compared with memory.
    #[serde(default)]
    pub comparisons: u64,
    /// How many registers those comparisons have written to it, because it had lost them or never had them.
    #[serde(default)]
    pub refilled: u64,
    /// How many registers of other processes were read from it since the start.
    #[serde(default)]
    pub received: u64,
    /// How many of its entries this version cannot read.
    #[serde(default)]
    pub unreadable: u64,
    /// What is wrong with it while it is connected.
    #[serde(default)]
    pub problems: Vec<ClusterProblem>,
}

/// What Redis has said of a change.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RedisReceipt {
    /// Whether it has the change and claims to keep it.
    #[serde(rename = "acknowledged")]
    pub is_acknowledged: bool,
    /// When it syncs to its disk what it was given: see [`RedisStatus::appendfsync`]. With `everysec`, a crash of its host may lose
    /// the last second, and processes that live write it there again.
    pub appendfsync: Option<String>,
    /// How many of its replicas have acknowledged the change, as far as that was asked: see [`Level`](crate::Level).
    pub replicas: u32,
    /// Why it has not acknowledged the change.
    pub problem: Option<String>,
}
