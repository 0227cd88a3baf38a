use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::message::{Awaited, Summary};
use crate::{Expected, Level, Receipt, Resolution, WriteError};

mod acks;
mod anti_entropy;
mod epoch;
mod quarantine;
mod start;

/// Some replicas that hear each other at once, with disks that are never busy.
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
        let value = value.map(|value| value.as_bytes().into());
        let change = Change { key: key.as_bytes().into(), value, actor: "dana".into(), reason: "".into(), expected };
        self.handle(index, Input::Write { request, change, level, timeout_ms: 500 });
        request
    }

    fn value(&self, index: usize, key: &str) -> Option<String> {
        let register = self.nodes[index].get(key.as_bytes())?;
        register.value.as_ref().map(|value| String::from_utf8_lossy(value).into_owned())
    }

    fn receipt(&self, request: u64) -> &Result<Receipt, WriteError> {
        &self.receipts.iter().find(|(number, _)| *number == request).unwrap().1
    }

    /// A node has heard a message of another one.
    fn hear(&mut self, index: usize, from: u64, body: Body) {
        let bytes = Message { instance: from, gc_floor: Stamp::ZERO, body }.encode();
        self.handle(index, Input::Message { from: NodeId::new(from), bytes });
    }

    fn status(&self, index: usize) -> crate::Status {
        self.nodes[index].status(self.now(index))
    }
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

#[test]
fn a_write_is_everywhere_and_acknowledged_by_all() {
    let mut cluster = Cluster::new(3);
    cluster.meet();
    for level in [Level::Local, Level::One, Level::Majority, Level::All] {
        let request = cluster.write(0, "x", Some(&level.to_string()), level);
        let receipt = cluster.receipt(request).clone().unwrap();
        assert!(receipt.is_reached, "{receipt:?}");
        assert_eq!(cluster.value(2, "x"), Some(level.to_string()));
    }
    assert_eq!(cluster.nodes[0].root(), cluster.nodes[1].root());
}

#[test]
fn a_level_that_is_not_reached_is_said_and_the_write_stands() {
    let mut cluster = Cluster::new(3);
    cluster.meet();
    cluster.is_cut = true;
    let request = cluster.write(0, "x", Some("on"), Level::Majority);
    assert!(cluster.receipts.iter().all(|(number, _)| *number != request));
    cluster.pass(600);
    let receipt = cluster.receipt(request).clone().unwrap();
    assert!(!receipt.is_reached);
    assert_eq!(receipt.durable_on, [NodeId::new(1)]);
    assert_eq!(receipt.pending, [NodeId::new(2), NodeId::new(3)]);
    cluster.is_cut = false;
    cluster.pass(5_000);
    assert_eq!(cluster.value(2, "x").as_deref(), Some("on"));
}

#[test]
fn one_stale_of_100_000_costs_2_kb() {
    let (mut stale, fresh) = (with(0..100_000), with(0..100_000));
    stale.registers.truncate(99_999);
    let mut cluster = Cluster::loaded(vec![stale, fresh]);
    cluster.sent = (0, 0);
    cluster.handle(0, Input::PeerUp { node: NodeId::new(2), instance: 2 });
    assert_eq!(cluster.value(0, "k99999").as_deref(), Some("{\"percentage\":\"20\"}"));
    let (messages, bytes) = cluster.sent;
    // Five questions and their answers, and the word that the register is there.
    assert!(messages <= 11 && bytes <= 2_048, "{messages} messages, {bytes} bytes");
}

#[test]
fn a_fresh_node_fetches_everything() {
    let mut cluster = Cluster::loaded(vec![Loaded::default(), with(0..20_000)]);
    cluster.handle(0, Input::PeerUp { node: NodeId::new(2), instance: 2 });
    cluster.pass(5_000);
    assert_eq!(cluster.nodes[0].root(), cluster.nodes[1].root());
    assert_eq!(cluster.nodes[0].iter().count(), 20_000);
}

#[test]
fn a_conditional_write_looks_before() {
    let mut cluster = Cluster::new(1);
    let first = cluster.write_if(0, "x", Some("1"), Level::Local, Expected::Nothing);
    let stamp = cluster.receipt(first).clone().unwrap().stamp;
    let late = cluster.write_if(0, "x", Some("2"), Level::Local, Expected::Nothing);
    assert_eq!(cluster.receipt(late), &Err(WriteError::Conflict { found: Some(stamp) }));
    let right = cluster.write_if(0, "x", Some("3"), Level::Local, Expected::Stamp(stamp));
    assert!(cluster.receipt(right).is_ok());
    assert_eq!(cluster.value(0, "x").as_deref(), Some("3"));
}

