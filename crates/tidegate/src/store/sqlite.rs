//! The store on `SQLite`: one database in write-ahead mode, `synchronous = FULL`, one writer.
//!
//! A start checks every page and every register. A damaged register is moved to a table of its own; a damaged
//! database is moved aside with all that belongs to it, after whatever is whole in it was saved into a new one.
//! Why `SQLite`: docs/decisions/0028.

mod aside;
mod history;
mod presence;
mod rows;
mod schema;
mod unwritable;
mod wal;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, TransactionBehavior, ffi};
use tidegate_replica::NodeId;
use tracing::{error, warn};

use self::aside::{DATABASE, LOG};
pub(in crate::store) use self::history::HistoryLimits;
use self::history::{HistoryTotals, SqliteHistory};
use self::presence::Presence;
#[cfg(test)]
pub(in crate::store) use self::schema::TABLES;
use self::schema::Unusable;
pub(crate) use self::unwritable::UnwritableStore;
use self::wal::Tail;
use super::folder::{Held, Identity, IdentityFile, draw};
use super::limits::FORMAT;
use super::{Batch, Damage, DataFolder, History, Loaded, OpenError, Register, Store, StoreError, WAL_PAGES_MAX};
use crate::FileError;

/// A data folder with a database in it, held by this process.
#[derive(Debug)]
pub struct SqliteStore {
    // Closed before the folder is let go.
    connection: Connection,
    held: Held,
    /// What the start has read; the first load takes it.
    loaded: Option<Loaded>,
    limits: HistoryLimits,
    totals: HistoryTotals,
    /// Whether damage is noted in the database.
    is_marked: bool,
    /// Whether the log has frames that belong to no commit.
    is_untidy: bool,
    is_finished: bool,
    is_closed: Arc<AtomicBool>,
    presence: Presence,
}

impl SqliteStore {
    /// Opens the data folder, and makes what is not there yet.
    ///
    /// # Errors
    /// [`OpenError`]. Damage is no error: see [`DataFolder::damage`].
    pub fn open(path: &Path) -> Result<(Self, DataFolder), OpenError> {
        Self::open_with(path, None, HistoryLimits::default())
    }

    /// Opens the data folder of this node, and makes what is not there yet, for it.
    ///
    /// # Errors
    /// [`OpenError::OtherNode`] where the folder belongs to another node, and all others of [`Self::open`].
    pub fn open_as(path: &Path, node: NodeId) -> Result<(Self, DataFolder), OpenError> {
        Self::open_with(path, Some(node), HistoryLimits::default())
    }

