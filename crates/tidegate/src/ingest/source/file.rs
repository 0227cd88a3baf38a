//! A file as a source: looked at regularly, read when it may have changed.
//!
//! The file is named by its path at each look, so that replacing it by a rename, or moving a link, is seen.
//! A look is one `stat`; only when that differs is the file read. A file system stamps times in ticks of some
//! milliseconds, so a file that changed is read once more at the next look: a second write within the tick
//! of the first is not missed. What "changed" means is decided by the content.

use std::path::{Path, PathBuf};

use super::{FetchError, Fetched, SIGNATURE_BYTES_MAX, SIGNATURE_SUFFIX, Tag, changed, content_tag};
use crate::files::file_version::FileVersion;
use crate::files::regular_file::{self, FileProblem};

/// Looks at one path.
#[derive(Debug)]
pub(super) struct FileReader {
    path: PathBuf,
    bytes_max: usize,
    /// The file beside it with its signature, where one is wanted.
    signature: Option<PathBuf>,
    seen: Option<Seen>,
}

/// What the last look found.
#[derive(Debug)]
struct Seen {
    version: FileVersion,
    tag: Option<Tag>,
    /// Whether the look before found the same version, so that the content can be relied on.
    settled: bool,
}

impl FileReader {
    pub(super) fn new(path: PathBuf, bytes_max: usize, is_signed: bool) -> Self {
        let signature = is_signed.then(|| {
            let mut name = path.clone().into_os_string();
            name.push(SIGNATURE_SUFFIX);
            name.into()
        });
        Self { path, bytes_max, signature, seen: None }
    }

    /// The file's content, unless it is the one of `have`.
    pub(super) fn poll(&mut self, have: Option<&Tag>) -> Result<Fetched, FetchError> {
        let found = self.try_read(have).map_err(|problem| FetchError::File { path: self.path.clone(), problem })?;
        match (found, &self.signature) {
            (Fetched::Changed { body, tag }, Some(path)) => Ok(changed(body, read_signature(path)?, tag)),
            (found, _) => Ok(found),
        }
    }

    fn try_read(&mut self, have: Option<&Tag>) -> Result<Fetched, FileProblem> {
        let metadata = std::fs::metadata(&self.path).map_err(FileProblem::sort)?;
        let version = FileVersion::from_metadata(&metadata);
        let last = self.seen.take();
        if let Some(seen) = last.as_ref().filter(|seen| seen.version == version && seen.settled)
            && seen.tag.is_some()
            && seen.tag.as_ref() == have
        {
            self.seen = last;
            return Ok(Fetched::Unchanged);
        }
        let (version, body) = read(&self.path, self.bytes_max)?;
        let tag = content_tag(&body);
        let settled = last.is_some_and(|seen| seen.version == version);
        self.seen = Some(Seen { version, tag: tag.clone(), settled });
        Ok(if tag.is_some() && tag.as_ref() == have { Fetched::Unchanged } else { Fetched::Changed { body, tag } })
    }
}

/// Reads the file that a path names now; its version is that of the opened file.
fn read(path: &Path, bytes_max: usize) -> Result<(FileVersion, Vec<u8>), FileProblem> {
    regular_file::read(path, bytes_max).map(|(metadata, body)| (FileVersion::from_metadata(&metadata), body))
}

/// The signature at a path; none if there is no such file. One that is too large is no signature, and is
/// handed on as such.
fn read_signature(path: &Path) -> Result<Option<String>, FetchError> {
    match read(path, SIGNATURE_BYTES_MAX) {
        Ok((_, text)) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
        Err(FileProblem::NotFound) => Ok(None),
        Err(FileProblem::TooBig { .. }) => Ok(Some(String::new())),
        Err(problem) => Err(FetchError::File { path: path.to_owned(), problem }),
    }
}

#[cfg(test)]
mod tests;
