//! Which registers of a node may leave it before its clock reservation is on the disk.

use super::boundaries::*;
use super::*;
use crate::merkle::Branch;

/// The registers in the messages of an output.
fn leaving(output: &Output) -> Vec<(String, Option<String>)> {
    let bytes = output.broadcast.iter().chain(output.send.iter().map(|(_, bytes)| bytes));
    let registers = bytes.flat_map(|bytes| match Message::decode(bytes).unwrap().0.body {
        Body::Push { registers, .. } | Body::Repair(registers) | Body::SnapshotChunk { registers, .. } => registers,
        _ => Vec::new(),
    });
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let users = registers.filter(|register| is_users(&register.key));
    users.map(|register| (text(&register.key), register.value.as_deref().map(text))).collect()
}

/// Later than what was reserved at the start.
const LATE: Now = Now { wall_ms: START_MS + 5_000, steady_ms: AT.steady_ms + 5_000 };

fn x1(value: &str) -> Vec<(String, Option<String>)> {
    vec![("x1".to_owned(), Some(value.to_owned()))]
}

fn x1_of_another(value: &str, millis: u64) -> Register {
    let stamp = Stamp::new(0, START_MS + millis, 0, NodeId::new(2));
    Register { key: b"x1".as_slice().into(), stamp, value: Some(value.as_bytes().into()), ..register(0) }
}

/// A write of `x1` whose batch, with the clock reservation, is on its way to the disk.
fn written() -> (Replica, Output) {
    let mut replica = first_of(3, |options| options);
    let output = write(&mut replica, 1, Level::Majority, LATE);
    assert!(output.persist.last().unwrap().meta.is_some());
    (replica, output)
}

/// The same over what another node had written before.
fn overwritten() -> (Replica, Output) {
    let mut replica = first_of(3, |options| options);
    let before = hear(&mut replica, 2, Body::Repair(vec![x1_of_another("before", 0)]), AT);
    replica.handle(Input::Persisted { upto: last_seq(&before) }, AT);
    let output = write(&mut replica, 1, Level::Majority, LATE);
    assert!(output.persist.last().unwrap().meta.is_some());
    (replica, output)
}

/// What a node gets that asks for it in each of the ways that there are.
fn asked(replica: &mut Replica) -> [Vec<(String, Option<String>)>; 3] {
    let hash = replica.table.hash(b"x1");
    let mut leaf = Branch::ROOT;
    while !leaf.is_leaf() {
        let next = (0..16).map(|digit| leaf.child(digit)).find(|child| child.hashes().contains(&hash));
        leaf = next.unwrap();
    }
    [Body::RegistersRequest(vec![hash]), Body::Leaves(vec![(leaf, Vec::new())]), Body::SnapshotRequest(0)]
        .map(|body| leaving(&hear(replica, 3, body, LATE)))
}

#[test]
fn a_new_register_leaves_only_after_the_clock_reservation_is_on_the_disk() {
    let (mut replica, output) = written();
    assert_eq!(leaving(&output), []);
    assert_eq!(asked(&mut replica), [const { Vec::new() }; 3]);
    let output = replica.handle(Input::Persisted { upto: last_seq(&output) }, AT);
    assert_eq!(leaving(&output), x1("on"));
    assert_eq!(asked(&mut replica), [x1("on"), x1("on"), x1("on")]);
}

#[test]
fn other_nodes_get_what_was_active_before_until_the_clock_reservation_is_on_the_disk() {
    let (mut replica, first) = overwritten();
    assert_eq!(asked(&mut replica), [x1("before"), x1("before"), x1("before")]);
    // Another write that waits changes nothing.
    let second = write(&mut replica, 1, Level::Majority, LATE);
    assert_eq!(asked(&mut replica), [x1("before"), x1("before"), x1("before")]);
    let output = replica.handle(Input::Persisted { upto: last_seq(&first) }, AT);
    // The first reservation covers both.
    assert_eq!(leaving(&output), [x1("on"), x1("on")].concat());
    assert_eq!(asked(&mut replica), [x1("on"), x1("on"), x1("on")]);
    replica.handle(Input::Persisted { upto: last_seq(&second) }, AT);
    assert_eq!(asked(&mut replica), [x1("on"), x1("on"), x1("on")]);
}