    pub(super) fn open_with(
        path: &Path,
        wanted: Option<NodeId>,
        limits: HistoryLimits,
    ) -> Result<(Self, DataFolder), OpenError> {
        let held = Held::take(path)?;
        let file = held.read_identity()?;
        refuse_newer(&held, file)?;
        refuse_other(path, file, wanted)?;
        if file == IdentityFile::None {
            // The folder may be as new as what it holds: neither it nor those above it may be gone after a power cut.
            held.folder.sync_path()?;
        }
        let mut damage = Vec::new();
        let (connection, stock) = open_database(&held, file, &mut damage)?;
        let (identity, is_new) = identify(&held, file, stock.identity, wanted, &mut damage)?;
        held.write_identity(identity)?;
        let mut store = Self {
            connection,
            held,
            loaded: Some(Loaded { registers: stock.registers, meta: stock.meta, is_damaged: stock.is_marked }),
            limits,
            totals: stock.totals,
            is_marked: stock.is_marked,
            is_untidy: true,
            is_finished: false,
            is_closed: Arc::default(),
            presence: Presence::new(identity),
        };
        rows::write_identity(&store.connection, identity).map_err(|error| store.classify(error))?;
        // What was left by a crash belongs to no commit of ours.
        match store.tidy() {
            Ok(()) | Err(StoreError::Full { .. } | StoreError::Busy { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        store.presence.learn(&store.held, !store.is_untidy)?;
        for found in &damage {
            error!(folder = %path.display(), "{found}");
        }
        let Identity { node, starts } = identity;
        Ok((
            store,
            DataFolder { path: path.to_owned(), node, starts, instance: draw(), is_new, damage, unwritable: None },
        ))
    }

    fn write(&mut self, batches: &[Batch]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut totals = self.totals;
        let mut is_marked = self.is_marked;
        rows::write(&transaction, batches)?;
        history::write(&transaction, batches, &mut totals, self.limits)?;
        if is_marked && batches.iter().any(|batch| batch.meta.is_some()) {
            rows::unmark(&transaction)?;
            is_marked = false;
        }
        transaction.commit()?;
        (self.totals, self.is_marked) = (totals, is_marked);
        Ok(())
    }

    /// Writes the whole log back, so that the next commit begins it again and nothing of a commit that failed
    /// stays behind its end, where it would look like damage.
    fn tidy(&mut self) -> Result<(), StoreError> {
        if self.is_untidy {
            let outcome = self.write_back("RESTART");
            self.presence.note_written(&self.held);
            outcome?;
            self.is_untidy = false;
        }
        Ok(())
    }

    fn write_back(&mut self, mode: &str) -> Result<(), StoreError> {
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        let outcome = self.connection.query_row(&sql, [], |row| row.get::<_, bool>(0));
        match outcome {
            Ok(false) => Ok(()),
            Ok(true) => Err(StoreError::Busy { path: self.held.path.clone() }),
            Err(error) => Err(self.classify(error)),
        }
    }

    fn check_usable(&self) -> Result<(), StoreError> {
        if self.is_finished { Err(StoreError::Finished { path: self.held.path.clone() }) } else { Ok(()) }
    }

    /// Sorts a failure, and finishes the store unless it may be tried again.
    fn classify(&mut self, error: rusqlite::Error) -> StoreError {
        let error = explain(&self.held, error);
        if !error.is_retryable() {
            self.finish();
        }
        error
    }

    fn finish(&mut self) {
        self.is_finished = true;
        // Closing must not sync, and so claim, what has just failed to be written. Nor may it remove the log by its name, where
        // the files of another process may be by now.
        let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }
}

impl Store for SqliteStore {
    fn load(&mut self) -> Result<Loaded, StoreError> {
        self.check_usable()?;
        if let Some(loaded) = self.loaded.take() {
            return Ok(loaded);
        }
        let stock = match Stock::take(&mut self.connection, self.is_marked) {
            Ok(stock) => stock,
            Err(Unusable::Failed(error)) => return Err(self.classify(error)),
            Err(unusable) => {
                self.is_finished = true;
                return Err(StoreError::Damaged { path: self.held.path.clone(), source: unusable.to_string().into() });
            }
        };
        self.is_marked = stock.is_marked;
        Ok(Loaded { registers: stock.registers, meta: stock.meta, is_damaged: stock.is_marked })
    }

    fn commit(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        self.check_usable()?;
        self.loaded = None;
        self.tidy()?;
        self.write(batches).map_err(|error| {
            self.is_untidy = true;
            self.classify(error)
        })
    }

    fn tend(&mut self) -> Result<(), StoreError> {
        self.check_usable()?;
        let frames = frames_in_log(&self.connection).map_err(|error| self.classify(error))?;
        if frames < i64::from(WAL_PAGES_MAX) {
            return Ok(());
        }
        let outcome = self.write_back("PASSIVE");
        self.presence.note_written(&self.held);
        match outcome {
            // The log grows meanwhile; a commit that finds no space will say so.
            Err(StoreError::Full { .. } | StoreError::Busy { .. }) => Ok(()),
            outcome => outcome,
        }
    }

    fn check(&mut self) -> Result<(), StoreError> {
        self.check_usable()?;
        self.presence.check(&self.held).inspect_err(|_| {
            self.finish();
            // The history at that path may be another one's.
            self.is_closed.store(true, Ordering::Release);
        })
    }

    fn history(&self) -> Box<dyn History> {
        let database = self.held.real_path.join(DATABASE);
        Box::new(SqliteHistory::new(self.held.path.clone(), database, Arc::clone(&self.is_closed), Arc::default()))
    }

    fn close(mut self: Box<Self>) -> Result<(), StoreError> {
        self.is_closed.store(true, Ordering::Release);
        self.check_usable()?;
        match self.write_back("TRUNCATE") {
            // What was committed is in the log, and the next start finds it there.
            Err(StoreError::Full { .. } | StoreError::Busy { .. }) => Ok(()),
            outcome => outcome,
        }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.is_closed.store(true, Ordering::Release);
    }
}

/// How many pages lie in the log.
fn frames_in_log(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA wal_checkpoint(NOOP)")?.query_row([], |row| row.get(1))
}

/// What a start reads.
#[derive(Debug)]
struct Stock {
    registers: Vec<Register>,
    /// Registers that were damaged.
    set_aside: u64,
    meta: Option<Vec<u8>>,
    /// Whether something was lost, now or before.
    is_marked: bool,
    identity: Option<Identity>,
    totals: HistoryTotals,
}

impl Stock {
    /// Reads everything, sets aside what is damaged, and notes that, or that something else was lost.
    fn take(connection: &mut Connection, is_lossy: bool) -> Result<Self, Unusable> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (registers, set_aside) = rows::read_registers(&transaction)?;
        let (meta, is_meta_damaged) = rows::read_meta(&transaction)?;
        let is_marked_already = rows::is_marked(&transaction)?;
        let is_marked = is_lossy || is_meta_damaged || set_aside > 0 || is_marked_already;
        if is_marked && !is_marked_already {
            rows::mark(&transaction)?;
        }
        let identity = rows::read_identity(&transaction)?;
        let totals = HistoryTotals::read(&transaction)?;
        transaction.commit()?;
        Ok(Self { registers, set_aside, meta, is_marked, identity, totals })
    }
}

/// Opens the database and reads it, after whatever has to happen to it first.
fn open_database(held: &Held, file: IdentityFile, damage: &mut Vec<Damage>) -> Result<(Connection, Stock), OpenError> {
    let path = held.real_path.join(DATABASE);
    let refuse = |unusable| refuse(held, unusable);
    aside::finish_replacement(held)?;
    let length = held.folder.examine(DATABASE)?.map(|metadata| metadata.len());
    let has_log = aside::examine_companions(held)?;
    if length.is_none_or(|length| length == 0) {
        if has_log {
            aside::set_aside(held)?;
        }
        if file != IdentityFile::None {
            damage.push(Damage::DatabaseMissing);
        }
        if length.is_none() || has_log {
            held.folder.create_empty(DATABASE)?;
        }
        return open_and_read(&path, !damage.is_empty()).map_err(refuse);
    }
    if inspect_log(held)? == Tail::Unreadable {
        damage.push(Damage::LogTail);
    }
    let (connection, stock) = match open_and_read(&path, !damage.is_empty()) {
        Err(Unusable::Damaged(reason)) => {
            let (aside, saved) = aside::replace(held, &path).map_err(refuse)?;
            damage.push(Damage::Database { aside, reason, saved });
            open_and_read(&path, true).map_err(refuse)?
        }
        outcome => outcome.map_err(refuse)?,
    };
    if stock.set_aside > 0 {
        damage.push(Damage::Rows { count: stock.set_aside });
    }
    Ok((connection, stock))
}

fn open_and_read(path: &Path, is_lossy: bool) -> Result<(Connection, Stock), Unusable> {
    let mut connection = schema::open(path)?;
    let stock = Stock::take(&mut connection, is_lossy)?;
    Ok((connection, stock))
}

fn refuse(held: &Held, unusable: Unusable) -> OpenError {
    match unusable {
        Unusable::Unfit => OpenError::Unfit { path: held.path.clone() },
        Unusable::File(error) => error.into(),
        Unusable::Failed(error) => explain(held, error).into(),
        Unusable::Damaged(reason) => StoreError::Damaged { path: held.path.clone(), source: reason.into() }.into(),
    }
}

/// Refuses a database of a newer version before anything is opened. Where the file with the node's id is
/// whole, it has been asked already: a migration raises the format there first, so anything else is damage.
fn refuse_newer(held: &Held, file: IdentityFile) -> Result<(), OpenError> {
    if matches!(file, IdentityFile::Whole(_)) {
        return Ok(());
    }
    let header = match held.folder.read_start(DATABASE, HEADER_BYTES)? {
        Some(header) if header.len() == HEADER_BYTES && header.starts_with(HEADER_MAGIC) => header,
        _ => return Ok(()),
    };
    let found = u32::from_be_bytes([header[60], header[61], header[62], header[63]]);
    if found > FORMAT { Err(OpenError::Newer { path: held.folder.path_of(DATABASE), found }) } else { Ok(()) }
}

/// A folder that belongs to a node stays with it: its registers say which node has written them.
fn refuse_other(path: &Path, file: IdentityFile, wanted: Option<NodeId>) -> Result<(), OpenError> {
    match (file, wanted) {
        (IdentityFile::Whole(Identity { node: found, .. }), Some(wanted)) if found != wanted => {
            Err(OpenError::OtherNode { path: path.to_owned(), found, wanted })
        }
        _ => Ok(()),
    }
}

/// Who this process is, from the file or its copy in the database.
fn identify(
    held: &Held,
    file: IdentityFile,
    copy: Option<Identity>,
    wanted: Option<NodeId>,
    damage: &mut Vec<Damage>,
) -> Result<(Identity, bool), FileError> {
    let new = || wanted.map_or_else(Identity::new, |node| Identity { node, starts: 0 });
    // What is known from elsewhere is what a damaged file holds, unless its copy was of another node.
    let copied = copy.filter(|copy| wanted.is_none_or(|node| node == copy.node));
    let mut identity = match file {
        // A folder without this file is a copy that is meant to be another node.
        IdentityFile::None => new(),
        IdentityFile::Whole(identity) => identity,
        IdentityFile::Damaged => {
            damage.push(Damage::NodeFile { aside: held.set_identity_aside()?, is_same_node: copied.is_some() });
            copied.unwrap_or_else(new)
        }
    };
    if let Some(copy) = copy.filter(|copy| copy.node == identity.node) {
        identity.starts = identity.starts.max(copy.starts);
    }
    let is_new = identity.starts == 0;
    identity.starts = identity.starts.saturating_add(1);
    Ok((identity, is_new))
}

fn inspect_log(held: &Held) -> Result<Tail, OpenError> {
    let path = held.folder.path_of(LOG);
    let sort = |error| FileError::sort(&path, error);
    match File::open(held.real_path.join(LOG)) {
        Ok(log) => Ok(wal::inspect(io::BufReader::new(log)).map_err(sort)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Tail::Whole),
        Err(error) => Err(sort(error).into()),
    }
}

/// What a failure means. `SQLite` tells a full disk apart, but not a used up quota or table of inodes.
fn explain(held: &Held, error: rusqlite::Error) -> StoreError {
    let error = sort(&held.path, error);
    if !matches!(error, StoreError::Io { .. }) {
        return error;
    }
    let probe = held.folder.replace(PROBE, PROBE_BYTES as u64, &[&vec![0; PROBE_BYTES]]);
    let _ = held.folder.remove(PROBE);
    match (probe, error) {
        (Err(FileError::Full { .. }), _) => StoreError::Full { path: held.path.clone() },
        (Err(error @ FileError::ReadOnly { .. }), _) => {
            StoreError::ReadOnly { path: held.path.clone(), source: error.into() }
        }
        (_, error) => error,
    }
}

/// What a failure means for the caller.
fn sort(path: &Path, error: rusqlite::Error) -> StoreError {
    let path: PathBuf = path.to_owned();
    let extended = error.sqlite_error().map(|error| error.extended_code);
    // Without a code: a value of another kind than the one that was written.
    let code = error.sqlite_error_code().unwrap_or(ErrorCode::DatabaseCorrupt);
    match code {
        ErrorCode::DiskFull => StoreError::Full { path },
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            warn!(folder = %path.display(), "another program holds the database: {error}");
            StoreError::Busy { path }
        }
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Damaged { path, source: error.into() },
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => StoreError::ReadOnly { path, source: error.into() },
        _ if matches!(extended, Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)) => {
            StoreError::SyncFailed { path, source: error.into() }
        }
        // The memory that connections share is a file that grows once, at the beginning.
        _ if extended == Some(ffi::SQLITE_IOERR_SHMSIZE) => StoreError::Full { path },
        _ => StoreError::Io { path, source: error.into() },
    }
}

/// The database's own header, and what it begins with.
const HEADER_BYTES: usize = 100;
const HEADER_MAGIC: &[u8] = b"SQLite format 3\0";

/// A file that is written to find out why another one cannot be.
const PROBE: &str = "probe";

/// More than is left where there is no space for the shared memory of connections, 32 KiB.
const PROBE_BYTES: usize = 64 * 1024;
