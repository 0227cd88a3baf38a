//! Pins of single flags on this host.
//!
//! A lock outranks everything that a document says. Locks live in one file, `locks.json` in the state folder
//! of the user, or wherever `TIDEGATE_LOCKS` says. Programs of this user that are running pick up a change
//! within a second. A file with an error never unlocks anything: the locks that were active stay active, and the
//! [`Status`](crate::Status) says what to fix.
//!
//! ```json
//! {"locks": [
//!   {"flag": "features/checkout", "variant": "stable",
//!    "actor": "dana", "reason": "INC-1234", "until": "2026-12-01T00:00:00Z"},
//!   {"flag": "limits/batch", "value": 100}
//! ]}
//! ```
//!
//! `flag`, and one of `variant` (`stable` or `new`) and `value` (any JSON), are needed. A lock with a value
//! works for a flag that is not defined yet. A lock is active while now is before `until`, or until it is removed.
//! Of two locks on one flag the later one counts. `who` and `why`, the old names of `actor` and `reason`, are read too.

mod content;
mod watch;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tidegate_engine::{FlagKey, HostLock};

use crate::files::atomic_file::{FileError, Folder};
use crate::files::paths;

pub(crate) use content::checked;
pub(crate) use watch::LockWatch;

/// The file with the locks of this host. Nothing is read before it is asked.
///
/// ```
/// use tidegate::locks::LockFile;
/// use tidegate::{FlagKey, HostLock, Pin, Variant};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("locks.json");
/// let file = LockFile::at(path);
/// file.add(&HostLock {
///     flag: FlagKey::parse("features/checkout"),
///     pin: Pin::Variant(Variant::Stable),
///     actor: "dana".to_owned(),
///     reason: "INC-1234".to_owned(),
///     until: None,
/// })?;
/// assert_eq!(file.list()?.len(), 1);
/// assert!(file.remove(&FlagKey::parse("features/checkout"))?.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LockFile {
    path: PathBuf,
}

