//! What happened to each key on this node, in the same transactions as the registers, and bounded.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags, Transaction, params};
use tidegate_replica::{Event, Register, Stamp};

use super::super::limits::HISTORY_PRUNE_MAX;
use super::super::{
    ARRIVALS_BYTES_MAX, Arrivals, Batch, HISTORY_BYTES_MAX, HISTORY_EVENTS_MAX, HISTORY_PAGE_MAX, HISTORY_PER_KEY_MAX,
    History, StoreError,
};
use super::rows::seal;
use super::{schema, sort};

/// How much history is kept.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct HistoryLimits {
    pub(in crate::store) per_key: u32,
    pub(in crate::store) events: u64,
    pub(in crate::store) bytes: u64,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self { per_key: HISTORY_PER_KEY_MAX, events: HISTORY_EVENTS_MAX, bytes: HISTORY_BYTES_MAX }
    }
}

/// How much history there is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct HistoryTotals {
    events: u64,
    bytes: u64,
}

impl HistoryTotals {
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let sql = "SELECT count(*), ifnull(sum(length(body)), 0) FROM history";
        connection.query_row(sql, [], |row| Ok(Self { events: unsigned(row, 0)?, bytes: unsigned(row, 1)? }))
    }

    fn are_above(self, limits: HistoryLimits) -> bool {
        self.events > limits.events || self.bytes > limits.bytes
    }

    fn forget(&mut self, bytes: u64) {
        self.events = self.events.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// Appends the events of batches, and removes what is too much.
pub(super) fn write(
    transaction: &Transaction<'_>,
    batches: &[Batch],
    totals: &mut HistoryTotals,
    limits: HistoryLimits,
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO history (key, stamp, lost_to, body) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (key, stamp) DO NOTHING",
    )?;
    let mut update = transaction.prepare_cached("UPDATE history SET lost_to = ?3 WHERE key = ?1 AND stamp = ?2")?;
    let mut crowded = BTreeSet::new();
    for event in batches.iter().flat_map(|batch| &batch.history) {
        let (key, stamp) = (&event.register.key, event.register.stamp.to_bytes());
        let lost_to = event.lost_to.map(|winner| seal_lost_to(key, event.register.stamp, winner));
        let body = event.register.encode();
        if insert.execute(params![&key[..], stamp, lost_to, body])? > 0 {
            totals.events += 1;
            totals.bytes += body.len() as u64;
            if is_look_due(&stamp) {
                crowded.insert(key);
            }
        } else if lost_to.is_some() {
            update.execute(params![&key[..], stamp, lost_to])?;
        }
    }
    for key in crowded {
        prune_key(transaction, key, totals, limits)?;
    }
    while totals.are_above(limits) && prune(transaction, totals, limits)? {}
    Ok(())
}

/// Whether this event is one after which its key's events are counted: one in sixteen, because counting a
/// thousand costs as much as inserting ten.
fn is_look_due(stamp: &[u8; 18]) -> bool {
    seal(&[stamp])[7].is_multiple_of(16)
}

fn prune_key(
    transaction: &Transaction<'_>,
    key: &[u8],
    totals: &mut HistoryTotals,
    limits: HistoryLimits,
) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(
        "DELETE FROM history WHERE key = ?1 AND stamp <=
             (SELECT stamp FROM history WHERE key = ?1 ORDER BY stamp DESC LIMIT 1 OFFSET ?2)
         RETURNING length(body)",
    )?;
    let mut rows = statement.query(params![key, limits.per_key])?;
    while let Some(row) = rows.next()? {
        totals.forget(unsigned(row, 0)?);
    }
    Ok(())
}

/// Removes the oldest events, as many as there are too many and at most [`HISTORY_PRUNE_MAX`]. Whether there
/// was anything to remove.
fn prune(transaction: &Transaction<'_>, totals: &mut HistoryTotals, limits: HistoryLimits) -> rusqlite::Result<bool> {
    let mut last = None;
    let mut statement = transaction.prepare("SELECT id, length(body) FROM history ORDER BY id LIMIT ?1")?;
    let mut rows = statement.query([HISTORY_PRUNE_MAX])?;
    while let Some(row) = rows.next()?.filter(|_| totals.are_above(limits)) {
        last = Some(row.get::<_, i64>(0)?);
        totals.forget(unsigned(row, 1)?);
    }
    let Some(last) = last else { return Ok(false) };
    transaction.execute("DELETE FROM history WHERE id <= ?1", [last])?;
    Ok(true)
}

