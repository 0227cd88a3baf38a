use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::message::{Awaited, Summary};
use crate::{Expected, Level, Receipt, Resolution, WriteError};

mod acks;
mod anti_entropy;
mod boundaries;
mod epoch;
mod membership;
mod peers;
mod quarantine;
mod receive;
mod report;
mod reservation;
mod start;
mod store;
mod tombstones;
mod write;
mod write_several;

/// Replicas that receive each other's messages at once, with disks that are never busy.
struct Cluster {
    nodes: Vec<Replica>,
    wall_ms: Vec<u64>,
    steady_ms: u64,
    receipts: Vec<(u64, Result<Receipt, WriteError>)>,
    /// Messages so far, and their bytes.
    sent: (usize, usize),
    is_cut: bool,
}

const START_MS: u64 = 1_700_000_000_000;

const HOUR_MS: u64 = 3_600_000;

impl Cluster {
    fn new(count: u64) -> Self {
        let loaded = (0..count).map(|_| Loaded::default()).collect();
        Self::loaded(loaded)
    }

    fn loaded(loaded: Vec<Loaded>) -> Self {
        Self::made(loaded, |options| options)
    }

    /// Nodes that all expect each other.
    fn expecting(count: u64) -> Self {
        let loaded = (0..count).map(|_| Loaded::default()).collect();
        Self::made(loaded, |options| Options { expects_peers: true, ..options })
    }

    fn made(loaded: Vec<Loaded>, with: impl Fn(Options) -> Options) -> Self {
        let mut cluster = Self {
            nodes: Vec::new(),
            wall_ms: vec![START_MS; loaded.len()],
            steady_ms: 0,
            receipts: Vec::new(),
            sent: (0, 0),
            is_cut: false,
        };
        let mut outputs = Vec::new();
        for (index, loaded) in loaded.into_iter().enumerate() {
            let options = with(Options::new("tests", NodeId::new(index as u64 + 1)));
            let (replica, output) = Replica::new(options, loaded, cluster.now(index));
            cluster.nodes.push(replica);
            outputs.push((index, output));
        }
        for (index, output) in outputs {
            cluster.perform(index, output);
        }
        cluster
    }

    fn now(&self, index: usize) -> Now {
        Now { wall_ms: self.wall_ms[index] + self.steady_ms, steady_ms: self.steady_ms }
    }

    fn meet(&mut self) {
        for node in 0..self.nodes.len() {
            for peer in (0..self.nodes.len()).filter(|peer| *peer != node) {
                self.handle(node, Input::PeerUp { node: NodeId::new(peer as u64 + 1), instance: peer as u64 + 1 });
            }
        }
    }

    fn handle(&mut self, index: usize, input: Input) {
        let now = self.now(index);
        let output = self.nodes[index].handle(input, now);
        self.perform(index, output);
    }

    fn perform(&mut self, index: usize, output: Output) {
        let mut due = VecDeque::from([(index, output)]);
        while let Some((index, output)) = due.pop_front() {
            let from = NodeId::new(index as u64 + 1);
            self.receipts.extend(output.receipts);
            if let Some(last) = output.persist.last() {
                let (upto, now) = (last.seq, self.now(index));
                let output = self.nodes[index].handle(Input::Persisted { upto }, now);
                due.push_back((index, output));
            }
            let to_all = output
                .broadcast
                .iter()
                .flat_map(|bytes| (0..self.nodes.len()).filter(|to| *to != index).map(move |to| (to, bytes.clone())));
            let to_one = output.send.iter().map(|(to, bytes)| (usize::try_from(to.get()).unwrap() - 1, bytes.clone()));
            let messages: Vec<(usize, Vec<u8>)> =
                to_all.chain(to_one).filter(|(to, _)| *to != index && *to < self.nodes.len()).collect();
            for (to, bytes) in messages.into_iter().filter(|_| !self.is_cut) {
                self.sent = (self.sent.0 + 1, self.sent.1 + bytes.len());
                let now = self.now(to);
                let output = self.nodes[to].handle(Input::Message { from, bytes }, now);
                due.push_back((to, output));
            }
        }
    }

    fn pass(&mut self, ms: u64) {
        let until = self.steady_ms + ms;
        while self.steady_ms < until {
            self.steady_ms += 100;
            for index in 0..self.nodes.len() {
                self.handle(index, Input::Tick);
            }
        }
    }

