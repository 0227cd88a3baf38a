//! A document that another process polls, and hands on to this one as its follower.
//!
//! It is verified, checked, kept and activated as if it came from the source itself. Leases count from the poll of the source by
//! that other process, so a ramp also stops where the process that polls can no longer reach the source.

use tidegate_engine::Span;

use super::{SourceState, set_health};
use crate::ingest::source::{Answer, Fetched};
use crate::read::subscription::Changes;
use crate::status::{Health, ServedFrom};

impl SourceState {
    /// The process that polls the source has had this answer so long ago.
    pub(crate) fn hear(&mut self, fetched: Fetched, age: Span) {
        self.poll_age = age;
        self.handle_answer(Ok(Answer { fetched, server_date: None }));
    }

    /// That process is unreachable.
    pub(crate) fn note_unreachable(&mut self, message: &str) {
        let now = self.now();
        let before = self.health();
        self.note_trouble(message.to_owned(), now);
        self.set_health(Health::Stale, now);
        if before != self.health() {
            self.registry.instance().notifier.notify(Changes { health: true, ..Changes::default() });
        }
    }

    /// The digest of the active document, of its bytes.
    pub(crate) fn active_digest(&self) -> Option<u128> {
        self.active.as_ref().map(|document| document.digest)
    }

    /// The document that comes next is of this source, and compiled with this lease, beside others or alone.
    pub(crate) fn adopt(&mut self, source: &str, default_lease: Option<Span>, is_combined: bool) {
        if self.storage.source() != source {
            self.storage.rename(source);
            source.clone_into(&mut self.status.lock().source);
        }
        let is_compiled_again = self.compile.default_lease != default_lease || (is_combined && self.document.is_none());
        self.compile.default_lease = default_lease;
        self.is_combined = is_combined;
        self.registry.rename_source(self.slot, source, &self.compile);
        if is_compiled_again {
            // What is active stays, and the same document counts as another one.
            (self.active, self.rejected) = (None, None);
        }
    }

    /// There is no document any more.
    pub(crate) fn withdraw(&mut self) {
        if self.active.take().is_none() {
            return;
        }
        (self.text, self.document, self.rejected) = (None, None, None);
        self.plain = tidegate_engine::Snapshot::empty();
        let flags = self.registry.uninstall(self.slot);
        let now = self.now();
        let mut status = self.status.lock();
        status.served_from = ServedFrom::NoDocument;
        set_health(&mut status, Health::NoSource, now);
        drop(status);
        self.registry.instance().notifier.notify(Changes { document: true, flags, ..Changes::default() });
    }
}
