//! The thread that owns the connections to Redis, `tidegate-redis`: its start, its sessions, and its end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use tokio::runtime::{self, Runtime};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::address::Address;
use super::lost::Lost;
use super::place::Place;
use super::sentinel::locate;
use super::session::Session;
use crate::bounded_thread::BoundedThread;
use crate::clock::Clock;
use crate::live::intake::Intake;
use crate::live::redis_link::RedisLink;
use crate::random::between;

/// The thread at work; it ends when this is dropped.
#[derive(Debug)]
pub(in crate::live) struct RedisThread {
    link: Arc<RedisLink>,
    /// Dropped to stop the thread.
    stop: Mutex<Option<oneshot::Sender<()>>>,
    thread: BoundedThread,
}

impl RedisThread {
    pub(in crate::live) fn start(
        (address, cluster): (Address, &str),
        link: Arc<RedisLink>,
        intake: Arc<Intake>,
        clock: Clock,
        max_drift_ms: u64,
    ) -> io::Result<Self> {
        // Made here, so that a system that is short of descriptors is an error of the start.
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let session = Session::new((address, cluster), Arc::clone(&link), intake, clock, max_drift_ms);
        let thread = BoundedThread::spawn("tidegate-redis", move || live(&session, runtime, stopped))?;
        Ok(Self { link, stop: Mutex::new(Some(stop)), thread })
    }

    /// Tells the thread to end, when it has written what waits.
    pub(in crate::live) fn stop(&self) {
        self.link.close();
        drop(self.stop.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Waits until the thread has done its last work, at most until then; whether it has.
    pub(in crate::live) fn wait_until(&self, until: Instant) -> bool {
        self.thread.wait_until(until)
    }
}

impl Drop for RedisThread {
    fn drop(&mut self) {
        self.stop();
        self.thread.join_within(GOODBYE_MAX);
    }
}

/// The whole life of the thread.
fn live(session: &Session, runtime: Runtime, mut stopped: oneshot::Receiver<()>) {
    loop {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                let mut sessions = pin!(sessions(session));
                // The sender is only ever dropped.
                let is_over = {
                    let mut stopped = pin!(&mut stopped);
                    std::future::poll_fn(|context| {
                        use std::future::Future as _;
                        if sessions.as_mut().poll(context).is_ready() {
                            return std::task::Poll::Ready(true);
                        }
                        stopped.as_mut().poll(context).map(|_| false)
                    })
                    .await
                };
                if !is_over {
                    // What waits is written, if Redis is there.
                    let _ = timeout(FLUSH_MAX, sessions).await;
                }
            });
        }));
        if ended.is_ok() {
            break;
        }
        // A fault of this library must not cut the flags off.
        tracing::error!("the thread of Redis panicked, which is a fault of this library; it goes on");
        thread::sleep(AFTER_PANIC);
        if session.link.is_closing() {
            break;
        }
    }
    // Name look-ups may hang in the system.
    runtime.shutdown_background();
}

