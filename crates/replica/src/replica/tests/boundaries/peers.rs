//! Other nodes: clocks, limits and whom to ask.

use super::*;

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
fn a_node_is_isolated_from_the_round_in_which_no_expected_peer_is_live() {
    let since = |replica: &mut Replica, wall_ms: u64| {
        replica.note_isolation(Now { wall_ms, ..AT });
        replica.isolated_since_ms
    };
    // Alone, with no other node to expect; with another member; with configured peers.
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
