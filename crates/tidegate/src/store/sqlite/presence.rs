//! Whether the data folder is still the one that was opened.
//!
//! A process goes on writing to a file that was deleted or moved, and everything seems well until it ends. So the
//! names are looked up again and again: each has to lead to the file that was opened. A file that is overwritten in its place
//! keeps its identity; it shows by a time of modification that is not this process's doing, and by whom it belongs to then.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use rusqlite::ErrorCode;

use super::super::folder::{Held, Identity, LOCK, NODE};
use super::aside::{DATABASE, LOG};
use super::{rows, schema};
use crate::FileError;
use crate::files::atomic_file::FileId;
use crate::store::StoreError;

/// The files of a database, as they were when it was opened.
#[derive(Debug)]
pub(super) struct Presence {
    identity: Identity,
    /// Whether the database says who it belongs to, and not only its log.
    is_written_back: bool,
    files: Vec<(&'static str, FileId)>,
    /// Of the database, as this process has left it.
    written: Option<Written>,
}

/// What changes when a file is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Written {
    modified: SystemTime,
    length: u64,
}

impl Presence {
    pub(super) fn new(identity: Identity) -> Self {
        Self { identity, is_written_back: false, files: Vec::new(), written: None }
    }

    /// Takes note of the files as they are now: they were just opened, and the log was written back or not.
    pub(super) fn learn(&mut self, held: &Held, is_written_back: bool) -> Result<(), FileError> {
        self.is_written_back = is_written_back;
        for name in WATCHED {
            // The log is made with the first commit.
            if let Some(id) = held.folder.identify(name)? {
                self.files.push((name, id));
            }
        }
        self.note_written(held);
        Ok(())
    }

    /// This process has written to the database.
    pub(super) fn note_written(&mut self, held: &Held) {
        self.written = written(held).or(self.written);
    }

    /// Looks whether everything is where it was.
    ///
    /// # Errors
    /// [`StoreError::Replaced`]. What cannot be looked at counts as being there: the files that were opened are.
    pub(super) fn check(&mut self, held: &Held) -> Result<(), StoreError> {
        let verdict = |found: Option<bool>| match found {
            None => Some("deleted or moved"),
            Some(false) => Some("replaced"),
            Some(true) => None,
        };
        if let Some(what) = held.folder.is_at(&held.real_path).ok().and_then(verdict) {
            return Err(StoreError::Replaced { path: held.path.clone(), what });
        }
        let replaced = |name: &str, what| Err(StoreError::Replaced { path: held.folder.path_of(name), what });
        for name in WATCHED {
            let Ok(found) = held.folder.identify(name) else { continue };
            match (self.files.iter().find(|(known, _)| *known == name), found) {
                (Some((_, known)), found) => {
                    if let Some(what) = verdict(found.map(|found| found == *known)) {
                        return replaced(name, what);
                    }
                }
                (None, Some(found)) => self.files.push((name, found)),
                (None, None) => {}
            }
        }
        let now = written(held);
        if now.is_none() || now == self.written {
            return Ok(());
        }
        let is_shorter = now.zip(self.written).is_some_and(|(now, before)| now.length < before.length);
        match self.is_ours(held).filter(|_| self.is_written_back) {
            _ if is_shorter => replaced(DATABASE, "cut short"),
            Some(false) => replaced(DATABASE, "overwritten"),
            // Another program has worked with it, as databases are worked with.
            Some(true) => {
                self.written = now;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Whether the database is that of this process, by what it says itself; none if that cannot be found out now.
    fn is_ours(&self, held: &Held) -> Option<bool> {
        let mut verdict = None;
        // Another program may be writing to it at this moment.
        for _ in 0..ATTEMPTS {
            verdict = match read_identity(&held.real_path.join(DATABASE)) {
                Ok(found) => Some(found == Some(self.identity)),
                Err(error) => match error.sqlite_error_code() {
                    Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) | None => {
                        Some(false)
                    }
                    _ => None,
                },
            };
            if verdict == Some(true) {
                break;
            }
        }
        verdict
    }
}

/// What the file itself says, without the log: that belongs to whatever stood there before.
fn read_identity(path: &Path) -> rusqlite::Result<Option<Identity>> {
    rows::read_identity(&schema::open_alone(path)?)
}

fn written(held: &Held) -> Option<Written> {
    let metadata = fs::symlink_metadata(held.real_path.join(DATABASE)).ok()?;
    Some(Written { modified: metadata.modified().ok()?, length: metadata.len() })
}

/// How often a database is read that looks like another one's.
const ATTEMPTS: u32 = 3;

/// Without the lock a second process would not be kept out, and without the others a start would be another node's, or find
/// less than was confirmed.
const WATCHED: [&str; 4] = [LOCK, NODE, DATABASE, LOG];
