//! A damaged database makes room for a new one, which gets whatever is whole in it.
//!
//! In this order, so that a crash at any point leaves either the damaged database in its place, or none and a
//! new one that is complete: make the new one under another name, move the damaged one aside, the database
//! itself last, then give the new one its name. Nothing is deleted but unfinished new ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params, params_from_iter};
use tidegate_replica::Register;

use super::super::folder::Held;
use super::schema::{self, Unusable};
use super::{history, rows};
use crate::FileError;

/// Whether any file exists beside the database that belongs to it; all of them are ours.
pub(super) fn examine_companions(held: &Held) -> Result<bool, FileError> {
    let mut has_content = false;
    for companion in COMPANIONS {
        let metadata = held.folder.examine(&format!("{DATABASE}{companion}"))?;
        has_content |= companion != SHARED && metadata.is_some_and(|metadata| metadata.len() > 0);
    }
    Ok(has_content)
}

/// Moves the database and all that belongs to it aside.
pub(super) fn set_aside(held: &Held) -> Result<PathBuf, FileError> {
    let names = COMPANIONS.map(|companion| format!("{DATABASE}{companion}"));
    let aside = format!("{DATABASE}.{}", held.unused_ending(&[&names[0], &names[1], &names[2], DATABASE])?);
    for companion in COMPANIONS {
        move_if_there(held, &format!("{DATABASE}{companion}"), &format!("{aside}{companion}"))?;
    }
    move_if_there(held, DATABASE, &aside)?;
    Ok(held.folder.path_of(&aside))
}

/// Puts a new database in the place of the damaged one at `path`: where that is now, and how many registers
/// were saved from it.
pub(super) fn replace(held: &Held, path: &Path) -> Result<(PathBuf, u64), Unusable> {
    remove_new(held)?;
    held.folder.create_empty(NEW)?;
    let mut connection = schema::open(&held.real_path.join(NEW))?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    rows::mark(&transaction)?;
    // What cannot be opened has nothing to give.
    let saved = match open_damaged(path) {
        Ok(damaged) => save(&damaged, &transaction)?,
        Err(_) => 0,
    };
    transaction.commit()?;
    // Into the file itself, which is all that is going to be renamed.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.close().map_err(|(_, error)| error)?;
    let aside = set_aside(held)?;
    finish_replacement(held)?;
    Ok((aside, saved))
}

/// Goes on where [`replace`] was cut short: a new database is complete once the damaged one is gone.
pub(super) fn finish_replacement(held: &Held) -> Result<(), FileError> {
    match (held.folder.examine(DATABASE)?, held.folder.examine(NEW)?) {
        (None, Some(_)) => held.folder.rename(NEW, DATABASE),
        (Some(_), Some(_)) => remove_new(held),
        (_, None) => Ok(()),
    }
}

fn remove_new(held: &Held) -> Result<(), FileError> {
    for companion in COMPANIONS {
        held.folder.remove(&format!("{NEW}{companion}"))?;
    }
    held.folder.remove(NEW)
}

fn move_if_there(held: &Held, from: &str, to: &str) -> Result<(), FileError> {
    match held.folder.rename(from, to) {
        Err(FileError::NotFound { .. }) => Ok(()),
        outcome => outcome,
    }
}

fn open_damaged(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NOFOLLOW | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    schema::configure(&connection)?;
    Ok(connection)
}

/// Copies what is whole; how many registers that was.
fn save(damaged: &Connection, new: &Connection) -> rusqlite::Result<u64> {
    let mut registers: BTreeMap<Vec<u8>, Register> = BTreeMap::new();
    // From both ends: a damaged page hides what is behind it.
    for order in ["ASC", "DESC"] {
        let sql = format!("SELECT key, body FROM registers ORDER BY key {order}");
        walk(damaged, &sql, |row| {
            let Some(register) = rows::decode(row)? else { return Ok(()) };
            let known = registers.get(&*register.key);
            if known.is_none_or(|known| known.rank(&register).is_lt()) {
                registers.insert(register.key.to_vec(), register);
            }
            Ok(())
        });
    }
    let mut put = new.prepare(rows::PUT_REGISTER)?;
    for (key, register) in &registers {
        put.execute(params![key, register.encode()])?;
    }
    if let Some(meta) = rows::peek_meta(damaged) {
        rows::put_replica(new, &meta)?;
    }
    if let Ok(Some(identity)) = rows::read_identity(damaged) {
        rows::write_identity(new, identity)?;
    }
    for order in ["ASC", "DESC"] {
        let sql = format!("SELECT key, stamp, lost_to, body, id FROM history ORDER BY id {order}");
        let mut put =
            new.prepare("INSERT OR IGNORE INTO history (key, stamp, lost_to, body, id) VALUES (?1, ?2, ?3, ?4, ?5)")?;
        let mut failure = None;
        walk(damaged, &sql, |row| {
            if history::decode(row)?.is_none() || failure.is_some() {
                return Ok(());
            }
            let columns = (0..5).map(|column| row.get::<_, Value>(column)).collect::<Result<Vec<_>, _>>()?;
            failure = put.execute(params_from_iter(columns)).err();
            Ok(())
        });
        if let Some(error) = failure {
            return Err(error);
        }
    }
    Ok(registers.len() as u64)
}

/// Visits rows until one cannot be read.
fn walk(damaged: &Connection, sql: &str, mut visit: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<()>) {
    let Ok(mut statement) = damaged.prepare(sql) else { return };
    let Ok(mut rows) = statement.query([]) else { return };
    for _ in 0..WALKED_MAX {
        match rows.next() {
            Ok(Some(row)) => {
                if visit(row).is_err() {
                    return;
                }
            }
            Ok(None) | Err(_) => return,
        }
    }
}

/// The database, and its write-ahead log.
pub(super) const DATABASE: &str = "registers.sqlite3";
pub(super) const LOG: &str = "registers.sqlite3-wal";

/// A database that is being made in the place of a damaged one.
const NEW: &str = "registers.sqlite3.new";

/// Endings of what belongs to a database: its log, the memory that its users share, and the journal of its making.
const COMPANIONS: [&str; 3] = ["-wal", SHARED, "-journal"];
const SHARED: &str = "-shm";

/// Rows after which reading a damaged table ends: a page that points back would make it endless. As many as
/// there can be, and some.
const WALKED_MAX: u64 = 4_000_000;
