//! What survives a restart: the last good document, the lease clocks, and which document kills the loader.
//!
//! Everything of one cache name lies in one folder, as small files that are replaced as a whole. The document
//! and its tag are one file, so that a tag never outlives its body. A cache is a help and never a need:
//! every failure here is reported and the service goes on from memory.
//!
//! Two processes may share a cache name. Each replaces whole files; the last one wins.

mod freshness;
mod poison;
mod record;

use std::path::{Path, PathBuf};

pub(crate) use record::Record;
use tidegate_engine::lease::Clocks;

pub use crate::files::atomic_file::FileError;
use crate::files::atomic_file::Folder;
use crate::files::file_name::stem;
use crate::files::protected::Fault;

/// The files of one cache name.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: Folder,
    stem: String,
    is_closed: bool,
}

/// The cache could not be used for what was asked. The service goes on without it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The folder or a file in it cannot be used. Tried again with the next document.
    #[error("the cache is not usable: {0}")]
    File(#[from] FileError),
    /// The file is damaged and was renamed to `aside`; the next request to the source is unconditional.
    #[error("a file of the cache was damaged and renamed to `{}`; a new one will be written", aside.display())]
    Damaged {
        /// Where it is now.
        aside: PathBuf,
    },
    /// The file was written by a newer version of this program. It is left alone, and so is the cache for the
    /// rest of this run.
    #[error(
        "`{}` was written by a newer version (format {found}, this one reads up to {known}); \
         upgrade this program, or choose another cache name",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// A file of a newer version was found earlier in this run.
    #[error("the cache is off for this run, because a newer version of this program owns it")]
    Off,
    /// The cache name is empty.
    #[error("the cache name is empty; leave it out, or name the application")]
    Name,
}

impl Cache {
    /// Opens the cache called `name` in `folder`, which is made if need be. Any text but the empty one is a
    /// name; it never becomes a path.
    pub(crate) fn open(folder: &Path, name: &str) -> Result<Self, CacheError> {
        if name.is_empty() {
            return Err(CacheError::Name);
        }
        let cache = Self { folder: Folder::create(folder)?, stem: stem("cache-", name), is_closed: false };
        for part in [Part::Record, Part::Freshness, Part::Loading] {
            cache.folder.sweep(&cache.file_name(part));
        }
        Ok(cache)
    }

    /// The last good document; none if there is none yet.
    ///
    /// # Errors
    /// It is damaged and was renamed, or is a newer version's, or cannot be read. In each case there is no
    /// document, and none must be asked for with a tag.
    pub(crate) fn load(&mut self) -> Result<Option<Record>, CacheError> {
        self.check_open()?;
        let name = self.file_name(Part::Record);
        let content = match self.folder.read(&name, record::FILE_BYTES_MAX) {
            Err(FileError::TooBig { .. }) => return Err(self.set_aside(&name)),
            content => content?,
        };
        match content.map(Record::parse).transpose() {
            Ok(record) => Ok(record),
            Err(fault) => Err(self.refuse(&name, fault)),
        }
    }

    /// Replaces the document and its tag by those of `record`, and returns when both are on the disk.
    pub(crate) fn store(&self, record: &Record) -> Result<(), CacheError> {
        self.check_open()?;
        let head = record.head();
        Ok(self.folder.replace(
            &self.file_name(Part::Record),
            record::FILE_BYTES_MAX,
            &[head.as_bytes(), &record.body],
        )?)
    }

    /// The state of the lease clocks; none if there is none yet.
    pub(crate) fn load_freshness(&mut self) -> Result<Option<Clocks>, CacheError> {
        self.check_open()?;
        let name = self.file_name(Part::Freshness);
        let Some(content) = self.folder.read(&name, freshness::FILE_BYTES_MAX)? else { return Ok(None) };
        freshness::parse(&content).map(Some).map_err(|fault| self.refuse(&name, fault))
    }

    /// Replaces the state of the lease clocks.
    pub(crate) fn store_freshness(&self, clocks: &Clocks) -> Result<(), CacheError> {
        self.check_open()?;
        let text = freshness::to_text(clocks);
        Ok(self.folder.replace(&self.file_name(Part::Freshness), freshness::FILE_BYTES_MAX, &[text.as_bytes()])?)
    }

    /// The path of the document's file, for people.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path_of(&self.file_name(Part::Record))
    }

    fn refuse(&mut self, name: &str, fault: Fault) -> CacheError {
        match fault {
            Fault::Damaged => self.set_aside(name),
            Fault::Newer { found, known } => {
                self.is_closed = true;
                CacheError::Newer { path: self.folder.path_of(name), found, known }
            }
        }
    }

    fn set_aside(&self, name: &str) -> CacheError {
        let aside = format!("{name}.damaged");
        match self.folder.rename(name, &aside) {
            Ok(()) => CacheError::Damaged { aside: self.folder.path_of(&aside) },
            Err(error) => error.into(),
        }
    }

    fn check_open(&self) -> Result<(), CacheError> {
        if self.is_closed { Err(CacheError::Off) } else { Ok(()) }
    }

    fn file_name(&self, part: Part) -> String {
        let ending = match part {
            Part::Record => "document",
            Part::Freshness => "freshness",
            Part::Loading => "loading",
        };
        format!("{}.{ending}", self.stem)
    }
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Record,
    Freshness,
    Loading,
}

#[cfg(test)]
mod tests;
