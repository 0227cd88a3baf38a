//! The thread of the driver, `tidegate-live`: its start and its end.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::LiveError;
use super::driver_handle::DriverHandle;
use super::network::NetworkError;
#[cfg(feature = "redis")]
use super::redis::{Address, RedisThread};
use super::runner::Runner;
use super::synced::RunningElsewhere;
use crate::bounded_thread::BoundedThread;

/// The driver at work; it ends when this is dropped, and what was accepted is on the disk then.
#[derive(Debug)]
pub(crate) struct LiveThread {
    driver: Arc<DriverHandle>,
    thread: BoundedThread,
    /// Ends after the driver, so that what the driver has accepted goes to Redis.
    #[cfg(feature = "redis")]
    redis: Option<RedisThread>,
}

impl LiveThread {
    pub(super) fn start(runner: Arc<Runner>, driver: Arc<DriverHandle>) -> io::Result<Self> {
        driver.intake.set_runner(Arc::downgrade(&runner));
        let thread = BoundedThread::spawn("tidegate-live", move || runner.run())?;
        Ok(Self {
            driver,
            thread,
            #[cfg(feature = "redis")]
            redis: None,
        })
    }

    /// Starts the thread that shares registers through Redis.
    #[cfg(feature = "redis")]
    pub(super) fn with_redis(mut self, place: (Address, &str), max_drift_ms: u64) -> io::Result<Self> {
        if let Some(link) = &self.driver.redis {
            let (intake, clock) = (Arc::clone(&self.driver.intake), self.driver.clock().clone());
            self.redis = Some(RedisThread::start(place, Arc::clone(link), intake, clock, max_drift_ms)?);
        }
        Ok(self)
    }

    pub(crate) fn driver(&self) -> &Arc<DriverHandle> {
        &self.driver
    }

    /// Tells the thread to end: what was accepted is written, and the links to other nodes are closed.
    pub(crate) fn stop(&self) {
        self.driver.intake.inbox().close();
        #[cfg(feature = "redis")]
        if let Some(redis) = &self.redis {
            redis.stop();
        }
    }

    /// Waits until that is done, at most until then; whether it is.
    pub(crate) fn wait_until(&self, until: Instant) -> bool {
        if Runner::is_running_here() || !self.thread.wait_until(until) {
            return false;
        }
        #[cfg(feature = "redis")]
        return self.redis.as_ref().is_none_or(|redis| redis.wait_until(until));
        #[cfg(not(feature = "redis"))]
        true
    }

    /// Ends a start that began then and may take that long: waits until this node has the cluster's state, and warns if it has not. A
    /// start that may not wait at all was not meant to have it.
    ///
    /// # Errors
    /// An older process of this node is running elsewhere.
    pub(crate) fn wait_synced(&self, began: Instant, startup_wait: Duration) -> Result<(), LiveError> {
        let timeout = startup_wait.saturating_sub(began.elapsed());
        let waited = self.driver.synced.wait(timeout);
        let is_synced = waited.map_err(|RunningElsewhere(address)| NetworkError::RunningElsewhere { address })?;
        if let Some(redis) = self.driver.redis.as_ref().filter(|redis| !redis.is_loaded() && !startup_wait.is_zero()) {
            let status = redis.status();
            tracing::warn!(
                "Redis at {} has not been read within {} s ({}): this process answers from what it has itself until then",
                status.url,
                startup_wait.as_secs_f64(),
                status.problem.as_deref().unwrap_or("it is being read")
            );
        } else if !is_synced && !startup_wait.is_zero() {
            tracing::warn!(
                "no member of the cluster has been compared with within {} s, because {}: this node answers from what it has on its \
                 disk, which may be out of date; `tidegate cluster status` says which members it is connected to",
                startup_wait.as_secs_f64(),
                if timeout.is_zero() {
                    "the data folder and the documents took that long"
                } else {
                    "no comparison with one has ended"
                }
            );
        }
        self.driver.startup.finish();
        Ok(())
    }
}

impl Drop for LiveThread {
    fn drop(&mut self) {
        self.driver.intake.inbox().close();
        // The last handle may be dropped by code that the driver itself calls (a waker).
        if !Runner::is_running_here() {
            self.thread.join_within(GOODBYE_MAX);
        }
    }
}

/// How long the last handle waits for what was accepted to be on the disk.
pub(super) const GOODBYE_MAX: Duration = Duration::from_secs(4);