#[test]
fn a_leaf_names_what_other_nodes_may_have() {
    let (mut replica, _) = overwritten();
    let hash = replica.table.hash(b"x1");
    let mut branch = Branch::ROOT;
    let mut entries = None;
    while entries.is_none() {
        let output = hear(&mut replica, 3, Body::Branches(vec![(branch, [9; 16])]), LATE);
        entries = bodies(&output).into_iter().find_map(|(_, body)| match body {
            Body::Leaves(leaves) => {
                leaves.into_iter().flat_map(|(_, entries)| entries).find(|entry| entry.hash == hash)
            }
            _ => None,
        });
        branch = (0..16).map(|digit| branch.child(digit)).find(|child| child.hashes().contains(&hash)).unwrap();
    }
    assert_eq!(entries.unwrap().stamp, x1_of_another("before", 0).stamp);
}

#[test]
fn what_loses_against_a_register_that_waits_is_what_other_nodes_get() {
    let (mut replica, _) = overwritten();
    for (value, millis) in [("later", 5), ("before", 0), ("middle", 3)] {
        hear(&mut replica, 2, Body::Repair(vec![x1_of_another(value, millis)]), LATE);
    }
    assert_eq!(replica.get(b"x1").unwrap().stamp.node(), NodeId::new(1));
    assert_eq!(asked(&mut replica), [x1("later"), x1("later"), x1("later")]);
}

#[test]
fn what_outranks_a_register_that_waits_leaves_at_once() {
    let (mut replica, _) = written();
    let output = hear(&mut replica, 2, Body::Repair(vec![x1_of_another("after", 9_000)]), LATE);
    assert_eq!(leaving(&output), []);
    assert_eq!(asked(&mut replica), [x1("after"), x1("after"), x1("after")]);
}

#[test]
fn a_write_that_is_sent_again_is_not_its_successor_that_waits() {
    let mut replica = first_of(3, |options| options);
    let first = write(&mut replica, 1, Level::Majority, AT);
    replica.timers.round_ms = u64::MAX;
    replica.handle(Input::Persisted { upto: last_seq(&first) }, AT);
    // Above the reservation: the clock was ahead for a moment.
    let later = Now { wall_ms: START_MS + 3_900, steady_ms: AT.steady_ms + 90 };
    replica.handle(Input::Tick, later);
    let second = write(&mut replica, 1, Level::Majority, later);
    assert_eq!(leaving(&second), []);
    let output = replica.handle(Input::Tick, Now { wall_ms: START_MS + 3_910, steady_ms: AT.steady_ms + 100 });
    assert_eq!(leaving(&output), [x1("on"), x1("on")].concat());
    let stamps = output.send.iter().map(|(_, bytes)| Message::decode(bytes).unwrap().0.body);
    for body in stamps {
        let Body::Push { registers, .. } = body else { panic!("{body:?}") };
        assert!(registers[0].stamp < replica.get(b"x1").unwrap().stamp);
    }
}

#[test]
fn an_answer_that_names_a_register_waits_until_it_may_leave() {
    let mut replica = first_of(3, |options| options);
    let push = Body::Push { registers: vec![x1_of_another("theirs", 0)], awaited: Awaited::Everybody };
    let theirs = hear(&mut replica, 2, push, AT);
    let ours = write(&mut replica, 1, Level::Majority, LATE);
    let output = replica.handle(Input::Persisted { upto: last_seq(&theirs) }, AT);
    assert!(bodies(&output).is_empty(), "{:?}", bodies(&output));
    let output = replica.handle(Input::Persisted { upto: last_seq(&ours) }, AT);
    let answers: Vec<(u64, Body)> = bodies(&output);
    assert!(matches!(&answers[..], [(2, Body::Outranked(_)), (2, Body::Repair(_))]), "{answers:?}");
}

#[test]
fn a_write_that_waited_for_the_disk_is_sent_again_as_often_as_any_other() {
    let (mut replica, written) = written();
    replica.timers.round_ms = u64::MAX;
    let mut at = |ms: u64, input: Input| {
        leaving(&replica.handle(input, Now { wall_ms: LATE.wall_ms + ms, steady_ms: LATE.steady_ms + ms }))
    };
    for ms in 1..350 {
        assert_eq!(at(ms, Input::Tick), [], "{ms} ms");
    }
    assert_eq!(at(350, Input::Persisted { upto: last_seq(&written) }), x1("on"));
    let sent: Vec<u64> = (351..1_500).filter(|ms| !at(*ms, Input::Tick).is_empty()).collect();
    assert_eq!(sent, [400, 600]);
}