#[test]
fn a_clock_that_jumps_writes_nothing_from_that_moment_on() {
    let mut cluster = Cluster::new(3);
    cluster.meet();
    cluster.pass(12_000);
    for jump in [3_600_000, 315_360_000_000] {
        cluster.wall_ms[0] += jump;
        let refused = cluster.write(0, "x", Some("future"), Level::Local);
        assert!(matches!(cluster.receipt(refused), Err(WriteError::ClockOff { .. })), "{:?}", cluster.receipt(refused));
        cluster.wall_ms[0] -= jump;
        let written = cluster.write(0, "x", Some("now"), Level::All);
        assert!(cluster.receipt(written).clone().unwrap().is_reached);
    }
}

#[test]
fn what_a_wrong_clock_shows_is_not_where_the_next_start_begins() {
    let mut cluster = Cluster::new(3);
    cluster.meet();
    cluster.pass(12_000);
    cluster.write(0, "x", Some("1"), Level::All);
    cluster.wall_ms[0] += 3_600_000;
    cluster.pass(12_000);
    let reservation = cluster.nodes[0].durable.clock_reservation.millis();
    assert!(reservation < START_MS + 60_000, "{reservation}");
}

#[test]
fn a_clock_that_is_wrong_from_the_start_writes_nothing_once_others_were_heard() {
    let (mut replica, _) = put_back();
    let now = Now { wall_ms: START_MS + 3_600_000, steady_ms: 6 };
    for node in [2, 3, 4] {
        let body = Body::RootRequest(summary(START_MS, Stamp::ZERO));
        let bytes = Message { instance: node, gc_floor: Stamp::ZERO, body }.encode();
        replica.handle(Input::PeerUp { node: NodeId::new(node), instance: node }, now);
        replica.handle(Input::Message { from: NodeId::new(node), bytes }, now);
    }
    let refused = replica.status(now).writes_refused;
    assert!(matches!(refused, Some(WriteError::ClockOff { offset_ms: 3_600_000 })), "{refused:?}");
}

#[test]
fn a_clock_that_is_ahead_writes_nothing_that_counts_and_an_epoch_mends_it() {
    let mut cluster = Cluster::new(3);
    cluster.wall_ms[0] += 3_600_000;
    // Nobody is in sight who could know better.
    cluster.write(0, "x", Some("future"), Level::Local);
    cluster.meet();
    cluster.pass(3_000);
    assert_eq!(cluster.value(0, "x").as_deref(), Some("future"));
    assert_eq!(cluster.value(1, "x"), None);
    assert_eq!(cluster.nodes[1].status(cluster.now(1)).quarantined, 1);
    cluster.pass(12_000);
    // By now the node knows that its clock is off.
    let refused = cluster.write(0, "y", Some("future"), Level::Local);
    assert!(matches!(cluster.receipt(refused), Err(WriteError::ClockOff { offset_ms }) if *offset_ms > 3_500_000));
    cluster.wall_ms[0] -= 3_600_000;
    cluster.pass(12_000);
    let refused = cluster.write(0, "y", Some("now"), Level::Local);
    assert!(matches!(cluster.receipt(refused), Err(WriteError::ClockPoisoned { .. })));
    let request = 1_000;
    cluster.handle(0, Input::RaiseEpoch { request, actor: "dana".into(), reason: "clock".into() });
    assert!(cluster.receipt(request).clone().unwrap().is_reached);
    cluster.pass(12_000);
    let written = cluster.write(0, "x", Some("now"), Level::All);
    assert!(cluster.receipt(written).clone().unwrap().is_reached);
    assert_eq!(cluster.value(2, "x").as_deref(), Some("now"));
}

