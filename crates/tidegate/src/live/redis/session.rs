//! A session with Redis: load, compare, and then write and follow until the connection is lost.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use redis::{Cmd, ErrorKind, Pipeline, RedisError, ServerErrorKind, Value, cmd};
use tidegate_replica::{Level, RANK_BYTES, Register};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::address::Address;
use super::connection::{Connection, EntryId, bytes, entries, items, number, text};
use super::entry::{Unreadable, decode, encode};
use super::lost::Lost;
use super::server::{ServerInfo, problems};
use crate::clock::Clock;
use crate::live::inbox::Refused;
use crate::live::intake::Intake;
use crate::live::redis_link::{Ack, Outcome, RedisLink};
use crate::live::request::Request;

/// What the thread needs.
pub(super) struct Session {
    pub(super) address: Address,
    pub(super) link: Arc<RedisLink>,
    pub(super) intake: Arc<Intake>,
    pub(super) clock: Clock,
    pub(super) max_drift_ms: u64,
    pub(super) random: fn() -> u64,
    keys: Keys,
    /// Up to where the stream was read.
    cursor: Cell<EntryId>,
    /// How many registers Redis has at least.
    known: Cell<u64>,
    /// How many entries of the last comparison could not be read.
    unreadable: Cell<u64>,
    info: RefCell<ServerInfo>,
    script: RefCell<String>,
}

/// The two keys. They have one hash tag, so that a Redis Cluster has both on one node.
#[derive(Debug)]
struct Keys {
    registers: String,
    log: String,
}

/// What Redis has under a field.
enum Held {
    Rank([u8; RANK_BYTES]),
    Damaged(Vec<u8>),
    Newer,
}

/// A register to write, and the damaged entry that it may replace.
type Put = (Register, Option<Vec<u8>>);

impl Session {
    pub(super) fn new(
        (address, cluster): (Address, &str),
        link: Arc<RedisLink>,
        intake: Arc<Intake>,
        clock: Clock,
        max_drift_ms: u64,
    ) -> Self {
        let keys =
            Keys { registers: format!("{{tidegate:{cluster}}}:reg"), log: format!("{{tidegate:{cluster}}}:log") };
        Self {
            address,
            link,
            intake,
            clock,
            max_drift_ms,
            random: crate::random::random,
            keys,
            cursor: Cell::default(),
            known: Cell::default(),
            unreadable: Cell::default(),
            info: RefCell::default(),
            script: RefCell::default(),
        }
    }

    /// Runs until the connection is lost; why it was. `connected` is told how much was loaded and written.
    pub(super) async fn run(&self, place: &Address, connected: impl FnOnce(u64, u64)) -> Lost {
        match self.begin(place).await {
            Err(lost) => lost,
            Ok((writer, reader, loaded, refilled)) => {
                connected(loaded, refilled);
                let (mut writing, mut following) = (pin!(self.write(writer)), pin!(self.follow(reader)));
                std::future::poll_fn(|context| match following.as_mut().poll(context) {
                    Poll::Ready(lost) => Poll::Ready(lost),
                    Poll::Pending => writing.as_mut().poll(context),
                })
                .await
            }
        }
    }

    async fn begin(&self, place: &Address) -> Result<(Connection, Connection, u64, u64), Lost> {
        let mut writer = Connection::open(place, REPLY_TIMEOUT).await?;
        let reader = Connection::open(place, BLOCK + REPLY_TIMEOUT).await?;
        self.known.set(0);
        self.cursor.set(EntryId::default());
        self.check(&mut writer).await?;
        // What is written while the hash is read is in the stream after this.
        let last = self.last_id(&mut writer).await?;
        self.cursor.set(last);
        let (loaded, refilled) = self.compare(&mut writer).await?;
        Ok((writer, reader, loaded, refilled))
    }

