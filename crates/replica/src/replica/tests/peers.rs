//! Peers: clocks, duplicate node ids, and peers that do not answer.

use super::*;

#[test]
fn writes_are_refused_as_soon_as_the_clock_jumps() {
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
fn writes_are_refused_once_peers_show_that_the_clock_is_off() {
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
fn two_processes_with_one_id_refuse_writes() {
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
fn a_connected_peer_that_does_not_answer_is_listed() {
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
    assert!(!is_named(&replica, 60_000), "it is unreachable, so no answer is expected");
}

/// What a node says to another one with its id, as an example of any message.
fn hello_of(node: u64) -> Vec<u8> {
    let (_, output) = Replica::new(Options::new("tests", NodeId::new(node)), Loaded::default(), Now::default());
    output.send.into_iter().map(|(_, bytes)| bytes).next().unwrap()
}

#[test]
fn a_second_process_with_the_same_id_is_detected_at_once() {
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

#[test]
fn both_of_two_nodes_see_that_a_clock_is_off() {
    for (off_ms, is_off) in [(0, false), (499, false), (500, true), (4_000, true), (3_600_000, true)] {
        let mut cluster = Cluster::expecting(2);
        cluster.wall_ms[1] += off_ms;
        cluster.meet();
        cluster.pass(3_000);
        for (node, sign) in [(0, 1), (1, -1)] {
            let status = cluster.status(node);
            let offset = sign * i64::try_from(off_ms).unwrap();
            assert_eq!(
                (status.peers[0].clock_offset_ms, status.peers[0].is_clock_off),
                (Some(offset), is_off),
                "{off_ms}"
            );
            assert_eq!(status.clock_offset_ms, Some(-offset / 2));
            // With a single other clock it is unknown which one is wrong.
            assert!(!matches!(status.writes_refused, Some(WriteError::ClockOff { .. })));
        }
    }
}

#[test]
fn a_slow_reply_does_not_mark_a_clock_as_off() {
    let (mut replica, now) = put_back();
    let peer = NodeId::new(2);
    let output = replica.handle(Input::PeerUp { node: peer, instance: 2 }, now);
    let asked = output.send.iter().find_map(|(_, bytes)| match Message::decode(bytes).unwrap().0.body {
        Body::RootRequest(summary) => Some(summary),
        _ => None,
    });
    let later = Now { wall_ms: now.wall_ms + 1_000, steady_ms: now.steady_ms + 1_000 };
    let summary = Summary { echo_ms: now.steady_ms, wall_ms: now.wall_ms + 1_400, ..asked.unwrap() };
    let body = Body::RootReply { summary, is_same: true, is_durable: true, children: [0; 16] };
    let bytes = Message { instance: 2, gc_floor: Stamp::ZERO, body }.encode();
    replica.handle(Input::Message { from: peer, bytes }, later);
    let status = replica.status(later);
    assert_eq!((status.peers[0].clock_offset_ms, status.peers[0].is_clock_off), (Some(900), false));
}

#[test]
fn the_nearer_of_two_middle_clocks_counts() {
    let (mut replica, now) = put_back();
    let mut hear = |clocks: [i64; 3]| {
        for (node, offset) in (2..).zip(clocks) {
            let peer = replica.peers.entry(NodeId::new(node)).or_default();
            peer.offset = Some((offset, now.steady_ms));
        }
        (
            replica.status(now).clock_offset_ms,
            matches!(replica.status(now).writes_refused, Some(WriteError::ClockOff { .. })),
        )
    };
    assert_eq!(hear([1_000, 7_000, 8_000]), (Some(-1_000), false));
    assert_eq!(hear([-8_000, -7_000, -1_000]), (Some(1_000), false));
    assert_eq!(hear([6_000, 7_000, 8_000]), (Some(-6_000), true));
}
