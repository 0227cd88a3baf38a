//! The thread that makes batches durable, so that the driver never waits for a disk.
//!
//! Group commit: when the thread is idle, a batch that a caller waits for is committed at once; one that no caller waits for
//! is kept for at most [`GATHER`], or until there are [`GROUP_WEIGHT_MAX`] registers. Whatever arrives meanwhile, or while a
//! commit is running, goes into the same transaction or the next, up to that size. So a single write is as fast as the disk, and many writes
//! share its syncs.
//!
//! A full disk is waited for, with the same batches, in their order; nothing is confirmed meanwhile. Any other
//! failure ends the thread's work for good, and says so once.
//!
//! Twice a second, and before it confirms anything, the thread looks whether the files are still those that it writes to:
//! a commit into a deleted file succeeds, and is gone with the process.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fmt, io, mem};

use tracing::{error, info, warn};

use super::{Batch, Store, StoreError};

/// What has become of batches.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// Every batch up to this [`Batch::seq`] is durable.
    Persisted {
        /// The last one.
        upto: u64,
    },
    /// There is no space, or the database is held by another program; the commit is tried again by itself.
    /// Told once, until it has worked again, which a `Persisted` says.
    Waiting {
        /// For people.
        message: String,
    },
    /// The store takes what it is given again, and nothing waits for it.
    Ready,
    /// Nothing more will be made durable by this store.
    Failed {
        /// For people.
        message: String,
    },
}

/// The near end of the thread. When it is dropped, the thread commits what is queued and ends.
pub struct Committer {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<Result<(), StoreError>>>,
}

#[derive(Debug)]
struct Queue {
    /// How long batches are kept that no caller waits for.
    gather: Duration,
    state: Mutex<State>,
    /// Rung when there is something to do.
    wakeup: Condvar,
}

#[derive(Debug, Default)]
struct State {
    batches: VecDeque<Batch>,
    /// Of the queued batches and those in the running commit.
    weight: usize,
    /// When the queued batches are to be committed at the latest; none when there are none.
    due: Option<Instant>,
    is_closing: bool,
    /// Nothing is taken any more.
    has_failed: bool,
}