#[test]
fn a_node_that_may_not_write_does_not_enrol() {
    let member = Register {
        key: membership::key(NodeId::new(9)),
        value: Some(membership::member("nine", None)),
        stamp: Stamp::new(0, START_MS + 3_600_000, 0, NodeId::new(9)),
        ..register(0)
    };
    let loaded = Loaded { registers: vec![member], ..Loaded::default() };
    let mut cluster = Cluster::loaded(vec![loaded]);
    cluster.pass(2_000);
    // Its stamp would lie an hour ahead, and everybody would set it aside.
    let status = cluster.nodes[0].status(cluster.now(0));
    assert!(matches!(status.writes_refused, Some(WriteError::ClockPoisoned { .. })));
    assert_eq!(status.members.len(), 1);
    let request = 1_000;
    cluster.handle(0, Input::RaiseEpoch { request, actor: "dana".into(), reason: "clock".into() });
    cluster.pass(2_000);
    assert_eq!(cluster.nodes[0].status(cluster.now(0)).members.len(), 2);
}

#[test]
fn two_processes_of_one_id_refuse_to_write() {
    let mut cluster = Cluster::new(2);
    cluster.meet();
    let bytes = Message { instance: 77, gc_floor: Stamp::ZERO, body: Body::Hello }.encode();
    cluster.handle(0, Input::Message { from: NodeId::new(1), bytes });
    let refused = cluster.write(0, "x", Some("1"), Level::Local);
    assert_eq!(cluster.receipt(refused), &Err(WriteError::DuplicateNode { node: NodeId::new(1) }));
    cluster.pass(30_000);
    let written = cluster.write(0, "x", Some("1"), Level::Local);
    assert!(cluster.receipt(written).is_ok());
}

#[test]
fn a_member_that_is_silent_for_a_week_is_named_until_it_is_forgotten() {
    let (mut replica, start) = put_back();
    let day = 24 * 3_600_000;
    let after = |ms: u64| Now { wall_ms: start.wall_ms + ms, steady_ms: start.steady_ms + ms };
    let hello = Message { instance: 2, gc_floor: Stamp::ZERO, body: Body::Hello }.encode();
    replica.handle(Input::Message { from: NodeId::new(2), bytes: hello }, after(day));
    assert_eq!(replica.status(after(7 * day - 1)).silent, []);
    assert_eq!(replica.status(after(7 * day)).silent, [3, 4, 5].map(NodeId::new));
    assert_eq!(replica.status(after(8 * day)).silent, [2, 3, 4, 5].map(NodeId::new));
    let (node, now) = (NodeId::new(3), after(8 * day));
    replica.handle(Input::Forget { request: 1, node, actor: "dana".into(), reason: "".into() }, now);
    assert_eq!(replica.status(now).silent, [2, 4, 5].map(NodeId::new));
}

#[test]
fn a_member_whose_name_or_address_has_changed_says_so() {
    let mut cluster = Cluster::new(3);
    cluster.meet();
    cluster.pass(3_000);
    let entry = |cluster: &Cluster, index: usize| {
        let member = cluster.nodes[index].members().find(|member| member.node == NodeId::new(1)).unwrap();
        (member.name.clone(), member.address.clone(), member.since)
    };
    let before = entry(&cluster, 1);
    assert_eq!(before.1, None);
    // The same disk under another name, at another address.
    let registers = cluster.nodes[0].table.iter().cloned().collect();
    let loaded = Loaded { registers, meta: Some(cluster.nodes[0].durable.encode()), is_damaged: false };
    let options = Options {
        name: "one".to_owned(),
        address: Some("node-1.example:7400".to_owned()),
        ..Options::new("tests", NodeId::new(1))
    };
    let (replica, output) = Replica::new(options, loaded, cluster.now(0));
    cluster.nodes[0] = replica;
    cluster.perform(0, output);
    cluster.pass(5_000);
    for index in 0..3 {
        let (name, address, since) = entry(&cluster, index);
        assert_eq!((name.as_str(), address.as_deref()), ("one", Some("node-1.example:7400")));
        assert!(since > before.2);
    }
    // Nothing is written while nothing changes.
    let written = entry(&cluster, 0);
    cluster.pass(10_000);
    assert_eq!(entry(&cluster, 2), written);
}

