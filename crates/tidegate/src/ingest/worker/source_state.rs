//! What the thread of a source knows, and what it does with each answer of the source.
//!
//! Order of a new document: verify its signature, read and check it, keep it on the disk, activate it, and
//! only then ask the source with its tag. Whatever fails on the way, the active document stays, and the status says why.
//! Invariant: the tag asked with is that of the active document, or there is none.

mod admission;
mod offset;
mod refusal;
mod storage;
#[cfg(feature = "cluster")]
mod told;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use tidegate_engine::document::Document;
use tidegate_engine::lease::{Clocks, Leased};
use tidegate_engine::{CompileOptions, Micros, Snapshot, Span};

use super::log::LogLimit;
use crate::ingest::cache::Record;
use crate::ingest::compile::{self, Compiled, Refused};
use crate::ingest::schedule::{Damper, Outcome, Verdict};
use crate::ingest::signature::{KeyId, SeenFile, Trust};
use crate::ingest::source::{Answer, FetchError, Fetched, ServerDate, Tag, Text, body_digest};
use crate::read::subscription::{ChangedFlags, Changes};
use crate::registry::{DocumentText, Registry, SourcePart};
use crate::source_status::SourceStatus;
use crate::status::{ClockOffset, Health, ServedFrom, SourceTrouble, Status, signed_seconds};
use admission::Admission;
use offset::OffsetWatch;
pub(crate) use storage::CachePlace;
use storage::{Storage, Stored};

/// What the background thread knows of one source.
pub(crate) struct SourceState {
    registry: Arc<Registry>,
    /// The place of this source's document in the registry.
    slot: usize,
    status: Arc<SourceStatus>,
    /// Whether documents may have to be compiled together, and are kept for it.
    is_combined: bool,
    compile: CompileOptions,
    storage: Storage,
    admission: Admission,
    /// The active document, without the locks of this host.
    plain: Snapshot,
    document: Option<Arc<Document>>,
    leases: Vec<Leased>,
    clocks: Clocks,
    active: Option<ActiveDocument>,
    /// The document that the source has and that is not to be used, so that it is not read at each poll.
    rejected: Option<u128>,
    damper: Damper,
    /// By the document that was published last, until subscribers are notified of it.
    changed_flags: ChangedFlags,
    offsets: OffsetWatch,
    /// One answer is all there will be: ramps are asked at the instant of the answer.
    is_one_shot: bool,
    /// The document as it came, where followers get it.
    text: Option<DocumentText>,
    keeps_text: bool,
    /// How long before an answer the source was polled that the answer speaks of: a server tells its followers.
    poll_age: Span,
    trouble_log: LogLimit,
    refusal_log: LogLimit,
}

/// What is known of the active document.
#[derive(Debug)]
struct ActiveDocument {
    digest: u128,
    signature: Option<String>,
    /// Names it at its source; none if the next question is to be unconditional.
    tag: Option<Tag>,
    /// Whether the disk has it, with this signature and this tag.
    stored: Stored,
}

/// A document that has come from the source.
struct NewDocument {
    body: Vec<u8>,
    digest: u128,
    signature: Option<String>,
    tag: Option<Tag>,
}

impl NewDocument {
    fn new(body: Vec<u8>, signature: Option<String>, tag: Option<Tag>) -> Self {
        Self { digest: body_digest(&body), body, signature, tag }
    }
}

/// Where a document was before it is active.
enum Provenance {
    /// It is part of the program.
    Program,
    /// An earlier process has kept it.
    Cache(Record),
    /// The source has sent it.
    Source(NewDocument),
}

/// What a [`SourceState`] is made of.
#[derive(Debug)]
pub(crate) struct SourceOptions {
    /// The source for people, and its number.
    pub(crate) source: (String, u64),
    pub(crate) cache: CachePlace,
    pub(crate) trust: Trust,
    /// Where the newest version is remembered.
    pub(crate) seen: Option<SeenFile>,
    pub(crate) compile: CompileOptions,
    pub(crate) is_one_shot: bool,
    /// How the source is doing before it was asked.
    pub(crate) health: Health,
    /// Whether there are other sources, whose documents stand in one table with this one.
    pub(crate) is_combined: bool,
    /// Whether followers get the document as it came.
    pub(crate) keeps_text: bool,
}

