//! The world: nodes, events and virtual time.

mod ending;
mod faults;
mod steps;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::checks::{Ledger, Place, Violation};
use super::disk::Disk;
use super::network::Network;
use super::plan::{Fault, Plan};
use super::{Log, Outcome, Setup, log};
use crate::random::Random;
use crate::{
    Change, Expected, Input, Level, Loaded, NodeId, Now, Options, Output, Receipt, Replica, Stamp, Timing, WriteError,
};

/// A cluster in virtual time.
pub(super) struct World<'s> {
    setup: &'s Setup,
    log: Option<Log<'s>>,
    plan: Plan,
    random: Random,
    /// For change sets alone, so that they change no run without them.
    change_sets: Random,
    now_ms: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    last_event: u64,
    last_request: u64,
    /// The nodes, and behind them the place where a copy of one may run.
    nodes: Vec<Node>,
    network: Network,
    ledger: Ledger,
    /// Writes without an answer, by request.
    requests: BTreeMap<u64, Request>,
    /// When links last changed.
    linked_ms: u64,
    /// When the copy that runs was made.
    copied_ms: Option<u64>,
    is_healed: bool,
    epochs: u16,
    outcome: Outcome,
}

/// A write without an answer.
struct Request {
    changes: Vec<Requested>,
    at_ms: u64,
}

/// One change of it.
#[derive(Clone)]
struct Requested {
    key: Arc<[u8]>,
    /// What stood there.
    before: Option<Stamp>,
    /// What was in quarantine, and would have outranked it.
    waiting: Option<Stamp>,
}

struct Node {
    id: NodeId,
    replica: Option<Replica>,
    disk: Disk,
    /// Counts starts; what was meant for an earlier one is void.
    life: u64,
    has_failed: bool,
    offset_ms: i64,
    wake_ms: u64,
    /// Messages and bytes since they were last counted.
    sent: (u64, u64),
    started_ms: u64,
    /// The disk is full until then.
    full_until_ms: u64,
    /// The nodes that it has met since its start.
    met: BTreeSet<NodeId>,
    /// When something last came from another process of its id.
    heard_duplicate_ms: Option<u64>,
}

enum Event {
    Deliver { from: usize, to: usize, life: u64, bytes: Arc<Vec<u8>> },
    Up { node: usize, peer: usize },
    Down { node: usize, peer: usize },
    Synced { node: usize, life: u64 },
    Wake { node: usize, life: u64 },
    Write,
    WriteOn { node: usize },
    WriteKey { node: usize, key: Arc<[u8]> },
    Fault,
    Part,
    Stop { node: usize, is_power_cut: bool },
    Heal,
    Start { node: usize },
    Retry { node: usize },
    PutBack { node: usize, disk: Disk, behind_ms: u64 },
    EndCopy,
    CorrectClock { node: usize },
}

/// 2023, by the clocks of this world.
const EPOCH_MS: u64 = 1_700_000_000_000;

/// Before the end, in milliseconds, some runs are parted for the last time.
const LAST_PART_MS: u64 = 20_000;

/// Nodes that do not hear each other at first do so after that, in milliseconds, at the latest.
const FIRST_HEARD_MS: u64 = 6_000;

/// The time without any change in which messages are counted.
pub(super) const REST_MS: u64 = 20_000;

impl<'s> World<'s> {
    pub(super) fn new(setup: &'s Setup, log: Option<Log<'s>>) -> Self {
        let mut random = Random::new(setup.seed);
        let plan = Plan::draw(setup, &mut random);
        let node = |index: usize| Node {
            id: NodeId::new(if index < setup.nodes { index as u64 + 1 } else { 0 }),
            replica: None,
            disk: Disk::default(),
            life: 0,
            has_failed: false,
            offset_ms: 0,
            wake_ms: 0,
            sent: (0, 0),
            started_ms: 0,
            full_until_ms: 0,
            met: BTreeSet::new(),
            heard_duplicate_ms: None,
        };
        Self {
            nodes: (0..=setup.nodes).map(node).collect(),
            network: Network::new(setup.nodes + 1),
            setup,
            log,
            plan,
            random,
            change_sets: Random::new(setup.seed ^ CHANGE_SETS),
            now_ms: 0,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            last_event: 0,
            last_request: 0,
            ledger: Ledger::new(setup.nodes),
            requests: BTreeMap::new(),
            linked_ms: 0,
            copied_ms: None,
            is_healed: false,
            epochs: 0,
            outcome: Outcome::default(),
        }
    }