#[test]
fn a_member_that_was_forgotten_does_not_write_its_address_over_that() {
    let mut cluster = Cluster::new(2);
    cluster.meet();
    cluster.pass(3_000);
    let node = NodeId::new(1);
    cluster.is_cut = true;
    cluster.handle(1, Input::Forget { request: 1_000, node, actor: "dana".into(), reason: "".into() });
    let own = cluster.nodes[1].get(&membership::key(node)).unwrap().clone();
    cluster.nodes[0].options.address = Some("node-1.example:7400".to_owned());
    let mut replica = Replica::new(
        cluster.nodes[0].options.clone(),
        Loaded { registers: vec![own], ..Loaded::default() },
        cluster.now(0),
    );
    let ticked = replica.0.handle(Input::Tick, Now { steady_ms: 60_000, ..cluster.now(0) });
    assert!(ticked.broadcast.is_empty() && replica.0.membership.get(node).unwrap().is_forgotten);
}

#[test]
fn a_node_does_not_forget_itself() {
    let mut cluster = Cluster::new(1);
    cluster.write(0, "x", Some("on"), Level::Majority);
    let (node, request) = (NodeId::new(1), 1_000);
    cluster.handle(0, Input::Forget { request, node, actor: "dana".into(), reason: "".into() });
    assert_eq!(cluster.receipt(request), &Err(WriteError::ForgetsItself { node }));
    let written = cluster.write(0, "x", Some("off"), Level::Majority);
    assert!(cluster.receipt(written).clone().unwrap().is_reached);
}

#[test]
fn a_peer_that_is_connected_and_does_not_answer_is_named() {
    let (mut replica, start) = put_back();
    let peer = NodeId::new(2);
    let after = |ms: u64| Now { wall_ms: start.wall_ms + ms, steady_ms: start.steady_ms + ms };
    replica.handle(Input::PeerUp { node: peer, instance: 2 }, start);
    let is_named = |replica: &Replica, ms: u64| replica.unresponsive_peers(after(ms)).any(|named| named == peer);
    // Long enough to be asked thrice, and then not to count as live any more.
    let mut told = Vec::new();
    for second in 1..=20 {
        replica.handle(Input::Tick, after(second * 1_000));
        told.push(is_named(&replica, second * 1_000));
    }
    assert_eq!(told.iter().position(|told| *told), Some(14), "not for a network that was cut for some seconds");
    assert!(told[14..].iter().all(|told| *told));
    replica.handle(Input::Message { from: peer, bytes: hello_of(2) }, after(21_000));
    assert!(!is_named(&replica, 21_000), "something has come");
    replica.handle(Input::PeerDown { node: peer, instance: 1 }, after(22_000));
    (23..=60).for_each(|second| _ = replica.handle(Input::Tick, after(second * 1_000)));
    assert!(is_named(&replica, 60_000), "what has gone is an earlier process");
    replica.handle(Input::PeerDown { node: peer, instance: 2 }, after(60_000));
    assert!(!is_named(&replica, 60_000), "it is away, and nobody expects an answer");
}

/// What a node says to whoever has its id, as an example of any message.
fn hello_of(node: u64) -> Vec<u8> {
    let (_, output) = Replica::new(Options::new("tests", NodeId::new(node)), Loaded::default(), Now::default());
    output.send.into_iter().map(|(_, bytes)| bytes).next().unwrap()
}

#[test]
fn a_second_process_of_an_id_is_told_at_once() {
    let now = Now { wall_ms: START_MS, steady_ms: 5 };
    let node = NodeId::new(1);
    let hello = |output: &Output| output.send.iter().find(|(to, _)| *to == node).map(|(_, bytes)| bytes.clone());
    let (mut first, _) = Replica::new(Options::new("tests", node), Loaded::default(), now);
    let (mut second, output) =
        Replica::new(Options { instance: 77, ..Options::new("tests", node) }, Loaded::default(), now);
    let bytes = hello(&output).unwrap();
    let output = first.handle(Input::Message { from: node, bytes }, now);
    let bytes = hello(&output).unwrap();
    let output = second.handle(Input::Message { from: node, bytes }, now);
    for replica in [&first, &second] {
        assert_eq!(replica.status(now).writes_refused, Some(WriteError::DuplicateNode { node }));
    }
    // It does not go on for ever.
    let bytes = hello(&output).unwrap();
    assert_eq!(hello(&first.handle(Input::Message { from: node, bytes }, now)), None);
}

/// A member's entry in the membership.
fn member(node: u64) -> Register {
    Register {
        key: membership::key(NodeId::new(node)),
        value: Some(membership::member("some", None)),
        stamp: Stamp::new(0, START_MS - 9, 0, NodeId::new(node)),
        ..register(0)
    }
}