impl SourceState {
    /// Begins with what the cache has. Reads the disk, asks no source.
    pub(crate) fn new(registry: Arc<Registry>, options: SourceOptions) -> Self {
        let now = registry.instance().clock().now();
        let (name, fingerprint) = options.source;
        let status = SourceStatus::new(Status::new(name.clone(), options.health, now));
        let has_source = options.health != Health::NoSource;
        let (slot, compile) = registry.add_source(name.clone(), options.compile, Arc::clone(&status), has_source);
        let mut state = Self {
            registry,
            slot,
            status,
            is_combined: options.is_combined,
            compile,
            storage: Storage::open(options.cache, (name, fingerprint)),
            admission: Admission::new(options.trust, options.seen),
            plain: Snapshot::empty(),
            document: None,
            leases: Vec::new(),
            clocks: Clocks::synced(),
            active: None,
            rejected: None,
            damper: Damper::default(),
            changed_flags: ChangedFlags::default(),
            offsets: OffsetWatch::default(),
            is_one_shot: options.is_one_shot,
            text: None,
            keeps_text: options.keeps_text,
            poll_age: Span::ZERO,
            trouble_log: LogLimit::default(),
            refusal_log: LogLimit::default(),
        };
        state.load_cached(now);
        state.update_storage_status();
        state
    }

    pub(crate) fn status(&self) -> &Arc<SourceStatus> {
        &self.status
    }

    /// The tag to ask the source with.
    pub(crate) fn tag(&self) -> Option<&Tag> {
        self.active.as_ref()?.tag.as_ref()
    }

    /// Whether a document is active.
    pub(crate) fn has_document(&self) -> bool {
        self.active.is_some()
    }

    /// Activates a document that is part of the program.
    pub(crate) fn set_text(&mut self, text: &Text) -> Result<(), Refused> {
        let Text { body, signature } = text;
        let key = self.admission.verify(body, signature.as_deref())?;
        let loaded = compile::read_and_compile(body, &self.compile)?;
        let (now, digest) = (self.now(), body_digest(body));
        self.admission.check_version(loaded.header.as_ref(), digest, now)?;
        self.keep_text(body, digest, signature.as_deref());
        self.activate(loaded, key, digest, Provenance::Program, now);
        Ok(())
    }

    /// Takes note of what came of asking the source.
    pub(crate) fn handle_answer(&mut self, answer: Result<Answer, FetchError>) -> Outcome {
        let now = self.now();
        let before = (self.active.as_ref().map(|document| document.digest), self.health());
        self.status.lock().polls += 1;
        let outcome = match answer {
            Ok(answer) => {
                self.compare_clocks(answer.server_date);
                self.note_answer(answer.fetched, now);
                Outcome::Fresh
            }
            Err(error) => {
                self.note_failure(&error, now);
                Outcome::Trouble { retry_after: error.retry_after() }
            }
        };
        self.update_storage_status();
        let after = (self.active.as_ref().map(|document| document.digest), self.health());
        let flags = std::mem::take(&mut self.changed_flags);
        let changes =
            Changes { document: before.0 != after.0, health: before.1 != after.1, flags, ..Changes::default() };
        if changes.document || changes.health {
            self.registry.instance().notifier.notify(changes);
        }
        outcome
    }

    /// Does what is due by time alone.
    pub(crate) fn tick(&mut self) {
        self.admission.tick(self.now());
    }

    /// Keeps the text for followers, until it is active.
    fn keep_text(&mut self, body: &[u8], digest: u128, signature: Option<&str>) {
        let signature = signature.map(str::to_owned);
        self.text = self.keeps_text.then(|| DocumentText { body: body.into(), digest, signature });
    }

