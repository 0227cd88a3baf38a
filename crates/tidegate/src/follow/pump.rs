//! Tells the feed of a member, or of a process with documents alone, what has changed: a thread, `tidegate-feed`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tidegate_engine::FlagKey;

use super::feed::{Feed, Update};
use crate::bounded_thread::BoundedThread;
use crate::error::ConnectError;
use crate::live::{Cluster, Registers};
use crate::read::subscription::{RecvTimeoutError, Subscription};

/// The thread; it ends with the notifications of the instance.
#[derive(Debug)]
pub(crate) struct Pump {
    thread: BoundedThread,
}

impl Pump {
    /// Starts the thread, and waits until the feed has what there is.
    pub(crate) fn start(
        feed: Feed,
        cluster: Option<Cluster>,
        subscription: Subscription,
    ) -> Result<Self, ConnectError> {
        let work = Work { feed, cluster, compared: Instant::now(), digest: None };
        let (ready, is_ready) = mpsc::channel();
        let run = move || work.run(subscription, &ready);
        let thread = BoundedThread::spawn("tidegate-feed", run).map_err(ConnectError::Thread)?;
        let _ = is_ready.recv_timeout(START_MAX);
        Ok(Self { thread })
    }

    /// Waits until the thread has ended, at most until then; whether it has.
    pub(crate) fn wait_until(&self, until: Instant) -> bool {
        self.thread.wait_until(until)
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.thread.join_within(GOODBYE_MAX);
    }
}

struct Work {
    feed: Feed,
    cluster: Option<Cluster>,
    /// When all registers were looked at last, and the digest of the node then.
    compared: Instant,
    digest: Option<u64>,
}

impl Work {
    fn run(mut self, mut subscription: Subscription, ready: &mpsc::Sender<()>) {
        self.look_at_all();
        self.feed.refresh_documents();
        let _ = ready.send(());
        loop {
            match subscription.recv_timeout(TICK) {
                Ok(changes) => {
                    if changes.activations || changes.definitions {
                        match changes.flags.listed() {
                            Some(flags) => self.look_at(flags.iter().cloned().collect()),
                            None => self.look_at_all(),
                        }
                    }
                    if changes.document {
                        self.feed.refresh_documents();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(_) => return,
            }
            // Whatever no notification has told, and the collection of tombstones.
            if self.compared.elapsed() >= COMPARE_PERIOD {
                self.look_at_all();
                self.feed.refresh_documents();
            }
            self.feed.refresh_ages();
        }
    }

    fn look_at(&self, flags: Vec<FlagKey>) {
        let Some(Ok(found)) = self.cluster.as_ref().map(|cluster| cluster.registers_of(flags)) else { return };
        let Registers { all: registers, names, .. } = found;
        self.feed.update(Update { registers, gone: Vec::new(), nodes: names });
    }

    fn look_at_all(&mut self) {
        self.compared = Instant::now();
        let Some(cluster) = &self.cluster else { return };
        self.feed.set_cluster(cluster.cluster_name());
        let digest = cluster.digest().ok();
        if digest.is_some() && digest == self.digest {
            return;
        }
        let Ok(Registers { all: registers, floor, names }) = cluster.all_registers() else { return };
        self.digest = digest;
        let keys: BTreeSet<Arc<[u8]>> = registers.iter().map(|register| Arc::clone(&register.key)).collect();
        let gone = self.feed.keys_besides(&keys);
        self.feed.set_floor(floor);
        self.feed.update(Update { registers, gone, nodes: names });
    }
}

/// Between two looks at the ages of documents.
const TICK: Duration = Duration::from_secs(1);

/// Between two looks at all registers, in case a notification was lost.
const COMPARE_PERIOD: Duration = Duration::from_secs(30);

/// How long a start waits for the first look.
const START_MAX: Duration = Duration::from_secs(5);

/// How long the last handle waits for the thread.
const GOODBYE_MAX: Duration = Duration::from_secs(2);
