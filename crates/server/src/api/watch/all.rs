//! A stream of all changes, which can be resumed.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use tidegate::{ArrivedChanges, Cluster, ClusterError};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::event;
use super::feed::{Found, Shared, Start};
use super::position::Position;
use crate::api::{Api, Kind};
use crate::limits;

/// One stream of all changes.
pub(super) struct Follow {
    pub(super) api: Arc<Api>,
    pub(super) cluster: Cluster,
    pub(super) feed: Arc<Shared>,
    pub(super) events: mpsc::Sender<Bytes>,
    /// Where the stream of what is new begins: what the feed had when the request was answered.
    pub(super) start: Start,
    /// Up to where the reader knows all changes; none: from now on.
    pub(super) after: Option<Position>,
}

/// The stream has ended: its client has gone, or was told why.
struct Ended;

impl Follow {
    /// Sends events until the client disconnects.
    pub(super) async fn send_events(self) {
        // It has been told why, where there was a way to.
        let _ = self.send_all().await;
    }

    async fn send_all(&self) -> Result<(), Ended> {
        let period = self.api.options.keep_alive_period;
        let mut keep_alives = tokio::time::interval_at(Instant::now() + period, period);
        keep_alives.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut grown = self.feed.grown();
        let mut start = self.start.clone();
        // With the id at once, so that a client that gets no event can resume as well.
        let first = self.after.as_ref().unwrap_or(&start.position);
        self.send(format!(": watching\nid: {first}\n\n").into()).await?;
        if let Some(after) = self.after.clone() {
            start = self.catch_up(after, start).await?;
        }
        let mut next = start.next;
        loop {
            grown.borrow_and_update();
            match self.feed.take(next) {
                Found::Events(events, after) => {
                    self.send_copies(&events).await?;
                    next = after;
                    self.rest().await;
                    continue;
                }
                Found::End(end) => {
                    self.send(end).await?;
                    return Err(Ended);
                }
                Found::Nothing => {}
            }
            tokio::select! {
                () = self.events.closed() => return Err(Ended),
                more = grown.changed() => more.map_err(|_| Ended)?,
                _ = keep_alives.tick() => self.send(Bytes::from_static(b": alive\n\n")).await?,
            }
        }
    }

    /// The more streams there are, the longer each rests before it looks for more: a change wakes all of them, and the next ones
    /// are sent together. So streams take a bounded part of a processor, however fast changes come.
    async fn rest(&self) {
        let streams = self.api.options.watchers_max.saturating_sub(self.api.watchers.available_permits());
        let rest = limits::FEED_REST.saturating_mul(u32::try_from(streams).unwrap_or(u32::MAX)) / 1_000;
        if rest >= REST_MIN {
            tokio::time::sleep(rest).await;
        }
    }

    /// Sends from the history what the reader does not know, until it knows what the ring knows.
    async fn catch_up(&self, after: Position, start: Start) -> Result<Start, Ended> {
        let (mut known, mut start) = (after, start);
        let cluster = self.cluster.clone();
        let (node, id) = (start.position.node, known.clone());
        let is_same = self.read(move || is_in_history(&cluster, node, &id)).await?;
        // On this node everything after the place is new, whatever its stamp; of another node's places, nothing is known here.
        let by_stamps = (!is_same).then(|| (known.clone(), start.position.place));
        if !is_same {
            (known.node, known.place) = (node, 0);
        }
        let mut is_complete = true;
        while known.place < start.position.place {
            let (cluster, place, by_stamps) = (self.cluster.clone(), known.place, by_stamps.clone());
            let page = self.read(move || page(&cluster, place, by_stamps.as_ref())).await?;
            if is_complete && !page.is_complete {
                is_complete = false;
                self.send(event::gap()).await?;
            }
            let (until, mut events) = (start.position.place, Vec::new());
            let looked_at = if page.last > place { page.last.min(until) } else { until };
            for change in page.changes.iter().filter(|change| change.position <= until) {
                known.note(change.position, change.change.stamp);
                events.push(event::register(change, &known));
            }
            self.send_copies(&events).await?;
            known.place = looked_at;
            if known.place >= until {
                start = self.feed.start();
            }
        }
        if known.documents != start.position.documents {
            let (documents, view) = (self.cluster.documents(), self.api.tide.view());
            let (old, node) = ((known.documents, None), self.cluster.node());
            let event = event::documents(old, &documents, view.now(), &node, &start.position);
            self.send(event).await?;
        }
        Ok(start)
    }

    /// Looks something up in the history, on a thread.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ClusterError> + Send + 'static,
    ) -> Result<T, Ended> {
        match self.api.blocking(Kind::Read, work).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(_)) => Err(self.end("history", "the history of this node cannot be read").await),
            Err(_) => Err(self.end("busy", "the server has no time to read the history; connect again later").await),
        }
    }

    /// Sends events, as one part where there are several. What is not small takes its bytes from the budget.
    async fn send_copies(&self, events: &[Bytes]) -> Result<(), Ended> {
        // Shared by all streams, as long as it is small.
        if let [event] = events
            && event.len() <= limits::SMALL_BYTES
        {
            return self.send(event.clone()).await;
        }
        let mut text = String::new();
        for event in events {
            // They were made as text.
            text.push_str(str::from_utf8(event).unwrap_or_default());
        }
        if text.is_empty() {
            return Ok(());
        }
        match self.api.budget.hold(text) {
            Ok(part) => self.send(part).await,
            Err(_) => Err(self.end("memory", "the server has no memory for the next event; connect again later").await),
        }
    }

    async fn end(&self, reason: &'static str, detail: &'static str) -> Ended {
        // A client that has gone does not need it.
        let _ = self.send(event::end(reason, detail)).await;
        Ended
    }

    async fn send(&self, event: Bytes) -> Result<(), Ended> {
        self.events.send(event).await.map_err(|_| Ended)
    }
}

/// Whether the place of an id is in this node's history.
fn is_in_history(cluster: &Cluster, node: tidegate::NodeId, id: &Position) -> Result<bool, ClusterError> {
    if id.node != node {
        return Ok(false);
    }
    // Before the first change of all, or at one that is still kept.
    let is_at_the_beginning = id.place == 0 && cluster.history_ends()?.is_none_or(|(first, _)| first == 1);
    Ok(is_at_the_beginning || (id.place > 0 && cluster.stamp_at(id.place)? == Some(id.stamp)))
}

/// The next changes: all, or up to a place those that the id lacks.
fn page(cluster: &Cluster, after: u64, by_stamps: Option<&(Position, u64)>) -> Result<ArrivedChanges, ClusterError> {
    let Some((id, until)) = by_stamps.filter(|(_, until)| after < *until) else {
        return cluster.changes_after(after, limits::FEED_PAGE, |_| true);
    };
    // Most are not wanted, so that many are looked at. It may look beyond the place, where nothing is to be left out.
    let count = usize::try_from(until.saturating_sub(after)).unwrap_or(usize::MAX);
    cluster.changes_after(after, count, |stamp| id.may_lack(stamp))
}

/// The timer knows no less.
const REST_MIN: Duration = Duration::from_millis(1);
