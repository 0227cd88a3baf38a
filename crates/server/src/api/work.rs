//! Work that blocks a thread: each kind has threads of its own, so that none waits for another.
//!
//! A request waits for its turn, and for the result, without a thread. It is refused when its turn does not come in time, and
//! ends when its client has gone; work that was begun is finished all the same, and counts until then.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tidegate::{Change, ChangeSet, ChangeSetReceipt, Receipt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::Api;
use super::ask::Query;
use super::problem::Problem;
use crate::limits;
use crate::stop::stopped;

/// What a request does on a thread.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// A change is held against what stands there: microseconds, and no other kind may delay it.
    Change,
    /// The entry of a flag is read: it may have large patterns.
    Definition,
    /// Something is looked up.
    Read,
    /// A list of all flags is begun: it goes through all that there is.
    List,
    /// OFREP evaluates all of many flags for one key: it keeps a processor busy.
    Bulk,
    /// The shares of a document over time, or how many keys have which variant: it keeps a processor busy.
    Forecast,
    /// What only an operator does: forget a node, repair the clock.
    Operation,
    /// A backup is written, as fast as its client takes it.
    Backup,
    /// A backup is restored.
    Restore,
}

/// How much of it goes on at the same time.
#[derive(Debug)]
pub(super) struct Work {
    changes: Arc<Semaphore>,
    definitions: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    lists: Arc<Semaphore>,
    bulks: Arc<Semaphore>,
    forecasts: Arc<Semaphore>,
    operations: Arc<Semaphore>,
    backups: Arc<Semaphore>,
    restores: Arc<Semaphore>,
    /// Changes that wait long for their acknowledgement.
    waits: Arc<Semaphore>,
}

/// When work ends before it is done.
#[derive(Debug)]
pub(super) struct Ends {
    has_gone: Arc<AtomicBool>,
    deadline: Instant,
}

impl Ends {
    /// The reason to end the work now, if there is one.
    pub(super) fn check(&self) -> Result<(), Problem> {
        if self.has_gone.load(Ordering::Relaxed) {
            // Its answer is never sent.
            return Err(Problem::stopping());
        }
        if Instant::now() > self.deadline { Err(Problem::work_timeout()) } else { Ok(()) }
    }
}

/// Held while a request waits for its work: it is dropped with the request.
struct Waits(Arc<AtomicBool>);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A change that was begun.
enum Begun<F, T> {
    Waits(Pin<Box<F>>),
    /// There was nothing to wait for.
    Ended(Box<T>),
}

impl Work {
    pub(super) fn new(waits_max: usize) -> Self {
        let at_once = |count| Arc::new(Semaphore::new(count));
        Self {
            changes: at_once(limits::CHANGES_AT_ONCE),
            definitions: at_once(limits::DEFINITIONS_AT_ONCE),
            reads: at_once(limits::READS_AT_ONCE),
            lists: at_once(limits::LISTS_AT_ONCE),
            bulks: at_once(limits::BULKS_AT_ONCE),
            forecasts: at_once(limits::FORECASTS_AT_ONCE),
            operations: at_once(limits::OPERATIONS_AT_ONCE),
            backups: at_once(limits::BACKUPS_AT_ONCE),
            restores: at_once(limits::RESTORES_AT_ONCE),
            waits: at_once(waits_max),
        }
    }

    fn permits(&self, kind: Kind) -> &Arc<Semaphore> {
        match kind {
            Kind::Change => &self.changes,
            Kind::Definition => &self.definitions,
            Kind::Read => &self.reads,
            Kind::List => &self.lists,
            Kind::Bulk => &self.bulks,
            Kind::Forecast => &self.forecasts,
            Kind::Operation => &self.operations,
            Kind::Backup => &self.backups,
            Kind::Restore => &self.restores,
        }
    }
}

impl Api {
    /// A turn for work of this kind, when it comes in time.
    pub(super) async fn turn(&self, kind: Kind) -> Result<OwnedSemaphorePermit, Problem> {
        let turn = timeout(self.options.turn_timeout, Arc::clone(self.work.permits(kind)).acquire_owned()).await;
        // The semaphores are never closed.
        turn.ok().and_then(Result::ok).ok_or_else(Problem::busy)
    }

