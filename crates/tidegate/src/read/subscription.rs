//! Notifications of changes, for programs that act on one.
//!
//! There is no queue: a subscriber learns what has changed since it last asked, and then reads what is active now. So a slow
//! subscriber delays no other, its memory has a bound, and the states in between are coalesced for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tidegate_engine::{FlagKey, Snapshot};

/// What has changed since a subscriber last asked. At least one of the booleans is true.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a thing that may have changed or not")]
pub struct Changes {
    /// Another document is active. That a ramp moves on is no change: it was known before; see
    /// [`valid_until`](crate::Explanation::valid_until).
    pub document: bool,
    /// The locks of this host are others, or something is wrong with their file.
    pub locks: bool,
    /// The [`Health`](crate::Health) of the source is another.
    pub health: bool,
    /// The activation of some flag was set or cleared.
    pub activations: bool,
    /// A flag was defined apart from any document, or such a definition was changed or removed.
    pub definitions: bool,
    /// The flags whose entry, lock, activation or definition is another.
    pub flags: ChangedFlags,
}

/// The flags that may answer otherwise than before; in [`Changes::flags`].
///
/// ```
/// use tidegate::{Live, Tidegate};
///
/// let tide = Tidegate::builder().live(Live::in_memory()).without_locks().connect()?;
/// let mut subscription = tide.subscribe();
/// tide.activate("shop/cart").send()?;
/// let changes = subscription.recv()?;
/// assert!(changes.activations && changes.flags.contains("shop/cart") && !changes.flags.contains("shop/title"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ChangedFlags {
    listed: BTreeSet<FlagKey>,
    /// Any flag may be among them.
    is_any: bool,
}

impl ChangedFlags {
    /// More flags than are listed, so that each flag may be among them.
    pub(crate) fn any() -> Self {
        Self { listed: BTreeSet::new(), is_any: true }
    }

    pub(crate) fn of_flags(flags: impl IntoIterator<Item = FlagKey>) -> Self {
        let listed: BTreeSet<FlagKey> = flags.into_iter().collect();
        if listed.len() > LISTED_MAX { Self::any() } else { Self { listed, is_any: false } }
    }

    /// These flags, and those of the snapshot whose rules ask for them.
    pub(crate) fn with_dependents(flags: Vec<FlagKey>, snapshot: &Snapshot) -> Self {
        snapshot.with_dependents(flags, LISTED_MAX).map_or_else(Self::any, Self::of_flags)
    }

    /// Whether this flag may answer otherwise than before: it has changed, or a flag that its rules ask for. The flag is named by its key, `section/flag`.
    pub fn contains(&self, flag_key: &str) -> bool {
        self.is_any || self.listed.contains(&FlagKey::parse(flag_key))
    }

    /// Whether no flag has changed.
    pub fn is_empty(&self) -> bool {
        !self.is_any && self.listed.is_empty()
    }

