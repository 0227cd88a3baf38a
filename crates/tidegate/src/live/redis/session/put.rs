//! Writes registers to Redis by a script that compares ranks, and tells what Redis has said.

use std::sync::Arc;

use redis::{ErrorKind, Pipeline, RedisError, ServerErrorKind, Value, cmd};
use tidegate_replica::{Level, RANK_BYTES};

use super::{Put, Session};
use crate::live::redis::connection::{Connection, bytes, items, number, text};
use crate::live::redis::entry::{Unreadable, decode, encode};
use crate::live::redis::lost::Lost;
use crate::live::redis::server::ServerInfo;
use crate::live::redis_link::{Ack, Outcome};

impl Session {
    /// Compares and puts. Returns how many registers Redis has taken. Callers that wait for one of them are told.
    pub(super) async fn put(&self, connection: &mut Connection, puts: &[Put]) -> Result<u64, Lost> {
        let levels: Vec<Option<Level>> = puts.iter().map(|(register, _)| self.link.level(&register.key)).collect();
        let highest = levels.iter().flatten().max().copied();
        let replies = self.run_script(connection, puts, highest.is_some()).await?;
        let replicas = match highest {
            Some(level) if needed(level, self.info.borrow().replicas) > 0 => {
                let (count, ms) = (needed(level, self.info.borrow().replicas), WAIT_MS);
                let acked = number(connection.query(cmd("WAIT").arg(count).arg(ms)).await?)?;
                u32::try_from(acked).unwrap_or(u32::MAX)
            }
            _ => 0,
        };
        let (mut stored, mut winners, mut acks) = (0, Vec::new(), Vec::new());
        for ((reply, (register, _)), level) in replies.into_iter().zip(puts).zip(levels) {
            let outcome = match reply {
                Value::Int(result) => {
                    stored += u64::from(result == STORED);
                    let is_reached = level.is_none_or(|level| replicas >= needed(level, self.info.borrow().replicas));
                    Some(Outcome::Stored { replicas, is_reached })
                }
                value => match decode(&bytes(value)?.unwrap_or_default()) {
                    Ok(winner) => {
                        let by = winner.stamp;
                        winners.push(winner);
                        Some(Outcome::Outranked { by })
                    }
                    Err(Unreadable::Damaged) => {
                        self.link.request_comparison();
                        None
                    }
                    Err(Unreadable::Newer) => None,
                },
            };
            let is_stored = matches!(outcome, Some(Outcome::Stored { .. }));
            let outcome = if is_stored && self.link.is_unclaimed() { Some(Outcome::Unclaimed) } else { outcome };
            if let (Some(outcome), Some(_)) = (outcome, level) {
                acks.push(Ack { key: Arc::clone(&register.key), stamp: register.stamp, outcome });
            }
        }
        // First what counts for more, so that the driver has it when it answers.
        self.deliver(winners).await?;
        self.acknowledge(acks).await?;
        Ok(stored)
    }

    /// Runs the script. If a caller waits, the same round trip asks whether Redis may drop what it takes.
    async fn run_script(
        &self,
        connection: &mut Connection,
        puts: &[Put],
        is_awaited: bool,
    ) -> Result<Vec<Value>, Lost> {
        for _ in 0..2 {
            if self.script.borrow().is_empty() {
                let loaded = text(connection.query(cmd("SCRIPT").arg("LOAD").arg(SCRIPT)).await?)?;
                *self.script.borrow_mut() = loaded;
            }
            let mut asked = Pipeline::new();
            asked.cmd("EVALSHA").arg(&*self.script.borrow()).arg(2).arg(&self.keys.registers).arg(&self.keys.log);
            asked.arg(LOG_MAX);
            for (register, damaged) in puts {
                asked.arg(&*register.key).arg(encode(register)).arg(damaged.as_deref().unwrap_or_default());
            }
            if is_awaited {
                asked.cmd("INFO");
            }
            match connection.query_all(&asked).await {
                Ok(replies) => {
                    let mut replies = replies.into_iter();
                    let results = items(replies.next().ok_or_else(Lost::unexpected)?)?;
                    if results.len() != puts.len() {
                        return Err(Lost::unexpected());
                    }
                    if let Some(info) = replies.next() {
                        self.note_info(ServerInfo::parse(&text(info)?));
                    }
                    return Ok(results);
                }
                // It has started again, or somebody has flushed its scripts.
                Err(error) if is_missing_script(&error) => self.script.borrow_mut().clear(),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Lost::unexpected())
    }
}

/// On how many replicas a change has to be, besides the Redis that this process writes to: at the level `one` on one if there is
/// one, for a majority on enough that more than half of all copies have it, and at `all` on all that are connected.
fn needed(level: Level, replicas: u32) -> u32 {
    match level {
        Level::Local => 0,
        Level::One => replicas.min(1),
        Level::Majority => replicas.div_ceil(2),
        Level::All => replicas,
    }
}

fn is_missing_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) || error.code() == Some("NOSCRIPT")
}

/// Compares the ranks of registers with those that are held, and writes each that counts for more into hash and stream. Bytes are
/// compared one by one: Lua compares texts by the locale. A register is written over a damaged entry if that is still the same.
const SCRIPT: &str = r"
local results = {}
for i = 2, #ARGV, 3 do
  local field, new, damaged = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local old = redis.call('HGET', KEYS[1], field)
  local order = 1
  if old and not (#damaged > 0 and old == damaged) then
    order = 0
    for place = 1, 45 do
      local mine, theirs = string.byte(new, place), string.byte(old, place) or -1
      if mine ~= theirs then
        order = mine > theirs and 1 or -1
        break
      end
    end
  end
  if order == 1 then
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[1], '*', 'r', new)
    redis.call('HSET', KEYS[1], field, new)
    results[#results + 1] = 0
  elseif order == 0 then
    results[#results + 1] = 1
  else
    results[#results + 1] = old
  end
end
return results
";

const _: () = assert!(RANK_BYTES == 45);

/// What the script says of a register that it has written.
const STORED: i64 = 0;

/// Entries of the stream, roughly: what a process may miss before it has to load everything.
const LOG_MAX: u64 = 10_000;

/// How long replicas of Redis are waited for, in milliseconds: writes of other callers wait behind it.
const WAIT_MS: u64 = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_counts_the_copies_of_redis() {
        for (level, expected) in [
            (Level::Local, [0, 0, 0, 0]),
            (Level::One, [0, 1, 1, 1]),
            (Level::Majority, [0, 1, 1, 2]),
            (Level::All, [0, 1, 2, 3]),
        ] {
            assert_eq!([0, 1, 2, 3].map(|replicas| needed(level, replicas)), expected, "{level}");
        }
    }
}