impl LockFile {
    /// The file at this path.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The file that programs on this host read unless told otherwise: `$TIDEGATE_LOCKS`, or `locks.json` in
    /// `$XDG_STATE_HOME/tidegate` or `~/.local/state/tidegate`.
    ///
    /// # Errors
    /// There is no home folder, and neither variable is set.
    pub fn of_this_host() -> Result<Self, LockError> {
        paths::locks_file().map(Self::at).ok_or(LockError::NoHome)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The locks in it, expired ones included; none if there is no such file.
    ///
    /// # Errors
    /// The file cannot be read, or what it says is no list of locks.
    pub fn list(&self) -> Result<Vec<HostLock>, LockError> {
        let (folder, name) = self.place();
        match Folder::open(&folder) {
            Ok(folder) => self.read_in(&folder, &name),
            Err(FileError::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Adds a lock, in the place of any other on the same flag, which is returned. File and folder are made
    /// if need be, for their owner only. Other programs that change the file at the same time lose nothing.
    ///
    /// # Errors
    /// The lock is not legal, or the file cannot be read or written; then it is as it was.
    pub fn add(&self, lock: &HostLock) -> Result<Option<HostLock>, LockError> {
        let lock = checked(lock).map_err(|problem| LockError::Lock { flag: lock.flag.clone(), problem })?;
        self.change(|locks| {
            let replaced = take(locks, &lock.flag);
            locks.push(lock);
            replaced
        })
    }

    /// Takes the lock on a flag away, and returns it; none if there was none.
    ///
    /// # Errors
    /// The file cannot be read or written; then it is as it was.
    pub fn remove(&self, flag: &FlagKey) -> Result<Option<HostLock>, LockError> {
        match Folder::open(&self.place().0) {
            Err(FileError::NotFound { .. }) => Ok(None),
            _ => self.change(|locks| take(locks, flag)),
        }
    }

    /// Reads, changes, writes, while no other process does.
    fn change<R>(&self, change: impl FnOnce(&mut Vec<HostLock>) -> R) -> Result<R, LockError> {
        let (folder, name) = self.place();
        let folder = Folder::create(&folder)?;
        // A file of its own, which is never replaced: two that wait for the same lock have the same file.
        let _guard = self.guard(folder.open_to_lock(&format!("{name}.lock"))?)?;
        let before = self.read_in(&folder, &name)?;
        let mut locks = before.clone();
        let result = change(&mut locks);
        if locks == before {
            return Ok(result);
        }
        // Locks that were taken away always make room.
        if locks.len() > LOCKS_MAX && locks.len() >= before.len() {
            return Err(LockError::Full);
        }
        let text = content::render(&locks);
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(LockError::TooBig { bytes: text.len() });
        }
        // What its reader would refuse would leave this host without any lock.
        let problems = match content::parse(text.as_bytes()) {
            Ok(read) if read == locks => Vec::new(),
            Ok(_) => vec!["it would not read back as it is written".to_owned()],
            Err(problems) => problems,
        };
        if !problems.is_empty() {
            return Err(LockError::Content { path: self.path.clone(), problems });
        }
        folder.replace(&name, FILE_BYTES_MAX, &[text.as_bytes()])?;
        Ok(result)
    }

    fn guard(&self, file: File) -> Result<File, LockError> {
        let give_up = Instant::now() + GUARD_WAIT_MAX;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < give_up => thread::sleep(GUARD_PAUSE),
                Err(TryLockError::WouldBlock) => return Err(LockError::Busy { path: self.path.clone() }),
                Err(TryLockError::Error(error)) => return Err(FileError::sort(&self.path, error).into()),
            }
        }
    }

    fn read_in(&self, folder: &Folder, name: &str) -> Result<Vec<HostLock>, LockError> {
        let Some(text) = folder.read(name, FILE_BYTES_MAX)? else { return Ok(Vec::new()) };
        content::parse(&text).map_err(|problems| LockError::Content { path: self.path.clone(), problems })
    }

    /// The folder, and the name in it. A path that names no file reads as a file that cannot be opened.
    fn place(&self) -> (PathBuf, String) {
        let name = self.path.file_name().map_or_else(|| ".".to_owned(), |name| name.to_string_lossy().into_owned());
        let folder = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        (folder.unwrap_or(Path::new(".")).to_owned(), name)
    }
}

fn take(locks: &mut Vec<HostLock>, flag: &FlagKey) -> Option<HostLock> {
    let taken = locks.iter().rev().find(|lock| lock.flag == *flag).cloned();
    locks.retain(|lock| lock.flag != *flag);
    taken
}

/// The file of locks could not be used. It is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// No path was given, and there is no home folder to look in.
    #[error("there is no home folder to keep locks in; set `TIDEGATE_LOCKS` to the path of a file")]
    NoHome,
    /// The file, or its folder, cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// What the file says is no list of locks. Fix it by hand, or remove it.
    #[error("`{}` is not a list of locks: {}", path.display(), problems.join("; "))]
    Content {
        /// The file.
        path: PathBuf,
        /// All that is wrong with it, each with its place.
        problems: Vec<String>,
    },
    /// The lock that was to be added is not legal.
    #[error("the lock on `{flag}` is not legal: {problem}")]
    Lock {
        /// Its flag.
        flag: FlagKey,
        /// What is wrong with it.
        problem: String,
    },
    /// There are [`LOCKS_MAX`] locks already.
    #[error("there are {LOCKS_MAX} locks already; take some away first")]
    Full,
    /// The file would be larger than [`FILE_BYTES_MAX`], which no program reads.
    #[error(
        "the locks would take {bytes} bytes, more than the limit of {FILE_BYTES_MAX}; take some away first, or shorten their reasons"
    )]
    TooBig {
        /// Their size.
        bytes: usize,
    },
    /// Another program has been changing the file for seconds. Try again.
    #[error("`{}` is being changed by another program; try again", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
}

/// The most locks in one file: a host that needs more wants a document.
pub const LOCKS_MAX: usize = 10_000;

/// The largest file of locks in bytes: 1 MiB.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// How long a change waits for another one.
const GUARD_WAIT_MAX: Duration = Duration::from_secs(5);

/// Time between two looks whether the other one is done.
const GUARD_PAUSE: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests;
