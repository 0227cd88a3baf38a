//! Nodes, events and time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::checks::{Ledger, Violation};
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
    nodes: Vec<Node>,
    network: Network,
    ledger: Ledger,
    /// Writes without an answer, by request: the key, and what stood there.
    requests: BTreeMap<u64, (Arc<[u8]>, Option<Stamp>)>,
    is_healed: bool,
    epochs: u16,
    outcome: Outcome,
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
    sent: u64,
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
    CorrectClock { node: usize },
}

/// 2023, by the clocks of this world.
const EPOCH_MS: u64 = 1_700_000_000_000;

/// So long after everything has healed, in milliseconds, all nodes hold the same.
const CONVERGENCE_MS: u64 = 120_000;

/// Before the end, in milliseconds, some runs are parted for the last time.
const LAST_PART_MS: u64 = 20_000;

/// A stretch without any change, to see what is said at rest.
const REST_MS: u64 = 20_000;

/// At rest each node sends at most so many messages a second: a question, an answer, and now and then a hello.
const REST_MESSAGES: u64 = 3;

impl<'s> World<'s> {
    pub(super) fn new(setup: &'s Setup) -> Self {
        let mut random = Random::new(setup.seed);
        let plan = Plan::draw(setup, &mut random);
        let node = |index: usize| Node {
            id: NodeId::new(index as u64 + 1),
            replica: None,
            disk: Disk::default(),
            life: 0,
            has_failed: false,
            offset_ms: 0,
            wake_ms: 0,
            sent: 0,
        };
        let outcome = Outcome { trace: 0, events: 0, acknowledged: [0; 4], unreached: 0, refused: 0, violation: None };
        Self {
            nodes: (0..setup.nodes).map(node).collect(),
            network: Network::new(setup.nodes),
            setup,
            plan,
            random,
            now_ms: 0,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            last_event: 0,
            last_request: 0,
            ledger: Ledger::default(),
            requests: BTreeMap::new(),
            is_healed: false,
            epochs: 0,
            outcome,
        }
    }

