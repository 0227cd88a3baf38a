//! Reads and writes the files that the command line names: documents, keys, headers, entries, backups.
//!
//! A path has to name a regular file, or an open descriptor of this process (a shell passes one for `<(...)`). Anything else is
//! an error at once, because opening a named pipe blocks and a device may be endless. Every read has a limit.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use tidegate::FileProblem;

/// The content of the file at a path, of at most `bytes_max` bytes. The error is a sentence about it.
pub(crate) fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>, String> {
    read_start(path, bytes_max).and_then(|content| within(content, bytes_max))
}

/// The same of the file at a path, or of standard input where it is `-`.
pub(crate) fn read_or_stdin(path: &Path, bytes_max: usize) -> Result<Vec<u8>, String> {
    if path.as_os_str() != "-" {
        return read(path, bytes_max);
    }
    let content = read_stdin_start(bytes_max).map_err(|error| error.to_string())?;
    within(content, bytes_max)
}

/// The first `bytes_max` bytes of a file, and one more where there are more.
pub(crate) fn read_start(path: &Path, bytes_max: usize) -> Result<Vec<u8>, String> {
    let file = if is_descriptor(path) {
        File::open(path).map_err(|error| error.to_string())?
    } else {
        tidegate::open_file(path).map_err(|problem| match problem {
            FileProblem::NotFound => "it does not exist".to_owned(),
            problem => format!("it {problem}"),
        })?
    };
    start(file, bytes_max).map_err(|error| error.to_string())
}

/// The first `bytes_max` bytes of standard input, and one more where there are more.
pub(crate) fn read_stdin_start(bytes_max: usize) -> io::Result<Vec<u8>> {
    start(io::stdin().lock(), bytes_max)
}

/// Why nothing may be written to a path, if something is there that is not a regular file: opening a named pipe waits for a
/// reader, and a file that is renamed into place takes that of a device.
pub(crate) fn refuse_to_write(path: &Path) -> Result<(), String> {
    match tidegate::open_file(path) {
        Err(problem @ (FileProblem::Folder | FileProblem::NotRegular { .. })) => Err(format!("it {problem}")),
        _ => Ok(()),
    }
}

/// Writes a file, in the place of what it held.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), String> {
    if !is_descriptor(path) {
        refuse_to_write(path)?;
    }
    std::fs::write(path, content).map_err(|error| error.to_string())
}

/// A text, without the byte order mark that some editors put before it.
pub(crate) fn to_text(content: Vec<u8>) -> Result<String, String> {
    String::from_utf8(without_mark(content)).map_err(|_| "it is not UTF-8".to_owned())
}

/// The same bytes without a byte order mark before them.
pub(crate) fn without_mark(mut content: Vec<u8>) -> Vec<u8> {
    if content.starts_with(BYTE_ORDER_MARK) {
        content.drain(..BYTE_ORDER_MARK.len());
    }
    content
}

/// Whether it can be read only once: a pipe that was opened for this process.
pub(crate) fn is_stream(path: &Path) -> bool {
    is_descriptor(path) && path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

/// Whether the path stands for an open descriptor of this process.
fn is_descriptor(path: &Path) -> bool {
    let folder = path.parent().unwrap_or(path);
    ["/dev/stdin", "/dev/stdout", "/dev/stderr"].into_iter().any(|name| path == Path::new(name))
        || folder == Path::new("/dev/fd")
        || folder == Path::new("/proc/self/fd")
}

fn start(reader: impl Read, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    reader.take((bytes_max as u64).saturating_add(1)).read_to_end(&mut content)?;
    Ok(content)
}

fn within(content: Vec<u8>, bytes_max: usize) -> Result<Vec<u8>, String> {
    if content.len() > bytes_max {
        return Err(format!("it has more than the limit of {bytes_max} bytes"));
    }
    Ok(content)
}

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A list of keys: a million names of 64 bytes.
pub(crate) const KEYS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A file of headers, of a public key, of a signature or of certificates: a hundred times what any needs.
pub(crate) const SMALL_BYTES_MAX: usize = 1024 * 1024;
