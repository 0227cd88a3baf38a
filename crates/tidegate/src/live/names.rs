//! What nodes are called and when stamps were made, for people.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_engine::Micros;
use tidegate_replica::{NodeId, Stamp};

/// A node, and what people call it.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[non_exhaustive]
pub struct NodeName {
    /// Which node.
    #[serde(rename = "id", with = "super::text")]
    pub node: NodeId,
    /// Its name; empty where it is unknown.
    #[serde(default, with = "super::text::name")]
    pub name: String,
}

impl NodeName {
    pub(super) fn new(node: NodeId, names: &BTreeMap<NodeId, String>) -> Self {
        Self { node, name: names.get(&node).cloned().unwrap_or_default() }
    }
}
/// What the members of the cluster are called.
pub(super) type Names = Arc<BTreeMap<NodeId, String>>;

/// A node as a message calls it. Names are texts of others.
pub(super) fn shown_node(node: &NodeName) -> String {
    if node.name.is_empty() { format!("node {}", node.node) } else { format!("`{}`", node.name.escape_debug()) }
}

/// What the log and the status say of another node's clock.
pub(super) fn clock_off(node: &str, offset_ms: i64) -> String {
    let (by, where_to) = (offset_ms.unsigned_abs(), if offset_ms < 0 { "behind" } else { "ahead of" });
    format!("the clock of {node} is {by} ms {where_to} this host's; set whichever of the two is wrong")
}

/// The instant in a stamp. It is in milliseconds of 48 bits, so it fits.
pub(super) fn instant_of(stamp: Stamp) -> Micros {
    Micros::new(i64::try_from(stamp.millis()).unwrap_or(i64::MAX).saturating_mul(1_000))
}
