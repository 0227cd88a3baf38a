//! The threads of one instance, and how they end.

use std::sync::Arc;
use std::time::Duration;

use crate::bounded_thread::deadline;
#[cfg(feature = "cluster")]
use crate::follow::{Feed, FollowThread, Pump};
use crate::ingest::worker::Running;
use crate::instance::Instance;
#[cfg(feature = "cluster")]
use crate::live::LiveThread;

/// All threads of one instance. They end when this is dropped, in this order.
#[derive(Debug)]
pub(crate) struct Threads {
    pub(crate) instance: Arc<Instance>,
    #[cfg(feature = "cluster")]
    pub(crate) live: Option<LiveThread>,
    #[cfg(feature = "cluster")]
    pub(crate) follower: Option<FollowThread>,
    /// What followers of this instance get.
    #[cfg(feature = "cluster")]
    pub(crate) feed: Option<Feed>,
    /// The first source, and the upkeep of the instance.
    pub(crate) first: Running,
    /// One for each additional source.
    pub(crate) additional_sources: Vec<Running>,
    /// It ends by itself when notifications have ended.
    #[cfg(feature = "cluster")]
    pub(crate) pump: Option<Pump>,
}

impl Threads {
    pub(crate) fn sources(&self) -> impl Iterator<Item = &Running> {
        std::iter::once(&self.first).chain(&self.additional_sources)
    }

    /// Ends all threads of the instance, first the one that writes; whether they have ended within the time. What has been
    /// published stays.
    pub(crate) fn shutdown(&self, timeout: Duration) -> bool {
        let until = deadline(timeout);
        #[cfg(feature = "cluster")]
        let is_live_ended = {
            let live = self.live.as_ref();
            live.inspect(|live| live.stop()).is_none_or(|live| live.wait_until(until))
        };
        #[cfg(feature = "cluster")]
        let is_live_ended = {
            let follower = self.follower.as_ref();
            follower.inspect(|follower| follower.stop()).is_none_or(|follower| follower.wait_until(until))
                && is_live_ended
        };
        #[cfg(not(feature = "cluster"))]
        let is_live_ended = true;
        self.sources().for_each(Running::stop);
        // Each is waited for, so that the others have their time, too.
        let ended = self.sources().filter(|running| running.wait_until(until)).count();
        #[cfg(feature = "cluster")]
        let is_live_ended = self.pump.as_ref().is_none_or(|pump| pump.wait_until(until)) && is_live_ended;
        is_live_ended && ended == self.additional_sources.len() + 1
    }
}
