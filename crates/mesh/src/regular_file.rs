//! Reading certificates and keys: regular files up to a limit, and nothing that could block.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// The content of a regular file without a byte order mark; none of a named pipe, a socket, a device or a folder, which
/// are not opened.
pub(crate) fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    refuse_irregular(std::fs::metadata(path)?.file_type())?;
    // Should a pipe have taken its place since, opening it must not block.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    refuse_irregular(file.metadata()?.file_type())?;
    let bytes = read_at_most(&file, bytes_max)?;
    Ok(bytes.strip_prefix(BYTE_ORDER_MARK).map(<[u8]>::to_vec).unwrap_or(bytes))
}

fn read_at_most(file: &File, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::other(format!("it has more than the limit of {bytes_max} bytes")));
    }
    Ok(bytes)
}

fn refuse_irregular(kind: FileType) -> io::Result<()> {
    let what = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a named pipe (FIFO)"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(io::Error::other(format!("it is {what}; name a regular file")))
}

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn check(path: &Path, expected: &str) {
        let found = match read(path, 4) {
            Ok(content) => String::from_utf8(content).unwrap(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{}", path.display());
    }

    #[test]
    fn only_a_regular_file_is_opened_and_only_so_much_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("four"), "four").unwrap();
        std::fs::write(at("marked"), "\u{feff}a").unwrap();
        std::fs::write(at("fiver"), "fiver").unwrap();
        let mode = rustix::fs::Mode::RWXU;
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        check(&at("four"), "four");
        check(&at("marked"), "a");
        check(&at("fiver"), "it has more than the limit of 4 bytes");
        check(&at("pipe"), "it is a named pipe (FIFO); name a regular file");
        check(&at("socket"), "it is a socket; name a regular file");
        check(Path::new("/dev/zero"), "it is a device; name a regular file");
        check(folder.path(), "it is a folder; name a regular file");
    }
}
