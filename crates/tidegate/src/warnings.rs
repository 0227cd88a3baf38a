//! For tests: the texts of the warnings in the log, or of all that is logged by default.

use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Warnings {
    texts: Arc<Mutex<Vec<String>>>,
    level: tracing::Level,
}

impl Default for Warnings {
    fn default() -> Self {
        Self { texts: Arc::default(), level: tracing::Level::WARN }
    }
}

impl Warnings {
    /// What is logged by default, each with its level.
    #[cfg(feature = "cluster")]
    pub(crate) fn and_all_else() -> Self {
        Self { texts: Arc::default(), level: tracing::Level::INFO }
    }

    /// What has come since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.texts.lock().unwrap())
    }
}

impl Visit for Warnings {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.texts.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
        if self.level > tracing::Level::WARN
            && let Some(last) = self.texts.lock().unwrap().last_mut()
        {
            *last = format!("{} {last}", event.metadata().level());
        }
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}
