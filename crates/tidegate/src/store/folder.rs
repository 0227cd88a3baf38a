//! The data folder: one process at a time, and who that process is.
//!
//! The node's id and the count of its starts lie in a file of their own, replaced as a whole, so that they
//! survive whatever happens to the database. The file is also where the folder's format is looked up before
//! anything is touched; a migration raises it first, then changes the database.
//!
//! ```text
//! tidegate-node <format> <XXH3-128 of the format and of all that follows the line, 32 hexadecimal digits>\n
//! {"node":"<16 hexadecimal digits>","starts":<starts>}\n
//! ```

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process;
use std::time::SystemTime;
use std::{fmt, io};

use serde::{Deserialize, Serialize};
use tidegate_replica::NodeId;

use super::OpenError;
use super::limits::FORMAT;
use crate::FileError;
use crate::files::atomic_file::Folder;
use crate::files::protected::{Fault, first_line, protected};

/// What a start has found in a data folder.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DataFolder {
    /// Where it is.
    pub path: PathBuf,
    /// Made at random when the folder was, once.
    pub node: NodeId,
    /// How many times a process has started here, this one included.
    pub starts: u64,
    /// Drawn for this start: no other process has it, not even one that works on a copy of this folder.
    pub instance: u64,
    /// Whether this start has made the node's id.
    pub is_new: bool,
    /// What was lost, or may have been; empty nearly always. All of it is in the log as well.
    pub damage: Vec<Damage>,
    /// Why the folder could not be written at the start; none nearly always. It is tried again by itself.
    pub unwritable: Option<String>,
}

/// Something in a data folder that was not as this program had left it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Damage {
    /// The file with the node's id was damaged; the id came from its copy in the database, or was made again.
    NodeFile {
        /// Where the damaged file is now.
        aside: PathBuf,
        /// Whether the id is the old one.
        is_same_node: bool,
    },
    /// The database was damaged and renamed.
    Database {
        /// Where it is now; what belongs to it has the same ending.
        aside: PathBuf,
        /// What was wrong with it.
        reason: String,
        /// Registers that were whole and are in the new database.
        saved: u64,
    },
    /// The folder belongs to a node, and its database is gone.
    DatabaseMissing,
    /// The end of the write-ahead log cannot be read. It may be a commit that a crash cut short, of which
    /// no message was logged; it may also be a damaged one.
    LogTail,
    /// Single registers were damaged; they are ignored, and kept in a table of the database.
    Rows {
        /// How many.
        count: u64,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NodeFile { aside, is_same_node } => {
                let id = if *is_same_node { "read from its copy" } else { "newly made" };
                write!(f, "the file with the node's id was damaged and is now `{}`; the id was {id}", aside.display())
            }
            Self::Database { aside, reason, saved } => write!(
                f,
                "the database was damaged ({reason}) and is now `{}`; {saved} registers were whole and saved",
                aside.display()
            ),
            Self::DatabaseMissing => f.write_str("the database of this node is gone; a new one was made"),
            Self::LogTail => f.write_str("the end of the write-ahead log was cut short or damaged"),
            Self::Rows { count } => write!(f, "{count} registers were damaged and are ignored"),
        }
    }
}

/// A data folder that this process holds.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) folder: Folder,
    /// As named by the caller, for messages.
    pub(super) path: PathBuf,
    /// Without links.
    pub(super) real_path: PathBuf,
    lock: Option<File>,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closing alone leaves the lock to a child process that was just made and has not become itself yet.
        let _ = self.lock.as_ref().map(File::unlock);
    }
}

