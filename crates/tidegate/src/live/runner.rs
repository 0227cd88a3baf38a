//! Which thread runs the driver.
//!
//! The driver is one state machine, and one thread at a time runs it. Its own thread, `tidegate-live`, does when something
//! is due by time, and when there is much to do. Otherwise the thread that brings an input runs the driver itself: the caller that makes a
//! change, the thread of the links with a message, the thread of the store with an outcome. To wake another thread takes
//! longer than most of what there is to do, and a change would wait for that on each of its four ways: to the driver, to the
//! disk, to the driver of another node, and back.
//!
//! No thread waits for the one that runs the driver: if one does run it, the thread is woken and looks again.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::driver::{Driver, Effort};
use super::inbox::Inbox;

/// Chooses the thread that runs the driver.
#[derive(Debug)]
pub(super) struct Runner {
    inbox: Arc<Inbox>,
    /// None after its end.
    driver: Mutex<Option<Driver>>,
    /// Why the driver has ended, if this library was at fault.
    fault: Mutex<Option<String>>,
}

thread_local! {
    /// Whether this thread runs a driver: one that sends to another one in the same process does not run that, too.
    static IS_RUNNING: Cell<bool> = const { Cell::new(false) };
}

impl Runner {
    pub(super) fn new(driver: Driver, inbox: Arc<Inbox>) -> Arc<Self> {
        inbox.wake_at(driver.next_wake());
        Arc::new(Self { inbox, driver: Mutex::new(Some(driver)), fault: Mutex::default() })
    }

    /// Why the driver has ended, if this library was at fault.
    pub(super) fn fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the calling thread is running a driver, and must not wait for one.
    pub(super) fn is_running_here() -> bool {
        IS_RUNNING.get()
    }

    /// Works until the driver is told to end. For its thread.
    pub(super) fn run(&self) {
        self.inbox.wake_thread();
        loop {
            let has_room = self.lock().as_ref().is_some_and(Driver::has_room);
            self.inbox.wait(has_room);
            let mut driver = self.lock();
            let is_closing = self.turn(&mut driver, Effort::Full).is_none_or(|is_closing| is_closing);
            drop(driver);
            if is_closing {
                return self.end();
            }
        }
    }

    /// Does what there is on the calling thread, if no other thread does and it is not long. Never waits.
    pub(super) fn run_here(&self) {
        let driver = if Self::is_running_here() { None } else { self.driver.try_lock().ok() };
        // The thread that runs it may be past the inbox: the driver's thread looks again.
        let Some(mut driver) = driver else { return self.inbox.wake_thread() };
        if self.turn(&mut driver, Effort::Quick).is_none() {
            self.inbox.wake_thread();
        }
    }

    /// Does what there is; whether that was the last of it. None if the driver has ended. What goes wrong in it is told
    /// instead of spread.
    fn turn(&self, slot: &mut MutexGuard<'_, Option<Driver>>, effort: Effort) -> Option<bool> {
        if self.fault().is_some() {
            return None;
        }
        let driver = slot.as_mut()?;
        let taken = self.inbox.take(driver.has_room());
        let is_closing = taken.is_closing;
        IS_RUNNING.set(true);
        let outcome = catch_unwind(AssertUnwindSafe(|| driver.turn(taken, effort)));
        IS_RUNNING.set(false);
        if outcome.is_err() {
            let message = "the thread of live changes panicked; please report it".to_owned();
            tracing::error!("{message}; what is active stays, and no more changes are accepted");
            *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
            // Its thread lets it go: this one may be one that its links need to end.
            self.inbox.close();
            return None;
        }
        self.inbox.wake_at(driver.next_wake());
        Some(is_closing)
    }

    /// Lets the driver go: what was accepted is on the disk afterwards, and the links are closed.
    fn end(&self) {
        self.inbox.go();
        // Callers learn by the end of their channel that there is no answer.
        let driver = self.lock().take();
        if let Some(driver) = driver {
            driver.close();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Driver>> {
        self.driver.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
