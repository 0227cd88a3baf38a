//! The tables, how a database is opened and made, and whether it is whole.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::super::limits::FORMAT;
use crate::FileError;

/// Why a database cannot be worked with.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// It is not what this program has written.
    #[error("{0}")]
    Damaged(String),
    /// The file system has no write-ahead log.
    #[error("the file system has no shared memory")]
    Unfit,
    /// A file cannot be made or moved.
    #[error(transparent)]
    File(#[from] FileError),
    /// Anything else, which says nothing of the file.
    #[error(transparent)]
    Failed(rusqlite::Error),
}

impl From<rusqlite::Error> for Unusable {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            // What this program prepares is right; it fails where tables are not as they were made. Without a
            // code: a value of another kind than the one that was written.
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) | None => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Failed(error),
        }
    }
}

/// Opens a database for writing, makes or migrates its tables, and checks all of it.
pub(super) fn open(path: &Path) -> Result<Connection, Unusable> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    configure(&connection)?;
    let format: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: u32 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if (format, tables) == (0, 0) {
        // In the rollback mode that a new file has, so that the format is in the file itself from the beginning.
        migrate(&mut connection, 0, MIGRATIONS)?;
    } else {
        check(&connection)?;
    }
    if set_journal_mode(&connection)? != "wal" {
        return Err(Unusable::Unfit);
    }
    if (1..FORMAT).contains(&format) {
        migrate(&mut connection, format, MIGRATIONS)?;
    }
    verify(&connection)?;
    Ok(connection)
}

/// Opens the file of a database for reading as it is, without its log and without any lock.
pub(super) fn open_alone(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri(path, "immutable=1"), flags)?;
    connection.execute_batch("PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY")?;
    Ok(connection)
}

/// Opens a database for reading with its log, where nothing can be written: no lock is taken and no shared memory is made.
/// The caller keeps others from writing to it.
pub(super) fn open_as_it_is(path: &Path) -> rusqlite::Result<Connection> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if fs::metadata(log).map_or(0, |log| log.len()) == 0 {
        return open_alone(path);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NOFOLLOW | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags_and_vfs(path, flags, c"unix-none")?;
    // What the log holds is found in memory of this connection alone, and nothing is written back when it closes.
    connection.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.execute_batch("PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY")?;
    Ok(connection)
}

/// A path as a URI with a parameter, in which every byte is written as a number that could mean something else there.
fn uri(path: &Path, parameter: &str) -> OsString {
    let mut uri = b"file:".to_vec();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'?' | b'#' | b'%' => uri.extend(format!("%{byte:02x}").into_bytes()),
            byte => uri.push(*byte),
        }
    }
    uri.push(b'?');
    uri.extend(parameter.as_bytes());
    OsString::from_vec(uri)
}

/// Asks for the write-ahead log, and returns what there is then.
fn set_journal_mode(connection: &Connection) -> rusqlite::Result<String> {
    // To its end: the answer comes before the change is committed, and that may fail.
    let mut statement = connection.prepare("PRAGMA journal_mode = WAL")?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))
}

/// What holds for every connection, whatever the system's `SQLite` would choose.
pub(super) fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    // `cell_size_check` notices a damaged page when it is read. Without `cache_spill` nothing of a transaction
    // is in the log before its end. The log is written back by us, because a failed sync must not go unseen.
    connection.execute_batch(
        "PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;
         PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;
         PRAGMA cache_spill = OFF; PRAGMA foreign_keys = OFF;",
    )?;
    // This one answers with a row.
    connection.query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(()))
}

/// Every page is as it should be. Contents of registers have checksums of their own.
fn check(connection: &Connection) -> Result<(), Unusable> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(Unusable::Damaged(found.trim().replace('\n', " "))) }
}

/// The tables and the format are the ones that this version writes.
fn verify(connection: &Connection) -> Result<(), Unusable> {
    let format: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let application: u32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if (format, application) != (FORMAT, APPLICATION) {
        return Err(Unusable::Damaged(format!("it claims to be of format {format} and application {application:#x}")));
    }
    // `SQLite` keeps tables of its own beside them: `ANALYZE` and `PRAGMA optimize` leave statistics.
    let ours = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT GLOB 'sqlite_*' ORDER BY name";
    let mut statement = connection.prepare(ours)?;
    let found: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    if found == TABLES { Ok(()) } else { Err(Unusable::Damaged("its tables are not ours".to_owned())) }
}

/// One step from a format to the next, inside a transaction.
type Migration = fn(&Transaction<'_>) -> rusqlite::Result<()>;

/// The steps; the first one makes a database.
const MIGRATIONS: &[Migration] = &[make];

/// Takes the steps that a database of this format still needs, each in a transaction with its new format.
fn migrate(connection: &mut Connection, format: u32, migrations: &[Migration]) -> rusqlite::Result<()> {
    for (number, step) in (1_u32..).zip(migrations).skip(format as usize) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        step(&transaction)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}

fn make(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    TABLES.iter().try_for_each(|table| transaction.execute_batch(table))
}

/// `Tide`, in the place of the header that names the program.
const APPLICATION: u32 = 0x5469_6465;

/// How long another program's lock is waited for.
const BUSY: std::time::Duration = std::time::Duration::from_secs(2);

/// In the order of their names. A change is a new format and a migration.
pub(in crate::store) const TABLES: &[&str] = &[
    // Damaged rows, for people to look at.
    "CREATE TABLE aside (id INTEGER PRIMARY KEY, found_ms INTEGER NOT NULL, kind TEXT NOT NULL, key BLOB, body BLOB)",
    // In the order of arrival; `body` is the register with its checksum, `lost_to` a stamp with one.
    "CREATE TABLE history (id INTEGER PRIMARY KEY, key BLOB NOT NULL, stamp BLOB NOT NULL, lost_to BLOB, body BLOB NOT NULL)",
    "CREATE UNIQUE INDEX history_by_key ON history (key, stamp)",
    // `replica`, `node`, `damaged`; each body begins with a checksum.
    "CREATE TABLE meta (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
    // `body` is the register with its checksum.
    "CREATE TABLE registers (key BLOB PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_starts_from_the_format_that_is_there() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, 0, MIGRATIONS).unwrap();
        connection.execute("INSERT INTO registers VALUES (x'61', x'62')", []).unwrap();
        let second: Migration = |transaction| transaction.execute_batch("ALTER TABLE registers ADD COLUMN more BLOB");
        let third: Migration = |transaction| transaction.execute_batch("INSERT INTO nowhere VALUES (1)");
        // The third fails, and leaves the second as it was made.
        migrate(&mut connection, 1, &[make, second, third]).unwrap_err();
        let format: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        let rows: u32 =
            connection.query_row("SELECT count(*) FROM registers WHERE more IS NULL", [], |row| row.get(0)).unwrap();
        assert_eq!((format, rows), (2, 1));
    }
}
