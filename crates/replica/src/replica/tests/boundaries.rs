//! The exact instant, count and condition at which the rules for acknowledgements and tombstones begin to apply.

use super::*;
use crate::limits::PENDING_MAX;

const AT: Now = Now { wall_ms: START_MS, steady_ms: 10_000 };

/// The first of some members, live and in sync, whose outputs the test performs itself.
fn first_of(members: u64, with: impl Fn(Options) -> Options) -> Replica {
    let loaded = Loaded { registers: (1..=members).map(member).collect(), ..Loaded::default() };
    let options = with(Options::new("tests", NodeId::new(1)));
    let mut replica = Replica::new(options, loaded, AT).0;
    for node in 2..=members {
        replica.handle(Input::PeerUp { node: NodeId::new(node), instance: node }, AT);
    }
    replica
}

fn write(replica: &mut Replica, request: u64, level: Level, now: Now) -> Output {
    let change = Change {
        key: format!("x{request}").into_bytes().into(),
        value: Some(b"on".as_slice().into()),
        actor: "dana".into(),
        reason: "".into(),
        expected: Expected::Anything,
    };
    replica.handle(Input::Write { request, change, level, timeout_ms: 60_000 }, now)
}

fn hear(replica: &mut Replica, from: u64, body: Body, now: Now) -> Output {
    let bytes = Message { instance: from, gc_floor: Stamp::ZERO, body }.encode();
    replica.handle(Input::Message { from: NodeId::new(from), bytes }, now)
}

fn bodies(output: &Output) -> Vec<(u64, Body)> {
    output.send.iter().map(|(to, bytes)| (to.get(), Message::decode(bytes).unwrap().0.body)).collect()
}

/// The members to which an output sends registers.
fn pushed_to(output: &Output) -> Vec<u64> {
    bodies(output).into_iter().filter(|(_, body)| matches!(body, Body::Push { .. })).map(|(to, _)| to).collect()
}

fn last_seq(output: &Output) -> u64 {
    output.persist.last().unwrap().seq
}

#[test]
fn a_majority_of_others_does_not_count_before_the_writers_own_disk() {
    let mut replica = first_of(3, |options| options);
    let written = write(&mut replica, 1, Level::Majority, AT);
    let stamp = replica.get(b"x1").unwrap().stamp;
    for node in [2, 3] {
        assert!(hear(&mut replica, node, Body::Ack(vec![stamp]), AT).receipts.is_empty());
    }
    let output = replica.handle(Input::Persisted { upto: last_seq(&written) }, AT);
    assert!(output.receipts[0].1.as_ref().unwrap().is_reached);
}

#[test]
fn a_reader_reaches_a_level_through_members() {
    for (level, needed) in [(Level::Local, 1), (Level::One, 1), (Level::Majority, 2), (Level::All, 2)] {
        let loaded = Loaded { registers: [2, 3].map(member).into(), ..Loaded::default() };
        let options = Options { is_durable: false, ..Options::new("tests", NodeId::new(1)) };
        let mut replica = Replica::new(options, loaded, AT).0;
        for node in [2, 3] {
            replica.handle(Input::PeerUp { node: NodeId::new(node), instance: node }, AT);
        }
        write(&mut replica, 1, level, AT);
        let stamp = replica.get(b"x1").unwrap().stamp;
        let mut acks = 0;
        let receipt = loop {
            acks += 1;
            let output = hear(&mut replica, acks + 1, Body::Ack(vec![stamp]), AT);
            if let Some((_, receipt)) = output.receipts.first() {
                break receipt.clone().unwrap();
            }
        };
        assert_eq!((receipt.is_reached, acks), (true, needed), "{level}");
    }
}

#[test]
fn a_register_that_is_pushed_again_is_acknowledged_again_at_once() {
    let mut replica = first_of(2, |options| options);
    let body = || Body::Push { registers: vec![register(1)], awaited: Awaited::Everybody };
    let acks = |output: &Output| bodies(output).into_iter().filter(|(_, body)| matches!(body, Body::Ack(_))).count();
    let first = hear(&mut replica, 2, body(), AT);
    assert_eq!(acks(&first), 0, "it is not on the disk yet");
    // The second copy is in no batch, and waits for the batch of the first.
    assert_eq!(acks(&hear(&mut replica, 2, body(), AT)), 0);
    let output = replica.handle(Input::Persisted { upto: last_seq(&first) }, AT);
    assert_eq!(bodies(&output).last().unwrap().1, Body::Ack(vec![register(1).stamp; 2]));
    assert_eq!(acks(&hear(&mut replica, 2, body(), AT)), 1);
}

