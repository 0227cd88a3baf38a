//! Documents that are not activated, and who is told.

use std::time::Instant;

use tidegate_engine::Micros;

use super::SourceState;
use crate::first_error::first_error;
use crate::ingest::compile::Refused;
use crate::ingest::signature::SignatureError;
use crate::status::{Health, Poisoned, Refusal, ServedFrom};

impl SourceState {
    /// The source's document is not to be used. What was active stays.
    pub(super) fn refuse(&mut self, digest: u128, refused: Refused, now: Micros) {
        // What a signature or a clock is to blame for may be well at the next poll, with the same bytes.
        self.rejected = (!matches!(refused, Refused::Signature(_))).then_some(digest);
        let mut is_alarm = false;
        let (message, diagnostics) = match refused {
            Refused::Diagnostics(diagnostics) => (first_error(&diagnostics), diagnostics),
            Refused::Panicked => (first_error(&[]), Vec::new()),
            Refused::Signature(error) => {
                is_alarm = self.admission.note_refusal(&error, now);
                (error.to_string(), Vec::new())
            }
        };
        if self.refusal_log.trouble(Instant::now()) {
            let source = self.storage.source();
            if is_alarm {
                tracing::error!(
                    source,
                    "rollback alarm, document refused: {message}; the last good document stays active"
                );
            } else {
                tracing::warn!(source, "document refused: {message}; the last good document stays active");
            }
        }
        {
            let mut status = self.status.lock();
            let body = format!("{digest:032x}");
            let earlier = status.refused.as_ref();
            let since = earlier.map_or(now, |refused| refused.since);
            let count = earlier.filter(|earlier| earlier.body == body).map_or(0, |refused| refused.count) + 1;
            status.refused = Some(Refusal { since, count, body, message, diagnostics });
            status.signature = self.admission.status();
        }
        self.set_health(Health::Refused, now);
    }

    /// Skips a document of which processes have died.
    pub(super) fn skip(&mut self, digest: u128, from: ServedFrom, now: Micros) {
        let body = format!("{digest:032x}");
        tracing::error!(source = self.storage.source(), body, "document skipped: processes died while they loaded it");
        self.status.lock().poisoned = Some(Poisoned { body, since: now, from });
        if from == ServedFrom::Source {
            self.rejected = Some(digest);
            self.set_health(Health::Refused, now);
        }
    }

    /// The cache holds what is not to be used: it was kept before there was a key, or for another environment, or another
    /// program has put it there.
    pub(super) fn refuse_cached(&mut self, error: &SignatureError, now: Micros) {
        self.admission.note_refusal(error, now);
        self.storage.report_problem(&format!("the cached document is not used: {error}"));
    }
}
