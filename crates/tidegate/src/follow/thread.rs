//! The thread of a follower, `tidegate-follow`: its start and its end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::{self, Runtime};
use tokio::sync::oneshot;

use super::backoff::Backoff;
use super::disk::Disk;
use super::documents::{Documents, Template};
use super::status::Report;
use super::work::Work;
use super::{FollowOptions, Shared};
use crate::bounded_thread::{BoundedThread, deadline};
use crate::error::ConnectError;
use crate::random::{random, random_id};
use crate::registry::Registry;

/// A follower at work; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct FollowThread {
    shared: Arc<Shared>,
    /// Dropped to stop the thread.
    stop: Mutex<Option<oneshot::Sender<()>>>,
    thread: BoundedThread,
}

/// A follower that was started and has not reached a server yet.
#[derive(Debug)]
pub(crate) struct StartingFollower {
    running: FollowThread,
    is_ready: mpsc::Receiver<()>,
    has_state: bool,
}

impl FollowThread {
    /// Makes what the disk has active, and starts the thread.
    pub(crate) fn start(registry: &Arc<Registry>, options: FollowOptions) -> Result<StartingFollower, ConnectError> {
        let servers = options.upstreams()?;
        let names = servers.iter().map(|server| server.name().to_owned()).collect();
        let shared = Arc::new(Shared {
            registry: Arc::clone(registry),
            held: Mutex::default(),
            report: Mutex::new(Report::new(names, registry.instance().clock().now())),
            documents: Mutex::default(),
        });
        let (disk, disk_error) = Disk::open(options.cache.clone());
        if let Some(message) = disk_error {
            tracing::warn!("this follower cannot keep what it has: {message}; going on from memory");
            shared.report().disk_error = Some(message);
        }
        let feed = options.feed;
        let documents = Documents::new(Template {
            registry: Arc::clone(registry),
            cache: options.cache,
            trust: options.trust,
            state_dir: options.state_dir,
            compile: options.compile,
            is_one_shot: options.is_one_shot,
            keeps_text: feed.is_some(),
        });
        let id = feed.as_ref().map_or_else(random_id, super::Feed::instance);
        // Followers of several servers spread over them.
        let current = usize::try_from(random() % servers.len().max(1) as u64).unwrap_or(0);
        let mut work = Work {
            shared: Arc::clone(&shared),
            documents,
            disk,
            servers,
            current,
            feed,
            id: format!("{id:016x}"),
            position: None,
            server_id: None,
            backoff: Backoff::default(),
            is_one_shot: options.is_one_shot,
            is_loss_told: false,
        };
        work.restore();
        // A command that ends with its answer wants that of the server.
        let has_state = shared.report().has_state && !options.is_one_shot;
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = mpsc::channel();
        // Made here, so that a system that is short of descriptors is an error of the start.
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(ConnectError::Thread)?;
        let is_offline = options.is_offline;
        let live = move || live(work, runtime, stopped, ready, is_offline);
        let thread = BoundedThread::spawn("tidegate-follow", live).map_err(ConnectError::Thread)?;
        let running = Self { shared, stop: Mutex::new(Some(stop)), thread };
        Ok(StartingFollower { running, is_ready, has_state })
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Tells the thread to end.
    pub(crate) fn stop(&self) {
        drop(self.stop.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Waits until the thread has done its last work, at most until then; whether it has.
    pub(crate) fn wait_until(&self, until: Instant) -> bool {
        self.thread.wait_until(until)
    }
}

impl StartingFollower {
    /// Waits until a server was reached, or the first attempt has failed: as long as was configured, and without that not at all
    /// where the disk has something to begin with.
    pub(crate) fn wait(self, configured: Option<Duration>, default: Duration) -> FollowThread {
        let wait = configured.unwrap_or(if self.has_state { Duration::ZERO } else { default });
        let left = deadline(wait).saturating_duration_since(Instant::now());
        let _ = self.is_ready.recv_timeout(left);
        self.running
    }
}

impl Drop for FollowThread {
    fn drop(&mut self) {
        self.stop();
        self.thread.join_within(GOODBYE_MAX);
    }
}

/// The whole life of the thread.
fn live(mut work: Work, runtime: Runtime, stopped: oneshot::Receiver<()>, ready: mpsc::Sender<()>, is_offline: bool) {
    let mut stopped = pin!(stopped);
    let mut ready = Some(ready);
    let mut tell = move || {
        if let Some(ready) = ready.take() {
            // The caller may have given up.
            let _ = ready.send(());
        }
    };
    if is_offline {
        tell();
    } else {
        loop {
            let ended = catch_unwind(AssertUnwindSafe(|| {
                runtime.block_on(async {
                    let mut run = pin!(work.run(&mut tell));
                    std::future::poll_fn(|context| {
                        // The sender is only ever dropped.
                        if stopped.as_mut().poll(context).is_ready() {
                            return Poll::Ready(());
                        }
                        run.as_mut().poll(context)
                    })
                    .await;
                });
            }));
            if ended.is_ok() {
                break;
            }
            // A fault of this library must not leave the flags without a server.
            tracing::error!("the thread of the follower panicked, which is a fault of this library; it goes on");
            std::thread::sleep(AFTER_PANIC);
        }
    }
    work.save_rest();
    // Name look-ups may hang in the system.
    runtime.shutdown_background();
}

use std::future::Future as _;

/// How long the last handle waits for the thread, which is busy for longer only when a disk hangs.
const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// The pause after a panic, so that one that comes again and again does not take a processor.
const AFTER_PANIC: Duration = Duration::from_secs(1);