    /// Does work that blocks on a thread.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        kind: Kind,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = self.turn(kind).await?;
        self.blocking_in(turn, work).await
    }

    /// The same for work that asks now and then whether it is to go on: it ends early when its client has gone, when the server stops,
    /// or when it has taken this long.
    pub(super) async fn blocking_until<T: Send + 'static>(
        &self,
        kind: Kind,
        limit: Duration,
        work: impl FnOnce(&Ends) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = self.turn(kind).await?;
        let ends = Ends { has_gone: Arc::default(), deadline: Instant::now() + limit };
        let _waits = Waits(Arc::clone(&ends.has_gone));
        self.blocking_in(turn, move || work(&ends)).await
    }

    /// The same in a turn that has come.
    pub(super) async fn blocking_in<T: Send + 'static>(
        &self,
        turn: OwnedSemaphorePermit,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let work = move || {
            let done = work();
            drop(turn);
            done
        };
        tokio::select! {
            done = self.tasks.spawn_blocking(work) => done.map_err(|error| Problem::internal(&error)),
            () = self.is_over() => Err(Problem::stopping()),
        }
    }

    /// Makes a change, and waits for its receipt. If the client goes meanwhile, the change stands all the same.
    pub(super) async fn send(&self, change: Change, query: &Query) -> Result<Receipt, Problem> {
        let (change, wait) = self.limit_wait(change, query)?;
        self.receipt(change.send_async(), wait).await
    }

    /// The same for a change that takes a while to read.
    pub(super) async fn send_definition(&self, change: Change, query: &Query) -> Result<Receipt, Problem> {
        let (change, wait) = self.limit_wait(change, query)?;
        self.send_on(Kind::Definition, change.send_async(), wait).await
    }

    /// The same for changes that are made as one; `is_long` where they take a while to read and to make.
    pub(super) async fn send_set(
        &self,
        set: ChangeSet,
        query: &Query,
        is_long: bool,
    ) -> Result<ChangeSetReceipt, Problem> {
        let (is_limited, wait) = self.wait_permit(query)?;
        let set = if is_limited { set.timeout(limits::SHORT_WAIT) } else { set };
        if is_long {
            self.send_on(Kind::Definition, set.send_async(), wait).await
        } else {
            self.receipt(set.send_async(), wait).await
        }
    }

    /// Begins a change on a thread for work of this kind.
    async fn send_on<F, R, E>(&self, kind: Kind, sending: F, wait: Option<OwnedSemaphorePermit>) -> Result<R, Problem>
    where
        F: Future<Output = Result<R, E>> + Send + 'static,
        R: Send + 'static,
        E: Send + 'static,
        Problem: From<E>,
    {
        let begin = move || {
            let mut sending = Box::pin(sending);
            // Its first poll reads the change, and hands it over; from then on it waits without a thread.
            match sending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(ended) => Begun::Ended(Box::new(ended)),
                Poll::Pending => Begun::Waits(sending),
            }
        };
        match self.blocking(kind, begin).await? {
            Begun::Waits(sending) => self.receipt(sending, wait).await,
            Begun::Ended(ended) => Ok((*ended)?),
        }
    }

    /// Where enough changes wait long already, one more waits less: those that come after it need the connections.
    fn limit_wait(&self, change: Change, query: &Query) -> Result<(Change, Option<OwnedSemaphorePermit>), Problem> {
        let (is_limited, wait) = self.wait_permit(query)?;
        Ok((if is_limited { change.timeout(limits::SHORT_WAIT) } else { change }, wait))
    }

    /// Whether a change is to wait less than the query says; if it may wait long, it is counted as long as it has the permit.
    fn wait_permit(&self, query: &Query) -> Result<(bool, Option<OwnedSemaphorePermit>), Problem> {
        if query.timeout()?.is_none_or(|timeout| timeout <= limits::SHORT_WAIT) {
            return Ok((false, None));
        }
        let permit = Arc::clone(&self.work.waits).try_acquire_owned().ok();
        Ok((permit.is_none(), permit))
    }

    async fn receipt<R, E>(
        &self,
        sending: impl Future<Output = Result<R, E>>,
        wait: Option<OwnedSemaphorePermit>,
    ) -> Result<R, Problem>
    where
        Problem: From<E>,
    {
        let receipt = tokio::select! {
            receipt = sending => receipt,
            () = self.is_over() => return Err(Problem::stopped_waiting()),
        };
        drop(wait);
        Ok(receipt?)
    }

    /// Waits until the server stops, and requests under way have had some time to end by themselves.
    async fn is_over(&self) {
        stopped(&mut self.stopping.clone()).await;
        sleep(self.grace()).await;
    }

    /// What is left of the time of a stop is for answers to be taken.
    fn grace(&self) -> Duration {
        self.options.stop_timeout / 2
    }
}