impl Committer {
    /// Starts the thread, called `tidegate-store`. It calls `report` with every outcome, and is held up by it.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(store: Box<dyn Store>, report: impl FnMut(Outcome) + Send + 'static) -> io::Result<Self> {
        Self::start_gathering(GATHER, store, report)
    }

    /// As [`Committer::start`], but a batch that no caller waits for is kept for `gather`.
    fn start_gathering(
        gather: Duration,
        store: Box<dyn Store>,
        report: impl FnMut(Outcome) + Send + 'static,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue { gather, state: Mutex::default(), wakeup: Condvar::new() });
        let is_waiting = store.is_known_to_wait();
        let work = Work { store, queue: Arc::clone(&queue), report: Box::new(report), is_waiting };
        let thread = thread::Builder::new().name("tidegate-store".to_owned()).spawn(move || work.run())?;
        Ok(Self { queue, thread: Some(thread) })
    }

    /// Queues batches, in the order of their [`Batch::seq`], and never waits. After a failure they are dropped:
    /// nothing would become of them.
    pub fn submit(&self, batches: Vec<Batch>) {
        let mut state = self.queue.lock();
        if state.has_failed || batches.is_empty() {
            return;
        }
        state.weight += batches.iter().map(weight).sum::<usize>();
        let hurries = state.weight >= GROUP_WEIGHT_MAX || batches.iter().any(|batch| batch.is_awaited);
        let now = Instant::now();
        let due = if hurries { now } else { now + self.queue.gather };
        // The thread sleeps until the instant that it knows of.
        let is_sooner = state.due.is_none_or(|known| due < known);
        if is_sooner {
            state.due = Some(due);
        }
        state.batches.extend(batches);
        drop(state);
        if is_sooner {
            self.queue.wakeup.notify_one();
        }
    }

    /// Whether another input may be given to the driver. The queue holds
    /// [`QUEUE_WEIGHT_MAX`] registers and what one more input makes of it, and this is what keeps it there:
    /// without room, refuse writes and leave messages of peers unread, which they send again.
    pub fn has_room(&self) -> bool {
        let state = self.queue.lock();
        state.has_failed || state.weight < QUEUE_WEIGHT_MAX
    }

    /// Commits what is queued, closes the store, and waits for both. A commit that waits for space is tried
    /// once more.
    ///
    /// # Errors
    /// What was not confirmed before may not be durable.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.stop()
    }

    fn stop(&mut self) -> Result<(), StoreError> {
        self.queue.lock().is_closing = true;
        self.queue.wakeup.notify_one();
        match self.thread.take() {
            Some(thread) => thread.join().unwrap_or(Err(StoreError::Fault)),
            None => Ok(()),
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

impl fmt::Debug for Committer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Committer").field("weight", &self.queue.lock().weight).finish_non_exhaustive()
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for batches, and takes as many as go into one transaction; at the latest it is time to look at the store.
    fn take(&self) -> Task {
        let look_at = Instant::now() + LOOK_PERIOD;
        let mut state = self.lock();
        while !state.is_closing {
            let now = Instant::now();
            if state.due.is_some_and(|due| due <= now) {
                break;
            }
            if look_at <= now {
                return Task::Look;
            }
            let until = state.due.map_or(look_at, |due| due.min(look_at));
            let waited = self.wakeup.wait_timeout(state, until.saturating_duration_since(now));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let mut group = Vec::new();
        let mut group_weight = 0;
        while let Some(batch) = state.batches.front() {
            group_weight += weight(batch);
            // A batch that is larger by itself goes alone: it is one because it must not be torn.
            if group_weight > GROUP_WEIGHT_MAX && !group.is_empty() {
                break;
            }
            group.extend(state.batches.pop_front());
        }
        // What is left has waited for this group.
        state.due = (!state.batches.is_empty()).then(Instant::now);
        if group.is_empty() { Task::End } else { Task::Commit(group) }
    }

    /// Waits until it is time to try again, or to close; whether it is the latter.
    fn pause(&self, pause: Duration) -> bool {
        let state = self.lock();
        let (state, _) = self
            .wakeup
            .wait_timeout_while(state, pause, |state| !state.is_closing)
            .unwrap_or_else(PoisonError::into_inner);
        state.is_closing
    }
}

/// What the thread has to do next.
enum Task {
    Commit(Vec<Batch>),
    /// To see whether the store is as it was.
    Look,
    /// There will be no more batches.
    End,
}

/// What the thread has.
struct Work {
    store: Box<dyn Store>,
    queue: Arc<Queue>,
    report: Box<dyn FnMut(Outcome) + Send>,
    /// Whether the last commit has found no space.
    is_waiting: bool,
}

impl Work {
    fn run(mut self) -> Result<(), StoreError> {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.serve()));
        match outcome.unwrap_or(Err(StoreError::Fault)) {
            Ok(()) => self.store.close(),
            Err(error) => {
                self.fail(error.to_string());
                Err(error)
            }
        }
    }

    fn serve(&mut self) -> Result<(), StoreError> {
        loop {
            let group = match self.queue.take() {
                Task::Commit(group) => group,
                Task::Look => {
                    self.look()?;
                    continue;
                }
                Task::End => return Ok(()),
            };
            self.commit(&group)?;
            // What was written into files that are no longer there is not confirmed.
            self.store.check()?;
            let group_weight = group.iter().map(weight).sum::<usize>();
            self.queue.lock().weight -= group_weight;
            if let Some(last) = group.last() {
                (self.report)(Outcome::Persisted { upto: last.seq });
            }
            if let Err(error) = self.store.tend()
                && !error.is_retryable()
            {
                return Err(error);
            }
        }
    }

    /// Looks whether the store is as it was, and tells when it has begun or ceased to take anything.
    fn look(&mut self) -> Result<(), StoreError> {
        match self.store.check() {
            Ok(()) => {
                if mem::take(&mut self.is_waiting) {
                    info!("changes are written to the disk again");
                    (self.report)(Outcome::Ready);
                }
                Ok(())
            }
            Err(error) if error.is_retryable() => {
                self.wait_for(&error);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Tells once that the store takes nothing at the moment.
    fn wait_for(&mut self, error: &StoreError) {
        if !mem::replace(&mut self.is_waiting, true) {
            warn!("changes cannot be written to the disk: {error}");
            (self.report)(Outcome::Waiting { message: error.to_string() });
        }
    }

    /// Commits a group, however long it takes to find space for it.
    fn commit(&mut self, group: &[Batch]) -> Result<(), StoreError> {
        let mut pause = PAUSE_MIN;
        loop {
            let error = match self.store.commit(group) {
                Ok(()) => {
                    if mem::take(&mut self.is_waiting) {
                        info!("changes are written to the disk again");
                    }
                    return Ok(());
                }
                Err(error) if error.is_retryable() => error,
                Err(error) => return Err(error),
            };
            self.wait_for(&error);
            match self.store.check() {
                Err(error) if !error.is_retryable() => return Err(error),
                _ => {}
            }
            if self.queue.pause(pause) {
                return self.store.commit(group);
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn fail(&mut self, message: String) {
        error!("changes are no longer written to the disk: {message}");
        let mut state = self.queue.lock();
        state.has_failed = true;
        state.batches = VecDeque::new();
        state.due = None;
        state.weight = 0;
        drop(state);
        (self.report)(Outcome::Failed { message });
    }
}

/// What a batch costs, in registers. None is free.
fn weight(batch: &Batch) -> usize {
    (batch.registers.len() + batch.dropped.len()).max(1)
}

/// How long a batch that no caller waits for is kept. Long enough that the nodes which a caller waits for have the disk and
/// the processors to themselves, and that a thousand changes a second cost some three hundred syncs; short beside everything
/// that asks later whether it is durable.
const GATHER: Duration = Duration::from_millis(3);

/// Registers of one transaction. More would not be faster by much, and the first of them would wait longer.
pub(super) const GROUP_WEIGHT_MAX: usize = 256;

/// Registers that wait for the disk. A disk that is full for an hour must not fill the memory too; they are
/// shared with those in memory, so this is some tens of megabytes at most where values are ordinary.
pub const QUEUE_WEIGHT_MAX: usize = 20_000;

/// Between two looks at the files of an idle store, so that a deletion is noticed within a second.
const LOOK_PERIOD: Duration = Duration::from_millis(500);

/// Pauses between attempts on a full disk, doubled each time. The last one is as long as that between two looks at the files.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = LOOK_PERIOD;

#[cfg(test)]
mod tests;
