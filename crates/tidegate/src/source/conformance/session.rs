//! One subject and everything around it: a cache, instances, a fetcher, and waiting with a deadline.

use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::runtime::{Builder as RuntimeBuilder, Runtime};

use super::Subject;
use crate::ingest::source::Fetcher;
use crate::{Builder, Fetched, Health, Status, Tag, Tidegate};

/// A subject, and a host of its own.
pub(super) struct Session<'s> {
    pub(super) subject: &'s mut dyn Subject,
    folder: TempDir,
}

/// Asks the source directly.
pub(super) struct Asking {
    runtime: Runtime,
    fetcher: Fetcher,
}

/// A document from the source, and its tag.
pub(super) struct Answered {
    pub(super) body: Vec<u8>,
    pub(super) tag: Tag,
}

impl<'s> Session<'s> {
    pub(super) fn new(subject: &'s mut dyn Subject) -> Self {
        let folder = tempfile::tempdir().expect("a test has a folder for its files");
        Self { subject, folder }
    }

    pub(super) fn publish(&mut self, version: u32) {
        self.subject.publish(&document(version));
    }

    /// A builder for this source that asks often, waits for its first answer, and has a cache here.
    pub(super) fn builder(&self) -> Builder {
        let builder = Tidegate::builder()
            .cache_dir(self.folder.path().join("cache"))
            .cache_name("conformance")
            .state_dir(self.folder.path().join("state"))
            .without_locks()
            .poll_interval(POLL_INTERVAL)
            .timeout(TIMEOUT)
            .startup_wait(self.subject.patience());
        self.subject.configure(builder)
    }

    /// The name that the source has in messages.
    pub(super) fn source_name(&self) -> String {
        self.builder().source_name()
    }

    /// An instance in which version 1 is active.
    pub(super) fn with_version_1(&mut self, set: impl FnOnce(Builder) -> Builder) -> Result<Tidegate, String> {
        self.publish(1);
        let tide = connect(set(self.builder()))?;
        let status = tide.status();
        ensure(version(&tide) == 1 && status.health == Health::Fresh, || {
            format!("the first document is not active after the start: {}", describe(&status))
        })?;
        Ok(tide)
    }

    /// Waits until something holds of the status.
    pub(super) fn until(&self, what: &str, tide: &Tidegate, holds: impl Fn(&Status) -> bool) -> Result<Status, String> {
        let patience = self.subject.patience();
        let deadline = Instant::now() + patience;
        loop {
            let status = tide.status();
            if holds(&status) {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(format!("not within {patience:?}: {what}; {}", describe(&status)));
            }
            thread::sleep(Duration::from_millis(3));
        }
    }

    pub(super) fn asking(&self) -> Result<Asking, String> {
        let runtime = RuntimeBuilder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        Ok(Asking { runtime, fetcher: self.builder().to_fetcher()? })
    }
}

impl Asking {
    pub(super) fn ask(&mut self, have: Option<&Tag>) -> Result<Fetched, String> {
        let answer = self.runtime.block_on(self.fetcher.fetch(have));
        answer.map(|answer| answer.fetched).map_err(|error| chain(&error))
    }

    /// A document, and its tag.
    pub(super) fn document(&mut self, have: Option<&Tag>) -> Result<Answered, String> {
        match self.ask(have)? {
            Fetched::Changed { body, tag: Some(tag) } | Fetched::Signed { body, tag: Some(tag), .. } => {
                Ok(Answered { body, tag })
            }
            Fetched::Changed { .. } | Fetched::Signed { .. } => Err("the document came without a tag".to_owned()),
            Fetched::Unchanged => Err("the source says `unchanged` of another document".to_owned()),
        }
    }
}

pub(super) fn connect(builder: Builder) -> Result<Tidegate, String> {
    builder.connect().map_err(|error| format!("an instance cannot be made: {}", chain(&error)))
}

/// A document in which the flag `features/version` has this value.
pub(super) fn document(version: u32) -> Vec<u8> {
    format!(r#"{{"features": {{"version": {{"stable": {version}}}}}}}"#).into_bytes()
}

/// The active version; 0: none.
pub(super) fn version(tide: &Tidegate) -> u32 {
    tide.get("features", "version", "anybody", 0)
}

pub(super) fn ensure(holds: bool, problem: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(problem()) }
}

/// What a status says of its source, in one line.
pub(super) fn describe(status: &Status) -> String {
    let message = status.last_error.as_ref().map(|error| error.message.as_str());
    let refused = status.refused.as_ref().map(|refused| refused.message.as_str());
    format!(
        "health {:?}, served from {:?}, tag {:?}, error {message:?}, refused {refused:?}",
        status.health, status.served_from, status.tag
    )
}

/// An error with everything that it says.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// The shortest that there is.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// For one answer. Long for a busy machine; the test of slowness has its own.
const TIMEOUT: Duration = Duration::from_secs(10);
