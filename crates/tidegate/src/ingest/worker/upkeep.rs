//! What is due by time for the whole instance: the locks of this host, flag handles, and old snapshots.
//!
//! The thread of the first source does it.

use std::sync::Arc;
use std::time::Duration;

use tidegate_engine::HostLock;

use crate::files::locks::{LockFile, LockWatch};
use crate::instance::Instance;
use crate::read::subscription::{ChangedFlags, Changes};
use crate::registry::Registry;
use crate::status::{LockStatus, LocksStatus, LocksTrouble};

/// Watches the file of locks, rewrites what handles hold, and frees snapshots.
#[derive(Debug)]
pub(crate) struct Upkeep {
    registry: Arc<Registry>,
    /// The locks of the program.
    pins: Vec<HostLock>,
    watch: LockWatch,
}

impl Upkeep {
    /// Activates the locks of the program and those of the file.
    pub(crate) fn new(registry: Arc<Registry>, pins: Vec<HostLock>, file: Option<LockFile>) -> Self {
        let mut upkeep = Self { registry, pins, watch: LockWatch::new(file) };
        upkeep.watch.poll(upkeep.instance().clock().now());
        upkeep.apply_locks();
        upkeep
    }

    /// Does what is due, and says when to be called again at the latest.
    pub(super) fn tick(&mut self) -> Duration {
        let now = self.instance().clock().now();
        if self.watch.poll(now) {
            let flags = self.apply_locks();
            self.instance().notifier.notify(Changes { locks: true, flags, ..Changes::default() });
        }
        let (next, held) = self.registry.tick();
        let instance = self.instance();
        instance.set_snapshots_held(held);
        let until = next.map_or(TICK, |next| Duration::from_micros(next.since(now).get()));
        // A manual clock says nothing about how long to wait.
        if instance.clock().is_manual() { TICK } else { until.clamp(TICK_MIN, TICK) }
    }

    /// Nothing changes any more: subscriptions end.
    pub(super) fn close(&self) {
        self.instance().notifier.close();
    }

    fn instance(&self) -> &Instance {
        self.registry.instance()
    }

    /// Activates the locks, and returns the flags whose lock has changed.
    fn apply_locks(&self) -> ChangedFlags {
        let mut status = self.instance().locks();
        let flags = self.registry.set_locks(self.locks().cloned().collect());
        let error = self.watch.trouble();
        let error = error.map(|error| LocksTrouble { message: error.message.clone(), since: error.since });
        if let Some(error) = error.as_ref().filter(|error| status.error.as_ref() != Some(*error)) {
            let stay = if self.watch.has_read() {
                "the last good locks stay active"
            } else {
                "no lock of this host is active until it can be read"
            };
            tracing::warn!("{}; {stay}", error.message);
        }
        *status = LocksStatus {
            file: self.watch.file().map(|file| file.path().display().to_string()),
            error,
            locks: self.locks().map(|lock| LockStatus { lock: lock.clone(), is_expired: false }).collect(),
        };
        flags
    }

    /// Those of the program, then those of the file.
    fn locks(&self) -> impl Iterator<Item = &HostLock> {
        self.pins.iter().chain(self.watch.locks())
    }
}

/// Time between two looks at what changes by itself: a change of the locks is to be seen within a second.
pub(super) const TICK: Duration = Duration::from_millis(500);

/// The shortest time between two rewrites of cells. Meanwhile the snapshot answers.
const TICK_MIN: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use tidegate_engine::Micros;

    use super::*;
    use crate::clock::Clock;

    #[test]
    fn the_file_of_locks_is_read_more_than_once_a_second() {
        let registry = Registry::new(Instance::new(Clock::manual(Micros::new(0)), None));
        let mut upkeep = Upkeep::new(registry, Vec::new(), None);
        assert!(upkeep.tick() <= Duration::from_millis(500));
    }
}
