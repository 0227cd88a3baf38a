//! For tests: the texts of the warnings in the log, or of all that is logged by default.

use std::fmt;
use std::sync::{Arc, Mutex, Once};

use tracing::field::{Field, Visit};

/// The warnings of the log that one thread has written.
#[derive(Clone, Debug)]
pub(crate) struct Warnings {
    texts: Arc<Mutex<Vec<String>>>,
    level: tracing::Level,
}

impl Default for Warnings {
    fn default() -> Self {
        Self::at(tracing::Level::WARN)
    }
}

impl Warnings {
    /// What is logged by default, each with its level.
    #[cfg(feature = "cluster")]
    pub(crate) fn and_all_else() -> Self {
        Self::at(tracing::Level::INFO)
    }

    fn at(level: tracing::Level) -> Self {
        // Without a global subscriber, a thread that has none may be the first one to log a line; `tracing` then remembers for
        // the whole process that the line is not wanted.
        static ONCE: Once = Once::new();
        ONCE.call_once(|| _ = tracing::subscriber::set_global_default(Undecided));
        Self { texts: Arc::default(), level }
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

/// The subscriber of threads that have none: it records nothing, and decides about every line each time it is logged.
struct Undecided;

impl tracing::Subscriber for Undecided {
    fn register_callsite(&self, _: &'static tracing::Metadata<'static>) -> tracing::subscriber::Interest {
        tracing::subscriber::Interest::sometimes()
    }
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        false
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

impl tracing::Subscriber for Warnings {
    fn register_callsite(&self, _: &'static tracing::Metadata<'static>) -> tracing::subscriber::Interest {
        tracing::subscriber::Interest::sometimes()
    }
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

/// Run alone, it fails without the global subscriber.
#[test]
fn a_line_that_another_thread_has_logged_first_is_recorded() {
    fn log() {
        tracing::warn!("a line");
    }
    let warnings = Warnings::default();
    tracing::subscriber::with_default(warnings.clone(), || {
        std::thread::spawn(log).join().unwrap();
        log();
    });
    assert_eq!(warnings.take(), ["a line"]);
}