    pub(super) fn run(mut self) -> Outcome {
        for node in 0..self.setup.nodes {
            self.start(node);
        }
        let end = self.setup.seconds * 1_000;
        if self.random.below(4) == 0 {
            // They do not hear each other at first.
            self.network.isolate();
            let first = 1 + self.random.below(FIRST_HEARD_MS);
            self.after(first, Event::Heal);
        } else {
            self.part_at_birth();
        }
        self.after(100, Event::Write);
        self.after(self.plan.fault_ms, Event::Fault);
        if self.plan.has(Fault::Partition) || self.random.below(2) == 0 {
            // The last thing that happens.
            self.after(end.saturating_sub(LAST_PART_MS), Event::Part);
        }
        self.run_until(end);
        self.heal_all();
        self.converge();
        self.rest();
        self.outcome
    }

    fn run_until(&mut self, end: u64) {
        while let Some(&Reverse((at, number))) = self.queue.peek() {
            if at > end || self.outcome.violation.is_some() {
                break;
            }
            self.queue.pop();
            self.now_ms = at;
            if let Some(event) = self.events.remove(&number) {
                self.outcome.events += 1;
                self.work(event);
            }
        }
        self.now_ms = self.now_ms.max(end);
    }

    fn after(&mut self, delay: u64, event: Event) {
        self.last_event += 1;
        self.queue.push(Reverse((self.now_ms + delay, self.last_event)));
        self.events.insert(self.last_event, event);
    }

    fn work(&mut self, event: Event) {
        match event {
            Event::Deliver { from, to, life, bytes } => {
                let node = &self.nodes[to];
                // Without room for what follows from it a message stays unread.
                if !self.network.is_cut(from, to) && node.life >= life && node.disk.has_room() {
                    let from = self.nodes[from].id;
                    if from == node.id {
                        self.nodes[to].heard_duplicate_ms = Some(self.now_ms);
                    }
                    self.handle(to, Input::Message { from, bytes: bytes.to_vec() });
                    self.meet(to, from);
                }
            }
            Event::Up { node, peer } => {
                if !self.network.is_cut(peer, node) && self.nodes[peer].replica.is_some() {
                    let id = self.nodes[peer].id;
                    self.handle(node, Input::PeerUp { node: id, instance: self.instance(peer) });
                    self.meet(node, id);
                }
            }
            Event::Down { node, peer } => {
                let input = Input::PeerDown { node: self.nodes[peer].id, instance: self.instance(peer) };
                self.handle(node, input);
            }
            Event::Synced { node, life } if life == self.nodes[node].life && !self.nodes[node].has_failed => {
                let (upto, registers) = self.nodes[node].disk.synced();
                self.ledger.durable(node, registers);
                self.handle(node, Input::Persisted { upto });
                self.sync(node);
            }
            Event::Wake { node, life } if life == self.nodes[node].life => {
                if self.nodes[node].wake_ms <= self.now_ms {
                    self.handle(node, Input::Tick);
                }
            }
            Event::Synced { .. } | Event::Wake { .. } => {}
            Event::Write => {
                let pause = 1 + self.random.below(self.plan.write_ms * 2);
                self.after(pause, Event::Write);
                let node = self.random.index(self.setup.nodes + usize::from(self.copied_ms.is_some()));
                self.write(node);
            }
            Event::WriteOn { node } => self.write(node),
            Event::WriteKey { node, key } => self.write_key(node, key),
            Event::Fault => self.fault(),
            Event::Part => self.part_for_good(),
            Event::Stop { node, is_power_cut } => self.crash(node, is_power_cut),
            Event::Heal => self.heal(),
            Event::Start { node } => self.start(node),
            Event::Retry { node } => self.sync(node),
            Event::PutBack { node, disk, behind_ms } => self.put_back(node, disk, behind_ms),
            Event::EndCopy => self.end_copy(),
            Event::CorrectClock { node } => self.nodes[node].offset_ms = 0,
        }
    }

