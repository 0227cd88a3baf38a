//! How the cluster is doing, for people and monitors: one shape for programs that embed a node, for the HTTP API and for the
//! command line.

mod problems;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use tidegate_engine::{FlagKey, Micros};
use tidegate_mesh::{AddressStatus, Cause};
use tidegate_replica::{Counters, NodeId, Now, Stamp, WriteError};

use super::change_error::refusal_code;
use super::driver_handle::DriverHandle;
use super::driver_view::DriverView;
use super::names::{NodeName, instant_of};
use super::problem::ClusterProblem;
use super::redis_link::{RedisLink, RedisStatus};
use super::text;
use super::value::ChangeKind;

/// The cluster as one node sees it; made by [`Cluster::status`](super::Cluster::status). It serializes to JSON, which is what
/// `GET /api/v1/cluster` answers and `tidegate cluster status --format json` prints, and can be read back from there. Booleans
/// have their names without the `is_`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ClusterStatus {
    /// This node.
    pub node: NodeStatus,
    /// All that is wrong, each once. A person has to act where [`needs_action`](ClusterProblem::needs_action) says so.
    #[serde(default)]
    pub problems: Vec<ClusterProblem>,
    /// Why changes are refused on this node, and what to do; none while they are accepted.
    pub writes_refused: Option<String>,
    /// Since when no other node has been reachable; none while one is, or where none is to be expected.
    #[serde(default, with = "text::optional_instant")]
    pub isolated_since: Option<Micros>,
    /// The other nodes that were heard of since the start.
    #[serde(default)]
    pub peers: Vec<PeerView>,
    /// The nodes with a data folder, of which majorities are counted.
    #[serde(default)]
    pub members: Vec<MemberStatus>,
    /// The addresses at which this node looks for others: the configured ones, then those of members.
    #[serde(default)]
    pub addresses: Vec<AddressView>,
    /// The first hundred changes that are quarantined because their stamps lie too far in the future: the clock of the node
    /// that made them is wrong.
    #[serde(default)]
    pub quarantined: Vec<QuarantinedChange>,
    /// How many there are.
    #[serde(default)]
    pub quarantined_count: usize,
    /// Changes that this version cannot make active. What was active before them stays.
    #[serde(default)]
    pub inapplicable: Vec<InapplicableChange>,
    /// Definitions without effect here, because a document defines the flag.
    #[serde(default, with = "text::flag_keys")]
    pub shadowed: Vec<FlagKey>,
    /// What is wrong with the disk; none while it takes what it is given.
    pub disk: Option<String>,
    /// The Redis through which changes are shared, if there is one.
    pub redis: Option<RedisStatus>,
    /// What was lost or damaged in the data folder when this process started.
    #[serde(default)]
    pub damage: Vec<String>,
    /// Messages from and to other nodes that found no room. They are sent again.
    #[serde(default)]
    pub messages_dropped: u64,
    /// Messages and registers of other nodes that were not accepted since the start, by why: `malformed`, `newer-version` (of a
    /// kind that only a newer version knows), `quarantined`, `collected` (their removal was forgotten here),
    /// `equal-stamps` (two contents under one stamp).
    #[serde(default)]
    pub messages_refused: BTreeMap<String, u64>,
    /// Connections of others that were refused since the start, by why. `displaced` counts those that made room for newer
    /// ones before they had shown who they are.
    #[serde(default)]
    pub connections_refused: BTreeMap<String, u64>,
    /// Connections of others that have not shown yet who they are.
    #[serde(default)]
    pub connections_pending: usize,
    /// What is wrong with the links of this node, and what to do.
    #[serde(default)]
    pub link_problems: Vec<String>,
    /// How often something was made active since the start.
    #[serde(default)]
    pub published: u64,
}

/// This node.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[non_exhaustive]
pub struct NodeStatus {
    /// Its id.
    #[serde(with = "text")]
    pub id: NodeId,
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// The cluster.
    #[serde(default)]
    pub cluster: String,
    /// A number of this start.
    #[serde(default, with = "text::hexadecimal")]
    pub instance: u64,
    /// How long this process has run, in milliseconds.
    #[serde(default)]
    pub uptime_ms: u64,
    /// Whether it keeps changes on a disk. Majorities count only nodes that do.
    #[serde(default, rename = "durable")]
    pub is_durable: bool,
    /// Its data folder.
    pub folder: Option<String>,
    /// Where it listens for other nodes; none where it does not.
    pub address: Option<SocketAddr>,
    /// Where other nodes reach it, as it tells them; none where they cannot.
    pub advertised: Option<String>,
    /// When its certificate ends; none without certificates.
    #[serde(default, with = "text::optional_instant")]
    pub certificate_expires: Option<Micros>,
    /// How often the cluster's clock has been repaired.
    #[serde(default)]
    pub epoch: u16,
    /// A number of all that it holds: equal numbers mean equal contents.
    #[serde(default, with = "text::hexadecimal")]
    pub digest: u64,
    /// How many activations and definitions it holds, those that were cleared or removed included.
    #[serde(default)]
    pub registers: usize,
    /// Those that were cleared or removed, and are remembered for a while.
    #[serde(default)]
    pub tombstones: usize,
}

