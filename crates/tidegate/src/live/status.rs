//! How the cluster is doing, for people and monitors.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde::Serialize;
use tidegate_engine::{FlagKey, Micros};
use tidegate_mesh::{AddressStatus, Cause};
use tidegate_replica::{NodeId, Now, Stamp};

use super::Link;
use super::change::{NodeName, display, instant_of};
use super::request::Seen;
use super::value::ChangeKind;
use crate::status::seconds;

/// The cluster as one node sees it; made by [`Cluster::status`](super::Cluster::status). It serializes to JSON with these
/// names.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ClusterStatus {
    /// This node.
    pub node: NodeStatus,
    /// The other nodes that were heard of since the start.
    pub peers: Vec<PeerView>,
    /// The roster: the nodes with a data folder, of which majorities are counted.
    pub members: Vec<MemberStatus>,
    /// How many changes are set aside because their stamps lie too far in the future: the clock of the node that made them
    /// is wrong.
    pub quarantined: usize,
    /// The first hundred of them.
    pub quarantine: Vec<QuarantinedChange>,
    /// Changes that this version cannot put in force. What was in force before them stays.
    pub parked: Vec<ParkedChange>,
    /// Definitions without effect here, because a document defines the flag.
    #[serde(serialize_with = "flag_keys")]
    pub shadowed: Vec<FlagKey>,
    /// Since when no other node has been in reach; none while one is, or where none is to be expected.
    pub isolated_since: Option<Micros>,
    /// Why changes are refused on this node, and what to do; none while they are taken.
    pub writes_refused: Option<String>,
    /// What is wrong with the disk; none while it takes what it is given.
    pub disk: Option<String>,
    /// What was lost or damaged in the data folder when this process started.
    pub damage: Vec<String>,
    /// Messages from and to other nodes that found no room. They are sent again.
    pub messages_dropped: u64,
    /// The addresses at which this node looks for others: the configured ones, then those of members.
    pub addresses: Vec<AddressView>,
    /// Connections of others that were refused since the start, by why. `displaced` counts those that made room for newer
    /// ones before they had shown who they are.
    pub connections_refused: BTreeMap<&'static str, u64>,
    /// Connections of others that have not shown yet who they are.
    pub connections_pending: usize,
    /// What is wrong with the links of this node, and what to do.
    pub link_problems: Vec<String>,
    /// How often something was put in force since the start.
    pub published: u64,
}

/// This node.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct NodeStatus {
    /// Its id.
    #[serde(serialize_with = "display")]
    pub node: NodeId,
    /// What people call it.
    pub name: String,
    /// The cluster.
    pub cluster: String,
    /// A number of this start.
    #[serde(serialize_with = "hexadecimal")]
    pub instance: u64,
    /// Whether it keeps changes on a disk. Majorities count only nodes that do.
    pub is_durable: bool,
    /// Its data folder.
    pub folder: Option<String>,
    /// Where it listens for other nodes; none where it does not.
    pub address: Option<SocketAddr>,
    /// Where other nodes reach it, as it tells them; none where they cannot.
    pub advertised: Option<String>,
    /// When its certificate ends; none without certificates.
    pub certificate_expires: Option<Micros>,
    /// How often the cluster's clock has been repaired.
    pub epoch: u16,
    /// A number of all that it holds: equal numbers mean equal contents.
    #[serde(serialize_with = "hexadecimal")]
    pub digest: u64,
    /// How many dials and definitions it holds, those that were cleared or removed included.
    pub registers: usize,
    /// Those that were cleared or removed, and are remembered for a while.
    pub tombstones: usize,
}

/// Another node, as this one sees it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PeerView {
    /// Which node.
    #[serde(flatten)]
    pub node: NodeName,
    /// Whether it is in reach.
    pub is_live: bool,
    /// Whether it answers while it is connected. If not, its process is at fault.
    pub is_responsive: bool,
    /// Whether it held the same when it last said what it holds; none: it has not said.
    pub is_equal: Option<bool>,
    /// The number of all that it held then, 16 hexadecimal digits.
    pub digest: Option<String>,
    /// How far its clock is ahead of this host's, in seconds.
    pub clock_offset_seconds: Option<f64>,
    /// How long ago something came from it, in seconds.
    pub heard_seconds_ago: Option<f64>,
}

/// An address at which this node looks for others.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AddressView {
    /// `host:port`.
    pub address: String,
    /// Whether it was configured; otherwise it is that of a member.
    pub is_configured: bool,
    /// The node that is there, if one was found or is to be expected.
    pub node: Option<NodeName>,
    /// Whether there is a link to that node.
    pub is_connected: bool,
    /// Why there is none, as a word for programs, such as `connection-refused`; none while there is one.
    pub cause: Option<&'static str>,
    /// The same for people, with what to do.
    pub problem: Option<String>,
    /// How long attempts have failed, in seconds.
    pub failing_seconds: Option<f64>,
}

/// A member of the roster.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct MemberStatus {
    /// Which node.
    #[serde(flatten)]
    pub node: NodeName,
    /// Where it can be reached, as it says.
    pub address: Option<String>,
    /// Since when its entry stands as it is.
    pub since: Micros,
    /// Whether an operator has taken it out.
    pub is_forgotten: bool,
    /// Whether nothing has come from it for seven days, counted from the start of this process at the earliest. Until
    /// it is back or forgotten, majorities count it, and what was removed is remembered for its sake.
    pub is_silent: bool,
}

