//! What a server runs beside its connections: each task is counted, so that the end of a server is the end of all that holds its instance.
//!
//! `serve` returns after them. A program can then open the data folder again, or remove it.

use std::future::Future;
use std::time::Instant;

use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// The tasks of one server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks(TaskTracker);

impl Tasks {
    /// Runs this until it ends.
    pub(crate) fn spawn<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.spawn(future);
    }

    /// Does work that blocks on a thread. The work goes on when its handle is dropped.
    pub(crate) fn spawn_blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        self.0.spawn_blocking(work)
    }

    /// Waits until all have ended, at most until this instant; whether they have.
    pub(crate) async fn ended(&self, until: Instant) -> bool {
        self.0.close();
        tokio::time::timeout_at(until.into(), self.0.wait()).await.is_ok()
    }

    /// How many have not ended.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}
