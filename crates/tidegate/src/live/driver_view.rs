//! What the driver knows, for queries.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_replica::Replica;

use super::carrier::Carrier;
use super::names::Names;

/// What a query can look up.
pub(super) struct DriverView<'d> {
    pub(super) replica: &'d Replica,
    pub(super) report: &'d Report,
    pub(super) names: &'d Names,
    pub(super) carrier: &'d dyn Carrier,
    /// The replica's steady clock.
    pub(super) steady_ms: u64,
}

/// What the status has besides that of the replica.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    /// Registers that cannot be activated, and why.
    pub(super) inapplicable: BTreeMap<Arc<[u8]>, String>,
    /// Why the disk takes nothing at the moment.
    pub(super) disk: Option<String>,
    /// Whether it is tried again by itself.
    pub(super) is_disk_tried: bool,
    /// How often something was activated.
    pub(super) published: u64,
}

impl Report {
    /// Why changes are refused because of the disk.
    pub(super) fn refusal(&self) -> Option<String> {
        let disk = self.disk.as_ref().filter(|_| self.is_disk_tried)?;
        Some(format!("changes cannot be kept: {disk}"))
    }
}
