//! What everything that asks something of the driver needs.

use std::sync::Arc;
use std::time::Duration;

use tidegate_engine::Micros;
use tidegate_mesh::Startup;
use tidegate_replica::NodeId;
use tokio::sync::watch;

use super::driver::DiskState;
use super::intake::Intake;
use super::redis_link::RedisLink;
use super::runner::Runner;
use super::synced::Synced;
use crate::clock::Clock;
use crate::registry::Registry;
use crate::store::{DataFolder, History};

/// The near end of live changes, shared by everything that asks something of the driver.
#[derive(Debug)]
pub(crate) struct DriverHandle {
    pub(super) intake: Arc<Intake>,
    pub(super) registry: Arc<Registry>,
    pub(super) history: Box<dyn History>,
    pub(super) node: NodeId,
    pub(super) instance: u64,
    pub(super) name: String,
    pub(super) cluster: String,
    pub(super) is_durable: bool,
    pub(super) folder: Option<DataFolder>,
    pub(super) runner: Arc<Runner>,
    pub(super) redis: Option<Arc<RedisLink>>,
    pub(super) synced: Arc<Synced>,
    pub(super) startup: Startup,
    pub(super) disk: Arc<DiskState>,
    /// Changes when the disk has more of the history.
    pub(super) grown: watch::Receiver<u64>,
}

impl DriverHandle {
    pub(super) fn now(&self) -> Micros {
        self.clock().now()
    }

    pub(super) fn clock(&self) -> &Clock {
        self.registry.instance().clock()
    }

    pub(super) fn fault(&self) -> Option<String> {
        self.runner.fault()
    }
}

pub(super) fn to_timeout(timeout: Duration) -> Duration {
    timeout.min(ACK_TIMEOUT_MAX)
}

/// The longest wait for an acknowledgement: a caller that waits longer asks again.
const ACK_TIMEOUT_MAX: Duration = Duration::from_mins(1);