/// One session after the other, until the process ends.
async fn sessions(session: &Session) {
    // A redirect that is followed, and the server of the URL that comes next.
    let (mut redirect, mut turn) = (None::<Place>, 0_usize);
    let mut state = Attempts::default();
    loop {
        let began = Instant::now();
        let place = match redirect.take() {
            Some(place) => Ok(place),
            None => locate(&session.address, turn).await,
        };
        let (lost, place) = match place {
            Ok(place) => {
                let lost = session.run(&place, |loaded, refilled| connected(session, (loaded, refilled), &mut state));
                (lost.await, Some(place))
            }
            Err(lost) => (lost, None),
        };
        if session.link.is_closing() {
            return;
        }
        match lost {
            Lost::Ended => return,
            Lost::Moved(_) | Lost::Ask(_) if state.redirects < REDIRECTS_MAX => {
                state.redirects += 1;
                redirect = place.and_then(|place| place.redirected(&lost));
                if redirect.is_some() {
                    continue;
                }
            }
            Lost::Reload if began.elapsed() >= RELOAD_MIN => {
                redirect = place;
                continue;
            }
            Lost::Reload => redirect = place,
            Lost::Moved(_) | Lost::Ask(_) => {}
            Lost::Unreachable(message) => note_lost(session, ("redis-unreachable", message), &mut state.told),
            Lost::Lasting { code, message } => note_lost(session, (code, message), &mut state.told),
        }
        state.redirects = 0;
        if redirect.is_none() && session.address.master.is_none() {
            turn = turn.wrapping_add(1);
            // Another server of the same Redis Cluster may answer.
            if turn.checked_rem(session.address.servers().len()).is_some_and(|index| index > 0) {
                continue;
            }
        }
        pause(session, delay(state.failures, (session.random)())).await;
        state.failures = state.failures.saturating_add(1);
        if session.link.is_closing() {
            return;
        }
    }
}

/// What is known of the attempts to connect since the last session that succeeded.
#[derive(Default)]
struct Attempts {
    failures: u32,
    redirects: u32,
    /// The problem that the log has.
    told: Option<&'static str>,
}

/// Redis was loaded and compared.
fn connected(session: &Session, (loaded, refilled): (u64, u64), state: &mut Attempts) {
    *state = Attempts::default();
    let is_new = session.link.note_connected();
    session.tell_loaded();
    if is_new {
        tracing::info!(
            "connected to Redis at {}: {loaded} registers were there, and {refilled} were written to it",
            session.address
        );
    }
}

/// Each cause is logged once until the connection is back.
fn note_lost(session: &Session, (code, message): (&'static str, String), told: &mut Option<&'static str>) {
    session.link.note_lost(code, message.clone(), session.clock.now());
    if told.replace(code) == Some(code) {
        return;
    }
    let address = &session.address;
    if code == "redis-unreachable" {
        tracing::warn!(
            "Redis at {address} cannot be reached: {message}; what is active stays, and changes wait for it"
        );
    } else {
        tracing::error!("Redis at {address} cannot be used: {message}; what is active stays, and changes wait for it");
    }
}

/// Waits, unless this process ends.
async fn pause(session: &Session, delay: Duration) {
    let until = tokio::time::Instant::now() + delay;
    while !session.link.is_closing() && tokio::time::timeout_at(until, session.link.woken()).await.is_ok() {
        // A change waits, and Redis is tried no sooner for it.
        sleep(TICK).await;
    }
}

/// When to connect again: half of a ceiling that doubles, and a random part of the other half.
fn delay(failures: u32, random: u64) -> Duration {
    let ceiling = DELAY_FIRST.saturating_mul(1 << failures.min(16)).min(DELAY_MAX);
    between(ceiling / 2, ceiling, random)
}

/// The ceiling of the first pause before connecting again, and of all.
const DELAY_FIRST: Duration = Duration::from_millis(100);
const DELAY_MAX: Duration = Duration::from_secs(5);

/// Redirects that are followed without a pause.
const REDIRECTS_MAX: u32 = 5;

/// A session that ends sooner because all is to be loaded again is followed by a pause.
const RELOAD_MIN: Duration = Duration::from_secs(1);

/// How often a pause looks whether this process ends.
const TICK: Duration = Duration::from_millis(10);

/// How long the end of the process waits for what is not written yet.
const FLUSH_MAX: Duration = Duration::from_millis(500);

/// How long the last handle waits for the thread.
const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// The pause after a panic, so that one that comes again and again does not take a processor.
const AFTER_PANIC: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_ceiling_and_are_spread() {
        let longest: Vec<u128> = (0..8).map(|failures| delay(failures, u64::MAX).as_millis() + 1).collect();
        assert_eq!(longest, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        assert_eq!(delay(0, 0).as_millis(), 50);
    }
}
