//! Replacing a small file as a whole: a reader, and a process that starts after a crash at any point, sees
//! the old content or the new, never a third.
//!
//! The content is written to a new file in the same folder, flushed to the disk, and renamed over the old
//! one; then the folder is flushed, so that the rename survives as well. When anything fails the new file is
//! removed and the old one is as it was. Files are 0600 and folders 0700 whatever the umask; neither the
//! file nor its folder may be a symbolic link, and the folder may not belong to another user.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, Mode, OFlags};

use crate::files::regular_file::FileKind;

/// A folder of files of our own, opened so that its path is not followed again.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

/// A file, whatever it is called.
#[cfg(feature = "cluster")]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl Folder {
    /// Opens the folder, and makes it and those above it if it does not exist.
    pub(crate) fn create(path: &Path) -> Result<Self, FileError> {
        match Self::open(path) {
            Err(FileError::NotFound { .. }) => {}
            outcome => return outcome,
        }
        // From the first one that is not there, each with its name in the folder above it made durable: what a power cut
        // leaves of a path is then its beginning, and a folder that was reported as made is there.
        let missing: Vec<&Path> = path.ancestors().take_while(|folder| !is_there(folder)).collect();
        for folder in missing.into_iter().rev() {
            let sort = |error| FileError::sort(folder, error);
            match fs::DirBuilder::new().mode(0o700).create(folder) {
                // Another process was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made.map_err(sort)?,
            }
            sync_folder(parent(folder)).map_err(sort)?;
        }
        Self::open(path)
    }

    /// Makes the names of this folder and of those above it durable, as far as this process may: for a folder that an
    /// earlier process may have made and not lived to make durable.
    #[cfg(feature = "cluster")]
    pub(crate) fn sync_path(&self) -> Result<(), FileError> {
        let path = self.real_path()?;
        for folder in path.ancestors().skip(1) {
            match sync_folder(folder) {
                Ok(()) => {}
                // The ones that others have made are theirs.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
                // Not every file system can: then there is nothing to be made durable.
                Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {}
                Err(error) => return Err(FileError::sort(folder, error)),
            }
        }
        Ok(())
    }

    /// Opens the folder; it must be a folder, and this user's or the system's.
    pub(crate) fn open(path: &Path) -> Result<Self, FileError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| match error {
            // A link in place of a folder is reported in either way.
            rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR => FileError::NotOurs { path: path.to_owned() },
            other => FileError::sort(path, other.into()),
        })?;
        let metadata = File::from(fd.try_clone().map_err(|error| FileError::sort(path, error))?);
        let metadata = metadata.metadata().map_err(|error| FileError::sort(path, error))?;
        let is_open_to_all = metadata.mode() & 0o1002 == 0o002;
        if !is_ours(&metadata) || is_open_to_all {
            return Err(FileError::NotOurs { path: path.to_owned() });
        }
        Ok(Self { fd, path: path.to_owned() })
    }

    /// The path of a file in this folder, for messages.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The content of a file; none if there is no such file.
    ///
    /// # Errors
    /// It is larger than `limit`, no regular file, belongs to another user, or cannot be read.
    pub(crate) fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, FileError> {
        let sort = |error: io::Error| FileError::sort(&self.path_of(name), error);
        let Some(file) = self.open_file(name)? else { return Ok(None) };
        let metadata = file.metadata().map_err(sort)?;
        if metadata.len() > limit {
            return Err(FileError::TooBig { path: self.path_of(name), limit });
        }
        let mut content = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
        file.take(limit + 1).read_to_end(&mut content).map_err(sort)?;
        if content.len() as u64 > limit {
            return Err(FileError::TooBig { path: self.path_of(name), limit });
        }
        Ok(Some(content))
    }

    /// A file for reading: a regular one of ours, or none.
    pub(crate) fn open_file(&self, name: &str) -> Result<Option<File>, FileError> {
        let sort = |error: io::Error| FileError::sort(&self.path_of(name), error);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(rustix::io::Errno::LOOP) => return Err(FileError::NotOurs { path: self.path_of(name) }),
            // A socket, or a device that is not there: it cannot even be opened.
            Err(rustix::io::Errno::NXIO) => {
                let kind =
                    fs::symlink_metadata(self.path_of(name)).ok().and_then(|at| FileKind::from_type(at.file_type()));
                let kind = kind.unwrap_or(FileKind::Other);
                return Err(FileError::NotRegular { path: self.path_of(name), kind });
            }
            Err(other) => return Err(sort(other.into())),
        };
        let metadata = file.metadata().map_err(sort)?;
        if metadata.is_dir() {
            return Err(FileError::IsFolder { path: self.path_of(name) });
        }
        if let Some(kind) = FileKind::from_type(metadata.file_type()) {
            return Err(FileError::NotRegular { path: self.path_of(name), kind });
        }
        if is_ours(&metadata) { Ok(Some(file)) } else { Err(FileError::NotOurs { path: self.path_of(name) }) }
    }

    /// Replaces the content of a file by `parts`, one after the other. The limit is that of its reader: what its
    /// reader would refuse is not written, and the file stays as it was.
    pub(crate) fn replace(&self, name: &str, limit: u64, parts: &[&[u8]]) -> Result<(), FileError> {
        if parts.iter().map(|part| part.len() as u64).sum::<u64>() > limit {
            return Err(FileError::TooBig { path: self.path_of(name), limit });
        }
        let temporary = temporary_name(name);
        let outcome = self.write_and_rename(&temporary, name, parts);
        if outcome.is_err() {
            // Gone already if the rename was done.
            let _ = rustix::fs::unlinkat(&self.fd, temporary.as_str(), AtFlags::empty());
        }
        outcome.map_err(|error| FileError::sort(&self.path_of(name), error))
    }

    fn write_and_rename(&self, temporary: &str, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&self.fd, temporary, flags, Mode::RUSR | Mode::WUSR)?);
        fill(file, parts)?;
        rustix::fs::renameat(&self.fd, temporary, &self.fd, name)?;
        rustix::fs::fsync(&self.fd)?;
        Ok(())
    }

    /// Moves a file aside, over an earlier one of the new name.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), FileError> {
        rustix::fs::renameat(&self.fd, from, &self.fd, to)
            .and_then(|()| rustix::fs::fsync(&self.fd))
            .map_err(|error| FileError::sort(&self.path_of(from), error.into()))
    }

    /// Removes a file; that it does not exist is no error.
    pub(crate) fn remove(&self, name: &str) -> Result<(), FileError> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(FileError::sort(&self.path_of(name), error.into())),
        }
    }

    /// What is known of a file of ours; none if there is no such file.
    ///
    /// # Errors
    /// It is a link, no regular file, or belongs to another user.
    #[cfg(feature = "cluster")]
    pub(crate) fn examine(&self, name: &str) -> Result<Option<Metadata>, FileError> {
        let file = self.open_file(name)?;
        let metadata = file.map(|file| file.metadata()).transpose();
        metadata.map_err(|error| FileError::sort(&self.path_of(name), error))
    }

    /// Which file a name leads to now, without following a link; none if there is no such file.
    #[cfg(feature = "cluster")]
    pub(crate) fn identify(&self, name: &str) -> Result<Option<FileId>, FileError> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(FileId { device: found.st_dev, inode: found.st_ino })),
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Ok(None),
            Err(error) => Err(FileError::sort(&self.path_of(name), error.into())),
        }
    }

    /// Whether this folder is what a path leads to now; none if nothing is there.
    #[cfg(feature = "cluster")]
    pub(crate) fn is_at(&self, path: &Path) -> Result<Option<bool>, FileError> {
        let found = match fs::symlink_metadata(path) {
            Ok(found) => found,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(FileError::sort(path, error)),
        };
        let opened = rustix::fs::fstat(&self.fd).map_err(|error| FileError::sort(path, error.into()))?;
        Ok(Some((found.dev(), found.ino()) == (opened.st_dev, opened.st_ino)))
    }

    /// At most the first `count` bytes of a file, however large; none if there is no such file.
    #[cfg(feature = "cluster")]
    pub(crate) fn read_start(&self, name: &str, count: usize) -> Result<Option<Vec<u8>>, FileError> {
        let Some(file) = self.open_file(name)? else { return Ok(None) };
        let mut start = Vec::with_capacity(count);
        file.take(count as u64).read_to_end(&mut start).map_err(|error| FileError::sort(&self.path_of(name), error))?;
        Ok(Some(start))
    }

    /// Makes an empty file that only this user may read, for a program that would make it otherwise.
    ///
    /// # Errors
    /// There is a file of that name, or none can be made.
    #[cfg(feature = "cluster")]
    pub(crate) fn create_empty(&self, name: &str) -> Result<(), FileError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)
            .and_then(|_| rustix::fs::fsync(&self.fd))
            .map_err(|error| FileError::sort(&self.path_of(name), error.into()))
    }

    /// Makes a folder that holds nothing yet private. One with files in it is left as its owner wants it.
    #[cfg(feature = "cluster")]
    pub(crate) fn make_private_if_empty(&self) -> Result<(), FileError> {
        let sort = |error: io::Error| FileError::sort(&self.path, error);
        if fs::read_dir(&self.path).map_err(sort)?.next().is_none() {
            rustix::fs::fchmod(&self.fd, Mode::RWXU).map_err(|error| sort(error.into()))?;
        }
        Ok(())
    }

    /// The path with every link in it resolved, for a program that refuses links anywhere in a path.
    #[cfg(feature = "cluster")]
    pub(crate) fn real_path(&self) -> Result<PathBuf, FileError> {
        let sort = |error: io::Error| FileError::sort(&self.path, error);
        let path = fs::canonicalize(&self.path).map_err(sort)?;
        let (named, opened) = (fs::symlink_metadata(&path).map_err(sort)?, rustix::fs::fstat(&self.fd));
        let opened = opened.map_err(|error| sort(error.into()))?;
        // Another process may have put another folder there since this one was opened.
        if (named.dev(), named.ino()) == (opened.st_dev, opened.st_ino) {
            Ok(path)
        } else {
            Err(FileError::NotOurs { path: self.path.clone() })
        }
    }

    /// Opens a file for locking, made if need be.
    pub(crate) fn open_to_lock(&self, name: &str) -> Result<File, FileError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)
            .map(File::from)
            .map_err(|error| FileError::sort(&self.path_of(name), error.into()))
    }

    /// Removes what replacements of `name` have left behind that a crash cut short. Those of a process that
    /// is still at it are young.
    pub(crate) fn sweep(&self, name: &str) {
        let Ok(entries) = fs::read_dir(&self.path) else { return };
        let prefix = temporary_prefix(name);
        for entry in entries.flatten().take(SWEPT_MAX) {
            let file_name = entry.file_name();
            let Some(text) = file_name.to_str().filter(|text| text.starts_with(&prefix)) else { continue };
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let age = modified.map(|at| SystemTime::now().duration_since(at).unwrap_or_default());
            if age.is_ok_and(|age| age > ABANDONED) {
                let _ = self.remove(text);
            }
        }
    }
}

