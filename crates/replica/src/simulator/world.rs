//! Nodes, events and time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::checks::{Ledger, Place, Violation};
use super::disk::Disk;
use super::network::Network;
use super::plan::{Fault, Plan};
use super::{Outcome, Setup};
use crate::message::{Body, Message};
use crate::random::Random;
use crate::{
    Change, Expected, Input, Level, Loaded, NodeId, Now, Options, Output, Replica, Stamp, Timing, WriteError, limits,
};

/// See the module.
pub(super) struct World<'s> {
    setup: &'s Setup,
    plan: Plan,
    random: Random,
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
    key: Arc<[u8]>,
    /// What stood there.
    before: Option<Stamp>,
    at_ms: u64,
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
    /// When something last came from another process of its id.
    heard_twin_ms: Option<u64>,
}

enum Event {
    Deliver { from: usize, to: usize, life: u64, bytes: Arc<Vec<u8>> },
    Up { node: usize, peer: usize },
    Down { node: usize, peer: usize },
    Synced { node: usize, life: u64 },
    Wake { node: usize, life: u64 },
    Write,
    WriteOn { node: usize },
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

/// So long after everything has healed, in milliseconds, all nodes hold the same.
const CONVERGENCE_MS: u64 = 120_000;

/// Before the end, in milliseconds, some runs are parted for the last time.
const LAST_PART_MS: u64 = 20_000;

/// A stretch without any change, to see what is said at rest.
pub(super) const REST_MS: u64 = 20_000;

/// At rest each node sends at most so many messages a second: a question, an answer, and now and then a hello.
const REST_MESSAGES: u64 = 3;

impl<'s> World<'s> {
    pub(super) fn new(setup: &'s Setup) -> Self {
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
            heard_twin_ms: None,
        };
        let outcome = Outcome {
            trace: 0,
            events: 0,
            acknowledged: [0; 4],
            unreached: 0,
            refused: 0,
            at_rest: (0, 0),
            violation: None,
        };
        Self {
            nodes: (0..=setup.nodes).map(node).collect(),
            network: Network::new(setup.nodes + 1),
            setup,
            plan,
            random,
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
            outcome,
        }
    }

