//! The way in to the driver, for all threads that have something for it.
//!
//! Who brings something waits for nothing. If no thread runs the driver, the one that brings something runs it for a moment
//! ([`super::runner`]); what takes longer, or comes while another thread runs the driver, is left to the driver's thread.

use std::sync::{Arc, OnceLock, Weak};

use tidegate_mesh::PeerEvent;
use tidegate_replica::NodeId;

use super::change_error::ChangeError;
use super::inbox::{Inbox, Load, Refused};
use super::request::Request;
use super::runner::Runner;
use crate::store::Outcome;

/// Puts input into the inbox, and has the driver run.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    inbox: Arc<Inbox>,
    /// None before the driver has started, and after it has ended.
    runner: OnceLock<Weak<Runner>>,
}

impl Intake {
    pub(super) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// From now on, a thread that brings something may run the driver.
    pub(super) fn set_runner(&self, runner: Weak<Runner>) {
        // There is one, and it starts once.
        let _ = self.runner.set(runner);
    }

    /// A request of the program.
    pub(super) fn request(&self, request: Request) -> Result<(), Refused> {
        self.run(self.inbox.request(request)?);
        Ok(())
    }

    /// Whether a request would be refused because too many wait.
    #[cfg(feature = "redis")]
    pub(super) fn is_full(&self) -> bool {
        self.inbox.is_full()
    }

    /// A message of another node; dropped where there is no room.
    pub(crate) fn message(&self, from: NodeId, bytes: Vec<u8>) {
        if let Some(load) = self.inbox.message(from, bytes) {
            self.run(load);
        }
    }

    /// A peer has come or gone. It is left to the driver's thread: the caller holds a lock of the links, which sending takes as
    /// well.
    pub(crate) fn peer(&self, node: NodeId, instance: u64, event: PeerEvent) {
        self.inbox.peer(node, instance, event);
    }

    /// An outcome of the disk.
    pub(super) fn outcome(&self, outcome: Outcome) {
        if let Some(load) = self.inbox.outcome(outcome) {
            self.run(load);
        }
    }

    fn run(&self, load: Load) {
        match self.runner.get().and_then(Weak::upgrade) {
            Some(runner) if load == Load::Quick => runner.run_here(),
            _ => self.inbox.wake_thread(),
        }
    }
}

impl From<Refused> for ChangeError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Busy => Self::Busy,
            Refused::Gone => Self::Stopped,
        }
    }
}