/// Whether there is something at this path; the empty one is where the process is.
fn is_there(path: &Path) -> bool {
    path.as_os_str().is_empty() || path.symlink_metadata().is_ok()
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in a folder durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(path, flags, Mode::empty())?;
    Ok(rustix::fs::fsync(&folder)?)
}

/// Writes everything and flushes it to the disk.
fn fill(mut file: File, parts: &[&[u8]]) -> io::Result<()> {
    for part in parts {
        file.write_all(part)?;
    }
    // The umask may have taken bits away; none may be added by anything.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    // Not tried again when it fails: the kernel may then claim success for pages that it has dropped.
    file.sync_all()
}

/// Whether this user, or the system's administrator, owns it.
fn is_ours(metadata: &Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw() || metadata.uid() == 0
}

fn temporary_name(name: &str) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    // Process numbers repeat across containers that share a folder; the clock tells those apart.
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{}{}-{nanos:x}-{count}", temporary_prefix(name), process::id())
}

fn temporary_prefix(name: &str) -> String {
    format!(".{name}.new-")
}

/// Age at which an unfinished file is certain to be abandoned.
const ABANDONED: Duration = Duration::from_hours(1);

/// Entries of a folder that are looked at for abandoned files.
const SWEPT_MAX: usize = 10_000;