/// Five members, of whom this is the first, on a disk that may be an old one.
fn put_back() -> (Replica, Now) {
    let now = Now { wall_ms: START_MS, steady_ms: 5 };
    let options = Options { expects_peers: true, ..Options::new("tests", NodeId::new(1)) };
    (Replica::new(options, Loaded { registers: (1..=5).map(member).collect(), ..Loaded::default() }, now).0, now)
}

fn summary(wall_ms: u64, yours: Stamp) -> Summary {
    Summary { root: 1, count: 0, wall_ms, steady_ms: 5, echo_ms: 5, merges: 0, clock: yours, yours }
}

#[test]
fn a_disk_that_may_be_old_writes_above_what_a_majority_has() {
    let (mut replica, now) = put_back();
    let change = Change {
        key: b"x".as_slice().into(),
        value: None,
        actor: "dana".into(),
        reason: "".into(),
        expected: Expected::Anything,
    };
    replica.handle(Input::Write { request: 1, change, level: Level::Local, timeout_ms: 500 }, now);
    let used = Stamp::new(0, START_MS + 4_000, 7, NodeId::new(1));
    for (node, yours) in [(2, Stamp::ZERO), (3, Stamp::ZERO), (3, Stamp::ZERO), (4, used)] {
        // Two more of five may be those that do not have what three had acknowledged, this one among them.
        assert_eq!(replica.get(b"x"), None, "before word from {node}");
        let bytes =
            Message { instance: node, gc_floor: Stamp::ZERO, body: Body::RootRequest(summary(START_MS, yours)) }
                .encode();
        replica.handle(Input::Message { from: NodeId::new(node), bytes }, now);
    }
    assert!(replica.get(b"x").unwrap().stamp > used);
}

#[test]
fn an_answer_to_another_process_of_this_id_says_nothing() {
    let (mut replica, now) = put_back();
    let peer = NodeId::new(2);
    let floor = Stamp::new(0, START_MS - 1, 0, peer);
    let output = replica.handle(Input::PeerUp { node: peer, instance: 2 }, now);
    let asked = output.send.iter().find_map(|(_, bytes)| match Message::decode(bytes).unwrap().0.body {
        Body::RootRequest(summary) => Some(summary),
        _ => None,
    });
    let asked = Summary { echo_ms: now.steady_ms, ..asked.unwrap() };
    let others = [
        Summary { echo_ms: 4, ..asked },
        Summary { merges: asked.merges + 1, ..asked },
        Summary { root: asked.root ^ 1, ..asked },
    ];
    let mut floor_after = |summary: Summary| {
        let body = Body::RootReply { summary, is_same: true, is_durable: true, children: [0; 16] };
        let bytes = Message { instance: 2, gc_floor: floor, body }.encode();
        replica.handle(Input::Message { from: peer, bytes }, now);
        replica.status(now).gc_floor
    };
    for other in others {
        assert_eq!(floor_after(other), Stamp::ZERO, "{other:?}");
    }
    assert_eq!(floor_after(asked), floor);
}

const DAY_MS: u64 = 24 * 3_600_000;

/// A disk with `x` as it was so long before the start, removed or not, in a cluster that has collected up to a floor.
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

#[test]
fn a_removal_for_which_no_collector_waited_still_counts() {
    let floor = floor(1_000);
    let behind = with_x(None, 2_000, Stamp::ZERO);
    let ahead = || with_x(Some("old"), 3_000, floor);
    let mut cluster = Cluster::loaded(vec![behind, ahead(), ahead()]);
    cluster.meet();
    cluster.pass(20_000);
    for (node, replica) in cluster.nodes.iter().enumerate() {
        assert!(replica.get(b"x").is_some_and(Register::is_tombstone), "{node}: {:?}", replica.get(b"x"));
        assert_eq!(replica.status(cluster.now(node)).gc_floor, floor);
    }
}

#[test]
fn a_tombstone_that_was_collected_elsewhere_goes() {
    let floor = floor(1_000);
    let collected = Loaded { registers: vec![], ..with_x(None, 2_000, floor) };
    let mut cluster = Cluster::loaded(vec![with_x(None, 2_000, Stamp::ZERO), collected]);
    cluster.meet();
    cluster.pass(20_000);
    for (node, replica) in cluster.nodes.iter().enumerate() {
        assert_eq!(replica.get(b"x"), None, "{node}");
        assert_eq!(replica.status(cluster.now(node)).gc_floor, floor);
    }
}

