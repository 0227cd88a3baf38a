//! The background thread: it asks the source, keeps cache and locks, publishes, and frees what is over.
//!
//! One thread, called `tidegate`, with a small runtime of its own. It is the only one that changes anything;
//! readers only read. It ends with the last handle, within a bounded time: nothing that it waits for is
//! beyond its reach, because code of others (a callback) runs on yet another thread, which is never waited for.

mod log;
mod source_state;
mod upkeep;

use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::bounded_thread::{BoundedThread, deadline};
use crate::ingest::schedule::Schedule;
use crate::ingest::source::Fetcher;
use crate::random::random;
use crate::source_status::SourceStatus;
pub(crate) use source_state::{CachePlace, SourceOptions, SourceState};
use upkeep::TICK;
pub(crate) use upkeep::Upkeep;

/// The client's end of the background thread, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    status: Arc<SourceStatus>,
    /// Dropped to stop the thread.
    stop: Mutex<Option<oneshot::Sender<()>>>,
    thread: BoundedThread,
}

/// A thread that was started and has not asked its source yet.
#[derive(Debug)]
pub(crate) struct Starting {
    running: Running,
    is_ready: mpsc::Receiver<()>,
    until: std::time::Instant,
}

impl Starting {
    /// Waits until the source has been asked once, for as long as the start was given.
    pub(crate) fn wait(self) -> Running {
        let left = self.until.saturating_duration_since(std::time::Instant::now());
        // An end without a message is a panic, which the thread has put into the status.
        let _ = self.is_ready.recv_timeout(left);
        self.running
    }
}

/// How the thread goes about its work.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) source: SourceState,
    /// Of the whole instance; the thread of one source has it.
    pub(crate) upkeep: Option<Upkeep>,
    /// None: the source is left alone.
    pub(crate) fetcher: Option<Fetcher>,
    pub(crate) schedule: Schedule,
    /// The delay before the first poll.
    pub(crate) first: Duration,
    /// Asks once, and ends.
    pub(crate) is_one_shot: bool,
}

impl Running {
    /// Starts the thread. For at most `wait` it is worth waiting until the source has been asked once.
    pub(crate) fn start(work: Work, wait: Duration) -> io::Result<Starting> {
        let status = Arc::clone(work.source.status());
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = mpsc::channel();
        // Made here, so that a system that is short of descriptors is an error of the start and not of a thread that is
        // not waited for.
        let runtime = Engine::new()?;
        let thread = BoundedThread::spawn("tidegate", move || live(work, &runtime, stopped, ready))?;
        let running = Self { status, stop: Mutex::new(Some(stop)), thread };
        Ok(Starting { running, is_ready, until: deadline(wait) })
    }

    pub(crate) fn status(&self) -> &SourceStatus {
        &self.status
    }

    /// Tells the thread to end.
    pub(crate) fn stop(&self) {
        drop(self.stop.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Waits until the thread has done its last work, at most until then; whether it has.
    pub(crate) fn wait_until(&self, until: std::time::Instant) -> bool {
        self.thread.wait_until(until)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        self.thread.join_within(GOODBYE_MAX);
    }
}

type Ready = mpsc::Sender<()>;

/// The runtime of the thread. Dropping it waits for nothing: name look-ups may hang in the system.
struct Engine(Option<Runtime>);

impl Engine {
    fn new() -> io::Result<Self> {
        tokio::runtime::Builder::new_current_thread().enable_all().build().map(|runtime| Self(Some(runtime)))
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        self.0.as_ref().map(|runtime| runtime.block_on(future))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The whole life of the thread.
fn live(mut work: Work, runtime: &Engine, stopped: oneshot::Receiver<()>, ready: Ready) {
    let mut stopped = pin!(stopped);
    let mut ready = Some(ready);
    loop {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(work.run(stopped.as_mut(), &mut ready));
        }));
        if ended.is_ok() {
            break;
        }
        // A fault of this library must not leave the flags without a source.
        work.source.note_panic();
        work.first = AFTER_PANIC;
    }
    if let Some(upkeep) = &work.upkeep {
        upkeep.close();
    }
}

impl Work {
    /// Works until it is told to stop, or there is nothing left to do.
    async fn run(&mut self, mut stopped: Pin<&mut oneshot::Receiver<()>>, ready: &mut Option<Ready>) {
        let Some(fetcher) = &mut self.fetcher else {
            send_ready(ready);
            if !self.is_one_shot {
                let due = Due { source: &mut self.source, upkeep: self.upkeep.as_mut() };
                let _ = attend(due, &mut stopped, std::future::pending::<()>()).await;
            }
            return;
        };
        let mut next = Instant::now() + self.first;
        let mut asked = Instant::now();
        loop {
            let due = Due { source: &mut self.source, upkeep: self.upkeep.as_mut() };
            if attend(due, &mut stopped, next_poll(fetcher, asked, next)).await.is_none() {
                return;
            }
            asked = Instant::now();
            let tag = self.source.tag().cloned();
            let fetch = fetcher.fetch(tag.as_ref());
            let due = Due { source: &mut self.source, upkeep: self.upkeep.as_mut() };
            let Some(answer) = attend(due, &mut stopped, fetch).await else { return };
            let outcome = self.source.handle_answer(answer);
            send_ready(ready);
            if self.is_one_shot {
                return;
            }
            next = Instant::now() + self.schedule.after(outcome, random());
        }
    }
}

/// What is due by time alone.
struct Due<'w> {
    source: &'w mut SourceState,
    upkeep: Option<&'w mut Upkeep>,
}

impl Due<'_> {
    /// Does what is due, and says when to be called again at the latest.
    fn tick(&mut self) -> Duration {
        self.source.tick();
        self.upkeep.as_mut().map_or(TICK, |upkeep| upkeep.tick())
    }
}

/// Waits for `awaited` and does meanwhile what is due; none: it is time to stop.
async fn attend<T>(
    mut due: Due<'_>,
    stopped: &mut Pin<&mut oneshot::Receiver<()>>,
    awaited: impl Future<Output = T>,
) -> Option<T> {
    let mut awaited = pin!(awaited);
    let mut tick: Pin<&mut Sleep> = pin!(sleep(due.tick()));
    poll_fn(|context| {
        // The sender is only ever dropped.
        if stopped.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(value) = awaited.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        while tick.as_mut().poll(context).is_ready() {
            let next = Instant::now() + due.tick();
            tick.as_mut().reset(next);
        }
        Poll::Pending
    })
    .await
}

/// Waits until the source is to be asked: at the time of the schedule, or earlier if it tells of a change.
async fn next_poll(fetcher: &mut Fetcher, asked: Instant, next: Instant) {
    let notified = async {
        fetcher.notified().await;
        sleep_until(asked + NOTIFIED_POLLS_APART).await;
    };
    let (mut notified, mut due) = (pin!(notified), pin!(sleep_until(next)));
    poll_fn(|context| {
        let is_due = due.as_mut().poll(context).is_ready();
        if is_due || notified.as_mut().poll(context).is_ready() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn send_ready(ready: &mut Option<Ready>) {
    if let Some(ready) = ready.take() {
        // The caller may have given up.
        let _ = ready.send(());
    }
}

/// The shortest time between the beginnings of two polls of which the second was caused by a change: a document that is written
/// all the time is read fifty times a second, and no reader of one change notices.
const NOTIFIED_POLLS_APART: Duration = Duration::from_millis(20);

/// How long the last handle waits for the thread, which is busy for longer only when a disk hangs.
const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// The pause after a panic, so that one that comes again and again does not take a processor.
const AFTER_PANIC: Duration = Duration::from_secs(10);