    /// Looks at how Redis is doing, and whether it has lost something.
    async fn check(&self, connection: &mut Connection) -> Result<(), Lost> {
        let mut asked = Pipeline::new();
        asked.cmd("INFO").cmd("TYPE").arg(&self.keys.registers).cmd("TYPE").arg(&self.keys.log).cmd("TIME");
        let before = self.clock.now();
        let [info, registers, log, time] = exactly(connection.query_all(&asked).await?)?;
        let between = i64::midpoint(before.get(), self.clock.now().get());
        for (value, key, kind) in [(registers, &self.keys.registers, "hash"), (log, &self.keys.log, "stream")] {
            let found = text(value)?;
            if found != kind && found != "none" {
                return Err(Lost::wrong_type(key, &found));
            }
        }
        let info = ServerInfo::parse(&text(info)?);
        if !info.is_master {
            return Err(Lost::Unreachable("it is a replica, which accepts no writes; name the master".to_owned()));
        }
        let [seconds, micros] = exactly(items(time)?)?;
        let time = i64::try_from(number(seconds)?.saturating_mul(1_000_000).saturating_add(number(micros)?));
        let offset_ms = time.map_or(0, |time| time.saturating_sub(between) / 1_000);
        let mut asked = Pipeline::new();
        asked.cmd("HLEN").arg(&self.keys.registers);
        let [count] = exactly(connection.query_all(&asked).await?)?;
        let count = number(count)?;
        if count < self.known.get() {
            self.link.request_comparison();
        }
        self.known.set(count);
        if self.last_id(connection).await? < self.cursor.get() {
            return Err(Lost::Reload);
        }
        let appendfsync =
            if info.is_append_only { self.appendfsync(connection).await? } else { Some("off".to_owned()) };
        self.link.update(|status| {
            status.appendfsync = appendfsync;
            status.clock_offset_ms = Some(offset_ms);
            status.registers = count;
        });
        self.note_info(info);
        Ok(())
    }

    /// Hands on what is wrong. Each thing is logged once.
    fn note_info(&self, info: ServerInfo) {
        self.link.update(|status| {
            status.replicas = info.replicas;
            status.eviction.clone_from(&info.eviction);
            status.unreadable = self.unreadable.get();
        });
        let offset_ms = self.link.status().clock_offset_ms.unwrap_or(0);
        let problems = problems(&info, offset_ms, self.max_drift_ms, self.unreadable.get());
        let (new, is_claiming_again) = self.link.note_problems(problems, info.eviction_problem());
        for problem in new {
            tracing::warn!("Redis at {}: {}", self.address, problem.message.trim_start_matches("Redis: "));
        }
        if is_claiming_again {
            tracing::info!("Redis at {} drops no keys any more: its acknowledgements count again", self.address);
        }
        *self.info.borrow_mut() = info;
    }

