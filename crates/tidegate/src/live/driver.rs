//! What drives the replica.
//!
//! The driver takes what waits in the inbox, gives it to the replica, and does what the replica outputs: messages go to the
//! carrier at once, and so do batches to the disk that a caller waits for; then what has changed becomes active, and only
//! then do writers get their receipts. It never waits for a disk, for another node or for a reader. Which thread runs it is the
//! [`runner`](super::runner)'s.
//!
//! Publishing costs some microseconds to some milliseconds, so under a burst it is done less often: after each
//! publication the driver rests from publishing for a few times as long as it took. A lone change is published at once.

mod events;
mod projection;
mod store;
mod target;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tidegate_engine::{FlagKey, Micros, Share};
use tidegate_mesh::PeerEvent;
use tidegate_replica::{
    Batch, Change as RegisterChange, Input, Level, Loaded, NodeId, Now, Options, Output, Receipt as Written, Replica,
    Resolution, WriteError,
};
use tokio::sync::watch as watched;

use crate::clock::Clock;
use crate::read::subscription::Notifier;
use crate::registry::Registry;
use crate::store::{Committer, Outcome};

use super::carrier::Carrier;
use super::change_error::ChangeError;
use super::change_request::ChangeRequest;
use super::driver_view::{DriverView, Report};
use super::inbox::Taken;
use super::names::{Names, NodeName, shown_node};
use super::receipt::{Done, Effect, Made, UnreachedPeer};
use super::redis_link::{RedisLink, RedisReceipt};
use super::request::{Reply, Request, Resolve};
use super::synced::Synced;
use super::value::ChangeKind;

use events::{AnsweredChange, Events};
use store::{SharedStore, StoreWait};
use target::DraftedChange;
use watch::WATCH_PERIOD;

/// Drives one replica: gives it inputs and does what it outputs.
pub(super) struct Driver {
    node: NodeId,
    replica: Replica,
    registry: Arc<Registry>,
    notifier: Arc<Notifier>,
    clock: Clock,
    started: Instant,
    carrier: Box<dyn Carrier>,
    committer: Committer,
    /// Batches that no caller waits for: they go to the disk when everything else is done.
    unsubmitted: Vec<Batch>,
    /// The callers that wait for a receipt, by the number of their request.
    replies: BTreeMap<u64, Awaiting>,
    last_request: u64,
    /// Receipts of changes that readers do not see yet.
    receipts: Vec<(u64, Result<Written, WriteError>)>,
    waiting: Vec<Waiting>,
    /// Keys whose registers are not active as they are.
    changed: BTreeSet<Arc<[u8]>>,
    /// The next publication comes no sooner.
    rests_until: Instant,
    /// When the replica wants to be called, by the steady clock.
    wake_at_ms: u64,
    watched_at: Instant,
    /// The peers that are connected and do not answer, which the log has reported.
    unresponsive: BTreeSet<NodeId>,
    /// The members whose silence the log has reported.
    silent: BTreeSet<NodeId>,
    /// How many configured addresses have shown no node yet, as the replica was last told.
    unmet_peers: Option<usize>,
    events: Events,
    names: Names,
    report: Report,
    /// Redis, if registers are shared through it.
    store: Option<SharedStore>,
    synced: Arc<Synced>,
    is_synced: bool,
    disk: Arc<DiskState>,
    /// Tells those who follow all changes that the disk has more.
    grown: watched::Sender<u64>,
}

/// Why the disk takes nothing at the moment, for callers that ask before each change.
#[derive(Debug, Default)]
pub(super) struct DiskState(Mutex<Option<String>>);

