//! A thread whose end is waited for within a limit.
//!
//! A thread may hang in the system (a disk, a name look-up), and `JoinHandle::join` has no limit. So the thread holds a channel
//! that its end disconnects, and the wait is for that.

use std::io;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The instant after a timeout. One that the clock cannot express is as good as one for ever.
pub(crate) fn deadline(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or(now + DEADLINE_MAX)
}

/// Stands for all deadlines that the clock cannot express.
const DEADLINE_MAX: Duration = Duration::from_hours(24);

/// A thread whose end is waited for within a limit.
#[derive(Debug)]
pub(crate) struct BoundedThread {
    handle: Option<JoinHandle<()>>,
    /// Disconnected when the thread has done its last work.
    done: Mutex<mpsc::Receiver<()>>,
}

impl BoundedThread {
    pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let (finished, done) = mpsc::channel();
        let handle = thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Dropped last, even if the work panics.
            let _finished: mpsc::Sender<()> = finished;
            work();
        })?;
        Ok(Self { handle: Some(handle), done: Mutex::new(done) })
    }

    /// Waits until the thread has done its last work, at most until then; whether it has.
    pub(crate) fn wait_until(&self, until: Instant) -> bool {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until.saturating_duration_since(Instant::now());
        done.recv_timeout(left) == Err(mpsc::RecvTimeoutError::Disconnected)
    }

    /// Joins the thread if it ends within the limit, and leaves it alone otherwise. The thread itself waits for nothing: the last
    /// handle of an instance may be dropped by code that the thread calls (a waker).
    pub(crate) fn join_within(&mut self, limit: Duration) {
        let Some(handle) = self.handle.take() else { return };
        if handle.thread().id() != thread::current().id() && self.wait_until(Instant::now() + limit) {
            // What remains is the end of the thread itself. A panic in it has been dealt with.
            let _ = handle.join();
        }
    }
}
