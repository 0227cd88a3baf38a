//! The newest version that was taken, on the disk: in the folder of this host's state, so that clearing the
//! cache does not open the door for an old document.
//!
//! One line in one small file for each source and environment; several processes may share it. It never falls.

use std::path::PathBuf;

use super::Seen;
use crate::files::atomic_file::{FileError, Folder};
use crate::files::file_name::stem;

/// The file; made when there is something to remember.
#[derive(Clone, Debug)]
pub(crate) struct SeenFile {
    folder: PathBuf,
    name: String,
}

impl SeenFile {
    /// The file for what is called `name` in `folder`. Any text is a name; it never becomes a path.
    pub(crate) fn new(folder: PathBuf, name: &str) -> Self {
        Self { folder, name: format!("{}.version", stem("signed-", name)) }
    }

    /// Its path, for people.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// The newest version; none if there is no file yet.
    pub(crate) fn load(&self) -> Result<Option<Seen>, SeenError> {
        let folder = match Folder::open(&self.folder) {
            Err(FileError::NotFound { .. }) => return Ok(None),
            folder => folder?,
        };
        self.read(&folder)
    }

    /// Remembers a version, unless a newer one is known already.
    pub(crate) fn store(&self, seen: Seen) -> Result<(), SeenError> {
        let folder = Folder::create(&self.folder)?;
        let lock = folder.open_to_lock(&format!("{}.lock", self.name))?;
        lock.try_lock().map_err(|_| SeenError::Busy)?;
        folder.sweep(&self.name);
        match self.read(&folder)? {
            Some(known) if known.version >= seen.version => Ok(()),
            _ => Ok(folder.replace(&self.name, FILE_BYTES_MAX, &[render(seen).as_bytes()])?),
        }
    }

    fn read(&self, folder: &Folder) -> Result<Option<Seen>, SeenError> {
        let Some(content) = folder.read(&self.name, FILE_BYTES_MAX)? else { return Ok(None) };
        parse(&content).map(Some).ok_or_else(|| SeenError::Unreadable { path: self.path() })
    }
}

/// The newest version could not be read or kept. What this process itself has seen still counts.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SeenError {
    /// The file or its folder cannot be used.
    #[error("the newest version cannot be kept: {0}")]
    File(#[from] FileError),
    /// The file has another content than this program writes. It is left alone, for a person to look at.
    #[error("`{}` is damaged, so it is not known which version was the newest; look at it, then remove it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
    },
    /// Another process is writing at this moment. Retry.
    #[error("another process is keeping the newest version")]
    Busy,
}

fn render(seen: Seen) -> String {
    format!("{MAGIC} {} {:032x}\n", seen.version, seen.digest)
}

fn parse(content: &[u8]) -> Option<Seen> {
    let line = std::str::from_utf8(content).ok()?.strip_suffix('\n')?;
    let (version, digest) = line.strip_prefix(MAGIC)?.strip_prefix(' ')?.split_once(' ')?;
    let seen = Seen { version: version.parse().ok()?, digest: u128::from_str_radix(digest, 16).ok()? };
    // Only in the form in which it was written.
    (render(seen).as_bytes() == content).then_some(seen)
}

/// What the line begins with: its name, and the version of its form.
const MAGIC: &str = "tidegate-seen 1";

/// One line.
const FILE_BYTES_MAX: u64 = 200;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn seen(version: u64) -> Seen {
        Seen { version, digest: u128::from(version) << 100 }
    }

    #[test]
    fn it_never_falls() {
        let folder = tempfile::tempdir().unwrap();
        let file = SeenFile::new(folder.path().join("state"), "prod\nhttps://flags.example/../x");
        assert_eq!(file.load().unwrap(), None);
        file.store(seen(7)).unwrap();
        file.store(seen(3)).unwrap();
        assert_eq!(file.load().unwrap(), Some(seen(7)));
        file.store(Seen { digest: 1, ..seen(7) }).unwrap();
        assert_eq!(file.load().unwrap(), Some(seen(7)));
        file.store(seen(u64::MAX)).unwrap();
        assert_eq!(file.load().unwrap(), Some(seen(u64::MAX)));
        assert_eq!(file.path().parent(), Some(folder.path().join("state").as_path()));
        let other = SeenFile::new(folder.path().join("state"), "test\nhttps://flags.example/../x");
        assert_eq!(other.load().unwrap(), None);
    }

    #[test]
    fn a_damaged_file_is_reported_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = SeenFile::new(folder.path().into(), "x");
        let good = render(seen(7));
        for content in ["", "\n", good.trim_end(), &good.replace(" 7 ", " 07 "), &good.replace("seen 1", "seen 2")] {
            fs::write(file.path(), content).unwrap();
            assert!(matches!(file.load(), Err(SeenError::Unreadable { .. })), "{content}");
            assert!(matches!(file.store(seen(9)), Err(SeenError::Unreadable { .. })), "{content}");
            assert_eq!(fs::read_to_string(file.path()).unwrap(), content);
        }
        fs::write(file.path(), &good).unwrap();
        assert_eq!(file.load().unwrap(), Some(seen(7)));
    }

    #[test]
    fn one_process_writes_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = SeenFile::new(folder.path().into(), "x");
        let lock = Folder::open(folder.path()).unwrap().open_to_lock(&format!("{}.lock", file.name)).unwrap();
        lock.try_lock().unwrap();
        assert!(matches!(file.store(seen(1)), Err(SeenError::Busy)));
        drop(lock);
        file.store(seen(1)).unwrap();
    }
}
