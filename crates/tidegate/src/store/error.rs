//! Why a store cannot be opened, read or written.

use std::path::PathBuf;

use tidegate_replica::NodeId;

use crate::FileError;
use crate::ingest::source::BoxError;
use crate::store::limits::FORMAT;

/// A commit or a read failed. Nothing of a failed commit is kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk, its inodes or the quota are used up. Nothing was written; try the same batches again.
    #[error("no space left for `{}`; make room, and writing goes on by itself", path.display())]
    Full {
        /// The data folder.
        path: PathBuf,
    },
    /// The data folder could not be written at the start, and cannot be yet. What it holds was read; try again.
    #[error("the data folder `{}` cannot be written; correct that, and writing goes on by itself: {reason}", path.display())]
    Unwritable {
        /// The data folder.
        path: PathBuf,
        /// What is in the way.
        reason: String,
    },
    /// Another program (a backup, a shell) holds the database. Nothing was written; try again.
    #[error("another program holds the database in `{}`", path.display())]
    Busy {
        /// The data folder.
        path: PathBuf,
    },
    /// The system could not say that the data is on the disk. What is there is unknown, so the store is finished:
    /// a second sync may succeed for pages that the first one has dropped. A restart reads what is there.
    #[error(
        "the disk of `{}` failed to sync, so nothing more is written; check the disk, then start again: {source}",
        path.display()
    )]
    SyncFailed {
        /// The data folder.
        path: PathBuf,
        /// The system's reason.
        source: BoxError,
    },
    /// The database is damaged. The store is finished; the next start sets the file aside and saves what is whole.
    #[error("the database in `{}` is damaged; start again, and it is renamed: {source}", path.display())]
    Damaged {
        /// The data folder.
        path: PathBuf,
        /// What was found.
        source: BoxError,
    },
    /// The file system has become read-only, or the files do. The store is finished.
    #[error("the database in `{}` cannot be written any more: {source}", path.display())]
    ReadOnly {
        /// The data folder.
        path: PathBuf,
        /// The system's reason.
        source: BoxError,
    },
    /// The data folder or a file in it was deleted, moved or replaced while this process works in it. What it writes from now
    /// on would be gone with the next start, so the store is finished.
    #[error(
        "`{}` was {what} while this process works with it, so nothing more is written; put the data folder back as it was, \
         or keep what is there now, then start again",
        path.display()
    )]
    Replaced {
        /// The folder or the file.
        path: PathBuf,
        /// What has happened to it, as `deleted` or `replaced`.
        what: &'static str,
    },
    /// Another failure of the disk or of memory. The store is finished.
    #[error("the database in `{}` failed: {source}", path.display())]
    Io {
        /// The data folder.
        path: PathBuf,
        /// The system's reason.
        source: BoxError,
    },
    /// An earlier failure has finished this store. Only a restart helps.
    #[error("the store in `{}` was finished by an earlier failure; start again", path.display())]
    Finished {
        /// The data folder.
        path: PathBuf,
    },
    /// A fault of ours has ended the thread that writes. Only a restart helps.
    #[error("a fault in this program has ended the store; start again, and report it")]
    Fault,
    /// The store was closed while a reader of its history was still about.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether the same batches may be tried again later on the same store.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Unwritable { .. } | Self::Busy { .. })
    }
}

/// A data folder cannot be used. Nothing in it was changed, unless the text says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder or a file in it is missing, read-only, another user's, a link, or there is no space.
    #[error("the data folder is not usable: {0}")]
    File(#[from] FileError),
    /// Another process works in this folder. One folder is one node; give each process its own.
    #[error(
        "the data folder `{}` is in use by another process{}; stop it, or name another folder",
        path.display(),
        display_pid(*pid)
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process that holds it, as it wrote down itself.
        pid: Option<u32>,
    },
    /// A newer version of this program has written there. Nothing was touched.
    #[error(
        "`{}` was written by a newer version of this program (format {found}, this one knows up to {FORMAT}); \
         upgrade this program, or name another data folder",
        path.display()
    )]
    Newer {
        /// The file that says so.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The folder belongs to another node than the one whose certificate this process has. Nothing was touched.
    #[error(
        "the data folder `{}` belongs to node {found}, and the certificate is of node {wanted}; name the folder of that \
         node or a new one, and take the changes over with a backup",
        path.display()
    )]
    OtherNode {
        /// The folder.
        path: PathBuf,
        /// The node that it belongs to.
        found: NodeId,
        /// The node of the certificate.
        wanted: NodeId,
    },
    /// The file system cannot do what a database needs (a write-ahead log with shared memory), as most network
    /// file systems.
    #[error("the file system of `{}` is not fit for a database; name a folder on a local disk", path.display())]
    Unfit {
        /// The folder.
        path: PathBuf,
    },
    /// The database could not be opened or read, although nothing says that it is damaged. Try again.
    #[error("the database cannot be opened: {0}")]
    Store(#[from] StoreError),
}

impl OpenError {
    /// Whether the folder cannot be written, which may pass, and says nothing of what it holds.
    pub(crate) const fn is_unwritable(&self) -> bool {
        matches!(
            self,
            Self::File(FileError::Full { .. } | FileError::ReadOnly { .. })
                | Self::Store(StoreError::Full { .. } | StoreError::ReadOnly { .. })
        )
    }
}

fn display_pid(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}