#[test]
fn a_floor_does_not_fall_to_a_tombstone_that_came_late() {
    let floor = floor(2 * DAY_MS);
    let late = || with_x(None, 3 * DAY_MS, floor);
    let mut cluster = Cluster::loaded(vec![late(), late()]);
    cluster.meet();
    for _ in 0..200 {
        cluster.pass(100);
        let floors = [0, 1].map(|node: usize| cluster.nodes[node].status(cluster.now(node)).gc_floor);
        assert_eq!(floors, [floor, floor], "after {} ms", cluster.steady_ms);
    }
    // It goes with the next one.
    let removed = Register { key: b"y".as_slice().into(), ..with_x(None, DAY_MS + 1_000, floor).registers.remove(0) };
    let bytes = Message {
        instance: 9,
        gc_floor: Stamp::ZERO,
        body: Body::Push { registers: vec![removed], awaited: Awaited::Everybody },
    }
    .encode();
    cluster.handle(0, Input::Message { from: NodeId::new(2), bytes });
    cluster.pass(40_000);
    for (node, replica) in cluster.nodes.iter().enumerate() {
        assert_eq!(replica.get(b"x"), None, "{node}");
        assert_eq!(replica.status(cluster.now(node)).gc_floor.millis(), START_MS - DAY_MS - 1_000);
    }
}

#[test]
fn an_answer_says_nothing_of_what_came_after_the_question() {
    let (mut replica, now) = put_back();
    let peer = NodeId::new(2);
    let output = replica.handle(Input::PeerUp { node: peer, instance: 2 }, now);
    let asked = output.send.iter().find_map(|(_, bytes)| match Message::decode(bytes).unwrap().0.body {
        Body::RootRequest(summary) => Some(summary),
        _ => None,
    });
    // Another node, which has not collected, hands in what the peer has removed.
    let push = Message {
        instance: 3,
        gc_floor: Stamp::ZERO,
        body: Body::Push { registers: vec![register(0)], awaited: Awaited::Everybody },
    }
    .encode();
    replica.handle(Input::Message { from: NodeId::new(3), bytes: push }, now);
    let summary = Summary { echo_ms: now.steady_ms, ..asked.unwrap() };
    let body = Body::RootReply { summary, is_same: true, is_durable: true, children: [0; 16] };
    let bytes = Message { instance: 2, gc_floor: Stamp::new(0, START_MS - 1, 0, peer), body }.encode();
    replica.handle(Input::Message { from: peer, bytes }, now);
    assert_eq!(replica.status(now).gc_floor, Stamp::ZERO);
}

#[test]
fn a_floor_that_nobody_claims_opens_nothing_below_the_one_that_this_node_claims() {
    let (claimed, heard) = (floor(3_000), floor(1_000));
    let meta = DurableState { enforced_gc_floor: heard, announced_gc_floor: claimed, ..DurableState::default() };
    let loaded = Loaded { registers: (1..=2).map(member).collect(), meta: Some(meta.encode()), ..Loaded::default() };
    let start = Now { wall_ms: START_MS, steady_ms: 5 };
    let (mut replica, _) = Replica::new(Options::new("tests", NodeId::new(1)), loaded, start);
    let (below, between) = (with_x(Some("removed"), 4_000, Stamp::ZERO), with_x(Some("kept"), 2_000, Stamp::ZERO));
    let mut push = |registers: Vec<Register>, ms: u64| {
        let now = Now { wall_ms: START_MS + ms, steady_ms: 5 + ms };
        let bytes = Message { instance: 2, gc_floor: Stamp::ZERO, body: Body::Repair(registers) }.encode();
        replica.handle(Input::Message { from: NodeId::new(2), bytes }, now);
        replica.handle(Input::Tick, now);
        replica.get(b"x").and_then(|register| register.value.clone()).map(|value| value.to_vec())
    };
    // Its member has lost what it had collected, and says so for long enough.
    assert_eq!(push(between.registers.clone(), 1_000), None);
    assert_eq!(push(vec![], 10_000), None);
    assert_eq!(push(below.registers, 11_000), None);
    assert_eq!(push(between.registers, 12_000).as_deref(), Some(b"kept".as_slice()));
}

