//! The file of locks, looked at again and again.

use std::fs;

use tidegate_engine::{HostLock, Micros};

use super::LockFile;
use crate::files::file_version::FileVersion;

/// Keeps the last good locks of one file.
#[derive(Debug)]
pub(crate) struct LockWatch {
    file: Option<LockFile>,
    locks: Vec<HostLock>,
    trouble: Option<LockTrouble>,
    seen: Option<Seen>,
    /// Whether the file could ever be read, or was seen not to be there.
    has_read: bool,
}

/// What is wrong with the file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct LockTrouble {
    pub(crate) message: String,
    pub(crate) since: Micros,
}

/// What the last look found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Seen {
    version: Option<FileVersion>,
    /// Whether the look before found the same version.
    is_settled: bool,
}

impl LockWatch {
    /// Watches this file, or none at all.
    pub(crate) fn new(file: Option<LockFile>) -> Self {
        Self { file, locks: Vec::new(), trouble: None, seen: None, has_read: false }
    }

    pub(crate) fn file(&self) -> Option<&LockFile> {
        self.file.as_ref()
    }

    /// The last good locks.
    pub(crate) fn locks(&self) -> &[HostLock] {
        &self.locks
    }

    /// Whether the last good locks are known; else it is unknown which flags are locked.
    pub(crate) fn has_read(&self) -> bool {
        self.has_read
    }

    pub(crate) fn trouble(&self) -> Option<&LockTrouble> {
        self.trouble.as_ref()
    }

    /// Looks at the file. Whether anything has changed, be it locks or trouble.
    pub(crate) fn poll(&mut self, now: Micros) -> bool {
        let Some(file) = &self.file else { return false };
        let version = fs::metadata(file.path()).ok().map(|metadata| FileVersion::from_metadata(&metadata));
        let before = self.seen.filter(|seen| seen.version == version);
        if before.is_some_and(|seen| seen.is_settled) {
            return false;
        }
        self.seen = Some(Seen { version, is_settled: before.is_some() });
        match file.list() {
            Ok(locks) => {
                let has_changed = self.trouble.take().is_some() || locks != self.locks;
                self.locks = locks;
                self.has_read = true;
                has_changed
            }
            Err(error) => {
                let message = error.to_string();
                let known = self.trouble.as_ref().filter(|trouble| trouble.message == message);
                let has_changed = known.is_none();
                if has_changed {
                    self.trouble = Some(LockTrouble { message, since: now });
                }
                // A file that cannot be read may become readable without a change of its own.
                self.seen = None;
                has_changed
            }
        }
    }
}
