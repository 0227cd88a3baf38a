//! Registers and what the replica remembers, as rows. Every body carries a checksum, and one that is wrong is
//! never read as data: the row moves to the table `aside`.

use std::time::SystemTime;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use tidegate_replica::{NodeId, Register};
use xxhash_rust::xxh3::Xxh3;

use super::super::folder::Identity;
use super::super::{ASIDE_ROWS_MAX, Batch};
use super::schema::Unusable;

/// Writes what batches say of registers and of the replica's own memory.
pub(super) fn write(transaction: &Transaction<'_>, batches: &[Batch]) -> rusqlite::Result<()> {
    let mut put = transaction.prepare_cached(PUT_REGISTER)?;
    let mut drop = transaction.prepare_cached("DELETE FROM registers WHERE key = ?1")?;
    for batch in batches {
        for key in &batch.dropped {
            drop.execute([&key[..]])?;
        }
        for register in &batch.registers {
            put.execute(params![&register.key[..], register.encode()])?;
        }
    }
    // Each replaces the one before.
    if let Some(meta) = batches.iter().rev().find_map(|batch| batch.meta.as_ref()) {
        put_replica(transaction, meta)?;
    }
    Ok(())
}

/// All registers that are whole; the others are moved aside and counted.
///
/// # Errors
/// A damaged row that cannot be removed is a damaged table.
pub(super) fn read_registers(connection: &Connection) -> Result<(Vec<Register>, u64), Unusable> {
    let mut registers = Vec::new();
    let mut damaged = Vec::new();
    let mut statement = connection.prepare("SELECT key, body FROM registers")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match decode(row)? {
            Some(register) => registers.push(register),
            // Of whatever kind the damage has made of it.
            None => damaged.push(row.get::<_, Value>(0)?),
        }
    }
    for key in &damaged {
        set_aside(connection, "register", "SELECT ?1, ?2, key, body FROM registers WHERE key IS ?3", key)?;
        if connection.execute("DELETE FROM registers WHERE key IS ?1", [key])? != 1 {
            return Err(Unusable::Damaged("a damaged row cannot be found by its key".to_owned()));
        }
    }
    Ok((registers, damaged.len() as u64))
}

/// All registers that are whole, where nothing can be moved aside, and whether there are others.
pub(super) fn peek_registers(connection: &Connection) -> rusqlite::Result<(Vec<Register>, bool)> {
    let (mut registers, mut is_damaged) = (Vec::new(), false);
    let mut statement = connection.prepare("SELECT key, body FROM registers")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match decode(row)? {
            Some(register) => registers.push(register),
            None => is_damaged = true,
        }
    }
    Ok((registers, is_damaged))
}

/// The register in a row of key and body, if both are as they were written.
pub(super) fn decode(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Register>> {
    let (Ok(key), Ok(body)) = (row.get_ref(0)?.as_blob(), row.get_ref(1)?.as_blob()) else { return Ok(None) };
    Ok(Register::decode(body).ok().filter(|register| *register.key == *key))
}

/// What the replica remembers, and whether it was damaged.
pub(super) fn read_meta(connection: &Connection) -> rusqlite::Result<(Option<Vec<u8>>, bool)> {
    let Some(sealed) = get_meta(connection, REPLICA)? else { return Ok((None, false)) };
    if let Some(body) = unseal(REPLICA, &sealed) {
        return Ok((Some(body.to_vec()), false));
    }
    set_aside(connection, "meta", "SELECT ?1, ?2, CAST(name AS BLOB), body FROM meta WHERE name = ?3", REPLICA)?;
    connection.execute("DELETE FROM meta WHERE name = ?1", [REPLICA])?;
    Ok((None, true))
}

/// What a damaged database says that the replica remembers, if that is whole.
pub(super) fn peek_meta(damaged: &Connection) -> Option<Vec<u8>> {
    let sealed = get_meta(damaged, REPLICA).ok().flatten()?;
    unseal(REPLICA, &sealed).map(<[u8]>::to_vec)
}

pub(super) fn put_replica(connection: &Connection, meta: &[u8]) -> rusqlite::Result<()> {
    put_meta(connection, REPLICA, meta)
}

/// The copy of the node's id; none if there is none that is whole.
pub(super) fn read_identity(connection: &Connection) -> rusqlite::Result<Option<Identity>> {
    let sealed = get_meta(connection, NODE)?;
    let body = sealed.as_deref().and_then(|sealed| unseal(NODE, sealed));
    Ok(body.and_then(|body| {
        let (node, starts) = body.split_first_chunk::<8>()?;
        let starts = u64::from_be_bytes(starts.try_into().ok()?);
        Some(Identity { node: NodeId::new(u64::from_be_bytes(*node)), starts })
    }))
}

pub(super) fn write_identity(connection: &Connection, identity: Identity) -> rusqlite::Result<()> {
    let parts = [identity.node.get().to_be_bytes(), identity.starts.to_be_bytes()];
    put_meta(connection, NODE, parts.as_flattened())
}

/// Notes that registers were lost, until a batch has noted it.
pub(super) fn mark(connection: &Connection) -> rusqlite::Result<()> {
    put_meta(connection, DAMAGED, &[])
}

pub(super) fn unmark(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM meta WHERE name = ?1", [DAMAGED]).map(|_| ())
}

/// A mark that is damaged itself is one all the same.
pub(super) fn is_marked(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(get_meta(connection, DAMAGED)?.is_some())
}

/// Copies what `select` finds into the table of damaged rows, of which the oldest go when there are too many.
fn set_aside(connection: &Connection, kind: &str, select: &str, key: impl rusqlite::ToSql) -> rusqlite::Result<()> {
    let millis = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    connection
        .execute(&format!("INSERT INTO aside (found_ms, kind, key, body) {select}"), params![millis, kind, key])?;
    connection.execute("DELETE FROM aside WHERE id <= (SELECT max(id) FROM aside) - ?1", [ASIDE_ROWS_MAX])?;
    Ok(())
}

fn get_meta(connection: &Connection, name: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    let bytes = |row: &rusqlite::Row<'_>| Ok(row.get_ref(0)?.as_bytes().unwrap_or_default().to_vec());
    connection.query_row("SELECT body FROM meta WHERE name = ?1", [name], bytes).optional()
}

fn put_meta(connection: &Connection, name: &str, body: &[u8]) -> rusqlite::Result<()> {
    let mut sealed = Vec::with_capacity(8 + body.len());
    sealed.extend(seal(&[name.as_bytes(), body]));
    sealed.extend(body);
    connection.prepare_cached(PUT_META)?.execute(params![name, sealed]).map(|_| ())
}

/// The body behind the checksum, if that is right.
fn unseal<'s>(name: &str, sealed: &'s [u8]) -> Option<&'s [u8]> {
    let (sum, body) = sealed.split_first_chunk::<8>()?;
    (*sum == seal(&[name.as_bytes(), body])).then_some(body)
}

/// A checksum over parts, each with its length.
pub(super) fn seal(parts: &[&[u8]]) -> [u8; 8] {
    let mut hash = Xxh3::new();
    for part in parts {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.digest().to_be_bytes()
}

pub(super) const PUT_REGISTER: &str =
    "INSERT INTO registers (key, body) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET body = excluded.body";
const PUT_META: &str =
    "INSERT INTO meta (name, body) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET body = excluded.body";

/// Names of the table `meta`.
const REPLICA: &str = "replica";
const NODE: &str = "node";
const DAMAGED: &str = "damaged";