    /// The flags that have changed and those whose rules ask for them, in the order of their keys; `None` where more than a thousand have changed, so that each flag may be among
    /// them: a program then reads all flags that it cares for.
    pub fn listed(&self) -> Option<&BTreeSet<FlagKey>> {
        (!self.is_any).then_some(&self.listed)
    }
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

/// Receives notifications of changes; made by [`Tidegate::subscribe`](crate::Tidegate::subscribe).
///
/// Each subscription learns everything that has changed since it was made or last asked, and which flags. States in between
/// are coalesced for a slow reader. A subscription does not keep the instance alive: it ends, with [`Closed`], when the last
/// handle of the instance is dropped or [`Tidegate::shutdown`](crate::Tidegate::shutdown) is called.
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

/// Counts changes and wakes those who wait for one.
#[derive(Debug, Default)]
pub(crate) struct Notifier {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    counts: Counts,
    /// The flags that have changed, each with the notification that told of it last.
    flags: BTreeMap<FlagKey, u64>,
    /// In this notification, or an earlier one, any flag may have changed.
    any_until: u64,
    subscriptions: usize,
    is_closed: bool,
    last_id: u64,
    /// Those who wait asynchronously.
    wakers: Vec<(u64, Waker)>,
}

/// How often each thing has changed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Counts {
    /// How many notifications there were.
    notification: u64,
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
        state.subscriptions += 1;
        Subscription { notifier: Arc::clone(self), seen: state.counts, id: state.last_id }
    }

    /// Whether anybody will look at what has changed.
    pub(crate) fn has_subscriptions(&self) -> bool {
        self.lock().subscriptions > 0
    }

    /// Tells every subscriber that something has changed.
    pub(crate) fn notify(&self, changes: Changes) {
        self.update(|state| {
            state.counts.notification += 1;
            state.note_flags(changes.flags);
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

    /// Waits for a change, at most for `timeout`. Blocks the thread.
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
            let flags = if state.any_until > seen.notification {
                ChangedFlags::any()
            } else {
                let changed = state.flags.iter().filter(|(_, told)| **told > seen.notification);
                ChangedFlags::of_flags(changed.map(|(flag, _)| flag.clone()))
            };
            return Some(Ok(Changes {
                flags,
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

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut state = self.notifier.lock();
        state.subscriptions = state.subscriptions.saturating_sub(1);
    }
}

impl State {
    /// Takes note of flags that have changed, and forgets the older half of them where there are too many: a subscriber that
    /// has not asked since then learns that any flag may have changed.
    fn note_flags(&mut self, flags: ChangedFlags) {
        let now = self.counts.notification;
        if flags.is_any || (self.subscriptions == 0 && !flags.is_empty()) {
            self.flags.clear();
            self.any_until = now;
            return;
        }
        self.flags.extend(flags.listed.into_iter().map(|flag| (flag, now)));
        if self.flags.len() > LISTED_MAX {
            let mut told: Vec<u64> = self.flags.values().copied().collect();
            told.sort_unstable();
            let middle = told.get(told.len() / 2).copied().unwrap_or(now);
            self.flags.retain(|_, told| *told > middle);
            self.any_until = self.any_until.max(middle);
        }
    }

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

/// Changed flags that are told one by one. A document that changes more is as good as a new one.
pub(crate) const LISTED_MAX: usize = 1_000;

/// The longest single wait, where the caller's end of it lies beyond what a clock can say.
const WAIT_MAX: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use std::thread;

    use super::*;

    fn document() -> Changes {
        Changes { document: true, ..Changes::default() }
    }

    fn locks() -> Changes {
        Changes { locks: true, ..Changes::default() }
    }

    fn document_of(flags: std::ops::Range<usize>) -> Changes {
        let flags = flags.map(|number| FlagKey::new("s", format!("{number:05}")));
        Changes { flags: ChangedFlags::of_flags(flags), ..document() }
    }

    #[test]
    fn the_flags_that_have_changed_since_are_listed() {
        let notifier = Arc::new(Notifier::default());
        notifier.notify(document_of(0..2));
        let (mut one, mut other) = (notifier.subscribe(), notifier.subscribe());
        notifier.notify(document_of(2..4));
        assert_eq!(one.recv(), Ok(document_of(2..4)));
        notifier.notify(locks());
        assert_eq!(one.recv(), Ok(locks()), "flags are told once");
        notifier.notify(document_of(3..6));
        assert_eq!(one.recv(), Ok(document_of(3..6)));
        let late = other.recv().unwrap();
        assert_eq!(late, Changes { locks: true, ..document_of(2..6) }, "who asks later is told of all of them");
        assert!(late.flags.contains("s/00002") && !late.flags.contains("s/00001") && !late.flags.is_empty());
    }

    #[test]
    fn where_too_many_flags_have_changed_any_flag_may_have() {
        let notifier = Arc::new(Notifier::default());
        let (mut quick, mut slow) = (notifier.subscribe(), notifier.subscribe());
        for number in 0..3 * LISTED_MAX {
            notifier.notify(document_of(number..number + 1));
            assert_eq!(quick.recv(), Ok(document_of(number..number + 1)), "who keeps up misses nothing");
            assert!(notifier.lock().flags.len() <= LISTED_MAX);
        }
        let flags = slow.recv().unwrap().flags;
        assert!(flags.listed().is_none() && flags.contains("never/heard/of") && !flags.is_empty());
        notifier.notify(document_of(0..LISTED_MAX + 1));
        assert_eq!(quick.recv().unwrap().flags, ChangedFlags::any());
        notifier.notify(document_of(0..LISTED_MAX));
        assert_eq!(quick.recv(), Ok(document_of(0..LISTED_MAX)));
    }

    #[test]
    fn nothing_is_kept_without_subscriptions() {
        let notifier = Arc::new(Notifier::default());
        notifier.notify(document_of(0..5));
        assert!(!notifier.has_subscriptions() && notifier.lock().flags.is_empty());
        let mut subscription = notifier.subscribe();
        assert!(notifier.has_subscriptions());
        notifier.notify(locks());
        assert_eq!(subscription.recv(), Ok(locks()));
        drop(subscription);
        assert!(!notifier.has_subscriptions());
    }

    #[test]
    fn told_once_of_everything_since() {
        let notifier = Arc::new(Notifier::default());
        notifier.notify(document());
        let mut subscription = notifier.subscribe();
        assert_eq!(subscription.try_recv(), Ok(None), "what was before is no change");
        notifier.notify(document());
        notifier.notify(document());
        notifier.notify(locks());
        assert_eq!(subscription.recv(), Ok(Changes { locks: true, ..document() }));
        assert_eq!(subscription.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
        notifier.notify(locks());
        notifier.close();
        assert_eq!(subscription.recv(), Ok(locks()), "the last word is still told");
        assert_eq!(subscription.recv(), Err(Closed));
        assert_eq!(subscription.recv_timeout(Duration::MAX), Err(Closed.into()));
    }

    #[test]
    fn a_waiting_thread_is_woken() {
        let notifier = Arc::new(Notifier::default());
        let mut subscriptions = [notifier.subscribe(), notifier.subscribe()];
        thread::scope(|scope| {
            for subscription in &mut subscriptions {
                scope.spawn(|| assert_eq!(subscription.recv(), Ok(document())));
            }
            notifier.notify(document());
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
        notifier.notify(locks());
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(changed.as_mut().poll(&mut context), Poll::Ready(Ok(locks())));
        drop(changed);
        let mut changed = Box::pin(subscription.changed());
        assert_eq!(changed.as_mut().poll(&mut context), Poll::Pending);
        drop(changed);
        notifier.notify(document());
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(Box::pin(subscription.changed()).as_mut().poll(&mut context), Poll::Ready(Ok(document())));
    }
}