impl DiskState {
    fn set(&self, trouble: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How much may be done at one go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Effort {
    /// What takes microseconds: definitions, which have to be compiled, are left for the next full turn.
    Quick,
    Full,
}

/// A caller that waits for a receipt.
struct Awaiting {
    reply: Reply,
    /// What it changes; at least one.
    changes: Vec<AwaitedChange>,
    /// What it waits for in Redis, once this process has the change.
    store: Option<StoreWait>,
}

/// One change of it.
#[derive(Debug)]
struct AwaitedChange {
    /// What the log says of it once it is answered.
    line: String,
    /// The flag that is changed, and its share before; none where the cluster itself is changed.
    flag: Option<(FlagKey, Option<Share>)>,
    is_created: bool,
}

impl Awaiting {
    /// One for a single change that creates nothing.
    fn new(reply: Reply, line: String, flag: Option<(FlagKey, Option<Share>)>) -> Self {
        Self { reply, changes: vec![AwaitedChange { line, flag, is_created: false }], store: None }
    }
}

impl fmt::Debug for Awaiting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Awaiting").field("changes", &self.changes).finish_non_exhaustive()
    }
}

/// A caller that waits for a change to arrive at this node.
struct Waiting {
    keys: [Arc<[u8]>; 2],
    stamp: tidegate_replica::Stamp,
    until: Instant,
    reply: Box<dyn FnOnce(bool) + Send>,
}

/// What a driver is made of.
pub(super) struct Parts {
    pub(super) options: Options,
    pub(super) loaded: Loaded,
    pub(super) registry: Arc<Registry>,
    pub(super) carrier: Box<dyn Carrier>,
    pub(super) committer: Committer,
    /// Redis, if registers are shared through it.
    pub(super) redis: Option<Arc<RedisLink>>,
    pub(super) synced: Arc<Synced>,
    pub(super) disk: Arc<DiskState>,
    /// Tells that the disk has more changes.
    pub(super) grown: watched::Sender<u64>,
    /// Why the data folder could not be written at the start.
    pub(super) unwritable: Option<String>,
}

impl fmt::Debug for Driver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Driver").field("replica", &self.replica).finish_non_exhaustive()
    }
}