/// A number that is never below zero, as `SQLite` has it.
fn unsigned(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}

/// The stamp that an event lost to, followed by a checksum: the event's own covers the register alone.
fn seal_lost_to(key: &[u8], stamp: Stamp, lost_to: Stamp) -> [u8; 26] {
    let mut sealed = [0; 26];
    let (stamp, lost_to) = (stamp.to_bytes(), lost_to.to_bytes());
    sealed[..18].copy_from_slice(&lost_to);
    sealed[18..].copy_from_slice(&seal(&[key, &stamp, &lost_to]));
    sealed
}

/// An event from a row of key, stamp, `lost_to` and body, if all of it is as it was written.
pub(super) fn decode(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Event>> {
    let (Ok(key), Ok(stamp)) = (row.get_ref(0)?.as_blob(), row.get_ref(1)?.as_blob()) else { return Ok(None) };
    let (Ok(lost_to), Ok(body)) = (row.get_ref(2)?.as_blob_or_null(), row.get_ref(3)?.as_blob()) else {
        return Ok(None);
    };
    let Some(register) = Register::decode(body).ok().filter(|register| *register.key == *key) else { return Ok(None) };
    if register.stamp.to_bytes() != stamp {
        return Ok(None);
    }
    let Some(sealed) = lost_to else { return Ok(Some(Event { register, lost_to: None })) };
    let winner = sealed.first_chunk::<18>().copied().map(Stamp::from_bytes);
    let winner = winner.filter(|winner| seal_lost_to(key, register.stamp, *winner) == sealed);
    Ok(winner.map(|winner| Event { register, lost_to: Some(winner) }))
}

/// Reads over a connection of its own, which is opened at the first question.
pub(super) struct SqliteHistory {
    /// The data folder, for messages.
    path: PathBuf,
    database: PathBuf,
    is_closed: Arc<AtomicBool>,
    /// Whether the folder cannot be written, as a connection needs it to be.
    is_unwritable: Arc<AtomicBool>,
    connection: Mutex<Option<Connection>>,
}

impl SqliteHistory {
    pub(super) const fn new(
        path: PathBuf,
        database: PathBuf,
        is_closed: Arc<AtomicBool>,
        is_unwritable: Arc<AtomicBool>,
    ) -> Self {
        Self { path, database, is_closed, is_unwritable, connection: Mutex::new(None) }
    }

    fn read<R>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<R>) -> Result<R, StoreError> {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        let failed = |error| sort(&self.path, error);
        let mut guard = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        // Such a connection does not see what is written while it is open.
        if self.is_unwritable.load(Ordering::Acquire) {
            return schema::open_as_it_is(&self.database).and_then(|connection| read(&connection)).map_err(failed);
        }
        let connection = match guard.take() {
            Some(connection) => connection,
            None => self.connect().map_err(failed)?,
        };
        // Put back only when it has worked: a connection that fails is opened again.
        let found = read(&connection).map_err(failed)?;
        *guard = Some(connection);
        Ok(found)
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let flags =
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NOFOLLOW | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.database, flags)?;
        schema::configure(&connection)?;
        Ok(connection)
    }
}

impl History for SqliteHistory {
    fn page(&self, key: &[u8], before: Option<Stamp>, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.read(|connection| page(connection, key, before, limit.min(HISTORY_PAGE_MAX)))
    }

    fn page_of_all(&self, before: Option<Stamp>, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.read(|connection| page_of_all(connection, before, limit.min(HISTORY_PAGE_MAX)))
    }

    fn arrivals(&self, after: u64, limit: usize, is_wanted: &dyn Fn(Stamp) -> bool) -> Result<Arrivals, StoreError> {
        self.read(|connection| arrivals(connection, after, limit.min(HISTORY_PAGE_MAX), is_wanted))
    }

    fn ends(&self) -> Result<Option<(u64, u64)>, StoreError> {
        // Two questions, because one of both would look at all rows.
        self.read(|connection| {
            let end = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
            let (first, last) = (end("SELECT min(id) FROM history")?, end("SELECT max(id) FROM history")?);
            Ok(first.zip(last).map(|(first, last)| (position(first), position(last))))
        })
    }