    /// When the source was polled that an answer of now speaks of. It never goes back.
    fn polled_at(&self, now: Micros) -> Micros {
        if self.poll_age == Span::ZERO {
            return now;
        }
        let polled = Micros::new(now.get().saturating_sub_unsigned(self.poll_age.get()));
        self.clocks.last_poll.map_or(polled, |last| polled.max(last.min(now)))
    }

    /// Takes note of a panic in this thread.
    pub(crate) fn note_panic(&mut self) {
        tracing::error!("the background thread panicked, which is a fault of this library; it goes on");
        let now = self.now();
        self.note_trouble("the background thread panicked; please report it".to_owned(), now);
    }

    fn now(&self) -> Micros {
        self.registry.instance().clock().now()
    }

    fn health(&self) -> Health {
        self.status.lock().health
    }

    /// The source has answered in good order.
    fn note_answer(&mut self, fetched: Fetched, now: Micros) {
        if self.trouble_log.over() {
            tracing::info!(source = self.storage.source(), "the source answers again");
        }
        self.status.lock().last_error = None;
        match fetched {
            Fetched::Unchanged => {
                self.damper.unchanged();
                self.mark_fresh(now);
            }
            Fetched::Changed { body, tag } => self.changed(NewDocument::new(body, None, tag), now),
            Fetched::Signed { body, signature, tag } => self.changed(NewDocument::new(body, Some(signature), tag), now),
        }
    }

    fn changed(&mut self, arrived: NewDocument, now: Micros) {
        let digest = arrived.digest;
        let verified = self.admission.verify(&arrived.body, arrived.signature.as_deref());
        if self.active.as_ref().is_some_and(|document| document.digest == digest) {
            self.damper.check(digest, now);
            // Where it is not verified, its signature is probably being replaced by the next document's. These
            // bytes were verified before.
            if let Ok(key) = verified {
                self.admission.signed_by(key);
                self.keep(arrived, now);
            }
            return self.mark_fresh(now);
        }
        let key = match verified {
            Ok(key) => key,
            Err(error) => return self.refuse(digest, error.into(), now),
        };
        if self.rejected == Some(digest) {
            if let Some(refused) = &mut self.status.lock().refused {
                refused.count += 1;
            }
            return self.set_health(Health::Refused, now);
        }
        match self.load(&arrived.body, digest) {
            None => self.skip(digest, ServedFrom::Source, now),
            Some(Err(refused)) => self.refuse(digest, refused, now),
            Some(Ok(loaded)) => match self.admission.check_version(loaded.header.as_ref(), digest, now) {
                Err(error) => self.refuse(digest, error.into(), now),
                Ok(()) => self.accept(loaded, key, arrived, now),
            },
        }
    }

    /// Reads a document; none if it is to be skipped, because processes have died of it.
    fn load(&mut self, body: &[u8], digest: u128) -> Option<Result<Compiled, Refused>> {
        let compile = self.compile.clone();
        // A short command does not count deaths: it is stopped for many reasons.
        if self.is_one_shot {
            return Some(compile::read_and_compile(body, &compile));
        }
        self.storage.watch_loading(digest, || compile::read_and_compile(body, &compile))
    }

    /// A good document that is not the active one.
    fn accept(&mut self, loaded: Compiled, key: Option<KeyId>, arrived: NewDocument, now: Micros) {
        let digest = arrived.digest;
        let verdict = self.damper.check(digest, now);
        self.status.lock().flip_flops = self.damper.returns();
        if verdict == Verdict::Hold {
            return self.mark_fresh(now);
        }
        self.keep_text(&arrived.body, digest, arrived.signature.as_deref());
        self.changed_flags = self.activate(loaded, key, digest, Provenance::Source(arrived), now);
        let (flags, digest) = (self.plain.len(), self.plain.digest());
        tracing::info!(source = self.storage.source(), flags, digest = %digest, "a new document is active");
    }