#[test]
fn a_losing_register_is_acknowledged_after_its_history_is_on_the_disk() {
    let mut replica = first_of(2, |options| options);
    let of = |millis: u64| Register { stamp: Stamp::new(0, START_MS + millis, 0, NodeId::new(2)), ..register(1) };
    let body = |register: Register| Body::Push { registers: vec![register], awaited: Awaited::Everybody };
    let winner = hear(&mut replica, 2, body(of(2)), AT);
    replica.handle(Input::Persisted { upto: last_seq(&winner) }, AT);
    let loser = hear(&mut replica, 2, body(of(1)), AT);
    let batch = loser.persist.last().unwrap();
    assert_eq!((batch.registers.len(), batch.history.len()), (0, 1));
    assert!(bodies(&loser).is_empty());
    let output = replica.handle(Input::Persisted { upto: batch.seq }, AT);
    assert!(matches!(bodies(&output)[0].1, Body::Outranked(_)));
}

#[test]
fn a_write_is_sent_twice_more_and_only_to_members_that_have_not_answered() {
    let mut replica = first_of(5, |options| options);
    replica.timers.round_ms = u64::MAX;
    let written = write(&mut replica, 1, Level::All, AT);
    replica.handle(Input::Persisted { upto: last_seq(&written) }, AT);
    let stamp = replica.get(b"x1").unwrap().stamp;
    hear(&mut replica, 2, Body::Ack(vec![stamp]), AT);
    replica.handle(Input::PeerDown { node: NodeId::new(5), instance: 5 }, AT);
    let mut sent = Vec::new();
    for ms in 1..1_000 {
        let output = replica.handle(Input::Tick, Now { steady_ms: AT.steady_ms + ms, ..AT });
        sent.extend(pushed_to(&output).into_iter().map(|to| (ms, to)));
    }
    assert_eq!(sent, [(100, 3), (100, 4), (300, 3), (300, 4)]);
}

#[test]
fn a_change_names_the_nearest_members_that_answer() {
    let mut replica = first_of(5, |options| options);
    for (node, trip_ms, unanswered) in [(2, 9, 0), (3, 5, 1), (4, 1, 2), (5, 7, 0)] {
        let peer = replica.peers.get_mut(&NodeId::new(node)).unwrap();
        (peer.trip_ms, peer.unanswered) = (trip_ms, unanswered);
    }
    let named = |replica: &mut Replica, request: u64, level: Level| {
        let output = write(replica, request, level, AT);
        replica.handle(Input::Persisted { upto: last_seq(&output) }, AT);
        let stamp = replica.get(format!("x{request}").as_bytes()).unwrap().stamp;
        replica.awaited(stamp)
    };
    let only = |nodes: &[u64]| Awaited::Only(nodes.iter().map(|node| NodeId::new(*node)).collect());
    assert_eq!(named(&mut replica, 1, Level::One), only(&[3]));
    assert_eq!(named(&mut replica, 2, Level::Majority), only(&[3, 5]));
    assert_eq!(named(&mut replica, 3, Level::All), Awaited::Everybody);
    assert_eq!(named(&mut replica, 4, Level::Local), only(&[]));
    // Two comparisons without an answer put a peer last, however near it is.
    replica.peers.get_mut(&NodeId::new(4)).unwrap().unanswered = 3;
    assert_eq!(named(&mut replica, 5, Level::Majority), only(&[3, 5]));
    // With exactly as many peers as are needed there is nothing to choose.
    for node in [2, 5] {
        replica.handle(Input::PeerDown { node: NodeId::new(node), instance: node }, AT);
    }
    assert_eq!(named(&mut replica, 6, Level::Majority), Awaited::Everybody);
}

#[test]
fn a_list_names_at_most_sixteen_members() {
    for (members, is_list) in [(32, true), (33, true), (34, false), (35, false)] {
        let mut replica = first_of(members, |options| options);
        write(&mut replica, 1, Level::Majority, AT);
        let awaited = replica.awaited(replica.get(b"x1").unwrap().stamp);
        assert_eq!(matches!(awaited, Awaited::Only(_)), is_list, "{members} members: {awaited:?}");
    }
}

#[test]
fn writes_beyond_the_limit_of_those_that_wait_are_refused() {
    let mut replica = first_of(2, |options| options);
    for request in 0..PENDING_MAX as u64 {
        assert!(write(&mut replica, request, Level::All, AT).receipts.is_empty());
    }
    let output = write(&mut replica, PENDING_MAX as u64, Level::All, AT);
    assert!(matches!(output.receipts[0].1, Err(WriteError::Busy)), "{:?}", output.receipts);
}

