//! Whether a file is the one that was read before, without reading it again.
//!
//! A file system's clock ticks in milliseconds, so a file that was written twice within a tick looks the same. A reader
//! that relies on a version reads the file once more after it has changed: two looks in a row that find the same version settle it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// Changes when the file is replaced or written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FileVersion {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileVersion {
    pub(crate) fn from_metadata(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}