impl Held {
    /// Takes hold of the folder, which is made if need be.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        let folder = Folder::create(path)?;
        folder.make_private_if_empty()?;
        let mut lock = folder.open_to_lock(LOCK)?;
        // The descriptor is of what was there without following a link; now it must be a file of ours as well.
        folder.examine(LOCK)?;
        let sort = |error| FileError::sort(&folder.path_of(LOCK), error);
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { path: path.to_owned(), pid: pid_in(&mut lock) });
            }
            Err(fs::TryLockError::Error(error)) => return Err(sort(error).into()),
        }
        lock.set_permissions(fs::Permissions::from_mode(0o600)).map_err(sort)?;
        // For people only: the error for a locked folder names the process. On a full disk it does not.
        let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", process::id()));
        let real_path = folder.real_path()?;
        folder.sweep(NODE);
        Ok(Self { folder, path: path.to_owned(), real_path, lock: Some(lock) })
    }

    /// Takes hold of a folder that may not be writable, without changing anything in it; none if there is no folder.
    pub(super) fn take_as_it_is(path: &Path) -> Result<Option<Self>, OpenError> {
        let folder = match Folder::open(path) {
            Err(FileError::NotFound { .. }) => return Ok(None),
            folder => folder?,
        };
        // Without a lock no process works in the folder, and none can as long as nothing can be created there.
        let mut lock = folder.open_file(LOCK)?;
        if let Some(file) = &mut lock {
            match file.try_lock() {
                Ok(()) => {}
                Err(fs::TryLockError::WouldBlock) => {
                    return Err(OpenError::InUse { path: path.to_owned(), pid: pid_in(file) });
                }
                Err(fs::TryLockError::Error(error)) => {
                    return Err(FileError::sort(&folder.path_of(LOCK), error).into());
                }
            }
        }
        let real_path = folder.real_path()?;
        Ok(Some(Self { folder, path: path.to_owned(), real_path, lock }))
    }

    /// What the file with the node's id says.
    pub(super) fn read_identity(&self) -> Result<IdentityFile, OpenError> {
        let content = match self.folder.read(NODE, NODE_BYTES_MAX) {
            Err(FileError::TooBig { .. }) => return Ok(IdentityFile::Damaged),
            content => content?,
        };
        let Some(content) = content else { return Ok(IdentityFile::None) };
        match protected(&content, MAGIC, FORMAT) {
            Err(Fault::Newer { found, .. }) => Err(OpenError::Newer { path: self.folder.path_of(NODE), found }),
            Err(Fault::Damaged) => Ok(IdentityFile::Damaged),
            Ok(rest) => Ok(Identity::parse(rest).map_or(IdentityFile::Damaged, IdentityFile::Whole)),
        }
    }

    /// Makes an identity durable.
    pub(super) fn write_identity(&self, identity: Identity) -> Result<(), FileError> {
        let rest = format!("{{\"node\":\"{}\",\"starts\":{}}}\n", identity.node, identity.starts);
        let line = first_line(MAGIC, FORMAT, &[rest.as_bytes()]);
        self.folder.replace(NODE, NODE_BYTES_MAX, &[line.as_bytes(), rest.as_bytes()])
    }

    /// Moves the damaged file with the node's id aside.
    pub(super) fn set_identity_aside(&self) -> Result<PathBuf, FileError> {
        let aside = format!("{NODE}.{}", self.unused_ending(&[NODE])?);
        self.folder.rename(NODE, &aside)?;
        Ok(self.folder.path_of(&aside))
    }

    /// An ending under which none of these names has a file yet.
    pub(super) fn unused_ending(&self, names: &[&str]) -> Result<String, FileError> {
        let millis = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let mut count = 0_u32;
        loop {
            let ending = if count == 0 { format!("damaged-{millis}") } else { format!("damaged-{millis}-{count}") };
            let mut is_used = false;
            for name in names {
                let path = self.folder.path_of(&format!("{name}.{ending}"));
                is_used |= match fs::symlink_metadata(&path) {
                    Ok(_) => true,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => false,
                    Err(error) => return Err(FileError::sort(&path, error)),
                };
            }
            if !is_used {
                return Ok(ending);
            }
            count = count.saturating_add(1);
        }
    }
}

/// Who a process is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Identity {
    pub(super) node: NodeId,
    pub(super) starts: u64,
}

/// The file with the node's id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum IdentityFile {
    None,
    Whole(Identity),
    Damaged,
}

impl Identity {
    /// A node that has never been.
    pub(super) fn new() -> Self {
        Self { node: NodeId::new(draw()), starts: 0 }
    }

    fn parse(rest: &[u8]) -> Option<Self> {
        let parts: Parts = serde_json::from_slice(rest).ok()?;
        let node: NodeId = parts.node.parse().ok()?;
        Some(Self { node, starts: parts.starts })
    }
}

/// A number that no other process draws: the standard library's random keys have seeded it. Never 0, which is what a
/// field looks like that is not set.
pub(super) fn draw() -> u64 {
    RandomState::new().hash_one((process::id(), SystemTime::now())).max(1)
}

#[derive(Deserialize, Serialize)]
struct Parts {
    node: String,
    starts: u64,
}

/// The process that the file names.
fn pid_in(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// The file that is locked while a process works here.
pub(super) const LOCK: &str = "lock";

/// The file with the node's id.
pub(super) const NODE: &str = "node";

const MAGIC: &str = "tidegate-node";

/// Two short lines.
const NODE_BYTES_MAX: u64 = 1_024;