/// A node alone with tombstones of these stamps, in the epoch and at the steady time at which it began.
fn with_tombstones(stamps: &[(u16, u64)], epoch: (u16, u64)) -> Replica {
    let registers = stamps.iter().enumerate().map(|(number, (epoch, millis))| Register {
        stamp: Stamp::new(*epoch, *millis, 0, NodeId::new(1)),
        value: None,
        ..register(number as u64)
    });
    let own = Register { stamp: Stamp::new(epoch.0, START_MS - 9, 0, NodeId::new(1)), ..member(1) };
    let loaded = Loaded { registers: registers.chain([own]).collect(), ..Loaded::default() };
    let (mut replica, output) = Replica::new(Options::new("tests", NodeId::new(1)), loaded, AT);
    if let Some(batch) = output.persist.last() {
        replica.handle(Input::Persisted { upto: batch.seq }, AT);
    }
    replica.timers.epoch = epoch;
    replica
}

const DAY_MS: u64 = 24 * 3_600_000;

#[test]
fn a_tombstone_goes_when_it_is_older_than_its_age_and_not_before() {
    let mut replica = with_tombstones(&[(0, START_MS)], (0, 0));
    replica.collect_tombstones(Now { wall_ms: START_MS + DAY_MS, ..AT });
    assert!(replica.get(b"k0").is_some(), "at its age");
    replica.collect_tombstones(Now { wall_ms: START_MS + DAY_MS + 1, ..AT });
    assert!(replica.get(b"k0").is_none(), "after it");
    assert_eq!(replica.durable.announced_gc_floor.millis(), START_MS);
}

#[test]
fn a_tombstone_of_an_earlier_epoch_goes_when_the_epoch_is_old() {
    // Its stamp lies in the future: a clock was ahead, and was repaired.
    let mut replica = with_tombstones(&[(0, START_MS + 9 * DAY_MS)], (1, AT.steady_ms));
    replica.collect_tombstones(Now { wall_ms: START_MS + 1, steady_ms: AT.steady_ms + DAY_MS });
    assert!(replica.get(b"k0").is_some(), "the epoch is as old as a tombstone has to be");
    replica.collect_tombstones(Now { wall_ms: START_MS + 1, steady_ms: AT.steady_ms + DAY_MS + 1 });
    assert!(replica.get(b"k0").is_none());
}

#[test]
fn a_tombstone_of_this_epoch_is_not_old_because_the_epoch_is() {
    let mut replica = with_tombstones(&[(1, START_MS)], (1, AT.steady_ms));
    replica.collect_tombstones(Now { wall_ms: START_MS + 1, steady_ms: AT.steady_ms + 2 * DAY_MS });
    assert!(replica.get(b"k0").is_some());
}

#[test]
fn a_tombstone_of_a_later_epoch_is_never_old() {
    let mut replica = with_tombstones(&[(0, START_MS)], (0, AT.steady_ms));
    let later = Register { stamp: Stamp::new(1, START_MS, 0, NodeId::new(2)), value: None, ..register(7) };
    replica.table.merge(later, false);
    replica.collect_tombstones(Now { wall_ms: START_MS + 3 * DAY_MS, steady_ms: AT.steady_ms + 3 * DAY_MS });
    assert!(replica.get(b"k0").is_none() && replica.get(b"k7").is_some());
}

#[test]
fn nothing_is_collected_while_a_batch_waits_for_the_disk() {
    let mut replica = with_tombstones(&[(0, START_MS)], (0, 0));
    let now = Now { wall_ms: START_MS + DAY_MS + 1, ..AT };
    let written = write(&mut replica, 1, Level::Local, now);
    replica.collect_tombstones(now);
    assert!(replica.get(b"k0").is_some());
    replica.handle(Input::Persisted { upto: last_seq(&written) }, now);
    replica.collect_tombstones(now);
    assert!(replica.get(b"k0").is_none());
}

#[test]
fn nothing_is_collected_while_a_gc_floor_is_enforced_that_is_not_announced() {
    let mut replica = with_tombstones(&[(0, START_MS)], (0, 0));
    replica.durable.enforced_gc_floor = Stamp::new(0, START_MS - 5, 0, NodeId::new(2));
    let now = Now { wall_ms: START_MS + DAY_MS + 1, ..AT };
    replica.collect_tombstones(now);
    assert!(replica.get(b"k0").is_some());
    replica.announce_gc_floor();
    replica.collect_tombstones(now);
    assert!(replica.get(b"k0").is_none());
}

