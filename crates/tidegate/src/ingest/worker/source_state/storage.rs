//! The cache, and what it does to the tag: failures here are told and never in the way.

use std::path::PathBuf;
use std::time::Instant;

use tidegate_engine::lease::Clocks;
use tidegate_engine::{Micros, Span};

use super::super::log::LogLimit;
use crate::files::paths;
use crate::ingest::cache::{Cache, CacheError, FileError, Record};
use crate::ingest::compile::Refused;
use crate::ingest::source::Tag;
use crate::status::CacheStatus;

/// Where the last good document is kept.
#[derive(Clone, Debug)]
pub(crate) enum CachePlace {
    /// Nowhere, by request or because the source is at hand anyway.
    Nowhere,
    /// Under this name, in this folder or the usual one.
    Under(String, Option<PathBuf>),
}

/// The cache of one source, or the reason why there is none.
#[derive(Debug)]
pub(super) struct Storage {
    cache: Option<Cache>,
    /// The folder, and the name in it; none where no cache is wanted, or no folder is known.
    place: Option<(PathBuf, String)>,
    source: String,
    fingerprint: u64,
    /// What is wrong now.
    error: Option<String>,
    is_wanted: bool,
    freshness_stored: Option<Micros>,
    log: LogLimit,
}

/// What became of a document that was to be kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stored {
    /// It is on the disk.
    Yes,
    /// It is not, and trying again may help.
    NotNow,
    /// It is not, and will not be.
    Never,
}

impl Storage {
    pub(super) fn open(place: CachePlace, (source, fingerprint): (String, u64)) -> Self {
        let mut storage = Self {
            cache: None,
            place: None,
            source,
            fingerprint,
            error: None,
            is_wanted: false,
            freshness_stored: None,
            log: LogLimit::default(),
        };
        let CachePlace::Under(name, folder) = place else { return storage };
        storage.is_wanted = true;
        match folder.or_else(paths::cache_dir) {
            None => storage.report_problem("there is no home folder for the cache; name a folder for it"),
            Some(folder) => {
                storage.place = Some((folder, name));
                storage.reopen();
            }
        }
        storage
    }

    fn reopen(&mut self) {
        let opened = self.place.as_ref().map(|(folder, name)| Cache::open(folder, name));
        self.cache = opened.and_then(|opened| self.ok_or_report(opened));
    }

    /// The source for people.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    #[cfg(feature = "cluster")]
    pub(super) fn rename(&mut self, source: &str) {
        source.clone_into(&mut self.source);
    }

    pub(super) fn status(&self) -> Option<CacheStatus> {
        let file = self.cache.as_ref().map(|cache| cache.path().display().to_string());
        self.is_wanted.then(|| CacheStatus { file, error: self.error.clone() })
    }

    /// The document of an earlier process.
    pub(super) fn load(&mut self) -> Option<Record> {
        let loaded = self.cache.as_mut()?.load();
        self.ok_or_report(loaded).flatten()
    }

    pub(super) fn load_freshness(&mut self) -> Option<Clocks> {
        let loaded = self.cache.as_mut()?.load_freshness();
        self.ok_or_report(loaded).flatten()
    }

    /// The tag of a cached document, if it is this source's.
    pub(super) fn tag_of(&self, record: &Record) -> Option<Tag> {
        record.tag_for(self.fingerprint).cloned()
    }

    /// Loads a document with a marker on the disk that says so, in case the process dies of it. None: that
    /// has happened too often. A loader that panicked counts as a death.
    pub(super) fn watch_loading<T>(
        &mut self,
        digest: u128,
        load: impl FnOnce() -> Result<T, Refused>,
    ) -> Option<Result<T, Refused>> {
        let Some(cache) = &self.cache else { return Some(load()) };
        let loading = match cache.poison().loading(digest) {
            Ok(None) => return None,
            // Not being able to leave a marker is no reason to leave the document.
            loading => loading,
        };
        let loaded = load();
        let unmarked = match (loading, &loaded) {
            (Err(error), _) => Err(error),
            (Ok(Some(loading)), Ok(_) | Err(Refused::Diagnostics(_))) => loading.loaded(),
            (Ok(_), _) => Ok(()),
        };
        self.ok_or_report(unmarked);
        Some(loaded)
    }

    /// Keeps a document.
    pub(super) fn store(&mut self, body: Vec<u8>, signature: Option<String>, tag: Option<Tag>, now: Micros) -> Stored {
        let (source, fingerprint) = (self.source.clone(), self.fingerprint);
        let record = Record { tag, body, signature, fetched_at: now, source, fingerprint };
        let Some(cache) = &self.cache else { return Stored::Never };
        let mut stored = cache.store(&record);
        if let Err(CacheError::File(FileError::NotFound { .. })) = stored {
            // The folder was removed, which any user of it may do. It is made again.
            self.reopen();
            let Some(cache) = &self.cache else { return Stored::Never };
            stored = cache.store(&record);
        }
        match stored {
            Ok(()) => {
                self.note_recovered();
                Stored::Yes
            }
            Err(error) => {
                let is_lasting = is_lasting(&error);
                self.report_problem(&error.to_string());
                if is_lasting { Stored::Never } else { Stored::NotNow }
            }
        }
    }

    /// Keeps the lease clocks: at each successful poll where a ramp depends on them, else now and then, because
    /// then only the age of the data does.
    pub(super) fn store_freshness(&mut self, clocks: &Clocks, now: Micros, at_once: bool) {
        let Some(cache) = &self.cache else { return };
        let is_recent = self.freshness_stored.is_some_and(|at| at <= now && now.since(at) < FRESHNESS_PERIOD);
        if is_recent && !at_once && clocks.ramps.is_empty() {
            return;
        }
        match cache.store_freshness(clocks) {
            Ok(()) => self.freshness_stored = Some(now),
            Err(error) => self.report_problem(&error.to_string()),
        }
    }

    /// Says what is wrong, in the status, and in the log not too often.
    pub(super) fn report_problem(&mut self, message: &str) {
        if self.log.trouble(Instant::now()) {
            tracing::warn!(source = self.source, "{message}; going on from memory");
        }
        self.error = Some(message.to_owned());
    }

    fn note_recovered(&mut self) {
        self.error = None;
        if self.log.over() {
            tracing::info!(source = self.source, "the cache is usable again");
        }
    }

    fn ok_or_report<T>(&mut self, outcome: Result<T, CacheError>) -> Option<T> {
        outcome.map_err(|error| self.report_problem(&error.to_string())).ok()
    }
}

/// Whether the next attempt is certain to fail as well, until a person changes the system.
fn is_lasting(error: &CacheError) -> bool {
    !matches!(error, CacheError::File(FileError::Full { .. } | FileError::Io { .. } | FileError::NotFound { .. }))
}

/// Between two writes that only keep the age of the data.
const FRESHNESS_PERIOD: Span = Span::from_micros(5 * 60 * 1_000_000);