#[test]
fn what_cannot_be_written_is_refused() {
    let mut cluster = Cluster::new(1);
    let long = "x".repeat(limits::KEY_BYTES_MAX + 1);
    for key in ["", "\0n", &long] {
        let refused = cluster.write(0, key, Some("1"), Level::Local);
        assert_eq!(cluster.receipt(refused), &Err(WriteError::Invalid));
    }
    cluster.handle(0, Input::PersistFailed { message: "input/output error".to_owned() });
    let refused = cluster.write(0, "x", Some("1"), Level::Local);
    assert!(matches!(cluster.receipt(refused), Err(WriteError::ReadOnly { .. })));
    assert_eq!(cluster.nodes[0].iter().count(), 0);
}

#[test]
fn only_those_hurry_of_whom_word_is_needed() {
    let awaited = |level: Level| {
        let mut cluster = Cluster::new(5);
        cluster.meet();
        (0..5).for_each(|index| _ = cluster.write(index, "a", Some("1"), Level::All));
        // The second and the third answer late.
        for (node, ms) in [(2, 9), (3, 7), (4, 1), (5, 2)] {
            cluster.nodes[0].peers.get_mut(&NodeId::new(node)).unwrap().trip_ms = ms;
        }
        let change = Change {
            key: b"b".as_slice().into(),
            value: None,
            actor: "".into(),
            reason: "".into(),
            expected: Expected::Anything,
        };
        let now = cluster.now(0);
        let mut output = cluster.nodes[0].handle(Input::Write { request: 9, change, level, timeout_ms: 500 }, now);
        assert!(output.persist.iter().all(|batch| batch.is_awaited), "its writer waits");
        // A ceiling has to be on the disk first.
        if let Some(upto) = output.persist.last().map(|batch| batch.seq).filter(|_| output.broadcast.is_empty()) {
            output = cluster.nodes[0].handle(Input::Persisted { upto }, now);
        }
        let bytes = output.broadcast.pop().unwrap();
        let mut hurries = |index: usize| {
            let input = Input::Message { from: NodeId::new(1), bytes: bytes.clone() };
            let now = cluster.now(index);
            cluster.nodes[index].handle(input, now).persist.iter().any(|batch| batch.is_awaited)
        };
        (1..5).filter(|index| hurries(*index)).map(|index| index + 1).collect::<Vec<_>>()
    };
    assert_eq!(awaited(Level::Local), []);
    assert_eq!(awaited(Level::One), [4]);
    assert_eq!(awaited(Level::Majority), [4, 5]);
    assert_eq!(awaited(Level::All), [2, 3, 4, 5]);
}

#[test]
fn a_race_has_a_loser_in_the_history() {
    let mut replica = Replica::new(Options::new("tests", NodeId::new(1)), Loaded::default(), Now::default()).0;
    let now = Now { wall_ms: START_MS, steady_ms: 5 };
    let of = |node: u64, millis: u64| Register {
        stamp: Stamp::new(0, START_MS + millis, 0, NodeId::new(node)),
        key: b"x".as_slice().into(),
        ..register(0)
    };
    let mut push = |register: Register| {
        let bytes = Message {
            instance: 2,
            gc_floor: Stamp::ZERO,
            body: Body::Push { registers: vec![register], awaited: Awaited::Everybody },
        }
        .encode();
        let output = replica.handle(Input::Message { from: NodeId::new(2), bytes }, now);
        output.persist.into_iter().flat_map(|batch| batch.history).collect::<Vec<_>>()
    };
    push(of(2, 1));
    let events = push(of(3, 2));
    assert_eq!(events.first().map(|event| event.lost_to), Some(Some(of(3, 2).stamp)));
    let late = push(of(4, 0));
    assert_eq!(late.first().map(|event| event.lost_to), Some(Some(of(3, 2).stamp)));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..300), kind in 0..14_u8) {
        let mut replica = Replica::new(Options::new("tests", NodeId::new(1)), with(0..3), Now::default()).0;
        let now = Now { wall_ms: START_MS, steady_ms: 5 };
        let framed = [[1, kind].as_slice(), &[1, 8, 0, 0, 0, 0, 0, 0, 0, 7], &bytes].concat();
        for bytes in [bytes, framed] {
            replica.handle(Input::Message { from: NodeId::new(2), bytes: bytes.clone() }, now);
            let _ = Register::decode(&bytes);
        }
    }
}