#[test]
fn a_gc_floor_is_common_when_every_other_member_has_agreed_to_it() {
    let mut replica = first_of(3, |options| options);
    let (floor, below) = (floor(1_000), floor(2_000));
    replica.durable.enforced_gc_floor = floor;
    let agree = |replica: &mut Replica, floors: [Stamp; 2]| {
        for (node, floor) in [2, 3].into_iter().zip(floors) {
            replica.peers.get_mut(&NodeId::new(node)).unwrap().agreed_gc_floor = Some(floor);
        }
        replica.is_gc_floor_common()
    };
    assert!(!agree(&mut replica, [floor, below]) && !agree(&mut replica, [below, below]));
    assert!(agree(&mut replica, [floor, floor]));
    let mut outsider = first_of(3, |options| Options { node: NodeId::new(9), is_durable: false, ..options });
    outsider.durable.enforced_gc_floor = floor;
    outsider.handle(Input::PeerUp { node: NodeId::new(1), instance: 1 }, AT);
    outsider.peers.values_mut().for_each(|peer| peer.agreed_gc_floor = Some(floor));
    assert!(!outsider.is_gc_floor_common(), "a reader is no member");
}

#[test]
fn a_gc_floor_is_orphaned_while_every_member_announces_a_lower_one() {
    let mut replica = first_of(3, |options| options);
    let (floor, below) = (floor(1_000), floor(2_000));
    replica.durable.enforced_gc_floor = floor;
    let mut since = |claims: [Stamp; 2], steady_ms: u64| {
        for (node, floor) in [2, 3].into_iter().zip(claims) {
            replica.peers.get_mut(&NodeId::new(node)).unwrap().claimed = Some((node, floor));
        }
        replica.look_for_orphans(Now { steady_ms, ..AT });
        replica.orphaned_since_ms
    };
    assert_eq!(since([below, floor], 11_000), None, "the third announces the same floor");
    assert_eq!(since([below, below], 12_000), Some(12_000));
    assert_eq!(since([below, below], 13_000), Some(12_000));
    assert_eq!(since([floor, below], 14_000), None);
}

#[test]
fn registers_that_others_have_collected_are_counted() {
    let mut replica = first_of(2, |options| options);
    replica.durable.enforced_gc_floor = floor(0);
    for number in 1..=2 {
        let hash = replica.table.hash(format!("k{number}").as_bytes());
        hear(&mut replica, 2, Body::Push { registers: vec![register(number)], awaited: Awaited::Everybody }, AT);
        replica.table.merge(register(number), false);
        replica.drop_collected(floor(0), &[(hash, register(number).stamp)]);
        assert_eq!(replica.status(AT).counters.gone, number);
    }
}

#[test]
fn a_repair_names_its_author_and_reason_up_to_the_limit() {
    for (actor, reason, is_valid) in [(1_024, 1_024, true), (1_025, 0, false), (0, 1_025, false)] {
        let mut replica = first_of(1, |options| options);
        let (actor, reason) = ("a".repeat(actor).into(), "r".repeat(reason).into());
        let output = replica.handle(Input::RaiseEpoch { request: 1, actor, reason }, AT);
        let is_refused = output.receipts.iter().any(|(_, receipt)| *receipt == Err(WriteError::Invalid));
        assert_eq!((replica.status(AT).epoch, is_refused), (u16::from(is_valid), !is_valid));
    }
}

#[test]
fn a_node_of_the_first_epoch_enters_the_last_one() {
    let last = Register { stamp: Stamp::new(limits::EPOCHS_MAX - 1, 5, 0, NodeId::new(1)), ..register(0) };
    let loaded = Loaded { registers: vec![last], ..Loaded::default() };
    let mut replica = Replica::new(Options::new("tests", NodeId::new(1)), loaded, AT).0;
    replica.handle(Input::RaiseEpoch { request: 1, actor: "dana".into(), reason: "".into() }, AT);
    let repair = replica.get(crate::replica::epoch::KEY).unwrap().clone();
    // It has lost the repairs before its own, and lists all of them.
    assert!(crate::replica::epoch::repairs(&repair).into_iter().eq(1..=limits::EPOCHS_MAX));
    let mut first = first_of(2, |options| options);
    hear(&mut first, 2, Body::Repair(vec![repair.clone()]), AT);
    assert_eq!(first.status(AT).epoch, limits::EPOCHS_MAX);
    // There is no epoch beyond, whatever a list says.
    let beyond = Register { stamp: Stamp::new(limits::EPOCHS_MAX + 1, 5, 0, NodeId::new(2)), ..repair };
    hear(&mut first, 2, Body::Repair(vec![beyond]), AT);
    assert_eq!(first.status(AT).epoch, limits::EPOCHS_MAX);
}

