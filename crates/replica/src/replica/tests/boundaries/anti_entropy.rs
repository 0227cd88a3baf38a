//! When a node fetches everything, and when it compares more often.

use super::*;

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
fn a_snapshot_is_fetched_when_a_thousand_registers_and_half_of_all_are_missing() {
    let mut replica = first_of(2, |options| options);
    (0..1_500).for_each(|number| _ = replica.table.merge(register(number), false));
    let here = replica.table.visible_count() as u64;
    assert_eq!([2 * here - 1, 2 * here].map(|theirs| replica.needs_snapshot(theirs)), [false, true]);
    let few = first_of(2, |options| options);
    let here = few.table.visible_count() as u64;
    assert_eq!([here + 999, here + 1_000].map(|theirs| few.needs_snapshot(theirs)), [false, true]);
}

#[test]
fn a_new_node_compares_more_often_for_thirty_seconds() {
    let mut replica = first_of(2, |options| Options { expects_peers: true, ..options });
    let at = |ms: u64| Now { steady_ms: AT.steady_ms + ms, ..AT };
    assert_eq!([0, 29_999, 30_000].map(|ms| replica.has_fast_rounds(at(ms))), [true, true, false]);
    replica.handle(Input::PeerDown { node: NodeId::new(2), instance: 2 }, AT);
    assert!(!replica.has_fast_rounds(at(0)), "no peer is reachable");
    hear(&mut replica, 2, Body::Hello, AT);
    replica.is_synced = true;
    assert!(!replica.has_fast_rounds(at(0)), "it is in sync");
}