impl Driver {
    /// Makes what the disk had active.
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { options, loaded, registry, carrier, committer, redis, synced, disk, grown, unwritable } = parts;
        let store = redis.map(|link| SharedStore::new(link, !options.expects_peers));
        disk.set(unwritable.clone());
        let node = options.node;
        let (clock, started) = (registry.instance().clock().clone(), Instant::now());
        let (replica, output) = Replica::new(options, loaded, now(&clock, started));
        let changed = replica.iter().map(|register| Arc::clone(&register.key)).collect();
        let mut driver = Self {
            notifier: Arc::clone(&registry.instance().notifier),
            node,
            replica,
            registry,
            clock,
            started,
            carrier,
            committer,
            unsubmitted: Vec::new(),
            replies: BTreeMap::new(),
            last_request: 0,
            receipts: Vec::new(),
            waiting: Vec::new(),
            changed,
            rests_until: started,
            wake_at_ms: 0,
            watched_at: started,
            unresponsive: BTreeSet::new(),
            silent: BTreeSet::new(),
            unmet_peers: None,
            events: Events::new(node),
            names: Names::default(),
            report: Report { is_disk_tried: unwritable.is_some(), disk: unwritable, ..Report::default() },
            store,
            synced,
            is_synced: false,
            disk,
            grown,
        };
        driver.perform(output);
        driver.project(Effort::Full);
        driver.submit();
        driver.learn_members();
        driver.note_synced();
        // What was on the disk is not logged.
        driver.events.begin(&driver.names);
        driver
    }

    /// When to do something even if nothing comes.
    pub(super) fn next_wake(&self) -> Instant {
        let replica = self.started + Duration::from_millis(self.wake_at_ms);
        let mut wake = replica.min(self.watched_at + WATCH_PERIOD);
        if !self.changed.is_empty() {
            wake = wake.min(self.rests_until);
        }
        let store = self.store.as_ref().and_then(SharedStore::next_due);
        self.waiting.iter().map(|waiting| waiting.until).chain(store).fold(wake, Instant::min)
    }

    /// Does everything that was taken, and what follows from it.
    pub(super) fn turn(&mut self, taken: Taken, effort: Effort) {
        for outcome in taken.outcomes {
            self.hear_disk(outcome);
        }
        for (node, instance, event) in taken.peers {
            let input = match event {
                PeerEvent::Connected { .. } => Input::PeerUp { node, instance },
                PeerEvent::Lost { .. } => Input::PeerDown { node, instance },
            };
            self.handle(input);
            self.events.peer(node, instance, event, &self.names, self.now());
        }
        for request in taken.requests {
            self.serve(request);
        }
        for (from, bytes) in taken.messages {
            self.handle(Input::Message { from, bytes });
        }
        if self.now().steady_ms >= self.wake_at_ms {
            self.handle(Input::Tick);
        }
        if taken.is_closing || Instant::now() >= self.rests_until {
            self.project(effort);
        }
        // No notification for what no reader can see.
        if self.changed.is_empty() {
            self.tell_writers();
            self.tell_stored();
            self.tell_waiting();
            self.note_synced();
        }
        if self.watched_at.elapsed() >= WATCH_PERIOD {
            self.watched_at = Instant::now();
            self.watch_peers(self.now());
            self.watch_members(self.now());
            self.watch_unmet_peers();
            self.events.watch(&self.replica, &self.names, self.carrier.as_ref(), self.now());
        }
        self.submit();
    }

    /// Whether the disk takes more at the moment; until then no message is handled.
    pub(super) fn has_room(&self) -> bool {
        self.committer.has_room()
    }

    /// Waits until what was accepted is on the disk, and lets everything go.
    pub(super) fn close(self) {
        let Self { committer, .. } = self;
        if let Err(error) = committer.close() {
            tracing::error!("the store did not end in good order: {error}");
        }
    }

    fn handle(&mut self, input: Input) {
        let output = self.replica.handle(input, self.now());
        self.perform(output);
    }

    fn perform(&mut self, output: Output) {
        for (to, bytes) in output.send {
            self.carrier.send(to, bytes);
        }
        for bytes in output.broadcast {
            self.carrier.broadcast(bytes);
        }
        if let Some(store) = &self.store {
            store.put(output.to_store);
        }
        self.unsubmitted.extend(output.persist);
        if self.unsubmitted.iter().any(|batch| batch.is_awaited) {
            self.submit();
        }
        self.changed.extend(output.changed);
        self.receipts.extend(output.receipts);
        if output.is_membership_changed {
            self.learn_members();
        }
        self.wake_at_ms = output.wake_at_ms;
    }

    fn submit(&mut self) {
        self.committer.submit(std::mem::take(&mut self.unsubmitted));
    }

    fn hear_disk(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Persisted { upto } => {
                self.tell_disk(None);
                self.grown.send_replace(upto);
                self.handle(Input::Persisted { upto });
            }
            Outcome::Waiting { message } => {
                self.report.is_disk_tried = true;
                self.tell_disk(Some(message));
            }
            Outcome::Ready => self.tell_disk(None),
            Outcome::Failed { message } => {
                self.report.is_disk_tried = false;
                self.tell_disk(Some(message.clone()));
                self.handle(Input::PersistFailed { message });
            }
        }
    }

    fn tell_disk(&mut self, trouble: Option<String>) {
        if self.report.disk != trouble {
            self.report.disk.clone_from(&trouble);
            self.disk.set(trouble);
        }
    }

    fn serve(&mut self, request: Request) {
        let request = match self.disk_trouble() {
            None => request,
            // What cannot be kept is not accepted. It may work a moment later.
            Some(error) => match request.into_reply() {
                Ok(reply) => return reply(Err(error.into())),
                Err(request) => request,
            },
        };
        match request {
            Request::Change(changes, reply) => self.change(changes, reply),
            Request::FromStore { registers, reply } => self.receive_from_store(registers, reply),
            Request::StoreAcks(acks) => self.note_store_acks(acks),
            Request::RaiseEpoch { actor, reason, reply } => {
                let line = format!("the clock of the cluster is repaired{}", events::by(&actor, &reason));
                let request = self.expect(Awaiting::new(reply, line, None));
                self.handle(Input::RaiseEpoch { request, actor, reason });
            }
            Request::Resolve(resolve) => {
                let Resolve { flag, key, stamp, resolution, actor, reason, reply } = *resolve;
                let from = self.share_of(&flag);
                let done = if resolution == Resolution::Accept { "accepted" } else { "dropped" };
                let line = format!("a quarantined change of `{flag}` is {done}{}", events::by(&actor, &reason));
                let request = self.expect(Awaiting::new(reply, line, Some((flag, from))));
                self.handle(Input::Resolve { request, key, stamp, resolution, actor, reason });
            }
            Request::Forget { node, actor, reason, reply } => {
                let name = shown_node(&NodeName::new(node, &self.names));
                let line = format!("{name} is taken out of the cluster{}", events::by(&actor, &reason));
                let request = self.expect(Awaiting::new(reply, line, None));
                self.handle(Input::Forget { request, node, actor, reason });
            }
            Request::Query(query) => {
                let Now { steady_ms, .. } = self.now();
                let carrier = self.carrier.as_ref();
                query(&DriverView {
                    replica: &self.replica,
                    report: &self.report,
                    names: &self.names,
                    carrier,
                    steady_ms,
                });
            }
            Request::Wait { flag, stamp, until, reply } => {
                let keys = [ChangeKind::Activation.key(&flag), ChangeKind::Definition.key(&flag)];
                self.waiting.push(Waiting { keys, stamp, until, reply });
            }
        }
    }

    /// Why the disk takes nothing at the moment.
    fn disk_trouble(&self) -> Option<ChangeError> {
        let message = self.report.disk.clone().filter(|_| self.report.is_disk_tried)?;
        Some(ChangeError::Disk { message })
    }

    /// Makes changes: all of them, or none.
    fn change(&mut self, changes: Vec<ChangeRequest>, reply: Reply) {
        let (level, timeout) = changes.first().map(|change| (change.level, change.timeout)).unwrap_or_default();
        let drafted = match self.draft(changes) {
            Ok(drafted) => drafted,
            Err(refusal) => return reply(Err(refusal)),
        };
        let mut awaited = Vec::with_capacity(drafted.len());
        for DraftedChange { flag, kind, write, is_created } in &drafted {
            let what = events::what(*kind, flag, write.value.as_deref());
            let line = format!("{what}{}", events::by(&write.actor, &write.reason));
            let flag = Some((flag.clone(), self.share_of(flag)));
            awaited.push(AwaitedChange { line, flag, is_created: *is_created });
        }
        let changes: Vec<RegisterChange> = drafted.into_iter().map(|drafted| drafted.write).collect();
        let store = self.expect_store(changes.iter().map(|change| Arc::clone(&change.key)).collect(), level, timeout);
        let level = if store.is_some() { Level::Local } else { level };
        let request = self.expect(Awaiting { reply, changes: awaited, store });
        let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        self.handle(Input::Write { request, changes, level, timeout_ms });
    }

    fn expect(&mut self, awaiting: Awaiting) -> u64 {
        self.last_request += 1;
        self.replies.insert(self.last_request, awaiting);
        self.last_request
    }

    fn tell_writers(&mut self) {
        for (request, outcome) in std::mem::take(&mut self.receipts) {
            let Some(mut awaiting) = self.replies.remove(&request) else { continue };
            let outcome = match (outcome, awaiting.store.take()) {
                (Ok(written), Some(wait)) => {
                    self.wait_for_store(awaiting, written, wait);
                    continue;
                }
                (outcome, wait) => {
                    self.release_store(wait.as_ref());
                    outcome
                }
            };
            let Awaiting { reply, changes, .. } = awaiting;
            let made = self.made(&changes);
            if let Ok(written) = &outcome {
                self.tell_changes(&changes, &made, written, None);
            }
            let answer = match outcome {
                Ok(written) => {
                    let unreached = if written.is_reached { Vec::new() } else { self.unreached() };
                    Ok(Done { written, names: Arc::clone(&self.names), made, unreached, redis: None })
                }
                Err(error) => Err(error.into()),
            };
            guarded(|| reply(answer));
        }
    }

    /// What changes of flags have done, since their shares were these.
    fn made(&self, changes: &[AwaitedChange]) -> Vec<Made> {
        let flags = changes.iter().filter_map(|change| Some((change.flag.as_ref()?, change.is_created)));
        let made = |((flag, from), is_created): (&(FlagKey, Option<Share>), bool)| Made {
            effect: Effect { from: *from, to: self.share_of(flag) },
            is_created,
        };
        flags.map(made).collect()
    }

    /// The log reports changes that were made here, each in a line of its own, and what Redis has said if it was asked.
    fn tell_changes(
        &mut self,
        changes: &[AwaitedChange],
        made: &[Made],
        written: &Written,
        redis: Option<&RedisReceipt>,
    ) {
        for (index, change) in changes.iter().enumerate() {
            if !self.events.may_tell() {
                continue;
            }
            let stamp = written.stamps.get(index).copied().unwrap_or_else(|| written.stamp());
            let effect = made.get(index).map(|made| &made.effect);
            let change = AnsweredChange { line: &change.line, effect, stamp, written };
            match redis {
                None => events::tell_written(&change, &self.names),
                Some(redis) => events::tell_stored(&change, redis, &self.names),
            }
        }
    }

    /// The configured addresses at which no node is connected.
    fn unreached(&self) -> Vec<UnreachedPeer> {
        let links = self.carrier.status();
        links.iter().flat_map(|links| &links.addresses).filter_map(UnreachedPeer::from_address).collect()
    }

    fn tell_waiting(&mut self) {
        let now = Instant::now();
        let has_come = |replica: &Replica, waiting: &Waiting| {
            // One that supersedes a stamp counts for more than it, though its own may be less.
            let stamps = waiting.keys.iter().filter_map(|key| Some(replica.get(key)?.rank_stamp()));
            stamps.max().is_some_and(|stamp| stamp >= waiting.stamp)
        };
        for waiting in std::mem::take(&mut self.waiting) {
            match (has_come(&self.replica, &waiting), waiting.until <= now) {
                (false, false) => self.waiting.push(waiting),
                (has_come, _) => (waiting.reply)(has_come),
            }
        }
    }

    /// What all nodes have is active here: starts may go on.
    fn note_synced(&mut self) {
        let is_loaded = self.store.as_ref().is_none_or(|store| store.link.is_loaded());
        if !self.is_synced && is_loaded && self.replica.is_synced() {
            self.is_synced = true;
            self.synced.set();
        }
    }

    /// The membership is another one: names for people, addresses for the carrier.
    fn learn_members(&mut self) {
        self.names = Arc::new(self.replica.members().map(|member| (member.node, member.name.clone())).collect());
        let members = self.replica.members().filter(|member| !member.is_forgotten);
        self.carrier.learn(members.filter_map(|member| Some((member.node, member.address.clone()?))).collect());
    }

    fn now(&self) -> Now {
        now(&self.clock, self.started)
    }
}

/// Wakes callers. Their wakers are code of the program, whose panics must not end the driver.
fn guarded(wake: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(wake)).is_err() {
        tracing::error!("a task that waits for live changes panicked when it was woken");
    }
}

fn now(clock: &Clock, started: Instant) -> Now {
    let wall_ms = u64::try_from(Micros::get(clock.now()) / 1_000).unwrap_or(0);
    let steady_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Now { wall_ms, steady_ms }
}

#[cfg(test)]
mod tests;