#[test]
fn a_repair_may_lie_ahead_by_the_greatest_drift_and_no_more() {
    for (ahead_ms, epoch) in [(5_000, 1), (5_001, 0)] {
        let mut replica = first_of(2, |options| options);
        let stamp = Stamp::new(1, START_MS + ahead_ms, 0, NodeId::new(2));
        let repair = Register { key: crate::replica::epoch::KEY.into(), stamp, ..register(0) };
        hear(&mut replica, 2, Body::Repair(vec![repair]), AT);
        assert_eq!(replica.status(AT).epoch, epoch, "{ahead_ms} ms ahead");
    }
}

#[test]
fn another_process_of_a_peer_may_announce_a_lower_gc_floor() {
    let mut peer = Peer::default();
    let mut note = |instance: u64, floor: Stamp| {
        peer.note_announced_gc_floor(instance, floor);
        peer.claimed
    };
    let (low, middle, high) = (floor(3_000), floor(2_000), floor(1_000));
    assert_eq!(note(1, high), Some((1, high)));
    assert_eq!(note(1, low), Some((1, high)), "a late message of the same process");
    assert_eq!(note(2, low), Some((2, low)), "a process on another disk");
    assert_eq!(note(2, middle), Some((2, middle)));
}

#[test]
fn a_node_greets_another_process_that_has_its_id() {
    let mut replica = first_of(1, |options| options);
    let node = NodeId::new(1);
    for (instance, is_greeted) in [(1, false), (2, true)] {
        let output = replica.handle(Input::PeerUp { node, instance }, AT);
        assert_eq!(bodies(&output) == [(1, Body::Hello)], is_greeted, "instance {instance}");
    }
}

#[test]
fn a_node_beyond_the_greatest_number_of_peers_is_not_heard() {
    let mut replica = first_of(1, |options| options);
    let count = |replica: &Replica| replica.status(AT).peers.len();
    for node in 0..limits::NODES_MAX as u64 + 3 {
        hear(&mut replica, 1_000 + node, Body::Hello, AT);
    }
    assert_eq!(count(&replica), limits::NODES_MAX);
    // One that is known is heard on.
    let later = Now { steady_ms: AT.steady_ms + 500, ..AT };
    hear(&mut replica, 1_000, Body::Hello, later);
    let known = replica.status(later).peers.into_iter().find(|peer| peer.node == NodeId::new(1_000)).unwrap();
    assert_eq!(known.heard_ms_ago, Some(0));
}

#[test]
fn an_unreachable_member_is_asked_in_every_tenth_round() {
    let mut replica = first_of(3, |options| options);
    let chosen = |replica: &mut Replica, rounds: u64| {
        replica.timers.rounds = rounds;
        replica.choose_peer().map(NodeId::get)
    };
    assert!(chosen(&mut replica, 10).is_some(), "all are live");
    replica.handle(Input::PeerDown { node: NodeId::new(3), instance: 3 }, AT);
    assert_eq!((1..=20).filter(|round| chosen(&mut replica, *round) == Some(3)).collect::<Vec<_>>(), [10, 20]);
    replica.handle(Input::PeerDown { node: NodeId::new(2), instance: 2 }, AT);
    assert!(chosen(&mut replica, 1).is_some(), "none is live");
}

#[test]
fn a_clock_may_be_off_by_the_greatest_drift_and_no_more() {
    let mut replica = first_of(3, |options| options);
    for (off_ms, is_refused) in [(5_000, false), (-5_000, false), (5_001, true), (-5_001, true)] {
        replica.peers.values_mut().for_each(|peer| peer.offset = Some((off_ms, AT.steady_ms)));
        let refused = replica.status(AT).writes_refused;
        assert_eq!(matches!(refused, Some(WriteError::ClockOff { .. })), is_refused, "{off_ms} ms: {refused:?}");
    }
}

#[test]
fn of_an_odd_number_of_clocks_the_middle_one_counts() {
    for (clocks, middle) in [([1_000, 2_000], -1_000), ([-2_000, -1_000], 1_000), ([-1_000, 2_000], 0)] {
        let mut replica = first_of(3, |options| options);
        for (peer, off_ms) in replica.peers.values_mut().zip(clocks) {
            peer.offset = Some((off_ms, AT.steady_ms));
        }
        assert_eq!(replica.status(AT).clock_offset_ms, Some(middle), "{clocks:?}");
    }
}