    fn now(&self, node: usize) -> Now {
        let wall = (EPOCH_MS + self.now_ms).saturating_add_signed(self.nodes[node].offset_ms);
        Now { wall_ms: wall, steady_ms: self.now_ms }
    }

    fn place(&self, index: usize) -> Place {
        Place { index, node: self.nodes[index].id }
    }

    /// Names the process: no copy and no later start has the same.
    fn instance(&self, index: usize) -> u64 {
        self.nodes[index].life * 2 + u64::from(index == self.setup.nodes)
    }

    fn start(&mut self, index: usize) {
        if self.nodes[index].replica.is_some() {
            return;
        }
        if self.plan.has(Fault::Skew) && !self.is_healed {
            self.nodes[index].offset_ms = self.random.below(801).cast_signed() - 400;
        }
        let now = self.now(index);
        let seed = self.random.next();
        let place = self.place(index);
        let node = &mut self.nodes[index];
        node.life += 1;
        node.has_failed = false;
        node.met.clear();
        (node.started_ms, node.heard_duplicate_ms) = (self.now_ms, None);
        let loaded: Loaded = node.disk.load();
        let instance = self.instance(index);
        let node = &mut self.nodes[index];
        let restarted = self.ledger.restarted(place, loaded.registers.iter());
        let options = Options {
            instance,
            expects_peers: self.setup.nodes > 1,
            seed,
            mutant: self.setup.mutant,
            timing: Timing { tombstone_ms: 20_000, tree_check_ms: 60_000, ..Timing::default() },
            ..Options::new("simulated", node.id)
        };
        let (replica, output) = Replica::new(options, loaded, now);
        node.replica = Some(replica);
        self.log_step(index, "start", Some(&output));
        self.judge(restarted);
        self.perform(index, output);
        for peer in self.running(index).collect::<Vec<_>>() {
            self.after(10, Event::Up { node: index, peer });
            self.after(10, Event::Up { node: peer, peer: index });
        }
    }

    fn crash(&mut self, index: usize, is_power_cut: bool) {
        let node = &mut self.nodes[index];
        if node.replica.take().is_none() {
            return;
        }
        node.life += 1;
        node.disk.crash(is_power_cut, &mut self.random);
        self.log_step(index, if is_power_cut { "power cut" } else { "crash" }, None);
        for peer in self.running(index).collect::<Vec<_>>() {
            if self.random.below(2) == 0 {
                self.after(100, Event::Down { node: peer, peer: index });
            }
        }
    }

    fn handle(&mut self, index: usize, input: Input) {
        let now = self.now(index);
        let shown = self.log.is_some().then(|| log::input(&input));
        let Some(replica) = &mut self.nodes[index].replica else { return };
        let output = replica.handle(input, now);
        if let Some(shown) = shown {
            self.log_step(index, &shown, Some(&output));
        }
        self.perform(index, output);
    }

    /// Writes a line to the log, if there is one.
    fn log_step(&mut self, index: usize, input: &str, output: Option<&Output>) {
        if let Some(log) = &mut self.log {
            let node = if index == self.setup.nodes { "copy".to_owned() } else { (index + 1).to_string() };
            log(&log::line(self.now_ms, &node, input, output));
        }
    }

    /// Writes what happens to the network to the log.
    fn log_network(&mut self, what: &str) {
        if let Some(log) = &mut self.log {
            log(&log::line(self.now_ms, "net", what, None));
        }
    }

    /// A carrier has found another node at its address since this node's start.
    fn meet(&mut self, index: usize, node: NodeId) {
        if node != self.nodes[index].id && self.nodes[index].met.insert(node) {
            let count = self.setup.nodes - 1 - self.nodes[index].met.len();
            self.handle(index, Input::UnmetPeers { count });
        }
    }