    /// Makes a document active that was verified, read and checked. No other function does. It is on the disk before readers
    /// see it. Returns the flags that it has changed.
    fn activate(
        &mut self,
        loaded: Compiled,
        key: Option<KeyId>,
        digest: u128,
        from: Provenance,
        now: Micros,
    ) -> ChangedFlags {
        let Compiled { snapshot, header, tally, document } = loaded;
        let before = std::mem::replace(&mut self.plain, snapshot);
        self.document = self.is_combined.then(|| Arc::new(document));
        self.leases = self.plain.leases();
        self.active = Some(ActiveDocument { digest, signature: None, tag: None, stored: Stored::Never });
        self.admission.admit(header.as_ref(), key, digest, now);
        let (served_from, fetched_at) = match from {
            Provenance::Program => {
                self.admission.remember();
                (ServedFrom::Source, None)
            }
            Provenance::Cache(record) => {
                let fetched_at = record.fetched_at;
                self.restore(record);
                self.admission.remember();
                (ServedFrom::Cache, Some(fetched_at))
            }
            Provenance::Source(arrived) => {
                self.keep(arrived, now);
                let polled = self.polled_at(now);
                self.clocks.note_document(polled, &before, &self.plain);
                self.note_poll(polled);
                (ServedFrom::Source, Some(polled))
            }
        };
        // Held meanwhile, so that a reader of the new values sees their status, and the other way round.
        let mut status = self.status.lock();
        let part = SourcePart {
            snapshot: self.plain.clone(),
            document: self.document.clone(),
            clocks: self.clocks.clone(),
            is_loaded: true,
            text: self.text.clone(),
        };
        let flags = self.registry.install(self.slot, part);
        (status.served_from, status.fetched_at, status.warnings) = (served_from, fetched_at, tally.warnings);
        status.signature = self.admission.status();
        status.tag = self.tag().map(|tag| tag.as_str().to_owned());
        match (served_from, fetched_at) {
            (ServedFrom::Cache, _) => status.fresh_at = self.clocks.last_poll,
            (_, Some(now)) => self.set_fresh(&mut status, now),
            (_, None) => set_health(&mut status, Health::Fresh, now),
        }
        flags
    }

    /// Takes over what the cache has besides the document: its tag, and the clocks of its leases.
    fn restore(&mut self, record: Record) {
        let tag = self.storage.tag_of(&record);
        self.clocks = self.storage.load_freshness().unwrap_or_default();
        if self.clocks.last_poll.is_none() {
            // Nothing is known of what came later, so the ramps begin where the document was fetched.
            self.clocks.note_poll(record.fetched_at, &self.leases);
        }
        if let Some(document) = &mut self.active {
            document.stored = if tag == record.tag { Stored::Yes } else { Stored::NotNow };
            (document.signature, document.tag) = (record.signature, tag);
        }
    }

    /// Keeps the active document on the disk, under this tag. Where that fails the next question is asked
    /// without a tag, so that the document comes again and can be kept then; unless it is certain to fail
    /// again, or there is no disk to keep it on.
    fn keep(&mut self, arrived: NewDocument, now: Micros) {
        let Some(document) = &mut self.active else { return };
        let NewDocument { body, signature, tag, .. } = arrived;
        if document.stored == Stored::Yes && document.tag == tag && document.signature == signature {
            return;
        }
        let stored = self.storage.store(body, signature.clone(), tag.clone(), now);
        let tag = tag.filter(|_| stored != Stored::NotNow);
        (document.stored, document.tag, document.signature) = (stored, tag, signature);
    }

    /// The poll was successful: the active document is what the source has, or what it had at the poll before.
    fn mark_fresh(&mut self, now: Micros) {
        let now = self.polled_at(now);
        let before = self.clocks.clone();
        self.clocks.note_poll(now, &self.leases);
        self.note_poll(now);
        let mut status = self.status.lock();
        if !self.leases.is_empty() && self.clocks != before {
            self.registry.set_clocks(self.slot, self.clocks.clone());
        }
        if self.active.is_some() {
            status.served_from = ServedFrom::Source;
        }
        self.set_fresh(&mut status, now);
    }