#[test]
fn a_second_process_counts_until_it_was_silent_for_twenty_seconds() {
    let mut replica = first_of(1, |options| options);
    let hello = |instance: u64| Message { instance, gc_floor: Stamp::ZERO, body: Body::Hello }.encode();
    let mut is_refused_after = |input: Input, ms: u64| {
        let now = Now { wall_ms: AT.wall_ms + ms, steady_ms: AT.steady_ms + ms };
        replica.handle(input, now);
        replica.timers.round_ms = 0;
        replica.handle(Input::Tick, now);
        replica.status(now).writes_refused.is_some()
    };
    let node = NodeId::new(1);
    let of = |instance: u64| Input::Message { from: node, bytes: hello(instance) };
    assert!(!is_refused_after(of(1), 0), "its own message came back");
    assert!(is_refused_after(of(2), 0));
    assert!(is_refused_after(Input::Tick, 10_000));
    assert!(is_refused_after(Input::Tick, 20_000));
    assert!(!is_refused_after(Input::Tick, 20_001));
}

#[test]
fn a_stamp_that_is_superseded_by_a_clock_ahead_is_exceeded_and_not_only_named() {
    let mut replica = first_of(1, |options| options);
    let node = NodeId::new(2);
    let (far, at) = (Stamp::new(0, START_MS + 99_000, 0, node), |millis| Stamp::new(0, START_MS + millis, 0, node));
    let held = Register { key: b"x".as_slice().into(), stamp: at(5), supersedes: Some(far), ..register(0) };
    replica.table.merge(held, false);
    assert_eq!(replica.stamp_to_supersede(b"x", at(6)), Some(far), "a later write outranks it by its own stamp");
    assert_eq!(replica.stamp_to_supersede(b"x", at(5)), Some(far.successor()));
    assert_eq!(replica.stamp_to_supersede(b"x", at(4)), Some(far.successor()));
    assert_eq!(replica.stamp_to_supersede(b"x", Stamp::new(0, START_MS + 99_001, 0, node)), None);
    assert_eq!(replica.stamp_to_supersede(b"y", at(1)), None);
}

#[test]
fn a_decision_names_its_author_and_reason_up_to_the_limit() {
    for (actor, reason, is_valid) in [(1_024, 1_024, true), (1_025, 0, false), (0, 1_025, false)] {
        let mut replica = first_of(1, |options| options);
        let stamp = Stamp::new(0, START_MS + 3_600_000, 0, NodeId::new(2));
        hear(&mut replica, 2, Body::Repair(vec![Register { stamp, ..register(1) }]), AT);
        let (actor, reason) = ("a".repeat(actor).into(), "r".repeat(reason).into());
        let (key, resolution) = (register(1).key, Resolution::Drop);
        let output = replica.handle(Input::Resolve { request: 1, key, stamp, resolution, actor, reason }, AT);
        let is_refused = output.receipts.iter().any(|(_, receipt)| *receipt == Err(WriteError::Invalid));
        assert_eq!((replica.quarantine().count(), is_refused), (usize::from(!is_valid), !is_valid));
    }
}

#[test]
fn a_snapshot_is_requested_again_two_seconds_after_the_last_request() {
    let loaded = Loaded { registers: (1..=2).map(member).collect(), ..Loaded::default() };
    let early = Now { wall_ms: START_MS, steady_ms: 1 };
    let mut replica = Replica::new(Options::new("tests", NodeId::new(1)), loaded, early).0;
    replica.handle(Input::PeerUp { node: NodeId::new(2), instance: 2 }, early);
    let mut requests = |steady_ms: u64| {
        replica.output = Output::default();
        replica.request_snapshot(NodeId::new(2), Now { steady_ms, ..early });
        bodies(&replica.output).into_iter().filter(|(_, body)| *body == Body::SnapshotRequest(0)).count()
    };
    // The first one goes at once, however young the process is.
    assert_eq!([500, 501, 2_499, 2_500, 2_501, 4_500].map(&mut requests), [1, 0, 0, 1, 0, 1]);
}

#[test]
fn a_forgotten_member_enrols_again_once_it_has_all_that_a_gc_floor_stands_for() {
    let forgotten = Register { value: Some(crate::membership::forgotten("one")), ..member(1) };
    let loaded = Loaded { registers: vec![forgotten, member(2)], ..Loaded::default() };
    let mut replica = Replica::new(Options::new("tests", NodeId::new(1)), loaded, AT).0;
    replica.handle(Input::PeerUp { node: NodeId::new(2), instance: 2 }, AT);
    let is_member = |replica: &Replica| replica.membership.is_member(NodeId::new(1));
    replica.durable.enforced_gc_floor = floor(1_000);
    replica.note_equal(NodeId::new(2), Stamp::ZERO, AT);
    assert!(!is_member(&replica), "the other node does not announce the floor");
    replica.note_equal(NodeId::new(2), floor(1_000), AT);
    assert!(is_member(&replica));
}

