//! Event streams that tell clients to ask again (OFREP, ADR 0008).
//!
//! An event has no content: it says that a bulk answer may be another one by now, and its client evaluates again with the tag
//! that it has. So nothing queues, and a slow client hears once of several changes. One task watches the instance for all
//! streams; it begins with the first bulk answer, because only its clients learn of the streams.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::steps::{Due, Steps};
use crate::api::{Api, Problem, open_stream};
use crate::limits;
use crate::stop::stopped;

/// What all streams are told from.
#[derive(Debug)]
pub(super) struct Events {
    api: Arc<Api>,
    /// A number of this process, so that an event of an earlier one is not taken for one of this.
    process: u64,
    is_begun: AtomicBool,
    told: Mutex<Told>,
    /// Wakes streams; its value is the number of the last event.
    latest: watch::Sender<u64>,
}

/// When clients were told to ask again.
#[derive(Debug, Default)]
struct Told {
    last: u64,
    all: Last,
    any: Last,
    sections: HashMap<String, Last>,
}

/// The last event about something.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    number: u64,
    at: Option<Instant>,
}

impl Events {
    pub(super) fn new(api: Arc<Api>, process: u64) -> Arc<Self> {
        let (is_begun, told, latest) = (AtomicBool::new(false), Mutex::default(), watch::Sender::new(0));
        Arc::new(Self { api, process, is_begun, told, latest })
    }

    /// Watches the instance from now on; only the first call counts.
    pub(super) fn begin(self: &Arc<Self>) {
        if !self.is_begun.swap(true, Ordering::AcqRel) {
            let events = Arc::clone(self);
            // From now on, and not from when the task runs first.
            let (subscription, steps) = (self.api.tide().subscribe(), Steps::new(self.api.tide().view()));
            let mut stopping = self.api.stopping();
            self.api.tasks().spawn(async move {
                tokio::select! {
                    () = stopped(&mut stopping) => {}
                    () = events.watch(subscription, steps) => {}
                }
            });
        }
    }

    async fn watch(&self, mut subscription: tidegate::Subscription, mut steps: Steps) {
        let mut checks = tokio::time::interval(CHECK_PERIOD);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_step = None::<Instant>;
        loop {
            tokio::select! {
                changes = subscription.changed() => {
                    let Ok(changes) = changes else { return };
                    self.tell(steps.after_change(&changes, self.api.tide().view()));
                }
                now = checks.tick(), if steps.is_moving() => {
                    if last_step.is_none_or(|last| now.duration_since(last) >= limits::OFREP_STEP_PERIOD) {
                        let due = steps.after_time(&self.api.tide().view());
                        if !due.is_empty() {
                            last_step = Some(now);
                            self.tell(due);
                        }
                    }
                }
            }
        }
    }

    fn tell(&self, due: Due) {
        if due.is_empty() {
            return;
        }
        let mut told = self.lock();
        told.last = told.last.saturating_add(1);
        let last = Last { number: told.last, at: Some(Instant::now()) };
        told.any = last;
        match due {
            Due::All => told.all = last,
            Due::Sections(sections) => {
                // Sections come and go; the table may not grow with them.
                if told.sections.len().saturating_add(sections.len()) > SECTIONS_MAX {
                    told.sections.clear();
                    told.all = last;
                }
                told.sections.extend(sections.into_iter().map(|section| (section, last)));
            }
        }
        drop(told);
        self.latest.send_replace(last.number);
    }

    /// The last event about a section, or about any.
    fn last(&self, section: Option<&str>) -> Last {
        let told = self.lock();
        let Some(section) = section else { return told.any };
        let own = told.sections.get(section).copied().unwrap_or_default();
        if own.number > told.all.number { own } else { told.all }
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream for a client of all sections, or of one.
    pub(super) fn open(self: &Arc<Self>, section: Option<&str>, headers: &HeaderMap) -> Result<Response, Problem> {
        self.begin();
        let seen = self.seen(section, headers);
        let (permit, sender, response) = open_stream(&self.api)?;
        let stream = Stream { events: Arc::clone(self), section: section.map(str::to_owned), sender };
        self.api.tasks().spawn(stream.run(seen, permit));
        Ok(response)
    }

    /// The last event that a client need not be told of: it has seen it, or it evaluated after it.
    fn seen(&self, section: Option<&str>, headers: &HeaderMap) -> u64 {
        let last = self.last(section);
        let Some(id) = headers.get("last-event-id").and_then(|id| id.to_str().ok()) else {
            // Its client evaluated some moment ago, and learned then where the stream is.
            let is_recent = last.at.is_some_and(|at| at.elapsed() < FIRST_ANSWER_AGE_MAX);
            return if is_recent { last.number.saturating_sub(1) } else { last.number };
        };
        let number = id.strip_prefix(&format!("{:016x}-", self.process)).and_then(|number| number.parse().ok());
        // An event of another process: what has changed since then is unknown here.
        number.unwrap_or(NOTHING)
    }
}

/// One stream.
struct Stream {
    events: Arc<Events>,
    section: Option<String>,
    sender: mpsc::Sender<Bytes>,
}

impl Stream {
    async fn run(self, seen: u64, permit: OwnedSemaphorePermit) {
        let mut stopping = self.events.api.stopping();
        tokio::select! {
            () = stopped(&mut stopping) => {}
            () = self.sender.closed() => {}
            () = self.send(seen) => {}
        }
        drop(permit);
    }

    async fn send(&self, seen: u64) {
        let period = self.events.api.options().keep_alive_period;
        let mut keep_alives = interval_at(Instant::now() + period, period);
        keep_alives.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut latest = self.events.latest.subscribe();
        if self.put(": watching\n\n".to_owned()).await.is_none() {
            return;
        }
        let (mut seen, mut is_unknown) = (seen, seen == NOTHING);
        loop {
            let last = self.events.last(self.section.as_deref()).number;
            if is_unknown || last > seen {
                (seen, is_unknown) = (last, false);
                if self.put(self.event(last)).await.is_none() {
                    return;
                }
                // Several changes in a row are one event more, not several.
                sleep(EVENT_PAUSE).await;
                continue;
            }
            tokio::select! {
                changed = latest.changed() => if changed.is_err() { return },
                _ = keep_alives.tick() => if self.put(": alive\n\n".to_owned()).await.is_none() { return },
            }
        }
    }

    fn event(&self, number: u64) -> String {
        let seconds = self.events.api.tide().view().now().get().div_euclid(1_000_000);
        let data = json!({"type": "refetchEvaluation", "lastModified": seconds.max(0)});
        format!("event: message\nid: {:016x}-{number}\ndata: {data}\n\n", self.events.process)
    }

    async fn put(&self, text: String) -> Option<()> {
        self.sender.send(text.into()).await.ok()
    }
}

/// Between two looks at the ramps.
const CHECK_PERIOD: Duration = Duration::from_secs(1);

/// Between two events of one stream.
const EVENT_PAUSE: Duration = Duration::from_millis(100);

/// A client that opens a stream without having seen an event has an answer that is no older.
const FIRST_ANSWER_AGE_MAX: Duration = Duration::from_secs(30);

/// Sections that are told apart.
const SECTIONS_MAX: usize = 10_000;

/// A client that has to be told whatever there is.
const NOTHING: u64 = u64::MAX;