/// A change from the future.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct QuarantinedChange {
    /// The flag; none where the change is of a kind that only a newer version knows.
    pub flag: Option<String>,
    /// Its stamp.
    #[serde(serialize_with = "display")]
    pub stamp: Stamp,
    /// The instant that the stamp names.
    pub at: Micros,
    /// The node whose clock was wrong.
    pub node: NodeName,
}

/// A change that cannot be put in force.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ParkedChange {
    /// The flag.
    pub flag: String,
    /// What was changed.
    pub kind: ChangeKind,
    /// Why.
    pub problem: String,
}

/// Puts together what the driver and the near end know.
pub(super) fn of(link: &Link, seen: &Seen<'_>) -> ClusterStatus {
    let now = link.now();
    let wall_ms = u64::try_from(now.get() / 1_000).unwrap_or(0);
    let status = seen.replica.status(Now { wall_ms, steady_ms: seen.steady_ms });
    let name_of = |node| NodeName::of(node, seen.names);
    let unresponsive: BTreeSet<NodeId> =
        seen.replica.unresponsive_peers(Now { wall_ms, steady_ms: seen.steady_ms }).collect();
    let peers = status.peers.iter().map(|peer| PeerView {
        node: name_of(peer.node),
        is_live: peer.is_live,
        is_responsive: !unresponsive.contains(&peer.node),
        is_equal: peer.root.map(|root| root == status.root),
        digest: peer.root.map(|root| format!("{root:016x}")),
        clock_offset_seconds: peer.clock_offset_ms.map(signed_seconds),
        heard_seconds_ago: peer.heard_ms_ago.map(|ms| seconds(ms.saturating_mul(1_000))),
    });
    let members = status.members.iter().map(|member| MemberStatus {
        node: NodeName { node: member.node, name: member.name.clone() },
        address: member.address.clone(),
        since: instant_of(member.since),
        is_forgotten: member.is_forgotten,
        is_silent: status.silent.contains(&member.node),
    });
    let quarantine = status.quarantine.iter().map(|change| QuarantinedChange {
        flag: ChangeKind::of(&change.key).map(|(_, flag)| flag.to_string()),
        stamp: change.stamp,
        at: instant_of(change.stamp),
        node: name_of(change.stamp.node()),
    });
    let parked = seen.report.parked.iter().take(PARKED_SHOWN).filter_map(|(key, problem)| {
        let (kind, flag) = ChangeKind::of(key)?;
        Some(ParkedChange { flag: flag.to_string(), kind, problem: problem.clone() })
    });
    let mesh = seen.carrier.status();
    let mesh = mesh.as_ref();
    ClusterStatus {
        node: NodeStatus {
            node: status.node,
            name: link.name.clone(),
            cluster: link.cluster.clone(),
            instance: link.instance,
            is_durable: link.is_durable,
            folder: link.folder.as_ref().map(|folder| folder.path.display().to_string()),
            address: seen.carrier.address(),
            advertised: seen.carrier.advertised(),
            certificate_expires: mesh
                .and_then(|mesh| mesh.certificate_expires)
                .map(|seconds| at_ms(seconds.saturating_mul(1_000))),
            epoch: status.epoch,
            digest: status.root,
            registers: status.registers,
            tombstones: status.tombstones,
        },
        peers: peers.collect(),
        members: members.collect(),
        quarantined: status.quarantined,
        quarantine: quarantine.collect(),
        parked: parked.collect(),
        shadowed: link.stage.shadowed(),
        isolated_since: status.isolated_since_ms.map(at_ms),
        writes_refused: status.writes_refused.map(|error| error.to_string()),
        disk: seen.report.disk.clone(),
        damage: link.folder.iter().flat_map(|folder| &folder.damage).map(ToString::to_string).collect(),
        messages_dropped: link.inbox.messages_dropped() + mesh.map_or(0, |mesh| mesh.dropped),
        addresses: mesh.into_iter().flat_map(|mesh| &mesh.addresses).map(|address| shown(address, &name_of)).collect(),
        connections_refused: mesh.map(|mesh| mesh.refused.clone()).unwrap_or_default(),
        connections_pending: mesh.map_or(0, |mesh| mesh.pending),
        link_problems: mesh.map(|mesh| mesh.problems.clone()).unwrap_or_default(),
        published: seen.report.published,
    }
}

fn shown(address: &AddressStatus, name_of: &impl Fn(NodeId) -> NodeName) -> AddressView {
    AddressView {
        address: address.address.clone(),
        is_configured: address.is_configured,
        node: address.node.map(name_of),
        is_connected: address.is_connected,
        cause: address.cause.as_ref().map(Cause::code),
        problem: address.cause.as_ref().map(ToString::to_string),
        failing_seconds: address.failing_for.map(|failing| failing.as_secs_f64()),
    }
}

fn at_ms(ms: u64) -> Micros {
    Micros::new(i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1_000))
}

#[expect(clippy::cast_precision_loss, reason = "clocks that are off by 285 million years are off")]
fn signed_seconds(ms: i64) -> f64 {
    ms as f64 / 1e3
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over the field as it is")]
fn hexadecimal<S: serde::Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{number:016x}"))
}

fn flag_keys<S: serde::Serializer>(flags: &[FlagKey], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(flags.iter().map(ToString::to_string))
}

/// So many parked changes are listed.
const PARKED_SHOWN: usize = 100;