#[test]
fn registers_that_the_gc_floor_refuses_are_counted_and_answered() {
    let mut replica = first_of(2, |options| options);
    replica.durable.enforced_gc_floor = floor(0);
    for number in 1..=2 {
        let output = hear(&mut replica, 2, Body::Repair(vec![register(number)]), AT);
        let hash = replica.table.hash(format!("k{number}").as_bytes());
        assert!(bodies(&output).contains(&(2, Body::Collected(vec![(hash, register(number).stamp)]))));
        assert_eq!(replica.status(AT).counters.refused, number);
    }
}

#[test]
fn a_node_is_isolated_from_the_round_in_which_no_expected_peer_is_live() {
    let since = |replica: &mut Replica, wall_ms: u64| {
        replica.note_isolation(Now { wall_ms, ..AT });
        replica.isolated_since_ms
    };
    // Alone, with nobody to expect; with another member; with configured peers.
    assert_eq!(since(&mut first_of(1, |options| options), 5), None);
    let mut member = first_of(2, |options| options);
    assert_eq!(since(&mut member, 5), None);
    member.handle(Input::PeerDown { node: NodeId::new(2), instance: 2 }, AT);
    assert_eq!(member.isolated_since_ms, Some(AT.wall_ms));
    assert_eq!(since(&mut member, AT.wall_ms + 9), Some(AT.wall_ms), "it keeps the first instant");
    hear(&mut member, 2, Body::Hello, AT);
    assert_eq!(since(&mut member, 7), None);
    let mut expecting = first_of(1, |options| Options { expects_peers: true, ..options });
    assert_eq!(since(&mut expecting, AT.wall_ms + 9), Some(AT.wall_ms));
}

#[test]
fn a_snapshot_is_fetched_when_a_thousand_registers_and_half_of_all_are_missing() {
    let mut replica = first_of(2, |options| options);
    (0..1_500).for_each(|number| _ = replica.table.merge(register(number), false));
    let here = replica.table.len() as u64;
    assert_eq!([2 * here - 1, 2 * here].map(|theirs| replica.needs_snapshot(theirs)), [false, true]);
    let few = first_of(2, |options| options);
    let here = few.table.len() as u64;
    assert_eq!([here + 999, here + 1_000].map(|theirs| few.needs_snapshot(theirs)), [false, true]);
}

#[test]
fn a_new_node_compares_more_often_for_thirty_seconds() {
    let mut replica = first_of(2, |options| Options { expects_peers: true, ..options });
    let at = |ms: u64| Now { steady_ms: AT.steady_ms + ms, ..AT };
    assert_eq!([0, 29_999, 30_000].map(|ms| replica.has_fast_rounds(at(ms))), [true, true, false]);
    replica.handle(Input::PeerDown { node: NodeId::new(2), instance: 2 }, AT);
    assert!(!replica.has_fast_rounds(at(0)), "nobody is there");
    hear(&mut replica, 2, Body::Hello, AT);
    replica.is_synced = true;
    assert!(!replica.has_fast_rounds(at(0)), "it is in sync");
}

#[test]
fn a_received_stamp_advances_the_clock_unless_it_lies_too_far_ahead() {
    let mut replica = first_of(2, |options| options);
    let of = |number: u64, ahead_ms: u64| Register {
        stamp: Stamp::new(0, START_MS + ahead_ms, 7, NodeId::new(2)),
        ..register(number)
    };
    hear(&mut replica, 2, Body::Repair(vec![of(1, 4_000)]), AT);
    assert_eq!(replica.clock.last(), of(1, 4_000).stamp);
    // What is far ahead and has lost already is merged into the history, and does not poison the clock.
    let superseding = Register { supersedes: Some(of(2, 9_000_000).stamp), ..of(2, 1_000) };
    hear(&mut replica, 2, Body::Repair(vec![superseding, of(2, 8_000_000)]), AT);
    assert_eq!(replica.clock.last(), of(1, 4_000).stamp);
    write(&mut replica, 1, Level::Local, AT);
    assert!(replica.get(b"x1").unwrap().stamp > of(1, 4_000).stamp);
}

#[test]
fn two_contents_under_one_stamp_are_counted() {
    let mut replica = first_of(2, |options| options);
    let of = |value: u8, millis: u64| Register {
        stamp: Stamp::new(0, START_MS + millis, 0, NodeId::new(2)),
        value: Some([value].as_slice().into()),
        ..register(1)
    };
    let (lesser, greater) = if of(1, 1).rank(&of(2, 1)).is_lt() { (1, 2) } else { (2, 1) };
    hear(&mut replica, 2, Body::Repair(vec![of(lesser, 1), of(greater, 1)]), AT);
    assert_eq!(replica.status(AT).counters.equal_stamps, 1);
    hear(&mut replica, 2, Body::Repair(vec![of(9, 2)]), AT);
    assert_eq!(replica.status(AT).counters.equal_stamps, 1, "a later stamp is no such thing");
}

