//! Reads a file that a user has named: a regular one, up to a limit, and nothing that could block.
//!
//! Opening a named pipe waits for a writer, reading a device may never end, and opening some devices does something.
//! So the kind is looked up before anything is opened, and once more on what was opened.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// Reads a regular file of at most `bytes_max` bytes. A byte order mark at its beginning is part of the content.
///
/// It never waits for another process: a named pipe, a socket, a device or a folder is an error, and is not opened.
///
/// ```
/// use tidegate::{FileProblem, read_file};
///
/// assert!(matches!(read_file("/dev/zero".as_ref(), 1024), Err(FileProblem::NotRegular { .. })));
/// assert!(matches!(read_file("/".as_ref(), 1024), Err(FileProblem::Folder)));
/// ```
///
/// # Errors
/// There is no such file, it is not a regular one, it is larger than `bytes_max`, or it cannot be read.
pub fn read_file(path: &Path, bytes_max: usize) -> Result<Vec<u8>, FileProblem> {
    read(path, bytes_max).map(|(_, content)| content)
}

/// The same, with what the system knows of the file that was read.
pub(crate) fn read(path: &Path, bytes_max: usize) -> Result<(Metadata, Vec<u8>), FileProblem> {
    let (file, metadata) = open(path)?;
    if metadata.len() > bytes_max as u64 {
        return Err(FileProblem::TooBig { bytes: metadata.len(), limit: bytes_max });
    }
    let content = read_at_most(&file, bytes_max, metadata.len())?;
    Ok((metadata, content))
}

/// Opens a regular file for reading, of any size; see [`read_file`].
///
/// # Errors
/// There is no such file, it is not a regular one, or it cannot be opened.
pub fn open_file(path: &Path) -> Result<File, FileProblem> {
    open(path).map(|(file, _)| file)
}

fn open(path: &Path) -> Result<(File, Metadata), FileProblem> {
    refuse_irregular(&std::fs::metadata(path).map_err(FileProblem::sort)?)?;
    // Should a pipe have taken its place since, opening it must not block.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(FileProblem::sort)?;
    let metadata = file.metadata().map_err(FileProblem::sort)?;
    refuse_irregular(&metadata)?;
    Ok((file, metadata))
}

/// Reads to the end, which may have moved since the file's size was asked.
fn read_at_most(file: &File, limit: usize, expected: u64) -> Result<Vec<u8>, FileProblem> {
    let mut content = Vec::with_capacity(usize::try_from(expected).unwrap_or(0).min(limit).saturating_add(1));
    file.take((limit as u64).saturating_add(1)).read_to_end(&mut content).map_err(FileProblem::sort)?;
    if content.len() > limit {
        return Err(FileProblem::TooBig { bytes: content.len() as u64, limit });
    }
    Ok(content)
}

fn refuse_irregular(metadata: &Metadata) -> Result<(), FileProblem> {
    let kind = metadata.file_type();
    if kind.is_dir() {
        return Err(FileProblem::Folder);
    }
    match FileKind::from_type(kind) {
        Some(kind) => Err(FileProblem::NotRegular { kind }),
        None => Ok(()),
    }
}

/// What a path names that is neither a regular file nor a folder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FileKind {
    /// A named pipe, also called FIFO.
    Pipe,
    /// A socket.
    Socket,
    /// A device: `/dev/zero`, a terminal, a disk.
    Device,
    /// Something else.
    Other,
}

impl FileKind {
    /// None for a regular file.
    pub(crate) fn from_type(kind: FileType) -> Option<Self> {
        if kind.is_file() {
            None
        } else if kind.is_fifo() {
            Some(Self::Pipe)
        } else if kind.is_socket() {
            Some(Self::Socket)
        } else if kind.is_block_device() || kind.is_char_device() {
            Some(Self::Device)
        } else {
            Some(Self::Other)
        }
    }
}

impl std::fmt::Display for FileKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pipe => "a named pipe (FIFO)",
            Self::Socket => "a socket",
            Self::Device => "a device",
            Self::Other => "not a file",
        })
    }
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileProblem {
    /// There is no such file, or a link leads nowhere.
    #[error("does not exist; if it is being replaced, write a new file and rename it over the old one")]
    NotFound,
    /// This process may not read it.
    #[error("may not be read by this process; check its permissions and those of its folders")]
    NotReadable,
    /// It is a folder.
    #[error("is a folder; name the file in it")]
    Folder,
    /// It is a pipe, a socket or a device. It was not opened.
    #[error("is {kind}; name a regular file")]
    NotRegular {
        /// What it is.
        kind: FileKind,
    },
    /// It is larger than accepted. It was not read.
    #[error("has {bytes} bytes, more than the limit of {limit}")]
    TooBig {
        /// Its size in bytes.
        bytes: u64,
        /// Accepted size in bytes.
        limit: usize,
    },
    /// Reading failed for another reason.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
}

impl FileProblem {
    pub(crate) fn sort(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NotFound,
            io::ErrorKind::PermissionDenied => Self::NotReadable,
            io::ErrorKind::IsADirectory => Self::Folder,
            _ => Self::Io(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn check(path: &Path, expected: &str) {
        let found = match read_file(path, 4) {
            Ok(content) => String::from_utf8(content).unwrap(),
            Err(problem) => problem.to_string(),
        };
        assert_eq!(found, expected, "{}", path.display());
    }

    #[test]
    fn only_a_regular_file_is_opened_and_only_so_much_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("four"), "four").unwrap();
        std::fs::write(at("fiver"), "fiver").unwrap();
        std::os::unix::fs::symlink(at("four"), at("link")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .unwrap();
        std::os::unix::fs::symlink(at("pipe"), at("link-to-pipe")).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        check(&at("four"), "four");
        check(&at("link"), "four");
        check(&at("fiver"), "has 5 bytes, more than the limit of 4");
        check(&at("pipe"), "is a named pipe (FIFO); name a regular file");
        check(&at("link-to-pipe"), "is a named pipe (FIFO); name a regular file");
        check(&at("socket"), "is a socket; name a regular file");
        check(Path::new("/dev/zero"), "is a device; name a regular file");
        check(folder.path(), "is a folder; name the file in it");
        check(&at("four/x"), &FileProblem::NotFound.to_string());
        check(&at("none"), &FileProblem::NotFound.to_string());
        // It says that it is empty, and is not.
        check(Path::new("/proc/self/maps"), "has 5 bytes, more than the limit of 4");
    }
}