    pub(super) fn run(mut self) -> Outcome {
        for node in 0..self.setup.nodes {
            self.start(node);
        }
        let end = self.setup.seconds * 1_000;
        self.after(100, Event::Write);
        self.after(self.plan.fault_ms, Event::Fault);
        if self.plan.has(Fault::Partition) && self.random.below(2) == 0 {
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
                        self.nodes[to].heard_twin_ms = Some(self.now_ms);
                    }
                    self.handle(to, Input::Message { from, bytes: bytes.to_vec() });
                }
            }
            Event::Up { node, peer } => {
                if !self.network.is_cut(peer, node) && self.nodes[peer].replica.is_some() {
                    let input = Input::PeerUp { node: self.nodes[peer].id, instance: self.instance(peer) };
                    self.handle(node, input);
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
            Event::Fault => self.fault(),
            Event::Part => self.part(false),
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
        (node.started_ms, node.heard_twin_ms) = (self.now_ms, None);
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
        for peer in self.running(index).collect::<Vec<_>>() {
            if self.random.below(2) == 0 {
                self.after(100, Event::Down { node: peer, peer: index });
            }
        }
    }

    fn handle(&mut self, index: usize, input: Input) {
        let now = self.now(index);
        let Some(replica) = &mut self.nodes[index].replica else { return };
        let output = replica.handle(input, now);
        self.perform(index, output);
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
            self.receipt(request, result);
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

    /// Holds an output against what must hold at each step.
    fn check(&mut self, index: usize, output: &Output) {
        let (id, place) = (self.nodes[index].id, self.place(index));
        let now = self.now(index);
        let is_early = self.now_ms < self.nodes[index].started_ms + Timing::default().learn_ms;
        let own =
            output.persist.iter().flat_map(|batch| &batch.registers).filter(|register| register.stamp.node() == id);
        let mut found = Ok(());
        for register in own.filter(|register| !self.requests.is_empty() || register.key.first() == Some(&0)) {
            let is_new = output.broadcast.iter().any(|bytes| is_push_of(bytes, register.stamp));
            if is_new {
                found = found.and(self.ledger.issued(place, register, is_early));
            } else if register.is_tombstone() {
                found = found.and(self.ledger.issued(place, register, is_early).or(Ok(())));
            }
        }
        for bytes in output.broadcast.iter().chain(output.send.iter().map(|(_, bytes)| bytes)) {
            if bytes.len() > limits::MESSAGE_BYTES_MAX {
                found = found.and(Err(("I7", format!("{id} sent {} bytes at once", bytes.len()))));
            }
        }
        for bytes in &output.broadcast {
            if let Ok(Message { body: Body::Push(registers), .. }) = Message::decode(bytes) {
                for register in registers {
                    found = found.and(self.ledger.visible(place, &register));
                }
            }
        }
        if let Some(replica) = &self.nodes[index].replica {
            for key in &output.changed {
                let register = replica.get(key);
                found = found.and(self.ledger.changed(place, key, register));
                let is_ahead = register.is_some_and(|register| {
                    let stamp = register.stamp;
                    stamp.node() != id && stamp.epoch() >= self.epochs && stamp.millis() > now.wall_ms + DRIFT_MS
                });
                if is_ahead {
                    found = found.and(Err(("I8", format!("{id} took a stamp from the future"))));
                }
            }
        }
        self.judge(found);
    }

    fn judge(&mut self, found: Result<(), (&'static str, String)>) {
        if let (Err((invariant, what)), None) = (found, &self.outcome.violation) {
            self.outcome.violation = Some(Violation { invariant, at_ms: self.now_ms, what });
        }
    }

    fn write(&mut self, index: usize) {
        // A key that is written once shows a loss that another one's later writes would hide.
        let is_once = self.random.below(4) == 0;
        let number = if is_once { self.last_request } else { self.random.below(self.plan.keys) };
        let key: Arc<[u8]> = format!("{}{number}", if is_once { 'u' } else { 'k' }).into_bytes().into();
        let value = (self.random.below(4) > 0).then(|| Arc::from(self.random.next().to_be_bytes().as_slice()));
        let levels = [Level::Local, Level::One, Level::Majority, Level::Majority, Level::All];
        let level = levels[self.random.index(levels.len())];
        let Some(replica) = &self.nodes[index].replica else { return };
        let before = replica.get(&key).map(|register| register.stamp);
        let is_conditional = self.random.below(16) == 0;
        let expected =
            if is_conditional { before.map_or(Expected::Nothing, Expected::Stamp) } else { Expected::Anything };
        self.last_request += 1;
        let request = self.last_request;
        if !self.nodes[index].disk.has_room() {
            return self.outcome.refused += 1;
        }
        self.requests.insert(request, Request { key: Arc::clone(&key), before, at_ms: self.now_ms });
        let change = Change { key, value, actor: Arc::from("dana"), reason: Arc::default(), expected };
        let heard_ms = self.nodes[index].heard_twin_ms;
        let is_copied = heard_ms.is_some_and(|at| self.now_ms - at < TWIN_MS);
        self.handle(index, Input::Write { request, change, level, timeout_ms: 500 });
        let is_learning = self.now_ms <= self.nodes[index].started_ms + Timing::default().learn_ms;
        if is_copied && !is_learning && self.requests.contains_key(&request) {
            let id = self.nodes[index].id;
            self.judge(Err(("I4", format!("{id} writes though it has heard another process of its id"))));
        }
    }

    fn receipt(&mut self, request: u64, result: Result<crate::Receipt, WriteError>) {
        let Some(Request { key, before, at_ms }) = self.requests.remove(&request) else { return };
        match result {
            Err(_) => self.outcome.refused += 1,
            Ok(receipt) => {
                if before.is_some_and(|before| before >= receipt.stamp) {
                    let what = format!("a write at {} replaced one at {before:?}", receipt.stamp);
                    self.judge(Err(("I4", what)));
                }
                if receipt.is_reached {
                    self.outcome.acknowledged[receipt.level as usize] += 1;
                    self.ledger.acknowledged(key, receipt, at_ms);
                } else {
                    self.outcome.unreached += 1;
                }
            }
        }
    }

    /// Nothing that waits or is remembered grows beyond its bound.
    fn check_bounds(&mut self, index: usize) {
        let now = self.now(index);
        let node = &self.nodes[index];
        let Some(replica) = &node.replica else { return };
        let status = replica.status(now);
        let counts = [
            ("writes that wait", replica.waiting(), limits::PENDING_MAX),
            ("registers set aside", status.quarantined, limits::QUARANTINE_MAX),
            ("peers", status.peers.len(), limits::NODES_MAX),
        ];
        let id = node.id;
        let is_overfull = node.disk.is_overfull();
        for (what, count, most) in counts.into_iter().filter(|(_, count, most)| count > most) {
            self.judge(Err(("I7", format!("{id} has {count} {what}, and at most {most} are allowed"))));
        }
        if is_overfull {
            self.judge(Err(("I7", format!("{id} goes on though its disk is full"))));
        }
    }

    fn fault(&mut self) {
        (0..self.setup.nodes).for_each(|index| self.check_bounds(index));
        let pause = 1 + self.random.below(self.plan.fault_ms * 2);
        self.after(pause, Event::Fault);
        let node = self.random.index(self.setup.nodes);
        let lasting = 500 + self.random.below(30_000);
        let fault = Fault::ALL[self.random.index(Fault::ALL.len())];
        if !self.plan.has(fault) {
            return;
        }
        match fault {
            Fault::Partition | Fault::OneWay => {
                self.part(fault == Fault::OneWay);
                self.after(lasting, Event::Heal);
            }
            Fault::Crash => {
                let stop = self.stop_while_writing(&[node]);
                let lasting = if self.random.below(2) == 0 { 1 } else { lasting };
                self.after(stop + lasting, Event::Start { node });
            }
            Fault::Blackout => {
                let all: Vec<usize> = (0..self.setup.nodes).collect();
                let stop = self.stop_while_writing(&all);
                let most = if self.random.below(2) == 0 { 50 } else { 3_000 };
                for node in all {
                    let delay = 1 + self.random.below(most);
                    self.after(stop + delay, Event::Start { node });
                    self.after(stop + delay + 50, Event::WriteOn { node });
                }
            }
            Fault::FailingSync => {
                self.nodes[node].has_failed = true;
                self.nodes[node].disk.fail();
                self.handle(node, Input::PersistFailed { message: "input/output error".to_owned() });
            }
            Fault::Damage => {
                self.crash(node, false);
                if self.nodes[node].disk.damage(&mut self.random) {
                    self.ledger.lost_rows(self.place(node), self.now_ms);
                }
                self.after(lasting, Event::Start { node });
            }
            Fault::Jump => {
                let by = [-3_600_000, -10_000, 10_000, 3_600_000, 315_360_000_000];
                self.nodes[node].offset_ms = by[self.random.index(by.len())];
                self.after(lasting, Event::CorrectClock { node });
            }
            Fault::Forget => {
                let by = (node + 1) % self.setup.nodes;
                let members = self.nodes[by].replica.as_ref().map_or(0, |replica| {
                    replica.status(self.now(by)).members.iter().filter(|member| !member.is_forgotten).count()
                });
                // An operator who forgets everybody has no cluster any more.
                if members <= self.setup.nodes / 2 + 1 {
                    return;
                }
                self.crash(node, false);
                self.ledger.forgot(self.place(node));
                let (forgotten, reason) = (self.nodes[node].id, Arc::default());
                self.handle(by, Input::Forget { request: 0, node: forgotten, actor: Arc::from("dana"), reason });
                self.after(lasting + 20_000, Event::Start { node });
            }
            Fault::FullDisk => self.nodes[node].full_until_ms = self.now_ms + lasting,
            Fault::Restore => {
                let disk = self.nodes[node].disk.copy();
                let behind_ms = self.random.below(2) * self.random.below(lasting.min(BEHIND_MS));
                self.after(lasting, Event::PutBack { node, disk, behind_ms });
            }
            Fault::Copy => self.copy(node, lasting),
            Fault::Loss | Fault::Delay | Fault::Duplication | Fault::Skew => {}
        }
    }

    /// A node stops, and goes on with what its disk was some time ago.
    fn put_back(&mut self, node: usize, disk: Disk, behind_ms: u64) {
        if self.copied_ms.is_some() {
            return;
        }
        self.crash(node, false);
        let members = disk.members();
        self.nodes[node].disk = disk;
        self.ledger.put_back(self.place(node), members, self.now_ms);
        self.start(node);
        if behind_ms > 0 {
            // A machine that was put back as a whole wakes up with the clock of then.
            self.nodes[node].offset_ms -= behind_ms.cast_signed();
            let soon = 1 + self.random.below(BEHIND_MS);
            self.after(soon, Event::CorrectClock { node });
        }
        self.write(node);
        for delay in [3, 300, 700] {
            self.after(delay, Event::WriteOn { node });
        }
    }

    /// A disk is copied, and a second process runs on the copy.
    fn copy(&mut self, node: usize, lasting: u64) {
        if self.copied_ms.is_some() || self.nodes[node].replica.is_none() {
            return;
        }
        let copy = self.setup.nodes;
        self.copied_ms = Some(self.now_ms);
        self.ledger.copied(self.place(node), copy);
        let (id, disk) = (self.nodes[node].id, self.nodes[node].disk.copy());
        let place = &mut self.nodes[copy];
        (place.id, place.disk, place.full_until_ms, place.offset_ms) = (id, disk, 0, 0);
        self.start(copy);
        self.after(lasting, Event::EndCopy);
    }

    /// An operator takes one of two processes away; which folder is kept is a matter of chance.
    fn end_copy(&mut self) {
        let Some(copied_ms) = self.copied_ms else { return };
        let copy = self.setup.nodes;
        let Some(node) = (0..copy).find(|node| self.nodes[*node].id == self.nodes[copy].id) else { return };
        let is_linked = !self.network.is_cut(node, copy) && !self.network.is_cut(copy, node);
        let since = [copied_ms, self.linked_ms, self.nodes[node].started_ms, self.nodes[copy].started_ms];
        let both_ms = self.now_ms - since.into_iter().max().unwrap_or_default();
        let is_certain = is_linked && self.plan.loss == 0 && both_ms > TWIN_NOTICED_MS;
        for index in [node, copy] {
            let is_running = self.nodes[node].replica.is_some() && self.nodes[copy].replica.is_some();
            let is_deaf = self.nodes[index].heard_twin_ms.is_none() && self.nodes[index].disk.has_room();
            if is_certain && is_running && is_deaf {
                let id = self.nodes[node].id;
                self.judge(Err(("I4", format!("two processes of {id} never heard of each other"))));
            }
        }
        self.crash(copy, false);
        self.copied_ms = None;
        if self.random.below(2) == 0 {
            self.crash(node, false);
            self.nodes[node].disk = self.nodes[copy].disk.copy();
            self.after(1, Event::Start { node });
        }
        self.ledger.is_single_again(self.place(node), self.now_ms);
        self.nodes[copy].disk = Disk::default();
    }

    /// Nodes stop in the middle of their work; how soon.
    fn stop_while_writing(&mut self, nodes: &[usize]) -> u64 {
        let stop = 1 + self.random.below(60);
        let is_power_cut = self.random.below(2) == 0;
        for &node in nodes {
            self.write(node);
            self.after(stop, Event::Stop { node, is_power_cut });
        }
        stop
    }

    fn part(&mut self, is_one_way: bool) {
        self.linked_ms = self.now_ms;
        self.network.part(is_one_way, &mut self.random);
        self.tell_links(false);
    }

    /// What the carrier notices of links that come and go: everything, about half, or nothing at all.
    fn tell_links(&mut self, is_up: bool) {
        let noticed = self.random.below(3);
        for node in 0..self.setup.nodes + usize::from(self.copied_ms.is_some()) {
            for peer in self.running(node).collect::<Vec<_>>() {
                let is_noticed = noticed == 2 || (noticed == 1 && self.random.below(2) == 0);
                if is_noticed && (is_up || self.network.is_cut(peer, node)) {
                    let delay = 1 + self.random.below(5_000);
                    self.after(delay, if is_up { Event::Up { node, peer } } else { Event::Down { node, peer } });
                }
            }
        }
    }

    fn heal(&mut self) {
        self.linked_ms = self.now_ms;
        self.network.heal();
        self.tell_links(true);
    }

    /// The end of all faults: the network is whole, nodes run, clocks are right, the operator has repaired the cluster's.
    fn heal_all(&mut self) {
        self.is_healed = true;
        let is_over = |event: &Event| {
            matches!(
                event,
                Event::Write | Event::WriteOn { .. } | Event::Fault | Event::Stop { .. } | Event::PutBack { .. }
            )
        };
        self.events.retain(|_, event| !is_over(event));
        self.end_copy();
        self.plan.loss = 0;
        self.network.heal();
        for index in 0..self.setup.nodes {
            self.nodes[index].offset_ms = 0;
            self.nodes[index].full_until_ms = 0;
            self.sync(index);
            if self.nodes[index].has_failed {
                self.crash(index, false);
            }
            self.start(index);
        }
        self.run_until(self.now_ms + 30_000);
        let poisoned = |world: &Self, index: usize| {
            let status = world.nodes[index].replica.as_ref().map(|replica| replica.status(world.now(index)));
            status.is_some_and(|status| {
                status.quarantined > 0 || matches!(status.writes_refused, Some(WriteError::ClockPoisoned { .. }))
            })
        };
        if (0..self.setup.nodes).any(|index| poisoned(self, index)) {
            self.epochs += 1;
            self.handle(0, Input::RaiseEpoch { request: 0, actor: Arc::from("dana"), reason: Arc::default() });
        }
    }

    fn converge(&mut self) {
        let deadline = self.now_ms + CONVERGENCE_MS;
        while self.outcome.violation.is_none() && !self.is_equal() {
            if self.now_ms >= deadline {
                let roots: Vec<String> = self.replicas().map(|replica| format!("{:016x}", replica.root())).collect();
                return self.judge(Err(("I1", format!("nodes still differ: {}", roots.join(" ")))));
            }
            self.run_until(self.now_ms + 1_000);
        }
        let nodes = self.nodes.iter();
        let lost = nodes.filter_map(|node| Some((node.replica.as_ref()?, node.id)));
        let lost = lost.map(|(replica, id)| self.ledger.lost(replica, id)).find(Option::is_some).flatten();
        self.judge(lost.map_or(Ok(()), Err));
    }

    fn replicas(&self) -> impl Iterator<Item = &Replica> {
        self.nodes.iter().filter_map(|node| node.replica.as_ref())
    }

    /// Whether all nodes hold the same, register by register, and say so by their roots.
    fn is_equal(&self) -> bool {
        let mut replicas = self.replicas();
        let Some(first) = replicas.next() else { return true };
        replicas.all(|replica| replica.root() == first.root() && replica.iter().eq(first.iter()))
    }

    /// Nothing happens any more: what is said all the same?
    fn rest(&mut self) {
        // Tombstones are collected and told of meanwhile.
        self.run_until(self.now_ms + REST_MS * 2);
        self.nodes.iter_mut().for_each(|node| node.sent = (0, 0));
        self.run_until(self.now_ms + REST_MS);
        let sum = |of: fn(&Node) -> u64| self.nodes.iter().map(of).sum::<u64>();
        self.outcome.at_rest = (sum(|node| node.sent.0), sum(|node| node.sent.1));
        let most = self.outcome.at_rest.0 / self.setup.nodes as u64;
        if most > REST_MESSAGES * REST_MS / 1_000 {
            self.judge(Err(("I9", format!("{most} messages a node in {} s of rest", REST_MS / 1_000))));
        }
        // A floor may just be on its way round, and nothing may have gone with it.
        self.converge();
    }
}

fn is_push_of(bytes: &[u8], stamp: Stamp) -> bool {
    match Message::decode(bytes) {
        Ok(Message { body: Body::Push(registers), .. }) => registers.iter().any(|register| register.stamp == stamp),
        _ => false,
    }
}

/// A clock that was put back is so much behind at most, in milliseconds: less than what keeps a node from writing.
const BEHIND_MS: u64 = 4_500;

/// So long after it has heard another process of its id, in milliseconds, a node writes nothing. It is longer.
const TWIN_MS: u64 = 10_000;

/// So long after both run and hear each other, in milliseconds, two processes of one id know of it.
const TWIN_NOTICED_MS: u64 = 8_000;

/// The drift that is allowed by default.
const DRIFT_MS: u64 = 5_000;