/// Another node, as this one sees it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[non_exhaustive]
pub struct PeerView {
    /// Which node.
    #[serde(flatten)]
    pub node: NodeName,
    /// Whether it is reachable.
    #[serde(default, rename = "reachable")]
    pub is_reachable: bool,
    /// Whether it answers while it is connected. If not, its process is at fault.
    #[serde(default = "yes", rename = "responsive")]
    pub is_responsive: bool,
    /// Whether it held the same when it last compared; none: it has not compared yet.
    #[serde(rename = "equal")]
    pub is_equal: Option<bool>,
    /// The number of all that it held then, 16 hexadecimal digits.
    pub digest: Option<String>,
    /// How far its clock is ahead of this host's, in milliseconds.
    pub clock_offset_ms: Option<i64>,
    /// Whether the two clocks are 500 ms apart or more, and further than the way of the messages may be wrong by.
    #[serde(default, rename = "clock_off")]
    pub is_clock_off: bool,
    /// How long ago something came from it, in milliseconds.
    pub heard_ms_ago: Option<u64>,
}

/// An address at which this node looks for others.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[non_exhaustive]
pub struct AddressView {
    /// `host:port`.
    pub address: String,
    /// Whether it was configured; otherwise it is that of a member.
    #[serde(default, rename = "configured")]
    pub is_configured: bool,
    /// The node that is there, if one was found or is to be expected.
    pub node: Option<NodeName>,
    /// Whether there is a link to that node.
    #[serde(default, rename = "connected")]
    pub is_connected: bool,
    /// Why there is none, as a word for programs, such as `connection-refused`; none while there is one.
    pub cause: Option<String>,
    /// The same for people, with what to do.
    pub problem: Option<String>,
    /// How long attempts have failed, in milliseconds.
    pub failing_ms: Option<u64>,
}

/// A member of the cluster.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[non_exhaustive]
pub struct MemberStatus {
    /// Which node.
    #[serde(flatten)]
    pub node: NodeName,
    /// Where it can be reached, as it says.
    pub address: Option<String>,
    /// Since when its entry stands as it is.
    #[serde(default, with = "text::optional_instant")]
    pub since: Option<Micros>,
    /// Whether an operator has taken it out.
    #[serde(default, rename = "forgotten")]
    pub is_forgotten: bool,
    /// Whether nothing has come from it for seven days, counted from the start of this process at the earliest. Until
    /// it is back or forgotten, majorities count it, and what was removed is remembered for its sake.
    #[serde(default, rename = "silent")]
    pub is_silent: bool,
}

/// A change from the future.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[non_exhaustive]
pub struct QuarantinedChange {
    /// The flag; none where the change is of a kind that only a newer version knows.
    pub flag: Option<String>,
    /// What was changed; none likewise.
    pub kind: Option<ChangeKind>,
    /// Its stamp.
    #[serde(with = "text")]
    pub stamp: Stamp,
    /// The instant that the stamp names.
    #[serde(default, with = "text::optional_instant")]
    pub at: Option<Micros>,
    /// The node that has made it, whose clock was wrong.
    pub node: NodeName,
    /// The node that has sent it here.
    pub from: Option<NodeName>,
}

/// A change that cannot be made active.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[non_exhaustive]
pub struct InapplicableChange {
    /// The flag.
    pub flag: String,
    /// What was changed.
    pub kind: ChangeKind,
    /// Why.
    pub problem: String,
}

impl ClusterStatus {
    /// Whether a person has to act.
    pub fn needs_action(&self) -> bool {
        self.problems.iter().any(|problem| problem.needs_action)
    }
}

/// Why changes are refused on this node, if they are: the `writes_refused` of its status, without anything else.
pub(super) fn refusal(driver: &DriverHandle, view: &DriverView<'_>) -> Option<String> {
    let wall_ms = u64::try_from(driver.now().get() / 1_000).unwrap_or(0);
    refusal_of(view, view.replica.writes_refused(Now { wall_ms, steady_ms: view.steady_ms }).as_ref())
}

/// A disk that takes nothing comes first: no change could be kept, whatever else there is.
fn refusal_of(view: &DriverView<'_>, refusal: Option<&WriteError>) -> Option<String> {
    view.report.refusal().or_else(|| refusal.map(ToString::to_string))
}