    fn perform(&mut self, index: usize, output: Output) {
        self.check(index, &output);
        let Output { send, broadcast, persist, receipts, wake_at_ms, .. } = output;
        for (to, bytes) in send {
            let bytes = Arc::new(bytes);
            for to in self.running(index).filter(|node| self.nodes[*node].id == to).collect::<Vec<_>>() {
                self.transmit(index, to, &bytes);
            }
        }
        for bytes in broadcast {
            let bytes = Arc::new(bytes);
            for to in self.running(index).collect::<Vec<_>>() {
                self.transmit(index, to, &bytes);
            }
        }
        if !self.nodes[index].has_failed {
            self.nodes[index].disk.submit(persist);
            self.sync(index);
        }
        for (request, result) in receipts {
            self.receipt(index, request, result);
        }
        let node = &mut self.nodes[index];
        if node.wake_ms <= self.now_ms || wake_at_ms < node.wake_ms {
            node.wake_ms = wake_at_ms;
            let life = node.life;
            self.after(wake_at_ms.saturating_sub(self.now_ms), Event::Wake { node: index, life });
        }
    }

    /// Where else a message may go: to the others, and to a copy if there is one.
    fn running(&self, but: usize) -> impl Iterator<Item = usize> {
        let count = self.setup.nodes + usize::from(self.copied_ms.is_some());
        (0..count).filter(move |node| *node != but)
    }

    fn sync(&mut self, index: usize) {
        let full_until_ms = self.nodes[index].full_until_ms;
        if full_until_ms > self.now_ms {
            return self.after(full_until_ms - self.now_ms, Event::Retry { node: index });
        }
        if self.nodes[index].disk.begin() {
            let life = self.nodes[index].life;
            let takes = 1 + self.random.below(self.plan.sync_ms);
            self.after(takes, Event::Synced { node: index, life });
        }
    }

    fn transmit(&mut self, from: usize, to: usize, bytes: &Arc<Vec<u8>>) {
        let sent = &mut self.nodes[from].sent;
        *sent = (sent.0 + 1, sent.1 + bytes.len() as u64);
        self.outcome.trace = xxh3_64_with_seed(bytes, self.outcome.trace ^ self.now_ms ^ ((to as u64) << 56));
        for delay in Network::ways(&self.plan, &mut self.random).into_iter().flatten() {
            let life = self.nodes[to].life;
            self.after(delay, Event::Deliver { from, to, life, bytes: Arc::clone(bytes) });
        }
    }