    fn stamp_at(&self, position: u64) -> Result<Option<Stamp>, StoreError> {
        let id = i64::try_from(position).unwrap_or(i64::MAX);
        self.read(|connection| {
            let mut statement = connection.prepare("SELECT stamp FROM history WHERE id = ?1")?;
            let mut rows = statement.query([id])?;
            rows.next()?.map_or(Ok(None), |row| stamp_of(row, 0))
        })
    }
}

impl fmt::Debug for SqliteHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteHistory").field("path", &self.path).finish_non_exhaustive()
    }
}

fn position(id: i64) -> u64 {
    u64::try_from(id).unwrap_or(0)
}

/// The stamp in a column; none where it is damaged.
fn stamp_of(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Option<Stamp>> {
    let bytes = row.get_ref(column)?;
    Ok(bytes.as_blob().ok().and_then(|stamp| stamp.first_chunk::<18>()).map(|stamp| Stamp::from_bytes(*stamp)))
}

/// The numbers of rows are given in the order of arrival. Damaged events are left out.
fn arrivals(
    connection: &Connection,
    after: u64,
    limit: usize,
    is_wanted: &dyn Fn(Stamp) -> bool,
) -> rusqlite::Result<Arrivals> {
    let mut statement = connection
        .prepare_cached("SELECT key, stamp, lost_to, body, id FROM history WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let after_id = i64::try_from(after).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![after_id, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let (mut arrivals, mut bytes) = (Arrivals { events: Vec::new(), last: after, is_complete: true }, 0);
    while bytes < ARRIVALS_BYTES_MAX
        && let Some(row) = rows.next()?
    {
        let follows = arrivals.last.saturating_add(1);
        arrivals.last = position(row.get(4)?);
        let Some(stamp) = stamp_of(row, 1)? else {
            arrivals.is_complete = false;
            continue;
        };
        if is_wanted(stamp) {
            bytes += row.get_ref(3)?.as_blob().map_or(0, <[u8]>::len);
            let event = decode(row)?;
            arrivals.is_complete &= arrivals.last == follows && event.is_some();
            arrivals.events.extend(event.map(|event| (arrivals.last, event)));
        }
    }
    Ok(arrivals)
}

/// Damaged events are left out: nothing that could be wrong is shown.
fn page(connection: &Connection, key: &[u8], before: Option<Stamp>, limit: usize) -> rusqlite::Result<Vec<Event>> {
    let mut statement = connection.prepare(
        "SELECT key, stamp, lost_to, body FROM history WHERE key = ?1 AND (?2 IS NULL OR stamp < ?2)
         ORDER BY stamp DESC",
    )?;
    let mut rows = statement.query(params![key, before.map(Stamp::to_bytes)])?;
    let mut events = Vec::new();
    while events.len() < limit {
        let Some(row) = rows.next()? else { break };
        events.extend(decode(row)?);
    }
    Ok(events)
}

/// The same of all keys. Which events they are is found in the index alone, which is a tenth of the table.
fn page_of_all(connection: &Connection, mut before: Option<Stamp>, limit: usize) -> rusqlite::Result<Vec<Event>> {
    let mut statement = connection.prepare(
        "SELECT key, stamp, lost_to, body FROM history WHERE id IN
             (SELECT id FROM history WHERE ?1 IS NULL OR stamp < ?1 ORDER BY stamp DESC LIMIT ?2)
         ORDER BY stamp DESC",
    )?;
    let mut events = Vec::new();
    // Again where damaged ones were left out.
    while events.len() < limit {
        let wanted = limit - events.len();
        let mut rows =
            statement.query(params![before.map(Stamp::to_bytes), i64::try_from(wanted).unwrap_or(i64::MAX)])?;
        let (mut found, mut is_lasting) = (0, false);
        while let Some(row) = rows.next()? {
            found += 1;
            if let Some(stamp) = row.get_ref(1)?.as_blob().ok().and_then(|stamp| stamp.first_chunk::<18>()) {
                (before, is_lasting) = (Some(Stamp::from_bytes(*stamp)), true);
            }
            events.extend(decode(row)?);
        }
        if found < wanted || !is_lasting {
            break;
        }
    }
    Ok(events)
}
