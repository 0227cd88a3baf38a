//! A data folder that cannot be written when a process starts: its disk is full, or it is read-only.
//!
//! What it holds is read, without a lock of the database and without shared memory, which a full disk has no room for. Until
//! it can be written nothing is committed and everything is tried again; then it is opened as any folder is.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tidegate_replica::NodeId;

use super::super::folder::{Held, Identity, IdentityFile, draw};
use super::super::{Batch, DataFolder, History, Loaded, OpenError, Store, StoreError};
use super::aside::DATABASE;
use super::history::SqliteHistory;
use super::{PROBE, PROBE_BYTES, SqliteStore, refuse_newer, refuse_other, rows, schema, sort};
use crate::FileError;
use crate::files::atomic_file::Folder;

/// A store that reads what is there and refuses each write until the disk takes it.
#[derive(Debug)]
pub(crate) struct UnwritableStore {
    path: PathBuf,
    node: NodeId,
    /// Kept from other processes, as far as that can be done without writing.
    held: Option<Held>,
    loaded: Option<Loaded>,
    /// The store, once the folder can be written.
    store: Option<SqliteStore>,
    is_unwritable: Arc<AtomicBool>,
    is_closed: Arc<AtomicBool>,
}

impl UnwritableStore {
    /// Reads what a folder holds that could not be opened for this reason.
    ///
    /// # Errors
    /// The reason, where there is nothing to read and the folder is merely not this process's to write: that is a mistake
    /// of the configuration. And whatever keeps the folder from being read.
    pub(crate) fn open(
        path: &Path,
        wanted: Option<NodeId>,
        reason: OpenError,
    ) -> Result<(Self, DataFolder), OpenError> {
        let held = Held::take_as_it_is(path)?;
        let file = held.as_ref().map(Held::read_identity).transpose()?.unwrap_or(IdentityFile::None);
        let is_full =
            matches!(reason, OpenError::File(FileError::Full { .. }) | OpenError::Store(StoreError::Full { .. }));
        if file == IdentityFile::None && !is_full {
            return Err(reason);
        }
        let (mut loaded, mut copy) = (Loaded::default(), None);
        if let Some(held) = &held {
            refuse_newer(held, file)?;
            refuse_other(path, file, wanted)?;
            (loaded, copy) = read(held)?;
        }
        let known = match file {
            IdentityFile::Whole(identity) => Some(identity.node),
            IdentityFile::Damaged => copy.map(|copy| copy.node),
            IdentityFile::None => None,
        };
        let node = known.or(wanted).unwrap_or_else(|| Identity::new().node);
        let starts = copy.map_or(0, |copy| copy.starts);
        let reason = reason.to_string();
        tracing::error!(
            "the data folder `{}` cannot be written, so this node takes no changes and answers from what it has, {} \
             registers; it is tried again by itself: {reason}",
            path.display(),
            loaded.registers.len()
        );
        let folder = DataFolder {
            path: path.to_owned(),
            node,
            starts,
            instance: draw(),
            is_new: known.is_none(),
            damage: Vec::new(),
            unwritable: Some(reason),
        };
        let store = Self {
            path: path.to_owned(),
            node,
            held,
            loaded: Some(loaded),
            store: None,
            is_unwritable: Arc::new(AtomicBool::new(true)),
            is_closed: Arc::default(),
        };
        Ok((store, folder))
    }

    /// The store, if the folder can be written by now.
    fn open_now(&mut self) -> Result<&mut SqliteStore, StoreError> {
        if self.store.is_none() {
            let unwritable = |error: OpenError| match error {
                OpenError::Store(error @ StoreError::Full { .. }) => error,
                error => StoreError::Unwritable { path: self.path.clone(), reason: error.to_string() },
            };
            probe(&self.path).map_err(|error| unwritable(error.into()))?;
            // It is taken again, with all that is done then.
            self.held = None;
            match SqliteStore::open_as(&self.path, self.node) {
                Ok((mut store, _)) => {
                    store.loaded = None;
                    store.is_closed = Arc::clone(&self.is_closed);
                    self.is_unwritable.store(false, Ordering::Release);
                    self.store = Some(store);
                }
                Err(error) => {
                    let error = unwritable(error);
                    self.held = Held::take_as_it_is(&self.path).ok().flatten();
                    return Err(error);
                }
            }
        }
        self.store.as_mut().ok_or_else(|| StoreError::Finished { path: self.path.clone() })
    }
}

impl Store for UnwritableStore {
    fn load(&mut self) -> Result<Loaded, StoreError> {
        match self.loaded.take() {
            Some(loaded) => Ok(loaded),
            None => self.open_now()?.load(),
        }
    }

    fn commit(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        self.open_now()?.commit(batches)
    }

    fn tend(&mut self) -> Result<(), StoreError> {
        self.open_now()?.tend()
    }

    fn check(&mut self) -> Result<(), StoreError> {
        self.open_now()?.check()
    }

    fn is_known_to_wait(&self) -> bool {
        self.store.is_none()
    }

    fn history(&self) -> Box<dyn History> {
        let folder = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let (is_closed, is_unwritable) = (Arc::clone(&self.is_closed), Arc::clone(&self.is_unwritable));
        Box::new(SqliteHistory::new(self.path.clone(), folder.join(DATABASE), is_closed, is_unwritable))
    }

    fn close(mut self: Box<Self>) -> Result<(), StoreError> {
        self.is_closed.store(true, Ordering::Release);
        match self.store.take() {
            Some(store) => Box::new(store).close(),
            None => Ok(()),
        }
    }
}

/// What the database holds, and who it says that it belongs to.
fn read(held: &Held) -> Result<(Loaded, Option<Identity>), OpenError> {
    let length = held.folder.examine(DATABASE)?.map_or(0, |metadata| metadata.len());
    if length == 0 {
        return Ok((Loaded::default(), None));
    }
    let read = || {
        let connection = schema::open_as_it_is(&held.real_path.join(DATABASE))?;
        let (registers, is_any_damaged) = rows::peek_registers(&connection)?;
        let (meta, is_meta_damaged) = rows::read_meta(&connection)?;
        let is_damaged = is_any_damaged || is_meta_damaged || rows::is_marked(&connection)?;
        Ok((Loaded { registers, meta, is_damaged }, rows::read_identity(&connection)?))
    };
    match read() {
        Ok(found) => Ok(found),
        // It is repaired when it can be written. Until then there is nothing of it, which is what a damaged one may be worth.
        Err(error) => match sort(&held.path, error) {
            StoreError::Damaged { source, .. } => {
                tracing::error!("the database in `{}` is damaged: {source}", held.path.display());
                Ok((Loaded { is_damaged: true, ..Loaded::default() }, None))
            }
            error => Err(error.into()),
        },
    }
}

/// Whether something can be written, found out at little cost: opening reads all that there is.
fn probe(path: &Path) -> Result<(), FileError> {
    let folder = Folder::create(path)?;
    let outcome = folder.replace(PROBE, PROBE_BYTES as u64, &[&vec![0; PROBE_BYTES]]);
    let _ = folder.remove(PROBE);
    outcome
}
