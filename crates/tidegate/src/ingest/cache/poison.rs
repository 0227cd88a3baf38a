//! A document that kills the process which loads it.
//!
//! Loading is bounded and tested, and still: before a document is loaded a marker says which, and after it
//! the marker goes away. A process that dies in between leaves the marker behind. A document that was being
//! loaded at two deaths is not loaded a third time, so that the process can start, serve what else it has,
//! and say so.
//!
//! The marker is kept under a lock of the file system, which ends with its process. Where another process of
//! the same cache name is loading at that moment, its marker is left alone, and is not mistaken for a death.

use std::fs::File;

use serde::{Deserialize, Serialize};

use super::{Cache, CacheError, Part};
use crate::files::protected::{Fault, first_line, protected};

/// Which documents were being loaded when processes died.
#[derive(Debug)]
pub(crate) struct Poison<'c> {
    cache: &'c Cache,
}

/// A load under way. Dropped without [`Loading::loaded`], it stays on record as a death: so it is, if a
/// panic got here.
#[derive(Debug)]
#[must_use = "say `loaded` when the document is active or refused"]
pub(crate) struct Loading<'c> {
    cache: &'c Cache,
    digest: u128,
    /// Held until the load is over; none if another process is loading.
    lock: Option<File>,
}

/// What the file says.
#[derive(Debug, Deserialize, Serialize)]
struct Marker {
    /// The version of this program; what killed another may be harmless to this one.
    program: String,
    /// Deaths by document, the latest last.
    deaths: Vec<(String, u32)>,
    /// The document being loaded now.
    loading: Option<String>,
}

impl Cache {
    /// The record of documents that kill their loader; for processes that stay, not for short commands.
    pub(crate) fn poison(&self) -> Poison<'_> {
        Poison { cache: self }
    }
}

impl<'c> Poison<'c> {
    /// Begins to load the document with this digest ([`crate::ingest::source::body_digest`]); none if it is to be
    /// skipped, because [`DEATHS_MAX`] processes have died of it.
    pub(crate) fn loading(&self, digest: u128) -> Result<Option<Loading<'c>>, CacheError> {
        self.cache.check_open()?;
        let lock = self.cache.folder.open_to_lock(&format!("{}.lock", self.cache.file_name(Part::Loading)))?;
        if lock.try_lock().is_err() {
            return Ok(Some(Loading { cache: self.cache, digest, lock: None }));
        }
        let loading = Loading { cache: self.cache, digest, lock: Some(lock) };
        let mut marker = self.cache.read_marker()?;
        if let Some(died) = marker.loading.take() {
            marker.count(died);
        }
        let id = id(digest);
        let is_poison = marker.deaths_of(&id) >= DEATHS_MAX;
        if !is_poison {
            marker.loading = Some(id);
        }
        self.cache.write_marker(&marker)?;
        Ok((!is_poison).then_some(loading))
    }
}

impl Loading<'_> {
    /// Ends the load: the document is active, or was refused in good order.
    pub(crate) fn loaded(self) -> Result<(), CacheError> {
        if self.lock.is_none() {
            return Ok(());
        }
        let mut marker = self.cache.read_marker()?;
        marker.loading = None;
        let id = id(self.digest);
        marker.deaths.retain(|(died, _)| *died != id);
        if marker.deaths.is_empty() {
            return Ok(self.cache.folder.remove(&self.cache.file_name(Part::Loading))?);
        }
        self.cache.write_marker(&marker)
    }
}

impl Drop for Loading<'_> {
    /// Gives the lock back explicitly: closing the file is not enough while a process that was just
    /// forked off elsewhere in this one still holds a copy of it.
    fn drop(&mut self) {
        if let Some(lock) = &self.lock {
            let _ = lock.unlock();
        }
    }
}

impl Cache {
    /// A marker that cannot be read is none: it must not keep anything from starting.
    fn read_marker(&self) -> Result<Marker, CacheError> {
        let name = self.file_name(Part::Loading);
        let Some(content) = self.folder.read(&name, FILE_BYTES_MAX)? else { return Ok(Marker::new()) };
        let known = Marker::parse(&content).ok().filter(|marker| marker.program == env!("CARGO_PKG_VERSION"));
        Ok(known.unwrap_or_else(Marker::new))
    }

    fn write_marker(&self, marker: &Marker) -> Result<(), CacheError> {
        Ok(self.folder.replace(&self.file_name(Part::Loading), FILE_BYTES_MAX, &[marker.to_text().as_bytes()])?)
    }
}

impl Marker {
    fn new() -> Self {
        Self { program: env!("CARGO_PKG_VERSION").to_owned(), deaths: Vec::new(), loading: None }
    }

    fn deaths_of(&self, id: &str) -> u32 {
        self.deaths.iter().find(|(died, _)| died == id).map_or(0, |(_, deaths)| *deaths)
    }

    fn count(&mut self, died: String) {
        let deaths = self.deaths_of(&died).saturating_add(1);
        self.deaths.retain(|(id, _)| *id != died);
        self.deaths.push((died, deaths));
        let surplus = self.deaths.len().saturating_sub(DOCUMENTS_MAX);
        self.deaths.drain(..surplus);
    }

    fn to_text(&self) -> String {
        // Strings and numbers only: there is nothing in it that could fail.
        let mut json = serde_json::to_string(self).unwrap_or_default();
        json.push('\n');
        first_line(MAGIC, VERSION, &[json.as_bytes()]) + &json
    }

    fn parse(content: &[u8]) -> Result<Self, Fault> {
        serde_json::from_slice(protected(content, MAGIC, VERSION)?).map_err(|_| Fault::Damaged)
    }
}

fn id(digest: u128) -> String {
    format!("{digest:032x}")
}

const MAGIC: &str = "tidegate-loading";
const VERSION: u32 = 1;

/// Deaths after which a document is skipped.
pub(crate) const DEATHS_MAX: u32 = 2;

/// Documents whose deaths are remembered.
const DOCUMENTS_MAX: usize = 16;

/// Size of the largest file.
const FILE_BYTES_MAX: u64 = 64 * 1024;
