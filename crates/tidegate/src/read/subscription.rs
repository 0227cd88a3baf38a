//! Word of changes, for those who want to act on them.
//!
//! There is no queue: a subscriber is told that something has changed since it last asked, and then looks at
//! what is in force now. So a slow one holds nothing up, and misses only what is no longer true.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// What has changed since a subscriber last asked. At least one is true.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a thing that may have changed or not")]
pub struct Changes {
    /// Another document is in force. That a ramp moves on is no change: it was known before; see
    /// [`valid_until`](crate::Explanation::valid_until).
    pub document: bool,
    /// The locks of this host are others, or something is wrong with their file.
    pub locks: bool,
    /// The [`Health`](crate::Health) of the source is another.
    pub health: bool,
    /// The operator's dial of some flag was set or cleared.
    pub activations: bool,
    /// A flag was defined apart from any document, or such a definition was changed or removed.
    pub definitions: bool,
}

/// The instance is gone: nothing will change any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the instance is gone; nothing will change any more")]
pub struct Closed;

/// Why [`Subscription::recv_timeout`] has nothing to tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RecvTimeoutError {
    /// Nothing has changed within the time. Ask again.
    #[error("nothing has changed within the time")]
    Timeout,
    /// The instance is gone.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Tells of changes; made by [`Tidegate::subscribe`](crate::Tidegate::subscribe).
///
/// Each subscription is told of everything that has changed since it was made, or last asked. It does not
/// keep the instance going.
///
/// ```
/// use std::time::Duration;
/// use tidegate::{RecvTimeoutError, Tidegate};
///
/// let tide = Tidegate::builder().text("{}").without_locks().connect()?;
/// let mut changes = tide.subscribe();
/// assert_eq!(changes.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
/// drop(tide);
/// assert!(changes.recv().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Subscription {
    notifier: Arc<Notifier>,
    seen: Counts,
    id: u64,
}

/// Where changes are changed in.
#[derive(Debug, Default)]
pub(crate) struct Notifier {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    counts: Counts,
    is_closed: bool,
    last_id: u64,
    /// Those who wait asynchronously.
    wakers: Vec<(u64, Waker)>,
}

/// How often each thing has changed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Counts {
    document: u64,
    locks: u64,
    health: u64,
    activations: u64,
    definitions: u64,
}

impl Notifier {
    pub(crate) fn subscribe(self: &Arc<Self>) -> Subscription {
        let mut state = self.lock();
        state.last_id += 1;
        Subscription { notifier: Arc::clone(self), seen: state.counts, id: state.last_id }
    }

    /// Tells every subscriber that something has changed.
    pub(crate) fn notify(&self, changes: Changes) {
        self.update(|state| {
            state.counts.document += u64::from(changes.document);
            state.counts.locks += u64::from(changes.locks);
            state.counts.health += u64::from(changes.health);
            state.counts.activations += u64::from(changes.activations);
            state.counts.definitions += u64::from(changes.definitions);
        });
    }

    /// Tells every subscriber that nothing will change any more.
    pub(crate) fn close(&self) {
        self.update(|state| state.is_closed = true);
    }