/// Puts together what the driver and the near end know.
pub(super) fn cluster_status(driver: &DriverHandle, view: &DriverView<'_>) -> ClusterStatus {
    let wall = driver.now();
    let now = Now { wall_ms: u64::try_from(wall.get() / 1_000).unwrap_or(0), steady_ms: view.steady_ms };
    let replica = view.replica.status(now);
    let name_of = |node| NodeName::new(node, view.names);
    let unresponsive: BTreeSet<NodeId> = view.replica.unresponsive_peers(now).collect();
    let peers = replica.peers.iter().map(|peer| PeerView {
        node: name_of(peer.node),
        is_reachable: peer.is_live,
        is_responsive: !unresponsive.contains(&peer.node),
        is_equal: peer.root.map(|root| root == replica.root),
        digest: peer.root.map(|root| format!("{root:016x}")),
        clock_offset_ms: peer.clock_offset_ms,
        is_clock_off: peer.is_clock_off,
        heard_ms_ago: peer.heard_ms_ago,
    });
    let members = replica.members.iter().map(|member| MemberStatus {
        node: NodeName { node: member.node, name: member.name.clone() },
        address: member.address.clone(),
        since: Some(instant_of(member.since)),
        is_forgotten: member.is_forgotten,
        is_silent: replica.silent.contains(&member.node),
    });
    let quarantined = replica.quarantine.iter().map(|change| {
        let about = ChangeKind::from_key(&change.key);
        QuarantinedChange {
            flag: about.as_ref().map(|(_, flag)| flag.to_string()),
            kind: about.map(|(kind, _)| kind),
            stamp: change.stamp,
            at: Some(instant_of(change.stamp)),
            node: name_of(change.stamp.node()),
            from: Some(name_of(change.from)),
        }
    });
    let inapplicable = view.report.inapplicable.iter().take(INAPPLICABLE_SHOWN).filter_map(|(key, problem)| {
        let (kind, flag) = ChangeKind::from_key(key)?;
        Some(InapplicableChange { flag: flag.to_string(), kind, problem: problem.clone() })
    });
    let mesh = view.carrier.status();
    let mesh = mesh.as_ref();
    let refused = mesh.into_iter().flat_map(|mesh| &mesh.refused);
    let refusal = replica.writes_refused.as_ref();
    let mut status = ClusterStatus {
        node: NodeStatus {
            id: replica.node,
            name: driver.name.clone(),
            cluster: driver.cluster.clone(),
            instance: driver.instance,
            uptime_ms: view.steady_ms,
            is_durable: driver.is_durable,
            folder: driver.folder.as_ref().map(|folder| folder.path.display().to_string()),
            address: view.carrier.address(),
            advertised: view.carrier.advertised(),
            certificate_expires: mesh
                .and_then(|mesh| mesh.certificate_expires)
                .map(|seconds| at_ms(seconds.saturating_mul(1_000))),
            epoch: replica.epoch,
            digest: replica.root,
            registers: replica.registers,
            tombstones: replica.tombstones,
        },
        problems: Vec::new(),
        writes_refused: refusal_of(view, refusal),
        isolated_since: replica.isolated_since_ms.map(at_ms),
        peers: peers.collect(),
        members: members.collect(),
        addresses: mesh.into_iter().flat_map(|mesh| &mesh.addresses).map(|address| shown(address, &name_of)).collect(),
        quarantined: quarantined.collect(),
        quarantined_count: replica.quarantined,
        inapplicable: inapplicable.collect(),
        shadowed: driver.registry.shadowed(),
        disk: view.report.disk.clone(),
        redis: driver.redis.as_deref().map(RedisLink::status),
        damage: driver.folder.iter().flat_map(|folder| &folder.damage).map(ToString::to_string).collect(),
        messages_dropped: driver.intake.inbox().messages_dropped() + mesh.map_or(0, |mesh| mesh.dropped),
        messages_refused: messages_refused(replica.counters),
        connections_refused: refused.map(|(cause, count)| ((*cause).to_owned(), *count)).collect(),
        connections_pending: mesh.map_or(0, |mesh| mesh.pending),
        link_problems: mesh.map(|mesh| mesh.problems.clone()).unwrap_or_default(),
        published: view.report.published,
    };
    status.problems = problems::find(&status, refusal.map(refusal_code), wall);
    status
}

/// Those that have happened.
fn messages_refused(counters: Counters) -> BTreeMap<String, u64> {
    let counts = [
        ("malformed", counters.malformed),
        ("newer-version", counters.unknown),
        ("quarantined", counters.quarantined),
        ("collected", counters.refused),
        ("equal-stamps", counters.equal_stamps),
    ];
    counts.into_iter().filter(|(_, count)| *count > 0).map(|(why, count)| (why.to_owned(), count)).collect()
}

fn shown(address: &AddressStatus, name_of: &impl Fn(NodeId) -> NodeName) -> AddressView {
    AddressView {
        address: address.address.clone(),
        is_configured: address.is_configured,
        node: address.node.map(name_of),
        is_connected: address.is_connected,
        cause: address.cause.as_ref().map(|cause| Cause::code(cause).to_owned()),
        problem: address.cause.as_ref().map(ToString::to_string),
        failing_ms: address.failing_for.map(|failing| u64::try_from(failing.as_millis()).unwrap_or(u64::MAX)),
    }
}

fn at_ms(ms: u64) -> Micros {
    Micros::new(i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1_000))
}

/// A server of an earlier version does not say.
fn yes() -> bool {
    true
}

/// How many inapplicable changes are listed.
const INAPPLICABLE_SHOWN: usize = 100;

#[cfg(test)]
mod tests;