    /// Users of managed services may not ask.
    async fn appendfsync(&self, connection: &mut Connection) -> Result<Option<String>, Lost> {
        match connection.query(cmd("CONFIG").arg("GET").arg("appendfsync")).await {
            Ok(value) => {
                let value = match value {
                    Value::Map(pairs) => pairs.into_iter().next().map(|(_, value)| value),
                    value => items(value)?.into_iter().nth(1),
                };
                value.map(text).transpose()
            }
            Err(error) if matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn last_id(&self, connection: &mut Connection) -> Result<EntryId, Lost> {
        let asked = self.range("XREVRANGE", "+", "-");
        let last = entries(connection.query(&asked).await?)?;
        Ok(last.first().map(|(id, _)| *id).unwrap_or_default())
    }

    fn range(&self, command: &str, from: &str, to: &str) -> Cmd {
        let mut asked = cmd(command);
        asked.arg(&self.keys.log).arg(from).arg(to).arg("COUNT").arg(1);
        asked
    }

    /// Reads all that Redis has, hands it to the driver, and writes what memory has more. Returns how many registers were read and
    /// written.
    async fn compare(&self, connection: &mut Connection) -> Result<(u64, u64), Lost> {
        let held = self.load(connection).await?;
        let loaded = held.len() as u64;
        let puts: Vec<Put> =
            self.registers().await?.into_iter().filter_map(|register| self.missing(register, &held)).collect();
        let (mut refilled, mut added) = (0, 0);
        for puts in puts.chunks(PUT_MAX) {
            added += puts.iter().filter(|(register, _)| !held.contains_key(&*register.key)).count() as u64;
            refilled += self.put(connection, puts).await?;
        }
        let replaced = puts.iter().filter(|(_, damaged)| damaged.is_some()).count() as u64;
        self.unreadable.set(self.unreadable.get().saturating_sub(replaced));
        self.known.set(loaded + added);
        self.link.update(|status| {
            status.comparisons += 1;
            status.refilled += refilled;
        });
        Ok((loaded, refilled))
    }

    /// What to write of a register, if Redis has less.
    fn missing(&self, register: Register, held: &BTreeMap<Vec<u8>, Held>) -> Option<Put> {
        match held.get(&*register.key) {
            None => Some((register, None)),
            // The reply to the write may have been lost: a caller waits for it.
            Some(Held::Rank(rank)) if *rank < register.rank_bytes() || self.link.is_awaited(&register.key) => {
                Some((register, None))
            }
            Some(Held::Damaged(bytes)) => Some((register, Some(bytes.clone()))),
            Some(Held::Rank(_) | Held::Newer) => None,
        }
    }

    async fn load(&self, connection: &mut Connection) -> Result<BTreeMap<Vec<u8>, Held>, Lost> {
        let mut held = BTreeMap::new();
        // Registers of an epoch are merged after the repair that began it.
        let repair = connection.query(cmd("HGET").arg(&self.keys.registers).arg(Register::REPAIR_KEY)).await?;
        if let Some(repair) = bytes(repair)? {
            self.hold(vec![(Register::REPAIR_KEY.to_vec(), repair)], &mut held).await?;
        }
        let mut cursor = 0;
        loop {
            let asked = cmd("HSCAN").arg(&self.keys.registers).arg(cursor).arg("COUNT").arg(SCAN_COUNT).take();
            let [next, found] = exactly(items(connection.query(&asked).await?)?)?;
            let mut found = items(found)?.into_iter();
            let mut pairs = Vec::new();
            while let (Some(field), Some(value)) = (found.next(), found.next()) {
                pairs.push((bytes(field)?.unwrap_or_default(), bytes(value)?.unwrap_or_default()));
            }
            for some in pairs.chunks(DELIVER_MAX) {
                self.hold(some.to_vec(), &mut held).await?;
            }
            if held.len() > REGISTERS_MAX {
                let message = format!("`{}` has more than {REGISTERS_MAX} fields; it is not ours", self.keys.registers);
                return Err(Lost::Lasting { code: "redis-too-large", message });
            }
            cursor = number(next)?;
            if cursor == 0 {
                break;
            }
        }
        self.unreadable.set(held.values().filter(|held| !matches!(held, Held::Rank(_))).count() as u64);
        Ok(held)
    }

    /// Hands over what some fields have, and notes it.
    async fn hold(&self, pairs: Vec<(Vec<u8>, Vec<u8>)>, held: &mut BTreeMap<Vec<u8>, Held>) -> Result<(), Lost> {
        let mut registers = Vec::new();
        for (field, value) in pairs {
            let found = match decode(&value) {
                Ok(register) if *register.key == *field => {
                    let rank = register.rank_bytes();
                    registers.push(register);
                    Held::Rank(rank)
                }
                Err(Unreadable::Newer) => Held::Newer,
                _ => Held::Damaged(value),
            };
            held.insert(field, found);
        }
        self.deliver(registers).await
    }

    /// Writes what becomes active here, and looks after Redis.
    async fn write(&self, mut connection: Connection) -> Lost {
        let mut due = Due { check: Instant::now() + CHECK_PERIOD, compare: Instant::now() + self.compare_period() };
        loop {
            if let Err(lost) = self.write_some(&mut connection, &mut due).await {
                return lost;
            }
            if !self.link.has_work() {
                if self.link.is_closing() {
                    return Lost::Ended;
                }
                // Nothing came: it is time for a check.
                let _ = timeout_at(due.check, self.link.woken()).await;
            }
        }
    }

    async fn write_some(&self, connection: &mut Connection, due: &mut Due) -> Result<(), Lost> {
        let now = Instant::now();
        if now >= due.check {
            self.check(connection).await?;
            due.check = Instant::now() + CHECK_PERIOD;
        }
        if self.link.begin_comparison() || now >= due.compare {
            let (_, refilled) = self.compare(connection).await?;
            due.compare = Instant::now() + self.compare_period();
            if refilled > 0 {
                tracing::warn!("Redis at {} had lost {refilled} registers; they are written to it again", self.address);
            }
        }
        let puts: Vec<Put> = self.link.take(PUT_MAX).into_iter().map(|register| (register, None)).collect();
        if !puts.is_empty() {
            self.put(connection, &puts).await?;
        }
        Ok(())
    }

    fn compare_period(&self) -> Duration {
        COMPARE_PERIOD + COMPARE_PERIOD.mul_f64(fraction((self.random)()) / 5.0)
    }

    /// Compares and puts. Returns how many registers Redis has taken. Callers that wait for one of them are told.
    async fn put(&self, connection: &mut Connection, puts: &[Put]) -> Result<u64, Lost> {
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

    /// Reads what other processes write.
    async fn follow(&self, mut connection: Connection) -> Lost {
        loop {
            if let Err(lost) = self.follow_some(&mut connection).await {
                return lost;
            }
        }
    }

    async fn follow_some(&self, connection: &mut Connection) -> Result<(), Lost> {
        let from = self.cursor.get();
        let mut asked = cmd("XREAD");
        asked.arg("COUNT").arg(DELIVER_MAX).arg("BLOCK").arg(BLOCK_MS);
        asked.arg("STREAMS").arg(&self.keys.log).arg(from.to_text());
        let streams = match connection.query(&asked).await? {
            Value::Map(streams) => streams.into_iter().map(|(_, entries)| entries).next(),
            value => match items(value)?.into_iter().next() {
                None => None,
                Some(stream) => items(stream)?.into_iter().nth(1),
            },
        };
        let Some(found) = streams else { return Ok(()) };
        let found = entries(found)?;
        let Some((last, _)) = found.last() else { return Ok(()) };
        let last = *last;
        let registers: Vec<Register> = found.iter().filter_map(|(_, value)| decode(value).ok()).collect();
        self.link.update(|status| status.received += registers.len() as u64);
        self.deliver(registers).await?;
        self.cursor.set(last);
        // If the stream begins after what was read, something in between may be gone.
        let first = entries(connection.query(&self.range("XRANGE", "-", "+")).await?)?;
        if first.first().is_none_or(|(first, _)| *first > from) && from != EntryId::default() {
            return Err(Lost::Reload);
        }
        Ok(())
    }

    /// Everything that memory has.
    async fn registers(&self) -> Result<Vec<Register>, Lost> {
        let (sender, receiver) = oneshot::channel();
        let look = move |view: &crate::live::driver_view::DriverView<'_>| {
            let _ = sender.send(view.replica.for_store());
        };
        self.request(|| Request::Query(Box::new(look))).await?;
        timeout(DRIVER_TIMEOUT, receiver).await.map_err(|_| busy())?.map_err(|_| Lost::Ended)
    }

    /// Hands registers to the driver, and waits until it has merged them.
    async fn deliver(&self, registers: Vec<Register>) -> Result<(), Lost> {
        if registers.is_empty() {
            return Ok(());
        }
        let until = Instant::now() + DRIVER_TIMEOUT;
        loop {
            let (sender, receiver) = oneshot::channel();
            let reply = Box::new(move |is_merged| {
                let _ = sender.send(is_merged);
            });
            let request = Request::FromStore { registers: registers.clone(), reply };
            self.request(|| request).await?;
            match timeout_at(until, receiver).await {
                Ok(Ok(true)) => return Ok(()),
                // The disk has no room for more at the moment.
                Ok(Ok(false)) => tokio::time::sleep(BUSY_PAUSE).await,
                Ok(Err(_)) => return Err(Lost::Ended),
                Err(_) => return Err(busy()),
            }
        }
    }

    /// Tells the driver what Redis has said.
    async fn acknowledge(&self, acks: Vec<Ack>) -> Result<(), Lost> {
        if acks.is_empty() {
            return Ok(());
        }
        self.request(|| Request::StoreAcks(acks)).await
    }

    /// Has the driver look whether Redis is loaded. If it is too busy, it looks when it is not.
    pub(super) fn tell_loaded(&self) {
        let _ = self.intake.request(Request::StoreAcks(Vec::new()));
    }

    async fn request(&self, request: impl FnOnce() -> Request) -> Result<(), Lost> {
        let until = Instant::now() + DRIVER_TIMEOUT;
        while self.intake.is_full() {
            if Instant::now() >= until {
                return Err(busy());
            }
            tokio::time::sleep(BUSY_PAUSE).await;
        }
        self.intake.request(request()).map_err(|refused| match refused {
            Refused::Busy => busy(),
            Refused::Gone => Lost::Ended,
        })
    }
}

/// When to look again.
struct Due {
    check: Instant,
    compare: Instant,
}

fn busy() -> Lost {
    Lost::Unreachable("this process is too busy to take what it has".to_owned())
}

/// On how many replicas a change has to be, besides the Redis that this process writes to: at the level `one` on one if there is
/// one, for a majority on enough that more than half of all copies have it, and at `all` on all that are connected.
pub(super) fn needed(level: Level, replicas: u32) -> u32 {
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

/// Replies with exactly this many parts.
fn exactly<const N: usize>(values: Vec<Value>) -> Result<[Value; N], Lost> {
    values.try_into().map_err(|_| Lost::unexpected())
}

/// A number from 0 to 1.
pub(super) fn fraction(random: u64) -> f64 {
    f64::from(u32::try_from(random >> 32).unwrap_or(0)) / f64::from(u32::MAX)
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

/// Registers in one run of the script, which holds up Redis for less than a millisecond.
const PUT_MAX: usize = 64;

/// Registers that are handed over at once.
const DELIVER_MAX: usize = 256;

/// Fields that Redis looks at for one reply of `HSCAN`.
const SCAN_COUNT: u64 = 256;

/// Fields of the hash: ten times the most that was measured.
const REGISTERS_MAX: usize = 1_000_000;

/// A Redis that answers later is as good as unreachable.
const REPLY_TIMEOUT: Duration = Duration::from_secs(2);

/// How long Redis may wait for an entry of the stream before it says that there is none.
const BLOCK: Duration = Duration::from_millis(BLOCK_MS);
const BLOCK_MS: u64 = 1_000;

/// How long replicas of Redis are waited for, in milliseconds: writes of other callers wait behind it.
const WAIT_MS: u64 = 200;

/// Between two looks at how Redis is doing.
const CHECK_PERIOD: Duration = Duration::from_secs(1);

/// Between two comparisons of everything without a reason, and up to a fifth more.
const COMPARE_PERIOD: Duration = Duration::from_mins(5);

/// The driver takes what it is given within this.
const DRIVER_TIMEOUT: Duration = Duration::from_secs(30);

/// Before the driver is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

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
