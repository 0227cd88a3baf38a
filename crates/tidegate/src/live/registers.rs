//! The registers of a node, for its followers.

use std::collections::BTreeMap;

use tidegate_engine::FlagKey;
use tidegate_replica::{NodeId, Now, Register, Stamp};

use super::cluster::{Cluster, ClusterError};
use super::value::ChangeKind;

/// Registers of a node, and what is known of all of them.
#[derive(Debug)]
pub(crate) struct Registers {
    pub(crate) all: Vec<Register>,
    /// Tombstones with stamps up to here are collected.
    pub(crate) floor: Stamp,
    /// What nodes are called.
    pub(crate) names: BTreeMap<NodeId, String>,
}

impl Cluster {
    /// What the cluster is called.
    pub(crate) fn cluster_name(&self) -> &str {
        &self.driver().cluster
    }

    /// All registers of flags.
    pub(crate) fn all_registers(&self) -> Result<Registers, ClusterError> {
        let wall = self.driver().now();
        self.query(move |view| {
            let now = Now { wall_ms: u64::try_from(wall.get() / 1_000).unwrap_or(0), steady_ms: view.steady_ms };
            Registers {
                all: view.replica.iter().cloned().collect(),
                floor: view.replica.status(now).gc_floor,
                names: (**view.names).clone(),
            }
        })
    }

    /// The registers of these flags.
    pub(crate) fn registers_of(&self, flags: Vec<FlagKey>) -> Result<Registers, ClusterError> {
        self.query(move |view| {
            let keys = flags
                .iter()
                .flat_map(|flag| [ChangeKind::Activation, ChangeKind::Definition].map(|kind| kind.key(flag)));
            Registers {
                all: keys.filter_map(|key| view.replica.get(&key).cloned()).collect(),
                floor: Stamp::ZERO,
                names: (**view.names).clone(),
            }
        })
    }
}
