//! From registers to what is active, for registers that came from anywhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Driver, Effort, events, guarded};
use crate::live::projected::project;
use crate::live::value::ChangeKind;
use crate::read::subscription::Changes;

impl Driver {
    /// Makes what has changed active, all at once.
    pub(super) fn project(&mut self, effort: Effort) {
        let is_long = |key: &Arc<[u8]>| matches!(ChangeKind::from_key(key), Some((ChangeKind::Definition, _)));
        let is_left = effort == Effort::Quick && (self.changed.iter().any(is_long) || self.registry.is_busy());
        if self.changed.is_empty() || is_left {
            return;
        }
        let began = Instant::now();
        let mut changes = Vec::new();
        let mut told = Changes::default();
        let mut news = Vec::new();
        for key in std::mem::take(&mut self.changed) {
            // A newer version may know more kinds of keys.
            let Some((kind, flag)) = ChangeKind::from_key(&key) else { continue };
            let value = self.replica.get(&key).and_then(|register| register.value.as_deref());
            match project(kind, &flag, value) {
                Ok(change) => {
                    self.report.inapplicable.remove(&key);
                    // One that was made here is told with its receipt.
                    if let Some(register) = self.replica.get(&key).filter(|register| register.stamp.node() != self.node)
                        && self.events.may_tell()
                    {
                        let line = events::described(kind, &flag, register, &self.names);
                        news.push((line, self.share_of(&flag), flag.clone()));
                    }
                    match kind {
                        ChangeKind::Activation => told.activations = true,
                        ChangeKind::Definition => told.definitions = true,
                    }
                    changes.push(change);
                }
                // What was active stays. The value may be one that a newer version understands.
                Err(error) => {
                    if self.report.inapplicable.insert(Arc::clone(&key), error.to_string()).is_none() {
                        tracing::warn!("a change of `{flag}` cannot be activated here: {error}");
                    }
                }
            }
        }
        if changes.is_empty() {
            return;
        }
        told.flags = self.registry.apply(changes);
        for (line, from, flag) in news {
            events::tell_received(&line, from, self.share_of(&flag));
        }
        self.report.published += 1;
        guarded(|| self.notifier.notify(told));
        self.rests_until = Instant::now() + (began.elapsed() * REST_FACTOR).min(REST_MAX);
    }
}

/// After a publication the driver publishes nothing for this many times as long as it took: it never takes more than a
/// quarter of a processor.
const REST_FACTOR: u32 = 3;

/// Beyond this, readers would see a change too late.
const REST_MAX: Duration = Duration::from_millis(50);
