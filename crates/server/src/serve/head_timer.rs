//! Timers for the heads of one connection, which share one timer of the runtime.
//!
//! hyper makes a timer for each head and drops it when the head is there, which is within microseconds for nearly all. Entering
//! and leaving the runtime's timers costs more than that. So the timer of the runtime stays where it was set for an earlier head, and only
//! when it has gone off is it set again, for the head that is waited for then.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// The timers of one connection, all of which one task polls.
#[derive(Clone, Debug, Default)]
pub(super) struct HeadTimer {
    /// One for all of them.
    shared: Arc<Mutex<Option<Shared>>>,
}

/// The timer of the runtime, and the instant at which it goes off.
type Shared = (Instant, Pin<Box<tokio::time::Sleep>>);

/// Ready at an instant.
#[derive(Debug)]
struct Deadline {
    at: Instant,
    timer: HeadTimer,
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, at: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Deadline { at, timer: self.clone() })
    }
}

impl Sleep for Deadline {}

impl Future for Deadline {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        if now >= self.at {
            return Poll::Ready(());
        }
        let mut shared = self.timer.shared.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *shared {
            // It wakes the task in time, or earlier, and then it is set again.
            Some((wakes_at, _)) if *wakes_at > now && *wakes_at <= self.at => return Poll::Pending,
            Some((wakes_at, sleep)) => {
                *wakes_at = self.at;
                sleep.as_mut().reset(self.at.into());
            }
            none => *none = Some((self.at, Box::pin(tokio::time::sleep_until(self.at.into())))),
        }
        match &mut *shared {
            Some((_, sleep)) => sleep.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// The instant at which one timer of the runtime wakes the task.
    fn wakes_at(timer: &HeadTimer) -> Instant {
        timer.shared.lock().unwrap().as_ref().unwrap().0
    }

    #[tokio::test]
    async fn many_heads_share_one_timer_and_the_last_one_ends_in_time() {
        let timer = HeadTimer::default();
        let begun = Instant::now();
        for number in 0..100 {
            let mut head = timer.sleep(Duration::from_millis(50 + number));
            let is_late = poll_fn(|context| Poll::Ready(head.as_mut().poll(context).is_ready())).await;
            assert!(!is_late);
        }
        assert!(wakes_at(&timer) < begun + Duration::from_millis(100), "that of the first head");
        timer.sleep(Duration::from_millis(200)).await;
        assert!(begun.elapsed() >= Duration::from_millis(200));
        // One that ends earlier than the timer was set for.
        let mut late = timer.sleep(Duration::from_mins(1));
        assert!(!poll_fn(|context| Poll::Ready(late.as_mut().poll(context).is_ready())).await);
        drop(late);
        timer.sleep(Duration::from_millis(10)).await;
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