    fn update(&self, update: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        update(&mut state);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.changed.notify_all();
        // Wakers are code of others, so no lock is held here.
        for (_, waker) in wakers {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    /// Waits for a change, however long it takes. Blocks the thread.
    ///
    /// # Errors
    /// The instance is gone.
    pub fn recv(&mut self) -> Result<Changes, Closed> {
        let notifier = Arc::clone(&self.notifier);
        let mut state = notifier.lock();
        loop {
            if let Some(news) = self.news(&state) {
                return news;
            }
            state = notifier.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for a change, at most so long. Blocks the thread.
    ///
    /// # Errors
    /// Nothing has changed, or the instance is gone.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Changes, RecvTimeoutError> {
        let until = Instant::now().checked_add(timeout);
        let notifier = Arc::clone(&self.notifier);
        let mut state = notifier.lock();
        loop {
            if let Some(news) = self.news(&state) {
                return Ok(news?);
            }
            let left = until.map_or(WAIT_MAX, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Err(RecvTimeoutError::Timeout);
            }
            state = notifier.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What has changed, without waiting; none if nothing has.
    ///
    /// # Errors
    /// The instance is gone.
    pub fn try_recv(&mut self) -> Result<Option<Changes>, Closed> {
        let notifier = Arc::clone(&self.notifier);
        let state = notifier.lock();
        self.news(&state).transpose()
    }

    /// Waits for a change, in any async runtime. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// The instance is gone.
    pub fn changed(&mut self) -> Changed<'_> {
        Changed { subscription: self }
    }

    fn news(&mut self, state: &State) -> Option<Result<Changes, Closed>> {
        let (now, seen) = (state.counts, self.seen);
        if now != seen {
            self.seen = now;
            return Some(Ok(Changes {
                document: now.document != seen.document,
                locks: now.locks != seen.locks,
                health: now.health != seen.health,
                activations: now.activations != seen.activations,
                definitions: now.definitions != seen.definitions,
            }));
        }
        state.is_closed.then_some(Err(Closed))
    }
}

/// The future of [`Subscription::changed`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Changed<'s> {
    subscription: &'s mut Subscription,
}

impl Future for Changed<'_> {
    type Output = Result<Changes, Closed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let subscription = &mut *self.get_mut().subscription;
        let notifier = Arc::clone(&subscription.notifier);
        let mut state = notifier.lock();
        if let Some(news) = subscription.news(&state) {
            return Poll::Ready(news);
        }
        let replaced = state.take_waker(subscription.id);
        state.wakers.push((subscription.id, context.waker().clone()));
        drop(state);
        // Dropping it may run code of others, so no lock is held here.
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Changed<'_> {
    fn drop(&mut self) {
        let mut state = self.subscription.notifier.lock();
        let waker = state.take_waker(self.subscription.id);
        drop(state);
        // Dropping it may run code of others, so no lock is held here.
        drop(waker);
    }
}

impl State {
    fn take_waker(&mut self, id: u64) -> Option<Waker> {
        let place = self.wakers.iter().position(|(waiting, _)| *waiting == id)?;
        Some(self.wakers.swap_remove(place).1)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("State")
            .field("counts", &self.counts)
            .field("is_closed", &self.is_closed)
            .finish_non_exhaustive()
    }
}

/// The longest single wait, where the caller's end of it lies beyond what a clock can say.
const WAIT_MAX: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use std::thread;

    use super::*;

    const NOTHING: Changes =
        Changes { document: false, locks: false, health: false, activations: false, definitions: false };
    const DOCUMENT: Changes = Changes { document: true, ..NOTHING };
    const LOCKS: Changes = Changes { locks: true, ..NOTHING };

    #[test]
    fn told_once_of_everything_since() {
        let notifier = Arc::new(Notifier::default());
        notifier.notify(DOCUMENT);
        let mut subscription = notifier.subscribe();
        assert_eq!(subscription.try_recv(), Ok(None), "what was before is no change");
        notifier.notify(DOCUMENT);
        notifier.notify(DOCUMENT);
        notifier.notify(LOCKS);
        assert_eq!(subscription.recv(), Ok(Changes { locks: true, ..DOCUMENT }));
        assert_eq!(subscription.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
        notifier.notify(LOCKS);
        notifier.close();
        assert_eq!(subscription.recv(), Ok(LOCKS), "the last word is still told");
        assert_eq!(subscription.recv(), Err(Closed));
        assert_eq!(subscription.recv_timeout(Duration::MAX), Err(Closed.into()));
    }

    #[test]
    fn a_waiting_thread_is_woken() {
        let notifier = Arc::new(Notifier::default());
        let mut subscriptions = [notifier.subscribe(), notifier.subscribe()];
        thread::scope(|scope| {
            for subscription in &mut subscriptions {
                scope.spawn(|| assert_eq!(subscription.recv(), Ok(DOCUMENT)));
            }
            notifier.notify(DOCUMENT);
        });
    }

    #[derive(Default)]
    struct CountWakes(AtomicUsize);

    impl Wake for CountWakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_future_is_woken_and_a_dropped_one_is_not() {
        let notifier = Arc::new(Notifier::default());
        let mut subscription = notifier.subscribe();
        let count = Arc::new(CountWakes::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        let mut changed = Box::pin(subscription.changed());
        assert_eq!(changed.as_mut().poll(&mut context), Poll::Pending);
        assert_eq!(changed.as_mut().poll(&mut context), Poll::Pending);
        notifier.notify(LOCKS);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(changed.as_mut().poll(&mut context), Poll::Ready(Ok(LOCKS)));
        drop(changed);
        let mut changed = Box::pin(subscription.changed());
        assert_eq!(changed.as_mut().poll(&mut context), Poll::Pending);
        drop(changed);
        notifier.notify(DOCUMENT);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(Box::pin(subscription.changed()).as_mut().poll(&mut context), Poll::Ready(Ok(DOCUMENT)));
    }
}
