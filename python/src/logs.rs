//! Log records of the library, on their way to `logging`.
//!
//! Threads of Rust put records into a queue; one thread of Python takes them out. The queue has a bound: where Python does not
//! keep up, the oldest records are dropped and counted.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

static QUEUE: Mutex<Queue> = Mutex::new(Queue { records: VecDeque::new(), dropped: 0, is_stopped: false });
static FILLED: Condvar = Condvar::new();

/// Records that Python has not taken yet. A burst is some dozens; more than these are not read by a person.
const RECORDS_MAX: usize = 1_000;

type Record = (u8, String);

pub(crate) struct Queue {
    records: VecDeque<Record>,
    dropped: u64,
    is_stopped: bool,
}

impl Queue {
    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.dropped = 0;
    }

    fn push(&mut self, record: Record) {
        if self.records.len() >= RECORDS_MAX {
            self.records.pop_front();
            self.dropped += 1;
        }
        self.records.push_back(record);
    }
}

pub(crate) fn lock() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn install() {
    // The module is loaded once in a process; a second time the first subscriber stays.
    let _ = tracing::subscriber::set_global_default(ToPython);
}

/// Waits for records: each with its level, as `logging` numbers them, and its message. None once logging has been stopped.
#[pyfunction]
pub(crate) fn next_logs(py: Python<'_>) -> Option<(Vec<Record>, u64)> {
    py.detach(|| {
        let mut queue = lock();
        while queue.records.is_empty() {
            if queue.is_stopped {
                return None;
            }
            queue = FILLED.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        Some((queue.records.drain(..).collect(), std::mem::take(&mut queue.dropped)))
    })
}

/// The thread that waits in [`next_logs`] takes what is there, and ends.
#[pyfunction]
pub(crate) fn stop_logs() {
    lock().is_stopped = true;
    FILLED.notify_all();
}

struct ToPython;

impl Subscriber for ToPython {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::DEBUG && metadata.target().starts_with("tidegate")
    }

    fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let level = match *event.metadata().level() {
            Level::ERROR => 40,
            Level::WARN => 30,
            Level::INFO => 20,
            Level::DEBUG | Level::TRACE => 10,
        };
        let mut text = Text::default();
        event.record(&mut text);
        lock().push((level, text.message + &text.fields));
        FILLED.notify_all();
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

/// The message of an event, and its fields behind it.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a text does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
