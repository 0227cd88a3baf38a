//! A backup: all registers of a cluster in one file of JSON lines, for people to read and for programs to
//! restore, whole or not at all.
//!
//! ```text
//! {"format":"tidegate-backup","version":1,"cluster":…,"node":…,"created_at":…,"sum":"…"}
//! {"key":…,"stamp":…,"value":…,"actor":…,"reason":…,"register":"<the register as stored, hexadecimal>","sum":"…"}
//! {"end":true,"registers":1,"sum":"…"}
//! ```
//!
//! Only `register` is read back; what stands before it is for people. `sum` is XXH3-64 of the sums before it
//! and of its line up to the comma, so a line that was edited, removed, added or moved is found and named. It
//! keeps out mistakes, not attackers: keep backups where only you can write.

use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};
use tidegate_engine::Micros;
use tidegate_replica::limits::VALUE_BYTES_MAX;
use tidegate_replica::{DecodeError, NodeId, Register};
use xxhash_rust::xxh3::Xxh3;

/// Where and when a backup was made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Header {
    /// The cluster's name.
    pub cluster: String,
    /// The node that wrote it.
    pub node: NodeId,
    /// When, by that node's clock.
    pub created_at: Micros,
}

/// What a backup holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Backup {
    /// Where and when it was made.
    pub header: Header,
    /// In the order of the file. Tombstones are among them: a restore must not bring back what was removed.
    pub registers: Vec<Register>,
}

/// A backup cannot be read. Nothing of it may be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The file cannot be read.
    #[error("the backup cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The first line is not that of a backup.
    #[error("not a backup of tidegate: its first line says something else")]
    Foreign,
    /// A newer version of this program has written it.
    #[error(
        "the backup is of version {found}, and this program knows up to {VERSION}; restore it with a newer program"
    )]
    Newer {
        /// Its version.
        found: u32,
    },
    /// The file ends before its last line.
    #[error("the backup ends after line {line}, before its end; take another copy")]
    Truncated {
        /// The last whole line, counted from 1.
        line: usize,
    },
    /// A line is not as it was written, or a line before it is missing.
    #[error("line {line} of the backup was changed, or a line before it is missing; take another copy")]
    Changed {
        /// The first such line, counted from 1.
        line: usize,
    },
    /// A line is longer than any that this program writes.
    #[error("line {line} of the backup is longer than {LINE_BYTES_MAX} bytes")]
    TooLong {
        /// Counted from 1.
        line: usize,
    },
    /// There are more registers than a cluster may have.
    #[error("the backup has more than {REGISTERS_MAX} registers")]
    TooMany,
}

/// Writes a backup, and returns how many registers are in it. It is complete when this returns; flushing it to
/// a disk is the caller's.
///
/// # Errors
/// `out` has failed. What is there is refused when it is read.
pub fn write<'r>(
    out: &mut dyn Write,
    header: &Header,
    registers: impl IntoIterator<Item = &'r Register>,
) -> io::Result<u64> {
    let mut chain = Chain::default();
    let mut put = |line: String| writeln!(out, "{}", chain.seal(line));
    put(to_line(&FirstLine {
        format: FORMAT.to_owned(),
        version: VERSION,
        cluster: header.cluster.clone(),
        node: header.node.to_string(),
        created_at: header.created_at.to_string(),
        created_at_us: header.created_at.get(),
    })?)?;
    let mut count = 0;
    for register in registers {
        put(to_line(&RegisterLine::new(register))?)?;
        count += 1;
    }
    put(to_line(&LastLine { end: true, registers: count })?)?;
    out.flush()?;
    Ok(count)
}

/// Reads a backup to its end, and returns it only if it is whole.
///
/// # Errors
/// [`BackupError`], with the line where there is one.
pub fn read(input: impl BufRead) -> Result<Backup, BackupError> {
    let mut lines = Lines { input, chain: Chain::default(), number: 0 };
    let header = match lines.next()? {
        Some(Line::Whole(line)) => parse_first(&line)?,
        Some(Line::Changed(line)) => return Err(parse_first(&line).err().unwrap_or(BackupError::Changed { line: 1 })),
        None => return Err(BackupError::Foreign),
    };
    let mut registers = Vec::new();
    loop {
        let line = match lines.next()? {
            Some(Line::Whole(line)) => line,
            Some(Line::Changed(_)) => return Err(BackupError::Changed { line: lines.number }),
            None => return Err(BackupError::Truncated { line: lines.number }),
        };
        let changed = BackupError::Changed { line: lines.number };
        if let Ok(last) = serde_json::from_slice::<LastLine>(&line) {
            if !last.end || last.registers != registers.len() as u64 {
                return Err(changed);
            }
            break;
        }
        let Ok(line) = serde_json::from_slice::<StoredLine<'_>>(&line) else { return Err(changed) };
        let bytes = from_hex(line.register).ok_or(changed)?;
        let register = Register::decode(&bytes).map_err(|error| match error {
            DecodeError::Version(found) => BackupError::Newer { found: found.into() },
            _ => BackupError::Changed { line: lines.number },
        })?;
        if registers.len() == REGISTERS_MAX {
            return Err(BackupError::TooMany);
        }
        registers.push(register);
    }
    match lines.next()? {
        None => Ok(Backup { header, registers }),
        Some(_) => Err(BackupError::Changed { line: lines.number }),
    }
}