#[test]
fn an_old_tombstone_that_came_after_the_last_confirmation_stays() {
    let removed = |number: u64| Register { value: None, ..register(number) };
    let loaded = Loaded { registers: [1, 2].map(member).into(), ..Loaded::default() };
    let (mut replica, output) = Replica::new(Options::new("tests", NodeId::new(1)), loaded, AT);
    let persist = |replica: &mut Replica, output: &Output| {
        output.persist.last().map(|batch| replica.handle(Input::Persisted { upto: batch.seq }, AT));
    };
    persist(&mut replica, &output);
    for (number, confirms) in [(1, true), (2, false)] {
        let output = hear(&mut replica, 2, Body::Repair(vec![removed(number)]), AT);
        persist(&mut replica, &output);
        let merges = replica.table.merges();
        if confirms {
            replica.peers.get_mut(&NodeId::new(2)).unwrap().confirmed = Some(merges);
        }
    }
    replica.is_synced = true;
    replica.collect_tombstones(Now { wall_ms: START_MS + DAY_MS, ..AT });
    assert_eq!([b"k1", b"k2"].map(|key| replica.get(key).is_some()), [false, true]);
}

#[test]
fn a_tombstone_counts_as_collected_between_the_announced_and_the_enforced_gc_floor() {
    let mut replica = first_of(2, |options| options);
    let (low, middle, high) = (floor(3_000), floor(2_000), floor(1_000));
    let mut is_collected = |announced: Stamp, enforced: Stamp, stamp: Stamp, floor: Stamp| {
        (replica.durable.announced_gc_floor, replica.durable.enforced_gc_floor) = (announced, enforced);
        replica.is_collected(stamp, floor)
    };
    assert!(is_collected(low, high, middle, high) && is_collected(low, high, high, high));
    assert!(is_collected(low, middle, middle, high), "the sender's floor is above the one that is enforced here");
    assert!(!is_collected(low, middle, high, high), "the stamp is above the enforced floor");
    assert!(!is_collected(low, high, high, middle), "the stamp is above the sender's floor");
    assert!(!is_collected(high, high, middle, high), "this node announces that floor itself");
    assert!(!is_collected(high, high, middle, middle), "and a higher one");
}

#[test]
fn a_gc_floor_that_this_node_announces_is_not_orphaned() {
    let mut replica = first_of(2, |options| options);
    (replica.durable.announced_gc_floor, replica.durable.enforced_gc_floor) = (floor(1_000), floor(1_000));
    replica.peers.get_mut(&NodeId::new(2)).unwrap().claimed = Some((2, floor(2_000)));
    replica.look_for_orphans(AT);
    assert_eq!(replica.orphaned_since_ms, None);
}

#[test]
fn the_driver_sees_what_the_status_says() {
    let mut replica = first_of(2, |options| options);
    let node = NodeId::new(2);
    hear(&mut replica, 2, Body::Push { registers: vec![register(1)], awaited: Awaited::Everybody }, AT);
    assert_eq!((replica.writes_refused(AT), replica.is_reachable(node)), (None, true));
    assert_eq!(replica.counters(), replica.status(AT).counters);
    assert_ne!(replica.counters(), Counters::default());
    replica.handle(Input::PeerDown { node, instance: 2 }, AT);
    replica.handle(Input::PersistFailed { message: "full".to_owned() }, AT);
    assert!(replica.writes_refused(AT).is_some() && !replica.is_reachable(node));
}

#[test]
fn the_clock_is_reserved_three_seconds_ahead_and_again_after_one() {
    let mut replica = first_of(1, |options| options);
    let mut reserve = |ms: u64| {
        let now = Now { wall_ms: START_MS + ms, steady_ms: AT.steady_ms + ms };
        replica.reserve_clock(Stamp::new(0, START_MS + ms, 0, NodeId::new(1)), now);
        replica.durable.clock_reservation.millis() - START_MS
    };
    assert_eq!([100_000, 101_000, 101_001, 102_001].map(&mut reserve), [103_000, 103_000, 104_001, 104_001]);
    // A stamp ahead of the wall clock is covered, too.
    replica.reserve_clock(Stamp::new(0, START_MS + 900_000, 0, NodeId::new(1)), AT);
    assert_eq!(replica.durable.clock_reservation.millis(), START_MS + 900_000);
    // Another epoch starts over.
    replica.reserve_clock(Stamp::new(1, START_MS, 0, NodeId::new(1)), AT);
    assert_eq!(
        (replica.durable.clock_reservation.epoch(), replica.durable.clock_reservation.millis()),
        (1, START_MS + 3_000)
    );
}
