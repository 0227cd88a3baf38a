//! Log records of the library, on their way to `Logger`.
//!
//! Threads of the library put records into a queue, and a thread of its own tells the process `Tidegate.Log` that there are some.
//! The process takes them out. The queue has a bound: where `Logger` does not keep up, the oldest records are dropped and counted.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use rustler::{Atom, Encoder, Env, Error, LocalPid, NifResult, OwnedEnv, Term};
use tracing::field::{Field, Visit};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber, span};

rustler::atoms! {
    tidegate_logs,
    debug,
    error,
    info,
    none,
    warning,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue { records: VecDeque::new(), dropped: 0, process: None, is_told: false });
static FILLED: Condvar = Condvar::new();

/// The least level that is taken, as [`rank`] numbers it; 0: nothing is.
static LEAST: AtomicU8 = AtomicU8::new(0);

/// Records that the process has not taken yet. A burst is some dozens; more than these are not read by a person.
const RECORDS_MAX: usize = 1_000;

/// Records that the process takes at once: few enough for a regular scheduler.
const TAKEN_MAX: usize = 100;

struct Queue {
    records: VecDeque<Record>,
    dropped: u64,
    /// Who takes the records.
    process: Option<LocalPid>,
    /// Whether it knows that there are some.
    is_told: bool,
}

struct Record {
    level: Level,
    message: String,
    fields: Vec<(&'static str, String)>,
    target: &'static str,
    file: Option<&'static str>,
    line: Option<u32>,
    /// Microseconds since the Unix epoch.
    at: u64,
}

impl Encoder for Record {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        let level = match self.level {
            Level::ERROR => error(),
            Level::WARN => warning(),
            Level::INFO => info(),
            Level::DEBUG | Level::TRACE => debug(),
        };
        (level, &self.message, &self.fields, self.target, self.file, self.line, self.at).encode(env)
    }
}

fn lock() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From here on this process takes records of this level and above; `:none`: nobody does.
#[rustler::nif]
fn log_to(process: LocalPid, level: Atom) -> NifResult<bool> {
    static STARTED: Once = Once::new();
    let least = [none(), error(), warning(), info(), debug()].iter().position(|known| *known == level);
    let least = least.and_then(|least| u8::try_from(least).ok()).ok_or(Error::BadArg)?;
    LEAST.store(least, Ordering::Relaxed);
    let mut queue = lock();
    queue.process = (least > 0).then_some(process);
    queue.is_told = false;
    if least == 0 {
        queue.records.clear();
    }
    drop(queue);
    STARTED.call_once(|| {
        // The library is loaded once in a virtual machine; another subscriber cannot be there before.
        let _ = tracing::subscriber::set_global_default(ToLogger);
        let _ = thread::Builder::new().name("tidegate-logging".to_owned()).spawn(tell);
    });
    FILLED.notify_all();
    Ok(true)
}

/// Takes records: those that have waited longest, and how many were dropped before them.
#[rustler::nif]
fn take_logs() -> (Vec<Record>, u64) {
    let mut queue = lock();
    let some = queue.records.len().min(TAKEN_MAX);
    let records = queue.records.drain(..some).collect();
    let dropped = std::mem::take(&mut queue.dropped);
    queue.is_told = false;
    drop(queue);
    FILLED.notify_all();
    (records, dropped)
}

/// Tells the process that there are records, once until it has taken some.
fn tell() {
    let mut env = OwnedEnv::new();
    loop {
        let mut queue = lock();
        let process = loop {
            match queue.process.filter(|_| !queue.records.is_empty() && !queue.is_told) {
                Some(process) => break process,
                None => queue = FILLED.wait(queue).unwrap_or_else(PoisonError::into_inner),
            }
        };
        queue.is_told = true;
        drop(queue);
        // A process that has ended is followed by another one, which says so by `log_to`.
        let _ = env.send_and_clear(&process, |_env| tidegate_logs());
    }
}

/// Logs as many records as it is told to, for tests.
#[cfg(feature = "testing")]
#[rustler::nif]
fn log(records: u64) -> bool {
    for number in 0..records {
        tracing::warn!(number, section = "shop", "a record for a test");
        tracing::debug!("a record of a level that nobody asked for");
    }
    true
}

/// 1 for errors to 4 for what is of use to those who look for a fault.
fn rank(level: Level) -> u8 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => u8::MAX,
    }
}

struct ToLogger;

impl Subscriber for ToLogger {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // The level may change, so it is looked at in each event.
        let is_ours = metadata.is_event() && metadata.target().starts_with("tidegate");
        if is_ours { Interest::sometimes() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && rank(*metadata.level()) <= LEAST.load(Ordering::Relaxed)
            && metadata.target().starts_with("tidegate")
    }

    fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut record = Record {
            level: *metadata.level(),
            message: String::new(),
            fields: Vec::new(),
            target: metadata.target(),
            file: metadata.file(),
            line: metadata.line(),
            at: u64::try_from(since.as_micros()).unwrap_or(u64::MAX),
        };
        event.record(&mut record);
        let mut queue = lock();
        if queue.records.len() >= RECORDS_MAX {
            queue.records.pop_front();
            queue.dropped += 1;
        }
        queue.records.push_back(record);
        drop(queue);
        FILLED.notify_one();
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

impl Visit for Record {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.fields.push((field.name(), value.to_owned()));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing to a text does not fail.
            let _ = write!(self.message, "{value:?}");
        } else {
            self.fields.push((field.name(), format!("{value:?}")));
        }
    }
}