    /// Remembers a successful poll and, once the disk has the document, its version.
    fn note_poll(&mut self, now: Micros) {
        self.rejected = None;
        if self.refusal_log.over() {
            tracing::info!(source = self.storage.source(), "the source's document is accepted again");
        }
        self.storage.store_freshness(&self.clocks, now, self.is_one_shot);
        if self.active.as_ref().is_some_and(|document| document.stored != Stored::NotNow) {
            self.admission.remember();
        }
        if self.is_one_shot && self.poll_age == Span::ZERO {
            // Just answered, so the ramps are where the clock is.
            self.clocks = Clocks::synced();
        }
    }

    fn set_fresh(&self, status: &mut Status, now: Micros) {
        (status.refused, status.fresh_at, status.signature) = (None, Some(now), self.admission.status());
        status.tag = self.tag().map(|tag| tag.as_str().to_owned());
        status.poisoned = status.poisoned.take().filter(|poisoned| poisoned.from == ServedFrom::Cache);
        set_health(status, Health::Fresh, now);
    }

    fn note_failure(&mut self, error: &FetchError, now: Micros) {
        let message = error.to_string();
        if self.trouble_log.trouble(Instant::now()) {
            tracing::warn!(source = self.storage.source(), "{message}; the last good document stays active");
        }
        self.note_trouble(message, now);
        self.set_health(Health::Stale, now);
    }

    fn note_trouble(&self, message: String, now: Micros) {
        let mut status = self.status.lock();
        let (since, count) = status.last_error.as_ref().map_or((now, 0), |trouble| (trouble.since, trouble.count));
        status.last_error = Some(SourceTrouble { message, since, at: now, count: count + 1 });
    }

    /// Begins with the document that an earlier process has left.
    fn load_cached(&mut self, now: Micros) {
        let Some(record) = self.storage.load() else { return };
        let digest = body_digest(&record.body);
        let key = match self.admission.verify(&record.body, record.signature.as_deref()) {
            Ok(key) => key,
            Err(error) => return self.refuse_cached(&error, now),
        };
        let loaded = match self.load(&record.body, digest) {
            None => return self.skip(digest, ServedFrom::Cache, now),
            // It was accepted once, by another version of this program.
            Some(Err(_)) => {
                return self
                    .storage
                    .report_problem("the cached document is not accepted any more; it will be fetched again");
            }
            Some(Ok(loaded)) => loaded,
        };
        if let Err(error) = self.admission.check_kept_version(loaded.header.as_ref(), digest) {
            return self.refuse_cached(&error, now);
        }
        self.damper.check(digest, now);
        self.keep_text(&record.body, digest, record.signature.as_deref());
        self.activate(loaded, key, digest, Provenance::Cache(record), now);
    }

    fn set_health(&self, health: Health, now: Micros) {
        set_health(&mut self.status.lock(), health, now);
    }

    fn compare_clocks(&mut self, date: Option<ServerDate>) {
        let Some(date) = date else { return };
        let known = self.offsets.note(&date, self.now());
        let is_suspicious = known.is_suspicious();
        let (middle, half) = known.middle();
        let clock = ClockOffset {
            ahead_seconds: signed_seconds(middle),
            uncertainty_seconds: signed_seconds(half),
            is_suspicious,
        };
        let was_suspicious = self.status.lock().clock.replace(clock).is_some_and(|clock| clock.is_suspicious);
        let source = self.storage.source();
        if is_suspicious && !was_suspicious {
            tracing::warn!(source, "this host's clock is {clock} that of the source; set it, or ramps run apart");
        } else if was_suspicious && !is_suspicious {
            tracing::info!(source, "this host's clock agrees with that of the source again");
        }
    }

    fn update_storage_status(&self) {
        let mut status = self.status.lock();
        (status.cache, status.signature) = (self.storage.status(), self.admission.status());
    }
}

fn set_health(status: &mut Status, health: Health, now: Micros) {
    if status.health != health {
        (status.health, status.health_since) = (health, now);
    }
}

impl fmt::Debug for SourceState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SourceState").field("active", &self.active).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