/// A file of ours could not be read or replaced. What was there is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// There is no such folder or file.
    #[error("`{}` does not exist", path.display())]
    NotFound {
        /// Where.
        path: PathBuf,
    },
    /// It is a symbolic link, no folder or file, belongs to another user, or every user may write there.
    #[error(
        "`{}` is a link, belongs to another user, or can be written by everybody; name a folder of your own",
        path.display()
    )]
    NotOurs {
        /// Where.
        path: PathBuf,
    },
    /// It is a folder where a file is due.
    #[error("`{}` is a folder; name a file in it", path.display())]
    IsFolder {
        /// Where.
        path: PathBuf,
    },
    /// It is a named pipe, a socket or a device where a file is due.
    #[error("`{}` is {kind}; name a regular file", path.display())]
    NotRegular {
        /// Where.
        path: PathBuf,
        /// What it is.
        kind: FileKind,
    },
    /// The disk, its inodes or the quota are used up.
    #[error("no space for `{}`; make room", path.display())]
    Full {
        /// Where.
        path: PathBuf,
    },
    /// The file system is read-only, or this process may not write there.
    #[error("`{}` cannot be written by this process; name another folder, or change its permissions", path.display())]
    ReadOnly {
        /// Where.
        path: PathBuf,
    },
    /// The file is larger than any that this program reads, or would be; then it is as it was.
    #[error("`{}` is larger than {limit} bytes", path.display())]
    TooBig {
        /// Where.
        path: PathBuf,
        /// Accepted size in bytes.
        limit: u64,
    },
    /// Another failure of the disk.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl FileError {
    pub(crate) fn sort(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly { path },
            _ => Self::Io { path, source },
        }
    }
}

#[cfg(test)]
mod tests;