    fn judge(&mut self, found: Result<(), (&'static str, String)>) {
        if let (Err((invariant, what)), None) = (found, &self.outcome.violation) {
            self.log_network(&format!("{invariant} broken: {what}"));
            self.outcome.violation = Some(Violation { invariant, at_ms: self.now_ms, what });
        }
    }

    fn write(&mut self, index: usize) {
        // A key that is written once shows a loss that another one's later writes would hide.
        let is_once = self.random.below(4) == 0;
        let number = if is_once { self.last_request } else { self.random.below(self.plan.keys) };
        self.write_key(index, format!("{}{number}", if is_once { 'u' } else { 'k' }).into_bytes().into());
        if self.plan.has_change_sets && self.change_sets.below(4) == 0 {
            self.write_change_set(index);
        }
    }

    fn write_key(&mut self, index: usize, key: Arc<[u8]>) {
        let value = (self.random.below(4) > 0).then(|| Arc::from(self.random.next().to_be_bytes().as_slice()));
        let levels = [Level::Local, Level::One, Level::Majority, Level::Majority, Level::All];
        let level = levels[self.random.index(levels.len())];
        let Some(replica) = &self.nodes[index].replica else { return };
        let before = replica.get(&key).map(|register| register.stamp);
        let is_conditional = self.random.below(16) == 0;
        let expected =
            if is_conditional { before.map_or(Expected::Nothing, Expected::Stamp) } else { Expected::Anything };
        self.request(index, vec![change(key, value, expected)], level);
    }

    /// A write of several keys, some of which are written once. One in eight has a condition that is not met in its middle.
    fn write_change_set(&mut self, index: usize) {
        if self.nodes[index].replica.is_none() {
            return;
        }
        let random = &mut self.change_sets;
        let mut keys: BTreeMap<String, Option<Arc<[u8]>>> = BTreeMap::new();
        for number in 0..2 + random.below(CHANGES - 1) {
            let is_once = random.below(4) == 0;
            let key = if is_once {
                format!("s{}-{number}", self.last_request)
            } else {
                format!("k{}", random.below(self.plan.keys))
            };
            let value = (random.below(4) > 0).then(|| Arc::from(random.next().to_be_bytes().as_slice()));
            keys.insert(key, value);
        }
        let mut changes: Vec<Change> =
            keys.into_iter().map(|(key, value)| change(key.into_bytes().into(), value, Expected::Anything)).collect();
        if random.below(8) == 0 {
            let middle = changes.len() / 2;
            changes[middle].expected = Expected::Stamp(Stamp::ZERO);
        }
        let levels = [Level::Local, Level::One, Level::Majority, Level::Majority, Level::All];
        let level = levels[random.index(levels.len())];
        self.request(index, changes, level);
    }

    fn request(&mut self, index: usize, changes: Vec<Change>, level: Level) {
        let Some(replica) = &self.nodes[index].replica else { return };
        let requested = |change: &Change| Requested {
            key: Arc::clone(&change.key),
            before: replica.get(&change.key).map(|register| register.stamp),
            waiting: replica.quarantined(&change.key).map(|waiting| waiting.stamp),
        };
        let requested: Vec<Requested> = changes.iter().map(requested).collect();
        self.last_request += 1;
        let request = self.last_request;
        if !self.nodes[index].disk.has_room() {
            return self.outcome.refused += 1;
        }
        self.requests.insert(request, Request { changes: requested.clone(), at_ms: self.now_ms });
        let heard_ms = self.nodes[index].heard_duplicate_ms;
        let is_copied = heard_ms.is_some_and(|at| self.now_ms - at < DUPLICATE_MS);
        self.handle(index, Input::Write { request, changes, level, timeout_ms: 500 });
        let found = self.note_change_set(index, &requested);
        self.judge(found);
        let is_learning = self.now_ms <= self.nodes[index].started_ms + Timing::default().learn_ms;
        if is_copied && !is_learning && self.requests.contains_key(&request) {
            let id = self.nodes[index].id;
            self.judge(Err(("I4", format!("{id} writes though it has heard another process of its id"))));
        }
    }

    fn receipt(&mut self, index: usize, request: u64, result: Result<Receipt, WriteError>) {
        let Some(Request { changes, at_ms }) = self.requests.remove(&request) else { return };
        let Ok(receipt) = result else { return self.outcome.refused += 1 };
        if receipt.is_reached {
            self.outcome.acknowledged[receipt.level as usize] += 1;
        } else {
            self.outcome.unreached += 1;
        }
        if changes.len() != receipt.stamps.len() {
            let what = format!("a write of {} registers was answered for {}", changes.len(), receipt.stamps.len());
            return self.judge(Err(("I13", what)));
        }
        if changes.len() > 1 {
            let keys = changes.iter().map(|change| Arc::clone(&change.key));
            let place = self.place(index);
            self.ledger.wrote_together(place, keys.zip(receipt.stamps.iter().copied()).collect());
        }
        for (Requested { key, before, waiting }, stamp) in changes.into_iter().zip(receipt.stamps.iter().copied()) {
            if before.is_some_and(|before| before >= stamp) {
                self.judge(Err(("I4", format!("a write at {stamp} replaced one at {before:?}"))));
            }
            if let Some(waiting) = waiting {
                self.ledger.superseded(index, Arc::clone(&key), waiting, &receipt, at_ms);
            }
            if receipt.is_reached {
                let found = self.check_reached(index, &key, stamp, &receipt);
                self.judge(found);
                self.ledger.acknowledged(key, stamp, &receipt, at_ms);
            }
        }
    }
}

fn change(key: Arc<[u8]>, value: Option<Arc<[u8]>>, expected: Expected) -> Change {
    Change { key, value, actor: Arc::from("dana"), reason: Arc::default(), expected }
}

/// Seeds what is drawn of change sets.
const CHANGE_SETS: u64 = 0x6368_616e_6765;

/// The most changes of one write.
const CHANGES: u64 = 8;

/// For this long after a node has received something from another process of its id, in milliseconds, it must not write. The replica
/// waits longer.
const DUPLICATE_MS: u64 = 10_000;
