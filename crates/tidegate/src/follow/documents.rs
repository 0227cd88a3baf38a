//! The documents of a server, each as if this process had it from the source itself.

use std::path::PathBuf;
use std::sync::Arc;

use tidegate_engine::{CompileOptions, Span};

use super::wire::DocumentJson;
use crate::Fetched;
use crate::files::paths;
use crate::ingest::signature::{SeenFile, Trust};
use crate::ingest::source::body_digest;
use crate::ingest::worker::{CachePlace, SourceOptions, SourceState};
use crate::registry::{DocumentId, Registry};
use crate::source_status::SourceStatus;
use crate::status::Health;

/// What the state of each document is made of.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) registry: Arc<Registry>,
    pub(crate) cache: Option<(String, Option<PathBuf>)>,
    pub(crate) trust: Trust,
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) compile: CompileOptions,
    pub(crate) is_one_shot: bool,
    pub(crate) keeps_text: bool,
}

/// The documents, in the order in which they count.
#[derive(Debug)]
pub(crate) struct Documents {
    template: Template,
    /// Those that are in use, and then those that are not any more.
    states: Vec<SourceState>,
    used: usize,
    /// How long ago the source of each was polled, as was last said.
    ages: Vec<u64>,
}

impl Documents {
    pub(crate) fn new(template: Template) -> Self {
        Self { template, states: Vec::new(), used: 0, ages: Vec::new() }
    }

    /// Begins with what the disk has of these documents; whether it has all of them.
    pub(crate) fn restore(&mut self, ids: &[DocumentId]) -> bool {
        for (number, id) in ids.iter().enumerate() {
            let lease = id.default_lease_us.map(Span::from_micros);
            self.states.push(self.template.state(number, &id.source, lease, ids.len() > 1));
        }
        self.used = ids.len();
        self.ages = vec![u64::MAX; ids.len()];
        self.states.iter().zip(ids).all(|(state, id)| state.active_digest() == Some(id.digest))
    }

    /// The server has these documents.
    pub(crate) fn replace(&mut self, documents: Vec<DocumentJson>) {
        let count = documents.len();
        self.ages = documents.iter().map(|document| document.age_ms).collect();
        for (number, document) in documents.into_iter().enumerate() {
            let DocumentJson { source, default_lease_us, signature, age_ms, text } = document;
            let lease = default_lease_us.map(Span::from_micros);
            if number == self.states.len() {
                self.states.push(self.template.state(number, &source, lease, count > 1));
            }
            let Some(state) = self.states.get_mut(number) else { return };
            state.adopt(&source, lease.or(self.template.compile.default_lease), count > 1);
            let body = text.into_bytes();
            let fetched = match signature {
                _ if state.active_digest() == Some(body_digest(&body)) => Fetched::Unchanged,
                Some(signature) => Fetched::Signed { body, signature, tag: None },
                None => Fetched::Changed { body, tag: None },
            };
            state.hear(fetched, age(age_ms));
        }
        for state in self.states.iter_mut().skip(count) {
            state.withdraw();
        }
        self.used = count;
    }

    /// The server is there, and its sources were polled so long ago.
    pub(crate) fn hear(&mut self, ages: &[u64]) {
        if ages.len() != self.used {
            return;
        }
        for (number, age_ms) in ages.iter().enumerate() {
            let (Some(state), Some(before)) = (self.states.get_mut(number), self.ages.get_mut(number)) else { return };
            // The age grows by itself between two polls. One that is smaller is that of another poll.
            if *age_ms < *before || *age_ms == 0 {
                state.hear(Fetched::Unchanged, age(*age_ms));
            }
            *before = *age_ms;
        }
    }

    pub(crate) fn note_unreachable(&mut self, message: &str) {
        self.states.iter_mut().take(self.used).for_each(|state| state.note_unreachable(message));
        // The next word of the server counts, whatever it says.
        self.ages.fill(u64::MAX);
    }

    pub(crate) fn tick(&mut self) {
        self.states.iter_mut().take(self.used).for_each(SourceState::tick);
    }

    pub(crate) fn statuses(&self) -> Vec<Arc<SourceStatus>> {
        self.states.iter().take(self.used).map(|state| Arc::clone(state.status())).collect()
    }
}

impl Template {
    fn state(&self, number: usize, source: &str, lease: Option<Span>, is_combined: bool) -> SourceState {
        let name = |name: &str| format!("follow {name} {number}");
        let cache = match &self.cache {
            None => CachePlace::Nowhere,
            Some((cache, folder)) => CachePlace::Under(name(cache), folder.clone()),
        };
        let seen = self.cache.as_ref().and_then(|(cache, _)| {
            let folder = self.state_dir.clone().or_else(paths::state_dir)?;
            Some(SeenFile::new(folder, &format!("{}\n{}", self.trust.environment().unwrap_or_default(), name(cache))))
        });
        let default_lease = lease.or(self.compile.default_lease);
        SourceState::new(
            Arc::clone(&self.registry),
            SourceOptions {
                source: (source.to_owned(), number as u64),
                cache,
                trust: self.trust.clone(),
                seen,
                compile: CompileOptions { default_lease, ..self.compile.clone() },
                is_one_shot: self.is_one_shot,
                health: Health::Starting,
                is_combined,
                keeps_text: self.keeps_text,
            },
        )
    }
}

/// At least a microsecond: an age of nothing means that the source was asked by this process.
fn age(ms: u64) -> Span {
    Span::from_micros(ms.saturating_mul(1_000).max(1))
}
