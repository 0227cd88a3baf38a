//! Acknowledgements, received registers and stamps.

use super::*;

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