    fn write(&mut self, index: usize, key: &str, value: Option<&str>, level: Level) -> u64 {
        self.write_if(index, key, value, level, Expected::Anything)
    }

    fn write_if(&mut self, index: usize, key: &str, value: Option<&str>, level: Level, expected: Expected) -> u64 {
        let request = self.receipts.len() as u64;
        let changes = vec![change(key, value, expected)];
        self.handle(index, Input::Write { request, changes, level, timeout_ms: 500 });
        request
    }

    /// Writes several keys as one.
    fn write_all(&mut self, index: usize, writes: &[(&str, Option<&str>, Expected)], level: Level) -> u64 {
        let request = 1_000_000 + self.receipts.len() as u64;
        let changes = writes.iter().map(|(key, value, expected)| change(key, *value, *expected)).collect();
        self.handle(index, Input::Write { request, changes, level, timeout_ms: 500 });
        request
    }

    fn value(&self, index: usize, key: &str) -> Option<String> {
        let register = self.nodes[index].get(key.as_bytes())?;
        register.value.as_ref().map(|value| String::from_utf8_lossy(value).into_owned())
    }

    fn receipt(&self, request: u64) -> &Result<Receipt, WriteError> {
        &self.receipts.iter().find(|(number, _)| *number == request).unwrap().1
    }

    /// A node receives a message of another one.
    fn hear(&mut self, index: usize, from: u64, body: Body) {
        let bytes = Message { instance: from, gc_floor: Stamp::ZERO, body }.encode();
        self.handle(index, Input::Message { from: NodeId::new(from), bytes });
    }

    fn status(&self, index: usize) -> crate::Status {
        self.nodes[index].status(self.now(index))
    }
}

fn change(key: &str, value: Option<&str>, expected: Expected) -> Change {
    let value = value.map(|value| value.as_bytes().into());
    Change { key: key.as_bytes().into(), value, actor: "dana".into(), reason: "".into(), expected }
}

fn register(number: u64) -> Register {
    Register {
        key: format!("k{number}").into_bytes().into(),
        stamp: Stamp::new(0, START_MS - 1_000_000 + number, 0, NodeId::new(9)),
        value: Some(b"{\"percentage\":\"20\"}".as_slice().into()),
        replaces: None,
        supersedes: None,
        actor: "dana".into(),
        reason: "".into(),
        extra: [].into(),
    }
}

fn with(registers: std::ops::Range<u64>) -> Loaded {
    Loaded { registers: registers.map(register).collect(), ..Loaded::default() }
}

/// A member's entry in the membership.
fn member(node: u64) -> Register {
    Register {
        key: crate::membership::key(NodeId::new(node)),
        value: Some(crate::membership::member("some", None)),
        stamp: Stamp::new(0, START_MS - 9, 0, NodeId::new(node)),
        ..register(0)
    }
}

/// The first of five members, on a disk that may have been restored.
fn put_back() -> (Replica, Now) {
    let now = Now { wall_ms: START_MS, steady_ms: 5 };
    let options = Options { expects_peers: true, ..Options::new("tests", NodeId::new(1)) };
    (Replica::new(options, Loaded { registers: (1..=5).map(member).collect(), ..Loaded::default() }, now).0, now)
}

fn summary(wall_ms: u64, yours: Stamp) -> Summary {
    Summary { root: 1, count: 0, wall_ms, steady_ms: 5, echo_ms: 5, merges: 0, clock: yours, yours }
}

/// A disk with `x` as it was some time before the start, removed or not, in a cluster with this gc floor.
fn with_x(value: Option<&str>, ago_ms: u64, floor: Stamp) -> Loaded {
    let value = value.map(|value| value.as_bytes().into());
    let stamp = Stamp::new(0, START_MS - ago_ms, 0, NodeId::new(1));
    let register = Register { key: b"x".as_slice().into(), stamp, value, ..register(0) };
    let meta = DurableState { enforced_gc_floor: floor, announced_gc_floor: floor, ..DurableState::default() };
    Loaded { registers: vec![register], meta: Some(meta.encode()), ..Loaded::default() }
}

fn floor(ago_ms: u64) -> Stamp {
    Stamp::new(0, START_MS - ago_ms, 0, NodeId::new(2))
}
