//! A session with Redis: load, compare, and then write and follow until the connection is lost.

mod compare;
mod driver;
mod put;

use std::cell::{Cell, RefCell};
use std::future::Future as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use redis::{Cmd, ErrorKind, Pipeline, Value, cmd};
use tidegate_replica::Register;
use tokio::time::{Instant, timeout_at};

use super::address::Address;
use super::connection::{Connection, EntryId, entries, items, number, text};
use super::entry::decode;
use super::lost::Lost;
use super::place::Place;
use super::server::{ServerInfo, problems};
use crate::clock::Clock;
use crate::live::intake::Intake;
use crate::live::redis_link::RedisLink;
use crate::random::between;

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
    pub(super) async fn run(&self, place: &Place, connected: impl FnOnce(u64, u64)) -> Lost {
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

    async fn begin(&self, place: &Place) -> Result<(Connection, Connection, u64, u64), Lost> {
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
        between(COMPARE_PERIOD, COMPARE_PERIOD * 6 / 5, (self.random)())
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
}

/// When to look again.
struct Due {
    check: Instant,
    compare: Instant,
}

/// Replies with exactly this many parts.
fn exactly<const N: usize>(values: Vec<Value>) -> Result<[Value; N], Lost> {
    values.try_into().map_err(|_| Lost::unexpected())
}

/// Registers in one run of the script, which holds up Redis for less than a millisecond.
const PUT_MAX: usize = 64;

/// Registers that are handed over at once.
const DELIVER_MAX: usize = 256;

/// A Redis that answers later is as good as unreachable.
pub(super) const REPLY_TIMEOUT: Duration = Duration::from_secs(2);

/// How long Redis may wait for an entry of the stream before it says that there is none.
const BLOCK: Duration = Duration::from_millis(BLOCK_MS);
const BLOCK_MS: u64 = 1_000;

/// Between two looks at how Redis is doing.
const CHECK_PERIOD: Duration = Duration::from_secs(1);

/// Between two comparisons of everything without a reason, and up to a fifth more.
const COMPARE_PERIOD: Duration = Duration::from_mins(5);