/// A line without its checksum, but with the brace that ends it.
enum Line {
    Whole(Vec<u8>),
    Changed(Vec<u8>),
}

struct Lines<R> {
    input: R,
    chain: Chain,
    /// Of the line that was read last.
    number: usize,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> Result<Option<Line>, BackupError> {
        let mut line = Vec::new();
        let limit = LINE_BYTES_MAX as u64 + 1;
        Read::take(&mut self.input, limit).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.len() > LINE_BYTES_MAX {
            return Err(BackupError::TooLong { line: self.number + 1 });
        }
        if line.pop_if(|byte| *byte == b'\n').is_none() {
            return Err(BackupError::Truncated { line: self.number });
        }
        self.number += 1;
        Ok(Some(match self.chain.open(&line) {
            Some(whole) => Line::Whole(whole),
            None => Line::Changed(line),
        }))
    }
}

/// The running checksum over all lines.
#[derive(Default)]
struct Chain {
    sum: u64,
}

impl Chain {
    /// Puts the checksum into a line, before the brace that ends it.
    fn seal(&mut self, mut line: String) -> String {
        line.pop();
        self.add(line.as_bytes());
        format!("{line}{SUM}{:016x}\"}}", self.sum)
    }

    /// The line as it was before, if it is as it was written.
    fn open(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        let start = line.len().checked_sub(SUM.len() + 16 + 2)?;
        self.add(&line[..start]);
        if line[start..] != *format!("{SUM}{:016x}\"}}", self.sum).as_bytes() {
            return None;
        }
        Some([&line[..start], b"}"].concat())
    }

    fn add(&mut self, line: &[u8]) {
        let mut hash = Xxh3::new();
        hash.update(&self.sum.to_be_bytes());
        hash.update(line);
        self.sum = hash.digest();
    }
}

#[derive(Deserialize, Serialize)]
struct FirstLine {
    format: String,
    version: u32,
    cluster: String,
    node: String,
    created_at: String,
    created_at_us: i64,
}

/// For people; [`StoredLine`] is what is read.
#[derive(Serialize)]
struct RegisterLine<'r> {
    key: String,
    stamp: String,
    written_at: String,
    value: Shown<'r>,
    actor: &'r str,
    reason: &'r str,
    register: String,
}

/// A value as JSON where it is JSON, else as text or as bytes.
#[derive(Serialize)]
#[serde(untagged)]
enum Shown<'r> {
    Removed,
    Json(serde_json::Value),
    Text(&'r str),
    Bytes { hex: String },
}

#[derive(Deserialize)]
struct StoredLine<'l> {
    register: &'l str,
}

#[derive(Deserialize, Serialize)]
struct LastLine {
    end: bool,
    registers: u64,
}

impl<'r> RegisterLine<'r> {
    fn new(register: &'r Register) -> Self {
        let value = match register.value.as_deref() {
            None => Shown::Removed,
            Some(bytes) => match (serde_json::from_slice(bytes), std::str::from_utf8(bytes)) {
                (Ok(json), _) => Shown::Json(json),
                (Err(_), Ok(text)) => Shown::Text(text),
                (Err(_), Err(_)) => Shown::Bytes { hex: to_hex(bytes) },
            },
        };
        let micros = i64::try_from(register.stamp.millis()).unwrap_or(i64::MAX).saturating_mul(1_000);
        Self {
            key: String::from_utf8_lossy(&register.key).into_owned(),
            stamp: register.stamp.to_string(),
            written_at: Micros::new(micros).to_string(),
            value,
            actor: &register.actor,
            reason: &register.reason,
            register: to_hex(&register.encode()),
        }
    }
}

fn parse_first(line: &[u8]) -> Result<Header, BackupError> {
    // Every later version says at least these two.
    #[derive(Deserialize)]
    struct Start {
        format: String,
        version: u32,
    }
    let start: Start = serde_json::from_slice(line).map_err(|_| BackupError::Foreign)?;
    if start.format != FORMAT {
        return Err(BackupError::Foreign);
    }
    if start.version > VERSION {
        return Err(BackupError::Newer { found: start.version });
    }
    let first: FirstLine = serde_json::from_slice(line).map_err(|_| BackupError::Changed { line: 1 })?;
    let node = first.node.parse().map_err(|_| BackupError::Changed { line: 1 })?;
    Ok(Header { cluster: first.cluster, node, created_at: Micros::new(first.created_at_us) })
}

fn to_line(line: &impl Serialize) -> io::Result<String> {
    serde_json::to_string(line).map_err(io::Error::other)
}

fn to_hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value & 0x0f)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

const FORMAT: &str = "tidegate-backup";

/// The newest form that this version reads, and the one that it writes.
const VERSION: u32 = 1;

/// What stands before a line's checksum.
const SUM: &str = ",\"sum\":\"";

/// The longest line: the largest value stands in it as JSON, which may take six times as much, and as hexadecimal
/// digits; the texts beside it, which count twice likewise, are short.
const LINE_BYTES_MAX: usize = 10 * VALUE_BYTES_MAX;

/// More than ten for each flag that a document may have.
const REGISTERS_MAX: usize = 2_000_000;

#[cfg(test)]
mod tests;