    pub(super) fn run(mut self) -> Outcome {
        for node in 0..self.nodes.len() {
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
                if !self.network.is_cut(from, to) && self.nodes[to].life >= life {
                    let from = self.nodes[from].id;
                    self.handle(to, Input::Message { from, bytes: bytes.to_vec() });
                }
            }
            Event::Up { node, peer } => {
                if !self.network.is_cut(peer, node) && self.nodes[peer].replica.is_some() {
                    let input = Input::PeerUp { node: self.nodes[peer].id, instance: self.nodes[peer].life };
                    self.handle(node, input);
                }
            }
            Event::Down { node, peer } => {
                let input = Input::PeerDown { node: self.nodes[peer].id, instance: self.nodes[peer].life };
                self.handle(node, input);
            }
            Event::Synced { node, life } if life == self.nodes[node].life && !self.nodes[node].has_failed => {
                let (upto, registers) = self.nodes[node].disk.synced();
                self.ledger.durable(self.nodes[node].id, registers);
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
                let node = self.random.index(self.nodes.len());
                self.write(node);
            }
            Event::WriteOn { node } => self.write(node),
            Event::Fault => self.fault(),
            Event::Part => self.part(false),
            Event::Stop { node, is_power_cut } => self.crash(node, is_power_cut),
            Event::Heal => self.heal(),
            Event::Start { node } => self.start(node),
            Event::CorrectClock { node } => self.nodes[node].offset_ms = 0,
        }
    }

    fn now(&self, node: usize) -> Now {
        let wall = (EPOCH_MS + self.now_ms).saturating_add_signed(self.nodes[node].offset_ms);
        Now { wall_ms: wall, steady_ms: self.now_ms }
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
        let node = &mut self.nodes[index];
        node.life += 1;
        node.has_failed = false;
        let loaded: Loaded = node.disk.load();
        let restarted = self.ledger.restarted(node.id, loaded.registers.iter());
        let options = Options {
            instance: node.life,
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
        for peer in (0..self.nodes.len()).filter(|peer| *peer != index) {
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
        for peer in (0..self.nodes.len()).filter(|peer| *peer != index) {
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
            if let Some(to) = self.nodes.iter().position(|node| node.id == to).filter(|to| *to != index) {
                self.transmit(index, to, &Arc::new(bytes));
            }
        }
        for bytes in broadcast {
            let bytes = Arc::new(bytes);
            for to in (0..self.nodes.len()).filter(|to| *to != index) {
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

    fn sync(&mut self, index: usize) {
        if self.nodes[index].disk.begin() {
            let life = self.nodes[index].life;
            let takes = 1 + self.random.below(self.plan.sync_ms);
            self.after(takes, Event::Synced { node: index, life });
        }
    }

    fn transmit(&mut self, from: usize, to: usize, bytes: &Arc<Vec<u8>>) {
        self.nodes[from].sent += 1;
        self.outcome.trace = xxh3_64_with_seed(bytes, self.outcome.trace ^ self.now_ms ^ ((to as u64) << 56));
        for delay in Network::ways(&self.plan, &mut self.random).into_iter().flatten() {
            let life = self.nodes[to].life;
            self.after(delay, Event::Deliver { from, to, life, bytes: Arc::clone(bytes) });
        }
    }

    /// Holds an output against what must hold at each step.
    fn check(&mut self, index: usize, output: &Output) {
        let id = self.nodes[index].id;
        let now = self.now(index);
        let own =
            output.persist.iter().flat_map(|batch| &batch.registers).filter(|register| register.stamp.node() == id);
        let mut found = Ok(());
        for register in own.filter(|register| !self.requests.is_empty() || register.key.first() == Some(&0)) {
            let is_new = output.broadcast.iter().any(|bytes| is_push_of(bytes, register.stamp));
            if is_new {
                found = found.and(self.ledger.issued(id, register));
            } else if register.is_tombstone() {
                found = found.and(self.ledger.issued(id, register).or(Ok(())));
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
                    found = found.and(self.ledger.visible(id, &register));
                }
            }
        }
        if let Some(replica) = &self.nodes[index].replica {
            for key in &output.changed {
                let register = replica.get(key);
                found = found.and(self.ledger.changed(id, key, register));
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
        self.requests.insert(request, (Arc::clone(&key), before));
        let change = Change { key, value, actor: Arc::from("dana"), reason: Arc::default(), expected };
        self.handle(index, Input::Write { request, change, level, timeout_ms: 500 });
    }

    fn receipt(&mut self, request: u64, result: Result<crate::Receipt, WriteError>) {
        let Some((key, before)) = self.requests.remove(&request) else { return };
        match result {
            Err(_) => self.outcome.refused += 1,
            Ok(receipt) => {
                if before.is_some_and(|before| before >= receipt.stamp) {
                    let what = format!("a write at {} replaced one at {before:?}", receipt.stamp);
                    self.judge(Err(("I4", what)));
                }
                if receipt.is_reached {
                    self.outcome.acknowledged[receipt.level as usize] += 1;
                    self.ledger.acknowledged(key, receipt);
                } else {
                    self.outcome.unreached += 1;
                }
            }
        }
    }

    fn fault(&mut self) {
        let pause = 1 + self.random.below(self.plan.fault_ms * 2);
        self.after(pause, Event::Fault);
        let node = self.random.index(self.nodes.len());
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
                let all: Vec<usize> = (0..self.nodes.len()).collect();
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
                    self.ledger.distrust(self.nodes[node].id);
                }
                self.after(lasting, Event::Start { node });
            }
            Fault::Jump => {
                let by = [-3_600_000, -10_000, 10_000, 3_600_000, 315_360_000_000];
                self.nodes[node].offset_ms = by[self.random.index(by.len())];
                self.after(lasting, Event::CorrectClock { node });
            }
            Fault::Forget => {
                let by = (node + 1) % self.nodes.len();
                let members = self.nodes[by].replica.as_ref().map_or(0, |replica| {
                    replica.status(self.now(by)).members.iter().filter(|member| !member.is_forgotten).count()
                });
                // An operator who forgets everybody has no cluster any more.
                if members <= self.nodes.len() / 2 + 1 {
                    return;
                }
                self.crash(node, false);
                self.ledger.distrust(self.nodes[node].id);
                let (forgotten, reason) = (self.nodes[node].id, Arc::default());
                self.handle(by, Input::Forget { request: 0, node: forgotten, actor: Arc::from("dana"), reason });
                self.after(lasting + 20_000, Event::Start { node });
            }
            Fault::Loss | Fault::Delay | Fault::Duplication | Fault::Skew => {}
        }
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
        self.network.part(is_one_way, &mut self.random);
        self.tell_links(false);
    }

    /// What the carrier notices of links that come and go: everything, about half, or nothing at all.
    fn tell_links(&mut self, is_up: bool) {
        let noticed = self.random.below(3);
        for node in 0..self.nodes.len() {
            for peer in (0..self.nodes.len()).filter(|peer| *peer != node) {
                let is_noticed = noticed == 2 || (noticed == 1 && self.random.below(2) == 0);
                if is_noticed && (is_up || self.network.is_cut(peer, node)) {
                    let delay = 1 + self.random.below(5_000);
                    self.after(delay, if is_up { Event::Up { node, peer } } else { Event::Down { node, peer } });
                }
            }
        }
    }

    fn heal(&mut self) {
        self.network.heal();
        self.tell_links(true);
    }

    /// The end of all faults: the network is whole, nodes run, clocks are right, the operator has repaired the cluster's.
    fn heal_all(&mut self) {
        self.is_healed = true;
        let is_over =
            |event: &Event| matches!(event, Event::Write | Event::WriteOn { .. } | Event::Fault | Event::Stop { .. });
        self.events.retain(|_, event| !is_over(event));
        self.plan.loss = 0;
        self.network.heal();
        for index in 0..self.nodes.len() {
            self.nodes[index].offset_ms = 0;
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
        if (0..self.nodes.len()).any(|index| poisoned(self, index)) {
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
        self.nodes.iter_mut().for_each(|node| node.sent = 0);
        self.run_until(self.now_ms + REST_MS);
        let most = self.nodes.iter().map(|node| node.sent).sum::<u64>() / self.nodes.len() as u64;
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

/// The drift that is allowed by default.
const DRIFT_MS: u64 = 5_000;
